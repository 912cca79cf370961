//! Counters: by handle, bound, by labels, in two threads and processes, and inside real work.

use crate::measure::{Alone, Contestant, Figures, OPERATIONS, Work, alone, contestant};
use crate::peers::{
    client, fastmetrics, measured, metrics, metriken, opentelemetry, prometheus, python, raw, shm,
};
use crate::report::{Limit, Table};
use crate::run::Run;
use crate::together;

/// Places in the tables below.
const RAW: usize = 0;
const OURS: usize = 1;

pub fn measure(run: &mut Run) {
    let segment = shm::segment(&run.scratch.file("increment"));
    let one = one_thread(run, &segment);
    if run.two("two threads and two processes that increment") {
        two(run, &segment, &one);
    }
    labels(run, &segment);
    inside(run, &segment);
    crate::peers::shm::remove(&segment);
}

/// By name, so that a row more does not change what is compared.
fn find<'a>(all: &'a [Figures], name: &str) -> &'a Figures {
    all.iter().find(|figures| figures.name == name).expect("a row")
}

fn one_thread(run: &mut Run, segment: &shmetrics::Segment) -> Vec<Figures> {
    let contestants: Vec<Contestant<Alone<'_>>> = vec![
        contestant("raw add, the limit", raw::inc()),
        contestant("shmetrics", shm::inc(segment)),
        contestant("shmetrics, bound", shm::bound(segment)),
        contestant("raw add, always the same word", raw::same_word()),
        contestant("atomic add", raw::shared()),
        contestant("prometheus `IntCounter`", prometheus::inc()),
        contestant("prometheus-client", client::inc()),
        contestant("metriken", metriken::inc()),
        contestant("measured", measured::inc()),
        contestant("fastmetrics", fastmetrics::inc()),
        contestant("opentelemetry, bound", opentelemetry::inc()),
        contestant("metrics, handle", metrics::inc()),
    ];
    let mut all = alone(run.settings, OPERATIONS as u64, &contestants);
    python::add(run, "inc", &mut all);
    let note = "64 handles in turn, one thread.";
    run.report.table(Table::of("Increment", note, &all, OURS));
    let (raw, ours) = (&all[RAW], &all[OURS]);
    let counter = find(&all, "prometheus `IntCounter`");
    run.report
        .target("increment", ours.times(raw), Limit::AtMost(3.0), " × raw");
    run.report.target(
        "increment",
        counter.times(ours),
        Limit::AtLeast(12.0),
        " × faster than `IntCounter`",
    );
    let bound = find(&all, "shmetrics, bound").times(raw);
    run.report
        .target("increment, bound", bound, Limit::AtMost(1.5), " × raw");
    all
}

fn two(run: &mut Run, segment: &shmetrics::Segment, one: &[Figures]) {
    let contestants = || -> Vec<Contestant<Work>> {
        vec![
            contestant("raw add, the limit", raw::inc()),
            contestant("shmetrics", shm::inc(segment)),
            contestant("atomic add, the same words", raw::shared()),
        ]
    };
    let mut peers = contestants();
    peers.extend([
        contestant("prometheus `IntCounter`", prometheus::inc()),
        contestant("prometheus-client", client::inc()),
        contestant("metriken", metriken::inc()),
        contestant("measured", measured::inc()),
        contestant("fastmetrics", fastmetrics::inc()),
        contestant("opentelemetry, bound", opentelemetry::inc()),
        contestant("metrics, handle", metrics::inc()),
    ]);
    let settings = run.settings;
    let threads = together::threads(settings, &run.cpus, OPERATIONS as u64, &peers);
    let note = "The same handles in two threads, each on a processor of its own; ns of each.";
    run.report
        .table(Table::of("Increment, two threads", note, &threads, OURS));
    let mut processes = together::processes(settings, &run.cpus, OPERATIONS as u64, &contestants());
    python::add(run, "inc, multiprocess", &mut processes);
    let note = "The same series in two processes; ns of each. The libraries above count per process; client_python in files, one per \
        process, and is measured with one process at work.";
    run.report
        .table(Table::of("Increment, two processes", note, &processes, OURS));
    let alone = &one[OURS];
    let report = &mut run.report;
    report.target(
        "increment, two threads",
        threads[OURS].median() / alone.median(),
        Limit::AtMost(1.15),
        " × one thread",
    );
    report.target(
        "increment, two processes",
        processes[OURS].median() / alone.median(),
        Limit::AtMost(1.15),
        " × one process",
    );
    let counter = find(&threads, "prometheus `IntCounter`").times(&threads[OURS]);
    report.target(
        "increment, two threads",
        counter,
        Limit::AtLeast(40.0),
        " × faster than `IntCounter`",
    );
}

