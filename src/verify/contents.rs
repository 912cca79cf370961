//! What parsing a record cannot see: its family, its cell, its texts, its hash, words that have no meaning for it.

use std::collections::{HashMap, HashSet};

use super::declared::{Declared, Entry, Series};
use super::pass::Pass;
use super::records::{refuse, word_offset};
use super::report::Place;
use crate::layout::error::RecordError;
use crate::layout::kind::{Merge, Space};
use crate::layout::record::*;
use crate::snapshot::contents::Validation;

/// Checks all valid records, and notes what valid series have. Ready ones first, in the order of their numbers, as a reader takes them
/// up: what is not ready yet must not take a place away from them.
pub(super) fn check(pass: &mut Pass<'_, '_>, declared: &mut Declared) {
    let mut families: HashMap<u64, bool> = HashMap::new();
    for entry in &declared.entries {
        if let Some(Record::Family(family)) = entry.record {
            let is_valid = check_family(pass, entry.number, &family, &entry.words);
            families.insert(entry.number, is_valid);
        }
    }
    let mut validation = Validation::default();
    let mut unpublished = HashSet::new();
    for is_ready in [true, false] {
        for index in 0..declared.entries.len() {
            let entry = &declared.entries[index];
            let Some(Record::Series(series)) = entry.record else {
                continue;
            };
            if entry.is_ready != is_ready {
                continue;
            }
            let named = declared.get(series.family);
            // A bad family was told itself; that its series are passed over follows from it.
            if named.is_some_and(|named| match named.record {
                Some(Record::Family(_)) => !families[&named.number],
                Some(Record::Series(_)) => false,
                None => true,
            }) {
                let message = format!("its family, record {}, is not valid", series.family);
                let offset = word_offset(pass, entry.number, UNIT_WORD);
                pass.note("V-27", Place::Record(entry.number), offset, message);
                continue;
            }
            if let Some(family) = named.filter(|named| !named.is_published)
                && unpublished.insert(family.number)
            {
                let message = format!(
                    "record {} names it as its family, and it is not in the index: its name can be registered twice",
                    entry.number
                );
                let offset = pass.geometry.record_offset(family.number);
                pass.error("7.1", Place::Record(family.number), offset, message);
            }
            let family = named.and_then(|named| match named.record {
                Some(Record::Family(family)) => Some(family),
                _ => None,
            });
            match check_series(pass, entry, &series, family, &mut validation) {
                Ok(series) => {
                    check_unused(pass, entry.number, &entry.words, &Record::Series(series.record));
                    declared.entries[index].series = Some(series);
                }
                Err(error) => refuse(pass, entry.number, &error),
            }
        }
    }
}

fn check_family(
    pass: &mut Pass<'_, '_>,
    number: u64,
    family: &FamilyRecord,
    words: &[u64; RECORD_WORDS],
) -> bool {
    let place = Place::Record(number);
    let name = match pass.contents().family(*family) {
        Ok(family) => family.name,
        Err(error) => {
            refuse(pass, number, &error);
            return false;
        }
    };
    check_hash(pass, number, words[HASH_WORD], family_hash(&name));
    if family.kind.space() != Space::Gauges && family.merge != Merge::Sum {
        let message = format!(
            "a family of kind {} has merge rule {}, expected sum",
            family.kind.name(),
            family.merge.name()
        );
        pass.error("8.2", place, word_offset(pass, number, SHAPE_WORD), message);
    }
    for (word, what) in [(READY_WORD, "ready"), (CELL_WORD, "a cell")] {
        if words[word] != 0 {
            let message = format!("a family has {what} ({:#x}); only series have", words[word]);
            pass.error("7.3", place, word_offset(pass, number, word), message);
        }
    }
    check_unused(pass, number, words, &Record::Family(*family));
    true
}

fn check_hash(pass: &mut Pass<'_, '_>, number: u64, found: u64, expected: u64) {
    if found != expected {
        let message =
            format!("the hash is {found:#018x}, the key gives {expected:#018x}: the record is not found");
        pass.error(
            "7.2",
            Place::Record(number),
            word_offset(pass, number, HASH_WORD),
            message,
        );
    }
}

/// In the order of SPEC.md section 12.2, from V-28 on. A series that overlaps another one is told here, and has no place from then on.
fn check_series(
    pass: &mut Pass<'_, '_>,
    entry: &Entry,
    series: &SeriesRecord,
    family: Option<FamilyRecord>,
    validation: &mut Validation,
) -> Result<Series, RecordError> {
    let placement = match entry.words[CELL_WORD] {
        0 if !entry.is_ready => None,
        cell => Some(series.cell(cell, pass.geometry)?),
    };
    let texts = validation.series(&pass.contents(), series, family.as_ref())?;
    check_hash(
        pass,
        entry.number,
        entry.words[HASH_WORD],
        series_hash(series.family, &texts.encoded),
    );
    let occupied = placement.map_or(Ok(()), |start| validation.occupy(entry.number, series, start));
    if let Err(error) = &occupied {
        refuse(pass, entry.number, error);
    }
    Ok(Series {
        record: *series,
        merge: family.map_or(Merge::Sum, |family| family.merge),
        placement: placement.filter(|_| occupied.is_ok()),
        overlaps: occupied.is_err(),
        shape: series.shape(),
        scheme: texts.scheme,
        schema: texts.schema,
    })
}

/// Words and bits that have no meaning for this record: what its content gives when it is written again has zeros there.
fn check_unused(pass: &mut Pass<'_, '_>, number: u64, words: &[u64; RECORD_WORDS], record: &Record) {
    let expected = record.to_words(words[HASH_WORD]);
    for word in SHAPE_WORD..CHECKSUM_WORD {
        if words[word] != expected[word] {
            let message = format!(
                "the word is {:#x}, its meaning {:#x}: bits without a meaning are set",
                words[word], expected[word]
            );
            let offset = word_offset(pass, number, word);
            pass.warning("7.3", Place::Record(number), offset, message);
        }
    }
    let last = RECORD_WORDS - 1;
    pass.reserved(
        Place::Record(number),
        word_offset(pass, number, last),
        words[last],
    );
}
