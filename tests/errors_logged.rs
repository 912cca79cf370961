//! The error log and health: what programs and the library log is there once per text, counted, also after a crash; who is dead, who
//! was taken over from, and how a reader fared is told.
#![cfg(not(shmetrics_loom))]
#![allow(unsafe_code)]

mod support;

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use shmetrics::layout::directory::OwnerTag;
use shmetrics::layout::error_log::{ERROR_CLAIM_OFFSET, ERROR_TEXT_LENGTH};
use shmetrics::verify::{Severity, verify};
use shmetrics::{Preset, Reader, Segment, SegmentOptions, Snapshot};
use support::*;

const QUEUE: &str = "cannot reach the queue: connection refused";

fn options(errors: u64) -> SegmentOptions {
    Segment::options()
        .preset(Preset::Compact)
        .errors(errors)
        .without_ticker()
}

/// How often a text was logged, by the log; 0 if it is not there. A text stands in the answer once.
fn count(snapshot: &Snapshot, text: &str) -> u64 {
    let mut found = snapshot.errors.iter().filter(|error| &*error.message == text);
    let count = found.next().map_or(0, |error| error.count);
    assert!(
        found.next().is_none(),
        "{text:?} is there twice: {:?}",
        snapshot.errors
    );
    count
}

/// How often errors were logged whose text has this part.
fn count_with(snapshot: &Snapshot, part: &str) -> u64 {
    let matching = snapshot
        .errors
        .iter()
        .filter(|error| error.message.contains(part));
    matching.map(|error| error.count).sum()
}

/// Runs this test again as a child that opens the segment, tells so, and stays until it is killed.
fn resident(test: &str, path: &Path) -> (Worker, u64) {
    let worker = Worker::spawn(test, path.to_str().unwrap());
    let slot = poll("the child's lane", || {
        let snapshot = snapshot(path);
        let child = snapshot
            .processes
            .iter()
            .find(|process| process.pid == u64::from(worker.0.id()));
        child.filter(|child| child.lanes == 1).map(|child| child.slot)
    });
    (worker, slot)
}

/// What a [`resident`] does.
fn stay(path: &Path) -> ! {
    let segment = Segment::options().without_ticker().open_at(path).unwrap();
    segment.log_error(QUEUE);
    assert!(segment.attach_thread());
    loop {
        std::thread::park();
    }
}

#[test]
fn an_error_is_there_once_with_count_and_times() {
    let scratch = Scratch::new("errors-once");
    let path = scratch.path("segment");
    let segment = options(8).create_at(&path).unwrap();
    let mut reader = Reader::open_path(&path).unwrap();
    assert_eq!(reader.snapshot().unwrap().errors, []);
    segment.log_error(QUEUE);
    let first = reader.snapshot().unwrap();
    segment.log_error(format_args!("disk {} is full", 7));
    segment.log_error(QUEUE.to_owned());
    let snapshot = reader.snapshot().unwrap();
    assert_eq!(
        (count(&snapshot, QUEUE), count(&snapshot, "disk 7 is full")),
        (2, 1)
    );
    let error = snapshot
        .errors
        .iter()
        .find(|error| &*error.message == QUEUE)
        .unwrap();
    assert_eq!(error.first_seen_ns, first.errors[0].first_seen_ns);
    assert!(error.last_seen_ns >= error.first_seen_ns && error.last_seen_ns <= snapshot.taken_at_ns);
    assert!(!error.truncated);
    assert_eq!(snapshot.fill.errors, first_fill(&snapshot, 2));
    // In a cut and in a window as in a snapshot.
    assert_eq!(reader.cut().unwrap().errors, snapshot.errors);
    assert_eq!(reader.window(1.0).unwrap().errors, snapshot.errors);
    // Newest first.
    let times: Vec<u64> = snapshot.errors.iter().map(|error| error.last_seen_ns).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
    Segment::noop().log_error(QUEUE);
}

fn first_fill(snapshot: &Snapshot, used: u64) -> shmetrics::snapshot::Used {
    let mut fill = snapshot.fill.errors;
    (fill.used, fill.capacity) = (used, 8);
    fill
}

