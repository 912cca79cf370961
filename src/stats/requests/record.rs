//! From the JSON of a record to the fields that are restored, and from these to the figures they are added to.
//!
//! A record is what [`Figures::json`] writes. One that the original wrote is taken, too: what it has is restored.

use std::time::Duration;

use serde_json::{Map, Value};

use super::document::{MEMBERS, OTHER};
use super::gathered::add_at;
use super::restored::Fields;
use super::time::parse_rfc3339;
use super::{ErrorCounts, Figures};
use crate::snapshot::Number;

/// A record.
pub(super) struct Record {
    /// The segment that it was made from; 0: not known.
    pub(super) segment_id: u64,
    /// What is restored.
    pub(super) fields: Fields,
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
                fields.insert(field.to_owned(), count as i64);
            }
        }
        // The original does not count starts.
        let ended = [fields.get("finished"), fields.get("failed")]
            .into_iter()
            .flatten()
            .sum();
        fields.entry("started".to_owned()).or_insert(ended);
        for (member, field) in MILLIS {
            if let Some(millis) = members.get(member).and_then(Value::as_f64) {
                fields.insert(field.to_owned(), (millis * 1e6).round() as i64);
            }
        }
        for (member, field) in TIMES {
            if let Some(time) = members.get(member).and_then(Value::as_str) {
                let time = parse_rfc3339(time).ok_or(format!("{member} is no time: {time:?}"))?;
                fields.insert(field.to_owned(), time as i64);
            }
        }
        let retries = members.get("requestRetryHistogram").and_then(Value::as_array);
        for (index, count) in retries.into_iter().flatten().enumerate() {
            if let Some(count) = count.as_u64().filter(|count| *count > 0) {
                fields.insert(format!("{RETRIES}{index}"), count as i64);
            }
        }
        for (member, prefix) in [
            ("requestsWithStatusCode", CODE),
            ("errors", ERROR),
            ("retryErrors", RETRY_ERROR),
        ] {
            let counts = members.get(member).and_then(Value::as_object);
            for (name, count) in counts.into_iter().flatten() {
                if let Some(count) = count.as_u64() {
                    fields.insert(format!("{prefix}{name}"), count as i64);
                }
            }
        }
        further(&members, &mut fields);
        let id = members.get("segmentId").and_then(Value::as_str);
        Ok(Record {
            segment_id: id.and_then(|id| u64::from_str_radix(id, 16).ok()).unwrap_or(0),
            fields,
        })
    }
}

const COUNTS: [(&str, &str); 4] = [
    ("requestsFinished", "finished"),
    ("requestsFailed", "failed"),
    ("requestsStarted", "started"),
    ("retriesStarted", "retried"),
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
const RETRIES: &str = "retries.";
const CODE: &str = "code.";
const ERROR: &str = "error.";
const RETRY_ERROR: &str = "retry_error.";
const EXTRA: &str = "extra.";
const EXTRA_FLOAT: &str = "extra_float.";

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

/// Adds a field of the past.
pub(super) fn add(figures: &mut Figures, field: &str, value: i64) {
    let count = value.max(0) as u64;
    let duration = Duration::from_nanos(count);
    let plus = |sum: &mut u64| *sum = sum.saturating_add(count);
    let longer = |sum: &mut Duration| *sum = sum.saturating_add(duration);
    match field {
        "finished" => {
            plus(&mut figures.requests_finished);
            plus(&mut figures.finished_with_duration);
        }
        "failed" => {
            plus(&mut figures.requests_failed);
            plus(&mut figures.failed_with_duration);
        }
        "started" => plus(&mut figures.requests_started),
        "retried" => plus(&mut figures.retries_started),
        "finished_ns" => longer(&mut figures.request_total_finished_duration),
        "failed_ns" => longer(&mut figures.request_total_failed_duration),
        "runtime_ns" => longer(&mut figures.crawler_runtime),
        "min_ns" => {
            let known = figures.request_min_duration;
            figures.request_min_duration = Some(known.map_or(duration, |known| known.min(duration)));
        }
        "max_ns" => figures.request_max_duration = figures.request_max_duration.max(Some(duration)),
        "started_at_ns" => figures.crawler_started_at_ns = Some(count),
        // Those of this segment are later, if it has any.
        "last_started_at_ns" => {
            figures.crawler_last_started_at_ns.get_or_insert(count);
        }
        "finished_at_ns" if figures.processes == 0 => {
            figures.crawler_finished_at_ns.get_or_insert(count);
        }
        _ => named(figures, field, value, count),
    }
}

/// Adds a field whose name has a part.
fn named(figures: &mut Figures, field: &str, value: i64, count: u64) {
    let error = |counts: &mut ErrorCounts, group: &str| {
        counts.add((group != OTHER).then(|| group.to_owned()), count);
    };
    if let Some(index) = field
        .strip_prefix(RETRIES)
        .and_then(|index| index.parse::<u16>().ok())
    {
        add_at(&mut figures.request_retry_histogram, usize::from(index), count);
    } else if let Some(code) = field.strip_prefix(CODE) {
        let known = figures
            .requests_with_status_code
            .entry(code.to_owned())
            .or_default();
        *known = known.saturating_add(count);
    } else if let Some(group) = field.strip_prefix(ERROR) {
        error(&mut figures.errors, group);
    } else if let Some(group) = field.strip_prefix(RETRY_ERROR) {
        error(&mut figures.retry_errors, group);
    } else if let Some(name) = field.strip_prefix(EXTRA) {
        extra(figures, name, Number::I64(value));
    } else if let Some(name) = field.strip_prefix(EXTRA_FLOAT) {
        extra(figures, name, Number::F64(f64::from_bits(value as u64)));
    }
}

fn extra(figures: &mut Figures, name: &str, past: Number) {
    let float = |number: Number| match number {
        Number::U64(value) => value as f64,
        Number::I64(value) => value as f64,
        Number::F64(value) => value,
    };
    let known = figures.extra.entry(name.to_owned()).or_insert(Number::I64(0));
    *known = match (*known, past) {
        (Number::I64(known), Number::I64(past)) => Number::I64(known.wrapping_add(past)),
        (known, past) => Number::F64(float(known) + float(past)),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
