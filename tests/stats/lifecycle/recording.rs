//! Points 1, 2, 10, 11: what is recorded, ids, several consumers, odd texts.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use shmetrics::Segment;
use shmetrics::events::Since;
use shmetrics::stats::lifecycle::*;

use super::support::*;
use super::*;

#[test]
fn d_01_all_events_with_every_field_are_recorded_over_threads_and_off_costs_nothing() {
    let _alone = alone();
    let scratch = Scratch::new("d01");
    let path = scratch.path("segment");
    let collector = Arc::new(SegmentCollector::new(&compact(&path)).unwrap());
    let all = one_of_each();
    all.iter().for_each(|event| collector.record(event));
    let mut follower = Follower::open_path(&path, Since::Start).unwrap();
    let told: Vec<Event<'static>> = follower
        .flush(usize::MAX)
        .unwrap()
        .events
        .into_iter()
        .map(|(event, _)| event)
        .collect();
    assert_eq!(told, all);
    // From several threads at once nothing is lost, and every event is whole.
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let collector = Arc::clone(&collector);
            scope.spawn(move || {
                (0..50).for_each(|n| collector.record(&started(thread * 100 + n, "GET", "/", n)))
            });
        }
    });
    let batch = follower.flush(usize::MAX).unwrap();
    let ids: HashSet<u64> = batch
        .events
        .iter()
        .map(|(event, _)| match event {
            Event::RequestStarted { connection_id, .. } => *connection_id,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!((batch.events.len(), ids.len(), batch.lost), (200, 200, 0));
    // Off: nothing happens, whatever is given.
    let off: (NoopCollector, Option<SegmentCollector>) = (NoopCollector, None);
    all.iter().for_each(|event| {
        off.0.record(event);
        off.1.record(event);
    });
    assert!(!off.0.is_enabled() && !off.1.is_enabled() && !Tee::new().and(off.0).is_enabled());
    assert!(collector.is_enabled() && Tee::new().and(off.0).and(collector.clone()).is_enabled());
    // Chosen when the program runs: what is off is dropped, makes no event, and is asked no more.
    let (asked, seen) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(BufferedCollector::new(1000)),
    );
    struct Asked(Arc<AtomicU64>);
    impl Collector for Asked {
        fn record(&self, event: &Event<'_>) {
            panic!("{event:?} for one that is off");
        }

        fn is_enabled(&self) -> bool {
            self.0.fetch_add(1, Relaxed);
            false
        }
    }
    let nothing = [
        AnyCollector::off(),
        AnyCollector::new(NoopCollector),
        AnyCollector::new(Asked(asked.clone())),
        AnyCollector::new(AnyCollector::off()),
    ];
    let something = AnyCollector::new(seen.clone());
    all.iter().for_each(|event| {
        for off in &nothing {
            off.record_with(|| panic!("an event is made that nobody takes"));
            off.record(event);
        }
        something.clone().record_with(|| event.clone());
        something.record(event);
    });
    assert!(something.is_enabled() && !nothing.iter().any(AnyCollector::is_enabled));
    assert_eq!((asked.load(Relaxed), seen.len()), (1, 2 * all.len()));
    // A segment that does nothing takes everything, too.
    let noop = SegmentCollector::new(&Segment::noop()).unwrap();
    all.iter().for_each(|event| noop.record(event));
    assert!(follower.flush(usize::MAX).unwrap().events.is_empty());
}

