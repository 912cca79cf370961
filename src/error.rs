//! Every error of the library: what was found, what was expected, what to do.

use std::io;
use std::path::PathBuf;

pub use crate::buckets::BoundsError;
pub use crate::layout::error::LayoutError;
pub use crate::layout::error::RecordError;
pub use crate::layout::group::FieldsError;
pub use crate::layout::kind::{Kind, Merge};
pub use crate::layout::labels::LabelError;
pub use crate::layout::statuses::StatusError;

/// Why a segment cannot be created or opened, for writing or for reading.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The name is empty, too long, or has a character that names cannot have.
    #[error("{name:?} is no segment name: {reason}; use a plain name, a path with a slash, or shm:NAME")]
    BadName {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The role is too long.
    #[error("the role {role:?} has {found} bytes, at most {most} are allowed; shorten it")]
    RoleLength {
        /// The role.
        role: String,
        /// Its bytes.
        found: usize,
        /// The limit.
        most: usize,
    },
    /// No folder for plain names is usable.
    #[error(
        "no folder for the segment {name:?} is usable ({tried}); set SHMETRICS_DIR to a writable folder on tmpfs, or give a path"
    )]
    NoFolder {
        /// The segment's name.
        name: String,
        /// The folders tried, each with its reason.
        tried: String,
    },
    /// The folder of the path does not exist.
    #[error("the folder {} does not exist; create it, or give another path", folder.display())]
    MissingFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// There is no segment.
    #[error("there is no segment at {}; start a worker, or create one with `shmetrics create`", path.display())]
    NotFound {
        /// The path.
        path: PathBuf,
    },
    /// There is one already.
    #[error("a segment at {} exists already; open it, or retire it first", path.display())]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// Somebody else is replacing it.
    #[error("{} was being replaced by others for two seconds; try again", path.display())]
    Replacing {
        /// The path.
        path: PathBuf,
    },
    /// The file or its folder may not be used.
    #[error("no permission to {operation} {}; run as its owner or group, or create the segment with another mode", path.display())]
    Permission {
        /// What was attempted.
        operation: &'static str,
        /// The path.
        path: PathBuf,
    },
    /// The file system is mounted read-only.
    #[error(
        "cannot {operation} {}: its file system is mounted read-only; mount it writable, or give another path (reading works)",
        path.display()
    )]
    ReadOnlyFileSystem {
        /// What was attempted.
        operation: &'static str,
        /// The path.
        path: PathBuf,
    },
    /// Not a regular file, or a link.
    #[error("{} is {found}, expected a regular file; a segment is never a link, a folder or a device", path.display())]
    WrongFileType {
        /// The path.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// The default folder is not safe to use.
    #[error("the folder {} is not safe: {reason}; remove it, or set SHMETRICS_DIR", path.display())]
    UnsafeFolder {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A network or userspace file system.
    #[error(
        "{} is on {file_system}: {reason}; put the segment on tmpfs (for example /dev/shm) or on a local disk", path.display()
    )]
    FileSystem {
        /// The path.
        path: PathBuf,
        /// The file system.
        file_system: &'static str,
        /// Why it cannot be used.
        reason: &'static str,
    },
    /// RLIMIT_FSIZE is smaller than the segment: extending the file would kill the process by SIGXFSZ.
    #[error(
        "the file-size limit (RLIMIT_FSIZE) is {limit} bytes, the segment needs {needed}; raise the limit, or use the compact preset"
    )]
    FileSizeLimit {
        /// The limit.
        limit: u64,
        /// Bytes of the segment.
        needed: u64,
    },
    /// `mlockall(MCL_FUTURE)` is in force: mapping the sparse file would allocate all of it.
    #[error(
        "all future memory of this process is locked (mlockall with MCL_FUTURE), so mapping the segment would allocate its \
         {needed} bytes; open the segment before mlockall, or use the compact preset ({compact} bytes) and allow it"
    )]
    LockedMemory {
        /// Bytes of the segment.
        needed: u64,
        /// Bytes of a compact one.
        compact: u64,
    },
    /// The storage is full.
    #[error("no room for the {needed} bytes a segment needs at creation at {}; free space, or use the compact preset", path.display())]
    StorageFull {
        /// The path.
        path: PathBuf,
        /// Bytes needed at once.
        needed: u64,
    },
    /// The segment cannot be mapped: a limit of this process. It needs as much as the file is long, of addresses, not of memory.
    #[error(
        "this process has no address space left to map {}; raise the limit (ulimit -v), or use the compact preset", path.display()
    )]
    AddressSpace {
        /// The path.
        path: PathBuf,
    },
    /// The file is not a segment, or one that this library cannot use.
    #[error("{}: {source}", path.display())]
    Layout {
        /// The path.
        path: PathBuf,
        /// What is wrong.
        source: LayoutError,
    },
    /// The segment was given up or replaced.
    #[error("the segment {} is retired; open its name again", path.display())]
    Retired {
        /// The path.
        path: PathBuf,
    },
    /// Pages of the file were gone although it has its length; only told where [`crate::sigbus`] guards.
    #[error(
        "pages of {} are gone, although it has its length: it was truncated and extended again, or its storage fails; make a new one",
        path.display()
    )]
    Lost {
        /// The path.
        path: PathBuf,
    },
    /// Another creator did not finish in time (`shm:` only).
    #[error(
        "the segment {} was not published within {waited_ms} ms; its creator is stopped: continue or end it, or remove the name",
        path.display()
    )]
    Unpublished {
        /// The path.
        path: PathBuf,
        /// How long was waited.
        waited_ms: u64,
    },
    /// This process uses as many segments as it can.
    #[error("this process has {limit} segments open, the most it can; drop one first")]
    TooManySegments {
        /// The limit.
        limit: usize,
    },
    /// `shm:` without the feature.
    #[error(
        "{name:?} needs the feature `named` of the shmetrics crate; enable it, or use a path under /dev/shm"
    )]
    NamedUnsupported {
        /// The name.
        name: String,
    },
    /// Any other failure of the operating system.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        operation: &'static str,
        /// The path.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
}

