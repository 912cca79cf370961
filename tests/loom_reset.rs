//! Promise: a reader subtracts a baseline that one reset stored, whole, and never one that is newer than the cells it reads
//! afterwards; a resetter that dies in between changes nothing.
#![cfg(shmetrics_loom)]

mod loom_support;

use loom::thread;
use loom_support::{Mutant, explore, words};
use shmetrics::protocol::reset::*;
use shmetrics::sync::{AtomicU64, Relaxed, mutant};
use shmetrics::words::ReadWords;
use std::sync::Arc;

/// A segment of one counter: the latch word, two tables of two words (since, baseline), the counter.
struct Segment {
    latch: Vec<AtomicU64>,
    tables: [Vec<AtomicU64>; 2],
    counter: Vec<AtomicU64>,
}

const SINCE: usize = 0;
const BASELINE: usize = 1;

impl Segment {
    fn new() -> Arc<Segment> {
        Arc::new(Segment {
            latch: words(1),
            tables: [words(2), words(2)],
            counter: words(1),
        })
    }

    fn count(&self, value: u64) {
        self.counter[0].store(value, Relaxed);
    }

    /// Steps Z1 to Z3: reset `number` stores the time `10 × number` and what the counter has. Cut short, it stores the time only.
    fn fill(&self, cut_short: bool) -> u64 {
        let number = next(begin(&self.latch[0]));
        let read = self.counter[0].load(Relaxed);
        let turn = if mutant::active("reset.one_table") {
            0
        } else {
            table(number) as usize
        };
        self.tables[turn][SINCE].store(10 * number, Relaxed);
        if !cut_short {
            self.tables[turn][BASELINE].store(read, Relaxed);
        }
        number
    }

    fn reset(&self) {
        if mutant::active("reset.published_first") {
            let number = next(begin(&self.latch[0]));
            publish(&self.latch[0], number);
            let turn = &self.tables[table(number) as usize];
            turn[SINCE].store(10 * number, Relaxed);
            turn[BASELINE].store(self.counter[0].load(Relaxed), Relaxed);
            return;
        }
        let number = self.fill(false);
        publish(&self.latch[0], number);
    }

    /// What a reader takes: the number of the reset, the time and the baseline; `None` if it was overtaken.
    fn baseline(&self) -> Option<(u64, u64, u64)> {
        let latch = ReadWords::new(&self.latch);
        let number = number(latch);
        if number == 0 {
            return Some((0, 0, 0));
        }
        let turn = if mutant::active("reset.one_table") {
            0
        } else {
            table(number) as usize
        };
        let turn = ReadWords::new(&self.tables[turn]);
        // The other way round than they are stored, so that a mixture shows.
        let baseline = turn.load(BASELINE);
        let since = turn.load(SINCE);
        is_still(latch, number).then_some((number, since, baseline))
    }

    fn counted(&self) -> u64 {
        ReadWords::new(&self.counter).load(0)
    }
}

/// What each reset has for a baseline: `counted[number]`.
fn check(seen: Option<(u64, u64, u64)>, cell: u64, counted: &[u64]) {
    let Some((number, since, baseline)) = seen else {
        return;
    };
    assert_eq!(
        (since, baseline),
        (10 * number, counted[number as usize]),
        "half of reset {number}"
    );
    assert!(cell >= baseline, "{cell} is less than the baseline {baseline}");
}

/// Three resets, so that both tables are overwritten, and counting in between.
fn resets() {
    explore(Some(0), || {
        let segment = Segment::new();
        let reader = thread::spawn({
            let segment = segment.clone();
            move || {
                if mutant::active("reset.cells_first") {
                    let cell = segment.counted();
                    check(segment.baseline(), cell, &[0, 1, 2, 3]);
                } else {
                    let seen = segment.baseline();
                    check(seen, segment.counted(), &[0, 1, 2, 3]);
                }
            }
        });
        for counted in 1..=3 {
            segment.count(counted);
            segment.reset();
        }
        reader.join().unwrap();
    });
}

#[test]
fn a_baseline_is_of_one_reset_and_never_above_the_cells() {
    let _alone = loom_support::alone();
    resets();
}

/// The second reset is cut short, and done again by the next one; a third follows.
fn death() {
    explore(Some(0), || {
        let segment = Segment::new();
        let reader = thread::spawn({
            let segment = segment.clone();
            move || {
                let seen = segment.baseline();
                check(seen, segment.counted(), &[0, 1, 3, 3]);
            }
        });
        segment.count(1);
        segment.reset();
        segment.count(2);
        let dead = segment.fill(true);
        assert_eq!(dead, 2);
        if mutant::active("reset.published_by_the_dead") {
            publish(&segment.latch[0], dead);
        }
        segment.count(3);
        segment.reset();
        segment.reset();
        reader.join().unwrap();
    });
}

#[test]
fn a_reset_cut_short_is_done_again_and_never_read_half() {
    let _alone = loom_support::alone();
    death();
}

/// Two resetters, one after the other by a lock, each of a thread of its own.
fn two_resetters() {
    explore(Some(3), || {
        let segment = Segment::new();
        segment.count(1);
        let lock = Arc::new(loom::sync::Mutex::new(()));
        let other = thread::spawn({
            let (segment, lock) = (segment.clone(), lock.clone());
            move || {
                let _locked = lock.lock().unwrap();
                segment.reset();
            }
        });
        let reader = thread::spawn({
            let segment = segment.clone();
            move || check(segment.baseline(), 1, &[0, 1, 1])
        });
        {
            let _locked = lock.lock().unwrap();
            segment.reset();
        }
        other.join().unwrap();
        reader.join().unwrap();
    });
}

#[test]
fn resetters_take_turns() {
    let _alone = loom_support::alone();
    two_resetters();
}

const MUTANTS: &[Mutant] = &[
    ("reset.z1", resets),
    ("reset.z4", resets),
    ("reset.r1", resets),
    ("reset.r2", resets),
    ("reset.unchecked", resets),
    // Rules of the head of reset.rs for who calls it.
    ("reset.cells_first", resets),
    ("reset.one_table", resets),
    ("reset.published_first", resets),
    ("reset.published_by_the_dead", death),
];

#[test]
fn every_mutant_is_caught() {
    loom_support::every_mutant_is_caught(MUTANTS);
}
