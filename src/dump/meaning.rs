//! What a word says, by its field.

use crate::layout::directory::{OwnerTag, SlotOwner, SlotState};
use crate::layout::header::*;
use crate::layout::kind::{Kind, Merge};
use crate::layout::record::*;
use crate::protocol::histogram::from_ordered_key;
use crate::protocol::{ids, placement, state};
use crate::snapshot::time::rfc3339;

/// A word of the header; `word` gives the others.
pub(super) fn header(offset: u64, value: u64, word: impl Fn(u64) -> u64) -> String {
    match offset {
        MAGIC_OFFSET if value == MAGIC => "as it should be".to_owned(),
        MAGIC_OFFSET => format!("{value:#018x}, expected {MAGIC:#018x}"),
        CREATED_NS_OFFSET => time(value),
        CREATED_MONOTONIC_NS_OFFSET => format!("{:.9} s", value as f64 / 1e9),
        EPOCH_LENGTH_NS_OFFSET => format!("{} s", value as f64 / 1e9),
        SEGMENT_ID_OFFSET | CHECKSUM_OFFSET => format!("{value:016x}"),
        BOOT_ID_HIGH_OFFSET => boot_id(value, word(BOOT_ID_LOW_OFFSET)),
        BOOT_ID_LOW_OFFSET => boot_id(word(BOOT_ID_HIGH_OFFSET), value),
        FILE_LENGTH_OFFSET
        | INDEX_REGION_OFFSET..=LANE_BLOCKS_OFFSET
        | RESETS_REGION_OFFSET..=RESET_STRIDE_OFFSET => format!("{value} ({value:#x})"),
        REQUIRED_FEATURES_OFFSET | OPTIONAL_FEATURES_OFFSET if value != 0 => {
            format!("{value:#x}, none of which is known here")
        }
        WRITER_FEATURES_OFFSET if value != 0 => writer_features(value),
        COUNTER_PLACEMENT_OFFSET | GAUGE_PLACEMENT_OFFSET | BLOCK_PLACEMENT_OFFSET => {
            match (placement::record(value), placement::free(value)) {
                (0, free) => format!("next free {free}"),
                (record, free) => format!("record {record} is being placed at {free}"),
            }
        }
        RESET_OFFSET if value != 0 => format!(
            "{value}: table {} is in force",
            crate::protocol::reset::table(value)
        ),
        NEXT_ID_OFFSET if value & ids::CLOSED != 0 => {
            format!("{} ids given, closed", ids::given(value))
        }
        RETIRED_OFFSET if value != 0 => format!("{value}: retired"),
        _ => value.to_string(),
    }
}

/// The features of writers, by name.
fn writer_features(value: u64) -> String {
    let unknown = value & !KNOWN_WRITER_FEATURES;
    match (value & STATISTICS_FEATURE, unknown) {
        (0, _) => format!("{value:#x}, none of which is known here"),
        (_, 0) => format!("{value:#x}: statistics"),
        _ => format!("{value:#x}: statistics, and {unknown:#x}, none of which is known here"),
    }
}

