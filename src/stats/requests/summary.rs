//! The derived values of an instance, in the order that the original has them in.

use std::time::Duration;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::Figures;

/// Derived values. `serde` writes durations as seconds, with fractions.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// Requests that ended well.
    pub requests_finished: u64,
    /// Requests that were given up.
    pub requests_failed: u64,
    /// How many ended after so many retries; `[0]` if none has.
    pub retry_histogram: Vec<u64>,
    /// The mean of failed requests; `None` without any.
    pub request_avg_failed_duration: Option<Duration>,
    /// The mean of finished requests; `None` without any.
    pub request_avg_finished_duration: Option<Duration>,
    /// Finished requests per minute of run time, rounded; half to even.
    pub requests_finished_per_minute: u64,
    /// Failed requests per minute of run time, rounded down.
    pub requests_failed_per_minute: u64,
    /// The last attempts of all requests together.
    pub request_total_duration: Duration,
    /// Requests that ended.
    pub requests_total: u64,
    /// Run time.
    pub crawler_runtime: Duration,
}

impl Summary {
    pub(super) fn new(figures: &Figures) -> Summary {
        let mut retry_histogram = figures.request_retry_histogram.clone();
        if retry_histogram.is_empty() {
            retry_histogram.push(0);
        }
        Summary {
            requests_finished: figures.requests_finished,
            requests_failed: figures.requests_failed,
            retry_histogram,
            request_avg_failed_duration: figures.request_avg_failed_duration(),
            request_avg_finished_duration: figures.request_avg_finished_duration(),
            requests_finished_per_minute: figures.finished_per_minute().round_ties_even() as u64,
            requests_failed_per_minute: figures.failed_per_minute().floor() as u64,
            request_total_duration: figures.request_total_duration(),
            requests_total: figures.requests_total(),
            crawler_runtime: figures.crawler_runtime,
        }
    }

    /// As JSON.
    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Serialize for Summary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let seconds = |duration: Duration| duration.as_secs_f64();
        let mut object = serializer.serialize_struct("Summary", 10)?;
        object.serialize_field("requests_finished", &self.requests_finished)?;
        object.serialize_field("requests_failed", &self.requests_failed)?;
        object.serialize_field("retry_histogram", &self.retry_histogram)?;
        let failed = self.request_avg_failed_duration.map(seconds);
        object.serialize_field("request_avg_failed_duration", &failed)?;
        let finished = self.request_avg_finished_duration.map(seconds);
        object.serialize_field("request_avg_finished_duration", &finished)?;
        object.serialize_field("requests_finished_per_minute", &self.requests_finished_per_minute)?;
        object.serialize_field("requests_failed_per_minute", &self.requests_failed_per_minute)?;
        object.serialize_field("request_total_duration", &seconds(self.request_total_duration))?;
        object.serialize_field("requests_total", &self.requests_total)?;
        object.serialize_field("crawler_runtime", &seconds(self.crawler_runtime))?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(finished: u64, failed: u64, runtime: Duration) -> Summary {
        let figures = Figures {
            requests_finished: finished,
            requests_failed: failed,
            crawler_runtime: runtime,
            ..Figures::default()
        };
        figures.calculate()
    }

    #[test]
    fn finished_requests_per_minute_are_rounded_half_to_even_and_failed_ones_down() {
        let two_minutes = Duration::from_secs(120);
        for (count, finished, failed) in [(0, 0, 0), (1, 0, 0), (3, 2, 1), (5, 2, 2), (7, 4, 3), (8, 4, 4)] {
            let summary = told(count, count, two_minutes);
            let rates = (
                summary.requests_finished_per_minute,
                summary.requests_failed_per_minute,
            );
            assert_eq!(rates, (finished, failed), "{count} in two minutes");
        }
        // Not only halves: 2.4, 2.6 and 2.9999… a minute.
        let five_minutes = Duration::from_secs(300);
        assert_eq!(told(12, 12, five_minutes).requests_finished_per_minute, 2);
        assert_eq!(told(13, 13, five_minutes).requests_finished_per_minute, 3);
        let longer = five_minutes + Duration::from_millis(1);
        let summary = told(15, 15, longer);
        assert_eq!(
            (
                summary.requests_finished_per_minute,
                summary.requests_failed_per_minute
            ),
            (3, 2)
        );
        // No run time, no rate.
        let summary = told(5, 5, Duration::ZERO);
        assert_eq!(
            (
                summary.requests_finished_per_minute,
                summary.requests_failed_per_minute
            ),
            (0, 0)
        );
        assert_eq!(summary.retry_histogram, [0]);
    }
}
