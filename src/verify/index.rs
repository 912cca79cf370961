//! The index: every place names a published record, under its hash, once, where a probe finds it.

use std::collections::HashMap;

use super::pass::Pass;
use super::records::word_offset;
use super::report::Place;
use crate::layout::WORD_LENGTH;
use crate::layout::header::RESERVED_OFFSET;
use crate::layout::record::HASH_WORD;
use crate::protocol::index::number;
use crate::sync::{Acquire, fence};

/// The places that are taken, as they were loaded once.
pub(super) struct Published {
    /// Place and word, ascending.
    places: Vec<(u64, u64)>,
    /// By record: its first place.
    records: HashMap<u64, u64>,
}

impl Published {
    pub(super) fn contains(&self, number: u64) -> bool {
        self.records.contains_key(&number)
    }

    /// How many places are taken.
    pub(super) fn length(&self) -> u64 {
        self.places.len() as u64
    }
}

fn place_offset(pass: &Pass<'_, '_>, place: u64) -> u64 {
    pass.geometry.index_offset + place * WORD_LENGTH
}

/// Loads the index.
pub(super) fn published(pass: &Pass<'_, '_>) -> Published {
    let words = pass.range(pass.geometry.index_offset, pass.geometry.index_entries as usize);
    let places: Vec<(u64, u64)> = (0..pass.geometry.index_entries)
        .map(|place| (place, words.load(place as usize)))
        .filter(|(_, word)| *word != 0)
        .collect();
    let mut records = HashMap::with_capacity(places.len());
    for &(place, word) in &places {
        records.entry(number(word)).or_insert(place);
    }
    Published { places, records }
}

/// Checks each place against the record it names.
pub(super) fn check(pass: &mut Pass<'_, '_>, published: &Published) {
    // Who published a record had raised `reserved` before.
    fence(Acquire);
    let reserved = pass.load(RESERVED_OFFSET).min(pass.geometry.records);
    let reach = reach(pass);
    for &(place, word) in &published.places {
        let (number, offset) = (number(word), place_offset(pass, place));
        let at = Place::IndexPlace(place);
        if number == 0 || number > reserved {
            let message =
                format!("it names record {number}, expected 1 to {reserved}, those that were handed out");
            pass.error("7.1", at, offset, message);
            continue;
        }
        if published.records[&number] != place {
            let message = format!(
                "record {number} is in the index twice, at place {} too",
                published.records[&number]
            );
            pass.error("7.1", at, offset, message);
            continue;
        }
        let hash = pass.load(word_offset(pass, number, HASH_WORD));
        if word >> 32 != hash >> 32 {
            let message = format!(
                "its high half is {:#x}, the hash of record {number} begins with {:#x}",
                word >> 32,
                hash >> 32
            );
            pass.error("7.1", at, offset, message);
            continue;
        }
        let mask = pass.geometry.index_entries - 1;
        let steps = place.wrapping_sub(hash) & mask;
        if steps > reach[place as usize] {
            let message = format!(
                "record {number} is {steps} places from where its hash begins, with an empty place in between: it is not found"
            );
            pass.error("7.1", at, offset, message);
        }
    }
}

/// For each place: how many places before it, cyclic, are taken without an empty one in between. A second look at the index, after
/// the first: what was seen taken then had all places before it, down to its hash, taken.
fn reach(pass: &Pass<'_, '_>) -> Vec<u64> {
    let length = pass.geometry.index_entries as usize;
    let words = pass.range(pass.geometry.index_offset, length);
    let taken: Vec<bool> = (0..length).map(|place| words.load(place) != 0).collect();
    let mut reach = vec![0; length];
    let mut run = 0;
    // Twice around, so that a run that goes over the end is whole.
    for step in 0..2 * length {
        let place = step & (length - 1);
        reach[place] = run;
        run = if taken[place] {
            (run + 1).min(length as u64)
        } else {
            0
        };
    }
    reach
}
