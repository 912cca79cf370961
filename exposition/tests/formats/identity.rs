//! Which series are which: start times, several segments, what is kept and when it is prepared anew.

use shmetrics::snapshot::Value;
use shmetrics::{Merge, Reader, Segment, Snapshot, Unit};
use shmetrics_exposition::*;

use crate::support::Scratch;
use crate::{make, parse};

fn created_of(text: &str, name: &str) -> String {
    let line = text
        .lines()
        .find(|line| line.starts_with(name))
        .unwrap_or_else(|| panic!("no {name}: {text}"));
    line.rsplit_once(' ').unwrap().1.to_owned()
}

#[test]
fn counts_begin_anew_only_with_a_later_start_time() {
    let scratch = Scratch::new("exposition-start");
    let path = scratch.path("app");
    let text = |snapshot: &Snapshot, encoder: &mut Encoder| {
        let choice = Choice {
            format: Format::OpenMetrics100,
            ..Choice::default()
        };
        let mut out = Vec::new();
        encoder.encode(
            &[Source {
                name: "app",
                snapshot,
            }],
            &[],
            choice,
            Filter::all(),
            &mut out,
        );
        String::from_utf8(out).unwrap()
    };
    let mut encoder = Encoder::new(Options::default());
    let count = |add: u64| {
        let segment = Segment::options()
            .without_ticker()
            .open_or_create(path.to_str().unwrap())
            .unwrap();
        segment.counter("jobs_total").register().unwrap().add(add);
        let latency = segment
            .histogram("latency_seconds")
            .unit(Unit::Seconds)
            .register()
            .unwrap();
        latency.record(1_000_000);
        segment
    };
    let first = count(5);
    let mut reader = Reader::open_path(&path).unwrap();
    let before = text(&reader.snapshot().unwrap(), &mut encoder);
    let facts = reader.snapshot().unwrap();
    let created_ns = facts.find("jobs_total", &[]).unwrap().description.created_ns;
    let seconds: f64 = created_of(&before, "jobs_created").parse().unwrap();
    assert!((seconds - created_ns as f64 / 1e9).abs() < 1e-6);
    // The process ends, another goes on in its lane: the same start, and more.
    drop(first);
    let second = count(2);
    let after = text(&reader.snapshot().unwrap(), &mut encoder);
    for name in ["jobs_created", "latency_seconds_created"] {
        assert_eq!(created_of(&before, name), created_of(&after, name));
    }
    assert_eq!(
        (
            &*created_of(&before, "jobs_total"),
            &*created_of(&after, "jobs_total")
        ),
        ("5", "7")
    );
    // A reader that is opened again tells the same.
    let mut again = Reader::open_path(&path).unwrap();
    assert_eq!(text(&again.snapshot().unwrap(), &mut encoder), after);
    // Reset: from zero, and a later start, of what was reset alone.
    shmetrics::reset::at_path(&path, |series| series.name == "jobs_total").unwrap();
    let reset = text(&reader.snapshot().unwrap(), &mut encoder);
    assert_eq!(created_of(&reset, "jobs_total"), "0");
    let start = |text: &str| created_of(text, "jobs_created").parse::<f64>().unwrap();
    assert!(start(&reset) > start(&after));
    let latency = "latency_seconds_created";
    assert_eq!(created_of(&reset, latency), created_of(&after, latency));
    // Another segment in its place: less, and a later start.
    second.retire().unwrap();
    drop(second);
    let _third = count(1);
    let mut replaced = Reader::open_path(&path).unwrap();
    let anew = text(&replaced.snapshot().unwrap(), &mut encoder);
    assert_eq!(created_of(&anew, "jobs_total"), "1");
    for name in ["jobs_created", "latency_seconds_created"] {
        let time = |text: &str| created_of(text, name).parse::<f64>().unwrap();
        assert!(time(&anew) > time(&after), "{name}");
    }
}

#[test]
fn what_is_kept_is_prepared_anew_when_series_change() {
    let scratch = Scratch::new("exposition-kept");
    let path = scratch.path("app");
    let segment = Segment::options()
        .role("web")
        .without_ticker()
        .create_at(&path)
        .unwrap();
    let mut reader = Reader::open_path(&path).unwrap();
    let mut encoder = Encoder::new(Options::default());
    let mut snapshot = Snapshot::default();
    let mut same_as_fresh = |snapshot: &mut Snapshot, reader: &mut Reader| {
        reader.snapshot_into(snapshot).unwrap();
        let mut texts = Vec::new();
        for format in make::TEXTS.into_iter().chain([Format::Protobuf]) {
            for escaping in Escaping::ALL {
                let choice = Choice { format, escaping };
                let mut out = Vec::new();
                encoder.encode(
                    &[Source { name: "", snapshot }],
                    &[],
                    choice,
                    Filter::all(),
                    &mut out,
                );
                assert_eq!(out, encode(snapshot, choice));
                texts.push(out);
            }
        }
        texts
    };
    let empty = same_as_fresh(&mut snapshot, &mut reader);
    let counter = segment.counter("a.b").register().unwrap();
    let one = same_as_fresh(&mut snapshot, &mut reader);
    assert_ne!(empty, one);
    counter.inc();
    assert_ne!(one, same_as_fresh(&mut snapshot, &mut reader));
    // Takes the name that the other one had by escaping.
    segment.counter("a_b").register().unwrap().add(9);
    same_as_fresh(&mut snapshot, &mut reader);
    let each = segment.gauge("each").merge(Merge::Each).register().unwrap();
    same_as_fresh(&mut snapshot, &mut reader);
    each.set(4);
    same_as_fresh(&mut snapshot, &mut reader);
    // A revision changes the buckets of a series that is known.
    segment.histogram("h").range(0, 4).register().unwrap().record(3);
    let narrow = same_as_fresh(&mut snapshot, &mut reader);
    segment
        .histogram("h")
        .range(-2, 9)
        .register()
        .unwrap()
        .record(300);
    assert_ne!(narrow, same_as_fresh(&mut snapshot, &mut reader));
    // The overflow series is hidden while it says nothing.
    let family = segment.counter("limited").limit(1).family(["n"]).unwrap();
    family.with(["1"]).inc();
    same_as_fresh(&mut snapshot, &mut reader);
    family.with(["2"]).inc();
    let texts = same_as_fresh(&mut snapshot, &mut reader);
    assert!(String::from_utf8_lossy(&texts[0]).contains("limited_total{shmetrics_overflow=\"true\"} 1"));
}

