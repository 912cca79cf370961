//! Resetting series: counters and histograms count from zero again, for all readers at once.
//!
//! Nothing that was counted is touched, and workers do not notice. What they have counted so far is stored as a baseline in the segment,
//! which readers subtract from then on; [`Series::since_ns`](crate::snapshot::Series::since_ns) says since when a series counts, so
//! that whoever makes rates of it sees a counter that began anew and not one that went down. When something happened last (a
//! [`TimeMark`](crate::TimeMark)) is never, until it happens again. Gauges, what happened first, states, losses, time windows and what is
//! told per process are not reset.
//!
//! A reset is whole: a snapshot is either of before or of after it, for all its series. Whoever is killed in the middle has changed
//! nothing. It needs permission to write the file, and room in it for the baselines ([`SegmentOptions::reset_tables`]).
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let path = std::env::temp_dir().join(format!("shmetrics-reset-{}", std::process::id()));
//! # let app = path.to_str().unwrap();
//! use shmetrics::{Preset, Reader, Segment, Value};
//!
//! let segment = Segment::options().preset(Preset::Compact).open_or_create(app)?;
//! let requests = segment.counter("requests_total").register()?;
//! requests.add(41);
//!
//! let done = shmetrics::reset::series(app, |series| series.name == "requests_total")?;
//! assert_eq!(done.series, 1);
//! requests.inc();
//! let snapshot = Reader::open(app)?.snapshot()?;
//! assert_eq!(snapshot.find("requests_total", &[]).unwrap().value, Value::CounterU64(1));
//! # std::fs::remove_file(&path)?;
//! # Ok(())
//! # }
//! ```
//!
//! [`SegmentOptions::reset_tables`]: crate::SegmentOptions::reset_tables

use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use crate::error::OpenError;
pub use crate::error::ResetError;
use crate::layout::WORD_LENGTH;
use crate::layout::geometry::Geometry;
use crate::layout::header::{COMMITTED_OFFSET, LOSS_BUDGET_OFFSET, RESET_OFFSET, RETIRED_OFFSET};
use crate::layout::reset::RESET_LOCK_SLOT;
use crate::map::Mapping;
use crate::protocol::reset;
use crate::segment::commit::{self, Refused};
use crate::segment::file_system::FileSystem;
use crate::segment::open::{self, Access};
use crate::segment::ownership::{try_lock, unlock};
use crate::segment::{SegmentOptions, attachment, create, host};
use crate::snapshot::{Baseline, BaselineCell, Description, Reader};
use crate::sync::{AtomicU64, Relaxed};

/// Attempts at the lock, [`open::POLL_INTERVAL`] apart: two seconds. A reset takes milliseconds.
const LOCK_ATTEMPTS: usize = 1000;

/// What a reset has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Done {
    /// Series that count from zero now. With 0 nothing was changed.
    pub series: u64,
    /// How often series of this segment were reset, this time included.
    pub resets: u64,
}

/// Resets all counters and histograms of the segment of this name, path or `shm:` name.
///
/// # Errors
///
/// The segment cannot be opened for writing, cannot be reset, somebody else resets it, or storage is short: see [`ResetError`].
/// Nothing was changed then.
pub fn all(place: impl AsRef<str>) -> Result<Done, ResetError> {
    series(place, |_| true)
}

/// Resets those counters and histograms of the segment of this name, path or `shm:` name that `select` chooses. It is asked about
/// each of them once; gauges are passed over.
///
/// Cost: a snapshot, and a copy of every cell that has a baseline. It waits for at most two seconds for another reset to end.
///
/// # Errors
///
/// As [`all`].
pub fn series(place: impl AsRef<str>, select: impl FnMut(&Description) -> bool) -> Result<Done, ResetError> {
    at_path(&crate::segment::place::resolve_existing(place.as_ref())?, select)
}

/// As [`series`], by path.
///
/// # Errors
///
/// As [`all`].
pub fn at_path(path: &Path, mut select: impl FnMut(&Description) -> bool) -> Result<Done, ResetError> {
    let target = Target::open(path)?;
    let lock = target.lock()?;
    let done = target.reset(&mut select);
    drop(lock);
    done
}

/// A segment that is to be reset.
struct Target {
    path: PathBuf,
    file: File,
    file_system: FileSystem,
    mapping: Mapping,
    geometry: Geometry,
}

/// The reset lock. The kernel frees it, too, when this process ends.
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // A child that was forked meanwhile holds the description, too: closing it here would not be enough.
        let _ = unlock(self.0.as_fd(), RESET_LOCK_SLOT);
    }
}

impl Target {
    fn open(path: &Path) -> Result<Target, ResetError> {
        let (file, length, file_system) = open::open_file_writable(path)?;
        let (geometry, _, version) = open::read_header(&file, length, path, Access::Write)?;
        if geometry.capacities.reset_tables == 0 {
            return Err(ResetError::NoTables {
                path: path.to_owned(),
                version,
            });
        }
        create::check_locked_memory(&geometry, &SegmentOptions::default())?;
        let mapping = Mapping::writable(&file, geometry.file_length)
            .map_err(|error| host::file_error(host::MAP, path, error))?;
        let target = Target {
            path: path.to_owned(),
            file,
            file_system,
            mapping,
            geometry,
        };
        if target.word(RETIRED_OFFSET).load(Relaxed) != 0 {
            return Err(OpenError::Retired {
                path: path.to_owned(),
            }
            .into());
        }
        Ok(target)
    }

