//! Promise: an accepted live read is exactly the state after some prefix of the lane's records, also while another process takes
//! the lane over after a death between any two stores, and a later read never tells less.
#![cfg(shmetrics_loom)]

mod loom_support;

use loom::thread;
use loom_support::{Mutant, explore, words};
use shmetrics::layout::block::*;
use shmetrics::protocol::histogram::*;
use shmetrics::sync::{AtomicU64, Relaxed, Release, mutant};
use shmetrics::words::ReadWords;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64 as Tally, Ordering::SeqCst};

/// Bucket and value of the records, in order. Every prefix has its own buckets and its own sum.
const RECORDS: [(usize, u64); 3] = [(0, 10), (1, 20), (0, 40)];
const SHAPE: BlockShape = BlockShape::new(2, 0);

/// Enough for every behaviour: see `loom_support`.
const PREEMPTIONS: Option<usize> = Some(0);

/// As much of a block as recording and live reading touch, and the lane's incarnation word.
struct Lane {
    block: Vec<AtomicU64>,
    incarnation: [AtomicU64; 1],
}

impl Lane {
    fn new() -> Arc<Self> {
        Arc::new(Lane {
            block: words(BUCKETS + SHAPE.buckets),
            incarnation: [AtomicU64::new(1)],
        })
    }

    fn record(&self, (index, value): (usize, u64)) {
        record::<IntegerSum>(
            &self.block,
            SHAPE.buckets,
            Observation {
                index,
                value,
                key: value,
            },
        );
    }

    /// The first stores of a record by a writer that is killed before the others: W0 and W1, and W2 if `with_sum`.
    fn record_and_die(&self, value: u64, with_sum: bool) {
        let n = self.block[COUNT].load(Relaxed) + 1;
        self.block[LOWEST].store(2, Relaxed);
        self.block[MAXIMUM].store(value + 1, Relaxed);
        self.block[COUNT].store(n, Release);
        if with_sum {
            let other = self.block[SUM + ((n + 1) & 1) as usize].load(Relaxed);
            self.block[SUM + (n & 1) as usize].store(other + value, Release);
        }
    }

    fn adopt(&self) {
        if mutant::active("adopt.repair_first") {
            repair(&self.block, &SHAPE);
            store_incarnation(&self.incarnation[0], 2);
        } else {
            store_incarnation(&self.incarnation[0], 2);
            repair(&self.block, &SHAPE);
        }
    }

    /// One live read: its count if it was accepted. The state must be the one after that many of `records`.
    fn read(&self, records: &[(usize, u64)]) -> Option<u64> {
        let mut state = State::default();
        let (block, incarnation) = (ReadWords::new(&self.block), ReadWords::new(&self.incarnation));
        read_live(block, incarnation, &SHAPE, &mut state).ok()?;
        assert!(
            state.count as usize <= records.len(),
            "more records than there ever were: {state:?}"
        );
        let prefix = &records[..state.count as usize];
        let mut buckets = [0; 2];
        prefix.iter().for_each(|(index, _)| buckets[*index] += 1);
        assert_eq!(state.buckets, buckets, "{state:?}");
        assert_eq!(
            state.sum,
            prefix.iter().map(|(_, value)| value).sum::<u64>(),
            "{state:?}"
        );
        for (_, value) in prefix {
            assert!(!state.minimum <= *value && state.maximum > *value, "{state:?}");
        }
        Some(state.count)
    }
}

/// A writer of `count` records against a reader of `reads` reads. Returns in how many executions each count was accepted.
fn record_against_read(count: usize, reads: usize) -> [u64; 4] {
    let accepted: &'static [Tally; 4] = Box::leak(Box::default());
    explore(PREEMPTIONS, move || {
        let lane = Lane::new();
        let reader = thread::spawn({
            let lane = lane.clone();
            move || {
                let mut newest = 0;
                for count in (0..reads).filter_map(|_| lane.read(&RECORDS[..count])) {
                    assert!(count >= newest, "a later read told less");
                    newest = count;
                    accepted[count as usize].fetch_add(1, SeqCst);
                }
            }
        });
        RECORDS[..count].iter().for_each(|one| lane.record(*one));
        assert_eq!(
            lane.read(&RECORDS[..count]),
            Some(count as u64),
            "an idle writer is always read"
        );
        reader.join().unwrap();
    });
    accepted.each_ref().map(|tally| tally.load(SeqCst))
}

/// A writer lands one record and dies in its second; another thread adopts the lane and records; a reader reads meanwhile.
fn adopt_against_read(with_sum: bool) -> [u64; 3] {
    const LANDED: [(usize, u64); 2] = [RECORDS[0], RECORDS[2]];
    let accepted: &'static [Tally; 3] = Box::leak(Box::default());
    explore(PREEMPTIONS, move || {
        let lane = Lane::new();
        let dead = thread::spawn({
            let lane = lane.clone();
            move || {
                lane.record(LANDED[0]);
                lane.record_and_die(20, with_sum);
            }
        });
        let reader = thread::spawn({
            let lane = lane.clone();
            move || {
                if let Some(count) = lane.read(&LANDED) {
                    accepted[count as usize].fetch_add(1, SeqCst);
                }
            }
        });
        // The kernel's lock: whoever gets it comes after everything that its last holder did.
        dead.join().unwrap();
        assert_eq!(lane.read(&LANDED), Some(1), "a dead writer is always read");
        lane.adopt();
        lane.record(LANDED[1]);
        assert_eq!(lane.read(&LANDED), Some(2));
        reader.join().unwrap();
    });
    accepted.each_ref().map(|tally| tally.load(SeqCst))
}

#[test]
fn an_accepted_read_is_an_exact_prefix() {
    let _alone = loom_support::alone();
    let accepted = record_against_read(3, 1);
    eprintln!("3 records, 1 read: accepted with 0, 1, 2, 3 records in {accepted:?} executions");
    assert!(accepted.iter().all(|count| *count > 0), "{accepted:?}");
}

#[test]
fn a_later_read_never_tells_less() {
    let _alone = loom_support::alone();
    let accepted = record_against_read(2, 2);
    eprintln!("2 records, 2 reads: accepted {accepted:?}");
    assert!(accepted[..3].iter().all(|count| *count > 0), "{accepted:?}");
}

#[test]
fn a_lane_adopted_after_death_in_w1_is_exact() {
    let _alone = loom_support::alone();
    let accepted = adopt_against_read(false);
    eprintln!("adopted after W1: accepted {accepted:?}");
    assert!(accepted.iter().all(|count| *count > 0), "{accepted:?}");
}

#[test]
fn a_lane_adopted_after_death_in_w2_is_exact() {
    let _alone = loom_support::alone();
    let accepted = adopt_against_read(true);
    eprintln!("adopted after W2: accepted {accepted:?}");
    assert!(accepted.iter().all(|count| *count > 0), "{accepted:?}");
}

const MUTANTS: &[Mutant] = &[
    ("record.w1", two_records),
    ("record.w2", two_records),
    ("record.w3", two_records),
    ("record.parity", two_records),
    ("live.r1", two_records),
    ("live.r2", two_records),
    ("live.r3", two_records),
    ("live.r4", adoption),
    ("live.incarnation", adoption),
    ("adopt.incarnation", adoption),
    ("adopt.fence", adoption),
    ("adopt.repair_first", adoption),
];

fn two_records() {
    record_against_read(2, 1);
}

fn adoption() {
    adopt_against_read(true);
}

#[test]
fn every_mutant_is_caught() {
    loom_support::every_mutant_is_caught(MUTANTS);
}
