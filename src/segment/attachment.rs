//! An attachment: one segment as this process has it open.
//!
//! Attachments have a number (1 to 15) by which threads find their lanes. They live as long as any handle; then their lanes and slot
//! are released and the mapping goes. [`registry_lock`] guards the table against fork, thread exit and detach; the hot path and the
//! slow path of operations never take it: they hold a handle, so their attachment stays.
#![allow(unsafe_code)]

use std::ffi::{CString, c_void};
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_utils::CachePadded;

use super::open::{Access, FileKey, file_key, open_file_writable, read_header};
use super::options::SegmentOptions;
use super::signals::Blocked;
use super::thread::{self, MAX_SEGMENTS};
use super::{fork, host, slot};
use crate::error::OpenError;
use crate::layout::geometry::{Geometry, Origin};
use crate::layout::header::{ERROR_LOG_VERSION, NEXT_ID_OFFSET, RETIRED_OFFSET};
use crate::map::Mapping;
use crate::protocol::ids;
use crate::sync::{AcqRel, Acquire, AtomicBool, AtomicI32, AtomicPtr, AtomicU64, Relaxed, Release};

/// Lanes that a process keeps for its next threads instead of releasing them.
pub(crate) const FREE_LANES: usize = 8;
/// Records that a process can hold, taken but not published: one per thread that registers at this moment.
pub(crate) const SPARE_RECORDS: usize = 64;

/// See the module's head.
#[derive(Debug)]
pub(crate) struct Attachment {
    /// Its number in this process.
    pub(crate) number: usize,
    pub(crate) mapping: Mapping,
    pub(crate) geometry: Geometry,
    pub(crate) origin: Origin,
    /// The version of the segment: which words it has.
    version: u64,
    pub(crate) path: PathBuf,
    /// The path for system calls where nothing may be allocated.
    pub(crate) path_text: CString,
    pub(crate) key: FileKey,
    pub(crate) in_memory: bool,
    pub(crate) role: String,
    /// The epoch that the ticker last stored; 0 before its first tick. Alone on its lines: every record loads it.
    pub(crate) epoch: CachePadded<AtomicU64>,
    /// Lanes of this process, one bit each: what a child must not write to.
    pub(crate) owned: Box<[AtomicU64]>,
    /// Lanes and slots that a parent had when this process was forked: covered here, so never to be used here.
    pub(crate) covered: Box<[AtomicU64]>,
    pub(crate) covered_slots: Box<[AtomicU64]>,
    /// Lanes of ended threads; 0 = empty place.
    pub(crate) free_lanes: [AtomicU64; FREE_LANES],
    /// Records taken and not published; 0 = empty place.
    pub(crate) spares: [AtomicU64; SPARE_RECORDS],
    /// Operations to go before a refused claim is tried again.
    pub(crate) patience: AtomicU64,
    /// The tag of the slot in ordinary memory: a child learns from it which slot was its parent's.
    pub(crate) slot_tag: AtomicU64,
    /// It is logged that this process' gauge writes are dropped.
    pub(crate) told_gauges: AtomicBool,
    /// The lock page of the slot.
    pub(crate) lock_page: AtomicPtr<c_void>,
    /// Locks end with their descriptor on this file system (see [`slot::claim`]): no process can own a slot.
    pub(crate) loses_locks: AtomicBool,
    /// A descriptor that the fork's prepare handler opened for the child, or -1.
    pub(crate) prepared: AtomicI32,
    /// Some histogram of this process has a ring: the ticker is needed.
    pub(crate) ticks: AtomicU64,
    /// The ticker thread may run; else the user ticks.
    pub(crate) has_ticker: bool,
    /// The last handle is gone; the attachment is about to detach.
    closing: AtomicBool,
    /// The segment's command line for people, cut; written at claim.
    pub(crate) command: Vec<u8>,
}

static TABLE: [AtomicPtr<Attachment>; MAX_SEGMENTS] =
    [const { AtomicPtr::new(core::ptr::null_mut()) }; MAX_SEGMENTS];

