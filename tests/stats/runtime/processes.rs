//! Over several processes: killed, stopped, forked.

use std::sync::atomic::Ordering::Relaxed;

use super::*;

/// Do all breakdowns add up?
#[track_caller]
fn check(view: &View<'_>, scope: Scope<'_>) -> (u64, u64, u64) {
    let sum = |map: &BTreeMap<String, u64>| map.values().sum::<u64>();
    let requests = view.requests(scope);
    assert_eq!(sum(&requests.requests_by_path), requests.total_requests);
    let served = view.served_config(scope);
    for breakdown in [
        &served.responses_by_endpoint,
        &served.responses_by_target,
        &served.responses_by_caller,
    ] {
        assert_eq!(sum(breakdown), served.responses_total, "{served:?}");
    }
    for breakdown in [
        &served.values_by_target,
        &served.values_by_caller,
        &served.values_by_name,
    ] {
        assert_eq!(sum(breakdown), served.values_total, "{served:?}");
    }
    (
        requests.total_requests,
        served.responses_total,
        served.values_total,
    )
}

/// Words of the tally: deliveries begun and done; each has a request before it, and two values.
const BEGUN: usize = 0;
const DONE: usize = 1;

fn serve(runtime: &Runtime, tally: &SharedWords, number: u64) {
    tally.word(BEGUN).fetch_add(1, Relaxed);
    let text = (number % 7).to_string();
    runtime.record_request(&text);
    runtime.record_config_delivery("run-time", &text, ["A", "B"], &text);
    tally.word(DONE).fetch_add(1, Relaxed);
}

#[test]
fn e_04_breakdowns_add_up_in_every_snapshot_while_processes_are_killed() {
    let _alone = alone();
    let name = "processes::e_04_breakdowns_add_up_in_every_snapshot_while_processes_are_killed";
    if let Some(path) = child_argument() {
        let path = Path::new(&path);
        let tally = SharedWords::open(&path.with_file_name("tally"), 2);
        let segment = compact().open_at(path).unwrap();
        let runtime = register(&segment);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for number in 0.. {
                        serve(&runtime, &tally, number);
                    }
                });
            }
        });
    }
    let scratch = Scratch::new("runtime-kills");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    register(&segment);
    let tally = SharedWords::open(&scratch.path("tally"), 2);
    let spawn = || Worker::spawn(name, path.to_str().unwrap());
    let mut workers = [spawn(), spawn()];
    let mut reader = Reader::open_path(&path).unwrap();
    reader.per_process(true);
    let mut snapshot = Snapshot::default();
    let mut last = (0, 0, 0);
    for round in 0..20 {
        let before = tally.word(DONE).load(Relaxed);
        poll("some deliveries", || {
            reader.snapshot_into(&mut snapshot).unwrap();
            let seen = check(&View::new(&snapshot), Scope::All);
            assert!(seen.0 >= last.0 && seen.1 >= last.1 && seen.2 >= last.2);
            last = seen;
            for process in &snapshot.processes {
                check(&View::new(&snapshot), Scope::Slot(process.slot));
            }
            (tally.word(DONE).load(Relaxed) > before + 100).then_some(())
        });
        workers[round % 2].kill();
        workers[round % 2] = spawn();
    }
    workers.iter_mut().for_each(Worker::kill);
    let (begun, done) = (tally.word(BEGUN).load(Relaxed), tally.word(DONE).load(Relaxed));
    let snapshot = look(&path);
    let (requests, responses, values) = check(&View::new(&snapshot), Scope::All);
    for (told, unit) in [(requests, 1), (responses, 1), (values, 2)] {
        assert!(
            (unit * done..=unit * begun).contains(&told),
            "{done} {told} {begun}"
        );
    }
}

#[test]
fn e_02_each_process_has_its_start_uptime_host_and_pid_and_the_dead_are_listed() {
    let _alone = alone();
    let name = "processes::e_02_each_process_has_its_start_uptime_host_and_pid_and_the_dead_are_listed";
    if let Some(path) = child_argument() {
        let segment = compact().role("worker").open_at(path).unwrap();
        let _runtime = register(&segment);
        poll("the end", || None::<()>);
    }
    let scratch = Scratch::new("runtime-identity");
    let path = scratch.path("segment");
    let segment = compact().role("parent").create_at(&path).unwrap();
    register(&segment);
    let mut worker = Worker::spawn(name, path.to_str().unwrap());
    let told = poll("both", || {
        let snapshot = look(&path);
        let told = View::new(&snapshot).processes();
        let is_there = |role: &str| {
            told.iter()
                .any(|process| process.role == role && !process.hostname.is_empty())
        };
        (is_there("parent") && is_there("worker")).then_some(told)
    });
    let of = |told: &[shmetrics::stats::runtime::ProcessRuntimeSnapshot], role: &str| {
        told.iter().find(|process| process.role == role).unwrap().clone()
    };
    let (parent, child) = (of(&told, "parent"), of(&told, "worker"));
    assert_eq!(
        (parent.process_id, child.process_id),
        (u64::from(std::process::id()), u64::from(worker.0.id()))
    );
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!((&*parent.hostname, &*child.hostname), (host.trim(), host.trim()));
    for process in [&parent, &child] {
        let uptime = process.uptime_seconds.unwrap();
        assert!((0.0..DEADLINE.as_secs_f64()).contains(&uptime));
        assert_eq!(uptime, (uptime * 1000.0).round() / 1000.0, "three decimals");
        // 2026-11-20T09:00:00.123456+00:00
        assert_eq!(
            (process.started_at.len(), &process.started_at[26..]),
            (32, "+00:00")
        );
    }
    assert!(parent.uptime_seconds >= child.uptime_seconds);
    worker.kill();
    let snapshot = look(&path);
    let dead = of(&View::new(&snapshot).processes(), "worker");
    assert!(!dead.alive && dead.uptime_seconds.is_none());
    assert_eq!(dead.process_id, child.process_id);
    // A document is of somebody who lives.
    let health = View::new(&snapshot).health("test", Some(worker.0.id()));
    assert_eq!(health.process_id, u64::from(std::process::id()));
}

