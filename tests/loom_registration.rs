//! Promise: one key never gets two numbers, whoever finds a number sees the record behind it, no record is handed out twice, and
//! cells are placed without duplicate, overlap or gap, also when a party stopped in the middle.
#![cfg(shmetrics_loom)]

mod loom_support;

use loom::thread;
use loom_support::{Mutant, explore, words};
use shmetrics::layout::record::RECORD_WORDS;
use shmetrics::protocol::index::{self, Probe, probe, publish, take_record};
use shmetrics::protocol::placement::{self, place};
use shmetrics::sync::{Acquire, AtomicU64, Relaxed, Release};
use std::sync::Arc;

/// All keys have this hash, so that they meet in the same places and only the record tells them apart.
const HASH: u64 = 9 << 32 | 1;
/// Room for two keys, and the empty places that end a probe.
const PLACES: usize = 4;

/// An index, and the key in each record: a record's number is 1 more than its place here.
struct Registry {
    index: Vec<AtomicU64>,
    keys: Vec<AtomicU64>,
}

impl Registry {
    /// Does the record hold this key? Whoever found its number must see that it holds one.
    fn matches(&self, number: u64, key: u64) -> bool {
        let found = self.keys[number as usize - 1].load(Relaxed);
        assert_ne!(found, 0, "record {number} was found before it was filled");
        found == key
    }

    /// Fills record `own` for `key` and publishes it; the number that stands for the key.
    fn register(&self, key: u64, own: u64) -> u64 {
        self.keys[own as usize - 1].store(key, Relaxed);
        publish(&self.index, HASH, own, |number| self.matches(number, key)).expect("room")
    }

    fn find(&self, key: u64) -> Option<u64> {
        match probe(&self.index, HASH, |number| self.matches(number, key)) {
            Probe::Found(number) => Some(number),
            Probe::Empty(_) => None,
            Probe::Exhausted => panic!("no empty place"),
        }
    }
}

/// One thread per key registers it; `preemptions` bounds the schedules.
fn register_all(keys: &'static [u64], preemptions: usize) {
    explore(Some(preemptions), move || {
        let registry = Arc::new(Registry {
            index: words(PLACES),
            keys: words(keys.len()),
        });
        let others: Vec<_> = (1..keys.len())
            .map(|i| {
                let registry = registry.clone();
                thread::spawn(move || registry.register(keys[i], i as u64 + 1))
            })
            .collect();
        let mut numbers = vec![registry.register(keys[0], 1)];
        numbers.extend(others.into_iter().map(|other| other.join().unwrap()));
        let mut published: Vec<_> = registry
            .index
            .iter()
            .map(|word| index::number(word.load(Relaxed)))
            .collect();
        published.retain(|number| *number != 0);
        for (key, number) in keys.iter().zip(&numbers) {
            assert_eq!(registry.find(*key), Some(*number), "{keys:?} got {numbers:?}");
            let all = published
                .iter()
                .filter(|number| registry.matches(**number, *key))
                .count();
            assert_eq!(all, 1, "key {key} is {all} times in the index");
        }
    });
}

/// A registrant against somebody who only looks.
fn register_and_find() {
    explore(Some(3), || {
        let registry = Arc::new(Registry {
            index: words(PLACES),
            keys: words(1),
        });
        let reader = thread::spawn({
            let registry = registry.clone();
            move || assert!(matches!(registry.find(5), None | Some(1)))
        });
        assert_eq!(registry.register(5, 1), 1);
        reader.join().unwrap();
    });
}

#[test]
fn one_key_never_gets_two_numbers() {
    let _alone = loom_support::alone();
    register_all(&[5, 5], 4);
    register_all(&[5, 6], 4);
    register_all(&[5, 5, 5], 3);
    register_all(&[5, 6, 5], 3);
}

#[test]
fn whoever_finds_a_number_sees_its_record() {
    let _alone = loom_support::alone();
    register_and_find();
}

#[test]
fn a_record_is_handed_out_once() {
    let _alone = loom_support::alone();
    explore(Some(3), || {
        let records = Arc::new((words(2 * RECORD_WORDS), AtomicU64::new(0)));
        let others = [2, 3].map(|tag| {
            let records = records.clone();
            thread::spawn(move || take_record(&records.0, &records.1, tag))
        });
        let mut taken = vec![take_record(&records.0, &records.1, 1)];
        taken.extend(others.into_iter().map(|other| other.join().unwrap()));
        taken.sort();
        assert_eq!(taken, [None, Some(1), Some(2)]);
        assert_eq!(records.1.load(Relaxed), 2);
    });
}

