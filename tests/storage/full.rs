//! File systems that are too small, or become full: before workers attach, while they work, afterwards.

use std::sync::atomic::Ordering::Relaxed;

use shmetrics::{OpenError, Reader, RegisterError};

use super::mounts::*;
use super::*;

const PROCESSES: u64 = 64;
const THREADS: u64 = 8;
const COUNTERS: usize = 500;
const HISTOGRAMS: usize = 50;
/// How often each thread uses every series.
const ROUNDS: u64 = 4;

/// When the file system becomes full.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Full {
    Never,
    BeforeWorkersAttach,
    DuringTheWork,
    AfterAllAttached,
}

/// Words that workers and test share.
const READY: usize = 0;
const START: usize = 1;
const FIRST_ROUND_DONE: usize = 2;
const GO_ON: usize = 3;

struct Series {
    counters: Vec<shmetrics::Counter>,
    histograms: Vec<shmetrics::Histogram>,
}

impl Series {
    fn register(segment: &Segment) -> Series {
        let counter = |n: usize| segment.counter(&format!("c{n}_total")).register().unwrap();
        let histogram = |n: usize| segment.histogram(&format!("h{n}")).register().unwrap();
        Series {
            counters: (0..COUNTERS).map(counter).collect(),
            histograms: (0..HISTOGRAMS).map(histogram).collect(),
        }
    }

    fn use_all(&self, value: u64) {
        self.counters.iter().for_each(|counter| counter.inc());
        self.histograms
            .iter()
            .for_each(|histogram| histogram.record(value));
    }
}

/// A worker: opens the segment by itself, as a program of its own would.
fn worker(path: &Path, shared: &SharedWords, full: Full) -> i32 {
    let segment = Segment::options().open_at(path).unwrap();
    let series = Series::register(&segment);
    shared.word(READY).fetch_add(1, Relaxed);
    poll("the start", || {
        (shared.word(START).load(Relaxed) == 1).then_some(())
    });
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for round in 0..ROUNDS {
                    series.use_all(round);
                    // All at once, so that nobody goes on in the lane of one that has ended.
                    if round == 0 && full != Full::BeforeWorkersAttach {
                        shared.word(FIRST_ROUND_DONE).fetch_add(1, Relaxed);
                        poll("the test", || {
                            (shared.word(GO_ON).load(Relaxed) == 1).then_some(())
                        });
                    }
                }
            });
        }
    });
    0
}

fn sixty_four_mebibytes(test: &str, full: Full) {
    with_own_mounts(test, |scratch, folder| {
        tmpfs(folder, 64 << 20);
        let path = folder.join("segment");
        let options = match full {
            // It is the file system that refuses, not the budget.
            Full::DuringTheWork => Segment::options().budget(1 << 30),
            _ => Segment::options(),
        };
        let segment = options.create_at(&path).unwrap();
        let budget = segment.capacities().unwrap().budget;
        assert!(
            budget <= 32 << 20 || full == Full::DuringTheWork,
            "at most half of what is free: {budget}"
        );
        let _series = Series::register(&segment);
        drop((segment, _series));
        let shared = SharedWords::open(&scratch.path("shared"), 4);
        let mut filler = Filler::new(folder);
        if full == Full::BeforeWorkersAttach {
            filler.take_all();
        }
        let workers: Vec<_> = (0..PROCESSES)
            .map(|_| fork(|| worker(&path, &shared, full)))
            .collect();
        let wait_for = |word: usize, count: u64| {
            poll("the workers", || {
                (shared.word(word).load(Relaxed) >= count).then_some(())
            });
        };
        wait_for(READY, PROCESSES);
        let mut reader = Reader::open_path(&path).unwrap();
        shared.word(START).store(1, Relaxed);
        match full {
            Full::DuringTheWork => {
                // A little more with every 16 threads that attach.
                for step in 1..=PROCESSES * THREADS / 16 {
                    wait_for(FIRST_ROUND_DONE, step * 16);
                    filler.take(2 << 20);
                    reader.snapshot().unwrap();
                }
                filler.take_all();
                shared.word(GO_ON).store(1, Relaxed);
            }
            Full::AfterAllAttached => {
                wait_for(FIRST_ROUND_DONE, PROCESSES * THREADS);
                filler.take_all();
                shared.word(GO_ON).store(1, Relaxed);
            }
            Full::Never => {
                wait_for(FIRST_ROUND_DONE, PROCESSES * THREADS);
                shared.word(GO_ON).store(1, Relaxed);
            }
            Full::BeforeWorkersAttach => {}
        }
        let ends: Vec<i32> = workers.into_iter().map(wait).collect();
        assert!(ends.iter().all(|end| *end == 0), "{ends:?}");
        let taken = reader.snapshot().unwrap();
        for n in 0..COUNTERS {
            let total = PROCESSES * THREADS * ROUNDS;
            assert_eq!(counter(&taken, &format!("c{n}_total"), &[]), total, "{n}");
        }
        for n in 0..HISTOGRAMS {
            let total = PROCESSES * THREADS * ROUNDS;
            let sum = (PROCESSES * THREADS * (0..ROUNDS).sum::<u64>()) as f64;
            assert_eq!(histogram(&taken, &format!("h{n}")), (total, sum, true), "{n}");
        }
        match full {
            Full::Never => {
                assert!(taken.losses.budget_refused > 0, "the budget was never reached");
                assert_eq!(taken.losses.storage_refused, 0);
                // Another's file still fits: that is what the budget is for.
                assert!(filler.take(8 << 20));
            }
            Full::BeforeWorkersAttach | Full::DuringTheWork => assert!(taken.losses.storage_refused > 0),
            Full::AfterAllAttached => assert!(!filler.take(4096)),
        }
        let findings = shmetrics::verify::verify(&path).unwrap();
        assert_eq!(
            findings.count(shmetrics::verify::Severity::Error),
            0,
            "{findings:?}"
        );
    });
}

