//! A guard that records how long it lived.

use std::time::{Duration, Instant};

use super::histogram::{FloatHistogram, Histogram};
use crate::segment::fork;

/// A histogram that durations can be recorded in.
pub trait RecordDuration {
    /// Records a duration.
    fn record_duration(&self, duration: Duration);
}

impl RecordDuration for Histogram {
    fn record_duration(&self, duration: Duration) {
        Histogram::record_duration(self, duration);
    }
}

impl RecordDuration for FloatHistogram {
    fn record_duration(&self, duration: Duration) {
        FloatHistogram::record_duration(self, duration);
    }
}

/// Records the time since [`Histogram::start_timer`] when it is dropped, in the lane of the thread that drops it.
///
/// In a forked child it does nothing: the parent has the same timer and records it.
#[derive(Debug)]
pub struct Timer<'a, H: RecordDuration = Histogram> {
    histogram: &'a H,
    begun: Instant,
    generation: u64,
}

impl<'a, H: RecordDuration> Timer<'a, H> {
    pub(super) fn new(histogram: &'a H) -> Timer<'a, H> {
        Timer {
            histogram,
            begun: Instant::now(),
            generation: fork::own_generation(),
        }
    }

    /// Drops the timer without recording.
    pub fn discard(self) {
        core::mem::forget(self);
    }
}

impl<H: RecordDuration> Drop for Timer<'_, H> {
    fn drop(&mut self) {
        if self.generation == fork::generation() {
            self.histogram.record_duration(self.begun.elapsed());
        }
    }
}
