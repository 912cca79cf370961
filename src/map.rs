//! Layer 3: the only file that maps memory.
//!
//! * [`Mapping`]: the whole segment, shared, writable or read-only. It hands out words only ([`crate::words`]), never bytes: a
//!   `&[u8]` over memory that another process writes would be undefined behaviour.
//! * [`LockPage`]: a page without access that keeps a file description, and so its locks, alive after its descriptor is closed.
//! * [`wipe_on_fork`]: private memory that reads as zero in every child, however it was cloned.
//! * [`cover`]: a private sink over a range of a mapping (after fork).
//! * [`populate`]: allocates the storage behind a range, with an error instead of SIGBUS.
//! * [`blank`]: zeros in place of pages that are gone, for [`crate::sigbus`]; [`registry`] knows which pages are a reader's.
//!
//! SIGBUS: nobody truncates a published segment (SPEC.md section 4, A-4) and every range is populated before its first use, so that
//! no store can hit a hole that a full file system cannot fill. (On a copy-on-write file system on disk a page needs new space again
//! after each write-back: there a full disk can still kill. tmpfs and file systems that write in place are safe.) A reader that trusts
//! nobody, not even in that, has [`crate::sigbus`].
#![allow(unsafe_code)]

mod registry;

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::ptr::null_mut;

use memmap2::{MmapOptions, MmapRaw};
use rustix::mm::{Advice, MapFlags, MsyncFlags, ProtFlags};

pub(crate) use self::registry::MOST_GUARDED;
use self::registry::Registration;
use crate::sync::AtomicU64;
use crate::words::{ReadWords, from_mapping};

/// A mapped segment.
#[derive(Debug)]
pub(crate) struct Mapping {
    /// Of a read-only mapping. Before `raw`: fields are dropped in this order, and nothing may be entered that is unmapped.
    registration: Option<Registration>,
    raw: MmapRaw,
    writable: bool,
}

impl Mapping {
    /// Maps `length` bytes of `file`, shared and writable.
    pub(crate) fn writable(file: &File, length: u64) -> io::Result<Mapping> {
        let raw = MmapOptions::new().len(to_usize(length)?).map_raw(file)?;
        Ok(Mapping {
            registration: None,
            raw,
            writable: true,
        })
    }

    /// Maps `length` bytes of `file`, shared and read-only: no store can get through it. Known to [`blank`].
    pub(crate) fn read_only(file: &File, length: u64) -> io::Result<Mapping> {
        let raw = MmapOptions::new()
            .len(to_usize(length)?)
            .map_raw_read_only(file)?;
        Ok(Mapping {
            registration: Registration::new(raw.as_ptr() as usize, raw.len()),
            raw,
            writable: false,
        })
    }

    /// Were pages gone when they were read, so that zeros were read instead? Only where [`crate::sigbus`] guards.
    pub(crate) fn is_lost(&self) -> bool {
        self.registration.as_ref().is_some_and(Registration::is_lost)
    }

    /// All words, for readers.
    pub(crate) fn read_words(&self) -> ReadWords<'_> {
        // SAFETY: the mapping covers `len` bytes from a page-aligned address and lives as long as `self`; this crate accesses it
        // through `AtomicU64` only.
        ReadWords::new(unsafe { from_mapping(self.raw.as_ptr(), self.raw.len() / 8) })
    }

    /// All words, for writers; `None` on a read-only mapping.
    pub(crate) fn words(&self) -> Option<&[AtomicU64]> {
        // SAFETY: as in `read_words`; the mapping is writable.
        self.writable
            .then(|| unsafe { from_mapping(self.raw.as_ptr(), self.raw.len() / 8) })
    }

    /// Where the mapping starts.
    pub(crate) fn base(&self) -> *mut u8 {
        self.raw.as_mut_ptr()
    }

    /// Bytes mapped.
    pub(crate) fn length(&self) -> usize {
        self.raw.len()
    }
}

fn to_usize(length: u64) -> io::Result<usize> {
    usize::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))
}

/// The system's page size.
pub(crate) fn page_length() -> usize {
    rustix::param::page_size()
}

