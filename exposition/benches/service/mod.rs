//! What is told in the benches: series with names and labels as services have them.
#![allow(dead_code)]

use std::path::PathBuf;

use shmetrics::{Reader, Segment, Snapshot, Unit, Value};

pub const FAMILIES: usize = 20;
pub const SERIES: usize = 50;
pub const COUNT: usize = FAMILIES * SERIES;
pub const HISTOGRAMS: usize = 50;

/// Names and labels as services have them.
pub fn labels(n: usize) -> [(&'static str, String); 3] {
    [
        ("method", "GET".to_owned()),
        ("code", (200 + n % 5).to_string()),
        ("route", format!("/api/v1/items/{n}")),
    ]
}

pub fn value(family: usize, n: usize) -> u64 {
    // From one digit to many.
    7u64.pow((n % 12) as u32) + family as u64
}

/// What a fresh segment says that `fill` filled, read once.
fn read(fill: impl FnOnce(&Segment)) -> Snapshot {
    let folder = ["/dev/shm", "/tmp"]
        .iter()
        .find(|folder| PathBuf::from(folder).is_dir());
    let path = PathBuf::from(folder.unwrap_or(&"."))
        .join(format!("shmetrics-bench-exposition-{}", std::process::id()));
    let options = Segment::options()
        .gauges(COUNT as u64)
        .counters(COUNT as u64)
        .without_ticker();
    let segment = options.create_at(&path).expect("a segment");
    fill(&segment);
    let snapshot = Reader::open_path(&path).map(|mut reader| reader.snapshot().expect("a snapshot"));
    let _ = std::fs::remove_file(&path);
    snapshot.expect("a reader")
}

/// Counters, or whole-number gauges.
pub fn snapshot(gauges: bool) -> Snapshot {
    read(|segment| {
        for family in 0..FAMILIES {
            let name = format!("service_part{family}_operations");
            for n in 0..SERIES {
                let labels = labels(n);
                let labels = labels.iter().map(|(name, value)| (*name, value.as_str()));
                if gauges {
                    let gauge = segment.gauge(&name).labels(labels).register().expect("a gauge");
                    gauge.set(value(family, n) as i64);
                } else {
                    let counter = segment
                        .counter(&name)
                        .labels(labels)
                        .register()
                        .expect("a counter");
                    counter.add(value(family, n));
                }
            }
        }
    })
}

/// Histograms of fifty routes.
pub fn histograms() -> Snapshot {
    read(|segment| {
        for n in 0..HISTOGRAMS {
            let route = format!("/api/v1/items/{n}");
            let latency = segment
                .histogram("service_latency_seconds")
                .unit(Unit::Seconds)
                .label("route", &route);
            let latency = latency.register().expect("a histogram");
            (0..100u64).for_each(|value| latency.record(1_000 * value * value + n as u64));
        }
    })
}

/// The same series with other values.
pub fn changed(snapshot: &Snapshot, to: impl Fn(u64) -> u64) -> Snapshot {
    let mut other = snapshot.clone();
    for series in &mut other.series {
        match &mut series.value {
            Value::CounterU64(value) => *value = to(*value),
            Value::GaugeI64(Some(value)) => *value = to(*value as u64) as i64,
            _ => unreachable!("neither a counter nor a gauge"),
        }
    }
    other
}

/// As long, with another last digit.
pub fn other_digit(value: u64) -> u64 {
    value - value % 10 + (value + 1) % 10
}

/// A digit longer, unless it is 0.
pub fn larger(value: u64) -> u64 {
    value * 10
}
