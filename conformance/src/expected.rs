//! What the reader of the library says about a segment, under fixed conditions.

use std::io;
use std::path::Path;

use shmetrics::snapshot::Clocks;
use shmetrics::{OpenError, Reader, Snapshot};

use crate::held::Held;
use crate::image::{CREATED_MONOTONIC_NS, CREATED_NS};

/// The clocks for which all expectations hold: a minute after the creation of an [`Image`](crate::image::Image). With epochs of ten
/// seconds it is epoch 10.
pub const CLOCKS: Clocks = Clocks {
    wall_ns: CREATED_NS + 60_000_000_000,
    monotonic_ns: CREATED_MONOTONIC_NS + 60_000_000_000,
};

/// A way to look at a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// No lock byte is held: every owner is dead.
    Free,
    /// The lock bytes of all slots are held: every owner is alive.
    Held,
    /// As `Held`, with what each process counted.
    Processes,
    /// As `Free`, cut at the last closed epoch.
    Cut,
}

impl View {
    /// All of them.
    pub const ALL: [View; 4] = [View::Free, View::Held, View::Processes, View::Cut];

    /// What follows the name of a golden file.
    pub const fn ending(self) -> &'static str {
        match self {
            View::Free => ".json",
            View::Held => ".held.json",
            View::Processes => ".processes.json",
            View::Cut => ".cut.json",
        }
    }
}

/// A snapshot of the segment at `path` as of these clocks. The error is the reader's.
pub fn look(path: &Path, view: View, clocks: Clocks) -> Result<Snapshot, OpenError> {
    let _held = match view {
        View::Free | View::Cut => None,
        View::Held | View::Processes => Some(hold_all(path).map_err(|source| OpenError::Io {
            operation: "lock",
            path: path.to_owned(),
            source,
        })?),
    };
    let mut reader = Reader::open_path(path)?;
    reader.as_of(Some(clocks)).per_process(view == View::Processes);
    let taken = match view {
        View::Cut => reader.cut(),
        _ => reader.snapshot(),
    };
    taken.map_err(|error| OpenError::Io {
        operation: "read",
        path: path.to_owned(),
        source: io::Error::other(error),
    })
}

fn hold_all(path: &Path) -> io::Result<Held> {
    // A segment that is refused has no slots that could be told.
    let slots = Reader::open_path(path).map_or(0, |reader| reader.facts().geometry.capacities.process_slots);
    Held::lock(path, 0..slots)
}

/// The snapshot as JSON, on many lines, with `name` in the place of the segment's path.
pub fn json(snapshot: &Snapshot, name: &str) -> String {
    let mut value = serde_json::to_string_pretty(snapshot).unwrap_or_default();
    if let Some(facts) = &snapshot.segment {
        let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
        let path = quoted(&facts.path.to_string_lossy());
        value = value.replacen(
            &format!("\"path\": {path}"),
            &format!("\"path\": {}", quoted(name)),
            1,
        );
    }
    value.push('\n');
    value
}
