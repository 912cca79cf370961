//! A worker and a reader without arguments to think about: for machines on which they are compiled by the checks in `ci/`.
//!
//! ```text
//! segment count PATH N    counts and records N times into every kind of series
//! segment show PATH       prints every series, its value as the reader has it
//! ```
//!
//! What one machine has counted, another must show. `ci/aarch64.sh` disassembles [`count_one`], [`record_one`] and all that
//! registering, attaching and reading pull in.

use std::error::Error;
use std::process::ExitCode;

use shmetrics::{Counter, Histogram, Merge, Reader, Segment, Unit};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match *arguments.as_slice() {
        ["count", path, times] => times.parse().map_err(Into::into).and_then(|n| count(path, n)),
        ["show", path] => show(path),
        _ => Err("usage: segment count PATH N | segment show PATH".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("segment: {error}");
            ExitCode::FAILURE
        }
    }
}

fn count(path: &str, times: u64) -> Result<(), Box<dyn Error>> {
    let segment = Segment::options().role("probe").open_or_create_at(path)?;
    let requests = segment.counter("requests_total").label("kind", "é").register()?;
    let weight = segment.counter_float("weight_total").register()?;
    let depth = segment.gauge("depth").merge(Merge::Max).register()?;
    let latency = segment
        .histogram("latency_seconds")
        .unit(Unit::Seconds)
        .register()?;
    let windows = segment.histogram("windows").ring_slots(4).register()?;
    for n in 0..times {
        count_one(&requests);
        weight.add(0.5);
        depth.set(n as i64);
        record_one(&latency, n * 7919 % 1_000_000_000);
        record_one(&windows, n % 100);
    }
    Ok(())
}

fn show(path: &str) -> Result<(), Box<dyn Error>> {
    for series in Reader::open_path(path.as_ref())?.snapshot()?.series {
        println!(
            "{} {:?} {:?}",
            series.description.name, series.description.labels, series.value
        );
    }
    Ok(())
}

#[inline(never)]
fn count_one(requests: &Counter) {
    requests.inc();
}

#[inline(never)]
fn record_one(latency: &Histogram, value: u64) {
    latency.record(value);
}
