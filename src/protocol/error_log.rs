//! The error log: one entry per distinct text, for any number of processes and threads, signal handlers included.
//!
//! Logging a text, entries from the first on:
//!
//! ```text
//! E1  an entry that is ready and has the text: count.fetch_add(1), last_ns.fetch_max(now), relaxed; done
//! E2  else one that nobody claimed: claim 0 -> own tag (compare-and-swap). Failed: the next entry
//! E3  hash, length, count := 1, first_ns, last_ns := now, text, relaxed
//! E4  ready.store(1, Release); done
//!     no free entry: those that are claimed and not ready, again from the first on: if the claimant is dead, and it is still
//!     not ready, claim dead -> own tag (compare-and-swap), E3, E4; done
//!     none: the text is lost, and that is counted
//! ```
//!
//! Reading: `ready; fence(Acquire); all the rest`.
//!
//! **Nobody waits.** An entry that is claimed and not ready is passed over. So two that log the same text at the same moment may
//! take two entries; readers add up entries of one text. Every walk is bounded by the entries; there is no retry.
//!
//! **Claim.** What a reader sees of a ready entry is what its last claimant stored. An entry has one claimant at a time: E2 goes from
//! 0 to a tag once, and from a tag to another only if the first is dead. Only the claimant stores words of E3, and after E4 nobody
//! stores any but count and last_ns, by read-modify-write: an entry that is ready is never claimed. So all of E3 is before E4, and
//! whoever loads 1 sees all of it, by the fence.
//!
//! **Death.** Before E4: the entry says nothing and is passed over, until the log is full: then it is taken over and filled anew.
//! Whoever finds the dead one's lock free sees all it stored (SPEC.md A-6), so ready is looked at again *after* that: one that died
//! just after E4 left an entry that readers may be looking at. After E4: the entry is whole.

use crate::layout::WORD_LENGTH;
use crate::layout::error_log::*;
use crate::sync::{AtomicU64, Relaxed, Release, edge, fence_at, mutated};
use crate::words::ReadWords;

const CLAIM: usize = word(ERROR_CLAIM_OFFSET);
const READY: usize = word(ERROR_READY_OFFSET);
const HASH: usize = word(ERROR_HASH_OFFSET);
const LENGTH: usize = word(ERROR_LENGTH_OFFSET);
const COUNT: usize = word(ERROR_COUNT_OFFSET);
const FIRST_NS: usize = word(ERROR_FIRST_NS_OFFSET);
const LAST_NS: usize = word(ERROR_LAST_NS_OFFSET);
const TEXT: usize = word(ERROR_TEXT_OFFSET);

const fn word(offset: u64) -> usize {
    (offset / WORD_LENGTH) as usize
}

/// What became of an error that was logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logged {
    /// Its text was there: it was counted.
    Known,
    /// It has an entry now.
    New,
    /// There was no entry for it.
    Lost,
}

/// Logs `text` at `now_ns` in `entries`, whose claimant is `tag`. `is_dead` says whether nobody is alive behind another one's claim
/// word; it is asked only when no entry is free.
pub fn log(
    entries: &[AtomicU64],
    text: &ErrorText,
    tag: u64,
    now_ns: u64,
    mut is_dead: impl FnMut(u64) -> bool,
) -> Logged {
    let hash = error_hash(text.bytes());
    for entry in entries.chunks_exact(ERROR_ENTRY_WORDS) {
        if is_ready(ReadWords::new(entry)) {
            if is_text(entry, hash, text) {
                count(entry, now_ns);
                return Logged::Known;
            }
        } else if take(entry, 0, tag) {
            fill(entry, hash, text, now_ns);
            return Logged::New;
        }
    }
    for entry in entries.chunks_exact(ERROR_ENTRY_WORDS) {
        let claim = entry[CLAIM].load(Relaxed);
        if is_ready(ReadWords::new(entry)) || !(is_dead(claim) || mutated!("errors.takes_from_the_living")) {
            continue;
        }
        // Again: what the dead one stored last is visible only now.
        let is_whole = is_ready(ReadWords::new(entry)) && !mutated!("errors.looks_once");
        if !is_whole && take(entry, claim, tag) {
            fill(entry, hash, text, now_ns);
            return Logged::New;
        }
    }
    Logged::Lost
}

/// E2.
fn take(entry: &[AtomicU64], from: u64, tag: u64) -> bool {
    if mutated!("errors.claim_stored") {
        let is_free = entry[CLAIM].load(Relaxed) == from;
        entry[CLAIM].store(tag, Relaxed);
        return is_free;
    }
    entry[CLAIM].compare_exchange(from, tag, Relaxed, Relaxed).is_ok()
}

