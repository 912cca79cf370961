//! Text encoding: a family of counters with two labels, as Prometheus text or OpenMetrics.

use std::cell::RefCell;
use std::hint::black_box;
use std::time::Duration;

use shmetrics::{Segment, Snapshot, Value};
use shmetrics_exposition::{Choice, Encoder, Filter, Format, Options, Source, encode};

use crate::measure::{Alone, Contestant, alone, contestant};
use crate::peers::{self, client, fastmetrics, measured, metrics, opentelemetry, prometheus, shm};
use crate::report::{Limit, Table};
use crate::run::Run;

const SERIES: usize = 10_000;

pub fn measure(run: &mut Run) {
    let series = run.many(SERIES, 100);
    let snapshot = snapshot(run, series);
    let finished = encode(&snapshot, Choice::default());
    let contestants: Vec<Contestant<Alone<'_>>> = vec![
        contestant("copy of the finished lines, the limit", copied(&finished, series)),
        contestant("shmetrics", told(&snapshot, other_digit, Format::Text004)),
        contestant(
            "shmetrics, nothing changes",
            told(&snapshot, same, Format::Text004),
        ),
        contestant(
            "shmetrics, lengths change",
            told(&snapshot, larger, Format::Text004),
        ),
        contestant(
            "shmetrics, OpenMetrics with start times",
            told(&snapshot, other_digit, Format::OpenMetrics100),
        ),
        contestant("shmetrics, an encoder for each text", told_once(&snapshot)),
        contestant("measured", measured::text(series)),
        contestant("prometheus-client, OpenMetrics", client::text(series)),
        contestant("fastmetrics", fastmetrics::text(series)),
        contestant("prometheus", prometheus::text(series)),
        contestant("metrics-exporter-prometheus", metrics::text(series)),
        contestant("opentelemetry-prometheus", opentelemetry::text(series)),
    ];
    let settings = run.settings.with(21, Duration::from_millis(4));
    let all = alone(settings, series as u64, &contestants);
    let note = format!(
        "{series} counters with two labels; ns per series. Of ours every value is another one each time, as long as before, if nothing \
         else is said; peers get the same values again, which makes no difference to them."
    );
    run.report.table(Table::of("Text", &note, &all, 1));
    let ours = &all[1];
    run.report.target(
        "text, integers",
        ours.median(),
        Limit::AtMost(8.0),
        " ns per series",
    );
    let peer = all
        .iter()
        .find(|one| one.name.starts_with("prometheus-client"))
        .expect("a row");
    let unit = " × faster than prometheus-client";
    run.report
        .target("text, integers", peer.times(ours), Limit::AtLeast(9.0), unit);
}

fn snapshot(run: &Run, series: usize) -> Snapshot {
    let path = run.scratch.file("text");
    let options = Segment::options()
        .series(series as u64 + 16)
        .counters(series as u64 + 16)
        .text_length(series as u64 * 64 + 4096);
    let segment = options.create_at(&path).expect("a segment");
    for (n, counter) in shm::counters(&segment, series).iter().enumerate() {
        counter.add(peers::value(n));
    }
    let snapshot = super::snapshot::reader(&segment).1;
    shm::remove(&segment);
    snapshot
}

fn changed(snapshot: &Snapshot, to: impl Fn(u64) -> u64) -> Snapshot {
    let mut other = snapshot.clone();
    for series in &mut other.series {
        if let Value::CounterU64(value) = &mut series.value {
            *value = to(*value);
        }
    }
    other
}

fn other_digit(value: u64) -> u64 {
    value - value % 10 + (value + 1) % 10
}

fn same(value: u64) -> u64 {
    value
}

fn larger(value: u64) -> u64 {
    value * 10
}

/// An encoder that is kept, and two snapshots in turn.
fn told<'a>(snapshot: &'a Snapshot, change: fn(u64) -> u64, format: Format) -> Alone<'a> {
    let other = changed(snapshot, change);
    let choice = Choice {
        format,
        ..Choice::default()
    };
    let kept = RefCell::new((Encoder::new(Options::default()), Vec::new(), false));
    Box::new(move |turns| {
        let (encoder, out, is_other) = &mut *kept.borrow_mut();
        for _ in 0..turns {
            let snapshot = if *is_other { &other } else { snapshot };
            *is_other = !*is_other;
            out.clear();
            let source = Source { name: "", snapshot };
            encoder.encode(black_box(&[source]), &[], choice, Filter::all(), out);
            black_box(&mut *out);
        }
    })
}

fn told_once(snapshot: &Snapshot) -> Alone<'_> {
    Box::new(move |turns| {
        for _ in 0..turns {
            black_box(encode(black_box(snapshot), Choice::default()));
        }
    })
}

fn copied(finished: &[u8], series: usize) -> Alone<'_> {
    let length = finished.len() / series;
    let out = RefCell::new(Vec::new());
    Box::new(move |turns| {
        let mut out = out.borrow_mut();
        for _ in 0..turns {
            out.clear();
            for line in finished.chunks(black_box(length)) {
                out.extend_from_slice(line);
            }
            black_box(&mut *out);
        }
    })
}
