//! `watch`: lines with rates, a file replaced atomically, segments that come and go, and a clean stop.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::Value as Json;
use shmetrics::Merge;

use super::support::*;

/// Starts it and follows what it prints.
fn watch(folder: &Folder, arguments: &[&str]) -> (Running, Lines) {
    let mut running = start(folder, arguments);
    let lines = Lines::of(running.0.stdout.take().unwrap());
    (running, lines)
}

fn start(folder: &Folder, arguments: &[&str]) -> Running {
    let mut command = folder.command(&["watch"]);
    command.args(arguments);
    Running(
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    )
}

/// The next line of `watch`.
fn next(lines: &Lines) -> Json {
    let line = lines.next();
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
}

#[test]
fn three_lines_with_rates() {
    let folder = Folder::new();
    let segment = folder.segment("app");
    let counter = segment.counter("c_total").register().unwrap();
    let histogram = segment.histogram("h").register().unwrap();
    segment.gauge("g").merge(Merge::Sum).register().unwrap().set(3);
    let (mut running, lines) = watch(&folder, &["app", "--interval", "500ms", "--count", "3"]);
    let first = next(&lines);
    assert!(first["interval_seconds"].is_null() && series(&first, "c_total")["rate"].is_null());
    counter.add(1 << 60);
    (0..500).for_each(|_| histogram.record(7));
    let second = next(&lines);
    let seconds = second["interval_seconds"].as_f64().unwrap();
    assert!(seconds > 0.4, "{seconds}");
    assert_eq!(series(&second, "c_total")["value"], 1u64 << 60);
    let is_near = |rate: &Json, expected: f64| (rate.as_f64().unwrap() / expected - 1.0).abs() < 1e-9;
    assert!(is_near(
        &series(&second, "c_total")["rate"],
        (1u64 << 60) as f64 / seconds
    ));
    assert!(is_near(&series(&second, "h")["rate"], 500.0 / seconds));
    assert!(series(&second, "g").get("rate").is_none());
    segment.counter("late_total").register().unwrap().inc();
    let third = next(&lines);
    assert_eq!(series(&third, "c_total")["rate"], 0.0);
    assert!(series(&third, "late_total")["rate"].is_null());
    assert_eq!(running.code(), 0);
    assert!(lines.is_over());
}

#[test]
fn only_the_series_that_match() {
    let folder = Folder::new();
    let segment = folder.segment("app");
    segment.counter("a_total").register().unwrap();
    segment.counter("b_total").register().unwrap();
    let (mut running, lines) = watch(&folder, &["app", "--interval=10ms", "--count=2", "--series=b*"]);
    next(&lines);
    let second = next(&lines);
    assert_eq!(names(&second), ["b_total"]);
    assert_eq!(series(&second, "b_total")["rate"], 0.0);
    assert_eq!(running.code(), 0);
}

#[test]
fn the_output_file_is_whole_at_any_time_and_nothing_else_stays() {
    let folder = Folder::new();
    let segment = folder.segment("app");
    for number in 0..100 {
        segment
            .counter("filler_total")
            .label("number", &number.to_string())
            .register()
            .unwrap();
    }
    std::fs::create_dir(folder.path("out")).unwrap();
    let output = folder.path("out/metrics.json");
    let (mut running, _lines) = watch(&folder, &["app", "--interval", "1ms", "--output", &output]);
    wait_for("the first file", || Path::new(&output).exists());
    let parse = |text: &str| -> Json {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text:?}"))
    };
    for _ in 0..100 {
        let opened = File::open(&output).unwrap();
        let now = parse(&std::fs::read_to_string(&output).unwrap());
        assert_eq!(names(&now).len(), 100);
        wait_for("the next file", || {
            parse(&std::fs::read_to_string(&output).unwrap())["taken_at"] != now["taken_at"]
        });
        // What was opened before still is what it was then.
        let before = parse(&text(opened));
        assert!(before["taken_at"].as_str() <= now["taken_at"].as_str());
    }
    assert_eq!(
        std::fs::metadata(&output).unwrap().permissions().mode() & 0o777,
        0o644
    );
    running.signal(Signal::TERM);
    assert_eq!(running.code(), 0);
    let left: Vec<_> = std::fs::read_dir(folder.path("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["metrics.json"]);
    assert_refused(
        &folder.run(&["watch", "app", "--output", &folder.path("none/x")]),
        "cannot write",
    );
}

#[test]
fn it_stops_cleanly_on_signals_also_when_nobody_reads() {
    let folder = Folder::new();
    let segment = folder.segment("app");
    for number in 0..200 {
        segment
            .counter("filler_total")
            .label("number", &number.to_string())
            .register()
            .unwrap();
    }
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let (mut running, lines) = watch(&folder, &["app", "--interval", "1h"]);
        next(&lines);
        running.signal(signal);
        assert_eq!(running.code(), 0);
    }
    // Stuck in a full pipe.
    let mut running = start(&folder, &["app", "--interval", "1ms"]);
    let unread = running.0.stdout.take().unwrap();
    wait_for("a full pipe", || {
        rustix::io::ioctl_fionread(&unread).unwrap() > 60_000
    });
    running.signal(Signal::TERM);
    assert_eq!(running.code(), 0);
}

#[test]
fn a_replaced_segment_is_followed_and_a_vanished_one_awaited() {
    let folder = Folder::new();
    let first = folder.segment("app");
    first.counter("c_total").register().unwrap().add(100);
    let (mut running, lines) = watch(&folder, &["app", "--interval", "5ms"]);
    assert_eq!(series(&next(&lines), "c_total")["value"], 100);

    // Gone: it waits, and says so once.
    first.retire().unwrap();
    let errors = Lines::of(running.0.stderr.take().unwrap());
    assert!(errors.next().contains("waiting for one"));

    // Back, another one.
    let value = |line: &Json| {
        line["series"]
            .as_array()
            .unwrap()
            .first()
            .map(|series| series["value"].clone())
    };
    let second = folder.segment("app");
    second.counter("c_total").register().unwrap().add(7);
    wait_for("the second segment", || value(&next(&lines)) == Some(7.into()));

    // Replaced without a gap.
    let third = folder.segment("new");
    third.counter("c_total").register().unwrap().add(1);
    std::fs::rename(folder.path("new"), folder.path("app")).unwrap();
    let mut line = Json::Null;
    wait_for("the third segment", || {
        line = next(&lines);
        value(&line) == Some(1.into())
    });
    assert!(line["interval_seconds"].is_null(), "nothing to compare it with");
    running.signal(Signal::TERM);
    assert_eq!(running.code(), 0);
    assert!(errors.is_over());
}

#[test]
fn it_waits_for_the_first_segment_if_told_so() {
    let folder = Folder::new();
    let (mut running, lines) = watch(&folder, &["app", "--interval", "5ms", "--count", "1", "--wait"]);
    let errors = Lines::of(running.0.stderr.take().unwrap());
    assert!(errors.next().contains("waiting for one"));
    let _segment = folder.segment("app");
    assert_eq!(next(&lines)["schema"], 1);
    assert_eq!(running.code(), 0);
}