    /// Takes the reset lock, by a description that nothing maps: a mapping would keep it locked in children.
    fn lock(&self) -> Result<Lock, ResetError> {
        let failed = |error| host::file_error("lock", &self.path, error);
        let file = attachment::reopen(&self.file).map_err(failed)?;
        for _ in 0..LOCK_ATTEMPTS {
            if try_lock(file.as_fd(), RESET_LOCK_SLOT).map_err(failed)? {
                return Ok(Lock(file));
            }
            std::thread::sleep(open::POLL_INTERVAL);
        }
        Err(ResetError::UnderWay {
            path: self.path.clone(),
        })
    }

    /// Steps Z1 to Z4 (SPEC.md 10.19). The lock is held.
    fn reset(&self, select: &mut dyn FnMut(&Description) -> bool) -> Result<Done, ResetError> {
        let number = reset::begin(self.word(RESET_OFFSET));
        let file =
            attachment::reopen(&self.file).map_err(|error| host::file_error("read", &self.path, error))?;
        let mut reader = Reader::of_file(file, self.file_system, &self.path)?;
        let content = reader.read_next_table(select);
        if content.number != number {
            // Somebody resets without the lock, or the table is overwritten by damage all the time.
            return Err(ResetError::UnderWay {
                path: self.path.clone(),
            });
        }
        reader.check_lost()?;
        if content.series == 0 {
            return Ok(Done {
                series: 0,
                resets: number,
            });
        }
        let next = reset::next(number);
        self.allocate(next, &content.baselines)?;
        self.store(reset::table(next), &content.baselines);
        reset::publish(self.word(RESET_OFFSET), next);
        Ok(Done {
            series: content.series,
            resets: next,
        })
    }

    /// Allocates what the table of reset `next` needs. What it had two resets ago is allocated and counted.
    fn allocate(&self, next: u64, baselines: &[Baseline]) -> Result<(), ResetError> {
        let table = reset::table(next);
        let is_known = next > 2;
        let front = (
            self.geometry.reset_table_offset(table),
            self.geometry.reset_front_length(),
            is_known,
        );
        let block = |baseline: &Baseline| match &baseline.cell {
            BaselineCell::Block { placement, words } => {
                let since = self.word(self.geometry.reset_since_offset(table, baseline.record));
                let is_known = is_known && since.load(Relaxed) != 0;
                let offset = self.geometry.reset_block_offset(table, *placement);
                Some((offset, words.len() as u64 * WORD_LENGTH, is_known))
            }
            BaselineCell::Counter { .. } | BaselineCell::None => None,
        };
        let ranges: Vec<(u64, u64, bool)> = std::iter::once(front)
            .chain(baselines.iter().filter_map(block))
            .collect();
        // All or nothing of the budget: who tries again and again uses it up for nobody.
        let new = ranges.iter().filter(|(_, _, is_known)| !is_known);
        let needed: u64 = new.map(|(_, length, _)| length).sum();
        if self.word(COMMITTED_OFFSET).load(Relaxed).saturating_add(needed) > self.geometry.capacities.budget
        {
            self.word(LOSS_BUDGET_OFFSET).fetch_add(1, Relaxed);
            return Err(self.no_storage(Refused::Budget));
        }
        let words = self.mapping.words().unwrap_or_default();
        for (offset, length, is_known) in ranges {
            commit::allocate(
                &self.mapping,
                words,
                self.geometry.capacities.budget,
                offset,
                length,
                is_known,
            )
            .map_err(|(refused, _)| self.no_storage(refused))?;
        }
        Ok(())
    }

    fn no_storage(&self, refused: Refused) -> ResetError {
        ResetError::Storage {
            path: self.path.clone(),
            reason: match refused {
                Refused::Budget => "the budget is used up",
                Refused::Storage => "the file system or the memory limit has no room",
            },
        }
    }

    /// Z3. All of it is allocated.
    fn store(&self, table: u64, baselines: &[Baseline]) {
        let geometry = &self.geometry;
        let mut times = vec![0; geometry.records as usize];
        for baseline in baselines {
            if let Some(time) = times.get_mut(baseline.record as usize - 1) {
                *time = baseline.since_ns;
            }
            match &baseline.cell {
                BaselineCell::None => {}
                BaselineCell::Counter { placement, word } => {
                    self.word(geometry.reset_counter_offset(table, *placement))
                        .store(*word, Relaxed);
                }
                BaselineCell::Block { placement, words } => {
                    self.store_all(geometry.reset_block_offset(table, *placement), words);
                }
            }
        }
        self.store_all(geometry.reset_table_offset(table), &times);
    }

    fn store_all(&self, offset: u64, values: &[u64]) {
        for (index, value) in values.iter().enumerate() {
            self.word(offset + index as u64 * WORD_LENGTH)
                .store(*value, Relaxed);
        }
    }

    /// The word at a byte offset, which geometry or the header's constants gave.
    fn word(&self, offset: u64) -> &AtomicU64 {
        static NOWHERE: AtomicU64 = AtomicU64::new(0);
        let words = self.mapping.words().unwrap_or_default();
        words.get((offset / WORD_LENGTH) as usize).unwrap_or(&NOWHERE)
    }
}
