//! Resets while everything goes on.

use super::*;

#[test]
fn a_08_a_reset_sets_all_to_defaults_and_sessions_go_on() {
    let _alone = alone();
    let scratch = Scratch::new("requests-reset");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    let requests = quiet(&segment).instance("a").extra("mine").enter().unwrap();
    let other = quiet(&segment).instance("b").enter().unwrap();
    for requests in [&requests, &other] {
        done(requests, "x", 1, 20);
        requests.register_status_code(200);
        requests.record_error(ErrorStage::Final, &ErrorReport::new("E", ""));
    }
    requests.extra("mine").unwrap().add(5);
    let in_flight = requests.start_at("y", 0);
    let before = figures(&path, "a");
    assert!(requests.reset().unwrap().series > 0);
    let after = figures(&path, "a");
    let nothing = Figures::default();
    assert_eq!((after.requests_total(), after.requests_retries), (0, 0));
    assert_eq!((after.requests_started, after.retries_started), (0, 0));
    assert_eq!(after.request_retry_histogram, nothing.request_retry_histogram);
    assert_eq!(
        (after.request_min_duration, after.request_max_duration),
        (None, None)
    );
    assert_eq!(after.request_total_duration(), Duration::ZERO);
    assert_eq!(after.requests_with_status_code, nothing.requests_with_status_code);
    assert_eq!(
        (&after.errors, &after.retry_errors),
        (&nothing.errors, &nothing.retry_errors)
    );
    assert_eq!(after.request_duration_percentiles, None);
    assert_eq!(state(&after)["mine"], 0);
    // The session goes on, and its times are new.
    assert!(after.crawler_started_at_ns > before.crawler_started_at_ns);
    assert_eq!(after.crawler_last_started_at_ns, after.crawler_started_at_ns);
    assert!(Some(after.taken_at_ns) >= after.crawler_started_at_ns);
    assert_runs_since(&after, Duration::ZERO, after.crawler_started_at_ns.unwrap());
    assert_eq!((after.crawler_finished_at_ns, after.processes), (None, 1));
    // What is in flight stays so, and counts when it ends.
    assert_eq!(after.requests_in_flight, 1);
    requests.finish_at(in_flight, 7 * MS).unwrap();
    let last = requests.leave().unwrap();
    assert_eq!((last.requests_finished, last.request_total_duration), (1, ms(7)));
    // The other instance has not noticed.
    let other = figures(&path, "b");
    assert_eq!((other.requests_finished, other.errors.total), (1, 1));
    assert!(other.crawler_started_at_ns < after.crawler_started_at_ns);

    // When nobody is entered, there was no run since.
    reset(&path, DEFAULT_PREFIX, "a", None).unwrap();
    let told = figures(&path, "a");
    assert_eq!(
        (told.crawler_started_at_ns, told.crawler_runtime),
        (None, Duration::ZERO)
    );
    let _again = quiet(&segment).instance("a").enter().unwrap();
    let told = figures(&path, "a");
    assert!(told.crawler_started_at_ns > after.crawler_started_at_ns);
}

#[test]
fn a_08_what_was_started_before_a_reset_and_deferred_after_it_never_makes_starts_negative() {
    let _alone = alone();
    let scratch = Scratch::new("requests-reset-deferred");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    let requests = quiet(&segment).enter().unwrap();
    let starts = || {
        let told = figures(&path, DEFAULT_INSTANCE);
        (told.requests_started, told.retries_started)
    };
    let first = requests.start("first");
    assert!(requests.retry_later(requests.start("again")));
    let again = requests.start("again");
    assert_eq!(starts(), (2, 1));
    requests.reset().unwrap();
    assert!(requests.defer(first) && requests.defer(again));
    assert_eq!(starts(), (0, 0));
    let state = state(&requests.figures().unwrap());
    assert_eq!(
        (&state["requestsStarted"], &state["retriesStarted"]),
        (&json!(0), &json!(0))
    );
}

#[test]
fn a_08_after_a_reset_of_the_whole_segment_the_run_goes_on() {
    let _alone = alone();
    let scratch = Scratch::new("requests-reset-all");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    let requests = quiet(&segment).enter().unwrap();
    done(&requests, "a", 0, 20);
    let before = figures(&path, DEFAULT_INSTANCE);
    shmetrics::reset::at_path(&path, |_| true).unwrap();
    let told = figures(&path, DEFAULT_INSTANCE);
    assert_eq!((told.requests_total(), told.processes), (0, 1));
    assert!(told.crawler_started_at_ns > before.crawler_started_at_ns);
    done(&requests, "a", 0, 20);
    let last = requests.leave().unwrap();
    let told = figures(&path, DEFAULT_INSTANCE);
    assert_eq!((told.calculate(), told.requests_finished), (last, 1));
    let lasted = told.crawler_finished_at_ns.unwrap() - told.crawler_started_at_ns.unwrap();
    assert_eq!(told.crawler_runtime, Duration::from_nanos(lasted));
}

#[test]
fn a_08_no_reader_sees_half_of_a_reset() {
    let _alone = alone();
    let name = "resets::a_08_no_reader_sees_half_of_a_reset";
    if let Some(argument) = child_argument() {
        let segment = compact().open_at(&argument).unwrap();
        let requests = quiet(&segment).enter().unwrap();
        for number in 0u64.. {
            // Each counts once in every figure, the code first and the end last.
            let attempt = requests.start_at(&number.to_string(), 0);
            requests.register_status_code(200);
            requests.finish_at(attempt, MS).unwrap();
        }
    }
    let scratch = Scratch::new("requests-reset-halves");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    let requests = quiet(&segment).enter().unwrap();
    let mut worker = Worker::spawn(name, path.to_str().unwrap());
    let mut reader = Reader::open_path(&path).unwrap();
    let mut look = || {
        let snapshot = reader.snapshot().unwrap();
        View::new(&snapshot).figures(DEFAULT_INSTANCE).unwrap()
    };
    let all = |told: &Figures| {
        (
            [told.requests_finished, told.requests_started],
            told.requests_with_status_code.clone(),
            told.request_retry_histogram.clone(),
            told.request_total_duration(),
        )
    };
    let nothing = all(&Figures::default());
    for _ in 0..20 {
        poll("some requests", || (look().requests_finished > 500).then_some(()));
        // It stands still, wherever it is: what is told is that of before, or nothing.
        worker.stop();
        let before = all(&look());
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                requests.reset().unwrap();
                done.store(true, std::sync::atomic::Ordering::Relaxed);
            });
            loop {
                let is_last = done.load(std::sync::atomic::Ordering::Relaxed);
                let told = all(&look());
                assert!(told == before || told == nothing, "{told:?} of {before:?}");
                assert!(!is_last || told == nothing);
                if is_last {
                    break;
                }
            }
        });
        // SAFETY: a signal to a child of ours that was not waited for yet.
        unsafe { libc::kill(worker.0.id() as libc::pid_t, libc::SIGCONT) };
    }
    worker.kill();
}
