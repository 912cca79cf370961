//! Which series are which: native buckets and ours, start times, several segments, what is kept and when it is prepared anew.

use shmetrics::buckets::Exponential;
use shmetrics::snapshot::{BucketScheme, Histogram, Value};
use shmetrics::{Merge, Reader, Segment, Snapshot, Unit};
use shmetrics_exposition::*;

use crate::support::Scratch;
use crate::{make, parse, proto};

/// Where a native bucket ends, by the definition: bucket `n` of schema `s` ends at 2^(n / 2^s), in the floats of SPEC.md 9.8.
fn native_upper_bound(number: i32, schema: i32) -> f64 {
    // The same bucket in the octave from 1 to 2, where a histogram of ours that begins at 1 has it as bucket `part`.
    let octave = number.div_euclid(1 << schema);
    let part = number.rem_euclid(1 << schema);
    let unit = Exponential::new(schema as u8, 0, 1).unwrap();
    unit.upper_bound(part as usize) * 2f64.powi(octave)
}

/// Does the message say all that the histogram does?
pub fn is_lossless(ours: &Histogram, theirs: &proto::Histogram) -> bool {
    let total: u64 = ours.counts.iter().sum();
    let sums = (theirs.sample_sum().to_bits(), ours.sum.to_bits());
    if theirs.sample_count() != total || sums.0 != sums.1 {
        return false;
    }
    let classic: Vec<(f64, u64)> = theirs
        .bucket
        .iter()
        .map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()))
        .collect();
    let mut cumulative = 0;
    let ours_classic: Vec<(f64, u64)> = ours
        .counts
        .iter()
        .enumerate()
        .map(|(index, count)| {
            cumulative += count;
            (ours.scheme.upper_bound(index), cumulative)
        })
        .collect();
    let BucketScheme::Exponential(scheme) = ours.scheme else {
        return theirs.schema.is_none() && theirs.zero_threshold.is_none() && classic == ours_classic;
    };
    let native = theirs.native();
    let sum_of_buckets = theirs.zero_count() + native.iter().map(|(_, count)| count).sum::<u64>();
    let expected: Vec<(f64, u64)> = ours
        .counts
        .iter()
        .enumerate()
        .skip(1)
        .filter(|(_, count)| **count > 0)
        .map(|(index, count)| (scheme.upper_bound(index), *count))
        .collect();
    let found: Vec<(f64, u64)> = native
        .iter()
        .map(|(number, count)| (native_upper_bound(*number, theirs.schema()), *count))
        .collect();
    theirs.schema() == i32::from(scheme.scale())
        && theirs.zero_threshold() == scheme.upper_bound(0)
        && theirs.zero_count() == ours.counts[0]
        && sum_of_buckets == total
        && found == expected
        && classic == ours_classic
}

fn only_histogram(bytes: &[u8]) -> proto::Histogram {
    proto::decode(bytes)[0].metric[0].histogram.clone().unwrap()
}

#[test]
fn a_native_bucket_ends_where_ours_does() {
    let scheme = Exponential::new(3, -2, 3).unwrap();
    // One observation in each bucket, low and overflow included.
    let value = make::histogram(BucketScheme::Exponential(scheme), vec![1; scheme.buckets()], 1.0);
    let snapshot = make::snapshot(vec![make::series("h", &[], value)]);
    let found = only_histogram(&make::encoded(&snapshot, Format::Protobuf, Escaping::Underscores));
    assert_eq!(
        (found.schema(), found.zero_threshold(), found.zero_count()),
        (3, 0.25, 1)
    );
    let native = found.native();
    // 2^-2 is where bucket -16 ends, 2^3 where bucket 24 ends; infinity is the bucket after that which ends at 2^1024.
    let expected: Vec<i32> = (-15..=24).chain([1024 * 8 + 1]).collect();
    assert_eq!(
        native.iter().map(|(number, _)| *number).collect::<Vec<_>>(),
        expected
    );
    for (index, (number, _)) in native.iter().enumerate() {
        assert_eq!(native_upper_bound(*number, 3), scheme.upper_bound(index + 1));
    }
    assert_eq!(found.positive_span.len(), 2);
}

