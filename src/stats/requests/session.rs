//! Entering and leaving, and what is told in between.

use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;

use super::builder::{Builder, Persistence};
use super::gathered::Found;
use super::inner::Inner;
use super::series::Series;
use super::{Figures, RequestsError, Summary, periodic, persist};
use crate::reset::Done;
use crate::segment::Segment;
use crate::sync::{AtomicBool, Relaxed};

/// A session: from [`Builder::enter`] until [`leave`](Self::leave) or drop this process is in it, and what it does is recorded through it. So
/// nothing can be recorded outside of one.
///
/// `Send + Sync`; share it by reference or in an `Arc`. Recording takes no lock and never fails. A session has a thread, which logs, saves
/// and gives signs of life, each 250 ms.
///
/// A forked child may record through the session of its parent, and what it does is counted; but it is not in the session, and dropping it
/// there does nothing. A worker that is to keep the run going, to log or to save enters for itself: the thread does not come
/// along.
pub struct Requests {
    inner: Arc<Inner>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Requests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Requests")
            .field("instance", &self.inner.settings.instance)
            .finish_non_exhaustive()
    }
}

impl Requests {
    /// A session of this segment, to be entered.
    pub fn builder(segment: &Segment) -> Builder<'_> {
        Builder::new(segment)
    }

    pub(super) fn enter(builder: Builder<'_>) -> Result<Requests, RequestsError> {
        let inner = Arc::new(Inner::enter(builder)?);
        let thread = periodic::spawn(&inner).inspect_err(|_| inner.end());
        Ok(Requests {
            thread: Some(thread.map_err(|source| RequestsError::Thread { source })?),
            inner,
        })
    }

    #[inline(always)]
    pub(super) fn series(&self) -> &Series {
        &self.inner.series
    }

    /// The statistics of all processes, with the restored past. Cost: a snapshot.
    ///
    /// # Errors
    ///
    /// The segment cannot be read any more.
    pub fn figures(&self) -> Result<Figures, RequestsError> {
        self.inner.found().map(Found::figures)
    }

    /// Their derived values.
    ///
    /// # Errors
    ///
    /// As [`figures`](Self::figures).
    pub fn calculate(&self) -> Result<Summary, RequestsError> {
        self.figures().map(|figures| figures.calculate())
    }

    /// The state as JSON, camelCase; what it is saved as.
    ///
    /// # Errors
    ///
    /// As [`figures`](Self::figures).
    pub fn json(&self) -> Result<String, RequestsError> {
        self.figures().map(|figures| figures.json())
    }

    /// Saves now: what the original did when its persist event came. Without persistence it does nothing.
    ///
    /// # Errors
    ///
    /// The segment cannot be read, or the store fails.
    pub fn persist(&self) -> Result<(), RequestsError> {
        self.inner.save()
    }

    /// Set it to `true`, and the session's thread saves within 250 ms, and sets it back. Setting it is all that a signal handler needs to
    /// do: this library installs none. For SIGTERM, whose default is to end the process, let the handler set it together with what ends the
    /// program's loop; then [`leave`](Self::leave) saves.
    pub fn persist_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.inner.persist_asked)
    }

    /// Resets this instance, as [`reset`](super::reset) says: also its record, if it has one.
    ///
    /// # Errors
    ///
    /// As there. On a segment that does nothing, nothing is reset.
    pub fn reset(&self) -> Result<Done, RequestsError> {
        let settings = &self.inner.settings;
        let Some(path) = self.inner.segment.path() else {
            return Ok(Done { series: 0, resets: 0 });
        };
        let key = settings.key();
        let place = match settings.persistence {
            Persistence::Off => None,
            _ => settings.place(&key),
        };
        persist::reset(path, &settings.prefix, &settings.instance, place)
    }

    /// Leaves the session: stops its thread, saves, with persistence enabled or if the [flag](Self::persist_flag) is set, and logs the final
    /// statistics. Returns the derived values at the end. Dropping it does the same, and keeps an error in the segment's error log.
    ///
    /// # Errors
    ///
    /// The segment cannot be read, or the store fails. It was left all the same.
    pub fn leave(mut self) -> Result<Summary, RequestsError> {
        self.leave_now()
    }

    fn leave_now(&mut self) -> Result<Summary, RequestsError> {
        let inner = &self.inner;
        let Some(thread) = self.thread.take() else {
            return Ok(Summary::default());
        };
        if !inner.is_own() {
            // In a child, and its parent's: there is no such thread here, and its handle may be by now that of one of the child's own,
            // which dropping it would detach.
            std::mem::forget(thread);
            return Ok(Summary::default());
        }
        *inner.stop.lock().unwrap_or_else(PoisonError::into_inner) = true;
        inner.wake.notify_all();
        let _ = thread.join();
        let is_first = inner.is_first().unwrap_or(true);
        inner.end();
        let figures = inner.found().map(Found::figures);
        // Also what was asked for since the thread last looked. Before it is logged, which is the user's code.
        let is_asked = inner.persist_asked.swap(false, Relaxed);
        let saved = match inner.settings.persistence == Persistence::Enabled || is_asked {
            true => inner.save(),
            false => Ok(()),
        };
        if let Ok(figures) = &figures
            && is_first
        {
            periodic::log_final(inner, figures);
        }
        saved?;
        Ok(figures?.calculate())
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        if self.thread.is_some()
            && let Err(error) = self.leave_now()
        {
            self.inner
                .segment
                .log_error(format_args!("leaving a session: {error}"));
        }
    }
}