/// Why a series or family cannot be registered.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// The name is empty or too long.
    #[error("the name {name:?} has {found} bytes, expected 1 to {most}; shorten it")]
    NameLength {
        /// The name.
        name: String,
        /// Its bytes.
        found: usize,
        /// The limit.
        most: usize,
    },
    /// Help or unit is too long.
    #[error("the {field} of {name:?} has {found} bytes, at most {most} are allowed; shorten it")]
    TextLength {
        /// Which text.
        field: &'static str,
        /// The family.
        name: String,
        /// Its bytes.
        found: usize,
        /// The limit.
        most: usize,
    },
    /// The labels cannot be used.
    #[error("{name}: {source}")]
    Labels {
        /// The family.
        name: String,
        /// What is wrong.
        source: LabelError,
    },
    /// The classic bounds cannot be used.
    #[error("{name}: {source}")]
    Bounds {
        /// The family.
        name: String,
        /// What is wrong.
        source: BoundsError,
    },
    /// Exponential bucket parameters or ring slots outside their limits.
    #[error(
        "{name}: scale {scale}, range 2^{low} to 2^{high}, {ring_slots} ring slots are outside the limits; \
         allowed are scales 0 to 7, -1022 <= low < high <= 1023, at most 8194 buckets and 64 ring slots"
    )]
    Buckets {
        /// The family.
        name: String,
        /// The scale.
        scale: u8,
        /// Exponent of the range's start.
        low: i16,
        /// Exponent of the range's end.
        high: i16,
        /// Ring slots.
        ring_slots: u8,
    },
    /// The parameters of an events series cannot be used.
    #[error("{name}: {reason}")]
    Events {
        /// The family.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A series of samples that would show none, or too many.
    #[error("{name}: {found} samples are to be kept, allowed are 1 to {most}")]
    Samples {
        /// The family.
        name: String,
        /// How many were asked for.
        found: u64,
        /// The limit.
        most: u64,
    },
    /// No text can be so long.
    #[error("{name}: a text of at most {found} bytes, expected 1 to {most}")]
    TextCapacity {
        /// The family.
        name: String,
        /// The capacity that was asked for.
        found: u64,
        /// The largest.
        most: u64,
    },
    /// A group cannot have these fields.
    #[error("{name}: {source}")]
    Fields {
        /// The family.
        name: String,
        /// What is wrong with them.
        source: FieldsError,
    },
    /// So many keys cannot be in flight.
    #[error("{name}: a capacity of {found} keys in flight, expected 1 to {most}")]
    Entries {
        /// The family.
        name: String,
        /// The capacity that was asked for.
        found: u64,
        /// The largest.
        most: u64,
    },
    /// The family exists with another kind, unit or merge rule.
    #[error(
        "{name} is registered as {existing}, this call wants {wanted}; a family has one kind, unit and merge rule: \
         use the same, or another name"
    )]
    Conflict {
        /// The family.
        name: String,
        /// What the segment has.
        existing: String,
        /// What was asked for.
        wanted: String,
    },
    /// The segment was made for writers that do not know this kind.
    #[error(
        "{name}: the segment has no series of kind {kind}, as writers that do not know them may use it; \
         create a new segment, of format version 2 (with an error log or reset tables)"
    )]
    NoStatistics {
        /// The family.
        name: String,
        /// The kind.
        kind: &'static str,
    },
    /// A table of the segment is full.
    #[error(
        "{name}: the segment has no room for another {what} ({capacity} in all); create it with a larger `{option}`"
    )]
    Full {
        /// The family.
        name: String,
        /// What is used up.
        what: &'static str,
        /// How many there are.
        capacity: u64,
        /// The option that enlarges it.
        option: &'static str,
    },
    /// Storage for the series' cell in the shared lane cannot be allocated.
    #[error(
        "{name}: no storage for the series: {reason}; free space in the file system, or raise the budget"
    )]
    Storage {
        /// The family.
        name: String,
        /// The cause.
        reason: String,
    },
    /// The statuses of a state are wrong.
    #[error("{name}: {source}")]
    Statuses {
        /// The family.
        name: String,
        /// What is wrong.
        source: StatusError,
    },
    /// The tables are damaged.
    #[error("{name}: the segment's {what} is damaged; retire the segment")]
    Damaged {
        /// The family.
        name: String,
        /// Which part.
        what: &'static str,
    },
    /// A family was given a wrong number of label names.
    #[error("{name}: a family needs 1 to 32 distinct label names")]
    LabelNames {
        /// The family.
        name: String,
    },
}

