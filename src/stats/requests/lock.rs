//! One at a time saves, restores, resets, enters: a lock on the segment's file that the kernel frees when its holder dies.
//!
//! What it is for: of two that save, the later one has the newer figures; a reset and a save do not cross; of two that enter, one begins
//! the run. What must not be half after a death does not rest on it (`run`, `restored`). A child that is forked while it is held, and
//! outlives its parent, holds it: so nobody waits for ever.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

/// How long one waits: what is done under the lock takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(2);

/// The lock, until it is dropped.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Takes the lock of the segment at `path`. `None`: somebody has it for seconds, or the file cannot be opened or locked.
    pub(super) fn take(path: &Path) -> Option<Lock> {
        let file = File::open(path).ok()?;
        let begun = Instant::now();
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Some(Lock(file)),
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR)
                    if begun.elapsed() < PATIENCE =>
                {
                    std::thread::sleep(PAUSE);
                }
                Err(_) => return None,
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A child that was forked meanwhile has the description, too: closing it here would not be enough.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}
