//! One file per output format.

pub(crate) mod events;
pub(crate) mod hex;
pub(crate) mod json;
pub(crate) mod table;
mod units;

pub(crate) use self::units::{grouped, seconds};

use shmetrics::Snapshot;

use crate::cli::Format;
use crate::exit::Failure;
use crate::terminal::{self, Style};

/// What the user asked for, or else what suits stdout.
pub(crate) fn chosen(format: Option<Format>) -> Format {
    format.unwrap_or(if terminal::stdout_is_terminal() {
        Format::Table
    } else {
        Format::Json
    })
}

/// Prints a snapshot. `processes`: also what each process counted.
pub(crate) fn print_snapshot(
    snapshot: &Snapshot,
    format: Option<Format>,
    processes: bool,
) -> Result<(), Failure> {
    let text = match chosen(format) {
        Format::Json => json::pretty(snapshot)?,
        Format::Table => table::snapshot(snapshot, processes, Style::of_stdout()),
    };
    terminal::print(&text)
}
