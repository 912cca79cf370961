//! Every capacity runs out once. What is counted is not lost, what is lost is counted, and every error says what is full.
#![allow(unsafe_code)]

mod support;

use std::sync::atomic::Ordering::Relaxed;

use shmetrics::{Histogram, Merge, OrNoop, Preset, RegisterError, Segment, Unit, Value};
use support::*;

fn latency_of(segment: &Segment) -> Histogram {
    let latency = segment.histogram("latency_seconds").unit(Unit::Seconds);
    latency.register().unwrap()
}

#[test]
fn more_threads_than_lanes_share_one_and_lose_nothing() {
    let _alone = alone();
    let scratch = Scratch::new("lanes");
    let path = scratch.path("segment");
    let segment = Segment::options().lanes(2).open_or_create_at(&path).unwrap();
    let counter_handle = segment.counter("events_total").register().unwrap();
    let float = segment.counter_float("seconds_total").register().unwrap();
    let latency = latency_of(&segment);
    // All of them live at one time.
    let barrier = std::sync::Barrier::new(8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                counter_handle.add(0);
                barrier.wait();
                for _ in 0..10_000 {
                    counter_handle.inc();
                    float.add(0.5);
                    latency.record(1_000_000_000);
                }
            });
        }
    });
    let snapshot = snapshot(&path);
    assert_eq!(counter(&snapshot, "events_total", &[]), 80_000);
    assert_eq!(
        snapshot.find("seconds_total", &[]).unwrap().value,
        Value::CounterF64(40_000.0)
    );
    assert_eq!(histogram(&snapshot, "latency_seconds"), (80_000, 80_000.0, true));
    assert!(snapshot.losses.lanes_exhausted > 0);
}

#[test]
fn a_lane_that_is_free_again_is_found_again() {
    let _alone = alone();
    let scratch = Scratch::new("patience");
    let path = scratch.path("segment");
    let segment = Segment::options().lanes(1).open_or_create_at(&path).unwrap();
    let events = segment.counter("events_total").register().unwrap();
    // Threads that are refused a lane again and again, at the same time.
    let barrier = std::sync::Barrier::new(4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                barrier.wait();
                (0..3_000_000).for_each(|_| events.inc());
            });
        }
    });
    let mut reader = shmetrics::Reader::open_path(&path).unwrap();
    let mut in_lanes = || {
        let snapshot = reader.per_process(true).snapshot().unwrap();
        let own = snapshot
            .processes
            .iter()
            .find(|process| process.pid == u64::from(std::process::id()))
            .unwrap();
        match own.values.first() {
            Some((_, shmetrics::snapshot::PerProcess::Counter(shmetrics::snapshot::Number::U64(value)))) => {
                *value
            }
            other => panic!("{other:?}"),
        }
    };
    let before = in_lanes();
    // A thread counts in the shared lane at first, then finds the lane free. The scope's threads may still be ending.
    poll("the lane", || {
        std::thread::scope(|scope| {
            scope.spawn(|| (0..10_000).for_each(|_| events.inc()));
        });
        (in_lanes() > before).then_some(())
    });
}

#[test]
fn more_processes_than_slots_count_in_the_shared_lane_and_drop_gauges() {
    let _alone = alone();
    let scratch = Scratch::new("slots");
    let path = scratch.path("segment");
    let segment = Segment::options()
        .process_slots(1)
        .open_or_create_at(&path)
        .unwrap();
    let events = segment.counter("events_total").register().unwrap();
    let depth = segment.gauge("depth").register().unwrap();
    let latency = latency_of(&segment);
    depth.set(1);
    let child = fork(|| {
        for _ in 0..1000 {
            events.inc();
            latency.record(5);
        }
        depth.set(2);
        depth.add(3);
        0
    });
    assert_eq!(wait(child), 0);
    let snapshot = snapshot(&path);
    assert_eq!(counter(&snapshot, "events_total", &[]), 1000);
    assert_eq!(histogram(&snapshot, "latency_seconds").0, 1000);
    assert_eq!(
        snapshot.find("depth", &[]).unwrap().value,
        Value::GaugeI64(Some(1))
    );
    assert_eq!(snapshot.losses.gauge_writes_dropped, 2);
    // Other tests' children may have asked for the one slot, too.
    assert!(snapshot.losses.slots_exhausted >= 1);
}

