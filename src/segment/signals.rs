//! Blocking signals for a moment: slow paths that a handler must not see half-way. Both calls are async-signal-safe.
#![allow(unsafe_code)]

/// All signals of this thread are blocked while this lives; then the mask is as before.
#[must_use]
pub(crate) struct Blocked(libc::sigset_t);

impl Blocked {
    /// Blocks all signals of this thread.
    pub(crate) fn all() -> Blocked {
        // SAFETY: both sets are plain data for which zeros are valid; the calls initialise them before they are read.
        unsafe {
            let mut all: libc::sigset_t = core::mem::zeroed();
            let mut before: libc::sigset_t = core::mem::zeroed();
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
            Blocked(before)
        }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: the set was filled by `pthread_sigmask`.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, core::ptr::null_mut()) };
    }
}