/// Allocates the storage behind `offset .. offset + length` of a writable mapping, in whole pages.
///
/// `MADV_POPULATE_WRITE` (Linux 5.14) needs no descriptor, so it works after the descriptors were closed and after privileges were
/// dropped; it reports a full file system as an error where a store would be killed by SIGBUS (madvise(2): "If populating fails, a
/// SIGBUS signal is not generated; instead, an error is returned"). No heap, no lock: callable from a signal handler.
pub(crate) fn populate(mapping: &Mapping, offset: u64, length: u64) -> io::Result<()> {
    let page = page_length();
    let start = offset as usize / page * page;
    let end = (offset + length).div_ceil(page as u64) as usize * page;
    let end = end.min(mapping.length().next_multiple_of(page));
    if start >= end || !mapping.writable {
        return Ok(());
    }
    // SAFETY: `start .. end` is inside the mapping (rounded to its pages); populating neither changes content nor unmaps.
    let advised = unsafe {
        rustix::mm::madvise(
            mapping.base().add(start).cast(),
            end - start,
            Advice::LinuxPopulateWrite,
        )
    };
    advised.map_err(io::Error::from)
}

/// Puts private zero pages over a page-aligned range of a mapping: what this process still stores there reaches nobody.
pub(crate) fn cover(mapping: &Mapping, offset: u64, length: u64) -> io::Result<()> {
    let (start, length) = (offset as usize, length as usize);
    if start.checked_add(length).is_none_or(|end| end > mapping.length()) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the range lies inside our own mapping, which is replaced in place (MAP_FIXED) by memory with the same access; all
    // words of it are accessed as atomics through the mapping, for which zeros are valid.
    let covered = unsafe {
        rustix::mm::mmap_anonymous(
            mapping.base().add(start).cast(),
            length,
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE,
        )
    };
    covered.map(drop).map_err(io::Error::from)
}

/// Puts private zero pages over a read-only mapping of ours, from the page of `address` to its end, and marks it as lost. `false`: the
/// address is in no such mapping, or the kernel refused. No heap, no lock: for the handler of SIGBUS.
///
/// To the end and not only over the page: what lies behind a page that is beyond the end of the file is beyond it, too, and so a
/// mapping is covered in few pieces, of which the kernel allows a process only so many.
pub(crate) fn blank(address: usize) -> bool {
    // Marked first: whoever reads the zeros then finds the mark.
    let Some(end) = registry::mark_lost(address) else {
        return false;
    };
    let start = address / page_length() * page_length();
    // SAFETY: `start .. end` lies in a mapping of this file's, which begins on a page and is still there: the thread that was
    // interrupted reads through it, and its entry goes before it is unmapped. It is replaced in place (MAP_FIXED) by memory that
    // can be read as it could; only `ReadWords` looks at it, by atomic loads, for which zeros are valid.
    let covered = unsafe {
        rustix::mm::mmap_anonymous(
            start as *mut core::ffi::c_void,
            end - start,
            ProtFlags::READ,
            MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE,
        )
    };
    covered.is_ok()
}

/// Private memory of this process that reads as zero in every child, be it forked or raw-cloned. Never unmapped.
pub(crate) fn wipe_on_fork(length: usize) -> io::Result<*mut u8> {
    // SAFETY: a new private anonymous mapping at an address of the kernel's choice; nothing else refers to it.
    let base = unsafe {
        rustix::mm::mmap_anonymous(
            null_mut(),
            length,
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::PRIVATE,
        )
    }?;
    // SAFETY: the range was just mapped by us; the advice changes what children see, not what we see.
    if let Err(error) = unsafe { rustix::mm::madvise(base, length, Advice::LinuxWipeOnFork) } {
        // SAFETY: as above; nobody has seen the address yet.
        let _ = unsafe { rustix::mm::munmap(base, length) };
        return Err(error.into());
    }
    Ok(base.cast())
}

/// A page without access, mapped from a file description that holds a lock. While it is mapped the description lives, so the lock
/// is held, although the descriptor is closed (and can be lost to no `close_range`). Children do not inherit it (MADV_DONTFORK), so
/// their life does not prolong the lock.
#[derive(Debug)]
pub(crate) struct LockPage {
    base: *mut core::ffi::c_void,
    length: usize,
}