/// Holds the registry lock, with all signals blocked: a handler that forks would wait for its own thread. The lock lives in
/// wipe-on-fork memory: no child ever finds it taken.
pub(crate) struct RegistryGuard {
    _signals: Option<Blocked>,
}

/// Yields before a waiter sleeps instead: the holder may have a lower priority, and yielding would never let it run.
const YIELDS: usize = 100;

/// Takes the registry lock, waiting for it. Never called by operations or in signal handlers.
pub(crate) fn registry_lock() -> RegistryGuard {
    let signals = Blocked::all();
    let mut tries = 0;
    while thread::page()
        .lock
        .compare_exchange(0, 1, AcqRel, Relaxed)
        .is_err()
    {
        tries += 1;
        match tries {
            0..YIELDS => std::thread::yield_now(),
            _ => std::thread::sleep(std::time::Duration::from_micros(50)),
        }
    }
    RegistryGuard {
        _signals: Some(signals),
    }
}

impl RegistryGuard {
    /// Leaves the lock taken, signals as before: the fork handlers lock in one call and unlock in another.
    pub(crate) fn keep_locked(mut self) {
        drop(self._signals.take());
        core::mem::forget(self);
    }

    /// A guard for a lock that an earlier [`keep_locked`](Self::keep_locked) left taken.
    pub(crate) fn resume() -> RegistryGuard {
        RegistryGuard { _signals: None }
    }
}

impl Drop for RegistryGuard {
    fn drop(&mut self) {
        thread::page().lock.store(0, Release);
    }
}

/// Visits every attachment of this process. The caller holds the registry lock, so none goes meanwhile.
pub(crate) fn for_each(_guard: &RegistryGuard, mut visit: impl FnMut(&Attachment)) {
    for entry in &TABLE {
        let pointer = entry.load(Acquire);
        if !pointer.is_null() {
            // SAFETY: entries are set to live attachments and cleared, under the registry lock, before their memory goes
            // (`Attachment::drop`); the caller holds that lock.
            let attachment = unsafe { &*pointer };
            // One that waits for the lock to detach is nobody's any more: a forked child must not take a slot for it.
            if !attachment.closing.load(Acquire) {
                visit(attachment);
            }
        }
    }
}

/// The end of a thread: its lane of segment `number`, which starts at `base`.
pub(crate) fn give_back_lane(guard: &RegistryGuard, number: usize, base: usize) {
    for_each(guard, |attachment| {
        if attachment.number == number {
            super::lane::give_back(attachment, base);
        }
    });
}

