//! The text of `include/shmetrics_layout.h`: constants, structures and assertions from the tables of `shmetrics::layout`. At its end
//! it includes `shmetrics_functions.h`, the formulas, which C has to spell out for itself and `check.rs` holds against Rust.

use std::fmt::Write;

use shmetrics::buckets::{Classic, Exponential};
use shmetrics::layout::directory::*;
use shmetrics::layout::error_log::{ERROR_READY, ERROR_TEXT_CUT};
use shmetrics::layout::fields::{Field, FieldType, STRUCTURES, Structure};
use shmetrics::layout::geometry::*;
use shmetrics::layout::header::{ERROR_LOG_VERSION, MAGIC, VERSION};
use shmetrics::layout::kind::{Kind, Merge};
use shmetrics::layout::{Fnv, LINE_LENGTH, REGION_ALIGNMENT, block, events, group, labels, record, statuses};
use shmetrics::protocol::{index, latch, placement};

/// What a reader of the header must know before the first constant.
const HEAD: &str = "\
/* The shmetrics segment format, up to version 2, for C11 and C++17: where every byte is.
 *
 * Generated from the field tables of the reference implementation (tests/c_header); do not edit. To make it anew:
 *
 *     SHMETRICS_BLESS=1 cargo test --test c_header
 *
 * SPEC.md is the normative text; numbers in brackets are its sections. examples/read.c is a reader made with this header.
 *
 * The rules that a struct cannot say:
 *
 * - A segment is words of 8 bytes in the byte order of the machine. Members are plain uint64_t, so that a struct can also hold a
 *   private copy. In shared memory load each word once, whole and atomically, and use the copy:
 *
 *       uint64_t count = __atomic_load_n(&block->count, __ATOMIC_RELAXED);
 *
 *   and where the protocols [10] say so: __atomic_thread_fence(__ATOMIC_ACQUIRE). Never memcpy from shared memory.
 * - Check the header [12.1] before any offset is used, each record [12.2] before it is believed.
 * - Never touch what no mark covers [12.3, D-5]: on tmpfs a load from a hole allocates a page.
 * - Members named reserved_NNN (the offset, hexadecimal) are for later versions: ignore them.
 * - Offsets and lengths are bytes unless a comment says words.
 */
#ifndef SHMETRICS_LAYOUT_H
#define SHMETRICS_LAYOUT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
#define SHMETRICS_STATIC_ASSERT(condition, text) static_assert(condition, text)
#else
#define SHMETRICS_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#endif
";

/// The whole header.
pub fn header() -> String {
    let mut out = String::from(HEAD);
    constants(&mut out);
    vocabularies(&mut out);
    for structure in STRUCTURES {
        declare(&mut out, structure);
    }
    assertions(&mut out);
    mantissas(&mut out);
    out.push_str("\n#include \"shmetrics_functions.h\"\n\n#endif\n");
    out
}

/// A heading between parts.
fn part(out: &mut String, title: &str) {
    writeln!(out, "\n/* ---- {title} ---- */\n").unwrap();
}

fn define(out: &mut String, name: &str, value: impl std::fmt::Display, about: &str) {
    let line = format!("#define SHMETRICS_{name} {value}");
    let gap = if about.is_empty() {
        String::new()
    } else {
        format!(" /* {about} */")
    };
    writeln!(out, "{line:<66}{gap}").unwrap();
    trim_last_line(out);
}

/// Takes back the padding of a line without a comment.
fn trim_last_line(out: &mut String) {
    let kept = out.trim_end().len();
    out.truncate(kept);
    out.push('\n');
}

fn whole(value: u64) -> String {
    format!("UINT64_C({value})")
}

fn bits(value: u64) -> String {
    format!("UINT64_C({value:#018x})")
}

