//! Promise: a read of the shared lane that finds no difference between begun and landed is the exact state after a set of whole
//! records, none of them half.
#![cfg(shmetrics_loom)]

mod loom_support;

use loom::thread;
use loom_support::{Mutant, explore, words};
use shmetrics::layout::block::*;
use shmetrics::protocol::histogram::{IntegerSum, Observation, State};
use shmetrics::protocol::shared::*;
use shmetrics::sync::{AtomicU64, Relaxed};
use shmetrics::words::ReadWords;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64 as Tally, Ordering::SeqCst};

const SHAPE: BlockShape = BlockShape::new(2, 0);

/// Writer i records the value 1 + 9 i into bucket i: every set of records has its own sum.
fn record_as(block: &[AtomicU64], writer: usize) {
    let value = 1 + 9 * writer as u64;
    record::<IntegerSum>(
        block,
        SHAPE.buckets,
        Observation {
            index: writer,
            value,
            key: value,
        },
    );
}

/// One read: if it was exact, how many records it tells. `whole` are the records that each writer has at most.
fn read_exact(block: &[AtomicU64]) -> Option<u64> {
    let mut state = State::default();
    let difference = read(ReadWords::new(block), &SHAPE, &mut state);
    if difference != Difference(0) {
        return None;
    }
    let [a, b] = [state.buckets[0], state.buckets[1]];
    assert_eq!((state.count, state.sum), (a + b, a + 10 * b), "{state:?}");
    for (landed, value) in [(a, 1), (b, 10)] {
        assert!(
            landed == 0 || (!state.minimum <= value && state.maximum > value),
            "{state:?}"
        );
    }
    Some(state.count)
}

/// `writers` threads record once each (all but the first on threads of their own) against a reader. Loom's schedule matters here,
/// since writers race with each other: up to `preemptions` of them.
fn record_against_read(writers: usize, preemptions: usize) -> [u64; 3] {
    let accepted: &'static [Tally; 3] = Box::leak(Box::default());
    explore(Some(preemptions), move || {
        let block = Arc::new(words(BUCKETS + SHAPE.buckets));
        let others: Vec<_> = (1..writers)
            .map(|writer| {
                let block = block.clone();
                thread::spawn(move || record_as(&block, writer))
            })
            .collect();
        let reader = thread::spawn({
            let block = block.clone();
            move || {
                if let Some(count) = read_exact(&block) {
                    accepted[count as usize].fetch_add(1, SeqCst);
                }
            }
        });
        record_as(&block, 0);
        others.into_iter().for_each(|other| other.join().unwrap());
        assert_eq!(
            read_exact(&block),
            Some(writers as u64),
            "idle writers are always read exactly"
        );
        reader.join().unwrap();
    });
    accepted.each_ref().map(|tally| tally.load(SeqCst))
}

#[test]
fn no_difference_means_a_set_of_whole_records() {
    let _alone = loom_support::alone();
    let accepted = record_against_read(2, 2);
    eprintln!("2 writers, 1 read: exact with 0, 1, 2 records in {accepted:?} executions");
    assert!(accepted.iter().all(|count| *count > 0), "{accepted:?}");
}

#[test]
fn a_writer_dead_in_between_is_never_called_exact() {
    let _alone = loom_support::alone();
    explore(Some(2), || {
        let block = Arc::new(words(BUCKETS + SHAPE.buckets));
        let other = thread::spawn({
            let block = block.clone();
            move || record_as(&block, 1)
        });
        // Begun, and killed.
        block[COUNT].fetch_add(1, Relaxed);
        assert_eq!(read_exact(&block), None);
        other.join().unwrap();
        let mut state = State::default();
        assert_eq!(read(ReadWords::new(&block), &SHAPE, &mut state), Difference(1));
        assert_eq!((state.count, state.sum), (1, 10));
    });
}

const MUTANTS: &[Mutant] = &[
    ("shared.sum", one_writer),
    ("shared.s4", one_writer),
    ("shared.r1", one_writer),
    ("shared.r2", one_writer),
];

fn one_writer() {
    record_against_read(1, 0);
}

#[test]
fn every_mutant_is_caught() {
    loom_support::every_mutant_is_caught(MUTANTS);
}
