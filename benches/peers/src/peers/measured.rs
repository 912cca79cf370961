//! `measured`: labels that are known to the compiler.

use measured::lasso::ThreadedRodeo;
use measured::metric::histogram::Thresholds;
use measured::text::BufferedTextEncoder;
use measured::{Counter, CounterVec, FixedCardinalityLabel, Gauge, Histogram, LabelGroup, MetricGroup};

use super::{BOUNDS, raw, route, seconds, value};
use crate::measure::{Alone, OPERATIONS, Work, durations, rotate};

#[derive(Clone, Copy, Debug, PartialEq, FixedCardinalityLabel)]
enum Method {
    Get,
    Head,
    Post,
    Put,
}

#[derive(Clone, Copy, Debug, PartialEq, FixedCardinalityLabel)]
enum Code {
    A200,
    A201,
    A202,
    A204,
    A206,
    A301,
    A302,
    A304,
    A400,
    A401,
    A403,
    A404,
    A429,
    A500,
    A502,
    A503,
}

#[derive(Clone, Copy, Debug, PartialEq, LabelGroup)]
#[label(set = LabelsSet)]
struct Labels {
    method: Method,
    code: Code,
}

fn counters() -> Vec<Counter> {
    (0..OPERATIONS).map(|_| Counter::new()).collect()
}

pub fn inc() -> Work {
    let counters = counters();
    Box::new(move |turns| rotate(&counters, turns, |counter| counter.get_metric().inc()))
}

pub fn inside() -> Alone<'static> {
    let counters = counters();
    Box::new(move |turns| raw::inside(&counters, turns, |counter| counter.get_metric().inc()))
}

/// Of labels that are enums, so that the place of a series is a number.
pub fn family() -> Work {
    use {Code::*, Method::*};
    let codes = [
        A200, A201, A202, A204, A206, A301, A302, A304, A400, A401, A403, A404, A429, A500, A502, A503,
    ];
    let methods = [Get, Head, Post, Put];
    let vector = CounterVec::with_label_set(LabelsSet::default());
    let labels: [Labels; OPERATIONS] = std::array::from_fn(|n| Labels {
        method: methods[n % 4],
        code: codes[n / 4],
    });
    Box::new(move |turns| rotate(&labels, turns, |labels| vector.inc(*labels)))
}

pub fn set() -> Work {
    let gauges: Vec<Gauge> = (0..OPERATIONS).map(|_| Gauge::new()).collect();
    Box::new(move |turns| rotate(&gauges, turns, |gauge| gauge.get_metric().set(7)))
}

pub fn record(count: usize) -> Work {
    let bounds = || Thresholds::with_buckets(BOUNDS);
    let histograms: Vec<Histogram<11>> = (0..count).map(|_| Histogram::with_metadata(bounds())).collect();
    let values = seconds();
    Box::new(move |turns| {
        durations(&histograms, &values, turns, |one, value: f64| {
            one.get_metric().observe(value)
        })
    })
}

pub fn timed() -> Work {
    let histogram = Histogram::<11>::with_metadata(Thresholds::with_buckets(BOUNDS));
    Box::new(move |turns| {
        for _ in 0..turns * OPERATIONS as u64 {
            let _timer = histogram.start_timer();
        }
    })
}

/// Labels that are not known before.
#[derive(Clone, Copy, Debug, PartialEq, LabelGroup)]
#[label(set = RouteSet)]
struct Route<'a> {
    method: Method,
    #[label(dynamic_with = ThreadedRodeo)]
    route: &'a str,
}

#[derive(MetricGroup)]
struct Metrics {
    /// Requests answered
    requests: CounterVec<RouteSet>,
}

pub fn text(count: usize) -> Alone<'static> {
    let metrics = Metrics {
        requests: CounterVec::with_label_set(RouteSet {
            route: ThreadedRodeo::new(),
            method: Default::default(),
        }),
    };
    for n in 0..count {
        let route = route(n);
        let labels = Route {
            method: Method::Get,
            route: &route,
        };
        metrics.requests.inc_by(labels, value(n));
    }
    let encoder = std::cell::RefCell::new(BufferedTextEncoder::new());
    Box::new(move |turns| {
        for _ in 0..turns {
            let mut encoder = encoder.borrow_mut();
            metrics.collect_group_into(&mut *encoder).expect("text");
            std::hint::black_box(encoder.finish());
        }
    })
}
