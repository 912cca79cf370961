//! Histograms that are written to from their first record on: until 16,384 there is no seal, and nothing is kept yet. Both readers must
//! find a state after some prefix of the records, or tell a bound that holds.

use std::path::Path;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::Instant;

use serde_json::Value;
use shmetrics::{Preset, Reader, Segment};

use crate::second_reader::*;
use crate::support::*;

/// Records between two seals (SPEC.md 19).
const SEAL_INTERVAL: u64 = 16_384;
/// Records of each histogram: the first seal, and some after it.
const RECORDS: u64 = 2 * SEAL_INTERVAL;
/// Each is new once.
const HISTOGRAMS: usize = 6;

/// Loop turns between two records. A record must begin during nearly every copy, and many copies must fall before the first seal: the
/// library copies at the rate of the records, the other reader a hundred times slower.
fn pause(histogram: usize) -> u32 {
    if is_for_the_other(histogram) { 300 } else { 0 }
}

/// Whose turn is it to look as soon as there is a record?
fn is_for_the_other(histogram: usize) -> bool {
    histogram.is_multiple_of(2)
}

// Words that worker and test share: a gate for each histogram, records that began, and records that ended.
const OPENED: usize = 0;
const BEGUN: usize = 1;
const DONE: usize = BEGUN + HISTOGRAMS;
const WORDS: usize = DONE + HISTOGRAMS;

/// The n-th value, from 0 on: it runs through 0 to 63 times a prime, never in order, so that every prefix has other buckets.
fn value(number: u64) -> u64 {
    (number * 37 % 64) * 61
}

/// The sum of the first so many values.
fn sum(count: u64) -> u64 {
    let cycle: u64 = (0..64).map(value).sum();
    count / 64 * cycle + (0..count % 64).map(value).sum::<u64>()
}

/// How many of the first so many values are at most this.
fn at_most(count: u64, bound: f64) -> u64 {
    let within = |numbers: u64| {
        (0..numbers)
            .filter(|&number| value(number) as f64 <= bound)
            .count() as u64
    };
    count / 64 * within(64) + within(count % 64)
}

fn name(histogram: usize) -> String {
    format!("new_{histogram}")
}

/// The worker: records into one histogram after the other, each when its gate is open.
#[test]
fn recorder() {
    let Some(path) = child_argument() else { return };
    let path = Path::new(&path);
    let words = SharedWords::open(&path.with_extension("words"), WORDS);
    let segment = Segment::options().without_ticker().open_at(path).unwrap();
    for histogram in 0..HISTOGRAMS {
        let series = segment.histogram(&name(histogram)).register().unwrap();
        poll("the gate", || {
            (words.word(OPENED).load(Acquire) > histogram as u64).then_some(())
        });
        let (begun, done) = (words.word(BEGUN + histogram), words.word(DONE + histogram));
        for number in 0..RECORDS {
            begun.store(number + 1, Release);
            series.record(value(number));
            done.store(number + 1, Release);
            (0..pause(histogram)).for_each(|_| std::hint::spin_loop());
        }
    }
}

/// What one look said: exact or bounded, before the first seal or after it.
#[derive(Debug, Default)]
struct Seen {
    before_the_seal: u64,
    bounded: u64,
}

/// Takes a snapshot with `look` and holds it against what was done before and begun after it.
fn check(words: &SharedWords, histogram: usize, who: &str, seen: &mut Seen, look: &mut dyn FnMut() -> Value) {
    let done = words.word(DONE + histogram).load(Acquire);
    let snapshot = look();
    let begun = words.word(BEGUN + histogram).load(Acquire);
    let series = snapshot["series"].as_array().unwrap().iter();
    let shown = series
        .filter(|series| series["name"] == name(histogram))
        .collect::<Vec<_>>();
    let [shown] = shown[..] else {
        panic!("{who}: {} is not shown once: {snapshot}", name(histogram));
    };
    let count = shown["count"].as_u64().unwrap();
    let context = format!("{who}: {done} records were done before, {begun} begun after: {shown}");
    seen.before_the_seal += u64::from(done > 0 && begun < SEAL_INTERVAL);
    if let Some(error) = shown["error"].as_u64() {
        seen.bounded += 1;
        // Before the seal each copy that fails is a record that began: no reader runs out of tries.
        assert!(begun >= SEAL_INTERVAL, "{context}");
        // Off by at most this from what was there at some moment of the look.
        assert!(
            count <= begun + error && done <= count + error && error > 0,
            "{context}"
        );
        return;
    }
    assert_eq!(shown["quality"], "exact", "{context}");
    // The last seal that was complete before, or a later state; something, if there was something.
    assert!(
        count <= begun && count >= done / SEAL_INTERVAL * SEAL_INTERVAL,
        "{context}"
    );
    assert!(count > 0 || done == 0, "{context}");
    assert_eq!(shown["sum"].as_f64().unwrap(), sum(count) as f64, "{context}");
    for bucket in shown["buckets"].as_array().unwrap() {
        let bound = bucket["le"].as_f64().unwrap_or(f64::INFINITY);
        assert_eq!(
            bucket["count"].as_u64().unwrap(),
            at_most(count, bound),
            "at most {bound}, {context}"
        );
    }
}

#[test]
fn from_the_first_record_on_both_readers_are_exact_or_tell_a_true_bound() {
    if !has_python() {
        return;
    }
    let scratch = Scratch::new("conformance-unsealed");
    let path = scratch.path("segment");
    let segment = Segment::options().preset(Preset::Compact).without_ticker();
    let segment = segment.create_at(&path).unwrap();
    (0..HISTOGRAMS).for_each(|histogram| drop(segment.histogram(&name(histogram)).register().unwrap()));
    let words = SharedWords::open(&path.with_extension("words"), WORDS);
    let mut worker = Worker::spawn("unsealed::recorder", path.to_str().unwrap());
    // One that lives on, one that is new each time, and the other.
    let mut reader = Reader::open_path(&path).unwrap();
    let mut theirs = Stepped::start(&path, Question::Snapshot, None);
    theirs.next(None);
    let [mut kept, mut new, mut stepped] = [(); 3].map(|()| Seen::default());
    for histogram in 0..HISTOGRAMS {
        let done = || words.word(DONE + histogram).load(Relaxed);
        words.word(OPENED).store(histogram as u64 + 1, Release);
        // Without a rest in between: there is little time.
        let begun = Instant::now();
        while done() == 0 {
            assert!(begun.elapsed() < DEADLINE, "no first record");
            std::hint::spin_loop();
        }
        while done() < RECORDS {
            if is_for_the_other(histogram) {
                check(&words, histogram, "the other reader", &mut stepped, &mut || {
                    theirs.next(None)
                });
            }
            check(&words, histogram, "the library", &mut kept, &mut || {
                ask(&mut reader, Question::Snapshot)
            });
            check(&words, histogram, "a new reader", &mut new, &mut || {
                ask(&mut Reader::open_path(&path).unwrap(), Question::Snapshot)
            });
        }
    }
    worker.finish();
    println!("the other reader {stepped:?}, the library {kept:?}, a new reader {new:?}");
    // On a machine that is busy with other things a look may always come too late; not every one of hundreds.
    assert!(stepped.before_the_seal + kept.before_the_seal + new.before_the_seal > 0);
}
