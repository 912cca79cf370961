//! Index, records, text, the directories, and the error log.

use super::content::Content;
use super::meaning;
use super::walk::Walk;
use crate::buckets::Classic;
use crate::layout::WORD_LENGTH;
use crate::layout::directory::*;
use crate::layout::error_log::*;
use crate::layout::fields::{Structure, structure};
use crate::layout::kind::Kind;
use crate::layout::record::*;
use crate::layout::{labels, statuses};
use crate::protocol::index::number;

/// Longest bounds, bytes.
const MAX_BOUNDS_LENGTH: usize = Classic::MAX_BOUNDS * WORD_LENGTH as usize;

pub(super) fn index<E>(walk: &mut Walk<'_, E>, content: &Content<'_>) -> Result<(), E> {
    let start = content.geometry.index_offset;
    let count = content.geometry.index_entries as usize;
    let load = |place: usize| content.load(start + place as u64 * WORD_LENGTH);
    walk.words(start, count, "index", load, |place, word| {
        let meaning = format!("record {}, hash begins {:08x}", number(word), word >> 32);
        (format!("index place {place}"), meaning)
    })
}

pub(super) fn records<E>(walk: &mut Walk<'_, E>, content: &Content<'_>) -> Result<(), E> {
    let Some(structure) = structure("record") else {
        return Ok(());
    };
    for number in 1..=content.reserved() {
        let base = content.geometry.record_offset(number);
        let words = content.copy(base, RECORD_WORDS);
        entry(
            walk,
            structure,
            &format!("record {number}"),
            base,
            &words,
            |offset, value| record_word(content, words[SHAPE_WORD], (offset / WORD_LENGTH) as usize, value),
        )?;
    }
    Ok(())
}

/// All fields of a structure whose words were loaded; `meaning` takes the offset of a field and its word.
fn entry<E>(
    walk: &mut Walk<'_, E>,
    structure: &Structure,
    owner: &str,
    base: u64,
    words: &[u64],
    meaning: impl Fn(u64, u64) -> String,
) -> Result<(), E> {
    for field in structure.fields() {
        let first = (field.offset / WORD_LENGTH) as usize;
        let count = (field.length / WORD_LENGTH) as usize;
        walk.field(
            owner,
            base,
            field,
            count,
            |index| words[first + index],
            |value| meaning(field.offset, value),
        )?;
    }
    Ok(())
}

fn record_word(content: &Content<'_>, shape: u64, word: usize, value: u64) -> String {
    let is_series = shape as u8 == TYPE_SERIES;
    let quoted = |bytes: &[u8]| format!("{:?}", String::from_utf8_lossy(bytes));
    match word {
        CLAIM_WORD => meaning::claim(value),
        READY_WORD => match value {
            0 => "not ready".to_owned(),
            READY => "ready".to_owned(),
            TOMBSTONE => "a tombstone".to_owned(),
            _ => value.to_string(),
        },
        SHAPE_WORD => meaning::shape(value),
        HASH_WORD | CHECKSUM_WORD => format!("{value:016x}"),
        TEXT_WORD if is_series => {
            content.text(value, labels::MAX_ENCODED_LENGTH, |bytes| {
                match labels::decode(bytes) {
                    Some(pairs) => {
                        let pairs: Vec<String> = pairs
                            .iter()
                            .map(|(name, value)| format!("{name}={value:?}"))
                            .collect();
                        format!("{{{}}}", pairs.join(", "))
                    }
                    None => "no labels in canonical form".to_owned(),
                }
            })
        }
        EXTRA_WORD if is_series && (shape >> 8) as u8 == Kind::State as u8 => {
            content.text(value, statuses::MAX_STATUSES_LENGTH, |bytes| {
                let shown = |status: &statuses::Status| match status.unhealthy_from {
                    Some(from) => format!("{:?} unhealthy from {from} on", status.name),
                    None => format!("{:?}", status.name),
                };
                match statuses::decode(bytes) {
                    Some(all) => all.iter().map(shown).collect::<Vec<_>>().join(", "),
                    None => "no statuses".to_owned(),
                }
            })
        }
        EXTRA_WORD if is_series => content.text(value, MAX_BOUNDS_LENGTH, |bytes| {
            let words = bytes.as_chunks::<8>().0.iter();
            let bounds: Vec<String> = words.map(|word| f64::from_ne_bytes(*word).to_string()).collect();
            bounds.join(", ")
        }),
        UNIT_WORD if is_series => format!("family: record {value}"),
        TEXT_WORD => content.text(value, MAX_NAME_LENGTH, quoted),
        EXTRA_WORD => content.text(value, MAX_HELP_LENGTH, quoted),
        UNIT_WORD => content.text(value, MAX_UNIT_LENGTH, quoted),
        ROOM_WORD => match TextRange::unpack(value) {
            _ if value == 0 => "none".to_owned(),
            TextRange { offset, length } => format!("{length} bytes at {offset}: for texts"),
        },
        FACTOR_WORD => f64::from_bits(value).to_string(),
        BUCKETS_WORD => meaning::buckets(value),
        CREATED_WORD => meaning::time(value),
        CELL_WORD => value.checked_sub(1).map_or("not placed".to_owned(), |placement| {
            format!("placement {placement}")
        }),
        _ => value.to_string(),
    }
}