/// Why there is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// The segment was retired or replaced: its ids are its successor's to give.
    #[error(
        "the segment has given {given} ids and gives no more: it was retired or replaced; open it again by its name"
    )]
    Closed {
        /// Ids that it has given, at most.
        given: u64,
    },
    /// The segment does nothing.
    #[error("a segment that does nothing gives no ids; see why by `noop_reason`")]
    Noop,
}

/// Why a snapshot cannot be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file became shorter under the reader.
    #[error("{} was truncated to {found} bytes, expected {expected}; open it again", path.display())]
    Truncated {
        /// The path.
        path: PathBuf,
        /// Bytes now.
        found: u64,
        /// Bytes of the segment.
        expected: u64,
    },
    /// Pages of the file were gone although it has its length; only told where [`crate::sigbus`] guards.
    #[error(
        "pages of {} are gone, although it has its length: it was truncated and extended again, or its storage fails; make a new one",
        path.display()
    )]
    Lost {
        /// The path.
        path: PathBuf,
    },
    /// Liveness cannot be asked for.
    #[error("cannot ask who owns {}: {source}", path.display())]
    Owners {
        /// The path.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
}

/// Why series cannot be reset. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResetError {
    /// The segment cannot be opened for writing.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The segment cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The segment was made without room for it.
    #[error(
        "the segment {} has no reset tables (format version {version}); retire it and create it anew with 2 reset tables", path.display()
    )]
    NoTables {
        /// The path.
        path: PathBuf,
        /// Version of the segment's format.
        version: u64,
    },
    /// Somebody else does.
    #[error("another reset of {} is under way; try again when it is done", path.display())]
    UnderWay {
        /// The path.
        path: PathBuf,
    },
    /// Storage for the baselines cannot be allocated.
    #[error("no storage for the baselines of {}: {reason}; free space in the file system, or create the segment with a larger budget", path.display())]
    Storage {
        /// The path.
        path: PathBuf,
        /// The cause.
        reason: &'static str,
    },
}
