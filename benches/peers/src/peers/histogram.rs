//! `histogram`, plain for one thread and atomic for more. It keeps no sum.

use std::cell::RefCell;

use histogram::{AtomicHistogram, Histogram};

use crate::measure::{Alone, Work, durations, nanoseconds};

/// Eight buckets for each power of two, as our default, up to all 64 bits.
const GROUPING_POWER: u8 = 3;
const MAX_VALUE_POWER: u8 = 64;

pub fn plain(count: usize) -> Alone<'static> {
    let one = || Histogram::new(GROUPING_POWER, MAX_VALUE_POWER).expect("a histogram");
    let histograms: Vec<RefCell<Histogram>> = (0..count).map(|_| RefCell::new(one())).collect();
    let values = nanoseconds();
    Box::new(move |turns| {
        durations(&histograms, &values, turns, |one, value: u64| {
            let _ = one.borrow_mut().increment(value);
        });
    })
}

fn atomic(count: usize) -> Vec<AtomicHistogram> {
    (0..count)
        .map(|_| AtomicHistogram::new(GROUPING_POWER, MAX_VALUE_POWER).expect("a histogram"))
        .collect()
}

pub fn record(count: usize) -> Work {
    let histograms = atomic(count);
    let values = nanoseconds();
    Box::new(move |turns| {
        durations(&histograms, &values, turns, |one, value: u64| {
            let _ = one.increment(value);
        });
    })
}

pub fn kept_histograms(count: usize) -> Box<dyn std::any::Any> {
    Box::new(atomic(count))
}
