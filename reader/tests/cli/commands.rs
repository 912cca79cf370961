//! Every command does its job.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use shmetrics::{Merge, Segment, Unit};

use super::support::*;

#[test]
fn create_prints_what_it_made_and_takes_every_capacity() {
    let folder = Folder::new();
    let path = folder.path("app");
    let capacities = [
        "--process-slots",
        "5",
        "--lanes=9",
        "--series=70",
        "--text-length",
        "64KiB",
    ];
    let more = [
        "--counters=40",
        "--gauges=20",
        "--blocks-length=48k",
        "--errors=5",
        "--reset-tables=0",
        "--budget=3MiB",
        "--epoch=250ms",
    ];
    let mut command = folder.command(&["create", "app", "--preset", "compact", "--mode", "0600"]);
    command.args(capacities).args(more);
    let ended = finish(command);
    assert_eq!(ended.code, 0, "{ended:?}");
    for says in [
        &*path,
        "allocated at creation",
        "worst case",
        "3 MiB",
        "250 ms",
        "64 KiB",
    ] {
        assert!(ended.stdout.contains(says), "{says}: {}", ended.stdout);
    }
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let snapshot = folder.json(&["snapshot", "app"]);
    let geometry = &snapshot["segment"]["geometry"];
    for (name, value) in [
        ("process_slots", 5),
        ("lanes", 9),
        ("series", 70),
        ("text_length", 65_536),
        ("counters", 40),
        ("gauges", 20),
        ("blocks_length", 48_000),
        ("errors", 5),
        ("reset_tables", 0),
        ("budget", 3 << 20),
    ] {
        assert_eq!(geometry[name], value, "{name}");
    }
    assert_eq!(geometry["epoch_seconds"], 0.25);
    assert_refused(&folder.run(&["create", "app"]), "exists already");
}

#[test]
fn flags_come_from_the_environment_too() {
    let folder = Folder::new();
    let mut command = folder.command(&["create"]);
    command
        .env("SHMETRICS_PATH", folder.path("app"))
        .env("SHMETRICS_PRESET", "compact")
        .env("SHMETRICS_LANES", "7");
    // Not a number, and not for this command.
    command
        .env("SHMETRICS_SERIES", "http_*")
        .env("SHMETRICS_CREATE_SERIES", "33");
    assert_eq!(finish(command).code, 0);
    let geometry = &folder.json(&["snapshot", &folder.path("app")])["segment"]["geometry"];
    assert_eq!((&geometry["lanes"], &geometry["series"]), (&7.into(), &33.into()));
    for (value, cut) in [("1", true), ("true", true), ("0", false), ("false", false)] {
        let mut command = folder.command(&["snapshot", "app"]);
        command.env("SHMETRICS_CUT", value);
        assert_eq!(finish(command).stdout.contains("cut_epoch"), cut, "{value}");
    }
}

fn furnish(segment: &Segment) {
    segment
        .counter("http_requests_total")
        .label("code", "200")
        .register()
        .unwrap()
        .add(u64::MAX - 5);
    segment
        .counter_float("cpu_seconds_total")
        .unit(Unit::Seconds)
        .register()
        .unwrap()
        .add(0.25);
    segment
        .gauge("queue_depth")
        .merge(Merge::Sum)
        .register()
        .unwrap()
        .set(i64::MIN + 1);
    segment.gauge("never_set").register().unwrap();
    segment
        .gauge_float("load")
        .merge(Merge::Max)
        .register()
        .unwrap()
        .set(f64::INFINITY);
    let latency = segment
        .histogram("http_request_duration_seconds")
        .unit(Unit::Seconds)
        .register()
        .unwrap();
    (1..=100).for_each(|ms| latency.record_duration(Duration::from_millis(ms)));
    let nan = segment
        .histogram_float("sizes")
        .unit(Unit::Bytes)
        .register()
        .unwrap();
    [1.5, f64::NAN].into_iter().for_each(|value| nan.record(value));
}

