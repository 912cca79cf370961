//! Groups are a counter per field, and the numbers are of one moment.

use shmetrics::Value;
use shmetrics_exposition::{Choice, Encoder, Escaping, Filter, Format, Options, Source, lines};

use crate::make;

fn text(series: Vec<shmetrics::snapshot::Series>, format: Format) -> String {
    make::text(&make::snapshot(series), format, Escaping::Underscores)
}

#[test]
fn each_field_is_a_counter() {
    let labels = [("crawler", "a")];
    let group = || make::series("deliveries_total", &labels, make::group(&[7, 9, 1 << 60]));
    assert_eq!(
        text(vec![group()], Format::Text004),
        "# TYPE deliveries_total counter\n\
         deliveries_total{crawler=\"a\"} 9\n\
         # TYPE deliveries_a_total counter\n\
         deliveries_a_total{crawler=\"a\"} 7\n\
         # TYPE deliveries_b_c_total counter\n\
         deliveries_b_c_total{crawler=\"a\"} 1152921504606846976\n"
    );
    let open_metrics = text(vec![group()], Format::OpenMetrics100);
    for line in [
        "# TYPE deliveries_a counter",
        "deliveries_a_total{crawler=\"a\"} 7",
        "deliveries_a_created{crawler=\"a\"} 1795165200.25",
        "deliveries_total{crawler=\"a\"} 9",
    ] {
        assert!(
            open_metrics.lines().any(|found| found == line),
            "{line}:\n{open_metrics}"
        );
    }
    let mut told = String::new();
    lines(&make::snapshot(vec![group()]), &mut told);
    assert_eq!(
        told,
        "deliveries_total.a{crawler=\"a\"}: 7\ndeliveries_total.total{crawler=\"a\"}: 9\n\
         deliveries_total.b.c{crawler=\"a\"}: 1152921504606846976\ndeliveries_total{crawler=\"a\"}: 0\n"
    );
}

#[test]
fn a_counter_of_the_name_of_a_field_is_no_second_series() {
    let group = make::series("deliveries", &[], make::group(&[7]));
    for name in ["deliveries_a", "deliveries_a_total"] {
        let counter = make::series(name, &[], Value::CounterU64(5));
        for series in [
            vec![group.clone(), counter.clone()],
            vec![counter.clone(), group.clone()],
        ] {
            let told = text(series, Format::Text004);
            let times = told
                .lines()
                .filter(|line| line.starts_with("deliveries_a_total "))
                .count();
            assert_eq!(times, 1, "{told}");
        }
    }
}

#[test]
fn what_is_kept_from_the_last_time_is_put_right_field_by_field() {
    let mut encoder = Encoder::new(Options::default());
    let series = make::series("deliveries", &[], make::group(&[7, 9, 3]));
    let mut snapshot = make::snapshot(vec![series]);
    for values in [[7, 9, 3], [7, 10, 3], [8, 9_999_999, 0], [8, 9_999_999, 1]] {
        snapshot.series[0].value = make::group(&values);
        for format in [Format::Text004, Format::Protobuf] {
            let choice = Choice {
                format,
                escaping: Escaping::Underscores,
            };
            let source = [Source {
                name: "app",
                snapshot: &snapshot,
            }];
            let (mut kept, mut anew) = (Vec::new(), Vec::new());
            encoder.encode(&source, &[], choice, Filter::all(), &mut kept);
            Encoder::new(Options::default()).encode(&source, &[], choice, Filter::all(), &mut anew);
            assert_eq!(kept, anew, "{values:?}");
        }
    }
}
