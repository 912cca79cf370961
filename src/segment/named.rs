//! Segments by POSIX shared-memory name, created through the `shared_memory` crate.
//!
//! There the name is visible before the content, so the magic word is published last. A creator holds a lock on [`CREATION_LOCK_SLOT`]
//! while it works, which the kernel frees if it dies; so an opener can tell a creator at work (wait, bounded) from a dead one (replace).

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Instant;

use shared_memory::{ShmemConf, ShmemError};

use super::create::{check_locked_memory, fill, plan};
use super::host::{self, file_error};
use super::open::{POLL_INTERVAL, PUBLISH_TIMEOUT, file_key, open_file_writable};
use super::options::SegmentOptions;
use super::ownership::try_lock;
use crate::error::OpenError;
use crate::layout::geometry::MAX_PROCESS_SLOTS;

/// The lock byte of creation: after those of all slots there can be.
const CREATION_LOCK_SLOT: u64 = MAX_PROCESS_SLOTS;

/// Creates the segment, or waits until another creator has. `Exists` if it is there and published.
pub(crate) fn create(name: &str, path: &Path, options: &SegmentOptions) -> Result<(), OpenError> {
    let begun = Instant::now();
    loop {
        match create_once(name, path, options)? {
            Outcome::Created => return Ok(()),
            Outcome::Published => {
                return Err(OpenError::Exists {
                    path: path.to_owned(),
                });
            }
            Outcome::AtWork => {}
        }
        let waited = begun.elapsed();
        if waited > PUBLISH_TIMEOUT {
            let waited_ms = waited.as_millis() as u64;
            return Err(OpenError::Unpublished {
                path: path.to_owned(),
                waited_ms,
            });
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}

enum Outcome {
    Created,
    Published,
    AtWork,
}

fn create_once(name: &str, path: &Path, options: &SegmentOptions) -> Result<Outcome, OpenError> {
    let folder = File::open(path.parent().unwrap_or(Path::new("/dev/shm")))
        .map_err(|error| file_error("open the folder of", path, error))?;
    let geometry = plan(&folder, path, options)?;
    host::check_file_size_limit(geometry.file_length)?;
    check_locked_memory(&geometry, options)?;
    let length = usize::try_from(geometry.file_length).unwrap_or(usize::MAX);
    match ShmemConf::new().os_id(name).size(length).create() {
        Ok(mut memory) => {
            // The crate unlinks the name when an owner drops: no exit of a worker may do that.
            memory.set_owner(false);
            drop(memory);
        }
        Err(ShmemError::MappingIdExists) => {}
        Err(error) => {
            let source = std::io::Error::other(error.to_string());
            return Err(OpenError::Io {
                operation: "create",
                path: path.to_owned(),
                source,
            });
        }
    }
    let (file, file_length, _) = match open_file_writable(path) {
        Ok(opened) => opened,
        // Replaced or removed meanwhile.
        Err(OpenError::NotFound { .. }) => return Ok(Outcome::AtWork),
        Err(error) => return Err(error),
    };
    if is_published(&file) {
        return Ok(Outcome::Published);
    }
    let io = |error| file_error("lock", path, error);
    if !try_lock(file.as_fd(), CREATION_LOCK_SLOT).map_err(io)? {
        return Ok(Outcome::AtWork);
    }
    // The lock is ours, as long as `file` lives. Published in between, or another file by now? Then it is not ours to fill.
    if is_published(&file) {
        return Ok(Outcome::Published);
    }
    let same = File::open(path).ok().and_then(|now| file_key(&now, path).ok());
    if same != Some(file_key(&file, path)?) {
        return Ok(Outcome::AtWork);
    }
    if file_length != geometry.file_length {
        // A creator died before it gave the file its length, or it wanted another: start over with a file of our own.
        rustix::fs::unlink(path).map_err(|error| file_error("remove", path, error.into()))?;
        return Ok(Outcome::AtWork);
    }
    fill(&file, path, options, &geometry, true)?;
    Ok(Outcome::Created)
}

/// Has the file its magic word?
fn is_published(file: &File) -> bool {
    use std::os::unix::fs::FileExt;
    let mut word = [0; 8];
    file.read_exact_at(&mut word, 0).is_ok() && word != [0; 8]
}
