//! How many instructions an operation takes, counted by valgrind: the same number on every run, so that a cost that creeps in is
//! seen in the change that brings it, on a machine too noisy for times. `benches/hot_path.rs` has the times.
//!
//! Each benchmark may take what `benches/instructions.budget` says, and a tenth more. Run it by `ci/instructions.sh`, which gets
//! valgrind and the runner; `ci/instructions.sh --renew` writes the budgets anew, for a change that is worth its cost or another
//! compiler. Counts include the loop around the operation: one or two instructions.

#[cfg(not(target_arch = "x86_64"))]
fn main() {
    println!("skipped: instruction budgets are those of x86_64");
}

#[cfg(target_arch = "x86_64")]
use benchmarks::all;

#[cfg(target_arch = "x86_64")]
gungraun::main!(library_benchmark_groups = all);

#[cfg(target_arch = "x86_64")]
#[path = "budget/mod.rs"]
mod table;

#[cfg(target_arch = "x86_64")]
#[path = "statistics/instruments.rs"]
mod instruments;

#[cfg(target_arch = "x86_64")]
#[path = "statistics/modules.rs"]
mod modules;

#[cfg(target_arch = "x86_64")]
mod benchmarks {
    use std::hint::black_box;
    use std::path::PathBuf;
    use std::sync::Barrier;
    use std::time::Duration;

    use crate::instruments::*;
    use crate::modules::*;
    use gungraun::prelude::*;
    use shmetrics::{
        BoundCounter, BoundHistogram, Counter, Family, FloatHistogram, Gauge, Histogram, Reader, Segment,
        Snapshot, Unit,
    };

    /// Operations of one benchmark: below the 16,384 records after which a histogram is sealed, which is not a single operation's cost.
    const OPERATIONS: usize = 1000;
    /// Lines of `NAME INSTRUCTIONS`.
    const BUDGETS: &str = include_str!("instructions.budget");

    pub fn budget(name: &str) -> LibraryBenchmarkConfig {
        crate::table::budget(BUDGETS, name)
    }

    /// A handle, and the segment that it counts in, which is removed at the end.
    pub struct Ready<T> {
        handle: T,
        segment: Segment,
        path: PathBuf,
    }

