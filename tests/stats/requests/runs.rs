//! Run time: over restarts, over processes, without down time.

use super::*;

/// The words of a child: it is entered, and it shall leave.
const ENTERED: usize = 0;
const LEAVE: usize = 1;

fn child(argument: &str) {
    let path = Path::new(argument);
    let words = SharedWords::open(&path.with_file_name("words"), 2);
    let segment = compact().open_at(path).unwrap();
    let requests = quiet(&segment).enter().unwrap();
    words
        .word(ENTERED)
        .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    poll("to leave", || {
        (words.word(LEAVE).load(std::sync::atomic::Ordering::Relaxed) != 0).then_some(())
    });
    requests.leave().unwrap();
}

/// The last sign of life of all runs.
pub(super) fn alive(path: &Path) -> u64 {
    let snapshot = look(path);
    let marks = snapshot.series.iter().filter_map(|series| match series.value {
        shmetrics::Value::TimeMark(mark) => mark,
        _ => None,
    });
    marks.max().unwrap_or(0)
}

#[test]
fn a_04_run_time_goes_on_after_a_kill_and_down_time_is_none() {
    let _alone = alone();
    let name = "runs::a_04_run_time_goes_on_after_a_kill_and_down_time_is_none";
    if let Some(argument) = child_argument() {
        return child(&argument);
    }
    let scratch = Scratch::new("requests-runs");
    let path = scratch.path("segment");
    let _segment = compact().create_at(&path).unwrap();
    let words = SharedWords::open(&scratch.path("words"), 2);
    let (mut runtime, mut first, mut longest) = (Duration::ZERO, None, Duration::ZERO);
    for round in 1..=4 {
        let begun = std::time::Instant::now();
        let mut worker = Worker::spawn(name, path.to_str().unwrap());
        poll("a session", || {
            (words.word(ENTERED).load(std::sync::atomic::Ordering::Relaxed) == round).then_some(())
        });
        let told = figures(&path, DEFAULT_INSTANCE);
        assert!(told.crawler_runtime >= runtime);
        assert_eq!((told.processes, told.crawler_finished_at_ns), (1, None));
        assert!(told.crawler_last_started_at_ns.is_some());
        first = first.or(told.crawler_started_at_ns);
        assert_eq!(told.crawler_started_at_ns, first);
        let started = told.crawler_last_started_at_ns.unwrap();
        poll("signs of life", || {
            (alive(&path) > started + 300 * MS).then_some(())
        });
        match round % 2 {
            0 => words.word(LEAVE).store(1, std::sync::atomic::Ordering::Relaxed),
            _ => worker.kill(),
        }
        let _ = worker.0.wait();
        words.word(LEAVE).store(0, std::sync::atomic::Ordering::Relaxed);
        longest += begun.elapsed();
        let told = figures(&path, DEFAULT_INSTANCE);
        // At most a sign of life is missing, and nothing that was not run.
        assert!(told.crawler_runtime >= runtime + ms(300), "{told:?}");
        assert!(told.crawler_runtime <= longest, "{told:?}, of {longest:?}");
        runtime = told.crawler_runtime;
        assert!(told.crawler_finished_at_ns >= told.crawler_last_started_at_ns);
        // Down: whatever the time until the next one, it does not count.
        let down = std::time::Instant::now();
        poll("down time", || (down.elapsed() > ms(300)).then_some(()));
        assert_eq!(figures(&path, DEFAULT_INSTANCE).crawler_runtime, runtime);
    }
}

