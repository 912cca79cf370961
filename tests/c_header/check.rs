//! A C program that compares the header with numbers that Rust computed: what is constant while it is compiled, what is a function
//! while it runs. The numbers come from the code that readers and writers use, not from the tables that the header is made of,
//! wherever there are both.

mod calls;

use std::fmt::Write;

use shmetrics::buckets::Exponential;
use shmetrics::layout::block;
use shmetrics::layout::directory::*;
use shmetrics::layout::geometry;
use shmetrics::layout::header::{self, *};
use shmetrics::layout::kind::{Kind, Merge};
use shmetrics::layout::{Fnv, labels, record};

const HEAD: &str = r#"
#include <stdio.h>
#include "shmetrics_layout.h"

static int failures = 0;

static void same(const char *what, uint64_t found, uint64_t expected, int line)
{
    if (found != expected) {
        printf("line %d: %s is 0x%llx, Rust has 0x%llx\n", line, what, (unsigned long long)found,
               (unsigned long long)expected);
        failures++;
    }
}
#define SAME(expression, expected) same(#expression, (uint64_t)(expression), UINT64_C(expected), __LINE__)

static uint64_t bits(double value)
{
    uint64_t word;
    memcpy(&word, &value, sizeof word);
    return word;
}
"#;

/// The program. It prints what differs and ends with 1 if anything does.
pub fn program() -> String {
    let mut out = String::from(HEAD);
    compile_time(&mut out);
    out.push_str("\nint main(void)\n{\n");
    calls::hashes(&mut out);
    calls::geometries(&mut out);
    calls::packed_words(&mut out);
    calls::buckets(&mut out);
    calls::blocks(&mut out);
    calls::rings(&mut out);
    calls::groups(&mut out);
    out.push_str("    return failures != 0;\n}\n");
    out
}

