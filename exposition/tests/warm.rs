//! Once the series are known, an exposition allocates nothing, in any format.

#[path = "../../tests/support/memory.rs"]
mod memory;
#[path = "../../tests/support/mod.rs"]
mod support;

use shmetrics::snapshot::Number;
use shmetrics::{Merge, Reader, Segment, Snapshot, Unit};
use shmetrics_exposition::*;

#[test]
fn a_warm_exposition_allocates_nothing() {
    let scratch = support::Scratch::new("exposition-warm");
    let path = scratch.path("app");
    let segment = Segment::options()
        .role("web-0")
        .without_ticker()
        .create_at(&path)
        .unwrap();
    let counter = segment
        .counter("a.b")
        .help("Help\n")
        .label("c.d", "e\"f")
        .register()
        .unwrap();
    segment
        .counter_float("seconds_total")
        .register()
        .unwrap()
        .add(0.1);
    segment.gauge_float("ratio").register().unwrap().set(f64::NAN);
    segment
        .gauge("each")
        .merge(Merge::Each)
        .register()
        .unwrap()
        .set(3);
    let latency = segment
        .histogram("latency_seconds")
        .unit(Unit::Seconds)
        .register()
        .unwrap();
    let own = segment.histogram_classic("size", &[1.0, 2.0]).register().unwrap();
    let group = segment.group("group").fields(["a", "b"]).register().unwrap();
    group.add([1, 2]);
    let mut reader = Reader::open_path(&path).unwrap();
    let mut snapshot = Snapshot::default();
    let mut encoder = Encoder::new(Options::default());
    let labels = [("path", "a\\b")];
    let samples = [Sample {
        labels: &labels,
        value: Number::U64(7),
        created_ns: 5,
    }];
    let extra = [
        Extra {
            name: "shmetrics_scrapes",
            help: "Scrapes",
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
    let mut out = Vec::new();
    for warm in [false, true] {
        for format in [Format::Text004, Format::OpenMetrics100, Format::Protobuf] {
            for escaping in Escaping::ALL {
                for names in [&[][..], &["a_b_total", "latency_seconds"]] {
                    // Numbers change, series do not.
                    counter.add(1_000_003);
                    latency.record(1_000);
                    own.record(1.5);
                    reader.snapshot_into(&mut snapshot).unwrap();
                    let sources = [
                        Source {
                            name: "app",
                            snapshot: &snapshot,
                        },
                        Source {
                            name: "again",
                            snapshot: &snapshot,
                        },
                    ];
                    out.clear();
                    // Numbers grow longer.
                    out.reserve(1 << 16);
                    let choice = Choice { format, escaping };
                    let encode = || encoder.encode(&sources, &extra, choice, Filter::names(names), &mut out);
                    let (left_out, peak) = memory::peak_of(encode);
                    assert_eq!(left_out, LeftOut::default());
                    assert!(!out.is_empty());
                    if warm {
                        assert_eq!(peak, 0, "{choice:?}");
                    }
                }
            }
        }
    }
}