fn constants(out: &mut String) {
    part(out, "Numbers of the format [2, 6, 9]");
    define(
        out,
        "MAGIC",
        bits(MAGIC),
        "first word, in the byte order of the machine",
    );
    define(
        out,
        "MAGIC_SWAPPED",
        bits(MAGIC.swap_bytes()),
        "a segment of the other byte order",
    );
    define(out, "VERSION", whole(VERSION), "the newest that is known here");
    define(
        out,
        "ERROR_LOG_VERSION",
        whole(ERROR_LOG_VERSION),
        "the first with an error log; older ones have no words for it",
    );
    define(
        out,
        "HEADER_LENGTH",
        whole(shmetrics::layout::header::HEADER_LENGTH),
        "both parts",
    );
    define(
        out,
        "LINE_LENGTH",
        whole(LINE_LENGTH),
        "of the format, on every machine",
    );
    define(out, "REGION_ALIGNMENT", whole(REGION_ALIGNMENT), "");
    define(out, "FNV_BASIS", bits(Fnv::BASIS), "FNV-1a, 64 bits [6.4]");
    define(out, "FNV_PRIME", bits(Fnv::PRIME), "");
    define(
        out,
        "BLOCK_GRANULE_LENGTH",
        whole(BLOCK_GRANULE_LENGTH),
        "one bit of a lane's bitmap [9.6]",
    );
    define(
        out,
        "BLOCK_BUCKETS",
        whole(block::BUCKETS as u64),
        "words before the buckets of a block [9.7]",
    );
    let about = "the lock byte of slot s is at this + s [10.4]";
    define(out, "LOCK_BASE_OFFSET", bits(LOCK_BASE_OFFSET), about);
    define(
        out,
        "CREATION_LOCK_OFFSET",
        bits(LOCK_BASE_OFFSET + MAX_PROCESS_SLOTS),
        "of shm: names [10.2]",
    );

    part(out, "Values of words [7.3, 7.5, 9.2]");
    define(
        out,
        "NOBODY",
        whole(OwnerTag::NOBODY.0),
        "owner tag: nobody, ever",
    );
    define(
        out,
        "RELEASED",
        bits(OwnerTag::RELEASED.0),
        "owner tag of a lane: given back",
    );
    define(
        out,
        "CLAIMED_BY_UNKNOWN",
        bits(record::CLAIMED_BY_UNKNOWN),
        "claim: a process without a slot",
    );
    define(
        out,
        "PUBLISHED",
        bits(record::PUBLISHED),
        "claim: the number is in the index",
    );
    define(
        out,
        "READY",
        whole(record::READY),
        "ready: readers show the series",
    );
    define(
        out,
        "TOMBSTONE",
        whole(record::TOMBSTONE),
        "ready: reserved; readers show nothing",
    );
    define(
        out,
        "ERROR_READY",
        whole(ERROR_READY),
        "error_ready: readers show the error",
    );
    define(
        out,
        "ERROR_TEXT_CUT",
        bits(ERROR_TEXT_CUT),
        "in error_length: the text was longer",
    );
    define(
        out,
        "TYPE_FAMILY",
        record::TYPE_FAMILY,
        "type in a record's shape",
    );
    define(out, "TYPE_SERIES", record::TYPE_SERIES, "");
    define(
        out,
        "FLAG_OVERFLOW",
        record::FLAG_OVERFLOW,
        "shown when it is not zero [14]",
    );
    define(
        out,
        "INDEX_HASH_MASK",
        bits(!index::number(u64::MAX)),
        "of an index word; the rest is a record number [7.1]",
    );
    define(
        out,
        "PLACEMENT_FREE_BITS",
        placement::free(u64::MAX).count_ones(),
        "of a placement word: the next free unit [10.7.3]",
    );

    part(out, "Limits [19]");
    let limits: [(&str, u64); 38] = [
        ("MAX_PROCESS_SLOTS", MAX_PROCESS_SLOTS),
        ("MAX_LANES", MAX_LANES),
        ("MAX_RECORDS", MAX_RECORDS),
        ("MIN_TEXT_LENGTH", 1024),
        ("MAX_TEXT_LENGTH", MAX_TEXT_LENGTH),
        ("MIN_BLOCKS_LENGTH", 4096),
        ("MAX_BLOCKS_LENGTH", MAX_BLOCKS_LENGTH),
        ("MAX_ERRORS", MAX_ERRORS),
        ("MAX_RESET_TABLES", MAX_RESET_TABLES),
        ("MAX_FILE_LENGTH", MAX_FILE_LENGTH),
        ("MIN_EPOCH_LENGTH_NS", MIN_EPOCH_LENGTH_NS),
        ("MAX_EPOCH_LENGTH_NS", MAX_EPOCH_LENGTH_NS),
        ("MAX_BLOCK_LENGTH", record::MAX_BLOCK_LENGTH),
        ("MAX_RING_SLOTS", record::MAX_RING_SLOTS.into()),
        ("MAX_BUCKETS", Exponential::MAX_BUCKETS as u64),
        ("MAX_BOUNDS", Classic::MAX_BOUNDS as u64),
        ("MAX_NAME_LENGTH", record::MAX_NAME_LENGTH as u64),
        ("MAX_HELP_LENGTH", record::MAX_HELP_LENGTH as u64),
        ("MAX_UNIT_LENGTH", record::MAX_UNIT_LENGTH as u64),
        ("MAX_LABELS", labels::MAX_LABELS as u64),
        ("MAX_LABEL_NAME_LENGTH", labels::MAX_LABEL_NAME_LENGTH as u64),
        ("MAX_LABEL_VALUE_LENGTH", labels::MAX_LABEL_VALUE_LENGTH as u64),
        ("MAX_ENCODED_LENGTH", labels::MAX_ENCODED_LENGTH as u64),
        ("MAX_EVENT_CAPACITY_LOG2", events::MAX_EVENT_CAPACITY_LOG2.into()),
        ("MAX_EVENT_LENGTH", events::MAX_EVENT_LENGTH),
        ("MAX_SCHEMA_LENGTH", events::MAX_SCHEMA_LENGTH as u64),
        ("MAX_EVENT_KINDS", events::MAX_EVENT_KINDS as u64),
        ("MAX_EVENT_FIELDS", events::MAX_EVENT_FIELDS as u64),
        ("MAX_EVENT_NAME_LENGTH", events::MAX_EVENT_NAME_LENGTH as u64),
        ("MAX_SAMPLES", shmetrics::layout::samples::MAX_SAMPLES),
        ("MAX_STATUSES", statuses::MAX_STATUSES as u64),
        ("MAX_STATUS_NAME_LENGTH", statuses::MAX_STATUS_NAME_LENGTH as u64),
        ("MAX_TEXT_CAPACITY", shmetrics::layout::text::MAX_TEXT_CAPACITY),
        ("MAX_GROUP_FIELDS", group::MAX_GROUP_FIELDS as u64),
        ("MAX_GROUP_NAMES_LENGTH", group::MAX_GROUP_NAMES_LENGTH as u64),
        ("MIN_GROUP_COPIES_LOG2", group::MIN_GROUP_COPIES_LOG2.into()),
        ("MAX_GROUP_COPIES_LOG2", group::MAX_GROUP_COPIES_LOG2.into()),
        ("SEAL_INTERVAL", latch::SEAL_INTERVAL),
    ];
    for (name, value) in limits {
        define(out, name, whole(value), "");
    }
    // Signed, for comparisons with exponents.
    define(out, "MAX_SCALE", Exponential::MAX_SCALE, "");
    define(out, "MIN_LOW", format!("({})", Exponential::MIN_LOW), "");
    define(out, "MAX_HIGH", Exponential::MAX_HIGH, "");
}

