//! Whether the owner behind a tag is dead, for who wants what it left: a lane, or an entry of the error log or
//! of what is in flight. No heap; a few system
//! calls, and only if somebody has to be asked for.

use std::os::fd::{AsFd, OwnedFd};

use super::attachment::Attachment;
use super::ownership::slot_is_locked;
use crate::layout::directory::*;
use crate::layout::geometry::MAX_PROCESS_SLOTS;
use crate::sync::Acquire;

/// The tag of who has a slot, alive or dead; `None` if nobody has. No system call.
pub(crate) fn present_tag(attachment: &Attachment, slot: u64) -> Option<OwnerTag> {
    let entry = attachment.geometry.process_entry_offset(slot);
    let owner = SlotOwner(attachment.word(entry + PROCESS_OWNER_OFFSET).load(Acquire));
    (owner.state() != SlotState::Free).then(|| OwnerTag::new(slot, owner.incarnation()))
}

/// Who is dead. That a slot's owner lives is remembered for one search; that it is dead is not: meanwhile another process may have
/// taken the slot, and its lanes carry a tag that looked dead a moment ago.
pub(crate) struct Liveness<'a> {
    attachment: &'a Attachment,
    file: Option<OwnedFd>,
    opened: bool,
    /// One bit per slot.
    alive: [u64; MAX_PROCESS_SLOTS as usize / 64],
}

impl<'a> Liveness<'a> {
    pub(crate) fn new(attachment: &'a Attachment) -> Self {
        Self {
            attachment,
            file: None,
            opened: false,
            alive: [0; MAX_PROCESS_SLOTS as usize / 64],
        }
    }

    /// Is nobody alive behind this tag?
    pub(crate) fn is_dead(&mut self, tag: OwnerTag) -> bool {
        // A tag that names no slot is damage; nobody can be alive behind it, nor is it worth trusting.
        let Some(slot) = tag.slot(self.attachment.geometry.capacities.process_slots) else {
            return false;
        };
        let entry = self.attachment.geometry.process_entry_offset(slot);
        let owner = self.attachment.word(entry + PROCESS_OWNER_OFFSET);
        let is_other = |owner: SlotOwner| {
            owner.incarnation() & ((1 << 48) - 1) != tag.incarnation() || owner.state() == SlotState::Free
        };
        // A slot's incarnation is stored by its next owner before it claims any lane: then this tag is of the past for good.
        if is_other(SlotOwner(owner.load(Acquire))) {
            return true;
        }
        let (word, bit) = (slot as usize / 64, 1 << (slot % 64));
        if self.alive[word] & bit != 0 {
            return false;
        }
        // The lock byte is free now and the incarnation was this one before: its owner is gone. (Were it taken again in between, by
        // the next incarnation, the byte would be locked, and the lane is left for another search.)
        let is_dead = self.ask(slot);
        if !is_dead {
            self.alive[word] |= bit;
        }
        is_dead
    }

    fn ask(&mut self, slot: u64) -> bool {
        if !self.opened {
            self.opened = true;
            self.file = super::slot::open_again(self.attachment, rustix::fs::OFlags::RDONLY);
        }
        // Without a descriptor (privileges dropped, name gone) nobody is declared dead.
        self.file
            .as_ref()
            .is_some_and(|file| matches!(slot_is_locked(file.as_fd(), slot), Ok(false)))
    }
}
