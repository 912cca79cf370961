//! `metrics`, with the recorder of `metrics-exporter-prometheus`.

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder, counter};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};

use super::{BOUNDS, labels, raw, route, seconds, value};
use crate::measure::{Alone, OPERATIONS, Work, durations, rotate};

const METADATA: Metadata<'static> = Metadata::new("peers", Level::INFO, None);

fn recorder() -> PrometheusRecorder {
    PrometheusBuilder::new()
        .set_buckets(&BOUNDS)
        .expect("buckets")
        .build_recorder()
}

fn key(name: &'static str, n: usize) -> Key {
    Key::from_parts(
        name,
        vec![Label::new("method", "GET"), Label::new("route", route(n))],
    )
}

fn counters(recorder: &PrometheusRecorder, count: usize) -> Vec<Counter> {
    (0..count)
        .map(|n| recorder.register_counter(&key("requests_total", n), &METADATA))
        .collect()
}

pub fn inc() -> Work {
    let counters = counters(&recorder(), OPERATIONS);
    Box::new(move |turns| rotate(&counters, turns, |counter| counter.increment(1)))
}

pub fn inside() -> Alone<'static> {
    let counters = counters(&recorder(), OPERATIONS);
    Box::new(move |turns| raw::inside(&counters, turns, |counter| counter.increment(1)))
}

/// By the macro, as its users do, which looks the counter up each time.
pub fn family() -> Work {
    let recorder = recorder();
    let labels = labels();
    Box::new(move |turns| {
        metrics::with_local_recorder(&recorder, || {
            rotate(&labels, turns, |[method, code]| {
                counter!("answers_total", "method" => *method, "code" => *code).increment(1);
            });
        });
    })
}

pub fn set() -> Work {
    let recorder = recorder();
    let gauges: Vec<Gauge> = (0..OPERATIONS)
        .map(|n| recorder.register_gauge(&key("depth", n), &METADATA))
        .collect();
    Box::new(move |turns| rotate(&gauges, turns, |gauge| gauge.set(7.0)))
}

/// A value is pushed; who scrapes sorts them into buckets.
pub fn record(count: usize) -> Work {
    let recorder = recorder();
    let histograms: Vec<Histogram> = (0..count)
        .map(|n| recorder.register_histogram(&key("latency", n), &METADATA))
        .collect();
    let values = seconds();
    Box::new(move |turns| {
        durations(&histograms, &values, turns, |one, value: f64| one.record(value));
    })
}

pub fn text(count: usize) -> Alone<'static> {
    let recorder = recorder();
    for (n, counter) in counters(&recorder, count).iter().enumerate() {
        counter.increment(value(n));
    }
    let handle = recorder.handle();
    Box::new(move |turns| {
        for _ in 0..turns {
            std::hint::black_box(handle.render());
        }
    })
}

pub fn series(count: usize) -> Box<dyn std::any::Any> {
    let recorder = recorder();
    let counters = counters(&recorder, count);
    Box::new((recorder, counters))
}
