//! What is told of an instance: plain data.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{ErrorCounts, Summary};
use crate::snapshot::Number;

/// Percentiles of the durations of finished requests, within a bucket of 9 %.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Percentiles {
    /// Half of them took at most so long.
    pub p50: Duration,
    /// Nine of ten.
    pub p90: Duration,
    /// 95 of 100.
    pub p95: Duration,
    /// 99 of 100.
    pub p99: Duration,
}

/// The statistics of an instance, of all processes together, with the restored past. Times are nanoseconds since 1970.
///
/// `serde` writes the state as JSON, camelCase, times as RFC 3339 and durations as milliseconds with fractions.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Figures {
    /// The instance.
    pub instance: String,
    /// When these figures were read.
    pub taken_at_ns: u64,
    /// The segment they are from, by its random id; 0: none.
    pub segment_id: u64,
    /// Requests that ended well.
    pub requests_finished: u64,
    /// Requests that were given up.
    pub requests_failed: u64,
    /// Requests that ended after at least one retry.
    pub requests_retries: u64,
    /// Requests that were started, without their retries.
    pub requests_started: u64,
    /// Retries that were started: also of requests that have not ended.
    pub retries_started: u64,
    /// Requests that are worked on by live processes.
    pub requests_in_flight: u64,
    /// Requests that wait for a retry.
    pub requests_waiting: u64,
    /// The shortest last attempt of a finished request. After a reset it is known to 9 %.
    pub request_min_duration: Option<Duration>,
    /// The longest; likewise.
    pub request_max_duration: Option<Duration>,
    /// The last attempts of failed requests together, to 16 digits. While requests end at full speed, the durations that are told may be
    /// some thousands of requests behind their number, as histograms are ([`Quality`](crate::snapshot::Quality)); means are not affected.
    pub request_total_failed_duration: Duration,
    /// Those of finished ones.
    pub request_total_finished_duration: Duration,
    /// When the first run began.
    pub crawler_started_at_ns: Option<u64>,
    /// When this run began, or the last: with the first process that entered when none was.
    pub crawler_last_started_at_ns: Option<u64>,
    /// When the last run ended; `None` while a live process is entered.
    pub crawler_finished_at_ns: Option<u64>,
    /// How long at least one live process was entered, over all runs.
    pub crawler_runtime: Duration,
    /// Errors that were final.
    pub errors: ErrorCounts,
    /// Errors that were retried.
    pub retry_errors: ErrorCounts,
    /// Answers by status code.
    pub requests_with_status_code: BTreeMap<String, u64>,
    /// How many requests ended after so many retries; empty if none has.
    pub request_retry_histogram: Vec<u64>,
    /// Percentiles of finished requests, of those counted in this segment; `None` without any.
    pub request_duration_percentiles: Option<Percentiles>,
    /// Further fields, by name.
    pub extra: BTreeMap<String, Number>,
    /// Live processes that are entered.
    pub processes: u64,
    /// Is there a restored past in these figures?
    pub restored: bool,
    /// Of how many requests the durations are, which a moment later may be all: means are by these.
    pub(super) finished_with_duration: u64,
    pub(super) failed_with_duration: u64,
    /// The segments that the past was counted in, by how many ago.
    pub(super) earlier_segment_ids: BTreeMap<u64, u64>,
}

impl Figures {
    /// Requests that ended.
    pub fn requests_total(&self) -> u64 {
        self.requests_finished.saturating_add(self.requests_failed)
    }

    /// The last attempts of all of them together.
    pub fn request_total_duration(&self) -> Duration {
        self.request_total_finished_duration
            .saturating_add(self.request_total_failed_duration)
    }

    /// The mean of failed requests; `None` without any.
    pub fn request_avg_failed_duration(&self) -> Option<Duration> {
        mean(self.request_total_failed_duration, self.failed_with_duration)
    }

    /// The mean of finished requests; `None` without any.
    pub fn request_avg_finished_duration(&self) -> Option<Duration> {
        mean(self.request_total_finished_duration, self.finished_with_duration)
    }

    /// Finished requests per minute of run time; 0 without any.
    pub fn finished_per_minute(&self) -> f64 {
        self.per_minute(self.requests_finished)
    }

    /// Failed requests per minute of run time; 0 without any.
    pub fn failed_per_minute(&self) -> f64 {
        self.per_minute(self.requests_failed)
    }

    fn per_minute(&self, count: u64) -> f64 {
        let minutes = self.crawler_runtime.as_secs_f64() / 60.0;
        if minutes > 0.0 {
            count as f64 / minutes
        } else {
            0.0
        }
    }

    /// The derived values.
    pub fn calculate(&self) -> Summary {
        Summary::new(self)
    }

    /// The state as JSON; what it is saved as.
    pub fn json(&self) -> String {
        // No map has a key that is no text, and writing to memory does not fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What is logged at the end, behind the table: `None` without an error.
    pub fn error_analysis(&self) -> Option<String> {
        let total = self.errors.total.saturating_add(self.retry_errors.total);
        let unique = self.errors.unique() + self.retry_errors.unique();
        (total > 0).then(|| format!("Error analysis: total_errors={total} unique_errors={unique}"))
    }
}

fn mean(total: Duration, count: u64) -> Option<Duration> {
    let mean = total.as_nanos().checked_div(u128::from(count))?;
    Some(Duration::from_nanos(mean as u64))
}