/// Is this the text of a ready entry?
fn is_text(entry: &[AtomicU64], hash: u64, text: &ErrorText) -> bool {
    let is = |at: usize, value: u64| entry[at].load(Relaxed) == value;
    let texts = || (TEXT..).zip(text.words());
    is(HASH, hash) && is(LENGTH, text.length_word()) && texts().all(|(at, word)| is(at, word))
}

/// E1.
fn count(entry: &[AtomicU64], now_ns: u64) {
    if mutated!("errors.count_stored") {
        entry[COUNT].store(entry[COUNT].load(Relaxed) + 1, Relaxed);
    } else {
        entry[COUNT].fetch_add(1, Relaxed);
    }
    entry[LAST_NS].fetch_max(now_ns, Relaxed);
}

/// E3 and E4.
fn fill(entry: &[AtomicU64], hash: u64, text: &ErrorText, now_ns: u64) {
    let put = |at: usize, value: u64| entry[at].store(value, Relaxed);
    put(HASH, hash);
    put(LENGTH, text.length_word());
    put(COUNT, 1);
    put(FIRST_NS, now_ns);
    put(LAST_NS, now_ns);
    for (at, word) in (TEXT..).zip(text.words()) {
        put(at, word);
    }
    entry[READY].store(ERROR_READY, edge!("errors.e4", Release));
}

/// Is the entry filled? Then all of it may be read.
pub fn is_ready(entry: ReadWords<'_>) -> bool {
    let ready = entry.load(READY) == ERROR_READY;
    fence_at!("errors.r1", crate::sync::Acquire);
    ready
}

/// Count, first and last time of a ready entry.
pub fn tally(entry: ReadWords<'_>) -> (u64, u64, u64) {
    (entry.load(COUNT), entry.load(FIRST_NS), entry.load(LAST_NS))
}

#[cfg(all(test, not(shmetrics_loom)))]
mod tests {
    use core::fmt::Write;

    use super::*;

    fn words(entries: usize) -> Vec<AtomicU64> {
        (0..entries * ERROR_ENTRY_WORDS)
            .map(|_| AtomicU64::new(0))
            .collect()
    }

    fn text(said: &str) -> ErrorText {
        let mut text = ErrorText::default();
        text.write_str(said).unwrap();
        text
    }

    fn said(words: &[AtomicU64]) -> Vec<(String, u64, u64, u64)> {
        let told = |entry: &[AtomicU64]| {
            let read = ReadWords::new(entry);
            is_ready(read).then(|| {
                let copy = core::array::from_fn(|at| read.load(at));
                let text = ErrorText::parse(&copy).unwrap();
                let (count, first, last) = tally(read);
                (
                    String::from_utf8(text.bytes().to_vec()).unwrap(),
                    count,
                    first,
                    last,
                )
            })
        };
        words.chunks(ERROR_ENTRY_WORDS).filter_map(told).collect()
    }

    #[test]
    fn the_same_text_is_counted_and_others_have_entries_until_there_are_none() {
        let words = words(2);
        let log = |said: &str, now| super::log(&words, &text(said), 7, now, |_| false);
        assert_eq!(log("a", 10), Logged::New);
        assert_eq!(log("b", 20), Logged::New);
        assert_eq!(log("a", 30), Logged::Known);
        // An earlier moment, noted later: the last one stays.
        assert_eq!(log("a", 25), Logged::Known);
        assert_eq!(log("c", 40), Logged::Lost);
        assert_eq!(said(&words), [("a".into(), 3, 10, 30), ("b".into(), 1, 20, 20)]);
    }

    #[test]
    fn a_writer_stopped_after_any_store_costs_an_entry_until_it_is_taken_over() {
        // The stores of E2 and E3, in their order, cut short after each.
        for stores in 0..6 {
            let words = words(2);
            let at = [CLAIM, HASH, LENGTH, COUNT, FIRST_NS, TEXT];
            for (word, value) in at.iter().zip([9, 1, 3, 1, 5, 77]).take(stores + 1) {
                words[*word].store(value, Relaxed);
            }
            let log = |said: &str, dead: u64| super::log(&words, &text(said), 7, 1, |claim| claim == dead);
            assert_eq!(log("a", 9), Logged::New);
            assert_eq!(said(&words).len(), 1, "the one that is not ready says nothing");
            assert_eq!(log("b", 8), Logged::Lost, "its claimant lives");
            assert_eq!(log("b", 9), Logged::New);
            assert_eq!(said(&words), [("b".into(), 1, 1, 1), ("a".into(), 1, 1, 1)]);
        }
    }
}