#[test]
fn native_and_classic_histograms_can_be_had_alone() {
    let snapshot = make::snapshot(vec![
        make::series("h", &[], make::observed(Exponential::SECONDS, &[0.5])),
        make::series("own", &[], make::classic(&[1.0], &[1, 2], 3.0)),
    ]);
    let choice = Choice {
        format: Format::Protobuf,
        ..Choice::default()
    };
    let source = [Source {
        name: "",
        snapshot: &snapshot,
    }];
    for (native, classic) in [(true, false), (false, true), (true, true)] {
        let mut options = Options::default();
        (options.native_histograms, options.classic_histograms) = (native, classic);
        let mut out = Vec::new();
        Encoder::new(options).encode(&source, &[], choice, Filter::all(), &mut out);
        let families = proto::decode(&out);
        let [found, own] = [0, 1].map(|at| families[at].metric[0].histogram.clone().unwrap());
        assert_eq!(
            (found.schema.is_some(), !found.bucket.is_empty()),
            (native, classic)
        );
        // There is no native form of other bounds.
        assert_eq!((own.schema, own.bucket.len()), (None, 2));
    }
}

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

#[test]
fn a_server_s_own_families_keep_their_names() {
    let snapshot = make::snapshot(vec![make::series("shmetrics_up", &[], Value::CounterU64(1))]);
    let snapshot_gauge = make::snapshot(vec![make::series("shmetrics_up", &[], Value::GaugeI64(Some(5)))]);
    let samples = [Sample {
        labels: &[],
        value: shmetrics::snapshot::Number::U64(1),
        created_ns: 0,
    }];
    let extra = [Extra {
        name: "shmetrics_up",
        help: "",
        kind: ExtraKind::Gauge,
        samples: &samples,
    }];
    let mut encoder = Encoder::new(Options::default());
    let mut told = |snapshot: &Snapshot, extra: &[Extra<'_>]| {
        let mut out = Vec::new();
        let source = [Source { name: "", snapshot }];
        encoder.encode(&source, extra, Choice::default(), Filter::all(), &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(
        told(&snapshot_gauge, &[]),
        "# TYPE shmetrics_up gauge\nshmetrics_up 5\n"
    );
    let both = told(&snapshot_gauge, &extra);
    assert_eq!(
        both,
        "# TYPE U__shmetrics__up gauge\nU__shmetrics__up 5\n# TYPE shmetrics_up gauge\nshmetrics_up 1\n"
    );
    assert!(told(&snapshot, &extra).contains("\nshmetrics_up_total 1\n"));
}

#[test]
fn each_sample_of_a_server_tells_since_when_it_counts() {
    let snapshot = make::snapshot(vec![]);
    let number = shmetrics::snapshot::Number::U64;
    let [first, second, unknown] = ["1", "2", "3"].map(|number| [("cause", number)]);
    let samples = [
        Sample {
            labels: &first,
            value: number(5),
            created_ns: 1_500_000_000,
        },
        Sample {
            labels: &second,
            value: number(6),
            created_ns: 2_250_000_000,
        },
        Sample {
            labels: &unknown,
            value: number(7),
            created_ns: 0,
        },
    ];
    let extra = [
        Extra {
            name: "shmetrics_losses_total",
            help: "",
            kind: ExtraKind::Counter,
            samples: &samples,
        },
        Extra {
            name: "shmetrics_up",
            help: "",
            kind: ExtraKind::Gauge,
            samples: &samples,
        },
    ];
    let told = |format: Format, created: bool| {
        let mut options = Options::default();
        options.created = created;
        let mut out = Vec::new();
        let source = [Source {
            name: "",
            snapshot: &snapshot,
        }];
        let choice = Choice {
            format,
            ..Choice::default()
        };
        Encoder::new(options).encode(&source, &extra, choice, Filter::all(), &mut out);
        out
    };
    let lines = |format: Format, created: bool| {
        let text = String::from_utf8(told(format, created)).unwrap();
        text.lines()
            .filter(|line| line.contains("_created"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        lines(Format::OpenMetrics100, true),
        [
            "shmetrics_losses_created{cause=\"1\"} 1.5",
            "shmetrics_losses_created{cause=\"2\"} 2.25"
        ]
    );
    // Not where they are unwanted, and not where they would be series of their own.
    assert_eq!(lines(Format::OpenMetrics100, false), [] as [&str; 0]);
    assert_eq!(lines(Format::Text004, true), [] as [&str; 0]);
    let families = proto::decode(&told(Format::Protobuf, true));
    let times = |family: usize| {
        let metrics = families[family].metric.iter();
        metrics
            .map(|metric| {
                metric
                    .counter
                    .as_ref()
                    .and_then(|counter| counter.created.clone())
                    .map(|time| (time.seconds, time.nanos))
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(times(0), [Some((1, 500_000_000)), Some((2, 250_000_000)), None]);
    assert_eq!(times(1), [None; 3]);
}