const UNITS: [u64; 2] = [2, 3];

/// A space, and for each record its cell and, filled by whoever registers it, how many units it needs.
struct Space {
    word: AtomicU64,
    cells: Vec<AtomicU64>,
    units: Vec<AtomicU64>,
}

impl Space {
    fn new() -> Arc<Self> {
        Arc::new(Space {
            word: AtomicU64::new(0),
            cells: words(2),
            units: words(2),
        })
    }

    fn fill(&self, number: u64) {
        self.units[number as usize - 1].store(UNITS[number as usize - 1], Relaxed);
    }

    fn place(&self, number: u64) -> u64 {
        let cell = |number: u64| &self.cells[number as usize - 1];
        place(&self.word, number, 100, cell, |number| {
            self.units[number as usize - 1].load(Relaxed)
        })
        .unwrap()
    }

    /// P1 and P2 for record 1 by a party that stops there, or after P3; earlier if another was faster.
    fn stop_after(&self, p3: bool) {
        let seen = self.word.load(Acquire);
        let free = placement::free(seen);
        let named = placement::record(seen) == 0
            && self
                .word
                .compare_exchange(seen, 1 << 40 | free, Release, Relaxed)
                .is_ok();
        if named && p3 {
            self.cells[0].store(free + 1, Relaxed);
        }
    }

    /// No duplicate, no overlap, no gap.
    fn check(&self) {
        let word = self.word.load(Relaxed);
        assert_eq!(
            (placement::record(word), placement::free(word)),
            (0, UNITS[0] + UNITS[1])
        );
        let [a, b] = [0, 1].map(|i| self.cells[i].load(Relaxed));
        assert!(
            (a, b) == (1, 1 + UNITS[0]) || (a, b) == (1 + UNITS[1], 1),
            "cells {a} and {b}"
        );
    }
}

/// Three parties: two place record 1, one registers and places record 2.
fn place_all(preemptions: usize) {
    explore(Some(preemptions), || {
        let space = Space::new();
        space.fill(1);
        let same = thread::spawn({
            let space = space.clone();
            move || space.place(1)
        });
        let other = thread::spawn({
            let space = space.clone();
            move || {
                space.fill(2);
                space.place(2)
            }
        });
        let first = space.place(1);
        assert_eq!(first, same.join().unwrap(), "one record, two cells");
        let second = other.join().unwrap();
        assert_eq!([first, second], [0, 1].map(|i| space.cells[i].load(Relaxed) - 1));
        space.check();
    });
}

/// Two parties, after a third one stopped while placing record 1. The first wants that record, the second its own.
fn place_after_stop(p3: bool, preemptions: usize) {
    explore(Some(preemptions), move || {
        let space = Space::new();
        let stopped = thread::spawn({
            let space = space.clone();
            move || {
                space.fill(1);
                space.stop_after(p3);
            }
        });
        let other = thread::spawn({
            let space = space.clone();
            move || {
                space.fill(2);
                space.place(2)
            }
        });
        stopped.join().unwrap();
        assert_eq!(space.place(1) + 1, space.cells[0].load(Relaxed));
        other.join().unwrap();
        space.check();
    });
}

#[test]
fn cells_are_placed_without_duplicate_overlap_or_gap() {
    let _alone = loom_support::alone();
    place_all(3);
}

#[test]
fn a_party_that_stopped_is_helped() {
    let _alone = loom_support::alone();
    place_after_stop(false, 3);
    place_after_stop(true, 3);
}

const MUTANTS: &[Mutant] = &[
    ("index.publish", register_and_find),
    ("index.probe", register_and_find),
    ("index.skip_place", || register_all(&[5, 5], 3)),
    ("place.p1", || place_all(3)),
    ("place.p2", || place_all(3)),
    ("place.p4", || place_all(3)),
    ("place.no_check", || place_all(3)),
];

#[test]
fn every_mutant_is_caught() {
    loom_support::every_mutant_is_caught(MUTANTS);
}
