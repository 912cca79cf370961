//! Opening a file that may be a segment, and reading its header into private memory.

use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FileType, Mode, OFlags, SeekFrom};

use super::file_system::{FileSystem, check_file_system};
use super::host::file_error;
use crate::error::{LayoutError, OpenError};
use crate::layout::geometry::{Geometry, Origin};
use crate::layout::header::{HEADER_LENGTH, IMMUTABLE_WORDS, VERSION_OFFSET, check_writer};
use crate::layout::record::RECORD_LENGTH;

/// Which file it is, whatever its name: device and inode.
pub(crate) type FileKey = (u64, u64);

fn open_file(path: &Path, access: OFlags) -> Result<(File, u64, FileSystem), OpenError> {
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
    let file_system = check_file_system(&file, path)?;
    Ok((File::from(file), stat.st_size as u64, file_system))
}

/// Opens a segment's file for reading. Returns it with its length and what it is on.
pub(crate) fn open_file_read_only(path: &Path) -> Result<(File, u64, FileSystem), OpenError> {
    open_file(path, OFlags::RDONLY)
}

/// Opens a segment's file for writing. Returns it with its length and what it is on.
pub(crate) fn open_file_writable(path: &Path) -> Result<(File, u64, FileSystem), OpenError> {
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

/// Lacks the head storage? Every creator allocates it, so only a file that claims more than it has, or a sparse copy, lacks some. On
/// tmpfs, where loading from a hole allocates a page, readers then look for holes before they load; elsewhere a hole costs nothing.
pub(crate) fn head_has_holes(file: &File, on: FileSystem, geometry: &Geometry) -> bool {
    // stat(2): "st_blocks ... in 512-byte units", whatever the file system's block size.
    let stored = file
        .metadata()
        .map(|metadata| metadata.blocks().saturating_mul(512));
    on == FileSystem::Tmpfs && stored.is_ok_and(|stored| stored < geometry.head_length())
}

/// Bytes from `start` on that have storage, up to the first hole, at most `length`. One system call.
pub(crate) fn stored_from(file: &File, start: u64, length: u64) -> u64 {
    match rustix::fs::seek(file, SeekFrom::Hole(start)) {
        Ok(hole) => hole.saturating_sub(start).min(length),
        Err(_) => length,
    }
}

/// Records that have storage, if some of the head has none. What has none is zeros, and so no record.
pub(crate) fn stored_records(file: &File, geometry: &Geometry) -> u64 {
    let length = geometry.records * RECORD_LENGTH;
    stored_from(file, geometry.records_offset, length).div_ceil(RECORD_LENGTH)
}

/// Whether who opens a segment will write to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// Reads the first bytes of a file that was long enough when it was opened.
pub(crate) fn read_start(file: &File, bytes: &mut [u8], path: &Path) -> Result<(), OpenError> {
    file.read_exact_at(bytes, 0).map_err(|error| {
        // Truncated since.
        let found = file.metadata().map_or(0, |metadata| metadata.len());
        match error.kind() {
            ErrorKind::UnexpectedEof => OpenError::Layout {
                path: path.to_owned(),
                source: LayoutError::TooShort { found },
            },
            _ => file_error("read", path, error),
        }
    })
}

fn copy_header(file: &File, path: &Path) -> Result<[u64; IMMUTABLE_WORDS], OpenError> {
    let mut bytes = [0; IMMUTABLE_WORDS * 8];
    read_start(file, &mut bytes, path)?;
    let mut words = [0; IMMUTABLE_WORDS];
    for (word, chunk) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *word = u64::from_ne_bytes(*chunk);
    }
    Ok(words)
}

/// Copies the immutable part of a header and validates the copy. Returns the version of the segment with what it says.
pub(crate) fn read_header(
    file: &File,
    length: u64,
    path: &Path,
    access: Access,
) -> Result<(Geometry, Origin, u64), OpenError> {
    let layout = |source| OpenError::Layout {
        path: path.to_owned(),
        source,
    };
    if length < HEADER_LENGTH {
        return Err(layout(LayoutError::TooShort { found: length }));
    }
    let mut words = copy_header(file, path)?;
    let mut parsed = Geometry::parse(&words, length);
    if matches!(parsed, Err(LayoutError::BadChecksum { .. })) {
        // `shm:` only: a copy that was taken while the magic word was stored may lack what was stored just before. Who has seen the
        // magic word sees all of it the next time.
        words = copy_header(file, path)?;
        parsed = Geometry::parse(&words, length);
    }
    let (geometry, origin) = parsed.map_err(layout)?;
    if access == Access::Write {
        check_writer(&words).map_err(layout)?;
    }
    Ok((geometry, origin, words[(VERSION_OFFSET / 8) as usize]))
}
