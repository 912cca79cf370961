//! Other people's parsers take what comes out: a strict one of OpenMetrics in Rust here; in Python another, one of the text format,
//! and promtool, where `ci/exposition_peers.sh` has put them.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use openmetrics_parser::openmetrics::parse_openmetrics;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use shmetrics::snapshot::Series;
use shmetrics_exposition::*;

use crate::support::{Scratch, skip};
use crate::{make, random};

/// A carriage return ends a line for that parser, wherever it stands. It does not in OpenMetrics, nor for anybody else.
fn without_carriage_returns(text: &str) -> String {
    text.replace('\r', "?")
}

/// It strips a suffix as often as it finds it, so that the buckets of `a_bucket` belong to `a` for it.
fn ends_as_its_samples_do(series: &Series) -> bool {
    let name = series.description.name.trim_end_matches("_total");
    ["_bucket", "_sum", "_count", "_created"]
        .iter()
        .any(|suffix| name.ends_with(suffix))
        || series.description.name.ends_with("_total_total")
        || name.is_empty()
}

fn accepted(text: &str) -> Result<(), TestCaseError> {
    // An exposition that says nothing is none to that parser.
    if text != "# EOF\n" {
        let parsed = parse_openmetrics(&without_carriage_returns(text));
        prop_assert!(parsed.is_ok(), "{:?}\n{}", parsed.err(), text);
    }
    Ok(())
}

#[test]
fn the_strict_parser_in_rust_accepts_the_service() {
    let service = make::service();
    for escaping in [Escaping::Underscores, Escaping::Dots, Escaping::Values] {
        accepted(&make::text(&service, Format::OpenMetrics100, escaping)).unwrap();
    }
    // It would have seen a series twice, and buckets that go down.
    let text = make::text(&service, Format::OpenMetrics100, Escaping::Underscores);
    let twice = text.replace("# TYPE x gauge\nx 3\n", "# TYPE x gauge\nx 3\nx 3\n");
    assert!(twice != text && parse_openmetrics(&twice).is_err());
    let down = text.replace("balance_bucket{le=\"1.0\"} 3", "balance_bucket{le=\"1.0\"} 0");
    assert!(down != text && parse_openmetrics(&down).is_err());
}

proptest! {
    #![proptest_config(crate::seed::config(128))]

    #[test]
    fn the_strict_parser_in_rust_accepts_whatever_a_segment_says(mut series in random::segment()) {
        series.retain(|series| !ends_as_its_samples_do(series));
        let snapshot = make::snapshot(series);
        // It knows no quoted names.
        for escaping in [Escaping::Underscores, Escaping::Dots, Escaping::Values] {
            accepted(&make::text(&snapshot, Format::OpenMetrics100, escaping))?;
        }
    }
}

/// Where the peers are; `None`: not here.
fn peers() -> Option<PathBuf> {
    let found = std::env::var_os("SHMETRICS_PEERS").map(PathBuf::from);
    if found.is_none() {
        skip("the parsers in Python and promtool are not here; ci/exposition_peers.sh gets them");
    }
    found
}

/// The service and a hundred random segments, the same on every run.
fn segments() -> Vec<Vec<Series>> {
    let mut runner = TestRunner::deterministic();
    let strategy = random::segment();
    let random = std::iter::repeat_with(|| strategy.new_tree(&mut runner).unwrap().current());
    std::iter::once(make::service().series)
        .chain(random.take(100))
        .collect()
}

#[test]
fn the_strict_parser_in_python_accepts_whatever_a_segment_says() {
    let Some(peers) = peers() else { return };
    let scratch = Scratch::new("exposition-python");
    let mut files = 0;
    for (number, series) in segments().into_iter().enumerate() {
        let snapshot = make::snapshot(series);
        for format in [Format::OpenMetrics100, Format::Text004] {
            for escaping in Escaping::ALL {
                // Its parser of the older format knows no quoted names.
                let kind = if make::is_open_metrics(format) {
                    "openmetrics"
                } else {
                    "text"
                };
                if kind == "text" && escaping == Escaping::AllowUtf8 {
                    continue;
                }
                let path = scratch.path(&format!("{number}-{}.{kind}", escaping.name()));
                std::fs::write(path, make::text(&snapshot, format, escaping)).unwrap();
                files += 1;
            }
        }
        let protobuf = make::encoded(&snapshot, Format::Protobuf, Escaping::AllowUtf8);
        std::fs::write(scratch.path(&format!("{number}.protobuf")), protobuf).unwrap();
        files += 1;
    }
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/parse.py");
    let folder = scratch.path("");
    let output = Command::new(peers.join("venv/bin/python"))
        .arg(script)
        .arg(folder)
        .output()
        .unwrap();
    let (said, complained) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{said}{complained}");
    assert_eq!(said.trim(), format!("{files} files"));
}

#[test]
fn promtool_parses_the_text_format() {
    let Some(peers) = peers() else { return };
    for series in segments() {
        let text = make::text(&make::snapshot(series), Format::Text004, Escaping::Underscores);
        let mut promtool = Command::new(peers.join("promtool"));
        promtool
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = promtool.spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        // 3: it does not like the names.
        let code = output.status.code();
        assert!(
            matches!(code, Some(0 | 3)),
            "{code:?}: {}\n{text}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
