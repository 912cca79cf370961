//! No false alarm: on writers at full speed, on stopped and dead ones, on copies of what the dead left.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use shmetrics::Segment;
use shmetrics::verify::{Report, Severity, verify};

use super::fixture::*;
use super::support::*;

/// Everything is used by `threads` threads of this process until it is killed, or until `stop`.
fn storm(path: &Path, threads: usize, stop: &AtomicBool) {
    let segment = Segment::options().role("storm").open_or_create_at(path).unwrap();
    let instruments = Instruments::register(&segment);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (instruments, segment) = (&instruments, &segment);
            scope.spawn(move || {
                let mut n = thread as u64;
                while !stop.load(Relaxed) {
                    n += 1;
                    instruments.use_all(n);
                    // New series, new lanes: ended threads give theirs back.
                    if n.is_multiple_of(2_000) {
                        let number = format!("{}", n / 2_000 % 100);
                        let _ = segment.counter("made_total").label("n", &number).register();
                        let _ = segment.set_role(&format!("storm-{n}"));
                        std::thread::scope(|inner| {
                            inner.spawn(|| instruments.use_all(n));
                        });
                    }
                }
            });
        }
    });
}

/// The child's part: `PATH`.
fn child(argument: &str) {
    storm(argument.as_ref(), 2, &AtomicBool::new(false));
}

/// Ends a storm of this process, also when the test fails: its scope waits for it.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

fn spawn(test: &str, path: &Path) -> Worker {
    Worker::spawn(test, path.to_str().unwrap())
}

/// Does it work: has it counted something lately?
fn await_progress(path: &Path) {
    let mut reader = poll("the segment", || shmetrics::Reader::open_path(path).ok());
    let count = |reader: &mut shmetrics::Reader| {
        let snapshot = reader.snapshot().unwrap();
        counter(&snapshot, "events_total", &[("method", "GET")])
    };
    let before = count(&mut reader);
    poll("progress", || (count(&mut reader) > before + 1_000).then_some(()));
}

#[test]
fn a_segment_with_everything_has_no_finding_at_all() {
    let scratch = Scratch::new("verify-everything");
    let path = scratch.path("segment");
    let segment = options().create_at(&path).unwrap();
    let instruments = Instruments::register(&segment);
    (0..100).for_each(|n| instruments.use_all(n));
    let report = verify(&path).unwrap();
    assert_eq!(report.worst(), None, "{report}");
    let checked = report.checked;
    assert_eq!(
        (
            checked.records,
            checked.index_places,
            checked.slots,
            checked.lanes
        ),
        (15, 15, 1, 1)
    );
    // One lane and the shared one, of three histograms; two gauges.
    assert_eq!((checked.blocks, checked.gauges), (6, 2));
    assert_eq!(
        report.summary(),
        "ok: 15 records, 1 lane, 1 slot, 6 blocks checked; 0 errors, 0 warnings, 0 notes"
    );
}

#[test]
fn writers_at_full_speed_cause_no_false_alarm() {
    let name = "live::writers_at_full_speed_cause_no_false_alarm";
    if let Some(argument) = child_argument() {
        return child(&argument);
    }
    let scratch = Scratch::new("verify-storm");
    let path = scratch.path("segment");
    drop(options().lanes(16).create_at(&path).unwrap());
    let mut workers: Vec<Worker> = (0..2).map(|_| spawn(name, &path)).collect();
    await_progress(&path);
    for round in 0..600 {
        let report = verify(&path).unwrap();
        assert_no_suspicion(&report);
        assert!(
            report.checked.lanes >= 2 && report.checked.blocks >= 6,
            "{report}"
        );
        if round % 25 == 24 {
            // Another one takes its lanes over, while it is looked at.
            workers[round / 25 % 2].kill();
            workers[round / 25 % 2] = spawn(name, &path);
        }
    }
    workers.iter_mut().for_each(Worker::kill);
    let report = verify(&path).unwrap();
    assert_no_suspicion(&report);
    let dead = report
        .findings
        .iter()
        .filter(|finding| finding.rule == "10.5")
        .count();
    assert!(dead >= 1, "the killed owners are told: {report}");
}

