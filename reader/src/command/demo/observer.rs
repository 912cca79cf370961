//! The observer: takes snapshots all the time while workers work and die, and checks each against the one before and the tally.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use shmetrics::snapshot::Quality;
use shmetrics::{Reader, Snapshot, Value};

use super::check::{Expectation, begun, done, totals};
use super::plan::Plan;
use super::tally::Tally;
use crate::exit::{Failure, THREADS, io_failure};
use crate::storm::sequence;

/// Between two snapshots: the workers shall have the processors.
const PAUSE: Duration = Duration::from_millis(1);
/// Who is alive is asked every so many snapshots.
const REFRESH: u64 = 50;

/// What was seen.
#[derive(Debug)]
pub(super) struct Observed {
    pub(super) snapshots: u64,
    /// Histograms that were not exact, where the segment said why.
    pub(super) bounded: u64,
}

/// A thread that looks on.
pub(super) struct Observer {
    stop: Arc<AtomicBool>,
    snapshots: Arc<AtomicU64>,
    thread: JoinHandle<Result<Observed, String>>,
}

impl Observer {
    pub(super) fn start(
        path: &Path,
        plan: &Arc<Plan>,
        tally: &Arc<Tally>,
        expectation: &Expectation,
    ) -> Result<Observer, Failure> {
        let (stop, snapshots) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let look = Look {
            reader: Reader::open_path(path)?,
            plan: Arc::clone(plan),
            tally: Arc::clone(tally),
            expectation: expectation.clone(),
            bounded: 0,
        };
        let (stopped, counter) = (Arc::clone(&stop), Arc::clone(&snapshots));
        let thread = std::thread::Builder::new()
            .name("observer".to_owned())
            .spawn(move || look.run(&stopped, &counter))
            .map_err(|error| io_failure("start a thread", &error, THREADS))?;
        Ok(Observer {
            stop,
            snapshots,
            thread,
        })
    }

    /// How many snapshots were taken.
    pub(super) fn snapshots(&self) -> u64 {
        self.snapshots.load(Relaxed)
    }

    /// Ends the thread: what it saw, or what was wrong.
    pub(super) fn finish(self) -> Result<Observed, String> {
        self.stop.store(true, Relaxed);
        self.thread
            .join()
            .unwrap_or_else(|_| Err("the observer panicked".to_owned()))
    }
}

struct Look {
    reader: Reader,
    plan: Arc<Plan>,
    tally: Arc<Tally>,
    expectation: Expectation,
    bounded: u64,
}

impl Look {
    fn run(mut self, stop: &AtomicBool, taken: &AtomicU64) -> Result<Observed, String> {
        let (mut now, mut before) = (Snapshot::default(), Snapshot::default());
        let mut snapshots = 0;
        while !stop.load(Relaxed) {
            if snapshots % REFRESH == 0 {
                self.reader.refresh_owners().map_err(|error| error.to_string())?;
            }
            std::mem::swap(&mut now, &mut before);
            let least = done(&self.plan, &self.tally);
            self.reader
                .snapshot_into(&mut now)
                .map_err(|error| error.to_string())?;
            // What the snapshot has seen of an operation, the tally has seen before.
            std::sync::atomic::fence(std::sync::atomic::Ordering::Acquire);
            let most = begun(&self.plan, &self.tally);
            snapshots += 1;
            taken.store(snapshots, Relaxed);
            let checked = compare_with_tally(&self.expectation, &now, &least, &most)
                .and_then(|()| sequence::compare(&now, &before))
                .and_then(|()| self.check_quality(&now));
            checked.map_err(|what| format!("snapshot {snapshots}: {what}"))?;
            std::thread::sleep(PAUSE);
        }
        Ok(Observed {
            snapshots,
            bounded: self.bounded,
        })
    }

    /// Histograms are exact, unless the segment says why they cannot be.
    fn check_quality(&mut self, snapshot: &Snapshot) -> Result<(), String> {
        let losses = &snapshot.losses;
        let excused =
            losses.lanes_exhausted + losses.slots_exhausted + losses.storage_refused + losses.budget_refused
                > 0;
        for series in &snapshot.series {
            if let Value::Histogram(histogram) = &series.value
                && histogram.quality != Quality::Exact
            {
                if !excused {
                    let name = &series.description.name;
                    return Err(format!("{name} is not exact but {:?}", histogram.quality));
                }
                self.bounded += 1;
            }
        }
        Ok(())
    }
}

fn compare_with_tally(
    expectation: &Expectation,
    snapshot: &Snapshot,
    least: &[u64],
    most: &[u64],
) -> Result<(), String> {
    let counted = totals(snapshot, least.len());
    for (worker, total) in expectation.since(&counted).enumerate() {
        let (least, most) = (least[worker], most[worker]);
        if !(least..=most).contains(&total) {
            return Err(format!(
                "worker {worker} had done {least} before and begun {most} after, but {total} were counted"
            ));
        }
    }
    Ok(())
}
