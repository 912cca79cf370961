//! Processes: short-lived ones, forks, raw clones, dropped privileges, closed descriptors, many registrants. Totals are exact and lanes
//! are reused through all of it.
#![allow(unsafe_code)]

mod support;

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;

use shmetrics::{Gauge, Merge, Reader, Segment, Unit};
use support::*;

/// Is the process with this pid an owner that lives? (Children that other tests fork meanwhile take slots here, too.)
fn lives(snapshot: &shmetrics::Snapshot, pid: libc::pid_t) -> bool {
    snapshot
        .processes
        .iter()
        .any(|process| process.pid == pid as u64 && process.alive)
}

fn own_pid() -> libc::pid_t {
    std::process::id() as libc::pid_t
}

#[test]
fn ten_thousand_workers_one_after_another_reuse_one_lane() {
    // In a process of its own: children that other tests fork would take slots here, too, and the file would grow by theirs.
    let Some(path) = child_argument().map(PathBuf::from) else {
        let scratch = Scratch::new("short-lived");
        let name = "ten_thousand_workers_one_after_another_reuse_one_lane";
        return Worker::spawn(name, scratch.path("segment").to_str().unwrap()).finish();
    };
    let segment = Segment::options().open_or_create_at(&path).unwrap();
    segment.counter("events_total").register().unwrap();
    let latency = segment
        .histogram("latency_seconds")
        .unit(Unit::Seconds)
        .register()
        .unwrap();
    latency.record(1);
    let mut blocks = 0;
    for round in 0..10_000u64 {
        let pid = fork(|| {
            // As a process of its own would: open the segment, count, be gone.
            let segment = Segment::options().open_at(&path).unwrap();
            let counter = segment.counter("events_total").register().unwrap();
            let latency = segment
                .histogram("latency_seconds")
                .unit(Unit::Seconds)
                .register()
                .unwrap();
            counter.add(round + 1);
            latency.record(1_000_000);
            0
        });
        assert_eq!(wait(pid), 0);
        if round == 100 {
            blocks = std::fs::metadata(&path).unwrap().blocks();
        }
    }
    let snapshot = snapshot(&path);
    assert_eq!(counter(&snapshot, "events_total", &[]), 10_000 * 10_001 / 2);
    let (count, _, is_exact) = histogram(&snapshot, "latency_seconds");
    assert_eq!((count, is_exact), (10_001, true));
    assert!(
        snapshot.fill.lanes_touched <= 3,
        "{} lanes",
        snapshot.fill.lanes_touched
    );
    assert_eq!(
        std::fs::metadata(&path).unwrap().blocks(),
        blocks,
        "the file grew"
    );
}

#[test]
fn sixty_four_workers_at_once_have_a_lane_each_and_lose_nothing() {
    let _alone = alone();
    let scratch = Scratch::new("at-once");
    let (path, gate_path) = (scratch.path("segment"), scratch.path("gate"));
    let segment = Segment::options().open_or_create_at(&path).unwrap();
    let counter_handle = segment.counter("events_total").register().unwrap();
    let gate = SharedWords::open(&gate_path, 2);
    for _ in 0..5 {
        gate.word(0).store(0, Relaxed);
        gate.word(1).store(0, Relaxed);
        let children: Vec<_> = (0..64)
            .map(|_| {
                fork(|| {
                    gate.word(0).fetch_add(1, Relaxed);
                    // All of them are alive at one time.
                    poll("the others", || (gate.word(0).load(Relaxed) == 64).then_some(()));
                    for _ in 0..1000 {
                        counter_handle.inc();
                    }
                    gate.word(1).fetch_add(1, Relaxed);
                    poll("the others' end", || {
                        (gate.word(1).load(Relaxed) == 64).then_some(())
                    });
                    0
                })
            })
            .collect();
        assert!(children.into_iter().all(|pid| wait(pid) == 0));
    }
    let snapshot = snapshot(&path);
    assert_eq!(counter(&snapshot, "events_total", &[]), 5 * 64 * 1000);
    assert!(
        snapshot.fill.lanes_touched <= 65,
        "{} lanes",
        snapshot.fill.lanes_touched
    );
    assert_eq!(snapshot.losses.lanes_exhausted, 0);
}

