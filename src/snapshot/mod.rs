//! Layer 8: what a reader tells, as plain data, and the reader that fills it.
//!
//! [`Snapshot`] is detached from the mapping: it can be kept, sent, compared. With the feature `serde` its types serialise to the
//! JSON schema that the `shmetrics` binary prints (`docs` in SPEC.md section 15).
//!
//! | file | subject |
//! |---|---|
//! | [`mod@self`] | the data |
//! | `merge` | merge rules, pure |
//! | `reader` | open, validate, snapshot |
//! | `contents` | what records and their texts say, validated |
//! | `baseline` | what was reset and is subtracted |
//! | `catalog` | families and series of a segment, kept |
//! | `owners` | processes and their liveness |
//! | `histogram` | histograms and their windows |
//! | `lanes` | reading one histogram over all lanes |
//! | `number` | whole or float |
//! | `samples` | the last values of a series, and figures of them |
//! | `pool` | reading them over all lanes |
//! | `errors` | the error log |
//! | `text` | texts |
//! | `in_flight` | what is in flight |
//! | `json` | the JSON schema (feature `serde`) |
//! | `time` | times as text |

mod baseline;
mod catalog;
pub(crate) mod contents;
mod errors;
pub(crate) mod events;
mod group;
mod histogram;
pub(crate) mod in_flight;
#[cfg(feature = "serde")]
mod json;
mod lanes;
pub mod merge;
mod number;
mod owners;
mod pool;
mod prefix;
mod reader;
mod samples;
mod text;
pub(crate) mod time;

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use crate::layout::error::RecordError;
use crate::layout::geometry::{Geometry, Origin};
use crate::layout::kind::{Kind, Merge};
pub use crate::layout::statuses::Status;

pub(crate) use baseline::can_be_reset;
pub use events::EventTotals;
pub use group::{Group, GroupField};
pub use histogram::{BucketScheme, Histogram, Quality, Window};
pub use in_flight::{InFlight, InFlightEntry};
pub use number::Number;
pub(crate) use reader::{Baseline, BaselineCell};
pub use reader::{Clocks, Reader};
pub use samples::Samples;
pub use text::Text;
pub use time::rfc3339;

use histogram::quality_of;

/// Everything a segment says at one time. Reuse one with [`Reader::snapshot_into`]: then nothing is allocated once it is warm.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Which segment, and how it is laid out. `None` only before the first read.
    pub segment: Option<Arc<SegmentFacts>>,
    /// Wall clock when the snapshot was taken, nanoseconds since 1970.
    pub taken_at_ns: u64,
    /// `CLOCK_MONOTONIC` when the snapshot was taken: for rates between two snapshots.
    pub taken_at_monotonic_ns: u64,
    /// The epoch at which histograms were cut; `None` for a live snapshot. Counters and gauges have no epochs: they are live also in a
    /// cut, and so is what was recorded in the shared lane.
    pub cut_epoch: Option<u64>,
    /// All ready series, in order of registration.
    pub series: Vec<Series>,
    /// Process slots that were ever taken.
    pub processes: Vec<Process>,
    /// What could not be done as asked, by cause.
    pub losses: Losses,
    /// How full every capacity is.
    pub fill: Fill,
    /// What takes its course without loss, and is worth knowing.
    pub health: Health,
    /// The errors in the segment's error log, newest first: those that programs logged
    /// ([`Segment::log_error`](crate::Segment::log_error)) and what the library could not do as asked.
    pub errors: Vec<ErrorEntry>,
    /// How the reader fared that took this snapshot, until and with it.
    pub reader: ReaderHealth,
    /// Records that were skipped, and why.
    pub skipped: Vec<Skipped>,
    /// The segment was given up or replaced; open its name again.
    pub retired: bool,
    /// Ids that were given ([`Segment::next_id`](crate::Segment::next_id)), blocks whole. Of a segment that gives none any more it may be
    /// more.
    pub ids_given: u64,
    /// How often series were reset ([`crate::reset`]), as of this snapshot.
    pub resets: u64,
    /// When the last of these resets was, nanoseconds since 1970; 0 = never.
    pub last_reset_ns: u64,
}

impl Snapshot {
    /// The states that are unhealthy: series and process. Empty: all declared states are healthy, or there are none.
    pub fn unhealthy(&self) -> impl Iterator<Item = (&Series, &ProcessState)> {
        self.series.iter().flat_map(|series| {
            let states = match &series.value {
                Value::State(states) => &states[..],
                _ => &[],
            };
            let unhealthy = states.iter().filter(|state| !state.is_healthy());
            unhealthy.map(move |state| (series, state))
        })
    }

    /// The series of this name whose labels are exactly these, in any order.
    pub fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<&Series> {
        self.series.iter().find(|series| {
            let have = &series.description.labels;
            series.description.name == name
                && have.len() == labels.len()
                && labels
                    .iter()
                    .all(|(n, v)| have.iter().any(|(hn, hv)| hn == n && hv == v))
        })
    }
}

