//! The points of `docs/five-systems.md`, section C: each test bears the number of its point. Those of exports (C.9, C.10) have their
//! other half in reader/tests/serve.
#![allow(unsafe_code)]

#[path = "../../support/mod.rs"]
mod support;

mod errors;
mod keyed;
mod processes;

use std::path::Path;

use shmetrics::stats::health::{Buckets, ErrorRule, Health, Key, Monitor, OK, Options, View};
use shmetrics::{Preset, Reader, Segment, SegmentOptions, Snapshot, Value};
use support::*;

fn compact() -> SegmentOptions {
    Segment::options().preset(Preset::Compact)
}

/// What most tests use: two rules with thresholds, one without.
fn options() -> Options {
    Options::default()
        .max_workers(2)
        .errors(
            ErrorRule::new("CONNECTION_ERROR")
                .fragments(["refused"])
                .unhealthy(3),
        )
        .errors(ErrorRule::new("FATAL").fragments(["out of memory"]).unhealthy(1))
        .errors(ErrorRule::new("INTERNAL").fragments(["internal"]).unhealthy(-1))
}

fn register(segment: &Segment) -> Monitor {
    Monitor::register(segment, &options()).unwrap()
}

/// A snapshot that knows who lives.
fn look(path: &Path) -> Snapshot {
    let mut reader = Reader::open_path(path).unwrap();
    reader.refresh_owners().unwrap();
    reader.snapshot().unwrap()
}

fn health(path: &Path) -> Health {
    View::new(&look(path)).health()
}

/// Status and streak of the only process in tasks of one type.
fn status(path: &Path, task_type: &str) -> (String, u64, bool) {
    let statuses = health(path).statuses;
    let mut found = statuses.iter().filter(|status| {
        status
            .labels
            .get("task_type")
            .is_some_and(|found| found == task_type)
    });
    let status = found.next().unwrap();
    assert_eq!(found.next(), None);
    (status.status.clone(), status.streak, status.healthy)
}

#[test]
fn c_04_a_status_has_a_streak_for_each_task_type() {
    let _alone = alone();
    let scratch = Scratch::new("health-streak");
    let path = scratch.path("segment");
    let monitor = register(&compact().create_at(&path).unwrap());
    let told = |status: &str, streak| (status.to_owned(), streak, true);
    assert!(monitor.set_task_status(OK, "default"));
    assert_eq!(status(&path, "default"), told(OK, 1));
    (0..4).for_each(|_| assert!(monitor.set_task_status("UNKNOWN", "default")));
    assert_eq!(status(&path, "default"), told("UNKNOWN", 4));
    monitor.set_task_status(OK, "default");
    assert_eq!(status(&path, "default"), told(OK, 1));
    // Each type for itself; the first FATAL of one has a streak of 1.
    monitor.set_task_status("UNKNOWN", "batch");
    assert_eq!(status(&path, "batch"), told("UNKNOWN", 1));
    assert_eq!(status(&path, "default"), told(OK, 1));
    // What there is not, changes nothing.
    assert!(!monitor.set_task_status("unheard of", "batch"));
    assert_eq!(status(&path, "batch"), told("UNKNOWN", 1));
    let number = monitor.classifier().number("UNKNOWN").unwrap();
    assert_eq!(monitor.state("batch").set_and_tell(number), Some((number, 2)));
}

#[test]
fn c_05_a_streak_that_reaches_its_threshold_is_unhealthy_until_ok_and_never_is_never() {
    let _alone = alone();
    let scratch = Scratch::new("health-thresholds");
    let path = scratch.path("segment");
    let monitor = register(&compact().create_at(&path).unwrap());
    let codes = || {
        let health = health(&path);
        let json = serde_json::to_value(&health).unwrap();
        assert_eq!(json["healthy"], health.healthy);
        (health.healthy, health.status_code(), health.exit_code())
    };
    let (well, ill) = ((true, 200, 0), (false, 503, 1));
    // Nothing happened yet.
    assert_eq!(codes(), well);
    for expected in [well, well, ill, ill] {
        monitor.record_failure("M", "connection refused");
        assert_eq!(codes(), expected);
    }
    let found = health(&path).statuses.remove(0);
    assert_eq!(
        (&*found.status, found.streak, found.unhealthy_from, found.healthy),
        ("CONNECTION_ERROR", 4, Some(3), false)
    );
    monitor.record_success("M");
    assert_eq!(codes(), well);
    // A streak is of one status: another one in between begins it anew.
    monitor.record_failure("M", "refused");
    monitor.record_failure("M", "refused");
    monitor.record_failure("M", "something internal");
    monitor.record_failure("M", "refused");
    assert_eq!(codes(), well);
    // What is refused on purpose is a failure of the request, and the process is well.
    monitor.record_failure("M", "Out of memory");
    assert_eq!(codes(), ill);
    monitor.record_refusal("M");
    assert_eq!(codes(), well);
    // -1: never.
    (0..1000).for_each(|_| _ = monitor.record_failure("M", "internal"));
    assert_eq!(status(&path, "default"), ("INTERNAL".to_owned(), 1000, true));
    (0..1000).for_each(|_| _ = monitor.record_failure("M", "who knows"));
    assert_eq!(
        status(&path, "default"),
        ("OTHER_EXCEPTION".to_owned(), 1000, true)
    );
    assert_eq!(codes(), well);
}

