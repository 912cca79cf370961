//! Promise: the state at an epoch is exactly the state after all records of that and earlier epochs, or it is refused; a state is
//! called too old only if the ring has really lost it. Also when a writer died in the middle of a rotation.
#![cfg(shmetrics_loom)]

mod loom_support;

use loom::thread;
use loom_support::{Mutant, explore, words};
use shmetrics::layout::block::*;
use shmetrics::protocol::histogram::*;
use shmetrics::protocol::ring::*;
use shmetrics::sync::{AtomicU64, Relaxed, Release, fence};
use shmetrics::words::ReadWords;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64 as Tally, Ordering::SeqCst};

/// Enough for every behaviour: see `loom_support`.
const PREEMPTIONS: Option<usize> = Some(0);

/// One bucket; record n has the value 10 n, so that the state after n records has the sum 5 n (n + 1).
struct Lane {
    shape: BlockShape,
    block: Vec<AtomicU64>,
    incarnation: [AtomicU64; 1],
}

impl Lane {
    fn new(slots: usize) -> Arc<Self> {
        let shape = BlockShape::new(1, slots);
        Arc::new(Lane {
            shape,
            block: words(shape.words()),
            incarnation: [AtomicU64::new(1)],
        })
    }

    /// Records once in `epoch`, as an instrument does.
    fn record(&self, epoch: u64) {
        if epoch > self.block[EPOCH].load(Relaxed) {
            rotate(&self.block, &self.shape, epoch);
        }
        let value = 10 * (self.block[COUNT].load(Relaxed) + 1);
        record::<IntegerSum>(
            &self.block,
            1,
            Observation {
                index: 0,
                value,
                key: value,
            },
        );
    }

    /// The first stores of a rotation to `epoch` by a writer that is killed after `stage`.
    fn rotate_and_die(&self, epoch: u64, stage: Stage) {
        let begun = self.block[ROTATIONS].load(Relaxed);
        let slot = self.shape.ring(begun as usize % self.shape.ring_slots);
        self.block[slot + RING_BEGIN].store(epoch - 1, Release);
        if stage >= Stage::Numbered {
            self.block[ROTATIONS].store(begun + 1, Release);
            fence(Release);
        }
        let count = self.block[COUNT].load(Relaxed);
        let state = |word: usize, value| self.block[slot + RING_STATE + word].store(value, Relaxed);
        if stage >= Stage::HalfCopied {
            // Enough to pass for whole: only the sum is that of an older copy.
            state(STATE_COUNT, count);
            state(STATE_LOWEST, 1);
            state(STATE_HIGHEST, 1);
            state(STATE_HEADER_WORDS, count);
        }
        if stage >= Stage::Labelled {
            state(STATE_SUM, self.block[SUM + (count & 1) as usize].load(Relaxed));
            self.block[slot + RING_LABEL].store(epoch - 1, Relaxed);
        }
    }

    /// One attempt for the state at `at`. `epochs` are those of the records, in order; `gone` says that the ring may have lost it.
    fn read(&self, at: u64, epochs: &[u64], gone: bool) -> Result<(), NoState> {
        let mut state = State::default();
        let (block, incarnation) = (ReadWords::new(&self.block), ReadWords::new(&self.incarnation));
        let moved_on = block.load(EPOCH) > at;
        let outcome = read_state_at(block, incarnation, &self.shape, at, &mut state);
        match outcome {
            Ok(()) => {
                let all = epochs.iter().filter(|epoch| **epoch <= at).count() as u64;
                let n = state.count;
                assert!(n <= all, "{n} records, of epochs after {at} too");
                assert!(
                    n == all || !moved_on,
                    "{n} of {all} records, but the lane had moved on"
                );
                assert_eq!((state.sum, state.landed()), (5 * n * (n + 1), n), "{state:?}");
            }
            Err(NoState::TooOld) => assert!(gone, "the state at {at} is not too old"),
            Err(NoState::Torn) => {}
        }
        outcome
    }
}

/// Where in a rotation a writer dies.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Stage {
    Begun,
    Numbered,
    HalfCopied,
    Labelled,
}

const STAGES: [Stage; 4] = [Stage::Begun, Stage::Numbered, Stage::HalfCopied, Stage::Labelled];

/// May a ring of `slots` have lost the state at `at`, after these epochs and `deaths` rotations that were never finished?
fn may_be_gone(slots: usize, epochs: &[u64], deaths: usize, at: u64) -> bool {
    let mut rotations = epochs.to_vec();
    rotations.dedup();
    // Rotation j (from 0) closes the epochs before rotations[j]; it answers for `at` if it is the first with a label >= at.
    let Some(answer) = rotations.iter().position(|epoch| *epoch > at) else {
        return false;
    };
    // A label other than `at` needs the one before it as a witness, or that nothing was ever overwritten.
    let exact = rotations[answer] - 1 == at;
    let needed = if exact { answer + 1 } else { answer };
    rotations.len() + deaths >= needed + slots || (deaths > 0 && !exact)
}