#[test]
fn without_budget_everything_is_counted_in_the_shared_lane() {
    let _alone = alone();
    let scratch = Scratch::new("budget");
    let path = scratch.path("segment");
    // Enough for the shared cells, not for a lane.
    let segment = Segment::options()
        .budget(16 * 1024)
        .open_or_create_at(&path)
        .unwrap();
    let events = segment.counter("events_total").register().unwrap();
    let latency = latency_of(&segment);
    for _ in 0..10_000 {
        events.inc();
        latency.record(1_000_000);
    }
    let taken = snapshot(&path);
    assert_eq!(counter(&taken, "events_total", &[]), 10_000);
    assert_eq!(histogram(&taken, "latency_seconds").0, 10_000);
    assert!(taken.losses.budget_refused > 0);
    assert!(taken.fill.committed.used <= taken.fill.committed.capacity);
    // And no budget at all: no series, and the error says so.
    let path = scratch.path("none");
    let segment = Segment::options().budget(0).open_or_create_at(&path).unwrap();
    let error = segment.counter("events_total").register().unwrap_err();
    assert!(
        matches!(&error, RegisterError::Storage { reason, .. } if reason.contains("budget")),
        "{error}"
    );
}

#[test]
fn a_full_table_is_an_error_that_names_it_and_others_still_work() {
    let _alone = alone();
    let scratch = Scratch::new("tables");
    let options = || {
        Segment::options()
            .preset(Preset::Compact)
            .counters(3)
            .gauges(2)
            .blocks_length(16_384)
            .series(64)
    };
    let segment = options().open_or_create_at(scratch.path("segment")).unwrap();
    let register = |n: u64| segment.counter("c_total").label("n", &n.to_string()).register();
    (0..3).for_each(|n| register(n).unwrap().inc());
    let error = register(3).unwrap_err();
    assert!(matches!(
        error,
        RegisterError::Full {
            what: "counter",
            capacity: 3,
            option: "counters",
            ..
        }
    ));
    register(1).unwrap().inc();
    (0..2).for_each(|n| drop(segment.gauge(&format!("g{n}")).register().unwrap()));
    let full = |error: RegisterError| matches!(error, RegisterError::Full { .. });
    assert!(full(segment.gauge("g2").register().unwrap_err()));
    segment.histogram("h").register().unwrap();
    assert!(full(segment.histogram("h2").register().unwrap_err()));
    // A smaller one still fits.
    segment.histogram("h3").scale(0).ring_slots(0).register().unwrap();
    let snapshot = snapshot(&scratch.path("segment"));
    assert_eq!(counter(&snapshot, "c_total", &[("n", "1")]), 2);
    assert_eq!(snapshot.fill.counters.used, 3);

    let segment = options()
        .series(4)
        .counters(100)
        .open_or_create_at(scratch.path("records"))
        .unwrap();
    let refused = (0..20)
        .find_map(|n| segment.counter(&format!("c{n}")).register().err())
        .unwrap();
    assert!(matches!(
        refused,
        RegisterError::Full {
            what: "record",
            option: "series",
            ..
        }
    ));
    let segment = options()
        .text_length(1024)
        .open_or_create_at(scratch.path("text"))
        .unwrap();
    let help = "h".repeat(600);
    segment.counter("a").help(&help).register().unwrap();
    let refused = segment.gauge("b").help(&help).register().unwrap_err();
    assert!(matches!(
        refused,
        RegisterError::Full {
            what: "byte of text",
            option: "text_length",
            ..
        }
    ));
}

#[test]
fn label_sets_beyond_the_limit_are_counted_in_the_overflow_series() {
    let _alone = alone();
    let scratch = Scratch::new("overflow");
    let path = scratch.path("segment");
    let segment = Segment::options().open_or_create_at(&path).unwrap();
    let family = segment
        .counter("requests_total")
        .limit(10)
        .family(["user"])
        .unwrap();
    for round in 0..3 {
        for user in 0..30 {
            family.with([&user.to_string()]).add(1 + round);
        }
    }
    // Another process meets the same limit.
    let child = fork(|| {
        let family = segment
            .counter("requests_total")
            .limit(10)
            .family(["user"])
            .unwrap();
        (0..5).for_each(|n| family.with([&format!("new{n}")]).inc());
        (0..5).for_each(|n| family.with([&n.to_string()]).inc());
        0
    });
    assert_eq!(wait(child), 0);
    let snapshot = snapshot(&path);
    let total: u64 = snapshot
        .series
        .iter()
        .map(|series| match series.value {
            Value::CounterU64(value) => value,
            _ => 0,
        })
        .sum();
    assert_eq!(total, 30 * (1 + 2 + 3) + 10, "the family's total is exact");
    assert_eq!(
        counter(&snapshot, "requests_total", &[("shmetrics_overflow", "true")]),
        20 * 6 + 5
    );
    assert_eq!(counter(&snapshot, "requests_total", &[("user", "3")]), 7);
    assert!(snapshot.losses.label_sets_overflowed >= 20);
    assert_eq!(snapshot.series.len(), 11);
}

