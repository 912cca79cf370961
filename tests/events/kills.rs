//! Writers that are killed at any moment, and two readers all the while.

use std::collections::HashMap;
use std::sync::atomic::Ordering::{Relaxed, Release};

use shmetrics::Reader;
use shmetrics::events::{EventBatch, Since};

use super::support::*;
use super::{compact, tick, ticks, told};

const WORKERS: usize = 3;
const GENERATIONS: usize = 6;
/// Per worker: events begun and done, on a line of their own; the last word tells them to stop.
const WORDS: usize = 16;

fn work(argument: &str) {
    let mut parts = argument.split(' ');
    let (path, tally, worker) = (
        parts.next().unwrap(),
        parts.next().unwrap(),
        parts.next().unwrap(),
    );
    let worker: usize = worker.parse().unwrap();
    let tally = SharedWords::open(tally.as_ref(), WORDS * WORKERS * GENERATIONS + 1);
    let segment = compact(path.as_ref());
    let events = ticks(&segment, 256);
    let mut number = 0;
    while tally.word(WORDS * WORKERS * GENERATIONS).load(Relaxed) == 0 {
        tally.word(worker * WORDS).store(number + 1, Release);
        tick(&events, worker as u64, number);
        number += 1;
        tally.word(worker * WORDS + 1).store(number, Release);
    }
}

/// What a reader was told of each worker: the number of the next event, and how many it got.
#[derive(Default)]
pub struct Followed {
    next: HashMap<u64, u64>,
    pub events: u64,
    pub lost: u64,
}

impl Followed {
    pub fn take(&mut self, batch: &EventBatch) {
        for (worker, number) in told(batch) {
            let next = self.next.entry(worker).or_default();
            assert!(
                number >= *next,
                "event {number} of worker {worker} came again, or out of order"
            );
            *next = number + 1;
        }
        self.events += batch.events.len() as u64;
        self.lost += batch.lost;
    }
}

#[test]
fn killed_writers_lose_no_event_that_landed_and_no_reader_gets_one_twice() {
    let _alone = alone();
    if let Some(argument) = child_argument() {
        return work(&argument);
    }
    let scratch = Scratch::new("events-kills");
    let (path, tally_path) = (scratch.path("segment"), scratch.path("tally"));
    let tally = SharedWords::open(&tally_path, WORDS * WORKERS * GENERATIONS + 1);
    let spawn = |number: usize| {
        let argument = format!("{} {} {number}", path.display(), tally_path.display());
        let test = "kills::killed_writers_lose_no_event_that_landed_and_no_reader_gets_one_twice";
        Worker::spawn(test, &argument)
    };
    let mut workers: Vec<Worker> = (0..WORKERS).map(spawn).collect();
    let mut reader = poll("the segment", || Reader::open_path(&path).ok());
    let mut cursor = reader.event_cursor(Since::Start).unwrap();
    let mut slow_cursor = cursor.clone();
    let (mut fast, mut slow) = (Followed::default(), Followed::default());
    let mut next = WORKERS;
    while next < WORKERS * GENERATIONS {
        // All have a lane: else one that starts late would take that of one that was killed, and write over what it did.
        for number in next - WORKERS..next {
            poll("all of them", || {
                fast.take(&reader.events(&mut cursor, usize::MAX).unwrap());
                (tally.word(number * WORDS + 1).load(Relaxed) > 0).then_some(())
            });
        }
        for (slot, worker) in workers.iter_mut().enumerate() {
            let number = next - WORKERS + slot;
            let done = poll("progress", || {
                fast.take(&reader.events(&mut cursor, usize::MAX).unwrap());
                Some(tally.word(number * WORDS + 1).load(Relaxed)).filter(|done| *done > 2_000)
            });
            worker.kill();
            let last = reader.events(&mut cursor, usize::MAX).unwrap();
            fast.take(&last);
            // Whoever is dead has told all that it did; the last one, of which nobody knows, is whole or not there.
            let (begun, done) = (
                tally.word(number * WORDS).load(Relaxed),
                tally.word(number * WORDS + 1).load(Relaxed).max(done),
            );
            let got = fast.next[&(number as u64)];
            assert!((done..=begun).contains(&got), "{done} <= {got} <= {begun}");
        }
        slow.take(&reader.events(&mut slow_cursor, usize::MAX).unwrap());
        for (slot, worker) in workers.iter_mut().enumerate() {
            *worker = spawn(next + slot);
        }
        next += WORKERS;
    }
    tally.word(WORDS * WORKERS * GENERATIONS).store(1, Relaxed);
    workers.iter_mut().for_each(Worker::finish);
    fast.take(&reader.events(&mut cursor, usize::MAX).unwrap());
    slow.take(&reader.events(&mut slow_cursor, usize::MAX).unwrap());

    // Both were told of as many, got or lost; and that is what was written, but for those that nobody knows.
    assert_eq!(fast.events + fast.lost, slow.events + slow.lost);
    let sum = |offset: usize| {
        (0..WORKERS * GENERATIONS)
            .map(|number| tally.word(number * WORDS + offset).load(Relaxed))
            .sum::<u64>()
    };
    let (begun, done) = (sum(0), sum(1));
    let shown = snapshot(&path);
    let shmetrics::Value::Events(totals) = &shown.find("ticks", &[]).unwrap().value else {
        panic!("{shown:?}")
    };
    assert!(
        (done..=begun).contains(&totals.written),
        "{done} {} {begun}",
        totals.written
    );
    // An event that a kill cut short takes the one that it was overwriting along, which somebody may have got before.
    assert_eq!(fast.events + fast.lost, totals.written);
    assert_eq!(totals.dropped, 0);
    assert!(shown.health.adoptions > 0, "nobody was adopted");
}
