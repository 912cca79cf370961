//! Snapshots as they are needed. The types of the library cannot be made from outside: real ones are read once, and changed.

use std::sync::{Arc, LazyLock};

use shmetrics::buckets::{Classic, Exponential};
use shmetrics::snapshot::{BucketScheme, Number, Series, Value};
use shmetrics::{Merge, Reader, Segment, Snapshot, Unit};
use shmetrics_exposition::*;

use crate::support::Scratch;

/// A snapshot with a series of each kind.
static TEMPLATE: LazyLock<Snapshot> = LazyLock::new(|| {
    let scratch = Scratch::new("exposition");
    let path = scratch.path("template");
    let segment = Segment::options()
        .role("web-0")
        .without_ticker()
        .create_at(&path)
        .unwrap();
    segment.counter("counter_u64").register().unwrap();
    segment.counter_float("counter_f64").register().unwrap();
    segment.gauge("gauge_i64").register().unwrap().set(1);
    segment.gauge_float("gauge_f64").register().unwrap().set(1.0);
    segment
        .gauge("each")
        .merge(Merge::Each)
        .register()
        .unwrap()
        .set(1);
    segment
        .histogram("histogram_integer")
        .unit(Unit::Seconds)
        .register()
        .unwrap();
    segment
        .histogram_classic("histogram_classic", &[1.0])
        .register()
        .unwrap();
    segment.text("text").register().unwrap().set("any");
    let working = segment.in_flight("in_flight").register().unwrap();
    let _token = working.start("a key");
    segment
        .group("group")
        .fields(["a", "total", "b.c"])
        .register()
        .unwrap();
    let mut snapshot = Reader::open_path(&path).unwrap().snapshot().unwrap();
    snapshot.taken_at_ns = 0;
    snapshot
});

/// When the series of these tests were made: 2026-11-20T09:00:00.25Z.
pub const CREATED_NS: u64 = 1_795_165_200_250_000_000;

fn template(kind: &str) -> Series {
    let found = TEMPLATE
        .series
        .iter()
        .find(|series| series.description.name == kind);
    found.unwrap().clone()
}

/// A series of this name, with these labels.
pub fn series(name: &str, labels: &[(&str, &str)], value: Value) -> Series {
    let mut series = template(match &value {
        Value::CounterU64(_) => "counter_u64",
        Value::CounterF64(_) => "counter_f64",
        Value::GaugeI64(_) => "gauge_i64",
        Value::Each(_) => "each",
        Value::Text(_) => "text",
        Value::Group(_) => "group",
        Value::InFlight(_) => "in_flight",
        Value::Histogram(histogram) => match histogram.scheme {
            BucketScheme::Exponential(_) => "histogram_integer",
            BucketScheme::Classic(_) => "histogram_classic",
        },
        _ => "gauge_f64",
    });
    let description = Arc::make_mut(&mut series.description);
    description.name = name.to_owned();
    description.unit = String::new();
    description.created_ns = CREATED_NS;
    description.labels = labels
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    description.labels.sort();
    series.since_ns = CREATED_NS;
    series.value = value;
    series
}

/// With a help text and a unit.
pub fn described(mut series: Series, help: &str, unit: &str) -> Series {
    let description = Arc::make_mut(&mut series.description);
    description.help = help.to_owned();
    description.unit = unit.to_owned();
    series
}

/// A histogram with this many observations in each bucket.
pub fn histogram(scheme: BucketScheme, counts: Vec<u64>, sum: f64) -> Value {
    let Value::Histogram(mut histogram) = template("histogram_integer").value else {
        unreachable!("a histogram")
    };
    histogram.count = counts.iter().sum();
    histogram.sum = sum;
    (histogram.scheme, histogram.counts) = (scheme, counts);
    Value::Histogram(histogram)
}

/// A histogram of these observations.
pub fn observed(scheme: Exponential, values: &[f64]) -> Value {
    let mut counts = vec![0; scheme.buckets()];
    values.iter().for_each(|value| counts[scheme.index(*value)] += 1);
    let mut value = histogram(
        BucketScheme::Exponential(scheme),
        counts,
        values.iter().fold(0.0, |sum, value| sum + value),
    );
    if let Value::Histogram(histogram) = &mut value {
        histogram.min = values.iter().copied().reduce(f64::min);
        histogram.max = values.iter().copied().reduce(f64::max);
    }
    value
}

pub fn classic(bounds: &[f64], counts: &[u64], sum: f64) -> Value {
    let scheme = BucketScheme::Classic(Arc::new(Classic::new(bounds).unwrap()));
    histogram(scheme, counts.to_vec(), sum)
}

/// A gauge with one value per process: role, slot, value.
pub fn each(values: &[(&str, u64, i64)]) -> Value {
    let Value::Each(template) = template("each").value else {
        unreachable!("a value per process")
    };
    let value = |(role, slot, value): &(&str, u64, i64)| {
        let mut of = template[0].clone();
        (of.role, of.slot, of.value) = (Arc::from(*role), *slot, Number::I64(*value));
        of
    };
    Value::Each(values.iter().map(value).collect())
}

