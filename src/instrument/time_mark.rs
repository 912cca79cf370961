//! Time marks: when something happened first or last, over all processes, by the wall clock.

use std::sync::Arc;

use super::series::Scalar;
use crate::layout::kind::Merge;
use crate::protocol::time_mark::{mark_first, mark_last};
use crate::segment::host;

/// When something happened last, or first ([`Builder::first`](super::Builder::first)), over all threads and processes; what a process
/// marked is kept after its death. "Never" is told from every time.
///
/// The latest or earliest mark stands, whatever the order in which threads come: none can take it back. A reset
/// ([`crate::reset`]) makes a last mark that is older read as never; a first one stays.
///
/// Cost: [`mark`](Self::mark) reads the wall clock, some 20 ns, and then as [`mark_at_ns`](Self::mark_at_ns): one atomic operation on a
/// line that only this process writes. A process without a slot drops its marks, and counts them as dropped gauge writes.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::env::temp_dir().join(format!("shmetrics-time-mark-{}", std::process::id()));
/// # let segment = shmetrics::Segment::options().preset(shmetrics::Preset::Compact).open_or_create_at(&path)?;
/// let served = segment.time_mark("last_served").register()?;
/// let started = segment.time_mark("first_started").first().register()?;
/// served.mark();
/// started.mark_at_ns(1_795_165_200_000_000_000);
/// # std::fs::remove_file(&path)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TimeMark {
    series: Arc<Scalar>,
    is_first: bool,
}

impl TimeMark {
    pub(super) fn new(series: Scalar, merge: Merge) -> TimeMark {
        TimeMark {
            series: Arc::new(series),
            is_first: merge == Merge::Min,
        }
    }

    /// It happens now. The clock is the precise one: a coarse one could lie before a reset that has just been made.
    pub fn mark(&self) {
        self.mark_at_ns(host::wall_ns());
    }

    /// It happened at this time, nanoseconds since 1970. 0 stands for never and counts as 1.
    #[inline]
    pub fn mark_at_ns(&self, at_ns: u64) {
        if let Some(cell) = self.series.gauge_cell() {
            if self.is_first {
                mark_first(cell, at_ns);
            } else {
                mark_last(cell, at_ns);
            }
        }
    }
}
