//! The reader: opens a segment read-only, validates it once, and fills snapshots from it.
//!
//! The header is copied and validated into a private [`Geometry`]; afterwards every shared word is loaded once, its copy is validated,
//! and only the copy is used. Loops are bounded by the geometry. A snapshot makes no system call (the clocks are read through the
//! vDSO), takes no lock and, once it is warm, allocates nothing. What needs the kernel is a step of its own: liveness
//! ([`Reader::refresh_owners`]) and whether the name leads elsewhere ([`Reader::replaced`]).

mod counters;
mod directory;
mod events;
mod fill;
#[cfg(test)]
mod fixture;
mod levels;
mod process;
mod reset;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use self::fill::Sums;
pub(crate) use self::reset::{Baseline, Cell as BaselineCell};
use super::baseline::Baselines;
use super::catalog::Catalog;
use super::errors::ErrorLog;
use super::lanes::{Lane, Memory, Scratch};
use super::owners::Owners;
use super::prefix::Prefix;
use super::{Histogram, Quality, ReaderHealth, SegmentFacts, Snapshot, Value};
use crate::error::{LayoutError, OpenError, ReadError};
use crate::layout::header::RETIRED_OFFSET;
use crate::map::Mapping;
use crate::segment::file_system::FileSystem;
use crate::segment::host;
use crate::segment::open::{Access, read_header};

/// Keys in flight that are listed of a series unless asked otherwise.
const IN_FLIGHT_ENTRIES: usize = 100;

/// Reads one segment, without ever disturbing its writers. Cost of a snapshot: every touched cell is copied once, so some
/// microseconds for a hundred series and a dozen threads; memory: one copy of each histogram of each lane.
pub struct Reader {
    file: File,
    /// Some of the head has no storage, which no creator leaves: before records are loaded, it is asked which have.
    head_has_holes: bool,
    mapping: Mapping,
    facts: Arc<SegmentFacts>,
    catalog: Catalog,
    baselines: Baselines,
    owners: Owners,
    taken_lanes: Prefix,
    lanes: Vec<Lane>,
    memories: Vec<Memory>,
    sums: Sums,
    scratch: Scratch,
    errors: ErrorLog,
    health: ReaderHealth,
    per_process: bool,
    in_flight_entries: usize,
    clocks: Option<Clocks>,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

impl Reader {
    /// Opens the segment of this name, path or `shm:` name.
    pub fn open(place: impl AsRef<str>) -> Result<Reader, OpenError> {
        Reader::open_path(&crate::segment::place::resolve_existing(place.as_ref())?)
    }

    /// Opens the segment in the file at `path`, read-only, and asks once who is alive.
    pub fn open_path(path: &Path) -> Result<Reader, OpenError> {
        host::learn_time_namespace();
        crate::segment::open::wait_until_published(path, || Reader::open_now(path))
    }

    fn open_now(path: &Path) -> Result<Reader, OpenError> {
        let (file, length, file_system) = crate::segment::open::open_file_read_only(path)?;
        Reader::of(file, length, file_system, path)
    }

    /// Reads the segment in a file that is open, whatever its path leads to by now.
    pub(crate) fn of_file(file: File, file_system: FileSystem, path: &Path) -> Result<Reader, OpenError> {
        let length = file
            .metadata()
            .map_err(|error| host::file_error("examine", path, error))?
            .len();
        Reader::of(file, length, file_system, path)
    }

    fn of(file: File, length: u64, file_system: FileSystem, path: &Path) -> Result<Reader, OpenError> {
        let (geometry, origin, version) = read_header(&file, length, path, Access::Read)?;
        let failed = |operation| {
            move |source| OpenError::Io {
                operation,
                path: path.to_owned(),
                source,
            }
        };
        let mapping = Mapping::read_only(&file, geometry.file_length)
            .map_err(|error| host::file_error(host::MAP, path, error))?;
        let mut reader = Reader {
            head_has_holes: crate::segment::open::head_has_holes(&file, file_system, &geometry),
            file,
            mapping,
            facts: Arc::new(SegmentFacts {
                path: path.to_owned(),
                geometry,
                origin,
                version,
            }),
            catalog: Catalog::default(),
            baselines: Baselines::default(),
            owners: Owners::new(&geometry),
            taken_lanes: Prefix::default(),
            lanes: Vec::new(),
            memories: Vec::new(),
            sums: Sums::default(),
            scratch: Scratch::default(),
            errors: ErrorLog::default(),
            health: ReaderHealth::default(),
            per_process: false,
            in_flight_entries: IN_FLIGHT_ENTRIES,
            clocks: None,
        };
        match reader.refresh_owners() {
            Ok(()) => Ok(reader),
            Err(ReadError::Truncated { found, expected, .. }) => Err(OpenError::Layout {
                path: path.to_owned(),
                source: LayoutError::Truncated { found, expected },
            }),
            Err(ReadError::Lost { path }) => Err(OpenError::Lost { path }),
            Err(ReadError::Owners { source, .. }) => Err(failed("ask who owns")(source)),
        }
    }

