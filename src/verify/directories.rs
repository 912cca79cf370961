//! The directories: who has which slot and which lane, and do their marks agree with that.

use super::owners::{self, Life};
use super::pass::Pass;
use super::report::Place;
use crate::layout::LINE_LENGTH;
use crate::layout::WORD_LENGTH;
use crate::layout::directory::*;
use crate::sync::{Acquire, fence};

/// A lane that has storage.
pub(super) struct Lane {
    pub(super) number: u64,
    pub(super) owner: OwnerTag,
    /// Nobody writes it, as long as its owner word stays.
    pub(super) is_quiet: bool,
}

impl Lane {
    /// Has somebody taken the lane since it was judged quiet?
    pub(super) fn is_overtaken(&self, pass: &Pass<'_, '_>) -> bool {
        fence(Acquire);
        let offset = pass.geometry.lane_entry_offset(self.number) + LANE_OWNER_OFFSET;
        self.is_quiet && pass.load(offset) != self.owner.0
    }
}

/// Checks the process directory.
pub(super) fn slots(pass: &mut Pass<'_, '_>) {
    for slot in 0..pass.geometry.capacities.process_slots {
        slot_entry(pass, slot);
    }
}

fn slot_entry(pass: &mut Pass<'_, '_>, slot: u64) {
    let entry = pass.geometry.process_entry_offset(slot);
    let place = Place::Slot(slot);
    let owner = owners::owner(pass, slot);
    fence(Acquire);
    let committed = pass.load(entry + PROCESS_COMMITTED_OFFSET);
    fence(Acquire);
    let length = pass.geometry.capacities.gauges * LINE_LENGTH;
    pass.reserved_fields("process entry", place, entry);
    if committed != 0 && committed != length {
        let message = format!("{committed} bytes are committed, expected 0 or all {length}");
        pass.error("9.1", place, entry + PROCESS_COMMITTED_OFFSET, message);
    }
    // The owner word is stored before the mark; it was loaded first, so that it may be older.
    if committed != 0 && owner.0 == 0 && owners::owner(pass, slot).0 == 0 {
        let message = "cells are committed in a slot that was never taken";
        pass.error("9.1", place, entry + PROCESS_OWNER_OFFSET, message);
    }
    if owner.0 == 0 {
        return;
    }
    pass.checked.slots += 1;
    let incarnation = owner.incarnation();
    if owner.0 & 3 == 3 {
        let message = "the state is 3, which has no meaning; it reads as claiming";
        pass.warning("9.1", place, entry + PROCESS_OWNER_OFFSET, message);
    }
    if incarnation == 0 {
        let message = format!(
            "the slot has state {} and incarnation 0: it was never taken",
            owner.0 & 3
        );
        pass.error("9.1", place, entry + PROCESS_OWNER_OFFSET, message);
    }
    let is_dead = owner.state() != SlotState::Free && owners::life(pass, slot, incarnation) == Life::Dead;
    if is_dead && owners::owner(pass, slot) == owner {
        let message = match owner.state() {
            SlotState::Claiming => "its owner died while it claimed the slot: the next one begins again",
            _ => "its owner is dead: the slot is free for the next one",
        };
        pass.note(
            "10.5",
            place,
            entry + PROCESS_OWNER_OFFSET,
            format!("incarnation {incarnation}: {message}"),
        );
    }
    description(pass, slot, owner, is_dead);
}

/// What is for people: read between two looks at what guards it.
fn description(pass: &mut Pass<'_, '_>, slot: u64, owner: SlotOwner, is_dead: bool) {
    let entry = pass.geometry.process_entry_offset(slot);
    let place = Place::Slot(slot);
    let changes = pass.load(entry + PROCESS_DESCRIPTION_OFFSET);
    if changes & 1 == 1 {
        if is_dead {
            let message = "its owner died while it changed its description";
            pass.note("10.16", place, entry + PROCESS_DESCRIPTION_OFFSET, message);
        }
        return;
    }
    if owner.state() == SlotState::Claiming {
        return;
    }
    fence(Acquire);
    let texts = [
        (PROCESS_ROLE_OFFSET, PROCESS_ROLE_LENGTH, "role"),
        (PROCESS_COMMAND_OFFSET, PROCESS_COMMAND_LENGTH, "command"),
    ]
    .map(|(offset, length, name)| {
        let words = pass.range(entry + offset, (length / WORD_LENGTH) as usize);
        let bytes: Vec<u8> = (0..words.len())
            .flat_map(|index| words.load(index).to_ne_bytes())
            .collect();
        (entry + offset, bytes, name)
    });
    fence(Acquire);
    let stayed =
        owners::owner(pass, slot) == owner && pass.load(entry + PROCESS_DESCRIPTION_OFFSET) == changes;
    if !stayed {
        return;
    }
    for (offset, bytes, name) in texts {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        if bytes[end..].iter().any(|byte| *byte != 0) {
            let message = format!("the {name} is not padded with NUL");
            pass.warning("9.1", place, offset, message);
        }
        match std::str::from_utf8(&bytes[..end]) {
            Ok(_) => {}
            // Command lines are bytes, and may be cut anywhere if they are no text.
            Err(_) if name == "command" => pass.note(
                "9.1",
                place,
                offset,
                "the command is not UTF-8: shown with replacements",
            ),
            Err(_) => pass.warning(
                "9.1",
                place,
                offset,
                "the role is not UTF-8: shown with replacements",
            ),
        }
    }
}

