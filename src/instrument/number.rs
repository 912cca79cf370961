//! Numbers: signed sums that are whole until a float is added.
//!
//! A number has two words in each lane, and each addition is one store to one of them, so nothing is ever half added, and a death
//! in between needs no repair: the whole part, modulo 2^64, and the float part. The word of the float part is 0 as long as nobody
//! added a float in this lane; a sum of floats that is 0 is stored as -0.0, so that it is told from that.

use std::sync::Arc;

use super::series::Scalar;
use crate::segment::attachment::Attachment;
use crate::segment::{thread, total};
use crate::sync::{AcqRel, Acquire, AtomicU64, Relaxed, Release};
use crate::words::{ADD_IS_ONE_INSTRUCTION, add_owned};

/// A signed sum over all processes: whole as long as only whole numbers were added to it, a float for good once a float was.
///
/// Whole numbers are exact modulo 2^64, in whatever order they come; a float total has the accuracy of a float. Any thread may add;
/// nothing is lost. Cost: one add to memory that only this thread writes; of a float a load, an add, a store.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::env::temp_dir().join(format!("shmetrics-number-{}", std::process::id()));
/// # let segment = shmetrics::Segment::options().preset(shmetrics::Preset::Compact).open_or_create_at(&path)?;
/// use shmetrics::{Reader, Value, snapshot::Number};
///
/// let balance = segment.number("balance").register()?;
/// balance.add(5);
/// balance.add(-7);
/// let value = |reader: &mut Reader| reader.snapshot().map(|snapshot| snapshot.series[0].value.clone());
/// let mut reader = Reader::open_path(&path)?;
/// assert_eq!(value(&mut reader)?, Value::Number(Number::I64(-2)));
/// balance.add_float(0.5);
/// assert_eq!(value(&mut reader)?, Value::Number(Number::F64(-1.5)));
/// # std::fs::remove_file(&path)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Number {
    /// The whole part and the float part.
    parts: Arc<[Scalar; 2]>,
}

impl Number {
    pub(super) fn new(parts: [Scalar; 2]) -> Number {
        Number {
            parts: Arc::new(parts),
        }
    }

    fn whole(&self) -> &Scalar {
        &self.parts[0]
    }

    fn float(&self) -> &Scalar {
        &self.parts[1]
    }

    /// Adds one.
    #[inline(always)]
    pub fn inc(&self) {
        self.add(1);
    }

    /// Subtracts one.
    #[inline(always)]
    pub fn dec(&self) {
        self.add(-1);
    }

    /// Adds `value`.
    #[inline(always)]
    pub fn add(&self, value: i64) {
        let block = thread::block();
        let Some(word) = self.whole().own_word(block) else {
            return self.add_slowly(value);
        };
        if ADD_IS_ONE_INSTRUCTION {
            add_owned(word, value as u64);
        } else if block.enter() {
            add_owned(word, value as u64);
            block.leave();
        } else {
            self.add_shared(value);
        }
    }

    #[cold]
    fn add_slowly(&self, value: i64) {
        match self.whole().slow_word(false) {
            Some((_, true)) => self.add(value),
            Some((word, false)) => {
                word.fetch_add(value as u64, Relaxed);
            }
            None => {}
        }
    }

    #[cold]
    fn add_shared(&self, value: i64) {
        if let Some(word) = self.whole().shared_word() {
            word.fetch_add(value as u64, Relaxed);
        }
    }

    /// Adds a float, which makes the number one for good. Ignored unless it is finite.
    #[inline(always)]
    pub fn add_float(&self, value: f64) {
        if !value.is_finite() {
            return;
        }
        let block = thread::block();
        if let Some(word) = self.float().own_word(block)
            && block.enter()
        {
            // Single writer; the store is the commit point.
            word.store(plus(word.load(Relaxed), value), Release);
            block.leave();
        } else {
            self.add_float_slowly(value);
        }
    }

    #[cold]
    fn add_float_slowly(&self, value: f64) {
        let Some((word, owned)) = self.float().slow_word(false) else {
            return;
        };
        let block = thread::block();
        if owned && block.enter() {
            word.store(plus(word.load(Relaxed), value), Release);
            block.leave();
        } else if let Some(word) = self.float().shared_word() {
            add_shared_float(word, value);
        }
    }
}

impl Number {
    /// Makes the total over all processes this value, as far as it was counted when it looked: what others add meanwhile comes on top,
    /// and of two who set at once one comes after the other. A float total is exact to its last digits. Cost: some loads per lane that was
    /// ever used and one compare-and-swap in the shared lane: for now and then, and not for every request. After a reset it is what readers show.
    /// In a forked child that cannot open the file any more (its name is gone, privileges were dropped) it does nothing, as its parent's
    /// part is not to be seen there.
    #[cold]
    pub fn set(&self, value: i64) {
        let Some((attachment, whole, float)) = self.shared_words() else {
            return;
        };
        loop {
            let seen = whole.load(Acquire);
            let Some(lanes) = total::of_number(attachment, self.whole().shared_offset()) else {
                return;
            };
            if lanes.is_float || float.load(Relaxed) != 0 {
                return self.set_float(value as f64);
            }
            let wanted = (value as u64).wrapping_sub(lanes.whole);
            if whole.compare_exchange(seen, wanted, AcqRel, Relaxed).is_ok() {
                return;
            }
        }
    }

    /// As [`set`](Self::set), to a float, which makes the number one for good. Ignored unless it is finite.
    #[cold]
    pub fn set_float(&self, value: f64) {
        let Some((attachment, whole, float)) = self.shared_words().filter(|_| value.is_finite()) else {
            return;
        };
        loop {
            let seen = float.load(Acquire);
            let Some(lanes) = total::of_number(attachment, self.whole().shared_offset()) else {
                return;
            };
            let counted = whole.load(Relaxed).wrapping_add(lanes.whole) as i64 as f64;
            let wanted = plus(0, value - counted - lanes.float);
            if float.compare_exchange(seen, wanted, AcqRel, Relaxed).is_ok() {
                return;
            }
        }
    }

    fn shared_words(&self) -> Option<(&Attachment, &AtomicU64, &AtomicU64)> {
        // In a raw clone what is in memory is the parent's until this is done.
        crate::segment::fork::ensure_prepared();
        let attachment = self.whole().attachment()?;
        Some((
            attachment,
            self.whole().shared_word()?,
            self.float().shared_word()?,
        ))
    }
}

/// The word of a float part after an addition: never 0.
#[inline(always)]
fn plus(word: u64, value: f64) -> u64 {
    match (f64::from_bits(word) + value).to_bits() {
        0 => (-0.0f64).to_bits(),
        bits => bits,
    }
}

fn add_shared_float(word: &AtomicU64, value: f64) {
    let _ = word.fetch_update(Relaxed, Relaxed, |bits| Some(plus(bits, value)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_float_part_that_was_touched_is_never_0() {
        let after = |values: &[f64]| values.iter().fold(0, |word, value| plus(word, *value));
        for values in [&[0.0][..], &[-0.0], &[1.5, -1.5], &[0.0, 0.0]] {
            assert_eq!(after(values), (-0.0f64).to_bits(), "{values:?}");
        }
        assert_eq!(f64::from_bits(after(&[0.0, 1.5])), 1.5);
    }
}
