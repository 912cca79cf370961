//! Layer 2, pure: which bucket a value falls into, where buckets begin and end, and what they say
//! about quantiles.
//!
//! No atomics, no I/O, no `unsafe`; only [`Classic`] allocates, once. Writers use an [`Indexer`]
//! per record, readers use bounds, downscaling ([`Exponential::common`],
//! [`Exponential::target_index`]) and [`quantile`].
//!
//! The bucket line of [`Exponential`] with N = 2^scale buckets per octave. Every bucket includes
//! its upper bound, not its lower:
//!
//! ```text
//!             low bucket      one octave: N buckets               overflow
//!           ├────────────┤├──────┬──────┬── … ──┤├── … ──┤├───────────────────
//! value     0        2^low                2^(low+1)   2^high                +inf
//! index           0          1      2       N               (high-low)·N + 1
//! ```
//!
//! A value is in the unit of its series; negative values and NaN belong to no bucket: callers count
//! them apart.

mod classic;
mod exponential;
mod quantile;
mod slices;

pub use classic::{BoundsError, Classic};
pub use exponential::{Exponential, Indexer};
pub use quantile::{Bucket, quantile, quantile_linear};
