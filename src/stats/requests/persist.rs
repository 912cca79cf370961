//! Saving, restoring and resetting an instance, one at a time (`lock`).
//!
//! A record and a segment are told from each other by ids. Each record has the id of the segment that it was made from, and those of the
//! segments whose counts came into that one (`record`); each set that was restored has them among its names, and the record's own hash
//! (`restored`). So it is known what a segment has of a record:
//!
//! | | restored | replaced by a save |
//! |---|---|---|
//! | made from this segment, or the one that is in force here | no: all of it is here | yes |
//! | was in force here, until a reset after it was saved | no: it was reset | yes |
//! | has the counts of this segment, and others | no: `Diverged` | no: `NotRestored` |
//! | any other, while one is in force here | no: `Diverged` | no: `NotRestored` |
//! | any other | yes | no: `NotRestored` |
//!
//! A record that bears no id, as the original writes it, has nothing of this segment unless it is in force; it is not restored beside
//! another one.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::builder::Settings;
use super::gathered::{Found, label};
use super::lock::Lock;
use super::record::Record;
use super::{Figures, INSTANCE, KeyValueStore, RequestsError, View, default_state_key, names, restored};
use crate::reset::Done;
use crate::segment::Segment;
use crate::snapshot::{Reader, Snapshot};

/// Where a record is.
#[derive(Clone, Copy)]
pub struct Place<'p> {
    store: &'p dyn KeyValueStore,
    kvs_name: &'p str,
    key: &'p str,
}

impl std::fmt::Debug for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place")
            .field("kvs_name", &self.kvs_name)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl<'p> Place<'p> {
    /// Under this key of the store of this name.
    pub fn new(store: &'p dyn KeyValueStore, kvs_name: &'p str, key: &'p str) -> Place<'p> {
        Place { store, kvs_name, key }
    }

    fn failed(&self, operation: &'static str) -> impl FnOnce(std::io::Error) -> RequestsError {
        let (kvs_name, key) = (self.kvs_name.to_owned(), self.key.to_owned());
        move |source| RequestsError::Store {
            operation,
            kvs_name,
            key,
            source,
        }
    }

    fn record(&self) -> Result<Option<Record>, RequestsError> {
        let text = caught(|| self.store.get(self.kvs_name, self.key)).map_err(self.failed("get"))?;
        let parsed = text.map(|text| Record::parse(&text)).transpose();
        parsed.map_err(|reason| RequestsError::Record {
            kvs_name: self.kvs_name.to_owned(),
            key: self.key.to_owned(),
            reason,
        })
    }

    /// Replaces the record by what was found under the lock, unless that lacks what the record has.
    pub(super) fn set(&self, found: Found) -> Result<Figures, RequestsError> {
        if let Some(record) = self.record()?
            && !found.has(&record)
        {
            return Err(RequestsError::NotRestored {
                kvs_name: self.kvs_name.to_owned(),
                key: self.key.to_owned(),
                segment_id: record.segment_id,
            });
        }
        let figures = found.figures();
        let set = caught(|| self.store.set(self.kvs_name, self.key, &figures.json()));
        set.map_err(self.failed("set"))?;
        Ok(figures)
    }

    fn delete(&self) -> Result<(), RequestsError> {
        let deleted = caught(|| self.store.delete(self.kvs_name, self.key));
        deleted.map_err(self.failed("delete"))
    }
}

/// The store is the user's, and may panic.
fn caught<T>(ask: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    catch_unwind(AssertUnwindSafe(ask)).unwrap_or_else(|_| Err(io::Error::other("the store panicked")))
}

/// What came of a restore.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Restored {
    /// The record was restored; the figures are those with it.
    Done(Box<Figures>),
    /// There is no record.
    NoRecord,
    /// The record was made from this segment, which has all that is in it.
    SameSegment,
    /// A record has been restored into this segment already, since its last reset.
    Already,
    /// The record was restored into this segment, and then the instance was reset there: what it has was reset.
    Reset,
}

