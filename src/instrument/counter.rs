//! Counters: sums that only grow.

use std::sync::Arc;

use super::bound::BoundCounter;
use super::series::Scalar;
use crate::segment::thread;
use crate::sync::{AtomicU64, Relaxed, Release};
use crate::words::{ADD_IS_ONE_INSTRUCTION, add_owned};

/// A sum of whole numbers that only grows, modulo 2^64. Cost: one add to memory that only this thread writes.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::env::temp_dir().join(format!("shmetrics-counter-{}", std::process::id()));
/// # let segment = shmetrics::Segment::options().preset(shmetrics::Preset::Compact).open_or_create_at(&path)?;
/// let requests = segment.counter("requests_total").help("Requests served").register()?;
/// requests.inc();
/// requests.add(3);
/// # std::fs::remove_file(&path)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Counter {
    pub(super) series: Arc<Scalar>,
}

impl Counter {
    /// Adds one.
    #[inline(always)]
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `value`.
    #[inline(always)]
    pub fn add(&self, value: u64) {
        let block = thread::block();
        let Some(word) = self.series.own_word(block) else {
            return self.add_slowly(value);
        };
        if ADD_IS_ONE_INSTRUCTION {
            add_owned(word, value);
        } else if block.enter() {
            add_owned(word, value);
            block.leave();
        } else {
            self.add_shared(value);
        }
    }

    #[cold]
    fn add_slowly(&self, value: u64) {
        match self.series.slow_word(false) {
            Some((_, true)) => self.add(value),
            Some((word, false)) => {
                word.fetch_add(value, Relaxed);
            }
            None => {}
        }
    }

    #[cold]
    fn add_shared(&self, value: u64) {
        if let Some(word) = self.series.shared_word() {
            word.fetch_add(value, Relaxed);
        }
    }

    /// A handle for this thread only, without the look-up of its lane: for the tightest loops.
    pub fn bind(&self) -> BoundCounter {
        BoundCounter::new(self)
    }
}

/// A sum of floating-point numbers that only grows. Negative, infinite and NaN additions are ignored. Cost: a load, an add, a store.
#[derive(Clone, Debug)]
pub struct FloatCounter {
    pub(super) series: Arc<Scalar>,
}

impl FloatCounter {
    /// Adds one.
    #[inline(always)]
    pub fn inc(&self) {
        self.add(1.0);
    }

    /// Adds `value`; ignored unless it is finite and not negative.
    #[inline(always)]
    pub fn add(&self, value: f64) {
        if !(value >= 0.0 && value.is_finite()) {
            return;
        }
        let block = thread::block();
        if let Some(word) = self.series.own_word(block)
            && block.enter()
        {
            add_owned_float(word, value);
            block.leave();
        } else {
            self.add_slowly(value);
        }
    }

    #[cold]
    fn add_slowly(&self, value: f64) {
        let Some((word, owned)) = self.series.slow_word(false) else {
            return;
        };
        let block = thread::block();
        if owned && block.enter() {
            add_owned_float(word, value);
            block.leave();
        } else if let Some(word) = self.series.shared_word() {
            let add = |bits: u64| Some((f64::from_bits(bits) + value).to_bits());
            let _ = word.fetch_update(Relaxed, Relaxed, add);
        }
    }
}

#[inline(always)]
fn add_owned_float(word: &AtomicU64, value: f64) {
    // Single writer; the store is the commit point: dead before it, the addition never happened.
    word.store((f64::from_bits(word.load(Relaxed)) + value).to_bits(), Release);
}
