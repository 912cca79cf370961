//! What is in flight: over threads, forks and processes that are killed. The number is that of what the living work on, exactly, and a
//! key whose worker was killed is known as a retry.
#![allow(unsafe_code)]

mod kills;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;

use shmetrics::snapshot::{InFlight, PerProcess};
use shmetrics::{Reader, Segment, Snapshot, Value};
use support::*;

fn in_flight(snapshot: &Snapshot) -> InFlight {
    match snapshot.find("requests", &[]).map(|series| &series.value) {
        Some(Value::InFlight(in_flight)) => InFlight::clone(in_flight),
        other => panic!("{other:?}"),
    }
}

fn keys(in_flight: &InFlight) -> BTreeMap<String, u64> {
    let entries = in_flight.entries.iter();
    entries
        .map(|entry| (entry.key().unwrap_or("?").to_owned(), entry.runs))
        .collect()
}

#[test]
fn threads_that_start_one_key_end_up_with_one_entry() {
    let _alone = alone();
    let scratch = Scratch::new("in-flight-threads");
    let path = scratch.path("segment");
    let segment = Segment::options().open_or_create_at(&path).unwrap();
    let requests = segment.in_flight("requests").register().unwrap();
    let mut reader = Reader::open_path(&path).unwrap();
    const THREADS: usize = 4;
    let gate = std::sync::Barrier::new(THREADS);
    for round in 0..500 {
        let key = format!("round {round}");
        let tokens: Vec<_> = std::thread::scope(|scope| {
            let start = || {
                scope.spawn(|| {
                    gate.wait();
                    requests.start(&key)
                })
            };
            let threads: Vec<_> = (0..THREADS).map(|_| start()).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let found = in_flight(&reader.snapshot().unwrap());
        assert_eq!((found.number, found.unknown_ages), (1, 0), "{found:?}");
        let last = found.entries[0].runs;
        assert!(last <= THREADS as u64);
        let ended = tokens.into_iter().map(|token| requests.finish(token));
        assert_eq!(ended.filter(|ended| *ended).count(), 1, "the last one ends it");
        assert_eq!(in_flight(&reader.snapshot().unwrap()).number, 0);
    }
}

#[test]
fn a_child_ends_nothing_that_its_parent_started() {
    let _alone = alone();
    let scratch = Scratch::new("in-flight-fork");
    let path = scratch.path("segment");
    let segment = Segment::options().open_or_create_at(&path).unwrap();
    let requests = segment.in_flight("requests").register().unwrap();
    for is_forked in [true, false] {
        let token = std::cell::Cell::new(Some(requests.start("a")));
        let run = || {
            let ended = requests.finish(token.take().unwrap());
            let own = requests.start("of the child");
            i32::from(ended || own.is_overflow() || !requests.finish(own))
        };
        let pid = if is_forked { fork(run) } else { raw_clone(run) };
        assert_eq!(wait(pid), 0);
        assert_eq!(in_flight(&snapshot(&path)).number, 1);
        assert!(requests.finish(token.take().unwrap()));
        assert_eq!(in_flight(&snapshot(&path)).number, 0);
    }
}

#[test]
fn a_full_bucket_gives_the_dead_ones_entries_away_and_then_counts() {
    let _alone = alone();
    let scratch = Scratch::new("in-flight-full");
    let path = scratch.path("segment");
    let segment = Segment::options().open_or_create_at(&path).unwrap();
    let requests = segment.in_flight("requests").capacity(8).register().unwrap();
    let pid = fork(|| {
        for key in 0..5 {
            let _left = requests.start(&format!("of the dead {key}"));
        }
        0
    });
    assert_eq!(wait(pid), 0);
    let tokens: Vec<_> = (0..10).map(|key| requests.start(&format!("{key}"))).collect();
    let overflowed: Vec<bool> = tokens.iter().map(|token| token.is_overflow()).collect();
    assert_eq!(overflowed.iter().filter(|overflow| **overflow).count(), 2);
    let found = in_flight(&snapshot(&path));
    assert_eq!((found.number, found.overflow, found.forgotten), (8, 2, 5));
    assert!(
        tokens.into_iter().all(|token| requests.finish(token)),
        "also those without an entry"
    );
    let found = in_flight(&snapshot(&path));
    assert_eq!((found.number, found.parked, found.capacity), (0, 0, 8));
}

#[test]
fn a_process_without_a_slot_overflows_and_goes_on() {
    let _alone = alone();
    let scratch = Scratch::new("in-flight-slots");
    let path = scratch.path("segment");
    let segment = Segment::options()
        .process_slots(1)
        .open_or_create_at(&path)
        .unwrap();
    let requests = segment.in_flight("requests").register().unwrap();
    let pid = fork(|| {
        let token = requests.start("a");
        i32::from(!token.is_overflow() || token.runs() != 1 || !requests.finish(token))
    });
    assert_eq!(wait(pid), 0);
    let found = in_flight(&snapshot(&path));
    assert_eq!((found.number, found.overflow), (0, 1));
}

#[test]
fn ages_processes_and_truncated_keys_are_told() {
    let _alone = alone();
    let scratch = Scratch::new("in-flight-told");
    let path = scratch.path("segment");
    let segment = Segment::options().role("web").open_or_create_at(&path).unwrap();
    let requests = segment.in_flight("requests").register().unwrap();
    let now = shmetrics::InFlight::monotonic_ns();
    let long = "k".repeat(200);
    let _tokens = [
        requests.start_at("younger", now - 1_000_000_000),
        requests.start_at(&long, now - 3_000_000_000),
    ];
    let mut reader = Reader::open_path(&path).unwrap();
    reader.per_process(true).as_of(Some(shmetrics::snapshot::Clocks {
        wall_ns: 1,
        monotonic_ns: now,
    }));
    let taken = reader.snapshot().unwrap();
    let found = in_flight(&taken);
    assert_eq!(
        (found.number, found.age_seconds(), found.oldest_seconds()),
        (2, 4.0, Some(3.0))
    );
    let told: Vec<_> = found
        .entries
        .iter()
        .map(|entry| (entry.key().unwrap(), entry.is_truncated(), &*entry.role))
        .collect();
    assert_eq!(told, [(&long[..120], true, "web"), ("younger", false, "web")]);
    let own = &taken.processes[0].values;
    assert_eq!(
        own[..],
        [(0, PerProcess::Gauge(shmetrics::snapshot::Number::U64(2)))]
    );
    reader.in_flight_entries(1);
    let found = in_flight(&reader.snapshot().unwrap());
    assert_eq!((found.number, found.entries.len()), (2, 1), "the oldest one only");
}

#[test]
fn an_older_segment_and_a_bad_capacity_are_refused_with_the_reason() {
    let _alone = alone();
    let scratch = Scratch::new("in-flight-refused");
    let segment = Segment::options()
        .errors(0)
        .reset_tables(0)
        .open_or_create_at(scratch.path("old"))
        .unwrap();
    let error = segment.in_flight("requests").register().unwrap_err().to_string();
    assert!(
        error.contains("in_flight") && error.contains("new segment"),
        "{error}"
    );
    let segment = Segment::options().open_or_create_at(scratch.path("new")).unwrap();
    for capacity in [0, 32_769] {
        let error = segment
            .in_flight("requests")
            .capacity(capacity)
            .register()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&capacity.to_string()) && error.contains("32768"),
            "{error}"
        );
    }
}

