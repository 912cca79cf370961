//! The state and the derived values: every field, every name, every unit.

use super::*;

/// By the order in the text: serde_json sorts members.
fn members(text: &str) -> Vec<String> {
    let value: Json = serde_json::from_str(text).unwrap();
    let mut members: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
    members.sort_by_key(|member| text.find(&format!("\"{member}\":")));
    members
}

#[test]
fn a_03_every_field_has_its_name_its_unit_and_its_value() {
    let _alone = alone();
    let scratch = Scratch::new("requests-fields");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    let requests = quiet(&segment).instance("news").enter().unwrap();
    let empty = requests.figures().unwrap();
    assert_eq!(empty.calculate().retry_histogram, [0]);
    let nothing = state(&empty);
    for null in [
        "requestMinDurationMillis",
        "requestMaxDurationMillis",
        "requestAvgFailedDurationMillis",
        "requestAvgFinishedDurationMillis",
        "crawlerFinishedAt",
    ] {
        assert_eq!(nothing[null], Json::Null, "{null}");
    }
    assert_eq!(nothing["requestRetryHistogram"], json!([]));

    done(&requests, "a", 0, 20);
    done(&requests, "b", 1, 30);
    let failed = requests.start_at("c", 0);
    // Less than a millisecond is not lost.
    requests.fail_at(failed, 3_000).unwrap();
    requests.register_status_code(200);
    requests.record_error(
        ErrorStage::Final,
        &ErrorReport::new("Timeout", "too late\nsecond line").at("a.rs:7"),
    );
    requests.record_error(ErrorStage::Retried, &ErrorReport::new("Reset", ""));
    poll("some run time", || {
        (requests.figures().unwrap().crawler_runtime >= ms(2)).then_some(())
    });
    let told = requests.figures().unwrap();
    let text = told.json();
    assert_eq!(
        members(&text),
        [
            "statsId",
            "requestsFinished",
            "requestsFailed",
            "requestsRetries",
            "requestsFailedPerMinute",
            "requestsFinishedPerMinute",
            "requestMinDurationMillis",
            "requestMaxDurationMillis",
            "requestTotalFailedDurationMillis",
            "requestTotalFinishedDurationMillis",
            "crawlerStartedAt",
            "crawlerLastStartTimestamp",
            "crawlerFinishedAt",
            "errors",
            "retryErrors",
            "requestsWithStatusCode",
            "statsPersistedAt",
            "requestRetryHistogram",
            "crawlerRuntimeMillis",
            "requestAvgFailedDurationMillis",
            "requestAvgFinishedDurationMillis",
            "requestTotalDurationMillis",
            "requestsTotal",
            "requestsStarted",
            "retriesStarted",
            "requestsInFlight",
            "requestsWaiting",
            "requestDurationPercentilesMillis",
            "segmentId",
            "segmentIds",
            "requestsFinishedWithDuration",
            "requestsFailedWithDuration"
        ]
    );
    let state = state(&told);
    for (member, value) in [
        ("statsId", json!("news")),
        ("requestsFinished", json!(2)),
        ("requestsFailed", json!(1)),
        ("requestsRetries", json!(1)),
        ("requestMinDurationMillis", json!(20.0)),
        ("requestMaxDurationMillis", json!(30.0)),
        ("requestTotalFailedDurationMillis", json!(0.003)),
        ("requestTotalFinishedDurationMillis", json!(50.0)),
        ("requestAvgFailedDurationMillis", json!(0.003)),
        ("requestAvgFinishedDurationMillis", json!(25.0)),
        ("requestTotalDurationMillis", json!(50.003)),
        ("requestsTotal", json!(3)),
        ("requestsStarted", json!(3)),
        ("retriesStarted", json!(1)),
        ("requestRetryHistogram", json!([2, 1])),
        ("errors", json!({"a.rs:7:Timeout:too late": 1})),
        ("retryErrors", json!({"Reset": 1})),
        ("requestsWithStatusCode", json!({"200": 1})),
    ] {
        assert_eq!(state[member], value, "{member}");
    }
    // Run time is a number of milliseconds, and the rates are by it.
    let runtime = state["crawlerRuntimeMillis"].as_f64().unwrap();
    assert_eq!(runtime, told.crawler_runtime.as_nanos() as f64 / 1e6);
    let rate = state["requestsFinishedPerMinute"].as_f64().unwrap();
    assert!((rate / (2.0 * 60_000.0 / runtime) - 1.0).abs() < 1e-9);
    for time in [
        "crawlerStartedAt",
        "crawlerLastStartTimestamp",
        "statsPersistedAt",
    ] {
        let time = state[time].as_str().unwrap();
        assert!(time.len() == 30 && time.ends_with('Z'), "{time}");
    }
    let median = state["requestDurationPercentilesMillis"]["p50"].as_f64().unwrap();
    assert!((19.0..33.0).contains(&median), "{median}");

    let summary = told.calculate();
    assert_eq!(
        members(&summary.json()),
        [
            "requests_finished",
            "requests_failed",
            "retry_histogram",
            "request_avg_failed_duration",
            "request_avg_finished_duration",
            "requests_finished_per_minute",
            "requests_failed_per_minute",
            "request_total_duration",
            "requests_total",
            "crawler_runtime"
        ]
    );
    let summary: Json = serde_json::from_str(&summary.json()).unwrap();
    assert_eq!(summary["request_avg_failed_duration"], json!(3e-6));
    assert_eq!(summary["request_total_duration"], json!(0.050003));
    assert_eq!(
        summary["requests_failed_per_minute"],
        json!((60_000.0 / runtime).floor() as u64)
    );
    assert_eq!(
        summary["requests_finished_per_minute"],
        json!((120_000.0 / runtime).round_ties_even() as u64)
    );
    // It says the same after the end, by a program that knows nothing of it.
    let last = requests.leave().unwrap();
    let after = figures(&path, "news");
    assert_eq!(after.calculate(), last);
    assert!(after.crawler_finished_at_ns > after.crawler_started_at_ns);
}

