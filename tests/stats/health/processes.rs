//! Over several processes, which are killed.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use shmetrics::stats::health::{Tasks, Waited, wait_until_idle};

use super::*;

fn tasks(path: &Path) -> Tasks {
    View::new(&look(path)).tasks()
}

/// Is this process told to live? Children that other tests of this program fork are told, too, as long as they live.
fn is_told(health: &Health, pid: u32) -> bool {
    health
        .processes
        .iter()
        .any(|process| process.pid == u64::from(pid))
}

/// Words of the tally: tasks begun and done.
const BEGUN: usize = 0;
const DONE: usize = 1;

#[test]
fn c_02_tasks_are_told_over_processes_with_their_ages_times_and_workers() {
    let _alone = alone();
    let name = "processes::c_02_tasks_are_told_over_processes_with_their_ages_times_and_workers";
    if let Some(path) = child_argument() {
        let segment = compact().open_at(path).unwrap();
        let monitor = Monitor::register(&segment, &options().max_workers(3)).unwrap();
        let _oldest = monitor.start_task("oldest");
        for n in 0..5 {
            let task = monitor.start_task(&n.to_string());
            std::thread::sleep(Duration::from_millis(1));
            assert!(monitor.end_task(task));
        }
        let _second = monitor.start_task("second");
        poll("the end", || None::<()>);
    }
    let scratch = Scratch::new("health-tasks");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    let monitor = register(&segment);
    assert_eq!(tasks(&path), {
        let mut none = Tasks::default();
        none.threads = 2;
        none
    });
    let mut worker = Worker::spawn(name, path.to_str().unwrap());
    poll("its tasks", || (tasks(&path).started == 7).then_some(()));
    let own = monitor.start_task("own");
    let told = poll("all of them", || {
        let told = tasks(&path);
        (told.in_flight == 3 && told.current_seconds > told.max_current_seconds).then_some(told)
    });
    assert_eq!(
        (told.started, told.completed, told.lost, told.threads),
        (8, 5, 0, 5)
    );
    assert!(told.spent_seconds >= 0.005, "{told:?}");
    // What is in flight longest began before all that were completed.
    assert!(told.max_current_seconds >= told.spent_seconds, "{told:?}");
    assert_eq!(
        told.spent_with_current_seconds,
        told.spent_seconds + told.current_seconds
    );
    assert_eq!(
        told.spent_with_current_normalised_seconds,
        told.spent_with_current_seconds / 5.0
    );
    worker.kill();
    let told = tasks(&path);
    assert_eq!(
        (
            told.started,
            told.completed,
            told.in_flight,
            told.lost,
            told.threads
        ),
        (8, 5, 1, 2, 2),
        "its tasks and workers are gone with it, what it completed is not"
    );
    // Ended by its id, by whom it was started does not matter; and once.
    assert!(monitor.end_task_by_id("own"));
    assert!(!monitor.end_task_by_id("own") && !monitor.end_task_by_id("unheard of"));
    assert!(!monitor.end_task(own));
    let told = tasks(&path);
    assert_eq!((told.completed, told.in_flight), (6, 0));
    assert_eq!((told.current_seconds, told.max_current_seconds), (0.0, 0.0));
}

#[test]
fn c_03_waiting_ends_when_all_processes_are_idle_or_dead_and_when_the_time_is_over() {
    let _alone = alone();
    let name = "processes::c_03_waiting_ends_when_all_processes_are_idle_or_dead_and_when_the_time_is_over";
    if let Some(path) = child_argument() {
        let monitor = register(&compact().open_at(path).unwrap());
        let _task = monitor.start_task("never ended");
        poll("the end", || None::<()>);
    }
    let scratch = Scratch::new("health-wait");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    let monitor = register(&segment);
    let wait = |timeout| monitor.wait_until_idle(timeout).unwrap();
    assert_eq!(wait(Duration::ZERO), Waited::Idle);
    let mut worker = Worker::spawn(name, path.to_str().unwrap());
    poll("its task", || (tasks(&path).in_flight == 1).then_some(()));
    let own = monitor.start_task("own");
    assert_eq!(wait(Duration::ZERO), Waited::TimedOut { in_flight: 2 });
    assert_eq!(wait(Duration::from_millis(20)), Waited::TimedOut { in_flight: 2 });
    // A task of another series is not waited for, unless no series is named.
    let other = segment.in_flight("other").capacity(8).register().unwrap();
    let token = other.start("x");
    // This one has seen that the worker lives.
    let mut reader = Reader::open_path(&path).unwrap();
    let look = wait_until_idle(&mut reader, Some("health_tasks"), Duration::ZERO).unwrap();
    assert_eq!(look, Waited::TimedOut { in_flight: 2 });
    let waiting =
        std::thread::spawn(move || wait_until_idle(&mut reader, Some("health_tasks"), DEADLINE).unwrap());
    assert!(monitor.end_task(own));
    assert_eq!(wait(Duration::from_millis(20)), Waited::TimedOut { in_flight: 1 });
    assert!(!waiting.is_finished(), "a task is in flight");
    // Its end is never reported.
    worker.kill();
    assert_eq!(waiting.join().unwrap(), Waited::Idle);
    assert_eq!(wait(DEADLINE), Waited::Idle);
    let mut reader = Reader::open_path(&path).unwrap();
    let all = wait_until_idle(&mut reader, None, Duration::ZERO).unwrap();
    assert_eq!(all, Waited::TimedOut { in_flight: 1 });
    other.finish(token);
    assert_eq!(
        wait_until_idle(&mut reader, None, DEADLINE).unwrap(),
        Waited::Idle
    );
}

