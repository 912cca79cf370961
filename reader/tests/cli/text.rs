//! `text`: every value on a line, nothing lost, nothing that could be taken for something else.

use shmetrics::{Merge, Preset, Segment, Unit};

use super::support::*;

#[test]
fn text_tells_every_value_on_a_line_without_losing_a_digit() {
    let folder = Folder::new();
    let segment = folder.segment("app");
    let requests = segment.counter("requests_total").label("path", "/a b");
    requests.register().unwrap().add(u64::MAX);
    segment
        .counter_float("cpu_seconds_total")
        .register()
        .unwrap()
        .add(0.1 + 0.2);
    segment.gauge("depth").register().unwrap().set(i64::MIN);
    segment.gauge("never_set").register().unwrap();
    segment
        .gauge_float("load")
        .register()
        .unwrap()
        .set(f64::NEG_INFINITY);
    segment
        .gauge("open")
        .merge(Merge::Each)
        .register()
        .unwrap()
        .set(3);
    let latency = segment
        .histogram("latency_seconds")
        .unit(Unit::Seconds)
        .register()
        .unwrap();
    latency.record(1_000_000_000);
    latency.record(3_000_000_000);
    segment.histogram("idle").register().unwrap();
    let ended = folder.run(&["text", "app"]);
    assert_eq!((ended.code, &*ended.stderr), (0, ""));
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(
        lines[..7],
        [
            "requests_total{path=\"/a b\"}: 18446744073709551615",
            "cpu_seconds_total: 0.30000000000000004",
            "depth: -9223372036854775808",
            "load: -Inf",
            "open{process=\"tester\"}: 3",
            "latency_seconds.count: 2",
            "latency_seconds.sum: 4.0",
        ]
    );
    for line in [
        "latency_seconds.min: 1.0",
        "latency_seconds.max: 3.0",
        "latency_seconds.mean: 2.0",
        "idle.count: 0",
    ] {
        assert!(lines.contains(&line), "{line}: {lines:#?}");
    }
    // As in JSON, to the last digit.
    let snapshot = folder.json(&["snapshot", "app"]);
    let p99 = &series(&snapshot, "latency_seconds")["quantiles"]["0.99"];
    assert!(
        lines.contains(&&*format!("latency_seconds.p99: {p99}")),
        "{p99}: {lines:#?}"
    );
    // What has no value has no line.
    assert!(!ended.stdout.contains("never_set") && !ended.stdout.contains("idle.p50"));
    // A filter, and its twin in the environment.
    let mut command = folder.command(&["text", "app"]);
    command.env("SHMETRICS_SERIES", "de*");
    assert_eq!(finish(command).stdout, "depth: -9223372036854775808\n");
    assert_eq!(
        folder.run(&["text", "app", "--series", "lo?d"]).stdout,
        "load: -Inf\n"
    );
}

#[test]
fn text_says_why_there_is_nothing_to_tell() {
    let folder = Folder::new();
    assert_refused(&folder.run(&["text", "nothing"]), "nothing");
    std::fs::write(folder.path("junk"), "junk").unwrap();
    assert_refused(&folder.run(&["text", "junk"]), "junk");
}

#[test]
fn live_processes_of_one_role_are_told_apart_wherever_they_are_shown() {
    let folder = Folder::new();
    // Who opens a segment twice has two slots, as two processes have.
    let open = |role: &str| {
        let segment = Segment::options()
            .preset(Preset::Compact)
            .role(role)
            .open_or_create(&folder.path("app"))
            .unwrap();
        segment.gauge("open").merge(Merge::Each).register().unwrap();
        segment
    };
    let owners = ["web", "web", "batch"].map(open);
    for (value, owner) in owners.iter().enumerate() {
        let gauge = owner.gauge("open").merge(Merge::Each).register().unwrap();
        gauge.set(value as i64);
    }
    let snapshot = folder.json(&["snapshot", "app"]);
    assert_eq!(
        snapshot["series"][0]["values"],
        serde_json::json!([
            {"process": "web", "slot": 0, "value": 0},
            {"process": "web", "slot": 1, "value": 1},
            {"process": "batch", "slot": 2, "value": 2},
        ])
    );
    let table = folder.run(&["snapshot", "app", "--format", "table"]).stdout;
    for title in [
        "open of web in slot 0 ",
        "open of web in slot 1 ",
        "open of batch ",
    ] {
        assert!(table.contains(title), "{title}: {table}");
    }
    let text = folder.run(&["text", "app"]).stdout;
    for line in [
        "open{process=\"web\",slot=\"0\"}: 0\n",
        "open{process=\"web\",slot=\"1\"}: 1\n",
        "open{process=\"batch\"}: 2\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn numbers_and_the_figures_of_samples_are_told() {
    let folder = Folder::new();
    let segment = folder.segment("app");
    segment.number("balance").register().unwrap().add(i64::MIN);
    let part = segment.number("part").label("of", "all").register().unwrap();
    part.add(-2);
    part.add_float(0.5);
    let (named, plain) = (
        segment.samples("time {0} ms").register().unwrap(),
        segment.samples("size").label("of", "all").register().unwrap(),
    );
    for n in 1..=20 {
        named.record_at(n, n as f64);
        plain.record_at(n, n as f64);
    }
    let ended = folder.run(&["text", "app"]);
    assert_eq!((ended.code, &*ended.stderr), (0, ""));
    let expected = "balance: -9223372036854775808\npart{of=\"all\"}: -1.5\n\"time median ms\": 10.0\n\"time 95th ms\": 19.0\n\
                    \"time 99th ms\": 19.0\n\"time 100th ms\": 20.0\n\"time mean ms\": 10.5\nsize.median{of=\"all\"}: 10.0\n\
                    size.95th{of=\"all\"}: 19.0\nsize.99th{of=\"all\"}: 19.0\nsize.100th{of=\"all\"}: 20.0\nsize.mean{of=\"all\"}: 10.5\n";
    assert_eq!(ended.stdout, expected);
    let table = folder.run(&["snapshot", "app", "--format", "table", "--processes"]);
    for told in [
        "balance",
        "-9,223,372,036,854,775,808",
        "-1.5",
        "20, the last of 10.5 each",
    ] {
        assert!(table.stdout.contains(told), "{told} in {}", table.stdout);
    }
    let hex = folder.run(&["inspect", "app", "--hex"]);
    for told in ["counter, float part", "samples_begun", "sample_value"] {
        assert!(hex.stdout.contains(told), "{told}");
    }
}
