//! Gauge cells: stamps, and what nobody has placed.

use super::cells;
use super::declared::Declared;
use super::pass::Pass;
use super::report::Place;
use crate::layout::directory::*;
use crate::layout::header::STAMP_OFFSET;
use crate::layout::kind::{Merge, Space};
use crate::layout::{LINE_LENGTH, LINE_WORDS, WORD_LENGTH};
use crate::sync::{Acquire, fence};

/// Checks the cells of all slots that have some.
pub(super) fn check(pass: &mut Pass<'_, '_>, declared: &Declared) {
    let length = pass.geometry.capacities.gauges * LINE_LENGTH;
    for slot in 0..pass.geometry.capacities.process_slots {
        let entry = pass.geometry.process_entry_offset(slot);
        let committed = pass.load(entry + PROCESS_COMMITTED_OFFSET);
        fence(Acquire);
        let start = pass.geometry.slot_offset(slot);
        // Another length was told with the entry.
        if committed == length && pass.is_stored(Place::Slot(slot), start, length, "process_committed") {
            check_slot(pass, declared, slot);
        }
    }
}

fn check_slot(pass: &mut Pass<'_, '_>, declared: &Declared, slot: u64) {
    let start = pass.geometry.slot_offset(slot);
    for (entry, series, placement) in declared.placed(Space::Gauges) {
        let place = Place::SlotRecord {
            slot,
            record: entry.number,
        };
        let offset = start + placement * GAUGE_CELL_LENGTH + GAUGE_STAMP_OFFSET;
        let stamp = pass.load(offset);
        pass.checked.gauges += u64::from(stamp != 0);
        // After the stamp: it was handed out before it was stored.
        fence(Acquire);
        let newest = pass.load(STAMP_OFFSET);
        if series.merge == Merge::Last && stamp > newest {
            let message =
                format!("the stamp is {stamp}, only {newest} were handed out: no later value would win");
            pass.error("10.8", place, offset, message);
        } else if series.merge != Merge::Last && stamp > 1 {
            let message = format!(
                "the stamp is {stamp}, expected 0 or 1 for the rule {}",
                series.merge.name()
            );
            pass.warning("9.4", place, offset, message);
        }
    }
    let words = pass.range(start, pass.geometry.capacities.gauges as usize * LINE_WORDS);
    let mut last = None;
    for index in 0..words.len() {
        let found = words.load(index);
        if found == 0 {
            continue;
        }
        let (cell, within) = (index / LINE_WORDS, index % LINE_WORDS);
        if within as u64 * WORD_LENGTH > GAUGE_STAMP_OFFSET {
            pass.reserved(Place::Slot(slot), start + index as u64 * WORD_LENGTH, found);
        } else {
            last = Some(cell as u64);
        }
    }
    fence(Acquire);
    let free = cells::free(pass, Space::Gauges);
    if let Some(last) = last.filter(|last| *last >= free) {
        let message = format!("cell {last} is set, only {free} are placed");
        pass.warning(
            "9.4",
            Place::Slot(slot),
            start + last * GAUGE_CELL_LENGTH,
            message,
        );
    }
}
