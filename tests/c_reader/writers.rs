//! A segment with everything in it, made by several processes of which one is killed: every kind, every merge rule, text that must
//! be escaped, revisions, overflow, more threads than lanes, sealed histograms, values that are none.

use std::path::{Path, PathBuf};

use shmetrics::segment::SegmentOptions;
use shmetrics::snapshot::Quality;
use shmetrics::{Merge, Segment, Snapshot, Unit, Value};

use crate::support::*;

const WORKERS: usize = 4;
/// Enough that at least one seal is due.
const MANY: u64 = 20_000;

/// Fewer lanes than threads, so that some count in the shared lane; and a small file, because it is copied often.
pub fn options() -> SegmentOptions {
    Segment::options()
        .process_slots(6)
        .lanes(5)
        .series(64)
        .text_length(16 * 1024)
        .counters(64)
        .gauges(32)
        .blocks_length(128 * 1024)
        .budget(64 << 20)
}

/// Starts the workers as children that run `test` with an argument; the last one is killed. They live until they are dropped.
pub fn start(test: &str, scratch: &Scratch) -> Vec<Worker> {
    let segment = scratch.path("segment");
    let argument = |index: usize| format!("{index} {}", segment.display());
    let mut workers: Vec<Worker> = (0..WORKERS)
        .map(|index| {
            let worker = Worker::spawn(test, &argument(index));
            poll("a worker", || done(&segment, index).exists().then_some(()));
            worker
        })
        .collect();
    // Its lock is gone with it.
    workers.pop().unwrap().kill();
    workers
}

fn done(segment: &Path, index: usize) -> PathBuf {
    segment.with_extension(format!("done-{index}"))
}

/// A worker: counts, says so, and waits for its end.
pub fn work(argument: &str) {
    let (index, path) = argument.split_once(' ').unwrap();
    let (index, path) = (index.parse::<usize>().unwrap(), Path::new(path));
    let segment = options()
        .role(format!("worker-{index}"))
        .open_or_create_at(path)
        .unwrap();
    count(&segment, index as u64);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            count(&segment, index as u64 + 10);
            // Not before the deadline: a thread that ends gives its lane back.
            std::fs::write(done(path, index), "").unwrap();
            std::thread::sleep(DEADLINE);
        });
    });
}

fn count(segment: &Segment, index: u64) {
    let requests = segment
        .counter("requests_total")
        .help("Requests")
        .label("method", "GET");
    requests.register().unwrap().add(1000 + index);
    let odd = segment
        .counter("odd \"name\"\n")
        .label("a\\", "\"\u{1}\u{9b}é\n")
        .label("b", "");
    odd.register().unwrap().add(u64::MAX / 3);
    segment.counter("never_used_total").register().unwrap();
    segment
        .counter_float("seconds_total")
        .register()
        .unwrap()
        .add(0.1 + index as f64 / 3.0);
    let limited = segment
        .counter("limited_total")
        .limit(2)
        .family(["path"])
        .unwrap();
    for path in ["/a", "/b", "/c", "/d"] {
        limited.with([path]).inc();
    }
    let unlimited = segment.counter("unlimited_total").family(["path"]).unwrap();
    unlimited.with(["/a"]).inc();
    gauges(segment, index as i64);
    histograms(segment, index);
    marks_and_states(segment, index);
}

fn gauges(segment: &Segment, index: i64) {
    let rules = [
        ("sum", Merge::Sum),
        ("min", Merge::Min),
        ("max", Merge::Max),
        ("mean", Merge::Mean),
        ("last", Merge::Last),
        ("each", Merge::Each),
    ];
    for (name, rule) in rules {
        let gauge = format!("whole_{name}");
        segment
            .gauge(&gauge)
            .merge(rule)
            .register()
            .unwrap()
            .set(7 * index - 20);
        let gauge = format!("real_{name}");
        segment
            .gauge_float(&gauge)
            .merge(rule)
            .register()
            .unwrap()
            .set(1.1 * index as f64 - 3.3);
        let gauge = format!("unset_{name}");
        segment.gauge(&gauge).merge(rule).register().unwrap();
    }
    segment.gauge("clamped").register().unwrap().set(i64::MAX - 1);
    let nan = segment
        .gauge_float("nan_max")
        .merge(Merge::Max)
        .register()
        .unwrap();
    nan.set(if index == 0 { f64::NAN } else { -2.0 });
}