/// Which segment a snapshot is of.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SegmentFacts {
    /// Where it is.
    pub path: PathBuf,
    /// Capacities and offsets.
    pub geometry: Geometry,
    /// When it was made.
    pub origin: Origin,
    /// Format version of its creator.
    pub version: u64,
}

/// What a series is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Description {
    /// The family's name.
    pub name: String,
    /// The family's kind.
    pub kind: Kind,
    /// The family's unit; empty if it has none.
    pub unit: String,
    /// The family's help text.
    pub help: String,
    /// Label pairs, sorted by name.
    pub labels: Vec<(String, String)>,
    /// How gauges are merged; `Sum` for other kinds.
    pub merge: Merge,
    /// Collects label sets beyond the family's limit.
    pub overflow: bool,
    /// Closed epochs that a histogram keeps; 0 for other kinds.
    pub ring_slots: u8,
    /// When the series was registered, nanoseconds since 1970. Since when it counts, says [`Series::since_ns`].
    pub created_ns: u64,
}

/// One series and its value.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Series {
    /// What it is. Shared between snapshots.
    pub description: Arc<Description>,
    /// Since when it counts, nanoseconds since 1970: its registration ([`Description::created_ns`]) or its last reset
    /// ([`crate::reset`]). The start time for whoever makes rates of it: a count that goes down has a later one.
    pub since_ns: u64,
    /// What it says.
    pub value: Value,
}

/// The value of a series.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A whole-number counter, summed over all lanes, modulo 2^64.
    CounterU64(u64),
    /// A float counter, summed over all lanes.
    CounterF64(f64),
    /// A whole-number gauge by its merge rule; `None` if no process that counts has set it.
    GaugeI64(Option<i64>),
    /// A float gauge by its merge rule, or the mean of a whole-number gauge; `None` if no process that counts has set it.
    GaugeF64(Option<f64>),
    /// A gauge with the rule `each`: one value per live process that has set it.
    Each(Vec<ProcessValue>),
    /// A histogram.
    Histogram(Box<Histogram>),
    /// A time mark, nanoseconds since 1970; `None`: never, or not since the last reset.
    TimeMark(Option<u64>),
    /// A state: one per live process that has set it.
    State(Vec<ProcessState>),
    /// A number, summed over all lanes: [`Number::I64`] as long as only whole numbers were added, else [`Number::F64`].
    Number(Number),
    /// The last values that were recorded.
    Samples(Box<Samples>),
    /// How many events there were and are.
    Events(EventTotals),
    /// A text that is replaced as a whole.
    Text(Box<Text>),
    /// A group: fields that are counted together.
    Group(Box<Group>),
    /// What is in flight.
    InFlight(Box<InFlight>),
}

/// One process' status and streak.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ProcessState {
    /// The process slot.
    pub slot: u64,
    /// The process' role; empty if it gave none.
    pub role: Arc<str>,
    /// The number of its status.
    pub number: u8,
    /// How often in a row it was set.
    pub streak: u64,
    /// The statuses as the process declared them, by number. Shared between snapshots.
    pub statuses: Arc<[Status]>,
}

impl ProcessState {
    /// The name of its status; its number, if it was not declared.
    pub fn name(&self) -> Cow<'_, str> {
        match self.statuses.get(usize::from(self.number)) {
            Some(status) => Cow::Borrowed(&status.name),
            None => Cow::Owned(self.number.to_string()),
        }
    }

    /// Is its streak below the one from which on its status is unhealthy?
    pub fn is_healthy(&self) -> bool {
        let status = self.statuses.get(usize::from(self.number));
        status.is_none_or(|status| !status.is_unhealthy(self.streak))
    }
}

/// One process' value of a gauge.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ProcessValue {
    /// The process slot.
    pub slot: u64,
    /// The process' role; empty if it gave none.
    pub role: Arc<str>,
    /// Its value.
    pub value: Number,
}

/// A process slot and who has it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Process {
    /// The slot.
    pub slot: u64,
    /// How often the slot was taken.
    pub incarnation: u64,
    /// Is the owner alive? As of the last [`Reader::refresh_owners`]; a newer incarnation counts as alive.
    pub alive: bool,
    /// The owner's role; empty if it gave none.
    pub role: Arc<str>,
    /// Process id as its owner sees it.
    pub pid: u64,
    /// Inode of its pid namespace.
    pub pid_namespace: u64,
    /// Start of the process in clock ticks since boot.
    pub start_ticks: u64,
    /// When the slot was claimed, nanoseconds since 1970.
    pub claimed_ns: u64,
    /// Its command line, shortened.
    pub command: Arc<str>,
    /// Lanes that belong to it.
    pub lanes: u64,
    /// What this incarnation counted in the lanes it has now: index into [`Snapshot::series`] and value. Filled only if asked for
    /// ([`Reader::per_process`]). What it counted in the shared lane, or in lanes it gave back, is not in it.
    pub values: Vec<(usize, PerProcess)>,
    /// The last values that this incarnation recorded in the lanes it has now: index into [`Snapshot::series`] and samples. Filled
    /// with [`values`](Self::values), which says where they belong among these.
    pub samples: Vec<(usize, Samples)>,
    /// What this incarnation added to groups in the lanes it has now, as [`samples`](Self::samples).
    pub groups: Vec<(usize, Group)>,
}

