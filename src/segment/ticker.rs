//! The ticker: one thread per process that tells histograms which epoch it is, so that no record reads a clock.
//!
//! It runs only while some histogram of this process has ring slots. Per attachment it stores `CLOCK_MONOTONIC / epoch length` into a
//! process-private word: all processes of the machine compute the same numbers from the same clock. A late tick lengthens a window
//! and never falsifies it. Slow paths ([`refresh`]) and [`crate::Segment::tick`] store the epoch, too.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::time::Duration;

use super::attachment::{Attachment, for_each, registry_lock};
use super::host;
use super::signals::Blocked;
use super::thread;
use crate::layout::header::TICKER_OFFSET;
use crate::sync::{AcqRel, Relaxed, Release};

/// Longest sleep: an attachment with shorter epochs may be opened meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_millis(250);
/// Shortest sleep.
const SHORTEST_SLEEP: Duration = Duration::from_millis(1);

/// Stores the epoch of one attachment. Cost: a coarse clock, without a system call.
pub(crate) fn refresh(attachment: &Attachment) {
    let epoch = host::monotonic_coarse_ns() / attachment.geometry.capacities.epoch_length_ns;
    if attachment.epoch.load(Relaxed) < epoch {
        attachment.epoch.store(epoch, Relaxed);
        attachment.word(TICKER_OFFSET).fetch_max(epoch, Relaxed);
    }
}

/// Some histogram of the attachment has a ring: sees to it that the thread runs, unless the user wants none.
pub(crate) fn require(attachment: &Attachment) {
    if attachment.has_ticker {
        attachment.ticks.store(1, Relaxed);
        ensure_running();
    }
}

/// Starts the thread, unless it runs. If it cannot be started, epochs advance by slow paths and `tick()` only.
pub(crate) fn ensure_running() {
    let guard = registry_lock();
    let runs = thread::page().ticker.swap(1, AcqRel) == 1;
    drop(guard);
    if runs {
        return;
    }
    if spawn().is_err() {
        thread::page().ticker.store(0, Release);
    }
}

/// Bytes of the thread's stack: its frames are small, and handlers never run on it.
const STACK_LENGTH: usize = 64 * 1024;

/// Starts the thread, detached. Not through `std::thread`: that takes a lock in the new thread which a forked child may have inherited
/// locked, if its parent was starting a thread at that moment.
fn spawn() -> Result<(), ()> {
    // The thread inherits the mask: all signals blocked.
    let _signals = Blocked::all();
    // SAFETY: `attributes` is initialised before it is used and destroyed after; `main` is an `extern "C"` function that does not
    // unwind, takes no argument and lives as long as the program; `id` is a valid place for the new thread's id.
    unsafe {
        let mut attributes: libc::pthread_attr_t = core::mem::zeroed();
        if libc::pthread_attr_init(&raw mut attributes) != 0 {
            return Err(());
        }
        libc::pthread_attr_setstacksize(&raw mut attributes, STACK_LENGTH);
        libc::pthread_attr_setdetachstate(&raw mut attributes, libc::PTHREAD_CREATE_DETACHED);
        let mut id: libc::pthread_t = core::mem::zeroed();
        let made = libc::pthread_create(&raw mut id, &raw const attributes, main, core::ptr::null_mut());
        libc::pthread_attr_destroy(&raw mut attributes);
        if made == 0 { Ok(()) } else { Err(()) }
    }
}

extern "C" fn main(_: *mut c_void) -> *mut c_void {
    // SAFETY: the name is a C string of less than 16 bytes; the thread names itself.
    unsafe { libc::pthread_setname_np(libc::pthread_self(), c"shmetrics-tick".as_ptr()) };
    run();
    core::ptr::null_mut()
}

/// In a forked child: the thread did not come along.
pub(crate) fn restart_after_fork() {
    let mut needed = false;
    let guard = registry_lock();
    for_each(&guard, |attachment| needed |= attachment.ticks.load(Relaxed) != 0);
    drop(guard);
    if needed {
        ensure_running();
    }
}

fn run() {
    loop {
        let mut sleep = None;
        let guard = registry_lock();
        for_each(&guard, |attachment| {
            if attachment.ticks.load(Relaxed) != 0 {
                refresh(attachment);
                sleep = Some(sleep.unwrap_or(LONGEST_SLEEP).min(until_next_epoch(attachment)));
            }
        });
        let Some(sleep) = sleep else {
            // Nobody needs it. Under the lock, so that a registration either sees it running and it sees its attachment, or starts
            // another.
            thread::page().ticker.store(0, Release);
            return;
        };
        drop(guard);
        std::thread::sleep(sleep);
    }
}

fn until_next_epoch(attachment: &Attachment) -> Duration {
    let length = attachment.geometry.capacities.epoch_length_ns;
    let left = Duration::from_nanos(length - host::monotonic_ns() % length);
    // The coarse clock lags by up to one kernel tick (at most 10 ms): a little later it has moved, too.
    (left + Duration::from_millis(4).min(Duration::from_nanos(length / 8)))
        .clamp(SHORTEST_SLEEP, LONGEST_SLEEP)
}
