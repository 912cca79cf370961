//! Records: V-20 to V-30 for what is published or ready, claims, keys. What parsing cannot see is in `contents`.
//!
//! Only a published or a ready record has content that anyone may trust, and a family that one of them names: a record that was taken and not published yet, or is kept as
//! a spare, may hold anything. Claims are loaded before the index, and the index before contents, each with an acquire fence after it.

use std::collections::{BTreeSet, HashMap};

use super::cells;
use super::contents;
use super::declared::{Declared, Entry, Series};
use super::findings::without_rule;
use super::index;
use super::pass::Pass;
use super::report::{Place, Severity};
use crate::layout::WORD_LENGTH;
use crate::layout::directory::OwnerTag;
use crate::layout::error::RecordError;
use crate::layout::header::RESERVED_OFFSET;
use crate::layout::kind::Space;
use crate::layout::record::*;
use crate::sync::{Acquire, fence};

/// The identifier of the rule.
fn rule_of(error: &RecordError) -> &'static str {
    match error {
        RecordError::BadChecksum => "V-20",
        RecordError::UnknownType { .. } => "V-21",
        RecordError::UnknownKind { .. } => "V-22",
        RecordError::UnknownMerge { .. } => "V-23",
        RecordError::BadText { .. } => "V-24",
        RecordError::BadBuckets { .. } => "V-25",
        RecordError::BadLength { .. } => "V-26",
        RecordError::BadFamily { .. } => "V-27",
        RecordError::BadCell { .. } => "V-28",
        RecordError::BadEncoding { .. } => "V-29",
        RecordError::Overlap { .. } => "V-30",
    }
}

/// Byte offset of a word of a record.
pub(super) fn word_offset(pass: &Pass<'_, '_>, number: u64, word: usize) -> u64 {
    pass.geometry.record_offset(number) + word as u64 * WORD_LENGTH
}

/// Tells that a record fails a rule of validation.
pub(super) fn refuse(pass: &mut Pass<'_, '_>, number: u64, error: &RecordError) {
    let severity = match error {
        // Kinds and rules are open: a newer writer may have registered the series, and readers pass it over.
        RecordError::UnknownKind { .. } | RecordError::UnknownMerge { .. } => Severity::Warning,
        _ => Severity::Error,
    };
    let rule = rule_of(error);
    let message = without_rule(rule, &error.to_string());
    let offset = pass.geometry.record_offset(number);
    pass.findings
        .add(severity, rule, Place::Record(number), offset, message);
}

/// Checks all records and the index.
pub(super) fn check(pass: &mut Pass<'_, '_>) -> Declared {
    let free_blocks = cells::free(pass, Space::Blocks);
    fence(Acquire);
    let reserved = pass.load(RESERVED_OFFSET).min(pass.records);
    pass.checked.records = reserved;
    let heads: Vec<(u64, u64)> = (1..=reserved)
        .map(|number| {
            let load = |word| pass.load(word_offset(pass, number, word));
            (load(CLAIM_WORD), load(READY_WORD))
        })
        .collect();
    fence(Acquire);
    let published = index::published(pass);
    pass.checked.index_places = published.length();
    fence(Acquire);

    let mut entries = Vec::new();
    for (number, &(claim, ready)) in (1..).zip(&heads) {
        let is_published = published.contains(number);
        check_claim(pass, number, claim, is_published);
        check_ready(pass, number, ready, is_published);
        if !is_published && ready != READY {
            continue;
        }
        entries.push(parsed(pass, number, is_published, ready == READY));
    }
    let mut declared = Declared::new(entries, free_blocks);
    add_named_families(pass, &mut declared);
    contents::check(pass, &mut declared);
    declared.is_incomplete = declared.entries.iter().any(|entry| match entry.record {
        Some(Record::Series(_)) => entry.series.as_ref().is_none_or(|series| series.overlaps),
        Some(Record::Family(_)) => false,
        None => true,
    });
    index::check(pass, &published);
    check_keys(pass, &declared);
    check_members(pass, &declared);
    declared
}

fn parsed(pass: &mut Pass<'_, '_>, number: u64, is_published: bool, is_ready: bool) -> Entry {
    let words = pass.contents().record(number);
    let record = match Record::parse(&words, pass.geometry) {
        Ok(record) => Some(record),
        Err(error) => {
            refuse(pass, number, &error);
            None
        }
    };
    Entry {
        number,
        words,
        is_published,
        is_ready,
        record,
        series: None,
    }
}

