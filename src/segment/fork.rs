//! Fork: a child never writes to its parent's lanes and slot, however it was made, and soon has its own.
//!
//! * `fork` runs the at-fork handlers. Before: the registry lock is taken, and per segment a descriptor for the child is opened, as a
//!   child that drops its privileges could not. In the child: a private sink covers the lanes and the slot of the parent (stale
//!   bound handles write there, to nobody), a slot of its own is taken through that descriptor, the ticker is started again.
//! * A raw `clone` runs no handlers. But the thread blocks and the process page are wiped in every child, so the first operation is on
//!   the slow path, finds generation 0 and does the same, except for the ticker, which needs the heap.
//!
//! The shared lane is never covered: what a child counts before it has a lane is not lost.
//!
//! Guards (timers) carry the [`generation`] they began in and do nothing in a child: the parent finishes them.
#![allow(unsafe_code)]

use std::os::fd::{BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};

use rustix::fs::OFlags;

use super::attachment::{Attachment, RegistryGuard, for_each, registry_lock};
use super::{error_log, slot, thread, ticker};
use crate::layout::directory::OwnerTag;
use crate::map::cover;
use crate::sync::{AcqRel, Acquire, AtomicBool, AtomicU64, Relaxed, Release};

/// How many forks lie between the first process and this one, as far as handlers or slow paths noticed; from 1. Ordinary memory:
/// a child inherits its parent's number, and finds 0 in its page.
static GENERATION: AtomicU64 = AtomicU64::new(1);
/// The handlers are registered. Not a `Once`: a child forked while another thread is inside would wait for it for ever.
static HANDLERS: AtomicBool = AtomicBool::new(false);

/// Generation of this process as its page says: 0 in a child that did nothing yet.
pub(crate) fn generation() -> u64 {
    thread::page().generation.load(Relaxed)
}

/// As [`generation`], of a process that is prepared, as far as it can be: what guards carry.
pub(crate) fn own_generation() -> u64 {
    ensure_prepared();
    generation()
}

/// Registers the at-fork handlers, once, and marks the page as this process'.
pub(crate) fn prepare_process() {
    if !HANDLERS.swap(true, AcqRel) {
        // SAFETY: the handlers are `extern "C"` functions that never unwind and live as long as the program.
        unsafe { libc::pthread_atfork(Some(before), Some(after_in_parent), Some(after_in_child)) };
    }
    ensure_prepared();
}

extern "C" fn before() {
    let guard = registry_lock();
    for_each(&guard, |attachment| {
        let file = slot::open_again(attachment, OFlags::RDWR);
        let descriptor = file.map_or(-1, IntoRawFd::into_raw_fd);
        attachment.prepared.store(descriptor, Release);
    });
    guard.keep_locked();
}

fn take_prepared(attachment: &Attachment) -> Option<OwnedFd> {
    let descriptor = attachment.prepared.swap(-1, AcqRel);
    // SAFETY: a descriptor that `before` opened for exactly this purpose; the swap makes this its only user.
    (descriptor >= 0).then(|| unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// In a raw clone: closes a descriptor that another thread of the parent had prepared for a fork, if it came along. The kernel copies
/// descriptors before memory, so the number in memory may not be open here, or be another file: it is looked at first.
fn drop_foreign(attachment: &Attachment) {
    let descriptor = attachment.prepared.swap(-1, AcqRel);
    if descriptor < 0 {
        return;
    }
    // SAFETY: the number is only passed to fstat, which answers EBADF if it is not open.
    let stat = rustix::fs::fstat(unsafe { BorrowedFd::borrow_raw(descriptor) });
    if stat.is_ok_and(|stat| (stat.st_dev, stat.st_ino) == attachment.key) {
        // SAFETY: it is open and of this segment's file: the one that was prepared; nothing else in this process uses it.
        unsafe { rustix::io::close(descriptor) };
    }
}

extern "C" fn after_in_parent() {
    let guard = RegistryGuard::resume();
    for_each(&guard, |attachment| drop(take_prepared(attachment)));
}

extern "C" fn after_in_child() {
    become_child(true);
    ticker::restart_after_fork();
}

/// On the slow path: has this process been made by a raw clone? Then what the handlers would have done is done now.
pub(crate) fn ensure_prepared() {
    if generation() == 0 && thread::has_page() {
        become_child(false);
    }
}

/// Makes the page this process'. In a child: covers what is the parent's and takes slots. Idempotent; a second thread that comes
/// meanwhile goes on without, in the shared lane.
///
/// `is_forked`: the descriptors that `before` opened are for this child. A raw clone may have been made by one thread while another
/// forked: then it has copies of descriptors that are not meant for it. A lock taken through one would be shared with that other
/// child, since locks belong to the description; so they are closed here.
fn become_child(is_forked: bool) {
    // The lock was wiped with the page, so it is free unless another thread of this child is here, too.
    let page = thread::page();
    if page.lock.compare_exchange(0, 1, AcqRel, Relaxed).is_err() {
        return;
    }
    let guard = RegistryGuard::resume();
    if page.generation.load(Acquire) != 0 {
        return;
    }
    let mut inherited = false;
    for_each(&guard, |attachment| {
        inherited = true;
        leave_parent(attachment);
    });
    if inherited {
        GENERATION.fetch_add(1, Relaxed);
        thread::forget_other_threads();
        for_each(&guard, |attachment| {
            let prepared = if is_forked {
                take_prepared(attachment)
            } else {
                drop_foreign(attachment);
                None
            };
            if let Some(file) = prepared.or_else(|| slot::open_again(attachment, OFlags::RDWR)) {
                slot::claim(attachment, file, None);
            }
        });
    }
    page.generation.store(GENERATION.load(Relaxed), Release);
}

#[cold]
fn log_uncovered(attachment: &Attachment) {
    error_log::log(
        attachment,
        format_args!(
            "a child could not cover its parent's lanes: bound handles it inherited count there; raise the limit of memory areas"
        ),
    );
}

/// Covers the parent's lanes and slot and forgets everything that was the parent's.
fn leave_parent(attachment: &Attachment) {
    let geometry = &attachment.geometry;
    for (index, (owned, covered)) in attachment.owned.iter().zip(&attachment.covered).enumerate() {
        let mut bits = owned.swap(0, Relaxed);
        covered.fetch_or(bits, Relaxed);
        while bits != 0 {
            let lane = index as u64 * 64 + u64::from(bits.trailing_zeros());
            bits &= bits - 1;
            // A failure (out of memory areas) leaves stale *bound* handles writing to the parent's lane; ordinary ones cannot.
            let start = geometry.lane_offset(lane);
            if cover(&attachment.mapping, start, geometry.lane_stride).is_err() {
                log_uncovered(attachment);
            }
        }
    }
    // The page that held the parent's tag was wiped; this copy of it is ordinary memory.
    let parent = OwnerTag(attachment.slot_tag.load(Relaxed));
    if let Some(slot) = parent.slot(geometry.capacities.process_slots) {
        attachment.covered_slots[slot as usize / 64].fetch_or(1 << (slot % 64), Relaxed);
        let start = geometry.slot_offset(slot);
        if cover(&attachment.mapping, start, geometry.slot_stride).is_err() {
            log_uncovered(attachment);
        }
    }
    attachment.slot_tag.store(0, Relaxed);
    attachment.lock_page.store(core::ptr::null_mut(), Relaxed);
    attachment.patience.store(0, Relaxed);
    attachment.told_gauges.store(false, Relaxed);
    for place in attachment.free_lanes.iter().chain(&attachment.spares) {
        place.store(0, Relaxed);
    }
}
