//! Promise: a sample that a reader accepts is whole, and is the one that its number says, whatever the writer overwrites meanwhile and
//! wherever it dies; and in the shared lane every value is one that somebody recorded, as new as its time.
#![cfg(shmetrics_loom)]

mod loom_support;

use loom::thread;
use loom_support::{Mutant, explore, words};
use shmetrics::layout::samples::*;
use shmetrics::protocol::samples::*;
use shmetrics::sync::{AtomicU64, Relaxed, Release, fence, mutant};
use shmetrics::words::ReadWords;
use std::sync::Arc;

/// One sample is shown, and there are two entries: the third sample is in the entry of the first.
const SHAPE: SamplesShape = SamplesShape::LEAST;

fn block() -> Arc<Vec<AtomicU64>> {
    Arc::new(words(SHAPE.words()))
}

/// Sample n has the value n and the time 10 n.
fn record_next(block: &[AtomicU64]) {
    let number = block[SAMPLES_ENDED].load(Relaxed) + 1;
    record(block, &SHAPE, 10 * number, number as f64);
}

fn check_read(block: &[AtomicU64]) {
    let (mut scratch, mut found) = (Vec::new(), Vec::new());
    let read = read(ReadWords::new(block), &SHAPE, &mut scratch, |sample| {
        found.push(sample)
    });
    assert!(
        found.len() as u64 + read.overtaken == read.count.min(1),
        "{read:?}"
    );
    for sample in found {
        let number = read.count - sample.back;
        let told = (f64::from_bits(sample.value), sample.time_ns);
        assert_eq!(told, (number as f64, 10 * number), "sample {number}");
    }
}

/// A writer records `samples`; somewhere in between a reader reads.
fn record_against_read(samples: u64) {
    explore(Some(0), move || {
        let block = block();
        let reader = thread::spawn({
            let block = block.clone();
            move || check_read(&block)
        });
        (0..samples).for_each(|_| record_next(&block));
        reader.join().unwrap();
    });
}

#[test]
fn a_sample_is_whole_or_absent() {
    let _alone = loom_support::alone();
    for samples in 1..=4 {
        record_against_read(samples);
    }
}

/// The third sample is cut short after `stores` of its stores, and recorded anew by the next owner.
fn record_after_death(stores: usize) {
    explore(Some(0), move || {
        let block = block();
        let reader = thread::spawn({
            let block = block.clone();
            move || check_read(&block)
        });
        (0..2).for_each(|_| record_next(&block));
        block[SAMPLES_BEGUN].store(3, Relaxed);
        fence(Release);
        let entry = SHAPE.entry(3);
        for word in [SAMPLE_TIME, SAMPLE_VALUE].iter().take(stores) {
            block[entry + word].store(777, Relaxed);
        }
        if mutant::active("samples.begun_lowered") {
            // What an adopter must not do.
            block[SAMPLES_BEGUN].store(2, Relaxed);
        }
        record_next(&block);
        reader.join().unwrap();
    });
}

#[test]
fn a_sample_cut_short_is_recorded_anew_and_never_read_half() {
    let _alone = loom_support::alone();
    (0..=2).for_each(record_after_death);
}

/// One writer in the shared lane: the third sample replaces the first.
fn share_against_read() {
    explore(Some(0), || {
        let block = block();
        let reader = thread::spawn({
            let block = block.clone();
            move || {
                let mut scratch = Vec::new();
                read_shared(ReadWords::new(&block), &SHAPE, &mut scratch, |sample| {
                    let value = f64::from_bits(sample.value) as u64;
                    let fits = match sample.time_ns {
                        10 => [1, 3].contains(&value),
                        time_ns => 10 * value == time_ns,
                    };
                    assert!(fits, "{value} at {}", sample.time_ns);
                });
            }
        });
        (1..=3).for_each(|number| record_shared(&block, &SHAPE, 10 * number, number as f64));
        reader.join().unwrap();
    });
}

#[test]
fn in_the_shared_lane_a_value_is_as_new_as_its_time() {
    let _alone = loom_support::alone();
    share_against_read();
}

#[test]
fn nobody_is_lost_in_the_shared_lane() {
    let _alone = loom_support::alone();
    // Writers race with each other: up to three preemptions.
    explore(Some(3), || {
        let block = block();
        let other = thread::spawn({
            let block = block.clone();
            move || record_shared(&block, &SHAPE, 20, 2.0)
        });
        record_shared(&block, &SHAPE, 10, 1.0);
        other.join().unwrap();
        let (mut scratch, mut found) = (Vec::new(), Vec::new());
        let read = read_shared(ReadWords::new(&block), &SHAPE, &mut scratch, |sample| {
            found.push((sample.time_ns, f64::from_bits(sample.value)))
        });
        found.sort_by_key(|(time_ns, _)| *time_ns);
        assert_eq!((read.count, found), (2, vec![(10, 1.0), (20, 2.0)]));
    });
}

const MUTANTS: &[Mutant] = &[
    ("samples.k1", || record_against_read(3)),
    ("samples.k1_last", || record_against_read(3)),
    ("samples.k3", || record_against_read(1)),
    ("samples.r1", || record_against_read(1)),
    ("samples.r2", || record_against_read(3)),
    ("samples.one_more", || record_against_read(3)),
    ("samples.unchecked", || record_against_read(3)),
    // A rule of the head of samples.rs for the segment layer.
    ("samples.begun_lowered", || record_after_death(1)),
    ("samples.h3", share_against_read),
    ("samples.r3", share_against_read),
];

#[test]
fn every_mutant_is_caught() {
    loom_support::every_mutant_is_caught(MUTANTS);
}
