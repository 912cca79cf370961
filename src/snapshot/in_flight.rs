//! What is in flight: the entries of live processes, and how long they take.

use std::sync::Arc;

use super::catalog::Member;
use super::owners::Owners;
use crate::layout::geometry::Geometry;
use crate::layout::in_flight::*;
use crate::layout::record::Buckets;
use crate::protocol::in_flight::{Seen, read};
use crate::words::ReadWords;

/// Keys that are being worked on by live processes.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct InFlight {
    /// How many.
    pub number: u64,
    /// Their ages together, of those whose age is known, in microseconds.
    pub age_us: u128,
    /// The greatest age, in microseconds; `None`: of none it is known.
    pub oldest_us: Option<u64>,
    /// Keys whose age is not known, because they are just being started.
    pub unknown_ages: u64,
    /// Keys that nobody works on, and that will be started again.
    pub parked: u64,
    /// Starts that found no entry, ever.
    pub overflow: u64,
    /// Entries of dead processes, and parked ones, that were given to other keys, ever.
    pub forgotten: u64,
    /// Entries there are.
    pub capacity: u64,
    /// The keys, oldest first, those of unknown age last: the first [`Reader::in_flight_entries`](super::Reader::in_flight_entries) of them.
    pub entries: Vec<InFlightEntry>,
}

impl InFlight {
    /// The ages together, in seconds.
    pub fn age_seconds(&self) -> f64 {
        self.age_us as f64 / 1e6
    }

    /// The greatest age, in seconds.
    pub fn oldest_seconds(&self) -> Option<f64> {
        self.oldest_us.map(|us| us as f64 / 1e6)
    }

    /// Is there nothing to tell?
    pub(super) fn says_nothing(&self) -> bool {
        self.number == 0 && self.parked == 0 && self.overflow == 0 && self.forgotten == 0
    }
}

/// A key that is being worked on.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct InFlightEntry {
    key: Option<StoredKey>,
    /// Where it was found.
    position: usize,
    /// For the how-manieth time, from 1; at most 255.
    pub runs: u64,
    /// Since when, in microseconds; `None`: it is just being started.
    pub age_us: Option<u64>,
    /// The process slot of who works on it.
    pub slot: u64,
    /// The role of that process; empty if it gave none.
    pub role: Arc<str>,
}

impl InFlightEntry {
    /// The key, or its first 120 bytes. It comes from outside: escape it for whatever it is put into. `None`: it is just being started.
    pub fn key(&self) -> Option<&str> {
        self.key.as_ref().map(StoredKey::text)
    }

    /// Was the key longer?
    pub fn is_truncated(&self) -> bool {
        self.key.as_ref().is_some_and(StoredKey::is_truncated)
    }

    /// For how long, in seconds.
    pub fn age_seconds(&self) -> Option<f64> {
        self.age_us.map(|us| us as f64 / 1e6)
    }
}

/// What the tables are read with.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) words: ReadWords<'a>,
    pub(super) geometry: &'a Geometry,
    pub(super) owners: &'a Owners,
    /// The monotonic clock of the snapshot.
    pub(super) now_ns: u64,
}

impl<'a> Source<'a> {
    /// The table of a member.
    fn table(&self, member: &Member) -> Option<(ReadWords<'a>, InFlightShape)> {
        let Buckets::InFlight(shape) = member.series.buckets else {
            return None;
        };
        let start = (self.geometry.shared_blocks_offset + member.placement) / 8;
        Some((self.words.range(start as usize, shape.words()), shape))
    }

    /// The slot of who works on it, if it is alive.
    fn owner(&self, claim: Claim) -> Option<u64> {
        let slots = self.owners.slots();
        let slot = claim.slot(slots.len() as u64)?;
        let owner = &slots[slot as usize];
        let is_present = owner.owner.incarnation() & INCARNATION_MASK == claim.incarnation();
        (owner.works() && is_present).then_some(slot)
    }
}

/// Visits the entries of a bucket that are not free. Of two with one key, which is a start that is being made, the first counts.
fn for_each_entry(
    (words, shape): (ReadWords<'_>, InFlightShape),
    wants_key: impl Fn(Claim) -> bool,
    mut visit: impl FnMut(Seen),
) {
    for bucket in 0..shape.buckets() {
        let mut tags = [None; ENTRIES];
        for entry in 0..ENTRIES {
            let Some(seen) = read(words, shape, bucket, entry, &wants_key) else {
                continue;
            };
            if seen.claim.is_parked() {
                visit(seen);
            } else if wants_key(seen.claim) && !tags.contains(&Some(seen.claim.tag())) {
                tags[entry] = Some(seen.claim.tag());
                visit(seen);
            }
        }
    }
}

/// Reads all tables of a series.
pub(super) fn fill<'a>(
    into: &mut InFlight,
    members: impl Iterator<Item = &'a Member>,
    source: Source<'_>,
    limit: usize,
) {
    let mut entries = std::mem::take(&mut into.entries);
    entries.clear();
    *into = InFlight::default();
    let now_us = source.now_ns / 1000;
    for member in members {
        let Some(table) = source.table(member) else {
            continue;
        };
        into.capacity += table.1.entries() as u64;
        into.overflow = into.overflow.wrapping_add(table.0.load(OVERFLOW));
        into.forgotten = into.forgotten.wrapping_add(table.0.load(FORGOTTEN));
        for_each_entry(
            table,
            |claim| source.owner(claim).is_some(),
            |seen| {
                let Some(slot) = source.owner(seen.claim) else {
                    into.parked += 1;
                    return;
                };
                let age_us = seen.started_us.map(|started| now_us.saturating_sub(started));
                into.number += 1;
                match age_us {
                    Some(age) => {
                        into.age_us += u128::from(age);
                        into.oldest_us = into.oldest_us.max(age_us);
                    }
                    None => into.unknown_ages += 1,
                }
                entries.push(InFlightEntry {
                    key: seen.key,
                    position: entries.len(),
                    runs: seen.claim.runs(),
                    age_us,
                    slot,
                    role: Arc::clone(&source.owners.slots()[slot as usize].role),
                });
            },
        );
    }
    // Of equal ages those found first. A stable sort would allocate.
    entries.sort_unstable_by_key(|entry| {
        (
            std::cmp::Reverse(entry.age_us.map_or(-1, i128::from)),
            entry.position,
        )
    });
    entries.truncate(limit);
    into.entries = entries;
}

/// How many of the entries are of the process in this slot.
pub(super) fn of_process<'a>(
    members: impl Iterator<Item = &'a Member>,
    source: Source<'_>,
    slot: u64,
) -> u64 {
    let mut number = 0;
    for table in members.filter_map(|member| source.table(member)) {
        let is_its = |claim| source.owner(claim) == Some(slot);
        for_each_entry(table, is_its, |seen| number += u64::from(is_its(seen.claim)));
    }
    number
}
