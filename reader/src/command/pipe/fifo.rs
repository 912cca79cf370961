//! A named pipe, and an answer on its way through it.

use std::io::{ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

/// Most bytes that a pipe is asked to hold: what the kernel allows everybody (`/proc/sys/fs/pipe-max-size`).
const MOST_HELD_BYTES: usize = 1 << 20;

/// Readable for the group, as segments are.
const MODE: Mode = Mode::from_raw_mode(0o640);

/// A pipe that nobody has opened yet. Both of its ends are open here, so that whoever opens it need not wait, and can be noticed.
#[derive(Debug)]
pub(super) struct Fifo {
    writing: OwnedFd,
    /// Kept only until there is a reader: as long as it is open it is not noticed that the reader is gone.
    _reading: OwnedFd,
}

impl Fifo {
    /// Makes one under a name that is not taken.
    pub(super) fn make(folder: BorrowedFd<'_>, name: &str) -> Result<Fifo, Errno> {
        rustix::fs::mkfifoat(folder, name, MODE)?;
        let open = |access| {
            let flags = access | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::openat(folder, name, flags, Mode::empty())
        };
        // In this order: without a reader nobody may open it for writing.
        let reading = open(OFlags::RDONLY)?;
        let writing = open(OFlags::WRONLY)?;
        let is_ours = |stat: &rustix::fs::Stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo;
        if !is_ours(&rustix::fs::fstat(&writing)?) {
            return Err(Errno::EXIST);
        }
        // Whatever the umask.
        rustix::fs::fchmod(&writing, MODE)?;
        Ok(Fifo {
            writing,
            _reading: reading,
        })
    }

    /// Sends the text to whoever has opened it.
    pub(super) fn answer(self, text: String) -> Answer {
        // In one piece if possible: who shares it by mistake gets all or nothing. Otherwise in pieces.
        let _ = rustix::pipe::fcntl_setpipe_size(&self.writing, text.len().clamp(4096, MOST_HELD_BYTES));
        Answer {
            pipe: self.writing.into(),
            text,
            sent: 0,
            begun: Instant::now(),
        }
    }
}

/// An answer on its way.
#[derive(Debug)]
pub(super) struct Answer {
    pipe: std::fs::File,
    text: String,
    sent: usize,
    pub(super) begun: Instant,
}

impl Answer {
    /// Sends as much as fits. Is that the end? Dropped, the reader gets what is in the pipe, and then the end of the file.
    pub(super) fn go_on(&mut self) -> bool {
        while let Some(rest) = self
            .text
            .as_bytes()
            .get(self.sent..)
            .filter(|rest| !rest.is_empty())
        {
            match self.pipe.write(rest) {
                Ok(length) => self.sent += length,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                // The reader is gone.
                Err(_) => return true,
            }
        }
        true
    }

    pub(super) fn pipe(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}
