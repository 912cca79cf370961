//! A guard that records how long it lived.

use std::time::Instant;

use super::histogram::Histogram;
use crate::segment::fork;

/// Records the time since [`Histogram::start_timer`] when it is dropped, in the lane of the thread that drops it.
///
/// In a forked child it does nothing: the parent has the same timer and records it.
#[derive(Debug)]
pub struct Timer<'a> {
    histogram: &'a Histogram,
    begun: Instant,
    generation: u64,
}

impl<'a> Timer<'a> {
    pub(super) fn new(histogram: &'a Histogram) -> Timer<'a> {
        Timer {
            histogram,
            begun: Instant::now(),
            generation: fork::generation(),
        }
    }

    /// Drops the timer without recording.
    pub fn discard(self) {
        core::mem::forget(self);
    }
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        if self.generation == fork::generation() {
            self.histogram.record_duration(self.begun.elapsed());
        }
    }
}
