//! Kinds for statistics over threads and processes: numbers and samples are exact whoever is killed, wherever they are counted.

#[path = "../support/mod.rs"]
mod support;

mod kills;

use std::path::Path;

use shmetrics::error::RegisterError;
use shmetrics::snapshot::{Number, Samples};
use shmetrics::{Kind, Preset, Reader, Segment, Value};
use shmetrics_conformance::image::{Family, Image, Parameters, Registration};
use support::*;

fn open(path: &Path) -> Segment {
    Segment::options()
        .preset(Preset::Compact)
        .open_or_create_at(path)
        .unwrap()
}

fn number(path: &Path, name: &str) -> Number {
    match snapshot(path).find(name, &[]).unwrap().value {
        Value::Number(number) => number,
        ref other => panic!("{other:?}"),
    }
}

fn samples(path: &Path, name: &str) -> Samples {
    match &snapshot(path).find(name, &[]).unwrap().value {
        Value::Samples(samples) => samples.as_ref().clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_segment_for_older_writers_has_no_numbers_and_no_samples() {
    let _alone = alone();
    let scratch = Scratch::new("statistics-old");
    let path = scratch.path("segment");
    let segment = Segment::options()
        .preset(Preset::Compact)
        .errors(0)
        .reset_tables(0)
        .create_at(&path)
        .unwrap();
    let refused = [
        segment.number("n").register().map(drop).unwrap_err(),
        segment.samples("s").register().map(drop).unwrap_err(),
    ];
    for (error, kind) in refused.into_iter().zip(["number", "samples"]) {
        assert!(matches!(&error, RegisterError::NoStatistics { kind: found, .. } if *found == kind));
        assert!(error.to_string().contains("create a new segment"), "{error}");
    }
    segment.counter("hits").register().unwrap().inc();
    assert_eq!(counter(&snapshot(&path), "hits", &[]), 1);
}

#[test]
fn limits_of_samples_are_told() {
    let _alone = alone();
    let scratch = Scratch::new("statistics-limits");
    let segment = open(&scratch.path("segment"));
    for keep in [0, 4097] {
        let error = segment.samples("s").keep(keep).register().map(drop).unwrap_err();
        assert!(matches!(error, RegisterError::Samples { found, most: 4096, .. } if found == keep));
    }
    // Its block is longer than the blocks of a compact segment.
    let error = segment.samples("s").keep(4096).register().map(drop).unwrap_err();
    assert!(
        matches!(
            error,
            RegisterError::Full {
                option: "blocks_length",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn whoever_helps_to_place_a_number_places_two_words() {
    let _alone = alone();
    for until in [Registration::P2, Registration::P3] {
        let scratch = Scratch::new("statistics-place");
        let path = scratch.path("segment");
        let capacities = shmetrics::layout::geometry::Capacities {
            reset_tables: 2,
            ..shmetrics_conformance::golden::small()
        };
        let mut image = Image::new(capacities).unwrap();
        let family = image.family(&Family::new("cut_short", Kind::Number));
        image.series_until(family, &[], &Parameters::plain(), until);
        // The feature that the creator would have set.
        image
            .set(shmetrics_conformance::image::Place::Header, "writer_features", 1)
            .mend_header();
        image.write_to(&path).unwrap();
        let segment = Segment::options().open_at(&path).unwrap();
        // A counter is placed behind it, by a writer that wants one word.
        segment.counter("hits").register().unwrap().add(7);
        let cut_short = segment.number("cut_short").register().unwrap();
        cut_short.add(-3);
        cut_short.add_float(0.5);
        assert_eq!(counter(&snapshot(&path), "hits", &[]), 7);
        assert_eq!(number(&path, "cut_short"), Number::F64(-2.5));
    }
}

#[test]
fn numbers_stay_whole_until_a_float_is_added_by_anybody() {
    let _alone = alone();
    let scratch = Scratch::new("statistics-number");
    let path = scratch.path("segment");
    let segment = open(&path);
    let balance = segment.number("balance").register().unwrap();
    balance.add(5);
    balance.dec();
    assert_eq!(number(&path, "balance"), Number::I64(4));
    balance.add(i64::MIN);
    balance.add(i64::MIN);
    assert_eq!(number(&path, "balance"), Number::I64(4));
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        balance.add_float(value);
    }
    assert_eq!(
        number(&path, "balance"),
        Number::I64(4),
        "what is not finite is ignored"
    );
    std::thread::scope(|scope| {
        scope.spawn(|| balance.add_float(0.0));
    });
    assert_eq!(number(&path, "balance"), Number::F64(4.0));
    balance.inc();
    assert_eq!(number(&path, "balance"), Number::F64(5.0));
    shmetrics::reset::at_path(&path, |_| true).unwrap();
    assert_eq!(number(&path, "balance"), Number::F64(0.0), "for good");
    balance.add(2);
    assert_eq!(number(&path, "balance"), Number::F64(2.0));
}

/// What its parent counted is covered in a child's mapping, and must be known there all the same.
#[test]
fn a_number_that_a_forked_child_sets_is_what_it_was_set_to() {
    let _alone = alone();
    if let Some(path) = child_argument() {
        let level = open(Path::new(&path)).number("level").register().unwrap();
        let parts = open(Path::new(&path)).number("parts").register().unwrap();
        level.add(42);
        parts.add_float(4.5);
        let child = fork(|| {
            level.set(7);
            parts.set_float(0.5);
            // The child's own lane.
            level.add(1);
            0
        });
        return assert_eq!(wait(child), 0);
    }
    let scratch = Scratch::new("statistics-set-in-child");
    let path = scratch.path("segment");
    let _segment = open(&path);
    let test = "a_number_that_a_forked_child_sets_is_what_it_was_set_to";
    Worker::spawn(test, path.to_str().unwrap()).finish();
    assert_eq!(number(&path, "level"), Number::I64(8));
    assert_eq!(number(&path, "parts"), Number::F64(0.5));
}

/// Behind a lane that was given back, and one of a dead process, there may be more.
#[test]
fn a_number_that_is_set_has_the_lanes_behind_those_of_the_dead_and_those_given_back() {
    let _alone = alone();
    let done = |path: &Path, name: &str| path.with_extension(name);
    if let Some(argument) = child_argument() {
        let (name, path) = argument.split_once(' ').unwrap();
        let path = Path::new(path);
        // Its lane is kept until it ends.
        let level = open(path).number("level").register().unwrap();
        level.add(10);
        std::fs::write(done(path, name), "").unwrap();
        return poll("the word to end", || done(path, "end").exists().then_some(()));
    }
    let scratch = Scratch::new("statistics-set-behind");
    let path = scratch.path("segment");
    let segment = open(&path);
    let test = "a_number_that_is_set_has_the_lanes_behind_those_of_the_dead_and_those_given_back";
    let mut workers = ["first", "second"].map(|name| {
        let worker = Worker::spawn(test, &format!("{name} {}", path.display()));
        poll("a worker", || done(&path, name).exists().then_some(()));
        worker
    });
    let level = segment.number("level").register().unwrap();
    level.add(100);
    workers[1].kill();
    std::fs::write(done(&path, "end"), "").unwrap();
    let [mut first, _] = workers;
    first.finish();
    let lanes = snapshot(&path).fill.lanes_touched;
    assert_eq!((lanes, number(&path, "level")), (3, Number::I64(120)));
    level.set(7);
    assert_eq!(number(&path, "level"), Number::I64(7));
    level.set_float(0.5);
    assert_eq!(number(&path, "level"), Number::F64(0.5));
}

#[test]
fn a_number_that_is_set_is_what_it_was_set_to_and_what_came_after() {
    let _alone = alone();
    let scratch = Scratch::new("statistics-set");
    let path = scratch.path("segment");
    let segment = open(&path);
    let level = segment.number("level").register().unwrap();
    level.add(40);
    std::thread::scope(|scope| {
        scope.spawn(|| level.add(2));
    });
    level.set(-5);
    assert_eq!(number(&path, "level"), Number::I64(-5));
    level.add(7);
    assert_eq!(number(&path, "level"), Number::I64(2));
    shmetrics::reset::at_path(&path, |_| true).unwrap();
    level.add(1);
    level.set(9);
    assert_eq!(
        number(&path, "level"),
        Number::I64(9),
        "as readers show it, after a reset"
    );
    level.set_float(0.5);
    level.add_float(0.25);
    level.add(1);
    assert_eq!(number(&path, "level"), Number::F64(1.75));
    level.set(3);
    assert_eq!(number(&path, "level"), Number::F64(3.0), "a float for good");
    level.set_float(f64::NAN);
    assert_eq!(number(&path, "level"), Number::F64(3.0));
    // Those who set take turns, and nothing that is added afterwards is lost.
    level.set(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| (0..200).for_each(|_| level.set(1000)));
        }
    });
    level.add(5);
    assert_eq!(number(&path, "level"), Number::F64(1005.0));
}

#[test]
fn without_a_lane_nothing_is_lost() {
    let _alone = alone();
    let scratch = Scratch::new("statistics-shared");
    let path = scratch.path("segment");
    let segment = Segment::options()
        .preset(Preset::Compact)
        .lanes(1)
        .create_at(&path)
        .unwrap();
    let (total, latency) = (
        segment.number("total").register().unwrap(),
        segment.samples("latency").keep(50).register().unwrap(),
    );
    // All at once: else they would not race.
    let start = std::sync::Barrier::new(4);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (total, latency, start) = (&total, &latency, &start);
            scope.spawn(move || {
                start.wait();
                for n in 0..100_000 {
                    total.add(if n % 2 == 0 { 3 } else { -1 });
                    total.add_float(0.25);
                    latency.record(f64::from(thread));
                }
            });
        }
    });
    assert_eq!(number(&path, "total"), Number::F64(400_000.0 + 100_000.0));
    let told = samples(&path, "latency");
    assert_eq!((told.count, told.values.len(), told.overtaken), (400_000, 50, 0));
    assert!(
        told.values
            .iter()
            .all(|value| [0.0, 1.0, 2.0, 3.0].contains(value))
    );
}

