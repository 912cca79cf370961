//! What writers and readers get when storage or the file system is not what it should be. RELIABILITY.md has a line for each.
#![allow(unsafe_code)]

#[path = "../support/mod.rs"]
mod support;

mod disks;
mod full;
mod fuse;
mod mounts;
mod places;
mod refused;
mod truncated;

use std::path::Path;

use shmetrics::segment::SegmentOptions;
use shmetrics::{Counter, Histogram, Preset, Segment, Unit};
use support::*;

fn compact() -> SegmentOptions {
    Segment::options().preset(Preset::Compact)
}

/// What one [`work`] counts and records.
const WORK: u64 = 1000;

/// Counts and records [`WORK`] times in the segment at `path`, and closes it.
fn work(path: &Path) {
    let segment = compact().open_or_create_at(path).unwrap();
    let events = segment.counter("events_total").register().unwrap();
    let latency = segment
        .histogram("latency_seconds")
        .unit(Unit::Seconds)
        .register()
        .unwrap();
    for n in 0..WORK {
        events.inc();
        latency.record(n);
    }
}

/// Asserts that the segment at `path` has the numbers of so many [`work`]s, exactly.
#[track_caller]
fn assert_worked(path: &Path, times: u64) {
    let taken = snapshot(path);
    assert_eq!(counter(&taken, "events_total", &[]), times * WORK);
    let (count, _, is_exact) = histogram(&taken, "latency_seconds");
    assert_eq!((count, is_exact), (times * WORK, true));
}

/// Children of this process whose threads all count and record [`WORK`] times, through handles that were made before the fork.
fn work_at_once(processes: usize, threads: usize, events: &Counter, latency: &Histogram) {
    let count_and_record = || {
        for n in 0..WORK {
            events.inc();
            latency.record(n);
        }
    };
    let all_threads = || {
        std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(count_and_record))));
        0
    };
    let children: Vec<_> = (0..processes).map(|_| fork(all_threads)).collect();
    assert!(
        children.into_iter().all(|pid| wait(pid) == 0),
        "a child was killed: SIGBUS?"
    );
}
