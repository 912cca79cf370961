//! Blocks: live, sealed, in the ring, in the shared lane.

use shmetrics::layout::block::*;
use shmetrics::layout::record::LENGTH_WORD;
use shmetrics::protocol::histogram::ordered_key;
use shmetrics::verify::Severity;

use super::damage::*;
use super::fixture::*;

#[test]
fn damaged_live_states_are_found() {
    let fixture = Fixture::new("verify-live-states");
    let f = &fixture;
    let store = |record, word, value| vec![(f.block(1, record, word), value)];
    let load = |record, word| f.load(f.block(1, record, word));
    let count = load(LATENCY, COUNT);
    let shape = f.latency_shape();
    assert!(shape.latch(0) > BUCKETS + shape.buckets && shape.words() > shape.ring(shape.ring_slots));
    assert_each_is_found(
        f,
        vec![
            error(
                "10.10",
                "buckets outside the touched range",
                store(LATENCY, LOWEST, 0),
            ),
            error(
                "10.10",
                "a bucket nobody touched",
                store(LATENCY, BUCKETS + 257, 1),
            ),
            error("9.7", "a range beyond the buckets", store(LATENCY, HIGHEST, 259)),
            error("10.11", "a count two ahead", store(LATENCY, COUNT, count + 2)),
            error(
                "10.11",
                "a count behind",
                store(SIZE, COUNT, load(SIZE, COUNT) - 1),
            ),
            error(
                "9.7",
                "a baseline to come",
                store(LATENCY, BASELINE_COUNT, count + 1),
            ),
            warning("9.7", "a minimum outside", store(LATENCY, MINIMUM, !(1 << 40))),
            warning("9.7", "a maximum outside", store(LATENCY, MAXIMUM, 1 << 40)),
            warning(
                "9.7",
                "a minimum that is no number",
                store(SIZE, MINIMUM, !ordered_key(f64::NAN)),
            ),
            warning("9.7", "a sum", {
                let count = load(SIZE, COUNT);
                store(SIZE, SUM + (count & 1) as usize, f64::NAN.to_bits())
            }),
            error("W-9", "the rest of line 0", store(LATENCY, 14, 1)),
            error(
                "W-9",
                "padding after the buckets",
                store(LATENCY, shape.latch(0) - 1, 1),
            ),
            error(
                "W-9",
                "the line that makes the number odd",
                store(LATENCY, shape.words() - 1, 1),
            ),
        ],
    );
}

#[test]
fn a_record_cut_short_is_a_note() {
    let fixture = Fixture::new("verify-cut-short");
    let f = &fixture;
    let at = f.block(1, LATENCY, COUNT);
    let report = f.damaged(&[(at, f.load(at) + 1)]);
    assert_no_suspicion(&report);
    assert!(
        report.findings.iter().any(|finding| finding.rule == "10.10"),
        "{report}"
    );
}

#[test]
fn damaged_seals_are_found() {
    let fixture = Fixture::new("verify-seals");
    let f = &fixture;
    let shape = f.latency_shape();
    let word = |word| f.block(1, LATENCY, word);
    let version = f.load(word(LATCH_VERSION));
    assert!(version >= 2, "two seals at least");
    let (copy, other) = (
        shape.latch((version & 1) as usize),
        shape.latch((version & 1 ^ 1) as usize),
    );
    let size_shape = BlockShape::new(2 * 10 + 2, 2);
    assert_eq!(f.load(f.record(SIZE, LENGTH_WORD)), size_shape.length());
    let lowest = shape.buckets - f.load(word(copy + STATE_LOWEST)) as usize;
    let bucket = word(copy + STATE_HEADER_WORDS + lowest);
    let more = |at, by| (at, f.load(at) + by);
    assert_each_is_found(
        f,
        vec![
            error("10.12", "seals far ahead", vec![more(word(LATCH_BEGIN), 2)]),
            error(
                "10.12",
                "a seal that ended before it began",
                vec![(word(LATCH_BEGIN), version - 1)],
            ),
            error("10.12", "a bucket", vec![more(bucket, 1)]),
            error("10.12", "a count", vec![more(word(copy + STATE_COUNT), 1)]),
            error(
                "10.12",
                "more than was counted",
                vec![more(word(copy + STATE_COUNT), 1 << 40), more(bucket, 1 << 40)],
            ),
            error(
                "9.7",
                "a range beyond the buckets",
                vec![(word(copy + STATE_HIGHEST), 259)],
            ),
            error(
                "10.12",
                "a bucket nobody touched",
                vec![(word(copy + STATE_HEADER_WORDS + 257), 1)],
            ),
            warning(
                "9.7",
                "a maximum outside",
                vec![(word(copy + STATE_MAXIMUM), 1 << 40)],
            ),
            warning("9.7", "a sum", {
                let version = f.load(f.block(1, SIZE, LATCH_VERSION));
                let copy = size_shape.latch((version & 1) as usize);
                vec![(f.block(1, SIZE, copy + STATE_SUM), f64::NAN.to_bits())]
            }),
            error("W-9", "reserved space of a state", vec![(word(other + 7), 1)]),
            error(
                "W-9",
                "padding after a state",
                vec![(word(shape.latch(0) + shape.state_words()), 1)],
            ),
        ],
    );
    // The other copy is being made when the writer dies: nobody reads it.
    let report = f.damaged(&[more(word(LATCH_BEGIN), 1), (word(other + STATE_COUNT), 99)]);
    assert_no_suspicion(&report);
}

