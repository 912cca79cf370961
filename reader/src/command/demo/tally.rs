//! The tally: a private shared page in which every thread of every worker notes, around each operation, what it began and what it has
//! done. It knows nothing of the segment, so the two can be compared.
//!
//! It outlives the workers, for it is the demo's own memory (`storm/memory`).
#![allow(unsafe_code)]

use std::process::Stdio;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, fence};

use crate::exit::{Failure, io_failure};
use crate::storm::memory::{Atomics, Memory};

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

// SAFETY: it is made of atomics, and of nothing else but padding.
unsafe impl Atomics for Cell {}

/// The cells of all threads.
#[derive(Debug)]
pub(super) struct Tally(Memory<Cell>);

impl Tally {
    /// A new one for so many threads, all zero.
    pub(super) fn create(cells: u64) -> Result<Tally, Failure> {
        Memory::create("shmetrics-demo-tally", cells)
            .map(Tally)
            .map_err(|error| io_failure("make the tally", &error, "free memory, or ask for fewer threads"))
    }

    /// The one that this worker was given.
    pub(super) fn of_worker(cells: u64) -> Result<Tally, Failure> {
        Memory::of_worker(cells).map(Tally).map_err(|error| {
            io_failure(
                "map the tally",
                &error,
                "this command is started by `shmetrics demo` only",
            )
        })
    }

    /// For a worker's standard input.
    pub(super) fn to_stdio(&self) -> Result<Stdio, Failure> {
        self.0.to_stdio().map_err(|error| {
            io_failure(
                "share the tally",
                &error,
                "raise the limit of open files (ulimit -n)",
            )
        })
    }

    /// All cells, by process, then by thread.
    pub(super) fn cells(&self) -> &[Cell] {
        self.0.all()
    }

    /// The cells of one process.
    pub(super) fn process(&self, process: u64, threads: u64) -> &[Cell] {
        let start = (process * threads) as usize;
        self.cells()
            .get(start..start + threads as usize)
            .unwrap_or_default()
    }
}

const _: () = assert!(size_of::<Cell>() == 128);
