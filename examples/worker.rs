//! The smallest worker: opens or creates a segment, registers one series of each kind, and uses them.
//!
//! ```text
//! cargo run --release --example worker -- app                         # for ten seconds
//! cargo run --release --example worker -- app --count 1000000         # as fast as it can
//! cargo run --release --example worker -- /dev/shm/app --seconds 60   # a path instead of a name
//! ```
//!
//! Start several at once and kill some: `cargo run --release --example sidecar -- app` shows what they did together.
//!
//! `ci/hot_path.sh` disassembles [`count_one`] and [`record_one`] of this very program: what they cost is one add to memory, and
//! three stores.

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use shmetrics::{Counter, Histogram, Merge, Segment, Unit};

/// When to stop.
enum Until {
    Count(u64),
    Time(Instant),
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let seconds = |seconds: u64| Until::Time(Instant::now() + Duration::from_secs(seconds));
    let (place, until) = match *arguments.as_slice() {
        [place] => (place, Some(seconds(10))),
        [place, "--count", count] => (place, count.parse().ok().map(Until::Count)),
        [place, "--seconds", number] => (place, number.parse().ok().map(seconds)),
        _ => ("", None),
    };
    let Some(until) = until else {
        eprintln!("usage: worker NAME|PATH [--count N | --seconds S]");
        return ExitCode::from(2);
    };
    match run(place, &until) {
        Ok(count) => {
            println!("counted {count}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("worker: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(place: &str, until: &Until) -> Result<u64, Box<dyn Error>> {
    // A program that must run with or without metrics writes `.or_noop()` here instead of `?`.
    let segment = Segment::options().role("worker").open_or_create(place)?;
    let requests = segment
        .counter("requests_total")
        .help("Requests served")
        .register()?;
    let results = segment
        .counter("results_total")
        .help("Requests by result")
        .family(["result"])?;
    let depth = segment
        .gauge("queue_depth")
        .help("Requests that wait")
        .merge(Merge::Sum)
        .register()?;
    let latency = segment
        .histogram("request_duration_seconds")
        .help("What a request took")
        .unit(Unit::Seconds)
        .nanos()
        .register()?;

    let mut number = 0;
    loop {
        match until {
            Until::Count(count) if number >= *count => break,
            Until::Time(end) if Instant::now() >= *end => break,
            // A worker that runs for a time has something else to do between two requests.
            Until::Time(_) => std::thread::sleep(Duration::from_millis(1)),
            Until::Count(_) => {}
        }
        let begun = Instant::now();
        depth.set((number % 8) as i64);
        results
            .with([if number % 100 == 99 { "error" } else { "ok" }])
            .inc();
        count_one(&requests);
        record_one(&latency, begun.elapsed().as_nanos() as u64);
        number += 1;
    }
    Ok(number)
}

/// One count, as a function of its own only so that it can be found in the binary.
#[inline(never)]
fn count_one(requests: &Counter) {
    requests.inc();
}

/// One record, likewise.
#[inline(never)]
fn record_one(latency: &Histogram, nanoseconds: u64) {
    latency.record(nanoseconds);
}