#[test]
fn a_full_file_system_costs_no_count() {
    let _alone = alone();
    // SAFETY: no arguments.
    if unsafe { libc::geteuid() } != 0 {
        skip("mounting a small tmpfs needs root");
        return;
    }
    let scratch = Scratch::new("full");
    let mount = scratch.path("mount");
    std::fs::create_dir(&mount).unwrap();
    let text = |path: &std::path::Path| std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).unwrap();
    let target = text(&mount);
    // SAFETY: valid C strings; the mount is undone below.
    let mounted = unsafe {
        libc::mount(
            c"none".as_ptr(),
            target.as_ptr(),
            c"tmpfs".as_ptr(),
            0,
            c"size=4m".as_ptr().cast(),
        )
    };
    if mounted != 0 {
        skip("cannot mount a tmpfs here");
        return;
    }
    let result = std::panic::catch_unwind(|| {
        let path = mount.join("segment");
        let segment = Segment::options()
            .budget(1 << 30)
            .open_or_create_at(&path)
            .unwrap();
        let events = segment.counter("events_total").register().unwrap();
        let latency = segment
            .histogram("latency_seconds")
            .unit(Unit::Seconds)
            .register()
            .unwrap();
        events.inc();
        // Fill it up: whoever comes now gets no lane.
        let filler = std::fs::File::create(mount.join("filler")).unwrap();
        let mut left = 4u64 << 20;
        while left > 0 {
            // SAFETY: plain numbers; failure is the aim.
            let failed = unsafe {
                use std::os::fd::AsRawFd;
                libc::fallocate(filler.as_raw_fd(), 0, 0, (4 << 20) - left as i64 + 4096)
            };
            if failed != 0 {
                break;
            }
            left = left.saturating_sub(4096);
        }
        let gate = SharedWords::open(&scratch.path("gate"), 1);
        let children: Vec<_> = (0..8)
            .map(|_| {
                fork(|| {
                    gate.word(0).fetch_add(1, Relaxed);
                    poll("the others", || (gate.word(0).load(Relaxed) == 8).then_some(()));
                    for _ in 0..10_000 {
                        events.inc();
                        latency.record(7);
                    }
                    0
                })
            })
            .collect();
        assert!(
            children.into_iter().all(|pid| wait(pid) == 0),
            "nobody died of SIGBUS"
        );
        for _ in 0..10_000 {
            latency.record(7);
        }
        let snapshot = snapshot(&path);
        assert_eq!(counter(&snapshot, "events_total", &[]), 80_001);
        assert_eq!(histogram(&snapshot, "latency_seconds").0, 90_000);
        assert!(snapshot.losses.storage_refused > 0);
        // A second segment has no room, and the error says so.
        let error = Segment::options()
            .open_or_create_at(mount.join("second"))
            .unwrap_err();
        assert!(
            matches!(error, shmetrics::OpenError::StorageFull { .. }),
            "{error}"
        );
        assert!(!mount.join("second").exists());
    });
    // SAFETY: a valid C string; lazily, as mappings may still be there after a failure.
    unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) };
    result.unwrap();
}

