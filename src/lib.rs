//! Metrics in shared memory.
//!
//! Worker processes count, set and record into one mapped file at the cost of a plain memory add: no lock, no lock prefix, no system
//! call. A reader maps the same file read-only and tells the truth about all of them together, also about those that were killed.
//!
//! ```
//! use shmetrics::{Merge, Reader, Segment, Unit};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = std::env::temp_dir().join(format!("shmetrics-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! # let app = folder.join("app").display().to_string();
//! # let app = app.as_str();
//! // In every worker: a name, or a path.
//! let segment = Segment::open_or_create(app)?;
//! let requests = segment.counter("http_requests_total").help("Requests served").label("method", "GET").register()?;
//! let depth = segment.gauge("queue_depth").merge(Merge::Sum).register()?;
//! let latency = segment.histogram("http_request_duration_seconds").unit(Unit::Seconds).register()?;
//! requests.inc();
//! requests.add(3);
//! depth.set(7);
//! {
//!     let _timer = latency.start_timer();
//! }
//!
//! // In the sidecar, or anywhere.
//! let mut reader = Reader::open(app)?;
//! let snapshot = reader.snapshot()?;
//! assert_eq!(snapshot.find("http_requests_total", &[("method", "GET")]).unwrap().value, shmetrics::Value::CounterU64(4));
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok(())
//! # }
//! ```
//!
//! # The house
//!
//! Each layer uses only those above it in this list.
//!
//! ```text
//!  0  sync         the only file that names core atomics or loom's
//!  1  layout/      offsets, sizes, geometry, records: pure
//!  2  buckets/     value <-> bucket index: pure
//!  3  map          the only file that maps memory                            unsafe
//!     sigbus       readers survive that a file is truncated, if asked to     unsafe
//!  4  words        bytes -> words, proven once                               unsafe
//!  5  protocol/    the algorithms, over words; loom runs them on the heap
//!  6  segment/     create, open; process slots, lanes, liveness, fork        unsafe where it calls the system
//!  7  instrument/  counter, gauge, histogram, family: the handles
//!  8  snapshot/    plain data, merge rules, and the reader that fills it
//!  9  reset        a baseline that readers subtract
//! 10  verify/      the full check of a segment against SPEC.md
//! 11  dump/        every committed word of a segment, with its name and meaning
//! 12  stats/       ready-made statistics, on public handles only             unsafe in one table
//! ```
//!
//! `SPEC.md` is the format, byte by byte; `DESIGN.md` says why it is so.
//!
//! # Features
//!
//! * `log` (default): one warning through the `log` facade when [`OrNoop::or_noop`] hides a failure.
//! * `serde`: [`Snapshot`] serialises to the JSON schema of the `shmetrics` binary.
//! * `stats`: ready-made statistics ([`stats`]).
//! * `named`: segments by POSIX shared-memory name (`shm:NAME`).

#[cfg(not(all(target_os = "linux", target_pointer_width = "64", target_has_atomic = "64")))]
compile_error!(
    "shmetrics needs Linux on a 64-bit target: lanes are owned through open-file-description locks, and readers rely on 8-byte \
     relaxed loads from read-only pages, which Rust guarantees on 64-bit targets only"
);

/// How random tests are run, shared with those in tests/.
#[cfg(test)]
#[path = "../tests/support/random.rs"]
mod random;

#[doc(hidden)]
pub mod sync;

pub mod layout;

pub mod buckets;

#[cfg(not(shmetrics_loom))]
mod map;

#[cfg(not(shmetrics_loom))]
pub mod sigbus;

#[doc(hidden)]
pub mod words;

#[doc(hidden)]
pub mod protocol;

#[cfg(not(shmetrics_loom))]
pub mod error;

#[cfg(not(shmetrics_loom))]
pub mod segment;

#[cfg(not(shmetrics_loom))]
pub mod instrument;

#[cfg(not(shmetrics_loom))]
pub mod snapshot;

#[cfg(not(shmetrics_loom))]
pub mod reset;

#[cfg(not(shmetrics_loom))]
pub mod verify;

#[cfg(not(shmetrics_loom))]
pub mod dump;

#[cfg(all(feature = "stats", not(shmetrics_loom)))]
pub mod stats;

#[cfg(not(shmetrics_loom))]
pub use api::*;

/// Events: what happened when, with named fields. Written through [`Events`](events::Events), read by
/// [`Reader::events`](snapshot::Reader::events).
#[cfg(not(shmetrics_loom))]
pub mod events {
    pub use crate::instrument::{EventValue as Value, EventWriter, Events, EventsBuilder};
    pub use crate::layout::events::{EventField, EventKind, FieldKind};
    pub use crate::snapshot::events::{
        CursorError, Event, EventBatch, EventCursor, EventTotals, FieldValue, Since, WrittenBy,
    };
}

#[cfg(not(shmetrics_loom))]
mod api {
    pub use crate::error::{IdError, OpenError, ReadError, RegisterError, ResetError};
    pub use crate::instrument::{
        BoundCounter, BoundHistogram, Counter, Family, FloatCounter, FloatGauge, FloatHistogram, Gauge,
        Group, Histogram, InFlight, InFlightToken, Number, Samples, State, Text, TimeMark, Timer,
    };
    pub use crate::layout::kind::{Kind, Merge};
    pub use crate::segment::{BlockIds, OrNoop, Preset, Segment, SegmentOptions, Unit, monotonic_ns};
    pub use crate::snapshot::{Reader, Snapshot, Value};
}
