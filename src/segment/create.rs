//! Creation: the complete segment is built in a file without a name, then linked to its name. Under the public name there is nothing
//! or a complete segment; of two creators that race, one links and the other finds the name taken.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FallocateFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::file_system::{check_file_system, free_bytes};
use super::host::{self, file_error};
use super::open::FileKey;
use super::options::SegmentOptions;
use crate::error::{LayoutError, OpenError};
use crate::layout::geometry::{Capacities, Geometry, Origin};
use crate::layout::header::RETIRED_OFFSET;
use crate::map::{Mapping, future_mappings_are_locked};
use crate::sync::{Relaxed, Release};

/// Default budget, if half of the free memory is not less.
const DEFAULT_BUDGET: u64 = 256 << 20;

/// Creates a segment at `path`; `OpenError::Exists` if the name is taken.
pub(crate) fn create(path: &Path, options: &SegmentOptions) -> Result<(), OpenError> {
    let folder = folder_of(path);
    if !folder.is_dir() {
        return Err(OpenError::MissingFolder { folder });
    }
    let (file, temporary) = unnamed_file(&folder, path)?;
    let built = build(&file, path, options).and_then(|()| publish(&file, temporary.as_deref(), path));
    if let Some(temporary) = temporary {
        // After a successful rename the name is gone already.
        let _ = rustix::fs::unlink(&temporary);
    }
    built
}

pub(super) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// A file without a name, or, where the file system has none, one with an exclusive temporary name.
fn unnamed_file(folder: &Path, path: &Path) -> Result<(File, Option<PathBuf>), OpenError> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    match rustix::fs::open(folder, flags | OFlags::TMPFILE, Mode::RUSR | Mode::WUSR) {
        Ok(file) => return Ok((File::from(file), None)),
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => {}
        Err(error) => return Err(file_error("create a file in the folder of", path, error.into())),
    }
    let (file, temporary) = temporary_file(folder, path)?;
    Ok((file, Some(temporary)))
}

/// A file with an exclusive temporary name, which begins with a dot.
pub(super) fn temporary_file(folder: &Path, path: &Path) -> Result<(File, PathBuf), OpenError> {
    let temporary = hidden_name(path, folder);
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::CREATE | OFlags::EXCL;
    let file: OwnedFd = rustix::fs::open(&temporary, flags, Mode::RUSR | Mode::WUSR)
        .map_err(|error| file_error("create", path, error.into()))?;
    Ok((File::from(file), temporary))
}

fn hidden_name(path: &Path, folder: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    folder.join(format!(".{name}.{:016x}", host::random_id()))
}

/// The geometry for these options on this file system.
pub(crate) fn plan(file: &File, path: &Path, options: &SegmentOptions) -> Result<Geometry, OpenError> {
    let half_free = free_bytes(file).unwrap_or(u64::MAX) / 2;
    let budget = options.budget.unwrap_or(DEFAULT_BUDGET.min(half_free));
    let layout = |source: LayoutError| OpenError::Layout {
        path: path.to_owned(),
        source,
    };
    Geometry::plan(Capacities {
        budget,
        ..options.capacities
    })
    .map_err(layout)
}

/// Gives the file its length, allocates the head and writes the header. `magic_last` leaves the magic word for [`publish_magic`].
pub(crate) fn build(file: &File, path: &Path, options: &SegmentOptions) -> Result<(), OpenError> {
    check_file_system(file, path)?;
    let geometry = plan(file, path, options)?;
    host::check_file_size_limit(geometry.file_length)?;
    check_locked_memory(&geometry, options)?;
    file.set_len(geometry.file_length)
        .map_err(|error| file_error("extend", path, error))?;
    fill(file, path, options, &geometry, true)
}

/// Refuses locked memory, unless the user said that allocating the whole segment is fine.
pub(crate) fn check_locked_memory(geometry: &Geometry, options: &SegmentOptions) -> Result<(), OpenError> {
    if options.allow_locked_memory || !future_mappings_are_locked() {
        return Ok(());
    }
    let compact = Geometry::plan(Capacities::COMPACT).map_or(0, |compact| compact.file_length);
    Err(OpenError::LockedMemory {
        needed: geometry.file_length,
        compact,
    })
}

