//! Promise: of a group readers see all of an update or nothing, whoever adds where, and whoever is killed in the middle; or they say
//! how many updates may be there in part.

#[path = "../support/mod.rs"]
mod support;

mod kills;
mod signals;

use std::path::Path;

use shmetrics::error::{FieldsError, RegisterError};
use shmetrics::snapshot::{self, PerProcess, Quality};
use shmetrics::{Group, Preset, Reader, Segment, Value};
use support::*;

/// What each update adds.
const AMOUNTS: [u64; 3] = [1, 2, 3];

fn open(path: &Path) -> Segment {
    Segment::options()
        .preset(Preset::Compact)
        .open_or_create_at(path)
        .unwrap()
}

fn deliveries(segment: &Segment) -> Group<3> {
    let builder = segment.group("deliveries").fields(["ok", "failed", "bytes"]);
    builder.register().unwrap()
}

fn group_in(snapshot: &shmetrics::Snapshot, name: &str) -> snapshot::Group {
    match &snapshot.find(name, &[]).unwrap().value {
        Value::Group(group) => group.as_ref().clone(),
        other => panic!("{other:?}"),
    }
}

fn group(path: &Path, name: &str) -> snapshot::Group {
    group_in(&snapshot(path), name)
}

fn values(group: &snapshot::Group) -> Vec<(&str, u64)> {
    let fields = group.fields.iter();
    fields.map(|field| (&*field.name, field.value)).collect()
}

/// Are the fields what so many updates made them?
fn fits(group: &snapshot::Group) -> bool {
    let fields = group.fields.iter().map(|field| field.value);
    fields.eq(AMOUNTS.map(|amount| amount * group.updates))
}

#[test]
fn a_segment_for_older_writers_has_no_groups() {
    let _alone = alone();
    let scratch = Scratch::new("groups-old");
    let segment = Segment::options()
        .preset(Preset::Compact)
        .errors(0)
        .reset_tables(0)
        .create_at(scratch.path("segment"))
        .unwrap();
    let error = segment.group("g").fields(["a"]).register().map(drop).unwrap_err();
    assert!(matches!(error, RegisterError::NoStatistics { kind: "group", .. }));
}

#[test]
fn fields_that_cannot_be_are_told() {
    let _alone = alone();
    let scratch = Scratch::new("groups-limits");
    let segment = open(&scratch.path("segment"));
    let source = |error: RegisterError| match error {
        RegisterError::Fields { source, .. } => source,
        other => panic!("{other}"),
    };
    let none: Result<Group<3>, _> = segment.group("g").register();
    assert_eq!(source(none.unwrap_err()), FieldsError::Number { found: 0 });
    let many = segment.group("g").fields(["x"; 16]).register().map(drop);
    assert_eq!(source(many.unwrap_err()), FieldsError::Number { found: 16 });
    let twice = segment.group("g").fields(["a", "a"]).register().map(drop);
    assert!(matches!(
        source(twice.unwrap_err()),
        FieldsError::Duplicate { .. }
    ));
    let spaced = segment.group("g").fields(["a b"]).register().map(drop);
    assert!(matches!(source(spaced.unwrap_err()), FieldsError::Name { .. }));
    // Nothing of it is left behind.
    segment.counter("g").register().unwrap().inc();
}

#[test]
fn fields_are_added_up_over_threads_and_processes() {
    let _alone = alone();
    if let Some(path) = child_argument() {
        let deliveries = deliveries(&open(path.as_ref()));
        (0..7).for_each(|_| deliveries.add(AMOUNTS));
        return;
    }
    let scratch = Scratch::new("groups-sums");
    let path = scratch.path("segment");
    let segment = open(&path);
    let deliveries = deliveries(&segment);
    assert_eq!(
        values(&group(&path, "deliveries")),
        [("ok", 0), ("failed", 0), ("bytes", 0)]
    );
    deliveries.add([1, 0, 512]);
    deliveries.add([0, 1, 0]);
    std::thread::scope(|scope| {
        scope.spawn(|| (0..100).for_each(|_| deliveries.add(AMOUNTS)));
    });
    let test = "fields_are_added_up_over_threads_and_processes";
    Worker::spawn(test, path.to_str().unwrap()).finish();
    let told = group(&path, "deliveries");
    assert_eq!(values(&told), [("ok", 108), ("failed", 215), ("bytes", 833)]);
    assert_eq!((told.updates, told.quality), (109, Quality::Exact));
    assert_eq!((told.get("failed"), told.get("other")), (Some(215), None));
    // Taken away, by adding the rest of 2^64.
    deliveries.add([0, 0, 0u64.wrapping_sub(833)]);
    assert_eq!(group(&path, "deliveries").get("bytes"), Some(0));

    let mut reader = Reader::open_path(&path).unwrap();
    reader.per_process(true);
    let snapshot = reader.snapshot().unwrap();
    let [own] = &snapshot.processes[0].groups[..] else {
        panic!("{:?}", snapshot.processes);
    };
    assert!(
        snapshot.processes[0]
            .values
            .contains(&(own.0, PerProcess::Group(0)))
    );
    assert_eq!(own.1.updates, 103, "but what the child added");
    let json = serde_json::to_value(&snapshot).unwrap();
    let fields = serde_json::json!({"ok": 108, "failed": 215, "bytes": 0});
    assert_eq!(json["series"][0]["fields"], fields);
    assert_eq!(json["series"][0]["quality"], "exact");
}