#[test]
fn gauges_follow_their_rules_in_life_and_death() {
    let _alone = alone();
    let scratch = Scratch::new("gauges");
    let path = scratch.path("segment");
    let segment = Segment::options().open_or_create_at(&path).unwrap();
    let rules = [Merge::Sum, Merge::Min, Merge::Max, Merge::Mean, Merge::Last];
    let gauges = rules.map(|rule| segment.gauge(rule.name()).merge(rule).register().unwrap());
    let gate = SharedWords::open(&scratch.path("gate"), 3);
    let set = |value: i64| gauges.iter().for_each(|gauge| gauge.set(value));
    let child = |value: i64, at: usize| {
        fork(|| {
            poll("its turn", || {
                (gate.word(0).load(Relaxed) >= at as u64).then_some(())
            });
            set(value);
            gate.word(1).fetch_add(1, Relaxed);
            poll("the end", || (gate.word(2).load(Relaxed) == 1).then_some(()));
            0
        })
    };
    let children = [child(-5, 1), child(40, 2)];
    set(10);
    for turn in 1..=2u64 {
        gate.word(0).store(turn, Relaxed);
        poll("a turn", || (gate.word(1).load(Relaxed) == turn).then_some(()));
    }
    let value = |name: &str| match snapshot(&path).find(name, &[]).unwrap().value {
        Value::GaugeI64(Some(value)) => value as f64,
        Value::GaugeF64(Some(value)) => value,
        ref other => panic!("{name}: {other:?}"),
    };
    let all = || rules.map(|rule| value(rule.name()));
    assert_eq!(all(), [45.0, -5.0, 40.0, 15.0, 40.0]);
    gate.word(2).store(1, Relaxed);
    assert!(children.into_iter().all(|pid| wait(pid) == 0));
    // Sum and mean are of the living; extremes and the last stay.
    assert_eq!(all(), [10.0, -5.0, 40.0, 10.0, 40.0]);
}

#[test]
fn without_a_segment_handles_do_nothing() {
    let _alone = alone();
    let segment = Segment::open("/nonexistent/folder/segment").or_noop();
    assert!(
        segment
            .noop_reason()
            .unwrap()
            .to_string()
            .contains("/nonexistent/folder")
    );
    let counter = segment.counter("a_total").register().unwrap();
    let gauge = segment.gauge("b").register().unwrap();
    let histogram = segment.histogram("c").register().unwrap();
    let family = segment.counter("d_total").family(["x"]).unwrap();
    counter.inc();
    counter.bind().add(3);
    gauge.set(1);
    gauge.set_max(3);
    histogram.record(1);
    histogram.bind().record(1);
    drop(histogram.start_timer());
    family.with(["y"]).inc();
    segment
        .histogram_classic("e", &[1.0])
        .register()
        .unwrap()
        .record(f64::NAN);
    assert!(!segment.attach_thread());
    segment.tick();
}

#[test]
fn a_program_that_ticks_itself_has_no_thread_and_exact_windows() {
    let _alone = alone();
    let name = "a_program_that_ticks_itself_has_no_thread_and_exact_windows";
    // In a process of its own, whose threads can be counted.
    let Some(path) = child_argument() else {
        let scratch = Scratch::new("tick");
        return Worker::spawn(name, scratch.path("segment").to_str().unwrap()).finish();
    };
    let tickers = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let name = |task: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap_or_default()
        };
        tasks
            .map(name)
            .filter(|name| name.starts_with("shmetrics-tick"))
            .count()
    };
    let options = || {
        Segment::options()
            .preset(Preset::Compact)
            .epoch(std::time::Duration::from_millis(200))
    };
    let segment = options().without_ticker().open_or_create_at(&path).unwrap();
    let latency = latency_of(&segment);
    assert_eq!(tickers(), 0);
    let mut reader = shmetrics::Reader::open_path(path.as_ref()).unwrap();
    let window = |reader: &mut shmetrics::Reader| {
        let snapshot = reader.snapshot().unwrap();
        match &snapshot.find("latency_seconds", &[]).unwrap().value {
            Value::Histogram(histogram) => histogram.windows.first().map(|window| window.count),
            other => panic!("{other:?}"),
        }
    };
    // Records go on in every epoch, and the tick before each closes the last one: some window holds what one epoch had.
    let mut recorded = 0u64;
    poll("a closed window", || {
        segment.tick();
        latency.record(1_000_000);
        recorded += 1;
        window(&mut reader).filter(|count| *count > 0 && *count < recorded)
    });
    // One that wants it has the thread.
    let ticked = options().open_at(&path).unwrap();
    ticked
        .histogram("other_seconds")
        .unit(Unit::Seconds)
        .register()
        .unwrap();
    poll("the ticker", || (tickers() == 1).then_some(()));
}
