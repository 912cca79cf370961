//! What a user of statvent needs, point by point: B.6 of the list in docs/five-systems.md. Points 4, 5, 6 and 10 have their other half in
//! reader/tests/stats, with the programs that people run.

#[path = "../../support/mod.rs"]
mod support;

mod kills;

use std::path::Path;

use shmetrics::snapshot::{Number, Samples};
use shmetrics::stats::named::{Rank, Report, Stats};
use shmetrics::{Kind, Merge, Preset, Reader, Segment, Snapshot, Value};
use support::*;

fn open(path: &Path) -> Segment {
    Segment::options()
        .preset(Preset::Compact)
        .open_or_create_at(path)
        .unwrap()
}

fn figure(snapshot: &Snapshot, name: &str) -> Option<Number> {
    let figures = Report::new().figures(snapshot);
    let mut found = figures.iter().filter(|(other, _)| other == name);
    let first = found.next().map(|(_, number)| *number);
    assert!(found.next().is_none(), "{name} is told twice: {figures:?}");
    first
}

fn samples(snapshot: &Snapshot, name: &str) -> Samples {
    match &snapshot.find(name, &[]).unwrap().value {
        Value::Samples(samples) => samples.as_ref().clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn b_01_incr_set_and_record_by_name_at_first_use() {
    let _alone = alone();
    let scratch = Scratch::new("b-01");
    let path = scratch.path("segment");
    let segment = open(&path);
    let stats = Stats::new(&segment);
    stats.inc("served");
    stats.incr("served", 41);
    stats.incr("balance", -5);
    stats.incr("balance", 2u64);
    stats.incr("half", 1);
    stats.incr("half", 0.5);
    stats.incr("half", 1);
    stats.set("queue", 7);
    stats.set("queue", 3);
    stats.set("load", 0.25);
    stats.record("time {0}", 1.5);
    // Mixed: what was set can be counted on, and what was counted can be set.
    stats.incr("queue", -1);
    stats.set("balance", 100);
    stats.incr("balance", 1);
    stats.set("half", 0.25);
    // What a name is says its first use, whoever uses it then.
    let other = Stats::new(&segment);
    other.incr("load", 0.5);
    other.set("served", 40);
    other.inc("served");
    let snapshot = snapshot(&path);
    for (name, expected) in [
        ("served", Number::I64(41)),
        ("balance", Number::I64(101)),
        ("half", Number::F64(0.25)),
        ("queue", Number::F64(2.0)),
        ("load", Number::F64(0.75)),
        ("time median", Number::F64(1.5)),
    ] {
        assert_eq!(figure(&snapshot, name), Some(expected), "{name}");
    }
    assert_eq!(stats.refused(), 0);
}

#[test]
fn b_01_no_increment_is_lost_with_many_threads_and_processes() {
    let _alone = alone();
    let scratch = Scratch::new("b-01-exact");
    let path = scratch.path("segment");
    let segment = open(&path);
    let count = |process: i64| {
        // Its own, as a process that begins has it.
        let stats = Stats::new(&segment);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let stats = &stats;
                scope.spawn(move || {
                    for n in 0..20_000i64 {
                        stats.incr("total", 1 + process);
                        stats.incr(if n % 2 == 0 { "even" } else { "odd" }, -1);
                        stats.incr("float", 0.25);
                        if n % 100 == thread {
                            stats.incr(&format!("name {}", n / 100), 1);
                        }
                    }
                });
            }
        });
    };
    let children: Vec<_> = (1..=3)
        .map(|process| {
            fork(|| {
                count(process);
                0
            })
        })
        .collect();
    count(0);
    children.into_iter().for_each(|child| assert_eq!(wait(child), 0));
    let snapshot = snapshot(&path);
    assert_eq!(
        figure(&snapshot, "total"),
        Some(Number::I64(80_000 * (1 + 2 + 3 + 4)))
    );
    assert_eq!(figure(&snapshot, "even"), Some(Number::I64(-160_000)));
    assert_eq!(figure(&snapshot, "odd"), Some(Number::I64(-160_000)));
    assert_eq!(figure(&snapshot, "float"), Some(Number::F64(80_000.0)));
    let named: i64 = (0..200)
        .map(|n| match figure(&snapshot, &format!("name {n}")) {
            Some(Number::I64(count)) => count,
            other => panic!("name {n}: {other:?}"),
        })
        .sum();
    assert_eq!(named, 4 * 4 * 200);
}