#[test]
fn a_snapshot_is_exact_json_in_stable_order() {
    let folder = Folder::new();
    let segment = folder.segment("app");
    furnish(&segment);
    let snapshot = folder.json(&["snapshot", "app"]);
    assert_eq!(snapshot["schema"], 1);
    // Beyond 2^53, to the last digit.
    assert_eq!(series(&snapshot, "http_requests_total")["value"], u64::MAX - 5);
    assert_eq!(series(&snapshot, "http_requests_total")["labels"]["code"], "200");
    assert_eq!(series(&snapshot, "queue_depth")["value"], i64::MIN + 1);
    assert!(series(&snapshot, "never_set")["value"].is_null());
    assert!(series(&snapshot, "load")["value"].is_null());
    let latency = series(&snapshot, "http_request_duration_seconds");
    assert_eq!(
        (&latency["count"], &latency["quality"]),
        (&100.into(), &"exact".into())
    );
    assert_eq!(
        latency["buckets"].as_array().unwrap().last().unwrap()["le"],
        "+Inf"
    );
    assert_eq!(series(&snapshot, "sizes")["invalid"], 1);
    assert!(snapshot["processes"][0].get("values").is_none());

    let ended = folder.run(&["snapshot", "app"]);
    let members = [
        "schema",
        "segment",
        "taken_at",
        "series",
        "processes",
        "losses",
        "fill",
        "skipped",
    ];
    let places = members.map(|member| ended.stdout.find(&format!("\n  \"{member}\"")).unwrap());
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn a_snapshot_can_be_narrowed_split_by_process_cut_and_windowed() {
    let folder = Folder::new();
    let segment = folder.segment("app");
    furnish(&segment);
    let snapshot = folder.json(&["snapshot", "app", "--series", "http_*", "--processes"]);
    assert_eq!(
        names(&snapshot),
        ["http_requests_total", "http_request_duration_seconds"]
    );
    let process = &snapshot["processes"][0];
    assert_eq!(
        (&process["role"], &process["pid"]),
        (&"tester".into(), &std::process::id().into())
    );
    let values = process["values"].as_array().unwrap();
    assert_eq!(values.len(), 2, "{values:?}");
    assert_eq!(
        (&values[0]["name"], &values[0]["value"]),
        (&"http_requests_total".into(), &(u64::MAX - 5).into())
    );
    assert_eq!(
        (&values[1]["name"], &values[1]["count"]),
        (&"http_request_duration_seconds".into(), &100.into())
    );
    assert!(folder.json(&["snapshot", "app", "--cut"])["cut_epoch"].is_u64());
    let window = folder.json(&["snapshot", "app", "--window", "5"]);
    let windows = series(&window, "http_request_duration_seconds")["windows"]
        .as_array()
        .unwrap();
    assert_eq!(windows.len(), 1);
    assert!(names(&folder.json(&["snapshot", "app", "--series", "nothing?"])).is_empty());
}

#[test]
fn tables_are_for_people() {
    let folder = Folder::new();
    furnish(&folder.segment("app"));
    let ended = folder.run(&["snapshot", "app", "--format", "table", "--processes"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    for says in [
        "http_requests_total{code=\"200\"}",
        "18,446,744,073,709,551,610",
        "250 ms",
        "P99.9",
        "100 ms",
    ] {
        assert!(ended.stdout.contains(says), "{says}: {}", ended.stdout);
    }
    assert!(!ended.stdout.contains('\x1b'));
}

#[test]
fn inspect_shows_the_error_log_and_how_all_fare() {
    let folder = Folder::new();
    let segment = folder.segment("app");
    for _ in 0..3 {
        segment.log_error("cannot reach the queue: \u{1b}[31mrefused\nand gone");
    }
    let found = folder.json(&["inspect", "app"]);
    let error = &found["errors"][0];
    assert_eq!(
        error["message"],
        "cannot reach the queue: \u{1b}[31mrefused\nand gone"
    );
    assert_eq!((&error["count"], &error["truncated"]), (&3.into(), &false.into()));
    assert_eq!(found["health"]["dead_slots"], 0);
    assert_eq!(found["reader"]["snapshots"], 1);
    assert_eq!(found["fill"]["errors"]["used"], 1);
    let table = folder.run(&["inspect", "app", "--format", "table"]).stdout;
    assert!(!table.contains('\u{1b}'), "{table}");
    let line = table
        .lines()
        .find(|line| line.contains("cannot reach the queue"))
        .unwrap();
    assert!(
        line.contains("refused") && line.contains(" 3 ") && line.contains(" ago"),
        "{line}"
    );
    for says in [
        "HEALTH",
        "dead owners of slots",
        "error log",
        "registrations refused",
    ] {
        assert!(table.contains(says), "{says}: {table}");
    }
    let hex = folder.run(&["inspect", "app", "--hex"]).stdout;
    assert!(
        hex.contains("error 0.error_count") && hex.contains("error 0.error_text"),
        "{hex}"
    );
    // Without a log there is nothing of it.
    let without = folder.run(&[
        "create",
        "without",
        "--preset",
        "compact",
        "--errors=0",
        "--reset-tables=0",
    ]);
    assert_eq!(without.code, 0, "{without:?}");
    let found = folder.json(&["inspect", "without"]);
    assert_eq!(
        (&found["segment"]["version"], &found["fill"]["errors"]["capacity"]),
        (&1.into(), &0.into())
    );
}

#[test]
fn inspect_tells_how_it_is_made_and_who_lives() {
    let folder = Folder::new();
    let segment = folder.segment("app");
    furnish(&segment);
    let found = folder.json(&["inspect", "app"]);
    let storage = &found["storage"];
    let bytes = |name: &str| storage[name].as_u64().unwrap();
    assert!(
        bytes("head_bytes") <= bytes("committed_bytes") && bytes("committed_bytes") < bytes("file_bytes")
    );
    assert_eq!(
        bytes("worst_case_bytes"),
        bytes("head_bytes") + bytes("budget_bytes")
    );
    assert_eq!(
        (&found["this_boot"], &found["segment"]["version"]),
        (&true.into(), &2.into())
    );
    assert_eq!(found["histograms"][0]["closed_windows"], 1);
    assert_eq!(found["fill"]["lanes"]["used"], 1);
    let process = &found["processes"][0];
    assert_eq!((&process["alive"], &process["lanes"]), (&true.into(), &1.into()));
    let table = folder.run(&["inspect", "app", "--format", "table"]).stdout;
    for says in [
        "tester",
        "alive",
        "worst case",
        "RING SLOTS",
        "gauge writes dropped",
        "this boot",
        "slots, alive",
    ] {
        assert!(table.contains(says), "{says}: {table}");
    }
    drop(segment);
    assert_eq!(folder.json(&["inspect", "app"])["processes"][0]["alive"], false);
}

#[test]
fn reset_lets_chosen_series_count_from_zero() {
    let folder = Folder::new();
    let segment = Segment::options().open_or_create_at(folder.path("app")).unwrap();
    let [hits, misses] = ["hits_total", "misses_total"].map(|name| segment.counter(name).register().unwrap());
    let depth = segment.gauge("depth").merge(Merge::Sum).register().unwrap();
    let latency = segment
        .histogram("latency_seconds")
        .unit(Unit::Seconds)
        .register()
        .unwrap();
    let work = || {
        hits.add(3);
        misses.add(4);
        depth.set(5);
        latency.record(1_000_000);
    };
    let told = || {
        let snapshot = folder.json(&["snapshot", "app"]);
        let series = snapshot["series"].as_array().unwrap().clone();
        let numbers: Vec<u64> = series
            .iter()
            .map(|series| series.get("count").unwrap_or(&series["value"]).as_u64().unwrap())
            .collect();
        let reset: Vec<bool> = series
            .iter()
            .map(|series| series.get("since").is_some())
            .collect();
        (numbers, reset)
    };
    work();
    let ended = folder.run(&["reset", "app", "--series", "hits*", "--series", "latency_*"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(
        ended.stdout.contains("reset 2 series") && ended.stdout.contains("(reset 1)"),
        "{ended:?}"
    );
    assert_eq!(told(), (vec![0, 4, 5, 0], vec![true, false, false, true]));
    work();
    let ended = folder.run(&["reset", &folder.path("app")]);
    assert!(
        ended.code == 0 && ended.stdout.contains("reset 3 series"),
        "{ended:?}"
    );
    assert_eq!(told(), (vec![0, 0, 5, 0], vec![true, true, false, true]));
    let inspected = folder.run(&["inspect", "app", "--format", "table"]);
    let row = inspected
        .stdout
        .lines()
        .find(|line| line.starts_with("resets of series"));
    assert!(
        inspected.stdout.contains("last reset") && row.is_some_and(|row| row.ends_with(" 2")),
        "{inspected:?}"
    );
    let segment_json = &folder.json(&["inspect", "app", "--format", "json"])["segment"];
    assert!(
        segment_json["resets"] == 2 && segment_json["last_reset"].is_string(),
        "{segment_json}"
    );

    assert_refused(
        &folder.run(&["reset", "app", "--series", "depth"]),
        "no counter or histogram",
    );
    assert_refused(&folder.run(&["reset", "nowhere"]), "there is no segment");
    assert_eq!(folder.run(&["create", "old", "--reset-tables=0"]).code, 0);
    assert_refused(&folder.run(&["reset", "old"]), "has no reset tables");
    let empty = folder.run(&["create", "empty"]);
    assert_eq!(empty.code, 0);
    let ended = folder.run(&["reset", "empty"]);
    assert!(
        ended.code == 0 && ended.stdout.contains("nothing to reset"),
        "{ended:?}"
    );
}

#[test]
fn retire_takes_the_name_and_leaves_the_workers_alone() {
    let folder = Folder::new();
    let segment = Segment::options()
        .process_slots(1)
        .create_at(folder.path("app"))
        .unwrap();
    let counter = segment.counter("c").register().unwrap();
    // All process slots are taken.
    let ended = folder.run(&["retire", &folder.path("app")]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stdout.contains("1 process goes on"), "{ended:?}");
    counter.inc();
    assert!(!std::path::Path::new(&folder.path("app")).exists());
    assert_refused(&folder.run(&["snapshot", "app"]), "there is no segment");
    assert_refused(&folder.run(&["retire", "app"]), "there is no segment");
    assert_eq!(folder.run(&["create", "app"]).code, 0);
}

#[test]
fn create_warns_of_a_disk() {
    let folder = std::env::temp_dir().join(format!("shmetrics-cli-disk-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("app");
    let ended = Folder::new().run(&["create", "--preset", "compact", path.to_str().unwrap()]);
    let type_of = rustix::fs::statfs(&folder).unwrap().f_type as u64;
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(ended.code, 0, "{ended:?}");
    // TMPFS_MAGIC of statfs(2).
    if type_of == 0x0102_1994 {
        return crate::library::skip(&format!("{} is in memory", folder.display()));
    }
    assert!(
        ended
            .stderr
            .contains("is not in memory: writing it back can stall workers"),
        "{ended:?}"
    );
}
