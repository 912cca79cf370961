//! Where the storm is: a folder of its own, removed at the end with everything in it, and names in shared memory.

use std::path::{Path, PathBuf};
use std::time::Duration;

use shmetrics::Segment;
use shmetrics::segment::SegmentOptions;

use super::plan::Capacity;
use crate::exit::{Failure, io_failure};
use crate::storm::place::temporary_folder;

/// Short, so that threads are stopped and killed while they turn to a new epoch, and windows pass before a reader's eyes.
const EPOCH: Duration = Duration::from_millis(10);
/// Beginning of the folder's name, and of names in shared memory.
const NAME: &str = "shmetrics-torture";

/// The segment of everybody, under its public name.
pub(super) fn segment(folder: &Path) -> PathBuf {
    folder.join("segment")
}

/// Another name of the same file, for the time when it has lost the public one.
pub(super) fn kept(folder: &Path, era: usize) -> PathBuf {
    folder.join(format!("era-{era}"))
}

/// Names that a race is about, below a number: in the folder, or in shared memory.
pub(super) fn race_name(storm: u32, number: u64) -> String {
    format!("{NAME}-{storm}-race-{number}")
}

/// Small, with room for each series of the storm and few more.
pub(super) fn options(capacity: Capacity) -> SegmentOptions {
    Segment::options()
        .process_slots(capacity.slots)
        .lanes(capacity.lanes)
        .series(50)
        .counters(64)
        .gauges(8)
        .text_length(16 << 10)
        .blocks_length(128 << 10)
        .budget(capacity.budget)
        .epoch(EPOCH)
}

/// The folder. Gone with this.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) folder: PathBuf,
}

impl Stage {
    pub(super) fn set() -> Result<Stage, Failure> {
        let folder = temporary_folder().join(format!("{NAME}-{}", std::process::id()));
        let made =
            std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700).create(&folder);
        made.map_err(|error| {
            io_failure(
                &format!("make {}", folder.display()),
                &error,
                "free memory, or remove it",
            )
        })?;
        Ok(Stage { folder })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
        // Races that were cut short.
        let prefix = race_name(std::process::id(), 0);
        let prefix = prefix.trim_end_matches('0');
        for file in std::fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
            if file.file_name().to_string_lossy().starts_with(prefix) {
                let _ = std::fs::remove_file(file.path());
            }
        }
    }
}
