//! Memory: of a series, of a writer, and of a large service.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use shmetrics::{Histogram, Segment, Unit};

use crate::crowd;
use crate::peers::{client, hdrhistogram, histogram, metrics, prometheus, python, shm};
use crate::report::{Table, bytes};
use crate::run::Run;
use crate::system::heap;

const COUNTERS: usize = 10_000;
const HISTOGRAMS: usize = 50;
const LANES: usize = 64;

pub fn measure(run: &mut Run) {
    per_series(run);
    per_writer(run);
    service(run);
}

/// Bytes that a file takes.
pub fn committed(path: &Path) -> f64 {
    std::fs::metadata(path).map_or(f64::NAN, |file| file.blocks() as f64 * 512.0)
}

/// Bytes of the heap that `make` makes and keeps, per one of `count`.
fn kept<T>(count: usize, make: impl FnOnce() -> T) -> f64 {
    let before = heap();
    let kept = make();
    let after = heap();
    drop(kept);
    (after as f64 - before as f64) / count as f64
}

fn large(run: &Run, name: &str, counters: usize) -> Segment {
    let counters = counters as u64;
    let options = Segment::options()
        .series(counters + 256)
        .counters(counters + 64)
        .text_length(counters * 64 + 65_536)
        .budget(1 << 30)
        .without_ticker();
    let segment = options.create_at(run.scratch.file(name)).expect("a segment");
    assert!(segment.attach_thread(), "no lane");
    segment
}

fn per_series(run: &mut Run) {
    let count = run.many(COUNTERS, 100);
    let segment = large(run, "series", count);
    let path = segment.path().expect("a path");
    let empty = committed(path);
    let mut counters = Vec::new();
    let handles = kept(count, || counters = shm::counters(&segment, count));
    let with_counters = committed(path);
    counters.iter().for_each(|counter| counter.inc());
    let counted = committed(path);
    let histograms = shm::histograms(&segment, HISTOGRAMS);
    histograms.iter().for_each(|histogram| histogram.record(700_000));
    let recorded = committed(path);
    let per = |bytes: f64| format!("{bytes:.0} B");
    let row = |name: &str, counter: f64, histogram: Option<f64>| {
        let histogram = histogram.map_or("—".to_owned(), per);
        vec![name.to_owned(), per(counter), histogram]
    };
    let in_file = (counted - empty) / count as f64;
    let rows = vec![
        row(
            "shmetrics, in the segment, one writer",
            in_file,
            Some((recorded - counted) / HISTOGRAMS as f64),
        ),
        row(
            "shmetrics, handles in the heap of each process that has them",
            handles,
            None,
        ),
        row(
            "prometheus",
            kept(count, || prometheus::series(count)),
            Some(kept(HISTOGRAMS, || prometheus::kept_histograms(HISTOGRAMS))),
        ),
        row(
            "prometheus-client",
            kept(count, || client::series(count)),
            Some(kept(HISTOGRAMS, || client::kept_histograms(HISTOGRAMS))),
        ),
        row(
            "metrics, with its exporter",
            kept(count, || metrics::series(count)),
            None,
        ),
        vec![
            "histogram, atomic".to_owned(),
            "—".to_owned(),
            per(kept(HISTOGRAMS, || histogram::kept_histograms(HISTOGRAMS))),
        ],
        vec![
            "hdrhistogram, an hour, two digits".to_owned(),
            "—".to_owned(),
            per(kept(HISTOGRAMS, || hdrhistogram::kept_histograms(HISTOGRAMS))),
        ],
    ];
    run.report.table(Table {
        heading: "Memory of a series".to_owned(),
        note: format!(
            "{count} counters with two labels; histograms with those bounds that are each one's default. An empty segment of these \
             capacities takes {}; the counters took {} when they were registered and {} when one thread had counted.",
            bytes(empty),
            bytes(with_counters - empty),
            bytes(counted - with_counters)
        ),
        columns: ["", "a counter", "a histogram"].map(str::to_owned).to_vec(),
        rows,
    });
    shm::remove(&segment);
}

