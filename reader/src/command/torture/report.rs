//! What happened, for people and for tools.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use serde::Serialize;

use super::kind::Kind;
use super::measure::{MEASURES, name};
use super::storm::Storm;
use super::tally::Count;
use crate::cli::Format;
use crate::exit::Failure;
use crate::format::{grouped, json};
use crate::terminal::{self, clean};

/// Everything that is told at the end.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    schema: u64,
    seed: u64,
    seconds: f64,
    events: u64,
    happened: Vec<Happened>,
    segments: usize,
    children: u64,
    children_killed: u64,
    handled: u64,
    snapshots: u64,
    bounded: u64,
    verified: u64,
    quiet_moments: u64,
    refused: u64,
    slowest_snapshot_seconds: f64,
    done: Vec<Done>,
    violations: u64,
    details: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Happened {
    event: &'static str,
    times: u64,
}

/// Over all segments.
#[derive(Debug, Serialize)]
struct Done {
    what: String,
    done: u64,
    /// Begun by threads that died, or were about to, before it was done.
    undecided: u64,
}

impl Report {
    pub(super) fn new(storm: &Storm<'_>, took: Duration) -> Report {
        let count = |number: usize| storm.tally.count(number).load(Relaxed);
        let wanted = Kind::ALL.iter().filter(|kind| storm.kinds.has(**kind));
        let happened = wanted.map(|kind| Happened {
            event: kind.name(),
            times: count(*kind as usize),
        });
        let eras = (0..storm.eras).map(|era| (storm.tally.done(era), storm.tally.begun(era)));
        let mut sums = [(0u64, 0u64); MEASURES];
        for (done, begun) in eras {
            for (sum, (done, begun)) in sums.iter_mut().zip(done.into_iter().zip(begun)) {
                *sum = (sum.0.wrapping_add(done), sum.1.wrapping_add(begun));
            }
        }
        let done = sums.into_iter().enumerate().map(|(measure, (done, begun))| Done {
            what: name(measure),
            done,
            undecided: begun.wrapping_sub(done),
        });
        Report {
            schema: 1,
            seed: storm.seed,
            seconds: took.as_secs_f64(),
            events: storm.event,
            happened: happened.collect(),
            segments: storm.eras,
            children: count(Count::Children as usize),
            children_killed: count(Count::ChildrenKilled as usize),
            handled: count(Count::Handled as usize),
            snapshots: count(Count::Snapshots as usize),
            bounded: count(Count::Bounded as usize),
            verified: count(Count::Verified as usize),
            quiet_moments: count(Count::Quiet as usize),
            refused: count(Count::Refused as usize),
            slowest_snapshot_seconds: count(Count::Slowest as usize) as f64 * 1e-9,
            done: done
                .filter(|done| !super::measure::is_gauge(&done.what))
                .collect(),
            violations: storm.violations.len() as u64 + storm.more_violations,
            details: storm.violations.clone(),
        }
    }

    pub(super) fn violations(&self) -> u64 {
        self.violations
    }

    pub(super) fn print(&self, format: Format) -> Result<(), Failure> {
        let text = match format {
            Format::Json => json::pretty(self)?,
            Format::Table => self.table(),
        };
        terminal::print(&text)
    }

    fn table(&self) -> String {
        let mut rows: Vec<(String, String)> = Vec::new();
        let mut row = |what: &str, value: String| rows.push((what.to_owned(), value));
        for Happened { event, times } in &self.happened {
            row(event, grouped(*times));
        }
        row("", String::new());
        row("seconds", format!("{:.1}", self.seconds));
        row("events", grouped(self.events));
        row("segments", grouped(self.segments as u64));
        row("children", grouped(self.children));
        row("children killed", grouped(self.children_killed));
        row("operations in handlers", grouped(self.handled));
        row("workers without a series", grouped(self.refused));
        row("snapshots", grouped(self.snapshots));
        row("bounded histograms", grouped(self.bounded));
        row(
            "slowest snapshot",
            format!("{:.3} s of processor time", self.slowest_snapshot_seconds),
        );
        row("quiet moments", grouped(self.quiet_moments));
        row("verify runs", grouped(self.verified));
        row("", String::new());
        for Done {
            what,
            done,
            undecided,
        } in &self.done
        {
            row(
                what,
                format!("{} done, {} undecided", grouped(*done), grouped(*undecided)),
            );
        }
        row("", String::new());
        row("violations", grouped(self.violations));
        row("seed", self.seed.to_string());
        let width = rows.iter().map(|(what, _)| what.len()).max().unwrap_or(0);
        let mut text: String = rows
            .iter()
            .map(|(what, value)| format!("{what:width$}  {value}").trim_end().to_owned() + "\n")
            .collect();
        for detail in &self.details {
            text += &format!("violation: {}\n", clean(detail));
        }
        text
    }
}
