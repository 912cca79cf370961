//! Every path, and what is none.

use shmetrics::{Merge, Unit};

use super::client::*;
use super::support::*;

const PATHS: [&str; 7] = [
    "/",
    "/metrics",
    "/json",
    "/stats",
    "/health",
    "/-/healthy",
    "/-/ready",
];

fn furnished(folder: &Folder) -> shmetrics::Segment {
    let segment = folder.segment("app");
    let counter = segment.counter("requests_total").label("code", "200");
    counter.register().unwrap().add(u64::MAX - 5);
    segment
        .gauge("depth")
        .merge(Merge::Sum)
        .register()
        .unwrap()
        .set(-7);
    let latency = segment
        .histogram("latency_seconds")
        .unit(Unit::Seconds)
        .register()
        .unwrap();
    latency.record_duration(std::time::Duration::from_millis(4));
    segment.gauge_float("load").register().unwrap().set(f64::INFINITY);
    segment
}

#[test]
fn every_path_answers_with_a_type_and_a_length() {
    let folder = Folder::new();
    let _segment = furnished(&folder);
    let server = Server::start(&folder, &["app"]);
    for path in PATHS {
        let reply = server.get(path);
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        assert!(!reply.body.is_empty(), "{path}");
        let expected = match path {
            "/" => "text/html",
            "/metrics" => "text/plain; version=0.0.4; charset=utf-8",
            "/json" | "/stats" | "/health" => "application/json",
            _ => "text/plain",
        };
        let found = reply.header("content-type").unwrap();
        assert!(found.starts_with(expected), "{path}: {found}");
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    }
}

#[test]
fn head_says_what_get_would_without_its_body() {
    let folder = Folder::new();
    let _segment = furnished(&folder);
    let server = Server::start(&folder, &["app"]);
    for path in PATHS.into_iter().chain(["/nothing"]) {
        let mut stream = server.connect();
        let request = format!("HEAD {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
        let bytes = rest(stream);
        assert!(bytes.ends_with(b"\r\n\r\n"), "{path} has a body");
        let head = Reply::read(&mut &bytes[..], true);
        let get = server.get(path);
        assert_eq!(
            (head.status, head.header("content-type")),
            (get.status, get.header("content-type"))
        );
        let length: usize = head.header("content-length").unwrap().parse().unwrap();
        assert!(
            length > 0 && get.body.len().abs_diff(length) < 100,
            "{path}: {length}, {}",
            get.body.len()
        );
    }
}

#[test]
fn what_is_not_there_is_404_and_other_methods_are_405() {
    let folder = Folder::new();
    let _segment = furnished(&folder);
    let server = Server::start(&folder, &["app"]);
    for path in [
        "/nothing",
        "/metrics/",
        "//",
        "/json/x",
        "/-/",
        "/METRICS",
        "/../etc/passwd",
    ] {
        let reply = server.get(path);
        assert_eq!(reply.status, 404, "{path}: {reply:?}");
        assert!(reply.body.len() < 100, "{reply:?}");
    }
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        for path in PATHS {
            let reply = server.ask(method, path, &[]);
            assert_eq!(
                (reply.status, reply.header("allow")),
                (405, Some("GET, HEAD")),
                "{method} {path}"
            );
        }
        assert_eq!(server.ask(method, "/nothing", &[]).status, 404);
    }
}

#[test]
fn json_is_the_snapshot_of_the_command_line() {
    let folder = Folder::new();
    let _segment = furnished(&folder);
    let server = Server::start(&folder, &["app"]);
    let (status, served) = server.json("/json");
    assert_eq!(status, 200);
    // Windows end with epochs, of which one may end between the two.
    wait_for("the same series", || {
        server.json("/json").1["series"] == folder.json(&["snapshot", "app"])["series"]
    });
    assert_eq!(series(&served, "requests_total")["value"], u64::MAX - 5);
    assert_eq!(server.json("/json?segment=app").0, 200);
    let (status, unknown) = server.json("/json?segment=other");
    assert_eq!(
        (status, &unknown["problem"]),
        (404, &"unknown".into()),
        "{unknown}"
    );
}

#[test]
fn stats_are_names_and_values() {
    let folder = Folder::new();
    let _segment = furnished(&folder);
    let server = Server::start(&folder, &["app"]);
    let (status, body) = server.json("/stats");
    assert_eq!(status, 200);
    let members: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["stats", "timestamp"]);
    assert_eq!(
        body["stats"]["requests_total{code=\"200\"}"],
        u64::MAX - 5,
        "{body}"
    );
    assert_eq!(body["stats"]["depth"], -7);
    // There is no such number in JSON.
    assert!(body["stats"]["load"].is_null());
    assert!(
        body["stats"]
            .as_object()
            .unwrap()
            .keys()
            .any(|name| name.starts_with("latency_seconds"))
    );
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs_f64();
    let timestamp = body["timestamp"].as_f64().unwrap();
    assert!(timestamp > 1.7e9 && timestamp <= now, "{timestamp} {now}");
}

