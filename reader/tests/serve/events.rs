//! `/events`: JSON lines, and server-sent events that resume from a cursor.

use serde_json::Value as Json;
use shmetrics::events::{EventWriter, FieldKind, Value};

use super::client::*;
use super::support::*;

fn jobs(segment: &shmetrics::Segment) -> (EventWriter, EventWriter) {
    let events = segment
        .events("jobs")
        .capacity(8)
        .kind(
            1,
            "started",
            &[("job", FieldKind::U64), ("queue", FieldKind::Text(8))],
        )
        .kind(2, "ended", &[("job", FieldKind::U64)])
        .register()
        .unwrap();
    (events.kind("started").unwrap(), events.kind("ended").unwrap())
}

/// Id, name and data of each message of a stream; a message that only has an id has no data.
fn messages(text: &str) -> Vec<(Option<String>, Option<String>, Option<Json>)> {
    let blocks = text.split("\n\n").filter(|block| !block.trim().is_empty());
    let message = |block: &str| {
        let field = |name: &str| {
            let line = block.lines().find_map(|line| line.strip_prefix(name));
            line.map(str::to_owned)
        };
        let data = field("data: ").map(|data| serde_json::from_str(&data).unwrap());
        (field("id: "), field("event: "), data)
    };
    blocks.map(message).collect()
}

#[test]
fn json_lines_end_with_where_to_go_on() {
    let folder = Folder::new();
    let segment = folder.segment("app");
    let (started, ended) = jobs(&segment);
    let server = Server::start(&folder, &["app"]);
    started.write(&[Value::U64(1), Value::Text("a queue that is long")]);
    ended.write(&[Value::U64(1)]);
    let lines = |path: &str| -> Vec<Json> {
        let reply = server.get(path);
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (200, Some("application/x-ndjson")),
            "{reply:?}"
        );
        reply
            .text()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let all = lines("/events");
    assert_eq!(all.len(), 3);
    // Scrapers are told how many there were.
    assert_eq!(server.samples().value("jobs_total"), 2.0);
    assert_eq!(
        (&all[0]["event"], &all[0]["queue"]),
        (&"started".into(), &"a queue ".into())
    );
    assert_eq!(all[0]["truncated"], serde_json::json!(["queue"]));
    assert!(all[0]["timestamp"].as_str().unwrap().ends_with('Z'));
    let cursor = all[2]["cursor"].as_str().unwrap();
    started.write(&[Value::U64(2), Value::Text("")]);
    ended.write(&[Value::U64(2)]);
    let more = lines(&format!("/events?after={cursor}&kind=end*"));
    assert_eq!(more.len(), 2);
    assert_eq!((&more[0]["event"], &more[0]["job"]), (&"ended".into(), &2.into()));
    // Nine more than the ring has room for; and one that cannot be written.
    (0..17).for_each(|job| ended.write(&[Value::U64(job)]));
    ended.write(&[]);
    let rest = lines(&format!("/events?after={}", more[1]["cursor"].as_str().unwrap()));
    assert_eq!(rest.len(), 9);
    assert_eq!((&rest[8]["lost"], &rest[8]["dropped"]), (&9.into(), &1.into()));
    // From now on there is nothing.
    assert_eq!(lines("/events?since=now").len(), 1);
    for path in [
        "/events?since=then",
        "/events?format=xml",
        "/events?after=nonsense",
    ] {
        assert_eq!(server.get(path).status, 400, "{path}");
    }
    assert_eq!(server.get("/events?segment=none").status, 404);
}

#[test]
fn a_stream_resumes_behind_any_event() {
    let folder = Folder::new();
    let segment = folder.segment("app");
    let (started, ended) = jobs(&segment);
    let server = Server::start(&folder, &["app"]);
    let stream = |last: &str| {
        let id = format!("Last-Event-ID: {last}");
        let reply = server.ask("GET", "/events", &["Accept: text/event-stream", &id]);
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (200, Some("text/event-stream")),
            "{reply:?}"
        );
        assert!(reply.text().starts_with("retry: "), "{}", reply.text());
        messages(&reply.text())
    };
    // Another thread has another ring.
    std::thread::scope(|scope| {
        scope.spawn(|| (0..3).for_each(|job| started.write(&[Value::U64(job), Value::Text("q")])));
    });
    (0..3).for_each(|job| ended.write(&[Value::U64(job)]));
    let all = stream("");
    let data: Vec<&Json> = all.iter().filter_map(|(_, _, data)| data.as_ref()).collect();
    assert_eq!(data.len(), 6);
    assert_eq!(all[1].1.as_deref(), Some("started"));
    // The last one has no data: only where to go on.
    assert!(all.last().unwrap().2.is_none());
    // Whichever event a client got last, the rest comes, each once.
    let ids: Vec<&String> = all
        .iter()
        .filter(|(_, _, data)| data.is_some())
        .filter_map(|(id, _, _)| id.as_ref())
        .collect();
    for (index, id) in ids.iter().enumerate() {
        let rest = stream(id);
        let rest: Vec<&Json> = rest.iter().filter_map(|(_, _, data)| data.as_ref()).collect();
        assert_eq!(rest, data[index + 1..], "behind event {index}");
    }
    let end = all.last().unwrap().0.clone().unwrap();
    ended.write(&[Value::U64(77)]);
    let new = stream(&end);
    assert_eq!(new[1].2.as_ref().unwrap()["job"], 77);
}
