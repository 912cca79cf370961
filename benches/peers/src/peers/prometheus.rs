//! `prometheus`, the library of TiKV.

use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};

use super::{labels, raw, route, seconds, value};
use crate::measure::{Alone, OPERATIONS, Work, durations, rotate};

/// Counters with two labels, as many as wanted.
fn vector(count: usize) -> (IntCounterVec, Vec<IntCounter>) {
    let vector = IntCounterVec::new(
        Opts::new("requests_total", "Requests answered"),
        &["method", "route"],
    )
    .expect("a vector");
    let counters = (0..count)
        .map(|n| vector.with_label_values(&["GET", &route(n)]))
        .collect();
    (vector, counters)
}

pub fn inc() -> Work {
    let (_, counters) = vector(OPERATIONS);
    Box::new(move |turns| rotate(&counters, turns, IntCounter::inc))
}

pub fn inside() -> Alone<'static> {
    let (_, counters) = vector(OPERATIONS);
    Box::new(move |turns| raw::inside(&counters, turns, IntCounter::inc))
}

pub fn family() -> Work {
    let vector =
        IntCounterVec::new(Opts::new("answers_total", "Answers"), &["method", "code"]).expect("a vector");
    let labels = labels();
    Box::new(move |turns| rotate(&labels, turns, |labels| vector.with_label_values(labels).inc()))
}

pub fn set() -> Work {
    let gauges: Vec<IntGauge> = (0..OPERATIONS)
        .map(|n| IntGauge::new(format!("depth{n}"), "Depth").expect("a gauge"))
        .collect();
    Box::new(move |turns| rotate(&gauges, turns, |gauge| gauge.set(7)))
}

fn histograms(count: usize) -> Vec<Histogram> {
    (0..count)
        .map(|n| {
            Histogram::with_opts(HistogramOpts::new(format!("latency{n}"), "Latency")).expect("a histogram")
        })
        .collect()
}

pub fn record(count: usize) -> Work {
    let histograms = histograms(count);
    let values = seconds();
    Box::new(move |turns| durations(&histograms, &values, turns, |one, value: f64| one.observe(value)))
}

pub fn timed() -> Work {
    let histograms = histograms(1);
    Box::new(move |turns| {
        for _ in 0..turns * OPERATIONS as u64 {
            let _timer = histograms[0].start_timer();
        }
    })
}

fn registry(count: usize) -> Registry {
    let (vector, counters) = vector(count);
    for (n, counter) in counters.iter().enumerate() {
        counter.inc_by(value(n));
    }
    let registry = Registry::new();
    registry.register(Box::new(vector)).expect("registered");
    registry
}

/// Values out of the metrics, into messages.
pub fn gather(count: usize) -> Alone<'static> {
    let registry = registry(count);
    Box::new(move |turns| {
        for _ in 0..turns {
            std::hint::black_box(registry.gather());
        }
    })
}

pub fn text(count: usize) -> Alone<'static> {
    let registry = registry(count);
    let out = std::cell::RefCell::new(String::new());
    Box::new(move |turns| {
        for _ in 0..turns {
            let mut out = out.borrow_mut();
            out.clear();
            TextEncoder::new()
                .encode_utf8(&registry.gather(), &mut out)
                .expect("text");
        }
    })
}

/// What one more series takes: something that is kept, and how many series that is.
pub fn series(count: usize) -> Box<dyn std::any::Any> {
    Box::new(registry(count))
}

/// The same for histograms.
pub fn kept_histograms(count: usize) -> Box<dyn std::any::Any> {
    Box::new(histograms(count))
}
