//! Promise: no id is given twice, whoever takes ids at the same time, and whoever replaces the segment meanwhile.
#![cfg(shmetrics_loom)]

mod loom_support;

use loom::thread;
use loom_support::{Mutant, explore, words};
use shmetrics::protocol::ids::*;
use std::sync::Arc;

/// Two that take, one of them two at once, and one that closes and goes on in a successor.
fn takers() {
    explore(Some(3), || {
        let old = Arc::new(words(1));
        let taker = |count: u64| {
            let old = old.clone();
            thread::spawn(move || take(&old[0], count).map(|first| first..first + count))
        };
        let takers = [taker(1), taker(2)];
        let own = take(&old[0], 1).map(|first| first..first + 1);
        let given = close(&old[0]);
        let new = words(1);
        new[0].store(given, shmetrics::sync::Relaxed);
        let next = take(&new[0], 1).map(|first| first..first + 1);
        let late = take(&old[0], 1).map(|first| first..first + 1);
        let mut all: Vec<u64> = takers
            .map(|taker| taker.join().unwrap())
            .into_iter()
            .chain([own, next, late])
            .flatten()
            .flatten()
            .collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count, "an id was given twice: {all:?}");
    });
}

#[test]
fn ranges_are_disjoint_and_the_successor_begins_above() {
    let _alone = loom_support::alone();
    takers();
}

const MUTANTS: &[Mutant] = &[
    ("ids.two_accesses", takers),
    ("ids.closed_gives", takers),
    ("ids.seen_before_closed", takers),
];

#[test]
fn every_mutant_is_caught() {
    loom_support::every_mutant_is_caught(MUTANTS);
}
