//! The index: open addressing, one word per place, lock-free, nothing ever deleted.
//!
//! ```text
//! word = high 32 bits of the hash << 32 | record number      0 = empty
//! ```
//!
//! A key is looked for from `hash mod length` on, place by place, until it is found or a place is empty. A new key is put by
//! compare-and-swap into the first empty place (release: the record's content is visible to whoever finds the number); on failure
//! *the same place* is examined again: if the winner has the same key, the loser uses the winner's record and keeps its own for its
//! next registration. Hence a key is never twice in the index: two registrants of one key probe the same places in the same order
//! and meet at the first empty one.
//!
//! Places are at least twice the records, so a probe always ends at an empty place; it is bounded by the length all the same.
//!
//! **Records** are handed out by compare-and-swap on their own claim word (0 -> tag of the filler), in ascending order; `reserved` is
//! raised to the highest number by whoever notices. All of that is relaxed: a claim only decides who fills, and what was filled is
//! released by the index and by `ready`. A filler that dies leaves its tag on the record: the next owner of its process
//! slot finds it, looks whether its number is in the index, and keeps it for itself if it is not. Only a filler without a slot leaks
//! its record for good when it dies, and a filler that dies while it takes text leaks that text.

use crate::layout::record::{CLAIM_WORD, HASH_WORD, PUBLISHED, RECORD_WORDS};
use crate::sync::{Acquire, AtomicU64, Relaxed, Release, edge};

/// Where a probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// The key is there: its record's number.
    Found(u64),
    /// The key is not there; this place was empty.
    Empty(usize),
    /// Every place was examined (only in a damaged index).
    Exhausted,
}

const fn pack(hash: u64, number: u64) -> u64 {
    hash & 0xffff_ffff_0000_0000 | number
}

/// The record number in an index word; 0 = none.
pub const fn number(word: u64) -> u64 {
    word & 0xffff_ffff
}

/// Looks a key up. `matches` compares the key with a record's. Bounded by the length of the index.
pub fn probe(index: &[AtomicU64], hash: u64, matches: impl Fn(u64) -> bool) -> Probe {
    probe_from(index, hash, 0, &matches)
}

fn probe_from(index: &[AtomicU64], hash: u64, start: usize, matches: &impl Fn(u64) -> bool) -> Probe {
    let mask = index.len().wrapping_sub(1);
    for step in start..index.len() {
        let word = index[(hash as usize).wrapping_add(step) & mask].load(edge!("index.probe", Acquire));
        if word == 0 {
            return Probe::Empty(step);
        }
        if word >> 32 == hash >> 32 && matches(number(word)) {
            return Probe::Found(number(word));
        }
    }
    Probe::Exhausted
}

/// Publishes record `number` under its hash, unless the key is there already. Returns the number that now stands for the key, or
/// `None` if the index has no empty place.
pub fn publish(index: &[AtomicU64], hash: u64, number: u64, matches: impl Fn(u64) -> bool) -> Option<u64> {
    let mask = index.len().wrapping_sub(1);
    let mut step = 0;
    loop {
        match probe_from(index, hash, step, &matches) {
            Probe::Found(found) => return Some(found),
            Probe::Exhausted => return None,
            Probe::Empty(at) => {
                let place = &index[(hash as usize).wrapping_add(at) & mask];
                let order = edge!("index.publish", Release);
                if place
                    .compare_exchange(0, pack(hash, number), order, Relaxed)
                    .is_ok()
                {
                    return Some(number);
                }
                // Somebody took the place: look at the same place again.
                step = if crate::sync::mutated!("index.skip_place") {
                    at + 1
                } else {
                    at
                };
            }
        }
    }
}

/// Takes an unused record for whoever `tag` says and returns its number (from 1); `None` if all are taken. Lock-free: a failed
/// compare-and-swap means that another registrant got that record.
pub fn take_record(records: &[AtomicU64], reserved: &AtomicU64, tag: u64) -> Option<u64> {
    let capacity = (records.len() / RECORD_WORDS) as u64;
    let mut number = reserved.load(Relaxed);
    while number < capacity {
        let claim = &records[number as usize * RECORD_WORDS + CLAIM_WORD];
        number += 1;
        let taken = claim.compare_exchange(0, tag, Relaxed, Relaxed).is_ok();
        reserved.fetch_max(number, Relaxed);
        if taken {
            return Some(number);
        }
    }
    None
}

/// Is this record's number in the index? Used for a record whose filler died: before or after publishing it?
pub fn is_published(index: &[AtomicU64], records: &[AtomicU64], number: u64) -> bool {
    let Some(hash) = records.get((number as usize - 1) * RECORD_WORDS + HASH_WORD) else {
        return false;
    };
    let hash = hash.load(Relaxed);
    hash != 0 && matches!(probe(index, hash, |found| found == number), Probe::Found(_))
}

/// Marks a record as published, so that nobody has to look it up again.
pub fn mark_published(records: &[AtomicU64], number: u64) {
    if let Some(claim) = records.get((number as usize - 1) * RECORD_WORDS + CLAIM_WORD) {
        claim.store(PUBLISHED, Relaxed);
    }
}

#[cfg(all(test, not(shmetrics_loom)))]
mod tests {
    use super::*;

    fn words(length: usize) -> Vec<AtomicU64> {
        (0..length).map(|_| AtomicU64::new(0)).collect()
    }

    #[test]
    fn keys_that_collide_are_all_found() {
        let index = words(8);
        for number in 1..=4 {
            assert_eq!(publish(&index, 7, number, |found| found == number), Some(number));
        }
        for number in 1..=4 {
            assert_eq!(probe(&index, 7, |found| found == number), Probe::Found(number));
        }
        assert_eq!(publish(&index, 7, 9, |found| found == 3), Some(3));
    }

    #[test]
    fn a_full_index_ends_the_probe() {
        let index = words(4);
        for number in 1..=4 {
            publish(&index, number << 32, number, |_| false).unwrap();
        }
        assert_eq!(publish(&index, 9, 5, |_| false), None);
    }

    #[test]
    fn records_are_handed_out_once_and_run_out() {
        let (records, reserved) = (words(3 * RECORD_WORDS), AtomicU64::new(0));
        let taken: Vec<_> = (0..4).map(|_| take_record(&records, &reserved, 5)).collect();
        assert_eq!(taken, [Some(1), Some(2), Some(3), None]);
    }
}
