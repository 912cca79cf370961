//! What is in flight: a hash table of keys that are being worked on, for any number of processes and threads, signal handlers
//! included. A key belongs to a bucket of eight entries; of each entry one word, the *claim*, says which key (its tag), for the
//! how-manieth time, and who ([`Claim`]).
//!
//! Starting a key, `me` being the own claim, for its first run:
//!
//! ```text
//! F1  the first entry with the tag, whoever has it: claim seen -> me, runs + 1 (compare-and-swap, as all that follows)
//!     else the first free one: 0 -> me
//!     else one of the dead: seen -> me, and forgotten += 1; else one that is parked, the one started longest ago: likewise
//!     else overflow += 1: no entry; done
//! F2  fence(SeqCst)
//! F3  the other entries of the bucket; one with the tag:
//!       before the own one: own claim -> 0; then F1, with the runs of both
//!       after it: its claim -> 0; then own claim -> runs of both (Release); F3 again
//! F4  seen = start word; fence(Acquire); if the own claim is gone, done; start word seen -> now, or F4 again; text word, text, relaxed
//! F5  claim -> the same without `starting` (Release)
//! ```
//!
//! A failure of F1 begins it anew, a bounded number of times; then it is an overflow. A failure on the own claim in F3 or F5: somebody
//! else has started the key since; what this start would still do is left out.
//!
//! Ending: claim -> 0 (finish); -> runs, nobody (park); -> runs − 1, nobody, or 0 (defer). Only from exactly the claim that F5 stored.
//!
//! Reading: `claim; fence(Acquire); start, text; fence(Acquire); claim`, both the same.
//!
//! **A claim is never half.** All that decides is in one word, and changes by compare-and-swap. A claim that names the dead counts
//! for nobody; its runs are still known to the next start of the key.
//!
//! **One entry per key**, once all starts have returned. Say two entries have the tag, p before q, last claimed by A and B, who both
//! went on to F3. The fences of F2 have an order. If A's is first, B sees in F3 what A stored, or what came after it, so the tag, and
//! takes its own claim away; that fails only if it is no longer B's, who then was not the last. If B's is first, A sees q and takes it
//! away. (Claims that F3 itself changes have the tag before and after.)
//!
//! **Runs.** Each start adds one to what it takes over. In F3 runs leave their entry before they are added to the other one: whoever
//! dies in between, or finds that a third has started the key meanwhile, loses these, and none is ever counted twice: who sees
//! them in one entry, by the Release, sees the other one without them.
//!
//! **Start and text belong to the claim.** A reader that loads a word that a later start stored sees, by F2 and its second fence, that
//! start's claim or a later one, and so another claim. A reader whose claim is settled sees all of F4, by F5 and its first fence. F4 of
//! a later owner comes after F4 of an earlier one that had settled, by F5 and F2. A starter that was stopped before F4, and whose entry
//! was taken over meanwhile: if what it then loads of the start word is the later one's, it sees, by F2 and the fence of F4, that its
//! claim is gone; if it loaded it earlier, its compare-and-swap fails. Its text may still come late. That is the same text, unless the
//! entry has gone on to another key by then: so the text has a check, which is one of the tag, too, and what does not match is not
//! known. The start word has a check of its claim, for files that are damaged.
//!
//! **Death.** Before F1: nothing. F1 to F4: an entry of the dead, which is no longer in flight; the next start of the key takes it
//! over, with one run more; another key only if the bucket is full. In F3, between the two steps: the runs of one of both are lost.

use crate::layout::LINE_WORDS;
use crate::layout::in_flight::*;
use crate::sync::{AtomicU64, Relaxed, Release, SeqCst, edge, fence_at, mutated};
use crate::words::ReadWords;

/// How often a start begins anew before it goes without an entry. Each time means that another start, or an end, was faster.
const ATTEMPTS: usize = 64;
/// How often a reader looks at an entry that changes under its eyes.
const LOOKS: usize = 4;

/// An entry that a start has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its claim, once it is settled.
    pub claim: Claim,
    /// Its claim word, from the start of the block.
    pub place: usize,
}

/// The claim words of a bucket.
fn claims(block: &[AtomicU64], shape: InFlightShape, bucket: usize) -> &[AtomicU64] {
    let start = shape.claims(bucket);
    block.get(start..start + ENTRIES).unwrap_or_default()
}

fn load(claim: &AtomicU64) -> Claim {
    Claim(claim.load(Relaxed))
}

fn swap(claim: &AtomicU64, from: Claim, to: Claim) -> bool {
    claim.compare_exchange(from.0, to.0, Relaxed, Relaxed).is_ok()
}

fn has_tag(claim: Claim, tag: u64) -> bool {
    claim != Claim::FREE && claim.tag() == tag
}

/// The first entry from `from` on with this tag.
fn find(claims: &[AtomicU64], tag: u64, from: usize) -> Option<(usize, Claim)> {
    let all = claims.iter().map(load).enumerate().skip(from);
    all.into_iter().find(|(_, claim)| has_tag(*claim, tag))
}

