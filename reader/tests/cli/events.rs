//! `events`: what happened, once and followed.

use serde_json::Value as Json;
use shmetrics::events::{EventWriter, FieldKind, Value};

use super::support::*;

fn jobs(segment: &shmetrics::Segment) -> (EventWriter, EventWriter) {
    let events = segment
        .events("jobs")
        .capacity(8)
        .kind(
            1,
            "started",
            &[("job", FieldKind::U64), ("queue", FieldKind::Text(12))],
        )
        .kind(2, "ended", &[("job", FieldKind::U64), ("ok", FieldKind::Bool)])
        .register()
        .unwrap();
    (events.kind("started").unwrap(), events.kind("ended").unwrap())
}

fn lines(text: &str) -> Vec<Json> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn what_happened_is_printed_and_a_cursor_goes_on() {
    let folder = Folder::new();
    let segment = folder.segment("app");
    let (started, ended) = jobs(&segment);
    started.write(&[Value::U64(1), Value::Text("a\u{1b}[31m \"b\" long")]);
    ended.write(&[Value::U64(1), Value::Bool(true)]);
    let first = folder.run(&["events", "app", "--print-cursor"]);
    assert_eq!(first.code, 0, "{first:?}");
    let told = lines(&first.stdout);
    assert_eq!(told.len(), 2);
    assert_eq!(
        (&told[0]["event"], &told[0]["job"], &told[0]["truncated"]),
        (&"started".into(), &1.into(), &serde_json::json!(["queue"]))
    );
    assert_eq!(told[1]["ok"], true);
    let cursor = first.stderr.trim();
    (0..10).for_each(|job| ended.write(&[Value::U64(job), Value::Bool(false)]));
    ended.write(&[]);
    let rest = lines(&folder.run(&["events", "app", "--after", cursor]).stdout);
    assert_eq!(rest.len(), 9);
    assert_eq!(rest[8], serde_json::json!({ "lost": 2, "dropped": 1 }));
    let some = folder.run(&[
        "events", "app", "--kind", "start*", "--kind", "none", "--format", "text",
    ]);
    assert!(
        some.stdout.contains("lost") && !some.stdout.contains("ended"),
        "{some:?}"
    );
    assert_eq!(folder.run(&["events", "app", "--new"]).stdout, "");
    let bad = folder.run(&["events", "app", "--after", "nonsense"]);
    assert!(bad.code == 2 && bad.stderr.contains("cursor"), "{bad:?}");
}

#[test]
fn text_is_for_people_and_nothing_in_it_is_raw() {
    let folder = Folder::new();
    let segment = folder.segment("app");
    let (started, _) = jobs(&segment);
    started.write_at(5, &[Value::U64(1), Value::Text("a\u{1b}[31m \"b\" long")]);
    let text = folder.run(&["events", "app", "--format", "text"]).stdout;
    let rest = text.split_once(' ').unwrap().1;
    assert_eq!(rest, "started job=1 queue=\"a\\u{1b}[31m \\\"b\\\" l\"...\n");
}

#[test]
fn a_follower_goes_on_with_what_replaces_the_segment_and_stops_cleanly() {
    let folder = Folder::new();
    let segment = folder.segment("app");
    let (_, ended) = jobs(&segment);
    ended.write(&[Value::U64(0), Value::Bool(true)]);
    let mut command = folder.command(&["events", "app", "--follow", "--interval", "10ms"]);
    let mut running = Running(
        command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let printed = Lines::of(running.0.stdout.take().unwrap());
    let next = || -> Json { serde_json::from_str(&printed.next()).unwrap() };
    assert_eq!(next()["job"], 0);
    ended.write(&[Value::U64(1), Value::Bool(true)]);
    assert_eq!(next()["job"], 1);
    segment.retire().unwrap();
    drop(segment);
    let segment = folder.segment("app");
    let (_, ended) = jobs(&segment);
    ended.write(&[Value::U64(2), Value::Bool(true)]);
    assert_eq!(next()["job"], 2);
    running.signal(rustix::process::Signal::TERM);
    assert_eq!(running.code(), 0);
}
