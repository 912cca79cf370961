//! What an operation costs, next to a control in the same run: a rotating plain add.
//!
//! Expected on an idle machine: `inc` at most 3 times the control, a bound one at most 2 times, a duration record at most 16 times,
//! an id at most 60 times and one of a block at most 20 times; a state that is set, and a time mark with its time given, at most 70
//! times; an update of a group of three fields at most 20 times; the start and end of a key in flight at most 250 times (some 50 ns).
//! The summary after the benchmarks prints these ratios, each from interleaved rounds, so that a noisy machine disturbs both sides.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use shmetrics::{
    BlockIds, BoundCounter, BoundHistogram, Counter, FloatHistogram, Gauge, Group, Histogram, InFlight,
    Number, Samples, Segment, State, Text, TimeMark, Unit,
};

/// Handles that take turns: one alone would measure how fast a load follows a store to the same word.
const HANDLES: usize = 64;
/// Durations that are recorded in turn; a power of two, so that taking turns costs no division.
const DURATIONS: usize = 4096;
/// Histograms that take turns.
const HISTOGRAMS: usize = 8;

struct Bench {
    path: std::path::PathBuf,
    segment: Segment,
    control: Box<[AtomicU64; HANDLES]>,
    shared: Box<[AtomicU64; HANDLES]>,
    counters: Vec<Counter>,
    bound: Vec<BoundCounter>,
    gauges: Vec<Gauge>,
    histograms: Vec<Histogram>,
    bound_histograms: Vec<BoundHistogram>,
    floats: Vec<FloatHistogram>,
    block_ids: BlockIds,
    state: State,
    mark: TimeMark,
    durations: Box<[Duration; DURATIONS]>,
    numbers: Vec<Number>,
    samples: Vec<Samples>,
    #[cfg(feature = "stats")]
    named: (shmetrics::stats::named::Stats, Vec<String>),
    text: Text,
    groups: Vec<Group<3>>,
    in_flight: InFlight,
    keys: Vec<String>,
}

