//! A segment that is written to at full rate: what the other reader says stands between two snapshots of the library.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use shmetrics::protocol::latch::SEAL_INTERVAL;
use shmetrics::snapshot::Clocks;
use shmetrics::{Merge, Reader, Segment, SegmentOptions, Unit};

use crate::second_reader::*;
use crate::support::*;

/// What every worker records into `constant`, so that the sum tells the count.
const CONSTANT: u64 = 3;
/// The largest value of any of them, in its exported unit.
const LARGEST: f64 = CONSTANT as f64;
const WORKERS: usize = 3;

/// A worker: counts, records and sets until it is killed.
#[test]
fn live_worker() {
    let Some(path) = child_argument() else { return };
    let segment = SegmentOptions::default()
        .role("live")
        .open_at(Path::new(&path))
        .unwrap();
    let counter = segment.counter("done").label("by", "worker").register().unwrap();
    let depth = segment.gauge("depth").merge(Merge::Max).register().unwrap();
    let timed = segment.histogram("timed").unit(Unit::Seconds).register().unwrap();
    let constant = segment.histogram("constant").register().unwrap();
    for number in 1.. {
        counter.inc();
        depth.set((number % 100) as i64);
        timed.record(number % 5_000_000);
        constant.record(CONSTANT);
    }
}

#[test]
fn the_other_reader_stands_between_two_snapshots_of_a_live_segment() {
    if !has_python() {
        return;
    }
    let scratch = Scratch::new("conformance-live");
    let path = scratch.path("segment");
    let segment = Segment::options()
        .epoch(Duration::from_millis(50))
        .create_at(&path)
        .unwrap();
    let argument = path.to_str().unwrap();
    let mut workers: Vec<Worker> = (0..WORKERS)
        .map(|_| Worker::spawn("live::live_worker", argument))
        .collect();
    let mut reader = Reader::open_path(&path).unwrap();
    poll("the workers to begin", || {
        reader.refresh_owners().unwrap();
        let snapshot = reader.snapshot().unwrap();
        let value = snapshot.find("constant", &[])?;
        matches!(&value.value, shmetrics::Value::Histogram(histogram) if histogram.count > 100_000)
            .then_some(())
    });
    for round in 0..6 {
        let before = Grown::all(&ask(&mut reader, Question::Snapshot));
        let between = Grown::all(&other(&path, Question::Snapshot, None).unwrap());
        let after = Grown::all(&ask(&mut reader, Question::Snapshot));
        assert_eq!(before.len(), 3, "{before:?}");
        assert_eq!((before.len(), after.len()), (between.len(), between.len()));
        for ((low, middle), high) in before.iter().zip(&between).zip(&after) {
            middle.assert_not_below(low);
            high.assert_not_below(middle);
        }
        if round == 3 {
            workers[0].kill();
        }
    }
    workers.iter_mut().for_each(Worker::kill);
    drop(segment);
    // All is quiet: now they agree to the last bit.
    let now = Clocks::read();
    let mut reader = Reader::open_path(&path).unwrap();
    reader.per_process(true).as_of(Some(now));
    let theirs = other(&path, Question::Snapshot, Some(now)).unwrap();
    assert_same(
        &ask(&mut reader, Question::Snapshot),
        &theirs,
        "",
        "after the end",
    );
}

/// What only grows of a series: its value or count, its sum, and how many were at most each bound.
#[derive(Debug)]
struct Grown {
    name: String,
    count: u64,
    sum: f64,
    /// Cumulative, by bound; the last bound is +Inf.
    buckets: Vec<(f64, u64)>,
}

impl Grown {
    fn all(snapshot: &Value) -> Vec<Grown> {
        let series = snapshot["series"].as_array().unwrap().iter();
        series.filter_map(Grown::of).collect()
    }

    /// Of a counter or a histogram.
    fn of(series: &Value) -> Option<Grown> {
        let name = series["name"].as_str().unwrap().to_owned();
        if series["kind"] == "counter_u64" {
            let count = series["value"].as_u64()?;
            return Some(Grown {
                name,
                count,
                sum: 0.0,
                buckets: Vec::new(),
            });
        }
        let count = series["count"].as_u64()?;
        let buckets = series["buckets"].as_array()?.iter().map(|bucket| {
            let bound = bucket["le"].as_f64().unwrap_or(f64::INFINITY);
            (bound, bucket["count"].as_u64().unwrap())
        });
        let grown = Grown {
            name,
            count,
            sum: series["sum"].as_f64()?,
            buckets: buckets.collect(),
        };
        assert_eq!(grown.at_most(f64::INFINITY), count, "{grown:?}");
        if grown.name == "constant" {
            assert_eq!(grown.sum, (CONSTANT * count) as f64, "{grown:?}");
        }
        Some(grown)
    }

    /// Buckets that hold nothing are not listed: what is below them counts.
    fn at_most(&self, bound: f64) -> u64 {
        let below = self.buckets.iter().rev().find(|bucket| bucket.0 <= bound);
        below.map_or(0, |bucket| bucket.1)
    }

    /// Another reader's answer, given before. Neither knows what the other one knew: of a hot histogram it may have taken sealed
    /// copies, exact and in each lane at most so many records old (SPEC.md 10.12).
    #[track_caller]
    fn assert_not_below(&self, earlier: &Grown) {
        assert_eq!(self.name, earlier.name);
        let lag = if self.buckets.is_empty() {
            0
        } else {
            WORKERS as u64 * SEAL_INTERVAL
        };
        assert!(
            self.count + lag >= earlier.count && self.sum + lag as f64 * LARGEST >= earlier.sum,
            "{earlier:?}, and then {self:?}"
        );
        for (bound, _) in self.buckets.iter().chain(&earlier.buckets) {
            assert!(
                self.at_most(*bound) + lag >= earlier.at_most(*bound),
                "{}, at most {bound}: {earlier:?}, and then {self:?}",
                self.name
            );
        }
    }
}
