//! Where a temporary segment is: in memory, if one may.

use std::path::{Path, PathBuf};

/// `/dev/shm`, or else the folder for temporary files.
pub(crate) fn temporary_folder() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let writable = rustix::fs::access(memory, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK);
    if writable.is_ok() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    }
}