#[test]
fn c_05_who_is_unhealthy_is_told_of_each_process_and_goes_with_it() {
    let _alone = alone();
    let scratch = Scratch::new("health-each");
    let path = scratch.path("segment");
    let segment = compact().role("parent").create_at(&path).unwrap();
    let monitor = register(&segment);
    let words = SharedWords::open(&scratch.path("words"), 2);
    monitor.record_success("M");
    let child = fork(|| {
        segment.set_role("child").unwrap();
        monitor.start();
        monitor.record_failure("M", "out of memory");
        words.word(0).store(1, Relaxed);
        poll("a look", || (words.word(1).load(Relaxed) == 1).then_some(()));
        0
    });
    poll("the child", || (words.word(0).load(Relaxed) == 1).then_some(()));
    // The parent's successes do not make the child well.
    monitor.record_success("M");
    let told = health(&path);
    assert!(!told.healthy);
    let mut statuses: Vec<_> = told
        .statuses
        .iter()
        .map(|status| (&*status.role, &*status.status, status.streak, status.healthy))
        .collect();
    statuses.sort_unstable();
    assert_eq!(
        statuses,
        [("child", "FATAL", 1, false), ("parent", "OK", 2, true)]
    );
    assert_eq!(told.tasks.threads, 4);
    assert!(is_told(&told, std::process::id()) && is_told(&told, child as u32));
    words.word(1).store(1, Relaxed);
    assert_eq!(wait(child), 0);
    let told = health(&path);
    assert_eq!((told.healthy, told.tasks.threads), (true, 2));
    assert!(is_told(&told, std::process::id()) && !is_told(&told, child as u32));
}

#[test]
fn c_02_and_c_03_workers_are_killed_and_no_figure_drifts() {
    let _alone = alone();
    let name = "processes::c_02_and_c_03_workers_are_killed_and_no_figure_drifts";
    const THREADS: u64 = 2;
    if let Some(path) = child_argument() {
        let path = Path::new(&path);
        let tally = SharedWords::open(&path.with_file_name("tally"), 2);
        let monitor = register(&compact().open_at(path).unwrap());
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (monitor, tally) = (&monitor, &tally);
                scope.spawn(move || {
                    for n in 0u64.. {
                        let id = format!("{}-{thread}-{n}", std::process::id());
                        tally.word(BEGUN).fetch_add(1, Relaxed);
                        monitor.record_request("M");
                        let task = monitor.start_task(&id);
                        match n % 3 {
                            0 => _ = monitor.record_failure("M", "refused"),
                            _ => monitor.record_success("M"),
                        }
                        assert!(monitor.end_task(task));
                        tally.word(DONE).fetch_add(1, Relaxed);
                    }
                });
            }
        });
    }
    let scratch = Scratch::new("health-kills");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    let monitor = register(&segment);
    let tally = SharedWords::open(&scratch.path("tally"), 2);
    let spawn = || Worker::spawn(name, path.to_str().unwrap());
    let mut workers = [spawn(), spawn()];
    let mut reader = Reader::open_path(&path).unwrap();
    let mut last = Tasks::default();
    let rounds = 12;
    for round in 0..rounds {
        let before = tally.word(DONE).load(Relaxed);
        poll("some tasks", || {
            reader.refresh_owners().unwrap();
            let told = View::new(&reader.snapshot().unwrap()).tasks();
            assert!(told.started >= last.started && told.completed >= last.completed);
            // But for the last digits of a sum of floats.
            assert!(told.spent_seconds >= last.spent_seconds - 1e-9);
            assert!(told.max_current_seconds <= told.current_seconds);
            last = told;
            (tally.word(DONE).load(Relaxed) > before + 100).then_some(())
        });
        workers[round % 2].kill();
        workers[round % 2] = spawn();
    }
    workers.iter_mut().for_each(Worker::kill);
    assert_eq!(monitor.wait_until_idle(DEADLINE).unwrap(), Waited::Idle);
    let (begun, done) = (tally.word(BEGUN).load(Relaxed), tally.word(DONE).load(Relaxed));
    let snapshot = look(&path);
    let told = View::new(&snapshot).tasks();
    assert!(
        (done..=begun).contains(&told.completed),
        "{done} {told:?} {begun}"
    );
    assert!(
        (told.completed..=begun).contains(&told.started),
        "{told:?} {begun}"
    );
    // Every kill loses at most what each thread was working on.
    assert_eq!(told.lost, told.started - told.completed);
    assert!(told.lost <= (rounds as u64 + 2) * THREADS, "{told:?}");
    assert_eq!((told.in_flight, told.overflow, told.threads), (0, 0, 2));
    let requests = counter(&snapshot, "health_requests_total", &[("method", "M")]);
    assert!((done..=begun).contains(&requests));
    let ends: u64 = ["success", "failure"]
        .iter()
        .map(|status| {
            counter(
                &snapshot,
                "health_processed_total",
                &[("method", "M"), ("status", status)],
            )
        })
        .sum();
    assert!((done..=begun).contains(&ends));
    let health = View::new(&snapshot).health();
    assert!(health.healthy && health.statuses.is_empty(), "{health:?}");
    assert!(is_told(&health, std::process::id()));
}
