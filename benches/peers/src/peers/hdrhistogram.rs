//! `hdrhistogram`, for one thread.

use std::cell::RefCell;

use hdrhistogram::Histogram;

use crate::measure::{Alone, durations, nanoseconds};

/// To an hour in ns, two significant digits.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 3_600_000_000_000, 2).expect("a histogram")
}

pub fn record(count: usize) -> Alone<'static> {
    let histograms: Vec<RefCell<Histogram<u64>>> = (0..count).map(|_| RefCell::new(histogram())).collect();
    let values = nanoseconds();
    Box::new(move |turns| {
        durations(&histograms, &values, turns, |one, value: u64| {
            let _ = one.borrow_mut().record(value);
        });
    })
}

pub fn kept_histograms(count: usize) -> Box<dyn std::any::Any> {
    let histograms: Vec<Histogram<u64>> = (0..count).map(|_| histogram()).collect();
    Box::new(histograms)
}
