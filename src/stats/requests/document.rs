//! The state as JSON, by the names of the original, in correct units.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::{ErrorCounts, Figures, Percentiles};
use crate::snapshot::{Number, rfc3339};

/// The state. Milliseconds have fractions, as many as a nanosecond needs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'f> {
    stats_id: &'f str,
    requests_finished: u64,
    requests_failed: u64,
    requests_retries: u64,
    requests_failed_per_minute: f64,
    requests_finished_per_minute: f64,
    request_min_duration_millis: Option<f64>,
    request_max_duration_millis: Option<f64>,
    request_total_failed_duration_millis: f64,
    request_total_finished_duration_millis: f64,
    crawler_started_at: Option<String>,
    crawler_last_start_timestamp: Option<String>,
    crawler_finished_at: Option<String>,
    errors: Errors<'f>,
    retry_errors: Errors<'f>,
    requests_with_status_code: &'f BTreeMap<String, u64>,
    stats_persisted_at: String,
    request_retry_histogram: &'f [u64],
    crawler_runtime_millis: f64,
    request_avg_failed_duration_millis: Option<f64>,
    request_avg_finished_duration_millis: Option<f64>,
    request_total_duration_millis: f64,
    requests_total: u64,
    // What the original has not.
    requests_started: u64,
    retries_started: u64,
    requests_in_flight: u64,
    requests_waiting: u64,
    request_duration_percentiles_millis: Option<PercentilesMillis>,
    /// Hexadecimal: no reader of JSON rounds it.
    segment_id: String,
    /// Those whose counts came with a restored record, the latest first.
    segment_ids: Vec<String>,
    /// Of how many requests the durations are: means are by these.
    requests_finished_with_duration: u64,
    requests_failed_with_duration: u64,
    #[serde(flatten)]
    extra: &'f BTreeMap<String, Number>,
}

/// The members of the state, so that none of the user's has their name.
pub(super) const MEMBERS: [&str; 32] = [
    "statsId",
    "requestsFinished",
    "requestsFailed",
    "requestsRetries",
    "requestsFailedPerMinute",
    "requestsFinishedPerMinute",
    "requestMinDurationMillis",
    "requestMaxDurationMillis",
    "requestTotalFailedDurationMillis",
    "requestTotalFinishedDurationMillis",
    "crawlerStartedAt",
    "crawlerLastStartTimestamp",
    "crawlerFinishedAt",
    "errors",
    "retryErrors",
    "requestsWithStatusCode",
    "statsPersistedAt",
    "requestRetryHistogram",
    "crawlerRuntimeMillis",
    "requestAvgFailedDurationMillis",
    "requestAvgFinishedDurationMillis",
    "requestTotalDurationMillis",
    "requestsTotal",
    "requestsStarted",
    "retriesStarted",
    "requestsInFlight",
    "requestsWaiting",
    "requestDurationPercentilesMillis",
    "segmentId",
    "segmentIds",
    "requestsFinishedWithDuration",
    "requestsFailedWithDuration",
];

/// What errors beyond the limit are called.
pub(super) const OTHER: &str = "(other)";

/// Groups and their counts.
struct Errors<'f>(&'f ErrorCounts);

impl Serialize for Errors<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let groups = self.0.groups.iter().map(|(group, count)| (&**group, count));
        let other = (self.0.other > 0).then_some((OTHER, &self.0.other));
        serializer.collect_map(groups.chain(other))
    }
}

#[derive(Serialize)]
struct PercentilesMillis {
    p50: f64,
    p90: f64,
    p95: f64,
    p99: f64,
}

impl From<Percentiles> for PercentilesMillis {
    fn from(told: Percentiles) -> PercentilesMillis {
        PercentilesMillis {
            p50: millis(told.p50),
            p90: millis(told.p90),
            p95: millis(told.p95),
            p99: millis(told.p99),
        }
    }
}

fn hexadecimal(id: &u64) -> String {
    format!("{id:016x}")
}

/// The nearest float to so many nanoseconds.
fn millis(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1e6
}

impl Serialize for Figures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let document = Document {
            stats_id: &self.instance,
            requests_finished: self.requests_finished,
            requests_failed: self.requests_failed,
            requests_retries: self.requests_retries,
            requests_failed_per_minute: self.failed_per_minute(),
            requests_finished_per_minute: self.finished_per_minute(),
            request_min_duration_millis: self.request_min_duration.map(millis),
            request_max_duration_millis: self.request_max_duration.map(millis),
            request_total_failed_duration_millis: millis(self.request_total_failed_duration),
            request_total_finished_duration_millis: millis(self.request_total_finished_duration),
            crawler_started_at: self.crawler_started_at_ns.map(rfc3339),
            crawler_last_start_timestamp: self.crawler_last_started_at_ns.map(rfc3339),
            crawler_finished_at: self.crawler_finished_at_ns.map(rfc3339),
            errors: Errors(&self.errors),
            retry_errors: Errors(&self.retry_errors),
            requests_with_status_code: &self.requests_with_status_code,
            stats_persisted_at: rfc3339(self.taken_at_ns),
            request_retry_histogram: &self.request_retry_histogram,
            crawler_runtime_millis: millis(self.crawler_runtime),
            request_avg_failed_duration_millis: self.request_avg_failed_duration().map(millis),
            request_avg_finished_duration_millis: self.request_avg_finished_duration().map(millis),
            request_total_duration_millis: millis(self.request_total_duration()),
            requests_total: self.requests_total(),
            requests_started: self.requests_started,
            retries_started: self.retries_started,
            requests_in_flight: self.requests_in_flight,
            requests_waiting: self.requests_waiting,
            request_duration_percentiles_millis: self.request_duration_percentiles.map(Into::into),
            segment_id: hexadecimal(&self.segment_id),
            segment_ids: self.earlier_segment_ids.values().map(hexadecimal).collect(),
            requests_finished_with_duration: self.finished_with_duration,
            requests_failed_with_duration: self.failed_with_duration,
            extra: &self.extra,
        };
        document.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_members_are_these_and_no_others() {
        let text = Figures::default().json();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let members = value.as_object().unwrap();
        assert_eq!(members.len(), MEMBERS.len());
        assert!(MEMBERS.iter().all(|member| members.contains_key(*member)));
    }
}