#[test]
fn b_02_the_last_n_samples_and_their_figures() {
    let _alone = alone();
    let scratch = Scratch::new("b-02");
    let path = scratch.path("segment");
    let stats = Stats::options().keep(20).on(&open(&path));
    // Its checked values, with one process that records 1 to n: median, 95th, 99th, 100th, mean.
    for n in 1..=100u32 {
        stats.record("twenty {0}", f64::from(n));
    }
    stats.keep("two {0}", 2).unwrap();
    stats.keep("hundred {0}", 100).unwrap();
    for n in 1..=300u32 {
        stats.record("two {0}", f64::from(n));
        stats.record("hundred {0}", f64::from(n) - 200.0);
    }
    let snapshot = snapshot(&path);
    let told = |name: &str| {
        ["median", "95th", "99th", "100th", "mean"].map(|label| {
            match figure(&snapshot, &name.replace("{0}", label)) {
                Some(Number::F64(value)) => value,
                other => panic!("{name} {label}: {other:?}"),
            }
        })
    };
    assert_eq!(told("twenty {0}"), [90.0, 99.0, 99.0, 100.0, 90.5]);
    assert_eq!(told("two {0}"), [299.0, 299.0, 299.0, 300.0, 299.5]);
    assert_eq!(told("hundred {0}"), [50.0, 95.0, 99.0, 100.0, 50.5]);
    assert_eq!(samples(&snapshot, "twenty {0}").count, 100);

    // Labels, percentiles and names as one likes.
    let report = Report::new()
        .percentiles([(25.0, "quarter"), (75.0, "three quarters")])
        .rank(Rank::Nearest)
        .mean(None)
        .format(|name, label| format!("{label} of {}", name.replace(" {0}", "")))
        .format_of("two {0}", |_, label| format!("2/{label}"));
    let figures = report.figures(&snapshot);
    let find = |name: &str| {
        figures
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, number)| *number)
    };
    assert_eq!(find("quarter of twenty"), Some(Number::F64(85.0)));
    assert_eq!(find("three quarters of hundred"), Some(Number::F64(75.0)));
    assert_eq!(find("2/quarter"), Some(Number::F64(299.0)));
    assert_eq!(figures.len(), 6);
}

#[test]
fn b_03_percentiles_of_pooled_samples_and_gauges_by_their_rule() {
    let _alone = alone();
    let scratch = Scratch::new("b-03");
    let path = scratch.path("segment");
    let segment = open(&path);
    let stats = Stats::new(&segment);
    for (name, merge) in [
        ("max", Merge::Max),
        ("min", Merge::Min),
        ("mean", Merge::Mean),
        ("last", Merge::Last),
    ] {
        stats.gauge(name, merge).unwrap();
    }
    let be = |value: f64| {
        // Two processes whose medians are 5 and 50: statvent told 55.
        (0..9).for_each(|_| stats.record("time {0}", value));
        ["sum", "max", "min", "mean", "last"]
            .iter()
            .for_each(|name| stats.set(name, value));
    };
    be(5.0);
    let (mut ready, mut done) = (std::io::pipe().unwrap(), std::io::pipe().unwrap());
    let child = fork(|| {
        use std::io::{Read, Write};
        be(50.0);
        ready.1.write_all(&[1]).unwrap();
        // Its gauges count as long as it lives.
        i32::from(done.0.read_exact(&mut [0]).is_err())
    });
    use std::io::{Read, Write};
    ready.0.read_exact(&mut [0]).unwrap();
    let snapshot = snapshot(&path);
    for (name, expected) in [
        ("time median", 5.0),
        ("time 95th", 50.0),
        ("time mean", 27.5),
        ("sum", 55.0),
        ("max", 50.0),
        ("min", 5.0),
        ("mean", 27.5),
        ("last", 50.0),
    ] {
        assert_eq!(figure(&snapshot, name), Some(Number::F64(expected)), "{name}");
    }
    done.1.write_all(&[1]).unwrap();
    assert_eq!(wait(child), 0);
}

