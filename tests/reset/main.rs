//! Promise: a reset makes counters and histograms count from zero for every reader at once, changes nothing else, and is never seen
//! half, whoever is killed when.

#[path = "../support/mod.rs"]
mod support;

mod refused;
mod storm;

use std::os::unix::fs::FileExt;
use std::path::Path;

use shmetrics::snapshot::{Clocks, Histogram, Quality, Series};
use shmetrics::{Merge, Preset, Reader, Segment, Snapshot, Unit, Value, reset};
use support::*;

fn create(path: &Path) -> Segment {
    let options = Segment::options().preset(Preset::Compact).role("tester");
    options.without_ticker().open_or_create_at(path).unwrap()
}

fn reset_all(path: &Path) -> reset::Done {
    reset::at_path(path, |_| true).unwrap()
}

fn series<'a>(snapshot: &'a Snapshot, name: &str) -> &'a Series {
    snapshot.find(name, &[]).unwrap()
}

fn histogram_of<'a>(snapshot: &'a Snapshot, name: &str) -> &'a Histogram {
    match &series(snapshot, name).value {
        Value::Histogram(histogram) => histogram,
        other => panic!("{name} is {other:?}"),
    }
}

#[test]
fn after_a_reset_counters_and_histograms_count_from_zero_and_nothing_else_does() {
    let scratch = Scratch::new("reset-all");
    let path = scratch.path("segment");
    let segment = create(&path);
    let whole = segment.counter("whole").register().unwrap();
    let float = segment.counter_float("float").register().unwrap();
    let depth = segment.gauge("depth").merge(Merge::Sum).register().unwrap();
    let timed = segment.histogram("timed").unit(Unit::Seconds).register().unwrap();
    let size = segment.histogram_float("size").register().unwrap();
    let classic = segment
        .histogram_classic("classic", &[-1.0, 1.0, 2.0])
        .register()
        .unwrap();
    whole.add(41);
    float.add(0.1);
    float.add(0.2);
    depth.set(7);
    timed.record(5_000_000);
    timed.record(70_000_000_000);
    size.record(2.5);
    size.record(f64::NAN);
    classic.record(-3.0);
    classic.record(1.5);

    // One reader that is there all the time, one that comes afterwards.
    let mut open = Reader::open_path(&path).unwrap();
    open.per_process(true);
    let before = open.snapshot().unwrap();
    assert_eq!(before.resets, 0);
    assert_eq!(
        reset_all(&path),
        reset_all_said(5, 1),
        "two counters, three histograms"
    );
    let after = open.snapshot().unwrap();
    assert_eq!(after.series, snapshot(&path).series, "both readers say the same");
    assert_eq!(
        (after.resets, after.last_reset_ns > before.taken_at_ns),
        (1, true)
    );
    assert_eq!(series(&after, "whole").value, Value::CounterU64(0));
    assert_eq!(series(&after, "float").value, Value::CounterF64(0.0));
    assert_eq!(series(&after, "depth").value, Value::GaugeI64(Some(7)));
    for name in ["timed", "size", "classic"] {
        let histogram = histogram_of(&after, name);
        assert_eq!(
            (histogram.count, histogram.sum, histogram.invalid),
            (0, 0.0, 0),
            "{name}"
        );
        assert_eq!((histogram.min, histogram.max), (None, None), "{name}");
        assert!(histogram.counts.iter().all(|count| *count == 0), "{name}");
        assert_eq!(histogram.quality, Quality::Exact, "{name}");
    }
    for is in &after.series {
        let was = series(&before, &is.description.name);
        assert_eq!(is.description, was.description);
        let is_gauge = is.description.name == "depth";
        assert_eq!(is.since_ns > was.since_ns, !is_gauge, "{}", is.description.name);
    }
    assert_eq!(after.losses, before.losses);
    let values = |snapshot: &Snapshot| snapshot.processes[0].values.clone();
    assert_eq!(
        values(&after),
        values(&before),
        "what a process counted is not reset"
    );

    whole.inc();
    float.add(0.5);
    depth.add(1);
    timed.record(6_000_000);
    size.record(9.0);
    classic.record(-2.0);
    let later = open.snapshot().unwrap();
    assert_eq!(later.series, snapshot(&path).series);
    assert_eq!(series(&later, "whole").value, Value::CounterU64(1));
    let Value::CounterF64(gained) = series(&later, "float").value else {
        panic!("no float counter");
    };
    assert!((gained - 0.5).abs() < 1e-12, "{gained}");
    assert_eq!(series(&later, "depth").value, Value::GaugeI64(Some(8)));
    let timed = histogram_of(&later, "timed");
    assert_eq!((timed.count, timed.sum), (1, 0.006));
    let size = histogram_of(&later, "size");
    assert_eq!((size.count, size.sum, size.invalid), (1, 6.5 + 2.5, 0));
    let classic = histogram_of(&later, "classic");
    assert_eq!((classic.count, classic.sum), (1, -2.0));
    drop(segment);
}

