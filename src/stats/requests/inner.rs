//! What a session and its thread share: its part in the run, its reader, who else is in a session.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use super::builder::{Builder, Persistence, Settings, Sink};
use super::gathered::Found;
use super::lock::{LAST_PATIENCE, Lock};
use super::series::Series;
use super::{RequestsError, View, document, persist};
use crate::segment::Segment;
use crate::snapshot::{Clocks, Reader};
use crate::sync::{AtomicBool, AtomicU64, Relaxed};

/// How long one waits for what another thread of this process does in milliseconds; in a forked child it may never end.
const PATIENCE: Duration = Duration::from_secs(2);

/// A session: the ids of its process and its segment, prefix and instance.
type Entered = (u32, u64, String, String);

/// The sessions of this process.
static ENTERED: Mutex<Vec<Entered>> = Mutex::new(Vec::new());

/// What the session and its thread share.
pub(super) struct Inner {
    pub(super) segment: Segment,
    pub(super) settings: Settings,
    pub(super) series: Series,
    /// Opened on entering: the segment may lose its name meanwhile.
    reader: Mutex<Option<Reader>>,
    /// The number of the run.
    run: AtomicU64,
    /// So much later than they are its signs of life are stored.
    ahead_ns: AtomicU64,
    /// Both clocks when it was entered.
    clocks: Clocks,
    pub(super) sink: Mutex<Option<Sink>>,
    pub(super) persist_asked: Arc<AtomicBool>,
    pub(super) stop: Mutex<bool>,
    pub(super) wake: Condvar,
    pid: u32,
    /// Until it is left.
    part: Mutex<Option<Part>>,
}

/// As [`Mutex::lock`], but not for ever.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    let begun = Instant::now();
    loop {
        match mutex.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(error)) => return Some(error.into_inner()),
            Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(TryLockError::WouldBlock) => return None,
        }
    }
}

impl Inner {
    /// Takes part, or has not.
    pub(super) fn enter(builder: Builder<'_>) -> Result<Inner, RequestsError> {
        let (segment, settings) = (builder.segment.clone(), builder.settings);
        if settings.persistence != Persistence::Off && settings.store.is_none() {
            return Err(RequestsError::NoStore);
        }
        let mut extra = settings.extra.iter();
        if let Some(name) = extra.find(|name| document::MEMBERS.contains(&&***name)) {
            return Err(RequestsError::ExtraName { name: name.clone() });
        }
        let reader = segment.path().map(Reader::open_path).transpose()?;
        let id = reader
            .as_ref()
            .map_or(0, |reader| reader.facts().origin.segment_id);
        let pid = std::process::id();
        let part = Part::take(pid, id, &settings)?;
        let series = Series::register(&segment, &settings)?;
        let inner = Inner {
            part: Mutex::new(Some(part)),
            series,
            reader: Mutex::new(reader),
            run: AtomicU64::new(0),
            ahead_ns: AtomicU64::new(0),
            clocks: Clocks::read(),
            sink: Mutex::new(builder.sink),
            persist_asked: Arc::default(),
            stop: Mutex::new(false),
            wake: Condvar::new(),
            pid,
            segment,
            settings,
        };
        inner.begin().inspect_err(|_| inner.end())?;
        Ok(inner)
    }

    /// Is it this process that entered, and not a child of it?
    pub(super) fn is_own(&self) -> bool {
        self.pid == std::process::id()
    }

    /// The wall clock, moved on by the monotonic one.
    fn now_ns(&self) -> u64 {
        let since = crate::segment::monotonic_ns().saturating_sub(self.clocks.monotonic_ns);
        self.clocks.wall_ns.saturating_add(since)
    }