fn marks_and_states(segment: &Segment, index: u64) {
    let first = segment.time_mark("first").first().register().unwrap();
    let last = segment.time_mark("last").register().unwrap();
    segment.time_mark("never").register().unwrap();
    for at_ns in [1_000 - index, 2_000 + 7 * index] {
        first.mark_at_ns(at_ns);
        last.mark_at_ns(at_ns);
    }
    // Processes disagree about the statuses, so there are revisions. One is at its threshold, one below, one is not declared.
    let from = if index.is_multiple_of(2) { 2 } else { 9 };
    let state = segment
        .state("status")
        .status("O \"K\"", None)
        .status("später", Some(from));
    let state = state.register().unwrap();
    let statuses: &[u8] = match index {
        10 => &[1, 1],
        11 => &[1, 1, 1],
        12 => &[77],
        _ => &[0],
    };
    statuses.iter().for_each(|status| state.set(*status));
    let unset = segment.state("unset").status("OK", Some(0));
    unset.register().unwrap();
    let limited = segment.state("limited").status("OK", Some(1)).limit(1);
    let limited = limited.family(["task"]).unwrap();
    limited.with(["a"]).set(0);
    limited.with(["b"]).set(0);
    let limited = segment.time_mark("marked").limit(1).family(["task"]).unwrap();
    limited.with(["a"]).mark_at_ns(1);
}

fn histograms(segment: &Segment, index: u64) {
    let latency = segment
        .histogram("latency_seconds")
        .unit(Unit::Seconds)
        .label("path", "/");
    let latency = latency.register().unwrap();
    // Another order of magnitude in each: the buckets of the lanes overlap only partly.
    (1..=MANY).for_each(|n| latency.record(n * 997 % (1_000 << (2 * index))));
    latency.record(u64::MAX);
    latency.record(0);
    // The workers disagree about the buckets: two revisions.
    let size = segment
        .histogram("revised")
        .scale(if index.is_multiple_of(2) { 2 } else { 5 });
    let size = size
        .range(-3 * (index as i16 % 2), 10 + index as i16 % 2 * 6)
        .register()
        .unwrap();
    (0..100).for_each(|n| size.record(n * n * (index + 1)));
    let float = segment.histogram_float("float").register().unwrap();
    for value in [0.0, -0.0, 0.5, 1.0, 1e9 + index as f64, 1e300, -1.0, f64::NAN] {
        float.record(value);
    }
    let classic = segment
        .histogram_classic("classic", &[-1.0, 0.0, 2.5])
        .register()
        .unwrap();
    for value in [-7.5, -1.0, 0.1, 2.5, 1e6, f64::INFINITY] {
        classic.record(value + index as f64);
    }
    segment.histogram("empty").register().unwrap();
}

/// The segment is what this test is about: none of its parts is missing.
pub fn check(snapshot: &Snapshot) {
    assert_eq!(snapshot.skipped, []);
    assert_eq!(
        snapshot.processes.iter().filter(|process| process.alive).count(),
        WORKERS - 1
    );
    assert_eq!(snapshot.fill.lanes_touched, 5);
    assert!(
        snapshot.losses.lanes_exhausted > 0,
        "nobody counted in the shared lane"
    );
    let has = |name: &str, labels: &[(&str, &str)]| snapshot.find(name, labels).is_some();
    assert!(has("limited_total", &[("shmetrics_overflow", "true")]));
    assert!(!has("unlimited_total", &[("shmetrics_overflow", "true")]));
    for series in &snapshot.series {
        if let Value::Histogram(histogram) = &series.value {
            assert_eq!(histogram.quality, Quality::Exact, "{}", series.description.name);
        }
    }
}
