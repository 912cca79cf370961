//! `health`: is a service healthy, and how does it fare?

use std::fmt::Write;

use shmetrics::stats::health::{Health as Document, HealthStatus, View};

use crate::cli::{Format, Health};
use crate::exit::Failure;
use crate::format::{self, grouped, json, seconds};
use crate::{discover, terminal};

pub(crate) fn run(flags: &Health) -> Result<(), Failure> {
    let mut reader = discover::open_reader(flags.path.as_deref())?;
    reader.refresh_owners()?;
    let snapshot = reader.snapshot()?;
    let health = View::with_prefix(&snapshot, &flags.prefix).health();
    terminal::print(&match format::chosen(flags.format) {
        Format::Json => json::pretty(&health)?,
        Format::Table => table(&health),
    })?;
    let unhealthy: Vec<String> = health
        .statuses
        .iter()
        .filter(|status| !status.healthy)
        .map(line)
        .collect();
    match health.healthy {
        true => Ok(()),
        false => Err(Failure::Check(format!("unhealthy: {}", unhealthy.join("; ")))),
    }
}

fn table(health: &Document) -> String {
    let word = if health.healthy { "healthy" } else { "unhealthy" };
    let tasks = &health.tasks;
    let mut text = format!(
        "{word}\ntasks: {} in flight, the oldest for {}; {} started, {} completed, {} lost\n",
        grouped(tasks.in_flight),
        seconds(tasks.max_current_seconds),
        grouped(tasks.started),
        grouped(tasks.completed),
        grouped(tasks.lost),
    );
    for status in &health.statuses {
        text += &line(status);
        text.push('\n');
    }
    for process in &health.processes {
        // Writing to a string never fails.
        let _ = writeln!(
            text,
            "process {} {}: pid {}, since {}",
            process.slot,
            terminal::quoted(&process.role),
            process.pid,
            process.init_time
        );
    }
    text
}

fn line(status: &HealthStatus) -> String {
    let labels: Vec<String> = status
        .labels
        .iter()
        .map(|(name, value)| format!("{}={}", terminal::quoted(name), terminal::quoted(value)))
        .collect();
    let threshold = match status.unhealthy_from {
        Some(from) => format!(", unhealthy from {from}"),
        None => String::new(),
    };
    format!(
        "{}{{{}}} of process {} {}: {} \u{d7}{}{threshold}",
        terminal::quoted(&status.series),
        labels.join(","),
        status.slot,
        terminal::quoted(&status.role),
        terminal::quoted(&status.status),
        status.streak
    )
}
