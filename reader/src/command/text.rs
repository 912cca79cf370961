//! `text`: a line per value, for people and scripts.

use crate::cli::Text;
use crate::exit::Failure;
use crate::{discover, glob, terminal};

pub(crate) fn run(flags: &Text) -> Result<(), Failure> {
    let mut reader = discover::open_reader(flags.path.as_deref())?;
    let mut snapshot = reader.snapshot()?;
    // Truncated within a page, it has zeros there and no page is missing.
    reader.refresh_owners()?;
    if let Some(pattern) = &flags.series {
        glob::choose(&mut snapshot, pattern);
    }
    let mut text = String::new();
    shmetrics_exposition::lines(&snapshot, &mut text);
    terminal::print(&text)
}
