//! `prometheus-client`, the official library.

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram};
use prometheus_client::registry::Registry;

use super::{BOUNDS, labels, raw, route, seconds, value};
use crate::measure::{Alone, OPERATIONS, Work, durations, rotate};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    method: &'static str,
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    method: &'static str,
    route: String,
}

pub fn inc() -> Work {
    let counters: Vec<Counter> = (0..OPERATIONS).map(|_| Counter::default()).collect();
    Box::new(move |turns| {
        rotate(&counters, turns, |counter| {
            counter.inc();
        });
    })
}

pub fn inside() -> Alone<'static> {
    let counters: Vec<Counter> = (0..OPERATIONS).map(|_| Counter::default()).collect();
    Box::new(move |turns| {
        raw::inside(&counters, turns, |counter| {
            counter.inc();
        });
    })
}

pub fn family() -> Work {
    let family = Family::<Labels, Counter>::default();
    let labels = labels().map(|[method, code]| Labels { method, code });
    Box::new(move |turns| {
        rotate(&labels, turns, |labels| {
            family.get_or_create(labels).inc();
        });
    })
}

pub fn set() -> Work {
    let gauges: Vec<Gauge> = (0..OPERATIONS).map(|_| Gauge::default()).collect();
    Box::new(move |turns| {
        rotate(&gauges, turns, |gauge| {
            gauge.set(7);
        });
    })
}

pub fn record(count: usize) -> Work {
    let histograms: Vec<Histogram> = (0..count).map(|_| Histogram::new(BOUNDS)).collect();
    let values = seconds();
    Box::new(move |turns| durations(&histograms, &values, turns, |one, value: f64| one.observe(value)))
}

fn registry(count: usize) -> Registry {
    let family = Family::<Route, Counter>::default();
    for n in 0..count {
        let labels = Route {
            method: "GET",
            route: route(n),
        };
        family.get_or_create(&labels).inc_by(value(n));
    }
    let mut registry = Registry::default();
    registry.register("requests", "Requests answered", family);
    registry
}

pub fn text(count: usize) -> Alone<'static> {
    let registry = registry(count);
    let out = std::cell::RefCell::new(String::new());
    Box::new(move |turns| {
        for _ in 0..turns {
            let mut out = out.borrow_mut();
            out.clear();
            encode(&mut *out, &registry).expect("text");
        }
    })
}

pub fn series(count: usize) -> Box<dyn std::any::Any> {
    Box::new(registry(count))
}

pub fn kept_histograms(count: usize) -> Box<dyn std::any::Any> {
    let histograms: Vec<Histogram> = (0..count).map(|_| Histogram::new(BOUNDS)).collect();
    Box::new(histograms)
}