#[test]
fn a_04_a_wall_clock_that_was_set_back_makes_no_run_time() {
    let _alone = alone();
    let scratch = Scratch::new("requests-set-back");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    // Signs of life of before: an hour in the future.
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let later = now.as_nanos() as u64 + 3_600_000 * MS;
    let marks = ["0", "1"].map(|run| {
        let mark = segment.time_mark("requests_alive");
        let mark = mark.label("instance", DEFAULT_INSTANCE).label("run", run);
        mark.register().unwrap()
    });
    let begun = std::time::Instant::now();
    let mut runtime = Duration::ZERO;
    for round in 0..4 {
        // In the place of the run that is about to begin.
        marks[(round + 1) % 2].mark_at_ns(later + round as u64 * 1_000 * MS);
        let requests = quiet(&segment).enter().unwrap();
        assert!(requests.figures().unwrap().crawler_runtime <= begun.elapsed());
        let before = alive(&path);
        poll("signs of life", || {
            (alive(&path) >= before + 10 * MS).then_some(())
        });
        if round == 2 {
            requests.reset().unwrap();
            runtime = Duration::ZERO;
            assert!(requests.figures().unwrap().crawler_runtime <= begun.elapsed());
        }
        let last = requests.leave().unwrap();
        assert!(last.crawler_runtime <= begun.elapsed(), "{last:?}");
        assert!(last.crawler_runtime > runtime, "{last:?} after {runtime:?}");
        runtime = last.crawler_runtime;
    }
}

#[test]
fn a_04_processes_that_overlap_are_one_run() {
    let _alone = alone();
    let name = "runs::a_04_processes_that_overlap_are_one_run";
    if let Some(argument) = child_argument() {
        return child(&argument);
    }
    let scratch = Scratch::new("requests-overlap");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    let words = SharedWords::open(&scratch.path("words"), 2);
    let requests = quiet(&segment).enter().unwrap();
    let begun = requests.figures().unwrap();
    let mut workers = [(); 2].map(|()| Worker::spawn(name, path.to_str().unwrap()));
    poll("two sessions", || {
        (words.word(ENTERED).load(std::sync::atomic::Ordering::Relaxed) == 2).then_some(())
    });
    requests.leave().unwrap();
    workers[0].kill();
    let told = figures(&path, DEFAULT_INSTANCE);
    // Who began it is gone, and so is another: it goes on, and no time counts twice.
    assert_eq!((told.processes, told.crawler_finished_at_ns), (1, None));
    assert_eq!(told.crawler_last_started_at_ns, begun.crawler_started_at_ns);
    assert_runs_since(&told, Duration::ZERO, begun.crawler_started_at_ns.unwrap());
    words.word(LEAVE).store(1, std::sync::atomic::Ordering::Relaxed);
    workers[1].finish();
    let told = figures(&path, DEFAULT_INSTANCE);
    let lasted = told.crawler_finished_at_ns.unwrap() - begun.crawler_started_at_ns.unwrap();
    assert_eq!(told.crawler_runtime, Duration::from_nanos(lasted));
}

#[test]
fn a_04_run_time_is_never_more_than_the_time_since_the_start_while_processes_come_go_and_are_killed() {
    let _alone = alone();
    let name = "runs::a_04_run_time_is_never_more_than_the_time_since_the_start_while_processes_come_go_and_are_killed";
    if let Some(argument) = child_argument() {
        let segment = compact().open_at(&argument).unwrap();
        loop {
            let requests = quiet(&segment).enter().unwrap();
            done(&requests, &std::process::id().to_string(), 0, 1);
            requests.leave().unwrap();
        }
    }
    let scratch = Scratch::new("requests-come-and-go");
    let path = scratch.path("segment");
    let _segment = compact().create_at(&path).unwrap();
    let mut reader = Reader::open_path(&path).unwrap();
    let mut first = None;
    let mut look = || {
        reader.refresh_owners().unwrap();
        let snapshot = reader.snapshot().unwrap();
        let told = View::new(&snapshot).figures(DEFAULT_INSTANCE).unwrap_or_default();
        if told.requests_finished == 0 {
            return 0;
        }
        // Whoever is in the middle of whatever: there is a run, it began when the first one did, and down time is not in it.
        let started = told.crawler_started_at_ns.unwrap();
        assert_eq!(started, *first.get_or_insert(started));
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        let since = now.checked_sub(Duration::from_nanos(started)).unwrap();
        assert!(told.crawler_runtime <= since, "{told:?} in {since:?}");
        assert!(told.crawler_last_started_at_ns >= told.crawler_started_at_ns);
        told.requests_finished
    };
    for _ in 0..12 {
        let mut workers = [(); 2].map(|()| Worker::spawn(name, path.to_str().unwrap()));
        let before = look();
        poll("some sessions", || (look() >= before + 20).then_some(()));
        workers.iter_mut().for_each(Worker::kill);
        look();
    }
}
