//! Layer 6: a segment as a process has it: created, opened, owned, left.
//!
//! | file | subject |
//! |---|---|
//! | [`options`] | what a segment is to be like |
//! | [`place`] | names and paths |
//! | `host` | facts about machine and process |
//! | `file_system` | which file systems will do |
//! | `create`, `open`, `named`, `replace` | making a file a segment, opening it, putting it in place of another |
//! | `ids` | ids that no two callers get |
//! | `ownership` | lock bytes: who lives |
//! | `liveness` | is the owner behind a tag dead? |
//! | `error_log` | errors that are kept in the segment |
//! | `attachment` | one open segment of this process |
//! | `slot`, `lane` | claim, adopt, release |
//! | `commit` | storage on demand, within the budget |
//! | `registry` | families and series, get-or-create |
//! | `thread` | which lane a thread has |
//! | `fork` | children |
//! | `signals` | blocking signals for a moment |
//! | `ticker` | which epoch it is |
//! | `total` | what all lanes together have of a number |
//! | `or_noop` | going on without metrics |

pub(crate) mod attachment;
pub(crate) mod commit;
pub(crate) mod create;
pub(crate) mod error_log;
pub(crate) mod file_system;
pub(crate) mod fork;
pub(crate) mod host;
mod ids;
pub(crate) mod lane;
pub(crate) mod liveness;
#[cfg(feature = "named")]
mod named;
pub(crate) mod open;
pub mod options;
mod or_noop;
pub(crate) mod ownership;
pub mod place;
pub(crate) mod registry;
mod replace;
mod signals;
mod slot;
pub(crate) mod thread;
pub(crate) mod ticker;
pub(crate) mod total;

use std::path::Path;
use std::sync::Arc;

pub use ids::BlockIds;
pub use options::{Preset, SegmentOptions};
pub use or_noop::OrNoop;

use self::attachment::Attachment;
use self::place::Place;
use self::replace::Old;
use crate::error::{LayoutError, OpenError};
use crate::instrument::{Builder, EventsBuilder};
use crate::instrument::{
    Counter, FloatCounter, FloatGauge, FloatHistogram, Gauge, Group, Histogram, InFlight, Number, Samples,
    State, Text, TimeMark,
};
use crate::layout::geometry::Capacities;
use crate::layout::header::{NEXT_ID_OFFSET, RETIRED_OFFSET};
use crate::layout::kind::{Kind, Merge};
use crate::sync::Release;

/// Attempts to open or create before giving up: each failure means that somebody else created, retired or replaced meanwhile.
const OPEN_ATTEMPTS: usize = 8;

/// `CLOCK_MONOTONIC` in nanoseconds, of the first time namespace: the same for all processes of the machine, as the times of events must
/// be. Cost: a read of the clock, no system call.
pub fn monotonic_ns() -> u64 {
    host::monotonic_ns()
}

/// What a family is measured in. The base unit is what integer histograms record; output is in the exported unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Unit<'a> {
    /// No unit. Histograms: 1 to 2^32.
    #[default]
    None,
    /// Seconds; the base unit of integer histograms is the nanosecond. Histograms: 2^-20 s (1 µs) to 2^12 s (68 min).
    Seconds,
    /// Bytes. Histograms: 1 to 2^40.
    Bytes,
    /// A ratio; the base unit of integer histograms is the billionth. Histograms: 2^-20 to 2^4.
    Ratio,
    /// Any other, by its plural name: `requests`. Histograms: 1 to 2^32.
    Other(&'a str),
}

impl Unit<'_> {
    /// The text that is stored and shown.
    pub fn text(&self) -> &str {
        match self {
            Unit::None => "",
            Unit::Seconds => "seconds",
            Unit::Bytes => "bytes",
            Unit::Ratio => "ratio",
            Unit::Other(text) => text,
        }
    }
}

