//! The header: rules V-1 to V-12 on a copy, then the mutable words.

use super::findings::Findings;
use super::opened::Opened;
use super::pass::Pass;
use super::report::{Place, Severity};
use crate::error::LayoutError;
use crate::layout::WORD_LENGTH;
use crate::layout::fields::structure;
use crate::layout::geometry::{Capacities, Geometry, checksum, first_reserved};
use crate::layout::header::*;
use crate::protocol::ids;
use crate::segment::host;

/// The name of the header's word at `offset`.
pub(super) fn name_at(offset: u64) -> &'static str {
    let part = |name: &str| structure(name).and_then(|structure| structure.at(offset));
    part("header")
        .or_else(|| part("mutable header"))
        .map_or("header", |field| field.name)
}

/// The rule's identifier and the text without it.
fn told(error: &LayoutError) -> (&'static str, String) {
    let rule = match error {
        LayoutError::TooShort { .. } => "V-1",
        LayoutError::NotPublished => "V-2",
        LayoutError::OtherEndianness => "V-3",
        LayoutError::BadMagic { .. } => "V-4",
        LayoutError::OtherVersion { .. } => "V-5",
        LayoutError::BadChecksum { .. } => "V-6",
        LayoutError::UnknownFeatures { .. } => "V-7",
        LayoutError::CapacityOutOfRange { .. } => "V-8",
        LayoutError::InconsistentOffset { .. } => "V-9",
        LayoutError::Truncated { .. } => "V-10",
        LayoutError::ReservedNotZero { .. } => "V-11",
        LayoutError::UnknownWriterFeatures { .. } => "V-12",
    };
    (rule, super::findings::without_rule(rule, &error.to_string()))
}

/// Every rule that can be judged: those after the one that refuses the segment, too.
pub(super) fn immutable(opened: &Opened, findings: &mut Findings) {
    let mut refuse = |error: LayoutError, place: Place, offset: u64| {
        let severity = match error {
            // Readers take the segment.
            LayoutError::UnknownWriterFeatures { .. } => Severity::Warning,
            _ => Severity::Error,
        };
        let (rule, message) = told(&error);
        findings.add(severity, rule, place, offset, message);
    };
    let word = |offset: u64| Place::Header(name_at(offset));
    if opened.length < HEADER_LENGTH {
        refuse(LayoutError::TooShort { found: opened.length }, Place::File, 0);
    }
    let Some(words) = opened.header.first_chunk::<IMMUTABLE_WORDS>() else {
        return;
    };
    let get = |offset: u64| words[(offset / WORD_LENGTH) as usize];
    let magic = match get(MAGIC_OFFSET) {
        MAGIC => None,
        0 => Some(LayoutError::NotPublished),
        other if other == MAGIC.swap_bytes() => Some(LayoutError::OtherEndianness),
        found => Some(LayoutError::BadMagic { found }),
    };
    if let Some(error) = magic {
        // Without the magic word the others mean nothing.
        return refuse(error, word(MAGIC_OFFSET), MAGIC_OFFSET);
    }
    let (version, compatible_from) = (get(VERSION_OFFSET), get(COMPATIBLE_FROM_OFFSET));
    if version == 0 || compatible_from > VERSION || compatible_from > version {
        let error = LayoutError::OtherVersion {
            version,
            compatible_from,
        };
        refuse(error, word(VERSION_OFFSET), VERSION_OFFSET);
    }
    let (found, expected) = (get(CHECKSUM_OFFSET), checksum(words));
    if found != expected {
        let error = LayoutError::BadChecksum { found, expected };
        refuse(error, word(CHECKSUM_OFFSET), CHECKSUM_OFFSET);
    }
    let found = get(REQUIRED_FEATURES_OFFSET) & !KNOWN_REQUIRED_FEATURES;
    if found != 0 {
        let error = LayoutError::UnknownFeatures { found };
        refuse(error, word(REQUIRED_FEATURES_OFFSET), REQUIRED_FEATURES_OFFSET);
    }
    let expected = match Geometry::plan(Capacities::of(words)) {
        Ok(geometry) => {
            for (_, offset, expected) in geometry.derived(version) {
                let (field, found) = (name_at(offset), get(offset));
                if found != expected {
                    let error = LayoutError::InconsistentOffset {
                        field,
                        found,
                        expected,
                    };
                    refuse(error, Place::Header(field), offset);
                }
            }
            geometry.file_length
        }
        Err(error) => {
            let field = match error {
                LayoutError::CapacityOutOfRange { field, .. } => field,
                _ => "capacities",
            };
            let known =
                structure("header").and_then(|header| header.named().iter().find(|f| f.name == field));
            refuse(error, Place::Header(field), known.map_or(0, |field| field.offset));
            get(FILE_LENGTH_OFFSET)
        }
    };
    if opened.length < expected {
        let error = LayoutError::Truncated {
            found: opened.length,
            expected,
        };
        refuse(error, Place::File, FILE_LENGTH_OFFSET);
    }
    // Of a version that there is not, nobody knows what is reserved.
    if (1..=VERSION).contains(&version) {
        for offset in (first_reserved(version)..CHECKSUM_OFFSET).step_by(WORD_LENGTH as usize) {
            let found = get(offset);
            if found != 0 {
                refuse(
                    LayoutError::ReservedNotZero { offset, found },
                    word(offset),
                    offset,
                );
            }
        }
    }
    if let Err(error) = check_writer(words) {
        refuse(error, word(WRITER_FEATURES_OFFSET), WRITER_FEATURES_OFFSET);
    }
    facts(get, findings);
}

