//! What is wrong, and whether somebody must act: then `/health` answers 503.
//!
//! Somebody must act when numbers are missing or will be: a segment that was asked for cannot be read, there is none at all, a table
//! is full so that new series or processes find no room, gauges are dropped, records are damaged; or a process says of itself that it is
//! unhealthy, by a state whose threshold is reached. What only makes things slower, or
//! was in the past, is told and does not fail: lanes or budget used up (the shared lane counts on), a loss that has stopped, owners that
//! died and wait for somebody to take over.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::Serialize;
use shmetrics::Snapshot;
use shmetrics::error::RecordError;
use shmetrics::snapshot::{Losses, Used};

use super::segments::Segments;

/// A loss fails for so long after it was last seen to grow: longer than what usually lies between two looks.
const LOSS_MEMORY: Duration = Duration::from_secs(300);

/// Does somebody have to act?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Severity {
    /// Yes: 503.
    Failure,
    /// No.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    severity: Severity,
    /// Which segment or place; empty: it is about all.
    segment: String,
    /// A fixed word.
    problem: String,
    /// For people.
    message: String,
}

/// The body of `/health`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Health {
    /// `ok`, `warning` or `failure`.
    status: &'static str,
    /// Segments that can be read.
    segments: usize,
    problems: Vec<Finding>,
}

impl Health {
    /// Is there nothing that somebody must act on?
    pub(super) fn is_ok(&self) -> bool {
        self.status != "failure"
    }
}