    /// A new snapshot. To take many, reuse one with [`snapshot_into`](Self::snapshot_into).
    pub fn snapshot(&mut self) -> Result<Snapshot, ReadError> {
        let mut snapshot = Snapshot::default();
        self.snapshot_into(&mut snapshot)?;
        Ok(snapshot)
    }

    /// Fills `snapshot` with what the segment says now. No system call, no lock; no allocation once reader and snapshot are warm. (One
    /// system call for a file that claims more than it has storage for: there it must be asked what may be loaded.)
    ///
    /// In a sequence of snapshots of one reader no counter and no count of a histogram ever goes down (classic histograms whose
    /// bounds were changed start anew, with a new start time).
    ///
    /// Who is alive is as of the last [`refresh_owners`](Self::refresh_owners), which is to be called about once a second. Until then gauges,
    /// states and what is in flight of processes that start in their hundreds at one moment may be missing; counters and histograms never are.
    ///
    /// # Errors
    ///
    /// Parts of the file are gone, and [`crate::sigbus`] guards; without the guard the process is ended by SIGBUS. What the snapshot
    /// then holds means nothing. Open the segment again.
    pub fn snapshot_into(&mut self, snapshot: &mut Snapshot) -> Result<(), ReadError> {
        self.fill(snapshot, View::Live, self.now());
        self.check_lost()
    }

    /// A snapshot whose histograms end with the last closed epoch in every lane, so that they belong together.
    ///
    /// Counters and gauges have no epochs: they are read live, as are histograms without ring slots and what was recorded in the
    /// shared lane; a histogram is exact if these reads were. In a sequence of cuts of one reader no count goes down; a cut may show
    /// less than a live snapshot before it.
    pub fn cut(&mut self) -> Result<Snapshot, ReadError> {
        let mut snapshot = Snapshot::default();
        self.cut_into(&mut snapshot)?;
        Ok(snapshot)
    }

    /// As [`cut`](Self::cut), into a snapshot that is reused.
    pub fn cut_into(&mut self, snapshot: &mut Snapshot) -> Result<(), ReadError> {
        self.fill(snapshot, View::Cut, self.now());
        self.check_lost()
    }

    /// A snapshot whose histograms hold only what was recorded in a closed window that ends with the last epoch: the shortest
    /// window that is at least `seconds` long, or else the longest. The chosen window is the only one left in
    /// [`Histogram::windows`], with its true length. A histogram without windows is empty and bounded by its count. Least, greatest
    /// and invalid values are not known of a window. Everything that is no histogram is as in [`snapshot`](Self::snapshot).
    pub fn window(&mut self, seconds: f64) -> Result<Snapshot, ReadError> {
        let mut snapshot = Snapshot::default();
        self.fill(&mut snapshot, View::Window, self.now());
        self.check_lost()?;
        for series in &mut snapshot.series {
            if let Value::Histogram(histogram) = &mut series.value {
                keep_window(histogram, seconds);
            }
        }
        Ok(snapshot)
    }

    /// Asks the kernel which owners are alive, and whether the file still has its length. A few system calls; call it about once a
    /// second. The answers hold until the next call; owners that came since count as alive.
    pub fn refresh_owners(&mut self) -> Result<(), ReadError> {
        self.check_length()?;
        let failed = |source| ReadError::Owners {
            path: self.facts.path.clone(),
            source,
        };
        self.taken_lanes.look_at_all();
        self.owners
            .refresh(self.mapping.read_words(), &self.facts.geometry, self.file.as_fd())
            .map_err(failed)?;
        self.check_lost()
    }

    /// Fails if the file is shorter than its segment.
    fn check_length(&self) -> Result<(), ReadError> {
        let path = || self.facts.path.clone();
        let expected = self.facts.geometry.file_length;
        match self.file.metadata().map(|metadata| metadata.len()) {
            Ok(found) if found < expected => Err(ReadError::Truncated {
                path: path(),
                found,
                expected,
            }),
            Ok(_) => Ok(()),
            Err(source) => Err(ReadError::Owners { path: path(), source }),
        }
    }