#[test]
fn tables_of_labels_stand_apart_and_those_of_other_capacities_add_up() {
    let _alone = alone();
    let scratch = Scratch::new("in-flight-labels");
    let path = scratch.path("segment");
    let segment = Segment::options().open_or_create_at(&path).unwrap();
    let family = segment
        .in_flight("requests")
        .capacity(8)
        .limit(1)
        .family(["crawler"])
        .unwrap();
    let number = |labels: &[(&str, &str)]| {
        let taken = snapshot(&path);
        taken.find("requests", labels).map(|series| match &series.value {
            Value::InFlight(found) => (found.number, found.capacity),
            other => panic!("{other:?}"),
        })
    };
    let overflow = [("shmetrics_overflow", "true")];
    let _one = family.with(["a"]).start("key");
    assert_eq!(
        (number(&[("crawler", "a")]), number(&overflow)),
        (Some((1, 8)), None)
    );
    // Beyond the limit: one table for the rest.
    let _others = [
        family.with(["b"]).start("key"),
        family.with(["c"]).start("another"),
    ];
    assert_eq!(number(&overflow), Some((2, 8)));
    // Another capacity is a second table of the series; each has its own keys.
    let larger = segment
        .in_flight("requests")
        .label("crawler", "a")
        .capacity(9)
        .register()
        .unwrap();
    let token = larger.start("key");
    assert_eq!((token.runs(), number(&[("crawler", "a")])), (1, Some((2, 24))));
    assert!(shmetrics::reset::at_path(&path, |_| true).is_ok_and(|reset| reset.series == 0));
    assert_eq!(number(&[("crawler", "a")]), Some((2, 24)), "it is not reset");
}
