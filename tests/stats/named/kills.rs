//! Point 7: processes that are killed again and again. What they counted stays, exactly, and is shown going up only.

use std::sync::atomic::Ordering::{Relaxed, Release};

use super::*;

const WORKERS: usize = 3;
const GENERATIONS: usize = 4;
/// Per worker: begun and done, on lines of their own.
const WORDS: usize = 16;
const LENGTH: usize = WORKERS * GENERATIONS * WORDS + 3;
const TEST: &str = "kills::b_07_totals_of_the_dead_are_kept_and_never_go_down";

fn work(argument: &str) {
    let mut parts = argument.split(' ');
    let (path, tally) = (parts.next().unwrap(), parts.next().unwrap());
    let worker: usize = parts.next().unwrap().parse().unwrap();
    let tally = SharedWords::open(tally.as_ref(), LENGTH);
    let stats = Stats::new(&open(path.as_ref()));
    stats.set("alive", 1);
    let at = worker * WORDS;
    let mut n = 0u64;
    while tally.word(LENGTH - 1).load(Relaxed) == 0 {
        n += 1;
        tally.word(at).store(n, Release);
        stats.incr("events", 1);
        stats.record("size {0}", n as f64);
        tally.word(at + 1).store(n, Release);
    }
}

#[test]
fn b_07_totals_of_the_dead_are_kept_and_never_go_down() {
    let _alone = alone();
    if let Some(argument) = child_argument() {
        return work(&argument);
    }
    let scratch = Scratch::new("b-07");
    let (path, tally_path) = (scratch.path("segment"), scratch.path("tally"));
    let tally = SharedWords::open(&tally_path, LENGTH);
    let spawn = |number: usize| {
        let argument = format!("{} {} {number}", path.display(), tally_path.display());
        Worker::spawn(TEST, &argument)
    };
    let mut workers: Vec<Worker> = (0..WORKERS).map(spawn).collect();
    let mut reader = poll("the segment", || Reader::open_path(&path).ok());
    let mut last = 0;
    let mut check = |reader: &mut Reader| {
        let done = tally.sum(1, WORDS) as i64;
        let snapshot = reader.snapshot().unwrap();
        let begun = tally.sum(0, WORDS) as i64;
        let Some(Number::I64(events)) = figure(&snapshot, "events") else {
            return;
        };
        assert!((done..=begun).contains(&events), "{events}: {done} to {begun}");
        assert!(events >= last, "went down from {last} to {events}");
        last = events;
    };
    let mut next = WORKERS;
    for generation in 1..GENERATIONS {
        for (place, worker) in workers.iter_mut().enumerate() {
            let number = (generation - 1) * WORKERS + place;
            poll("progress", || {
                check(&mut reader);
                (tally.word(number * WORDS + 1).load(Relaxed) > 2_000).then_some(())
            });
            worker.kill();
            check(&mut reader);
            *worker = spawn(next);
            next += 1;
        }
    }
    for number in (GENERATIONS - 1) * WORKERS..next {
        poll("the last ones' progress", || {
            check(&mut reader);
            (tally.word(number * WORDS + 1).load(Relaxed) > 2_000).then_some(())
        });
    }
    // Slots and lanes of the dead were taken over: there are no more than were alive at a time.
    let snapshot = snapshot(&path);
    assert!(
        snapshot.fill.lanes_touched <= 2 * WORKERS as u64,
        "{:?}",
        snapshot.fill
    );
    assert!(snapshot.health.adoptions > 0);
    assert_eq!(
        figure(&snapshot, "alive"),
        Some(Number::F64(WORKERS as f64)),
        "gauges of the dead do not count"
    );
    tally.word(LENGTH - 1).store(1, Relaxed);
    workers.iter_mut().for_each(Worker::finish);
    check(&mut reader);
    let done = tally.sum(1, WORDS) as i64;
    // Of the killed each left at most one in the middle.
    assert!(
        (done..=done + (next - WORKERS) as i64).contains(&last),
        "{last} of {done}"
    );
}
