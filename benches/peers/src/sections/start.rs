//! What happens once: a process attaches, a thread takes its lane, a series is registered.

use std::process::Command;
use std::time::Instant;

use shmetrics::Segment;

use crate::crowd;
use crate::measure::{Figures, quantile};
use crate::peers::shm;
use crate::report::{Limit, Table};
use crate::run::Run;

const SERIES: usize = 1000;

pub fn measure(run: &mut Run) {
    let options = Segment::options().without_ticker();
    let path = run.scratch.file("start");
    let segment = options.create_at(&path).expect("a segment");
    let counter = shm::counters(&segment, 1).remove(0);
    counter.inc();
    let mut rows = vec![attach(run, &segment), first_operation(run, counter)];
    let (created, found) = register(run, &segment);
    rows.extend([created, found]);
    let raw = rows.iter().map(Figures::median).collect::<Vec<f64>>();
    let table_rows = rows.iter().map(|figures| {
        let (low, high) = figures.quartiles();
        let worst = quantile(&figures.rounds, 0.99);
        [figures.median(), low, high, worst].map(crate::report::time)
    });
    let table_rows = rows
        .iter()
        .zip(table_rows)
        .map(|(figures, [median, low, high, worst])| {
            vec![figures.name.clone(), median, format!("{low} – {high}"), worst]
        });
    run.report.table(Table {
        heading: "What happens once".to_owned(),
        note: "Each in full: with locks, storage and system calls.".to_owned(),
        columns: ["", "median", "half of them", "99 of 100 are below"]
            .map(str::to_owned)
            .to_vec(),
        rows: table_rows.collect(),
    });
    let report = &mut run.report;
    report.target("attach a process", raw[0] / 1e3, Limit::AtMost(300.0), " µs");
    report.target("first use of a lane", raw[1] / 1e3, Limit::AtMost(30.0), " µs");
    report.target("register a series", raw[2] / 1e3, Limit::AtMost(3.0), " µs");
    shm::remove(&segment);
}

fn figures(name: &str, rounds: Vec<f64>) -> Figures {
    Figures {
        name: name.to_owned(),
        rounds,
    }
}

/// Programs that open the segment, as any does: this one, which is told to do only that.
fn attach(run: &Run, segment: &Segment) -> Figures {
    let path = segment.path().expect("a path");
    let program = std::env::current_exe().expect("this program");
    let times = (0..run.many(60, 2)).map(|_| {
        let said = Command::new(&program)
            .arg(ATTACH)
            .arg(path)
            .output()
            .expect("a process");
        let said = String::from_utf8_lossy(&said.stdout);
        said.trim().parse().expect("a time")
    });
    figures("a process attaches (`open`, with its ticker)", times.collect())
}

/// What this program is called with to do only that.
pub const ATTACH: &str = "--attach";

/// Opens a segment and prints how many ns that took.
pub fn attach_once(path: &str) {
    let begun = Instant::now();
    let segment = Segment::options().open_at(path).expect("the segment");
    println!("{}", begun.elapsed().as_nanos());
    drop(segment);
}

/// Threads one after another, all of which stay, so that each takes a lane that nobody had.
fn first_operation(run: &Run, counter: shmetrics::Counter) -> Figures {
    let times = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = times.clone();
    let _threads = crowd::threads(run.many(200, 3), move |_| {
        let begun = Instant::now();
        counter.inc();
        let took = begun.elapsed().as_nanos() as f64;
        told.lock().expect("times").push(took);
    });
    let times = times.lock().expect("times").clone();
    figures("a thread's first increment, which takes its lane", times)
}

/// New series, and the same again.
fn register(run: &Run, segment: &Segment) -> (Figures, Figures) {
    let names: Vec<String> = (0..run.many(SERIES, 10)).map(crate::peers::route).collect();
    let times = |_| -> Vec<f64> {
        names
            .iter()
            .map(|route| {
                let begun = Instant::now();
                let counter = segment.counter("pages_total").help("Pages served");
                let counter = counter.label("method", "GET").label("route", route).register();
                let took = begun.elapsed().as_nanos() as f64;
                assert!(counter.is_ok());
                took
            })
            .collect()
    };
    (
        figures("a new series is registered", times(())),
        figures("a series that is there is registered again", times(())),
    )
}