/// Starts the key; `me` is the claim of a first run of it by the caller. `is_dead` says whether nobody is alive behind a claim; it is
/// asked only when the bucket is full. `None`: there was no entry, which was counted.
pub fn start(
    block: &[AtomicU64],
    shape: InFlightShape,
    key: &KeyText<'_>,
    me: Claim,
    now_us: u64,
    mut is_dead: impl FnMut(Claim) -> bool,
) -> Option<Held> {
    let bucket = shape.bucket_of(key.hash);
    let claims = claims(block, shape, bucket);
    // Runs of entries that were taken away to be added here.
    let mut carried = 0;
    for _ in 0..ATTEMPTS {
        let Some((entry, claim)) = take(block, shape, bucket, me, carried, &mut is_dead) else {
            break;
        };
        let Some((entry, claim)) = claim.map(|claim| (entry, claim)) else {
            continue;
        };
        fence_at!("flight.f2", SeqCst);
        let held = match merge(claims, entry, claim) {
            Merged::Moved(runs) => {
                carried = runs;
                continue;
            }
            Merged::TakenOver => claim.settled(),
            Merged::Held(claim) => {
                store(block, shape, (bucket, entry), claim, key, now_us);
                let (settled, order) = (claim.settled(), edge!("flight.f5", Release));
                let _ = claims[entry].compare_exchange(claim.0, settled.0, order, Relaxed);
                settled
            }
        };
        return Some(Held {
            claim: held,
            place: shape.claims(bucket) + entry,
        });
    }
    if let Some(overflow) = block.get(OVERFLOW) {
        overflow.fetch_add(1, Relaxed);
    }
    None
}

/// F1: the entry, and the claim that is there now; no claim if somebody was faster. `None`: there is no entry.
fn take(
    block: &[AtomicU64],
    shape: InFlightShape,
    bucket: usize,
    me: Claim,
    carried: u64,
    is_dead: &mut impl FnMut(Claim) -> bool,
) -> Option<(usize, Option<Claim>)> {
    let claims = claims(block, shape, bucket);
    let free = || {
        let free = claims.iter().position(|claim| load(claim) == Claim::FREE);
        free.map(|entry| (entry, Claim::FREE))
    };
    if let Some((entry, seen)) = find(claims, me.tag(), 0).or_else(free) {
        let claim = me.with_runs(seen.runs() + carried + 1);
        return Some((entry, swap(&claims[entry], seen, claim).then_some(claim)));
    }
    let full = || claims.iter().map(load).enumerate();
    let oldest = || {
        let since = |entry: usize| {
            let start = block.get(shape.starts(bucket) + entry);
            start.map_or(0, |start| start.load(Relaxed) >> 16)
        };
        let parked = full().filter(|(_, claim)| claim.is_parked());
        parked.min_by_key(|(entry, _)| since(*entry))
    };
    let dead = full().find(|(_, claim)| {
        !claim.is_parked() && (mutated!("flight.takes_from_the_living") || is_dead(*claim))
    });
    let (entry, seen) = dead.or_else(oldest)?;
    let claim = me.with_runs(carried + 1);
    let is_mine = swap(&claims[entry], seen, claim);
    if is_mine {
        block[FORGOTTEN].fetch_add(1, Relaxed);
    }
    Some((entry, is_mine.then_some(claim)))
}

/// What came of F3.
enum Merged {
    /// The entry is held, with this claim.
    Held(Claim),
    /// The entry was given up for one before it, with so many runs to be added there, the own one not counted.
    Moved(u64),
    /// Somebody else has started the key since.
    TakenOver,
}

/// F3.
fn merge(claims: &[AtomicU64], entry: usize, mut claim: Claim) -> Merged {
    if mutated!("flight.never_merges") {
        return Merged::Held(claim);
    }
    let tag = claim.tag();
    if find(&claims[..entry], tag, 0).is_some() {
        return match swap(&claims[entry], claim, Claim::FREE) {
            true => Merged::Moved(claim.runs() - 1),
            false => Merged::TakenOver,
        };
    }
    // Each turn takes away what it found, or finds that it changed, which only starts and ends of this key do.
    for _ in 0..ATTEMPTS {
        let Some((other, seen)) = find(claims, tag, entry + 1) else {
            break;
        };
        if mutated!("flight.adds_first") {
            let both = claim.with_runs(claim.runs() + seen.runs());
            if swap(&claims[entry], claim, both) {
                claim = both;
            }
            swap(&claims[other], seen, Claim::FREE);
            continue;
        }
        if swap(&claims[other], seen, Claim::FREE) {
            let both = claim.with_runs(claim.runs() + seen.runs());
            let order = edge!("flight.f3", Release);
            if claims[entry]
                .compare_exchange(claim.0, both.0, order, Relaxed)
                .is_err()
            {
                return Merged::TakenOver;
            }
            claim = both;
        }
    }
    Merged::Held(claim)
}