/// Saves an instance as the segment of `reader` tells it, and returns its figures. It needs no more than to read the segment.
///
/// The snapshot is taken under the lock of the segment: of all who save and reset, the last one's word is the record's. A record that has
/// counts which this segment has not is not replaced: an instance whose session could not be entered saves nothing over its past.
///
/// # Errors
///
/// There is no such instance, the record there is of another segment and was not restored here ([`RequestsError::NotRestored`]) or is none,
/// the segment cannot be read, the store fails, or somebody else restores, saves or resets for seconds. Then nothing was saved.
pub fn save(
    reader: &mut Reader,
    prefix: &str,
    instance: &str,
    place: Place<'_>,
) -> Result<Figures, RequestsError> {
    let lock = Lock::take(reader.path()).ok_or_else(|| busy(reader.path(), instance))?;
    reader.refresh_owners()?;
    let snapshot = reader.snapshot()?;
    let found = View::with_prefix(&snapshot, prefix).found(instance);
    let found = found.ok_or_else(|| RequestsError::NoInstance {
        instance: instance.to_owned(),
    })?;
    let figures = place.set(found)?;
    drop(lock);
    Ok(figures)
}

/// Restores the record of an instance, as a session does on entering: into a segment that it was not made from, once. On a segment that
/// does nothing, nothing is.
///
/// # Errors
///
/// The record cannot be had or read, a capacity of the segment is used up, somebody else restores, saves or resets for seconds, or what was
/// counted here went on in another segment, so that it would count twice ([`RequestsError::Diverged`]). Then nothing was restored.
pub fn restore(
    segment: &Segment,
    prefix: &str,
    instance: &str,
    place: Place<'_>,
) -> Result<Restored, RequestsError> {
    let Some(path) = segment.path() else {
        return Ok(Restored::NoRecord);
    };
    let lock = Lock::take(path);
    let mut settings = super::Builder::new(segment).settings;
    (settings.prefix, settings.instance) = (prefix.to_owned(), instance.to_owned());
    restore_locked(segment, path, &settings, place, lock.as_ref())
}

/// As [`restore`]; the lock is the caller's.
pub(super) fn restore_locked(
    segment: &Segment,
    path: &Path,
    settings: &Settings,
    place: Place<'_>,
    lock: Option<&Lock>,
) -> Result<Restored, RequestsError> {
    let mut reader = Reader::open_path(path)?;
    let segment_id = reader.facts().origin.segment_id;
    let instance = &settings.instance;
    let found = |reader: &mut Reader| -> Result<Found, RequestsError> {
        let snapshot = reader.snapshot()?;
        let found = View::with_prefix(&snapshot, &settings.prefix).found(instance);
        Ok(found.unwrap_or_default())
    };
    let before = found(&mut reader)?;
    let Some(record) = place.record()? else {
        return Ok(match before.past {
            Some(_) => Restored::Already,
            None => Restored::NoRecord,
        });
    };
    match before.meets(&record, segment_id) {
        Meeting::Come(came) => return Ok(came),
        Meeting::Diverged => {
            return Err(RequestsError::Diverged {
                instance: instance.clone(),
                kvs_name: place.kvs_name.to_owned(),
                key: place.key.to_owned(),
                segment_id: record.segment_id,
            });
        }
        Meeting::New => {}
    }
    if lock.is_none() {
        return Err(busy(path, instance));
    }
    restored::store(segment, settings, &record.limited(settings.max_error_groups))?;
    let after = found(&mut reader)?;
    if after.past.is_none() {
        return Err(RequestsError::NotStored {
            instance: instance.clone(),
        });
    }
    Ok(Restored::Done(Box::new(after.figures())))
}

/// What a record is to a segment.
enum Meeting {
    /// It is to be restored.
    New,
    /// Nothing is to be done.
    Come(Restored),
    /// Some of its counts are in the segment, and each has some that the other has not.
    Diverged,
}

