//! Histograms: one, many in turn, in two threads and processes, beside a reader, and scopes that are timed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use shmetrics::{Reader, Segment, Snapshot};

use crate::measure::{Alone, Contestant, Figures, OPERATIONS, Work, alone, contestant, rounds};
use crate::peers::{
    client, fastmetrics, hdrhistogram, histogram, measured, metrics, metriken, opentelemetry, prometheus,
    python, raw, shm,
};
use crate::report::{Limit, Table};
use crate::run::Run;
use crate::{system, together};

/// Place of ours in the tables below.
const OURS: usize = 1;

pub fn measure(run: &mut Run) {
    let segment = shm::segment(&run.scratch.file("record"));
    one_thread(run, &segment);
    if run.two("two threads that record, and readers meanwhile") {
        two(run, &segment);
        beside_a_reader(run, &segment);
    }
    timed(run, &segment);
    shm::remove(&segment);
}

fn find<'a>(all: &'a [Figures], name: &str) -> &'a Figures {
    all.iter().find(|figures| figures.name == name).expect("a row")
}

fn one_thread(run: &mut Run, segment: &Segment) {
    let contestants = |count: usize| -> Vec<Contestant<Alone<'_>>> {
        vec![
            contestant("plain bucket, count and sum, the limit", raw::record(count)),
            contestant("shmetrics", shm::record(segment, count)),
            contestant("shmetrics, bound", shm::bound_record(segment, count)),
            contestant("histogram, one thread, no sum", histogram::plain(count)),
            contestant("hdrhistogram, one thread, no sum", hdrhistogram::record(count)),
            contestant("histogram, atomic, no sum", histogram::record(count)),
            contestant("metriken, no sum", metriken::record(count)),
            contestant("prometheus-client", client::record(count)),
            contestant("fastmetrics", fastmetrics::record(count)),
            contestant("measured", measured::record(count)),
            contestant("opentelemetry, bound", opentelemetry::record(count)),
            contestant("prometheus", prometheus::record(count)),
            contestant("metrics, pushed only", metrics::record(count)),
        ]
    };
    let mut all = alone(run.settings, OPERATIONS as u64, &contestants(1));
    python::add(run, "observe", &mut all);
    let note = "A duration into one histogram, one thread. Ours has all its guards: the sequence, minimum and maximum, the epoch. Peers \
        that take floats get seconds as floats.";
    run.report.table(Table::of("Record a duration", note, &all, OURS));
    let many = alone(run.settings, OPERATIONS as u64, &contestants(64));
    let note = "The same, 64 histograms in turn.";
    run.report
        .table(Table::of("Record, 64 histograms in turn", note, &many, OURS));
    let (ours, report) = (&all[OURS], &mut run.report);
    report.target("record a duration", ours.median(), Limit::AtMost(2.0), " ns");
    for (peer, wanted) in [
        ("prometheus", 9.0),
        ("histogram, atomic, no sum", 2.2),
        ("hdrhistogram, one thread, no sum", 1.2),
    ] {
        let reached = find(&all, peer).times(ours);
        let unit = format!(" × faster than {peer}");
        report.target("record a duration", reached, Limit::AtLeast(wanted), &unit);
    }
    report.target(
        "record, 64 histograms in turn",
        many[OURS].median() / ours.median(),
        Limit::AtMost(1.3),
        " × one histogram",
    );
}

