//! What the server tells about itself and about the segments it reads. Everything has the prefix `shmetrics_`.

use std::time::Duration;

use shmetrics::snapshot::{Number, Quality};
use shmetrics::{Snapshot, Value};

use super::families::Family;
use super::health;
use super::segments::Segments;

/// The commit that was built, if whoever built it said so.
const REVISION: &str = match option_env!("SHMETRICS_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

/// What the server knows of itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Server {
    /// When it began, nanoseconds since 1970.
    pub(super) started_ns: u64,
    /// How long looking for segments and reading them took.
    pub(super) reading: Duration,
    pub(super) connections: u64,
    /// Closed to make room for others.
    pub(super) connections_displaced: u64,
    /// Answers that were refused because slow readers hold too much.
    pub(super) answers_refused: u64,
    /// Series that looked like others and were left out of the answer before this one.
    pub(super) series_left_out: u64,
}

/// The families, of the server and all its segments.
pub(super) fn families(segments: &Segments, server: &Server) -> Vec<Family> {
    let mut families = of_server(segments, server);
    families.extend(of_segments(segments));
    families
}

fn of_server(segments: &Segments, server: &Server) -> Vec<Family> {
    let mut build = Family::gauge("shmetrics_build_info", "What this server was built from.");
    let labels = [
        ("version", env!("CARGO_PKG_VERSION")),
        ("revision", REVISION),
        ("target_arch", std::env::consts::ARCH),
    ];
    build.put(&labels, Number::U64(1));
    vec![
        build,
        Family::gauge(
            "shmetrics_scrape_duration_seconds",
            "How long reading all segments took for this answer.",
        )
        .with(Number::F64(server.reading.as_secs_f64())),
        Family::gauge(
            "shmetrics_segments_ignored",
            "Files that may be segments, beyond the number that can be read.",
        )
        .with(Number::U64(segments.ignored as u64)),
        Family::gauge(
            "shmetrics_series_left_out",
            "Series of the answer before this one that could not be told from others.",
        )
        .with(Number::U64(server.series_left_out)),
        Family::gauge("shmetrics_http_connections", "Open connections.")
            .with(Number::U64(server.connections)),
        Family::counter(
            "shmetrics_http_connections_displaced_total",
            "Idle connections that were closed to make room.",
        )
        .with_since(Number::U64(server.connections_displaced), server.started_ns),
        Family::counter(
            "shmetrics_http_answers_refused_total",
            "Requests refused because slow clients hold too much of earlier answers.",
        )
        .with_since(Number::U64(server.answers_refused), server.started_ns),
    ]
}

fn of_segments(segments: &Segments) -> Vec<Family> {
    let mut up = Family::gauge("shmetrics_up", "Can the segment be read?");
    let mut problem = Family::gauge(
        "shmetrics_problem",
        "Why a segment, or a place where some were expected, cannot be read.",
    );
    for segment in segments.iter() {
        up.put(
            &[("segment", &segment.name)],
            Number::U64(u64::from(segment.snapshot().is_some())),
        );
        if let Some(found) = &segment.problem {
            problem.put(
                &[("segment", &segment.name), ("problem", found.word)],
                Number::U64(1),
            );
        }
    }
    for (place, found) in &segments.problems {
        up.put(&[("segment", place)], Number::U64(0));
        problem.put(&[("segment", place), ("problem", found.word)], Number::U64(1));
    }
    let mut told = Told::default();
    for segment in segments.iter() {
        if let Some(snapshot) = segment.snapshot() {
            told.put(&segment.name, snapshot, segment.opened_ns);
        }
    }
    let mut families = vec![up, problem];
    families.extend(told.0);
    families
}

/// Families with values per segment that can be read.
struct Told(Vec<Family>);

