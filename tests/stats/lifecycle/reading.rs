//! Points 3, 4, 5, 8, 9: rings, cursors, what is lost, wall clock, lines.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, Release};

use shmetrics::Reader;
use shmetrics::events::Since;
use shmetrics::stats::lifecycle::*;

use super::support::*;
use super::*;

fn ids(batch: &Batch) -> Vec<u64> {
    let id = |event: &Event<'_>| match event {
        Event::RequestStarted { connection_id, .. } => *connection_id,
        other => panic!("{other:?}"),
    };
    batch.events.iter().map(|(event, _)| id(event)).collect()
}

#[test]
fn d_03_a_ring_per_writer_in_its_order_merged_by_time_and_what_is_overwritten_is_counted() {
    let _alone = alone();
    let scratch = Scratch::new("d03");
    let path = scratch.path("segment");
    let options = SegmentOptions {
        capacity: 16,
        ..SegmentOptions::default()
    };
    let segment = compact(&path);
    let collector = SegmentCollector::with_options(&segment, &options).unwrap();
    let mut follower = Follower::open_path(&path, Since::Start).unwrap();
    // Else it would have the ring of the thread that ended.
    assert!(segment.attach_thread());
    // Two writers, whose times interleave.
    std::thread::scope(|scope| {
        scope.spawn(|| (0..8).for_each(|n| collector.record(&started(2 * n, "GET", "/", 1_000 + 2 * n))));
    });
    (0..8).for_each(|n| collector.record(&started(2 * n + 1, "GET", "/", 1_000 + 2 * n + 1)));
    let batch = follower.flush(usize::MAX).unwrap();
    assert_eq!((ids(&batch), batch.lost), ((0..16).collect(), 0));
    // One writer gives times that go back: its order stays.
    for (id, time) in [(1, 500), (2, 400), (3, 600)] {
        collector.record(&started(id, "GET", "/", time));
    }
    assert_eq!(ids(&follower.flush(usize::MAX).unwrap()), [1, 2, 3]);
    // The writer goes on, whoever reads: of forty, the last sixteen are there.
    (0..40).for_each(|n| collector.record(&started(n, "GET", "/", 2_000 + n)));
    let batch = follower.flush(usize::MAX).unwrap();
    assert_eq!((ids(&batch), batch.lost), ((24..40).collect(), 24));
}

#[test]
fn d_04_each_reader_gets_everything_since_its_last_read_once_in_batches_of_its_own() {
    let _alone = alone();
    let scratch = Scratch::new("d04");
    let path = scratch.path("segment");
    let collector = SegmentCollector::new(&compact(&path)).unwrap();
    let mut one = Follower::open_path(&path, Since::Start).unwrap();
    let mut other = Follower::open_path(&path, Since::Start).unwrap();
    (0..10).for_each(|n| collector.record(&started(n, "GET", "/", n)));
    assert_eq!(ids(&one.flush(usize::MAX).unwrap()), (0..10).collect::<Vec<_>>());
    assert!(one.flush(usize::MAX).unwrap().events.is_empty());
    // A callback, in the reader's thread, with batches of its size; and the other reader has all of them still.
    let mut sizes = Vec::new();
    let mut all = Vec::new();
    let told = other
        .for_each_batch(4, |batch| {
            sizes.push(batch.events.len());
            all.extend(ids(batch));
        })
        .unwrap();
    assert_eq!(
        (told, sizes, all),
        (10, vec![4, 4, 2], (0..10).collect::<Vec<_>>())
    );
    // A reader that is restarted goes on where it stopped.
    collector.record(&started(10, "GET", "/", 10));
    let kept = one.cursor().to_string();
    drop(one);
    let again = Follower::open_path(&path, Since::Start).unwrap();
    let mut again = again.after(kept.parse().unwrap());
    assert_eq!(ids(&again.flush(usize::MAX).unwrap()), [10]);
    // In memory: batches in the recording thread, outside of any lock, and a callback that fails harms nobody.
    let inner = Arc::new(BufferedCollector::new(5));
    let buffered = Arc::new(BufferedCollector::new(2).on_flush({
        let inner = Arc::clone(&inner);
        move |batch| batch.iter().for_each(|event| inner.record(event))
    }));
    (0..5).for_each(|n| buffered.record(&started(n, "GET", "/", n)));
    assert_eq!(
        (inner.len(), buffered.len(), buffered.flush().len(), inner.len()),
        (4, 1, 1, 5)
    );
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let failing = BufferedCollector::new(2).on_flush(|_| panic!("a bad callback"));
    (0..2).for_each(|n| failing.record(&started(n, "GET", "/", n)));
    std::panic::set_hook(hook);
    assert_eq!((failing.dropped(), failing.len()), (2, 0));
}