/// Allocates the head of a file that has its length and writes the header; without the magic word if `publish` is false.
pub(crate) fn fill(
    file: &File,
    path: &Path,
    options: &SegmentOptions,
    geometry: &Geometry,
    publish: bool,
) -> Result<(), OpenError> {
    allocate(file, geometry.head_length(), path)?;
    let origin = Origin {
        boot_id: host::boot_id(),
        created_ns: host::wall_ns(),
        created_monotonic_ns: host::monotonic_ns(),
        segment_id: host::random_id(),
        writer_features: geometry.writer_features(),
    };
    let mapping = Mapping::writable(file, geometry.head_length())
        .map_err(|error| file_error(host::MAP, path, error))?;
    let words = mapping.words().unwrap_or_default();
    let header = geometry.to_words(&origin);
    for (word, value) in words.iter().zip(header).skip(1) {
        word.store(value, Relaxed);
    }
    rustix::fs::fchmod(file, Mode::from_raw_mode(options.mode))
        .map_err(|error| file_error("set the mode of", path, error.into()))?;
    if publish {
        // The magic word last, with release: where the file already has a name (`shm:`), whoever sees it sees the rest.
        words[0].store(header[0], Release);
    }
    Ok(())
}

/// Allocates the first bytes of the file, so that no store to them can fail.
fn allocate(file: &File, length: u64, path: &Path) -> Result<(), OpenError> {
    match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, length) {
        Ok(()) => Ok(()),
        Err(Errno::NOSPC | Errno::DQUOT) => Err(OpenError::StorageFull {
            path: path.to_owned(),
            needed: length,
        }),
        Err(Errno::OPNOTSUPP) => write_zeros(file, length, path),
        Err(error) => Err(file_error("allocate", path, error.into())),
    }
}

fn write_zeros(file: &File, length: u64, path: &Path) -> Result<(), OpenError> {
    let zeros = [0; 64 * 1024];
    let mut offset = 0;
    while offset < length {
        let part = (length - offset).min(zeros.len() as u64) as usize;
        match file.write_at(&zeros[..part], offset) {
            Ok(written) => offset += written as u64,
            Err(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                return Err(OpenError::StorageFull {
                    path: path.to_owned(),
                    needed: length,
                });
            }
            Err(error) => return Err(file_error("allocate", path, error)),
        }
    }
    Ok(())
}

/// Gives the finished file its name.
fn publish(file: &File, temporary: Option<&Path>, path: &Path) -> Result<(), OpenError> {
    let linked = match temporary {
        None => {
            let from = format!("/proc/self/fd/{}", file.as_raw_fd());
            rustix::fs::linkat(CWD, from, CWD, path, AtFlags::SYMLINK_FOLLOW)
        }
        Some(temporary) => rustix::fs::renameat_with(CWD, temporary, CWD, path, RenameFlags::NOREPLACE),
    };
    linked.map_err(|error| file_error("name the new segment", path, error.into()))
}

/// Removes the name of a segment, if it still names the file with this key. Between a look and an unlink somebody may put another file
/// there; so the name is moved aside first, looked at, and moved back if it was another's.
pub(crate) fn remove_name(path: &Path, key: FileKey) -> Result<(), OpenError> {
    let is_ours = |path: &Path| match rustix::fs::stat(path) {
        Ok(stat) => (stat.st_dev, stat.st_ino) == key,
        Err(_) => false,
    };
    if !is_ours(path) {
        return Ok(());
    }
    let aside = hidden_name(path, &folder_of(path));
    match rustix::fs::rename(path, &aside) {
        Ok(()) => {}
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(file_error("remove", path, error.into())),
    }
    if !is_ours(&aside) {
        // Another's: back with it. Does a third file have the name by now, it is marked, so that those who use it learn of it.
        let back = rustix::fs::linkat(CWD, &aside, CWD, path, AtFlags::empty());
        if back.is_err()
            && let Ok((file, ..)) = super::open::open_file_writable(&aside)
        {
            let _ = file.write_all_at(&1u64.to_ne_bytes(), RETIRED_OFFSET);
        }
    }
    rustix::fs::unlink(&aside).map_err(|error| file_error("remove", path, error.into()))
}
