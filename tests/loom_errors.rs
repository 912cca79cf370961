//! Promise: a ready entry of the error log is whole, no two fill one entry, no count is lost, and what a dead claimant left is taken
//! over once at most.
#![cfg(shmetrics_loom)]

mod loom_support;

use std::fmt::Write;
use std::sync::Arc;

use loom::thread;
use loom_support::{Mutant, explore, words};
use shmetrics::layout::error_log::*;
use shmetrics::protocol::error_log::{Logged, is_ready, log, tally};
use shmetrics::sync::{Acquire, AtomicU64, Relaxed, Release};
use shmetrics::words::ReadWords;

/// The claim word, in words: where a dead one left it.
const CLAIM: usize = 0;

fn text(said: &str) -> ErrorText {
    let mut text = ErrorText::default();
    text.write_str(said).unwrap();
    text
}

/// Texts that differ in their first word, so that a mixture is seen.
const TEXTS: [&str; 2] = ["one", "another"];

/// What a ready entry says: number of its text, count and times. Panics if it says what nobody logged.
fn said(entry: &[AtomicU64]) -> Option<(usize, u64, u64, u64)> {
    let read = ReadWords::new(entry);
    if !is_ready(read) {
        return None;
    }
    let copy = core::array::from_fn(|at| read.load(at));
    let text = ErrorText::parse(&copy).expect("a ready entry is whole");
    let number = TEXTS.iter().position(|said| said.as_bytes() == text.bytes());
    let (count, first, last) = tally(read);
    assert!(first != 0 && first <= last, "{first} {last}");
    Some((number.expect("a text that was logged"), count, first, last))
}

fn all(words: &[AtomicU64]) -> Vec<(usize, u64, u64, u64)> {
    words.chunks(ERROR_ENTRY_WORDS).filter_map(said).collect()
}

/// A text is logged while a reader looks.
fn writer_and_reader() {
    explore(Some(0), || {
        let words = Arc::new(words(ERROR_ENTRY_WORDS));
        let reader = thread::spawn({
            let words = words.clone();
            move || {
                if let Some(said) = said(&words) {
                    assert!((1..=2).contains(&said.1), "{said:?}");
                }
            }
        });
        assert_eq!(log(&words, &text(TEXTS[0]), 7, 10, |_| false), Logged::New);
        assert_eq!(log(&words, &text(TEXTS[0]), 7, 20, |_| false), Logged::Known);
        reader.join().unwrap();
        assert_eq!(all(&words), [(0, 2, 10, 20)]);
    });
}

#[test]
fn a_ready_entry_is_whole() {
    let _alone = loom_support::alone();
    writer_and_reader();
}

/// Two log at the same moment, one text or two, in a log of so many entries. Nothing is counted twice, and nothing less than what was
/// said to be logged.
fn two_writers(entries: usize, texts: [usize; 2]) {
    explore(Some(3), move || {
        let words = Arc::new(words(entries * ERROR_ENTRY_WORDS));
        let other = thread::spawn({
            let words = words.clone();
            move || log(&words, &text(TEXTS[texts[1]]), 8, 20, |_| false)
        });
        let mine = log(&words, &text(TEXTS[texts[0]]), 7, 10, |_| false);
        let theirs = other.join().unwrap();
        let mut expected = [0, 0];
        for (number, logged) in texts.into_iter().zip([mine, theirs]) {
            expected[number] += u64::from(logged != Logged::Lost);
        }
        let mut counted = [0, 0];
        all(&words)
            .into_iter()
            .for_each(|(number, count, ..)| counted[number] += count);
        assert_eq!(counted, expected, "{mine:?} {theirs:?}");
        assert!(entries < 2 || expected.iter().sum::<u64>() == 2, "there was room");
    });
}

fn one_entry_for_two() {
    two_writers(1, [0, 1]);
}

#[test]
fn no_two_fill_one_entry() {
    let _alone = loom_support::alone();
    one_entry_for_two();
    two_writers(2, [0, 0]);
    two_writers(2, [0, 1]);
}