/// Checks the lane directory. Returns the lanes that may be looked into (D-5).
pub(super) fn lanes(pass: &mut Pass<'_, '_>) -> Vec<Lane> {
    (1..=pass.geometry.capacities.lanes)
        .filter_map(|lane| lane_entry(pass, lane))
        .collect()
}

fn lane_entry(pass: &mut Pass<'_, '_>, number: u64) -> Option<Lane> {
    let entry = pass.geometry.lane_entry_offset(number);
    let place = Place::Lane(number);
    let tag = OwnerTag(pass.load(entry + LANE_OWNER_OFFSET));
    fence(Acquire);
    // The reverse of the order in which they are stored: none can be ahead of one it depends on.
    let [baseline, baseline_owner, counters, incarnation, committed] = [
        LANE_BASELINE_WORD_OFFSET,
        LANE_BASELINE_OWNER_OFFSET,
        LANE_BASELINE_COUNTERS_OFFSET,
        LANE_INCARNATION_OFFSET,
        LANE_COMMITTED_OFFSET,
    ]
    .map(|offset| {
        let word = pass.load(entry + offset);
        fence(Acquire);
        word
    });
    pass.reserved_fields("lane entry", place, entry);
    let front = pass.geometry.lane_front_length();
    if committed != 0 && committed != front {
        let message = format!("{committed} bytes are committed, expected 0 or the front's {front}");
        pass.error("9.3", place, entry + LANE_COMMITTED_OFFSET, message);
    }
    if tag == OwnerTag::NOBODY {
        let rest = committed | incarnation | baseline | counters | baseline_owner;
        if rest != 0 && pass.load(entry + LANE_OWNER_OFFSET) == 0 {
            let message = format!(
                "the lane has no owner, incarnation {incarnation} and {committed} bytes: once it is not 0, the owner word never becomes 0 again"
            );
            pass.error("9.3", place, entry + LANE_OWNER_OFFSET, message);
        }
        return None;
    }
    pass.checked.lanes += 1;
    let is_known = check_tag(pass, place, entry + LANE_OWNER_OFFSET, tag, "owner");
    if baseline_owner != 0 {
        check_tag(
            pass,
            place,
            entry + LANE_BASELINE_OWNER_OFFSET,
            OwnerTag(baseline_owner),
            "owner of the baseline",
        );
    }
    if incarnation != 0 && committed == 0 {
        let message = format!(
            "incarnation {incarnation} and no storage: the front is committed before the incarnation is stored"
        );
        pass.error("9.3", place, entry + LANE_COMMITTED_OFFSET, message);
    }
    if baseline > incarnation {
        let message = format!("the baseline is that of incarnation {baseline}, the lane's is {incarnation}");
        pass.error("9.3", place, entry + LANE_BASELINE_WORD_OFFSET, message);
    }
    let most = pass.geometry.capacities.counters;
    if counters > most {
        let message = format!("the baseline covers {counters} counters, there are {most}");
        pass.error("9.3", place, entry + LANE_BASELINE_COUNTERS_OFFSET, message);
    }
    let is_quiet = is_known && owners::is_quiet(pass, tag);
    if is_quiet && tag != OwnerTag::RELEASED {
        let message = match incarnation {
            0 => "its first owner died while it claimed the lane: the next one begins again".to_owned(),
            _ => format!(
                "its owner, slot {} incarnation {}, is dead: the lane can be adopted",
                (tag.0 >> 48) - 1,
                tag.incarnation()
            ),
        };
        pass.note("10.6", place, entry + LANE_OWNER_OFFSET, message);
    }
    if counters != 0 && counters <= most {
        let offset = pass.geometry.lane_offset(number) + pass.geometry.lane_baseline_offset;
        pass.is_stored(place, offset, counters * WORD_LENGTH, "lane_baseline_counters");
    }
    (committed == front).then_some(Lane {
        number,
        owner: tag,
        is_quiet,
    })
}

/// Does the tag name a slot and an incarnation that was there? Returns whether it has a meaning.
fn check_tag(pass: &mut Pass<'_, '_>, place: Place, offset: u64, tag: OwnerTag, what: &str) -> bool {
    if tag == OwnerTag::RELEASED && what == "owner" {
        return true;
    }
    let slots = pass.geometry.capacities.process_slots;
    let Some(slot) = tag.slot(slots) else {
        let message = format!("the {what} {:#x} names none of the {slots} slots", tag.0);
        pass.error("9.2", place, offset, message);
        return false;
    };
    // After the tag: a slot's incarnation is stored before its owner takes anything.
    let newest = owners::owner(pass, slot).incarnation() & ((1 << 48) - 1);
    if tag.incarnation() == 0 || tag.incarnation() > newest {
        let message = format!(
            "the {what} is incarnation {} of slot {slot}, which had {newest}",
            tag.incarnation()
        );
        pass.error("9.2", place, offset, message);
        return false;
    }
    true
}
