//! The JSON schema, as text.

use super::super::fixture::*;
use crate::layout::directory::{SlotOwner, SlotState};
use crate::layout::kind::Merge;
use crate::layout::record::CHECKSUM_WORD;
use crate::snapshot::Snapshot;
use crate::sync::Relaxed;

const GOLDEN: &str = include_str!("golden.json");

fn small() -> Segment {
    let segment = Segment::new();
    let requests = segment.family("requests", crate::layout::kind::Kind::CounterU64, Merge::Sum);
    let get = segment.series(requests, &[("path", "/\"x\""), ("method", "GET")], counter());
    get.counter(0).store(u64::MAX, Relaxed);
    let float = segment.single("seconds_spent", Merge::Sum, counter_f64());
    float.counter(0).store(f64::INFINITY.to_bits(), Relaxed);
    let depth = segment.single("depth", Merge::Max, gauge());
    segment.single("unset", Merge::Sum, gauge_f64());
    let load = segment.single("load", Merge::Each, gauge_f64());
    let timed = segment.single("timed", Merge::Sum, histogram(OCTAVES, 2));
    let owner = segment.active(0, "web");
    segment.active(1, "");
    segment.slot(2, SlotOwner::new(3, SlotState::Free), "gone");
    segment.lock_slots(true);
    segment.lane(1, owner, 1);
    get.counter(1).store(0, Relaxed);
    depth.set_gauge(0, (-4i64) as u64, 1);
    load.set_gauge(0, 0.25f64.to_bits(), 1);
    load.set_gauge(1, f64::NAN.to_bits(), 1);
    timed.record_in(1, 7, &[2, 3]);
    timed.record_in(1, 8, &[3, 1000]);
    timed.record(0, &[4]);
    segment.single("idle", Merge::Sum, classic(&segment, &[0.5]));
    let damaged = segment.single("damaged", Merge::Sum, counter());
    segment.set_record_word(damaged.number, CHECKSUM_WORD, 1);
    segment
}

#[test]
fn the_schema_is_as_documented() {
    let segment = small();
    let mut reader = segment.reader();
    reader.per_process(true);
    let mut snapshot = Snapshot::default();
    reader.fill(&mut snapshot, View::Live, at_epoch(9));
    let path = segment.path.to_str().unwrap();
    let text = serde_json::to_string_pretty(&snapshot)
        .unwrap()
        .replace(path, "/dev/shm/golden");
    assert_eq!(text, GOLDEN.trim_end(), "the schema changed:\n{text}");
}

#[test]
fn processes_of_one_role_are_told_apart_by_their_slots() {
    let segment = Segment::new();
    let load = segment.single("load", Merge::Each, gauge());
    for slot in [0, 2] {
        segment.active(slot, "web");
        load.set_gauge(slot, slot + 5, 1);
    }
    segment.lock_slots(true);
    let shown = serde_json::to_value(snapshot_at(&mut segment.reader(), true, 9)).unwrap();
    let expected = serde_json::json!([
        {"process": "web", "slot": 0, "value": 5},
        {"process": "web", "slot": 2, "value": 7},
    ]);
    assert_eq!(shown["series"][0]["values"], expected);
}

#[test]
fn a_cut_says_its_epoch() {
    let segment = small();
    let cut = serde_json::to_value(snapshot_at(&mut segment.reader(), true, 9)).unwrap();
    assert_eq!(cut["cut_epoch"], 8);
    assert_eq!(
        serde_json::to_value(Snapshot::default()).unwrap()["segment"],
        serde_json::Value::Null
    );
}