fn reset_all_said(series: u64, resets: u64) -> reset::Done {
    // Not constructible elsewhere: taken from a reset that does nothing, and filled.
    let scratch = Scratch::new("reset-done");
    let path = scratch.path("segment");
    drop(create(&path));
    let mut done = reset_all(&path);
    (done.series, done.resets) = (series, resets);
    done
}

#[test]
fn least_and_greatest_after_a_reset_are_as_near_as_the_buckets_allow() {
    let scratch = Scratch::new("reset-extremes");
    let path = scratch.path("segment");
    let segment = create(&path);
    let timed = segment.histogram("timed").unit(Unit::Seconds).register().unwrap();
    timed.record(2_000);
    timed.record(90_000_000_000);
    reset_all(&path);
    timed.record(5_000_000);
    timed.record(7_000_000);
    let told = snapshot(&path);
    let timed = histogram_of(&told, "timed");
    let (min, max) = (timed.min.unwrap(), timed.max.unwrap());
    // Within a bucket, which is 9 % wide; never inside of what was recorded.
    assert!((0.005 / 1.0906..=0.005).contains(&min), "{min}");
    assert!((0.007..=0.007 * 1.0906).contains(&max), "{max}");
    // What is beyond all buckets, and known to the word, is told to the word.
    let segment_timed = segment.histogram("timed").unit(Unit::Seconds).register().unwrap();
    segment_timed.record(95_000_000_000_000);
    let told = snapshot(&path);
    assert_eq!(histogram_of(&told, "timed").max, Some(95_000.0));
}

#[test]
fn only_what_is_chosen_is_reset_and_what_was_reset_before_stays_so() {
    let scratch = Scratch::new("reset-chosen");
    let path = scratch.path("segment");
    let segment = create(&path);
    let one = segment.counter("one").register().unwrap();
    let two = segment.histogram("two").register().unwrap();
    let three = segment.counter("three").label("a", "b").register().unwrap();
    let choose = |name: &'static str| reset::at_path(&path, |series| series.name == name).unwrap();
    let mut reader = Reader::open_path(&path).unwrap();
    let mut told = || {
        let snapshot = reader.snapshot().unwrap();
        let others = Reader::open_path(&path).unwrap().snapshot().unwrap();
        assert_eq!(snapshot.series, others.series);
        let starts = snapshot.series.iter().map(|series| series.since_ns);
        let counts = [
            counter(&snapshot, "one", &[]),
            histogram(&snapshot, "two").0,
            counter(&snapshot, "three", &[("a", "b")]),
        ];
        (counts, starts.collect::<Vec<_>>())
    };
    for count in [&one, &three] {
        count.add(5);
    }
    two.record(9);
    let (counts, first) = told();
    assert_eq!(counts, [5, 1, 5]);
    assert_eq!(choose("one").resets, 1);
    let (counts, second) = told();
    assert_eq!(counts, [0, 1, 5]);
    assert!(second[0] > first[0] && second[1..] == first[1..]);
    one.add(2);
    two.record(9);
    assert_eq!(choose("two").resets, 2);
    let (counts, third) = told();
    assert_eq!(counts, [2, 0, 5], "the first stays as it was reset");
    assert!(third[0] == second[0] && third[1] > second[1] && third[2] == second[2]);
    two.record(9);
    assert_eq!(choose("three").resets, 3);
    assert_eq!(told().0, [2, 1, 0]);
    // As if the clock had gone back since the first was reset: its next start is later all the same. Table 1 is in force.
    let (geometry, record) = (Reader::open_path(&path).unwrap().facts().geometry, 2);
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    let distant = u64::MAX / 2;
    file.write_all_at(&distant.to_ne_bytes(), geometry.reset_since_offset(1, record))
        .unwrap();
    let mut reader = Reader::open_path(&path).unwrap();
    assert_eq!(reader.snapshot().unwrap().series[0].since_ns, distant);
    assert_eq!(choose("one").resets, 4);
    let (counts, after) = told();
    assert_eq!(counts, [0, 1, 0]);
    assert_eq!(after[0], distant + 1);
    // Nobody is chosen: nothing is changed.
    let done = choose("four");
    assert_eq!((done.series, done.resets), (0, 4));
    assert_eq!(told(), (counts, after));
    // Registered afterwards: it has no baseline, whatever its neighbours have.
    segment.counter("five").register().unwrap().add(3);
    assert_eq!(counter(&snapshot(&path), "five", &[]), 3);
}

