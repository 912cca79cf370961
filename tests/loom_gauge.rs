//! Promise: a gauge that reads as set has a value that somebody set, at least as new as its stamp says; and no reader that compares
//! the owner's incarnation takes the emptied cell of a new owner for a value.
#![cfg(shmetrics_loom)]

mod loom_support;

use loom::thread;
use loom_support::{Mutant, explore};
use shmetrics::protocol::gauge::*;
use shmetrics::protocol::histogram::store_incarnation;
use shmetrics::sync::{Acquire, AtomicU64, Relaxed, Release, fence, mutant};
use shmetrics::words::ReadWords;
use std::sync::Arc;

fn cell() -> Arc<[AtomicU64; 2]> {
    Arc::new([AtomicU64::new(0), AtomicU64::new(0)])
}

/// A gauge set to 7, then 9, by one thread (`last`: with stamps 1, 2); a reader sees no value older than its stamp.
fn one_setter(last: bool) {
    explore(Some(0), move || {
        let cell = cell();
        let reader = thread::spawn({
            let cell = cell.clone();
            move || match read(ReadWords::new(&cell[..])) {
                None => {}
                Some((value, 1)) => assert!(value == 7 || value == 9, "{value}"),
                Some((value, stamp)) => assert_eq!((value, stamp), (9, 2)),
            }
        });
        for (value, number) in [(7, 1), (9, 2)] {
            cell[VALUE].store(value, Relaxed);
            if last {
                stamp(&cell, number)
            } else {
                mark_set(&cell)
            }
        }
        reader.join().unwrap();
    });
}

#[test]
fn a_set_gauge_has_a_value_as_new_as_its_stamp() {
    let _alone = loom_support::alone();
    one_setter(false);
    one_setter(true);
}

#[test]
fn of_two_setters_at_once_one_stays() {
    let _alone = loom_support::alone();
    // Setters race with each other: up to four preemptions.
    for last in [false, true] {
        explore(Some(4), move || {
            let cell = cell();
            let set = move |cell: &[AtomicU64; 2], value: u64, number: u64| {
                cell[VALUE].store(value, Relaxed);
                if last { stamp(cell, number) } else { mark_set(cell) }
            };
            let other = thread::spawn({
                let cell = cell.clone();
                move || set(&cell, 9, 2)
            });
            let reader = thread::spawn({
                let cell = cell.clone();
                move || {
                    if let Some((value, _)) = read(ReadWords::new(&cell[..])) {
                        assert!(value == 7 || value == 9, "a value of nobody: {value}");
                    }
                }
            });
            set(&cell, 7, 1);
            other.join().unwrap();
            reader.join().unwrap();
            let (value, stamp) = read(ReadWords::new(&cell[..])).expect("set");
            assert!(value == 7 || value == 9);
            assert_eq!(stamp, if last { 2 } else { 1 });
        });
    }
}

/// Owner words: 1 and 2 are active owners, 20 is owner 2 before it is active.
const CLAIMING: u64 = 20;

/// The first owner sets 7 and dies; the next one takes the cell over and sets 9.
fn next_owner() {
    explore(Some(0), || {
        let cell = cell();
        let owner = Arc::new([AtomicU64::new(1)]);
        let reader = thread::spawn({
            let (cell, owner) = (cell.clone(), owner.clone());
            move || {
                let words = ReadWords::new(&owner[..]);
                let before = words.load(0);
                fence(Acquire);
                let seen = read(ReadWords::new(&cell[..]));
                fence(Acquire);
                if before != CLAIMING && words.load(0) == before {
                    let owned = if before == 1 { 7 } else { 9 };
                    assert!(
                        seen.is_none_or(|(value, _)| value == owned),
                        "{seen:?} of owner {before}"
                    );
                }
            }
        });
        cell[VALUE].store(7, Relaxed);
        mark_set(&cell);
        if mutant::active("gauge.clear_first") {
            clear(&cell);
        }
        store_incarnation(
            &owner[0],
            if mutant::active("gauge.active_at_once") {
                2
            } else {
                CLAIMING
            },
        );
        if !mutant::active("gauge.clear_first") {
            clear(&cell);
        }
        let active = if mutant::active("gauge.active_relaxed") {
            Relaxed
        } else {
            Release
        };
        owner[0].store(2, active);
        cell[VALUE].store(9, Relaxed);
        mark_set(&cell);
        reader.join().unwrap();
    });
}

#[test]
fn the_next_owner_starts_anew() {
    let _alone = loom_support::alone();
    next_owner();
}

const MUTANTS: &[Mutant] = &[
    ("gauge.mark", || one_setter(false)),
    ("gauge.stamp", || one_setter(true)),
    ("gauge.r1", || one_setter(true)),
    // Rules of the head of gauge.rs for the segment layer.
    ("gauge.active_at_once", next_owner),
    ("gauge.clear_first", next_owner),
    ("gauge.active_relaxed", next_owner),
    ("adopt.fence", next_owner),
];

#[test]
fn every_mutant_is_caught() {
    loom_support::every_mutant_is_caught(MUTANTS);
}
