//! Time marks and states over processes that are killed, forked and reset under.
#![allow(unsafe_code)]

mod support;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;

use shmetrics::error::{RegisterError, StatusError};
use shmetrics::snapshot::ProcessState;
use shmetrics::verify::{Finding, Severity};
use shmetrics::{Merge, Preset, Reader, Segment, SegmentOptions, Snapshot, Value};
use support::*;

fn compact() -> SegmentOptions {
    Segment::options().preset(Preset::Compact)
}

fn time(snapshot: &Snapshot, name: &str) -> Option<u64> {
    match snapshot.find(name, &[]).map(|series| &series.value) {
        Some(Value::TimeMark(time)) => *time,
        other => panic!("{name} is {other:?}"),
    }
}

fn states<'a>(snapshot: &'a Snapshot, name: &str) -> &'a [ProcessState] {
    match snapshot.find(name, &[]).map(|series| &series.value) {
        Some(Value::State(states)) => states,
        other => panic!("{name} is {other:?}"),
    }
}

/// What the dead left is a note.
#[track_caller]
fn assert_sound(path: &Path) {
    let report = shmetrics::verify::verify(path).unwrap();
    let is_note = |finding: &Finding| finding.severity == Severity::Note;
    assert!(report.findings.iter().all(is_note), "{report}");
}

#[test]
fn the_latest_and_the_earliest_mark_of_all_processes_is_told() {
    let _alone = alone();
    let scratch = Scratch::new("marks");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    let first = segment.time_mark("first").first().register().unwrap();
    let last = segment.time_mark("last").register().unwrap();
    let never = snapshot(&path);
    assert_eq!((time(&never, "first"), time(&never, "last")), (None, None));
    first.mark_at_ns(500);
    last.mark_at_ns(500);
    // No thread can take a mark back.
    first.mark_at_ns(600);
    last.mark_at_ns(400);
    for (at, ends) in [(100, 0), (900, 0), (300, 0)] {
        let child = || {
            first.mark_at_ns(at);
            last.mark_at_ns(at);
            ends
        };
        assert_eq!(wait(fork(child)), 0);
    }
    let shown = snapshot(&path);
    assert_eq!(
        (time(&shown, "first"), time(&shown, "last")),
        (Some(100), Some(900))
    );
    // 0 stands for never; whoever marks it means the earliest time.
    first.mark_at_ns(0);
    assert_eq!(time(&snapshot(&path), "first"), Some(1));
    let before = shown.taken_at_ns;
    last.mark();
    assert!(time(&snapshot(&path), "last").unwrap() >= before);
    // What another kind or rule registered is refused.
    let refused = segment.time_mark("first").register().unwrap_err();
    assert!(matches!(refused, RegisterError::Conflict { .. }), "{refused}");
    let refused = segment.gauge("last").merge(Merge::Max).register().unwrap_err();
    assert!(matches!(refused, RegisterError::Conflict { .. }), "{refused}");
}

#[test]
fn a_reset_makes_last_marks_never_and_keeps_first_ones() {
    let _alone = alone();
    let scratch = Scratch::new("marks-reset");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    let first = segment.time_mark("first").first().register().unwrap();
    let last = segment.time_mark("last").register().unwrap();
    let state = segment.state("state").status("OK", None).register().unwrap();
    first.mark_at_ns(7);
    last.mark();
    state.set(0);
    let mut reader = Reader::open_path(&path).unwrap();
    assert!(time(&reader.snapshot().unwrap(), "last").is_some());
    let done = shmetrics::reset::at_path(&path, |_| true).unwrap();
    assert_eq!(done.series, 1, "only the last mark can be reset");
    let shown = reader.snapshot().unwrap();
    assert_eq!((time(&shown, "first"), time(&shown, "last")), (Some(7), None));
    assert_eq!(states(&shown, "state").len(), 1);
    let since = shown.find("last", &[]).unwrap().since_ns;
    assert_eq!(since, shown.last_reset_ns);
    last.mark();
    assert!(time(&reader.snapshot().unwrap(), "last").unwrap() >= since);
    // Again, and by a reader that comes later.
    shmetrics::reset::at_path(&path, |series| series.name == "last").unwrap();
    assert_eq!(time(&snapshot(&path), "last"), None);
    assert_sound(&path);
}