/// An open segment. Cheap to clone; it stays open while it or any handle from it lives. `Send + Sync`.
///
/// A process may have 15 segments open at a time.
#[derive(Clone, Debug)]
pub struct Segment {
    attachment: Option<Arc<Attachment>>,
    reason: Option<Arc<OpenError>>,
    differences: Arc<[Difference]>,
}

/// A capacity that was asked for and that the existing file has otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The option.
    pub option: &'static str,
    /// What was asked for.
    pub wanted: u64,
    /// What the file has.
    pub found: u64,
}

impl Segment {
    /// Opens the segment at `place`, or creates it with default capacities.
    ///
    /// `place` is a plain name (`app`), looked up and created in the first usable of `$SHMETRICS_DIR`, `$RUNTIME_DIRECTORY`,
    /// `$XDG_RUNTIME_DIR/shmetrics` and `/dev/shm/shmetrics-<uid>`; or a path (it has a slash); or `shm:NAME` with the feature `named`.
    ///
    /// Of two processes that race, both get the same segment. Cost: some ten system calls.
    pub fn open_or_create(place: &str) -> Result<Segment, OpenError> {
        SegmentOptions::default().open_or_create(place)
    }

    /// Creates the segment; an existing one is [`OpenError::Exists`].
    pub fn create(place: &str) -> Result<Segment, OpenError> {
        SegmentOptions::default().create(place)
    }

    /// Opens an existing segment for writing.
    pub fn open(place: &str) -> Result<Segment, OpenError> {
        SegmentOptions::default().open(place)
    }

    /// Options for capacities, budget, role and mode.
    pub fn options() -> SegmentOptions {
        SegmentOptions::default()
    }

    /// A segment whose handles do nothing.
    pub fn noop() -> Segment {
        Segment {
            attachment: None,
            reason: None,
            differences: Arc::new([]),
        }
    }

    fn attach(path: &Path, options: &SegmentOptions) -> Result<Segment, OpenError> {
        let attachment = Attachment::open(path, options)?;
        let found = attachment.geometry.capacities;
        let wanted = Capacities {
            budget: options.budget.unwrap_or(found.budget),
            ..options.capacities
        };
        let differences = differences(&wanted, &found);
        Ok(Segment {
            attachment: Some(attachment),
            reason: None,
            differences: differences.into(),
        })
    }

    pub(crate) fn create_with(place: &Place, options: SegmentOptions) -> Result<Segment, OpenError> {
        // Before there is a file that a failure would leave behind.
        slot::check_role(&options.role)?;
        let path = place.to_path()?;
        match place {
            Place::Shm(name) => create_named(name, &path, &options)?,
            _ => create::create(&path, &options)?,
        }
        Self::attach(&path, &options)
    }

    pub(crate) fn open_with(place: &Place, options: SegmentOptions) -> Result<Segment, OpenError> {
        let path = match place {
            Place::Name(name) => place::resolve_existing_to_write(name)?,
            _ => place.to_path()?,
        };
        open::wait_until_published(&path, || Self::attach(&path, &options))
    }

