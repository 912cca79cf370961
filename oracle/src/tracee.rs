//! A child under ptrace: runs until it says that it is ready, then goes on one instruction at a time.
#![allow(unsafe_code)]

use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::scene::HISTORY;

/// Environment variable: what a child is to do, `operation:path`.
pub const TASK: &str = "SHMETRICS_ORACLE_TASK";

/// Called by the child: asks to be traced by its parent.
pub fn be_traced() {
    // SAFETY: PTRACE_TRACEME has no further arguments and changes this process only.
    let traced = unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) };
    assert_eq!(traced, 0, "{}", io::Error::last_os_error());
}

/// Called by the child, before and after what is stepped through: stops.
pub fn mark() {
    // SAFETY: sends this thread a signal.
    unsafe { libc::raise(libc::SIGSTOP) };
}

/// Where a step led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// One instruction was carried out.
    One,
    /// The child came to its second mark: the operation is over.
    Done,
}

/// A traced child. Killed when it is dropped.
#[derive(Debug)]
pub struct Tracee {
    child: Child,
    /// The thread that is stepped: the main one, or the one it has started.
    thread: libc::pid_t,
}

impl Tracee {
    /// Starts the child and lets it come to its first mark. `history`: the seed of what it does before, if anything.
    pub fn start(operation: &str, path: &Path, history: Option<u64>) -> io::Result<Tracee> {
        let mut command = Command::new(std::env::current_exe()?);
        command.env(TASK, format!("{operation}:{}", path.display()));
        command.env_remove(HISTORY);
        if let Some(seed) = history {
            command.env(HISTORY, seed.to_string());
        }
        let child = command.stdin(Stdio::null()).spawn()?;
        let thread = child.id() as libc::pid_t;
        let tracee = Tracee { child, thread };
        // With TRACEME, signals on the way there stop it, too.
        loop {
            let status = tracee.wait()?;
            if libc::WIFSTOPPED(status) && libc::WSTOPSIG(status) == libc::SIGSTOP {
                break;
            }
            if !libc::WIFSTOPPED(status) {
                return Err(io::Error::other(format!(
                    "the child of {operation} ended before it was ready: {status:#x}"
                )));
            }
            let signal = libc::WSTOPSIG(status);
            // After execve a traced child gets a SIGTRAP that means nothing here.
            tracee.request(
                libc::PTRACE_CONT,
                if signal == libc::SIGTRAP { 0 } else { signal },
            )?;
        }
        // SAFETY: options of a child that is stopped; the data argument is a bit set.
        let set = unsafe {
            libc::ptrace(
                libc::PTRACE_SETOPTIONS,
                thread,
                0,
                libc::PTRACE_O_TRACECLONE | libc::PTRACE_O_EXITKILL,
            )
        };
        if set != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(tracee)
    }

    fn request(&self, request: libc::c_uint, signal: i32) -> io::Result<()> {
        // SAFETY: the thread is a stopped child of this process; the address argument is ignored, the data is a signal's number.
        match unsafe { libc::ptrace(request, self.thread, 0, signal) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    fn wait(&self) -> io::Result<i32> {
        let mut status = 0;
        loop {
            // SAFETY: `status` is valid for writing; the thread is a child of this process.
            let waited = unsafe { libc::waitpid(self.thread, &raw mut status, libc::__WALL) };
            if waited == self.thread {
                return Ok(status);
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }

    /// Carries out one instruction. When the child starts a thread, that one is stepped until it ends, while the child waits for it.
    pub fn step(&mut self) -> io::Result<Step> {
        let main = self.child.id() as libc::pid_t;
        let mut signal = 0;
        loop {
            self.request(libc::PTRACE_SINGLESTEP, signal)?;
            let status = self.wait()?;
            if !libc::WIFSTOPPED(status) {
                if self.thread == main {
                    return Err(io::Error::other(format!(
                        "the child ended in the middle: {status:#x}"
                    )));
                }
                // The thread is gone; back to the one that waits for it, which stops at its mark.
                self.thread = main;
                return match self.wait()? {
                    status if libc::WIFSTOPPED(status) && libc::WSTOPSIG(status) == libc::SIGSTOP => {
                        Ok(Step::Done)
                    }
                    status => Err(io::Error::other(format!(
                        "the child did not come to its mark: {status:#x}"
                    ))),
                };
            }
            match (libc::WSTOPSIG(status), status >> 16) {
                (libc::SIGTRAP, libc::PTRACE_EVENT_CLONE) => {
                    self.follow_new_thread()?;
                    return Ok(Step::One);
                }
                (libc::SIGTRAP, _) => return Ok(Step::One),
                (libc::SIGSTOP, _) => return Ok(Step::Done),
                (other, _) => signal = other,
            }
        }
    }

    fn follow_new_thread(&mut self) -> io::Result<()> {
        let mut thread: libc::c_ulong = 0;
        // SAFETY: the child is stopped at a clone event, whose message is the new thread's id, written to `thread`.
        let got = unsafe { libc::ptrace(libc::PTRACE_GETEVENTMSG, self.thread, 0, &raw mut thread) };
        if got != 0 {
            return Err(io::Error::last_os_error());
        }
        // The starter runs on, to wait for the thread.
        let starter = self.thread;
        self.thread = thread as libc::pid_t;
        // A new thread begins with a stop of its own.
        self.wait()?;
        // SAFETY: the starter is stopped; it goes on without a signal.
        match unsafe { libc::ptrace(libc::PTRACE_CONT, starter, 0, 0) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Lets the child run to its second mark.
    pub fn finish(&mut self) -> io::Result<()> {
        let mut signal = 0;
        loop {
            self.request(libc::PTRACE_CONT, signal)?;
            let status = self.wait()?;
            if !libc::WIFSTOPPED(status) {
                return Err(io::Error::other(format!(
                    "the child ended before its mark: {status:#x}"
                )));
            }
            match libc::WSTOPSIG(status) {
                libc::SIGSTOP => return Ok(()),
                libc::SIGTRAP => signal = 0,
                other => signal = other,
            }
        }
    }

    /// Ends the child as a crash would.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Tracee {
    fn drop(&mut self) {
        self.end();
    }
}

/// The next data, or the next hole, of a file; `None` beyond the last.
pub fn seek(file: &std::fs::File, from: u64, whence: i32) -> io::Result<Option<u64>> {
    use std::os::fd::AsRawFd;
    // SAFETY: an open descriptor and plain numbers.
    let found = unsafe { libc::lseek(file.as_raw_fd(), from as libc::off_t, whence) };
    if found >= 0 {
        return Ok(Some(found as u64));
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(libc::ENXIO) {
        Ok(None)
    } else {
        Err(error)
    }
}

/// Allocates the first bytes of a file.
pub fn allocate(file: &std::fs::File, length: u64) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    // SAFETY: an open descriptor and plain numbers.
    match unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, length as libc::off_t) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
