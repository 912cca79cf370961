//! Threads of one process: their lanes are used again, and never given back to a segment that is not theirs.

mod support;

use shmetrics::{Reader, Segment};
use support::*;

#[test]
fn threads_reuse_the_lanes_of_ended_threads() {
    let scratch = Scratch::new("threads");
    let path = scratch.path("segment");
    let segment = Segment::options().open_or_create_at(&path).unwrap();
    let events = segment.counter("events_total").register().unwrap();
    for _ in 0..500 {
        let events = events.clone();
        std::thread::spawn(move || events.inc()).join().unwrap();
    }
    let mut reader = Reader::open_path(&path).unwrap();
    let snapshot = reader.per_process(true).snapshot().unwrap();
    assert_eq!(counter(&snapshot, "events_total", &[]), 500);
    assert!(
        snapshot.fill.lanes_touched <= 2,
        "{} lanes",
        snapshot.fill.lanes_touched
    );
    // All of them were this process.
    let own = snapshot.processes.iter().find(|process| process.alive).unwrap();
    let shmetrics::snapshot::PerProcess::Counter(shmetrics::snapshot::Number::U64(value)) = own.values[0].1
    else {
        panic!("{:?}", own.values)
    };
    assert_eq!(value, 500);
}

#[test]
fn a_segment_that_is_closed_while_its_threads_end_gets_none_of_its_lanes_back() {
    // A scope does not wait for the end of its threads, only for their closures: lanes are given back while the segment is dropped and
    // another one, of another geometry, takes its number.
    let scratch = Scratch::new("reopen");
    let paths = [scratch.path("small"), scratch.path("large")];
    let open = |round: usize| {
        let options = Segment::options()
            .preset(shmetrics::Preset::Compact)
            .lanes(8 + round as u64 % 2 * 56);
        options
            .counters(64 << (round % 2 * 4))
            .open_or_create_at(&paths[round % 2])
            .unwrap()
    };
    // The race is rare: of so many rounds one or more meets it.
    let rounds = 20_000;
    for round in 0..rounds {
        let segment = open(round);
        let events = segment.counter("events_total").register().unwrap();
        std::thread::scope(|scope| {
            (0..4).for_each(|_| drop(scope.spawn(|| events.inc())));
        });
    }
    for path in &paths {
        let snapshot = snapshot(path);
        assert_eq!(counter(&snapshot, "events_total", &[]), rounds as u64 / 2 * 4);
        assert_eq!(snapshot.fill.lanes.used, 0, "all lanes were released");
    }
}
