//! V-20 to V-30, claims, the index, text, keys.

use shmetrics::layout::block::COUNT;
use shmetrics::layout::directory::OwnerTag;
use shmetrics::layout::header::{RESERVED_OFFSET, TEXT_USED_OFFSET};
use shmetrics::layout::record::*;
use shmetrics::verify::Severity::{Error, Warning};
use shmetrics::verify::{Finding, Place};

use super::damage::*;
use super::fixture::*;

#[test]
fn every_rule_of_records_is_found_by_its_name() {
    let fixture = Fixture::new("verify-records");
    let f = &fixture;
    let word = |number, word| f.load(f.record(number, word));
    let change = |number, at, bits: u64| f.content(number, at, word(number, at) ^ bits);
    let cell = |number, value| vec![(f.record(number, CELL_WORD), value)];
    let text_byte = |number, at, byte: u64| {
        let offset = f.text(number, at);
        vec![(offset, f.load(offset) ^ byte)]
    };
    assert_each_is_found(
        f,
        vec![
            error(
                "V-20",
                "a word under the checksum",
                vec![(f.record(LOAD, CREATED_WORD), 1)],
            ),
            error("V-20", "a checksum", vec![(f.record(LATENCY, CHECKSUM_WORD), 1)]),
            error(
                "V-21",
                "a type",
                f.content(LOAD, SHAPE_WORD, word(LOAD, SHAPE_WORD) & !0xff | 3),
            ),
            warning(
                "V-22",
                "a kind",
                f.content(LOAD, SHAPE_WORD, word(LOAD, SHAPE_WORD) & !0xff00 | 99 << 8),
            ),
            warning(
                "V-22",
                "a kind of histogram",
                f.content(SIZE, SHAPE_WORD, word(SIZE, SHAPE_WORD) & !0xff00 | 99 << 8),
            ),
            warning(
                "V-23",
                "a merge rule",
                f.content(DEPTH_FAMILY, SHAPE_WORD, 1 | 3 << 8 | 99 << 16),
            ),
            error(
                "V-24",
                "a text beyond the region",
                change(EVENTS_GET, TEXT_WORD, 1 << 60),
            ),
            error(
                "V-24",
                "a text that begins within a word",
                change(EVENTS_GET, TEXT_WORD, 1 << 32),
            ),
            error("V-24", "a name too long", change(EVENTS, TEXT_WORD, 1 << 20)),
            error("V-25", "a scale", f.content(LATENCY, BUCKETS_WORD, 9)),
            error(
                "V-25",
                "a factor",
                f.content(LATENCY, FACTOR_WORD, f64::NAN.to_bits()),
            ),
            error(
                "V-25",
                "a bound",
                vec![(f.text(STEPS, EXTRA_WORD), f64::INFINITY.to_bits())],
            ),
            error("V-26", "a length", change(LATENCY, LENGTH_WORD, 128)),
            error("V-27", "no family", f.content(LOAD, UNIT_WORD, LATENCY)),
            error(
                "V-27",
                "a family of another kind",
                f.content(LOAD, UNIT_WORD, EVENTS),
            ),
            error("V-28", "ready without a cell", cell(DEPTH, 0)),
            error(
                "V-28",
                "a cell beyond the region",
                cell(LOAD, f.geometry.capacities.counters + 1),
            ),
            error("V-28", "a block between lines", cell(LATENCY, 65)),
            error("V-29", "a label that is no UTF-8", {
                let offset = f.text(EVENTS_GET, TEXT_WORD) + 8;
                vec![(offset, f.load(offset) | 0x80)]
            }),
            error(
                "V-29",
                "labels of other lengths",
                text_byte(EVENTS_GET, TEXT_WORD, 4),
            ),
            error(
                "V-29",
                "a name that is no UTF-8",
                text_byte(LOAD_FAMILY, TEXT_WORD, 0x80),
            ),
            error(
                "V-30",
                "two counters in one cell",
                cell(LOAD, word(EVENTS_GET, CELL_WORD)),
            ),
        ],
    );
}

#[test]
fn a_series_that_is_ready_keeps_its_cell_from_one_that_is_not() {
    let fixture = Fixture::new("verify-ready-first");
    let f = &fixture;
    // The lower number, and not ready: a reader has never heard of it.
    let report = f.damaged(&[
        (f.record(EVENTS_GET, READY_WORD), 0),
        (f.record(EVENTS_GET, CELL_WORD), f.load(f.record(LOAD, CELL_WORD))),
    ]);
    let told: Vec<_> = report
        .findings
        .iter()
        .filter(|finding| finding.severity == Error)
        .collect();
    assert_eq!(told.len(), 1, "{report}");
    assert_eq!((told[0].rule, told[0].place), ("V-30", Place::Record(EVENTS_GET)));
}