fn compile_time(out: &mut String) {
    let mut equal = |name: &str, value: i128| {
        writeln!(
            out,
            "SHMETRICS_STATIC_ASSERT(SHMETRICS_{name} == {value}{}, \"{name}\");",
            if value > i64::MAX.into() { "u" } else { "" }
        )
        .unwrap();
    };
    let numbers: [(&str, u64); 68] = [
        ("MAGIC", MAGIC),
        ("MAGIC_SWAPPED", MAGIC.swap_bytes()),
        ("VERSION", VERSION),
        ("ERROR_LOG_VERSION", 2),
        ("HEADER_LENGTH", HEADER_LENGTH),
        ("LINE_LENGTH", 128),
        ("REGION_ALIGNMENT", 65_536),
        ("FNV_BASIS", Fnv::new().finish()),
        ("FNV_PRIME", Fnv::PRIME),
        ("BLOCK_GRANULE_LENGTH", 512),
        ("BLOCK_BUCKETS", block::BUCKETS as u64),
        ("LOCK_BASE_OFFSET", 1 << 60),
        ("CREATION_LOCK_OFFSET", (1 << 60) + 4096),
        ("MAX_PROCESS_SLOTS", 4096),
        ("MAX_LANES", 16_384),
        ("MAX_RECORDS", 1 << 20),
        ("MAX_TEXT_LENGTH", 1 << 30),
        ("MAX_BLOCKS_LENGTH", 1 << 31),
        ("MAX_ERRORS", 1024),
        ("MAX_RESET_TABLES", 2),
        ("MAX_FILE_LENGTH", 1 << 42),
        ("MIN_EPOCH_LENGTH_NS", geometry::MIN_EPOCH_LENGTH_NS),
        ("MAX_EPOCH_LENGTH_NS", geometry::MAX_EPOCH_LENGTH_NS),
        ("MAX_BLOCK_LENGTH", 8_388_608),
        ("MAX_RING_SLOTS", 64),
        ("MAX_BUCKETS", 8194),
        ("MAX_BOUNDS", 256),
        ("MAX_NAME_LENGTH", 255),
        ("MAX_HELP_LENGTH", 1024),
        ("MAX_UNIT_LENGTH", 63),
        ("MAX_LABELS", 32),
        ("MAX_LABEL_NAME_LENGTH", 255),
        ("MAX_LABEL_VALUE_LENGTH", 1024),
        ("MAX_ENCODED_LENGTH", labels::MAX_ENCODED_LENGTH as u64),
        ("MAX_SAMPLES", 4096),
        ("MAX_STATUSES", 64),
        ("MAX_STATUS_NAME_LENGTH", 63),
        ("MAX_TEXT_CAPACITY", 4096),
        ("MAX_GROUP_FIELDS", 15),
        ("MAX_GROUP_NAMES_LENGTH", 959),
        ("MIN_GROUP_COPIES_LOG2", 4),
        ("MAX_GROUP_COPIES_LOG2", 8),
        ("SEAL_INTERVAL", 16_384),
        ("MAX_EVENT_CAPACITY_LOG2", 16),
        ("MAX_EVENT_LENGTH", 4096),
        ("MAX_SCHEMA_LENGTH", 4096),
        ("MAX_EVENT_KINDS", 64),
        ("MAX_EVENT_FIELDS", 64),
        ("MAX_EVENT_NAME_LENGTH", 63),
        ("ERROR_READY", 1),
        ("ERROR_TEXT_CUT", 1 << 32),
        ("READY", record::READY),
        ("TOMBSTONE", record::TOMBSTONE),
        ("PUBLISHED", record::PUBLISHED),
        ("CLAIMED_BY_UNKNOWN", record::CLAIMED_BY_UNKNOWN),
        ("TYPE_FAMILY", record::TYPE_FAMILY.into()),
        ("TYPE_SERIES", record::TYPE_SERIES.into()),
        ("FLAG_OVERFLOW", record::FLAG_OVERFLOW.into()),
        ("RELEASED", OwnerTag::RELEASED.0),
        // One offset of each structure from the constant that the code uses.
        ("HEADER_CHECKSUM_OFFSET", header::CHECKSUM_OFFSET),
        ("HEADER_ANOMALIES_OFFSET", ANOMALIES_OFFSET),
        ("RECORD_ROOM_OFFSET", 8 * record::ROOM_WORD as u64),
        ("PROCESS_COMMAND_OFFSET", PROCESS_COMMAND_OFFSET),
        ("PROCESS_COMMAND_LENGTH", PROCESS_COMMAND_LENGTH),
        ("LANE_BASELINE_OWNER_OFFSET", LANE_BASELINE_OWNER_OFFSET),
        ("GAUGE_STAMP_OFFSET", GAUGE_STAMP_OFFSET),
        ("BLOCK_ROTATIONS_OFFSET", 8 * block::ROTATIONS as u64),
        ("STATE_INVALID_OFFSET", 8 * block::STATE_INVALID as u64),
    ];
    for (name, value) in numbers {
        equal(name, value.into());
    }
    equal("MAX_SCALE", Exponential::MAX_SCALE.into());
    equal("MIN_LOW", Exponential::MIN_LOW.into());
    equal("MAX_HIGH", Exponential::MAX_HIGH.into());
    for kind in Kind::ALL {
        equal(&format!("KIND_{}", kind.name().to_uppercase()), kind as i128);
    }
    for rule in Merge::ALL {
        equal(&format!("MERGE_{}", rule.name().to_uppercase()), rule as i128);
    }
    for structure in shmetrics::layout::fields::STRUCTURES {
        let name = structure.name.replace(' ', "_");
        let mut holds = |what: String, value: u64| {
            writeln!(out, "SHMETRICS_STATIC_ASSERT({what} == {value}, \"{name}\");").unwrap();
        };
        holds(format!("sizeof(struct shmetrics_{name})"), structure.length);
        for field in structure.named() {
            let member = format!("struct shmetrics_{name}, {}", field.name);
            holds(format!("offsetof({member})"), field.offset - structure.start);
            let size = format!("sizeof(((struct shmetrics_{name} *)0)->{})", field.name);
            holds(size, field.length);
        }
    }
}
