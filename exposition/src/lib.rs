//! Snapshots of shmetrics segments in the formats that monitoring systems scrape.
//!
//! | format | module |
//! |---|---|
//! | Prometheus text 0.0.4 and 1.0.0, OpenMetrics text 0.0.1 and 1.0.0 | `text` |
//! | Prometheus protobuf, delimited, with native histograms | `protobuf` |
//! | lines for people and scripts | `lines` |
//!
//! [`negotiate`] turns an `Accept` header into a [`Choice`], an [`Encoder`] turns snapshots into bytes. HTTP, compression and time
//! limits are the server's.
//!
//! # What is told
//!
//! * No timestamps: what is told is what is now. Counters and histograms have start times (`_created` in OpenMetrics,
//!   `created_timestamp` in protobuf): when the series was registered in its segment, or last reset.
//!   A segment that takes another's place has later ones, so that it is seen that its counts began anew.
//! * A counter's name ends with `_total` in every format, whether or not it does in the segment, so that a series has one name
//!   whatever was negotiated.
//! * A gauge with one value per process has the label `process`: its role, or `slot-N`; where several live processes have one role,
//!   the label `slot` tells them apart. A gauge that nobody has set is not told.
//! * Histograms have classic buckets that end where their own buckets end ([`Bounds`]), so that every count is exact; in protobuf
//!   also, or only, native ones. What exceeds the range is in `+Inf` only. Values that were no observation are in no bucket, sum
//!   or count. OpenMetrics allows a sum and a count only if the sum cannot go down: they are missing where values may be negative.
//! * Names: see `resolve`. What is not plain is escaped or quoted as negotiated; no two series come out equal; what cannot be told
//!   apart is left out and counted ([`LeftOut`]).

mod basis;
mod bounds;
mod constants;
mod each;
mod encoder;
mod filter;
mod lines;
mod name;
mod negotiate;
mod number;
mod protobuf;
mod resolve;
mod text;

pub use self::bounds::Bounds;
pub use self::encoder::{Encoder, Extra, ExtraKind, LeftOut, Options, Sample, SegmentLabel, Source};
pub use self::filter::Filter;
pub use self::lines::{Figure, figures, lines};
pub use self::name::Escaping;
pub use self::negotiate::{Choice, Format, negotiate};

use shmetrics::Snapshot;

/// One snapshot, once, with the default options. Who does that again and again keeps an [`Encoder`].
pub fn encode(snapshot: &Snapshot, choice: Choice) -> Vec<u8> {
    let mut out = Vec::new();
    let source = Source { name: "", snapshot };
    Encoder::new(Options::default()).encode(&[source], &[], choice, Filter::all(), &mut out);
    out
}
