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

/// The sessions of this process: its id, the segment's, prefix and instance.
static ENTERED: Mutex<Vec<(u32, u64, String, String)>> = Mutex::new(Vec::new());

/// What the session and its thread share.
pub(super) struct Inner {
    pub(super) segment: Segment,
    pub(super) settings: Settings,
    pub(super) series: Series,
    /// Opened on entering: the segment may lose its name meanwhile.
    reader: Mutex<Option<Reader>>,
    /// The number of the run.
    run: AtomicU64,
    /// Both clocks when it was entered.
    clocks: Clocks,
    pub(super) sink: Mutex<Option<Sink>>,
    pub(super) persist_asked: Arc<AtomicBool>,
    pub(super) stop: Mutex<bool>,
    pub(super) wake: Condvar,
    pid: u32,
    /// Of the segment.
    id: u64,
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
        take_part(pid, id, &settings)?;
        let series = Series::register(&segment, &settings).inspect_err(|_| leave_part(pid, id, &settings))?;
        let inner = Inner {
            series,
            reader: Mutex::new(reader),
            run: AtomicU64::new(0),
            clocks: Clocks::read(),
            sink: Mutex::new(builder.sink),
            persist_asked: Arc::default(),
            stop: Mutex::new(false),
            wake: Condvar::new(),
            pid,
            id,
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
        let told = self.found()?.told;
        let run = match told.is_running {
            true => told.run,
            false => {
                let run = told.next(self.now_ns());
                self.series.run.begin(&run);
                run
            }
        };
        self.run.store(run.number as u64, Relaxed);
        self.series.run.mark(run.number, self.now_ns());
        // Only now: a reader that sees the session sees its run.
        self.series.sessions.set(run.number);
        drop(lock);
        Ok(())
    }

    /// A sign of life.
    pub(super) fn mark(&self) {
        self.series.run.mark(self.run.load(Relaxed) as i64, self.now_ns());
    }

    /// Is no longer in the run.
    pub(super) fn end(&self) {
        if self.run.load(Relaxed) != 0 {
            self.mark();
            self.series.sessions.set(0);
        }
        leave_part(self.pid, self.id, &self.settings);
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

    /// Is it this process that logs?
    pub(super) fn is_first(&self) -> Result<bool, RequestsError> {
        if self.settings.log_from == super::LogFrom::Each {
            return Ok(true);
        }
        let first = self.found()?.entered.first().copied();
        let mut reader = lock(&self.reader);
        let snapshot = reader
            .as_mut()
            .and_then(|reader| reader.as_mut())
            .map(Reader::snapshot);
        let processes = snapshot.transpose()?.map(|snapshot| snapshot.processes);
        let mut processes = processes.unwrap_or_default().into_iter();
        let own = processes.find(|process| process.alive && process.pid == u64::from(self.pid));
        Ok(own.is_none_or(|own| Some(own.slot) == first))
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

/// Is in a session from now on. On a segment that does nothing (id 0) there can be any number.
fn take_part(pid: u32, id: u64, settings: &Settings) -> Result<(), RequestsError> {
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
    entered.push(own);
    Ok(())
}

/// Is no longer in it.
fn leave_part(pid: u32, id: u64, settings: &Settings) {
    if let Some(mut entered) = lock(&ENTERED) {
        entered.retain(|(of, segment, prefix, instance)| {
            (*of, *segment, prefix, instance) != (pid, id, &settings.prefix, &settings.instance)
        });
    }
}
