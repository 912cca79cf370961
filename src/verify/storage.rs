//! Which ranges of the file have storage: S-2, every mark covers allocated storage only.
//!
//! tmpfs tells by `lseek` with `SEEK_HOLE`: pages that were populated or written are data. Other file systems may call a range that
//! is allocated and was never written a hole; they accuse nobody here. Storage is never given back, so what was data once
//! stays known.
//!
//! The head is allocated by `fallocate`, and pages of it that nobody touched count as holes on tmpfs, too. For it the file's number
//! of allocated bytes is compared with what is data beyond it. If there is more, somebody allocates other ranges like that, and
//! holes accuse nobody.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt;

use rustix::fs::SeekFrom;
use rustix::io::Errno;

use super::findings::Findings;
use super::opened::Opened;
use super::pass::Pass;
use super::report::{Place, Severity};
use crate::layout::geometry::Geometry;
use crate::layout::header::COMMITTED_OFFSET;
use crate::segment::file_system::FileSystem;

/// Bytes of a block as `stat` counts them, whatever the file system's are.
const STAT_BLOCK_LENGTH: u64 = 512;
/// `committed` may miss or double what writers died over; only what is off by more than this, and by a factor, is told.
const COMMITTED_TOLERANCE: u64 = 16 << 20;

/// Attempts to measure the storage of a file that writers allocate for.
const ATTEMPTS: usize = 8;

/// What is known of the file's storage.
pub(super) struct Storage<'a> {
    file: &'a File,
    /// Does the file system tell?
    answers: bool,
    length: u64,
    /// Ranges known to be data: start -> end, disjoint.
    data: BTreeMap<u64, u64>,
}

impl<'a> Storage<'a> {
    pub(super) fn new(opened: &'a Opened) -> Self {
        Self {
            file: &opened.file,
            answers: opened.file_system == FileSystem::Tmpfs,
            length: opened.length,
            data: BTreeMap::new(),
        }
    }

    /// The first byte of the range that has no storage; `None` if all of it has, or nobody can tell. One system call for each run of
    /// data that is new.
    pub(super) fn hole(&mut self, offset: u64, length: u64) -> Option<u64> {
        if !self.answers {
            return None;
        }
        let end = offset + length;
        let mut at = offset;
        let mut start = offset;
        if let Some((&from, &to)) = self.data.range(..=offset).next_back()
            && to >= offset
        {
            (start, at) = (from, to.max(offset));
        }
        while at < end {
            match rustix::fs::seek(self.file, SeekFrom::Hole(at)) {
                Ok(hole) if hole <= at => return Some(at),
                Ok(hole) => {
                    self.data.insert(start, hole);
                    at = hole;
                }
                Err(_) => {
                    self.answers = false;
                    return None;
                }
            }
        }
        None
    }
}

/// Bytes of data from `offset` on; `None` if nobody can tell.
fn data_from(file: &File, offset: u64) -> Option<u64> {
    let (mut at, mut sum) = (offset, 0);
    loop {
        let data = match rustix::fs::seek(file, SeekFrom::Data(at)) {
            Ok(data) => data,
            // lseek(2): beyond the last data.
            Err(Errno::NXIO) => return Some(sum),
            Err(_) => return None,
        };
        let hole = rustix::fs::seek(file, SeekFrom::Hole(data)).ok()?;
        if hole <= data {
            return Some(sum);
        }
        sum += hole - data;
        at = hole;
    }
}

/// Bytes that the file takes.
fn allocated(file: &File) -> Option<u64> {
    Some(file.metadata().ok()?.blocks() * STAT_BLOCK_LENGTH)
}

/// How many bytes are allocated, and how many of them are data beyond the head.
#[derive(Debug, PartialEq, Eq)]
enum Measured {
    Both {
        allocated: u64,
        beyond: u64,
    },
    /// Something was allocated during each attempt: the two are of different moments.
    Moving,
    /// The file system does not answer.
    Unknown,
}

/// Measures until nothing was allocated in between: storage is never given back, so the same number before and after is one moment's.
fn measure(file: &File, mut beyond: impl FnMut() -> Option<u64>) -> Measured {
    for _ in 0..ATTEMPTS {
        let (Some(before), Some(beyond), Some(after)) = (allocated(file), beyond(), allocated(file)) else {
            return Measured::Unknown;
        };
        if before == after {
            return Measured::Both {
                allocated: after,
                beyond,
            };
        }
    }
    Measured::Moving
}

