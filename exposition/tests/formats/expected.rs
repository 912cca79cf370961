//! Each format of one service, byte for byte, as in `tests/expected`. After a change that is meant: `SHMETRICS_BLESS=1 cargo test
//! -p shmetrics-exposition`, and a look at the difference.

use std::path::Path;

use shmetrics_exposition::*;

use crate::make;

/// Compares with a file, or writes it.
fn compare(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/expected")
        .join(name);
    if std::env::var_os("SHMETRICS_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, found).unwrap();
        return;
    }
    let expected =
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for (number, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
        assert_eq!(found, expected, "{name}, line {}", number + 1);
    }
    assert_eq!(found.len(), expected.len(), "{name}");
}

#[test]
fn every_text_format_is_as_expected() {
    let service = make::service();
    for (format, escaping, name) in [
        (Format::Text004, Escaping::Underscores, "text_underscores.txt"),
        (Format::Text004, Escaping::Dots, "text_dots.txt"),
        (Format::Text004, Escaping::Values, "text_values.txt"),
        (Format::Text100, Escaping::AllowUtf8, "text_utf8.txt"),
        (
            Format::OpenMetrics100,
            Escaping::Underscores,
            "openmetrics_underscores.txt",
        ),
        (
            Format::OpenMetrics100,
            Escaping::AllowUtf8,
            "openmetrics_utf8.txt",
        ),
    ] {
        compare(name, &make::text(&service, format, escaping));
    }
    let pairs = [
        (Format::Text004, Format::Text100),
        (Format::OpenMetrics001, Format::OpenMetrics100),
    ];
    for (older, newer) in pairs {
        for escaping in Escaping::ALL {
            assert_eq!(
                make::text(&service, older, escaping),
                make::text(&service, newer, escaping)
            );
        }
    }
}

#[test]
fn protobuf_is_as_expected() {
    let service = make::service();
    let families = crate::proto::decode(&make::encoded(&service, Format::Protobuf, Escaping::AllowUtf8));
    compare("protobuf_utf8.txt", &crate::proto::print(&families));
}

#[test]
fn lines_for_people_are_as_expected() {
    let mut service = make::service();
    service.series.push(make::series(
        "evil\u{1b}[2J\u{202e}",
        &[("a b", "\u{7f}")],
        shmetrics::Value::CounterU64(1),
    ));
    let mut out = String::new();
    lines(&service, &mut out);
    compare("lines.txt", &out);
}

#[test]
fn several_segments_are_one_exposition() {
    let mut other = make::service();
    // Of another type than in the first.
    other.series.push(make::series(
        "hits",
        &[("segment", "mine")],
        shmetrics::Value::GaugeI64(Some(8)),
    ));
    let service = make::service();
    let sources = [
        Source {
            name: "shop",
            snapshot: &service,
        },
        Source {
            name: "till",
            snapshot: &other,
        },
    ];
    let labels = [("version", "1.2.3"), ("note", "a\"b")];
    let built = [Sample {
        labels: &labels,
        value: shmetrics::snapshot::Number::U64(1),
        created_ns: make::CREATED_NS,
    }];
    let scrapes = [Sample {
        labels: &[],
        value: shmetrics::snapshot::Number::U64(12),
        created_ns: make::CREATED_NS,
    }];
    let extra = [
        Extra {
            name: "shmetrics_build_info",
            help: "What is this?",
            kind: ExtraKind::Gauge,
            samples: &built,
        },
        Extra {
            name: "shmetrics_scrapes_total",
            help: "",
            kind: ExtraKind::Counter,
            samples: &scrapes,
        },
        Extra {
            name: "shmetrics_nothing",
            help: "Nobody",
            kind: ExtraKind::Gauge,
            samples: &[],
        },
    ];
    let mut options = Options::default();
    options.bounds = Bounds::List(vec![0.3, 1.0]);
    let mut encoder = Encoder::new(options);
    for (format, name) in [
        (Format::Text004, "several_text.txt"),
        (Format::OpenMetrics100, "several_openmetrics.txt"),
    ] {
        let mut out = Vec::new();
        let choice = Choice {
            format,
            ..Choice::default()
        };
        let left_out = encoder.encode(&sources, &extra, choice, Filter::all(), &mut out);
        assert_eq!(left_out, LeftOut::default());
        let text = String::from_utf8(out).unwrap();
        crate::parse::parse(&text, make::is_open_metrics(format));
        compare(name, &text);
    }
    let mut out = Vec::new();
    let choice = Choice {
        format: Format::Protobuf,
        ..Choice::default()
    };
    encoder.encode(&sources, &extra, choice, Filter::all(), &mut out);
    compare(
        "several_protobuf.txt",
        &crate::proto::print(&crate::proto::decode(&out)),
    );
}
