//! Who lives: one lock byte per process slot, as open-file-description locks.
//!
//! The byte of slot s is at `LOCK_BASE_OFFSET + s`, beyond all content. Its owner holds a write lock through a description of its own,
//! kept alive by a [`crate::map::LockPage`] after the descriptor is closed. The kernel frees it when the process is gone, whatever
//! ended it, and not before its last instruction. Anybody who may read the file can ask (`F_OFD_GETLK`, read type). Seen on
//! tmpfs and ext4: held under SIGSTOP, freed by SIGKILL and exec, visible in other pid namespaces.
//!
//! rustix has no open-file-description locks, hence libc.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::layout::directory::LOCK_BASE_OFFSET;

fn lock_of(slot: u64, kind: libc::c_int) -> libc::flock {
    // SAFETY: `flock` is plain data for which zeros are valid; F_OFD_* demand l_pid = 0.
    let mut lock: libc::flock = unsafe { core::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_start = (LOCK_BASE_OFFSET + slot) as libc::off_t;
    lock.l_len = 1;
    lock
}

fn call(file: BorrowedFd<'_>, command: libc::c_int, lock: &mut libc::flock) -> io::Result<()> {
    loop {
        // SAFETY: `file` is an open descriptor for the duration of the call and `lock` a valid `flock` that the kernel reads and,
        // for F_OFD_GETLK, writes.
        if unsafe { libc::fcntl(file.as_raw_fd(), command, core::ptr::from_mut(lock)) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Takes the lock of a slot; `Ok(false)` if somebody has it. Never waits. The file must be open for writing.
pub(crate) fn try_lock(file: BorrowedFd<'_>, slot: u64) -> io::Result<bool> {
    match call(file, libc::F_OFD_SETLK, &mut lock_of(slot, libc::F_WRLCK)) {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Gives the lock of a slot back, for everybody who has this description.
pub(crate) fn unlock(file: BorrowedFd<'_>, slot: u64) -> io::Result<()> {
    call(file, libc::F_OFD_SETLK, &mut lock_of(slot, libc::F_UNLCK))
}

/// Is the slot's owner alive? Asks the kernel; the file may be open read-only. About half a microsecond.
pub(crate) fn slot_is_locked(file: BorrowedFd<'_>, slot: u64) -> io::Result<bool> {
    let mut lock = lock_of(slot, libc::F_RDLCK);
    call(file, libc::F_OFD_GETLK, &mut lock)?;
    Ok(lock.l_type == libc::F_WRLCK as libc::c_short)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::LockPage;
    use std::fs::File;
    use std::os::fd::AsFd;

    #[test]
    fn a_lock_outlives_its_descriptor_and_ends_with_its_page() {
        let path = std::env::temp_dir().join(format!("shmetrics-lock-{}", std::process::id()));
        let open = || {
            File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
                .unwrap()
        };
        let probe = open();
        let holder = open();
        holder.set_len(4096).unwrap();
        assert!(!slot_is_locked(probe.as_fd(), 3).unwrap());
        assert!(try_lock(holder.as_fd(), 3).unwrap());
        assert!(!try_lock(probe.as_fd(), 3).unwrap());
        let page = LockPage::new(&holder).unwrap();
        drop(holder);
        assert!(slot_is_locked(probe.as_fd(), 3).unwrap());
        assert!(!slot_is_locked(probe.as_fd(), 4).unwrap());
        drop(page);
        assert!(!slot_is_locked(probe.as_fd(), 3).unwrap());
        std::fs::remove_file(&path).unwrap();
    }
}
