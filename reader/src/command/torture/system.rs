//! What a storm asks of the kernel that no safe interface offers: forks of several sorts, signals to threads, another user.
//!
//! Children of a process with several threads are what is tried here. They do what the library promises to survive (operations, after
//! `fork` also registrations) and then `_exit`; they never return into the code of their parent.
#![allow(unsafe_code)]

use std::io;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use rustix::process::Pid;

/// The signal of the storm.
const SIGNAL: libc::c_int = libc::SIGUSR1;
/// An id without privileges.
const NOBODY: u32 = 65_534;

/// Forks. The child runs `child` and ends with its result.
pub(super) fn fork(child: impl FnOnce() -> i32) -> io::Result<Pid> {
    // SAFETY: the child only runs `child` and ends; see the head of this file for what that does.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        end_with(child);
    }
    Pid::from_raw(pid)
        .filter(|_| pid > 0)
        .ok_or_else(io::Error::last_os_error)
}

/// As [`fork`], by the bare system call: no at-fork handler runs, and no lock of libc is freed. The child must not use the heap.
pub(super) fn raw_clone(child: impl FnOnce() -> i32) -> io::Result<Pid> {
    // SAFETY: as in `fork`; without CLONE_VM the child has its own copy of everything.
    let pid = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) } as libc::pid_t;
    if pid == 0 {
        end_with(child);
    }
    Pid::from_raw(pid)
        .filter(|_| pid > 0)
        .ok_or_else(io::Error::last_os_error)
}

fn end_with(child: impl FnOnce() -> i32) -> ! {
    let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).unwrap_or(101);
    // SAFETY: ends this process at once.
    unsafe { libc::_exit(code) }
}

/// Closes all descriptors but the first three.
pub(super) fn close_all() {
    // SAFETY: to be called in a child that has nothing of its own to lose; nothing there uses a descriptor above 2 any more.
    unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
}

/// All threads of this process become nobody, for good.
pub(super) fn become_nobody() -> io::Result<()> {
    // SAFETY: these change this process only; the list of groups is empty.
    let done = unsafe {
        libc::setgroups(0, core::ptr::null()) == 0 && libc::setgid(NOBODY) == 0 && libc::setuid(NOBODY) == 0
    };
    if done {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The next child of this thread is the first process of a pid namespace.
pub(super) fn new_pid_namespace() -> io::Result<()> {
    // SAFETY: no memory is involved.
    match unsafe { libc::unshare(libc::CLONE_NEWPID) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// What the handler calls: a reference of a caller of [`handling`], by its address.
static WORK: AtomicPtr<&'static (dyn Fn() + Sync)> = AtomicPtr::new(core::ptr::null_mut());
/// Handlers that may be using it.
static INSIDE: AtomicUsize = AtomicUsize::new(0);

/// While `body` runs, the signal of the storm does `work`, in whichever thread it arrives; `work` must not use heap or locks. Not to
/// be nested.
pub(super) fn handling<R>(work: &(dyn Fn() + Sync), body: impl FnOnce() -> R) -> R {
    // SAFETY: only the lifetime changes; the reference is not used when this function has returned, see `Off`.
    let work: &'static (dyn Fn() + Sync) = unsafe { core::mem::transmute(work) };
    WORK.store((&raw const work).cast_mut(), Ordering::SeqCst);
    let _off = Off;
    // SAFETY: the action is initialised (zeros are a valid mask), the handler has the right type and is async-signal-safe as far as
    // `work` is.
    unsafe {
        let mut action: libc::sigaction = core::mem::zeroed();
        action.sa_sigaction = on_signal as extern "C" fn(libc::c_int) as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(SIGNAL, &raw const action, core::ptr::null_mut());
    }
    body()
}

/// Takes the work away and waits for those who may be at it.
struct Off;

impl Drop for Off {
    fn drop(&mut self) {
        WORK.store(core::ptr::null_mut(), Ordering::SeqCst);
        while INSIDE.load(Ordering::SeqCst) != 0 {
            std::thread::yield_now();
        }
    }
}

extern "C" fn on_signal(_: libc::c_int) {
    // SAFETY: errno is this thread's; what was interrupted must find it as it was.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let before = unsafe { *errno };
    INSIDE.fetch_add(1, Ordering::SeqCst);
    // SAFETY: null, or from `handling`, which does not return before this handler has left (sequentially consistent: who finds the
    // pointer has announced itself before it was taken away).
    if let Some(work) = unsafe { WORK.load(Ordering::SeqCst).as_ref() } {
        work();
    }
    INSIDE.fetch_sub(1, Ordering::SeqCst);
    // SAFETY: as above.
    unsafe { *errno = before };
}

/// Number of the calling thread.
pub(super) fn thread_id() -> u64 {
    // SAFETY: no arguments.
    unsafe { libc::gettid() as u64 }
}

/// Sends the signal of the storm to a thread of this process. If it is gone, nothing happens.
pub(super) fn signal_thread(thread: u64) {
    let own = std::process::id() as libc::pid_t;
    // SAFETY: a signal to a thread of this process, which handles it (`handle`).
    unsafe { libc::syscall(libc::SYS_tgkill, own, thread as libc::pid_t, SIGNAL) };
}

/// Blocks or unblocks the signal of the storm in this thread.
pub(super) fn block_signal(blocked: bool) {
    let how = if blocked {
        libc::SIG_BLOCK
    } else {
        libc::SIG_UNBLOCK
    };
    // SAFETY: the set is initialised by sigemptyset; the mask concerns this thread only.
    unsafe {
        let mut set: libc::sigset_t = core::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, SIGNAL);
        libc::pthread_sigmask(how, &raw const set, core::ptr::null_mut());
    }
}
