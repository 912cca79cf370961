//! Promise: two that start one key end up with one entry and all runs; a reader never takes one start's words for another's; only the
//! last start of a key ends it; what the dead left goes to one next start.
#![cfg(shmetrics_loom)]

mod loom_support;

use std::sync::Arc;

use loom::thread;
use loom_support::{Mutant, explore, words};
use shmetrics::layout::in_flight::*;
use shmetrics::protocol::in_flight::{End, Held, end, end_key, read, start};
use shmetrics::sync::{AtomicU64, Relaxed};
use shmetrics::words::ReadWords;

fn shape() -> InFlightShape {
    InFlightShape::unpack(0).unwrap()
}

/// One bucket, of which only the entries that `free` names are free: the others have keys that nobody looks for.
fn block(free: &[usize]) -> Arc<Vec<AtomicU64>> {
    let words = words(shape().words());
    for entry in (0..ENTRIES).filter(|entry| !free.contains(entry)) {
        let other = Claim::new(1 << 40 | 1 << (41 + entry), 9, 1).settled();
        words[shape().claims(0) + entry].store(other.0, Relaxed);
    }
    Arc::new(words)
}

const KEY: &str = "key";

fn begin(block: &[AtomicU64], slot: u64, now_us: u64) -> Option<Held> {
    let key = KeyText::new(KEY);
    start(
        block,
        shape(),
        &key,
        Claim::new(key.hash, slot, 1),
        now_us,
        |_| false,
    )
}

/// The entries of the key: owner, runs, since when.
fn of_key(block: &[AtomicU64]) -> Vec<(Option<u64>, u64, Option<u64>)> {
    let tag = Claim(key_hash(KEY.as_bytes())).tag();
    let words = ReadWords::new(block);
    let seen = (0..ENTRIES).filter_map(|entry| read(words, shape(), 0, entry, |_| true));
    seen.filter(|seen| seen.claim.tag() == tag)
        .map(|seen| (seen.claim.slot(9), seen.claim.runs(), seen.started_us))
        .collect()
}

/// Two start one key, with room for both.
fn two_starters() {
    explore(Some(3), || {
        let block = block(&[2, 5]);
        let other = thread::spawn({
            let block = block.clone();
            move || begin(&block, 1, 20).unwrap()
        });
        let mine = begin(&block, 0, 10).unwrap();
        let theirs = other.join().unwrap();
        let there = of_key(&block);
        let [(owner, runs, started)] = there[..] else {
            panic!("{there:?}");
        };
        assert_eq!(runs, 2, "{mine:?} {theirs:?}");
        assert_eq!(started, Some(if owner == Some(0) { 10 } else { 20 }));
        // Whoever was last ends it, and nobody else.
        let (last, first) = if owner == Some(0) {
            (mine, theirs)
        } else {
            (theirs, mine)
        };
        assert!(!end(&block, first, End::Finish));
        assert!(end(&block, last, End::Finish));
        assert!(of_key(&block).is_empty());
    });
}

/// The first free entry appears while two start the key, so that the later of both may be the first in the bucket.
fn two_starters_and_an_end() {
    explore(Some(3), || {
        let block = block(&[2, 5]);
        let other_key = KeyText::new("another");
        let held = start(
            &block,
            shape(),
            &other_key,
            Claim::new(other_key.hash, 3, 1),
            1,
            |_| false,
        )
        .unwrap();
        let other = thread::spawn({
            let block = block.clone();
            move || begin(&block, 1, 20).unwrap()
        });
        assert!(end(&block, held, End::Finish));
        begin(&block, 0, 10).unwrap();
        other.join().unwrap();
        let there = of_key(&block);
        assert_eq!((there.len(), there[0].1), (1, 2), "{there:?}");
        assert!(there[0].2.is_some());
    });
}

#[test]
fn two_starts_of_one_key_end_up_in_one_entry() {
    let _alone = loom_support::alone();
    two_starters();
    two_starters_and_an_end();
}

/// One is in the middle of a merge when it dies: runs are lost, and none is counted twice. `seen` is what is there when it looks.
fn a_merge_beside_a_look() {
    explore(Some(2), || {
        let block = block(&[2, 5]);
        let hash = key_hash(KEY.as_bytes());
        for (entry, slot) in [(2, 7), (5, 8)] {
            let claim = Claim::new(hash, slot, 1).settled();
            block[shape().claims(0) + entry].store(claim.0, Relaxed);
        }
        let looks = thread::spawn({
            let block = block.clone();
            move || {
                // What moves goes to the earlier one: if it is there, it is gone from the later one.
                let claim = |entry: usize| Claim(block[shape().claims(0) + entry].load(Relaxed)).runs();
                let earlier = claim(2);
                shmetrics::sync::fence(shmetrics::sync::Acquire);
                (claim(5), earlier)
            }
        });
        begin(&block, 0, 10).unwrap();
        let (later, earlier) = looks.join().unwrap();
        assert!(
            later == 0 || earlier < 3,
            "a run is counted twice: {later} {earlier}"
        );
        assert_eq!(of_key(&block), [(Some(0), 3, Some(10))]);
    });
}

#[test]
fn runs_leave_an_entry_before_they_are_in_the_other() {
    let _alone = loom_support::alone();
    a_merge_beside_a_look();
}

