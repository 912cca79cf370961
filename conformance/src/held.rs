//! Locks on the bytes that say that the owners of process slots live: SPEC.md 10.4.
//!
//! The locks are those of an open file description, which no function of the standard library or of rustix takes on a range: one
//! call of the system.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use shmetrics::layout::directory::LOCK_BASE_OFFSET;

/// The lock bytes of some process slots of a segment, held until this is dropped.
#[derive(Debug)]
pub struct Held {
    /// The locks belong to its description, which nothing else uses.
    _file: File,
}

impl Held {
    /// Locks the bytes of these slots, as their owners do. Errors: the file cannot be opened for writing, or another holds one.
    pub fn lock(path: &Path, slots: impl IntoIterator<Item = u64>) -> io::Result<Held> {
        let file = File::options().read(true).write(true).open(path)?;
        for slot in slots {
            let range = libc::flock {
                l_type: libc::F_WRLCK as libc::c_short,
                l_whence: libc::SEEK_SET as libc::c_short,
                l_start: (LOCK_BASE_OFFSET + slot) as libc::off_t,
                l_len: 1,
                l_pid: 0,
            };
            // SAFETY: fcntl(2): F_OFD_SETLK takes a pointer to a `struct flock`, which it only reads; `range` is one and lives longer
            // than the call, and the descriptor is that of `file`, which is open. "When an open file description lock is specified,
            // l_pid must be 0", as it is.
            let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const range) };
            if result != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(Held { _file: file })
    }
}