    impl<T> Drop for Ready<T> {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.path);
        }
    }

    /// A fresh segment, and in it what `make` makes. Here is everything that happens once: lanes and blocks are taken by `make`.
    pub fn ready<T>(make: impl FnOnce(&Segment) -> T) -> Ready<T> {
        let folder = ["/dev/shm", "/tmp"]
            .iter()
            .find(|folder| PathBuf::from(folder).is_dir());
        let path =
            PathBuf::from(folder.unwrap_or(&".")).join(format!("shmetrics-bench-{}", std::process::id()));
        // No epoch ends meanwhile, and nobody asks for the time in another thread.
        let options = Segment::options()
            .epoch(Duration::from_secs(86_400))
            .without_ticker();
        let segment = options.create_at(&path).expect("a segment");
        // In the shared lane an operation would cost something else.
        assert!(segment.attach_thread(), "a lane");
        let handle = make(&segment);
        Ready {
            handle,
            segment,
            path,
        }
    }

    fn counter() -> Ready<Counter> {
        ready(|segment| {
            let counter = segment.counter("events_total").register().expect("a counter");
            counter.inc();
            counter
        })
    }

    fn bound_counter() -> Ready<BoundCounter> {
        ready(|segment| {
            let counter = segment
                .counter("events_total")
                .register()
                .expect("a counter")
                .bind();
            counter.inc();
            counter
        })
    }

    fn gauge() -> Ready<Gauge> {
        ready(|segment| {
            let gauge = segment.gauge("depth").register().expect("a gauge");
            gauge.set(1);
            gauge
        })
    }

    /// Minimum and maximum are known, as they are after the first few records.
    fn histogram() -> Ready<Histogram> {
        ready(|segment| {
            let histogram = segment.histogram("latency_seconds").unit(Unit::Seconds);
            let histogram = histogram.register().expect("a histogram");
            histogram.record(0);
            histogram.record(1_000_000_000);
            histogram
        })
    }

    fn bound_histogram() -> Ready<BoundHistogram> {
        ready(|segment| {
            let histogram = segment.histogram("latency_seconds").unit(Unit::Seconds);
            let histogram = histogram.register().expect("a histogram").bind();
            histogram.record(0);
            histogram.record(1_000_000_000);
            histogram
        })
    }

    fn float_histogram() -> Ready<FloatHistogram> {
        ready(|segment| warm(segment.histogram_float("size").register().expect("a histogram")))
    }

    fn classic_histogram() -> Ready<FloatHistogram> {
        let bounds = &shmetrics::buckets::Classic::DEFAULT_BOUNDS;
        ready(|segment| {
            warm(
                segment
                    .histogram_classic("size", bounds)
                    .register()
                    .expect("a histogram"),
            )
        })
    }

    fn warm(histogram: FloatHistogram) -> FloatHistogram {
        histogram.record(0.0);
        histogram.record(1e9);
        histogram
    }

    fn family() -> Ready<Family<Counter, 2>> {
        ready(|segment| {
            let family = segment
                .counter("requests_total")
                .family(["method", "code"])
                .expect("a family");
            for code in CODES {
                family.with(["GET", code]).inc();
            }
            family
        })
    }

    const THREADS: u64 = 4;
    const CODES: [&str; 4] = ["200", "301", "404", "500"];

    /// A service: a hundred counters, ten histograms, four threads that counted.
    fn reader() -> Ready<(Reader, Snapshot)> {
        let mut ready = ready(|segment| {
            let (done, one_is_done) = std::sync::mpsc::channel();
            let end = Barrier::new(THREADS as usize);
            std::thread::scope(|scope| {
                for thread in 0..THREADS {
                    let (done, end) = (done.clone(), &end);
                    scope.spawn(move || {
                        use_all(segment, thread);
                        let _ = done.send(());
                        // Not before the last one has its lane: a thread that ends gives its own back.
                        end.wait();
                    });
                    // One after another, so that it is the same each time.
                    let _ = one_is_done.recv();
                }
            });
        });
        let mut reader = Reader::open_path(&ready.path).expect("a reader");
        let mut snapshot = Snapshot::default();
        // The first decodes the records, the second finds room made by the first.
        for _ in 0..2 {
            reader.snapshot_into(&mut snapshot).expect("a snapshot");
        }
        let segment = std::mem::replace(&mut ready.segment, Segment::noop());
        let path = std::mem::take(&mut ready.path);
        Ready {
            handle: (reader, snapshot),
            segment,
            path,
        }
    }

    fn use_all(segment: &Segment, thread: u64) {
        for n in 0..100u64 {
            let counter = segment
                .counter("events_total")
                .label("n", &n.to_string())
                .register()
                .expect("a counter");
            counter.add(thread + n);
        }
        for n in 0..10u64 {
            let label = n.to_string();
            let histogram = segment
                .histogram("latency_seconds")
                .unit(Unit::Seconds)
                .label("n", &label);
            let histogram = histogram.register().expect("a histogram");
            (0..100).for_each(|value| histogram.record(1_000 * value * value + thread));
        }
    }

    /// Does an operation `OPERATIONS` times. The handle comes out of `black_box` each time, as it would out of a struct.
    #[inline(always)]
    pub fn repeat<T>(ready: Ready<T>, operation: impl Fn(&T, usize)) -> Ready<T> {
        for turn in 0..OPERATIONS {
            operation(black_box(&ready.handle), turn);
        }
        ready
    }

    /// A value that is another one each time, between those that the histograms know.
    #[inline(always)]
    pub fn value(turn: usize) -> u64 {
        black_box(turn as u64 * 7919 % 100_000)
    }

    #[library_benchmark(config = budget("counter_inc"))]
    #[bench::run(counter())]
    fn counter_inc(ready: Ready<Counter>) -> Ready<Counter> {
        repeat(ready, |counter, _| counter.inc())
    }

    #[library_benchmark(config = budget("counter_add"))]
    #[bench::run(counter())]
    fn counter_add(ready: Ready<Counter>) -> Ready<Counter> {
        repeat(ready, |counter, turn| counter.add(value(turn)))
    }

    #[library_benchmark(config = budget("bound_counter_inc"))]
    #[bench::run(bound_counter())]
    fn bound_counter_inc(ready: Ready<BoundCounter>) -> Ready<BoundCounter> {
        repeat(ready, |counter, _| counter.inc())
    }

    #[library_benchmark(config = budget("gauge_set"))]
    #[bench::run(gauge())]
    fn gauge_set(ready: Ready<Gauge>) -> Ready<Gauge> {
        repeat(ready, |gauge, turn| gauge.set(value(turn) as i64))
    }

    #[library_benchmark(config = budget("gauge_add"))]
    #[bench::run(gauge())]
    fn gauge_add(ready: Ready<Gauge>) -> Ready<Gauge> {
        repeat(ready, |gauge, turn| gauge.add(value(turn) as i64))
    }

    #[library_benchmark(config = budget("histogram_record"))]
    #[bench::run(histogram())]
    fn histogram_record(ready: Ready<Histogram>) -> Ready<Histogram> {
        repeat(ready, |histogram, turn| histogram.record(value(turn)))
    }

    #[library_benchmark(config = budget("histogram_record_duration"))]
    #[bench::run(histogram())]
    fn histogram_record_duration(ready: Ready<Histogram>) -> Ready<Histogram> {
        repeat(ready, |histogram, turn| {
            histogram.record_duration(Duration::from_nanos(value(turn)))
        })
    }

    #[library_benchmark(config = budget("bound_histogram_record_duration"))]
    #[bench::run(bound_histogram())]
    fn bound_histogram_record_duration(ready: Ready<BoundHistogram>) -> Ready<BoundHistogram> {
        repeat(ready, |histogram, turn| {
            histogram.record_duration(Duration::from_nanos(value(turn)))
        })
    }

    #[library_benchmark(config = budget("float_histogram_record"))]
    #[bench::run(float_histogram())]
    fn float_histogram_record(ready: Ready<FloatHistogram>) -> Ready<FloatHistogram> {
        repeat(ready, |histogram, turn| histogram.record(value(turn) as f64))
    }

    #[library_benchmark(config = budget("classic_histogram_record"))]
    #[bench::run(classic_histogram())]
    fn classic_histogram_record(ready: Ready<FloatHistogram>) -> Ready<FloatHistogram> {
        repeat(ready, |histogram, turn| {
            histogram.record(value(turn) as f64 / 10_000.0)
        })
    }

    #[library_benchmark(config = budget("family_with"))]
    #[bench::run(family())]
    fn family_with(ready: Ready<Family<Counter, 2>>) -> Ready<Family<Counter, 2>> {
        repeat(ready, |family, turn| {
            family.with(["GET", CODES[turn % CODES.len()]]).inc()
        })
    }

    // Series that are there: what programs do that register where they count.
    #[library_benchmark(config = budget("register_again"))]
    #[bench::run(family())]
    fn register_again(ready: Ready<Family<Counter, 2>>) -> Ready<Family<Counter, 2>> {
        for turn in 0..OPERATIONS {
            let counter = ready.segment.counter("requests_total").label("method", "GET");
            let counter = counter.label("code", CODES[turn % CODES.len()]).register();
            black_box(counter.is_ok());
        }
        ready
    }

    #[library_benchmark(config = budget("snapshot"))]
    #[bench::run(reader())]
    fn snapshot(mut ready: Ready<(Reader, Snapshot)>) -> Ready<(Reader, Snapshot)> {
        let (reader, snapshot) = &mut ready.handle;
        reader.snapshot_into(snapshot).expect("a snapshot");
        ready
    }

    #[library_benchmark(config = budget("json"))]
    #[bench::run(reader())]
    fn json(ready: Ready<(Reader, Snapshot)>) -> (String, Ready<(Reader, Snapshot)>) {
        (serde_json::to_string(&ready.handle.1).expect("JSON"), ready)
    }

    library_benchmark_group!(
        name = all,
        benchmarks = [
            counter_inc,
            counter_add,
            bound_counter_inc,
            gauge_set,
            gauge_add,
            histogram_record,
            histogram_record_duration,
            bound_histogram_record_duration,
            float_histogram_record,
            classic_histogram_record,
            family_with,
            register_again,
            number_add,
            number_add_float,
            number_set,
            time_mark,
            state_set,
            samples_record,
            group_add,
            event_write,
            in_flight_start_finish,
            next_id,
            block_id,
            text_set,
            named_incr,
            named_record,
            health_request_and_success,
            health_task,
            lifecycle_request,
            lifecycle_disabled,
            runtime_request,
            requests_start_finish,
            snapshot,
            json,
        ]
    );
}
