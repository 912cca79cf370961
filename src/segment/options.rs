//! What a segment is to be like: capacities, budget, mode, and who this process is.

use std::path::Path;

use super::{Segment, place::Place};
use crate::error::OpenError;
use crate::layout::geometry::Capacities;

/// A set of capacities to start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Preset {
    /// 256 processes, 1,024 lanes, 4,096 series, room for 64 default histograms.
    #[default]
    Default,
    /// 32 processes, 128 lanes, 512 series, room for 11 default histograms: containers with a small `/dev/shm`.
    Compact,
    /// 1,024 processes, 4,096 lanes, 32,768 series, room for 376 default histograms.
    Large,
}

/// Options of a segment. Capacities matter only to whoever creates it; others take what the file has and can compare
/// ([`Segment::differences`]).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::env::temp_dir().join(format!("shmetrics-options-{}", std::process::id()));
/// use shmetrics::{Preset, Segment};
/// let segment = Segment::options().preset(Preset::Compact).lanes(64).role("web-3").open_or_create_at(&path)?;
/// assert_eq!(segment.capacities().unwrap().lanes, 64);
/// # std::fs::remove_file(&path)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SegmentOptions {
    pub(crate) capacities: Capacities,
    pub(crate) budget: Option<u64>,
    pub(crate) role: String,
    pub(crate) mode: u32,
    pub(crate) allow_locked_memory: bool,
    pub(crate) ticker: bool,
}

impl Default for SegmentOptions {
    fn default() -> Self {
        Self {
            capacities: Capacities::DEFAULT,
            budget: None,
            role: String::new(),
            mode: 0o640,
            allow_locked_memory: false,
            ticker: true,
        }
    }
}

impl SegmentOptions {
    /// Takes the capacities of a preset; call it first.
    pub fn preset(mut self, preset: Preset) -> Self {
        self.capacities = match preset {
            Preset::Default => Capacities::DEFAULT,
            Preset::Compact => Capacities::COMPACT,
            Preset::Large => Capacities::LARGE,
        };
        if preset != Preset::Default {
            self.budget = Some(self.capacities.budget);
        }
        self
    }

    /// Processes that can have gauges and lanes at one time (1 to 4,096).
    pub fn process_slots(mut self, process_slots: u64) -> Self {
        self.capacities.process_slots = process_slots;
        self
    }

    /// Threads, over all processes, that can have a lane of their own at one time (1 to 16,384). Others share one lane.
    pub fn lanes(mut self, lanes: u64) -> Self {
        self.capacities.lanes = lanes;
        self
    }

    /// Series (1 to 524,288). Families have as many records again.
    pub fn series(mut self, series: u64) -> Self {
        self.capacities.series = series;
        self
    }

    /// Bytes of all names, labels, help texts, units and classic bounds together.
    pub fn text_length(mut self, text_length: u64) -> Self {
        self.capacities.text_length = text_length;
        self
    }

    /// Counter series.
    pub fn counters(mut self, counters: u64) -> Self {
        self.capacities.counters = counters;
        self
    }

    /// Gauge series.
    pub fn gauges(mut self, gauges: u64) -> Self {
        self.capacities.gauges = gauges;
        self
    }

    /// Bytes of histogram blocks per lane; a default histogram takes 11,136.
    pub fn blocks_length(mut self, blocks_length: u64) -> Self {
        self.capacities.blocks_length = blocks_length;
        self
    }

    /// Entries of the error log, one per distinct text (0 to 1,024, 256 bytes each, allocated at creation); default 32. With 0 the
    /// segment has no log, and is one that format version 1 knows.
    pub fn errors(mut self, errors: u64) -> Self {
        self.capacities.errors = errors;
        self
    }

    /// Tables for resets ([`crate::reset`]): 2, or 0 for a segment whose series cannot be reset; default 2. They take no storage before
    /// the first reset. With 0, and no error log, the segment is one that format version 1 knows.
    pub fn reset_tables(mut self, reset_tables: u64) -> Self {
        self.capacities.reset_tables = reset_tables;
        self
    }

    /// Bytes that may be committed after creation. Beyond it, threads count in the shared lane. Default: 256 MiB, at most half of what
    /// is free at creation.
    pub fn budget(mut self, budget: u64) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Length of an epoch, the time window of histograms: 1 ms to a day, default 10 s.
    pub fn epoch(mut self, epoch: std::time::Duration) -> Self {
        self.capacities.epoch_length_ns = u64::try_from(epoch.as_nanos()).unwrap_or(u64::MAX);
        self
    }

    /// What this process does, as a label for output per process: `web-3`. At most 64 bytes. Give each process its own, and a
    /// restarted one the same; never the pid.
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.role = role.into();
        self
    }

    /// Permissions of the file, whatever the umask; default 0640. Who may write it may also damage it.
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode & 0o777;
        self
    }

    /// Without the ticker thread, which tells histograms with ring slots which epoch it is: then call [`Segment::tick`] about once per
    /// epoch.
    pub fn without_ticker(mut self) -> Self {
        self.ticker = false;
        self
    }

    /// Opens the segment although `mlockall(MCL_FUTURE)` will allocate and lock all of it at once. For the compact preset.
    pub fn allow_locked_memory(mut self) -> Self {
        self.allow_locked_memory = true;
        self
    }

    /// Creates the segment; an existing one is an error. `place` as in [`Segment::open_or_create`].
    pub fn create(self, place: &str) -> Result<Segment, OpenError> {
        Segment::create_with(&Place::parse(place)?, self)
    }

    /// Opens an existing segment.
    pub fn open(self, place: &str) -> Result<Segment, OpenError> {
        Segment::open_with(&Place::parse(place)?, self)
    }

    /// Opens the segment, or creates it if there is none. Of two that race, both get the same one.
    pub fn open_or_create(self, place: &str) -> Result<Segment, OpenError> {
        Segment::open_or_create_with(&Place::parse(place)?, self)
    }

    /// As [`create`](Self::create), by path.
    pub fn create_at(self, path: impl AsRef<Path>) -> Result<Segment, OpenError> {
        Segment::create_with(&Place::Path(path.as_ref().to_owned()), self)
    }

    /// As [`open`](Self::open), by path.
    pub fn open_at(self, path: impl AsRef<Path>) -> Result<Segment, OpenError> {
        Segment::open_with(&Place::Path(path.as_ref().to_owned()), self)
    }

    /// As [`open_or_create`](Self::open_or_create), by path.
    pub fn open_or_create_at(self, path: impl AsRef<Path>) -> Result<Segment, OpenError> {
        Segment::open_or_create_with(&Place::Path(path.as_ref().to_owned()), self)
    }

    /// Puts a new, empty segment in place of the one that is there, in one step: who opens the name meets the old one or the new one.
    /// Ids go on where those of the old one end ([`Segment::next_id`]), which gives none any more. Who has the old one open goes on
    /// counting into the nameless file. Without a segment there, it creates one. `place` as in [`Segment::open_or_create`].
    ///
    /// # Errors
    ///
    /// The old file cannot be opened for writing or is no segment, the new one cannot be made, or somebody else replaces it all the
    /// time: see [`OpenError`].
    pub fn replace(self, place: &str) -> Result<Segment, OpenError> {
        Segment::replace_with(&Place::parse(place)?, self)
    }

    /// As [`replace`](Self::replace), by path.
    pub fn replace_at(self, path: impl AsRef<Path>) -> Result<Segment, OpenError> {
        Segment::replace_with(&Place::Path(path.as_ref().to_owned()), self)
    }
}