#[test]
fn d_05_length_high_water_and_drops_are_seen() {
    let _alone = alone();
    let scratch = Scratch::new("d05");
    let path = scratch.path("segment");
    // One lane: a second thread has no ring.
    let segment = shmetrics::Segment::options()
        .preset(Preset::Compact)
        .lanes(1)
        .open_or_create_at(&path)
        .unwrap();
    let options = SegmentOptions {
        capacity: 8,
        ..SegmentOptions::default()
    };
    let collector = SegmentCollector::with_options(&segment, &options).unwrap();
    let mut follower = Follower::open_path(&path, Since::Start).unwrap();
    (0..6).for_each(|n| collector.record(&started(n, "GET", "/", n)));
    std::thread::scope(|scope| {
        scope.spawn(|| (0..3).for_each(|n| collector.record(&started(n, "GET", "/", n))));
    });
    let shown = snapshot(&path);
    let shmetrics::Value::Events(totals) = &shown.find("http_lifecycle", &[]).unwrap().value else {
        panic!("{shown:?}")
    };
    assert_eq!(
        (
            totals.written,
            totals.held,
            totals.fullest,
            totals.capacity,
            totals.dropped
        ),
        (6, 6, 6, 8, 3)
    );
    let batch = follower.flush(usize::MAX).unwrap();
    assert_eq!((batch.events.len(), batch.lost, batch.dropped), (6, 0, 3));
    (0..11).for_each(|n| collector.record(&started(n, "GET", "/", n)));
    follower.flush(usize::MAX).unwrap();
    assert_eq!(
        (follower.high_water(), follower.lost(), follower.dropped()),
        (11, 3, 3)
    );
    // In memory, too; without a callback the oldest make room.
    let buffered = BufferedCollector::new(4);
    (0..6).for_each(|n| buffered.record(&started(n, "GET", "/", n)));
    assert_eq!(
        (buffered.len(), buffered.high_water(), buffered.dropped()),
        (4, 4, 2)
    );
    assert_eq!(
        buffered.flush(),
        (2..6).map(|n| started(n, "GET", "/", n)).collect::<Vec<_>>()
    );
    assert!(buffered.is_empty());
}

#[test]
fn d_08_times_are_those_of_the_wall_clock_by_the_pair_in_the_segment() {
    let _alone = alone();
    let scratch = Scratch::new("d08");
    let path = scratch.path("segment");
    let collector = SegmentCollector::new(&compact(&path)).unwrap();
    let now = shmetrics::monotonic_ns();
    collector.record(&started(1, "GET", "/", now));
    let wall = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_nanos() as u64;
    let (event, at) = Follower::open_path(&path, Since::Start)
        .unwrap()
        .flush(1)
        .unwrap()
        .events
        .remove(0);
    assert_eq!(event.timestamp_ns(), now);
    let facts = Reader::open_path(&path).unwrap().facts().origin;
    assert_eq!(at, facts.created_ns + (now - facts.created_monotonic_ns));
    // Within the time since creation, and what a clock that is set meanwhile would differ by: here nothing.
    assert!(
        at <= wall + 1_000_000_000 && at >= facts.created_ns,
        "{at} {wall}"
    );
    let line = LineOptions::default().line(&event, at).unwrap().1;
    let stamp = line
        .split("\"timestamp\":\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    assert!(
        stamp.starts_with("20") && stamp.ends_with('Z') && stamp.len() == 30,
        "{stamp}"
    );
}

#[test]
fn d_09_lines_have_event_time_fields_slow_and_leave_quiet_paths_out() {
    let _alone = alone();
    let options = LineOptions {
        slow_ms: 10.0,
        quiet_paths: vec!["/health".to_owned()],
    };
    let line = |event: &Event<'_>| options.line(event, 1_795_165_200_000_000_007);
    let (level, text) = line(&completed(7, "", 200, 5)).unwrap();
    assert_eq!(
        (level, text.as_str()),
        (
            Level::Info,
            "{\"event\":\"response_completed\",\"timestamp\":\"2026-11-20T09:00:00.000000007Z\",\"connection_id\":7,\"worker_id\":3,\
             \"status\":200,\"bytes_sent\":1500,\"duration_ms\":12.25,\"method\":\"unknown\",\"streaming\":false,\"slow\":true}"
        )
    );
    // Streams are never slow; what is quicker is not.
    let streamed = match completed(7, "GET", 200, 5) {
        Event::ResponseCompleted {
            connection_id,
            worker_id,
            status,
            bytes_sent,
            duration_ms,
            method,
            timestamp_ns,
            ..
        } => Event::ResponseCompleted {
            connection_id,
            worker_id,
            status,
            bytes_sent,
            duration_ms,
            method,
            streaming: true,
            timestamp_ns,
        },
        other => other,
    };
    let (level, text) = line(&streamed).unwrap();
    assert!(level == Level::Debug && !text.contains("slow"), "{text}");
    assert_eq!(line(&started(1, "GET", "/health?probe=1", 5)), None);
    assert!(line(&started(1, "GET", "/healthy", 5)).is_some());
    assert_eq!(line(&disconnected(1, false, 5)).unwrap().0, Level::Warning);
    // Whatever a path says, it is one line of JSON.
    let (_, text) = line(&started(1, "GET", "/\"\\\n\u{7f}\u{0}", 5)).unwrap();
    assert!(
        text.contains("\"path\":\"/\\\"\\\\\\u000a\\u007f\\u0000\"") && !text.contains('\n'),
        "{text}"
    );
    // All kinds are JSON, as a parser sees it.
    for event in one_of_each() {
        let (_, text) = line(&event).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["event"], event.name());
        assert_eq!(json["worker_id"], 3);
    }
}