// SAFETY: the page is never accessed; the address is only used to unmap it.
unsafe impl Send for LockPage {}
// SAFETY: as for `Send`; there is no shared state.
unsafe impl Sync for LockPage {}

impl LockPage {
    /// Maps the page from `file`. The caller closes the descriptor afterwards.
    pub(crate) fn new(file: impl AsFd) -> io::Result<LockPage> {
        let length = page_length();
        // SAFETY: a new mapping at an address of the kernel's choice, without access.
        let base =
            unsafe { rustix::mm::mmap(null_mut(), length, ProtFlags::empty(), MapFlags::SHARED, file, 0) }?;
        let page = LockPage { base, length };
        // SAFETY: the range was just mapped by us; children will not see it.
        unsafe { rustix::mm::madvise(base, length, Advice::LinuxDontFork) }?;
        Ok(page)
    }

    /// Gives up the page's ownership as a pointer, for an atomic.
    pub(crate) fn into_raw(self) -> *mut core::ffi::c_void {
        let base = self.base;
        core::mem::forget(self);
        base
    }

    /// Takes a pointer from [`into_raw`](Self::into_raw) back, in the same process: children do not have the page. Null is `None`.
    pub(crate) fn from_raw(base: *mut core::ffi::c_void) -> Option<LockPage> {
        (!base.is_null()).then(|| LockPage {
            base,
            length: page_length(),
        })
    }
}

impl Drop for LockPage {
    fn drop(&mut self) {
        // SAFETY: `base` was mapped by `new` with this length and nobody accesses it.
        let _ = unsafe { rustix::mm::munmap(self.base, self.length) };
    }
}

/// Would new mappings be locked into memory (`mlockall(MCL_FUTURE)`)? Then mapping a sparse segment would allocate all of it.
pub(crate) fn future_mappings_are_locked() -> bool {
    let length = page_length();
    // SAFETY: a new private anonymous mapping, unmapped below; nothing refers to it.
    let mapped =
        unsafe { rustix::mm::mmap_anonymous(null_mut(), length, ProtFlags::READ, MapFlags::PRIVATE) };
    // A failure with EAGAIN means that the lock limit was hit: mappings are locked.
    let Ok(base) = mapped else {
        return matches!(mapped, Err(rustix::io::Errno::AGAIN));
    };
    // msync(2): EBUSY: "MS_INVALIDATE was specified in flags, and a memory lock exists for the specified address range."
    // SAFETY: the range was just mapped by us.
    let synced = unsafe { rustix::mm::msync(base, length, MsyncFlags::ASYNC | MsyncFlags::INVALIDATE) };
    // SAFETY: as above.
    let _ = unsafe { rustix::mm::munmap(base, length) };
    matches!(synced, Err(rustix::io::Errno::BUSY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::Relaxed;

    fn scratch(length: u64) -> File {
        let path = std::env::temp_dir().join(format!("shmetrics-map-{}-{length}", std::process::id()));
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .unwrap();
        std::fs::remove_file(&path).unwrap();
        file.set_len(length).unwrap();
        file
    }

    #[test]
    fn a_store_through_one_mapping_is_seen_through_another() {
        let file = scratch(65_536);
        let writer = Mapping::writable(&file, 65_536).unwrap();
        let reader = Mapping::read_only(&file, 65_536).unwrap();
        populate(&writer, 100, 8).unwrap();
        writer.words().unwrap()[12].store(7, Relaxed);
        assert_eq!(reader.read_words().load(12), 7);
        assert!(reader.words().is_none());
    }

    #[test]
    fn a_covered_range_keeps_stores_private() {
        let page = page_length() as u64;
        let file = scratch(4 * page);
        let writer = Mapping::writable(&file, 4 * page).unwrap();
        let reader = Mapping::read_only(&file, 4 * page).unwrap();
        cover(&writer, page, page).unwrap();
        let words = writer.words().unwrap();
        words[0].store(1, Relaxed);
        words[page as usize / 8].store(2, Relaxed);
        assert_eq!(reader.read_words().load(0), 1);
        assert_eq!(reader.read_words().load(page as usize / 8), 0);
        assert!(cover(&writer, 4 * page, page).is_err());
    }

    #[test]
    fn ordinary_mappings_are_not_locked() {
        assert!(!future_mappings_are_locked());
    }
}
