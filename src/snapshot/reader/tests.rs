//! The reader against segments made by hand.

mod catalog;
mod histograms;
mod hostile;
#[cfg(feature = "serde")]
mod json;
mod processes;

use super::fixture::*;
use crate::layout::directory::{LANE_COMMITTED_OFFSET, OwnerTag, SlotOwner, SlotState};
use crate::layout::header::*;
use crate::layout::kind::Merge;
use crate::layout::record::{READY_WORD, SeriesRecord, TOMBSTONE};
use crate::snapshot::{Number, Used, Value};
use crate::sync::Relaxed;

#[test]
fn counters_are_summed_over_all_lanes_and_the_shared_one() {
    let segment = Segment::new();
    let (whole, float) = (
        segment.single("whole", Merge::Sum, counter()),
        segment.single("float", Merge::Sum, counter_f64()),
    );
    let owner = segment.active(0, "");
    segment.lane(1, owner, 1);
    // Dead, given back, or of somebody unknown: it was counted all the same.
    segment.lane(2, OwnerTag::RELEASED, 3);
    segment.lane(4, OwnerTag::new(3, 9), 1);
    for (lane, count) in [(0, 1000), (1, 1), (2, 20), (4, u64::MAX)] {
        whole.counter(lane).store(count, Relaxed);
    }
    for (lane, sum) in [(0, 1.0f64), (1, 1e100), (2, 1.0), (4, -1e100)] {
        float.counter(lane).store(sum.to_bits(), Relaxed);
    }
    // Taken, but never committed: must not even be looked at.
    segment.lane(3, owner, 1);
    segment.set(segment.geometry.lane_entry_offset(3) + LANE_COMMITTED_OFFSET, 0);
    whole.counter(3).store(7, Relaxed);
    let snapshot = segment.reader().snapshot().unwrap();
    assert_eq!(value(&snapshot, "whole"), &Value::CounterU64(1020));
    assert_eq!(value(&snapshot, "float"), &Value::CounterF64(2.0));
    assert_eq!(
        (snapshot.fill.lanes, snapshot.fill.lanes_touched),
        (Used { used: 0, capacity: 4 }, 4)
    );
}

#[test]
fn a_float_counter_never_goes_down_by_rounding() {
    let segment = Segment::new();
    let float = segment.single("float", Merge::Sum, counter_f64());
    let mut reader = segment.reader();
    float.counter(0).store(5.0f64.to_bits(), Relaxed);
    assert_eq!(
        value(&reader.snapshot().unwrap(), "float"),
        &Value::CounterF64(5.0)
    );
    for less in [5.0f64.next_down(), f64::NAN] {
        float.counter(0).store(less.to_bits(), Relaxed);
        assert_eq!(
            value(&reader.snapshot().unwrap(), "float"),
            &Value::CounterF64(5.0)
        );
    }
}

#[test]
fn gauges_by_rule_over_live_dead_and_claiming_processes() {
    let segment = Segment::new();
    let rules: Vec<_> = Merge::ALL
        .into_iter()
        .map(|rule| (rule, segment.single(rule.name(), rule, gauge())))
        .collect();
    let float_mean = segment.single("float_mean", Merge::Mean, gauge_f64());
    segment.active(0, "web");
    segment.active(1, "");
    segment.slot(2, SlotOwner::new(4, SlotState::Claiming), "old");
    segment.slot(3, SlotOwner::new(5, SlotState::Free), "gone");
    segment.lock_slots(true);
    for (rule, series) in &rules {
        // The stamp says when it was set: 3 last.
        for (slot, value, stamp) in [(0, 10, 1), (1, 20, 2), (2, 1, 4), (3, 99, 3)] {
            series.set_gauge(slot, value, if *rule == Merge::Last { stamp } else { 1 });
        }
    }
    float_mean.set_gauge(0, 2.5f64.to_bits(), 1);
    let mut reader = segment.reader();
    let snapshot = reader.snapshot().unwrap();
    let number = |name: &str| value(&snapshot, name).clone();
    assert_eq!(number("sum"), Value::GaugeI64(Some(30)));
    assert_eq!(number("mean"), Value::GaugeF64(Some(15.0)));
    assert_eq!(number("min"), Value::GaugeI64(Some(1)));
    assert_eq!(number("max"), Value::GaugeI64(Some(99)));
    assert_eq!(number("last"), Value::GaugeI64(Some(1)));
    assert_eq!(number("float_mean"), Value::GaugeF64(Some(2.5)));
    let Value::Each(values) = number("each") else {
        panic!()
    };
    let each: Vec<_> = values
        .iter()
        .map(|each| (each.slot, &*each.role, each.value))
        .collect();
    assert_eq!(each, [(0, "web", Number::I64(10)), (1, "", Number::I64(20))]);

    // Nobody holds a lock any more: all are dead.
    segment.lock_slots(false);
    reader.refresh_owners().unwrap();
    let snapshot = reader.snapshot().unwrap();
    assert_eq!(value(&snapshot, "sum"), &Value::GaugeI64(None));
    assert_eq!(value(&snapshot, "max"), &Value::GaugeI64(Some(99)));
    assert_eq!(value(&snapshot, "each"), &Value::Each(vec![]));
}

#[test]
fn a_gauge_that_was_never_set_or_never_committed_does_not_count() {
    let segment = Segment::new();
    let sum = segment.single("sum", Merge::Sum, gauge());
    segment.active(0, "");
    segment.lock_slots(true);
    sum.set_gauge(0, 5, 0);
    let mut reader = segment.reader();
    assert_eq!(value(&reader.snapshot().unwrap(), "sum"), &Value::GaugeI64(None));
    sum.set_gauge(0, 5, 1);
    assert_eq!(
        value(&reader.snapshot().unwrap(), "sum"),
        &Value::GaugeI64(Some(5))
    );
    segment.set(segment.geometry.process_entry_offset(0) + 8, 0);
    assert_eq!(value(&reader.snapshot().unwrap(), "sum"), &Value::GaugeI64(None));
}

