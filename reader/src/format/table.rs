//! Tables for people: aligned columns, values in their units, what is not exact marked.

mod grid;
mod inspect;
mod series;

use std::path::Path;

use shmetrics::Value;
use shmetrics::layout::geometry::Geometry;
use shmetrics::snapshot::{Losses, Series, Snapshot};

use self::grid::Grid;
pub(crate) use self::inspect::inspection;
use self::series::{distributions, per_process, samples, values, windows};
use super::units::{bytes, grouped, seconds};
use crate::terminal::{Style, clean};

/// `create`'s answer.
pub(crate) fn created(path: &Path, geometry: &Geometry) -> String {
    let mut text = format!("created {}\n\n", clean(&path.display().to_string()));
    text += &capacities(geometry).render(Style::of_stdout());
    text.push('\n');
    text += &storage(geometry, None).render(Style::of_stdout());
    text
}

/// Upper limit of what the file may take.
pub(crate) fn worst_case(geometry: &Geometry) -> u64 {
    geometry
        .file_length
        .min(geometry.head_length().saturating_add(geometry.capacities.budget))
}

fn capacities(geometry: &Geometry) -> Grid {
    let c = &geometry.capacities;
    let mut grid = Grid::new(["geometry", ""]);
    let rows = [
        ("process slots", grouped(c.process_slots)),
        ("lanes", grouped(c.lanes)),
        ("series", grouped(c.series)),
        ("text", bytes(c.text_length as f64)),
        ("counters", grouped(c.counters)),
        ("gauges", grouped(c.gauges)),
        ("histograms per lane", bytes(c.blocks_length as f64)),
        ("error log", grouped(c.errors)),
        ("reset tables", grouped(c.reset_tables)),
        ("epoch", seconds(c.epoch_length_ns as f64 / 1e9)),
    ];
    rows.into_iter()
        .for_each(|(name, value)| grid.row([name.to_owned(), value]));
    grid
}

fn storage(geometry: &Geometry, committed: Option<u64>) -> Grid {
    let mut grid = Grid::new(["storage", ""]);
    let mut row = |name: &str, value: u64| grid.row([name.to_owned(), bytes(value as f64)]);
    row("allocated at creation", geometry.head_length());
    if let Some(committed) = committed {
        row("allocated now", committed);
    }
    row("budget for more", geometry.capacities.budget);
    row("worst case", worst_case(geometry));
    row("address space", geometry.file_length);
    grid
}

/// `snapshot`'s and `demo`'s answer.
pub(crate) fn snapshot(snapshot: &Snapshot, processes: bool, style: Style) -> String {
    let mut text = head(snapshot, style);
    let (histograms, others): (Vec<&Series>, Vec<&Series>) = snapshot
        .series
        .iter()
        .partition(|series| matches!(series.value, Value::Histogram(_)));
    let mut grids = Vec::new();
    if !others.is_empty() {
        grids.push(values(&others));
    }
    if !histograms.is_empty() {
        grids.push(distributions(&histograms));
        grids.push(windows(&histograms));
    }
    grids.push(samples(&others));
    if processes {
        grids.push(per_process(snapshot));
    }
    for grid in grids.iter().filter(|grid| !grid.is_empty()) {
        text.push('\n');
        text += &grid.render(style);
    }
    if snapshot.series.is_empty() {
        text += "\nno series\n";
    }
    text + &warnings(snapshot, style)
}

/// Which segment, since when, who works.
fn head(snapshot: &Snapshot, style: Style) -> String {
    let Some(facts) = &snapshot.segment else {
        return String::new();
    };
    let age = snapshot
        .taken_at_monotonic_ns
        .saturating_sub(facts.origin.created_monotonic_ns);
    let alive = snapshot.fill.process_slots.used;
    let processes = if alive == 1 {
        "1 process".to_owned()
    } else {
        format!("{} processes", grouped(alive))
    };
    format!(
        "{}  {}\n",
        style.heading(&clean(&facts.path.display().to_string())),
        style.faint(&format!(
            "created {} ago, {processes} alive",
            seconds(age as f64 / 1e9)
        ))
    )
}

/// What people must know before they trust the numbers.
fn warnings(snapshot: &Snapshot, style: Style) -> String {
    let lost = losses(&snapshot.losses)
        .into_iter()
        .filter(|(_, count)| *count > 0);
    let lost = lost.map(|(cause, count)| format!("{cause}: {}", grouped(count)));
    let lost: String = lost.map(|line| style.warning(&line) + "\n").collect();
    let gap = if lost.is_empty() { "" } else { "\n" };
    format!("{gap}{lost}{}", remarks(snapshot, style))
}

/// As [`warnings`], without losses.
fn remarks(snapshot: &Snapshot, style: Style) -> String {
    let mut lines = Vec::new();
    if snapshot.retired {
        lines.push("the segment is retired: open its name again".to_owned());
    }
    for skipped in &snapshot.skipped {
        lines.push(format!(
            "record {} is passed over: {}",
            skipped.record, skipped.reason
        ));
    }
    let lines: String = lines
        .iter()
        .map(|line| style.warning(&clean(line)) + "\n")
        .collect();
    if lines.is_empty() {
        lines
    } else {
        format!("\n{lines}")
    }
}

fn losses(losses: &Losses) -> [(&'static str, u64); 10] {
    [
        (
            "threads without a lane of their own (counted in the shared one)",
            losses.lanes_exhausted,
        ),
        (
            "processes without a slot (their gauges are dropped)",
            losses.slots_exhausted,
        ),
        (
            "storage refused (counted in the shared lane)",
            losses.storage_refused,
        ),
        (
            "budget used up (counted in the shared lane)",
            losses.budget_refused,
        ),
        ("gauge writes dropped", losses.gauge_writes_dropped),
        (
            "label sets refused for lack of room (counted in overflow series)",
            losses.label_sets_refused,
        ),
        (
            "label sets over their family's limit (counted in its overflow series)",
            losses.label_sets_overflowed,
        ),
        ("histograms found damaged and mended", losses.anomalies),
        (
            "registrations refused (their callers got an error)",
            losses.registrations_refused,
        ),
        ("errors without room in the error log", losses.errors_lost),
    ]
}
