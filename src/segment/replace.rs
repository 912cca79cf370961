//! Replacement: a new segment takes the name of another in one step, and goes on with its ids.
//!
//! ```text
//! lock on the old file ──> does the name still lead to it? else begin again
//!                          the new file is built under a temporary name
//!                          ids of the old one are closed; how many it gave goes into the new one
//!                          the new one is renamed over the name
//!                          old one: retired := 1
//! ```
//!
//! Who replaces or finds a closed segment holds the lock, so of two one begins again with what the other made. Dead in between: the
//! kernel frees the lock; what is under the name is the old one, perhaps closed, which the next opener replaces, or the new one.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::attachment::reopen;
use super::create::{self, build, folder_of, temporary_file};
use super::host::{self, file_error};
use super::open::{Access, FileKey, POLL_INTERVAL, file_key, open_file_writable, read_header};
use super::options::SegmentOptions;
use super::ownership::{try_lock, unlock};
use crate::error::OpenError;
use crate::layout::WORD_LENGTH;
use crate::layout::geometry::MAX_PROCESS_SLOTS;
use crate::layout::header::{HEADER_LENGTH, NEXT_ID_OFFSET, RETIRED_OFFSET};
use crate::map::Mapping;
use crate::protocol::ids;
use crate::sync::{AtomicU64, Relaxed, Release};

/// The lock byte of replacement: after those of slots, creation and reset.
const REPLACE_LOCK_SLOT: u64 = MAX_PROCESS_SLOTS + 2;
/// Attempts, [`POLL_INTERVAL`] apart: two seconds. A replacement takes milliseconds.
const ATTEMPTS: usize = 1000;

/// What is to be replaced.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Old {
    /// Whatever has the name.
    Any,
    /// This file, if the name still leads to it.
    File(FileKey),
    /// A file that is retired, or gives no ids any more, if the name still leads to such a one.
    Spent,
}

/// Replaces the segment at `path`. `Ok`, too, if there was nothing to be done: the name leads to another file by now.
pub(crate) fn replace(path: &Path, options: &SegmentOptions, old: Old) -> Result<(), OpenError> {
    for _ in 0..ATTEMPTS {
        let file = match (open_file_writable(path), old) {
            (Ok((file, length, _)), _) => {
                read_header(&file, length, path, Access::Write)?;
                file
            }
            (Err(OpenError::NotFound { .. }), Old::Any) => match create::create(path, options) {
                // Somebody else was faster: it is to be replaced, too.
                Err(OpenError::Exists { .. }) => continue,
                created => return created,
            },
            (Err(OpenError::NotFound { .. }), _) => return Ok(()),
            (Err(error), _) => return Err(error),
        };
        let key = file_key(&file, path)?;
        if matches!(old, Old::File(wanted) if wanted != key) {
            return Ok(());
        }
        if let Some(lock) = Lock::take(&file, path)? {
            if names(path, key) {
                return with_lock(&lock, &file, path, options, old);
            }
        } else {
            std::thread::sleep(POLL_INTERVAL);
        }
    }
    Err(OpenError::Replacing {
        path: path.to_owned(),
    })
}

/// Does the name lead to this file?
fn names(path: &Path, key: FileKey) -> bool {
    rustix::fs::stat(path).is_ok_and(|stat| (stat.st_dev, stat.st_ino) == key)
}

fn with_lock(
    _lock: &Lock,
    file: &File,
    path: &Path,
    options: &SegmentOptions,
    old: Old,
) -> Result<(), OpenError> {
    let mapping =
        Mapping::writable(file, HEADER_LENGTH).map_err(|error| file_error(host::MAP, path, error))?;
    let word =
        |offset: u64| -> &AtomicU64 { &mapping.words().unwrap_or_default()[(offset / WORD_LENGTH) as usize] };
    let (next_id, retired) = (word(NEXT_ID_OFFSET), word(RETIRED_OFFSET));
    let is_spent = retired.load(Relaxed) != 0 || next_id.load(Relaxed) & ids::CLOSED != 0;
    if matches!(old, Old::Spent) && !is_spent {
        return Ok(());
    }
    let (new, temporary) = temporary_file(&folder_of(path), path)?;
    let temporary = Temporary(temporary);
    build(&new, path, options)?;
    // From here on the old one gives no ids: what it gave is final, and before anybody can see the new one.
    let given = ids::close(next_id);
    let renamed = new
        .write_all_at(&given.to_ne_bytes(), NEXT_ID_OFFSET)
        .and_then(|()| Ok(rustix::fs::rename(&temporary.0, path)?));
    if let Err(error) = renamed {
        // Nobody goes on from `given`: that needs the lock. So ids may be given again, from there on.
        ids::open_again(next_id);
        return Err(file_error("name the new segment", path, error));
    }
    retired.store(1, Release);
    Ok(())
}

/// A file with a temporary name, which goes with this value, unless it was renamed.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = rustix::fs::unlink(&self.0);
    }
}

/// The lock of replacement. The kernel frees it, too, when this process ends.
struct Lock(File);

impl Lock {
    /// By a description that nothing maps: a mapping would keep it locked in children. `None`: somebody has it.
    fn take(file: &File, path: &Path) -> Result<Option<Lock>, OpenError> {
        let failed = |error| file_error("lock", path, error);
        let file = reopen(file).map_err(failed)?;
        let taken = try_lock(file.as_fd(), REPLACE_LOCK_SLOT).map_err(failed)?;
        Ok(taken.then_some(Lock(file)))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A child that was forked meanwhile has the description, too: closing it here would not be enough.
        let _ = unlock(self.0.as_fd(), REPLACE_LOCK_SLOT);
    }
}