    /// Fails if zeros were read in place of pages that are gone.
    pub(crate) fn check_lost(&self) -> Result<(), ReadError> {
        if !self.mapping.is_lost() {
            return Ok(());
        }
        self.check_length()?;
        Err(ReadError::Lost {
            path: self.facts.path.clone(),
        })
    }

    /// Shall snapshots tell what each process counted ([`Process::values`](super::Process::values))? Off at first; costs another
    /// pass over the lanes.
    pub fn per_process(&mut self, wanted: bool) -> &mut Self {
        self.per_process = wanted;
        self
    }

    /// How many of the keys in flight of a series shall snapshots list ([`InFlight::entries`](super::InFlight::entries)), oldest first? 100 at
    /// first.
    pub fn in_flight_entries(&mut self, most: usize) -> &mut Self {
        self.in_flight_entries = most;
        self
    }

    /// Takes snapshots as of these clocks, or, with `None`, of the machine's again. For a copy of a segment that is read later or on
    /// another machine, whose time windows ended long ago, and for tests. The clocks say what is the last closed window and the
    /// time of the snapshot; who is alive is asked of the machine all the same.
    pub fn as_of(&mut self, clocks: Option<Clocks>) -> &mut Self {
        self.clocks = clocks;
        self
    }

    fn now(&self) -> Clocks {
        self.clocks.unwrap_or_else(Clocks::read)
    }

    /// Was the segment retired, or does its path lead to another file by now? Then open it again. One system call at most.
    pub fn replaced(&self) -> bool {
        let retired = self.mapping.read_words().load((RETIRED_OFFSET / 8) as usize) != 0;
        retired || !self.is_at_its_path()
    }

    /// Says that this reader goes on for another one, whose segment was [`replaced`](Self::replaced) and which fared like this
    /// ([`health`](Self::health)): its numbers go on from there, and one more is opened again.
    pub fn follow(&mut self, before: ReaderHealth) {
        self.health = ReaderHealth {
            reopened: before.reopened + 1,
            ..before
        };
    }

    /// How this reader fared since it was opened, and those before it that it [follows](Self::follow): what it had to read again, and what it could only bound.
    pub fn health(&self) -> ReaderHealth {
        self.health
    }

    fn is_at_its_path(&self) -> bool {
        let (Ok(there), Ok(ours)) = (std::fs::symlink_metadata(&self.facts.path), self.file.metadata())
        else {
            return false;
        };
        (there.dev(), there.ino()) == (ours.dev(), ours.ino())
    }

    /// What the segment is and how it is laid out.
    pub fn facts(&self) -> &SegmentFacts {
        &self.facts
    }

    /// Where the segment is.
    pub fn path(&self) -> &Path {
        &self.facts.path
    }

    /// Bytes of storage that the file really takes. One system call; 0 if that fails.
    pub fn committed_blocks_bytes(&self) -> u64 {
        // stat(2): "st_blocks ... in 512-byte units", whatever the file system's block size.
        self.file.metadata().map_or(0, |metadata| metadata.blocks() * 512)
    }
}

/// What of the histograms is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    Live,
    Cut,
    /// Only windows: what a reset subtracts is not subtracted, so that the count bounds what a window may have.
    Window,
}

fn keep_window(histogram: &mut Histogram, seconds: f64) {
    let windows = &mut histogram.windows;
    // Shortest first; a margin, because lengths are products of floats.
    let long_enough = |length: f64| length >= seconds * (1.0 - 1e-9);
    let chosen = windows.iter().position(|window| long_enough(window.seconds));
    let chosen = chosen.unwrap_or(windows.len().saturating_sub(1));
    windows.truncate(chosen + 1);
    windows.drain(..chosen.min(windows.len()));
    (histogram.min, histogram.max, histogram.invalid) = (None, None, 0);
    if let Some(window) = windows.first() {
        (histogram.count, histogram.sum) = (window.count, window.sum);
        histogram.counts.clone_from(&window.counts);
        histogram.quality = window.quality;
    } else {
        if histogram.count > 0 {
            histogram.quality = Quality::Bounded {
                error: histogram.count,
            };
        }
        (histogram.count, histogram.sum) = (0, 0.0);
        histogram.counts.fill(0);
    }
}

/// Both clocks that a snapshot needs, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// Wall clock, since 1970: the time of the snapshot.
    pub wall_ns: u64,
    /// `CLOCK_MONOTONIC`: decides which time windows are closed.
    pub monotonic_ns: u64,
}

impl Clocks {
    /// The machine's, now.
    pub fn read() -> Clocks {
        Clocks {
            wall_ns: host::wall_ns(),
            monotonic_ns: host::monotonic_ns(),
        }
    }
}