    pub(crate) fn open_or_create_with(place: &Place, options: SegmentOptions) -> Result<Segment, OpenError> {
        let path = place.to_path()?;
        let mut last = OpenError::NotFound { path: path.clone() };
        for _ in 0..OPEN_ATTEMPTS {
            match Self::attach(&path, &options) {
                Ok(segment) if segment.is_of_this_boot() => return Ok(segment),
                // A disk file that survived a reboot: its epochs and its owners mean nothing any more, and its last pages may not
                // have been written. Begin anew.
                Ok(old) => {
                    if let Some(attachment) = &old.attachment {
                        replace::replace(&path, &options, Old::File(attachment.key))?;
                    }
                    continue;
                }
                Err(OpenError::NotFound { .. }) => {}
                // Whoever retired or replaced it died, or is about to move the name.
                Err(error @ OpenError::Retired { .. }) => {
                    last = error;
                    replace::replace(&path, &options, Old::Spent)?;
                    continue;
                }
                // `shm:` only: another creator is at work, or died. The creation path waits for it or replaces it.
                Err(error) if is_unpublished(&error) && matches!(place, Place::Shm(_)) => last = error,
                Err(error) => return Err(error),
            }
            let created = match place {
                Place::Shm(name) => create_named(name, &path, &options),
                _ => create::create(&path, &options),
            };
            match created {
                Ok(()) => {}
                Err(error @ OpenError::Exists { .. }) => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    pub(crate) fn replace_with(place: &Place, options: SegmentOptions) -> Result<Segment, OpenError> {
        slot::check_role(&options.role)?;
        let path = place.to_path()?;
        replace::replace(&path, &options, Old::Any)?;
        // By now somebody else may have replaced it, too: then theirs will do.
        Self::open_or_create_with(place, options)
    }

    fn is_of_this_boot(&self) -> bool {
        self.attachment.as_ref().is_none_or(|attachment| {
            let boot = host::boot_id();
            attachment.in_memory || boot == [0, 0] || attachment.origin.boot_id == boot
        })
    }

    /// The path of the file; `None` for a segment that does nothing.
    pub fn path(&self) -> Option<&Path> {
        self.attachment
            .as_ref()
            .map(|attachment| attachment.path.as_path())
    }

    /// The capacities that the file has; `None` for a segment that does nothing.
    pub fn capacities(&self) -> Option<Capacities> {
        self.attachment
            .as_ref()
            .map(|attachment| attachment.geometry.capacities)
    }

    /// Capacities that were asked for and that the existing file has otherwise. The file's hold.
    pub fn differences(&self) -> &[Difference] {
        &self.differences
    }

    /// Is it in memory (tmpfs)? On a disk, write-back can stall a store for hundreds of milliseconds.
    pub fn is_in_memory(&self) -> bool {
        self.attachment
            .as_ref()
            .is_none_or(|attachment| attachment.in_memory)
    }

    /// Why this segment does nothing; `None` if it works.
    pub fn noop_reason(&self) -> Option<&OpenError> {
        self.reason.as_deref()
    }

    /// A sum of whole numbers that only grows.
    pub fn counter<'a>(&'a self, name: &'a str) -> Builder<'a, Counter> {
        Builder::new(self.attachment.as_ref(), name)
    }

    /// A sum of floating-point numbers that only grows.
    pub fn counter_float<'a>(&'a self, name: &'a str) -> Builder<'a, FloatCounter> {
        Builder::new(self.attachment.as_ref(), name)
    }

    /// A whole number that goes up and down.
    pub fn gauge<'a>(&'a self, name: &'a str) -> Builder<'a, Gauge> {
        Builder::new(self.attachment.as_ref(), name)
    }

    /// A floating-point number that goes up and down.
    pub fn gauge_float<'a>(&'a self, name: &'a str) -> Builder<'a, FloatGauge> {
        Builder::new(self.attachment.as_ref(), name)
    }

    /// When something happened last, or first.
    pub fn time_mark<'a>(&'a self, name: &'a str) -> Builder<'a, TimeMark> {
        Builder::new(self.attachment.as_ref(), name)
    }

    /// A status per process, and how often in a row it was set; declare the statuses ([`Builder::status`]).
    pub fn state<'a>(&'a self, name: &'a str) -> Builder<'a, State> {
        Builder::new(self.attachment.as_ref(), name)
    }

    /// A distribution of whole numbers of a base unit: durations in nanoseconds, sizes in bytes.
    pub fn histogram<'a>(&'a self, name: &'a str) -> Builder<'a, Histogram> {
        Builder::new(self.attachment.as_ref(), name)
    }

    /// A distribution of floating-point numbers.
    pub fn histogram_float<'a>(&'a self, name: &'a str) -> Builder<'a, FloatHistogram> {
        Builder::new(self.attachment.as_ref(), name)
    }

    /// A distribution of floating-point numbers in buckets with these upper bounds (strictly increasing; +Inf is implied).
    pub fn histogram_classic<'a>(&'a self, name: &'a str, bounds: &'a [f64]) -> Builder<'a, FloatHistogram> {
        Builder::new(self.attachment.as_ref(), name).with_bounds(bounds)
    }

    /// Events: what happened when, with named fields, the last ones of each thread.
    pub fn events<'a>(&'a self, name: &'a str) -> EventsBuilder<'a> {
        EventsBuilder::new(self.attachment.as_ref(), name)
    }

    /// A signed number, whole until a float is added to it.
    pub fn number<'a>(&'a self, name: &'a str) -> Builder<'a, Number> {
        Builder::new(self.attachment.as_ref(), name)
    }

    /// The last values of something, for percentiles over them.
    pub fn samples<'a>(&'a self, name: &'a str) -> Builder<'a, Samples> {
        Builder::new(self.attachment.as_ref(), name)
    }

    /// Fields that are counted together, of which readers see all of an update or nothing.
    pub fn group<'a, const N: usize>(&'a self, name: &'a str) -> Builder<'a, Group<N>> {
        Builder::new(self.attachment.as_ref(), name)
    }

    /// Kind and merge rule of the family of this name; `None` if nobody registered it yet, or it is of a kind that this library does
    /// not know. For programs that find names out as they run; whoever knows what a name is registers it. Cost: a look-up.
    pub fn family_of(&self, name: &str) -> Option<(Kind, Merge)> {
        let attachment = self.attachment.as_ref()?;
        let (kind, merge) = registry::find_family(attachment, name)?;
        kind.zip(merge)
    }

    /// A text that is replaced as a whole, by whoever sets it: a version, a phase, the last error.
    pub fn text<'a>(&'a self, name: &'a str) -> Builder<'a, Text> {
        Builder::new(self.attachment.as_ref(), name)
    }

    /// What is being worked on, over all processes: which key, since when, for the how-manieth time, by whom.
    pub fn in_flight<'a>(&'a self, name: &'a str) -> Builder<'a, InFlight> {
        Builder::new(self.attachment.as_ref(), name)
    }

    /// Gets this thread its lane now instead of at its first operation. Returns whether it has one; if not it uses the shared lane.
    /// Also makes up, in a child made by a raw `clone`, for the handlers that `fork` would have run.
    pub fn attach_thread(&self) -> bool {
        let Some(attachment) = &self.attachment else {
            return false;
        };
        fork::ensure_prepared();
        let place = thread::PlaceWord::new(attachment.number, 0);
        if attachment.ticks.load(crate::sync::Relaxed) != 0 {
            ticker::ensure_running();
        }
        thread::block().lane(place) != 0 || lane::obtain(attachment, true).is_some()
    }

    /// Tells histograms which epoch it is, for programs that want no ticker thread: call it about once per epoch.
    pub fn tick(&self) {
        if let Some(attachment) = &self.attachment {
            ticker::refresh(attachment);
        }
    }

    /// Keeps an error in the segment's error log, for whoever looks later, also after a crash: `shmetrics inspect` and
    /// [`Snapshot::errors`](crate::Snapshot::errors) show its text, how often it was logged, and when first and last. The library
    /// logs what it cannot do as asked; this is for the program's own errors.
    ///
    /// An entry is kept per distinct text and never given back, so name what went wrong and where, and leave out what differs from
    /// time to time: addresses, numbers, user names. UTF-8; beyond 192 bytes it is cut at a character. When all entries are taken
    /// ([`SegmentOptions::errors`], 32 unless asked otherwise) further texts are lost and counted
    /// ([`Losses::errors_lost`](crate::snapshot::Losses::errors_lost)). Of a segment without a log, or one that does nothing, nothing
    /// is kept.
    ///
    /// Cost: the text is hashed and looked up, below a microsecond; no heap, no lock, and only when the log is full and a process died
    /// while it was logging a few system calls. Any thread, also in a signal handler, if formatting `message` may be done there: of a
    /// `&str` it may.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let path = std::env::temp_dir().join(format!("shmetrics-log-error-{}", std::process::id()));
    /// # let segment = shmetrics::Segment::options().preset(shmetrics::Preset::Compact).open_or_create_at(&path)?;
    /// for _ in 0..3 {
    ///     segment.log_error("cannot reach the queue: connection refused");
    /// }
    /// let snapshot = shmetrics::Reader::open_path(&path)?.snapshot()?;
    /// assert_eq!((&*snapshot.errors[0].message, snapshot.errors[0].count), ("cannot reach the queue: connection refused", 3));
    /// # std::fs::remove_file(&path)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn log_error(&self, message: impl std::fmt::Display) {
        if let Some(attachment) = &self.attachment {
            error_log::log(attachment, format_args!("{message}"));
        }
    }