#[test]
fn a_forked_child_counts_in_a_lane_of_its_own() {
    let _alone = alone();
    let scratch = Scratch::new("fork");
    let path = scratch.path("segment");
    let segment = Segment::options()
        .role("parent")
        .open_or_create_at(&path)
        .unwrap();
    let events = segment.counter("events_total").register().unwrap();
    let depth = segment.gauge("depth").merge(Merge::Each).register().unwrap();
    let latency = segment
        .histogram("latency_seconds")
        .unit(Unit::Seconds)
        .register()
        .unwrap();
    events.add(5);
    depth.set(1);
    latency.record(7);
    let bound = events.bind();
    let ready = SharedWords::open(&scratch.path("ready"), 2);
    let timer = latency.start_timer();
    let pid = fork(|| {
        // A stale bound handle reaches nobody; ordinary handles and gauges are this process' own.
        bound.add(1_000_000);
        drop(timer);
        events.add(7);
        depth.set(2);
        latency.record(9);
        segment.set_role("child").unwrap();
        assert!(segment.set_role(&"r".repeat(65)).is_err());
        ready.word(0).store(1, Relaxed);
        poll("the parent", || (ready.word(1).load(Relaxed) == 1).then_some(()));
        events.add(1);
        0
    });
    poll("the child", || (ready.word(0).load(Relaxed) == 1).then_some(()));
    events.add(10);
    let mut reader = Reader::open_path(&path).unwrap();
    let during = reader.snapshot().unwrap();
    assert_eq!(counter(&during, "events_total", &[]), 22);
    // 7, 9, and the timer once: the parent's copy of the closure recorded it, the child's did not.
    assert_eq!(histogram(&during, "latency_seconds").0, 3);
    assert!(lives(&during, pid) && lives(&during, own_pid()));
    let role = |wanted: libc::pid_t| {
        during
            .processes
            .iter()
            .find(|p| p.pid == wanted as u64)
            .map(|p| &*p.role)
    };
    assert_eq!((role(own_pid()), role(pid)), (Some("parent"), Some("child")));
    let shmetrics::Value::Each(values) = &during.find("depth", &[]).unwrap().value else {
        panic!()
    };
    assert_eq!(values.len(), 2);
    ready.word(1).store(1, Relaxed);
    assert_eq!(wait(pid), 0);
    reader.refresh_owners().unwrap();
    let after = reader.snapshot().unwrap();
    assert_eq!(counter(&after, "events_total", &[]), 23);
    let shmetrics::Value::Each(values) = &after.find("depth", &[]).unwrap().value else {
        panic!()
    };
    assert_eq!(values.len(), 1, "a dead process' gauge is gone");
}

#[test]
fn a_raw_clone_leaves_the_parents_lane_alone() {
    let _alone = alone();
    let scratch = Scratch::new("clone");
    let path = scratch.path("segment");
    let segment = Segment::options().open_or_create_at(&path).unwrap();
    let events = segment.counter("events_total").register().unwrap();
    let depth: Gauge = segment.gauge("depth").register().unwrap();
    let latency = segment
        .histogram("latency_seconds")
        .unit(Unit::Seconds)
        .register()
        .unwrap();
    events.add(1);
    latency.record(5);
    depth.set(3);
    let rounds = 50;
    for _ in 0..rounds {
        let pid = raw_clone(|| {
            for _ in 0..1000 {
                events.inc();
                latency.record(6);
            }
            depth.set(4);
            0
        });
        // The parent counts at the same time: were the lane shared, additions would be lost.
        for _ in 0..1000 {
            events.inc();
            latency.record(6);
        }
        assert_eq!(wait(pid), 0);
    }
    let snapshot = snapshot(&path);
    assert_eq!(counter(&snapshot, "events_total", &[]), 1 + rounds * 2000);
    let (count, _, is_exact) = histogram(&snapshot, "latency_seconds");
    assert_eq!((count, is_exact), (1 + rounds * 2000, true));
    assert_eq!(
        snapshot.find("depth", &[]).unwrap().value,
        shmetrics::Value::GaugeI64(Some(3))
    );
}

