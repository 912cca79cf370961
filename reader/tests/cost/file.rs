//! What a reader must leave as it was, and a program that does not.

use std::fs::File;
use std::hash::Hasher;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use crate::support::Scratch;

/// A file, as far as a reader could change it.
#[derive(Debug, PartialEq, Eq)]
pub struct Facts {
    /// Blocks of 512 bytes that are allocated.
    pub blocks: u64,
    length: u64,
    modified: (i64, i64),
    mode: u32,
    /// Of all bytes that are no hole, and where they are. Holes are not read: that would be what the test is about.
    pub content: u64,
}

impl Facts {
    pub fn of(path: &Path) -> Facts {
        let file = File::open(path).unwrap();
        let content = content(&file);
        let metadata = file.metadata().unwrap();
        Facts {
            blocks: metadata.blocks(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            mode: metadata.mode(),
            content,
        }
    }
}

/// A hash over the words that are not zero, with their places: what a load allocates is zero, and is seen by its blocks.
fn content(file: &File) -> u64 {
    let mut hash = std::hash::DefaultHasher::new();
    let mut buffer = vec![0; 1 << 16];
    let mut at = 0;
    while let Some((start, end)) = next_data(file, at) {
        at = start;
        while at < end {
            let wanted = buffer.len().min((end - at) as usize);
            let found = file.read_at(&mut buffer[..wanted], at).unwrap();
            assert!(found > 0, "the file became shorter");
            for (index, word) in buffer[..found].chunks(8).enumerate() {
                if word.iter().any(|byte| *byte != 0) {
                    hash.write_u64(at + 8 * index as u64);
                    hash.write(word);
                }
            }
            at += found as u64;
        }
    }
    hash.finish()
}

/// The next range that is allocated.
#[allow(unsafe_code)]
fn next_data(file: &File, at: u64) -> Option<(u64, u64)> {
    let seek = |from: u64, what: libc::c_int| {
        // SAFETY: the descriptor is open; the call touches no memory of ours.
        let found = unsafe { libc::lseek(file.as_raw_fd(), from as libc::off_t, what) };
        u64::try_from(found).ok()
    };
    let start = seek(at, libc::SEEK_DATA)?;
    Some((start, seek(start, libc::SEEK_HOLE)?))
}

/// Does the scratch folder lie on a tmpfs, where a load from a hole takes storage?
pub fn is_on_tmpfs(scratch: &Scratch) -> bool {
    scratch.path("").starts_with("/dev/shm")
        && std::fs::read_to_string("/proc/mounts").is_ok_and(|mounts| {
            mounts
                .lines()
                .any(|line| line.split(' ').skip(1).take(2).eq(["/dev/shm", "tmpfs"]))
        })
}

/// What a careless reader does: loads a byte of every page through a read-only mapping.
#[allow(unsafe_code)]
pub fn touch_a_hole(path: &Path) {
    let file = File::open(path).unwrap();
    let length = file.metadata().unwrap().len() as usize;
    // SAFETY: a new read-only mapping of a file that nobody truncates; checked below.
    let base = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            length,
            libc::PROT_READ,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            0,
        )
    };
    assert_ne!(base, libc::MAP_FAILED);
    // The last page is one of the last lane's blocks.
    // SAFETY: inside the mapping; nobody writes to it meanwhile.
    let byte = unsafe { base.cast::<u8>().add(length - 4096).read_volatile() };
    assert_eq!(byte, 0);
    // SAFETY: mapped above with this length; nothing refers to it any more.
    unsafe { libc::munmap(base, length) };
}
