//! The file system a segment is on: refused where a mapping is not shared memory, and whether it is in memory.

use std::os::fd::AsFd;
use std::path::Path;

use crate::error::OpenError;

/// Why a segment cannot live on this file system, by the magic numbers of statfs(2).
const REFUSED: [(u64, &str, &str); 20] = [
    (
        0x6969,
        "NFS",
        "its pages are not shared between machines, and its locks are not reliable",
    ),
    (0x517b, "SMB", NETWORK),
    (0xff53_4d42, "CIFS", NETWORK),
    (0xfe53_4d42, "SMB2", NETWORK),
    (0x0102_1997, "9p", ANOTHER_KERNEL),
    (
        0x6573_5546,
        "FUSE",
        "a userspace file system may stall a store, and its mappings may not be coherent",
    ),
    (0x6a65_6a63, "virtiofs", ANOTHER_KERNEL),
    (0x786f_4256, "vboxsf", ANOTHER_KERNEL),
    (0xbacb_acbc, "vmhgfs", ANOTHER_KERNEL),
    (0x00c3_6400, "Ceph", NETWORK),
    (0x5346_414f, "AFS", NETWORK),
    (0x6b41_4653, "AFS of the kernel", NETWORK),
    (0x7375_7245, "Coda", NETWORK),
    (0x0bd0_0bd0, "Lustre", NETWORK),
    (0x1983_0326, "BeeGFS", NETWORK),
    (0x2003_0528, "OrangeFS", NETWORK),
    (
        0x9584_58f6,
        "hugetlbfs",
        "its pages are reserved by touching them, which fails by SIGBUS",
    ),
    (0x7461_636f, "OCFS2", CLUSTER),
    (0x0116_1970, "GFS2", CLUSTER),
    (0x4750_4653, "GPFS", CLUSTER),
];

const NETWORK: &str = "it is a network file system";
const CLUSTER: &str = "it is a cluster file system";
const ANOTHER_KERNEL: &str = "its mappings are not coherent between kernels";

/// A file system on which a mapping is shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileSystem {
    /// In memory, and tells which pages are allocated.
    Tmpfs,
    /// In memory, and tells nothing: no page counts as allocated, and none as a hole.
    Ramfs,
    /// Another one, on a disk.
    Other,
}

impl FileSystem {
    /// By its magic number of statfs(2).
    fn of(magic: u64) -> Self {
        match magic {
            0x0102_1994 => FileSystem::Tmpfs,
            0x8584_58f6 => FileSystem::Ramfs,
            _ => FileSystem::Other,
        }
    }

    /// Do stores never wait for write-back?
    pub(crate) fn is_in_memory(self) -> bool {
        self != FileSystem::Other
    }
}

/// Refuses file systems on which a mapping is not shared memory. Returns which one it is.
pub(crate) fn check_file_system(file: impl AsFd, path: &Path) -> Result<FileSystem, OpenError> {
    let statfs = rustix::fs::fstatfs(file).map_err(|error| OpenError::Io {
        operation: "examine the file system of",
        path: path.to_owned(),
        source: error.into(),
    })?;
    judge_file_system(statfs.f_type as u64, path)
}

/// As [`check_file_system`], by the magic number.
fn judge_file_system(magic: u64, path: &Path) -> Result<FileSystem, OpenError> {
    match REFUSED.iter().find(|(number, ..)| *number == magic) {
        Some(&(_, file_system, reason)) => Err(OpenError::FileSystem {
            path: path.to_owned(),
            file_system,
            reason,
        }),
        None => Ok(FileSystem::of(magic)),
    }
}

/// Free bytes of the file system that `file` is on.
pub(crate) fn free_bytes(file: impl AsFd) -> Option<u64> {
    let statvfs = rustix::fs::fstatvfs(file).ok()?;
    statvfs.f_bavail.checked_mul(statvfs.f_frsize)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Most of these cannot be mounted in a test; their numbers are those of statfs(2) and of the kernel's sources.
    #[test]
    fn network_and_userspace_file_systems_are_refused_by_name_with_the_reason_and_the_cure() {
        let path = Path::new("/mnt/app");
        let refused = [
            (libc::NFS_SUPER_MAGIC as u64, "NFS"),
            (libc::SMB_SUPER_MAGIC as u64, "SMB"),
            (0xff53_4d42, "CIFS"),
            (0xfe53_4d42, "SMB2"),
            (0x0102_1997, "9p"),
            (libc::FUSE_SUPER_MAGIC as u64, "FUSE"),
            (0x6a65_6a63, "virtiofs"),
            (0x786f_4256, "vboxsf"),
            (0xbacb_acbc, "vmhgfs"),
            (0x00c3_6400, "Ceph"),
            (0x5346_414f, "AFS"),
            (libc::AFS_SUPER_MAGIC as u64, "AFS"),
            (libc::CODA_SUPER_MAGIC as u64, "Coda"),
            (0x0bd0_0bd0, "Lustre"),
            (0x1983_0326, "BeeGFS"),
            (0x2003_0528, "OrangeFS"),
            (libc::HUGETLBFS_MAGIC as u64, "hugetlbfs"),
            (0x7461_636f, "OCFS2"),
            (0x0116_1970, "GFS2"),
            (0x4750_4653, "GPFS"),
        ];
        assert_eq!(refused.len(), REFUSED.len());
        for (magic, name) in refused {
            let error = judge_file_system(magic, path).unwrap_err();
            let OpenError::FileSystem {
                file_system, reason, ..
            } = &error
            else {
                panic!("{error:?}")
            };
            assert!(file_system.starts_with(name), "{file_system}");
            let text = error.to_string();
            assert!(
                text.starts_with(&format!(
                    "/mnt/app is on {file_system}: {reason}; put the segment on tmpfs"
                )),
                "{text}"
            );
        }
        for (magic, is_in_memory) in [
            (libc::TMPFS_MAGIC as u64, true),
            (0x8584_58f6, true),
            (libc::EXT4_SUPER_MAGIC as u64, false),
            (libc::XFS_SUPER_MAGIC as u64, false),
            (libc::BTRFS_SUPER_MAGIC as u64, false),
            (libc::OVERLAYFS_SUPER_MAGIC as u64, false),
        ] {
            assert_eq!(
                judge_file_system(magic, path).unwrap().is_in_memory(),
                is_in_memory,
                "{magic:#x}"
            );
        }
    }
}
