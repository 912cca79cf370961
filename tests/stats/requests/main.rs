//! The points of `docs/five-systems.md`, section A: each test bears the number of its point.
#![allow(unsafe_code)]

#[path = "../../support/mod.rs"]
mod support;

mod fields;
mod half;
mod log;
mod persistence;
mod processes;
mod records;
mod resets;
mod restore;
mod runs;

use std::path::Path;
use std::time::Duration;

use serde_json::{Value as Json, json};
use shmetrics::stats::requests::*;
use shmetrics::{Preset, Reader, Segment, SegmentOptions, Snapshot};
use support::*;

fn compact() -> SegmentOptions {
    Segment::options().preset(Preset::Compact)
}

/// A session that says nothing unless asked to.
fn quiet(segment: &Segment) -> Builder<'_> {
    Requests::builder(segment).max_in_flight(64).without_log()
}

/// A snapshot that knows who lives.
fn look(path: &Path) -> Snapshot {
    let mut reader = Reader::open_path(path).unwrap();
    reader.refresh_owners().unwrap();
    reader.snapshot().unwrap()
}

/// What anybody reads.
fn figures(path: &Path, instance: &str) -> Figures {
    View::new(&look(path)).figures(instance).unwrap()
}

fn state(figures: &Figures) -> Json {
    serde_json::from_str(&figures.json()).unwrap()
}

/// It ran, besides `before`, from this time until the snapshot, or until a sign of life that came while it was taken.
#[track_caller]
fn assert_runs_since(told: &Figures, before: Duration, from_ns: u64) {
    let ran = told.crawler_runtime.checked_sub(before).unwrap();
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let (least, most) = (told.taken_at_ns - from_ns, now.as_nanos() as u64 - from_ns);
    assert!(
        (least..=most).contains(&(ran.as_nanos() as u64)),
        "{ran:?}: {told:?}"
    );
}

const MS: u64 = 1_000_000;

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A request that took so many milliseconds, after so many retries.
fn done(requests: &Requests, key: &str, retries: u64, took_ms: u64) {
    for _ in 0..retries {
        assert!(requests.retry_later(requests.start_at(key, 7 * MS)));
    }
    let attempt = requests.start_at(key, 1_000 * MS);
    assert_eq!(attempt.runs(), retries + 1);
    let took = requests.finish_at(attempt, (1_000 + took_ms) * MS);
    assert_eq!(took, Some(ms(took_ms)));
}

#[test]
fn a_01_starts_and_ends_by_key_give_what_the_original_has() {
    let _alone = alone();
    let scratch = Scratch::new("requests-keys");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    let requests = quiet(&segment).enter().unwrap();

    // What is not known is ignored.
    assert_eq!((requests.finish_key("?"), requests.fail_key("?")), (None, None));
    assert!(!requests.defer_key("?") && !requests.retry_key_later("?"));
    assert_eq!(requests.figures().unwrap().requests_total(), 0);

    done(&requests, "a", 0, 20);
    // Started again while it is worked on: a retry, whose stop-watch begins anew. The earlier attempt ends nothing.
    let first = requests.start_at("b", 0);
    let second = requests.start_at("b", 500 * MS);
    assert_eq!((first.runs(), second.runs()), (1, 2));
    assert_eq!(requests.finish_at(first, 600 * MS), None);
    assert_eq!(requests.figures().unwrap().requests_finished, 1);
    assert_eq!(requests.finish_at(second, 540 * MS), Some(ms(40)));
    // A failure has a duration, and is neither the shortest nor the longest.
    for took in [1, 90] {
        let attempt = requests.start_at("c", 0);
        assert_eq!(requests.fail_at(attempt, took * MS), Some(ms(took)));
    }
    done(&requests, "d", 6, 30);
    // What is deferred is no retry.
    let deferred = requests.start("e");
    assert!(requests.defer(deferred));
    let again = requests.start("e");
    assert_eq!(again.runs(), 1);
    assert!(requests.retry_later(again) && requests.start("e").runs() == 2 && requests.defer_key("e"));
    let last = requests.start_at("e", 0);
    assert_eq!(
        (last.runs(), requests.finish_at(last, 10 * MS)),
        (2, Some(ms(10)))
    );

    let told = figures(&path, DEFAULT_INSTANCE);
    assert_eq!((told.requests_finished, told.requests_failed), (4, 2));
    assert_eq!(told.request_retry_histogram, [3, 2, 0, 0, 0, 0, 1]);
    assert_eq!((told.requests_retries, told.requests_started), (3, 6));
    // Retries are seen when they are begun: one of b, six of d, one of e.
    assert_eq!(told.retries_started, 8);
    assert_eq!(
        (told.request_min_duration, told.request_max_duration),
        (Some(ms(10)), Some(ms(40)))
    );
    assert_eq!(
        (
            told.request_total_finished_duration,
            told.request_total_failed_duration
        ),
        (ms(100), ms(91))
    );

    // By key, whoever started it, and however its attempt is called here.
    let _running = requests.start("f");
    assert!(requests.finish_key("f").is_some());
    let _running = requests.start("f");
    assert!(requests.retry_key_later("f"));
    let told = figures(&path, DEFAULT_INSTANCE);
    assert_eq!((told.requests_in_flight, told.requests_waiting), (0, 1));
    // Given up while it waits: counted, with its one run.
    assert_eq!(requests.fail_key("f"), Some(Duration::ZERO));
    let told = figures(&path, DEFAULT_INSTANCE);
    assert_eq!(
        (
            told.requests_finished,
            told.requests_failed,
            told.requests_waiting
        ),
        (5, 3, 0)
    );
}