const WORKERS: usize = 3;
const ROUNDS: usize = 4;
/// Words of a worker in the tally: requests begun and done.
const WORDS: usize = 16;
const STOP: usize = WORKERS * ROUNDS * WORDS;

/// A server's worker: connections of three requests each, of which the second one is given up by its client.
fn work(argument: &str) {
    let mut parts = argument.split(' ');
    let (path, tally, number) = (
        parts.next().unwrap(),
        parts.next().unwrap(),
        parts.next().unwrap(),
    );
    let number: usize = number.parse().unwrap();
    let tally = SharedWords::open(tally.as_ref(), STOP + 1);
    let collector = SegmentCollector::new(&compact(path.as_ref())).unwrap();
    let word = |offset: usize| tally.word(number * WORDS + offset);
    let mut served = 0;
    while tally.word(STOP).load(Relaxed) == 0 {
        let id = collector.next_connection_id().unwrap();
        let now = shmetrics::monotonic_ns;
        collector.record(&opened(id, now()));
        for request in 0..3 {
            word(0).store(served + 1, Release);
            collector.record(&started(id, "GET", "/work", now()));
            if request == 1 {
                collector.record(&disconnected(id, false, now()));
            }
            collector.record(&completed(id, "GET", 200, now()));
            served += 1;
            word(1).store(served, Release);
        }
        collector.record(&closed(id, 3, "complete", now()));
    }
}

/// The main scenario: workers that are killed at any moment, others that take their place, and two readers all the time.
#[test]
fn workers_are_killed_and_no_request_is_told_twice_and_nothing_drifts() {
    let _alone = alone();
    if let Some(argument) = child_argument() {
        return work(&argument);
    }
    let scratch = Scratch::new("lifecycle");
    let (path, tally_path) = (scratch.path("segment"), scratch.path("tally"));
    let tally = SharedWords::open(&tally_path, STOP + 1);
    drop(compact(&path));
    let spawn = |number: usize| {
        let argument = format!("{} {} {number}", path.display(), tally_path.display());
        Worker::spawn(
            "reading::workers_are_killed_and_no_request_is_told_twice_and_nothing_drifts",
            &argument,
        )
    };
    let mut follower = Follower::open_path(&path, Since::Start).unwrap();
    let mut late = Follower::open_path(&path, Since::Start).unwrap();
    let (mut events, mut seen) = (0u64, std::collections::HashMap::<u64, u64>::new());
    let mut take = |follower: &mut Follower| {
        let batch = follower.flush(usize::MAX).unwrap();
        events += batch.events.len() as u64 + batch.lost;
        for (event, _) in &batch.events {
            if let Event::ConnectionOpened { connection_id, .. } = event {
                let times = seen.entry(*connection_id).or_default();
                *times += 1;
                assert_eq!(*times, 1, "connection {connection_id} was told twice");
            }
        }
    };
    for round in 0..ROUNDS {
        let mut workers: Vec<Worker> = (0..WORKERS).map(|n| spawn(round * WORKERS + n)).collect();
        for number in round * WORKERS..(round + 1) * WORKERS {
            poll("requests of every worker", || {
                take(&mut follower);
                (tally.word(number * WORDS + 1).load(Relaxed) > 300).then_some(())
            });
        }
        if round + 1 < ROUNDS {
            workers.iter_mut().for_each(Worker::kill);
        } else {
            tally.word(STOP).store(1, Relaxed);
            workers.iter_mut().for_each(Worker::finish);
        }
    }
    take(&mut follower);
    late.flush(usize::MAX).unwrap();
    let sum = |offset: usize| {
        let words = (0..WORKERS * ROUNDS).map(|number| tally.word(number * WORDS + offset).load(Relaxed));
        words.sum::<u64>()
    };
    let (begun, done) = (sum(0), sum(1));
    let figures = Figures::of(&snapshot(&path));
    assert!(
        (done..=begun).contains(&figures.requests_total),
        "{done} {} {begun}",
        figures.requests_total
    );
    assert_eq!(figures.completed("GET", "200"), figures.requests_total);
    let durations = figures.durations.as_ref().unwrap();
    // A kill between two additions: each worker that was killed may have one of them.
    let killed = (WORKERS * (ROUNDS - 1)) as u64;
    assert!(figures.requests_total.abs_diff(durations.count) <= killed);
    assert!(figures.bytes_sent.abs_diff(1_500 * figures.requests_total) <= 1_500 * killed);
    // Of the dead nothing is in flight, and who ended had nothing left.
    assert_eq!((figures.in_flight, figures.active_connections), (0, 0));
    // Both readers were told of every event, got or lost; nothing was dropped.
    assert_eq!(events, figures.events_written);
    assert_eq!(figures.events_dropped, 0);
}
