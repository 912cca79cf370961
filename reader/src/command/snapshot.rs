//! `snapshot`: what all workers did together, once.

use crate::cli::Snapshot;
use crate::exit::Failure;
use crate::{discover, format, glob};

pub(crate) fn run(flags: &Snapshot) -> Result<(), Failure> {
    if flags.cut && flags.window.is_some() {
        return Err(Failure::Input(
            "--cut and --window exclude each other; give one of them".to_owned(),
        ));
    }
    let mut reader = discover::open_reader(flags.path.as_deref())?;
    reader.per_process(flags.processes);
    let mut snapshot = match flags.window {
        Some(window) => reader.window(window.as_secs_f64())?,
        None if flags.cut => reader.cut()?,
        None => reader.snapshot()?,
    };
    // Truncated within a page, it has zeros there and no page is missing.
    reader.refresh_owners()?;
    if let Some(pattern) = &flags.series {
        glob::choose(&mut snapshot, pattern);
    }
    format::print_snapshot(&snapshot, flags.format, flags.processes)
}