/// One record in each of `epochs`, against a reader of the state at `at`. Returns how many executions got a state.
fn rotate_against_read(slots: usize, epochs: &'static [u64], at: u64) -> u64 {
    let accepted: &'static Tally = Box::leak(Box::default());
    explore(PREEMPTIONS, move || {
        let lane = Lane::new(slots);
        let gone = may_be_gone(slots, epochs, 0, at);
        let reader = thread::spawn({
            let lane = lane.clone();
            move || accepted.fetch_add(lane.read(at, epochs, gone).is_ok() as u64, SeqCst)
        });
        epochs.iter().for_each(|epoch| lane.record(*epoch));
        assert_ne!(
            lane.read(at, epochs, gone),
            Err(NoState::Torn),
            "an idle writer is always read"
        );
        reader.join().unwrap();
    });
    accepted.load(SeqCst)
}

/// A writer records in the epochs `before` and dies while rotating to 9; its successor records in the epochs `then`.
fn die_against_read(
    slots: usize,
    before: &'static [u64],
    stage: Stage,
    then: &'static [u64],
    at: u64,
) -> u64 {
    let accepted: &'static Tally = Box::leak(Box::default());
    explore(PREEMPTIONS, move || {
        let epochs: Vec<u64> = before.iter().chain(then).copied().collect();
        let gone = may_be_gone(slots, &epochs, 1, at);
        let lane = Lane::new(slots);
        let reader = thread::spawn({
            let (lane, epochs) = (lane.clone(), epochs.clone());
            move || accepted.fetch_add(lane.read(at, &epochs, gone).is_ok() as u64, SeqCst)
        });
        before.iter().for_each(|epoch| lane.record(*epoch));
        lane.rotate_and_die(9, stage);
        assert_ne!(
            lane.read(at, before, gone),
            Err(NoState::Torn),
            "a dead writer is always read"
        );
        // From here on another process. The kernel's lock orders it after all of the above, as being one thread does.
        store_incarnation(&lane.incarnation[0], 2);
        repair(&lane.block, &lane.shape);
        then.iter().for_each(|epoch| lane.record(*epoch));
        assert_ne!(lane.read(at, &epochs, gone), Err(NoState::Torn));
        reader.join().unwrap();
    });
    accepted.load(SeqCst)
}

#[test]
fn a_state_is_exact_or_refused() {
    let _alone = loom_support::alone();
    let cases: [(usize, &[u64], &[u64]); 6] = [
        (1, &[5, 6], &[0, 3, 4, 5]),
        (1, &[5, 6, 7], &[5, 6, 7]),
        (2, &[5, 6, 7], &[3, 4, 5]),
        (2, &[5, 6, 7, 8], &[5]),
        (2, &[5, 7, 9], &[4, 5, 6, 7]),
        (3, &[5, 6, 7, 8, 9], &[5]),
    ];
    for (slots, epochs, ats) in cases {
        for at in ats {
            let accepted = rotate_against_read(slots, epochs, *at);
            eprintln!("{slots} slots, epochs {epochs:?}, state at {at}: {accepted} executions got it");
            assert!(accepted > 0);
        }
    }
}

#[test]
fn a_rotation_cut_short_is_done_again_and_never_read_half() {
    let _alone = loom_support::alone();
    // The successor's clock may be ahead of the dead one's (10), or behind: at 7, or still in epoch 5.
    type Case = (usize, &'static [u64], &'static [Stage], &'static [u64]);
    let cases: [Case; 3] = [
        (1, &[5], &STAGES, &[5, 7]),
        (1, &[5], &[Stage::Labelled], &[10]),
        (2, &[5, 6], &STAGES, &[7]),
    ];
    for (slots, before, stages, then) in cases {
        for stage in stages {
            let read = |at| die_against_read(slots, before, *stage, then, at);
            let accepted = [read(4), read(5), read(6)];
            eprintln!("{slots} slots, dead {stage:?}, then {then:?}: {accepted:?} executions got 4, 5, 6");
            assert!(accepted.iter().all(|count| *count > 0));
        }
    }
}

const MUTANTS: &[Mutant] = &[
    ("ring.q2", || _ = rotate_against_read(1, &[5, 6], 4)),
    ("ring.q2_fence", || _ = rotate_against_read(1, &[5, 6], 4)),
    ("ring.q5", || _ = rotate_against_read(1, &[5, 6], 5)),
    ("ring.r2", || _ = rotate_against_read(1, &[5, 6], 4)),
    ("ring.r3", || _ = rotate_against_read(1, &[5, 6], 4)),
    ("ring.no_check", || _ = rotate_against_read(1, &[5, 6], 4)),
    ("ring.live_epoch", || _ = rotate_against_read(1, &[5, 6, 7], 5)),
    ("ring.full_ignored", || _ = rotate_against_read(2, &[5, 6, 7], 4)),
    ("ring.overwriting_ignored", || {
        _ = rotate_against_read(2, &[5, 6, 7], 4)
    }),
    ("ring.begin_ignored", || {
        _ = die_against_read(1, &[5], Stage::HalfCopied, &[7], 4)
    }),
    ("ring.lowered_begin", || {
        _ = die_against_read(1, &[5], Stage::HalfCopied, &[7], 4)
    }),
    ("ring.lowered_rotations", || {
        _ = die_against_read(1, &[5], Stage::HalfCopied, &[7], 4)
    }),
    ("ring.same_number", || {
        _ = die_against_read(1, &[5], Stage::Begun, &[7], 4)
    }),
];

#[test]
fn every_mutant_is_caught() {
    loom_support::every_mutant_is_caught(MUTANTS);
}
