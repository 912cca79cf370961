//! Owners, their liveness, and what each process counted.

use super::super::fixture::*;
use crate::error::ReadError;
use crate::layout::block::{BASELINE_COUNT, BASELINE_SUM};
use crate::layout::directory::*;
use crate::layout::kind::Merge;
use crate::snapshot::{Number, PerProcess, Value};
use crate::sync::Relaxed;

#[test]
fn a_verdict_holds_for_one_incarnation() {
    let segment = Segment::new();
    segment.active(1, "web");
    let mut reader = segment.reader();
    let alive = |reader: &mut crate::snapshot::Reader| {
        let snapshot = reader.snapshot().unwrap();
        (
            snapshot.processes[0].alive,
            snapshot.processes[0].incarnation,
            snapshot.fill.process_slots.used,
        )
    };
    assert_eq!(alive(&mut reader), (false, 1, 0), "nobody holds the lock byte");
    segment.slot(1, SlotOwner::new(2, SlotState::Active), "web");
    assert_eq!(alive(&mut reader), (true, 2, 1), "newer than the verdict");
    reader.refresh_owners().unwrap();
    assert_eq!(alive(&mut reader), (false, 2, 0));
    segment.lock_slots(true);
    reader.refresh_owners().unwrap();
    assert_eq!(alive(&mut reader), (true, 2, 1));
    segment.slot(1, SlotOwner::new(2, SlotState::Free), "web");
    assert_eq!(alive(&mut reader), (false, 2, 0), "given back");
}

#[test]
fn a_description_belongs_to_the_incarnation_it_was_read_for() {
    let segment = Segment::new();
    segment.active(2, "r\u{f6}le");
    let mut reader = segment.reader();
    let snapshot = reader.snapshot().unwrap();
    let process = &snapshot.processes[0];
    assert_eq!(
        (process.slot, &*process.role, &*process.command),
        (2, "r\u{f6}le", "worker --fast")
    );
    assert_eq!(
        (process.pid, process.pid_namespace, process.start_ticks),
        (1002, 77, 88)
    );
    assert_eq!(process.claimed_ns, 1_700_000_001_000_000_000);
    // While it is claimed it is nobody's, even if the words of the last owner still stand there.
    segment.slot(2, SlotOwner::new(2, SlotState::Claiming), "other");
    let snapshot = reader.snapshot().unwrap();
    let process = &snapshot.processes[0];
    assert_eq!(
        (process.pid, &*process.role, process.incarnation, process.alive),
        (0, "", 2, true)
    );
    segment.slot(2, SlotOwner::new(2, SlotState::Active), &"x".repeat(64));
    assert_eq!(&*reader.snapshot().unwrap().processes[0].role, "x".repeat(64));
    // Taken by another between two snapshots.
    segment.slot(2, SlotOwner::new(3, SlotState::Active), &"y".repeat(64));
    assert_eq!(&*reader.snapshot().unwrap().processes[0].role, "y".repeat(64));
}

#[test]
fn a_process_counts_from_the_baseline_of_its_lanes() {
    let segment = Segment::new();
    let counted = segment.single("counted", Merge::Sum, counter());
    let later = segment.single("later", Merge::Sum, counter());
    let timed = segment.single("timed", Merge::Sum, histogram(OCTAVES, 0));
    let level = segment.single("level", Merge::Max, gauge());
    let (web, db) = (segment.active(0, "web"), segment.active(1, "db"));
    segment.slot(2, SlotOwner::new(1, SlotState::Free), "gone");
    segment.lock_slots(true);
    level.set_gauge(0, 4, 1);
    level.set_gauge(2, 9, 1);
    // Lane 1: the first owner. Lane 2: adopted, with a baseline of one counter. Lane 3: adopted, baseline of an earlier owner.
    segment.lane(1, web, 1);
    segment.lane(2, web, 5);
    segment.lane(3, db, 2);
    let geometry = &segment.geometry;
    let baseline = |lane| geometry.lane_offset(lane) + geometry.lane_baseline_offset;
    let describe = |lane, incarnation, counters| {
        let entry = geometry.lane_entry_offset(lane);
        segment.set(entry + LANE_BASELINE_WORD_OFFSET, incarnation);
        segment.set(entry + LANE_BASELINE_COUNTERS_OFFSET, counters);
    };
    describe(2, 5, 1);
    describe(3, 1, 2);
    let made_for = |lane, owner: OwnerTag| {
        segment.set(
            geometry.lane_entry_offset(lane) + LANE_BASELINE_OWNER_OFFSET,
            owner.0,
        );
    };
    made_for(2, web);
    made_for(3, db);
    for (lane, count) in [(1, 3), (2, 100), (3, 50)] {
        counted.counter(lane).store(count, Relaxed);
    }
    later.counter(2).store(7, Relaxed);
    segment.set(baseline(2), 60);
    // Not to be looked at: first owner, beyond what is covered.
    segment.set(baseline(1), 1);
    segment.set(baseline(2) + 8, 5);
    timed.record(1, &[4]);
    timed.record(2, &[1, 2, 3]);
    timed.block(2)[BASELINE_COUNT].store(2, Relaxed);
    timed.block(2)[BASELINE_SUM].store(3, Relaxed);
    let mut reader = segment.reader();
    reader.per_process(true);
    let snapshot = reader.snapshot().unwrap();
    let position = |name: &str| {
        snapshot
            .series
            .iter()
            .position(|s| s.description.name == name)
            .unwrap()
    };
    let processes: Vec<_> = snapshot
        .processes
        .iter()
        .map(|p| (&*p.role, p.lanes, p.values.clone()))
        .collect();
    let web_values = vec![
        (position("counted"), PerProcess::Counter(Number::U64(3 + 40))),
        (position("later"), PerProcess::Counter(Number::U64(7))),
        (
            position("timed"),
            PerProcess::Histogram {
                count: 2,
                sum: 0.5 * 7.0,
            },
        ),
        (position("level"), PerProcess::Gauge(Number::I64(4))),
    ];
    assert_eq!(
        processes,
        [("web", 2, web_values), ("db", 1, vec![]), ("gone", 0, vec![])]
    );
    assert_eq!(snapshot.fill.lanes.used, 3);
    // Just claimed by another process, which has not stored the incarnation yet: nothing of it is its own.
    segment.lane(1, db, 1);
    assert_eq!(reader.snapshot().unwrap().processes[1].values, []);
    made_for(1, db);
    assert_eq!(reader.snapshot().unwrap().processes[1].values.len(), 2);
    let snapshot = reader.per_process(false).snapshot().unwrap();
    assert!(snapshot.processes.iter().all(|process| process.values.is_empty()));
}