/// As the kernel writes it, of which only the digits are kept.
fn boot_id(high: u64, low: u64) -> String {
    let digits = format!("{high:016x}{low:016x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &digits[part]);
    format!("boot id {}", parts.join("-"))
}

/// Nanoseconds since 1970; 0 is no time.
pub(super) fn time(nanoseconds: u64) -> String {
    match nanoseconds {
        0 => "0".to_owned(),
        _ => rfc3339(nanoseconds),
    }
}

/// An owner tag.
pub(super) fn tag(value: u64) -> String {
    match OwnerTag(value) {
        OwnerTag::NOBODY => "nobody, ever".to_owned(),
        OwnerTag::RELEASED => "released".to_owned(),
        tag if value >> 48 == 0 => format!("{:#x}, no slot", tag.0),
        tag => format!("slot {}, incarnation {}", (value >> 48) - 1, tag.incarnation()),
    }
}

/// A claim word.
pub(super) fn claim(value: u64) -> String {
    match value {
        0 => "unused".to_owned(),
        PUBLISHED => "published".to_owned(),
        CLAIMED_BY_UNKNOWN => "taken by a process without a slot".to_owned(),
        _ => tag(value),
    }
}

/// The owner word of a slot.
pub(super) fn owner(value: u64) -> String {
    let owner = SlotOwner(value);
    let state = match (owner.state(), value & 3) {
        (_, 3) => "state 3, reads as claiming",
        (SlotState::Free, _) => "free",
        (SlotState::Claiming, _) => "claiming",
        (SlotState::Active, _) => "active",
    };
    format!("incarnation {}, {state}", owner.incarnation())
}

/// The shape of a record: type, kind, merge rule, flags, ring slots.
pub(super) fn shape(value: u64) -> String {
    let part = |shift: u32| (value >> shift) as u8;
    let mut parts = vec![match part(0) {
        0 if value == 0 => return "never filled".to_owned(),
        TYPE_FAMILY => "family".to_owned(),
        TYPE_SERIES => "series".to_owned(),
        other => format!("type {other}"),
    }];
    parts.push(Kind::from_code(part(8)).map_or(format!("kind {}", part(8)), |kind| kind.name().to_owned()));
    if part(0) == TYPE_FAMILY || part(16) != 0 {
        let merge = Merge::from_code(part(16));
        parts.push(merge.map_or(format!("merge rule {}", part(16)), |merge| {
            merge.name().to_owned()
        }));
    }
    match part(24) {
        0 => {}
        FLAG_OVERFLOW => parts.push("overflow".to_owned()),
        other => parts.push(format!("flags {other:#x}")),
    }
    if part(32) != 0 {
        parts.push(format!("{} ring slots", part(32)));
    }
    parts.join(", ")
}

/// Parameters of exponential buckets.
pub(super) fn buckets(value: u64) -> String {
    match unpack_exponential(value) {
        _ if value == 0 => "none".to_owned(),
        None => "outside the limits".to_owned(),
        Some(parameters) => format!(
            "scale {}, 2^{} to 2^{}: {} buckets",
            parameters.scale(),
            parameters.low(),
            parameters.high(),
            parameters.buckets()
        ),
    }
}

/// A value of a counter or a gauge, or a sum.
pub(super) fn number(kind: Kind, value: u64) -> String {
    match kind {
        Kind::CounterU64 | Kind::HistogramInteger | Kind::Events | Kind::Text | Kind::InFlight => {
            value.to_string()
        }
        Kind::Group => value.to_string(),
        Kind::GaugeI64 | Kind::Number => (value as i64).to_string(),
        Kind::TimeMark => time(value),
        Kind::State => {
            let (number, streak) = state::unpack(value);
            format!("status {number}, {streak} in a row")
        }
        Kind::CounterF64 | Kind::GaugeF64 | Kind::HistogramFloat | Kind::HistogramClassic => {
            f64::from_bits(value).to_string()
        }
        Kind::Samples => f64::from_bits(value).to_string(),
    }
}

/// A counter word: which of its cell's it is, by name, and what it says.
pub(super) fn counter(kind: Kind, unit: u64, value: u64) -> (&'static str, String) {
    match (kind, unit) {
        (Kind::Number, 0) => (", whole part", number(kind, value)),
        (Kind::Number, _) if value == 0 => (", float part", "none".to_owned()),
        (Kind::Number, _) => (", float part", number(Kind::CounterF64, value)),
        _ => ("", number(kind, value)),
    }
}

/// A key of a minimum or a maximum: the value as it was recorded.
pub(super) fn key(kind: Kind, key: u64) -> String {
    match kind {
        Kind::HistogramInteger => key.to_string(),
        _ => from_ordered_key(key).to_string(),
    }
}
