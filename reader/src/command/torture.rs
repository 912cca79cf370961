//! `torture`: storms of real processes, which every reader must survive and tell exactly.
//!
//! ```text
//! torture ──> stage      a folder of its own, with the segment
//!         ──> tally      what everybody notes of what was begun and done    <── measure: the series
//!         ──> storm      kills, stops, replaces its processes (crew), by the schedule of plan and kind
//!              │   ──> quiet     nobody is alive: exact totals, empty windows, verify
//!              ├──> worker     threads at full rate (hands, statistics), signals (system), children of every sort (child)
//!              ├──> witness    reads at full rate (look, follow), and checks every snapshot (check, statistics, history)
//!              └──> race       creators of one name
//!         ──> report     what happened
//! ```

mod check;
mod child;
mod crew;
mod follow;
mod hands;
mod history;
mod kind;
mod look;
mod measure;
mod plan;
mod quiet;
mod race;
mod report;
mod stage;
mod statistics;
mod storm;
mod system;
mod tally;
mod witness;
pub(crate) mod worker;

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use self::kind::{Kind, Kinds};
use self::report::Report;
use self::stage::Stage;
use self::storm::Storm;
use self::tally::{Count, Shape, Tally};
use crate::cli::Torture;
use crate::exit::Failure;
use crate::signals::Stop;
use crate::storm::random::any_seed;
use crate::{format, terminal};

/// Unless asked otherwise.
const DEFAULT_DURATION: Duration = Duration::from_secs(10);
/// How often the line on the terminal is written.
const PROGRESS: Duration = Duration::from_millis(200);

/// When the storm is over.
#[derive(Clone, Copy, Debug)]
struct Goal {
    duration: Option<Duration>,
    kills: u64,
    forks: u64,
}

pub(crate) fn run(flags: &Torture) -> Result<(), Failure> {
    let kinds = possible(Kinds::chosen(&flags.only, &flags.without)?);
    let goal = goal(flags, kinds)?;
    let seed = flags.seed.unwrap_or_else(any_seed);
    let stop = Stop::install(None)?;
    let shape = Shape {
        workers: flags.workers,
        threads: flags.threads,
    };
    let (stage, tally) = (Stage::set()?, Tally::create(shape)?);
    let mut storm = Storm::new(flags, kinds, seed, &stage, &tally)?;
    let begun = Instant::now();
    let mut progress = Progress::new();
    storm.run(&stop, |storm| {
        progress.show(storm, begun.elapsed());
        goal.is_reached(storm.tally, begun.elapsed())
    })?;
    progress.finish();
    let report = Report::new(&storm, begun.elapsed());
    let printed = report.print(format::chosen(flags.format));
    let found = report.violations();
    drop(storm);
    match found {
        0 => printed,
        found => Err(Failure::Check(format!(
            "{found} violations (seed {seed}); please report them"
        ))),
    }
}

/// What can be done here; the rest is told.
fn possible(kinds: Kinds) -> Kinds {
    // Tried by a child each, for there is no way back.
    let probes = [
        (Kind::Nobody, child::can(system::become_nobody), "change its user"),
        (
            Kind::Namespace,
            child::can(system::new_pid_namespace),
            "make pid namespaces",
        ),
    ];
    let impossible = probes
        .into_iter()
        .filter(|(kind, can, _)| kinds.has(*kind) && !can);
    impossible.fold(kinds, |kinds, (kind, _, what)| {
        let name = kind.name();
        terminal::say(&format!(
            "skipped: {name}, as this process may not {what}; run it as root"
        ));
        kinds.without(kind)
    })
}

fn goal(flags: &Torture, kinds: Kinds) -> Result<Goal, Failure> {
    let forks = [
        Kind::Fork,
        Kind::Exec,
        Kind::Close,
        Kind::Clone,
        Kind::Nobody,
        Kind::Namespace,
    ];
    if flags.kills.is_some() && !kinds.has(Kind::Kill) {
        return Err(Failure::Input(
            "--kills can never be reached without kill".to_owned(),
        ));
    }
    if flags.forks.is_some() && !forks.into_iter().any(|kind| kinds.has(kind)) {
        return Err(Failure::Input(
            "--forks can never be reached without fork".to_owned(),
        ));
    }
    let counted = flags.kills.is_some() || flags.forks.is_some();
    Ok(Goal {
        duration: flags.duration.or((!counted).then_some(DEFAULT_DURATION)),
        kills: flags.kills.unwrap_or(u64::MAX),
        forks: flags.forks.unwrap_or(u64::MAX),
    })
}

impl Goal {
    fn is_reached(&self, tally: &Tally, elapsed: Duration) -> bool {
        let counts = [
            (self.kills, Kind::Kill as usize),
            (self.forks, Count::Children as usize),
        ];
        let mut wanted = counts.iter().filter(|(goal, _)| *goal != u64::MAX).peekable();
        let counted =
            wanted.peek().is_some() && wanted.all(|(goal, count)| tally.count(*count).load(Relaxed) >= *goal);
        counted || self.duration.is_some_and(|duration| elapsed >= duration)
    }
}

/// The line on the terminal, if there is one.
struct Progress {
    is_shown: bool,
    shown: Option<Instant>,
}

impl Progress {
    fn new() -> Progress {
        Progress {
            is_shown: terminal::stderr_is_terminal(),
            shown: None,
        }
    }

    fn show(&mut self, storm: &Storm<'_>, elapsed: Duration) {
        if !self.is_shown || self.shown.is_some_and(|shown| shown.elapsed() < PROGRESS) {
            return;
        }
        self.shown = Some(Instant::now());
        let count = |number: usize| format::grouped(storm.tally.count(number).load(Relaxed));
        terminal::progress(&format!(
            "{:4} s  {} events  {} kills  {} children  {} snapshots  {} violations",
            elapsed.as_secs(),
            format::grouped(storm.event),
            count(Kind::Kill as usize),
            count(Count::Children as usize),
            count(Count::Snapshots as usize),
            storm.violations.len(),
        ));
    }

    fn finish(&self) {
        if self.is_shown {
            terminal::progress("");
        }
    }
}
