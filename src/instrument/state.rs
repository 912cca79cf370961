//! States: a status per process and how often in a row it was set.

use std::sync::Arc;

use super::series::Scalar;
use crate::layout::statuses::{Status, decode};
use crate::protocol::state::{set, unpack};

/// A status with a streak, of this process: the same status again raises the streak, another one begins with 1. Before the first
/// [`set`](Self::set) it is the first declared status with a streak of 0, and readers show nothing.
///
/// The statuses are declared when it is registered ([`Builder::status`](super::Builder::status)), each with the streak from which on it
/// is unhealthy. They are kept in the segment, so that readers and `shmetrics serve` say who is healthy without being told. The state
/// of a process goes with it.
///
/// Cost: one atomic operation on a line that only this process writes. A process without a slot drops its states, and counts them as
/// dropped gauge writes.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::env::temp_dir().join(format!("shmetrics-state-{}", std::process::id()));
/// # let segment = shmetrics::Segment::options().preset(shmetrics::Preset::Compact).open_or_create_at(&path)?;
/// let state = segment.state("fetch_status").status("OK", None).status("CONNECTION_ERROR", Some(3)).register()?;
/// let error = state.number("CONNECTION_ERROR").unwrap();
/// state.set(error);
/// assert_eq!(state.set_and_tell(error), Some((error, 2)));
/// state.set(0);
/// # std::fs::remove_file(&path)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct State {
    series: Arc<Scalar>,
    statuses: Arc<[Status]>,
}

impl State {
    pub(super) fn new(series: Scalar, statuses: &[u8]) -> State {
        State {
            series: Arc::new(series),
            statuses: decode(statuses).unwrap_or_default().into(),
        }
    }

    /// The declared statuses, by number.
    pub fn statuses(&self) -> &[Status] {
        &self.statuses
    }

    /// The number of the status with this name; `None` if it was not declared.
    pub fn number(&self, name: &str) -> Option<u8> {
        let found = self.statuses.iter().position(|status| status.name == name);
        found.and_then(|number| u8::try_from(number).ok())
    }

    /// Sets the status with this number, as declared, from 0. One that was not declared is shown by its number, and never unhealthy.
    #[inline]
    pub fn set(&self, status: u8) {
        if let Some(cell) = self.series.gauge_cell() {
            set(cell, status);
        }
    }

    /// As [`set`](Self::set), and tells the new status and its streak; `None` if it was dropped.
    #[cold]
    pub fn set_and_tell(&self, status: u8) -> Option<(u8, u64)> {
        self.series.gauge_cell().map(|cell| unpack(set(cell, status)))
    }
}
