//! Where the demo's segment is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use shmetrics::layout::geometry::Capacities;
use shmetrics::{OpenError, Segment};

use super::plan::Plan;
use crate::cli::Demo;
use crate::exit::Failure;
use crate::storm::place::temporary_folder;

/// Short, so that workers are also killed while they turn to a new epoch.
const EPOCH: Duration = Duration::from_millis(100);
/// Processes and lanes beside the workers' own: whoever looks on may take some.
const SPARE: u64 = 16;

/// The segment of the demo. A temporary one is removed at the end.
#[derive(Debug)]
pub(super) struct Stage {
    path: PathBuf,
    stays: bool,
}

impl Stage {
    pub(super) fn set(flags: &Demo, plan: &Plan) -> Result<Stage, Failure> {
        let most = Capacities::DEFAULT;
        let options = Segment::options()
            .role("demo")
            .process_slots(most.process_slots.max(plan.workers + SPARE))
            // A replacement takes over the lanes of the dead.
            .lanes(
                most.lanes
                    .max(plan.workers * plan.threads + SPARE)
                    .min(MOST_LANES),
            )
            .series(most.series.max(plan.workers + SPARE))
            .counters(most.counters.max(plan.workers + SPARE))
            .epoch(EPOCH);
        let (segment, stays) = match (&flags.segment, &flags.keep) {
            (Some(place), _) => (options.open_or_create(place)?, true),
            (None, Some(place)) => (options.create(place)?, true),
            (None, None) => (temporary(options)?, false),
        };
        // Workers find it by its path. The segment is closed here: from now on this process only reads.
        let path = segment.path().map(Path::to_owned).unwrap_or_default();
        Ok(Stage { path, stays })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Is it left when the demo is over?
    pub(super) fn stays(&self) -> bool {
        self.stays
    }
}

/// More threads than this share a lane.
const MOST_LANES: u64 = shmetrics::layout::geometry::MAX_LANES;

fn temporary(options: shmetrics::segment::SegmentOptions) -> Result<Segment, OpenError> {
    let name = format!("shmetrics-demo-{}", std::process::id());
    options.create_at(temporary_folder().join(name))
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !self.stays {
            // If it is gone already, fine.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
