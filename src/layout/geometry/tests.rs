//! Any geometry survives its header; every damaged word is named.

use super::*;
use proptest::prelude::*;

const ORIGIN: Origin = Origin {
    boot_id: [1, 2],
    created_ns: 3,
    created_monotonic_ns: 4,
    segment_id: 5,
    writer_features: 0,
};

fn capacities() -> impl Strategy<Value = Capacities> {
    (
        1..=MAX_PROCESS_SLOTS,
        1..=2048u64,
        1..=65_536u64,
        1024..=(1u64 << 22),
        1..=65_536u64,
        1..=4096u64,
        (4096..=(1u64 << 24), 0..=MAX_ERRORS, 0..=1u64),
    )
        .prop_map(
            |(
                process_slots,
                lanes,
                series,
                text_length,
                counters,
                gauges,
                (blocks_length, errors, resets),
            )| {
                Capacities {
                    process_slots,
                    lanes,
                    series,
                    text_length,
                    counters,
                    gauges,
                    blocks_length,
                    errors,
                    reset_tables: 2 * resets,
                    ..Capacities::DEFAULT
                }
            },
        )
}

proptest! {
    #![proptest_config(crate::random::config(256))]

    #[test]
    fn any_geometry_survives_its_header(capacities in capacities()) {
        let geometry = Geometry::plan(capacities).unwrap();
        let words = geometry.to_words(&ORIGIN);
        prop_assert_eq!(Geometry::parse(&words, geometry.file_length), Ok((geometry, ORIGIN)));
    }

    #[test]
    fn regions_are_aligned_and_disjoint(capacities in capacities()) {
        let g = Geometry::plan(capacities).unwrap();
        let c = g.capacities;
        let regions = [
            (0, HEADER_LENGTH),
            (g.index_offset, g.index_entries * 8),
            (g.records_offset, g.records * record::RECORD_LENGTH),
            (g.text_offset, c.text_length),
            (g.process_directory_offset, c.process_slots * directory::PROCESS_ENTRY_LENGTH),
            (g.lane_directory_offset, c.lanes * directory::LANE_ENTRY_LENGTH),
            (g.errors_offset, c.errors * error_log::ERROR_ENTRY_LENGTH),
            (g.slots_offset, c.process_slots * g.slot_stride),
            (g.shared_counters_offset, c.counters * LINE_LENGTH),
            (g.shared_blocks_offset, c.blocks_length),
            (g.lanes_offset, c.lanes * g.lane_stride),
            (g.resets_offset, c.reset_tables * g.reset_stride),
        ];
        for pair in regions.windows(2) {
            prop_assert!(pair[0].0 + pair[0].1 <= pair[1].0, "{pair:?}");
            prop_assert_eq!(pair[1].0 % LINE_LENGTH, 0);
        }
        let last = regions[regions.len() - 1];
        prop_assert_eq!(last.0 + last.1, g.file_length);
        for page_aligned in [
            g.slots_offset, g.slot_stride, g.lanes_offset, g.lane_stride, g.resets_offset, g.reset_stride,
        ] {
            prop_assert_eq!(page_aligned % REGION_ALIGNMENT, 0);
        }
        // Inside a lane: bitmap, counters, baseline, blocks.
        prop_assert!(g.bitmap_words * 64 * BLOCK_GRANULE_LENGTH >= c.blocks_length);
        prop_assert!(g.lane_counters_offset >= g.bitmap_words * 8);
        prop_assert!(g.lane_baseline_offset >= g.lane_front_length());
        prop_assert!(g.lane_blocks_offset >= g.lane_baseline_offset + c.counters * 8);
        prop_assert!(g.lane_stride >= g.lane_blocks_offset + c.blocks_length);
        // Inside a reset table: times, counters, blocks.
        prop_assert!(g.reset_counters_offset >= g.records * 8);
        prop_assert!(g.reset_blocks_offset >= g.reset_front_length());
        prop_assert!(g.reset_stride >= g.reset_blocks_offset + c.blocks_length);
    }

    #[test]
    fn any_header_words_are_accepted_or_named_never_a_panic(
        words in prop::collection::vec(any::<u64>(), IMMUTABLE_WORDS), repair in any::<bool>()
    ) {
        let mut words: [u64; IMMUTABLE_WORDS] = words.try_into().unwrap();
        if repair {
            words[0] = MAGIC;
            words[1] = VERSION;
            words[2] = VERSION;
            words[4] = 0;
            words[IMMUTABLE_WORDS - 1] = checksum(&words);
        }
        prop_assert!(Geometry::parse(&words, u64::MAX).is_err());
    }
}