#[test]
fn d_02_connection_ids_are_unique_and_increase_over_all_processes_and_restarts() {
    let _alone = alone();
    let scratch = Scratch::new("d02");
    let (path, words) = (scratch.path("segment"), scratch.path("words"));
    const EACH: usize = 500;
    let tally = SharedWords::open(&words, 3 * EACH);
    let mut last = 0;
    for round in 0..3 {
        // Each round is a new process as far as the segment is concerned: everything was closed before.
        let collector = SegmentCollector::new(&compact(&path)).unwrap();
        let first = collector.next_connection_id().unwrap();
        assert!(first > last, "{first} after {last}");
        if round == 1 {
            let child = fork(|| {
                for index in 0..EACH {
                    let id = collector.next_connection_id().unwrap();
                    tally.word(index).store(id, std::sync::atomic::Ordering::Relaxed);
                }
                0
            });
            for index in EACH..2 * EACH {
                let id = collector.next_connection_id().unwrap();
                tally.word(index).store(id, std::sync::atomic::Ordering::Relaxed);
            }
            assert_eq!(wait(child), 0);
            let load = |index: usize| tally.word(index).load(std::sync::atomic::Ordering::Relaxed);
            let ids: HashSet<u64> = (0..2 * EACH).map(load).collect();
            assert_eq!(ids.len(), 2 * EACH, "an id was given twice");
            for part in [0..EACH, EACH..2 * EACH] {
                assert!(part.map(load).is_sorted(), "ids of one process do not ascend");
            }
            last = ids.into_iter().max().unwrap();
        } else {
            last = first;
        }
    }
}

#[test]
fn d_10_several_consumers_get_every_event() {
    let _alone = alone();
    let scratch = Scratch::new("d10");
    let path = scratch.path("segment");
    let buffered = Arc::new(BufferedCollector::new(100));
    let lines = Arc::new(Mutex::new(Vec::new()));
    let log = {
        let lines = Arc::clone(&lines);
        LineCollector::new(LineOptions::default(), move |level, line: &str| {
            lines.lock().unwrap().push((level, line.to_owned()));
        })
    };
    let segment = compact(&path);
    let all = Tee::new()
        .and(NoopCollector)
        .and(buffered.clone())
        .and(log)
        .and(SegmentCollector::new(&segment).unwrap());
    one_of_each().iter().for_each(|event| all.record(event));
    assert_eq!(buffered.flush(), one_of_each());
    assert_eq!(lines.lock().unwrap().len(), 7);
    let figures = Figures::of(&snapshot(&path));
    assert_eq!((figures.completed("GET", "200"), figures.events_written), (1, 7));
}

#[test]
fn d_11_an_unknown_method_is_said_so_and_long_paths_are_cut_and_marked() {
    let _alone = alone();
    let scratch = Scratch::new("d11");
    let path = scratch.path("segment");
    let collector = SegmentCollector::new(&compact(&path)).unwrap();
    let long = format!("/{}\u{e4}/rest", "x".repeat(158));
    collector.record(&started(1, "", &long, 1));
    collector.record(&completed(1, "", 200, 2));
    collector.record(&started(2, "BREW", "/pot", 3));
    collector.record(&completed(2, "BREW", 418, 4));
    let mut reader = shmetrics::Reader::open_path(&path).unwrap();
    let mut cursor = reader.event_cursor(Since::Start).unwrap();
    let events = reader.events(&mut cursor, usize::MAX).unwrap().events;
    assert_eq!(events[0].text("method"), Some("unknown"));
    // The last character has two bytes, of which one would fit.
    assert_eq!(events[0].text("path").map(str::len), Some(159));
    assert!(long.starts_with(events[0].text("path").unwrap()));
    assert_eq!(events[0].truncated_fields().collect::<Vec<_>>(), ["path"]);
    // The event has the method as it came; a label that anybody can invent does not.
    assert_eq!((events[2].text("method"), events[2].truncated), (Some("BREW"), 0));
    let figures = Figures::of(&snapshot(&path));
    assert_eq!(
        (
            figures.completed("unknown", "200"),
            figures.completed("unknown", "418")
        ),
        (1, 1)
    );
    assert!(
        figures
            .requests
            .iter()
            .all(|requests| !requests.method.is_empty())
    );
    // Longer paths, if somebody wants them.
    let other = scratch.path("other");
    let options = SegmentOptions {
        path_length: 1000,
        ..SegmentOptions::default()
    };
    let collector = SegmentCollector::with_options(&compact(&other), &options).unwrap();
    collector.record(&started(1, "GET", &long, 1));
    let told = Follower::open_path(&other, Since::Start)
        .unwrap()
        .flush(10)
        .unwrap();
    assert!(matches!(&told.events[0].0, Event::RequestStarted { path, .. } if *path == long));
}
