//! `retire`: gives a segment up.

use std::path::Path;

use shmetrics::Segment;

use crate::cli::Retire;
use crate::exit::Failure;
use crate::{discover, terminal};

pub(crate) fn run(flags: &Retire) -> Result<(), Failure> {
    let alive = discover::open_place(&flags.path)?
        .snapshot()?
        .fill
        .process_slots
        .used;
    // A full segment can be retired, too: opening takes a process slot only if there is one.
    let options = Segment::options().role("shmetrics retire");
    let segment = match flags.path.to_str() {
        Some(place) => options.open(place)?,
        None => options.open_at(Path::new(&flags.path))?,
    };
    segment.retire()?;
    let path = segment
        .path()
        .map(|path| path.display().to_string())
        .unwrap_or_default();
    let consequence = match alive {
        0 => "no process has it open; the next to open the name makes a new one".to_owned(),
        1 => "1 process goes on counting into the nameless file; restart it to count into the new one"
            .to_owned(),
        _ => format!(
            "{alive} processes go on counting into the nameless file; restart them to count into the new one"
        ),
    };
    terminal::print(&format!("retired {}: {consequence}\n", terminal::clean(&path)))
}
