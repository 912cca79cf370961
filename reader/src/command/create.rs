//! `create`: a segment before its workers start.

use std::ffi::OsStr;
use std::path::Path;

use shmetrics::layout::geometry::Geometry;
use shmetrics::segment::SegmentOptions;
use shmetrics::{OpenError, Preset, Segment};

use crate::cli::{Create, PresetName};
use crate::exit::Failure;
use crate::format::table;
use crate::terminal;

pub(crate) fn run(flags: &Create) -> Result<(), Failure> {
    let segment = create(options(flags), &flags.path)?;
    let (Some(path), Some(capacities)) = (segment.path(), segment.capacities()) else {
        return Ok(());
    };
    if !segment.is_in_memory() {
        terminal::say(&format!(
            "shmetrics: warning: {} is not in memory: writing it back can stall workers; better use tmpfs",
            path.display()
        ));
    }
    let geometry = Geometry::plan(capacities).map_err(|source| OpenError::Layout {
        path: path.to_owned(),
        source,
    })?;
    terminal::print(&table::created(path, &geometry))
}

fn create(options: SegmentOptions, place: &OsStr) -> Result<Segment, OpenError> {
    match place.to_str() {
        Some(place) => options.create(place),
        None => options.create_at(Path::new(place)),
    }
}

fn options(flags: &Create) -> SegmentOptions {
    let mut options = Segment::options()
        .role("shmetrics create")
        .preset(match flags.preset {
            PresetName::Default => Preset::Default,
            PresetName::Compact => Preset::Compact,
            PresetName::Large => Preset::Large,
        });
    macro_rules! given {
        ($($option:ident),*) => {
            $(if let Some(value) = flags.$option {
                options = options.$option(value);
            })*
        };
    }
    given!(
        process_slots,
        lanes,
        series,
        text_length,
        counters,
        gauges,
        blocks_length,
        errors,
        reset_tables,
        budget,
        epoch,
        mode
    );
    options
}
