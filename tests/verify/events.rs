//! Rings of events: what is wrong with one is found by its rule, and nothing is said against one that is written at full speed.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use shmetrics::dump::Dump;
use shmetrics::events::{EventWriter, FieldKind, Value};
use shmetrics::verify::{Severity, verify};
use shmetrics::{Preset, Segment};

use super::support::Scratch;

fn jobs(path: &Path) -> (Segment, EventWriter) {
    let options = Segment::options().preset(Preset::Compact);
    let segment = options.open_or_create_at(path).unwrap();
    let events = segment
        .events("jobs")
        .capacity(4)
        .record_length(64)
        .kind(
            1,
            "job",
            &[("number", FieldKind::U64), ("queue", FieldKind::Text(8))],
        )
        .register()
        .unwrap();
    let job = events.kind("job").unwrap();
    (segment, job)
}

/// Where each word is that has a name, zeros aside.
fn words(path: &Path) -> HashMap<String, u64> {
    let mut words = HashMap::new();
    let all = Dump::open(path).unwrap().each(|line| {
        words.insert(line.name, line.offset);
        Ok::<(), Infallible>(())
    });
    let Ok(()) = all;
    words
}

#[test]
fn what_is_wrong_with_a_ring_is_found() {
    let scratch = Scratch::new("verify-events");
    let path = scratch.path("segment");
    let (segment, job) = jobs(&path);
    (0..6).for_each(|number| job.write(&[Value::U64(number), Value::Text("mail")]));
    // Counted where it belongs.
    job.write(&[]);
    drop((segment, job));
    let report = verify(&path).unwrap();
    assert!(report.worst() <= Some(Severity::Note), "{report}");
    let words = words(&path);
    let file = File::options().read(true).write(true).open(&path).unwrap();
    let load = |offset: u64| {
        let mut bytes = [0; 8];
        file.read_exact_at(&mut bytes, offset).unwrap();
        u64::from_ne_bytes(bytes)
    };
    assert_eq!(load(words["shared lane, record 2.event_dropped"]), 1);
    assert_eq!(load(words["lane 1, record 2.event_position"]), 6);
    // Events 4 and 5 are in records 0 and 1, 2 and 3 in the others.
    for (name, value, rule) in [
        ("event_position", 4, "10.21"),
        ("event_position", 17, "10.21"),
        ("event_position", 0, "10.21"),
        ("event_dropped", 1, "9.12"),
        ("event_baseline", 7, "9.12"),
        ("event record 0.event_sequence", 0, "10.21"),
        ("event record 0.event_sequence", 2 * 4 + 1, "10.21"),
        ("event record 1.event_sequence", 2 * 4 + 2, "10.21"),
        ("event record 2.event_sequence", 2 * 14 + 2, "10.21"),
        ("event record 3.event_shape", 2, "9.12"),
        ("event record 3.event_shape", 1 | 1 << 20, "9.12"),
    ] {
        let at = words[&format!("lane 1, record 2.{name}")];
        let old = load(at);
        file.write_all_at(&u64::to_ne_bytes(value), at).unwrap();
        let report = verify(&path).unwrap();
        let found = report
            .findings
            .iter()
            .find(|finding| finding.severity == Severity::Error);
        assert_eq!(
            found.map(|finding| finding.rule),
            Some(rule),
            "{name} {value}: {report}"
        );
        file.write_all_at(&old.to_ne_bytes(), at).unwrap();
    }
    // What lies between and behind is reserved.
    let line = words["lane 1, record 2.event_position"];
    let behind = line + 8 * (16 + 4 * 8);
    for (place, at) in [(line, line + 0x10), (line, line + 0x70), (behind, behind)] {
        file.write_all_at(&7u64.to_ne_bytes(), at).unwrap();
        let report = verify(&path).unwrap();
        assert!(
            report.findings.iter().any(|finding| finding.rule == "W-9"),
            "{place:#x} {at:#x}: {report}"
        );
        file.write_all_at(&0u64.to_ne_bytes(), at).unwrap();
    }
    // An event that landed and was not counted, or is half written: what a death leaves.
    let sequence = words["lane 1, record 2.event record 2.event_sequence"];
    for left in [2 * 6 + 1, 2 * 6 + 2] {
        file.write_all_at(&u64::to_ne_bytes(left), sequence).unwrap();
        let report = verify(&path).unwrap();
        assert!(report.worst() <= Some(Severity::Note), "{left}: {report}");
    }
}

#[test]
fn a_ring_that_is_written_at_full_speed_causes_no_false_alarm() {
    let scratch = Scratch::new("verify-events-live");
    let path = scratch.path("segment");
    let (_segment, job) = jobs(&path);
    job.write(&[Value::U64(0), Value::Text("")]);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut number = 0;
                while !stop.load(Relaxed) {
                    number += 1;
                    job.write_at(number, &[Value::U64(number), Value::Text("a queue")]);
                }
            });
        }
        for _ in 0..200 {
            let report = verify(&path);
            if report
                .as_ref()
                .is_ok_and(|report| report.worst() <= Some(Severity::Note))
            {
                continue;
            }
            stop.store(true, Relaxed);
            panic!("{}", report.unwrap());
        }
        stop.store(true, Relaxed);
    });
}