#[test]
fn e_06_the_last_delivery_is_the_latest_of_all_processes_and_null_without_one() {
    let _alone = alone();
    let scratch = Scratch::new("runtime-last");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    let runtime = register(&segment);
    let last = || View::new(&look(&path)).served_config(Scope::All).last_served_at;
    assert_eq!(last(), None);
    runtime.record_config_delivery("config", "web", [], "me");
    let own = last().unwrap();
    let child = || {
        runtime.record_config_delivery("config", "web", [], "me");
        0
    };
    assert_eq!(wait(fork(child)), 0);
    // The child is dead; its mark is kept.
    let later = last().unwrap();
    assert!(later > own, "{later} after {own}");
    assert_eq!(wait(fork(|| 0)), 0);
    assert_eq!(last().unwrap(), later);
}

#[test]
fn e_08_a_forked_child_starts_from_zero_in_its_own_slot() {
    let _alone = alone();
    let scratch = Scratch::new("runtime-fork");
    let path = scratch.path("segment");
    let segment = compact().role("parent").create_at(&path).unwrap();
    let runtime = register(&segment);
    (0..5).for_each(|_| runtime.record_request("/parent"));
    let ready = SharedWords::open(&scratch.path("ready"), 2);
    let pid = fork(|| {
        segment.set_role("child").unwrap();
        runtime.start();
        (0..3).for_each(|_| runtime.record_request("/child"));
        ready.word(0).store(1, Relaxed);
        poll("a look", || (ready.word(1).load(Relaxed) == 1).then_some(()));
        0
    });
    poll("the child", || (ready.word(0).load(Relaxed) == 1).then_some(()));
    let snapshot = look(&path);
    ready.word(1).store(1, Relaxed);
    let view = View::new(&snapshot);
    let told = view.processes();
    let of = |role: &str| told.iter().find(|process| process.role == role).unwrap();
    let requests = |slot| view.requests(Scope::Slot(slot)).requests_by_path;
    assert_eq!(of("child").process_id, pid as u64);
    assert!(of("child").uptime_seconds.unwrap() <= of("parent").uptime_seconds.unwrap());
    assert_eq!(requests(of("parent").slot), map([("/parent", 5)]));
    assert_eq!(requests(of("child").slot), map([("/child", 3)]));
    assert_eq!(view.requests(Scope::All).total_requests, 8);
    assert_eq!(wait(pid), 0);
    // Nothing goes with it.
    assert_eq!(View::new(&look(&path)).requests(Scope::All).total_requests, 8);
}

#[test]
fn e_09_snapshots_are_detached_and_need_nothing_of_the_writer() {
    let _alone = alone();
    let name = "processes::e_09_snapshots_are_detached_and_need_nothing_of_the_writer";
    if let Some(path) = child_argument() {
        let path = Path::new(&path);
        let tally = SharedWords::open(&path.with_file_name("tally"), 2);
        let segment = compact().open_at(path).unwrap();
        let runtime = register(&segment);
        for number in 0.. {
            serve(&runtime, &tally, number);
        }
    }
    let scratch = Scratch::new("runtime-detached");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    let runtime = register(&segment);
    let tally = SharedWords::open(&scratch.path("tally"), 2);
    let mut worker = Worker::spawn(name, path.to_str().unwrap());
    poll("some deliveries", || {
        (tally.word(DONE).load(Relaxed) > 100).then_some(())
    });
    // Stopped wherever it is.
    worker.stop();
    let snapshot = look(&path);
    let first = View::new(&snapshot).requests(Scope::All);
    let mut changed = first.clone();
    changed.requests_by_path.clear();
    changed.total_requests = 0;
    // Neither what is done with a copy nor what is counted afterwards changes another.
    runtime.record_request("/later");
    worker.kill();
    assert_eq!(View::new(&snapshot).requests(Scope::All), first);
    let again = View::new(&look(&path)).requests(Scope::All);
    assert_eq!(again.total_requests, first.total_requests + 1);
    drop(segment);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(View::new(&snapshot).requests(Scope::All), first);
}
