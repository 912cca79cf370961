//! `inspect` for people.

use shmetrics::Value;
use shmetrics::snapshot::{BucketScheme, Fill, Snapshot, Used};

use super::grid::Grid;
use super::series::{ring_slots, title, who};
use super::{capacities, head, losses, remarks, storage};
use crate::command::inspect::Inspection;
use crate::format::units::{bytes, grouped, seconds};
use crate::terminal::{Style, clean};

/// `inspect`'s answer.
pub(crate) fn inspection(inspection: &Inspection, style: Style) -> String {
    let snapshot = &inspection.snapshot;
    let Some(facts) = &snapshot.segment else {
        return String::new();
    };
    let mut text = head(snapshot, style);
    let mut line = |name: &str, value: &str| text += &format!("  {} {}\n", style.faint(name), clean(value));
    line("format version", &facts.version.to_string());
    line("segment id    ", &format!("{:016x}", facts.origin.segment_id));
    let boot = match inspection.this_boot {
        Some(true) => " (this boot)",
        Some(false) => " (an earlier boot: owners and windows mean nothing any more)",
        None => "",
    };
    line("boot id       ", &format!("{}{boot}", inspection.boot_id));
    line("file system   ", &inspection.file_system);
    let mut grids = vec![
        capacities(&facts.geometry),
        storage(&facts.geometry, Some(inspection.committed)),
        fill(&snapshot.fill),
    ];
    grids.push(histograms(snapshot));
    grids.push(owners(inspection));
    let mut lost = Grid::new(["losses", ""]);
    for (cause, count) in losses(&snapshot.losses) {
        lost.row([cause.to_owned(), grouped(count)]);
    }
    grids.push(lost);
    grids.push(health(snapshot));
    grids.push(errors(snapshot));
    for grid in grids.iter().filter(|grid| !grid.is_empty()) {
        text.push('\n');
        text += &grid.render(style);
    }
    text + &remarks(snapshot, style)
}

fn fill(fill: &Fill) -> Grid {
    let mut grid = Grid::new(["fill", "used", "of", ""]);
    let mut row = |name: &str, used: Used, show: fn(u64) -> String| {
        let percent = 100.0 * used.used as f64 / used.capacity.max(1) as f64;
        grid.row([
            name.to_owned(),
            show(used.used),
            show(used.capacity),
            format!("{percent:.0} %"),
        ]);
    };
    let size = |value: u64| bytes(value as f64);
    row("process slots, alive", fill.process_slots, grouped);
    row("lanes, alive", fill.lanes, grouped);
    let mut touched = fill.lanes;
    touched.used = fill.lanes_touched;
    row("lanes, ever used", touched, grouped);
    row("records", fill.records, grouped);
    row("text", fill.text, size);
    row("counters", fill.counters, grouped);
    row("gauges", fill.gauges, grouped);
    row("histograms per lane", fill.blocks, size);
    row("error log", fill.errors, grouped);
    row("budget", fill.committed, size);
    grid
}

fn health(snapshot: &Snapshot) -> Grid {
    let (health, reader) = (&snapshot.health, &snapshot.reader);
    let mut grid = Grid::new(["health", ""]);
    let rows = [
        ("lanes and slots taken over from the dead", health.adoptions),
        ("dead owners of slots, not taken over yet", health.dead_slots),
        ("lanes of dead owners, not taken over yet", health.dead_lanes),
        ("damaged entries of the error log", health.errors_damaged),
        ("reads of this reader that were overtaken", reader.torn_reads),
        ("bounded results of this reader", reader.bounded_results),
    ];
    rows.into_iter()
        .for_each(|(name, count)| grid.row([name.to_owned(), grouped(count)]));
    grid.row(["resets of series".to_owned(), grouped(snapshot.resets)]);
    if snapshot.resets > 0 {
        let passed = snapshot.taken_at_ns.saturating_sub(snapshot.last_reset_ns) as f64 / 1e9;
        grid.row(["last reset".to_owned(), format!("{} ago", seconds(passed))]);
    }
    grid
}

/// The error log, newest first.
fn errors(snapshot: &Snapshot) -> Grid {
    let mut grid = Grid::new(["error", "count", "first", "last"]);
    for error in &snapshot.errors {
        let ago = |time: u64| {
            let passed = snapshot.taken_at_ns.saturating_sub(time) as f64 / 1e9;
            format!("{} ago", seconds(passed))
        };
        let cut = if error.truncated { " ..." } else { "" };
        grid.row([
            format!("{}{cut}", clean(&error.message)),
            grouped(error.count),
            ago(error.first_seen_ns),
            ago(error.last_seen_ns),
        ]);
    }
    grid
}

fn histograms(snapshot: &Snapshot) -> Grid {
    let mut grid = Grid::new(["histogram", "buckets", "scale", "ring slots"]);
    for series in &snapshot.series {
        let Value::Histogram(histogram) = &series.value else {
            continue;
        };
        let scale = match &histogram.scheme {
            BucketScheme::Exponential(parameters) => parameters.scale().to_string(),
            BucketScheme::Classic(_) => "classic".to_owned(),
        };
        grid.row([
            title(series),
            histogram.scheme.buckets().to_string(),
            scale,
            ring_slots(histogram),
        ]);
    }
    grid
}

fn owners(inspection: &Inspection) -> Grid {
    let mut grid = Grid::new([
        "process",
        "pid",
        "alive",
        "slot",
        "lanes",
        "started",
        "slot taken",
        "command",
    ]);
    grid.align_left([2, 7]);
    let ticks_per_second = rustix::param::clock_ticks_per_second() as f64;
    for process in &inspection.snapshot.processes {
        let taken = inspection.snapshot.taken_at_ns.saturating_sub(process.claimed_ns) as f64 / 1e9;
        let started = inspection.uptime - process.start_ticks as f64 / ticks_per_second;
        let ago = |known: bool, time: f64| {
            if known {
                format!("{} ago", seconds(time.max(0.0)))
            } else {
                "-".to_owned()
            }
        };
        let [name, pid, alive] = who(process);
        grid.row([
            name,
            pid,
            alive,
            process.slot.to_string(),
            process.lanes.to_string(),
            ago(process.start_ticks != 0, started),
            ago(process.claimed_ns != 0, taken),
            clean(&process.command).into_owned(),
        ]);
    }
    grid
}
