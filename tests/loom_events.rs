//! Promise: a reader of events takes each event once, whole, in order, or counts it as lost; also when its writer is killed anywhere in
//! the middle of one and the next owner of the lane goes on.
#![cfg(shmetrics_loom)]

mod loom_support;

use loom::thread;
use loom_support::{Mutant, explore, words};
use shmetrics::layout::events::*;
use shmetrics::protocol::events::*;
use shmetrics::sync::{AtomicU64, Relaxed, Release, fence};
use shmetrics::words::ReadWords;
use std::sync::Arc;

/// Two records: the third event overwrites the first.
fn shape() -> EventsShape {
    EventsShape::new(2, 64).unwrap()
}

/// An event of two words, both of which say which one it is.
fn event(block: &[AtomicU64], value: u64) {
    write(block, &shape(), |words| fill(words, value));
}

fn fill(words: &[AtomicU64], value: u64) {
    words[0].store(value, Relaxed);
    words[1].store(value, Relaxed);
}

/// Reads all after `from`: checks that what is taken is whole and that of its number, and returns where to go on and how many were
/// taken. `value_of` says what the event with a number holds.
fn read_all(block: &[AtomicU64], from: u64, value_of: fn(u64) -> u64) -> (u64, u64) {
    let (words, shape) = (ReadWords::new(block), shape());
    let end = end(words, &shape);
    let mut taken = 0;
    for number in first(from, end, &shape)..end {
        let mut into = [0; 2];
        if read(words, &shape, number, &mut into) {
            assert_eq!(into, [value_of(number); 2], "event {number} is torn");
            taken += 1;
        }
    }
    (next(from, end), taken)
}

/// Three events, a reader that looks twice. What it does not take must be overwritten by then: of the last two it misses none that it
/// was told of, unless a later event began.
fn reader_against_writer() {
    explore(Some(0), || {
        let block = Arc::new(words(shape().words()));
        let reader = thread::spawn({
            let block = block.clone();
            move || {
                let (middle, some) = read_all(&block, 0, |number| 70 + number);
                let (end, more) = read_all(&block, middle, |number| 70 + number);
                assert!(middle <= end && end <= 3, "{middle} {end}");
                assert!(some <= middle && more <= end - middle);
            }
        });
        for number in 0..3 {
            event(&block, 70 + number);
        }
        reader.join().unwrap();
    });
}

/// Two events in a ring of two: nothing is overwritten, so nothing may be lost.
fn nothing_is_lost_without_need() {
    explore(Some(0), || {
        let block = Arc::new(words(shape().words()));
        let reader = thread::spawn({
            let block = block.clone();
            move || {
                let (end, taken) = read_all(&block, 0, |number| 70 + number);
                assert_eq!(taken, end, "an event was counted as lost that nobody overwrote");
            }
        });
        event(&block, 70);
        event(&block, 71);
        reader.join().unwrap();
    });
}

/// The writer of event 1 is killed after its first `stores` stores; the next owner writes two events more.
fn adopted_after(stores: usize) {
    explore(Some(0), move || {
        let block = Arc::new(words(shape().words()));
        let reader = thread::spawn({
            let block = block.clone();
            move || {
                // Event 1 is the dead one's, if it landed; then those of the next owner follow it.
                let value_of = if stores >= 4 {
                    |number| [70, 71, 82, 83][number as usize]
                } else {
                    |number| [70, 82, 83][number as usize]
                };
                let (middle, some) = read_all(&block, 0, value_of);
                let (end, more) = read_all(&block, middle, value_of);
                assert!(end <= 3 + u64::from(stores >= 4));
                assert!(some <= middle && more <= end - middle);
            }
        });
        event(&block, 70);
        let start = shape().record(1);
        for store in 0..stores {
            match store {
                0 => {
                    block[start].store(3, Relaxed);
                    fence(Release);
                }
                3 => block[start].store(4, Release),
                word => block[start + word].store(71, Relaxed),
            }
        }
        repair(&block, &shape());
        event(&block, 82);
        event(&block, 83);
        reader.join().unwrap();
    });
}

#[test]
fn an_event_is_taken_once_and_whole_or_counted_as_lost() {
    let _alone = loom_support::alone();
    reader_against_writer();
}

#[test]
fn what_nobody_overwrites_is_not_lost() {
    let _alone = loom_support::alone();
    nothing_is_lost_without_need();
}

#[test]
fn an_event_cut_short_did_not_happen_and_one_that_landed_stays() {
    let _alone = loom_support::alone();
    for stores in 0..=4 {
        adopted_after(stores);
    }
}

const MUTANTS: &[Mutant] = &[
    ("events.begin", reader_against_writer),
    ("events.landed", reader_against_writer),
    ("events.position", nothing_is_lost_without_need),
    ("events.o1", nothing_is_lost_without_need),
    ("events.o3", reader_against_writer),
    ("events.o3_end", reader_against_writer),
    ("events.no_check", reader_against_writer),
    ("events.back", reader_against_writer),
    ("events.no_repair", || adopted_after(4)),
];

#[test]
fn every_mutant_is_caught() {
    loom_support::every_mutant_is_caught(MUTANTS);
}