fn vocabularies(out: &mut String) {
    part(out, "Kinds, merge rules, states [8.1, 8.2, 9.1]");
    out.push_str("/* Open: skip a record of a kind that is not here, and say so. */\n");
    let kinds = Kind::ALL.map(|kind| (kind.name(), kind as u8));
    vocabulary(out, "kind", "KIND", &kinds);
    out.push_str("/* Open, as kinds are. */\n");
    let rules = Merge::ALL.map(|rule| (rule.name(), rule as u8));
    vocabulary(out, "merge", "MERGE", &rules);
    out.push_str("/* In the low two bits of process_owner. */\n");
    let states = [
        ("free", SlotState::Free as u8),
        ("claiming", SlotState::Claiming as u8),
        ("active", SlotState::Active as u8),
    ];
    vocabulary(out, "slot_state", "SLOT", &states);
}

fn vocabulary(out: &mut String, name: &str, prefix: &str, words: &[(&str, u8)]) {
    writeln!(out, "enum shmetrics_{name} {{").unwrap();
    for (index, (word, code)) in words.iter().enumerate() {
        // A comma after the last one is not C++98, but it is C11 and C++17; left out all the same, as in the enums of libc.
        let comma = if index + 1 < words.len() { "," } else { "" };
        writeln!(
            out,
            "    SHMETRICS_{prefix}_{} = {code}{comma}",
            word.to_uppercase()
        )
        .unwrap();
    }
    out.push_str("};\n");
}

