//! From the JSON of a record to the fields that are restored; `past` adds these to figures.
//!
//! A record is what [`Figures::json`](super::Figures::json) writes. One that the original wrote is taken, too: what it has is restored.
//!
//! Besides its figures a record has a past: it was made from a segment, in which an earlier one may have been restored, and so on. The ids of
//! these segments are in it (`segmentIds`), and are restored with it: so a record is known in each segment whose counts it has.

use serde_json::{Map, Value};

use super::document::{MEMBERS, OTHER};
use super::restored::{self, Fields};
use super::series;
use super::time::parse_rfc3339;

/// A record.
pub(super) struct Record {
    /// The segment that it was made from; 0: not known.
    pub(super) segment_id: u64,
    /// When; 0: not known.
    pub(super) persisted_at_ns: u64,
    /// The field that no other record has.
    pub(super) identity: String,
    /// What is restored.
    fields: Fields,
}

impl Record {
    /// Reads a record; `Err` says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Record, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let Value::Object(members) = value else {
            return Err("it is no JSON object".to_owned());
        };
        if !members.contains_key("requestsFinished") {
            return Err("it has no member requestsFinished".to_owned());
        }
        let mut fields = Fields::new();
        for (member, field) in COUNTS {
            if let Some(count) = members.get(member).and_then(Value::as_u64) {
                fields.insert(field.to_owned(), whole(count));
            }
        }
        let known = |fields: &Fields, field: &str| fields.get(field).copied().unwrap_or(0);
        // The original does not count starts, and its means are of all.
        let (finished, failed) = (known(&fields, "finished"), known(&fields, "failed"));
        for (field, count) in [
            ("started", finished.saturating_add(failed)),
            ("finished_timed", finished),
            ("failed_timed", failed),
        ] {
            fields.entry(field.to_owned()).or_insert(count);
        }
        for (member, field) in MILLIS {
            if let Some(millis) = members.get(member).and_then(Value::as_f64) {
                fields.insert(field.to_owned(), (millis.max(0.0) * 1e6).round() as i64);
            }
        }
        for (member, field) in TIMES {
            if let Some(time) = members.get(member).and_then(Value::as_str) {
                let time = parse_rfc3339(time).ok_or(format!("{member} is no time: {time:?}"))?;
                fields.insert(field.to_owned(), whole(time));
            }
        }
        let retries = members.get("requestRetryHistogram").and_then(Value::as_array);
        let mut retried = 0u64;
        for (index, count) in retries.into_iter().flatten().enumerate() {
            if let Some(count) = count.as_u64().filter(|count| *count > 0) {
                fields.insert(format!("{RETRIES}{index}"), whole(count));
                retried = retried.saturating_add(if index > 0 { count } else { 0 });
            }
        }
        // An original of another version counts requests that its histogram has not.
        let all = members.get("requestsRetries").and_then(Value::as_u64);
        if let Some(more) = all
            .and_then(|all| all.checked_sub(retried))
            .filter(|more| *more > 0)
        {
            fields.insert("retries_more".to_owned(), whole(more));
        }
        for (member, prefix) in [
            ("requestsWithStatusCode", CODE),
            ("errors", ERROR),
            ("retryErrors", RETRY_ERROR),
        ] {
            let counts = members.get(member).and_then(Value::as_object);
            for (name, count) in counts.into_iter().flatten() {
                if let Some(count) = count.as_u64() {
                    fields.insert(format!("{prefix}{name}"), whole(count));
                }
            }
        }
        further(&members, &mut fields);
        let id = |id: &Value| u64::from_str_radix(id.as_str()?, 16).ok();
        let segment_id = members.get("segmentId").and_then(id).unwrap_or(0);
        let earlier = members.get("segmentIds").and_then(Value::as_array);
        let earlier = earlier.into_iter().flatten().filter_map(id);
        let ids = std::iter::once(segment_id).chain(earlier).filter(|id| *id != 0);
        for (ago, id) in (1..).zip(ids.take(MOST_SEGMENTS)) {
            fields.entry(segment(id)).or_insert(ago);
        }
        let persisted_at = members.get("statsPersistedAt").and_then(Value::as_str);
        let persisted_at_ns = persisted_at.and_then(parse_rfc3339).unwrap_or(0);
        fields.insert("persisted_at_ns".to_owned(), whole(persisted_at_ns));
        let identity = format!("{IDENTITY}{}", restored::hash(&fields));
        fields.insert(identity.clone(), 1);
        Ok(Record {
            segment_id,
            persisted_at_ns,
            identity,
            fields,
        })
    }

    /// Has it what was counted in this segment, until it was saved?
    pub(super) fn is_of(&self, segment_id: u64) -> bool {
        self.fields.contains_key(&segment(segment_id))
    }

    /// What is restored where so many groups of errors of a stage are told apart: of more the rarest are one, and so it is with codes. So a
    /// record that moves from segment to segment does not grow.
    pub(super) fn limited(&self, groups: u64) -> Fields {
        let mut fields = self.fields.clone();
        limit(&mut fields, ERROR, groups);
        limit(&mut fields, RETRY_ERROR, groups);
        limit(&mut fields, CODE, series::LIMIT);
        fields
    }
}