#[test]
fn a_process_is_unhealthy_from_its_threshold_on_and_only_while_it_lives() {
    let _alone = alone();
    let name = "a_process_is_unhealthy_from_its_threshold_on_and_only_while_it_lives";
    let declare = |segment: &Segment| {
        let state = segment
            .state("fetch")
            .statuses([("OK", None), ("CONNECTION_ERROR", Some(3))]);
        state.register().unwrap()
    };
    if let Some(path) = child_argument() {
        let segment = compact().role("bad").open_at(&path).unwrap();
        let state = declare(&segment);
        (0..3).for_each(|_| state.set(1));
        poll("the end", || None::<()>);
    }
    let scratch = Scratch::new("states");
    let path = scratch.path("segment");
    let segment = compact().role("good").create_at(&path).unwrap();
    let state = declare(&segment);
    assert_eq!(state.number("CONNECTION_ERROR"), Some(1));
    assert_eq!(state.number("WAR"), None);
    // Before the first set nothing is told.
    assert_eq!(states(&snapshot(&path), "fetch").len(), 0);
    assert_eq!(state.set_and_tell(0), Some((0, 1)));
    assert_eq!(state.set_and_tell(1), Some((1, 1)));
    assert_eq!(state.set_and_tell(1), Some((1, 2)));
    assert_eq!(snapshot(&path).unhealthy().count(), 0);

    let mut worker = Worker::spawn(name, path.to_str().unwrap());
    let mut reader = Reader::open_path(&path).unwrap();
    poll("an unhealthy process", || {
        reader.refresh_owners().unwrap();
        let shown = reader.snapshot().unwrap();
        let unhealthy: Vec<_> = shown
            .unhealthy()
            .map(|(series, state)| {
                let (family, name) = (series.description.name.clone(), state.name().into_owned());
                (family, state.role.to_string(), name, state.streak)
            })
            .collect();
        let expected = (
            "fetch".to_owned(),
            "bad".to_owned(),
            "CONNECTION_ERROR".to_owned(),
            3,
        );
        (unhealthy == [expected]).then_some(())
    });
    worker.kill();
    poll("the dead one's state to go", || {
        reader.refresh_owners().unwrap();
        let shown = reader.snapshot().unwrap();
        (shown.unhealthy().count() == 0 && states(&shown, "fetch").len() == 1).then_some(())
    });
    // Back to the first status: a new streak.
    assert_eq!(state.set_and_tell(0), Some((0, 1)));
    // In a child it begins anew.
    assert_eq!(
        wait(fork(|| state
            .set_and_tell(0)
            .map_or(9, |(_, streak)| streak as i32))),
        1
    );
    assert_sound(&path);
}