/// The name of a structure in C, without `shmetrics_`.
pub fn c_name(structure: &Structure) -> String {
    structure.name.replace(' ', "_")
}

/// The member of a field.
pub fn member(field: &Field) -> String {
    match field.content {
        FieldType::Reserved => format!("reserved_{:03x}", field.offset),
        _ => field.name.to_owned(),
    }
}

/// `SHMETRICS_` plus structure and field; the structure only once, where the field's name begins with it. Both parts of the header
/// are one structure in these names, because their offsets count from one place.
pub fn offset_constant(structure: &Structure, field: &Field) -> String {
    let name = c_name(structure);
    let prefix = match name.as_str() {
        "mutable_header" => "header",
        "process_entry" => "process",
        "lane_entry" => "lane",
        "gauge_cell" => "gauge",
        "error_entry" => "error",
        "reset_block" => "reset",
        "ring_slot" => "ring",
        "in_flight_block" => "in_flight",
        "in_flight_text" => "key",
        "text_block" | "text_slot" => "text",
        other => other,
    };
    let rest = field
        .name
        .strip_prefix(&format!("{prefix}_"))
        .unwrap_or(field.name);
    format!("{prefix}_{rest}").to_uppercase()
}

/// What stands behind the fields of a structure, where that is not obvious.
fn about(structure: &Structure) -> &'static str {
    match structure.name {
        "header" => "Written once. Copy it once, check the copy, never look at it again.",
        "mutable header" => "Each word is alone on its line. Offsets count from the start of the file.",
        "record" => "A family or a series. Words 0x10 to 0x58 never change once ready is 1.",
        "process entry" => {
            "Only process_owner, process_committed and the lock byte decide; the rest is for people."
        }
        "lane entry" => "A lane's cells may be touched if lane_owner and lane_committed are not 0.",
        "gauge cell" => "Stamp 0: never set.",
        "error entry" => "Hash, length, first time and text never change once error_ready is 1.",
        "reset block" => {
            "Line 0 of a baseline in a reset table, NB buckets behind it. Only if the table is in force, and the record's\n \
             * time there is not 0."
        }
        "block" => {
            "Line 0 of a histogram. The buckets follow, then the latch, then the ring; in the shared lane only the\n \
                    * buckets, and there sum_odd counts the records that have landed."
        }
        "state" => "The head of a copy in latch and ring; its buckets follow.",
        "in flight block" => {
            "Line 0 of a table of what is in flight; its buckets follow. In the shared lane only."
        }
        "group block" => {
            "Line 0 of a group. In the shared lane its fields follow; in lanes their baseline, and at 0x100 the copies."
        }
        "in flight text" => "The line of an entry's key.",
        "text block" => {
            "Line 0 of a text that is replaced as a whole; eight slots follow. In the shared lane only."
        }
        "text slot" => "The head of a slot; its text follows.",
        "ring slot" => "The head of a copy in the ring; a state follows.",
        "events block" => {
            "Line 0 of a block of events; the records follow. In the shared lane there is nothing else."
        }
        "samples block" => {
            "Line 0 of a block of samples, in lanes and in the shared lane; the entries follow."
        }
        "sample" => "An entry: a value, and when it was recorded.",
        "event" => {
            "The head of a record of a ring of events; its payload follows, as the schema of the series says."
        }
        _ => "",
    }
}