#[test]
fn damaged_heads_of_records_are_found() {
    let fixture = Fixture::new("verify-claims");
    let f = &fixture;
    let store = |number, word, value| vec![(f.record(number, word), value)];
    let shape =
        |number, bits: u64| f.content(number, SHAPE_WORD, f.load(f.record(number, SHAPE_WORD)) | bits);
    assert_each_is_found(
        f,
        vec![
            error("7.5", "published and unused", store(LOAD, CLAIM_WORD, 0)),
            error("7.5", "a tag of no slot", store(LOAD, CLAIM_WORD, 9999 << 48 | 1)),
            error(
                "7.5",
                "a tag of no slot on an unused record",
                store(50, CLAIM_WORD, 0x77)
                    .into_iter()
                    .chain([(shmetrics::layout::header::RESERVED_OFFSET, 60)])
                    .collect(),
            ),
            error("7.3", "a ready word", store(LOAD, READY_WORD, 5)),
            error("7.3", "a ready family", store(EVENTS, READY_WORD, 1)),
            error("7.3", "a family with a cell", store(EVENTS, CELL_WORD, 1)),
            warning("7.3", "a merge rule of a series", shape(LOAD, 1 << 16)),
            warning("7.3", "bits of the shape without a meaning", shape(LOAD, 1 << 50)),
            warning("7.3", "buckets of a counter", f.content(LOAD, BUCKETS_WORD, 3)),
            warning("7.3", "a room elsewhere", store(EVENTS, ROOM_WORD, 8)),
            error(
                "8.2",
                "a merge rule of counters",
                f.content(EVENTS, SHAPE_WORD, 1 | 1 << 8 | 2 << 16),
            ),
            error(
                "7.2",
                "a hash",
                f.content(LOAD, HASH_WORD, f.load(f.record(LOAD, HASH_WORD)) ^ 1 << 20),
            ),
            error("W-9", "the last word", store(LOAD, RECORD_WORDS - 1, 1)),
            found(&[("7.2", Error), ("S-4", Error)], "a key twice", {
                // PUT becomes GET; the hash is still that of PUT.
                let at = |number| f.text(number, TEXT_WORD) + 8;
                vec![(at(EVENTS_PUT), f.load(at(EVENTS_GET)))]
            }),
        ],
    );
    let tombstone = f.damaged(&store(LOAD, READY_WORD, TOMBSTONE));
    assert_no_suspicion(&tombstone);
}

#[test]
fn what_a_death_leaves_of_a_registration_is_a_note() {
    let fixture = Fixture::new("verify-registration");
    let f = &fixture;
    let place = |number| format!("record {number}");
    for (rule, number, word, value) in [
        // Dead in I4, with a slot and without.
        ("10.7.2", LOAD, CLAIM_WORD, OwnerTag::new(0, 1).0),
        ("10.7.2", EVENTS, CLAIM_WORD, CLAIMED_BY_UNKNOWN),
        // Before its family was counted; before I6.
        ("7.3", EVENTS, MEMBERS_WORD, 1),
        ("10.7.2", DEPTH, READY_WORD, 0),
        ("16", LOAD, READY_WORD, TOMBSTONE),
    ] {
        let report = f.damaged(&[(f.record(number, word), value)]);
        assert_no_suspicion(&report);
        let told = |finding: &Finding| finding.rule == rule && finding.place.to_string() == place(number);
        assert!(
            report.findings.iter().any(told),
            "{rule} {number} {word}:\n{report}"
        );
    }
    // Taken, and never published: its content is nobody's business.
    let taken = [
        (RESERVED_OFFSET, 20),
        (f.record(20, CLAIM_WORD), OwnerTag::new(0, 1).0),
        (f.record(20, SHAPE_WORD), u64::MAX),
    ];
    assert_no_suspicion(&f.damaged(&taken));
}

#[test]
fn a_damaged_index_is_found() {
    let fixture = Fixture::new("verify-index");
    let f = &fixture;
    let (place, family, lonely) = (f.index_place(LOAD), f.index_place(LOAD_FAMILY), f.lonely_place());
    let (histogram, count) = (f.index_place(LATENCY - 1), f.block(1, LATENCY, COUNT));
    let word = f.load(place);
    assert_each_is_found(
        f,
        vec![
            error(
                "7.1",
                "no such record",
                vec![(lonely, word & !0xffff_ffff | 1 << 20)],
            ),
            error(
                "7.1",
                "a record that was not handed out",
                vec![(lonely, word & !0xffff_ffff | 100)],
            ),
            error("7.1", "a record twice", vec![(lonely, word)]),
            error("7.1", "another hash", vec![(place, word ^ 1 << 63)]),
            error(
                "7.1",
                "a place that no probe reaches",
                vec![(place, 0), (lonely, word)],
            ),
            found(
                &[("7.5", Error), ("10.7.2", Error)],
                "a ready series that is gone",
                vec![(place, 0)],
            ),
            found(
                &[("7.5", Error), ("7.1", Error)],
                "a family that is gone",
                vec![(family, 0)],
            ),
            found(
                &[("7.5", Error), ("7.1", Error), ("10.11", Error)],
                "a family that is gone, and its series is damaged in a lane",
                vec![(histogram, 0), (count, f.load(count) + 7)],
            ),
        ],
    );
}

#[test]
fn damaged_text_is_found() {
    let fixture = Fixture::new("verify-text");
    let f = &fixture;
    let name = f.load(f.record(LOAD_FAMILY, TEXT_WORD));
    let padding = f.text(LOAD_FAMILY, TEXT_WORD) + 8;
    assert_each_is_found(
        f,
        vec![
            // `load_total` has ten bytes.
            error("7.4", "padding", vec![(padding, f.load(padding) | 1 << 56)]),
            found(
                &[("7.4", Error), ("7.3", Warning)],
                "a text in two places",
                f.content(EVENTS, UNIT_WORD, name),
            ),
            error("7.4", "text that nobody was given", vec![(TEXT_USED_OFFSET, 16)]),
            error("V-24", "an empty name", f.content(DEPTH_FAMILY, TEXT_WORD, 0)),
        ],
    );
}
