//! Headers that a reader refuses: one or more for each of V-1 to V-11.

use shmetrics::Kind;
use shmetrics::layout::geometry::Capacities;

use super::{Golden, image, small};
use crate::image::{Family, Image, Parameters, Place, SHARED};

/// What is wrong with a header.
enum Wrong {
    /// A field has this value, and the checksum matches.
    Field(&'static str, u64),
    /// The word at this offset has this value, and the checksum matches.
    Word(u64, u64),
    /// A field has this value, and the checksum does not match.
    Unmended(&'static str, u64),
    /// The file has this many bytes less than its header says.
    Shorter(u64),
    /// The file has this many bytes.
    Length(u64),
}

type Case = (
    &'static str,
    &'static [&'static str],
    Wrong,
    &'static str,
    &'static str,
);

/// Name, what it shows, what is wrong, rule and error.
const CASES: &[Case] = &[
    (
        "invalid/v1_empty",
        &["An empty file."],
        Wrong::Length(0),
        "V-1",
        "TooShort",
    ),
    (
        "invalid/v1_too_short",
        &["One byte less than a header, whose fields are right."],
        Wrong::Length(4095),
        "V-1",
        "TooShort",
    ),
    (
        "invalid/v2_not_published",
        &["All is there but the magic word."],
        Wrong::Unmended("magic", 0),
        "V-2",
        "NotPublished",
    ),
    (
        "invalid/v3_other_endianness",
        &["The magic word of the other byte order."],
        Wrong::Unmended("magic", 0x8f73_686d_6574_0d0a),
        "V-3",
        "OtherEndianness",
    ),
    (
        "invalid/v4_bad_magic",
        &["A transfer that rewrites line ends: CR LF became LF."],
        Wrong::Unmended("magic", 0x000a_7465_6d68_738f),
        "V-4",
        "BadMagic",
    ),
    (
        "invalid/v5_version_zero",
        &["Version 0."],
        Wrong::Field("version", 0),
        "V-5",
        "OtherVersion",
    ),
    (
        "invalid/v5_compatible_from_above_version",
        &["Version 1 that needs version 2."],
        Wrong::Field("compatible_from", 2),
        "V-5",
        "OtherVersion",
    ),
    (
        "invalid/v6_bad_checksum",
        &["Another time of creation than that of the checksum."],
        Wrong::Unmended("created_ns", 1),
        "V-6",
        "BadChecksum",
    ),
    (
        "invalid/v7_unknown_features",
        &["A required feature that is not assigned."],
        Wrong::Field("required_features", 1),
        "V-7",
        "UnknownFeatures",
    ),
    (
        "invalid/v8_no_slots",
        &["No process slots."],
        Wrong::Field("process_slots", 0),
        "V-8",
        "CapacityOutOfRange",
    ),
    (
        "invalid/v8_lanes",
        &["A lane too many."],
        Wrong::Field("lanes", 16_385),
        "V-8",
        "CapacityOutOfRange",
    ),
    (
        "invalid/v8_text_length",
        &["A byte of text too few."],
        Wrong::Field("text_length", 1023),
        "V-8",
        "CapacityOutOfRange",
    ),
    (
        "invalid/v8_blocks_length",
        &["Blocks beyond their limit."],
        Wrong::Field("blocks_length", (1 << 31) + 1),
        "V-8",
        "CapacityOutOfRange",
    ),
    (
        "invalid/v8_epoch",
        &["An epoch of less than a millisecond."],
        Wrong::Field("epoch_length_ns", 999_999),
        "V-8",
        "CapacityOutOfRange",
    ),
    (
        "invalid/v8_budget",
        &["A budget beyond its limit."],
        Wrong::Field("budget", (1 << 42) + 1),
        "V-8",
        "CapacityOutOfRange",
    ),
    (
        "invalid/v9_records",
        &["Another number of records than twice that of series."],
        Wrong::Field("records", 17),
        "V-9",
        "InconsistentOffset",
    ),
    (
        "invalid/v9_region",
        &["A region at another place than the capacities lead to."],
        Wrong::Field("lanes_region", 0x10_0000),
        "V-9",
        "InconsistentOffset",
    ),
    (
        "invalid/v9_header_length",
        &["A header of two pages."],
        Wrong::Field("header_length", 8192),
        "V-9",
        "InconsistentOffset",
    ),
    (
        "invalid/v9_file_length",
        &["A file length that is not that of the capacities."],
        Wrong::Field("file_length", 4096),
        "V-9",
        "InconsistentOffset",
    ),
    (
        "invalid/v10_truncated",
        &["A byte is missing."],
        Wrong::Shorter(1),
        "V-10",
        "Truncated",
    ),
    (
        "invalid/v11_reserved",
        &["Reserved space of the header in use, in version 1."],
        Wrong::Word(0x1f0, 1),
        "V-11",
        "ReservedNotZero",
    ),
    (
        "invalid/v11_errors_in_version_1",
        &["An error log, of which version 1 knows nothing."],
        Wrong::Word(0x130, 2),
        "V-11",
        "ReservedNotZero",
    ),
];

/// As [`CASES`], of a segment with an error log.
const CASES_OF_VERSION_2: &[Case] = &[
    (
        "invalid/v8_errors",
        &["An entry of the error log too many."],
        Wrong::Field("errors", 1025),
        "V-8",
        "CapacityOutOfRange",
    ),
    (
        "invalid/v9_errors_region",
        &["The error log starts elsewhere."],
        Wrong::Field("errors_region", 0),
        "V-9",
        "InconsistentOffset",
    ),
    (
        "invalid/v8_reset_tables",
        &["A single reset table, with which nothing would be in force while it is filled."],
        Wrong::Field("reset_tables", 1),
        "V-8",
        "CapacityOutOfRange",
    ),
    (
        "invalid/v9_resets_region",
        &["The reset tables start elsewhere."],
        Wrong::Field("resets_region", 0),
        "V-9",
        "InconsistentOffset",
    ),
    (
        "invalid/v9_reset_stride",
        &["A reset table is as long as a page."],
        Wrong::Field("reset_stride", 4096),
        "V-9",
        "InconsistentOffset",
    ),
    (
        "invalid/v11_reserved_in_version_2",
        &["Reserved space of the header in use, in version 2."],
        Wrong::Word(0x158, 1),
        "V-11",
        "ReservedNotZero",
    ),
];

pub(super) fn all() -> Vec<Golden> {
    let with_log = Capacities { errors: 2, ..small() };
    let bases = [(CASES, base(small())), (CASES_OF_VERSION_2, base(with_log))];
    let refused = |base: &Image, case: &Case| {
        let (name, about, wrong, rule, error) = case;
        Golden::refused(name, about, with(base, wrong), rule, error)
    };
    let cases = bases
        .iter()
        .flat_map(|(cases, base)| cases.iter().map(move |case| refused(base, case)));
    let mut all: Vec<Golden> = cases.collect();
    let mut newer = base(small());
    newer
        .set(Place::Header, "version", 3)
        .set(Place::Header, "compatible_from", 3);
    newer.mend_header();
    all.push(Golden::refused(
        "invalid/v5_newer_version",
        &["Version 3 that only version 3 can use."],
        newer,
        "V-5",
        "OtherVersion",
    ));
    all
}

/// A good segment.
fn base(capacities: Capacities) -> Image {
    let mut image = image(capacities);
    let hits = image.single(&Family::new("hits", Kind::CounterU64), &Parameters::plain());
    image.count(&hits, SHARED, 1);
    image
}

fn with(base: &Image, wrong: &Wrong) -> Image {
    let mut image = base.clone();
    match *wrong {
        Wrong::Field(field, value) => image.set(Place::Header, field, value).mend_header(),
        Wrong::Word(offset, value) => image.set_word(offset, value).mend_header(),
        Wrong::Unmended(field, value) => image.set(Place::Header, field, value),
        Wrong::Shorter(by) => image.set_length(base.length() - by),
        Wrong::Length(length) => image.set_length(length),
    };
    image
}