fn per_writer(run: &mut Run) {
    let lanes = run.many(LANES, 2);
    let measured = |name: &str, counters: usize, histograms: usize| {
        let segment = large(run, name, 1000);
        let path = segment.path().expect("a path");
        let counted = shm::counters(&segment, counters);
        let recorded = shm::histograms(&segment, histograms);
        let work = move |_: usize| {
            counted.iter().for_each(|counter| counter.inc());
            recorded.iter().for_each(|histogram| histogram.record(700_000));
        };
        work(0);
        let before = committed(path);
        let threads = crowd::threads(lanes, work);
        let per_lane = (committed(path) - before) / lanes as f64;
        drop(threads);
        shm::remove(&segment);
        per_lane
    };
    let rows = [(1, 0), (500, 0), (1000, 0), (0, 1), (0, 10), (1000, 10)].map(|(counters, histograms)| {
        let needed = (counters * 8 + histograms * 11_136) as f64;
        let took = measured("writer", counters, histograms);
        vec![
            format!("{counters} counters, {histograms} histograms"),
            bytes(took),
            bytes(needed),
        ]
    });
    run.report.table(Table {
        heading: "Memory of a writer".to_owned(),
        note: "What one more thread commits in the segment, beside the bytes of the words that it may write. Storage comes in pages of \
               4,096 bytes."
            .to_owned(),
        columns: ["used in it", "committed", "words"].map(str::to_owned).to_vec(),
        rows: rows.to_vec(),
    });
}

const PROCESSES: usize = 64;
const THREADS: usize = 8;
const SERVICE_COUNTERS: usize = 500;

/// Forks processes of several threads, which all use everything; bytes that the segment then takes.
fn service_bytes(run: &Run, processes: usize, make: fn(&Segment, usize) -> Vec<Histogram>) -> f64 {
    let options = Segment::options()
        .process_slots(processes as u64 + 8)
        .blocks_length(1 << 20)
        .budget(1 << 30)
        .without_ticker();
    let segment = options.create_at(run.scratch.file("service")).expect("a segment");
    let path = segment.path().expect("a path").to_owned();
    let children = crowd::processes(&segment, processes, |segment, _| {
        let (counters, histograms) = (
            shm::counters(segment, SERVICE_COUNTERS),
            make(segment, HISTOGRAMS),
        );
        let work = move |_: usize| {
            counters.iter().for_each(|counter| counter.inc());
            for value in [100_000, 700_000, 2_000_000] {
                histograms.iter().for_each(|histogram| histogram.record(value));
            }
        };
        // They stay until the process is killed.
        std::mem::forget(crowd::threads(THREADS, work));
    });
    let taken = committed(&path);
    drop(children);
    shm::remove(&segment);
    taken
}

fn without_windows(segment: &Segment, count: usize) -> Vec<Histogram> {
    let register = |n: usize| {
        let stage = n.to_string();
        let histogram = segment.histogram("latency_seconds").unit(Unit::Seconds);
        histogram
            .label("stage", &stage)
            .ring_slots(0)
            .register()
            .expect("a histogram")
    };
    (0..count).map(register).collect()
}

fn service(run: &mut Run) {
    let processes = run.many(PROCESSES, 2);
    let default = service_bytes(run, processes, shm::histograms);
    let without = service_bytes(run, processes, without_windows);
    let words = (processes * THREADS) as f64;
    let row = |name: &str, taken: f64| vec![name.to_owned(), bytes(taken), bytes(taken / words)];
    let mut rows = vec![
        row("shmetrics, histograms as they are by default", default),
        row("shmetrics, histograms without windows", without),
    ];
    let numbers = [processes, SERVICE_COUNTERS, HISTOGRAMS].map(|number| number.to_string());
    match python::ask(run, &["bytes", &numbers[0], &numbers[1], &numbers[2]]) {
        Ok(figures) => {
            for figures in figures {
                rows.push(row("client_python, allocated", figures.rounds[0]));
                rows.push(row("client_python, length of its files", figures.rounds[1]));
            }
        }
        Err(reason) => run.report.skip(&format!("client_python: {reason}")),
    }
    run.report.table(Table {
        heading: "Memory of a service".to_owned(),
        note: format!(
            "{processes} processes of {THREADS} threads that all use {SERVICE_COUNTERS} counters and {HISTOGRAMS} histograms. \
             client_python keeps one file per process and kind, for all its threads, and histograms of 15 buckets; ours have 258 and keep \
             them per thread, with stable copies for readers and windows."
        ),
        columns: ["", "bytes", "per thread"].map(str::to_owned).to_vec(),
        rows,
    });
}
