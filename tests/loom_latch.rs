//! Promise: an accepted sealed copy is exactly the state of the seal whose number it carries, also when a writer died in the middle
//! of a seal and another process does that seal again.
#![cfg(shmetrics_loom)]

mod loom_support;

use loom::thread;
use loom_support::{Mutant, explore, words};
use shmetrics::layout::block::*;
use shmetrics::protocol::histogram::*;
use shmetrics::protocol::latch::*;
use shmetrics::sync::{AtomicU64, Relaxed, Release, fence};
use shmetrics::words::ReadWords;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64 as Tally, Ordering::SeqCst};

/// Enough for every behaviour: see `loom_support`.
const PREEMPTIONS: Option<usize> = Some(0);
const SHAPE: BlockShape = BlockShape::new(1, 0);

/// One bucket; record n has the value 10 n, so that the state of seal v is: v records, sum 5 v (v + 1).
struct Lane(Vec<AtomicU64>);

impl Lane {
    fn new() -> Arc<Self> {
        Arc::new(Lane(words(SHAPE.words())))
    }

    /// Records number n, then seals number n.
    fn record_and_seal(&self, n: u64) {
        record::<IntegerSum>(
            &self.0,
            1,
            Observation {
                index: 0,
                value: 10 * n,
                key: 10 * n,
            },
        );
        assert!(seal(&self.0, &SHAPE));
    }

    /// The first stores of seal number `version` by a writer that is killed before the others.
    fn seal_and_die(&self, version: u64) {
        let slot = SHAPE.latch((version & 1) as usize);
        self.0[LATCH_BEGIN].store(version, Relaxed);
        fence(Release);
        self.0[slot + STATE_COUNT].store(self.0[COUNT].load(Relaxed), Relaxed);
        self.0[slot + STATE_SUM].store(777, Relaxed);
        self.0[slot + STATE_HEADER_WORDS].store(self.0[BUCKETS].load(Relaxed), Relaxed);
    }

    /// One read: the number of the seal if it was accepted. The state must be that seal's.
    fn read(&self) -> Option<u64> {
        let mut state = State::default();
        let version = read_sealed(ReadWords::new(&self.0), &SHAPE, &mut state).ok()?;
        assert_eq!(
            (state.count, state.sum),
            (version, 5 * version * (version + 1)),
            "{version}: {state:?}"
        );
        if version > 0 {
            assert_eq!(
                (state.buckets[0], !state.minimum, state.maximum),
                (version, 10, 10 * version + 1)
            );
        }
        Some(version)
    }
}

/// A writer of `seals` seals against a reader. Returns in how many executions each seal was accepted.
fn seal_against_read(seals: u64) -> [u64; 5] {
    let accepted: &'static [Tally; 5] = Box::leak(Box::default());
    explore(PREEMPTIONS, move || {
        let lane = Lane::new();
        let reader = thread::spawn({
            let lane = lane.clone();
            move || {
                if let Some(version) = lane.read() {
                    accepted[version as usize].fetch_add(1, SeqCst);
                }
            }
        });
        (1..=seals).for_each(|n| lane.record_and_seal(n));
        assert_eq!(lane.read(), Some(seals), "an idle writer is always read");
        reader.join().unwrap();
    });
    accepted.each_ref().map(|tally| tally.load(SeqCst))
}

/// A writer dies in seal 3, another does it again, and a reader may have begun at any time before.
fn redo_against_read() -> [u64; 5] {
    let accepted: &'static [Tally; 5] = Box::leak(Box::default());
    explore(PREEMPTIONS, move || {
        let lane = Lane::new();
        let dead = thread::spawn({
            let lane = lane.clone();
            move || {
                lane.record_and_seal(1);
                lane.record_and_seal(2);
                lane.seal_and_die(3);
            }
        });
        let reader = thread::spawn({
            let lane = lane.clone();
            move || {
                if let Some(version) = lane.read() {
                    accepted[version as usize].fetch_add(1, SeqCst);
                }
            }
        });
        dead.join().unwrap();
        assert_eq!(lane.read(), Some(2), "a writer dead in a seal is always read");
        lane.record_and_seal(3);
        assert_eq!(lane.read(), Some(3));
        reader.join().unwrap();
    });
    accepted.each_ref().map(|tally| tally.load(SeqCst))
}

#[test]
fn an_accepted_copy_is_exactly_that_seal() {
    let _alone = loom_support::alone();
    for seals in 1..=4 {
        let accepted = seal_against_read(seals);
        eprintln!("{seals} seals: accepted 0 to 4 in {accepted:?} executions");
        assert!(
            accepted[..=seals as usize].iter().all(|count| *count > 0),
            "{accepted:?}"
        );
    }
}

#[test]
fn a_seal_cut_short_is_done_again_and_never_read_half() {
    let _alone = loom_support::alone();
    let accepted = redo_against_read();
    eprintln!("seal 3 done again: accepted {accepted:?}");
    assert!(accepted[..4].iter().all(|count| *count > 0), "{accepted:?}");
}

const MUTANTS: &[Mutant] = &[
    ("latch.l1", three_seals),
    ("latch.l3", three_seals),
    ("latch.r1", three_seals),
    ("latch.r2", three_seals),
    ("latch.one_too_many", three_seals),
    ("latch.lowered_begin", redo),
];

fn three_seals() {
    seal_against_read(3);
}

fn redo() {
    redo_against_read();
}

#[test]
fn every_mutant_is_caught() {
    loom_support::every_mutant_is_caught(MUTANTS);
}