#[test]
fn registrants_at_full_speed_cause_no_false_alarm() {
    const THREADS: u64 = 2;
    // 1,050 in all: their blocks fit the region.
    const SERIES: u64 = 700;
    let scratch = Scratch::new("verify-registrants");
    let path = scratch.path("segment");
    let segment = Segment::options().create_at(&path).unwrap();
    std::thread::scope(|scope| {
        let register = |thread| {
            let segment = &segment;
            scope.spawn(move || {
                for n in 0..SERIES {
                    // Half of the keys are wanted by both at once.
                    let number = format!("{}", n + thread * SERIES / 2);
                    let counter = segment.counter("made_total").label("n", &number);
                    counter.register().unwrap().inc();
                    let sizes = segment.histogram_classic("sizes", &[1.0]).ring_slots(0);
                    sizes.label("n", &number).register().unwrap().record(1.0);
                    if n < 200 {
                        segment
                            .gauge("depth")
                            .label("n", &number)
                            .register()
                            .unwrap()
                            .set(1);
                    }
                }
            })
        };
        let threads: Vec<_> = (0..THREADS).map(register).collect();
        while threads.iter().any(|thread| !thread.is_finished()) {
            assert_no_suspicion(&verify(&path).unwrap());
        }
    });
    let report = verify(&path).unwrap();
    assert_eq!(report.worst(), None, "{report}");
}

/// Slowly enough that every pass meets some whose bit is set and whose record it did not see, all in one word of the bitmap.
#[test]
fn series_that_come_and_count_while_it_is_looked_cause_no_false_alarm() {
    const SERIES: u64 = 700;
    let scratch = Scratch::new("verify-newcomers");
    let path = scratch.path("segment");
    let segment = Segment::options().create_at(&path).unwrap();
    let pause = segment.counter("pause_total").register().unwrap();
    std::thread::scope(|scope| {
        let registrant = scope.spawn(|| {
            for n in 0..SERIES {
                let sizes = segment.histogram_classic("sizes", &[1.0]).ring_slots(0);
                let sizes = sizes.label("n", &n.to_string()).register().unwrap();
                sizes.record(1.0);
                (0..50_000).for_each(|_| pause.inc());
            }
        });
        while !registrant.is_finished() {
            assert_no_suspicion(&verify(&path).unwrap());
        }
    });
    let report = verify(&path).unwrap();
    assert_eq!(
        (report.worst(), report.checked.blocks),
        (None, 2 * SERIES),
        "{report}"
    );
}

#[test]
fn what_a_kill_at_any_moment_leaves_is_no_damage() {
    let name = "live::what_a_kill_at_any_moment_leaves_is_no_damage";
    if let Some(argument) = child_argument() {
        return child(&argument);
    }
    let scratch = Scratch::new("verify-kill");
    let path = scratch.path("segment");
    drop(options().lanes(16).create_at(&path).unwrap());
    for round in 0..25u64 {
        let mut worker = spawn(name, &path);
        match round % 3 {
            // In the middle of work, or of opening and registering.
            0 | 1 => await_progress(&path),
            _ => (0..round * 3_000).for_each(|_| std::hint::spin_loop()),
        }
        // Stopped where it is: alive, and in the middle of something for ever.
        worker.stop();
        assert_no_suspicion(&verify(&path).unwrap());
        worker.kill();
        assert_no_suspicion(&verify(&path).unwrap());
        // A copy: the same file, as somebody would send it.
        let copy = scratch.path("copy");
        std::fs::copy(&path, &copy).unwrap();
        let report = verify(&copy).unwrap();
        assert_eq!(report.count(Severity::Error), 0, "round {round}:\n{report}");
    }
}

#[test]
fn damage_is_found_while_others_write() {
    let scratch = Scratch::new("verify-busy-damage");
    let path: PathBuf = scratch.path("segment");
    drop(options().lanes(16).create_at(&path).unwrap());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _stop = Stop(&stop);
        scope.spawn(|| storm(&path, 2, &stop));
        await_progress(&path);
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        let geometry = geometry_of(&path);
        use std::os::unix::fs::FileExt;
        let at = geometry.lane_entry_offset(1) + 0x30;
        file.write_all_at(&7u64.to_ne_bytes(), at).unwrap();
        let report: Report = verify(&path).unwrap();
        assert_eq!(rules(&report), [("W-9", Severity::Error)].into(), "{report}");
    });
}
