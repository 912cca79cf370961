//! What section 12 of SPEC.md says about a header and about one damaged word of a record, computed from the text alone.

use crate::harm::Damaged;

/// Word numbers of the header, as in 6.1.
const MAGIC: u64 = 0x0a0d_7465_6d68_738f;
const VERSION: usize = 1;
const COMPATIBLE_FROM: usize = 2;
const HEADER_LENGTH: usize = 3;
const REQUIRED_FEATURES: usize = 4;
const FILE_LENGTH: usize = 6;
const ERRORS: usize = 38;
const RESET_TABLES: usize = 40;
const CAPACITIES: [(usize, &str, u64, u64); 11] = [
    (7, "process_slots", 1, 4096),
    (8, "lanes", 1, 16_384),
    (9, "series", 1, 524_288),
    (12, "text_length", 1024, 1 << 30),
    (13, "counters", 1, 1 << 20),
    (14, "gauges", 1, 1 << 20),
    (15, "blocks_length", 4096, 1 << 31),
    (ERRORS, "errors", 0, 1024),
    (RESET_TABLES, "reset_tables", 0, 2),
    (17, "epoch_length_ns", 1_000_000, 86_400_000_000_000),
    (16, "budget", 0, 1 << 42),
];

fn fnv(words: &[u64]) -> u64 {
    let bytes = words.iter().flat_map(|word| word.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

fn up(value: u128, to: u128) -> u128 {
    value.div_ceil(to) * to
}

/// How the message of the rule that refuses this header begins; `None`: it is sound. Section 12.1 in its order.
pub fn refusal(words: &[u64], length: u64) -> Option<String> {
    if length < 4096 {
        return Some("V-1: ".into());
    }
    let word = |index: usize| words[index];
    match word(0) {
        0 => return Some("V-2: ".into()),
        other if other == MAGIC.swap_bytes() => return Some("V-3: ".into()),
        other if other != MAGIC => return Some("V-4: ".into()),
        _ => {}
    }
    if word(VERSION) == 0 || word(COMPATIBLE_FROM) > 2 || word(COMPATIBLE_FROM) > word(VERSION) {
        return Some("V-5: ".into());
    }
    if word(63) != fnv(&words[..63]) {
        return Some("V-6: ".into());
    }
    if word(REQUIRED_FEATURES) != 0 {
        return Some("V-7: ".into());
    }
    for (index, name, least, most) in CAPACITIES {
        // Reserved in version 1.
        if [ERRORS, RESET_TABLES].contains(&index) && word(VERSION) == 1 {
            continue;
        }
        // One table is none.
        if !(least..=most).contains(&word(index)) || index == RESET_TABLES && word(index) == 1 {
            return Some(format!("V-8: {name} is {}, ", word(index)));
        }
    }
    let derived = derived(words);
    let file_length = derived.last().unwrap().2;
    if file_length > 1 << 42 {
        return Some("V-8: file_length is ".into());
    }
    for (index, name, expected) in derived {
        if u128::from(word(index)) != expected {
            return Some(format!("V-9: {name} is {:#x}, ", word(index)));
        }
    }
    if length < word(FILE_LENGTH) {
        return Some("V-10: ".into());
    }
    // To 0x1f7, from 0x130 or 0x158.
    let first = if word(VERSION) == 1 { 0x26 } else { 0x2b };
    let reserved = (first..0x3f).find(|index| word(*index) != 0);
    if let Some(index) = reserved.filter(|_| word(VERSION) <= 2) {
        return Some(format!("V-11: the reserved word at {:#x} ", index * 8));
    }
    None
}

/// 6.3, in the order of V-9: number of the word, name, value.
fn derived(words: &[u64]) -> Vec<(usize, &'static str, u128)> {
    let word = |index: usize| u128::from(words[index]);
    let (process_slots, lanes, series) = (word(7), word(8), word(9));
    let (text_length, counters, gauges, blocks_length) = (word(12), word(13), word(14), word(15));
    let records = 2 * series;
    let index_entries = (2 * records).next_power_of_two();
    let records_region = up(4096 + 8 * index_entries, 128);
    let text_region = records_region + 128 * records;
    let process_directory_region = up(text_region + text_length, 128);
    let lane_directory_region = process_directory_region + 384 * process_slots;
    let has_log = words[VERSION] >= 2;
    let errors = if has_log { word(ERRORS) } else { 0 };
    let errors_region = lane_directory_region + 128 * lanes;
    let slots_region = up(errors_region + 256 * errors, 65_536);
    let slot_stride = up(128 * gauges, 65_536);
    let shared_counters_region = slots_region + process_slots * slot_stride;
    let shared_blocks_region = up(shared_counters_region + 128 * counters, 65_536);
    let lanes_region = up(shared_blocks_region + blocks_length, 65_536);
    let bitmap_words = up(blocks_length.div_ceil(512).div_ceil(64), 16);
    let lane_counters = 8 * bitmap_words;
    let lane_baseline = up(lane_counters + 8 * counters, 4096);
    let lane_blocks = up(lane_baseline + 8 * counters, 4096);
    let lane_stride = up(lane_blocks + blocks_length, 65_536);
    let reset_tables = if has_log { word(RESET_TABLES) } else { 0 };
    let resets_region = lanes_region + lanes * lane_stride;
    let reset_counters = up(8 * records, 4096);
    let reset_blocks = up(reset_counters + 8 * counters, 4096);
    let reset_stride = up(reset_blocks + blocks_length, 65_536);
    let file_length = resets_region + reset_tables * reset_stride;
    let mut derived = vec![
        (10, "records", records),
        (11, "index_entries", index_entries),
        (18, "index_region", 4096),
        (19, "records_region", records_region),
        (20, "text_region", text_region),
        (21, "process_directory_region", process_directory_region),
        (22, "lane_directory_region", lane_directory_region),
        (23, "slots_region", slots_region),
        (24, "slot_stride", slot_stride),
        (25, "shared_counters_region", shared_counters_region),
        (26, "shared_blocks_region", shared_blocks_region),
        (27, "lanes_region", lanes_region),
        (28, "lane_stride", lane_stride),
        (29, "lane_counters", lane_counters),
        (30, "lane_baseline", lane_baseline),
        (31, "lane_blocks", lane_blocks),
        (39, "errors_region", errors_region),
        (41, "resets_region", resets_region),
        (42, "reset_stride", reset_stride),
        (HEADER_LENGTH, "header_length", 4096),
        (FILE_LENGTH, "file_length", file_length),
    ];
    derived
        .retain(|(_, name, _)| has_log || !["errors_region", "resets_region", "reset_stride"].contains(name));
    derived
}

/// Kinds that are assigned: SPEC.md 8.1.
const KINDS: [u64; 15] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// The record that one damaged word makes a reader skip, and the rule; `None` where the text leaves more than one answer, or none.
pub fn skipped(damaged: &Damaged) -> Option<(u64, &'static str)> {
    let (number, field, old, new) = damaged.record?;
    let image = &damaged.image;
    let geometry = image.geometry();
    let record = |name: &str| image.get(shmetrics_conformance::image::Place::Record(number), name);
    let shape = if field == "shape" { old } else { record("shape") };
    // A series that was shown; families are judged through their series, and overflow series may be silent.
    let shown = shape & 0xff == 2 && record("ready") == 1 && (field != "cell" || old != 0) && old != new;
    if !shown {
        return None;
    }
    let immutable = [
        "shape", "hash", "text", "extra", "unit", "factor", "buckets", "length", "created", "checksum",
    ];
    if !damaged.repaired {
        return immutable.contains(&field).then_some((number, "V-20: "));
    }
    let text_length = geometry.capacities.text_length;
    let kind = shape >> 8 & 0xff;
    let rule = match field {
        "shape" if !(1..=2).contains(&(new & 0xff)) => "V-21: ",
        "shape" if new & 0xff == 2 && !KINDS.contains(&(new >> 8 & 0xff)) => "V-22: ",
        "text"
            if (new >> 32) % 8 != 0
                || (new >> 32) + (new & 0xffff_ffff) > text_length
                || new & 0xffff_ffff > 8192 =>
        {
            "V-24: "
        }
        "factor" if !(f64::from_bits(new).is_finite() && f64::from_bits(new) > 0.0) => "V-25: ",
        "buckets" if (5..=6).contains(&kind) && new >> 48 != 0 => "V-25: ",
        "buckets" if kind == 11 && !(1..=4096).contains(&new) => "V-25: ",
        "buckets" if kind == 13 && !(1..=4096).contains(&new) => "V-25: ",
        "buckets" if kind == 14 && !((1..=15).contains(&(new & 0xff)) && (4..=8).contains(&(new >> 8))) => {
            "V-25: "
        }
        "buckets" if kind == 15 && new > 12 => "V-25: ",
        "buckets" if kind == 15 => "V-26: ",
        "length" => "V-26: ",
        "unit" if new == 0 || new > geometry.records => "V-27: ",
        "cell" if new == 0 => "V-28: ",
        "cell" if kind <= 2 && new > geometry.capacities.counters => "V-28: ",
        "cell" if matches!(kind, 3 | 4 | 9 | 10) && new > geometry.capacities.gauges => "V-28: ",
        // Two words.
        "cell" if kind == 8 && new >= geometry.capacities.counters => "V-28: ",
        "cell" if [5, 6, 7, 11, 12, 13, 14].contains(&kind) && (new - 1) % 128 != 0 => "V-28: ",
        _ => return None,
    };
    Some((number, rule))
}
