//! Process slots: what one process owns in a segment: its lock byte, its gauges, and through its tag its lanes.
//!
//! ```text
//! lock byte taken ──> owner := Claiming, incarnation + 1 (release; fence)
//!                     gauges of the last owner cleared, except those that outlive a process
//!                     records it had taken and not published become ours
//!                     slot committed, description written
//!                     owner := Active (release)
//! ```
//!
//! With the lock held nobody else writes here. Dead in the middle: the kernel frees the lock, the next owner begins again; every step
//! can be repeated. No step allocates from the heap: a forked child runs them in its at-fork handler.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};

use super::attachment::Attachment;
use super::commit::commit;
use super::registry::{for_each_gauge, recover_records};
use super::{error_log, host, ownership, thread};
use crate::error::OpenError;
use crate::layout::LINE_LENGTH;
use crate::layout::directory::*;
use crate::layout::header::{ADOPTIONS_OFFSET, LOSS_SLOTS_OFFSET};
use crate::map::LockPage;
use crate::protocol::gauge;
use crate::protocol::histogram::store_incarnation;
use crate::sync::{Acquire, AtomicU64, Relaxed, Release, fence};

/// Opens the attachment's file again by its path, if that still names the same file. No heap.
pub(crate) fn open_again(attachment: &Attachment, access: OFlags) -> Option<OwnedFd> {
    let flags = access | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = rustix::fs::open(attachment.path_text.as_c_str(), flags, Mode::empty()).ok()?;
    let stat = rustix::fs::fstat(&file).ok()?;
    (attachment.key == (stat.st_dev, stat.st_ino)).then_some(file)
}

/// Takes a slot for this process, with a description that nothing else uses. Returns whether it got one.
///
/// `other` is another description of the file, if this is the first claim of an attachment: with it is asked whether a lock outlives
/// its descriptor here. On overlayfs it does not, as a mapping there holds the file of a layer below and not the one that was opened.
/// A process whose lock is lost would be taken for dead while it counts; so it has no slot, and counts in the shared lane.
pub(crate) fn claim(attachment: &Attachment, file: OwnedFd, other: Option<BorrowedFd<'_>>) -> bool {
    if attachment.loses_locks.load(Relaxed) {
        return refuse(attachment, LOSES_LOCKS);
    }
    let slots = attachment.geometry.capacities.process_slots;
    for slot in 0..slots {
        let covered = attachment.covered_slots[slot as usize / 64].load(Relaxed) >> (slot % 64) & 1 == 1;
        if covered {
            continue;
        }
        match ownership::try_lock(file.as_fd(), slot) {
            Ok(true) => return take(attachment, slot, file, other),
            Ok(false) => {}
            // No open-file-description locks here (an old kernel, a strange file system): no slot, but the shared lane works.
            Err(_) => {
                return refuse(
                    attachment,
                    "the file system or the kernel has no open-file-description locks; use tmpfs",
                );
            }
        }
    }
    refuse(
        attachment,
        "all are taken; create the segment with more `process_slots`, or end processes",
    )
}

const LOSES_LOCKS: &str =
    "a lock does not outlive its descriptor on this file system (an overlay?); use tmpfs";

/// Counts and logs that this process gets no slot, and why. Returns `false`.
#[cold]
pub(crate) fn refuse(attachment: &Attachment, reason: &str) -> bool {
    attachment.count_loss(LOSS_SLOTS_OFFSET);
    error_log::log(
        attachment,
        format_args!("a process has no slot and drops its gauge writes: {reason}"),
    );
    false
}

/// Makes a slot whose lock is held this process'.
fn take(attachment: &Attachment, slot: u64, file: OwnedFd, other: Option<BorrowedFd<'_>>) -> bool {
    // The lock must outlive the descriptor, whoever closes it.
    let Ok(page) = LockPage::new(&file) else {
        return refuse(
            attachment,
            "its lock page cannot be mapped; raise the limit of memory areas",
        );
    };
    drop(file);
    // Before anything is stored: without the lock somebody else may be storing here.
    if other.is_some_and(|other| !ownership::slot_is_locked(other, slot).unwrap_or(false)) {
        attachment.loses_locks.store(true, Relaxed);
        return refuse(attachment, LOSES_LOCKS);
    }
    attachment.lock_page.store(page.into_raw(), Release);
    let entry = attachment.geometry.process_entry_offset(slot);
    let owner = attachment.word(entry + PROCESS_OWNER_OFFSET);
    let last = SlotOwner(owner.load(Acquire));
    let incarnation = last.incarnation() + 1;
    store_incarnation(owner, SlotOwner::new(incarnation, SlotState::Claiming).0);
    if last.state() != SlotState::Free {
        attachment.count_since_version_2(ADOPTIONS_OFFSET);
    }
    let tag = OwnerTag::new(slot, incarnation);
    let base = commit_cells(attachment, slot, entry);
    if base != 0 {
        clear_gauges(attachment, slot);
    }
    recover_records(attachment, slot, tag);
    describe(attachment, entry);
    owner.store(SlotOwner::new(incarnation, SlotState::Active).0, Release);
    let own = &thread::page().slots[attachment.number];
    own.base.store(base, Release);
    own.tag.store(tag.0, Release);
    attachment.slot_tag.store(tag.0, Release);
    true
}