#[test]
fn statuses_outside_their_limits_are_errors() {
    let _alone = alone();
    let scratch = Scratch::new("statuses");
    let segment = compact().create_at(scratch.path("segment")).unwrap();
    let refused = |statuses: &[(&'static str, Option<u32>)]| match segment
        .state("state")
        .statuses(statuses.iter().copied())
        .register()
    {
        Err(RegisterError::Statuses { source, .. }) => source,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&[]), StatusError::Number { found: 0 });
    assert!(matches!(
        refused(&[("a", None), ("a", None)]),
        StatusError::Duplicate { .. }
    ));
    assert!(matches!(
        refused(&[("a", Some(u32::MAX))]),
        StatusError::Threshold { .. }
    ));
    assert!(matches!(refused(&[("", None)]), StatusError::NameLength { .. }));
    // Other thresholds are a revision: each process counts by its own.
    segment
        .state("state")
        .status("a", Some(2))
        .register()
        .unwrap()
        .set(0);
    let strict = segment.state("state").status("a", Some(1)).register().unwrap();
    strict.set(0);
    let shown = Reader::open_path(&scratch.path("segment"))
        .unwrap()
        .snapshot()
        .unwrap();
    assert_eq!(states(&shown, "state").len(), 2);
    assert_eq!(shown.unhealthy().count(), 1);
    // A segment that older writers may use has none of it.
    let path = scratch.path("version-1");
    let old = compact().errors(0).reset_tables(0).create_at(&path).unwrap();
    let refused = old.time_mark("last").register().unwrap_err();
    assert!(matches!(refused, RegisterError::NoStatistics { .. }), "{refused}");
}

/// Words of the tally: the greatest time marked and the least, and the streak that was begun and done.
const LAST: usize = 0;
const STREAK_BEGUN: usize = 1;
const STREAK_DONE: usize = 2;
const MARK_DONE: usize = 3;

#[test]
fn what_killed_processes_marked_and_set_stands_exactly() {
    let _alone = alone();
    let name = "what_killed_processes_marked_and_set_stands_exactly";
    if let Some(path) = child_argument().map(PathBuf::from) {
        let tally = SharedWords::open(&path.with_file_name("tally"), 4);
        let segment = compact().open_at(&path).unwrap();
        let last = segment.time_mark("last").register().unwrap();
        let first = segment.time_mark("first").first().register().unwrap();
        let state = segment
            .state("state")
            .status("a", None)
            .status("b", None)
            .register()
            .unwrap();
        loop {
            let now = tally.word(LAST).load(Relaxed) + 1;
            tally.word(LAST).store(now, Relaxed);
            last.mark_at_ns(now);
            tally.word(MARK_DONE).store(now, Relaxed);
            first.mark_at_ns(1_000_000_000 - now);
            tally.word(STREAK_BEGUN).fetch_add(1, Relaxed);
            state.set(1);
            tally.word(STREAK_DONE).fetch_add(1, Relaxed);
        }
    }
    let scratch = Scratch::new("marks-killed");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    let tally = SharedWords::open(&scratch.path("tally"), 4);
    for round in 0..20 {
        tally.word(STREAK_BEGUN).store(0, Relaxed);
        tally.word(STREAK_DONE).store(0, Relaxed);
        let mut worker = Worker::spawn(name, path.to_str().unwrap());
        poll("some marks", || {
            (tally.word(STREAK_DONE).load(Relaxed) > 100).then_some(())
        });
        if round % 2 == 0 {
            // Stopped anywhere, it is alive, and what it did is told.
            worker.stop();
            let [done, begun] = [STREAK_DONE, STREAK_BEGUN].map(|word| tally.word(word).load(Relaxed));
            let shown = snapshot(&path);
            let streak = states(&shown, "state")[0].streak;
            assert!((done..=begun).contains(&streak), "{done} <= {streak} <= {begun}");
        }
        worker.kill();
        let shown = snapshot(&path);
        let (done, begun) = (
            tally.word(MARK_DONE).load(Relaxed),
            tally.word(LAST).load(Relaxed),
        );
        let last = time(&shown, "last").unwrap();
        assert!((done..=begun).contains(&last), "{done} <= {last} <= {begun}");
        let first = 1_000_000_000 - time(&shown, "first").unwrap();
        assert!(
            (done - 1..=begun).contains(&first),
            "{done} <= {first} <= {begun}"
        );
        assert_eq!(states(&shown, "state").len(), 0, "the dead have no state");
    }
    drop(segment);
}

/// Without a slot there is no cell: dropped, and counted.
#[test]
fn without_a_slot_marks_and_states_are_dropped_and_counted() {
    let _alone = alone();
    let scratch = Scratch::new("marks-no-slot");
    let path = scratch.path("segment");
    let _holder = compact().process_slots(1).create_at(&path).unwrap();
    let child = || {
        let Ok(segment) = compact().open_at(&path) else {
            return 1;
        };
        segment.time_mark("last").register().unwrap().mark();
        let state = segment.state("state").status("OK", None).register().unwrap();
        i32::from(state.set_and_tell(0).is_some())
    };
    assert_eq!(wait(fork(child)), 0);
    let shown = snapshot(&path);
    assert_eq!(time(&shown, "last"), None);
    assert_eq!(shown.losses.gauge_writes_dropped, 2);
    assert_eq!(
        Segment::noop()
            .state("x")
            .status("OK", None)
            .register()
            .unwrap()
            .set_and_tell(0),
        None
    );
}