/// The text is there; two count it.
fn two_who_know_it() {
    explore(Some(3), || {
        let words = Arc::new(words(ERROR_ENTRY_WORDS));
        log(&words, &text(TEXTS[0]), 7, 10, |_| false);
        let other = thread::spawn({
            let words = words.clone();
            move || log(&words, &text(TEXTS[0]), 8, 30, |_| false)
        });
        let mine = log(&words, &text(TEXTS[0]), 7, 20, |_| false);
        assert_eq!((mine, other.join().unwrap()), (Logged::Known, Logged::Known));
        assert_eq!(all(&words), [(0, 3, 10, 30)]);
    });
}

#[test]
fn a_known_error_is_counted_by_everyone() {
    let _alone = loom_support::alone();
    two_who_know_it();
}

/// One logs and dies, before it begins to fill or after it is ready; two others want its entry. Their reading that it is dead makes
/// its stores visible, as finding its lock free does.
fn heirs(is_whole: bool, number_of_heirs: usize) {
    explore(Some(2), move || {
        let words = Arc::new(words(ERROR_ENTRY_WORDS));
        let dead = Arc::new(AtomicU64::new(0));
        let heir = |tag: u64| {
            let (words, dead) = (words.clone(), dead.clone());
            move || {
                log(&words, &text(TEXTS[1]), tag, 20, |claim| {
                    claim == 7 && dead.load(Acquire) == 1
                })
            }
        };
        let heirs: Vec<_> = (8..8 + number_of_heirs as u64)
            .map(|tag| thread::spawn(heir(tag)))
            .collect();
        if is_whole {
            log(&words, &text(TEXTS[0]), 7, 10, |_| false);
        } else {
            words[CLAIM]
                .compare_exchange(0, 7, Relaxed, Relaxed)
                .unwrap_or_default();
        }
        dead.store(1, Release);
        let outcomes: Vec<_> = heirs.into_iter().map(|heir| heir.join().unwrap()).collect();
        let known = outcomes.iter().filter(|logged| **logged != Logged::Lost).count() as u64;
        let there = all(&words);
        match there[..] {
            // Ready is immutable: the dead one's text stays, unless an heir was there before it.
            [(0, count, ..)] => assert_eq!((count, known), (1, 0), "{outcomes:?}"),
            [(1, count, ..)] => assert_eq!(count, known, "{outcomes:?}"),
            [] => assert_eq!(known, 0, "{outcomes:?}"),
            _ => panic!("{there:?}"),
        }
    });
}

/// The dead one was whole, and a reader looks at its entry while an heir wants it.
fn an_heir_and_a_reader() {
    explore(Some(2), || {
        let words = Arc::new(words(ERROR_ENTRY_WORDS));
        let dead = Arc::new(AtomicU64::new(0));
        let heir = thread::spawn({
            let (words, dead) = (words.clone(), dead.clone());
            move || {
                log(&words, &text(TEXTS[1]), 8, 20, |claim| {
                    claim == 7 && dead.load(Acquire) == 1
                })
            }
        });
        let mine = log(&words, &text(TEXTS[0]), 7, 10, |_| false);
        let before = all(&words);
        dead.store(1, Release);
        heir.join().unwrap();
        if mine == Logged::New {
            assert_eq!(
                (before, all(&words)),
                (vec![(0, 1, 10, 10)], vec![(0, 1, 10, 10)])
            );
        }
    });
}

#[test]
fn a_dead_claimants_entry_is_taken_over_once() {
    let _alone = loom_support::alone();
    heirs(false, 2);
    heirs(true, 1);
    an_heir_and_a_reader();
}

const MUTANTS: &[Mutant] = &[
    ("errors.e4", writer_and_reader),
    ("errors.r1", writer_and_reader),
    ("errors.claim_stored", one_entry_for_two),
    ("errors.takes_from_the_living", one_entry_for_two),
    ("errors.count_stored", two_who_know_it),
    ("errors.looks_once", an_heir_and_a_reader),
];

#[test]
fn every_mutant_is_caught() {
    loom_support::every_mutant_is_caught(MUTANTS);
}
