//! Opening a file that may be a segment, and reading its header into private memory.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FileType, Mode, OFlags};

use super::host::{check_file_system, file_error};
use crate::error::{LayoutError, OpenError};
use crate::layout::geometry::{Geometry, Origin};
use crate::layout::header::{HEADER_LENGTH, IMMUTABLE_WORDS};

/// Which file it is, whatever its name: device and inode.
pub(crate) type FileKey = (u64, u64);

fn open_file(path: &Path, access: OFlags) -> Result<(File, u64), OpenError> {
    // No links; O_NONBLOCK so that a pipe cannot block.
    let flags = access | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let operation = if access.contains(OFlags::RDWR) {
        "open for writing"
    } else {
        "read"
    };
    let file: OwnedFd =
        rustix::fs::open(path, flags, Mode::empty()).map_err(|e| file_error(operation, path, e.into()))?;
    let stat = rustix::fs::fstat(&file).map_err(|e| file_error("examine", path, e.into()))?;
    let found = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => None,
        FileType::Directory => Some("a folder"),
        FileType::Fifo => Some("a pipe"),
        FileType::Socket => Some("a socket"),
        _ => Some("a device"),
    };
    if let Some(found) = found {
        return Err(OpenError::WrongFileType {
            path: path.to_owned(),
            found,
        });
    }
    check_file_system(&file, path)?;
    Ok((File::from(file), stat.st_size as u64))
}

/// Opens a segment's file for reading. Returns it with its length.
pub(crate) fn open_file_read_only(path: &Path) -> Result<(File, u64), OpenError> {
    open_file(path, OFlags::RDONLY)
}

/// Opens a segment's file for writing. Returns it with its length.
pub(crate) fn open_file_writable(path: &Path) -> Result<(File, u64), OpenError> {
    open_file(path, OFlags::RDWR)
}

/// How long an opener waits for a creator that has not published its segment (`shm:` only). Creating takes milliseconds.
pub(crate) const PUBLISH_TIMEOUT: Duration = Duration::from_secs(2);
/// Between two looks.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// Opens with `open`, waiting a bounded time while the segment is there but not published. Only a POSIX shared-memory name can be in
/// that state; any other file without content is an error at once.
pub(crate) fn wait_until_published<T>(
    path: &Path,
    mut open: impl FnMut() -> Result<T, OpenError>,
) -> Result<T, OpenError> {
    let begun = Instant::now();
    loop {
        match open() {
            Err(error) if super::is_unpublished(&error) && super::place::is_shm_path(path) => {}
            opened => return opened,
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

/// Device and inode of an open file.
pub(crate) fn file_key(file: &File, path: &Path) -> Result<FileKey, OpenError> {
    let stat = rustix::fs::fstat(file).map_err(|error| file_error("examine", path, error.into()))?;
    Ok((stat.st_dev, stat.st_ino))
}

/// Copies the immutable part of a header once and validates the copy.
pub(crate) fn read_header(
    file: &File,
    length: u64,
    path: &Path,
) -> Result<(Geometry, Origin, u64), OpenError> {
    let layout = |source| OpenError::Layout {
        path: path.to_owned(),
        source,
    };
    if length < HEADER_LENGTH {
        return Err(layout(LayoutError::TooShort { found: length }));
    }
    let mut bytes = [0; IMMUTABLE_WORDS * 8];
    file.read_exact_at(&mut bytes, 0)
        .map_err(|error| file_error("read", path, error))?;
    let mut words = [0; IMMUTABLE_WORDS];
    for (word, chunk) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *word = u64::from_ne_bytes(*chunk);
    }
    let (geometry, origin) = Geometry::parse(&words, length).map_err(layout)?;
    Ok((geometry, origin, words[1]))
}
