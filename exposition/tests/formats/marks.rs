//! Time marks are gauges of seconds, absent while they are never; states are a streak for each process and status, and whether all are
//! healthy.

use shmetrics::{Preset, Reader, Segment};
use shmetrics_exposition::{Escaping, Format, lines};

use crate::support::Scratch;
use crate::{make, proto};

#[test]
fn time_marks_and_states_are_told_in_every_format() {
    let scratch = Scratch::new("exposition-marks");
    let path = scratch.path("segment");
    let options = Segment::options().preset(Preset::Compact).role("web-1");
    let segment = options.create_at(&path).unwrap();
    let served = segment.time_mark("last_served").help("When").register().unwrap();
    let named = segment
        .time_mark("started_timestamp_seconds")
        .first()
        .register()
        .unwrap();
    segment.time_mark("never").register().unwrap();
    let state = segment.state("fetch").label("kind", "a");
    let state = state
        .status("OK", None)
        .status("FATAL", Some(2))
        .register()
        .unwrap();
    segment.state("unset").status("OK", None).register().unwrap();
    served.mark_at_ns(1_795_165_200_500_000_000);
    named.mark_at_ns(1_500_000_000);
    state.set(1);
    let mut reader = Reader::open_path(&path).unwrap();
    let healthy = reader.snapshot().unwrap();
    state.set(1);
    let unhealthy = reader.snapshot().unwrap();

    let text = |snapshot, format| make::text(snapshot, format, Escaping::Underscores);
    assert_eq!(
        text(&healthy, Format::Text004),
        "# TYPE fetch gauge\n\
         fetch{kind=\"a\",process=\"web-1\",status=\"OK\"} 0\n\
         fetch{kind=\"a\",process=\"web-1\",status=\"FATAL\"} 1\n\
         # TYPE fetch_healthy gauge\n\
         fetch_healthy{kind=\"a\"} 1\n\
         # HELP last_served_timestamp_seconds When\n\
         # TYPE last_served_timestamp_seconds gauge\n\
         last_served_timestamp_seconds 1795165200.5\n\
         # TYPE started_timestamp_seconds gauge\n\
         started_timestamp_seconds 1.5\n"
    );
    let open_metrics = text(&unhealthy, Format::OpenMetrics100);
    for line in [
        "# UNIT last_served_timestamp_seconds seconds",
        "fetch{kind=\"a\",process=\"web-1\",slot=\"\",status=\"FATAL\"} 2",
        "fetch_healthy{kind=\"a\"} 0",
    ] {
        assert!(
            open_metrics.lines().any(|found| found == line),
            "{line}:\n{open_metrics}"
        );
    }
    let families = proto::decode(&make::encoded(
        &unhealthy,
        Format::Protobuf,
        Escaping::Underscores,
    ));
    let told: Vec<(String, usize, f64)> = families
        .iter()
        .map(|family| {
            let last = family.metric.last().unwrap();
            (
                family.name().to_owned(),
                family.metric.len(),
                last.gauge.as_ref().unwrap().value(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("fetch".to_owned(), 2, 2.0),
            ("fetch_healthy".to_owned(), 1, 0.0),
            ("last_served_timestamp_seconds".to_owned(), 1, 1_795_165_200.5),
            ("started_timestamp_seconds".to_owned(), 1, 1.5),
        ]
    );
    let mut shown = String::new();
    lines(&unhealthy, &mut shown);
    assert_eq!(
        shown,
        "last_served.ns: 1795165200500000000\n\
         started_timestamp_seconds.ns: 1500000000\n\
         fetch.streak.FATAL{kind=\"a\",process=\"web-1\"}: 2\n\
         fetch.healthy{kind=\"a\"}: 0\n"
    );
}