/// Families that no place of the index was seen to name, and that series name: readers take them, for they do not need the index.
fn add_named_families(pass: &mut Pass<'_, '_>, declared: &mut Declared) {
    let families: BTreeSet<u64> = declared
        .entries
        .iter()
        .filter_map(|entry| match entry.record {
            Some(Record::Series(series)) => Some(series.family),
            _ => None,
        })
        .filter(|number| declared.get(*number).is_none())
        .collect();
    if families.is_empty() {
        return;
    }
    // They may have been published while the index was looked at, but before the series that were found there: another look has them.
    fence(Acquire);
    let published = index::published(pass);
    let entries = families
        .into_iter()
        .map(|number| parsed(pass, number, published.contains(number), false));
    // A series that another one names as its family is not to blame for that.
    let entries = entries
        .filter(|entry| !matches!(entry.record, Some(Record::Series(_))))
        .collect();
    declared.add(entries);
}

fn check_claim(pass: &mut Pass<'_, '_>, number: u64, claim: u64, is_published: bool) {
    let (place, offset) = (Place::Record(number), word_offset(pass, number, CLAIM_WORD));
    let tag = OwnerTag(claim);
    let is_filler = claim == CLAIMED_BY_UNKNOWN || tag.slot(pass.geometry.capacities.process_slots).is_some();
    match claim {
        PUBLISHED if !is_published => {
            let message = "the claim says published, the index does not have the record: its key can be registered twice";
            pass.error("7.5", place, offset, message);
        }
        0 if is_published => {
            let message = "the record is in the index and its claim is 0, unused: another registrant would fill it anew";
            pass.error("7.5", place, offset, message);
        }
        PUBLISHED | 0 => {}
        _ if !is_filler => {
            let slots = pass.geometry.capacities.process_slots;
            let message =
                format!("the claim {claim:#x} is no tag of the {slots} slots and has no other meaning");
            pass.error("7.5", place, offset, message);
        }
        _ if is_published => {
            let message =
                "published, and its claim does not say so yet: its filler is at work, or died in step I4";
            pass.note("10.7.2", place, offset, message);
        }
        _ => {}
    }
}

fn check_ready(pass: &mut Pass<'_, '_>, number: u64, ready: u64, is_published: bool) {
    let (place, offset) = (Place::Record(number), word_offset(pass, number, READY_WORD));
    match ready {
        0 => {}
        READY if !is_published => {
            let message = "the series is ready and not in the index: its key can be registered twice";
            pass.error("10.7.2", place, offset, message);
        }
        READY => {}
        TOMBSTONE => pass.note(
            "16",
            place,
            offset,
            "the series was removed (a tombstone): nothing of it is shown",
        ),
        _ => pass.error(
            "7.3",
            place,
            offset,
            format!("ready is {ready:#x}, expected 0, 1 or 2"),
        ),
    }
}

/// S-4: no key twice. The key of a family is its name; that of a series its family, labels, ring slots, parameters, factor, and bounds,
/// statuses, schema or fields.
fn check_keys(pass: &mut Pass<'_, '_>, declared: &Declared) {
    type Key = (u64, Vec<u8>, u8, [u64; 2], Vec<u64>);
    let mut keys: HashMap<Key, u64> = HashMap::new();
    for entry in &declared.entries {
        let key: Key = match (&entry.record, &entry.series) {
            (Some(Record::Family(family)), _) => {
                (0, pass.contents().text(family.name), 0, [0; 2], Vec::new())
            }
            (_, Some(Series { record, .. })) => {
                let bounds = match record.buckets {
                    Buckets::Classic(range) | Buckets::Events(_, range) => pass.contents().text_words(range),
                    Buckets::Group(_, range) => pass.contents().text_words(range),
                    _ => pass.contents().text_words(record.statuses),
                };
                let parameters = [entry.words[BUCKETS_WORD], entry.words[FACTOR_WORD]];
                (
                    record.family,
                    pass.contents().text(record.labels),
                    record.ring_slots,
                    parameters,
                    bounds,
                )
            }
            _ => continue,
        };
        if let Some(first) = keys.get(&key) {
            let message = format!("the key is that of record {first}: each counts a part");
            let offset = pass.geometry.record_offset(entry.number);
            pass.error("S-4", Place::Record(entry.number), offset, message);
        } else {
            keys.insert(key, entry.number);
        }
    }
}

/// `members` is a limit, not a fact: a death between publication and counting leaves it short.
fn check_members(pass: &mut Pass<'_, '_>, declared: &Declared) {
    let mut members: HashMap<u64, u64> = HashMap::new();
    for entry in &declared.entries {
        if let Some(series) = &entry.series {
            *members.entry(series.record.family).or_default() += 1;
        }
    }
    for entry in &declared.entries {
        let (Some(Record::Family(_)), false) = (&entry.record, declared.is_incomplete) else {
            continue;
        };
        let (found, expected) = (
            entry.words[MEMBERS_WORD],
            members.get(&entry.number).copied().unwrap_or(0),
        );
        if found != expected {
            let message = format!(
                "{found} series were counted, {expected} are published (a death or a registration in between)"
            );
            let offset = word_offset(pass, entry.number, MEMBERS_WORD);
            pass.note("7.3", Place::Record(entry.number), offset, message);
        }
    }
}