/// How full each capacity is, by name.
pub(super) fn capacities(snapshot: &Snapshot) -> [(&'static str, Used); 9] {
    let fill = &snapshot.fill;
    [
        ("process_slots", fill.process_slots),
        ("lanes", fill.lanes),
        ("records", fill.records),
        ("text", fill.text),
        ("counters", fill.counters),
        ("gauges", fill.gauges),
        ("blocks", fill.blocks),
        ("errors", fill.errors),
        ("committed", fill.committed),
    ]
}

/// What could not be done as asked, by cause.
pub(super) fn losses(losses: &Losses) -> [(&'static str, u64); 10] {
    [
        ("lanes_exhausted", losses.lanes_exhausted),
        ("slots_exhausted", losses.slots_exhausted),
        ("storage_refused", losses.storage_refused),
        ("budget_refused", losses.budget_refused),
        ("gauge_writes_dropped", losses.gauge_writes_dropped),
        ("label_sets_refused", losses.label_sets_refused),
        ("label_sets_overflowed", losses.label_sets_overflowed),
        ("anomalies", losses.anomalies),
        ("registrations_refused", losses.registrations_refused),
        ("errors_lost", losses.errors_lost),
    ]
}

/// Full: what then goes wrong, and what to do.
fn when_full(capacity: &str) -> (Severity, &'static str) {
    match capacity {
        "process_slots" => (
            Severity::Failure,
            "further processes have no gauges; make it anew with more --process-slots",
        ),
        "lanes" => (
            Severity::Warning,
            "further threads count in the shared lane, which is slower; make it anew with more --lanes",
        ),
        "records" => (
            Severity::Failure,
            "no further series can be registered; make it anew with more --series",
        ),
        "text" => (
            Severity::Failure,
            "no further series can be registered; make it anew with a longer --text-length",
        ),
        "counters" => (
            Severity::Failure,
            "no further counters can be registered; make it anew with more --counters",
        ),
        "gauges" => (
            Severity::Failure,
            "no further gauges can be registered; make it anew with more --gauges",
        ),
        "blocks" => (
            Severity::Failure,
            "no further histograms can be registered; make it anew with a longer --blocks-length",
        ),
        "errors" => (
            Severity::Warning,
            "further errors are counted and not told; make it anew with more --errors",
        ),
        _ => (
            Severity::Warning,
            "further threads record in the shared lane, which is slower; make it anew with more --budget",
        ),
    }
}

/// Grown of late: what is missing.
fn when_lost(cause: &str) -> (Severity, &'static str) {
    match cause {
        "slots_exhausted" => (Severity::Failure, "processes found no slot: they have no gauges"),
        "gauge_writes_dropped" => (Severity::Failure, "gauge writes are dropped"),
        "storage_refused" => (
            Severity::Failure,
            "storage cannot be allocated; free memory or space",
        ),
        "label_sets_refused" => (
            Severity::Failure,
            "label sets find no room and count in overflow series",
        ),
        "registrations_refused" => (
            Severity::Failure,
            "series could not be registered; the error log says which",
        ),
        "lanes_exhausted" => (
            Severity::Warning,
            "threads found no lane and count in the shared lane",
        ),
        "budget_refused" => (
            Severity::Warning,
            "the budget is used up; histograms are recorded in the shared lane",
        ),
        "label_sets_overflowed" => (
            Severity::Warning,
            "label sets beyond their family's limit count in its overflow series",
        ),
        "errors_lost" => (
            Severity::Warning,
            "the error log is full; make it anew with more --errors",
        ),
        _ => (Severity::Warning, "histograms were found damaged and mended"),
    }
}

/// Remembers when losses grew.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// By segment id and cause: the last count, and when it was seen to grow. What was there at first is of the past.
    losses: HashMap<(u64, &'static str), (u64, Option<Instant>)>,
}

impl Watch {
    /// Judges what was read at `now`.
    pub(super) fn judge(&mut self, segments: &Segments, now: Instant) -> Health {
        let mut findings = Vec::new();
        let mut report = |severity, segment: &str, problem: &str, message: String| {
            findings.push(Finding {
                severity,
                segment: segment.to_owned(),
                problem: problem.to_owned(),
                message,
            });
        };
        for (place, problem) in &segments.problems {
            report(Severity::Failure, place, problem.word, problem.message.clone());
        }
        let (mut readable, mut ids) = (0, Vec::new());
        for segment in segments.iter() {
            if let Some(problem) = &segment.problem {
                report(
                    Severity::Failure,
                    &segment.name,
                    problem.word,
                    problem.message.clone(),
                );
            }
            let Some(snapshot) = segment.snapshot() else {
                continue;
            };
            readable += 1;
            let id = snapshot
                .segment
                .as_ref()
                .map_or(0, |facts| facts.origin.segment_id);
            ids.push(id);
            let mut report =
                |severity, problem: &str, message| report(severity, &segment.name, problem, message);
            for (capacity, used) in capacities(snapshot) {
                // Without an error log there is none to be full.
                if used.capacity > 0 && used.used >= used.capacity {
                    let (severity, consequence) = when_full(capacity);
                    let message = format!("all {} of {capacity} are used: {consequence}", used.capacity);
                    report(severity, &format!("{capacity}_full"), message);
                }
            }
            for (cause, count) in losses(&snapshot.losses) {
                if let Some(since) = self.note(id, cause, count, now) {
                    let (severity, consequence) = when_lost(cause);
                    let message = format!(
                        "{consequence} ({count} in all, the last {} s ago)",
                        since.as_secs()
                    );
                    report(severity, cause, message);
                }
            }
            contents(snapshot, &mut report);
        }
        self.losses.retain(|(id, _), _| ids.contains(id));
        if readable == 0 {
            let message =
                "no segment can be read; start a worker, or give the path of its segment".to_owned();
            report(Severity::Failure, "", "no_segments", message);
        }
        if segments.ignored > 0 {
            let message = format!(
                "{} files are beyond the {} that can be read at one time",
                segments.ignored,
                super::segments::MOST_SEGMENTS
            );
            report(Severity::Failure, "", "segments_ignored", message);
        }
        let fails = findings
            .iter()
            .any(|finding| finding.severity == Severity::Failure);
        Health {
            status: match (fails, findings.is_empty()) {
                (true, _) => "failure",
                (false, false) => "warning",
                (false, true) => "ok",
            },
            segments: readable,
            problems: findings,
        }
    }

    /// How long ago the loss was seen to grow, if that was of late.
    fn note(&mut self, id: u64, cause: &'static str, count: u64, now: Instant) -> Option<Duration> {
        let (last, grown) = self.losses.entry((id, cause)).or_insert((count, None));
        if count > *last {
            *grown = Some(now);
        }
        *last = count;
        grown
            .map(|grown| now.saturating_duration_since(grown))
            .filter(|since| *since <= LOSS_MEMORY)
    }
}

fn contents(snapshot: &Snapshot, report: &mut impl FnMut(Severity, &str, String)) {
    // Newer writers may use kinds and rules that are not known here: nothing is damaged.
    let is_new = |reason: &RecordError| {
        matches!(
            reason,
            RecordError::UnknownKind { .. } | RecordError::UnknownMerge { .. }
        )
    };
    let (new, damaged) = snapshot
        .skipped
        .iter()
        .partition::<Vec<&shmetrics::snapshot::Skipped>, _>(|skipped| is_new(&skipped.reason));
    if let Some(first) = damaged.first() {
        let message = format!(
            "{} records are damaged and left out; record {}: {}",
            damaged.len(),
            first.record,
            first.reason
        );
        report(Severity::Failure, "records_damaged", message);
    }
    if let Some(first) = new.first() {
        let message = format!(
            "{} records are left out; record {}: {}",
            new.len(),
            first.record,
            first.reason
        );
        report(Severity::Warning, "records_unknown", message);
    }
    let dead = snapshot
        .processes
        .iter()
        .filter(|process| !process.alive && process.lanes > 0)
        .count();
    if dead > 0 {
        let message =
            format!("{dead} processes died and nobody has taken over their lanes yet; their counts are kept");
        report(Severity::Warning, "dead_owners", message);
    }
    if snapshot.health.errors_damaged > 0 {
        let message = format!(
            "{} entries of the error log are damaged and left out",
            snapshot.health.errors_damaged
        );
        report(Severity::Failure, "errors_damaged", message);
    }
    for (series, state) in snapshot.unhealthy() {
        let message = format!(
            "{} of {} is {}, {} times in a row",
            match &*state.role {
                "" => format!("slot-{}", state.slot),
                role => role.to_owned(),
            },
            series.description.name,
            state.name(),
            state.streak
        );
        report(Severity::Failure, "unhealthy_state", message);
    }
    if snapshot.retired {
        let message =
            "the segment was given up; workers that still count into it must be restarted".to_owned();
        report(Severity::Failure, "retired", message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_counts_while_it_grows_and_for_a_while() {
        let mut watch = Watch::default();
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        // What was lost before anybody looked.
        assert_eq!(watch.note(1, "x", 100, at(0)), None);
        assert_eq!(watch.note(1, "x", 101, at(10)), Some(Duration::ZERO));
        assert_eq!(watch.note(1, "x", 101, at(20)), Some(Duration::from_secs(10)));
        assert_eq!(watch.note(1, "x", 101, at(311)), None);
        assert_eq!(watch.note(1, "x", 102, at(400)), Some(Duration::ZERO));
        // Others have their own count.
        assert_eq!(watch.note(2, "x", 5, at(400)), None);
        assert_eq!(watch.note(1, "y", 5, at(400)), None);
    }
}
