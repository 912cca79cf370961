//! Instructions of what the ready-made statistics do per request. Those that read a clock read it here by a system call, as there is
//! no vDSO under valgrind: its instructions are the kernel's and not counted.

use std::hint::black_box;

use gungraun::prelude::*;
use shmetrics::stats::health::{Monitor, Options};
use shmetrics::stats::lifecycle::{AnyCollector, Collector, Event, NoopCollector, SegmentCollector};
use shmetrics::stats::named::Stats;
use shmetrics::stats::requests::Requests;
use shmetrics::stats::runtime::{self, Runtime};

use crate::benchmarks::{Ready, budget, ready, repeat, value};
use crate::instruments::KEYS;

fn named() -> Ready<Stats> {
    ready(|segment| {
        let stats = Stats::new(segment);
        for key in KEYS {
            stats.incr(key, 1);
            stats.record(key, 1.0);
        }
        stats
    })
}

#[library_benchmark(config = budget("named_incr"))]
#[bench::run(named())]
fn named_incr(ready: Ready<Stats>) -> Ready<Stats> {
    repeat(ready, |stats, turn| stats.incr(KEYS[turn % KEYS.len()], 1))
}

#[library_benchmark(config = budget("named_record"))]
#[bench::run(named())]
fn named_record(ready: Ready<Stats>) -> Ready<Stats> {
    repeat(ready, |stats, turn| {
        stats.record(KEYS[turn % KEYS.len()], value(turn) as f64)
    })
}

fn monitor() -> Ready<Monitor> {
    ready(|segment| {
        let monitor = Monitor::register(segment, &Options::default()).expect("a monitor");
        monitor.preregister(["Predict"]);
        monitor.record_success("Predict");
        for key in KEYS {
            let task = monitor.start_task(key);
            assert!(monitor.end_task(task), "the task is ours");
        }
        monitor
    })
}

#[library_benchmark(config = budget("health_request_and_success"))]
#[bench::run(monitor())]
fn health_request_and_success(ready: Ready<Monitor>) -> Ready<Monitor> {
    repeat(ready, |monitor, _| {
        monitor.record_request(black_box("Predict"));
        monitor.record_success(black_box("Predict"));
    })
}

#[library_benchmark(config = budget("health_task"))]
#[bench::run(monitor())]
fn health_task(ready: Ready<Monitor>) -> Ready<Monitor> {
    repeat(ready, |monitor, turn| {
        let task = monitor.start_task(KEYS[turn % KEYS.len()]);
        black_box(monitor.end_task(task));
    })
}

/// Where it is made, as in a server.
#[inline(always)]
fn started(turn: usize) -> Event<'static> {
    Event::RequestStarted {
        connection_id: value(turn),
        worker_id: 3,
        method: "GET".into(),
        path: "/index.html?page=7".into(),
        http_version: "1.1".into(),
        timestamp_ns: turn as u64,
    }
}

#[inline(always)]
fn completed(turn: usize) -> Event<'static> {
    Event::ResponseCompleted {
        connection_id: value(turn),
        worker_id: 3,
        status: 200,
        bytes_sent: 1_500,
        duration_ms: 0.75,
        method: black_box("GET").into(),
        streaming: false,
        timestamp_ns: turn as u64,
    }
}

fn collector() -> Ready<SegmentCollector> {
    ready(|segment| {
        let collector = SegmentCollector::new(segment).expect("a collector");
        collector.record(&started(0));
        collector.record(&completed(0));
        collector
    })
}

#[library_benchmark(config = budget("lifecycle_request"))]
#[bench::run(collector())]
fn lifecycle_request(ready: Ready<SegmentCollector>) -> Ready<SegmentCollector> {
    repeat(ready, |collector, turn| {
        collector.record(&started(turn));
        collector.record(&completed(turn));
    })
}

fn disabled() -> Ready<AnyCollector> {
    ready(|_| AnyCollector::new(NoopCollector))
}

// As a server has it that was told at start what to use.
#[library_benchmark(config = budget("lifecycle_disabled"))]
#[bench::run(disabled())]
fn lifecycle_disabled(ready: Ready<AnyCollector>) -> Ready<AnyCollector> {
    repeat(ready, |collector, turn| collector.record_with(|| started(turn)))
}

fn runtime() -> Ready<Runtime> {
    ready(|segment| {
        let runtime = Runtime::register(segment, &runtime::Options::default()).expect("a runtime");
        runtime.record_request(KEYS[0]);
        runtime
    })
}

#[library_benchmark(config = budget("runtime_request"))]
#[bench::run(runtime())]
fn runtime_request(ready: Ready<Runtime>) -> Ready<Runtime> {
    repeat(ready, |runtime, _| runtime.record_request(black_box(KEYS[0])))
}

// Its thread sleeps meanwhile.
fn requests() -> Ready<Requests> {
    ready(|segment| {
        let session = Requests::builder(segment).without_log().enter();
        let requests = session.expect("a session");
        for key in KEYS {
            let attempt = requests.start_at(key, 1_000);
            requests.finish_at(attempt, 2_000);
        }
        requests
    })
}

// Start and finish, times given.
#[library_benchmark(config = budget("requests_start_finish"))]
#[bench::run(requests())]
fn requests_start_finish(ready: Ready<Requests>) -> Ready<Requests> {
    repeat(ready, |requests, turn| {
        let attempt = requests.start_at(black_box(KEYS[turn % KEYS.len()]), turn as u64 * 1_000);
        black_box(requests.finish_at(attempt, turn as u64 * 1_000 + 750_000));
    })
}
