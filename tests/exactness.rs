//! Exactness with kills: whatever is killed wherever, Σdone ≤ total ≤ Σbegun per series, and no snapshot ever goes down.

mod support;

use std::sync::atomic::Ordering::{Relaxed, Release};

use shmetrics::{Reader, Segment, Unit};
use support::*;

const WORKERS: usize = 4;
const THREADS: usize = 4;
const GENERATIONS: usize = 5;
/// Per thread: begun and done of increments, begun and done of records; on lines of their own.
const WORDS: usize = 16;

fn slot_of(worker: usize, thread: usize) -> usize {
    (worker * THREADS + thread) * WORDS
}

/// A worker: counts and records until it is killed or told to stop.
fn work(argument: &str) {
    let mut parts = argument.split(' ');
    let (segment, tally) = (parts.next().unwrap(), parts.next().unwrap());
    let worker: usize = parts.next().unwrap().parse().unwrap();
    let length = WORKERS * GENERATIONS * THREADS * WORDS + 1;
    let tally = SharedWords::open(tally.as_ref(), length);
    let segment = Segment::options()
        .role(format!("worker-{worker}"))
        .open_or_create_at(segment)
        .unwrap();
    let counter = segment.counter("events_total").register().unwrap();
    let latency = segment
        .histogram("latency_seconds")
        .unit(Unit::Seconds)
        .register()
        .unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (tally, counter, latency) = (&tally, &counter, &latency);
            scope.spawn(move || {
                let at = slot_of(worker, thread);
                let mut n = 0u64;
                while tally.word(length - 1).load(Relaxed) == 0 {
                    for _ in 0..1000 {
                        n += 1;
                        tally.word(at).store(n, Release);
                        counter.inc();
                        tally.word(at + 1).store(n, Release);
                        tally.word(at + 2).store(n, Release);
                        latency.record(1_000 * (n % 1000));
                        tally.word(at + 3).store(n, Release);
                    }
                }
            });
        }
    });
}

#[test]
fn kills_lose_nothing_and_double_nothing() {
    if let Some(argument) = child_argument() {
        return work(&argument);
    }
    let scratch = Scratch::new("kills");
    let (path, tally_path) = (scratch.path("segment"), scratch.path("tally"));
    let length = WORKERS * GENERATIONS * THREADS * WORDS + 1;
    let tally = SharedWords::open(&tally_path, length);
    let spawn = |number: usize| {
        let argument = format!("{} {} {number}", path.display(), tally_path.display());
        Worker::spawn("kills_lose_nothing_and_double_nothing", &argument)
    };
    let mut workers: Vec<Worker> = (0..WORKERS).map(spawn).collect();
    let mut next = WORKERS;
    let mut reader = poll("the segment", || Reader::open_path(&path).ok());
    let mut last = (0, 0, 0.0);
    let mut exact = 0;
    let mut take = |reader: &mut Reader| {
        let snapshot = reader.snapshot().unwrap();
        if snapshot.find("latency_seconds", &[]).is_none() {
            return;
        }
        let count = counter(&snapshot, "events_total", &[]);
        let (records, sum, is_exact) = histogram(&snapshot, "latency_seconds");
        assert!(
            count >= last.0 && records >= last.1 && sum >= last.2,
            "went down: {last:?} -> {count} {records} {sum}"
        );
        last = (count, records, sum);
        exact += u64::from(is_exact);
    };
    for generation in 1..GENERATIONS {
        for (slot, worker) in workers.iter_mut().enumerate() {
            // Every worker has done something since it started before it is killed.
            let number = (generation - 1) * WORKERS + slot;
            poll("progress", || {
                take(&mut reader);
                (0..THREADS)
                    .all(|t| tally.word(slot_of(number, t) + 3).load(Relaxed) > 5_000)
                    .then_some(())
            });
            worker.kill();
            take(&mut reader);
            *worker = spawn(next);
            next += 1;
        }
    }
    poll("the last ones' progress", || {
        take(&mut reader);
        ((GENERATIONS - 1) * WORKERS..next)
            .all(|number| tally.word(slot_of(number, 0) + 3).load(Relaxed) > 5_000)
            .then_some(())
    });
    tally.word(length - 1).store(1, Relaxed);
    workers.iter_mut().for_each(Worker::finish);

    let snapshot = snapshot(&path);
    let killed = ((GENERATIONS - 1) * WORKERS * THREADS) as u64;
    let check = |what: &str, total: u64, offset: usize| {
        let sum = |at: usize| {
            (0..next * THREADS)
                .map(|i| tally.word(i * WORDS + at).load(Relaxed))
                .sum::<u64>()
        };
        let (begun, done) = (sum(offset), sum(offset + 1));
        assert!(
            done <= total && total <= begun,
            "{what}: done {done}, total {total}, begun {begun}"
        );
        assert!(
            begun - done <= killed,
            "{what}: {} unsure for {killed} killed threads",
            begun - done
        );
        assert!(
            done > 100_000,
            "{what}: too little was done to mean anything: {done}"
        );
    };
    check("increments", counter(&snapshot, "events_total", &[]), 0);
    let (records, _, is_exact) = histogram(&snapshot, "latency_seconds");
    check("records", records, 2);
    assert!(is_exact, "with all writers gone the histogram is exact");
    assert!(exact > 0, "no snapshot under load was exact");
    // Every lane was taken again and again: no more than there were threads at one time, and some for the dying.
    let touched = snapshot.fill.lanes_touched;
    assert!(
        touched <= 2 * (WORKERS * THREADS) as u64,
        "{touched} lanes for {} threads at a time",
        WORKERS * THREADS
    );
}