    /// Restores the past, and begins a run or takes part in it.
    fn begin(&self) -> Result<(), RequestsError> {
        let Some(path) = self.segment.path() else {
            return Ok(());
        };
        let lock = Lock::take(path);
        let key = self.settings.key();
        if self.settings.persistence != Persistence::Off
            && let Some(place) = self.settings.place(&key)
        {
            persist::restore_locked(&self.segment, path, &self.settings, place, lock.as_ref())?;
        }
        let found = self.found()?;
        let (told, now_ns) = (found.told, self.now_ns());
        let run = match told.is_running {
            true => told.run,
            false => {
                let run = told.next(now_ns, found.latest_ns);
                let in_force = || self.found().map(|found| found.told.run);
                run.store_whole(|run| self.series.run.begin(run), in_force)?
            }
        };
        self.run.store(run.number as u64, Relaxed);
        let behind_ns = found.latest_ns.saturating_sub(now_ns);
        self.ahead_ns.store(behind_ns.max(run.ahead_ns), Relaxed);
        self.mark();
        // Only now: a reader that sees the session sees its run.
        self.series.sessions.set(run.number);
        drop(lock);
        Ok(())
    }

    /// A sign of life.
    pub(super) fn mark(&self) {
        let ahead_ns = self.ahead_ns.load(Relaxed);
        self.series.run.mark(
            self.run.load(Relaxed) as i64,
            self.now_ns().saturating_add(ahead_ns),
        );
    }

    /// Is no longer in the run.
    pub(super) fn end(&self) {
        if self.run.load(Relaxed) != 0 {
            self.mark();
            self.series.sessions.set(0);
        }
        if let Some(mut part) = lock(&self.part) {
            *part = None;
        }
    }

    /// What the segment says of the instance now.
    pub(super) fn found(&self) -> Result<Found, RequestsError> {
        let mut reader = lock(&self.reader).ok_or_else(|| RequestsError::Busy {
            what: "the reader of this session".to_owned(),
        })?;
        let Some(reader) = reader.as_mut() else {
            return Ok(Found::default());
        };
        reader.refresh_owners()?;
        let snapshot = reader.snapshot()?;
        let view = View::with_prefix(&snapshot, &self.settings.prefix);
        Ok(view.found(&self.settings.instance).unwrap_or_default())
    }

    /// Is it this session that logs? By its slot: process ids are of a namespace, and who has opened the segment twice has two slots.
    pub(super) fn is_first(&self) -> Result<bool, RequestsError> {
        if self.settings.log_from == super::LogFrom::Each {
            return Ok(true);
        }
        // Who has none is seen by nobody, and logs for itself.
        let Some(own) = self.segment.slot() else {
            return Ok(true);
        };
        Ok(self.found()?.entered.first() == Some(&own))
    }

    /// Saves, if there is a place. Who cannot have the lock does not: it would replace what is newer. On leaving there is no other chance, so
    /// it waits longer.
    pub(super) fn save(&self) -> Result<(), RequestsError> {
        let key = self.settings.key();
        let place = match self.settings.persistence {
            Persistence::Off => None,
            _ => self.settings.place(&key),
        };
        let (Some(place), Some(path)) = (place, self.segment.path()) else {
            return Ok(());
        };
        let is_leaving = lock(&self.stop).is_some_and(|stop| *stop);
        let lock = match is_leaving {
            true => Lock::wait(path, LAST_PATIENCE),
            false => Lock::take(path),
        };
        let lock = lock.ok_or_else(|| persist::busy(path, &self.settings.instance))?;
        // Under the lock: of two who save, the later one has the newer figures.
        place.set(self.found()?)?;
        drop(lock);
        Ok(())
    }
}

/// A session of this process, from entering on until it is dropped, however that comes.
struct Part(Entered);

impl Part {
    /// On a segment that does nothing (id 0) there can be any number.
    fn take(pid: u32, id: u64, settings: &Settings) -> Result<Part, RequestsError> {
        let mut entered = lock(&ENTERED).ok_or_else(|| RequestsError::Busy {
            what: "the sessions of this process".to_owned(),
        })?;
        // Those of the parent are not this process'.
        entered.retain(|(of, ..)| *of == pid);
        let own = (pid, id, settings.prefix.clone(), settings.instance.clone());
        if id != 0 && entered.contains(&own) {
            return Err(RequestsError::AlreadyEntered {
                instance: settings.instance.clone(),
            });
        }
        entered.push(own.clone());
        Ok(Part(own))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // In a child it is its parent's, and the lock may be taken for ever.
        if self.0.0 == std::process::id()
            && let Some(mut entered) = lock(&ENTERED)
        {
            entered.retain(|entered| *entered != self.0);
        }
    }
}
