//! Histograms and their windows, as snapshots tell them.

use std::sync::Arc;

use crate::buckets::{Bucket, Classic, Exponential, quantile, quantile_linear};

/// How exact a histogram, or a group, is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Quality {
    /// Every lane was read as it was after some prefix of its records.
    #[default]
    Exact,
    /// Some lanes could not be read exactly; the count is off by at most `error`.
    Bounded {
        /// Records the count may be off by.
        error: u64,
    },
}

/// Of what may be off by `error` records, or updates.
pub(super) fn quality_of(error: u64) -> Quality {
    match error {
        0 => Quality::Exact,
        error => Quality::Bounded { error },
    }
}

/// The buckets of a histogram.
#[derive(Clone, Debug, PartialEq)]
pub enum BucketScheme {
    /// Exponential; bounds are in the exported unit.
    Exponential(Exponential),
    /// Given bounds.
    Classic(Arc<Classic>),
}

impl BucketScheme {
    /// Number of buckets, low and overflow included.
    pub fn buckets(&self) -> usize {
        match self {
            BucketScheme::Exponential(parameters) => parameters.buckets(),
            BucketScheme::Classic(classic) => classic.buckets(),
        }
    }

    /// Upper bound of a bucket, inclusive, in the exported unit.
    pub fn upper_bound(&self, index: usize) -> f64 {
        match self {
            BucketScheme::Exponential(parameters) => parameters.upper_bound(index),
            BucketScheme::Classic(classic) => classic.upper_bound(index),
        }
    }

    /// Lower bound of a bucket, exclusive, in the exported unit.
    pub fn lower_bound(&self, index: usize) -> f64 {
        match self {
            BucketScheme::Exponential(parameters) => parameters.lower_bound(index),
            BucketScheme::Classic(classic) => classic.lower_bound(index),
        }
    }
}

/// A merged histogram. Sums and bounds are in the exported unit.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Histogram {
    /// Observations.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The least observation; `None` if there was none.
    pub min: Option<f64>,
    /// The greatest observation; `None` if there was none.
    pub max: Option<f64>,
    /// Values that were no observation (NaN, infinite, negative): neither in count nor in sum.
    pub invalid: u64,
    /// The bucket bounds.
    pub scheme: BucketScheme,
    /// Observations per bucket, not cumulative.
    pub counts: Vec<u64>,
    /// How exact it is.
    pub quality: Quality,
    /// Closed time windows, shortest first. Empty if the series has no ring.
    pub windows: Vec<Window>,
}

/// What a histogram gained in one closed time window.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Window {
    /// Length of the window.
    pub seconds: f64,
    /// Observations in it.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// Observations per bucket.
    pub counts: Vec<u64>,
    /// Exact, or some lanes had to be left out or bounded.
    pub quality: Quality,
}

fn quantile_of(scheme: &BucketScheme, q: f64, count: u64, counts: &[u64]) -> Option<f64> {
    let buckets = counts
        .iter()
        .enumerate()
        .filter(|(_, count)| **count > 0)
        .map(|(index, &count)| Bucket {
            lower: scheme.lower_bound(index),
            upper: scheme.upper_bound(index),
            count,
        });
    match scheme {
        BucketScheme::Exponential(_) => quantile(q, count, buckets),
        BucketScheme::Classic(_) => quantile_linear(q, count, buckets),
    }
}

impl Histogram {
    /// The mean; `None` if nothing was observed.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    /// The `q`-quantile (0 to 1), interpolated within its bucket as Prometheus 3 does: exponentially, for classic buckets
    /// linearly. `None` if nothing was observed or `q` is out of range.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        quantile_of(&self.scheme, q, self.count, &self.counts)
    }
}

impl Window {
    /// Observations per second.
    pub fn rate(&self) -> f64 {
        self.count as f64 / self.seconds
    }

    /// As [`Histogram::quantile`], of this window. `scheme` is the histogram's.
    pub fn quantile(&self, scheme: &BucketScheme, q: f64) -> Option<f64> {
        quantile_of(scheme, q, self.count, &self.counts)
    }
}