fn limit(fields: &mut Fields, prefix: &str, most: u64) {
    let other = format!("{prefix}{OTHER}");
    let named = fields
        .iter()
        .filter(|(name, _)| name.starts_with(prefix) && **name != other);
    let mut named: Vec<(i64, String)> = named.map(|(name, count)| (*count, name.clone())).collect();
    // The most frequent first; of equal ones by name.
    named.sort_by(|(a, a_name), (b, b_name)| (b, a_name).cmp(&(a, b_name)));
    for (count, name) in named
        .into_iter()
        .skip(usize::try_from(most).unwrap_or(usize::MAX))
    {
        fields.remove(&name);
        let rest = fields.entry(other.clone()).or_insert(0);
        *rest = rest.saturating_add(count);
    }
}

/// As a number holds it.
fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The field of a segment that a record has the counts of: how many segments ago, from 1.
fn segment(id: u64) -> String {
    format!("{SEGMENT}{id:016x}")
}

/// Segments that are known of a record's past, the latest first.
const MOST_SEGMENTS: usize = 32;
const COUNTS: [(&str, &str); 6] = [
    ("requestsFinished", "finished"),
    ("requestsFailed", "failed"),
    ("requestsStarted", "started"),
    ("retriesStarted", "retried"),
    ("requestsFinishedWithDuration", "finished_timed"),
    ("requestsFailedWithDuration", "failed_timed"),
];
const MILLIS: [(&str, &str); 5] = [
    ("requestMinDurationMillis", "min_ns"),
    ("requestMaxDurationMillis", "max_ns"),
    ("requestTotalFailedDurationMillis", "failed_ns"),
    ("requestTotalFinishedDurationMillis", "finished_ns"),
    ("crawlerRuntimeMillis", "runtime_ns"),
];
const TIMES: [(&str, &str); 3] = [
    ("crawlerStartedAt", "started_at_ns"),
    ("crawlerLastStartTimestamp", "last_started_at_ns"),
    ("crawlerFinishedAt", "finished_at_ns"),
];
pub(super) const RETRIES: &str = "retries.";
pub(super) const CODE: &str = "code.";
pub(super) const ERROR: &str = "error.";
pub(super) const RETRY_ERROR: &str = "retry_error.";
pub(super) const EXTRA: &str = "extra.";
pub(super) const EXTRA_FLOAT: &str = "extra_float.";
pub(super) const SEGMENT: &str = "segment.";
/// Of the hash of all that a record has, before anything is left out.
const IDENTITY: &str = "from.";

