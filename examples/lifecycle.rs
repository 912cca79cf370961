//! A server whose workers tell what happens to their connections: events that anybody can follow, and metrics, over all processes.
//!
//! ```text
//! cargo run --release --features stats --example lifecycle -- app                # a worker: serves made-up requests for ten seconds
//! cargo run --release --features stats --example lifecycle -- app --follow       # a reader: JSON lines as it happens, then the figures
//! shmetrics events app --follow --kind 'client_*'                                # the same, without this program
//! ```
//!
//! Start several workers at once and kill some: ids stay unique, no event is told twice, and what the dead had in flight is gone.

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use shmetrics::events::Since;
use shmetrics::stats::lifecycle::{
    Collector, Event, Figures, Follower, Level, LineCollector, LineOptions, SegmentCollector, Tee,
};
use shmetrics::{Reader, Segment, monotonic_ns};

const TIME: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match *arguments.as_slice() {
        [place] => serve(place, TIME),
        [place, "--seconds", seconds] => serve(place, Duration::from_secs(seconds.parse().unwrap_or(10))),
        [place, "--follow"] => follow(place, TIME),
        [place, "--follow", seconds] => follow(place, Duration::from_secs(seconds.parse().unwrap_or(10))),
        _ => {
            eprintln!("usage: lifecycle NAME|PATH [--seconds S | --follow [S]]");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lifecycle: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A worker.
fn serve(place: &str, time: Duration) -> Result<(), Box<dyn Error>> {
    let segment = Segment::options().role("server").open_or_create(place)?;
    let events = std::sync::Arc::new(SegmentCollector::new(&segment)?);
    // Slow responses and clients that go away are worth a line in this worker's own log, too.
    let log = LineCollector::new(
        LineOptions {
            slow_ms: 40.0,
            ..LineOptions::default()
        },
        |level, line| {
            if level > Level::Debug {
                eprintln!("{line}");
            }
        },
    );
    let collector = Tee::new().and(events.clone()).and(log);
    let end = Instant::now() + time;
    while Instant::now() < end {
        connection(&collector, events.next_connection_id()?);
    }
    Ok(())
}

/// Three requests of one client, the last of which it does not wait for.
fn connection(collector: &dyn Collector, id: u64) {
    let accepted = monotonic_ns();
    let milliseconds = |since: u64| (monotonic_ns() - since) as f64 / 1e6;
    collector.record(&Event::ConnectionOpened {
        connection_id: id,
        worker_id: std::process::id().into(),
        client_addr: "192.0.2.7".into(),
        client_port: 40_000,
        server_addr: "192.0.2.1".into(),
        server_port: 443,
        protocol: "h1".into(),
        timestamp_ns: accepted,
    });
    for request in 0..3u64 {
        let begun = monotonic_ns();
        collector.record(&Event::RequestStarted {
            connection_id: id,
            worker_id: std::process::id().into(),
            method: "GET".into(),
            path: "/index.html".into(),
            http_version: "1.1".into(),
            timestamp_ns: begun,
        });
        std::thread::sleep(Duration::from_millis(5 + id % 40));
        let is_gone = request == 2 && id.is_multiple_of(3);
        if is_gone {
            collector.record(&Event::ClientDisconnected {
                connection_id: id,
                worker_id: std::process::id().into(),
                during_streaming: true,
                timestamp_ns: monotonic_ns(),
            });
        }
        collector.record(&Event::ResponseCompleted {
            connection_id: id,
            worker_id: std::process::id().into(),
            status: if is_gone { 499 } else { 200 },
            bytes_sent: 1_500,
            duration_ms: milliseconds(begun),
            method: "GET".into(),
            streaming: false,
            timestamp_ns: monotonic_ns(),
        });
    }
    collector.record(&Event::ConnectionClosed {
        connection_id: id,
        worker_id: std::process::id().into(),
        requests_served: 3,
        total_bytes_sent: 4_500,
        duration_ms: milliseconds(accepted),
        reason: "complete".into(),
        timestamp_ns: monotonic_ns(),
    });
}

/// A reader, of all workers together.
fn follow(place: &str, time: Duration) -> Result<(), Box<dyn Error>> {
    let mut follower = Follower::open(place, Since::Now)?;
    let options = LineOptions {
        quiet_paths: vec!["/health".to_owned()],
        ..LineOptions::default()
    };
    let end = Instant::now() + time;
    while Instant::now() < end {
        let batch = follower.flush(1_000)?;
        for (event, at) in &batch.events {
            if let Some((_, line)) = options.line(event, *at) {
                println!("{line}");
            }
        }
        if batch.lost > 0 {
            eprintln!("{} events were overwritten before they were read", batch.lost);
        }
        if !batch.more {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    let figures = Figures::of(&Reader::open(place)?.snapshot()?);
    println!(
        "{} responses, {} in flight, {} connections open, {} bytes sent",
        figures.requests_total, figures.in_flight, figures.active_connections, figures.bytes_sent
    );
    Ok(())
}
