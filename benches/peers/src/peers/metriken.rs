//! `metriken`: static counters and atomic histograms.

use metriken::{AtomicCounterHistogram, Counter, Gauge};

use super::raw;
use crate::measure::{Alone, OPERATIONS, Work, durations, nanoseconds, rotate};

fn counters() -> Vec<Counter> {
    (0..OPERATIONS).map(|_| Counter::new()).collect()
}

pub fn inc() -> Work {
    let counters = counters();
    Box::new(move |turns| {
        rotate(&counters, turns, |counter| {
            counter.increment();
        });
    })
}

pub fn inside() -> Alone<'static> {
    let counters = counters();
    Box::new(move |turns| {
        raw::inside(&counters, turns, |counter| {
            counter.increment();
        });
    })
}

pub fn set() -> Work {
    let gauges: Vec<Gauge> = (0..OPERATIONS).map(|_| Gauge::new()).collect();
    Box::new(move |turns| {
        rotate(&gauges, turns, |gauge| {
            gauge.set(7);
        });
    })
}

/// Eight buckets for each power of two, as our default.
pub fn record(count: usize) -> Work {
    let histograms: Vec<AtomicCounterHistogram> =
        (0..count).map(|_| AtomicCounterHistogram::new(3, 64)).collect();
    let values = nanoseconds();
    Box::new(move |turns| {
        durations(&histograms, &values, turns, |one, value: u64| {
            let _ = one.increment(value);
        });
    })
}
