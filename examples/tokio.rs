//! Metrics in an asynchronous program: many tasks on a few threads count and record, before and after awaits.
//!
//! ```text
//! cargo run --release --example tokio -- app
//! ```
//!
//! Handles are `Send + Sync`: a task may be on another thread after each await, and every operation goes to the lane of the thread
//! that runs it at that moment. So may a timer, which records when it is dropped, wherever that is. A bound handle
//! (`Counter::bind`) is not `Send`: the compiler refuses to hold it across an await.
//!
//! At the end the program reads the segment and checks that nothing was lost.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use shmetrics::{Counter, Gauge, Histogram, Reader, Segment, Snapshot, Unit, Value};

const TASKS: u64 = 200;
const ROUNDS: u64 = 500;

#[tokio::main(flavor = "multi_thread", worker_threads = 4)]
async fn main() -> ExitCode {
    let Some(place) = std::env::args().nth(1) else {
        eprintln!("usage: tokio NAME|PATH");
        return ExitCode::from(2);
    };
    match run(&place).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("tokio: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Does its work and tells whether the segment has all of it.
async fn run(place: &str) -> Result<bool, Box<dyn Error>> {
    let segment = Segment::options().role("tokio").open_or_create(place)?;
    let steps = segment
        .counter("steps_total")
        .help("Steps done by tasks")
        .register()?;
    let tasks = segment.gauge("tasks").help("Tasks at work").register()?;
    let duration = segment
        .histogram("step_duration_seconds")
        .help("What a step took, awaits included")
        .unit(Unit::Seconds)
        .register()?;

    // The segment may have been used before.
    let mut reader = Reader::open(place)?;
    let before = totals(&reader.snapshot()?);
    let running: Vec<_> = (0..TASKS)
        .map(|task| tokio::spawn(work(task, steps.clone(), tasks.clone(), duration.clone())))
        .collect();
    for task in running {
        task.await?;
    }
    let after = totals(&reader.snapshot()?);

    let expected = TASKS * ROUNDS;
    let (counted, recorded) = (after.0 - before.0, after.1 - before.1);
    println!("expected {expected}, counted {counted}, recorded {recorded}");
    Ok((counted, recorded) == (expected, expected))
}

async fn work(task: u64, steps: Counter, tasks: Gauge, duration: Histogram) {
    tasks.inc();
    for round in 0..ROUNDS {
        let _timer = duration.start_timer();
        if (task + round).is_multiple_of(100) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        } else {
            tokio::task::yield_now().await;
        }
        steps.inc();
    }
    tasks.dec();
}

/// Steps counted, and steps recorded.
fn totals(snapshot: &Snapshot) -> (u64, u64) {
    let value = |name| snapshot.find(name, &[]).map(|series| &series.value);
    let counted = match value("steps_total") {
        Some(Value::CounterU64(count)) => *count,
        _ => 0,
    };
    let recorded = match value("step_duration_seconds") {
        Some(Value::Histogram(histogram)) => histogram.count,
        _ => 0,
    };
    (counted, recorded)
}