#[test]
fn the_budget_leaves_half_of_a_small_file_system_to_others() {
    let test = "full::the_budget_leaves_half_of_a_small_file_system_to_others";
    sixty_four_mebibytes(test, Full::Never);
}

#[test]
fn a_file_system_full_before_workers_attach_costs_no_count() {
    let test = "full::a_file_system_full_before_workers_attach_costs_no_count";
    sixty_four_mebibytes(test, Full::BeforeWorkersAttach);
}

#[test]
fn a_file_system_that_becomes_full_during_the_work_costs_no_count() {
    let test = "full::a_file_system_that_becomes_full_during_the_work_costs_no_count";
    sixty_four_mebibytes(test, Full::DuringTheWork);
}

#[test]
fn a_file_system_full_after_all_attached_costs_no_count() {
    let test = "full::a_file_system_full_after_all_attached_costs_no_count";
    sixty_four_mebibytes(test, Full::AfterAllAttached);
}

#[test]
fn one_mebibyte_is_too_small_for_the_defaults_and_enough_for_a_compact_one() {
    let test = "full::one_mebibyte_is_too_small_for_the_defaults_and_enough_for_a_compact_one";
    with_own_mounts(test, |_, folder| {
        tmpfs(folder, 1 << 20);
        let path = folder.join("segment");
        let error = Segment::options().create_at(&path).unwrap_err();
        let OpenError::StorageFull { path: named, needed } = &error else {
            panic!("{error:?}")
        };
        assert!(*named == path && *needed > 1 << 20);
        let text = error.to_string();
        assert!(
            text.contains(&needed.to_string()) && text.contains("compact preset"),
            "{text}"
        );
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);

        let segment = compact().create_at(&path).unwrap();
        let events = segment.counter("events_total").register().unwrap();
        let latency = segment
            .histogram("latency_seconds")
            .unit(Unit::Seconds)
            .register()
            .unwrap();
        // More threads than this file system has room for.
        work_at_once(16, 8, &events, &latency);
        Filler::new(folder).take_all();
        let refused = (0..)
            .find_map(|n| segment.counter(&format!("c{n}")).register().err())
            .unwrap();
        assert!(
            matches!(&refused, RegisterError::Storage { .. }) && refused.to_string().contains("free space"),
            "{refused:?}"
        );
        assert_worked(&path, 16 * 8);
        let losses = snapshot(&path).losses;
        assert!(losses.storage_refused > 0, "{losses:?}");
        // It still counts what it knows, and a full file system makes no further segment.
        events.inc();
        assert_eq!(counter(&snapshot(&path), "events_total", &[]), 16 * 8 * WORK + 1);
        let error = compact().create_at(folder.join("other")).unwrap_err();
        assert!(matches!(error, OpenError::StorageFull { .. }), "{error:?}");
    });
}
