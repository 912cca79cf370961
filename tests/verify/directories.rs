//! Process and lane entries, bitmaps, counters, gauges.

use shmetrics::layout::directory::*;
use shmetrics::layout::record::CELL_WORD;
use shmetrics::verify::Severity::{Error, Warning};

use super::damage::*;
use super::fixture::*;

#[test]
fn damaged_process_entries_are_found() {
    let fixture = Fixture::new("verify-slots");
    let f = &fixture;
    let slot =
        |slot: u64, offset: u64, value: u64| vec![(f.geometry.process_entry_offset(slot) + offset, value)];
    assert_each_is_found(
        f,
        vec![
            error("9.1", "half the cells", slot(0, PROCESS_COMMITTED_OFFSET, 128)),
            error(
                "9.1",
                "cells without an owner",
                slot(5, PROCESS_COMMITTED_OFFSET, 7),
            ),
            found(
                &[("9.1", Error), ("9.1", Warning)],
                "a state without an incarnation",
                slot(7, PROCESS_OWNER_OFFSET, 3),
            ),
            warning("9.1", "a state", slot(0, PROCESS_OWNER_OFFSET, 1 << 2 | 3)),
            warning(
                "9.1",
                "a role that is no text",
                slot(0, PROCESS_ROLE_OFFSET, u64::MAX),
            ),
            warning(
                "9.1",
                "a role with something after it",
                slot(0, PROCESS_ROLE_OFFSET + 56, 7),
            ),
            error("W-9", "the rest of a line", slot(0, 0x18, 1)),
            error("W-9", "the end of an entry", slot(3, PROCESS_ENTRY_LENGTH - 8, 1)),
        ],
    );
}

#[test]
fn damaged_lane_entries_are_found() {
    let fixture = Fixture::new("verify-lanes");
    let f = &fixture;
    let lane = |offset: u64, value: u64| (f.geometry.lane_entry_offset(1) + offset, value);
    let tag = |slot: u64, incarnation: u64| OwnerTag::new(slot, incarnation).0;
    assert_each_is_found(
        f,
        vec![
            error(
                "9.2",
                "a slot that is none",
                vec![lane(LANE_OWNER_OFFSET, tag(3000, 1))],
            ),
            error(
                "9.2",
                "an incarnation to come",
                vec![lane(LANE_OWNER_OFFSET, tag(0, 9))],
            ),
            error("9.2", "incarnation 0", vec![lane(LANE_OWNER_OFFSET, tag(0, 0))]),
            error(
                "9.2",
                "a baseline of nobody",
                vec![lane(LANE_BASELINE_OWNER_OFFSET, tag(0, 9))],
            ),
            error("9.3", "no owner any more", vec![lane(LANE_OWNER_OFFSET, 0)]),
            error("9.3", "half a front", vec![lane(LANE_COMMITTED_OFFSET, 8)]),
            error(
                "9.3",
                "taken without storage",
                vec![lane(LANE_COMMITTED_OFFSET, 0)],
            ),
            error(
                "9.3",
                "a baseline to come",
                vec![lane(LANE_BASELINE_WORD_OFFSET, 9)],
            ),
            error(
                "9.3",
                "a baseline too long",
                vec![lane(LANE_BASELINE_COUNTERS_OFFSET, 9999)],
            ),
            error(
                "S-2",
                "a baseline without storage",
                vec![lane(LANE_BASELINE_COUNTERS_OFFSET, 400)],
            ),
            error("W-9", "the rest of a line", vec![lane(0x30, 1)]),
        ],
    );
}

#[test]
fn what_a_death_leaves_in_a_slot_is_a_note() {
    let fixture = Fixture::new("verify-dead-slot");
    let entry = fixture.geometry.process_entry_offset(0);
    let owner = |state| (entry, SlotOwner::new(1, state).0);
    let described = (entry + PROCESS_DESCRIPTION_OFFSET, 3);
    for (words, rules) in [
        (vec![owner(SlotState::Active)], vec!["10.5"]),
        (vec![owner(SlotState::Claiming)], vec!["10.5"]),
        (vec![owner(SlotState::Active), described], vec!["10.5", "10.16"]),
        (vec![(entry + PROCESS_COMMAND_OFFSET, u64::MAX)], vec!["9.1"]),
    ] {
        let report = fixture.damaged(&words);
        assert_no_suspicion(&report);
        let found: Vec<&str> = report.findings.iter().map(|finding| finding.rule).collect();
        assert_eq!(found, rules, "{report}");
    }
}