impl Bench {
    fn new() -> Bench {
        let folder = if std::path::Path::new("/dev/shm").is_dir() {
            "/dev/shm".into()
        } else {
            std::env::temp_dir()
        };
        let path = folder.join(format!("shmetrics-bench-{}", std::process::id()));
        let segment = Segment::options().open_or_create_at(&path).expect("a segment");
        let label = |n: usize| n.to_string();
        let counters: Vec<Counter> = (0..HANDLES)
            .map(|n| {
                segment
                    .counter("events_total")
                    .label("n", &label(n))
                    .register()
                    .expect("a counter")
            })
            .collect();
        let gauges = (0..HANDLES)
            .map(|n| {
                segment
                    .gauge("depth")
                    .label("n", &label(n))
                    .register()
                    .expect("a gauge")
            })
            .collect();
        let histograms: Vec<Histogram> = (0..HISTOGRAMS)
            .map(|n| {
                let builder = segment.histogram("latency_seconds").unit(Unit::Seconds);
                builder.label("n", &label(n)).register().expect("a histogram")
            })
            .collect();
        let floats: Vec<FloatHistogram> = (0..HISTOGRAMS)
            .map(|n| {
                segment
                    .histogram_float("size")
                    .label("n", &label(n))
                    .register()
                    .expect("a histogram")
            })
            .collect();
        let numbers = (0..HANDLES)
            .map(|n| {
                segment
                    .number(&format!("number {n}"))
                    .register()
                    .expect("a number")
            })
            .collect();
        let samples = (0..HISTOGRAMS)
            .map(|n| {
                segment
                    .samples(&format!("samples {n}"))
                    .register()
                    .expect("samples")
            })
            .collect();
        #[cfg(feature = "stats")]
        let named = (
            shmetrics::stats::named::Stats::new(&segment),
            (0..HANDLES).map(|n| format!("pages served {n}")).collect(),
        );
        // A latency-like spread: most between 50 µs and 2 ms.
        let mut state = 1u64;
        let durations = Box::new(std::array::from_fn(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            Duration::from_nanos(50_000 + (state >> 43))
        }));
        let groups = (0..HISTOGRAMS)
            .map(|n| {
                let label = label(n);
                let builder = segment.group("deliveries").label("n", &label);
                builder
                    .fields(["ok", "failed", "bytes"])
                    .register()
                    .expect("a group")
            })
            .collect();
        let in_flight = segment.in_flight("requests").register().expect("a table");
        let text = segment.text("phase").register().expect("a text");
        Bench {
            block_ids: segment.block_ids(),
            state: segment
                .state("status")
                .status("OK", None)
                .status("FATAL", Some(3))
                .register()
                .expect("a state"),
            mark: segment.time_mark("last").register().expect("a time mark"),
            bound: counters.iter().map(Counter::bind).collect(),
            bound_histograms: histograms.iter().map(Histogram::bind).collect(),
            path,
            segment,
            control: Box::new(std::array::from_fn(|_| AtomicU64::new(0))),
            shared: Box::new(std::array::from_fn(|_| AtomicU64::new(0))),
            counters,
            gauges,
            histograms,
            floats,
            durations,
            numbers,
            samples,
            #[cfg(feature = "stats")]
            named,
            text,
            groups,
            in_flight,
            keys: (0..HANDLES)
                .map(|n| format!("https://example.org/page/{n}"))
                .collect(),
        }
    }

    /// The control: what cannot be beaten.
    fn raw_add(&self) {
        for word in self.control.iter() {
            word.store(word.load(Relaxed).wrapping_add(1), Relaxed);
        }
        black_box(&self.control);
    }

    fn locked_add(&self) {
        for word in self.shared.iter() {
            word.fetch_add(1, Relaxed);
        }
    }

    fn inc(&self) {
        unrolled(&self.counters, Counter::inc);
    }

    fn bound_inc(&self) {
        unrolled(&self.bound, BoundCounter::inc);
    }

    fn number_add(&self) {
        unrolled(&self.numbers, |number| number.add(-3));
    }

    fn sample(&self, turn: usize) {
        for n in 0..HANDLES {
            self.samples[n % HISTOGRAMS].record((turn + n) as f64);
        }
    }

    fn sample_at(&self, turn: usize) {
        for n in 0..HANDLES {
            self.samples[n % HISTOGRAMS].record_at(turn as u64, n as f64);
        }
    }

    fn update(&self, turn: usize) {
        for n in 0..HANDLES {
            self.groups[n % HISTOGRAMS].add([1, 0, turn as u64]);
        }
    }

    #[cfg(feature = "stats")]
    fn incr_by_name(&self) {
        let (stats, names) = &self.named;
        unrolled(names, |name| stats.incr(name, -3));
    }

    fn gauge_set(&self) {
        self.gauges.iter().for_each(|gauge| gauge.set(7));
    }

    fn next_id(&self) {
        for _ in 0..HANDLES {
            black_box(self.segment.next_id().unwrap_or(0));
        }
    }

    fn set_state(&self) {
        for n in 0..HANDLES {
            self.state.set((n & 1) as u8);
        }
    }

    fn mark(&self, turn: usize) {
        for n in 0..HANDLES {
            self.mark.mark_at_ns((turn * HANDLES + n) as u64);
        }
    }

    fn next_of_block(&self) {
        for _ in 0..HANDLES {
            black_box(self.block_ids.next().unwrap_or(0));
        }
    }

    fn record(&self, turn: usize) {
        for n in 0..HANDLES {
            let duration = self.durations[(turn * HANDLES + n) % DURATIONS];
            self.histograms[n % HISTOGRAMS].record_duration(duration);
        }
    }

    fn bound_record(&self, turn: usize) {
        for n in 0..HANDLES {
            let duration = self.durations[(turn * HANDLES + n) % DURATIONS];
            self.bound_histograms[n % HISTOGRAMS].record_duration(duration);
        }
    }

    /// A text of 24 bytes, at a time that is given.
    fn set_text(&self, turn: usize) {
        for _ in 0..HANDLES {
            self.text.set_at_ns("loading the catalogue...", turn as u64);
        }
    }

    /// A key is started and ended, at times that are given.
    fn start_and_finish(&self, turn: usize) {
        for key in &self.keys {
            let token = self.in_flight.start_at(key, turn as u64);
            self.in_flight.finish(token);
        }
    }

    fn record_float(&self, turn: usize) {
        for n in 0..HANDLES {
            let duration = self.durations[(turn * HANDLES + n) % DURATIONS];
            self.floats[n % HISTOGRAMS].record(f64::from(duration.subsec_nanos()));
        }
    }
}

