//! Waiting until nothing is in flight, over all processes.

use std::time::{Duration, Instant};

use crate::error::ReadError;
use crate::snapshot::{Reader, Snapshot, Value};

/// Pause after the first look; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// How waiting ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Waited {
    /// Nothing is in flight.
    Idle,
    /// The time is over.
    TimedOut {
        /// What is in flight still.
        in_flight: u64,
    },
}

/// Waits until nothing is in flight: in the series of this name, or, without one, in all there are. It looks at once, and then every 1 to
/// 100 ms; whose process is dead is not waited for. With a time-out of zero it looks once.
///
/// It sleeps in between: in asynchronous code, look at [`Snapshot`]s yourself ([`in_flight`]), or give it a thread of its own. Starts
/// that found no entry ([`InFlight::overflow`](crate::snapshot::InFlight::overflow)) are not seen, nor what is parked to be tried again. What
/// is counted with the end of the last task may come a moment later.
///
/// # Errors
///
/// The segment cannot be read any more: see [`ReadError`].
pub fn wait_until_idle(
    reader: &mut Reader,
    series: Option<&str>,
    timeout: Duration,
) -> Result<Waited, ReadError> {
    let begun = Instant::now();
    let mut snapshot = Snapshot::default();
    let mut pause = FIRST_PAUSE;
    loop {
        // Who is alive, is asked every time.
        reader.refresh_owners()?;
        reader.snapshot_into(&mut snapshot)?;
        let in_flight = in_flight(&snapshot, series);
        if in_flight == 0 {
            return Ok(Waited::Idle);
        }
        let left = timeout.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return Ok(Waited::TimedOut { in_flight });
        }
        std::thread::sleep(pause.min(left));
        pause = (2 * pause).min(LONGEST_PAUSE);
    }
}

/// How much is in flight: in the series of this name, or, without one, in all there are.
pub fn in_flight(snapshot: &Snapshot, series: Option<&str>) -> u64 {
    let chosen = snapshot
        .series
        .iter()
        .filter(|found| series.is_none_or(|name| found.description.name == name));
    chosen
        .map(|series| match &series.value {
            Value::InFlight(tasks) => tasks.number,
            _ => 0,
        })
        .sum()
}
