//! Promise: the latest and the earliest mark stand, whoever comes first; every set of a state is in its streak or ends it; and who sees
//! that a cell was set sees what was set.
#![cfg(shmetrics_loom)]

mod loom_support;

use loom::thread;
use loom_support::{Mutant, explore, words};
use shmetrics::protocol::gauge::{VALUE, read};
use shmetrics::protocol::state::{set, unpack};
use shmetrics::protocol::time_mark::{mark_first, mark_last};
use shmetrics::sync::{AtomicU64, Relaxed};
use shmetrics::words::ReadWords;
use std::sync::Arc;

type Cell = [AtomicU64; 2];

fn cell() -> Arc<Cell> {
    Arc::new(words(2).try_into().unwrap())
}

/// Two threads at a cell, and a reader; what stands in the end.
fn run(write: [fn(&Cell); 2], seen: fn(u64)) -> u64 {
    let cell = cell();
    let other = thread::spawn({
        let cell = cell.clone();
        move || write[1](&cell)
    });
    let reader = thread::spawn({
        let cell = cell.clone();
        move || {
            if let Some((value, _)) = read(ReadWords::new(&cell[..])) {
                seen(value);
            }
        }
    });
    write[0](&cell);
    other.join().unwrap();
    reader.join().unwrap();
    cell[VALUE].load(Relaxed)
}

fn last() {
    explore(Some(3), || {
        let end = run([|cell| mark_last(cell, 7), |cell| mark_last(cell, 9)], |seen| {
            assert!([7, 9].contains(&seen), "{seen} was never marked")
        });
        assert_eq!(end, 9, "a later mark was lost");
    });
}

fn first() {
    explore(Some(3), || {
        let end = run([|cell| mark_first(cell, 7), |cell| mark_first(cell, 9)], |seen| {
            assert!([7, 9].contains(&seen), "{seen} was never marked")
        });
        assert_eq!(end, 7, "an earlier mark was lost");
    });
}

#[test]
fn the_latest_and_the_earliest_mark_stand() {
    let _alone = loom_support::alone();
    last();
    first();
}

/// The same status by two: a streak of two. Two statuses: either of them with a streak of one.
fn states() {
    explore(Some(3), || {
        let end = run([|cell| _ = set(cell, 1), |cell| _ = set(cell, 1)], |seen| {
            assert!([(1, 1), (1, 2)].contains(&unpack(seen)), "{:?}", unpack(seen))
        });
        assert_eq!(unpack(end), (1, 2), "a set was lost");
    });
    explore(Some(3), || {
        let end = run([|cell| _ = set(cell, 1), |cell| _ = set(cell, 2)], |seen| {
            assert!([(1, 1), (2, 1)].contains(&unpack(seen)), "{:?}", unpack(seen))
        });
        assert!([(1, 1), (2, 1)].contains(&unpack(end)), "{:?}", unpack(end));
    });
}

#[test]
fn every_set_is_in_the_streak_or_ends_it() {
    let _alone = loom_support::alone();
    states();
}

const MUTANTS: &[Mutant] = &[
    ("time_mark.last_in_two", last),
    ("time_mark.first_in_two", first),
    ("time_mark.zero_is_a_time", first),
    ("state.two_accesses", states),
    // Of gauges, whose cell it is.
    ("gauge.mark", last),
    ("gauge.r1", first),
];

#[test]
fn every_mutant_is_caught() {
    loom_support::every_mutant_is_caught(MUTANTS);
}