#[test]
fn c_10_constants_and_identity_are_told_without_configuration() {
    let _alone = alone();
    let scratch = Scratch::new("health-info");
    let path = scratch.path("segment");
    let segment = compact().role("serving").create_at(&path).unwrap();
    let options = options()
        .info("Model-Version", "Version of the model", 7.5)
        .info("shard", "Which shard", 3.0)
        .hpa_max_workers(5);
    let _monitor = Monitor::register(&segment, &options).unwrap();
    let health = health(&path);
    let info: Vec<(&str, f64)> = health
        .info
        .iter()
        .map(|(name, value)| (&**name, *value))
        .collect();
    assert_eq!(info, [("model_version", 7.5), ("shard", 3.0)]);
    let snapshot = look(&path);
    let series = snapshot.find("health_info_model_version", &[]).unwrap();
    assert_eq!(series.description.help, "Version of the model");
    // The workers to scale by are taken if they are given.
    assert_eq!(health.tasks.threads, 5);
    // Children that other tests fork are told, too, as long as they live.
    let own = u64::from(std::process::id());
    let process = health
        .processes
        .iter()
        .find(|process| process.pid == own)
        .unwrap();
    assert_eq!(process.role, "serving");
    assert!(process.init_time.ends_with('Z') && process.init_time <= health.taken_at);
}

#[test]
fn c_11_series_are_there_with_zeros_before_anything_happens() {
    let _alone = alone();
    let scratch = Scratch::new("health-zeros");
    let path = scratch.path("segment");
    let monitor = register(&compact().create_at(&path).unwrap());
    monitor.preregister(["Predict", "Train"]);
    let check = |predicted: u64| {
        let snapshot = look(&path);
        // That there is none is something else than 0.
        let count = |name: &str, labels: &[(&str, &str)]| match snapshot.find(name, labels) {
            Some(series) => match series.value {
                Value::CounterU64(count) => count,
                ref other => panic!("{other:?}"),
            },
            None => panic!("no {name} {labels:?}"),
        };
        for method in ["Predict", "Train"] {
            let expected = if method == "Predict" { predicted } else { 0 };
            let at = ("method", method);
            assert_eq!(count("health_requests_total", &[at]), expected);
            for (status, expected) in [("success", 0), ("failure", expected)] {
                let labels = [at, ("status", status)];
                assert_eq!(count("health_processed_total", &labels), expected);
            }
            for error_type in ["refused", "out of memory", "internal", "other"] {
                let labels = [at, ("type", error_type)];
                let expected = if error_type == "refused" { expected } else { 0 };
                assert_eq!(count("health_errors_total", &labels), expected);
            }
        }
    };
    check(0);
    monitor.record_request("Predict");
    monitor.record_failure("Predict", "refused");
    check(1);
}

#[test]
fn c_12_any_thread_and_any_task_records_and_no_server_is_needed() {
    let _alone = alone();
    fn is_shareable<T: Send + Sync>(_: &T) {}
    let scratch = Scratch::new("health-threads");
    let path = scratch.path("segment");
    let monitor = register(&compact().create_at(&path).unwrap());
    is_shareable(&monitor);
    let key = Key::new("steps");
    let number = monitor.number(&key).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (monitor, number) = (&monitor, &number);
            scope.spawn(move || {
                for n in 0..250 {
                    let task = monitor.start_task(&format!("{thread}-{n}"));
                    number.inc();
                    monitor.record_request("M");
                    monitor.record_success("M");
                    assert!(monitor.end_task(task));
                }
            });
        }
    });
    // A task that begins on one thread and ends on another, as those of asynchronous runtimes do.
    let tasks: Vec<_> = (0..250).map(|n| monitor.start_task(&n.to_string())).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            tasks.into_iter().for_each(|task| {
                assert!(monitor.end_task(task));
            });
        });
    });
    let snapshot = look(&path);
    let told = View::new(&snapshot).tasks();
    assert_eq!(
        (told.started, told.completed, told.in_flight, told.lost),
        (1250, 1250, 0, 0)
    );
    let steps = snapshot.find("health_stats_steps", &[]).unwrap();
    assert_eq!(steps.value, Value::Number(1000.into()));
    assert_eq!(
        counter(&snapshot, "health_requests_total", &[("method", "M")]),
        1000
    );
    // Where there is no segment, all of it does nothing.
    let monitor = register(&Segment::noop());
    let task = monitor.start_task("1");
    monitor.record_failure("M", "refused");
    monitor.measure(&key, Buckets::Time).unwrap().record(1.0);
    monitor.end_task(task);
}