/// Numbers that are no members of the state are the user's.
fn further(members: &Map<String, Value>, fields: &mut Fields) {
    for (name, value) in members {
        if MEMBERS.contains(&&**name) {
            continue;
        }
        if let Some(whole) = value.as_i64() {
            fields.insert(format!("{EXTRA}{name}"), whole);
        } else if let Some(float) = value.as_f64() {
            fields.insert(format!("{EXTRA_FLOAT}{name}"), float.to_bits() as i64);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Figures;
    use super::super::past::add;
    use super::*;
    use crate::snapshot::Number;

    #[test]
    fn what_is_written_is_what_is_restored() {
        let mut figures = Figures {
            requests_finished: 3,
            requests_failed: 1,
            finished_with_duration: 3,
            failed_with_duration: 1,
            requests_retries: 2,
            requests_started: 5,
            retries_started: 4,
            request_min_duration: Some(Duration::from_nanos(3_001)),
            request_max_duration: Some(Duration::from_nanos(7_654_321)),
            request_total_failed_duration: Duration::from_nanos(3),
            request_total_finished_duration: Duration::from_nanos(1_234_567_890_123_457),
            crawler_started_at_ns: Some(951_782_399_999_999_999),
            crawler_last_started_at_ns: Some(951_782_400_000_000_000),
            crawler_finished_at_ns: Some(951_782_401_000_000_001),
            crawler_runtime: Duration::from_nanos(999_999_999),
            requests_with_status_code: [("200".to_owned(), 4)].into(),
            request_retry_histogram: vec![2, 0, 2],
            ..Figures::default()
        };
        figures.errors.add(Some("a.rs:7:Timeout:too late".to_owned()), 2);
        figures.errors.add(None, 1);
        figures.retry_errors.add(Some("Reset".to_owned()), 9);
        figures.extra.insert("browserRuns".to_owned(), Number::I64(-4));
        figures.extra.insert("load".to_owned(), Number::F64(0.1));
        let record = Record::parse(&figures.json()).unwrap();
        let mut restored = Figures::default();
        for (field, value) in &record.fields {
            add(&mut restored, field, *value);
        }
        restored.requests_retries = 2;
        assert_eq!(restored, figures);
    }

    #[test]
    fn a_record_of_the_original_is_taken_and_what_is_none_is_refused() {
        let original = r#"{"statsId":0,"requestsFinished":1,"requestsFailed":1,"requestMinDurationMillis":20.0,
            "crawlerStartedAt":"2026-01-02T03:04:05.678901Z","crawlerFinishedAt":null,"errors":{},
            "requestsWithStatusCode":{"200":2,"404":1},"requestRetryHistogram":[1,1],"crawlerRuntimeMillis":"PT0.322429S"}"#;
        let record = Record::parse(original).unwrap();
        assert_eq!(
            (
                record.segment_id,
                record.fields["finished"],
                record.fields["min_ns"]
            ),
            (0, 1, 20_000_000)
        );
        for wrong in [
            "",
            "[]",
            "{}",
            "{\"requestsFinished\":1,\"crawlerStartedAt\":\"yesterday\"}",
        ] {
            assert!(Record::parse(wrong).is_err(), "{wrong}");
        }
    }

    fn restored(text: &str) -> Figures {
        let mut figures = Figures::default();
        for (field, value) in &Record::parse(text).unwrap().fields {
            add(&mut figures, field, *value);
        }
        figures
    }

    #[test]
    fn numbers_beyond_all_bounds_stay_at_the_bound() {
        let text = format!(
            r#"{{"requestsFinished":{most},"requestsFailed":{most},"requestMinDurationMillis":-1.0,
                "requestTotalFailedDurationMillis":-5.5,"requestRetryHistogram":[{most},{most},{most}]}}"#,
            most = u64::MAX
        );
        let told = restored(&text);
        let most = i64::MAX as u64;
        assert_eq!((told.requests_finished, told.requests_started), (most, most));
        assert_eq!(told.request_retry_histogram, [most; 3]);
        assert_eq!(told.request_min_duration, Some(Duration::ZERO));
        assert_eq!(told.request_total_failed_duration, Duration::ZERO);
    }

    #[test]
    fn retries_that_a_histogram_lacks_are_restored_and_the_earlier_start_is_kept() {
        let told = restored(r#"{"requestsFinished":9,"requestsRetries":7,"requestRetryHistogram":[2,3,1]}"#);
        assert_eq!(told.requests_retries, 3);
        let mut told = Figures {
            crawler_started_at_ns: Some(5),
            ..Figures::default()
        };
        for started in [7, 3, 4] {
            add(&mut told, "started_at_ns", started);
        }
        assert_eq!(told.crawler_started_at_ns, Some(3));
    }

    #[test]
    fn of_more_groups_than_are_told_apart_the_rarest_are_one() {
        let text =
            r#"{"requestsFinished":0,"errors":{"a":5,"b":1,"c":5,"d":9,"(other)":2},"retryErrors":{"a":1}}"#;
        let record = Record::parse(text).unwrap();
        let mut told = Figures::default();
        for (field, value) in &record.limited(2) {
            add(&mut told, field, *value);
        }
        assert_eq!(told.errors.most_common(9), [("d", 9), ("a", 5)]);
        assert_eq!((told.errors.other, told.errors.total), (8, 22));
        assert_eq!((told.retry_errors.other, told.retry_errors.total), (0, 1));
        // It is the same record all the same, and another one is not.
        assert!(record.limited(0).contains_key(&record.identity));
        let other = Record::parse(&text.replace('9', "8")).unwrap();
        assert_ne!(other.identity, record.identity);
    }
}