/// Allocates the gauge cells. Returns where they start in this process; 0 if there is no room for them.
fn commit_cells(attachment: &Attachment, slot: u64, entry: u64) -> usize {
    let mark = attachment.word(entry + PROCESS_COMMITTED_OFFSET);
    let length = attachment.geometry.capacities.gauges * LINE_LENGTH;
    let offset = attachment.geometry.slot_offset(slot);
    if mark.load(Acquire) < length {
        if commit(attachment, "the gauges of a process", offset, length).is_err() {
            return 0;
        }
        mark.store(length, Release);
    }
    attachment.mapping.base().addr() + offset as usize
}

/// The two words of a gauge cell.
fn cell(attachment: &Attachment, slot: u64, placement: u64) -> Option<&[AtomicU64; 2]> {
    let offset = attachment.geometry.slot_offset(slot) + placement * GAUGE_CELL_LENGTH;
    attachment.words_at(offset, 2).first_chunk()
}

fn clear_gauges(attachment: &Attachment, slot: u64) {
    for_each_gauge(attachment, |placement, outlives_process| {
        if !outlives_process && let Some(cell) = cell(attachment, slot, placement) {
            gauge::clear(cell);
        }
    });
}

#[cfg(feature = "stats")]
impl super::Segment {
    /// The slot of this process in this segment; `None` if it has none. One that is opened twice has two.
    pub(crate) fn slot(&self) -> Option<u64> {
        let attachment = self.attachment.as_deref()?;
        let tag = OwnerTag(attachment.slot_tag.load(Acquire));
        tag.slot(attachment.geometry.capacities.process_slots)
    }
}

/// Writes who the owner is, for people.
fn describe(attachment: &Attachment, entry: u64) {
    let identity = host::Identity::of_this_process();
    let put = |offset: u64, value: u64| attachment.word(entry + offset).store(value, Relaxed);
    put(PROCESS_DESCRIPTION_OFFSET, 0);
    put(PROCESS_PID_OFFSET, identity.pid);
    put(PROCESS_PID_NAMESPACE_OFFSET, identity.pid_namespace);
    put(PROCESS_START_TICKS_OFFSET, identity.start_ticks);
    put(PROCESS_CLAIMED_NS_OFFSET, host::wall_ns());
    put_text(
        attachment,
        entry + PROCESS_ROLE_OFFSET,
        PROCESS_ROLE_LENGTH,
        attachment.role.as_bytes(),
    );
    put_text(
        attachment,
        entry + PROCESS_COMMAND_OFFSET,
        PROCESS_COMMAND_LENGTH,
        &attachment.command,
    );
}

/// Is the role short enough?
pub(crate) fn check_role(role: &str) -> Result<(), OpenError> {
    let most = PROCESS_ROLE_LENGTH as usize;
    match role.len() {
        found if found > most => Err(OpenError::RoleLength {
            role: role.to_owned(),
            found,
            most,
        }),
        _ => Ok(()),
    }
}

/// Changes the role of this process. Two threads that do so at once are serialised by the registry lock.
pub(crate) fn set_role(attachment: &Attachment, role: &str) -> Result<(), OpenError> {
    check_role(role)?;
    super::fork::ensure_prepared();
    let _guard = super::attachment::registry_lock();
    let tag = OwnerTag(thread::page().slots[attachment.number].tag.load(Acquire));
    let Some(slot) = tag.slot(attachment.geometry.capacities.process_slots) else {
        return Ok(());
    };
    let entry = attachment.geometry.process_entry_offset(slot);
    // A sequence: odd, fence, text, even. Dead in between: readers keep the role they had; the next owner starts anew.
    let changes = attachment.word(entry + PROCESS_DESCRIPTION_OFFSET);
    let next = changes.load(Relaxed).wrapping_add(2) & !1;
    changes.store(next.wrapping_sub(1), Relaxed);
    fence(Release);
    put_text(
        attachment,
        entry + PROCESS_ROLE_OFFSET,
        PROCESS_ROLE_LENGTH,
        role.as_bytes(),
    );
    changes.store(next, Release);
    Ok(())
}

/// Stores a text of limited length, padded with NUL and cut at a character.
fn put_text(attachment: &Attachment, offset: u64, length: u64, text: &[u8]) {
    let mut end = text.len().min(length as usize);
    while end < text.len() && end > 0 && text[end] & 0xc0 == 0x80 {
        end -= 1;
    }
    for index in 0..length as usize / 8 {
        let mut bytes = [0; 8];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = text[..end].get(index * 8 + at).copied().unwrap_or(0);
        }
        attachment
            .word(offset + index as u64 * 8)
            .store(u64::from_ne_bytes(bytes), Relaxed);
    }
}

/// Gives the slot back: its gauges are gone, its lock is free.
pub(crate) fn release(attachment: &Attachment) {
    let own = &thread::page().slots[attachment.number];
    let tag = OwnerTag(own.tag.swap(0, Relaxed));
    own.base.store(0, Relaxed);
    attachment.slot_tag.store(0, Relaxed);
    let page = attachment.lock_page.swap(core::ptr::null_mut(), Relaxed);
    if let Some(slot) = tag.slot(attachment.geometry.capacities.process_slots) {
        let entry = attachment.geometry.process_entry_offset(slot);
        let owner = attachment.word(entry + PROCESS_OWNER_OFFSET);
        owner.store(
            SlotOwner::new(SlotOwner(owner.load(Relaxed)).incarnation(), SlotState::Free).0,
            Release,
        );
        // The tag was this process' own (wiped in children), so the page is, too.
        drop(LockPage::from_raw(page));
    }
}
