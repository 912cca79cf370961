//! A guard for readers: a file that is truncated while it is mapped is an error, and no end of the process.
//!
//! Who may write a segment can truncate it, against all rules (SPEC.md A-4). The kernel then ends whoever touches the part that is
//! gone by SIGBUS, also readers, which otherwise need trust nobody. A program that wants to survive that calls [`install_guard`] at
//! its start; the library never does so by itself, as signal handlers belong to the program. The `shmetrics` binary does.
//!
//! What happens then: the handler looks whether the address is in a mapping of a [`Reader`](crate::Reader), of
//! [`verify`](crate::verify::verify) or of a [`Dump`](crate::dump::Dump). If so it puts zeros in the place of the pages that are gone
//! and lets the read go on. What was being read ends with an error that says so ([`ReadError::Truncated`](crate::ReadError) or
//! [`ReadError::Lost`](crate::ReadError)), as does all that is read through the same reader from then on. Any other SIGBUS goes where
//! it went before.
//!
//! Writers are not guarded: what they counted would be lost without a word.
#![allow(unsafe_code)]

use core::ffi::{c_int, c_void};
use std::io;
use std::sync::{Mutex, PoisonError};

use crate::map;
use crate::sync::{Acquire, AtomicPtr, Release};

/// How many mappings the guard covers at one time in a process: one for each open [`Reader`](crate::Reader) and
/// [`Dump`](crate::dump::Dump), and one while [`verify`](crate::verify::verify) runs. Who opens more can use them all; those beyond are
/// not guarded, and one that is truncated ends the process. A place is free again when its owner is dropped.
///
/// ```
/// // A program that reads whatever segments there are opens no more of them.
/// let found = ["one", "two"];
/// let read = found.iter().take(shmetrics::sigbus::MOST_GUARDED);
/// assert_eq!(read.count(), 2);
/// ```
pub const MOST_GUARDED: usize = map::MOST_GUARDED;

/// What was done about SIGBUS before. Leaked: a handler may be about to look at it at any time.
static PREVIOUS: AtomicPtr<libc::sigaction> = AtomicPtr::new(core::ptr::null_mut());

/// Installs the guard for this process, once: later calls do nothing. It stays, also in forked children.
///
/// It chains: a SIGBUS that is not about a reader's mapping does what it would have done without the guard, be that the program's
/// handler or death. A handler that is installed later must do the same for the guard to work. Up to [`MOST_GUARDED`] readers at a
/// time are guarded, whether opened before or after.
///
/// # Errors
///
/// The system refuses to install a signal handler; then nothing has changed.
///
/// # Cost
///
/// Two system calls. Nothing later, until a page is gone.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::env::temp_dir().join(format!("shmetrics-sigbus-{}", std::process::id()));
/// # shmetrics::Segment::options().create_at(&path)?;
/// shmetrics::sigbus::install_guard()?;
/// let mut reader = shmetrics::Reader::open_path(&path)?;
/// std::fs::File::options().write(true).open(&path)?.set_len(4096)?;   // nobody may do that
/// let error = reader.snapshot().unwrap_err();                         // and without the guard, this is the end
/// assert!(matches!(error, shmetrics::ReadError::Truncated { found: 4096, .. }));
/// # std::fs::remove_file(&path)?;
/// # Ok(())
/// # }
/// ```
pub fn install_guard() -> io::Result<()> {
    // A second time the previous handler could be one that hands on to this one, and they would call each other for ever.
    static IS_INSTALLED: Mutex<bool> = Mutex::new(false);
    let mut is_installed = IS_INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if *is_installed {
        return Ok(());
    }
    let previous = exchange(None)?;
    // Before the handler is there, and once more if another thread changed it meanwhile.
    PREVIOUS.store(Box::into_raw(Box::new(previous)), Release);
    let mut action = previous;
    let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_sigbus;
    action.sa_sigaction = handler as usize;
    // On the alternate stack, where there is one: the handler before may be the one of Rust's runtime, which needs it.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | previous.sa_flags & libc::SA_RESTART;
    let replaced = exchange(Some(&action))?;
    PREVIOUS.store(Box::into_raw(Box::new(replaced)), Release);
    *is_installed = true;
    Ok(())
}

/// Installs what to do about SIGBUS, if something is given. What was done about it before.
fn exchange(action: Option<&libc::sigaction>) -> io::Result<libc::sigaction> {
    // SAFETY: `sigaction` is plain data for which zeros are valid.
    let mut before: libc::sigaction = unsafe { core::mem::zeroed() };
    let action = action.map_or(core::ptr::null(), core::ptr::from_ref);
    // SAFETY: `action` is null or valid, `before` is valid; the handler that `action` names is async-signal-safe (see `on_sigbus`).
    match unsafe { libc::sigaction(libc::SIGBUS, action, &raw mut before) } {
        0 => Ok(before),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Async-signal-safe: atomics, sysconf(3), and mmap(2), which POSIX does not list but Linux has as a bare system call; no heap, no
/// lock. `errno` is kept.
extern "C" fn on_sigbus(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the thread's own `errno`, at an address that holds as long as the thread.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let before = unsafe { *errno };
    // SAFETY: sigaction(2): with SA_SIGINFO the second argument is a pointer to a siginfo_t; BUS_ADRERR comes from the kernel and has
    // an address.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr() as usize) };
    // sigaction(2), BUS_ADRERR: "Nonexistent physical address", which is what a page beyond the end of its file is.
    if code == libc::BUS_ADRERR && map::blank(address) {
        // SAFETY: as above.
        unsafe { *errno = before };
        return;
    }
    // SAFETY: the arguments are those that this handler was called with.
    unsafe { hand_on(signal, info, context) };
    // SAFETY: as above.
    unsafe { *errno = before };
}

/// Does what would have been done without the guard.
///
/// # Safety
///
/// The arguments are those of a handler of SIGBUS that runs at this moment.
unsafe fn hand_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: set before the handler was installed, to memory that is never freed or changed.
    let Some(previous) = (unsafe { PREVIOUS.load(Acquire).as_ref() }) else {
        return;
    };
    // SAFETY: the caller's promise. sigaction(2): codes up to 0 are of signals that a process sent.
    let is_sent = unsafe { (*info).si_code } <= 0;
    let action = previous.sa_sigaction;
    if action == libc::SIG_IGN && is_sent {
        return;
    }
    let is_default = action == libc::SIG_DFL || action == libc::SIG_IGN;
    if is_default || previous.sa_flags & libc::SA_RESETHAND != 0 {
        // From here on the default; signal(7): a fault cannot be ignored. The instruction that faulted is tried again when the
        // handler returns, and is the last.
        // SAFETY: plain data for which zeros are valid.
        let mut default: libc::sigaction = unsafe { core::mem::zeroed() };
        default.sa_sigaction = libc::SIG_DFL;
        let _ = exchange(Some(&default));
    }
    if is_default {
        if is_sent {
            // SAFETY: no pointers. It is delivered when the handler returns: until then the signal is blocked.
            unsafe { libc::raise(signal) };
        }
    } else if previous.sa_flags & libc::SA_SIGINFO != 0 {
        // SAFETY: with SA_SIGINFO `sa_sigaction` is the address of a function of this type; addresses and function pointers have
        // the same size.
        let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) =
            unsafe { core::mem::transmute(action) };
        handler(signal, info, context);
    } else {
        // SAFETY: without SA_SIGINFO it is the address of a function of this type.
        let handler: extern "C" fn(c_int) = unsafe { core::mem::transmute(action) };
        handler(signal);
    }
}
