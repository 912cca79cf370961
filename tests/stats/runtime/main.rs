//! The points of `docs/five-systems.md`, section E: each test bears the number of its point.
#![allow(unsafe_code)]

#[path = "../../support/mod.rs"]
mod support;

mod ported;
mod processes;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value as Json, json};
use shmetrics::stats::runtime::{OVERFLOW, Options, Runtime, Scope, View, reset};
use shmetrics::{Preset, Reader, Segment, SegmentOptions, Snapshot};
use support::*;

fn compact() -> SegmentOptions {
    Segment::options().preset(Preset::Compact)
}

fn register(segment: &Segment) -> Runtime {
    Runtime::register(segment, &Options::default()).unwrap()
}

/// A snapshot that knows who lives, and what each process counted.
fn look(path: &Path) -> Snapshot {
    let mut reader = Reader::open_path(path).unwrap();
    reader.per_process(true);
    reader.refresh_owners().unwrap();
    reader.snapshot().unwrap()
}

fn map<const N: usize>(pairs: [(&str, u64); N]) -> BTreeMap<String, u64> {
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

fn keys(value: &Json) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// serde_json sorts members unless it is told otherwise; their order is looked at in the text.
fn members(document: &impl serde::Serialize) -> Vec<String> {
    let text = serde_json::to_string(document).unwrap();
    let value: Json = serde_json::from_str(&text).unwrap();
    let mut members: Vec<String> = keys(&value).into_iter().map(str::to_owned).collect();
    members.sort_by_key(|member| text.find(&format!("\"{member}\":")));
    members
}

#[test]
fn e_01_the_snapshots_and_the_health_document_have_exactly_these_fields() {
    let _alone = alone();
    let scratch = Scratch::new("runtime-fields");
    let path = scratch.path("segment");
    let segment = compact().role("web-1").create_at(&path).unwrap();
    let runtime = register(&segment);
    runtime.record_request("/a");
    runtime.record_config_delivery("config", "web", ["K"], "me");
    let snapshot = look(&path);
    let view = View::new(&snapshot);
    let slot = snapshot.processes[0].slot;
    for scope in [Scope::All, Scope::Slot(slot)] {
        assert_eq!(
            members(&view.requests(scope)),
            ["total_requests", "requests_by_path"]
        );
        assert_eq!(
            members(&view.served_config(scope)),
            [
                "responses_total",
                "values_total",
                "responses_by_endpoint",
                "responses_by_target",
                "responses_by_caller",
                "values_by_target",
                "values_by_caller",
                "values_by_name",
                "last_served_at"
            ]
        );
        assert_eq!(view.requests(scope).total_requests, 1);
        assert_eq!(view.served_config(scope).values_total, 1);
    }
    // The four of the original; then what tells processes apart.
    assert_eq!(
        members(&view.processes()[0]),
        [
            "started_at",
            "uptime_seconds",
            "hostname",
            "process_id",
            "role",
            "slot",
            "alive"
        ]
    );
    let health = [
        "status",
        "environment",
        "timestamp",
        "startedAt",
        "uptimeSeconds",
        "hostname",
        "processId",
        "requestsServed",
        "requestsByPath",
        "configKeysLoaded",
        "configLoadCount",
        "lastConfigLoadedAt",
        "configResponsesServed",
        "configValuesServed",
        "configResponsesByEndpoint",
        "configResponsesByTarget",
        "configResponsesByCaller",
        "configValuesByTarget",
        "configValuesByCaller",
        "configValuesByName",
        "lastConfigServedAt",
    ];
    assert_eq!(members(&view.health("production", None)), health);
    let ready: Vec<&str> = health.into_iter().chain(["keysLoaded"]).collect();
    assert_eq!(members(&view.ready("production", None, Some(7))), ready);
}

#[test]
fn e_03_paths_beyond_the_limit_are_counted_together_and_the_total_is_exact() {
    let _alone = alone();
    let scratch = Scratch::new("runtime-paths");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    let options = Options::default().limits(3, 2, 2);
    let runtime = Runtime::register(&segment, &options).unwrap();
    for _ in 0..2 {
        for number in 0..50 {
            runtime.record_request(&format!("/scan/{number}"));
        }
    }
    // Longer than any label can be.
    runtime.record_request(&"/x".repeat(1000));
    for number in 0..5 {
        let number = number.to_string();
        runtime.record_config_delivery("config", "web", [&*number, &*number], &number);
    }
    let snapshot = look(&path);
    let requests = View::new(&snapshot).requests(Scope::All);
    assert_eq!(requests.total_requests, 101);
    assert_eq!(
        requests.requests_by_path,
        map([("/scan/0", 2), ("/scan/1", 2), ("/scan/2", 2), (OVERFLOW, 95)])
    );
    let served = View::new(&snapshot).served_config(Scope::All);
    assert_eq!((served.responses_total, served.values_total), (5, 10));
    assert_eq!(
        served.responses_by_caller,
        map([("0", 1), ("1", 1), (OVERFLOW, 3)])
    );
    assert_eq!(served.responses_by_endpoint, map([("config", 2), (OVERFLOW, 3)]));
    assert_eq!(served.values_by_name, map([("0", 2), ("1", 2), (OVERFLOW, 6)]));
}

#[test]
fn e_05_labels_are_trimmed_and_lowered_and_paths_and_names_are_not() {
    let _alone = alone();
    let scratch = Scratch::new("runtime-normal");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    let runtime = register(&segment);
    runtime.record_config_delivery("  Run-Time ", "WEB", ["K", "K", "k"], " Local:Web\t");
    runtime.record_config_delivery("run-time", "web", [], "other");
    runtime.record_config_delivery("", " ", [], "");
    for request in ["/A", "/a", "/a/", " /a"] {
        runtime.record_request(request);
    }
    let snapshot = look(&path);
    let served = View::new(&snapshot).served_config(Scope::All);
    assert_eq!((served.responses_total, served.values_total), (3, 3));
    assert_eq!(served.responses_by_endpoint, map([("", 1), ("run-time", 2)]));
    assert_eq!(served.responses_by_target, map([("", 1), ("web", 2)]));
    assert_eq!(
        served.responses_by_caller,
        map([("", 1), ("local:web", 1), ("other", 1)])
    );
    assert_eq!(served.values_by_name, map([("K", 2), ("k", 1)]));
    // Nobody got a value there, and it is told.
    assert_eq!(served.values_by_target, map([("", 0), ("web", 3)]));
    assert_eq!(
        served.values_by_caller,
        map([("", 0), ("local:web", 3), ("other", 0)])
    );
    let requests = View::new(&snapshot).requests(Scope::All);
    assert_eq!(
        requests.requests_by_path,
        map([(" /a", 1), ("/A", 1), ("/a", 1), ("/a/", 1)])
    );
    assert_eq!(shmetrics::stats::runtime::local_caller(" Web"), "local:web");
}

#[test]
fn e_07_a_reset_clears_all_and_restarts_uptime_for_all_readers_at_once() {
    let _alone = alone();
    let scratch = Scratch::new("runtime-reset");
    let path = scratch.path("segment");
    let place = path.to_str().unwrap();
    let segment = compact().role("a").create_at(&path).unwrap();
    let worker = |name: &str| Runtime::register(&segment, &Options::default().worker(name)).unwrap();
    let (a, b) = (worker("a"), worker("b"));
    for runtime in [&a, &b] {
        runtime.record_request("/");
        runtime.record_config_delivery("config", "web", ["K"], "me");
        runtime.record_config_load(10);
    }
    poll("some uptime", || {
        let uptime = View::new(&look(&path)).processes()[0].uptime_seconds;
        (uptime.unwrap() >= 0.05).then_some(())
    });
    // One worker's.
    reset(place, "runtime", Some("a")).unwrap();
    let snapshot = look(&path);
    let view = View::new(&snapshot);
    let requests = |scope| view.requests(scope).total_requests;
    assert_eq!(
        (
            requests(Scope::Worker("a")),
            requests(Scope::Worker("b")),
            requests(Scope::All)
        ),
        (0, 1, 1)
    );
    let served = view.served_config(Scope::Worker("a"));
    assert_eq!(served, Default::default(), "everything is zero, empty or null");
    assert!(view.served_config(Scope::Worker("b")).last_served_at.is_some());
    assert_eq!(view.config(Scope::Worker("a")).load_count, 0);
    // Its uptime begins with the reset, and goes on.
    let process = &view.processes()[0];
    let since = snapshot.last_reset_ns;
    assert!(process.uptime_seconds.unwrap() <= (snapshot.taken_at_ns - since) as f64 / 1e9 + 0.001);
    assert_eq!(
        process.started_at[..23],
        shmetrics::snapshot::rfc3339(since)[..23]
    );
    a.record_request("/again");
    let snapshot = look(&path);
    let view = View::new(&snapshot);
    assert_eq!(
        view.requests(Scope::Worker("a")).requests_by_path,
        map([("/again", 1)])
    );

    // All of them, and nothing of others.
    segment.counter("runtimes").register().unwrap().inc();
    segment.counter("others_total").register().unwrap().inc();
    reset(place, "runtime", None).unwrap();
    let snapshot = look(&path);
    let view = View::new(&snapshot);
    assert_eq!(view.requests(Scope::All), Default::default());
    assert_eq!(view.served_config(Scope::All), Default::default());
    assert_eq!(counter(&snapshot, "others_total", &[]), 1);
    assert_eq!(counter(&snapshot, "runtimes", &[]), 1);
    b.record_request("/");
    assert_eq!(View::new(&look(&path)).requests(Scope::All).total_requests, 1);
}

#[test]
fn e_10_health_and_ready_are_documents_with_codes() {
    let _alone = alone();
    let scratch = Scratch::new("runtime-documents");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    let runtime = register(&segment);
    runtime.record_request("/api/health");
    runtime.record_config_load(42);
    runtime.record_config_delivery("config", "web", ["SECRET_NAME"], "principal-1");
    let snapshot = look(&path);
    let view = View::new(&snapshot);
    let health = view.health("staging", Some(std::process::id()));
    assert_eq!((health.status_code(), health.status), (200, "Healthy"));
    let shown = serde_json::to_value(&health).unwrap();
    // The request for it is in it.
    assert_eq!(shown["requestsServed"], 1);
    assert_eq!(shown["requestsByPath"], json!({"/api/health": 1}));
    assert_eq!(
        (&shown["environment"], &shown["processId"]),
        (&json!("staging"), &json!(std::process::id()))
    );
    assert_eq!(
        (&shown["configKeysLoaded"], &shown["configLoadCount"]),
        (&json!(42), &json!(1))
    );
    assert!(shown["lastConfigLoadedAt"].as_str().unwrap().ends_with("+00:00"));

    let ready = view.ready("staging", None, Some(42));
    assert_eq!(
        (ready.status_code(), ready.exit_code(), ready.health.status),
        (200, 0, "Ready")
    );
    assert_eq!(serde_json::to_value(&ready).unwrap()["keysLoaded"], 42);
    let not_ready = view.ready("staging", None, None);
    assert_eq!(
        (
            not_ready.status_code(),
            not_ready.exit_code(),
            not_ready.health.status
        ),
        (503, 1, "NotReady")
    );
    assert_eq!(serde_json::to_value(&not_ready).unwrap()["keysLoaded"], 0);

    // For those who may not see who called.
    let public = health.without_callers_and_names();
    assert_eq!(public.config_responses_by_caller, map([("(hidden)", 1)]));
    let text = serde_json::to_string(&public).unwrap();
    assert!(
        !text.contains("principal-1") && !text.contains("SECRET_NAME"),
        "{text}"
    );
}
