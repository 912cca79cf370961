//! Samples: the last values of something, kept raw.

use std::sync::Arc;

use super::block::{Block, Detour};
use crate::layout::samples::{SAMPLES_INVALID, SamplesShape};
use crate::protocol::samples;
use crate::segment::attachment::Attachment;
use crate::segment::host;
use crate::sync::{AtomicU64, Relaxed};

/// The last values that were recorded, over all processes: what readers compute percentiles and a mean from
/// ([`snapshot::Samples`](crate::snapshot::Samples)).
///
/// Each thread keeps its own last ones, with the time of each; a reader shows the newest of all of them together. The time is that
/// of `CLOCK_MONOTONIC_COARSE`, which is read without a system call and goes on every 1 to 4 ms; what threads record within one such
/// step is shown by turns. Recording never waits, and is whole or has not happened, whenever the process dies. Cost: the clock, some
/// 5 ns, and four stores. Where the distribution of all values is wanted, a [`Histogram`](crate::Histogram) is faster and forgets
/// nothing.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::env::temp_dir().join(format!("shmetrics-samples-{}", std::process::id()));
/// # let segment = shmetrics::Segment::options().preset(shmetrics::Preset::Compact).open_or_create_at(&path)?;
/// use shmetrics::{Reader, Value};
///
/// let latency = segment.samples("latency_ms").keep(3).register()?;
/// for value in [9.0, 2.0, 4.0, 3.0] {
///     latency.record(value);
/// }
/// let snapshot = Reader::open_path(&path)?.snapshot()?;
/// let Value::Samples(samples) = &snapshot.series[0].value else { unreachable!() };
/// assert_eq!(samples.values, [2.0, 4.0, 3.0]);
/// assert_eq!((samples.count, samples.mean()), (4, Some(3.0)));
/// # std::fs::remove_file(&path)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Samples {
    recent: Arc<Recent>,
}

/// A series of samples of this process.
#[derive(Debug)]
pub(super) struct Recent {
    block: Block,
    shape: SamplesShape,
}

impl Recent {
    /// Of a handle that does nothing.
    pub(super) fn noop() -> Recent {
        Recent {
            block: Block::noop(),
            shape: SamplesShape::LEAST,
        }
    }

    pub(super) fn new(attachment: &Arc<Attachment>, placement: u64, shape: SamplesShape) -> Recent {
        Recent {
            block: Block::new(attachment, placement, shape.words()),
            shape,
        }
    }

    /// Runs `own` on this thread's block, or `shared` on that of the shared lane.
    #[inline(always)]
    fn write(&self, own: impl Fn(&[AtomicU64]), shared: impl Fn(&[AtomicU64])) {
        if let Err(detour) = self.block.on_own_words(&own) {
            self.write_slowly(&detour, || self.block.on_own_words(&own).is_ok(), shared);
        }
    }

    #[cold]
    fn write_slowly(&self, detour: &Detour, own: impl Fn() -> bool, shared: impl Fn(&[AtomicU64])) {
        if !(self.block.prepare(detour, false) && own()) {
            shared(self.block.shared(self.shape.words()));
        }
    }
}

impl Samples {
    pub(super) fn new(recent: Recent) -> Samples {
        Samples {
            recent: Arc::new(recent),
        }
    }

    /// Records a value. One that is not finite is no sample and counted apart.
    #[inline]
    pub fn record(&self, value: f64) {
        self.record_at(host::monotonic_coarse_ns(), value);
    }

    /// As [`record`](Self::record), with the time given: nanoseconds of `CLOCK_MONOTONIC` (or its coarse sibling). It decides only
    /// which samples are the newest.
    #[inline]
    pub fn record_at(&self, time_ns: u64, value: f64) {
        if !value.is_finite() {
            return self.count_invalid();
        }
        let shape = &self.recent.shape;
        self.recent.write(
            |block| samples::record(block, shape, time_ns, value),
            |block| samples::record_shared(block, shape, time_ns, value),
        );
    }

    #[cold]
    fn count_invalid(&self) {
        self.recent.write(
            |block| {
                let word = &block[SAMPLES_INVALID];
                word.store(word.load(Relaxed).wrapping_add(1), Relaxed);
            },
            |block| {
                if let Some(word) = block.get(SAMPLES_INVALID) {
                    word.fetch_add(1, Relaxed);
                }
            },
        );
    }
}
