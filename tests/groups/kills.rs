//! Workers that are killed at any moment while a reader checks that fields fit each other.

use std::sync::atomic::Ordering::{Relaxed, Release};

use super::*;

const WORKERS: usize = 3;
const THREADS: usize = 2;
const GENERATIONS: usize = 4;
/// Per thread: begun and done, on lines of their own.
const WORDS: usize = 16;
const LENGTH: usize = WORKERS * GENERATIONS * THREADS * WORDS + 3;
const TEST: &str = "kills::updates_survive_kills_whole";

fn slot_of(worker: usize, thread: usize) -> usize {
    (worker * THREADS + thread) * WORDS
}

fn work(argument: &str) {
    let mut parts = argument.split(' ');
    let (path, tally) = (parts.next().unwrap(), parts.next().unwrap());
    let worker: usize = parts.next().unwrap().parse().unwrap();
    let tally = SharedWords::open(tally.as_ref(), LENGTH);
    let segment = open(path.as_ref());
    let deliveries = deliveries(&segment);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (tally, deliveries) = (&tally, &deliveries);
            scope.spawn(move || {
                let at = slot_of(worker, thread);
                let mut n = 0u64;
                while tally.word(LENGTH - 1).load(Relaxed) == 0 {
                    for _ in 0..100 {
                        n += 1;
                        tally.word(at).store(n, Release);
                        deliveries.add(AMOUNTS);
                        tally.word(at + 1).store(n, Release);
                    }
                }
            });
        }
    });
}

/// Checks one snapshot against what was done before it and what had begun after it.
fn check(reader: &mut Reader, tally: &SharedWords) {
    let done = tally.sum(1, WORDS);
    let snapshot = reader.snapshot().unwrap();
    let begun = tally.sum(0, WORDS);
    let Some(Value::Group(group)) = snapshot.find("deliveries", &[]).map(|series| &series.value) else {
        return;
    };
    // Each thread has a lane: nobody is in the shared lane, however many died.
    assert_eq!(group.quality, Quality::Exact, "{group:?}");
    assert!(fits(group), "{group:?}");
    assert!(
        (done..=begun).contains(&group.updates),
        "{}: {done} to {begun}",
        group.updates
    );
}

#[test]
fn updates_survive_kills_whole() {
    let _alone = alone();
    if let Some(argument) = child_argument() {
        return work(&argument);
    }
    let scratch = Scratch::new("groups-kills");
    let (path, tally_path) = (scratch.path("segment"), scratch.path("tally"));
    let tally = SharedWords::open(&tally_path, LENGTH);
    let spawn = |number: usize| {
        let argument = format!("{} {} {number}", path.display(), tally_path.display());
        Worker::spawn(TEST, &argument)
    };
    let mut workers: Vec<Worker> = (0..WORKERS).map(spawn).collect();
    let mut reader = poll("the segment", || Reader::open_path(&path).ok());
    let progress = |reader: &mut Reader, number: usize| {
        poll("progress", || {
            check(reader, &tally);
            let of_thread = |thread| tally.word(slot_of(number, thread) + 1).load(Relaxed) > 2_000;
            (0..THREADS).all(of_thread).then_some(())
        });
    };
    for generation in 1..GENERATIONS {
        for (place, worker) in workers.iter_mut().enumerate() {
            progress(&mut reader, (generation - 1) * WORKERS + place);
            worker.kill();
            check(&mut reader, &tally);
            // Also who never saw the segment before.
            check(&mut Reader::open_path(&path).unwrap(), &tally);
            *worker = spawn(generation * WORKERS + place);
        }
    }
    (0..WORKERS).for_each(|place| progress(&mut reader, (GENERATIONS - 1) * WORKERS + place));
    tally.word(LENGTH - 1).store(1, Relaxed);
    workers.iter_mut().for_each(Worker::finish);
    check(&mut reader, &tally);
    let report = shmetrics::verify::verify(&path).unwrap();
    assert!(
        report.worst() <= Some(shmetrics::verify::Severity::Note),
        "{report}"
    );
}
