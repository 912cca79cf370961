//! `health` and `wait-idle`: exit codes that scripts go by.

use shmetrics::stats::health::{ErrorRule, Monitor, Options};

use super::support::*;

fn monitor(segment: &shmetrics::Segment) -> Monitor {
    let rule = ErrorRule::new("CONNECTION_ERROR")
        .fragments(["refused"])
        .unhealthy(2);
    Monitor::register(segment, &Options::default().errors(rule)).unwrap()
}

#[test]
fn health_ends_with_1_if_a_state_is_unhealthy_and_says_which() {
    let folder = Folder::new();
    let segment = folder.segment("app");
    // Without any state, and without any statistics: nothing is wrong.
    assert_eq!(folder.json(&["health", "app"])["healthy"], true);
    let monitor = monitor(&segment);
    let _task = monitor.start_task("1");
    monitor.record_failure("M", "refused");
    let told = folder.json(&["health", "app"]);
    assert_eq!(
        (&told["healthy"], &told["tasks"]["in_flight"]),
        (&true.into(), &1.into())
    );
    assert_eq!(told["statuses"][0]["streak"], 1);
    monitor.record_failure("M", "refused");
    let ended = folder.run(&["health", "app"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    let told: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(told["healthy"], false);
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    assert!(
        ended
            .stderr
            .contains("CONNECTION_ERROR \u{d7}2, unhealthy from 2"),
        "{ended:?}"
    );
    let table = folder.run(&["health", "app", "--format", "table"]);
    assert_eq!(table.code, 1);
    assert!(
        table.stdout.starts_with("unhealthy\ntasks: 1 in flight"),
        "{table:?}"
    );
    assert!(
        table
            .stdout
            .contains(&format!("tester: pid {}", std::process::id())),
        "{table:?}"
    );
    monitor.record_success("M");
    let ended = folder.run(&["health", "app", "--format", "table"]);
    assert_eq!((ended.code, &*ended.stderr), (0, ""), "{ended:?}");
    assert_eq!(folder.run(&["health", "none"]).code, 2);
}

#[test]
fn waiting_ends_with_0_when_nothing_is_in_flight_and_with_1_when_the_time_is_over() {
    let folder = Folder::new();
    let segment = folder.segment("app");
    let wait = |arguments: &[&str]| {
        let all = [&["wait-idle", "app", "--timeout", "20ms"], arguments].concat();
        folder.run(&all)
    };
    assert_eq!(wait(&[]).code, 0);
    let monitor = monitor(&segment);
    let other = segment.in_flight("other").capacity(8).register().unwrap();
    let token = other.start("x");
    let ended = wait(&[]);
    assert_eq!((ended.code, &*ended.stdout), (1, ""), "{ended:?}");
    assert!(ended.stderr.contains("1 in flight"), "{ended:?}");
    assert_eq!(wait(&["--series", "health_tasks"]).code, 0);
    let refused = wait(&["--series", "health_threads"]);
    assert!(
        refused.code == 2 && refused.stderr.contains("health_threads"),
        "{refused:?}"
    );
    // It ends while it waits.
    let task = monitor.start_task("1");
    let mut command = folder.command(&["wait-idle", "app", "--series", "health_tasks", "--timeout", "10m"]);
    let mut running = Running(command.stdout(std::process::Stdio::null()).spawn().unwrap());
    assert!(running.0.try_wait().unwrap().is_none());
    monitor.end_task(task);
    assert_eq!(running.code(), 0);
    other.finish(token);
    assert_eq!(wait(&[]).code, 0);
    assert_eq!(folder.run(&["wait-idle", "app"]).code, 2, "an end must be said");
}
