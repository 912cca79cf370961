//! The part of the program that calls the functions of the header.

use std::fmt::Write;

use shmetrics::buckets::Exponential;
use shmetrics::layout::block::BlockShape;
use shmetrics::layout::directory::*;
use shmetrics::layout::events::EventsShape;
use shmetrics::layout::geometry::{self, Capacities, Geometry, Origin};
use shmetrics::layout::group::GroupShape;
use shmetrics::layout::header::IMMUTABLE_WORDS;
use shmetrics::layout::{Fnv, labels, record};
use shmetrics::protocol::histogram::ordered_key;

fn same(out: &mut String, expression: &str, expected: u64) {
    writeln!(out, "    SAME({expression}, {expected:#x});").unwrap();
}

pub(super) fn hashes(out: &mut String) {
    for text in ["", "a", "foobar"] {
        let hash = Fnv::new().bytes(text.as_bytes()).finish();
        same(
            out,
            &format!(
                "shmetrics_fnv_bytes(SHMETRICS_FNV_BASIS, \"{text}\", {})",
                text.len()
            ),
            hash,
        );
    }
    let word = Fnv::new().word(0x0123_4567_89ab_cdef).finish();
    same(
        out,
        "shmetrics_fnv_word(SHMETRICS_FNV_BASIS, UINT64_C(0x0123456789abcdef))",
        word,
    );
    let name = "requests_total";
    let hash = record::family_hash(name);
    same(
        out,
        &format!("shmetrics_family_hash(\"{name}\", {})", name.len()),
        hash,
    );
    let encoded = labels::encode(&[("method", "GET")]).unwrap();
    let escaped: String = encoded.iter().map(|byte| format!("\\{byte:03o}")).collect();
    let hash = record::series_hash(1, &encoded);
    same(
        out,
        &format!("shmetrics_series_hash(1, \"{escaped}\", {})", encoded.len()),
        hash,
    );
}

/// The presets, and odd capacities that leave something to round everywhere.
pub(super) fn geometries(out: &mut String) {
    let odd = Capacities {
        process_slots: 3,
        lanes: 5,
        series: 7,
        text_length: 1027,
        counters: 11,
        gauges: 513,
        blocks_length: 40_961,
        errors: 13,
        reset_tables: 2,
        budget: 0,
        epoch_length_ns: 1_000_001,
    };
    let greatest_blocks = Capacities {
        lanes: 1,
        blocks_length: 1 << 31,
        ..odd
    };
    let without_log = Capacities {
        errors: 0,
        reset_tables: 0,
        ..odd
    };
    for capacities in [
        Capacities::DEFAULT,
        Capacities::COMPACT,
        Capacities::LARGE,
        odd,
        greatest_blocks,
        without_log,
    ] {
        let geometry = Geometry::plan(capacities).unwrap();
        let origin = Origin {
            boot_id: [1, 2],
            created_ns: 3,
            created_monotonic_ns: 4,
            segment_id: 5,
            writer_features: 0,
        };
        let words = geometry.to_words(&origin);
        out.push_str("    {\n    struct shmetrics_header planned, *header = &planned;\n");
        let listed: Vec<String> = words.iter().map(|word| format!("UINT64_C({word:#x})")).collect();
        writeln!(
            out,
            "    static const uint64_t words[64] = {{{}}};",
            listed.join(",")
        )
        .unwrap();
        out.push_str("    memcpy(header, words, sizeof words);\n");
        same(
            out,
            "shmetrics_header_checksum(header)",
            words[IMMUTABLE_WORDS - 1],
        );
        same(out, "shmetrics_capacity_out_of_range(header) == NULL", 1);
        // Everything that follows from the capacities is forgotten and computed again.
        out.push_str(
            "    if (header->version > 1) planned.errors_region = planned.resets_region = planned.reset_stride = 9;\n    planned.records = planned.index_entries = planned.index_region = planned.records_region = 9;\n    \
             planned.text_region = planned.process_directory_region = planned.lane_directory_region = 9;\n    \
             planned.slots_region = planned.slot_stride = planned.shared_counters_region = 9;\n    \
             planned.shared_blocks_region = planned.lanes_region = planned.lane_stride = 9;\n    \
             planned.lane_counters = planned.lane_baseline = planned.lane_blocks = 9;\n    \
             planned.header_length = planned.file_length = 9;\n    shmetrics_derive(header);\n    \
             for (int i = 0; i < 64; i++) {\n        uint64_t word;\n        memcpy(&word, (char *)header + 8 * i, 8);\n        \
             same(\"a derived word\", word, words[i], i);\n    }\n",
        );
        addresses(out, &geometry);
        for (field, bad) in [
            ("process_slots", geometry::MAX_PROCESS_SLOTS + 1),
            ("lanes", 0),
            ("series", geometry::MAX_RECORDS / 2 + 1),
            ("text_length", 1023),
            ("counters", geometry::MAX_RECORDS + 1),
            ("gauges", 0),
            ("blocks_length", 4095),
            ("errors", geometry::MAX_ERRORS + 1),
            ("reset_tables", 1),
            ("reset_tables", geometry::MAX_RESET_TABLES + 1),
            ("epoch_length_ns", geometry::MIN_EPOCH_LENGTH_NS - 1),
            ("budget", geometry::MAX_FILE_LENGTH + 1),
        ] {
            // Reserved in version 1.
            if ["errors", "reset_tables"].contains(&field) && geometry.version() == 1 {
                continue;
            }
            writeln!(
                out,
                "    {{ struct shmetrics_header bad = planned; bad.{field} = {bad}u;"
            )
            .unwrap();
            let call = "shmetrics_capacity_out_of_range(&bad)";
            same(
                out,
                &format!("{call} != NULL && strcmp({call}, \"{field}\") == 0"),
                1,
            );
            out.push_str("    }\n");
        }
        out.push_str("    }\n");
    }
}

