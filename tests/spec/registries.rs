//! Assigned numbers and limits: kinds, merge rules, types, units, capacities.

use shmetrics::buckets::{Classic, Exponential};
use shmetrics::layout::kind::{Kind, Merge, Space};
use shmetrics::layout::{
    block, directory, error_log, events, geometry, group, header, in_flight, labels, record, statuses, text,
};
use shmetrics::{Preset, SegmentOptions, Unit, Value};

use crate::document::{Document, number};
use crate::support;

#[test]
fn kinds_are_those_of_the_code() {
    let spec = Document::spec();
    let table = &spec.section("8.1").tables[0];
    let found: Vec<(i128, &str, String)> = table
        .rows
        .iter()
        .map(|row| (number(&row[0]), row[1].as_str(), row[3].clone()))
        .collect();
    let space = |kind: Kind| match kind.space() {
        Space::Counters => format!("counters, {}", kind.units()),
        Space::Gauges => format!("gauges, {}", kind.units()),
        Space::Blocks => "blocks, length".to_owned(),
    };
    let expected: Vec<_> = Kind::ALL
        .map(|kind| (kind as i128, kind.name(), space(kind)))
        .into();
    assert_eq!(found, expected);
}

#[test]
fn merge_rules_are_those_of_the_code() {
    let spec = Document::spec();
    let table = &spec.section("8.2").tables[0];
    let found: Vec<(i128, &str, &str)> = table
        .rows
        .iter()
        .map(|row| (number(&row[0]), row[1].as_str(), row[4].as_str()))
        .collect();
    let kept = |rule: Merge| if rule.outlives_process() { "yes" } else { "no" };
    let expected: Vec<_> = Merge::ALL
        .map(|rule| (rule as i128, rule.name(), kept(rule)))
        .into();
    assert_eq!(found, expected);
}

#[test]
fn default_ranges_of_units_are_those_of_the_code() {
    let spec = Document::spec();
    let table = &spec.section("8.3").tables[0];
    let expected = [
        ("seconds", Exponential::SECONDS),
        ("seconds, short", Exponential::SECONDS_NANOS),
        ("bytes", Exponential::BYTES),
        ("ratio", Exponential::RATIO),
        ("other, or empty", Exponential::OTHER),
    ];
    assert_eq!(table.rows.len(), expected.len());
    for (unit, scheme) in expected {
        let said: Vec<i128> = table.row(unit)[3].split(',').map(number).collect();
        let (scale, low, high) = (scheme.scale().into(), scheme.low().into(), scheme.high().into());
        assert_eq!(said, [scale, low, high], "{unit}");
        let factor: f64 = table.row(unit)[2].parse().unwrap();
        assert_eq!(factor, registered_factor(unit), "{unit}");
    }
}

/// Exported units per base unit that an integer histogram of this unit has in its record.
fn registered_factor(unit: &str) -> f64 {
    let unit = match unit {
        "seconds" | "seconds, short" => Unit::Seconds,
        "bytes" => Unit::Bytes,
        "ratio" => Unit::Ratio,
        _ => Unit::None,
    };
    let scratch = support::Scratch::new("spec-factor");
    let path = scratch.path("segment");
    let segment = SegmentOptions::default()
        .preset(Preset::Compact)
        .create_at(&path)
        .unwrap();
    let histogram = segment.histogram("h").unit(unit).register().unwrap();
    histogram.record(1);
    let snapshot = support::snapshot(&path);
    let Value::Histogram(histogram) = &snapshot.series[0].value else {
        panic!("{snapshot:?}")
    };
    histogram.sum
}

