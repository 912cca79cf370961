//! Histograms: distributions in buckets, exact after any crash, readable at full rate.

use std::sync::Arc;
use std::time::Duration;

use super::bound::BoundHistogram;
use super::series::Distribution;
use super::timer::Timer;
use crate::protocol::histogram::{FloatSum, IntegerSum, Observation, ordered_key};

/// A distribution of whole numbers of a base unit: nanoseconds, bytes, things. Cost: three stores and an index from the bits of the
/// float; no lock prefix, no system call, no clock.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::env::temp_dir().join(format!("shmetrics-histogram-{}", std::process::id()));
/// # let segment = shmetrics::Segment::options().preset(shmetrics::Preset::Compact).open_or_create_at(&path)?;
/// use shmetrics::Unit;
/// let latency = segment.histogram("request_duration_seconds").unit(Unit::Seconds).register()?;
/// latency.record_duration(std::time::Duration::from_millis(3));
/// let size = segment.histogram("request_size_bytes").unit(Unit::Bytes).register()?;
/// size.record(1_500);
/// # std::fs::remove_file(&path)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Histogram {
    pub(super) series: Arc<Distribution>,
}

/// A distribution of floating-point numbers. With exponential buckets negative values are no observations; NaN and infinities never
/// are. Those are counted apart.
#[derive(Clone, Debug)]
pub struct FloatHistogram {
    pub(super) series: Arc<Distribution>,
}

impl Histogram {
    /// Records `value` base units (nanoseconds for a histogram in seconds).
    #[inline(always)]
    pub fn record(&self, value: u64) {
        self.series.record::<IntegerSum>(observe(&self.series, value));
    }

    /// Records a duration in a histogram in seconds. Longer than 584 years counts as that.
    #[inline(always)]
    pub fn record_duration(&self, duration: Duration) {
        self.record(nanoseconds(duration));
    }

    /// A guard that records how long it lived when it is dropped. Reads the clock twice.
    #[must_use = "a timer records when it is dropped: bind it to a name"]
    pub fn start_timer(&self) -> Timer<'_> {
        Timer::new(self)
    }

    /// A handle for this thread only, with its lane and block at hand.
    pub fn bind(&self) -> BoundHistogram {
        BoundHistogram::new(self)
    }
}

/// A duration in nanoseconds, as far as 64 bits go (584 years). Without the 128-bit product of `as_nanos`.
#[inline(always)]
pub(super) fn nanoseconds(duration: Duration) -> u64 {
    const SECOND: u64 = 1_000_000_000;
    match duration.as_secs() {
        seconds if seconds < u64::MAX / SECOND => seconds * SECOND + u64::from(duration.subsec_nanos()),
        _ => u64::MAX,
    }
}

/// The observation of a whole number: bucketed by its value in the exported unit.
#[inline(always)]
pub(super) fn observe(series: &Distribution, value: u64) -> Observation {
    // One conversion instruction: signed. What does not fit is beyond every range all the same.
    let exported = value.min(i64::MAX as u64) as i64 as f64 * series.factor;
    Observation {
        index: series.indexer.index(exported),
        value,
        key: value,
    }
}

impl FloatHistogram {
    /// Records `value` in the exported unit.
    #[inline(always)]
    pub fn record(&self, value: f64) {
        let index = match &self.series.classic {
            None => (value >= 0.0).then(|| self.series.indexer.index(value)),
            Some(classic) => Some(classic.index(value)),
        };
        match index {
            Some(index) if value.is_finite() => {
                let observation = Observation {
                    index,
                    value: value.to_bits(),
                    key: ordered_key(value),
                };
                self.series.record::<FloatSum>(observation);
            }
            _ => self.series.count_invalid(),
        }
    }

    /// A guard that records how many seconds it lived when it is dropped. Reads the clock twice.
    #[must_use = "a timer records when it is dropped: bind it to a name"]
    pub fn start_timer(&self) -> Timer<'_, FloatHistogram> {
        Timer::new(self)
    }

    /// Records a duration in seconds.
    #[inline(always)]
    pub fn record_duration(&self, duration: Duration) {
        self.record(duration.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_nanoseconds_and_never_wrap() {
        for duration in [
            Duration::ZERO,
            Duration::from_nanos(1),
            Duration::new(7, 999_999_999),
        ] {
            assert_eq!(u128::from(nanoseconds(duration)), duration.as_nanos());
        }
        let longest = Duration::new(u64::MAX / 1_000_000_000 - 1, 999_999_999);
        assert_eq!(u128::from(nanoseconds(longest)), longest.as_nanos());
        assert_eq!(nanoseconds(Duration::MAX), u64::MAX);
    }
}
