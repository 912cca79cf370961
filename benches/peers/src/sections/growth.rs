//! How cost grows: with what is used, and not with what was reserved.

use std::path::Path;
use std::time::{Duration, Instant};

use shmetrics::{Gauge, Histogram, Reader, Segment, SegmentOptions, Unit};

use super::memory::committed;
use super::scrape::scrapes;
use super::snapshot::{reader, snapshots};
use crate::crowd;
use crate::measure::{Alone, Contestant, Figures, alone, contestant, quantile};
use crate::peers::shm;
use crate::plot::{self, Line};
use crate::report::{Limit, Table, bytes, grouped, time};
use crate::run::Run;

const GREATEST: u64 = 1 << 30;

pub fn measure(run: &mut Run) {
    series(run);
    lanes(run);
    histograms(run);
    unused(run);
    dead(run);
    segments(run);
}

/// A point of a curve.
struct Point {
    used: u64,
    snapshot: Figures,
    scrape: Figures,
    committed: f64,
    /// What else is known there.
    more: Vec<String>,
}

/// Snapshot and scrape of a segment as it is now.
fn point(run: &Run, segment: &Segment, used: u64, more: Vec<String>) -> Point {
    let path = segment.path().expect("a path");
    let contestants: Vec<Contestant<Alone<'_>>> = vec![
        contestant("snapshot", snapshots(segment)),
        contestant("scrape", scrapes(reader(segment).0)),
    ];
    let settings = run.settings.with(21, Duration::from_millis(1));
    let mut all = alone(settings, 1, &contestants);
    let scrape = all.remove(1);
    Point {
        used,
        snapshot: all.remove(0),
        scrape,
        committed: committed(path),
        more,
    }
}

/// A table of points with what each more costs, and a plot.
fn curve(run: &mut Run, heading: &str, note: &str, of: &str, more: &[&str], points: Vec<Point>) {
    let mut columns = [
        of,
        "snapshot",
        "each more",
        "snapshot and text",
        "each more",
        "committed",
    ]
    .map(str::to_owned)
    .to_vec();
    columns.extend(more.iter().map(|name| (*name).to_owned()));
    let mut rows = Vec::new();
    let mut before: Option<&Point> = None;
    for point in &points {
        let each = |value: fn(&Point) -> f64| {
            before.map_or("—".to_owned(), |before| {
                time((value(point) - value(before)) / (point.used - before.used) as f64)
            })
        };
        let mut row = vec![
            grouped(point.used as f64),
            time(point.snapshot.median()),
            each(|point| point.snapshot.median()),
            time(point.scrape.median()),
            each(|point| point.scrape.median()),
            bytes(point.committed),
        ];
        row.extend(point.more.iter().cloned());
        rows.push(row);
        before = Some(point);
    }
    let line = |name: &str, value: fn(&Point) -> f64| Line {
        name: name.to_owned(),
        points: points
            .iter()
            .map(|point| (point.used as f64, value(point)))
            .collect(),
    };
    let lines = [
        line("snapshot", |point| point.snapshot.median()),
        line("snapshot and text", |point| point.scrape.median()),
    ];
    run.plots.push((of.to_owned(), plot::svg(heading, of, &lines)));
    run.report.table(Table {
        heading: heading.to_owned(),
        note: note.to_owned(),
        columns,
        rows,
    });
}

fn create(run: &Run, options: SegmentOptions) -> Segment {
    let options = options.budget(GREATEST).without_ticker();
    let segment = options.create_at(run.scratch.file("growth")).expect("a segment");
    assert!(segment.attach_thread(), "no lane");
    segment
}

/// Capacities for so many counters.
fn for_series(series: u64) -> SegmentOptions {
    Segment::options()
        .series(series.max(4096))
        .counters(series.max(4096))
        .text_length(series.max(4096) * 64)
}

fn series(run: &mut Run) {
    let sizes: &[u64] = if run.settings.quick {
        &[10, 100]
    } else {
        &[10, 100, 1000, 10_000, 100_000]
    };
    let points = sizes.iter().map(|&size| {
        let segment = create(run, for_series(size + 64));
        let counters = shm::counters(&segment, size as usize);
        counters.iter().for_each(|counter| counter.add(7));
        // With so many there, some more.
        let times: Vec<f64> = (0..50)
            .map(|n| {
                let route = format!("/another/{n}");
                let begun = Instant::now();
                let counter = segment.counter("others_total").label("route", &route).register();
                let took = begun.elapsed().as_nanos() as f64;
                assert!(counter.is_ok());
                took
            })
            .collect();
        let point = point(run, &segment, size, vec![time(quantile(&times, 0.5))]);
        shm::remove(&segment);
        point
    });
    let points = points.collect();
    let note =
        "Counters with two labels that one thread counts in. Last column: one more of them is registered.";
    curve(
        run,
        "Growth: series in use",
        note,
        "series",
        &["registering"],
        points,
    );
}

