//! Numbers by name over HTTP, as statvent's web service told them: docs/five-systems.md, B.6.

use shmetrics::stats::named::Stats;

use super::client::*;
use super::support::*;

const NAMES: [&str; 5] = ["a b", "a: b: 3", "quote\" back\\slash", "line\nbreak", "{0"];

#[test]
fn b_06_and_b_10_stats_of_all_processes_with_names_exactly_as_registered() {
    let folder = Folder::new();
    let segment = folder.segment("app");
    let stats = Stats::new(&segment);
    for name in NAMES {
        stats.incr(name, -3);
    }
    stats.incr("float", 0.5);
    stats.set("gauge", 2.5);
    for n in 1..=10 {
        stats.record("time {0} ms", f64::from(n));
        stats.record("plain", f64::from(n));
    }
    let server = Server::start(&folder, &["app"]);
    let reply = server.get("/stats?ignored=1");
    assert_eq!(reply.status, 200);
    assert!(
        reply
            .header("content-type")
            .unwrap()
            .starts_with("application/json")
    );
    let (_, body) = server.json("/stats");
    let told = &body["stats"];
    for name in NAMES {
        assert_eq!(told[name], -3, "{name:?} in {told}");
    }
    // By statvent's rule of indices.
    for (name, value) in [
        ("float", 0.5),
        ("gauge", 2.5),
        ("time median ms", 5.0),
        ("time 95th ms", 9.0),
        ("time 99th ms", 9.0),
        ("time 100th ms", 10.0),
        ("time mean ms", 5.5),
        ("plain.mean", 5.5),
    ] {
        assert_eq!(told[name], value, "{name} in {told}");
    }
    assert!(body["timestamp"].as_f64().unwrap() > 1.7e9);
    assert_eq!(server.get("/nothing").status, 404);
    // Samples are in the whole document, and in no format that is scraped.
    let (_, whole) = server.json("/json");
    assert!(whole.to_string().contains("\"kind\":\"samples\""), "{whole}");
    let scraped = server.get("/metrics").text();
    assert!(
        scraped.contains("gauge") && !scraped.contains("median"),
        "{scraped}"
    );
}