#[test]
fn what_the_dead_and_the_shared_lane_counted_is_reset_too() {
    let scratch = Scratch::new("reset-lanes");
    let path = scratch.path("segment");
    let options = Segment::options()
        .preset(Preset::Compact)
        .lanes(1)
        .without_ticker();
    let segment = options.open_or_create_at(&path).unwrap();
    let (events, sizes) = (
        segment.counter("events").register().unwrap(),
        segment.histogram("sizes").register().unwrap(),
    );
    let use_both = |times: u64| {
        (0..times).for_each(|size| {
            events.inc();
            sizes.record(size);
        });
    };
    use_both(3);
    // There is one lane: others count in the shared lane.
    std::thread::scope(|scope| {
        scope.spawn(|| use_both(4));
    });
    assert_eq!(snapshot(&path).losses.lanes_exhausted, 1);
    reset_all(&path);
    let told = snapshot(&path);
    assert_eq!(
        (counter(&told, "events", &[]), histogram(&told, "sizes")),
        (0, (0, 0.0, true))
    );
    std::thread::scope(|scope| {
        scope.spawn(|| use_both(2));
    });
    use_both(1);
    let told = snapshot(&path);
    assert_eq!(
        (counter(&told, "events", &[]), histogram(&told, "sizes")),
        (3, (3, 1.0, true))
    );
}

/// A time that is not in a later epoch than the next tick, which goes by a coarse clock.
fn before_the_tick() -> Clocks {
    let mut clocks = Clocks::read();
    clocks.monotonic_ns -= 20_000_000;
    clocks
}

#[test]
fn a_cut_that_is_older_than_the_reset_says_by_how_much() {
    let scratch = Scratch::new("reset-cut");
    let path = scratch.path("segment");
    let options = Segment::options()
        .preset(Preset::Compact)
        .epoch(std::time::Duration::from_secs(1));
    let segment = options.without_ticker().open_or_create_at(&path).unwrap();
    let timed = segment.histogram("timed").ring_slots(2).register().unwrap();
    let clocks = before_the_tick();
    segment.tick();
    (0..5).for_each(|value| timed.record(value));
    reset_all(&path);
    let mut reader = Reader::open_path(&path).unwrap();
    reader.as_of(Some(clocks));
    let cut = reader.cut().unwrap();
    // Nothing was recorded before this epoch, five since.
    let told = histogram_of(&cut, "timed");
    assert_eq!((told.count, told.quality), (0, Quality::Bounded { error: 5 }));
    let live = reader.snapshot().unwrap();
    assert_eq!(histogram_of(&live, "timed").quality, Quality::Exact);
}

#[test]
fn windows_are_not_reset() {
    let scratch = Scratch::new("reset-windows");
    let path = scratch.path("segment");
    let options = Segment::options()
        .preset(Preset::Compact)
        .epoch(std::time::Duration::from_millis(1));
    let segment = options.without_ticker().open_or_create_at(&path).unwrap();
    let timed = segment.histogram("timed").ring_slots(3).register().unwrap();
    let mut clocks = before_the_tick();
    segment.tick();
    timed.record(1);
    reset_all(&path);
    let mut reader = Reader::open_path(&path).unwrap();
    // As of one of the next epochs the record's is closed, and within a window.
    let told = (0..100).find_map(|_| {
        clocks.monotonic_ns += 1_000_000;
        reader.as_of(Some(clocks));
        let told = reader.snapshot().unwrap();
        (histogram_of(&told, "timed").windows[0].count == 1).then_some(told)
    });
    let told = told.expect("the window with the record");
    assert_eq!(histogram_of(&told, "timed").count, 0);
}

#[test]
fn what_has_no_windows_is_bounded_by_all_it_counted_whatever_was_reset() {
    let scratch = Scratch::new("reset-no-windows");
    let path = scratch.path("segment");
    let segment = create(&path);
    let timed = segment.histogram("timed").ring_slots(0).register().unwrap();
    (0..3).for_each(|value| timed.record(value));
    reset_all(&path);
    timed.record(3);
    let window = Reader::open_path(&path).unwrap().window(60.0).unwrap();
    let timed = histogram_of(&window, "timed");
    assert_eq!((timed.count, timed.quality), (0, Quality::Bounded { error: 4 }));
}