#[test]
fn the_newest_samples_of_all_threads_are_shown() {
    let _alone = alone();
    let scratch = Scratch::new("statistics-newest");
    let path = scratch.path("segment");
    let segment = open(&path);
    let latency = segment.samples("latency").keep(10).register().unwrap();
    // Honoured from the first value on.
    latency.record_at(1, -1.0);
    assert_eq!(samples(&path, "latency").values, [-1.0]);
    std::thread::scope(|scope| {
        // One that records often, long ago; one that seldom does, lately; and one in between.
        for (from, every, many) in [(10, 1, 1000), (100_000, 50, 4), (50_000, 7, 3)] {
            let latency = &latency;
            scope.spawn(move || {
                for n in 0..many {
                    latency.record_at(from + n * every, (from + n * every) as f64);
                }
            });
        }
    });
    latency.record(f64::NAN);
    let told = samples(&path, "latency");
    let expected = [
        1007.0, 1008.0, 1009.0, 50_000.0, 50_007.0, 50_014.0, 100_000.0, 100_050.0, 100_100.0, 100_150.0,
    ];
    assert_eq!(told.values, expected);
    assert_eq!((told.count, told.invalid, told.keep), (1008, 1, 10));
    assert_eq!(told.nearest_rank(50.0), Some(50_007.0));
}

#[test]
fn a_child_counts_in_lanes_of_its_own() {
    let _alone = alone();
    let scratch = Scratch::new("statistics-fork");
    let path = scratch.path("segment");
    let segment = open(&path);
    let (total, latency) = (
        segment.number("total").register().unwrap(),
        segment.samples("latency").register().unwrap(),
    );
    total.add(1);
    latency.record(1.0);
    let child = fork(|| {
        total.add(-10);
        total.add_float(0.5);
        latency.record(2.0);
        0
    });
    assert_eq!(wait(child), 0);
    total.add(100);
    latency.record(3.0);
    assert_eq!(number(&path, "total"), Number::F64(91.5));
    let mut values = samples(&path, "latency").values;
    values.sort_by(f64::total_cmp);
    assert_eq!(values, [1.0, 2.0, 3.0]);
    let mut reader = Reader::open_path(&path).unwrap();
    reader.per_process(true);
    let snapshot = reader.snapshot().unwrap();
    let own = snapshot
        .processes
        .iter()
        .find(|process| process.pid == u64::from(std::process::id()))
        .unwrap();
    assert_eq!(own.samples[0].1.values, [1.0, 3.0]);
}
