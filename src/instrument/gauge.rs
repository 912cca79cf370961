//! Gauges: values that go up and down, one per process, shared by its threads. What several processes say together is the family's
//! merge rule ([`crate::Merge`]). A process begins with 0; it counts for min, max, mean, last and each once it wrote something.

use std::sync::Arc;

use super::series::Scalar;
use crate::layout::header::STAMP_OFFSET;
use crate::layout::kind::Merge;
use crate::protocol::gauge::{STAMP, VALUE, mark_set, stamp};
use crate::sync::{AtomicU64, Relaxed};

/// A whole number that goes up and down. Cost: one atomic operation on a line that only this process writes.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::env::temp_dir().join(format!("shmetrics-gauge-{}", std::process::id()));
/// # let segment = shmetrics::Segment::options().preset(shmetrics::Preset::Compact).open_or_create_at(&path)?;
/// use shmetrics::Merge;
/// let depth = segment.gauge("queue_depth").merge(Merge::Sum).register()?;
/// depth.set(7);
/// depth.sub(2);
/// # std::fs::remove_file(&path)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Gauge {
    pub(super) cell: Cell,
}

/// A floating-point number that goes up and down. `set` is one store; the others retry when another thread was faster.
#[derive(Clone, Debug)]
pub struct FloatGauge {
    pub(super) cell: Cell,
}

/// A gauge's series and whether its writes are stamped.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    series: Arc<Scalar>,
    is_last: bool,
}

impl Cell {
    pub(super) fn new(series: Scalar, merge: Merge) -> Cell {
        Cell {
            series: Arc::new(series),
            is_last: merge == Merge::Last,
        }
    }

    /// Runs `write` on the value, then marks the cell as set. Dropped and counted if this process has no slot.
    #[inline(always)]
    fn write(&self, write: impl FnOnce(&AtomicU64)) {
        let Some(cell) = self.series.gauge_cell() else {
            return;
        };
        write(&cell[VALUE]);
        if self.is_last {
            self.stamp_now(cell)
        } else {
            mark_set(cell)
        }
    }

    /// As [`write`](Self::write), for a minimum or maximum: the first write of a process counts as it is. (If two threads write for the
    /// first time at the same moment and one of them writes 0, the other's value may win.)
    fn write_extreme(&self, first: u64, write: impl FnOnce(&AtomicU64)) {
        self.write(|value| {
            let unset = self
                .series
                .gauge_cell()
                .is_some_and(|cell| cell[STAMP].load(Relaxed) == 0);
            if !unset || value.compare_exchange(0, first, Relaxed, Relaxed).is_err() {
                write(value);
            }
        });
    }

    fn stamp_now(&self, cell: &[AtomicU64; 2]) {
        if let Some(attachment) = self.series.attachment() {
            stamp(
                cell,
                attachment
                    .word(STAMP_OFFSET)
                    .fetch_add(1, Relaxed)
                    .saturating_add(1),
            );
        }
    }
}

impl Gauge {
    /// Sets the value.
    #[inline(always)]
    pub fn set(&self, value: i64) {
        self.cell.write(|word| word.store(value as u64, Relaxed));
    }

    /// Adds one.
    #[inline(always)]
    pub fn inc(&self) {
        self.add(1);
    }

    /// Subtracts one.
    #[inline(always)]
    pub fn dec(&self) {
        self.sub(1);
    }

    /// Adds `value`, modulo 2^64.
    #[inline(always)]
    pub fn add(&self, value: i64) {
        self.cell.write(|word| {
            word.fetch_add(value as u64, Relaxed);
        });
    }

    /// Subtracts `value`, modulo 2^64.
    #[inline(always)]
    pub fn sub(&self, value: i64) {
        self.add(value.wrapping_neg());
    }

    /// Raises the value to `value` if that is greater.
    pub fn set_max(&self, value: i64) {
        self.cell.write_extreme(value as u64, |word| {
            let raise = |bits: u64| (value > bits as i64).then_some(value as u64);
            let _ = word.fetch_update(Relaxed, Relaxed, raise);
        });
    }

    /// Lowers the value to `value` if that is less.
    pub fn set_min(&self, value: i64) {
        self.cell.write_extreme(value as u64, |word| {
            let lower = |bits: u64| (value < bits as i64).then_some(value as u64);
            let _ = word.fetch_update(Relaxed, Relaxed, lower);
        });
    }
}

impl FloatGauge {
    /// Sets the value; any float, also NaN and infinities.
    #[inline(always)]
    pub fn set(&self, value: f64) {
        self.cell.write(|word| word.store(value.to_bits(), Relaxed));
    }

    /// Adds `value`.
    #[inline(always)]
    pub fn add(&self, value: f64) {
        self.cell.write(|word| {
            let add = |bits: u64| Some((f64::from_bits(bits) + value).to_bits());
            let _ = word.fetch_update(Relaxed, Relaxed, add);
        });
    }

    /// Subtracts `value`.
    #[inline(always)]
    pub fn sub(&self, value: f64) {
        self.add(-value);
    }

    /// Raises the value to `value` if that is greater. NaN is ignored.
    pub fn set_max(&self, value: f64) {
        if value.is_nan() {
            return;
        }
        self.cell.write_extreme(value.to_bits(), |word| {
            let raise = |bits: u64| (value > f64::from_bits(bits)).then(|| value.to_bits());
            let _ = word.fetch_update(Relaxed, Relaxed, raise);
        });
    }

    /// Lowers the value to `value` if that is less. NaN is ignored.
    pub fn set_min(&self, value: f64) {
        if value.is_nan() {
            return;
        }
        self.cell.write_extreme(value.to_bits(), |word| {
            let lower = |bits: u64| (value < f64::from_bits(bits)).then(|| value.to_bits());
            let _ = word.fetch_update(Relaxed, Relaxed, lower);
        });
    }
}