    /// Says what this process does from now on; see [`SegmentOptions::role`]. For a forked worker, which begins with the role that its
    /// parent opened the segment with. A process without a slot has no description: then this does nothing.
    pub fn set_role(&self, role: &str) -> Result<(), OpenError> {
        match &self.attachment {
            Some(attachment) => slot::set_role(attachment, role),
            None => Ok(()),
        }
    }

    /// Marks the segment as given up and removes its name, if the name still is this file. Processes that have it open go on counting
    /// into the nameless file, and get no ids any more; who opens the name next makes a new one, whose ids begin anew. To put a new one in
    /// its place in one step: [`SegmentOptions::replace`].
    pub fn retire(&self) -> Result<(), OpenError> {
        let Some(attachment) = &self.attachment else {
            return Ok(());
        };
        // The name first: dead in between, the file is merely nameless. The other way round a retired file would block its name.
        create::remove_name(&attachment.path, attachment.key)?;
        crate::protocol::ids::close(attachment.word(NEXT_ID_OFFSET));
        attachment.word(RETIRED_OFFSET).store(1, Release);
        Ok(())
    }
}

/// Is it a file whose creator has not published it yet?
pub(crate) fn is_unpublished(error: &OpenError) -> bool {
    matches!(
        error,
        OpenError::Layout {
            source: LayoutError::NotPublished | LayoutError::TooShort { found: 0 },
            ..
        }
    )
}