fn two(run: &mut Run, segment: &Segment) {
    let contestants: Vec<Contestant<Work>> = vec![
        contestant("three atomic adds", raw::record_shared()),
        contestant("shmetrics", shm::record(segment, 1)),
        contestant("histogram, atomic, no sum", histogram::record(1)),
        contestant("metriken, no sum", metriken::record(1)),
        contestant("prometheus-client", client::record(1)),
        contestant("fastmetrics", fastmetrics::record(1)),
        contestant("measured", measured::record(1)),
        contestant("opentelemetry, bound", opentelemetry::record(1)),
        contestant("prometheus", prometheus::record(1)),
        contestant("metrics, pushed only", metrics::record(1)),
    ];
    let all = together::threads(run.settings, &run.cpus, OPERATIONS as u64, &contestants);
    let note = "The same histogram in two threads, each on a processor of its own; ns of each.";
    run.report
        .table(Table::of("Record, two threads", note, &all, OURS));
    let faster = find(&all, "prometheus").times(&all[OURS]);
    run.report.target(
        "record, two threads",
        faster,
        Limit::AtLeast(60.0),
        " × faster than prometheus",
    );
    let contestants: Vec<Contestant<Work>> = vec![
        contestant("three atomic adds", raw::record_shared()),
        contestant("shmetrics", shm::record(segment, 1)),
    ];
    let mut all = together::processes(run.settings, &run.cpus, OPERATIONS as u64, &contestants);
    python::add(run, "observe, multiprocess", &mut all);
    let note =
        "The same series in two processes; ns of each. client_python is measured with one process at work.";
    run.report
        .table(Table::of("Record, two processes", note, &all, OURS));
}

/// How long a reader waits between two snapshots.
const NO_READER: u64 = u64::MAX;
const PER_MILLISECOND: u64 = 1_000_000;
const FULL_RATE: u64 = 0;

fn beside_a_reader(run: &mut Run, segment: &Segment) {
    let path = segment.path().expect("a path").to_owned();
    let (pause_ns, end) = (AtomicU64::new(NO_READER), AtomicBool::new(false));
    let works = [
        ("record", shm::record(segment, 1)),
        ("increment", shm::inc(segment)),
    ];
    let readers = [
        ("no reader", NO_READER),
        ("a snapshot each ms", PER_MILLISECOND),
        ("a reader at full rate", FULL_RATE),
    ];
    let settings = run.settings.with(21, Duration::from_millis(20));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            system::pin(run.cpus[1]);
            let mut reader = Reader::open_path(&path).expect("a reader");
            let mut snapshot = Snapshot::default();
            while !end.load(Relaxed) {
                match pause_ns.load(Relaxed) {
                    NO_READER => std::thread::sleep(Duration::from_micros(200)),
                    pause => {
                        reader.snapshot_into(&mut snapshot).expect("a snapshot");
                        if pause != FULL_RATE {
                            std::thread::sleep(Duration::from_nanos(pause));
                        }
                    }
                }
            }
        });
        for (name, work) in &works {
            let names = readers.iter().map(|(reader, _)| format!("{name}, {reader}"));
            let all = rounds(settings, OPERATIONS as u64, names.collect(), &|which, turns| {
                pause_ns.store(readers[which].1, Relaxed);
                // Until the reader has noticed.
                std::thread::sleep(Duration::from_micros(if settings.quick { 10 } else { 500 }));
                let begun = system::worked_ns();
                work(turns);
                (system::worked_ns() - begun) as f64
            });
            let note = "One thread writes, a reader on another processor takes snapshots of the segment with that series hot.";
            run.report
                .table(Table::of(&format!("A reader meanwhile: {name}"), note, &all, 0));
            for (at, limit) in [(1, 1.03), (2, 1.15)] {
                let times = all[at].times(&all[0]);
                run.report
                    .target(&all[at].name, times, Limit::AtMost(limit), " × without a reader");
            }
        }
        end.store(true, Relaxed);
    });
}

fn timed(run: &mut Run, segment: &Segment) {
    let contestants: Vec<Contestant<Alone<'_>>> = vec![
        contestant("the clock, twice: the limit", raw::timed()),
        contestant("shmetrics", shm::timed(segment)),
        contestant("prometheus", prometheus::timed()),
        contestant("measured", measured::timed()),
    ];
    let mut all = alone(run.settings, OPERATIONS as u64, &contestants);
    python::add(run, "time", &mut all);
    let note =
        "A timer begins and is dropped at the end of an empty scope. Peers that are missing have none.";
    run.report.table(Table::of("Time a scope", note, &all, OURS));
}
