//! `demo`: the main job in one command. Real worker processes count, some are killed and replaced, and every number is checked.
//!
//! ```text
//! demo ──> stage      the segment, at a temporary place or where the user wants it
//!      ──> tally      the private page in which each thread notes what it began and what it has done
//!      ──> observer   a thread that takes snapshots all the time and checks them against the tally
//!      ──> storm      starts, kills, replaces and reaps the workers   ──> worker, once per process
//!      ──> check      the last snapshot against the tally
//! ```

mod check;
mod observer;
mod plan;
mod stage;
mod storm;
mod tally;
pub(crate) mod worker;

use std::sync::Arc;
use std::time::Instant;

use shmetrics::Reader;

use self::check::{Checked, Expectation};
use self::observer::{Observed, Observer};
use self::plan::Plan;
use self::stage::Stage;
use self::storm::Storm;
use self::tally::Tally;
use crate::cli::Demo;
use crate::exit::Failure;
use crate::format;
use crate::signals::Stop;
use crate::terminal;

/// Counted once per operation; one series per worker.
const COUNTER: &str = "demo_operations_total";
/// Label of [`COUNTER`].
const WORKER_LABEL: &str = "worker";
/// With `--record`: recorded once per operation, by all workers.
const HISTOGRAM: &str = "demo_operation_duration_seconds";

pub(crate) fn run(flags: &Demo) -> Result<(), Failure> {
    let plan = Arc::new(Plan::new(flags)?);
    let stop = Stop::install(None)?;
    let stage = Stage::set(flags, &plan)?;
    let tally = Arc::new(Tally::create(plan.cells())?);
    let mut reader = Reader::open_path(stage.path())?;
    let expectation = Expectation::new(&plan, &reader.snapshot()?);

    let begun = Instant::now();
    let observer = Observer::start(stage.path(), &plan, &tally, &expectation)?;
    let stormed = Storm::run(&plan, &stage, &tally, &stop, &observer);
    let observed = observer.finish();
    let took = begun.elapsed();
    stormed?;

    reader.refresh_owners()?;
    let snapshot = reader.snapshot()?;
    let checked = expectation.check(&plan, &tally, &snapshot);
    // A reader of stdout that is gone does not excuse from telling whether the numbers were right.
    let printed = format::print_snapshot(&snapshot, flags.format, false);
    match (checked, observed) {
        (Ok(checked), Ok(observed)) => {
            summarise(&plan, &stage, &checked, &observed, took.as_secs_f64());
            printed
        }
        (Err(failure), _) | (_, Err(failure)) => {
            let seed = plan.seed;
            Err(Failure::Check(format!(
                "{failure}; please report it (seed {seed})"
            )))
        }
    }
}

fn summarise(plan: &Plan, stage: &Stage, checked: &Checked, observed: &Observed, took: f64) {
    let group = format::grouped;
    let Plan {
        workers,
        threads,
        increments,
        ..
    } = *plan;
    let killed = plan.victims.len() as u64;
    let operation = if plan.record {
        "increment with a record"
    } else {
        "increment"
    };
    let mut lines = vec![format!(
        "{workers} workers × {threads} threads × {} increments: {} done, {} counted, lost {}",
        group(increments),
        group(checked.done),
        group(checked.counted),
        group(checked.done.saturating_sub(checked.counted)),
    )];
    if killed > 0 {
        lines.push(format!(
            "{killed} killed with SIGKILL, {killed} restarted; of {} killed threads {} died between begun and done, and {} of these were counted",
            group(killed * threads),
            group(checked.in_flight),
            group(checked.counted.saturating_sub(checked.done)),
        ));
    }
    lines.push(format!(
        "{took:.2} s; about {:.1} ns of processor time per {operation}, the check's own notes included",
        checked.nanoseconds,
    ));
    let exact = if observed.bounded == 0 {
        "all exact".to_owned()
    } else {
        format!("{} not exact (lanes or storage ran out)", observed.bounded)
    };
    lines.push(format!(
        "{} snapshots taken meanwhile: none went down, none disagreed with the workers' own notes, {exact}",
        group(observed.snapshots),
    ));
    if stage.stays() {
        lines.push(format!("the segment stays at {}", stage.path().display()));
    }
    lines.push(format!("seed {}", plan.seed));
    lines.iter().for_each(|line| terminal::say(line));
}