/// A text; `None`: none is set.
pub fn fact(text: Option<&str>) -> Value {
    let scratch = Scratch::new("exposition");
    let path = scratch.path("text");
    let segment = Segment::options().without_ticker().create_at(&path).unwrap();
    let handle = segment.text("text").capacity(4096).register().unwrap();
    text.map(|text| handle.set_at_ns(text, CREATED_NS));
    Reader::open_path(&path).unwrap().snapshot().unwrap().series[0]
        .value
        .clone()
}

/// A group of up to three fields with these values: `a`, `total`, `b.c`.
pub fn group(values: &[u64]) -> Value {
    let Value::Group(mut group) = template("group").value else {
        unreachable!("a group")
    };
    group.fields.truncate(values.len());
    for (field, value) in group.fields.iter_mut().zip(values) {
        field.value = *value;
    }
    Value::Group(group)
}

/// So many keys in flight, of which the oldest is ten seconds old, and some that found no entry.
pub fn in_flight(number: u64) -> Value {
    let Value::InFlight(mut value) = template("in_flight").value else {
        unreachable!("keys in flight")
    };
    (value.number, value.age_us, value.oldest_us) = (number, 12_500_000, Some(10_000_000));
    (value.unknown_ages, value.overflow) = (0, 3);
    Value::InFlight(value)
}

pub fn snapshot(series: Vec<Series>) -> Snapshot {
    let mut snapshot = TEMPLATE.clone();
    snapshot.series = series;
    snapshot
}

/// A service as it may be, with some names that are not plain and some that collide.
pub fn service() -> Snapshot {
    let get = [("method", "GET")];
    let seconds = Exponential::new(0, -3, 2).unwrap();
    snapshot(vec![
        described(
            series("http_requests_total", &get, Value::CounterU64(u64::MAX)),
            "Requests \"served\",\nor \\ not",
            "",
        ),
        series(
            "http_requests_total",
            &[("method", "POST"), ("path", "a\\b\"c\nd é")],
            Value::CounterU64(0),
        ),
        series("hits", &[], Value::CounterU64(7)),
        described(
            series("cpu_seconds_total", &[], Value::CounterF64(0.1 + 0.2)),
            "",
            "seconds",
        ),
        described(
            series("queue_depth", &[], Value::GaugeI64(Some(-5))),
            "",
            "requests",
        ),
        described(
            series("heap_bytes", &[], Value::GaugeF64(Some(1.5e21))),
            "Heap",
            "bytes",
        ),
        series("temperature", &[("of", "cpu")], Value::GaugeF64(Some(f64::NAN))),
        series(
            "temperature",
            &[("of", "sun")],
            Value::GaugeF64(Some(f64::INFINITY)),
        ),
        series("never_set", &[], Value::GaugeI64(None)),
        series(
            "load",
            &[],
            each(&[
                ("web-0", 0, 4),
                ("web-1", 1, -4),
                ("", 2, 1),
                ("batch", 3, 5),
                ("batch", 4, 6),
            ]),
        ),
        described(
            series("deliveries", &[("crawler", "a")], group(&[7, 9, 1 << 60])),
            "Results handed over",
            "",
        ),
        series("requests_in_flight", &[("crawler", "a")], in_flight(3)),
        series("phase", &[], fact(Some("serv\\ing \"all\"\nof them"))),
        series("phase", &[("of", "b"), ("text", "own")], fact(Some("warm"))),
        series("no_phase", &[], fact(None)),
        // Low bucket, two in the middle, overflow.
        described(
            series(
                "latency_seconds",
                &[("route", "/")],
                observed(seconds, &[0.0, 0.125, 0.2, 1.0, 3.0, 3.5, 99.0]),
            ),
            "Time taken",
            "seconds",
        ),
        described(
            series("latency_seconds", &[("route", "/idle")], observed(seconds, &[])),
            "Time taken",
            "seconds",
        ),
        series(
            "size",
            &[("le", "mine")],
            classic(&[0.5, 1_000_000.0], &[1, 2, 3], 4e6),
        ),
        series("balance", &[], classic(&[-1.0, 0.0, 1.0], &[2, 0, 1, 1], -7.25)),
        series("my.requests", &[("http.status", "200")], Value::CounterU64(1)),
        series("my.requests", &[("http_status", "200")], Value::CounterU64(2)),
        series("a.b", &[], Value::GaugeI64(Some(1))),
        series("a_b", &[], Value::GaugeI64(Some(2))),
        series("x", &[], Value::GaugeI64(Some(3))),
        series("x_total", &[], Value::CounterU64(4)),
        series(
            "花火",
            &[("__name__", "owned"), ("größe", "1")],
            Value::GaugeI64(Some(5)),
        ),
    ])
}

/// One snapshot in one format.
pub fn encoded(snapshot: &Snapshot, format: Format, escaping: Escaping) -> Vec<u8> {
    encode(snapshot, Choice { format, escaping })
}

pub fn text(snapshot: &Snapshot, format: Format, escaping: Escaping) -> String {
    String::from_utf8(encoded(snapshot, format, escaping)).unwrap()
}

pub const TEXTS: [Format; 4] = [
    Format::Text004,
    Format::Text100,
    Format::OpenMetrics001,
    Format::OpenMetrics100,
];

pub fn is_open_metrics(format: Format) -> bool {
    matches!(format, Format::OpenMetrics001 | Format::OpenMetrics100)
}
