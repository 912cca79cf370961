//! Writers and readers on threads, over words on the heap: what loom explores exhaustively for a few steps, with the real atomics and for
//! longer. Nothing here asks the system for anything but threads, so that Miri can run it (`ci/miri.sh`), and the thread sanitizer does.

use std::sync::atomic::AtomicBool;
use std::thread;

use super::histogram::{IntegerSum, Observation, State, Torn, read_live, record};
use super::{index, latch, placement, ring, shared};
use crate::layout::block::{BlockShape, EPOCH};
use crate::sync::{Acquire, AtomicU64, Relaxed, Release};
use crate::words::ReadWords;

const BUCKETS: usize = 4;
/// Miri takes a millisecond for what takes a nanosecond.
const RECORDS: u64 = if cfg!(miri) { 40 } else { 20_000 };

fn words(length: usize) -> Vec<AtomicU64> {
    (0..length).map(|_| AtomicU64::new(0)).collect()
}

/// Record n is n, into one bucket after another: so count, sum and buckets of any prefix of the records follow from each other.
fn observation(n: u64) -> Observation {
    Observation {
        index: (n % BUCKETS as u64) as usize,
        value: n,
        key: n,
    }
}

#[track_caller]
fn assert_is_a_prefix(state: &State) {
    let n = state.count;
    assert_eq!(state.sum, n * (n + 1) / 2, "{state:?}");
    let in_bucket = |bucket: u64| (1..=n).filter(|n| n % BUCKETS as u64 == bucket).count() as u64;
    let buckets: Vec<u64> = (0..BUCKETS as u64).map(in_bucket).collect();
    assert_eq!(state.buckets, buckets, "{state:?}");
}

/// Runs `write` on a thread of its own, and `read` again and again until that has ended, and once more. `read` gives the count of what it
/// accepted; that never goes down, and ends with all.
fn never_less_and_all_in_the_end(write: impl FnOnce() + Send, mut read: impl FnMut() -> Option<u64>) {
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            write();
            is_done.store(true, Release);
        });
        let mut last = 0;
        loop {
            let was_done = is_done.load(Acquire);
            if let Some(count) = read() {
                assert!(count >= last, "{count} after {last}");
                last = count;
            }
            if was_done {
                assert_eq!(last, RECORDS);
                break;
            }
        }
    });
}

#[test]
fn what_is_read_live_is_a_prefix_of_the_records() {
    let shape = BlockShape::new(BUCKETS, 0);
    let (block, incarnation) = (words(shape.words()), words(1));
    let mut state = State::default();
    never_less_and_all_in_the_end(
        || {
            (1..=RECORDS).for_each(|n| {
                record::<IntegerSum>(&block, BUCKETS, observation(n));
            });
        },
        || {
            let (block, incarnation) = (ReadWords::new(&block), ReadWords::new(&incarnation));
            read_live(block, incarnation, &shape, &mut state).ok()?;
            assert_is_a_prefix(&state);
            Some(state.count)
        },
    );
}

#[test]
fn what_is_read_sealed_is_a_prefix_of_the_records() {
    let shape = BlockShape::new(BUCKETS, 0);
    let block = words(shape.words());
    let mut state = State::default();
    never_less_and_all_in_the_end(
        || {
            for n in 1..=RECORDS {
                record::<IntegerSum>(&block, BUCKETS, observation(n));
                assert!(latch::seal(&block, &shape));
            }
        },
        || match latch::read_sealed(ReadWords::new(&block), &shape, &mut state) {
            Ok(version) => {
                assert_is_a_prefix(&state);
                assert_eq!(version, state.count);
                Some(version)
            }
            Err(Torn) => None,
        },
    );
}

#[test]
fn a_state_of_the_ring_is_what_there_was_at_its_epoch() {
    let shape = BlockShape::new(BUCKETS, 3);
    let (block, incarnation) = (words(shape.words()), words(1));
    let mut state = State::default();
    // Record n is made in epoch n.
    never_less_and_all_in_the_end(
        || {
            for n in 1..=RECORDS {
                ring::rotate(&block, &shape, n);
                record::<IntegerSum>(&block, BUCKETS, observation(n));
            }
        },
        || {
            let at = block[EPOCH].load(Relaxed).saturating_sub(1);
            let (words, lane) = (ReadWords::new(&block), ReadWords::new(&incarnation));
            if ring::read_state_at(words, lane, &shape, at, &mut state).is_ok() {
                assert_is_a_prefix(&state);
                assert_eq!(state.count, at);
            }
            ring::read_state_at(words, lane, &shape, u64::MAX, &mut state).ok()?;
            assert_is_a_prefix(&state);
            Some(state.count)
        },
    );
}

#[test]
fn two_writers_of_the_shared_lane_lose_nothing() {
    let shape = BlockShape::new(BUCKETS, 0);
    let block = words(shape.words());
    let mut state = State::default();
    let half = || {
        for _ in 0..RECORDS / 2 {
            shared::record::<IntegerSum>(&block, BUCKETS, observation(3));
        }
    };
    never_less_and_all_in_the_end(
        || {
            thread::scope(|scope| {
                scope.spawn(half);
                half();
            });
        },
        || {
            let difference = shared::read(ReadWords::new(&block), &shape, &mut state);
            (difference.0 == 0).then(|| {
                assert_eq!(state.sum, 3 * state.count);
                state.count
            })
        },
    );
}

#[test]
fn registrants_at_once_agree_on_one_record_and_one_place() {
    // Both register the same keys, each with records of its own; a record tells its key.
    const KEYS: u64 = 20;
    let (table, keys, cells, next) = (words(64), words(64), words(64), AtomicU64::new(0));
    let register = |filler: u64| -> Vec<(u64, u64)> {
        let key_of = |number: u64| keys[number as usize].load(Relaxed);
        let one = |key: u64| {
            let number = 1 + 2 * key + filler;
            keys[number as usize].store(key + 1, Relaxed);
            let matches = |found: u64| key_of(found) == key + 1;
            let number = index::publish(&table, key << 32, number, matches).unwrap();
            let cell = |number: u64| &cells[number as usize];
            (
                number,
                placement::place(&next, number, 1 << 20, cell, key_of).unwrap(),
            )
        };
        (0..KEYS).map(one).collect()
    };
    let (here, there) = thread::scope(|scope| {
        let there = scope.spawn(|| register(1));
        (register(0), there.join().unwrap())
    });
    assert_eq!(here, there);
    let mut places: Vec<u64> = here.iter().map(|(_, place)| *place).collect();
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), KEYS as usize, "no place twice: {here:?}");
    assert_eq!(placement::free(next.load(Relaxed)), (1..=KEYS).sum::<u64>());
}