#[test]
fn a_histogram_at_full_rate_is_read_exactly_every_time() {
    let scratch = Scratch::new("hot");
    let path = scratch.path("segment");
    let segment = Segment::options().open_or_create_at(&path).unwrap();
    let latency = segment
        .histogram("latency_seconds")
        .unit(Unit::Seconds)
        .register()
        .unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0u64;
            while !stop.load(Relaxed) {
                n = n.wrapping_add(1);
                latency.record(n * 7919 % 1_000_000_000);
            }
        });
        let mut reader = Reader::open_path(&path).unwrap();
        let mut last = 0;
        let mut snapshot = reader.snapshot().unwrap();
        poll("records", || {
            reader.snapshot_into(&mut snapshot).unwrap();
            (histogram(&snapshot, "latency_seconds").0 > 1000).then_some(())
        });
        for _ in 0..20_000 {
            reader.snapshot_into(&mut snapshot).unwrap();
            let (count, _, is_exact) = histogram(&snapshot, "latency_seconds");
            assert!(is_exact, "bounded at {count}");
            assert!(count >= last);
            last = count;
        }
        stop.store(true, Relaxed);
    });
}

#[test]
fn a_fresh_histogram_at_full_rate_is_exact_before_its_first_seal() {
    let scratch = Scratch::new("fresh");
    for round in 0..200 {
        let path = scratch.path(&format!("segment-{round}"));
        let segment = Segment::options()
            .preset(shmetrics::Preset::Compact)
            .open_or_create_at(&path)
            .unwrap();
        let latency = segment
            .histogram("latency_seconds")
            .unit(Unit::Seconds)
            .register()
            .unwrap();
        let mut reader = Reader::open_path(&path).unwrap();
        let is_done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                (0..shmetrics::protocol::latch::SEAL_INTERVAL - 1).for_each(|n| latency.record(n * 7919));
                is_done.store(true, Release);
            });
            let mut last = 0;
            while !is_done.load(Relaxed) {
                let (count, _, is_exact) = histogram(&reader.snapshot().unwrap(), "latency_seconds");
                assert!(
                    is_exact && count >= last,
                    "round {round}: {count} after {last}, exact: {is_exact}"
                );
                last = count;
            }
        });
        let (count, _, is_exact) = histogram(&reader.snapshot().unwrap(), "latency_seconds");
        assert!(is_exact && count == shmetrics::protocol::latch::SEAL_INTERVAL - 1);
        std::fs::remove_file(&path).unwrap();
    }
}