#[test]
fn a_damaged_ring_is_found() {
    let fixture = Fixture::new("verify-ring");
    let f = &fixture;
    let shape = f.latency_shape();
    let word = |word| f.block(1, LATENCY, word);
    let mut slots = [shape.ring(0), shape.ring(1)];
    slots.sort_by_key(|slot| f.load(word(slot + RING_LABEL)));
    let [older, newer] = slots;
    let load = |at: usize| f.load(word(at));
    let (old_label, new_label) = (load(older + RING_LABEL), load(newer + RING_LABEL));
    let lowest = shape.buckets - load(newer + RING_STATE + STATE_LOWEST) as usize;
    let bucket = RING_STATE + STATE_HEADER_WORDS + lowest;
    let set = |slot: usize, label: u64| [(word(slot + RING_LABEL), label), (word(slot + RING_BEGIN), label)];
    assert!(old_label < new_label);
    assert_each_is_found(
        f,
        vec![
            error(
                "10.13",
                "a bucket",
                vec![(word(newer + bucket), load(newer + bucket) + 1)],
            ),
            error(
                "10.13",
                "labels that are the same",
                set(newer, old_label).to_vec(),
            ),
            error(
                "10.13",
                "labels that descend",
                [set(newer, old_label), set(older, new_label)].concat(),
            ),
            error(
                "10.13",
                "counts that descend",
                vec![
                    (word(older + RING_STATE), load(older + RING_STATE) + (1 << 40)),
                    (word(older + bucket), load(older + bucket) + (1 << 40)),
                ],
            ),
            error(
                "10.13",
                "more than was counted",
                vec![
                    (word(newer + RING_STATE), load(newer + RING_STATE) + (1 << 40)),
                    (word(newer + bucket), load(newer + bucket) + (1 << 40)),
                ],
            ),
            error(
                "10.13",
                "two rotations at once",
                vec![
                    (word(older + RING_BEGIN), new_label + 5),
                    (word(newer + RING_BEGIN), new_label + 6),
                ],
            ),
            error(
                "W-9",
                "reserved space of a state",
                vec![(word(newer + RING_STATE + 7), 1)],
            ),
            error(
                "W-9",
                "padding after a state",
                vec![(word(newer + RING_STATE + shape.state_words()), 1)],
            ),
            error(
                "10.13",
                "a bucket nobody touched",
                vec![(word(newer + RING_STATE + STATE_HEADER_WORDS + 257), 1)],
            ),
            warning(
                "9.7",
                "a minimum outside",
                vec![(word(newer + RING_STATE + STATE_MINIMUM), !(1 << 40))],
            ),
        ],
    );
    // A rotation that died: its slot is passed over, whatever is in it.
    let report = f.damaged(&[
        (word(older + RING_BEGIN), new_label + 5),
        (word(older + bucket), 99),
    ]);
    assert_no_suspicion(&report);
    assert!(
        report.findings.iter().any(|finding| finding.rule == "10.13"),
        "{report}"
    );
    // Dead after its label, or while the next rotation fills the slot again for the same epoch: not taken before the epoch is newer.
    let later = load(EPOCH) + 3;
    let words = [&set(older, later)[..], &[(word(older + bucket), 99)]].concat();
    let report = f.damaged(&words);
    assert_no_suspicion(&report);
    assert!(
        report.findings.iter().any(|finding| finding.rule == "10.13"),
        "{report}"
    );
}

#[test]
fn damaged_blocks_of_the_shared_lane_are_found() {
    let fixture = Fixture::new("verify-shared");
    let f = &fixture;
    let word = |word| f.shared_block(LATENCY, word);
    let (count, landed) = (f.load(word(COUNT)), f.load(word(LANDED)));
    assert!(count > 0 && count == landed, "somebody counted there");
    assert_each_is_found(
        f,
        vec![
            error(
                "10.14",
                "more landed than began",
                vec![(word(LANDED), landed + 1)],
            ),
            error("10.14", "fewer began than landed", vec![(word(COUNT), count - 1)]),
            error(
                "10.10",
                "buckets outside the touched range",
                vec![(word(HIGHEST), 1)],
            ),
            error("9.7", "a range beyond the buckets", vec![(word(LOWEST), 1000)]),
            warning("9.7", "a maximum outside", vec![(word(MAXIMUM), 1 << 50)]),
            warning(
                "9.7",
                "a sum",
                vec![(f.shared_block(STEPS, SUM), f64::INFINITY.to_bits())],
            ),
            error("W-9", "a seal in the shared lane", vec![(word(LATCH_VERSION), 1)]),
            error(
                "W-9",
                "padding after the buckets",
                vec![(word(f.latency_shape().latch(0) - 1), 1)],
            ),
        ],
    );
    // A writer that died between S1 and S4 leaves the count ahead, for good.
    let report = f.damaged(&[(word(COUNT), count + 1)]);
    assert!(
        report.worst().is_none_or(|worst| worst == Severity::Note),
        "{report}"
    );
}
