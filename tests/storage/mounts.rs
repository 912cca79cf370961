//! File systems of a test's own: in a mount namespace of a child, so that they vanish with it whatever happens.

use std::ffi::CString;
use std::io;
use std::path::{Path, PathBuf};
use std::ptr::null;

use super::*;

/// Runs `body` in a child with its own mounts and an empty folder; `test` is the name of the test that asks. Says `skipped:` where
/// that is not allowed.
pub fn with_own_mounts(test: &str, body: impl FnOnce(&Scratch, &Path)) {
    if let Some(folder) = child_argument() {
        let folder = PathBuf::from(folder);
        enter_own_namespace().unwrap();
        // What children share, on another file system than the one that is tested.
        return body(&Scratch::new("shared"), &folder);
    }
    let _alone = alone();
    if wait(fork(|| i32::from(enter_own_namespace().is_err()))) != 0 {
        skip("no mount namespace can be made here (that needs root)");
        return;
    }
    let scratch = Scratch::new("mounts");
    let folder = scratch.path("mount");
    std::fs::create_dir(&folder).unwrap();
    Worker::spawn(test, folder.to_str().unwrap()).finish();
}

/// From here on this thread, and what it starts, has mounts of its own.
fn enter_own_namespace() -> io::Result<()> {
    // SAFETY: no pointers.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
        return Err(io::Error::last_os_error());
    }
    mount(
        "none",
        Path::new("/"),
        "none",
        libc::MS_REC | libc::MS_PRIVATE,
        "",
    )
}

/// mount(2).
pub fn mount(source: &str, target: &Path, kind: &str, flags: libc::c_ulong, options: &str) -> io::Result<()> {
    let text = |text: &str| CString::new(text).unwrap();
    let target = text(target.to_str().unwrap());
    let (source, kind, options) = (text(source), text(kind), text(options));
    let data = if options.is_empty() {
        null()
    } else {
        options.as_ptr().cast()
    };
    // SAFETY: C strings that live during the call.
    match unsafe { libc::mount(source.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, data) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Mounts a tmpfs of this size.
pub fn tmpfs(target: &Path, size: u64) {
    mount("none", target, "tmpfs", 0, &format!("size={size}")).unwrap();
}

/// A file that takes storage away.
pub struct Filler(std::fs::File, u64);

impl Filler {
    pub fn new(folder: &Path) -> Filler {
        Filler(std::fs::File::create(folder.join("filler")).unwrap(), 0)
    }

    /// Takes that much more; `false` if there is not so much.
    pub fn take(&mut self, length: u64) -> bool {
        use std::os::fd::AsRawFd;
        // SAFETY: plain numbers. On failure nothing stays allocated.
        let done = unsafe { libc::fallocate(self.0.as_raw_fd(), 0, self.1 as i64, length as i64) } == 0;
        self.1 += if done { length } else { 0 };
        done
    }

    /// Takes all there is.
    pub fn take_all(&mut self) {
        let mut step = 16 << 20;
        while step >= 4096 {
            if !self.take(step) {
                step /= 2;
            }
        }
    }
}