fn addresses(out: &mut String, geometry: &Geometry) {
    let c = &geometry.capacities;
    let mut at = |call: String, expected: u64| same(out, &format!("shmetrics_{call}"), expected);
    at("bitmap_words(header)".into(), geometry.bitmap_words);
    for number in [1, geometry.records] {
        at(
            format!("record_address(header, {number})"),
            geometry.record_offset(number),
        );
    }
    let (slot, lane) = (c.process_slots - 1, c.lanes);
    at(
        format!("process_entry_address(header, {slot})"),
        geometry.process_entry_offset(slot),
    );
    at(
        format!("lane_entry_address(header, {lane})"),
        geometry.lane_entry_offset(lane),
    );
    if c.reset_tables > 0 {
        at(
            format!("reset_time_address(header, 1, {})", geometry.records),
            geometry.reset_since_offset(1, geometry.records),
        );
        at(
            "reset_counter_address(header, 1, 3)".to_owned(),
            geometry.reset_counter_offset(1, 3),
        );
        at(
            "reset_block_address(header, 0, 1280)".to_owned(),
            geometry.reset_block_offset(0, 1280),
        );
    }
    if c.errors > 0 {
        let entry = c.errors - 1;
        at(
            format!("error_entry_address(header, {entry})"),
            geometry.error_entry_offset(entry),
        );
    }
    let gauge = geometry.slot_offset(slot) + (c.gauges - 1) * GAUGE_CELL_LENGTH;
    at(format!("gauge_address(header, {slot}, {})", c.gauges - 1), gauge);
    let (counter, start) = (c.counters - 1, geometry.lane_offset(lane));
    at(
        format!("shared_counter_address(header, {counter})"),
        geometry.shared_counters_offset + 128 * counter,
    );
    at(
        "shared_block_address(header, 1280)".into(),
        geometry.shared_blocks_offset + 1280,
    );
    at(format!("lane_address(header, {lane})"), start);
    at(
        format!("counter_address(header, {lane}, {counter})"),
        start + geometry.lane_counters_offset + 8 * counter,
    );
    at(
        format!("baseline_address(header, {lane}, {counter})"),
        start + geometry.lane_baseline_offset + 8 * counter,
    );
    at(
        format!("block_address(header, {lane}, 1280)"),
        start + geometry.lane_blocks_offset + 1280,
    );
    at("lane_front_length(header)".into(), geometry.lane_front_length());
    let far = 40_960 - 128;
    at(
        format!("bitmap_address(header, {lane}, {far})"),
        start + 8 * (far / 512 / 64),
    );
    at(format!("bitmap_bit({far})"), 1 << (far / 512 % 64));
}

