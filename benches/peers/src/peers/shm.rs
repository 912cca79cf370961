//! shmetrics.

use std::path::Path;
use std::time::Duration;

use shmetrics::{BoundCounter, Counter, Gauge, Histogram, Segment, Unit};

use super::{labels, raw};
use crate::measure::{Alone, DURATIONS, OPERATIONS, Work, durations, nanoseconds, rotate};

/// A segment with default capacities, and the calling thread's lane.
pub fn segment(path: &Path) -> Segment {
    let segment = Segment::options().open_or_create_at(path).expect("a segment");
    // In the shared lane everything would cost something else.
    assert!(segment.attach_thread(), "no lane");
    segment
}

pub fn counters(segment: &Segment, count: usize) -> Vec<Counter> {
    let register = |n: usize| {
        let route = super::route(n);
        let counter = segment.counter("requests_total").help("Requests answered");
        counter
            .label("method", "GET")
            .label("route", &route)
            .register()
            .expect("a counter")
    };
    (0..count).map(register).collect()
}

pub fn histograms(segment: &Segment, count: usize) -> Vec<Histogram> {
    let register = |n: usize| {
        let stage = n.to_string();
        let histogram = segment
            .histogram("latency_seconds")
            .unit(Unit::Seconds)
            .help("How long it took");
        histogram.label("stage", &stage).register().expect("a histogram")
    };
    (0..count).map(register).collect()
}

pub fn inc(segment: &Segment) -> Work {
    let counters = counters(segment, OPERATIONS);
    Box::new(move |turns| rotate(&counters, turns, Counter::inc))
}

pub fn bound(segment: &Segment) -> Alone<'static> {
    let counters: Vec<BoundCounter> = counters(segment, OPERATIONS).iter().map(Counter::bind).collect();
    Box::new(move |turns| rotate(&counters, turns, BoundCounter::inc))
}

pub fn inside(segment: &Segment) -> Alone<'static> {
    let counters = counters(segment, OPERATIONS);
    Box::new(move |turns| raw::inside(&counters, turns, Counter::inc))
}

pub fn bound_inside(segment: &Segment) -> Alone<'static> {
    let counters: Vec<BoundCounter> = counters(segment, OPERATIONS).iter().map(Counter::bind).collect();
    Box::new(move |turns| raw::inside(&counters, turns, BoundCounter::inc))
}

pub fn family(segment: &Segment) -> Work {
    let family = segment
        .counter("answers_total")
        .family(["method", "code"])
        .expect("a family");
    let labels = labels();
    Box::new(move |turns| rotate(&labels, turns, |labels| family.with(*labels).inc()))
}

pub fn set(segment: &Segment) -> Work {
    let gauges: Vec<Gauge> = (0..OPERATIONS)
        .map(|n| {
            segment
                .gauge("depth")
                .label("queue", &n.to_string())
                .register()
                .expect("a gauge")
        })
        .collect();
    Box::new(move |turns| rotate(&gauges, turns, |gauge| gauge.set(7)))
}

/// Durations as a program has them.
fn values() -> Box<[Duration; DURATIONS]> {
    let nanoseconds = nanoseconds();
    Box::new(std::array::from_fn(|n| Duration::from_nanos(nanoseconds[n])))
}

pub fn record(segment: &Segment, count: usize) -> Work {
    let histograms = histograms(segment, count);
    let values = values();
    Box::new(move |turns| {
        durations(&histograms, &values, turns, |one, value| {
            one.record_duration(value)
        })
    })
}

pub fn bound_record(segment: &Segment, count: usize) -> Alone<'static> {
    let histograms: Vec<_> = histograms(segment, count).iter().map(Histogram::bind).collect();
    let values = values();
    Box::new(move |turns| {
        durations(&histograms, &values, turns, |one, value| {
            one.record_duration(value)
        })
    })
}

pub fn timed(segment: &Segment) -> Work {
    let histograms = histograms(segment, 1);
    Box::new(move |turns| {
        for _ in 0..turns * OPERATIONS as u64 {
            let _timer = histograms[0].start_timer();
        }
    })
}

/// Removes the segment's file, when nothing is measured in it any more.
pub fn remove(segment: &Segment) {
    if let Some(path) = segment.path() {
        let _ = std::fs::remove_file(path);
    }
}