const FEW_COUNTERS: usize = 100;
const FEW_HISTOGRAMS: usize = 2;
const FEW_GAUGES: usize = 20;

/// Some counters, gauges and histograms, used by whoever calls it.
fn few(segment: &Segment) -> impl Fn(usize) + Clone + Send + 'static {
    let (counters, histograms) = (
        shm::counters(segment, FEW_COUNTERS),
        shm::histograms(segment, FEW_HISTOGRAMS),
    );
    let gauges: Vec<Gauge> = (0..FEW_GAUGES)
        .map(|n| {
            let gauge = segment.gauge("depth").label("queue", &n.to_string()).register();
            gauge.expect("a gauge")
        })
        .collect();
    move |_| {
        gauges.iter().for_each(|gauge| gauge.set(7));
        counters.iter().for_each(|counter| counter.add(7));
        record(&histograms);
    }
}

fn record(histograms: &[Histogram]) {
    for value in [100_000, 700_000, 2_000_000] {
        histograms.iter().for_each(|histogram| histogram.record(value));
    }
}

fn lanes(run: &mut Run) {
    let sizes: &[usize] = if run.settings.quick {
        &[1, 4]
    } else {
        &[1, 4, 16, 64, 256, 1024]
    };
    let points = sizes.iter().map(|&size| {
        let segment = create(run, Segment::options().lanes(1024));
        let work = few(&segment);
        work(0);
        let threads = crowd::threads(size - 1, work);
        let point = point(run, &segment, size as u64, Vec::new());
        drop(threads);
        shm::remove(&segment);
        point
    });
    let points = points.collect();
    let note = format!(
        "Threads that count in {FEW_COUNTERS} counters and {FEW_HISTOGRAMS} histograms, of 1,024 lanes; {FEW_GAUGES} gauges of the process."
    );
    curve(run, "Growth: lanes in use", &note, "lanes", &[], points);
}

fn histograms(run: &mut Run) {
    let sizes: &[usize] = if run.settings.quick {
        &[1, 3]
    } else {
        &[1, 10, 100, 1000]
    };
    let points = sizes.iter().map(|&size| {
        let segment = create(
            run,
            Segment::options().blocks_length(size as u64 * 12_288 + 65_536),
        );
        let histograms = shm::histograms(&segment, size);
        let work = move |_: usize| record(&histograms);
        work(0);
        let threads = crowd::threads(3, work);
        let point = point(run, &segment, size as u64, Vec::new());
        drop(threads);
        shm::remove(&segment);
        point
    });
    let points = points.collect();
    let note = "Histograms that four threads record in, three values each.";
    curve(run, "Growth: histograms in use", note, "histograms", &[], points);
}

