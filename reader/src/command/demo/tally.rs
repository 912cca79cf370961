//! The tally: a private shared page in which every thread of every worker notes, around each operation, what it began and what it has
//! done. It knows nothing of the segment, so the two can be compared.
//!
//! It is a memory file that each worker has as its standard input: no name to choose, nothing to clean up.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::process::Stdio;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, fence};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use crate::exit::{Failure, io_failure};

/// What one thread notes. Alone on its line, so that the notes of one do not slow the other.
#[repr(C, align(128))]
#[derive(Debug, Default)]
pub(super) struct Cell {
    pub(super) counts: Notes,
    pub(super) records: Notes,
    /// Nanoseconds recorded.
    pub(super) sums: Notes,
    /// Processor time of the thread's work, nanoseconds, and what it did in it; written when it has finished.
    pub(super) processor_ns: AtomicU64,
    pub(super) finished: AtomicU64,
}

/// Begun and done.
#[repr(C)]
#[derive(Debug, Default)]
pub(super) struct Notes {
    begun: AtomicU64,
    done: AtomicU64,
}

impl Notes {
    /// To be called before the operation.
    #[inline(always)]
    pub(super) fn begin(&self, total: u64) {
        self.begun.store(total, Relaxed);
        // Whoever sees anything of the operation sees that it began.
        fence(Release);
    }

    /// To be called after the operation. Whoever sees it sees all of the operation.
    #[inline(always)]
    pub(super) fn end(&self, total: u64) {
        self.done.store(total, Release);
    }

    pub(super) fn begun(&self) -> u64 {
        self.begun.load(Relaxed)
    }

    pub(super) fn done(&self) -> u64 {
        self.done.load(Acquire)
    }
}

/// The cells of all threads, mapped.
#[derive(Debug)]
pub(super) struct Tally {
    cells: NonNull<Cell>,
    length: usize,
    file: File,
}

// SAFETY: it only gives out shared references to cells, which are made of atomics; the mapping stays until drop.
unsafe impl Send for Tally {}
// SAFETY: as above.
unsafe impl Sync for Tally {}

impl Tally {
    /// A new one for so many threads, all zero.
    pub(super) fn create(cells: u64) -> Result<Tally, Failure> {
        let failed =
            |error: io::Error| io_failure("make the tally", &error, "free memory, or ask for fewer threads");
        let file = memfd_create("shmetrics-demo-tally", MemfdFlags::CLOEXEC).map_err(|e| failed(e.into()))?;
        let file = File::from(file);
        file.set_len(cells * size_of::<Cell>() as u64).map_err(failed)?;
        Tally::map(file, cells).map_err(failed)
    }

    /// The one that this worker was given.
    pub(super) fn of_worker(cells: u64) -> Result<Tally, Failure> {
        let given = || Tally::map(File::from(io::stdin().as_fd().try_clone_to_owned()?), cells);
        given().map_err(|error| {
            io_failure(
                "map the tally",
                &error,
                "this command is started by `shmetrics demo` only",
            )
        })
    }

    fn map(file: File, cells: u64) -> io::Result<Tally> {
        let length = usize::try_from(cells).unwrap_or(usize::MAX);
        let bytes = length.saturating_mul(size_of::<Cell>());
        // A store behind the end of the file would be SIGBUS.
        if file.metadata()?.len() < bytes as u64 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: a new mapping at an address of the kernel's choice overlaps nothing.
        let address = unsafe { mmap(core::ptr::null_mut(), bytes, protection, flags, &file, 0) }?;
        let cells = NonNull::new(address.cast::<Cell>()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Tally { cells, length, file })
    }

    /// For a worker's standard input.
    pub(super) fn to_stdio(&self) -> Result<Stdio, Failure> {
        let file = self.file.try_clone().map_err(|error| {
            io_failure(
                "share the tally",
                &error,
                "raise the limit of open files (ulimit -n)",
            )
        })?;
        Ok(Stdio::from(file))
    }

    /// All cells, by process, then by thread.
    pub(super) fn cells(&self) -> &[Cell] {
        // SAFETY: the mapping has `length` cells (checked against the file, which nobody shortens: it is this program's own) and lives
        // as long as `self`; a page is aligned to more than a cell; cells are atomics without padding that matters, valid for any
        // bytes, which all parties access as atomics only.
        unsafe { core::slice::from_raw_parts(self.cells.as_ptr(), self.length) }
    }

    /// The cells of one process.
    pub(super) fn process(&self, process: u64, threads: u64) -> &[Cell] {
        let start = (process * threads) as usize;
        self.cells()
            .get(start..start + threads as usize)
            .unwrap_or_default()
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        let bytes = self.length * size_of::<Cell>();
        // SAFETY: it is the mapping made in `map`; no reference to a cell outlives `self`.
        let _ = unsafe { munmap(self.cells.as_ptr().cast::<c_void>(), bytes) };
    }
}

const _: () = assert!(size_of::<Cell>() == 128);
