//! `opentelemetry` with its SDK, read by `opentelemetry-prometheus`.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{BoundCounter, Counter, Histogram, Meter, MeterProvider};
use opentelemetry_sdk::metrics::{Instrument, SdkMeterProvider, Stream};
use prometheus::{Registry, TextEncoder};

use super::{BOUNDS, labels, raw, route, seconds, value};
use crate::measure::{Alone, OPERATIONS, Work, durations, rotate};

/// Beyond so many sets of attributes it would put all others into one series; 2,000 by default.
const MOST_SERIES: usize = 200_000;

fn meter() -> (SdkMeterProvider, Meter, Registry) {
    let registry = Registry::new();
    let exporter = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .build()
        .expect("an exporter");
    let roomy = |_: &Instrument| Stream::builder().with_cardinality_limit(MOST_SERIES).build().ok();
    let provider = SdkMeterProvider::builder()
        .with_reader(exporter)
        .with_view(roomy)
        .build();
    let meter = provider.meter("peers");
    (provider, meter, registry)
}

fn bound_counters(meter: &Meter, count: usize) -> Vec<BoundCounter<u64>> {
    let counter = meter.u64_counter("requests").build();
    (0..count)
        .map(|n| counter.bind(&[KeyValue::new("method", "GET"), KeyValue::new("route", route(n))]))
        .collect()
}

pub fn inc() -> Work {
    let (provider, meter, _) = meter();
    let counters = bound_counters(&meter, OPERATIONS);
    Box::new(move |turns| {
        rotate(&counters, turns, |counter| counter.add(1));
        let _ = &provider;
    })
}

pub fn inside() -> Alone<'static> {
    let (provider, meter, _) = meter();
    let counters = bound_counters(&meter, OPERATIONS);
    Box::new(move |turns| {
        raw::inside(&counters, turns, |counter| counter.add(1));
        let _ = &provider;
    })
}

/// By attributes, as its users do.
pub fn family() -> Work {
    let (provider, meter, _) = meter();
    let counter: Counter<u64> = meter.u64_counter("answers").build();
    let attributes =
        labels().map(|[method, code]| [KeyValue::new("method", method), KeyValue::new("code", code)]);
    Box::new(move |turns| {
        rotate(&attributes, turns, |attributes| counter.add(1, attributes));
        let _ = &provider;
    })
}

pub fn set() -> Work {
    let (provider, meter, _) = meter();
    let gauge = meter.i64_gauge("depth").build();
    let gauges: Vec<_> = (0..OPERATIONS)
        .map(|n| gauge.bind(&[KeyValue::new("queue", n.to_string())]))
        .collect();
    Box::new(move |turns| {
        rotate(&gauges, turns, |gauge| gauge.record(7));
        let _ = &provider;
    })
}

pub fn record(count: usize) -> Work {
    let (provider, meter, _) = meter();
    let histogram: Histogram<f64> = meter
        .f64_histogram("latency")
        .with_boundaries(BOUNDS.to_vec())
        .build();
    let histograms: Vec<_> = (0..count)
        .map(|n| histogram.bind(&[KeyValue::new("stage", n.to_string())]))
        .collect();
    let values = seconds();
    Box::new(move |turns| {
        durations(&histograms, &values, turns, |one, value: f64| one.record(value));
        let _ = &provider;
    })
}

pub fn text(count: usize) -> Alone<'static> {
    let (provider, meter, registry) = meter();
    for (n, counter) in bound_counters(&meter, count).iter().enumerate() {
        counter.add(value(n));
    }
    let out = std::cell::RefCell::new(String::new());
    Box::new(move |turns| {
        for _ in 0..turns {
            let mut out = out.borrow_mut();
            out.clear();
            TextEncoder::new()
                .encode_utf8(&registry.gather(), &mut out)
                .expect("text");
        }
        let _ = &provider;
    })
}