#[test]
fn a_long_text_is_cut_at_a_character_and_an_empty_one_says_so() {
    let scratch = Scratch::new("errors-long");
    let path = scratch.path("segment");
    let segment = options(8).create_at(&path).unwrap();
    let kept = "x".repeat(ERROR_TEXT_LENGTH - 2);
    segment.log_error(format_args!("{kept}\u{20ac}"));
    segment.log_error(format_args!("{kept}\u{20ac} and another end"));
    segment.log_error("");
    let snapshot = snapshot(&path);
    assert_eq!((count(&snapshot, &kept), count(&snapshot, "(no text)")), (2, 1));
    let cut: Vec<bool> = snapshot.errors.iter().map(|error| error.truncated).collect();
    assert_eq!(cut.iter().filter(|cut| **cut).count(), 1, "{:?}", snapshot.errors);
}

#[test]
fn what_several_processes_log_is_counted_once_each() {
    const PROCESSES: u64 = 6;
    const TIMES: u64 = 2000;
    const TEXTS: [&str; 3] = [QUEUE, "cannot write the journal", "cannot resolve the host"];
    let test = "what_several_processes_log_is_counted_once_each";
    if let Some(path) = child_argument() {
        let segment = Segment::options().without_ticker().open_at(path).unwrap();
        for number in 0..TIMES {
            segment.log_error(TEXTS[(number % 3) as usize]);
        }
        return;
    }
    let scratch = Scratch::new("errors-processes");
    let path = scratch.path("segment");
    let _segment = options(32).create_at(&path).unwrap();
    let workers: Vec<Worker> = (0..PROCESSES)
        .map(|_| Worker::spawn(test, path.to_str().unwrap()))
        .collect();
    workers.into_iter().for_each(|mut worker| worker.finish());
    let snapshot = snapshot(&path);
    for (number, text) in (0..).zip(TEXTS) {
        let times = PROCESSES * (0..TIMES).filter(|time| time % 3 == number).count() as u64;
        assert_eq!(count(&snapshot, text), times, "{text}");
    }
    assert_eq!((snapshot.errors.len(), snapshot.losses.errors_lost), (3, 0));
    let report = verify(&path).unwrap();
    assert_eq!(report.count(Severity::Error), 0, "{report}");
}

#[test]
fn what_finds_no_entry_is_counted() {
    let scratch = Scratch::new("errors-full");
    let path = scratch.path("segment");
    let segment = options(2).create_at(&path).unwrap();
    ["a", "b", "c", "c", "a", "d"]
        .iter()
        .for_each(|text| segment.log_error(text));
    let snapshot_of = |path: &Path| snapshot(path);
    let snapshot = snapshot_of(&path);
    assert_eq!(
        (
            count(&snapshot, "a"),
            count(&snapshot, "b"),
            count(&snapshot, "c")
        ),
        (2, 1, 0)
    );
    assert_eq!(snapshot.losses.errors_lost, 3);
    // Without a log, and reset tables, it is a segment of version 1, and its reserved words stay zero.
    let path = scratch.path("without");
    let segment = options(0).reset_tables(0).create_at(&path).unwrap();
    segment.log_error("a");
    assert!(
        segment
            .counter("a")
            .register()
            .and_then(|_| segment.gauge("a").register())
            .is_err()
    );
    let snapshot = snapshot_of(&path);
    assert_eq!(snapshot.segment.as_ref().unwrap().version, 1);
    assert_eq!((snapshot.errors.len(), snapshot.losses), (0, Default::default()));
    let report = verify(&path).unwrap();
    assert_eq!(report.count(Severity::Error), 0, "{report}");
}

#[test]
fn a_killed_claimants_entry_is_taken_over_when_the_log_is_full() {
    let test = "a_killed_claimants_entry_is_taken_over_when_the_log_is_full";
    if let Some(path) = child_argument().map(PathBuf::from) {
        stay(&path);
    }
    let scratch = Scratch::new("errors-killed");
    let path = scratch.path("segment");
    let segment = options(3).create_at(&path).unwrap();
    let (mut child, slot) = resident(test, &path);
    // As if the child had been stopped between claiming an entry and its text.
    let before = snapshot(&path);
    let process = &before.processes[slot as usize];
    let tag = OwnerTag::new(slot, process.incarnation);
    let geometry = before.segment.unwrap().geometry;
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    let claim = geometry.error_entry_offset(1) + ERROR_CLAIM_OFFSET;
    file.write_all_at(&tag.0.to_ne_bytes(), claim).unwrap();
    segment.log_error("second");
    segment.log_error("third");
    let full = snapshot(&path);
    assert_eq!(
        (count(&full, "second"), count(&full, "third")),
        (1, 0),
        "its claimant lives"
    );
    assert_eq!(full.losses.errors_lost, 1);
    child.kill();
    let report = verify(&path).unwrap();
    assert!(
        report.findings.iter().any(|finding| finding.rule == "10.18"),
        "{report}"
    );
    assert_eq!(report.count(Severity::Error), 0, "{report}");
    segment.log_error("third");
    segment.log_error("fourth");
    let after = snapshot(&path);
    // What the dead one had logged whole is there.
    assert_eq!(
        (
            count(&after, QUEUE),
            count(&after, "second"),
            count(&after, "third")
        ),
        (1, 1, 1)
    );
    assert_eq!((count(&after, "fourth"), after.losses.errors_lost), (0, 2));
}