impl Found {
    /// What is a record to the segment of this id, in which this was found?
    fn meets(&self, record: &Record, segment_id: u64) -> Meeting {
        let is_own = record.segment_id == segment_id && segment_id != 0;
        let is_after = self.reset_ns > record.persisted_at_ns;
        match &self.past {
            Some(_) if is_own => Meeting::Come(Restored::Already),
            None if is_own => Meeting::Come(Restored::SameSegment),
            // One that the original made says nothing of where it comes from.
            Some(past) if past.contains_key(&record.identity) || record.segment_id == 0 => {
                Meeting::Come(Restored::Already)
            }
            Some(_) => Meeting::Diverged,
            None if is_after && self.stored.contains(&record.identity) => Meeting::Come(Restored::Reset),
            // It has what was counted here; what was reset since is here no more.
            None if record.is_of(segment_id) && !is_after => Meeting::Diverged,
            None => Meeting::New,
        }
    }

    /// Has this segment all that the record has, or had it until a reset?
    fn has(&self, record: &Record) -> bool {
        match self.meets(record, self.segment_id()) {
            Meeting::Come(Restored::Already) if record.segment_id == 0 => {
                let past = self.past.as_ref();
                past.is_some_and(|past| past.contains_key(&record.identity))
            }
            Meeting::Come(_) => true,
            Meeting::New | Meeting::Diverged => false,
        }
    }
}

/// Resets an instance in the segment at `path`: all its figures are zero or null, for all readers at once, and its record is removed, if
/// `place` says where it is. Sessions go on: run time, and when the crawl was started, begin with the reset. A request that is in flight
/// stays so, and is counted when it ends.
///
/// First the record is removed, then the figures are reset, under the lock: so a process that dies in between leaves all figures, which
/// the next save stores again, and a save never brings back what was reset.
///
/// # Errors
///
/// The segment cannot be reset: see [`crate::reset`]. Its figures are unchanged then. Or the record cannot be removed.
pub fn reset(
    path: &Path,
    prefix: &str,
    instance: &str,
    place: Option<Place<'_>>,
) -> Result<Done, RequestsError> {
    let lock = Lock::take(path).ok_or_else(|| busy(path, instance))?;
    if let Some(place) = place {
        place.delete()?;
    }
    let done = crate::reset::at_path(path, |series| {
        let name = series
            .name
            .strip_prefix(prefix)
            .and_then(|rest| rest.strip_prefix('_'));
        let is_its = series
            .labels
            .iter()
            .any(|(name, value)| name == INSTANCE && value == instance);
        is_its && name.is_some_and(|name| FIGURES.contains(&name))
    })?;
    drop(lock);
    Ok(done)
}

/// What a reset resets. The run goes on: readers count it from the reset on.
const FIGURES: [&str; 10] = [
    names::STARTED,
    names::RETRIED,
    names::FINISHED,
    names::FAILED,
    names::DURATIONS,
    names::CODES,
    names::ERRORS,
    names::RETRY_ERRORS,
    names::EXTRA,
    names::RESTORED,
];

pub(super) fn busy(path: &Path, instance: &str) -> RequestsError {
    RequestsError::Busy {
        what: format!("the instance {instance:?} of {}", path.display()),
    }
}

impl Settings {
    pub(super) fn key(&self) -> String {
        let key = self.state_key.clone();
        key.unwrap_or_else(|| default_state_key(&self.prefix, &self.instance))
    }

    /// Where the record is, under its key.
    pub(super) fn place<'p>(&'p self, key: &'p str) -> Option<Place<'p>> {
        let store = self.store.as_deref()?;
        Some(Place::new(store, &self.kvs_name, key))
    }
}

/// The instances of which something is in a snapshot.
pub(super) fn instances<'s>(snapshot: &'s Snapshot, prefix: &str) -> Vec<&'s str> {
    let series = snapshot.series.iter().filter(|series| {
        let name = series.description.name.strip_prefix(prefix);
        let name = name.and_then(|rest| rest.strip_prefix('_'));
        name.is_some_and(|name| [names::SESSIONS, names::RESTORED].contains(&name))
    });
    let mut instances: Vec<&str> = series.filter_map(|series| label(series, INSTANCE)).collect();
    instances.sort_unstable();
    instances.dedup();
    instances
}