#[test]
fn a_09_fields_of_the_user_are_exported_as_those_that_are_built_in() {
    let _alone = alone();
    let scratch = Scratch::new("requests-extra");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    let builder = || quiet(&segment).extra("browserRuns").extra("cost");
    let requests = builder().enter().unwrap();
    assert_eq!(state(&figures(&path, DEFAULT_INSTANCE))["browserRuns"], 0);
    requests.extra("browserRuns").unwrap().add(3);
    requests.extra("cost").unwrap().add_float(0.25);
    assert!(requests.extra("other").is_none());
    let pid = fork(|| {
        requests.extra("browserRuns").unwrap().inc();
        0
    });
    assert_eq!(wait(pid), 0);
    let state = state(&figures(&path, DEFAULT_INSTANCE));
    assert_eq!((&state["browserRuns"], &state["cost"]), (&json!(4), &json!(0.25)));
}

#[test]
fn a_11_errors_are_told_by_groups_whose_number_is_bounded_and_the_total_is_exact() {
    let _alone = alone();
    let scratch = Scratch::new("requests-errors");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    let requests = quiet(&segment).max_error_groups(5).enter().unwrap();
    let report = |number: u64| {
        for (stage, times) in [(ErrorStage::Final, 1), (ErrorStage::Retried, number + 1)] {
            for _ in 0..times {
                let message = format!("host {number}\nat some time");
                requests.record_error(stage, &ErrorReport::new("Refused", &message).at("net.rs:3"));
            }
        }
    };
    (0..2).for_each(report);
    let told = figures(&path, DEFAULT_INSTANCE);
    assert_eq!((told.errors.total, told.errors.unique()), (2, 2));
    assert_eq!((told.retry_errors.total, told.retry_errors.unique()), (3, 2));
    assert_eq!(told.retry_errors.most_common(1), [("net.rs:3:Refused:host 1", 2)]);
    (2..20).for_each(report);
    let told = figures(&path, DEFAULT_INSTANCE);
    let errors = told.errors.total + told.retry_errors.total;
    assert_eq!(errors, 20 + (1..=20).sum::<u64>());
    // Of either stage one group more at most: the others.
    assert_eq!((told.errors.unique(), told.retry_errors.unique()), (6, 6));
    assert_eq!((told.errors.total, told.errors.other), (20, 15));
    let analysis = told.error_analysis().unwrap();
    assert!(
        analysis.starts_with("Error analysis: total_errors=230 unique_errors=12"),
        "{analysis}"
    );
    // Long ones are cut, at a character.
    let long = "é".repeat(500);
    requests.record_error(ErrorStage::Final, &ErrorReport::new(&long, &long).at(&long));
    assert_eq!(figures(&path, DEFAULT_INSTANCE).errors.total, 21);
}