#[test]
fn a_child_that_became_nobody_loses_nothing() {
    let _alone = alone();
    // SAFETY: no arguments.
    if unsafe { libc::geteuid() } != 0 {
        skip("dropping privileges needs root");
        return;
    }
    let scratch = Scratch::new("nobody");
    let path = scratch.path("segment");
    let segment = Segment::options().mode(0o640).open_or_create_at(&path).unwrap();
    let events = segment.counter("events_total").register().unwrap();
    let depth = segment.gauge("depth").register().unwrap();
    let latency = segment
        .histogram("latency_seconds")
        .unit(Unit::Seconds)
        .register()
        .unwrap();
    events.inc();
    let ready = SharedWords::open(&scratch.path("ready"), 2);
    let nobody = 65_534;
    let drop_privileges = || {
        // SAFETY: system calls that change this (child) process only.
        let dropped = unsafe { libc::setgid(nobody) == 0 && libc::setuid(nobody) == 0 };
        assert!(
            dropped && std::fs::File::open(&path).is_err(),
            "the file cannot be opened any more"
        );
    };
    let child = fork(|| {
        drop_privileges();
        events.add(100);
        depth.set(7);
        latency.record(1);
        // Its own children, too: they have no way to a slot, and count in the shared lane.
        let grandchild = fork(|| {
            events.add(1000);
            latency.record(2);
            0
        });
        assert_eq!(wait(grandchild), 0);
        std::thread::scope(|scope| {
            scope.spawn(|| events.add(10_000));
        });
        ready.word(0).store(1, Relaxed);
        poll("the parent", || (ready.word(1).load(Relaxed) == 1).then_some(()));
        0
    });
    poll("the child", || (ready.word(0).load(Relaxed) == 1).then_some(()));
    let during = snapshot(&path);
    assert_eq!(counter(&during, "events_total", &[]), 11_101);
    assert_eq!(histogram(&during, "latency_seconds").0, 2);
    assert_eq!(
        during.find("depth", &[]).unwrap().value,
        shmetrics::Value::GaugeI64(Some(7))
    );
    ready.word(1).store(1, Relaxed);
    assert_eq!(wait(child), 0);
    assert_eq!(counter(&snapshot(&path), "events_total", &[]), 11_101);
}

#[test]
fn a_worker_whose_descriptors_are_closed_under_it_keeps_its_lane() {
    let _alone = alone();
    let scratch = Scratch::new("close-range");
    let path = scratch.path("segment");
    let segment = Segment::options().open_or_create_at(&path).unwrap();
    let events = segment.counter("events_total").register().unwrap();
    let ready = SharedWords::open(&scratch.path("ready"), 2);
    let child = fork(|| {
        events.inc();
        // SAFETY: closes every descriptor of this (child) process, as daemonise helpers do.
        unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
        events.inc();
        std::thread::scope(|scope| {
            scope.spawn(|| events.inc());
        });
        ready.word(0).store(1, Relaxed);
        poll("the parent", || (ready.word(1).load(Relaxed) == 1).then_some(()));
        events.inc();
        0
    });
    poll("the child", || (ready.word(0).load(Relaxed) == 1).then_some(()));
    // Others that look for a lane now must not take it for dead.
    for _ in 0..4 {
        let other = fork(|| {
            events.add(10);
            0
        });
        assert_eq!(wait(other), 0);
    }
    assert!(lives(&snapshot(&path), child) && lives(&snapshot(&path), own_pid()));
    ready.word(1).store(1, Relaxed);
    assert_eq!(wait(child), 0);
    let snapshot = snapshot(&path);
    assert_eq!(counter(&snapshot, "events_total", &[]), 44);
    assert_eq!(snapshot.losses.lanes_exhausted, 0);
}