#[test]
fn limits_are_those_of_the_code() {
    let spec = Document::spec();
    let table = &spec.section("19").tables[0];
    let expected: &[(&str, &[i128])] = &[
        ("MAX_PROCESS_SLOTS", &[geometry::MAX_PROCESS_SLOTS as i128]),
        ("MAX_LANES", &[geometry::MAX_LANES as i128]),
        ("MAX_RECORDS", &[geometry::MAX_RECORDS as i128]),
        ("MAX_TEXT_LENGTH", &[geometry::MAX_TEXT_LENGTH as i128]),
        ("MAX_BLOCKS_LENGTH", &[geometry::MAX_BLOCKS_LENGTH as i128]),
        ("MAX_FILE_LENGTH", &[geometry::MAX_FILE_LENGTH as i128]),
        ("MAX_ERRORS", &[geometry::MAX_ERRORS as i128]),
        ("MAX_RESET_TABLES", &[geometry::MAX_RESET_TABLES as i128]),
        ("ERROR_TEXT_LENGTH", &[error_log::ERROR_TEXT_LENGTH as i128]),
        ("MAX_IN_FLIGHT", &[in_flight::MAX_IN_FLIGHT as i128]),
        ("KEY_TEXT_LENGTH", &[in_flight::KEY_TEXT_LENGTH as i128]),
        ("MAX_TEXT_CAPACITY", &[text::MAX_TEXT_CAPACITY as i128]),
        ("TEXT_SLOTS", &[text::TEXT_SLOTS as i128]),
        ("MIN_EPOCH_LENGTH_NS", &[geometry::MIN_EPOCH_LENGTH_NS as i128]),
        ("MAX_EPOCH_LENGTH_NS", &[geometry::MAX_EPOCH_LENGTH_NS as i128]),
        ("BLOCK_GRANULE_LENGTH", &[geometry::BLOCK_GRANULE_LENGTH as i128]),
        ("MAX_BLOCK_LENGTH", &[record::MAX_BLOCK_LENGTH as i128]),
        ("MAX_RING_SLOTS", &[record::MAX_RING_SLOTS as i128]),
        ("MAX_SAMPLES", &[shmetrics::layout::samples::MAX_SAMPLES as i128]),
        ("MAX_GROUP_FIELDS", &[group::MAX_GROUP_FIELDS as i128]),
        ("MAX_GROUP_NAMES_LENGTH", &[group::MAX_GROUP_NAMES_LENGTH as i128]),
        (
            "MIN_GROUP_COPIES_LOG2, MAX_GROUP_COPIES_LOG2",
            &[
                group::MIN_GROUP_COPIES_LOG2.into(),
                group::MAX_GROUP_COPIES_LOG2.into(),
            ],
        ),
        ("MAX_BUCKETS", &[Exponential::MAX_BUCKETS as i128]),
        ("MAX_SCALE", &[Exponential::MAX_SCALE as i128]),
        (
            "MIN_LOW, MAX_HIGH",
            &[Exponential::MIN_LOW as i128, Exponential::MAX_HIGH as i128],
        ),
        ("MAX_BOUNDS", &[Classic::MAX_BOUNDS as i128]),
        ("MAX_NAME_LENGTH", &[record::MAX_NAME_LENGTH as i128]),
        ("MAX_HELP_LENGTH", &[record::MAX_HELP_LENGTH as i128]),
        ("MAX_UNIT_LENGTH", &[record::MAX_UNIT_LENGTH as i128]),
        ("MAX_LABELS", &[labels::MAX_LABELS as i128]),
        ("MAX_LABEL_NAME_LENGTH", &[labels::MAX_LABEL_NAME_LENGTH as i128]),
        (
            "MAX_LABEL_VALUE_LENGTH",
            &[labels::MAX_LABEL_VALUE_LENGTH as i128],
        ),
        ("MAX_ENCODED_LENGTH", &[labels::MAX_ENCODED_LENGTH as i128]),
        ("MAX_STATUSES", &[statuses::MAX_STATUSES as i128]),
        (
            "MAX_STATUS_NAME_LENGTH",
            &[statuses::MAX_STATUS_NAME_LENGTH as i128],
        ),
        ("MAX_UNHEALTHY_FROM", &[statuses::MAX_UNHEALTHY_FROM as i128]),
        (
            "SEAL_INTERVAL",
            &[shmetrics::protocol::latch::SEAL_INTERVAL as i128],
        ),
        (
            "MAX_EVENT_CAPACITY_LOG2",
            &[events::MAX_EVENT_CAPACITY_LOG2 as i128],
        ),
        ("MAX_EVENT_LENGTH", &[events::MAX_EVENT_LENGTH as i128]),
        ("MAX_SCHEMA_LENGTH", &[events::MAX_SCHEMA_LENGTH as i128]),
        ("MAX_EVENT_KINDS", &[events::MAX_EVENT_KINDS as i128]),
        ("MAX_EVENT_FIELDS", &[events::MAX_EVENT_FIELDS as i128]),
        ("MAX_EVENT_NAME_LENGTH", &[events::MAX_EVENT_NAME_LENGTH as i128]),
        ("PROCESS_ROLE_LENGTH", &[directory::PROCESS_ROLE_LENGTH as i128]),
        (
            "PROCESS_COMMAND_LENGTH",
            &[directory::PROCESS_COMMAND_LENGTH as i128],
        ),
        ("LOCK_BASE_OFFSET", &[directory::LOCK_BASE_OFFSET as i128]),
    ];
    let names: Vec<&str> = table.column("Constant").collect();
    assert_eq!(names, expected.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for (name, values) in expected {
        let said: Vec<i128> = table.row(name)[1].split(',').map(number).collect();
        assert_eq!(said, *values, "{name}");
    }
}

/// Numbers that prose and tables name in passing.
#[test]
fn special_words_are_those_of_the_code() {
    let spec = Document::spec();
    let claims = &spec.section("7.5").tables[0];
    assert_eq!(number(&claims.rows[2][0]) as u64, record::CLAIMED_BY_UNKNOWN);
    assert_eq!(number(&claims.rows[3][0]) as u64, record::PUBLISHED);
    let ready = spec.section("7.3").tables[0]
        .rows
        .iter()
        .find(|row| row[3] == "ready")
        .unwrap();
    assert!(ready[7].contains(&format!("{} ready", record::READY)));
    assert!(ready[7].contains(&format!("{} tombstone", record::TOMBSTONE)));
    let shape = &spec.section("7.3").text;
    assert!(shape.contains(&format!(
        "type ({} family, {} series)",
        record::TYPE_FAMILY,
        record::TYPE_SERIES
    )));
    assert!(shape.contains(&format!(
        "(bit {}: overflow series",
        record::FLAG_OVERFLOW.trailing_zeros()
    )));
    let magic = spec.section("6.1").tables[0]
        .rows
        .iter()
        .find(|row| row[3] == "magic")
        .unwrap();
    assert_eq!(number(&magic[6]) as u64, header::MAGIC);
    assert!(
        spec.text
            .contains(&format!("**Format version {}**", header::VERSION))
    );
    assert_eq!(header::ERROR_LOG_VERSION, 2);
    let versioning = &spec.section("16").text;
    assert_eq!(header::KNOWN_REQUIRED_FEATURES, 0);
    assert!(versioning.contains("No required\n  and no optional ones are assigned."));
    assert!(versioning.contains(&format!(
        "Writer features: bit {}, `statistics`.",
        header::STATISTICS_FEATURE.trailing_zeros()
    )));
    assert_eq!(header::KNOWN_WRITER_FEATURES, header::STATISTICS_FEATURE);
    assert_eq!(block::LATCH_COPIES, 2);
}