/// Calls `operation` on each handle, eight calls to a turn of the loop: the compiler unrolls the control by itself, and what is to be
/// compared are operations, not loops.
#[inline(always)]
fn unrolled<T>(handles: &[T], operation: impl Fn(&T)) {
    for [a, b, c, d, e, f, g, h] in handles.as_chunks().0 {
        operation(a);
        operation(b);
        operation(c);
        operation(d);
        operation(e);
        operation(f);
        operation(g);
        operation(h);
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn benchmarks(criterion: &mut Criterion, bench: &Bench) {
    let mut group = criterion.benchmark_group("one thread");
    group.throughput(Throughput::Elements(HANDLES as u64));
    group.bench_function("control: raw add", |b| b.iter(|| bench.raw_add()));
    group.bench_function("control: fetch_add", |b| b.iter(|| bench.locked_add()));
    group.bench_function("inc", |b| b.iter(|| bench.inc()));
    group.bench_function("inc, bound", |b| b.iter(|| bench.bound_inc()));
    group.bench_function("gauge set", |b| b.iter(|| bench.gauge_set()));
    group.bench_function("next_id", |b| b.iter(|| bench.next_id()));
    group.bench_function("next id of a block", |b| b.iter(|| bench.next_of_block()));
    group.bench_function("state", |b| b.iter(|| bench.set_state()));
    group.bench_function("number add", |b| b.iter(|| bench.number_add()));
    #[cfg(feature = "stats")]
    group.bench_function("incr by name", |b| b.iter(|| bench.incr_by_name()));
    let mut turn = 0;
    let mut next = || {
        turn += 1;
        turn
    };
    group.bench_function("time mark, time given", |b| b.iter(|| bench.mark(next())));
    group.bench_function("record_duration", |b| b.iter(|| bench.record(next())));
    group.bench_function("record_duration, bound", |b| {
        b.iter(|| bench.bound_record(next()))
    });
    group.bench_function("record a float", |b| b.iter(|| bench.record_float(next())));
    group.bench_function("sample", |b| b.iter(|| bench.sample(next())));
    group.bench_function("sample, time given", |b| b.iter(|| bench.sample_at(next())));
    group.bench_function("set a text", |b| b.iter(|| bench.set_text(next())));
    group.bench_function("group of three", |b| b.iter(|| bench.update(next())));
    group.bench_function("start and finish", |b| b.iter(|| bench.start_and_finish(next())));
    group.finish();
}

/// Nanoseconds per operation of each of `runs`, in interleaved rounds; the median of the ratios to the first.
fn ratios<const N: usize>(runs: [&dyn Fn(usize); N]) -> [f64; N] {
    const ROUNDS: usize = 51;
    const TURNS: usize = 2000;
    let mut all: [Vec<f64>; N] = std::array::from_fn(|_| Vec::new());
    for _ in 0..ROUNDS {
        let times = runs.map(|run| {
            let begun = Instant::now();
            (0..TURNS).for_each(run);
            begun.elapsed().as_secs_f64()
        });
        for (ratios, time) in all.iter_mut().zip(times) {
            ratios.push(time / times[0]);
        }
    }
    all.map(|mut ratios| {
        ratios.sort_by(f64::total_cmp);
        ratios[ROUNDS / 2]
    })
}

/// How much slower `inc` is in each of two threads that run at the same time than in one alone.
fn two_threads(bench: &Bench) -> f64 {
    const TURNS: usize = 200_000;
    let timed = || {
        let begun = Instant::now();
        (0..TURNS).for_each(|_| unrolled(&bench.counters, Counter::inc));
        begun.elapsed().as_secs_f64()
    };
    let mut ratios: Vec<f64> = (0..11)
        .map(|_| {
            let counters = &bench.counters;
            let barrier = std::sync::Barrier::new(2);
            let in_thread = || {
                unrolled(counters, Counter::inc);
                barrier.wait();
                let begun = Instant::now();
                (0..TURNS).for_each(|_| unrolled(counters, Counter::inc));
                begun.elapsed().as_secs_f64()
            };
            let both = std::thread::scope(|scope| {
                let threads = [scope.spawn(in_thread), scope.spawn(in_thread)];
                threads
                    .map(|thread| thread.join().expect("a thread"))
                    .into_iter()
                    .fold(0.0, f64::max)
            });
            both / timed()
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

fn main() {
    let bench = Bench::new();
    bench.segment.attach_thread();
    let mut criterion = Criterion::default()
        .configure_from_args()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    benchmarks(&mut criterion, &bench);
    criterion.final_summary();
    if std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        return;
    }
    let [
        _,
        inc,
        bound,
        record,
        bound_record,
        id,
        block_id,
        state,
        mark,
        key,
        text,
    ] = ratios([
        &|_| bench.raw_add(),
        &|_| bench.inc(),
        &|_| bench.bound_inc(),
        &|turn| bench.record(turn),
        &|turn| bench.bound_record(turn),
        &|_| bench.next_id(),
        &|_| bench.next_of_block(),
        &|_| bench.set_state(),
        &|turn| bench.mark(turn),
        &|turn| bench.start_and_finish(turn),
        &|turn| bench.set_text(turn),
    ]);
    println!("ratios to a rotating raw add, medians of interleaved rounds:");
    println!("  inc {inc:.2} (expected at most 3)");
    println!("  inc, bound {bound:.2} (expected at most 2)");
    println!("  record_duration {record:.2} (expected at most 16)");
    println!("  record_duration, bound {bound_record:.2}");
    println!("  next_id {id:.2} (expected at most 60)");
    println!("  next id of a block {block_id:.2} (expected at most 20)");
    println!("  state {state:.2} (expected at most 70)");
    println!("  time mark, time given {mark:.2} (expected at most 70)");
    let [_, number, sample, sample_at] = ratios([
        &|_| bench.raw_add(),
        &|_| bench.number_add(),
        &|turn| bench.sample(turn),
        &|turn| bench.sample_at(turn),
    ]);
    println!("  number add {number:.2} (expected at most 3)");
    let [_, update] = ratios([&|_| bench.raw_add(), &|turn| bench.update(turn)]);
    println!("  group of three {update:.2} (expected at most 20)");
    println!("  sample {sample:.2}, time given {sample_at:.2} (expected at most 12)");
    #[cfg(feature = "stats")]
    {
        let [_, by_name] = ratios([&|_| bench.raw_add(), &|_| bench.incr_by_name()]);
        println!("  incr by name {by_name:.2} (expected at most 30)");
    }
    println!("  a key in flight, start and finish {key:.2} (expected at most 250)");
    println!("  a text of 24 bytes, time given {text:.2} (expected at most 200)");
    println!(
        "  two threads to one {:.2} (expected at most 1.25)",
        two_threads(&bench)
    );
}