fn unused(run: &mut Run) {
    let default = Segment::options;
    let lanes = 16_384;
    let kinds: Vec<(&str, SegmentOptions)> = vec![
        ("default: 4,096 series, 1,024 lanes, 256 processes", default()),
        ("64 times the series and counters", for_series(262_144)),
        ("16 times the lanes", default().lanes(lanes)),
        ("16 times the processes", default().process_slots(4096)),
        (
            "64 times the histograms",
            default().blocks_length(64 * 12_288 * 64),
        ),
        ("16 times the gauges", default().gauges(65_536)),
        (
            "all of that",
            for_series(262_144)
                .lanes(lanes)
                .process_slots(4096)
                .gauges(65_536)
                .blocks_length(16 * 12_288 * 64),
        ),
    ];
    let mut points = Vec::new();
    let mut rows = Vec::new();
    for (name, options) in kinds {
        let begun = Instant::now();
        let segment = create(run, options);
        let created = begun.elapsed().as_nanos() as f64;
        let empty = committed(segment.path().expect("a path"));
        let work = few(&segment);
        work(0);
        let threads = crowd::threads(3, work);
        let opened = open_time(segment.path().expect("a path"), run.many(15, 1));
        let point = point(run, &segment, 4, Vec::new());
        drop(threads);
        shm::remove(&segment);
        rows.push(vec![
            name.to_owned(),
            time(point.snapshot.median()),
            time(point.scrape.median()),
            time(opened),
            time(created),
            bytes(empty),
            bytes(point.committed - empty),
        ]);
        points.push(point);
    }
    run.report.table(Table {
        heading: "Growth: unused capacity".to_owned(),
        note: format!(
            "The same use in every row: {FEW_COUNTERS} counters, {FEW_GAUGES} gauges, {FEW_HISTOGRAMS} histograms, 4 lanes. `Reader::open` asks the kernel about \
             the owners. The head of a file (index, records, directories) is allocated at creation, in full."
        ),
        columns: [
            "capacity",
            "snapshot",
            "snapshot and text",
            "`Reader::open`",
            "created in",
            "an empty file",
            "committed by use",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows,
    });
    let (least, most) = (&points[0], &points[points.len() - 1]);
    run.report.target(
        "snapshot, all capacities many times as large",
        most.snapshot.median() / least.snapshot.median(),
        Limit::AtMost(1.1),
        " × default",
    );
}

/// How long it takes to open a reader.
fn open_time(path: &Path, times: usize) -> f64 {
    let times: Vec<f64> = (0..times)
        .map(|_| {
            let begun = Instant::now();
            let reader = Reader::open_path(path);
            let took = begun.elapsed().as_nanos() as f64;
            assert!(reader.is_ok());
            took
        })
        .collect();
    quantile(&times, 0.5)
}

/// Processes that counted and were killed: what they leave behind, and who takes it over.
fn dead(run: &mut Run) {
    let sizes: &[usize] = if run.settings.quick {
        &[2]
    } else {
        &[1, 16, 64, 200]
    };
    let mut rows = Vec::new();
    for &size in sizes {
        let segment = create(run, Segment::options());
        let work = few(&segment);
        let path = segment.path().expect("a path").to_owned();
        let processes = crowd::processes(&segment, size, |_, number| work(number));
        let living = point(run, &segment, size as u64, Vec::new());
        drop(processes);
        let point = point(run, &segment, size as u64, Vec::new());
        let (mut reader, _) = reader(&segment);
        let begun = Instant::now();
        reader.refresh_owners().expect("owners");
        let refreshed = begun.elapsed().as_nanos() as f64;
        // A thread's first operations: it takes a lane over.
        let (told, taken) = std::sync::mpsc::channel();
        let counters = shm::counters(&segment, 1);
        let threads = crowd::threads(run.many(15, 1).min(size), move |number| {
            let begun = Instant::now();
            counters[0].inc();
            let _ = told.send(begun.elapsed().as_nanos() as f64);
            work(number);
        });
        let taken: Vec<f64> = taken.try_iter().collect();
        let after = committed(&path);
        drop(threads);
        shm::remove(&segment);
        rows.push(vec![
            grouped(size as f64),
            time(living.snapshot.median()),
            time(point.snapshot.median()),
            time(refreshed),
            time(quantile(&taken, 0.5)),
            bytes(point.committed),
            bytes(after - point.committed),
        ]);
    }
    run.report.table(Table {
        heading: "Growth: the dead".to_owned(),
        note: "Forked processes that counted and were killed. Then threads come, which take over their lanes with all that they counted."
            .to_owned(),
        columns: [
            "processes",
            "snapshot, alive",
            "snapshot, dead",
            "`refresh_owners`",
            "first increment of a thread, by adoption",
            "committed",
            "more after adoption",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows,
    });
}

/// One reader of many segments, as a sidecar for a host.
fn segments(run: &mut Run) {
    let sizes: &[usize] = if run.settings.quick { &[2] } else { &[1, 10, 100] };
    let mut rows = Vec::new();
    for &size in sizes {
        let paths: Vec<_> = (0..size)
            .map(|n| run.scratch.file(&format!("of many {n}")))
            .collect();
        for path in &paths {
            // A process can have only so many open, so each is made by one that ends.
            let options = Segment::options().without_ticker();
            let segment = options.create_at(path).expect("a segment");
            few(&segment)(0);
            let histogram = segment.histogram("size").unit(Unit::Bytes).register();
            histogram.expect("a histogram").record(7);
        }
        let begun = Instant::now();
        let readers: Vec<Reader> = paths
            .iter()
            .map(|path| Reader::open_path(path).expect("a reader"))
            .collect();
        let opened = begun.elapsed().as_nanos() as f64;
        let heap = crate::system::heap();
        let works: Vec<Alone<'_>> = readers.into_iter().map(scrapes).collect();
        let all: Vec<Contestant<Alone<'_>>> = vec![contestant(
            "all",
            Box::new(|turns| works.iter().for_each(|work| work(turns))),
        )];
        let all = alone(run.settings.with(21, Duration::from_millis(5)), 1, &all);
        let kept = crate::system::heap() - heap;
        rows.push(vec![
            grouped(size as f64),
            time(opened / size as f64),
            time(all[0].median()),
            time(all[0].median() / size as f64),
            bytes(kept as f64 / size as f64),
        ]);
        paths.iter().for_each(|path| {
            let _ = std::fs::remove_file(path);
        });
    }
    run.report.table(Table {
        heading: "Growth: segments of one reader".to_owned(),
        note: format!(
            "Each with {FEW_COUNTERS} counters, {FEW_GAUGES} gauges and {} histograms in one lane.",
            FEW_HISTOGRAMS + 1
        ),
        columns: [
            "segments",
            "to open, each",
            "snapshot and text, all",
            "each",
            "heap of the reader, each",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows,
    });
}