#[test]
fn what_is_kept_is_prepared_anew_when_values_become_histograms_or_cease_to_be() {
    let other = || make::classic(&[0.5], &[1, 2], 3.0);
    let mut snapshot = make::snapshot(vec![
        make::series("a", &[], Value::GaugeI64(Some(1))),
        make::series("b", &[], other()),
    ]);
    let mut encoder = Encoder::new(Options::default());
    let values = [Value::GaugeI64(Some(2)), other()];
    for value in [0, 1, 1, 0, 0].map(|value| values[value].clone()) {
        // One each way at a time, both at once, and by turns: descriptions stay as they are.
        for at in [0, 1, 0] {
            snapshot.series[at].value = value.clone();
            let mut out = Vec::new();
            let source = [Source {
                name: "",
                snapshot: &snapshot,
            }];
            encoder.encode(&source, &[], Choice::default(), Filter::all(), &mut out);
            assert_eq!(out, encode(&snapshot, Choice::default()));
        }
        snapshot.series.swap(0, 1);
    }
}

#[test]
fn segments_are_told_apart_by_a_label_and_only_then() {
    let shop = make::snapshot(vec![make::series(
        "hits_total",
        &[("segment", "mine")],
        Value::CounterU64(1),
    )]);
    let till = make::snapshot(vec![make::series("hits_total", &[], Value::CounterU64(2))]);
    let (shop, till) = (
        Source {
            name: "shop",
            snapshot: &shop,
        },
        Source {
            name: "till",
            snapshot: &till,
        },
    );
    let told = |options: Options, sources: &[Source<'_>]| {
        let mut out = Vec::new();
        Encoder::new(options).encode(sources, &[], Choice::default(), Filter::all(), &mut out);
        String::from_utf8(out).unwrap()
    };
    let alone = told(Options::default(), &[shop]);
    assert_eq!(
        alone,
        "# TYPE hits_total counter\nhits_total{segment=\"mine\"} 1\n"
    );
    let both = told(Options::default(), &[shop, till]);
    assert_eq!(
        both,
        "# TYPE hits_total counter\nhits_total{exported_segment=\"mine\",segment=\"shop\"} 1\nhits_total{segment=\"till\"} 2\n"
    );
    let mut always = Options::default();
    always.segment_label = SegmentLabel::Always;
    assert_eq!(
        told(always, &[till]),
        "# TYPE hits_total counter\nhits_total{segment=\"till\"} 2\n"
    );
}

#[test]
fn a_filter_tells_whole_families() {
    let service = make::service();
    let told = |names: &[&str], format: Format| {
        let mut out = Vec::new();
        let choice = Choice {
            format,
            ..Choice::default()
        };
        let source = [Source {
            name: "",
            snapshot: &service,
        }];
        Encoder::new(Options::default()).encode(&source, &[], choice, Filter::names(names), &mut out);
        let families = parse::parse(std::str::from_utf8(&out).unwrap(), make::is_open_metrics(format));
        families
            .iter()
            .map(|family| family.name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        told(&["latency_seconds_bucket", "nothing"], Format::Text004),
        ["latency_seconds"]
    );
    assert_eq!(
        told(&["hits_total", "latency_seconds"], Format::Text004),
        ["hits_total", "latency_seconds"]
    );
    for name in ["hits", "hits_total", "hits_created"] {
        assert_eq!(told(&[name], Format::OpenMetrics100), ["hits"]);
    }
    // As it is exposed, and as it was registered.
    assert_eq!(
        told(&["my_requests_total"], Format::Text004),
        ["my_requests_total"]
    );
    assert_eq!(told(&["my.requests"], Format::Text004), ["my_requests_total"]);
    assert_eq!(told(&["hit"], Format::Text004), [] as [&str; 0]);
    let all = told(&[], Format::Text004);
    assert!(all.len() > 10);
}

#[test]
fn what_cannot_be_told_apart_is_left_out_and_counted() {
    // An empty label is none: nobody who reads it could tell these two apart.
    let snapshot = make::snapshot(vec![
        make::series("a", &[], Value::GaugeI64(Some(1))),
        make::series("a", &[("b", "")], Value::GaugeI64(Some(2))),
    ]);
    let source = [Source {
        name: "",
        snapshot: &snapshot,
    }];
    for format in make::TEXTS {
        let mut out = Vec::new();
        let choice = Choice {
            format,
            ..Choice::default()
        };
        let left_out = Encoder::new(Options::default()).encode(&source, &[], choice, Filter::all(), &mut out);
        assert_eq!(left_out.series, 1);
        assert!(
            String::from_utf8(out)
                .unwrap()
                .starts_with("# TYPE a gauge\na 1\n")
        );
    }
}