#[test]
fn a_02_answers_are_counted_by_the_text_of_their_code() {
    let _alone = alone();
    let scratch = Scratch::new("requests-codes");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    let requests = quiet(&segment).enter().unwrap();
    for code in [200, 404, 200, 200, 599, 404] {
        requests.register_status_code(code);
    }
    let told = figures(&path, DEFAULT_INSTANCE);
    assert_eq!(
        state(&told)["requestsWithStatusCode"],
        json!({"200": 3, "404": 2, "599": 1})
    );
    assert_eq!(told.requests_total(), 0);
}

#[test]
fn a_05_instances_are_told_apart_by_their_keys_and_not_by_their_order() {
    let _alone = alone();
    let scratch = Scratch::new("requests-instances");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    for order in [["news", "shop"], ["shop", "news"]] {
        let sessions = order.map(|key| quiet(&segment).instance(key).enter().unwrap());
        for (key, requests) in order.iter().zip(&sessions) {
            done(requests, "a", 0, if *key == "news" { 1 } else { 5 });
        }
    }
    let snapshot = look(&path);
    let view = View::new(&snapshot);
    assert_eq!(view.instances(), ["news", "shop"]);
    for (key, took) in [("news", 2), ("shop", 10)] {
        let told = view.figures(key).unwrap();
        assert_eq!(
            (told.requests_finished, told.request_total_duration()),
            (2, ms(took))
        );
        assert_eq!(state(&told)["statsId"], key);
    }
    assert_eq!(view.figures("other"), None);
    assert_eq!(View::with_prefix(&snapshot, "other").instances(), [""; 0]);
}

#[test]
fn a_10_outside_of_a_session_nothing_can_be_recorded_and_entering_twice_is_an_error() {
    let _alone = alone();
    let scratch = Scratch::new("requests-sessions");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    let other = compact().create_at(scratch.path("other")).unwrap();
    let requests = quiet(&segment).instance("a").enter().unwrap();
    let twice = quiet(&segment).instance("a").enter();
    assert!(matches!(twice, Err(RequestsError::AlreadyEntered { instance }) if instance == "a"));
    // Neither another instance nor another segment is that session, nor the same one once it is left.
    drop(quiet(&segment).instance("b").enter().unwrap());
    drop(quiet(&other).instance("a").enter().unwrap());
    requests.leave().unwrap();
    let requests = quiet(&segment).instance("a").enter().unwrap();
    drop(requests);
    let requests = quiet(&segment).instance("a").enter().unwrap();
    assert_eq!(figures(&path, "a").processes, 1);
    // In a child it is the parent's session: it may record, and can enter for itself.
    let attempt = requests.start("parent's");
    let child = || {
        assert!(requests.finish(attempt).is_none());
        done(&requests, "child's", 0, 1);
        let own = quiet(&segment).instance("a").enter().unwrap();
        done(&own, "child's", 0, 1);
        // Meanwhile: the handle of the parent's thread may be that of this session's.
        // SAFETY: what it is read from is never dropped in this process, which ends by `_exit`.
        drop(unsafe { std::ptr::read(&raw const requests) });
        own.leave().unwrap();
        0
    };
    let pid = fork(child);
    assert_eq!(wait(pid), 0);
    let told = figures(&path, "a");
    assert_eq!(
        (told.requests_finished, told.requests_in_flight, told.processes),
        (2, 1, 1)
    );

    // What cannot be is said before anything is entered.
    let no_store = quiet(&segment)
        .instance("c")
        .persistence(Persistence::Enabled)
        .enter();
    assert!(matches!(no_store, Err(RequestsError::NoStore)));
    let taken = quiet(&segment).instance("c").extra("requestsFinished").enter();
    assert!(matches!(taken, Err(RequestsError::ExtraName { .. })));
    assert_eq!(View::new(&look(&path)).figures("c"), None);
    // On a segment that does nothing all of it does nothing.
    let noop = Segment::noop();
    let requests = quiet(&noop).enter().unwrap();
    done(&requests, "a", 0, 1);
    assert_eq!(requests.leave().unwrap().requests_total, 0);
}