#[test]
fn registrants_at_once_agree_and_leak_at_most_one_record_each() {
    let _alone = alone();
    const REGISTRANTS: u64 = 64;
    const SERIES: u64 = 550;
    let scratch = Scratch::new("registrants");
    let path = scratch.path("segment");
    let segment = Segment::options().open_or_create_at(&path).unwrap();
    let gate = SharedWords::open(&scratch.path("gate"), 1);
    let children: Vec<_> = (0..REGISTRANTS)
        .map(|registrant| {
            fork(|| {
                gate.word(0).fetch_add(1, Relaxed);
                poll("the others", || {
                    (gate.word(0).load(Relaxed) == REGISTRANTS).then_some(())
                });
                for series in 0..SERIES {
                    let number = (series + registrant % 2).to_string();
                    // The same labels in another order are the same series.
                    let builder = segment.counter("events_total");
                    let labels = [("a", number.as_str()), ("b", "x")];
                    let counter = if registrant % 3 == 0 {
                        builder.labels(labels).register()
                    } else {
                        builder.labels([labels[1], labels[0]]).register()
                    };
                    counter.unwrap().inc();
                }
                0
            })
        })
        .collect();
    assert!(children.into_iter().all(|pid| wait(pid) == 0));
    let snapshot = snapshot(&path);
    assert_eq!(snapshot.series.len() as u64, SERIES + 1);
    let total: u64 = snapshot
        .series
        .iter()
        .map(|series| match series.value {
            shmetrics::Value::CounterU64(value) => value,
            _ => panic!(),
        })
        .sum();
    assert_eq!(total, REGISTRANTS * SERIES);
    assert_eq!(
        counter(&snapshot, "events_total", &[("a", "1"), ("b", "x")]),
        REGISTRANTS
    );
    // One family, the series, and at most one record per registrant that died with it in hand.
    let used = snapshot.fill.records.used;
    assert!(used <= 1 + SERIES + 1 + REGISTRANTS, "{used} records");
    // Those who get their slots next take such records up: leaks do not add up.
    for round in 0..3 {
        gate.word(0).store(0, Relaxed);
        let children: Vec<_> = (0..REGISTRANTS)
            .map(|_| {
                fork(|| {
                    gate.word(0).fetch_add(1, Relaxed);
                    poll("the others", || {
                        (gate.word(0).load(Relaxed) == REGISTRANTS).then_some(())
                    });
                    for series in 0..50 {
                        let labels = [("round", &*round.to_string()), ("series", &*series.to_string())];
                        segment
                            .counter("events_total")
                            .labels(labels)
                            .register()
                            .unwrap()
                            .inc();
                    }
                    0
                })
            })
            .collect();
        assert!(children.into_iter().all(|pid| wait(pid) == 0));
    }
    let used = support::snapshot(&path).fill.records.used;
    assert!(used <= 1 + SERIES + 1 + 3 * 50 + REGISTRANTS, "{used} records");
}

#[test]
fn the_per_process_view_begins_with_the_process() {
    let _alone = alone();
    let scratch = Scratch::new("baseline");
    let path = scratch.path("segment");
    let segment = Segment::options().role("first").open_or_create_at(&path).unwrap();
    let ready = SharedWords::open(&scratch.path("ready"), 2);
    drop(segment);
    let work = |role: &str, count: u64| {
        let segment = Segment::options().role(role).open_at(&path).unwrap();
        let events = segment.counter("events_total").register().unwrap();
        let latency = segment
            .histogram("latency_seconds")
            .unit(Unit::Seconds)
            .register()
            .unwrap();
        events.add(count);
        (0..count).for_each(|_| latency.record(1_000_000_000));
        (segment, events, latency)
    };
    let child = fork(|| {
        work("first", 100);
        0
    });
    assert_eq!(wait(child), 0);
    let child = fork(|| {
        let _keep = work("second", 7);
        ready.word(0).store(1, Relaxed);
        poll("the parent", || (ready.word(1).load(Relaxed) == 1).then_some(()));
        0
    });
    poll("the child", || (ready.word(0).load(Relaxed) == 1).then_some(()));
    let mut reader = Reader::open_path(&path).unwrap();
    let snapshot = reader.per_process(true).snapshot().unwrap();
    ready.word(1).store(1, Relaxed);
    assert_eq!(wait(child), 0);
    assert_eq!(counter(&snapshot, "events_total", &[]), 107);
    let second = snapshot.processes.iter().find(|process| process.alive).unwrap();
    assert_eq!(&*second.role, "second");
    use shmetrics::snapshot::{Number, PerProcess};
    let values: Vec<_> = second.values.iter().map(|(_, value)| *value).collect();
    assert_eq!(
        values,
        [
            PerProcess::Counter(Number::U64(7)),
            PerProcess::Histogram { count: 7, sum: 7.0 }
        ]
    );
}
