//! A service that is monitored, over HTTP: docs/five-systems.md, C.9.

use shmetrics::stats::health::{Buckets, ErrorRule, Key, Monitor, Options};

use super::client::*;
use super::support::*;

#[test]
fn c_01_c_05_c_09_and_c_10_a_monitored_service_is_exported_and_its_health_is_a_code() {
    let folder = Folder::new();
    let segment = folder.segment("app");
    let options = Options::default()
        .errors(
            ErrorRule::new("CONNECTION_ERROR")
                .fragments(["refused"])
                .unhealthy(2),
        )
        .info("model_version", "Version of the model", 7.5);
    let monitor = Monitor::register(&segment, &options).unwrap();
    monitor.preregister(["Predict"]);
    // Series of one name with other labels each: the original's exports failed from then on.
    for key in ["jobs", "jobs___kind__batch", "jobs___kind__batch___queue__a/b"] {
        monitor.number(&Key::parse(key).unwrap()).unwrap().add(3);
    }
    let size = Key::parse("response_size___method__Predict").unwrap();
    monitor.measure(&size, Buckets::Size).unwrap().record(1500.0);
    let task = monitor.start_task("1");
    let server = Server::start(&folder, &["app"]);
    let codes = || (server.get("/health").status, server.get("/metrics").status);
    assert_eq!(codes(), (200, 200));
    monitor.record_failure("Predict", "Connection refused");
    monitor.record_failure("Predict", "Connection refused");
    wait_for("the second failure", || codes() == (503, 200));
    assert!(monitor.end_task(task));
    monitor.record_success("Predict");
    wait_for("a success", || codes() == (200, 200));

    let scraped = server.get("/metrics").text();
    for line in [
        "health_stats_jobs 3",
        "health_stats_jobs{kind=\"batch\"} 3",
        "health_stats_jobs{kind=\"batch\",queue=\"a/b\"} 3",
        "health_errors_total{method=\"Predict\",type=\"refused\"} 2",
        "health_errors_total{method=\"Predict\",type=\"other\"} 0",
        "health_processed_total{method=\"Predict\",status=\"success\"} 1",
        "health_info_model_version 7.5",
        "health_threads 1",
        "health_tasks_started_total 1",
        "health_task_duration_seconds_count 1",
        "health_task_duration_seconds_bucket{le=\"+Inf\"} 1",
    ] {
        assert!(scraped.lines().any(|found| found == line), "{line} in\n{scraped}");
    }
    for text in [
        "health_status{",
        "health_status_healthy{",
        "health_hist_response_size",
    ] {
        assert!(scraped.contains(text), "{text} in\n{scraped}");
    }
    let (status, json) = server.json("/json");
    assert_eq!(status, 200);
    let told = json.to_string();
    for text in ["health_info_model_version", "health_samples_response_size"] {
        assert!(told.contains(text), "{text} in {told}");
    }
    assert_eq!(json["processes"][0]["pid"], std::process::id());
    assert_eq!(server.get("/anything").status, 404);
}