#[test]
fn a_file_cut_short_is_an_error() {
    let segment = Segment::new();
    let mut reader = segment.reader();
    let expected = segment.geometry.file_length;
    segment.file.set_len(expected - 4096).unwrap();
    let Err(ReadError::Truncated {
        found,
        expected: wanted,
        ..
    }) = reader.refresh_owners()
    else {
        panic!()
    };
    assert_eq!((found, wanted), (expected - 4096, expected));
}

#[test]
fn what_is_taken_far_behind_the_rest_is_seen_at_opening_and_when_owners_are_asked_for() {
    const FAR: u64 = 150;
    let segment = Segment::with_room_for(200, 200);
    let series = segment.single("requests_total", Merge::Sum, counter());
    let depth = segment.single("depth", Merge::Sum, gauge());
    let seen = |reader: &mut crate::snapshot::Reader| {
        let snapshot = reader.snapshot().unwrap();
        let lanes = snapshot.fill.lanes_touched;
        (
            value(&snapshot, "requests_total").clone(),
            value(&snapshot, "depth").clone(),
            lanes,
        )
    };
    let take = |slot: u64, lane: u64, count: u64| {
        let owner = segment.active(slot, "web");
        segment.lane(lane, owner, 1);
        series.counter(lane).store(count, Relaxed);
        depth.set_gauge(slot, count, 1);
    };
    let told = |count: u64, lanes: u64| {
        (
            Value::CounterU64(count),
            Value::GaugeI64(Some(count as i64)),
            lanes,
        )
    };
    segment.lock_slots(true);
    take(1, 1, 1);
    let mut reader = segment.reader();
    assert_eq!(seen(&mut reader), told(1, 1));
    // In the order in which they are taken: at once.
    take(2, 2, 10);
    assert_eq!(seen(&mut reader), told(11, 2));
    take(FAR, FAR, 100);
    assert_eq!(seen(&mut reader), told(11, 2));
    // A process' locks on a file are gone when it closes any descriptor of it, as a reader does that is opened.
    segment.lock_slots(true);
    assert_eq!(seen(&mut segment.reader()), told(111, 3));
    segment.lock_slots(true);
    reader.refresh_owners().unwrap();
    assert_eq!(seen(&mut reader), told(111, 3));
    // And from then on, with what comes behind it.
    take(FAR + 1, FAR + 1, 1000);
    assert_eq!(seen(&mut reader), told(1111, 4));
}

#[test]
fn hundreds_of_lanes_that_are_taken_between_two_snapshots_are_all_seen() {
    const NEW: u64 = 300;
    let segment = Segment::with_room_for(200, 400);
    let series = segment.single("requests_total", Merge::Sum, counter());
    segment.lock_slots(true);
    let owner = segment.active(1, "web");
    let mut reader = segment.reader();
    assert_eq!(
        *value(&reader.snapshot().unwrap(), "requests_total"),
        Value::CounterU64(0)
    );
    for lane in 1..=NEW {
        segment.lane(lane, owner, 1);
        series.counter(lane).store(1, Relaxed);
    }
    let snapshot = reader.snapshot().unwrap();
    assert_eq!(*value(&snapshot, "requests_total"), Value::CounterU64(NEW));
    assert_eq!(snapshot.fill.lanes_touched, NEW);
}