/// Has the head its storage? Asked once, before it is looked at.
pub(super) fn head(storage: &mut Storage<'_>, geometry: &Geometry, findings: &mut Findings) {
    if !storage.answers {
        findings.add(
            Severity::Note,
            "S-2",
            Place::File,
            0,
            "the file system does not tell which pages are allocated: marks were not compared with storage",
        );
        return;
    }
    let mut give_up = |storage: &mut Storage<'_>, message: &str| {
        storage.answers = false;
        findings.add(Severity::Note, "S-2", Place::File, 0, message);
    };
    let head = geometry.head_length();
    let file = storage.file;
    let (allocated, beyond) = match measure(file, || data_from(file, head)) {
        Measured::Both { allocated, beyond } => (allocated, beyond),
        Measured::Moving => {
            return give_up(
                storage,
                "writers allocate storage faster than it can be measured: marks were not compared with storage",
            );
        }
        Measured::Unknown => return,
    };
    let found = allocated.saturating_sub(beyond);
    if found > head {
        // Ranges beyond the head were allocated (A-8 allows `fallocate`) and never written: they look like holes, too.
        give_up(
            storage,
            "storage beyond the head is allocated and was never written: marks were not compared with storage",
        );
    } else if found < head {
        let message = format!(
            "{found} bytes of the head are allocated, expected all {head}; a store to the others can end by SIGBUS"
        );
        findings.add(Severity::Error, "S-2", Place::File, 0, message);
    }
}

/// `committed` against what the file takes.
pub(super) fn committed(pass: &mut Pass<'_, '_>) {
    if !pass.storage.answers {
        return;
    }
    // The word first: storage is allocated before it is counted.
    let committed = pass.load(COMMITTED_OFFSET);
    let Some(allocated) = allocated(pass.storage.file) else {
        return;
    };
    let length = pass.storage.length;
    let beyond = allocated.saturating_sub(pass.geometry.head_length());
    let place = Place::Header("committed");
    if committed / 2 > beyond.saturating_add(COMMITTED_TOLERANCE) {
        let message = format!(
            "{committed} bytes are counted as committed, the file has {beyond} beyond its head: the budget ends too early"
        );
        pass.warning("6.2", place, COMMITTED_OFFSET, message);
    } else if beyond / 2 > committed.saturating_add(COMMITTED_TOLERANCE) {
        let message = format!(
            "{committed} bytes are counted as committed, the file of {length} has {beyond} beyond its head (a copy, or large pages)"
        );
        pass.note("6.2", place, COMMITTED_OFFSET, message);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    const PAGE_LENGTH: u64 = 1 << 16;

    /// A file without a name in memory, whose first page is its head.
    fn file() -> File {
        let descriptor = rustix::fs::memfd_create("shmetrics-storage", rustix::fs::MemfdFlags::CLOEXEC);
        let file = File::from(descriptor.unwrap());
        file.set_len(100 * PAGE_LENGTH).unwrap();
        store(&file, 0);
        file
    }

    fn store(file: &File, page: u64) {
        file.write_all_at(&[1; PAGE_LENGTH as usize], page * PAGE_LENGTH)
            .unwrap();
    }

    /// A writer allocates `times` while the file is measured, each time after the data was counted.
    fn measured(times: u64) -> Measured {
        let file = file();
        let mut page = 0;
        measure(&file, || {
            let beyond = data_from(&file, PAGE_LENGTH);
            if page < times {
                page += 1;
                store(&file, page);
            }
            beyond
        })
    }

    #[test]
    fn what_is_allocated_between_two_looks_is_no_storage_of_the_head() {
        for times in [0, 1, ATTEMPTS as u64 - 1] {
            let Measured::Both { allocated, beyond } = measured(times) else {
                panic!("{times}");
            };
            assert_eq!(beyond, times * PAGE_LENGTH);
            assert_eq!(allocated - beyond, PAGE_LENGTH);
        }
    }

    #[test]
    fn who_allocates_all_the_time_is_not_measured() {
        assert_eq!(measured(u64::MAX), Measured::Moving);
    }
}
