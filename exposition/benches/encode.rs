//! What an exposition costs per series, beside `prometheus-client`, which keeps its numbers in the same process, and beside a mere
//! copy of the finished bytes, as controls.
//!
//! An encoder keeps the text that it told last. So every value is another one each time, if nothing else is said, as long as it was
//! before; and it is also measured what it costs when every value is longer or shorter than before, and when none has changed.
//!
//! `cargo bench -p shmetrics-exposition` prints a line `… ns per series` for each, and criterion's figures.

use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput};
use prometheus_client::encoding::text::encode as encode_control;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use shmetrics::{Reader, Segment, Snapshot, Value};
use shmetrics_exposition::*;

const FAMILIES: usize = 20;
const SERIES: usize = 50;
const COUNT: usize = FAMILIES * SERIES;

/// Names and labels as services have them.
fn labels(n: usize) -> [(&'static str, String); 3] {
    [
        ("method", "GET".to_owned()),
        ("code", (200 + n % 5).to_string()),
        ("route", format!("/api/v1/items/{n}")),
    ]
}

fn value(family: usize, n: usize) -> u64 {
    // From one digit to many.
    7u64.pow((n % 12) as u32) + family as u64
}

/// A segment with counters, or with whole-number gauges, read once.
fn snapshot(gauges: bool) -> Snapshot {
    let folder = ["/dev/shm", "/tmp"]
        .iter()
        .find(|folder| PathBuf::from(folder).is_dir());
    let path = PathBuf::from(folder.unwrap_or(&"."))
        .join(format!("shmetrics-bench-exposition-{}", std::process::id()));
    let segment = Segment::options()
        .gauges(COUNT as u64)
        .counters(COUNT as u64)
        .without_ticker();
    let segment = segment.create_at(&path).expect("a segment");
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
    let snapshot = Reader::open_path(&path).map(|mut reader| reader.snapshot().expect("a snapshot"));
    let _ = std::fs::remove_file(&path);
    snapshot.expect("a reader")
}

/// The same series with other values.
fn changed(snapshot: &Snapshot, to: impl Fn(u64) -> u64) -> Snapshot {
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

type Labels = Vec<(&'static str, String)>;

fn control(gauges: bool) -> Registry {
    let mut registry = Registry::default();
    for family in 0..FAMILIES {
        let name = format!("service_part{family}_operations");
        if gauges {
            let of = Family::<Labels, Gauge>::default();
            (0..SERIES).for_each(|n| {
                of.get_or_create(&labels(n).to_vec()).set(value(family, n) as i64);
            });
            registry.register(name, "", of);
        } else {
            let of = Family::<Labels, Counter>::default();
            (0..SERIES).for_each(|n| {
                of.get_or_create(&labels(n).to_vec()).inc_by(value(family, n));
            });
            registry.register(name, "", of);
        }
    }
    registry
}

/// The best of many: others use the machine, too.
fn print_cost(name: &str, mut run: impl FnMut()) {
    let mut best = Duration::MAX;
    for _ in 0..300 {
        let begun = Instant::now();
        run();
        best = best.min(begun.elapsed());
    }
    println!(
        "{name}: {:.1} ns per series",
        best.as_nanos() as f64 / COUNT as f64
    );
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let formats = [
        ("text", Format::Text004),
        ("openmetrics", Format::OpenMetrics100),
        ("protobuf", Format::Protobuf),
    ];
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Elements(COUNT as u64));
    for (kind, gauges) in [("counters", false), ("gauges", true)] {
        let snapshot = snapshot(gauges);
        assert_eq!(snapshot.series.len(), COUNT);
        let alternatives = [
            (
                "",
                changed(&snapshot, |value| value - value % 10 + (value + 1) % 10),
            ),
            (", lengths change", changed(&snapshot, |value| value * 10)),
            (", nothing changes", snapshot.clone()),
        ];
        for (name, format) in formats {
            let choice = Choice {
                format,
                ..Choice::default()
            };
            let mut finished = Vec::new();
            for (change, other) in &alternatives {
                // Lengths do not matter to numbers of eight bytes.
                if format == Format::Protobuf && !change.is_empty() {
                    continue;
                }
                let mut snapshots = [&snapshot, other].into_iter().cycle();
                let mut encoder = Encoder::new(Options::default());
                let mut out = Vec::new();
                let mut run = || {
                    out.clear();
                    if let Some(snapshot) = snapshots.next() {
                        let sources = [Source {
                            name: "app",
                            snapshot,
                        }];
                        encoder.encode(black_box(&sources), &[], choice, Filter::all(), &mut out);
                    }
                    black_box(&out);
                };
                run();
                let name = format!("{kind}, {name}{change}");
                print_cost(&name, &mut run);
                group.bench_function(&name, |bencher| bencher.iter(&mut run));
                finished = out;
            }
            // As fast as it could be: the finished bytes are copied, in pieces of a line.
            let length = finished.len() / COUNT;
            let mut out = Vec::new();
            let mut copy = || {
                out.clear();
                finished
                    .chunks(black_box(length))
                    .for_each(|line| out.extend_from_slice(line));
                black_box(&out);
            };
            let name = format!("{kind}, {name}");
            print_cost(&format!("{name}, only copied ({length} bytes a line)"), &mut copy);
        }
        let registry = control(gauges);
        let mut out = String::new();
        let mut run = || {
            out.clear();
            encode_control(&mut out, black_box(&registry)).expect("text");
            black_box(&out);
        };
        let name = format!("{kind}, openmetrics by prometheus-client");
        run();
        print_cost(&name, &mut run);
        group.bench_function(&name, |bencher| bencher.iter(&mut run));
        if !gauges {
            // The first time, or when series came or went.
            let prepare = |_| encode(black_box(&snapshot), Choice::default());
            group.bench_function("counters, text, prepared anew", |bencher| {
                bencher.iter_batched(|| (), prepare, BatchSize::SmallInput)
            });
        }
    }
    group.finish();
    criterion.final_summary();
}