pub(super) fn packed_words(out: &mut String) {
    let tag = OwnerTag::new(4095, 77);
    same(out, "shmetrics_owner_tag(4095, 77)", tag.0);
    same(
        out,
        &format!("shmetrics_tag_incarnation(UINT64_C({}))", tag.0),
        tag.incarnation(),
    );
    out.push_str("    {\n    struct shmetrics_header header;\n    memset(&header, 0, sizeof header);\n    header.process_slots = 4096;\n");
    for tag in [tag, OwnerTag::NOBODY, OwnerTag::RELEASED] {
        let slot = tag.slot(4096).unwrap_or(u64::MAX);
        same(
            out,
            &format!("shmetrics_tag_slot(&header, UINT64_C({}))", tag.0),
            slot,
        );
    }
    out.push_str("    }\n");
    for word in [0, 1, 2, 3, 42] {
        let owner = SlotOwner(word);
        same(
            out,
            &format!("shmetrics_slot_state_of({word})"),
            owner.state() as u64,
        );
        same(
            out,
            &format!("shmetrics_slot_incarnation({word})"),
            owner.incarnation(),
        );
    }
    let range = record::TextRange {
        offset: 0xffff_fff8,
        length: 0x8000_0001,
    }
    .pack();
    same(
        out,
        &format!("shmetrics_range_offset(UINT64_C({range}))"),
        0xffff_fff8,
    );
    same(
        out,
        &format!("shmetrics_range_length(UINT64_C({range}))"),
        0x8000_0001,
    );
    let shape: u64 = 2 | 7 << 8 | 6 << 16 | 1 << 24 | 64 << 32;
    for (part, expected) in [
        ("type", 2),
        ("kind", 7),
        ("merge", 6),
        ("flags", 1),
        ("ring_slots", 64),
    ] {
        same(
            out,
            &format!("shmetrics_shape_{part}(UINT64_C({shape}))"),
            expected,
        );
    }
    for value in [-2.5, -0.0, 0.0, 1e-300, 7.0] {
        let key = ordered_key(value);
        let call = format!("bits(shmetrics_key_value(SHMETRICS_KIND_HISTOGRAM_CLASSIC, UINT64_C({key})))");
        same(out, &call, value.to_bits());
    }
    same(
        out,
        "bits(shmetrics_key_value(SHMETRICS_KIND_HISTOGRAM_INTEGER, 3))",
        3f64.to_bits(),
    );
}

/// Every bound of every scale, and every way from one scheme into a common one.
pub(super) fn buckets(out: &mut String) {
    let schemes: Vec<Exponential> = (0..=7)
        .map(|scale| Exponential::new(scale, -20, 12).unwrap())
        .chain([
            Exponential::new(0, -1022, 1023).unwrap(),
            Exponential::new(7, 0, 64).unwrap(),
            Exponential::new(5, -3, -1).unwrap(),
        ])
        .collect();
    for (index, &scheme) in schemes.iter().enumerate() {
        let word = record::pack_exponential(scheme);
        writeln!(out, "    {{\n    struct shmetrics_buckets own, other, common;").unwrap();
        same(out, &format!("shmetrics_buckets_of(UINT64_C({word}), &own)"), 1);
        same(out, "shmetrics_bucket_count(own)", scheme.buckets() as u64);
        let all = (0..scheme.buckets()).fold(Fnv::new(), |hash, index| {
            let hash = hash.word(scheme.upper_bound(index).to_bits());
            hash.word(scheme.lower_bound(index).to_bits())
        });
        out.push_str(
            "    uint64_t hash = SHMETRICS_FNV_BASIS;\n    \
             for (uint64_t i = 0; i < shmetrics_bucket_count(own); i++) {\n        \
             hash = shmetrics_fnv_word(hash, bits(shmetrics_upper_bound(own, i)));\n        \
             hash = shmetrics_fnv_word(hash, bits(shmetrics_lower_bound(own, i)));\n    }\n",
        );
        same(out, "hash", all.finish());
        let other = schemes[(index + 3) % schemes.len()];
        let common = scheme.common(other);
        let word = record::pack_exponential(other);
        same(out, &format!("shmetrics_buckets_of(UINT64_C({word}), &other)"), 1);
        out.push_str("    common = shmetrics_common(own, other);\n    hash = SHMETRICS_FNV_BASIS;\n");
        same(out, "common.scale", common.scale().into());
        same(out, "common.low + 2000", (i64::from(common.low()) + 2000) as u64);
        same(
            out,
            "common.high + 2000",
            (i64::from(common.high()) + 2000) as u64,
        );
        let all = (0..scheme.buckets()).fold(Fnv::new(), |hash, index| {
            hash.word(scheme.target_index(index, common) as u64)
        });
        out.push_str(
            "    for (uint64_t i = 0; i < shmetrics_bucket_count(own); i++)\n        \
             hash = shmetrics_fnv_word(hash, shmetrics_target(own, i, common));\n",
        );
        same(out, "hash", all.finish());
        out.push_str("    }\n");
    }
    for bad in [
        0x8,
        0x000c_ffec_0103,
        0x1_000c_ffec_0003,
        0x0001_0001_0003,
        0x0400_0000_0000,
        0x0000_fc01_0000,
        0x0041_0000_0007,
    ] {
        assert_eq!(record::unpack_exponential(bad), None, "{bad:#x}");
        out.push_str("    {\n    struct shmetrics_buckets buckets;\n");
        same(
            out,
            &format!("shmetrics_buckets_of(UINT64_C({bad}), &buckets)"),
            0,
        );
        out.push_str("    }\n");
    }
}