#[cfg(feature = "named")]
fn create_named(name: &str, path: &Path, options: &SegmentOptions) -> Result<(), OpenError> {
    named::create(name, path, options)
}

#[cfg(not(feature = "named"))]
fn create_named(name: &str, _path: &Path, _options: &SegmentOptions) -> Result<(), OpenError> {
    Err(OpenError::NamedUnsupported {
        name: format!("shm:{name}"),
    })
}

fn differences(wanted: &Capacities, found: &Capacities) -> Vec<Difference> {
    [
        ("process_slots", wanted.process_slots, found.process_slots),
        ("lanes", wanted.lanes, found.lanes),
        ("series", wanted.series, found.series),
        ("text_length", wanted.text_length, found.text_length),
        ("counters", wanted.counters, found.counters),
        ("gauges", wanted.gauges, found.gauges),
        ("blocks_length", wanted.blocks_length, found.blocks_length),
        ("errors", wanted.errors, found.errors),
        ("reset_tables", wanted.reset_tables, found.reset_tables),
        ("epoch_length_ns", wanted.epoch_length_ns, found.epoch_length_ns),
        ("budget", wanted.budget, found.budget),
    ]
    .into_iter()
    .filter(|(_, wanted, found)| wanted != found)
    .map(|(option, wanted, found)| Difference {
        option,
        wanted,
        found,
    })
    .collect()
}
