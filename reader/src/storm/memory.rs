//! Words that outlive the process that stored them: a memory file that each worker has as its standard input. No name to choose,
//! nothing to clean up.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::process::Stdio;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// What may lie in memory that other processes store into.
///
/// # Safety
///
/// It is made of atomics only, valid for any bytes, with an alignment that a page has.
pub(crate) unsafe trait Atomics: Sync {}

// SAFETY: it is an atomic.
unsafe impl Atomics for AtomicU64 {}

/// So many of them, mapped.
#[derive(Debug)]
pub(crate) struct Memory<T> {
    start: NonNull<T>,
    length: usize,
    file: File,
}

// SAFETY: it only gives out shared references to atomics (`Atomics`); the mapping stays until drop.
unsafe impl<T: Atomics> Send for Memory<T> {}
// SAFETY: as above.
unsafe impl<T: Atomics> Sync for Memory<T> {}

impl<T: Atomics> Memory<T> {
    /// New ones, all zero. `name` is for those who look at the list of open files.
    pub(crate) fn create(name: &str, length: u64) -> io::Result<Memory<T>> {
        let file = File::from(memfd_create(name, MemfdFlags::CLOEXEC)?);
        file.set_len(length.saturating_mul(size_of::<T>() as u64))?;
        Memory::map(file, length)
    }

    /// Those that this worker was given as its standard input.
    pub(crate) fn of_worker(length: u64) -> io::Result<Memory<T>> {
        Memory::map(File::from(io::stdin().as_fd().try_clone_to_owned()?), length)
    }

    fn map(file: File, length: u64) -> io::Result<Memory<T>> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let bytes = length.saturating_mul(size_of::<T>());
        // A store behind the end of the file would be SIGBUS.
        if file.metadata()?.len() < bytes as u64 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: a new mapping at an address of the kernel's choice overlaps nothing.
        let address = unsafe { mmap(core::ptr::null_mut(), bytes, protection, flags, &file, 0) }?;
        let start = NonNull::new(address.cast::<T>()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Memory { start, length, file })
    }

    /// For a worker's standard input.
    pub(crate) fn to_stdio(&self) -> io::Result<Stdio> {
        self.file.try_clone().map(Stdio::from)
    }

    pub(crate) fn all(&self) -> &[T] {
        // SAFETY: the mapping has `length` of them (checked against the file, which nobody shortens: it is this program's own) and
        // lives as long as `self`; they are atomics, valid for any bytes and aligned (`Atomics`), which all parties access as
        // atomics only.
        unsafe { core::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl<T> Drop for Memory<T> {
    fn drop(&mut self) {
        let bytes = self.length * size_of::<T>();
        // SAFETY: it is the mapping made in `map`; no reference into it outlives `self`.
        let _ = unsafe { munmap(self.start.as_ptr().cast::<c_void>(), bytes) };
    }
}
