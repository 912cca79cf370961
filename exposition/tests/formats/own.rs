//! Families of a server itself, beside those of segments.

use shmetrics::Snapshot;
use shmetrics::snapshot::Value;
use shmetrics_exposition::*;

use crate::{make, proto};

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
