//! One at a time saves, restores, resets, enters: a lock on the segment's file that the kernel frees when its holder dies.
//!
//! What it is for: of two that save, the later one has the newer figures; a reset and a save do not cross; of two that enter, one begins
//! the run. What must not be half after a death does not rest on it (`run`, `restored`). A child that is forked while it is held, and
//! outlives its parent, holds it: so nobody waits for ever, and who cannot have it neither saves nor
//! restores nor resets.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

/// How long one waits: what is done under the lock takes milliseconds, apart from a store far away.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long one waits who has no other chance: on leaving.
pub(super) const LAST_PATIENCE: Duration = Duration::from_secs(30);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(2);

/// The lock, until it is dropped. `None`: the segment has lost its name, so nobody else can come to it.
#[derive(Debug)]
pub(super) struct Lock(Option<File>);

impl Lock {
    /// Takes the lock of the segment at `path`. `None`: somebody has it for seconds, or the file cannot be opened or locked.
    pub(super) fn take(path: &Path) -> Option<Lock> {
        Lock::wait(path, PATIENCE)
    }

    /// As [`take`](Self::take), with this patience.
    pub(super) fn wait(path: &Path, patience: Duration) -> Option<Lock> {
        let file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Some(Lock(None)),
            file => file.ok()?,
        };
        let begun = Instant::now();
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Some(Lock(Some(file))),
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR)
                    if begun.elapsed() < patience =>
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
        if let Some(file) = &self.0 {
            let _ = flock(file, FlockOperation::Unlock);
        }
    }
}