#[test]
fn b_04_reading_disturbs_nobody_and_needs_no_writer_at_work() {
    let _alone = alone();
    if let Some(argument) = child_argument() {
        let stats = Stats::new(&open(argument.as_ref()));
        for n in 0u64.. {
            stats.incr("n", 1);
            stats.record("of {0}", n as f64);
        }
    }
    let scratch = Scratch::new("b-04");
    let path = scratch.path("segment");
    let mut worker = Worker::spawn(
        "b_04_reading_disturbs_nobody_and_needs_no_writer_at_work",
        &path.display().to_string(),
    );
    let mut first = poll("the segment", || Reader::open_path(&path).ok());
    let count = |reader: &mut Reader| match figure(&reader.snapshot().unwrap(), "n") {
        Some(Number::I64(count)) => count,
        _ => 0,
    };
    poll("progress", || (count(&mut first) > 1_000).then_some(()));
    worker.stop();
    // Any number of readers, again and again, of one that is stopped: all are told the same, and nothing is used up.
    let before = std::fs::read(&path).unwrap();
    let mut readers: Vec<Reader> = (0..4).map(|_| Reader::open_path(&path).unwrap()).collect();
    let known = count(&mut first);
    for reader in &mut readers {
        assert_eq!(count(reader), known);
        assert_eq!(count(reader), known);
    }
    let told = samples(&readers[0].snapshot().unwrap(), "of {0}");
    assert_eq!((told.values.len(), told.overtaken), (100, 0));
    assert!(
        std::fs::read(&path).unwrap() == before,
        "readers changed the file"
    );
    worker.kill();
    assert_eq!(count(&mut first), known, "of one that was killed, too");
}

#[test]
fn b_05_a_text_of_one_process_and_of_all() {
    let _alone = alone();
    let scratch = Scratch::new("b-05");
    let path = scratch.path("segment");
    let stats = Stats::new(&open(&path));
    stats.incr("small", 1e-7);
    stats.incr("big: and wide", i64::MAX);
    stats.set("third", 1.0 / 3.0);
    stats.record("time {0}", 2.0);
    let child = fork(|| {
        stats.incr("small", 1e-7);
        stats.record("time {0}", 4.0);
        0
    });
    assert_eq!(wait(child), 0);
    let mut reader = Reader::open_path(&path).unwrap();
    reader.per_process(true);
    let snapshot = reader.snapshot().unwrap();
    let report = Report::new();
    let of_all = "small: 2e-7\nbig: and wide: 9223372036854775807\nthird: 0.3333333333333333\ntime median: 2.0\ntime 95th: 2.0\n\
                  time 99th: 2.0\ntime 100th: 4.0\ntime mean: 3.0\n";
    assert_eq!(report.text(&snapshot), of_all);
    let own = "small: 1e-7\nbig: and wide: 9223372036854775807\nthird: 0.3333333333333333\ntime median: 2.0\ntime 95th: 2.0\n\
               time 99th: 2.0\ntime 100th: 2.0\ntime mean: 2.0\n";
    assert_eq!(report.text_of_process(&snapshot, std::process::id()), own);
    // As it was parsed: at the last colon.
    for line in of_all.lines() {
        let (_, value) = line.rsplit_once(": ").unwrap();
        value.parse::<f64>().unwrap();
    }
}

#[test]
fn b_06_json_of_all_processes() {
    let _alone = alone();
    let scratch = Scratch::new("b-06");
    let path = scratch.path("segment");
    let stats = Stats::new(&open(&path));
    stats.incr("served", 3);
    assert_eq!(
        wait(fork(|| {
            stats.incr("served", 4);
            0
        })),
        0
    );
    stats.set("load", 0.5);
    let snapshot = snapshot(&path);
    let json: serde_json::Value = serde_json::from_str(&Report::new().json(&snapshot)).unwrap();
    assert_eq!(json["stats"], serde_json::json!({"served": 7, "load": 0.5}));
    let seconds = json["timestamp"].as_f64().unwrap();
    assert!((seconds - snapshot.taken_at_ns as f64 / 1e9).abs() < 1e-3);
}

