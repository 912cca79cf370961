//! A scrape from end to end: processes that counted, their snapshot, its text.

use std::cell::RefCell;
use std::time::Duration;

use shmetrics::{Reader, Segment, Snapshot};
use shmetrics_exposition::{Choice, Encoder, Filter, Options, Source};

use crate::crowd;
use crate::measure::{Alone, Contestant, Figures, alone, contestant};
use crate::peers::{python, raw, shm};
use crate::report::{Limit, Table, number, time};
use crate::run::Run;

const COUNTERS: usize = 1000;
const HISTOGRAMS: usize = 10;
/// Of the machine that the targets are said for, in ns.
const RAW_ADD_NS: f64 = 0.12;

pub fn measure(run: &mut Run) {
    let mut rows = Vec::new();
    for processes in [8, 64, 256] {
        let processes = run.many(processes, 2);
        rows.push(one(run, processes));
        if run.settings.quick {
            break;
        }
    }
    run.report.table(Table {
        heading: "Scrape".to_owned(),
        note: format!(
            "Forked processes that counted in {COUNTERS} counters and {HISTOGRAMS} histograms, and live; one reader \
             in a process of its own, warm. client_python: the same in multiprocess mode, by `generate_latest`."
        ),
        columns: ["processes", "snapshot", "snapshot and text", "half of the rounds", "client_python", "ratio"]
            .map(str::to_owned)
            .to_vec(),
        rows,
    });
}

/// A segment in which `count` processes counted and live.
pub fn served(run: &Run, name: &str, count: usize) -> (Segment, crowd::Processes) {
    let options = Segment::options()
        .process_slots(count as u64 + 8)
        .without_ticker();
    let segment = options.create_at(run.scratch.file(name)).expect("a segment");
    let processes = crowd::processes(&segment, count, |segment, number| {
        for (n, counter) in shm::counters(segment, COUNTERS).iter().enumerate() {
            counter.add((n + number) as u64 + 1);
        }
        for histogram in shm::histograms(segment, HISTOGRAMS) {
            [100_000, 700_000, 2_000_000]
                .into_iter()
                .for_each(|value| histogram.record(value));
        }
    });
    (segment, processes)
}

/// The work of a scrape.
pub fn scrapes<'a>(reader: Reader) -> Alone<'a> {
    let kept = RefCell::new((
        reader,
        Snapshot::default(),
        Encoder::new(Options::default()),
        Vec::new(),
    ));
    Box::new(move |turns| {
        let (reader, snapshot, encoder, out) = &mut *kept.borrow_mut();
        for _ in 0..turns {
            reader.snapshot_into(snapshot).expect("a snapshot");
            out.clear();
            let source = Source { name: "", snapshot };
            encoder.encode(&[source], &[], Choice::default(), Filter::all(), out);
            std::hint::black_box(&mut *out);
        }
    })
}

fn one(run: &mut Run, count: usize) -> Vec<String> {
    let (segment, processes) = served(run, "scrape", count);
    let (reader, _) = super::snapshot::reader(&segment);
    let contestants: Vec<Contestant<Alone<'_>>> = vec![
        contestant("snapshot", super::snapshot::snapshots(&segment)),
        contestant("snapshot and text", scrapes(reader)),
        contestant("raw", raw::inc()),
    ];
    let all = alone(run.settings.with(31, Duration::from_millis(3)), 1, &contestants);
    assert_eq!(processes.len(), count);
    drop(processes);
    shm::remove(&segment);
    let ours = all[1].median();
    // 64 adds are one turn of the raw one.
    let raw = all[2].median() / 64.0;
    let (low, high) = all[1].quartiles();
    let rounds = run.many(7, 1).to_string();
    let peer = python::ask(run, &["scrape", &count.to_string(), &rounds]);
    let peer: Option<Figures> = match peer {
        Ok(figures) => figures.into_iter().next(),
        Err(reason) => {
            run.report.skip(&format!("client_python: {reason}"));
            None
        }
    };
    if count == 64 {
        let (limit, scaled) = (60.0, ours / 1000.0 * RAW_ADD_NS / raw);
        let work =
            format!("scrape of 64 processes, snapshot to text, scaled to a raw add of {RAW_ADD_NS} ns");
        run.report.target(&work, scaled, Limit::AtMost(limit), " µs");
        if let Some(peer) = &peer {
            let unit = " × faster than client_python";
            run.report.target(
                "scrape of 64 processes",
                peer.median() / ours,
                Limit::AtLeast(1500.0),
                unit,
            );
        }
    }
    vec![
        count.to_string(),
        time(all[0].median()),
        time(ours),
        format!("{} – {}", time(low), time(high)),
        peer.as_ref().map_or("—".to_owned(), |peer| time(peer.median())),
        peer.map_or("—".to_owned(), |peer| {
            format!("{} ×", number(peer.median() / ours))
        }),
    ]
}
