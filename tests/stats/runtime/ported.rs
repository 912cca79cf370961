//! What the tests of the original expect of it.

use super::*;

#[test]
fn e_11_the_expectations_of_the_originals_own_tests_hold() {
    let _alone = alone();
    let scratch = Scratch::new("runtime-ported");
    let path = scratch.path("segment");
    let place = path.to_str().unwrap();
    let segment = compact().create_at(&path).unwrap();
    let runtime = register(&segment);

    // Reset clears everything, the time of the last delivery included.
    runtime.record_request("/api/build-time");
    runtime.record_config_delivery("build-time", "web", ["A"], "caller");
    reset(place, "runtime", None).unwrap();
    let snapshot = look(&path);
    let served = View::new(&snapshot).served_config(Scope::All);
    assert_eq!((served.responses_total, served.values_total), (0, 0));
    assert_eq!(served.last_served_at, None);
    assert_eq!(View::new(&snapshot).requests(Scope::All).total_requests, 0);

    // Totals and each breakdown; labels in lower case.
    runtime.record_config_delivery("Build-Time", "Web", ["API_URL", "THEME"], "Principal-1");
    runtime.record_config_delivery("run-time", "api", ["API_URL"], "local:api");
    let snapshot = look(&path);
    let served = View::new(&snapshot).served_config(Scope::All);
    assert_eq!((served.responses_total, served.values_total), (2, 3));
    assert_eq!(
        served.responses_by_endpoint,
        map([("build-time", 1), ("run-time", 1)])
    );
    assert_eq!(served.responses_by_target, map([("api", 1), ("web", 1)]));
    assert_eq!(
        served.responses_by_caller,
        map([("local:api", 1), ("principal-1", 1)])
    );
    assert_eq!(served.values_by_target, map([("api", 1), ("web", 2)]));
    assert_eq!(
        served.values_by_caller,
        map([("local:api", 1), ("principal-1", 2)])
    );
    assert_eq!(served.values_by_name, map([("API_URL", 2), ("THEME", 1)]));
    assert!(served.last_served_at.is_some());

    // The process.
    let process = View::new(&snapshot).processes().remove(0);
    assert!(process.uptime_seconds.unwrap() >= 0.0);
    assert!(!process.hostname.is_empty());
    assert!(process.process_id > 0);
    assert!(process.started_at.contains('T'), "{}", process.started_at);

    // End to end: a delivery of ten keys, one of one, and the question itself.
    reset(place, "runtime", None).unwrap();
    let ten: Vec<String> = (0..10).map(|number| format!("KEY_{number}")).collect();
    runtime.record_request("/api/config/build-time");
    runtime.record_config_delivery("build-time", "web", ten.iter().map(String::as_str), "local:web");
    runtime.record_request("/api/config/KEY_1");
    runtime.record_config_delivery("config", "web", ["KEY_1"], "local:web");
    runtime.record_request("/api/health");
    let snapshot = look(&path);
    let health = serde_json::to_value(View::new(&snapshot).health("test", None)).unwrap();
    assert_eq!(health["configResponsesServed"], 2);
    assert_eq!(health["configValuesServed"], 11);
    assert_eq!(
        health["configResponsesByEndpoint"],
        json!({"build-time": 1, "config": 1})
    );
    assert_eq!(health["requestsServed"], 3);
}