#[test]
fn the_page_for_people_leads_everywhere_and_names_cannot_become_markup() {
    let folder = Folder::new();
    let _segment = folder.segment("a<b>&\"c");
    let server = Server::start(&folder, &["--web.telemetry-path=/prom/metrics"]);
    let page = server.get("/").text();
    for link in [
        "/prom/metrics",
        "/json",
        "/stats",
        "/health",
        "/json?segment=a%3Cb%3E%26%22c",
    ] {
        assert!(page.contains(&format!("href=\"{link}\"")), "{link}: {page}");
        assert_eq!(server.get(link).status, 200, "{link}");
    }
    assert!(
        page.contains("a&lt;b&gt;&amp;&quot;c") && !page.contains("<b>"),
        "{page}"
    );
    assert_eq!(server.get("/metrics").status, 404);
}

#[test]
fn health_is_503_only_when_somebody_must_act() {
    let folder = Folder::new();
    let segment = folder.segment("app");
    let server = Server::start(&folder, &["app", &folder.path("later")]);
    let problem = |health: &serde_json::Value, word: &str| -> Option<String> {
        let all = health["problems"].as_array().unwrap();
        let found = all.iter().find(|problem| problem["problem"] == word);
        found.map(|problem| problem["severity"].as_str().unwrap().to_owned())
    };
    let (status, health) = server.json("/health");
    assert_eq!((status, &health["status"]), (503, &"failure".into()), "{health}");
    assert_eq!(
        problem(&health, "missing").as_deref(),
        Some("failure"),
        "{health}"
    );
    // Whoever asks whether the server itself is alive gets a yes.
    assert_eq!(server.get("/-/healthy").status, 200);
    assert_eq!(server.get("/-/ready").status, 200);
    let later = folder.segment("later");
    wait_for("the missing one", || server.json("/health").0 == 200);
    let (status, health) = server.json("/health");
    assert_eq!(
        (status, &health["status"], &health["segments"]),
        (200, &"ok".into(), &2.into()),
        "{health}"
    );

    // A table is full.
    let mut number = 0;
    while segment
        .gauge("filler")
        .label("number", &number.to_string())
        .register()
        .is_ok()
    {
        number += 1;
    }
    wait_for("the full table to be seen", || server.json("/health").0 == 503);
    let (_, health) = server.json("/health");
    assert_eq!(
        problem(&health, "gauges_full").as_deref(),
        Some("failure"),
        "{health}"
    );
    assert_eq!(
        server
            .samples()
            .value("shmetrics_segment_fill_ratio{segment=\"app\",capacity=\"gauges\"}"),
        1.0
    );
    drop(later);
}

#[test]
fn an_unhealthy_state_makes_health_503_and_is_named() {
    let folder = Folder::new();
    let segment = folder.segment("app");
    let state = segment.state("fetch").status("OK", None).status("FATAL", Some(2));
    let state = state.register().unwrap();
    let server = Server::start(&folder, &["app"]);
    state.set(1);
    assert_eq!(server.json("/health").0, 200);
    state.set(1);
    wait_for("the second failure", || server.json("/health").0 == 503);
    let (_, health) = server.json("/health");
    let problem = &health["problems"][0];
    assert_eq!(
        (&problem["problem"], &problem["severity"]),
        (&"unhealthy_state".into(), &"failure".into()),
        "{health}"
    );
    let message = problem["message"].as_str().unwrap();
    assert!(
        message.contains("of fetch is FATAL, 2 times in a row"),
        "{message}"
    );
    state.set(0);
    wait_for("health", || server.json("/health").0 == 200);
    assert_eq!(server.samples().value("fetch_healthy"), 1.0);
}

#[test]
fn what_was_lost_long_ago_does_not_fail_and_what_is_lost_now_does() {
    let folder = Folder::new();
    let make = |name: &str| {
        let options = shmetrics::Segment::options()
            .preset(shmetrics::Preset::Compact)
            .role("tester");
        options.create_at(folder.path(name)).unwrap()
    };
    let segment = make("app");
    let family = segment
        .counter("calls_total")
        .limit(1)
        .family(["number"])
        .unwrap();
    let lose = |number: u32| family.with([&*number.to_string()]).inc();
    lose(1);
    lose(2);
    let server = Server::start(&folder, &["app"]);
    let words = |health: &serde_json::Value| -> Vec<String> {
        let all = health["problems"].as_array().unwrap().iter();
        all.map(|problem| problem["problem"].as_str().unwrap().to_owned())
            .collect()
    };
    let (status, health) = server.json("/health");
    assert_eq!((status, words(&health)), (200, vec![]), "{health}");
    lose(3);
    // Nothing is lost that way: it is told, and does not fail.
    wait_for("the loss to be seen", || {
        let (status, health) = server.json("/health");
        assert_eq!(status, 200);
        words(&health) == ["label_sets_overflowed"]
    });
    assert!(
        server
            .samples()
            .value("shmetrics_segment_losses_total{segment=\"app\",cause=\"label_sets_overflowed\"}")
            >= 2.0
    );
}