fn declare(out: &mut String, structure: &Structure) {
    let name = c_name(structure);
    part(out, &format!("The {} [{}]", structure.name, structure.section));
    // Of the header and of a block this is the first part only, and their names mean the whole.
    if !matches!(structure.name, "header" | "mutable header" | "block") {
        define(
            out,
            &format!("{}_LENGTH", name.to_uppercase()),
            whole(structure.length),
            "",
        );
    }
    if structure.start != 0 {
        define(
            out,
            &format!("{}_OFFSET", name.to_uppercase()),
            whole(structure.start),
            "",
        );
    }
    for field in structure.named() {
        let constant = offset_constant(structure, field);
        define(
            out,
            &format!("{constant}_OFFSET"),
            format!("UINT64_C({:#05x})", field.offset),
            "",
        );
        if field.length != 8 {
            define(out, &format!("{constant}_LENGTH"), whole(field.length), "");
        }
    }
    writeln!(out, "\n/* {} */", about(structure)).unwrap();
    writeln!(out, "struct shmetrics_{name} {{").unwrap();
    for field in structure.fields() {
        let words = field.length / 8;
        let many = if words == 1 {
            String::new()
        } else {
            format!("[{words}]")
        };
        let member = format!("    uint64_t {}{many};", member(&field));
        let about = format!("/* {:#05x} {} */", field.offset, field.content.name());
        writeln!(out, "{member:<44} {about}").unwrap();
    }
    out.push_str("};\n");
}

/// The compiler's word for it that the structures are the file's.
fn assertions(out: &mut String) {
    part(out, "The structures are laid out as the file is");
    out.push_str(
        "#define SHMETRICS_SIZE(name, length) \\\n    \
         SHMETRICS_STATIC_ASSERT(sizeof(struct shmetrics_##name) == (length), \"size of \" #name)\n\
         #define SHMETRICS_AT(name, member, offset) \\\n    \
         SHMETRICS_STATIC_ASSERT(offsetof(struct shmetrics_##name, member) == (offset), #name \": \" #member)\n",
    );
    for structure in STRUCTURES {
        let name = c_name(structure);
        writeln!(out, "\nSHMETRICS_SIZE({name}, {});", structure.length).unwrap();
        let from = match structure.start {
            0 => String::new(),
            _ => format!(" - SHMETRICS_{}_OFFSET", name.to_uppercase()),
        };
        for field in structure.named() {
            let offset = format!("SHMETRICS_{}_OFFSET{from}", offset_constant(structure, field));
            writeln!(out, "SHMETRICS_AT({name}, {}, {offset});", member(field)).unwrap();
        }
    }
    out.push_str("\n#undef SHMETRICS_SIZE\n#undef SHMETRICS_AT\n");
}

fn mantissas(out: &mut String) {
    part(out, "Boundaries of exponential buckets [9.8]");
    out.push_str(
        "/* M[j]: the mantissa of 2^(j/128), rounded to the nearest. All implementations use exactly these floats. */\n\
         static const uint64_t shmetrics_mantissas[128] = {\n",
    );
    let finest = Exponential::new(Exponential::MAX_SCALE, 0, 1).expect("one octave at the finest scale");
    let all: Vec<String> = (0..128)
        .map(|index| finest.upper_bound(index).to_bits() & ((1 << 52) - 1))
        .map(|mantissa| format!("0x{mantissa:013x},"))
        .collect();
    for row in all.chunks(6) {
        writeln!(out, "    {}", row.join(" ")).unwrap();
    }
    out.push_str("};\n");
}