#[test]
fn every_damaged_word_is_rejected_by_name() {
    let geometry = Geometry::plan(Capacities::COMPACT).unwrap();
    let good = geometry.to_words(&ORIGIN);
    let repaired = |offset: u64, value: u64| {
        let mut words = good;
        words[(offset / 8) as usize] = value;
        words[IMMUTABLE_WORDS - 1] = checksum(&words);
        Geometry::parse(&words, geometry.file_length).unwrap_err()
    };
    assert_eq!(repaired(MAGIC_OFFSET, 0), LayoutError::NotPublished);
    assert_eq!(
        repaired(MAGIC_OFFSET, MAGIC.swap_bytes()),
        LayoutError::OtherEndianness
    );
    assert_eq!(repaired(MAGIC_OFFSET, 7), LayoutError::BadMagic { found: 7 });
    assert_eq!(
        repaired(COMPATIBLE_FROM_OFFSET, 3),
        LayoutError::OtherVersion {
            version: 2,
            compatible_from: 3
        }
    );
    assert_eq!(
        repaired(REQUIRED_FEATURES_OFFSET, 4),
        LayoutError::UnknownFeatures { found: 4 }
    );
    assert!(matches!(
        repaired(LANES_OFFSET, MAX_LANES + 1),
        LayoutError::CapacityOutOfRange { field: "lanes", .. }
    ));
    for (field, offset, value) in geometry.derived(VERSION) {
        let error = repaired(offset, value + 8);
        assert_eq!(
            error,
            LayoutError::InconsistentOffset {
                field,
                found: value + 8,
                expected: value
            },
            "{field}"
        );
    }
    assert_eq!(
        repaired(0x158, 9),
        LayoutError::ReservedNotZero {
            offset: 0x158,
            found: 9
        }
    );
    let mut words = good;
    words[IMMUTABLE_WORDS - 1] ^= 1;
    assert!(matches!(
        Geometry::parse(&words, u64::MAX),
        Err(LayoutError::BadChecksum { .. })
    ));
    assert_eq!(
        Geometry::parse(&good, geometry.file_length - 1),
        Err(LayoutError::Truncated {
            found: geometry.file_length - 1,
            expected: geometry.file_length
        })
    );
}

/// Who wrote version 1 knew no error log, and who reads it must not look for one.
#[test]
fn without_an_error_log_it_is_version_1_whose_words_for_it_are_reserved() {
    let without = Capacities {
        errors: 0,
        reset_tables: 0,
        ..Capacities::COMPACT
    };
    let geometry = Geometry::plan(without).unwrap();
    let mut words = geometry.to_words(&ORIGIN);
    assert_eq!((words[1], words[2]), (1, 1));
    assert_eq!(words[(ERRORS_OFFSET / 8) as usize..IMMUTABLE_WORDS - 1], [0; 25]);
    words[(ERRORS_OFFSET / 8) as usize] = 8;
    words[IMMUTABLE_WORDS - 1] = checksum(&words);
    let offset = ERRORS_OFFSET;
    assert_eq!(
        Geometry::parse(&words, geometry.file_length),
        Err(LayoutError::ReservedNotZero { offset, found: 8 })
    );
    let with = Geometry::plan(Capacities::COMPACT).unwrap().to_words(&ORIGIN);
    assert_eq!((with[1], with[2]), (2, 2));
    assert_eq!(Capacities::of(&with), Capacities::COMPACT);
}

#[test]
fn a_newer_version_that_declares_itself_compatible_is_read() {
    let geometry = Geometry::plan(Capacities::COMPACT).unwrap();
    let mut words = geometry.to_words(&ORIGIN);
    words[1] = VERSION + 1;
    words[5] = 1 << 40;
    words[IMMUTABLE_WORDS - 1] = checksum(&words);
    assert!(Geometry::parse(&words, geometry.file_length).is_ok());
}

#[test]
fn a_feature_for_writers_stops_writers_only() {
    let geometry = Geometry::plan(Capacities::COMPACT).unwrap();
    let mut words = geometry.to_words(&ORIGIN);
    assert_eq!(check_writer(&words), Ok(()));
    words[(WRITER_FEATURES_OFFSET / 8) as usize] = 6;
    words[IMMUTABLE_WORDS - 1] = checksum(&words);
    assert!(Geometry::parse(&words, geometry.file_length).is_ok());
    assert_eq!(
        check_writer(&words),
        Err(LayoutError::UnknownWriterFeatures { found: 6 })
    );
}