/// F4.
fn store(
    block: &[AtomicU64],
    shape: InFlightShape,
    (bucket, entry): (usize, usize),
    claim: Claim,
    key: &KeyText<'_>,
    now_us: u64,
) {
    let text = shape.text(bucket, entry);
    let (place, start) = (
        &block[shape.claims(bucket) + entry],
        &block[shape.starts(bucket) + entry],
    );
    let now = claim.start_word(now_us);
    if mutated!("flight.stores_late") {
        start.store(now, Relaxed);
    }
    // Each turn means that a stopped starter of the same entry was faster, of whom there are few.
    for _ in 0..ATTEMPTS {
        let seen = start.load(Relaxed);
        fence_at!("flight.f4", crate::sync::Acquire);
        if load(place) != claim {
            return;
        }
        if start.compare_exchange(seen, now, Relaxed, Relaxed).is_ok() {
            break;
        }
    }
    block[text].store(key.word(), Relaxed);
    for (word, value) in block[text + 1..text + LINE_WORDS].iter().zip(key.words()) {
        word.store(value, Relaxed);
    }
}

/// What becomes of an entry when its owner's work ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The key is done: nothing of it stays known.
    Finish,
    /// It will be started again: how often it was stays known.
    Park,
    /// It will be started again, and this start does not count.
    Defer,
}

impl End {
    fn of(self, claim: Claim) -> Claim {
        match (self, claim.runs()) {
            (End::Finish, _) | (End::Defer, 0 | 1) => Claim::FREE,
            (End::Park, _) => claim.parked(),
            (End::Defer, runs) => claim.with_runs(runs - 1).parked(),
        }
    }
}

/// Ends what [`start`] began. `false`: somebody else has started the key since, or ended it; nothing changes.
pub fn end(block: &[AtomicU64], held: Held, end: End) -> bool {
    if mutated!("flight.ends_unseen") {
        block[held.place].store(end.of(held.claim).0, Relaxed);
        return true;
    }
    let claim = block.get(held.place);
    claim.is_some_and(|claim| swap(claim, held.claim, end.of(held.claim)))
}

/// Ends the key with this hash, whoever works on it: how often it was started, and since when it runs, in microseconds, if that is
/// known. `None`: it is not there.
pub fn end_key(block: &[AtomicU64], shape: InFlightShape, hash: u64, end: End) -> Option<(u64, Option<u64>)> {
    let bucket = shape.bucket_of(hash);
    let claims = claims(block, shape, bucket);
    let tag = Claim(hash).tag();
    for _ in 0..ATTEMPTS {
        let (entry, seen) = find(claims, tag, 0)?;
        // F5 of its owner, so that the start word is of this claim or of a later one.
        crate::sync::fence(crate::sync::Acquire);
        let start = block.get(shape.starts(bucket) + entry);
        let started_us = start.and_then(|start| seen.started_us(start.load(Relaxed)));
        if swap(&claims[entry], seen, end.of(seen)) {
            return Some((seen.runs(), started_us.filter(|_| !seen.is_parked())));
        }
    }
    None
}

/// An entry as a reader sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its claim; not free.
    pub claim: Claim,
    /// Since when, in microseconds of the monotonic clock, if that is known.
    pub started_us: Option<u64>,
    /// The key, if it is known.
    pub key: Option<StoredKey>,
}

/// An entry of a bucket; `None` if it is free. Its key is looked at only if `wants_key` says so.
pub fn read(
    block: ReadWords<'_>,
    shape: InFlightShape,
    bucket: usize,
    entry: usize,
    wants_key: impl Fn(Claim) -> bool,
) -> Option<Seen> {
    let (place, text) = (shape.claims(bucket) + entry, shape.text(bucket, entry));
    let mut claim = Claim(block.load(place));
    for _ in 0..LOOKS {
        if claim == Claim::FREE {
            return None;
        }
        fence_at!("flight.r1", crate::sync::Acquire);
        let start = block.load(shape.starts(bucket) + entry);
        let mut words = [0; LINE_WORDS - 1];
        let wants_key = wants_key(claim);
        if wants_key {
            block.copy(text + 1, &mut words);
        }
        let word = block.load(text);
        fence_at!("flight.r2", crate::sync::Acquire);
        let now = Claim(block.load(place));
        if now == claim || mutated!("flight.looks_once") {
            let is_settled = !claim.is_starting() && wants_key;
            return Some(Seen {
                claim,
                started_us: claim.started_us(start),
                key: is_settled
                    .then(|| StoredKey::parse(claim.tag(), word, &words))
                    .flatten(),
            });
        }
        claim = now;
    }
    // It changed each time: who has it last is all that is known.
    (claim != Claim::FREE).then_some(Seen {
        claim,
        started_us: None,
        key: None,
    })
}

#[cfg(all(test, not(shmetrics_loom)))]
mod tests;