#[test]
fn each_label_set_has_fields_of_its_own_and_other_fields_are_a_revision() {
    let _alone = alone();
    let scratch = Scratch::new("groups-revisions");
    let path = scratch.path("segment");
    let segment = open(&path);
    let family = segment
        .group("jobs")
        .fields(["done", "failed"])
        .family(["kind"])
        .unwrap();
    family.with(["mail"]).add([1, 0]);
    family.with(["push"]).add([0, 5]);
    let mut reader = Reader::open_path(&path).unwrap();
    let first = reader.snapshot().unwrap();
    let of = |snapshot: &shmetrics::Snapshot, kind: &str| match &snapshot
        .find("jobs", &[("kind", kind)])
        .unwrap()
        .value
    {
        Value::Group(group) => group.as_ref().clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(values(&of(&first, "mail")), [("done", 1), ("failed", 0)]);
    assert_eq!(values(&of(&first, "push")), [("done", 0), ("failed", 5)]);
    assert!(first.find("jobs", &[("shmetrics_overflow", "true")]).is_none());
    // A newer version of the program counts one field more.
    let newer = segment
        .group("jobs")
        .fields(["failed", "done", "late"])
        .label("kind", "mail")
        .register()
        .unwrap();
    newer.add([10, 20, 30]);
    let second = reader.snapshot().unwrap();
    assert_eq!(
        values(&of(&second, "mail")),
        [("done", 21), ("failed", 10), ("late", 30)]
    );
    let description = |snapshot: &shmetrics::Snapshot| {
        let series = snapshot.find("jobs", &[("kind", "mail")]).unwrap();
        std::sync::Arc::as_ptr(&series.description)
    };
    assert_ne!(description(&first), description(&second), "it is described anew");
}

#[test]
fn a_reset_takes_whole_updates_away() {
    let _alone = alone();
    let scratch = Scratch::new("groups-reset");
    let path = scratch.path("segment");
    let segment = open(&path);
    let deliveries = deliveries(&segment);
    let mut reader = Reader::open_path(&path).unwrap();
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                deliveries.add(AMOUNTS);
            }
        });
        let mut last = 0;
        for _ in 0..20 {
            poll("updates", || {
                let told = group_in(&reader.snapshot().unwrap(), "deliveries");
                assert!(fits(&told) && told.quality == Quality::Exact, "{told:?}");
                assert!(told.updates >= last, "never less");
                last = told.updates;
                (told.updates > 1_000).then_some(())
            });
            let done = shmetrics::reset::at_path(&path, |series| series.name == "deliveries").unwrap();
            assert_eq!(done.series, 1);
            last = 0;
        }
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    shmetrics::reset::at_path(&path, |_| true).unwrap();
    deliveries.add(AMOUNTS);
    let told = group(&path, "deliveries");
    assert_eq!((told.updates, fits(&told)), (1, true), "{told:?}");
}

#[test]
fn without_a_lane_nothing_is_lost_and_what_is_in_part_is_told() {
    let _alone = alone();
    let scratch = Scratch::new("groups-shared");
    let path = scratch.path("segment");
    let segment = Segment::options()
        .preset(Preset::Compact)
        .lanes(1)
        .create_at(&path)
        .unwrap();
    let deliveries = deliveries(&segment);
    let mut reader = Reader::open_path(&path).unwrap();
    // All at once: else they would not race.
    let start = std::sync::Barrier::new(4);
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for _ in 0..4 {
            threads.push(scope.spawn(|| {
                start.wait();
                (0..50_000).for_each(|_| deliveries.add(AMOUNTS));
            }));
        }
        let mut last = [0; 3];
        while threads.iter().any(|thread| !thread.is_finished()) {
            let told = group_in(&reader.snapshot().unwrap(), "deliveries");
            if told.quality == Quality::Exact {
                assert!(fits(&told), "{told:?}");
            }
            let now = [0, 1, 2].map(|field| told.fields[field].value);
            assert!(now.iter().zip(last).all(|(now, last)| *now >= last), "never less");
            last = now;
        }
    });
    let told = group(&path, "deliveries");
    assert_eq!(
        (told.updates, told.quality, fits(&told)),
        (200_000, Quality::Exact, true)
    );
}

#[test]
fn a_child_adds_in_lanes_of_its_own() {
    let _alone = alone();
    let scratch = Scratch::new("groups-fork");
    let path = scratch.path("segment");
    let segment = open(&path);
    let deliveries = deliveries(&segment);
    deliveries.add(AMOUNTS);
    let child = fork(|| {
        deliveries.add(AMOUNTS);
        0
    });
    assert_eq!(wait(child), 0);
    let child = raw_clone(|| {
        deliveries.add(AMOUNTS);
        0
    });
    assert_eq!(wait(child), 0);
    deliveries.add(AMOUNTS);
    let told = group(&path, "deliveries");
    assert_eq!((told.updates, fits(&told)), (4, true), "{told:?}");
}

#[test]
fn a_handle_that_does_nothing_does_nothing() {
    let _alone = alone();
    let deliveries = deliveries(&Segment::noop());
    deliveries.add(AMOUNTS);
}
