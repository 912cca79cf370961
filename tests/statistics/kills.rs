//! Workers that are killed at any moment while a reader checks every number and every sample.

use std::sync::atomic::Ordering::{Relaxed, Release};

use super::*;

const WORKERS: usize = 3;
const THREADS: usize = 2;
const GENERATIONS: usize = 4;
/// Per thread: begun and done, on lines of their own.
const WORDS: usize = 16;
const LENGTH: usize = WORKERS * GENERATIONS * THREADS * WORDS + 3;
const TEST: &str = "kills::numbers_and_samples_survive_kills_exactly";

fn slot_of(worker: usize, thread: usize) -> usize {
    (worker * THREADS + thread) * WORDS
}

/// Adds 4 and takes 1 away, n times; samples say which thread of which worker it is, and n.
fn work(argument: &str) {
    let mut parts = argument.split(' ');
    let (path, tally) = (parts.next().unwrap(), parts.next().unwrap());
    let worker: usize = parts.next().unwrap().parse().unwrap();
    let tally = SharedWords::open(tally.as_ref(), LENGTH);
    let segment = open(path.as_ref());
    let (balance, parts, latency) = (
        segment.number("balance").register().unwrap(),
        segment.number("parts").register().unwrap(),
        segment.samples("latency").keep(64).register().unwrap(),
    );
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (tally, balance, parts, latency) = (&tally, &balance, &parts, &latency);
            scope.spawn(move || {
                let at = slot_of(worker, thread);
                let mut n = 0u64;
                while tally.word(LENGTH - 1).load(Relaxed) == 0 {
                    for _ in 0..100 {
                        n += 1;
                        tally.word(at).store(n, Release);
                        balance.add(4);
                        balance.add(-1);
                        parts.add_float(0.5);
                        latency.record((at as u64 * 1_000_000_000 + n) as f64);
                        tally.word(at + 1).store(n, Release);
                    }
                }
            });
        }
    });
}

/// Checks one snapshot against what was done before it and what had begun after it.
fn check(reader: &mut Reader, tally: &SharedWords) {
    let done = tally.sum(1, WORDS) as f64;
    let snapshot = reader.snapshot().unwrap();
    let begun = tally.sum(0, WORDS) as f64;
    let value = |name: &str| snapshot.find(name, &[]).map(|series| &series.value);
    let (Some(Value::Number(balance)), Some(Value::Number(parts)), Some(Value::Samples(latency))) =
        (value("balance"), value("parts"), value("latency"))
    else {
        return;
    };
    let Number::I64(balance) = *balance else {
        panic!("{balance:?}")
    };
    // Of one in flight there may be the 4 without the -1.
    let in_flight = (WORKERS * GENERATIONS * THREADS) as f64;
    assert!(
        (3.0 * done..=3.0 * begun + 4.0 * in_flight).contains(&(balance as f64)),
        "{balance}: {done} to {begun}"
    );
    let halves = match *parts {
        Number::F64(parts) => parts * 2.0,
        Number::I64(0) => 0.0,
        other => panic!("{other:?}"),
    };
    assert!((done..=begun).contains(&halves), "{halves}: {done} to {begun}");
    assert!(
        (done..=begun).contains(&(latency.count as f64)),
        "{}: {done} to {begun}",
        latency.count
    );
    let shown = latency.values.len() as u64 + latency.overtaken;
    assert!(
        latency.values.len() <= 64 && shown >= latency.count.min(64),
        "{latency:?}"
    );
    for value in &latency.values {
        let (at, n) = (*value as u64 / 1_000_000_000, *value as u64 % 1_000_000_000);
        assert!(
            at < LENGTH as u64 - 3 && at % WORDS as u64 == 0,
            "{value} was never recorded"
        );
        assert!(
            (1..=tally.word(at as usize).load(Relaxed)).contains(&n),
            "{value} was never recorded"
        );
    }
}

#[test]
fn numbers_and_samples_survive_kills_exactly() {
    let _alone = alone();
    if let Some(argument) = child_argument() {
        return work(&argument);
    }
    let scratch = Scratch::new("statistics-kills");
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
            *worker = spawn(generation * WORKERS + place);
        }
    }
    (0..WORKERS).for_each(|place| progress(&mut reader, (GENERATIONS - 1) * WORKERS + place));
    tally.word(LENGTH - 1).store(1, Relaxed);
    workers.iter_mut().for_each(Worker::finish);
    check(&mut reader, &tally);
    // Whoever was stopped in the middle of one left at most that one.
    let latency = samples(&path, "latency");
    let (done, begun) = (tally.sum(1, WORDS), tally.sum(0, WORDS));
    assert!((done..=begun).contains(&latency.count));
    assert_eq!((latency.values.len(), latency.overtaken), (64, 0));
    let report = shmetrics::verify::verify(&path).unwrap();
    assert!(
        report.worst() <= Some(shmetrics::verify::Severity::Note),
        "{report}"
    );
}
