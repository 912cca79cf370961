//! Placement words: they agree with what is placed. That no two cells overlap is V-30, which is told with the records.

use super::declared::{Declared, Series};
use super::header::name_at;
use super::index;
use super::pass::Pass;
use super::records::word_offset;
use super::report::Place;
use crate::layout::header::*;
use crate::layout::kind::Space;
use crate::layout::record::CELL_WORD;
use crate::protocol::placement;
use crate::sync::{Acquire, fence};

/// Placement word, capacity in units, and what a unit is.
fn space(pass: &Pass<'_, '_>, space: Space) -> (u64, u64) {
    let capacities = &pass.geometry.capacities;
    match space {
        Space::Counters => (COUNTER_PLACEMENT_OFFSET, capacities.counters),
        Space::Gauges => (GAUGE_PLACEMENT_OFFSET, capacities.gauges),
        Space::Blocks => (BLOCK_PLACEMENT_OFFSET, capacities.blocks_length),
    }
}

fn units(series: &Series) -> u64 {
    match series.record.kind.space() {
        Space::Counters | Space::Gauges => series.record.kind.units(),
        Space::Blocks => series.record.length,
    }
}

/// The next free unit of a space. Load it after what is compared with it: it only grows.
pub(super) fn free(pass: &Pass<'_, '_>, of: Space) -> u64 {
    placement::free(pass.load(space(pass, of).0))
}

/// Checks all three spaces.
pub(super) fn check(pass: &mut Pass<'_, '_>, declared: &Declared) {
    for of in [Space::Counters, Space::Gauges, Space::Blocks] {
        check_space(pass, declared, of);
    }
    for entry in &declared.entries {
        if entry
            .series
            .as_ref()
            .is_some_and(|series| series.placement.is_some())
            && !entry.is_ready
        {
            let message = "placed and not ready: its registrant is at work, or died before step I6";
            let offset = word_offset(pass, entry.number, CELL_WORD);
            pass.note("10.7.2", Place::Record(entry.number), offset, message);
        }
    }
}

fn check_space(pass: &mut Pass<'_, '_>, declared: &Declared, of: Space) {
    // Overlaps were told with the records; what is placed is disjoint.
    let last = declared
        .placed(of)
        .map(|(entry, series, start)| (start + units(series), entry))
        .max_by_key(|(end, _)| *end);
    let (offset, capacity) = space(pass, of);
    let word = pass.load(offset);
    let (record, free) = (placement::record(word), placement::free(word));
    let place = Place::Header(name_at(offset));
    if free > capacity {
        let message = format!("the next free unit is {free}, there are {capacity}");
        pass.error("10.7.3", place, offset, message);
    }
    if record != 0 {
        check_at_work(pass, declared, of, (record, free));
    }
    if let Some((end, entry)) = last
        && end > free
        && entry.number != record
    {
        let message = format!(
            "the next free unit is {free}, the cell of record {} ends at {end}: it would be handed out again",
            entry.number
        );
        pass.error("10.7.3", place, offset, message);
    }
}

/// A placement that is at work, or was cut short: P2 was done for `record` at `free`.
fn check_at_work(pass: &mut Pass<'_, '_>, declared: &Declared, of: Space, (record, free): (u64, u64)) {
    let (offset, _) = space(pass, of);
    let place = Place::Header(name_at(offset));
    if record > pass.geometry.records {
        let message = format!("it places record {record}, there are {}", pass.geometry.records);
        return pass.error("10.7.3", place, offset, message);
    }
    let Some(entry) = declared.get(record) else {
        // Published after the index was looked at, but before it was placed.
        fence(Acquire);
        if index::published(pass).contains(record) {
            return;
        }
        let message = format!("it places record {record}, which is not published");
        return pass.error("10.7.3", place, offset, message);
    };
    // Told already, as a record.
    let Some(series) = &entry.series else { return };
    if series.record.kind.space() != of {
        let message = format!(
            "it places record {record}, which is a {}",
            series.record.kind.name()
        );
        return pass.error("10.7.3", place, offset, message);
    }
    // As its record says, whether or not another one has that place.
    match entry.words[CELL_WORD].checked_sub(1) {
        Some(placement) if placement != free => {
            let message = format!("it places record {record} at {free}, whose cell is at {placement}");
            pass.error("10.7.3", place, offset, message);
        }
        _ => pass.note(
            "10.7.3",
            place,
            offset,
            format!("record {record} is being placed: the next to place anything finishes it"),
        ),
    }
}
