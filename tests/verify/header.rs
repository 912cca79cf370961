//! V-1 to V-12 and the mutable words.

use std::os::unix::fs::FileExt;

use shmetrics::OpenError;
use shmetrics::layout::header::*;
use shmetrics::layout::record::CELL_WORD;
use shmetrics::verify::{Severity, verify};

use super::damage::*;
use super::fixture::*;
use super::support::Scratch;

#[test]
fn every_rule_of_the_header_refuses_by_its_name() {
    let fixture = Fixture::new("verify-header");
    let magic = fixture.load(MAGIC_OFFSET);
    let records = fixture.load(RECORDS_OFFSET);
    let cases = vec![
        error("V-2", "no magic", vec![(MAGIC_OFFSET, 0)]),
        error(
            "V-3",
            "the other byte order",
            vec![(MAGIC_OFFSET, magic.swap_bytes())],
        ),
        error("V-4", "another magic", vec![(MAGIC_OFFSET, magic ^ 1)]),
        error(
            "V-5",
            "a newer format",
            fixture.header(COMPATIBLE_FROM_OFFSET, VERSION + 1),
        ),
        error("V-5", "version 0", fixture.header(VERSION_OFFSET, 0)),
        error("V-6", "a checksum", vec![(CHECKSUM_OFFSET, 7)]),
        error("V-6", "a word under the checksum", vec![(SEGMENT_ID_OFFSET, 7)]),
        error("V-7", "a feature", fixture.header(REQUIRED_FEATURES_OFFSET, 1)),
        error("V-8", "a capacity", fixture.header(PROCESS_SLOTS_OFFSET, 0)),
        error(
            "V-9",
            "a derived word",
            fixture.header(RECORDS_OFFSET, records + 1),
        ),
        error("V-11", "reserved space", fixture.header(0x158, 1)),
        error("V-8", "the error log", fixture.header(ERRORS_OFFSET, 1025)),
        error(
            "V-9",
            "where the error log is",
            fixture.header(ERRORS_REGION_OFFSET, 0),
        ),
        error("V-8", "one reset table", fixture.header(RESET_TABLES_OFFSET, 1)),
        error(
            "V-9",
            "where the reset tables are",
            fixture.header(RESETS_REGION_OFFSET, 0),
        ),
    ];
    for damage in &cases {
        assert!(damage.is_refused(&fixture), "{}", damage.name());
    }
    assert_each_is_found(&fixture, cases);
    let writer = fixture.header(WRITER_FEATURES_OFFSET, 2);
    assert_each_is_found(&fixture, vec![warning("V-12", "a feature of writers", writer)]);
}

#[test]
fn what_can_still_be_judged_is_told_beside_what_refuses() {
    let fixture = Fixture::new("verify-several");
    // Without mending the checksum: V-6 refuses, V-7 and V-9 are there as well.
    let report = fixture.damaged(&[
        (REQUIRED_FEATURES_OFFSET, 4),
        (RECORDS_OFFSET, 5),
        (LANES_REGION_OFFSET, 0),
    ]);
    assert!(report.refused);
    let found: Vec<&str> = report.findings.iter().map(|finding| finding.rule).collect();
    assert_eq!(found, ["V-6", "V-7", "V-9", "V-9"], "{report}");
    assert!(report.summary().starts_with("refused: 0 records"), "{report}");
    let texts: Vec<String> = report
        .findings
        .iter()
        .map(|finding| finding.place.to_string())
        .collect();
    assert_eq!(
        texts[1..],
        [
            "header.required_features",
            "header.records",
            "header.lanes_region"
        ]
    );
}

#[test]
fn files_that_are_too_short_are_refused() {
    let fixture = Fixture::new("verify-short");
    fixture.file.set_len(fixture.geometry.file_length - 1).unwrap();
    let report = verify(&fixture.path).unwrap();
    assert!(
        report.refused && rules(&report) == [("V-10", Severity::Error)].into(),
        "{report}"
    );
    // The header alone: both rules can be judged.
    fixture.file.set_len(4000).unwrap();
    let report = verify(&fixture.path).unwrap();
    let both = [("V-1", Severity::Error), ("V-10", Severity::Error)];
    assert!(report.refused && rules(&report) == both.into(), "{report}");
    fixture.file.set_len(0).unwrap();
    let report = verify(&fixture.path).unwrap();
    assert!(
        report.refused && rules(&report) == [("V-1", Severity::Error)].into(),
        "{report}"
    );
}

#[test]
fn what_cannot_be_read_is_an_error_and_no_finding() {
    let scratch = Scratch::new("verify-unreadable");
    let missing = scratch.path("missing");
    assert!(matches!(verify(&missing), Err(OpenError::NotFound { .. })));
    assert!(matches!(
        verify(missing.parent().unwrap()),
        Err(OpenError::WrongFileType { .. })
    ));
}