#[test]
fn dead_owners_wait_until_they_are_taken_over_from() {
    let test = "dead_owners_wait_until_they_are_taken_over_from";
    if let Some(path) = child_argument().map(PathBuf::from) {
        stay(&path);
    }
    let scratch = Scratch::new("health-dead");
    let path = scratch.path("segment");
    let segment = options(8).create_at(&path).unwrap();
    let (mut child, _) = resident(test, &path);
    let mut reader = Reader::open_path(&path).unwrap();
    let mut health = || {
        reader.refresh_owners().unwrap();
        let health = reader.snapshot().unwrap().health;
        (health.dead_slots, health.dead_lanes, health.adoptions)
    };
    assert_eq!(health(), (0, 0, 0));
    child.kill();
    assert_eq!(health(), (1, 1, 0));
    // The error that it logged before is there.
    assert_eq!(count(&snapshot(&path), QUEUE), 1);
    assert!(segment.attach_thread());
    assert_eq!(health(), (1, 0, 1), "the lane");
    let next = Segment::options().without_ticker().open_at(&path).unwrap();
    assert_eq!(health(), (0, 0, 2), "the slot");
    // What is given back is nobody's, and nobody is dead.
    drop((next, segment));
    assert_eq!(health(), (0, 0, 2));
}

/// What handlers log, and where.
static HANDLED: AtomicU64 = AtomicU64::new(0);
static FROM_HANDLER: std::sync::OnceLock<Segment> = std::sync::OnceLock::new();

extern "C" fn handler(_: libc::c_int) {
    if let Some(segment) = FROM_HANDLER.get() {
        segment.log_error(QUEUE);
        HANDLED.fetch_add(1, Relaxed);
    }
}

#[test]
fn a_signal_handler_may_log_in_the_middle_of_logging() {
    let test = "a_signal_handler_may_log_in_the_middle_of_logging";
    // Alone in its process: the timer's signals go to whichever thread.
    let Some(path) = child_argument().map(PathBuf::from) else {
        let scratch = Scratch::new("errors-handler");
        return Worker::spawn(test, scratch.path("segment").to_str().unwrap()).finish();
    };
    let segment = options(64).create_at(&path).unwrap();
    FROM_HANDLER.set(segment.clone()).unwrap();
    // SAFETY: the handler only logs, which is what is tested, and adds to an atomic; the timer is stopped below.
    unsafe {
        libc::signal(libc::SIGALRM, handler as *const () as libc::sighandler_t);
        let often = libc::timeval {
            tv_sec: 0,
            tv_usec: 50,
        };
        let timer = libc::itimerval {
            it_interval: often,
            it_value: often,
        };
        assert_eq!(
            libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()),
            0
        );
    }
    let mut logged = 0;
    poll("signals", || {
        for _ in 0..1000 {
            segment.log_error(QUEUE);
            segment.log_error(format_args!("text {}", logged % 16));
            logged += 1;
        }
        (HANDLED.load(Relaxed) > 200).then_some(())
    });
    // SAFETY: stops the timer.
    unsafe {
        let never: libc::itimerval = std::mem::zeroed();
        libc::setitimer(libc::ITIMER_REAL, &raw const never, std::ptr::null_mut());
    }
    let snapshot = snapshot(&path);
    assert_eq!(count(&snapshot, QUEUE), logged + HANDLED.load(Relaxed));
    assert_eq!(count_with(&snapshot, "text "), logged);
}