/// What is no violation, and worth knowing.
fn facts(get: impl Fn(u64) -> u64, findings: &mut Findings) {
    let mut note = |rule, offset, message: String| {
        findings.add(
            Severity::Note,
            rule,
            Place::Header(name_at(offset)),
            offset,
            message,
        );
    };
    if get(VERSION_OFFSET) > VERSION {
        let message = format!(
            "the creator knew version {}, this check knows {VERSION}: what is newer is not checked",
            get(VERSION_OFFSET)
        );
        note("16", VERSION_OFFSET, message);
    }
    let optional = get(OPTIONAL_FEATURES_OFFSET);
    if optional != 0 {
        note(
            "16",
            OPTIONAL_FEATURES_OFFSET,
            format!("optional features {optional:#x} are not known here"),
        );
    }
    let boot_id = [get(BOOT_ID_HIGH_OFFSET), get(BOOT_ID_LOW_OFFSET)];
    let now = host::boot_id();
    if boot_id != [0, 0] && now != [0, 0] && boot_id != now {
        let message =
            "made in another boot, or on another machine: owners and epochs mean nothing here".to_owned();
        note("10.1", BOOT_ID_HIGH_OFFSET, message);
    }
}

/// The mutable words that stand for themselves. Placement words are with the cells, `committed` with the storage.
pub(super) fn mutable(pass: &mut Pass<'_, '_>) {
    let limits = [
        (RESERVED_OFFSET, pass.geometry.records),
        (TEXT_USED_OFFSET, pass.geometry.capacities.text_length),
    ];
    for (offset, most) in limits {
        let found = pass.load(offset);
        if found > most {
            let message = format!("{found} were handed out, there are {most}");
            pass.error("6.2", Place::Header(name_at(offset)), offset, message);
        }
    }
    let used = pass.load(TEXT_USED_OFFSET);
    if !used.is_multiple_of(WORD_LENGTH) {
        let message =
            format!("{used} is no multiple of {WORD_LENGTH}: the next text would not begin with a word");
        pass.error("7.4", Place::Header("text_used"), TEXT_USED_OFFSET, message);
    }
    let facts = [
        (
            RETIRED_OFFSET,
            "10.17",
            "the segment is retired: open its name again",
        ),
        (
            ANOMALIES_OFFSET,
            "10.12",
            "histograms whose count did not match their buckets were mended",
        ),
    ];
    for (offset, rule, message) in facts {
        let found = pass.load(offset);
        if found != 0 {
            pass.note(
                rule,
                Place::Header(name_at(offset)),
                offset,
                format!("{found}: {message}"),
            );
        }
    }
    let (next_id, retired) = (pass.load(NEXT_ID_OFFSET), pass.load(RETIRED_OFFSET));
    if next_id & ids::CLOSED != 0 && retired == 0 {
        let message = format!(
            "{} ids were given and no more are, but the segment is not retired: whoever was replacing it died; the next opener does",
            ids::given(next_id)
        );
        pass.note("10.20", Place::Header("next_id"), NEXT_ID_OFFSET, message);
    }
    if let Some(structure) = structure("mutable header") {
        // Reserved space has no name of its own: its offset says where it is.
        pass.reserved_fields(structure.name, Place::Header("reserved"), 0);
    }
}