/// One process' part of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum PerProcess {
    /// Counter: since the process took its lanes.
    Counter(Number),
    /// Gauge: its value. Of what is in flight: how many of the keys it works on.
    Gauge(Number),
    /// Time mark: nanoseconds since 1970.
    TimeMark(u64),
    /// State: the number of its status, which [`ProcessState::name`] says, and its streak.
    State {
        /// The number of its status.
        number: u8,
        /// How often in a row it was set.
        streak: u64,
    },
    /// Histogram: since the process took its lanes, sum in the exported unit.
    Histogram {
        /// Observations.
        count: u64,
        /// Their sum.
        sum: f64,
    },
    /// Samples: place in [`Process::samples`].
    Samples(usize),
    /// A group: place in [`Process::groups`].
    Group(usize),
}

/// What could not be done as asked, counted by cause over all processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Losses {
    /// Times a thread wanted a lane and none was free. Nothing is lost: it counted in the shared lane.
    pub lanes_exhausted: u64,
    /// Times a process wanted a slot and none was free: its gauges are dropped.
    pub slots_exhausted: u64,
    /// Times storage could not be allocated. Nothing is lost: the shared lane was used.
    pub storage_refused: u64,
    /// Times the budget was used up. Nothing is lost: the shared lane was used.
    pub budget_refused: u64,
    /// Gauge writes dropped.
    pub gauge_writes_dropped: u64,
    /// Uses of label sets for which no series could be registered, because a capacity is used up. Nothing is lost: they are counted in their family's overflow series.
    pub label_sets_refused: u64,
    /// Uses of label sets beyond their family's limit. Nothing is lost: they are counted in its overflow series.
    pub label_sets_overflowed: u64,
    /// Histograms found damaged and mended.
    pub anomalies: u64,
    /// Registrations of a series or a family that were refused because a capacity is used up, the storage is short, or the family is
    /// of another kind: their callers got an error. Segments of version 1 do not count them.
    pub registrations_refused: u64,
    /// Errors that found no entry in the error log. Segments of version 1 have none.
    pub errors_lost: u64,
}

/// What takes its course without loss: the dead, and who takes over from them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// Lanes and process slots that were taken over from a dead owner, ever. Segments of version 1 do not count them.
    pub adoptions: u64,
    /// Process slots whose owner is dead, as of the last [`Reader::refresh_owners`], and which nobody has taken over yet.
    pub dead_slots: u64,
    /// Lanes whose owner is dead, and which nobody has taken over yet. What they counted is in all sums.
    pub dead_lanes: u64,
    /// Entries of the error log that are left out because they are damaged.
    pub errors_damaged: u64,
}

/// An error in the error log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorEntry {
    /// Its text. It comes from outside: escape it for whatever it is put into. Shared between snapshots.
    pub message: Arc<str>,
    /// How often it was logged.
    pub count: u64,
    /// When it was first logged, nanoseconds since 1970.
    pub first_seen_ns: u64,
    /// When it was last logged, nanoseconds since 1970.
    pub last_seen_ns: u64,
    /// The text was longer than an entry has room for.
    pub truncated: bool,
}

/// How a reader fared since it was opened, and those before it that it follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReaderHealth {
    /// Snapshots and cuts taken.
    pub snapshots: u64,
    /// Attempts to read a histogram of one lane that a writer overtook. They are made again, a bounded number of times.
    pub torn_reads: u64,
    /// Histograms and windows that were shown [bounded](Quality::Bounded).
    pub bounded_results: u64,
    /// Times that the segment was replaced and opened again ([`Reader::follow`]).
    pub reopened: u64,
}

/// How much of a capacity is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Used {
    /// In use.
    pub used: u64,
    /// In all.
    pub capacity: u64,
}

/// How full every capacity is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fill {
    /// Process slots with a live owner.
    pub process_slots: Used,
    /// Lanes with a live owner.
    pub lanes: Used,
    /// Lanes that were ever used.
    pub lanes_touched: u64,
    /// Families and series together.
    pub records: Used,
    /// Bytes of text.
    pub text: Used,
    /// Counter words.
    pub counters: Used,
    /// Gauge cells.
    pub gauges: Used,
    /// Bytes of blocks per lane.
    pub blocks: Used,
    /// Entries of the error log.
    pub errors: Used,
    /// Bytes committed after creation, against the budget.
    pub committed: Used,
}

/// A record that a reader passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skipped {
    /// Number of the record.
    pub record: u64,
    /// Why.
    pub reason: RecordError,
}