#[test]
fn what_a_death_leaves_in_a_lane_is_a_note() {
    let fixture = Fixture::new("verify-dead-lane");
    let f = &fixture;
    let entry = f.geometry.lane_entry_offset(1);
    let slot = f.geometry.process_entry_offset(0);
    let own = (entry + LANE_OWNER_OFFSET, OwnerTag::new(0, 1).0);
    let adoptable = |words: &[(u64, u64)]| {
        let report = f.damaged(words);
        assert_no_suspicion(&report);
        let notes = report.findings.iter().filter(|finding| finding.rule == "10.6");
        assert_eq!(notes.count(), 1, "{report}");
    };
    // The slot was given back; it has another incarnation; its owner is dead.
    adoptable(&[own]);
    adoptable(&[own, (slot, SlotOwner::new(2, SlotState::Active).0)]);
    adoptable(&[own, (slot, SlotOwner::new(1, SlotState::Active).0)]);
    adoptable(&[own, (slot, SlotOwner::new(1, SlotState::Claiming).0)]);
    // Dead in the middle of its first claim, and one that got no storage.
    let fresh = [
        (entry + LANE_INCARNATION_OFFSET, 0),
        (entry + LANE_BASELINE_WORD_OFFSET, 0),
        (entry + LANE_BASELINE_OWNER_OFFSET, 0),
    ];
    adoptable(&[&[own][..], &fresh].concat());
    assert_no_suspicion(&f.damaged(&[&[(entry + LANE_COMMITTED_OFFSET, 0)][..], &fresh].concat()));
}

#[test]
fn damaged_fronts_are_found() {
    let fixture = Fixture::new("verify-fronts");
    let f = &fixture;
    let start = f.geometry.lane_offset(1);
    let bitmap = f.load(start);
    let load = f.load(f.record(LOAD, CELL_WORD)) - 1;
    let shared = f.geometry.shared_counters_offset;
    assert_each_is_found(
        f,
        vec![
            error("9.6", "a bit without a block", vec![(start, bitmap | 1 << 1)]),
            error("9.6", "a bit beyond the blocks", vec![(start + 8 * 4, 1)]),
            warning(
                "9.6",
                "a counter that is not placed",
                vec![(f.counter(1, 100), 1)],
            ),
            warning(
                "8.1",
                "a float counter",
                vec![(f.counter(1, load), f64::NAN.to_bits())],
            ),
            warning(
                "8.1",
                "a negative float counter",
                vec![(f.counter(1, load), (-1f64).to_bits())],
            ),
            warning(
                "8.1",
                "a float counter of the shared lane",
                vec![(shared + 128 * load, f64::NAN.to_bits())],
            ),
            error("W-9", "the line of a shared counter", vec![(shared + 8, 1)]),
        ],
    );
}

#[test]
fn damaged_gauges_are_found() {
    let fixture = Fixture::new("verify-gauges");
    let f = &fixture;
    let last = f.geometry.slot_offset(0) + 100 * GAUGE_CELL_LENGTH;
    assert_each_is_found(
        f,
        vec![
            warning(
                "9.4",
                "a stamp of a sum",
                vec![(f.gauge(DEPTH) + GAUGE_STAMP_OFFSET, 5)],
            ),
            error(
                "10.8",
                "a stamp to come",
                vec![(f.gauge(NEWEST) + GAUGE_STAMP_OFFSET, 1 << 50)],
            ),
            warning("9.4", "a cell that is not placed", vec![(last, 1)]),
            error("W-9", "the rest of a line", vec![(f.gauge(DEPTH) + 0x10, 1)]),
        ],
    );
}