fn labels(run: &mut Run, segment: &shmetrics::Segment) {
    let contestants: Vec<Contestant<Alone<'_>>> = vec![
        contestant("raw add, the limit", raw::inc()),
        contestant("shmetrics `Family`", shm::family(segment)),
        contestant("measured, labels that are enums", measured::family()),
        contestant("fastmetrics", fastmetrics::family()),
        contestant("prometheus `CounterVec`", prometheus::family()),
        contestant("prometheus-client `Family`", client::family()),
        contestant("opentelemetry, two attributes", opentelemetry::family()),
        contestant("metrics `counter!`", metrics::family()),
    ];
    let mut all = alone(run.settings, OPERATIONS as u64, &contestants);
    python::add(run, "labels", &mut all);
    let note =
        "The series is looked up by two label values each time, 64 pairs in turn; all were used before.";
    run.report
        .table(Table::of("Increment by labels", note, &all, OURS));
    let ours = &all[OURS];
    run.report
        .target("increment by labels", ours.median(), Limit::AtMost(10.0), " ns");
    let vector = find(&all, "prometheus `CounterVec`").times(ours);
    run.report.target(
        "increment by labels",
        vector,
        Limit::AtLeast(3.5),
        " × faster than `CounterVec`",
    );
}

fn inside(run: &mut Run, segment: &shmetrics::Segment) {
    let contestants: Vec<Contestant<Alone<'_>>> = vec![
        contestant("nothing but the work", raw::nothing_inside()),
        contestant("shmetrics", shm::inside(segment)),
        contestant("shmetrics, bound", shm::bound_inside(segment)),
        contestant("raw add", raw::add_inside()),
        contestant("prometheus `IntCounter`", prometheus::inside()),
        contestant("prometheus-client", client::inside()),
        contestant("metriken", metriken::inside()),
        contestant("measured", measured::inside()),
        contestant("fastmetrics", fastmetrics::inside()),
        contestant("opentelemetry, bound", opentelemetry::inside()),
        contestant("metrics, handle", metrics::inside()),
    ];
    let all = alone(run.settings, OPERATIONS as u64, &contestants);
    let added: Vec<Figures> = all.iter().map(|figures| figures.beyond(&all[0])).collect();
    let rows = all.iter().zip(&added).map(|(figures, added)| {
        let (low, high) = added.quartiles();
        vec![
            figures.name.clone(),
            format!("{:.2}", figures.median()),
            format!("{:+.2}", added.median()),
            format!("{low:+.2} – {high:+.2}"),
        ]
    });
    run.report.table(Table {
        heading: "Increment inside of work".to_owned(),
        note: "One increment after each piece of work: 9 multiplications that wait for each other. ns of work and increment, and how \
            much of that is the increment."
            .to_owned(),
        columns: ["", "ns", "added", "half of the rounds"].map(str::to_owned).to_vec(),
        rows: rows.collect(),
    });
    let work = all[0].median();
    let (ours, counter) = (
        added[OURS].median(),
        find(&added, "prometheus `IntCounter`").median(),
    );
    run.report.target(
        "increment inside of work, in percent of the work",
        100.0 * ours / work,
        Limit::AtMost(1.0),
        " %",
    );
    run.report.target(
        "increment inside of work, beyond `IntCounter`",
        ours - counter,
        Limit::AtMost(0.05),
        " ns",
    );
}