impl Attachment {
    /// Opens the segment at `path` for writing and takes a process slot.
    pub(crate) fn open(path: &Path, options: &SegmentOptions) -> Result<Arc<Attachment>, OpenError> {
        slot::check_role(&options.role)?;
        host::learn_time_namespace();
        let (file, length, file_system) = open_file_writable(path)?;
        let (geometry, origin, version) = read_header(&file, length, path, Access::Write)?;
        super::create::check_locked_memory(&geometry, options)?;
        let in_memory = file_system.is_in_memory();
        let io = |operation: &'static str| {
            move |source| OpenError::Io {
                operation,
                path: path.to_owned(),
                source,
            }
        };
        let mapping = Mapping::writable(&file, geometry.file_length)
            .map_err(|error| host::file_error(host::MAP, path, error))?;
        let load = |offset: u64| mapping.read_words().load(offset as usize / 8);
        // Closed, and not retired: whoever was replacing it died. Who opens it to create goes on there.
        if load(RETIRED_OFFSET) != 0 || load(NEXT_ID_OFFSET) & ids::CLOSED != 0 {
            return Err(OpenError::Retired {
                path: path.to_owned(),
            });
        }
        thread::prepare_process().map_err(io("prepare the process for"))?;
        fork::prepare_process();
        let key = file_key(&file, path)?;
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let bits = |count: u64| (0..=count / 64).map(|_| AtomicU64::new(0)).collect();
        let mut attachment = Attachment {
            number: 0,
            mapping,
            origin,
            version,
            path_text: CString::new(absolute.as_os_str().as_bytes()).unwrap_or_default(),
            path: absolute,
            key,
            in_memory,
            role: options.role.clone(),
            epoch: CachePadded::new(AtomicU64::new(0)),
            owned: bits(geometry.capacities.lanes + 1),
            covered: bits(geometry.capacities.lanes + 1),
            covered_slots: bits(geometry.capacities.process_slots),
            free_lanes: [const { AtomicU64::new(0) }; FREE_LANES],
            spares: [const { AtomicU64::new(0) }; SPARE_RECORDS],
            patience: AtomicU64::new(0),
            slot_tag: AtomicU64::new(0),
            told_gauges: AtomicBool::new(false),
            lock_page: AtomicPtr::new(core::ptr::null_mut()),
            loses_locks: AtomicBool::new(false),
            prepared: AtomicI32::new(-1),
            ticks: AtomicU64::new(0),
            has_ticker: options.ticker,
            closing: AtomicBool::new(false),
            command: command_line(),
            geometry,
        };
        let guard = registry_lock();
        let Some(number) = (1..MAX_SEGMENTS).find(|n| TABLE[*n].load(Acquire).is_null()) else {
            drop(guard);
            return Err(OpenError::TooManySegments {
                limit: MAX_SEGMENTS - 1,
            });
        };
        attachment.number = number;
        let attachment = Arc::new(attachment);
        TABLE[number].store(Arc::as_ptr(&attachment).cast_mut(), Release);
        // A description of its own for the lock: one that is mapped would be kept alive by every forked child.
        match reopen(&file) {
            Ok(lock_file) => {
                slot::claim(&attachment, lock_file.into(), Some(file.as_fd()));
            }
            Err(_) => {
                slot::refuse(&attachment, "the segment cannot be opened again; is /proc there?");
            }
        }
        drop(guard);
        Ok(attachment)
    }

    /// All words of the segment.
    pub(crate) fn words(&self) -> &[AtomicU64] {
        self.mapping.words().unwrap_or_default()
    }

    /// The words at a byte offset, which geometry gave.
    pub(crate) fn words_at(&self, offset: u64, count: usize) -> &[AtomicU64] {
        let start = (offset / 8) as usize;
        self.words().get(start..start + count).unwrap_or_default()
    }

    /// The word at a byte offset, which geometry or the header's constants gave.
    pub(crate) fn word(&self, offset: u64) -> &AtomicU64 {
        static NOWHERE: AtomicU64 = AtomicU64::new(0);
        self.words().get((offset / 8) as usize).unwrap_or(&NOWHERE)
    }

    /// Counts a loss in the header.
    #[cold]
    pub(crate) fn count_loss(&self, offset: u64) {
        self.word(offset).fetch_add(1, Relaxed);
    }

    /// Counts in a word that version 1 does not have: there it is reserved space, which stays zero.
    #[cold]
    pub(crate) fn count_since_version_2(&self, offset: u64) {
        if self.version >= ERROR_LOG_VERSION {
            self.count_loss(offset);
        }
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        if self.number == 0 {
            return;
        }
        self.closing.store(true, Release);
        let _guard = registry_lock();
        TABLE[self.number].store(core::ptr::null_mut(), Release);
        // No handle is left, so no thread is inside an operation on this segment, and none will begin one.
        thread::forget_segment(self.number);
        super::lane::release_all(self);
        slot::release(self);
    }
}

/// Opens the same file again: a new description, whatever its name is now.
pub(crate) fn reopen(file: &File) -> std::io::Result<File> {
    use std::os::fd::AsRawFd;
    File::options()
        .read(true)
        .write(true)
        .open(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// This process' command line, arguments separated by spaces.
fn command_line() -> Vec<u8> {
    let mut command = std::fs::read("/proc/self/cmdline").unwrap_or_default();
    while command.last() == Some(&0) {
        command.pop();
    }
    command
        .iter_mut()
        .filter(|byte| **byte == 0)
        .for_each(|byte| *byte = b' ');
    command
}
