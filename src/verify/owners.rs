//! Who is alive: the lock byte of a slot, asked for one incarnation (SPEC.md section 10.4).

use super::pass::Pass;
use crate::layout::directory::*;
use crate::segment::ownership::slot_is_locked;
use crate::sync::{Acquire, fence};

/// What is known of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// It holds its lock byte, or nobody can ask.
    Alive,
    /// It is gone, or gave its slot back: it never writes again.
    Dead,
}

/// The owner word of a slot.
pub(super) fn owner(pass: &Pass<'_, '_>, slot: u64) -> SlotOwner {
    SlotOwner(pass.load(pass.geometry.process_entry_offset(slot) + PROCESS_OWNER_OFFSET))
}

/// Is this incarnation of the slot alive?
pub(super) fn life(pass: &Pass<'_, '_>, slot: u64, incarnation: u64) -> Life {
    let is_other = |owner: SlotOwner| {
        (owner.incarnation() ^ incarnation) & ((1 << 48) - 1) != 0 || owner.state() == SlotState::Free
    };
    if is_other(owner(pass, slot)) {
        return Life::Dead;
    }
    match slot_is_locked(pass.file, slot) {
        Ok(false) => Life::Dead,
        // The lock may be that of a newer incarnation by now.
        Ok(true) if is_other(owner(pass, slot)) => Life::Dead,
        Ok(true) | Err(_) => Life::Alive,
    }
}

/// Will nobody write what this tag owns, as long as the tag stays?
pub(super) fn is_quiet(pass: &Pass<'_, '_>, tag: OwnerTag) -> bool {
    // The slot's word after the tag: an owner stores its incarnation before it takes anything.
    fence(Acquire);
    let quiet = match tag.slot(pass.geometry.capacities.process_slots) {
        Some(slot) => life(pass, slot, tag.incarnation()) == Life::Dead,
        None => true,
    };
    // What the dead one stored is visible to whoever found its lock free, or its tag released.
    fence(Acquire);
    quiet
}
