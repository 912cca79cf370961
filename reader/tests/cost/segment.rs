//! A segment of the default geometry, which is nearly all holes, and the two processes that count in it. One was there before them:
//! its lane is adopted, so that there is a baseline, and its ring was rotated.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use shmetrics::events::{FieldKind, Value};
use shmetrics::{Segment, Unit};

use crate::support::*;

/// What each worker sets the gauge `depth` to; it is merged by `sum`.
pub const DEPTH: i64 = 21;
/// What each worker adds to the counter `requests_total`.
pub const REQUESTS: u64 = 1000;
/// How many there are.
pub const WORKERS: u64 = 2;
/// What the process before them added to it.
pub const BEFORE: u64 = 77;
/// Several times the resolution of the coarse clock by which epochs are told.
const EPOCH: Duration = Duration::from_millis(20);
/// More epochs than a ring has slots.
pub const EPOCHS: u64 = 8;

/// Workers that have counted and now only live.
pub struct Live(Vec<Worker>);

impl Live {
    /// Starts them as children that run `test`.
    pub fn start(test: &str, scratch: &Scratch) -> Live {
        let count = || {
            let files = std::fs::read_dir(scratch.path("")).unwrap().flatten();
            files
                .filter(|file| file.path().extension().is_some_and(|end| end == "done"))
                .count() as u64
        };
        let path = scratch.path("segment");
        let mut before = Worker::spawn(test, path.with_extension("before").to_str().unwrap());
        poll("the process before", || (count() == 1).then_some(()));
        before.kill();
        let workers = (0..WORKERS)
            .map(|_| Worker::spawn(test, path.to_str().unwrap()))
            .collect();
        poll("the workers", || (count() == 1 + WORKERS).then_some(()));
        Live(workers)
    }

    /// Kills them all.
    pub fn kill(&mut self) {
        self.0.iter_mut().for_each(Worker::kill);
    }
}

/// A worker, or the one before them. It has no ticker: after it has counted, the file stands still.
pub fn work(path: &Path) {
    let is_before = path.extension().is_some_and(|end| end == "before");
    let segment = Segment::options()
        .without_ticker()
        .epoch(EPOCH)
        .open_or_create_at(path.with_extension(""))
        .unwrap();
    let requests = segment.counter("requests_total").register().unwrap();
    requests.add(if is_before { BEFORE } else { REQUESTS });
    let latency = segment
        .histogram("latency_seconds")
        .unit(Unit::Seconds)
        .register()
        .unwrap();
    (1..1000).for_each(|value| latency.record(value * value));
    if is_before {
        for _ in 0..EPOCHS {
            let begun = Instant::now();
            poll("another epoch", || (begun.elapsed() > 2 * EPOCH).then_some(()));
            segment.tick();
            latency.record(1);
        }
        return live_on(path);
    }
    segment.gauge("depth").register().unwrap().set(DEPTH);
    // One ring of events that is used, and one that is a hole in every lane.
    for (name, count) in [("jobs", 3), ("unused_jobs", 0)] {
        let events = segment
            .events(name)
            .kind(1, "job", &[("number", FieldKind::U64)])
            .register()
            .unwrap();
        let job = events.kind("job").unwrap();
        (0..count).for_each(|number| job.write(&[Value::U64(number)]));
    }
    // Placed, and used by nobody: their blocks are holes in every lane. Several, because the first begins in the last page of `latency`.
    for number in 0..4 {
        let empty = segment
            .histogram("empty")
            .label("number", &number.to_string())
            .register();
        drop(empty.unwrap());
    }
    live_on(path);
}

/// Says that all is counted, and lives until it is killed.
fn live_on(path: &Path) {
    let done: PathBuf = path.with_extension(format!("{}.done", std::process::id()));
    std::fs::write(done, "").unwrap();
    std::thread::sleep(DEADLINE);
}