#[test]
fn an_overflow_series_shows_once_it_counted_something() {
    let segment = Segment::new();
    let of = SeriesRecord {
        overflow: true,
        ..counter()
    };
    let overflow = segment.single("overflow", Merge::Sum, of);
    segment.single("other", Merge::Sum, counter());
    let mut reader = segment.reader();
    let mut snapshot = reader.snapshot().unwrap();
    assert_eq!(snapshot.series.len(), 1);
    overflow.counter(0).store(1, Relaxed);
    reader.snapshot_into(&mut snapshot).unwrap();
    assert_eq!(snapshot.series.len(), 2);
    assert_eq!(value(&snapshot, "overflow"), &Value::CounterU64(1));
    assert_eq!(value(&snapshot, "other"), &Value::CounterU64(0));
}

#[test]
fn what_is_not_ready_does_not_show_and_appears_later_in_its_place() {
    let segment = Segment::new();
    let late = segment.single("late", Merge::Sum, counter());
    segment.single("early", Merge::Sum, counter());
    segment.set_record_word(late.number, READY_WORD, 0);
    let mut reader = segment.reader();
    let mut snapshot = reader.snapshot().unwrap();
    assert_eq!(snapshot.series.len(), 1);
    segment.set_record_word(late.number, READY_WORD, TOMBSTONE);
    reader.snapshot_into(&mut snapshot).unwrap();
    assert_eq!(snapshot.series.len(), 1);
    segment.set_record_word(late.number, READY_WORD, 1);
    reader.snapshot_into(&mut snapshot).unwrap();
    let names: Vec<_> = snapshot
        .series
        .iter()
        .map(|series| &*series.description.name)
        .collect();
    assert_eq!(names, ["late", "early"]);
    assert!(snapshot.skipped.is_empty());
}

#[test]
fn losses_fill_and_retirement_are_told() {
    let segment = Segment::new();
    segment.single("a", Merge::Sum, counter());
    let losses = [
        LOSS_LANES_OFFSET,
        LOSS_SLOTS_OFFSET,
        LOSS_STORAGE_OFFSET,
        LOSS_BUDGET_OFFSET,
        LOSS_GAUGE_WRITES_OFFSET,
        LOSS_REFUSED_LABEL_SETS_OFFSET,
        LOSS_LABEL_SETS_OFFSET,
        ANOMALIES_OFFSET,
        LOSS_REGISTRATIONS_OFFSET,
        LOSS_ERRORS_OFFSET,
        ADOPTIONS_OFFSET,
    ];
    for (count, offset) in (1..).zip(losses) {
        segment.set(offset, count);
    }
    segment.set(COMMITTED_OFFSET, 4096);
    let mut reader = segment.reader();
    let snapshot = reader.snapshot().unwrap();
    let l = snapshot.losses;
    assert_eq!(
        (
            l.lanes_exhausted,
            l.slots_exhausted,
            l.storage_refused,
            l.budget_refused
        ),
        (1, 2, 3, 4)
    );
    assert_eq!(
        (
            l.gauge_writes_dropped,
            l.label_sets_refused,
            l.label_sets_overflowed,
            l.anomalies
        ),
        (5, 6, 7, 8)
    );
    let taken_over = snapshot.health.adoptions;
    assert_eq!((l.registrations_refused, l.errors_lost, taken_over), (9, 10, 11));
    let fill = snapshot.fill;
    assert_eq!(
        (fill.records, fill.counters),
        (
            Used {
                used: 2,
                capacity: 32
            },
            Used {
                used: 1,
                capacity: 16
            }
        )
    );
    assert_eq!(
        fill.committed,
        Used {
            used: 4096,
            capacity: 1 << 20
        }
    );
    assert!(!snapshot.retired && !reader.replaced());
    segment.set(RETIRED_OFFSET, 1);
    assert!(reader.snapshot().unwrap().retired && reader.replaced());
    segment.set(RETIRED_OFFSET, 0);
    std::fs::remove_file(&segment.path).unwrap();
    assert!(reader.replaced());
    assert!(reader.committed_blocks_bytes() > 0);
}

#[test]
fn a_warm_snapshot_is_filled_in_place() {
    let segment = Segment::new();
    let counted = segment.single("counted", Merge::Sum, counter());
    let timed = segment.single("timed", Merge::Sum, histogram(OCTAVES, 2));
    segment.lane(1, segment.active(0, "web"), 1);
    timed.record(1, &[3]);
    let mut reader = segment.reader();
    reader.per_process(true);
    let mut snapshot = reader.snapshot().unwrap();
    let places = |snapshot: &crate::snapshot::Snapshot| {
        let histogram = histogram_of(snapshot, "timed");
        (
            snapshot.series.as_ptr(),
            histogram.counts.as_ptr(),
            snapshot.processes[0].values.as_ptr(),
        )
    };
    let before = places(&snapshot);
    counted.counter(0).store(9, Relaxed);
    timed.record(1, &[5]);
    reader.snapshot_into(&mut snapshot).unwrap();
    assert_eq!(places(&snapshot), before);
    assert_eq!(value(&snapshot, "counted"), &Value::CounterU64(9));
    assert_eq!(histogram_of(&snapshot, "timed").count, 2);
    // Filled by another reader, of another segment, it says only what that segment says.
    let other = Segment::new();
    other.single("other", Merge::Sum, counter());
    other.reader().snapshot_into(&mut snapshot).unwrap();
    assert_eq!((snapshot.series.len(), snapshot.processes.len()), (1, 0));
}
