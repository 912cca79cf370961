//! What an exposition costs per series, beside `prometheus-client`, which keeps its numbers in the same process, and beside a mere
//! copy of the finished bytes, as controls.
//!
//! An encoder keeps the text that it told last. So every value is another one each time, if nothing else is said, as long as it was
//! before; and it is also measured what it costs when every value is longer or shorter than before, and when none has changed.
//!
//! `cargo bench -p shmetrics-exposition --bench encode` prints a line `… ns per series` for each, and criterion's figures.

mod service;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput};
use prometheus_client::encoding::text::encode as encode_control;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use service::{COUNT, FAMILIES, SERIES, changed, labels, larger, other_digit, snapshot, value};
use shmetrics_exposition::*;

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
            ("", changed(&snapshot, other_digit)),
            (", lengths change", changed(&snapshot, larger)),
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