/// A key is started and taken over by a second start while a reader looks.
///
/// The claims are such that their checks are the same: what the checks tell apart nearly always, the order must tell always.
fn starts_and_a_reader() {
    let key = KeyText::new(KEY);
    let first = Claim::new(key.hash, 0, 1);
    let mut incarnations = (0..).map(|incarnation| Claim::new(key.hash, 1, incarnation));
    let second = incarnations
        .find(|claim| claim.with_runs(2).start_word(0) == first.start_word(0))
        .unwrap();
    explore(Some(0), move || {
        let block = block(&[0]);
        let reader = thread::spawn({
            let block = block.clone();
            move || {
                let Some(seen) = read(ReadWords::new(&block), shape(), 0, 0, |_| false) else {
                    return;
                };
                let expected = match (seen.claim.slot(9), seen.claim.runs()) {
                    (Some(0), 1) => 10,
                    (Some(1), 2) => 20,
                    other => panic!("{other:?}"),
                };
                assert!(
                    seen.started_us.is_none_or(|started| started == expected),
                    "{seen:?}"
                );
            }
        });
        for (claim, now_us) in [(first, 10), (second, 20)] {
            start(&block, shape(), &KeyText::new(KEY), claim, now_us, |_| false).unwrap();
        }
        reader.join().unwrap();
    });
}

/// Another key comes into the entry while a reader looks: never one's key with the other's claim.
fn keys_and_a_reader() {
    explore(Some(0), || {
        let block = block(&[0]);
        let reader = thread::spawn({
            let block = block.clone();
            move || {
                let seen = read(ReadWords::new(&block), shape(), 0, 0, |_| true);
                let Some(seen) = seen else { return };
                let expected = if seen.claim.slot(9) == Some(0) {
                    KEY
                } else {
                    "another"
                };
                if !seen.claim.is_starting() {
                    assert_eq!(seen.key.expect("a settled claim has its key").text(), expected);
                    assert!(seen.started_us.is_some(), "a settled claim has its start");
                }
            }
        });
        let held = begin(&block, 0, 10).unwrap();
        assert!(end(&block, held, End::Finish));
        let other = KeyText::new("another");
        start(&block, shape(), &other, Claim::new(other.hash, 1, 1), 20, |_| {
            false
        })
        .unwrap();
        reader.join().unwrap();
    });
}

#[test]
fn a_reader_never_takes_one_starts_words_for_anothers() {
    let _alone = loom_support::alone();
    starts_and_a_reader();
    keys_and_a_reader();
}

/// One ends what it started while another starts it: it is ended before, and the other's is a first run, or it is the other's.
fn end_and_start() {
    explore(Some(3), || {
        let block = block(&[0, 1]);
        let held = begin(&block, 0, 10).unwrap();
        let other = thread::spawn({
            let block = block.clone();
            move || begin(&block, 1, 20).unwrap()
        });
        let is_ended = end(&block, held, End::Finish);
        let theirs = other.join().unwrap();
        let runs = if is_ended { 1 } else { 2 };
        assert_eq!(theirs.claim.runs(), runs);
        assert_eq!(of_key(&block), [(Some(1), runs, Some(20))]);
    });
}

#[test]
fn only_the_last_start_of_a_key_ends_it() {
    let _alone = loom_support::alone();
    end_and_start();
}

/// The bucket is full; one entry is of the dead. Its key is started again while another key wants the entry.
fn heirs() {
    explore(Some(3), || {
        let block = block(&[0]);
        begin(&block, 7, 5).unwrap();
        let is_dead = |claim: Claim| claim.slot(9) == Some(7);
        let other = thread::spawn({
            let block = block.clone();
            move || {
                let key = KeyText::new("another");
                start(&block, shape(), &key, Claim::new(key.hash, 1, 1), 20, is_dead)
            }
        });
        let key = KeyText::new(KEY);
        let mine = start(&block, shape(), &key, Claim::new(key.hash, 0, 1), 10, is_dead);
        let theirs = other.join().unwrap();
        let lost = [OVERFLOW, FORGOTTEN].map(|word| block[word].load(Relaxed));
        match (mine, theirs) {
            (Some(mine), None) => assert_eq!((mine.claim.runs(), lost), (2, [1, 0])),
            (None, Some(theirs)) => assert_eq!((theirs.claim.runs(), lost), (1, [1, 1])),
            other => panic!("{other:?}"),
        }
        assert_eq!(of_key(&block).len(), usize::from(mine.is_some()));
    });
}

#[test]
fn what_the_dead_left_goes_to_one_next_start() {
    let _alone = loom_support::alone();
    heirs();
}

/// A key is ended by who has no token while its worker starts it: since when it runs is that run's, or not known.
fn end_by_key_and_start() {
    explore(Some(3), || {
        let block = block(&[0]);
        let other = thread::spawn({
            let block = block.clone();
            move || end_key(&block, shape(), key_hash(KEY.as_bytes()), End::Finish)
        });
        begin(&block, 0, 10).unwrap();
        let ended = other.join().unwrap();
        assert!(matches!(ended, None | Some((1, None | Some(10)))), "{ended:?}");
        assert_eq!(of_key(&block).len(), usize::from(ended.is_none()));
    });
}

#[test]
fn a_key_can_be_ended_by_anyone() {
    let _alone = loom_support::alone();
    end_by_key_and_start();
}

const MUTANTS: &[Mutant] = &[
    ("flight.f2", two_starters_and_an_end),
    ("flight.never_merges", two_starters_and_an_end),
    ("flight.adds_first", a_merge_beside_a_look),
    ("flight.f3", a_merge_beside_a_look),
    ("flight.f4", two_starters),
    ("flight.stores_late", two_starters),
    ("flight.f5", keys_and_a_reader),
    ("flight.r1", keys_and_a_reader),
    ("flight.r2", starts_and_a_reader),
    ("flight.looks_once", starts_and_a_reader),
    ("flight.ends_unseen", end_and_start),
    ("flight.takes_from_the_living", heirs),
];

#[test]
fn every_mutant_is_caught() {
    loom_support::every_mutant_is_caught(MUTANTS);
}
