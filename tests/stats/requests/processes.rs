//! Over several processes: killed, and retried elsewhere.

use std::sync::atomic::Ordering::Relaxed;

use super::*;

/// Words of the tally: requests begun, those whose end is counted, and those of them that ended well.
const BEGUN: usize = 0;
const DONE: usize = 1;
const RETRIED: usize = 2;

/// Requests by the numbers of `tally`, each tried up to three times: what is parked is taken up by whoever comes to it.
fn crawl(requests: &Requests, tally: &SharedWords) {
    loop {
        let number = tally.word(BEGUN).fetch_add(1, Relaxed);
        let key = format!("https://example.org/{number}");
        let attempt = requests.start_at(&key, 0);
        match number % 4 {
            // Left for another process.
            0 => drop(requests.retry_later(attempt)),
            1 => drop(requests.fail_at(attempt, MS)),
            _ => drop(requests.finish_at(attempt, MS)),
        }
        if !number.is_multiple_of(4) {
            tally.word(DONE).fetch_add(1, Relaxed);
        }
        requests.register_status_code(200);
        // What somebody left, perhaps this process: one tries each.
        if number >= 8 && number.is_multiple_of(4) {
            let again = requests.start_at(&format!("https://example.org/{}", number - 8), 0);
            if again.runs() > 1 && requests.finish_at(again, MS).is_some() {
                tally.word(RETRIED).fetch_add(1, Relaxed);
            }
        }
    }
}

#[test]
fn a_04_and_a_06_workers_are_killed_and_every_end_is_counted_once() {
    let _alone = alone();
    let name = "processes::a_04_and_a_06_workers_are_killed_and_every_end_is_counted_once";
    if let Some(argument) = child_argument() {
        let path = Path::new(&argument);
        let tally = SharedWords::open(&path.with_file_name("tally"), 3);
        let segment = compact().open_at(path).unwrap();
        let requests = quiet(&segment).enter().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| crawl(&requests, &tally));
            }
        });
    }
    let scratch = Scratch::new("requests-kills");
    let path = scratch.path("segment");
    let _segment = compact().create_at(&path).unwrap();
    let tally = SharedWords::open(&scratch.path("tally"), 3);
    let spawn = || Worker::spawn(name, path.to_str().unwrap());
    let mut workers = [spawn(), spawn()];
    let mut reader = Reader::open_path(&path).unwrap();
    let mut last = (0, 0);
    for round in 0..20 {
        let before = tally.word(DONE).load(Relaxed);
        poll("some requests", || {
            let snapshot = reader.snapshot().unwrap();
            let told = View::new(&snapshot).figures(DEFAULT_INSTANCE).unwrap_or_default();
            // All that is told of ends is of one addition: it never disagrees.
            assert_eq!(
                told.request_retry_histogram.iter().sum::<u64>(),
                told.requests_total()
            );
            let retried: u64 = told.request_retry_histogram.iter().skip(1).sum();
            assert_eq!(told.requests_retries, retried);
            assert!(
                (told.requests_finished, told.requests_failed) >= last || told.requests_finished >= last.0
            );
            last = (told.requests_finished, told.requests_failed);
            (tally.word(DONE).load(Relaxed) > before + 100).then_some(())
        });
        workers[round % 2].kill();
        workers[round % 2] = spawn();
    }
    workers.iter_mut().for_each(Worker::kill);
    let [begun, done, retried] = [BEGUN, DONE, RETRIED].map(|word| tally.word(word).load(Relaxed));
    let told = figures(&path, DEFAULT_INSTANCE);
    assert!(
        done + retried <= told.requests_total(),
        "{done} {retried} {told:?}"
    );
    assert!(told.requests_total() <= begun, "{told:?} of {begun}");
    assert!(told.requests_retries >= retried && retried > 0);
    // 42 threads at most were killed between an end and its duration.
    let durations = told.request_total_duration().as_millis() as u64;
    assert!((told.requests_total() - 42..=told.requests_total()).contains(&durations));
    assert_eq!((told.processes, told.requests_in_flight), (0, 0));
    assert!(told.crawler_finished_at_ns.is_some());
}

#[test]
fn a_06_a_retry_ends_in_another_process_and_that_of_a_dead_one_too() {
    let _alone = alone();
    let name = "processes::a_06_a_retry_ends_in_another_process_and_that_of_a_dead_one_too";
    if let Some(argument) = child_argument() {
        let segment = compact().open_at(&argument).unwrap();
        let requests = quiet(&segment).enter().unwrap();
        assert!(requests.retry_later(requests.start("parked")));
        let _killed = requests.start("killed");
        poll("the end", || None::<()>);
    }
    let scratch = Scratch::new("requests-retries");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    let requests = quiet(&segment).enter().unwrap();
    let mut worker = Worker::spawn(name, path.to_str().unwrap());
    poll("both", || {
        let told = figures(&path, DEFAULT_INSTANCE);
        ((told.requests_in_flight, told.requests_waiting) == (1, 1)).then_some(())
    });
    worker.kill();
    let told = figures(&path, DEFAULT_INSTANCE);
    assert_eq!(
        (told.requests_in_flight, told.requests_waiting, told.processes),
        (0, 1, 1)
    );
    for key in ["parked", "killed"] {
        let attempt = requests.start(key);
        assert_eq!(attempt.runs(), 2, "{key}");
        assert!(requests.finish(attempt).is_some());
    }
    let told = figures(&path, DEFAULT_INSTANCE);
    assert_eq!((told.requests_finished, told.requests_retries), (2, 2));
    assert_eq!((told.requests_started, told.retries_started), (2, 2));
    // Threads and forked children of one session sum up.
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let requests = &requests;
            scope.spawn(move || (0..50).for_each(|n| done(requests, &format!("{thread} {n}"), 0, 1)));
        }
    });
    let children = [0, 1].map(|child| {
        fork(|| {
            (0..50).for_each(|n| done(&requests, &format!("child {child} {n}"), 1, 1));
            0
        })
    });
    assert_eq!(children.map(wait), [0, 0]);
    let told = figures(&path, DEFAULT_INSTANCE);
    assert_eq!((told.requests_finished, told.requests_retries), (302, 102));
}

#[test]
fn a_06_what_finds_no_room_is_counted_when_it_ends_by_its_attempt_and_not_by_its_key() {
    let _alone = alone();
    let scratch = Scratch::new("requests-no-room");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    // One bucket.
    let requests = quiet(&segment).max_in_flight(8).enter().unwrap();
    let running: Vec<_> = (0..8).map(|key| requests.start(&key.to_string())).collect();
    let beyond = [0, 1].map(|_| requests.start("beyond"));
    assert_eq!(beyond.each_ref().map(Attempt::runs), [1, 1]);
    let snapshot = look(&path);
    let table = snapshot.series.iter().find_map(|series| match &series.value {
        shmetrics::Value::InFlight(in_flight) => Some(in_flight),
        _ => None,
    });
    assert_eq!(table.map(|table| (table.number, table.overflow)), Some((8, 2)));
    assert_eq!(
        (requests.finish_key("beyond"), requests.fail_key("beyond")),
        (None, None)
    );
    assert_eq!(figures(&path, DEFAULT_INSTANCE).requests_total(), 0);
    for attempt in beyond.into_iter().chain(running) {
        assert!(requests.finish(attempt).is_some());
    }
    let told = figures(&path, DEFAULT_INSTANCE);
    assert_eq!((told.requests_started, told.requests_finished), (10, 10));
}
