//! A host as `docs/fleet.md` reckons with it: worker threads that all count in 1,000 counters and record in 10 histograms. Made for
//! measuring a scrape; it works until its standard input ends.
//!
//! ```text
//! cargo run --release -p shmetrics-exposition --example host -- /dev/shm/host 64
//! ```

use std::io::Read;
use std::time::Duration;

use shmetrics::{Histogram, Segment, Unit};

/// Series of a busy service: 50 routes of 20 results each.
const ROUTES: usize = 50;
const RESULTS: usize = 20;
const HISTOGRAMS: usize = 10;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("which path?")?;
    let threads: usize = arguments.next().map_or(Ok(64), |text| text.parse())?;
    let segment = Segment::options().role("worker").open_or_create(&path)?;
    let mut counters = Vec::new();
    for route in 0..ROUTES {
        for result in 0..RESULTS {
            let (route, result) = (format!("/api/v1/resource-{route}"), format!("result-{result}"));
            let counter = segment
                .counter("http_requests_total")
                .help("Requests answered, by route and result")
                .label("route", &route)
                .label("result", &result)
                .register()?;
            counters.push(counter);
        }
    }
    let histogram = |number: usize| {
        segment
            .histogram("request_duration_seconds")
            .help("How long requests took")
            .unit(Unit::Seconds)
            .label("stage", &format!("stage-{number}"))
            .register()
    };
    let histograms: Vec<Histogram> = (0..HISTOGRAMS).map(histogram).collect::<Result<_, _>>()?;
    // Each has a lane of its own, in which everything was counted, and now rests; one goes on slowly.
    std::thread::scope(|scope| {
        let (counters, histograms) = (&counters, &histograms);
        for thread in 0..threads {
            scope.spawn(move || {
                for round in 0..1000u64 {
                    counters
                        .iter()
                        .for_each(|counter| counter.add(round % 7 + thread as u64));
                    // From a microsecond to a minute, most of them short.
                    let nanoseconds = 1_000u64 << (round % 26);
                    histograms
                        .iter()
                        .for_each(|histogram| histogram.record(nanoseconds + round * 37));
                }
                loop {
                    counters[thread % counters.len()].inc();
                    std::thread::sleep(Duration::from_millis(100));
                }
            });
        }
        let mut rest = Vec::new();
        let _ = std::io::stdin().read_to_end(&mut rest);
        std::process::exit(0)
    })
}