pub(super) fn blocks(out: &mut String) {
    for (buckets, ring_slots) in [
        (258, 2),
        (258, 0),
        (12, 2),
        (1, 0),
        (8194, 64),
        (17, 1),
        (130, 9),
        (0, 0),
    ] {
        let shape = BlockShape::new(buckets, ring_slots);
        let mut at = |call: String, expected: usize| same(out, &format!("shmetrics_{call}"), expected as u64);
        at(format!("latch_copy({buckets}, 0)"), shape.latch(0));
        at(format!("latch_copy({buckets}, 1)"), shape.latch(1));
        at(format!("ring_slot_at({buckets}, 0)"), shape.ring(0));
        at(
            format!("ring_slot_at({buckets}, {ring_slots})"),
            shape.ring(ring_slots),
        );
        at(
            format!("block_length({buckets}, {ring_slots})"),
            shape.length() as usize,
        );
        at(
            format!("shared_length({buckets})"),
            shape.shared_length() as usize,
        );
    }
    for shown in [1, 2, 3, 4, 100, 127, 128, 4096] {
        let shape = shmetrics::layout::samples::SamplesShape::new(shown).unwrap();
        let mut at =
            |call: &str, expected: u64| same(out, &format!("shmetrics_samples_{call}({shown})"), expected);
        at("entries", shape.entries() as u64);
        at("length", shape.length());
    }
}

/// Groups, and words that are none.
pub(super) fn groups(out: &mut String) {
    out.push_str("    struct shmetrics_group group;\n");
    for word in [1 | 4 << 8, 3 | 6 << 8, 4 | 8 << 8, 5 | 5 << 8, 15 | 4 << 8] {
        let shape = GroupShape::unpack(word).unwrap();
        same(out, &format!("shmetrics_group_of({word:#x}, &group)"), 1);
        same(out, "group.fields", shape.fields() as u64);
        same(out, "shmetrics_group_length(&group)", shape.length());
        for number in [0, 1, shape.copies() - 1, shape.copies(), 3 * shape.copies() + 2] {
            same(
                out,
                &format!("shmetrics_group_copy_address(1024, &group, {number})"),
                1024 + 8 * shape.copy(number) as u64,
            );
        }
    }
    for word in [
        0,
        4 << 8,
        16 | 4 << 8,
        3,
        3 | 3 << 8,
        3 | 9 << 8,
        3 | 4 << 8 | 1 << 16,
        3 | 4 << 8 | 1 << 63,
    ] {
        assert_eq!(GroupShape::unpack(word), None);
        same(
            out,
            &format!("shmetrics_group_of(UINT64_C({word:#x}), &group)"),
            0,
        );
    }
}

/// Rings of events, and words that are none.
pub(super) fn rings(out: &mut String) {
    out.push_str("    struct shmetrics_ring ring;\n");
    for (capacity, length) in [(2, 64), (256, 256), (1 << 15, 128), (4, 4096)] {
        let shape = EventsShape::new(capacity, length).unwrap();
        same(out, &format!("shmetrics_ring_of({:#x}, &ring)", shape.pack()), 1);
        same(out, "ring.capacity", capacity);
        same(out, "ring.record_words", length / 8);
        same(out, "shmetrics_events_length(ring)", shape.length());
        for number in [0, 1, capacity - 1, capacity, 3 * capacity + 1] {
            same(
                out,
                &format!("shmetrics_event_address(1024, &ring, {number})"),
                1024 + 8 * shape.record(number) as u64,
            );
        }
    }
    for word in [
        0,
        8,
        8 | 33 << 16,
        8 | 520 << 16,
        17 | 8 << 16,
        64 | 8 << 16,
        16 | 512 << 16,
        8 | 8 << 16 | 1 << 8,
        8 | 8 << 16 | 1 << 63,
    ] {
        assert_eq!(EventsShape::unpack(word), None);
        same(out, &format!("shmetrics_ring_of(UINT64_C({word:#x}), &ring)"), 0);
    }
}
