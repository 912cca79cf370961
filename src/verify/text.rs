//! Text: published ranges lie within what was handed out, do not overlap, and end with NUL.

use super::declared::Declared;
use super::pass::Pass;
use super::records::word_offset;
use super::report::Place;
use crate::layout::WORD_LENGTH;
use crate::layout::header::TEXT_USED_OFFSET;
use crate::layout::record::*;

struct Part {
    range: TextRange,
    /// With its padding.
    end: u64,
    record: u64,
    word: usize,
}

/// Checks the ranges of all valid records.
pub(super) fn check(pass: &mut Pass<'_, '_>, declared: &Declared) {
    let mut parts = Vec::new();
    for entry in &declared.entries {
        let ranges = match (&entry.record, &entry.series) {
            (Some(Record::Family(family)), _) => vec![
                (family.name, TEXT_WORD),
                (family.help, EXTRA_WORD),
                (family.unit, UNIT_WORD),
            ],
            (_, Some(series)) => {
                let mut ranges = vec![(series.record.labels, TEXT_WORD)];
                if let Buckets::Classic(extra) | Buckets::Events(_, extra) = series.record.buckets {
                    ranges.push((extra, EXTRA_WORD));
                }
                ranges.push((series.record.statuses, EXTRA_WORD));
                ranges
            }
            _ => continue,
        };
        let room = TextRange::unpack(entry.words[ROOM_WORD]);
        for (range, word) in ranges.into_iter().filter(|(range, _)| range.length > 0) {
            let end = u64::from(range.offset) + u64::from(range.length).next_multiple_of(WORD_LENGTH);
            check_room(pass, entry.number, room, &range, end);
            parts.push(Part {
                range,
                end,
                record: entry.number,
                word,
            });
        }
    }
    // After the texts: it only grows.
    let used = pass.load(TEXT_USED_OFFSET);
    parts.sort_by_key(|part| (part.range.offset, part.record));
    let mut before: Option<&Part> = None;
    for part in &parts {
        let (place, offset) = (
            Place::Record(part.record),
            word_offset(pass, part.record, part.word),
        );
        if part.end > used {
            let message = format!(
                "a text ends at {}, only {used} bytes were handed out: the next one overwrites it",
                part.end
            );
            pass.error("7.4", place, offset, message);
        }
        if let Some(other) = before.filter(|other| other.end > u64::from(part.range.offset)) {
            let message = format!(
                "the text at {} overlaps that of record {} at {}",
                part.range.offset, other.record, other.range.offset
            );
            pass.error("7.4", place, offset, message);
        }
        if before.is_none_or(|other| other.end < part.end) {
            before = Some(part);
        }
        check_padding(pass, part);
    }
}

/// The room of a record is where it may put texts; for writers only, and only until it is published.
fn check_room(pass: &mut Pass<'_, '_>, record: u64, room: TextRange, range: &TextRange, end: u64) {
    let room_end = u64::from(room.offset) + u64::from(room.length);
    if range.offset < room.offset || end > room_end {
        let message = format!(
            "a text from {} to {end} is not in the record's room, {} to {room_end}",
            range.offset, room.offset
        );
        pass.warning(
            "7.3",
            Place::Record(record),
            word_offset(pass, record, ROOM_WORD),
            message,
        );
    }
}

fn check_padding(pass: &mut Pass<'_, '_>, part: &Part) {
    let length = part.range.length as usize;
    let last = pass
        .contents()
        .text_words(part.range)
        .last()
        .copied()
        .unwrap_or(0)
        .to_ne_bytes();
    let kept = length % WORD_LENGTH as usize;
    if kept != 0 && last[kept..].iter().any(|byte| *byte != 0) {
        let offset = pass.geometry.text_offset + part.end - WORD_LENGTH;
        let message = format!("the last word of a text of {length} bytes is not padded with NUL");
        pass.error("7.4", Place::Record(part.record), offset, message);
    }
}