impl Default for Told {
    fn default() -> Self {
        Told(vec![
            Family::gauge(
                "shmetrics_segment_created_timestamp_seconds",
                "When the segment was made; all its counts begin later.",
            ),
            Family::gauge("shmetrics_segment_series", "Series in the segment."),
            Family::gauge(
                "shmetrics_segment_fill_ratio",
                "How much of a capacity is used, from 0 to 1.",
            ),
            Family::gauge(
                "shmetrics_segment_committed_bytes",
                "Storage committed after creation.",
            ),
            Family::gauge(
                "shmetrics_segment_budget_bytes",
                "Storage that may be committed after creation.",
            ),
            Family::counter(
                "shmetrics_segment_losses_total",
                "What could not be done as asked, by cause.",
            ),
            Family::gauge(
                "shmetrics_segment_histograms",
                "Histogram series by how exactly they were read.",
            ),
            Family::gauge(
                "shmetrics_segment_bounded_error_observations",
                "By how many observations the bounded histograms may be off, together.",
            ),
            Family::gauge(
                "shmetrics_segment_skipped_records",
                "Records that were left out: damaged, or of a newer kind.",
            ),
            Family::gauge(
                "shmetrics_segment_processes",
                "Processes that own a slot, and dead ones whose lanes wait for others.",
            ),
            Family::counter(
                "shmetrics_segment_adoptions_total",
                "Lanes and slots that were taken over from the dead.",
            ),
            Family::counter(
                "shmetrics_segment_errors_total",
                "Errors in the error log, by text; /json tells when.",
            ),
            Family::counter(
                "shmetrics_segment_torn_reads_total",
                "Reads of histograms that a writer overtook and that were made again.",
            ),
        ])
    }
}

impl Told {
    /// What a snapshot tells, of a segment whose reader was opened then. Its own counters begin with the segment.
    fn put(&mut self, segment: &str, snapshot: &Snapshot, opened_ns: u64) {
        let [
            created,
            series,
            fill,
            committed,
            budget,
            losses,
            histograms,
            error,
            skipped,
            processes,
            adoptions,
            errors,
            torn,
        ] = &mut self.0[..]
        else {
            return;
        };
        let labels = [("segment", segment)];
        let created_ns = snapshot
            .segment
            .as_ref()
            .map_or(0, |facts| facts.origin.created_ns);
        if created_ns > 0 {
            created.put(&labels, Number::F64(created_ns as f64 / 1e9));
        }
        series.put(&labels, Number::U64(snapshot.series.len() as u64));
        for (capacity, used) in health::capacities(snapshot) {
            if used.capacity > 0 {
                let ratio = used.used as f64 / used.capacity as f64;
                fill.put(
                    &[("segment", segment), ("capacity", capacity)],
                    Number::F64(ratio),
                );
            }
        }
        committed.put(&labels, Number::U64(snapshot.fill.committed.used));
        budget.put(&labels, Number::U64(snapshot.fill.committed.capacity));
        for (cause, count) in health::losses(&snapshot.losses) {
            losses.put_since(
                &[("segment", segment), ("cause", cause)],
                Number::U64(count),
                created_ns,
            );
        }
        let (mut exact, mut bounded, mut off) = (0, 0, 0u64);
        for series in &snapshot.series {
            match &series.value {
                Value::Histogram(histogram) => match histogram.quality {
                    Quality::Bounded { error } => {
                        bounded += 1;
                        off = off.saturating_add(error);
                    }
                    _ => exact += 1,
                },
                _ => continue,
            }
        }
        histograms.put(&[("segment", segment), ("quality", "exact")], Number::U64(exact));
        histograms.put(
            &[("segment", segment), ("quality", "bounded")],
            Number::U64(bounded),
        );
        error.put(&labels, Number::U64(off));
        skipped.put(&labels, Number::U64(snapshot.skipped.len() as u64));
        let alive = snapshot.processes.iter().filter(|process| process.alive).count();
        let waiting = snapshot
            .processes
            .iter()
            .filter(|process| !process.alive && process.lanes > 0)
            .count();
        processes.put(
            &[("segment", segment), ("state", "alive")],
            Number::U64(alive as u64),
        );
        processes.put(
            &[("segment", segment), ("state", "dead")],
            Number::U64(waiting as u64),
        );
        adoptions.put_since(&labels, Number::U64(snapshot.health.adoptions), created_ns);
        for entry in &snapshot.errors {
            // A text that was cut may be that of another one.
            let message = match entry.truncated {
                true => format!("{}…", entry.message),
                false => entry.message.to_string(),
            };
            errors.put_since(
                &[("segment", segment), ("message", &message)],
                Number::U64(entry.count),
                created_ns,
            );
        }
        torn.put_since(&labels, Number::U64(snapshot.reader.torn_reads), opened_ns);
    }
}