pub(super) fn text<E>(walk: &mut Walk<'_, E>, content: &Content<'_>) -> Result<(), E> {
    let used = content.text_used();
    let start = content.geometry.text_offset;
    let load = |index: usize| content.load(start + index as u64 * WORD_LENGTH);
    walk.text(start, (used / WORD_LENGTH) as usize, "text", load)
}

/// The entries of a directory that were ever taken: their first word, the owner's or the claimant's, is not 0.
fn entries<E>(
    walk: &mut Walk<'_, E>,
    content: &Content<'_>,
    (name, owner): (&str, &str),
    places: impl Iterator<Item = (u64, u64)>,
    meaning: impl Fn(u64, u64) -> String,
) -> Result<(), E> {
    let Some(structure) = structure(name) else {
        return Ok(());
    };
    for (number, base) in places {
        let words = content.copy(base, (structure.length / WORD_LENGTH) as usize);
        if words[0] != 0 {
            entry(
                walk,
                structure,
                &format!("{owner} {number}"),
                base,
                &words,
                &meaning,
            )?;
        }
    }
    Ok(())
}

/// In both directories, and in the error log.
const _: () = assert!(PROCESS_OWNER_OFFSET == 0 && LANE_OWNER_OFFSET == 0 && ERROR_CLAIM_OFFSET == 0);

pub(super) fn slots<E>(walk: &mut Walk<'_, E>, content: &Content<'_>) -> Result<(), E> {
    let geometry = content.geometry;
    let places =
        (0..geometry.capacities.process_slots).map(|slot| (slot, geometry.process_entry_offset(slot)));
    entries(
        walk,
        content,
        ("process entry", "slot"),
        places,
        |offset, value| match offset {
            PROCESS_OWNER_OFFSET => meaning::owner(value),
            PROCESS_CLAIMED_NS_OFFSET => meaning::time(value),
            _ => value.to_string(),
        },
    )
}

pub(super) fn lanes<E>(walk: &mut Walk<'_, E>, content: &Content<'_>) -> Result<(), E> {
    let geometry = content.geometry;
    let places = (1..=geometry.capacities.lanes).map(|lane| (lane, geometry.lane_entry_offset(lane)));
    entries(
        walk,
        content,
        ("lane entry", "lane"),
        places,
        |offset, value| match offset {
            LANE_OWNER_OFFSET | LANE_BASELINE_OWNER_OFFSET => meaning::tag(value),
            _ => value.to_string(),
        },
    )
}

pub(super) fn errors<E>(walk: &mut Walk<'_, E>, content: &Content<'_>) -> Result<(), E> {
    let geometry = content.geometry;
    let places = (0..geometry.capacities.errors).map(|entry| (entry, geometry.error_entry_offset(entry)));
    entries(
        walk,
        content,
        ("error entry", "error"),
        places,
        |offset, value| match offset {
            ERROR_CLAIM_OFFSET => meaning::claim(value),
            ERROR_READY_OFFSET => match value {
                ERROR_READY => "ready".to_owned(),
                _ => "not ready".to_owned(),
            },
            ERROR_HASH_OFFSET => format!("{value:016x}"),
            ERROR_LENGTH_OFFSET => match value & ERROR_TEXT_CUT {
                0 => format!("{value} bytes"),
                _ => format!("{} bytes, cut", value & !ERROR_TEXT_CUT),
            },
            ERROR_FIRST_NS_OFFSET | ERROR_LAST_NS_OFFSET => meaning::time(value),
            _ => value.to_string(),
        },
    )
}