#[test]
fn b_08_forks_have_slots_of_their_own_and_no_thread_is_needed() {
    let _alone = alone();
    let scratch = Scratch::new("b-08");
    let path = scratch.path("segment");
    let segment = Segment::options()
        .preset(Preset::Compact)
        .without_ticker()
        .open_or_create_at(&path)
        .unwrap();
    let stats = Stats::new(&segment);
    stats.incr("n", 1);
    stats.set("gauge", 10);
    // A child, and a child of it: each counts for itself, also by names that are new there.
    let child = fork(|| {
        stats.incr("n", 10);
        stats.incr("new in the child", 1);
        stats.set("gauge", 1);
        wait(fork(|| {
            stats.incr("n", 100);
            0
        }))
    });
    assert_eq!(wait(child), 0);
    stats.incr("n", 1000);
    let mut reader = Reader::open_path(&path).unwrap();
    reader.per_process(true);
    let snapshot = reader.snapshot().unwrap();
    assert_eq!(figure(&snapshot, "n"), Some(Number::I64(1111)));
    assert_eq!(figure(&snapshot, "new in the child"), Some(Number::I64(1)));
    // The gauge of a dead process does not count.
    assert_eq!(figure(&snapshot, "gauge"), Some(Number::F64(10.0)));
    let own = Report::new().figures_of_process(&snapshot, std::process::id());
    assert_eq!(
        own,
        [
            ("n".to_owned(), Number::I64(1001)),
            ("gauge".to_owned(), Number::F64(10.0))
        ]
    );
    let threads = std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    assert!(threads.into_iter().all(|name| !name.contains("shmetrics")));
}

#[test]
fn b_09_where_it_is_and_who_may_read_it_is_chosen_and_the_layout_is_published() {
    let _alone = alone();
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new("b-09");
    let folder = scratch.path("run/app");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("stats");
    let segment = Segment::options()
        .preset(Preset::Compact)
        .mode(0o600)
        .create_at(&path)
        .unwrap();
    let stats = Stats::new(&segment);
    stats.incr("n", 1);
    stats.record("s {0}", 1.0);
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let default = scratch.path("default");
    Segment::options()
        .preset(Preset::Compact)
        .create_at(&default)
        .unwrap();
    assert_eq!(
        std::fs::metadata(&default).unwrap().permissions().mode() & 0o007,
        0,
        "not for everybody"
    );
    // Writers in other languages go by SPEC.md and the header for C, which name both kinds.
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let header = std::fs::read_to_string(root.join("include/shmetrics_layout.h")).unwrap();
    let spec = std::fs::read_to_string(root.join("SPEC.md")).unwrap();
    for kind in [Kind::Number, Kind::Samples] {
        assert!(header.contains(&format!("SHMETRICS_KIND_{}", kind.name().to_uppercase())));
        assert!(spec.contains(&format!("| {} | `{}` |", kind as u8, kind.name())));
    }
}

#[test]
fn b_10_names_are_told_exactly() {
    let _alone = alone();
    let scratch = Scratch::new("b-10");
    let path = scratch.path("segment");
    let stats = Stats::new(&open(&path));
    let long = "x".repeat(255);
    let names = [
        "a b",
        "a: b: 3",
        " leading and trailing ",
        "quote\" back\\slash",
        "line\nbreak\ttab\u{7f}",
        "ümläut 数 \u{1f600}",
        "{0",
        "}{",
        "%d %f",
        &long,
    ];
    for (n, name) in (1..).zip(names) {
        stats.incr(name, n);
    }
    let snapshot = snapshot(&path);
    let json: serde_json::Value = serde_json::from_str(&Report::new().json(&snapshot)).unwrap();
    let text = Report::new().text(&snapshot);
    assert_eq!(text.lines().count(), names.len());
    for (n, name) in (1i64..).zip(names) {
        assert_eq!(figure(&snapshot, name), Some(Number::I64(n)), "{name:?}");
        assert_eq!(json["stats"][name], n, "{name:?}");
        let line = format!("{}: {n}", name.replace('\\', "\\\\").replace('\n', "\\n"));
        assert!(text.lines().any(|other| other == line), "{name:?}");
    }
    // What no segment can hold is dropped, counted, and said.
    stats.incr("", 1);
    stats.incr(&"x".repeat(256), 1);
    stats.record("a b", 1.0);
    assert_eq!(stats.refused(), 3);
    stats.incr("", 1);
    assert_eq!(stats.refused(), 4);
}

#[test]
fn names_from_outside_cannot_take_all_memory() {
    let _alone = alone();
    let scratch = Scratch::new("b-bounded");
    let path = scratch.path("segment");
    let stats = Stats::options().names(10).on(&open(&path));
    for n in 0..100 {
        stats.incr(&format!("name {n}"), 1);
        stats.incr("name 3", 1);
    }
    assert_eq!(stats.refused(), 90);
    assert_eq!(figure(&snapshot(&path), "name 3"), Some(Number::I64(101)));
}