#[test]
fn the_library_logs_what_runs_out_and_once_per_cause() {
    let scratch = Scratch::new("errors-own");
    let path = scratch.path("segment");
    let segment = options(32)
        .process_slots(1)
        .lanes(1)
        .series(16)
        .counters(8)
        .gauges(2)
        .create_at(&path)
        .unwrap();
    let events = segment.counter("events_total").register().unwrap();
    // No lane for a second thread, however much it counts.
    assert!(segment.attach_thread());
    std::thread::scope(|scope| {
        scope.spawn(|| (0..1000).for_each(|_| events.inc()));
    });
    // No slot for a second attachment, and so no gauges.
    let other = Segment::options().without_ticker().open_at(&path).unwrap();
    let depth = other.gauge("depth").register().unwrap();
    (0..1000).for_each(|value| depth.set(value));
    // A table that is full, by register() and by a family.
    for number in 0..20 {
        let _ = segment.gauge(&format!("gauge_{number}")).register();
    }
    let family = segment
        .counter("requests_total")
        .limit(2)
        .family(["path"])
        .unwrap();
    for number in 0..100 {
        family.with([&format!("/{number}")]).inc();
    }
    let snapshot = snapshot(&path);
    for (part, times) in [
        ("no lane is free: ", 1),
        (
            "a process has no slot and drops its gauge writes: all are taken; ",
            1,
        ),
        ("drops its gauge writes", 2),
        (
            "no room for another gauge (2 in all): a registration was refused; ",
            19,
        ),
        (
            "within the limit of 3: label sets are counted in the overflow series; ",
            1,
        ),
    ] {
        assert_eq!(
            count_with(&snapshot, part),
            times,
            "{part}: {:#?}",
            snapshot.errors
        );
    }
    let losses = snapshot.losses;
    assert_eq!(
        (losses.registrations_refused, losses.label_sets_overflowed),
        (19, 98)
    );
    assert_eq!(losses.errors_lost, 0, "{:#?}", snapshot.errors);
}

#[test]
fn a_budget_that_is_used_up_and_conflicts_are_logged() {
    let scratch = Scratch::new("errors-budget");
    let path = scratch.path("segment");
    let segment = options(32).budget(10_000).create_at(&path).unwrap();
    segment.counter("events_total").register().unwrap();
    assert!(segment.gauge("events_total").register().is_err());
    let mut refused = 0;
    for number in 0..40 {
        refused += u64::from(segment.histogram(&format!("timed_{number}")).register().is_err());
    }
    // A caller's own mistake says nothing about the segment.
    assert!(segment.counter("").register().is_err());
    let snapshot = snapshot(&path);
    assert!(
        refused > 0 && snapshot.losses.budget_refused > 0,
        "{:?}",
        snapshot.losses
    );
    assert!(
        count_with(&snapshot, "no budget for a histogram in the shared lane; ") > 0,
        "{:#?}",
        snapshot.errors
    );
    let name = "another kind, unit or merge rule: a registration was refused; use the same, or another name: events_total";
    assert_eq!(count_with(&snapshot, name), 1, "{:#?}", snapshot.errors);
    let counted = snapshot.losses.registrations_refused;
    assert_eq!(counted, refused + 1);
}

#[test]
fn a_reader_tells_how_it_fared() {
    let scratch = Scratch::new("health-reader");
    let path = scratch.path("segment");
    let segment = options(8).create_at(&path).unwrap();
    let timed = segment.histogram("timed").register().unwrap();
    let mut reader = Reader::open_path(&path).unwrap();
    let (mut snapshot, done) = (reader.snapshot().unwrap(), AtomicBool::new(false));
    assert_eq!((reader.health().snapshots, reader.health().torn_reads), (1, 0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                (0..1000).for_each(|value| timed.record(value));
            }
        });
        poll("a read that is overtaken", || {
            reader.snapshot_into(&mut snapshot).unwrap();
            (reader.health().torn_reads > 0).then_some(())
        });
        done.store(true, Relaxed);
    });
    let health = reader.health();
    assert_eq!(snapshot.reader, health);
    // The next one, of the segment that took its place, goes on from there.
    let mut next = Reader::open_path(&path).unwrap();
    next.follow(health);
    let after = next.snapshot().unwrap().reader;
    assert_eq!(
        (after.reopened, after.snapshots, after.torn_reads),
        (1, health.snapshots + 1, health.torn_reads)
    );
}

/// A window without a state at its start is bounded, and counted as such.
#[test]
fn bounded_results_are_counted() {
    let scratch = Scratch::new("health-bounded");
    let path = scratch.path("segment");
    let segment = options(8).lanes(1).create_at(&path).unwrap();
    let timed = segment.histogram("timed").ring_slots(2).register().unwrap();
    assert!(segment.attach_thread());
    // In the shared lane, of which no window knows anything.
    std::thread::scope(|scope| {
        scope.spawn(|| timed.record(1));
    });
    let mut reader = Reader::open_path(&path).unwrap();
    reader.snapshot().unwrap();
    reader.snapshot().unwrap();
    assert_eq!(
        (reader.health().snapshots, reader.health().bounded_results),
        (2, 2)
    );
}
