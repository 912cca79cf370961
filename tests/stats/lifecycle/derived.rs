//! Points 6 and 7: metrics over workers that cannot drift, and that heal.

use shmetrics::stats::lifecycle::*;

use super::support::*;
use super::*;

#[test]
fn d_06_metrics_are_right_over_workers_and_a_disconnect_counts_down_nothing() {
    let _alone = alone();
    if let Some(argument) = child_argument() {
        let collector = SegmentCollector::new(&compact(argument.as_ref())).unwrap();
        one_of_each().iter().for_each(|event| collector.record(event));
        collector.record(&started(9, "POST", "/", 60));
        collector.record(&completed(9, "POST", 500, 70));
        return;
    }
    let scratch = Scratch::new("d06");
    let path = scratch.path("segment");
    let segment = compact(&path);
    let collector = SegmentCollector::new(&segment).unwrap();
    let test = "derived::d_06_metrics_are_right_over_workers_and_a_disconnect_counts_down_nothing";
    let mut other = Worker::spawn(test, &path.display().to_string());
    other.finish();
    // Three are open, one client goes away: two are left when its response is completed, and not before.
    (1..=3).for_each(|id| {
        collector.record(&opened(id, id));
        collector.record(&started(id, "GET", "/", id));
    });
    collector.record(&disconnected(1, false, 10));
    let now = || Figures::of(&snapshot(&path));
    assert_eq!(now().in_flight, 3);
    collector.record(&completed(1, "GET", 499, 11));
    collector.record(&closed(1, 1, "client_disconnect", 12));
    let figures = now();
    assert_eq!((figures.in_flight, figures.active_connections), (2, 2));
    // All workers together.
    assert_eq!(
        ["200", "499"].map(|status| figures.completed("GET", status)),
        [1, 1]
    );
    assert_eq!((figures.completed("POST", "500"), figures.requests_total), (1, 3));
    assert_eq!((figures.connections_total, figures.bytes_sent), (4, 4_500));
    assert_eq!(
        figures
            .closes
            .iter()
            .find(|(reason, _)| reason == "client_disconnect"),
        Some(&("client_disconnect".to_owned(), 2))
    );
    assert_eq!(
        (
            figures.disconnects_before_streaming,
            figures.disconnects_during_streaming
        ),
        (1, 1)
    );
    assert_eq!(
        (
            figures.active_streams,
            figures.stream_durations.as_ref().map(|h| h.count)
        ),
        (0, Some(1))
    );
    let durations = figures.durations.as_ref().unwrap();
    assert_eq!((durations.count, durations.sum), (3, 3.0 * 0.012_25));
    let per_connection = figures.requests_per_connection.as_ref().unwrap();
    assert_eq!((per_connection.count, per_connection.sum), (2, 2.0));
    assert_eq!(
        figures.health(3600.1, false).1,
        "{\"status\":\"ok\",\"uptime_seconds\":3600.1,\"active_connections\":2}"
    );
    assert_eq!(figures.health(1.0, true).0, 503);
    // The bounds can be chosen.
    let other = scratch.path("other");
    let options = SegmentOptions {
        capacity: 0,
        duration_bounds: vec![0.01, 0.02],
        ..SegmentOptions::default()
    };
    let collector = SegmentCollector::with_options(&compact(&other), &options).unwrap();
    collector.record(&completed(1, "GET", 200, 1));
    let figures = Figures::of(&snapshot(&other));
    assert_eq!(figures.durations.unwrap().counts, [0, 1, 0]);
    assert_eq!(figures.events_written, 0);
}

#[test]
fn d_07_what_a_dead_worker_had_in_flight_is_gone() {
    let _alone = alone();
    if let Some(argument) = child_argument() {
        let (path, ready) = argument.split_once(' ').unwrap();
        let collector = SegmentCollector::new(&compact(path.as_ref())).unwrap();
        for id in 1..=5 {
            collector.record(&opened(id, id));
            collector.record(&started(id, "GET", "/", id));
        }
        std::fs::write(ready, "").unwrap();
        loop {
            std::thread::park();
        }
    }
    let scratch = Scratch::new("d07");
    let (path, ready) = (scratch.path("segment"), scratch.path("ready"));
    let collector = SegmentCollector::new(&compact(&path)).unwrap();
    collector.record(&opened(10, 1));
    collector.record(&started(10, "GET", "/", 1));
    let argument = format!("{} {}", path.display(), ready.display());
    let mut worker = Worker::spawn(
        "derived::d_07_what_a_dead_worker_had_in_flight_is_gone",
        &argument,
    );
    poll("the worker", || ready.exists().then_some(()));
    let now = || Figures::of(&snapshot(&path));
    assert_eq!((now().in_flight, now().active_connections), (6, 6));
    worker.kill();
    let figures = now();
    assert_eq!((figures.in_flight, figures.active_connections), (1, 1));
    // What happened stays: only what was going on is gone.
    assert_eq!(figures.connections_total, 6);
    collector.record(&completed(10, "GET", 200, 2));
    assert_eq!(now().in_flight, 0);
}