#[test]
fn damaged_mutable_words_are_found() {
    let fixture = Fixture::new("verify-mutable");
    let records = fixture.geometry.records;
    let capacities = fixture.geometry.capacities;
    let counters = fixture.load(COUNTER_PLACEMENT_OFFSET);
    let used = fixture.load(TEXT_USED_OFFSET);
    let at_work = |record: u64, word: u64| record << 40 | word;
    assert_each_is_found(
        &fixture,
        vec![
            error("6.2", "too many records", vec![(RESERVED_OFFSET, records + 1)]),
            error(
                "6.2",
                "too much text",
                vec![(TEXT_USED_OFFSET, capacities.text_length + 8)],
            ),
            error("7.4", "half a word of text", vec![(TEXT_USED_OFFSET, used + 4)]),
            error(
                "7.4",
                "text that is handed out again",
                vec![(TEXT_USED_OFFSET, used - 8)],
            ),
            error(
                "10.7.3",
                "more counters than there are",
                vec![(COUNTER_PLACEMENT_OFFSET, capacities.counters + 1)],
            ),
            error(
                "10.7.3",
                "more gauges than there are",
                vec![(GAUGE_PLACEMENT_OFFSET, capacities.gauges + 1)],
            ),
            error(
                "10.7.3",
                "more blocks than there are",
                vec![(BLOCK_PLACEMENT_OFFSET, capacities.blocks_length + 1)],
            ),
            error(
                "10.7.3",
                "blocks that are handed out again",
                vec![(BLOCK_PLACEMENT_OFFSET, 128)],
            ),
            error(
                "10.7.3",
                "no such record",
                vec![(COUNTER_PLACEMENT_OFFSET, at_work(records + 1, counters))],
            ),
            error(
                "10.7.3",
                "a record of nobody",
                vec![(COUNTER_PLACEMENT_OFFSET, at_work(records, counters))],
            ),
            error(
                "10.7.3",
                "a gauge among counters",
                vec![(COUNTER_PLACEMENT_OFFSET, at_work(DEPTH, counters))],
            ),
            error(
                "10.7.3",
                "a cell elsewhere",
                vec![(COUNTER_PLACEMENT_OFFSET, at_work(LOAD, counters + 1))],
            ),
            error("W-9", "reserved space", vec![(0x200, 1)]),
            error("W-9", "the rest of a line", vec![(RESERVED_OFFSET + 8, 1)]),
            error("W-9", "the end of the header", vec![(0xff8, 1)]),
            warning("6.2", "the budget", vec![(COMMITTED_OFFSET, 1 << 40)]),
            error("10.8", "stamps begin again", vec![(STAMP_OFFSET, 0)]),
        ],
    );
}

#[test]
fn a_placement_cut_short_is_a_note() {
    let fixture = Fixture::new("verify-placement");
    // Dead between P3 and P4: the cell is stored, the next free unit is not.
    let cell = fixture.load(fixture.record(STEPS, CELL_WORD)) - 1;
    let report = fixture.damaged(&[(BLOCK_PLACEMENT_OFFSET, STEPS << 40 | cell)]);
    assert_no_suspicion(&report);
    let note = report.findings.iter().find(|finding| finding.rule == "10.7.3");
    assert!(
        note.is_some_and(|note| note.place.to_string() == "header.block_placement"),
        "{report}"
    );
}

#[test]
fn facts_are_notes() {
    let fixture = Fixture::new("verify-facts");
    let mut words = fixture.header(OPTIONAL_FEATURES_OFFSET, 2);
    words.extend([(RETIRED_OFFSET, 1), (ANOMALIES_OFFSET, 3)]);
    let report = fixture.damaged(&words);
    assert_no_suspicion(&report);
    let found: Vec<(&str, String)> = report
        .findings
        .iter()
        .map(|finding| (finding.rule, finding.place.to_string()))
        .collect();
    for place in ["header.optional_features", "header.retired", "header.anomalies"] {
        assert!(found.iter().any(|(_, found)| found == place), "{report}");
    }
    // Of another boot, and of a newer version that uses reserved space.
    let report = fixture.damaged(&fixture.header(BOOT_ID_LOW_OFFSET, 1));
    assert!(
        report.findings.iter().any(|finding| finding.rule == "10.1"),
        "{report}"
    );
    let mut newer = fixture.header(VERSION_OFFSET, VERSION + 1);
    newer.push((0xff8, 1));
    let report = fixture.damaged(&newer);
    assert_no_suspicion(&report);
    assert_eq!(report.count(Severity::Note), 2, "{report}");
}

#[test]
fn verifying_stores_nothing_and_allocates_nothing() {
    use std::os::unix::fs::MetadataExt;
    let fixture = Fixture::new("verify-untouched");
    let look = || {
        let metadata = fixture.file.metadata().unwrap();
        let mut head = vec![0; fixture.geometry.head_length() as usize];
        fixture.file.read_exact_at(&mut head, 0).unwrap();
        (metadata.blocks(), metadata.mtime_nsec(), head)
    };
    let before = look();
    fixture.assert_clean();
    assert!(before == look(), "blocks {} -> {}", before.0, look().0);
}
