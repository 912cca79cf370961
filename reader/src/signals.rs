//! Stopping cleanly on SIGINT, SIGTERM and SIGHUP.
//!
//! The signals are blocked in all threads but taken by one that waits for them, so no code ever runs inside a handler. Programs that
//! are started meanwhile do not inherit the mask: `std::process::Command` empties it.
#![allow(unsafe_code)]

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::exit::{Failure, THREADS, io_failure};

/// Tells whether it is time to stop.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    state: Arc<(Mutex<bool>, Condvar)>,
}

impl Stop {
    /// Starts to listen; call it before any other thread is started. With a `grace` the process ends, with exit code 0, that long
    /// after the signal even if it is stuck, for example in a pipe that nobody empties.
    pub(crate) fn install(grace: Option<Duration>) -> Result<Stop, Failure> {
        let stop = Stop {
            state: Arc::default(),
        };
        let signals = block();
        let listener = stop.clone();
        let thread = std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                wait(&signals);
                *listener.state.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
                listener.state.1.notify_all();
                if let Some(grace) = grace {
                    std::thread::sleep(grace);
                    std::process::exit(0);
                }
            });
        thread.map_err(|error| io_failure("start a thread", &error, THREADS))?;
        Ok(stop)
    }

    /// Waits until `deadline`. Returns whether it is time to stop.
    pub(crate) fn wait_until(&self, deadline: Instant) -> bool {
        let mut stopped = self.state.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if *stopped || left.is_zero() {
                return *stopped;
            }
            let woken = self.state.1.wait_timeout(stopped, left);
            stopped = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// As [`wait_until`](Self::wait_until), for a while.
    pub(crate) fn wait(&self, time: Duration) -> bool {
        self.wait_until(Instant::now() + time)
    }
}

/// Blocks the signals in this thread and all that it starts.
fn block() -> libc::sigset_t {
    // SAFETY: the set is plain data, initialised by sigemptyset before anything reads it; the mask concerns this thread only.
    unsafe {
        let mut set: libc::sigset_t = core::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            libc::sigaddset(&raw mut set, signal);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, core::ptr::null_mut());
        set
    }
}

/// Waits until one of the signals comes.
fn wait(signals: &libc::sigset_t) {
    let mut signal = 0;
    // SAFETY: both point to live values of the right type.
    while unsafe { libc::sigwait(signals, &raw mut signal) } != 0 {}
}
