//! What an event costs, and a request of the statistics, next to a control in the same run: a rotating plain add.
//!
//! Asked for: an event with its time given at most 40 ns, a collector that does nothing at most 1 ns, start and finish of a request with
//! times given at most 150 ns. The summary after the benchmarks
//! prints nanoseconds and ratios, each from interleaved rounds, so that a noisy machine disturbs both sides.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use shmetrics::Segment;
use shmetrics::events::{EventWriter, FieldKind, Value};
use shmetrics::stats::lifecycle::{AnyCollector, Collector, Event, NoopCollector, SegmentCollector};
use shmetrics::stats::requests::Requests;

/// Operations of a turn.
const TURN: usize = 64;

struct Bench {
    path: std::path::PathBuf,
    control: Box<[AtomicU64; TURN]>,
    writer: EventWriter,
    collector: SegmentCollector,
    requests: Requests,
    disabled: NoopCollector,
    chosen: AnyCollector,
}

impl Bench {
    fn new() -> Bench {
        let folder = if std::path::Path::new("/dev/shm").is_dir() {
            "/dev/shm".into()
        } else {
            std::env::temp_dir()
        };
        let path = folder.join(format!("shmetrics-bench-events-{}", std::process::id()));
        let segment = Segment::options().open_or_create_at(&path).expect("a segment");
        let fields = [
            ("connection_id", FieldKind::U64),
            ("worker_id", FieldKind::U64),
            ("status", FieldKind::U64),
            ("path", FieldKind::Text(64)),
        ];
        let events = segment
            .events("e")
            .kind(1, "e", &fields)
            .register()
            .expect("events");
        Bench {
            path,
            control: Box::new([const { AtomicU64::new(0) }; TURN]),
            writer: events.kind("e").expect("just declared"),
            collector: SegmentCollector::new(&segment).expect("a collector"),
            requests: Requests::builder(&segment)
                .without_log()
                .enter()
                .expect("a session"),
            disabled: NoopCollector,
            chosen: AnyCollector::new(NoopCollector),
        }
    }

    fn raw_add(&self) {
        for word in self.control.iter() {
            word.store(word.load(Relaxed).wrapping_add(1), Relaxed);
        }
        black_box(&self.control);
    }

    fn event(&self, turn: usize) {
        for n in 0..TURN {
            let time = (turn * TURN + n) as u64;
            let values = [
                Value::U64(time),
                Value::U64(3),
                Value::U64(200),
                Value::Text(black_box("/index.html?page=7")),
            ];
            self.writer.write_at(time, &values);
        }
    }

    fn request(&self, turn: usize) {
        for n in 0..TURN / 2 {
            let timestamp_ns = (turn * TURN + n) as u64;
            self.collector.record(&started(timestamp_ns));
            self.collector.record(&Event::ResponseCompleted {
                connection_id: timestamp_ns,
                worker_id: 3,
                status: 200,
                bytes_sent: 1_500,
                duration_ms: 0.75,
                method: black_box("GET").into(),
                streaming: false,
                timestamp_ns,
            });
        }
    }

    fn statistics(&self, turn: usize) {
        for n in 0..TURN {
            let time = (turn * TURN + n) as u64 * 1_000;
            let attempt = self
                .requests
                .start_at(black_box("https://example.org/?page=7"), time);
            black_box(self.requests.finish_at(attempt, time + 750_000));
        }
    }

    /// As a server asks that was compiled with it.
    fn disabled(&self, turn: usize) {
        for n in 0..TURN {
            if black_box(&self.disabled).is_enabled() {
                self.disabled.record(&started((turn * TURN + n) as u64));
            }
        }
    }

    /// As a server has it that was told at start what to use.
    fn disabled_at_run_time(&self, turn: usize) {
        for n in 0..TURN {
            black_box(&self.chosen).record_with(|| started((turn * TURN + n) as u64));
        }
    }

    /// Through a pointer that the compiler cannot see through.
    fn disabled_dyn(&self, turn: usize, collector: &dyn Collector) {
        for n in 0..TURN {
            if collector.is_enabled() {
                collector.record(&started((turn * TURN + n) as u64));
            }
        }
    }
}

/// Where it is made, as in a server.
#[inline(always)]
fn started(timestamp_ns: u64) -> Event<'static> {
    Event::RequestStarted {
        connection_id: timestamp_ns,
        worker_id: 3,
        method: "GET".into(),
        path: "/index.html?page=7".into(),
        http_version: "1.1".into(),
        timestamp_ns,
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Nanoseconds per operation of each, and the ratio to the first: medians of interleaved rounds.
fn measured<const N: usize>(runs: [&dyn Fn(usize); N]) -> [(f64, f64); N] {
    const ROUNDS: usize = 51;
    const TURNS: usize = 1_000;
    let mut all: [Vec<(f64, f64)>; N] = std::array::from_fn(|_| Vec::new());
    for _ in 0..ROUNDS {
        let times = runs.map(|run| {
            let begun = Instant::now();
            (0..TURNS).for_each(run);
            begun.elapsed().as_nanos() as f64 / (TURNS * TURN) as f64
        });
        for (all, time) in all.iter_mut().zip(times) {
            all.push((time, time / times[0]));
        }
    }
    all.map(|mut all| {
        all.sort_by(|a, b| a.1.total_cmp(&b.1));
        all[ROUNDS / 2]
    })
}

fn main() {
    let bench = Bench::new();
    let mut criterion = Criterion::default()
        .configure_from_args()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    let mut turn = 0;
    let mut next = || {
        turn += 1;
        turn
    };
    let noop = NoopCollector;
    let dynamic: &dyn Collector = black_box(&noop);
    let mut group = criterion.benchmark_group("events");
    group.throughput(Throughput::Elements(TURN as u64));
    group.bench_function("control: raw add", |b| b.iter(|| bench.raw_add()));
    group.bench_function("event, its time given", |b| b.iter(|| bench.event(next())));
    group.bench_function("start and completion of a request, with metrics", |b| {
        b.iter(|| bench.request(next()))
    });
    group.bench_function("statistics: start and finish of a request, times given", |b| {
        b.iter(|| bench.statistics(next()))
    });
    group.bench_function("disabled collector", |b| b.iter(|| bench.disabled(next())));
    group.finish();
    criterion.final_summary();
    if std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        return;
    }
    let [
        control,
        one,
        request,
        statistics,
        disabled,
        at_run_time,
        behind_dyn,
    ] = measured([
        &|_| bench.raw_add(),
        &|turn| bench.event(turn),
        &|turn| bench.request(turn),
        &|turn| bench.statistics(turn),
        &|turn| bench.disabled(turn),
        &|turn| bench.disabled_at_run_time(turn),
        &|turn| bench.disabled_dyn(turn, dynamic),
    ]);
    println!(
        "nanoseconds, and ratios to a rotating raw add ({:.2} ns), medians of interleaved rounds:",
        control.0
    );
    let line = |what: &str, (time, ratio): (f64, f64)| {
        println!("  {what} {time:.1} ns, {ratio:.1} times the control")
    };
    line("event, its time given (expected at most 40 ns):", one);
    line("event of a request, with its metrics:", request);
    line(
        "statistics: start and finish of a request, times given (expected at most 150 ns):",
        statistics,
    );
    line("disabled collector (expected at most 1 ns):", disabled);
    line(
        "disabled collector, known at run time only (expected at most 1 ns):",
        at_run_time,
    );
    line("the same behind dyn, which is a call:", behind_dyn);
}
