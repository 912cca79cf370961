//! One histogram in one lane: a single writer records, any number of readers read live.
//!
//! Recording the n-th value `v` into bucket `i` (the writer's own words are loaded plainly):
//!
//! ```text
//! W0  lowest, highest, then minimum, maximum widened, if needed  relaxed
//! W1  count.store(n, Release)                                    record n has begun
//! W2  sum[n & 1].store(sum[(n - 1) & 1] + v, Release)            the other sum stays intact
//! W3  bucket[i].store(bucket[i] + 1, Release)                    record n has landed: the commit point
//! ```
//!
//! Reading:
//!
//! ```text
//! R0  incarnation
//! R1  c1 = count; fence(Acquire)                                 the fence is R0's too
//! R2  lowest, highest; copy those buckets; fence(Acquire)
//! R3  sum[0], sum[1], minimum, maximum, invalid; fence(Acquire)
//! R4  c2 = count; fence(Acquire); incarnation
//! accept iff c1 = c2, S := sum of the copied buckets is c1 or c1 - 1, and the incarnation stood still
//! ```
//!
//! **Claim.** An accepted copy is exactly the state after the first S records of the lane. Let B(m) be the buckets after m records
//! and c = c1 = c2.
//! 1. R1 read W1(c) or later; its release and the fence after R1 make W3(1 .. c-1) and W0(1 .. c) visible to R2: the copied range
//!    holds every bucket touched by then, and the copy is at least B(c-1).
//! 2. Had R2 read a W3(m) with m > c, then, W1(m) being sequenced before that release store and the fence following the load, R4
//!    would see c2 >= m > c. So the copy is at most B(c).
//! 3. B(c-1) and B(c) differ by one in one place, so the copy is one of the two, and S tells which.
//! 4. If S = c, R2 read W3(c), the fence after it makes W2(c) visible to R3; a later store to the same parity, W2(c+2), would make
//!    R4 see c2 >= c+2. If S = c-1, W2(c-1) is visible by R1, and W2(c+1) would make R4 see c2 >= c+1. So sum[S & 1] is the sum
//!    after S records.
//!
//! Only a record that *begins* during the copy makes a read fail. A writer idle, stopped or dead between any two instructions never
//! does: there is no odd state. Minimum and maximum cover the S records and may already include later ones (W0 is relaxed).
//!
//! **Death.** Dead after W1 or W2: count = S + 1, the record never landed. Whoever takes the lane over stores the new incarnation
//! (release), then a release fence, then `count := S` ([`repair`]).
//! * If R4 read the repair or a later count, its fence shows the new incarnation: had R0 read the old one, the copy is refused. (Else
//!   c1 = W1(S), W2(S+1) of the dead one and c2 = S of the repair would pass.)
//! * If R0 read the new incarnation, the fence of R1 makes all that the dead one stored visible: the copy is at least B(S), and W1 to
//!   W3 of the new owner prove the rest as above. That c1 itself may be an older count does no harm: it can only be S + 1 of the dead
//!   one instead of the new owner's.

use crate::layout::block::*;
use crate::sync::{AtomicU64, Relaxed, Release, edge, fence_at, mutated};
use crate::words::ReadWords;

/// How sums are added: the word is a whole number or the bits of a float.
pub trait Sum: Copy {
    /// `sum + value`, both as words.
    fn add(sum: u64, value: u64) -> u64;
}

/// Sums of whole numbers: modulo 2^64 per lane (2^64 ns are 584 years of observed time in one lane).
#[derive(Clone, Copy, Debug)]
pub struct IntegerSum;

impl Sum for IntegerSum {
    #[inline(always)]
    fn add(sum: u64, value: u64) -> u64 {
        sum.wrapping_add(value)
    }
}

/// Sums of floats, as bits.
#[derive(Clone, Copy, Debug)]
pub struct FloatSum;

impl Sum for FloatSum {
    #[inline(always)]
    fn add(sum: u64, value: u64) -> u64 {
        (f64::from_bits(sum) + f64::from_bits(value)).to_bits()
    }
}

/// A float as a word that orders as the float does (negative below positive), so that minimum and maximum are integer comparisons.
#[inline(always)]
pub fn ordered_key(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
}

/// The float of an [`ordered_key`].
#[inline]
pub fn from_ordered_key(key: u64) -> f64 {
    f64::from_bits(if key >> 63 == 1 { key & !(1 << 63) } else { !key })
}

/// One observation, ready to be recorded.
#[derive(Clone, Copy, Debug)]
pub struct Observation {
    /// Its bucket.
    pub index: usize,
    /// What is added to the sum, as a word.
    pub value: u64,
    /// What minimum and maximum compare: the value, or its [`ordered_key`].
    pub key: u64,
}

/// Minimum and maximum tell values up to this; the one above it counts as this, since 0 means "none" in their words.
pub const GREATEST_KEY: u64 = u64::MAX - 1;

/// Line 0 of a block.
pub type Head = [AtomicU64; crate::layout::LINE_WORDS];

/// Records one observation into a block ([`record_at`]) and returns its number. `buckets` is the number of buckets of the block; an
/// index outside is ignored and returns 0.
#[inline(always)]
pub fn record<S: Sum>(block: &[AtomicU64], buckets: usize, observation: Observation) -> u64 {
    match (block.first_chunk(), block.get(BUCKETS + observation.index)) {
        (Some(head), Some(bucket)) => record_at::<S>(head, bucket, buckets, observation),
        _ => 0,
    }
}

/// Records one observation (W0 to W3) and returns its number. Single writer. Cost: three stores, two compares.
#[inline(always)]
pub fn record_at<S: Sum>(head: &Head, bucket: &AtomicU64, buckets: usize, observation: Observation) -> u64 {
    let Observation { index, value, key } = observation;
    let n = head[COUNT].load(Relaxed).wrapping_add(1);
    // Between minimum and maximum the touched range cannot grow either: buckets are in the order of their values.
    if !key > head[MINIMUM].load(Relaxed) || key >= head[MAXIMUM].load(Relaxed) {
        widen(head, buckets, index, key);
    }
    let odd = (n & 1) as usize;
    let (this, other) = if mutated!("record.parity") {
        (SUM, SUM)
    } else {
        (SUM + odd, SUM + (odd ^ 1))
    };
    head[COUNT].store(n, edge!("record.w1", Release));
    head[this].store(
        S::add(head[other].load(Relaxed), value),
        edge!("record.w2", Release),
    );
    bucket.store(bucket.load(Relaxed).wrapping_add(1), edge!("record.w3", Release));
    n
}

/// W0. The touched range comes first: whoever takes the lane over after a death in between finds minimum and maximum inside it.
#[cold]
fn widen(head: &Head, buckets: usize, index: usize, key: u64) {
    let raise = |word: usize, value: u64| {
        if head[word].load(Relaxed) < value {
            head[word].store(value, Relaxed);
        }
    };
    raise(LOWEST, buckets.saturating_sub(index) as u64);
    raise(HIGHEST, index as u64 + 1);
    let key = key.min(GREATEST_KEY);
    raise(MINIMUM, !key);
    raise(MAXIMUM, key + 1);
}

/// Makes `count` what the buckets say, for a block whose writer may have died in the middle of a record. Only the lane's owner
/// calls it, after [`store_incarnation`]. Returns whether there was anything to mend.
pub fn repair(block: &[AtomicU64], shape: &BlockShape) -> bool {
    let Some(buckets) = block.get(BUCKETS..BUCKETS + shape.buckets) else {
        return false;
    };
    let landed = buckets
        .iter()
        .fold(0u64, |sum, bucket| sum.wrapping_add(bucket.load(Relaxed)));
    if block[COUNT].load(Relaxed) == landed {
        return false;
    }
    block[COUNT].store(landed, Relaxed);
    true
}

/// Stores the incarnation of a lane so that every repair after it is ordered behind it (pairs with the acquire fence before a
/// reader's last load of the incarnation).
pub fn store_incarnation(word: &AtomicU64, incarnation: u64) {
    word.store(incarnation, edge!("adopt.incarnation", Release));
    fence_at!("adopt.fence", Release);
}

/// Plain data: one state of one histogram. Reused from read to read, so that reading allocates nothing once it is warm.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Records.
    pub count: u64,
    /// Sum, as the word.
    pub sum: u64,
    /// Lowest touched bucket; `first > last` means none.
    pub first: usize,
    /// One past the highest touched bucket.
    pub end: usize,
    /// As [`MINIMUM`], encoded.
    pub minimum: u64,
    /// As [`MAXIMUM`], encoded.
    pub maximum: u64,
    /// Values that were no observation.
    pub invalid: u64,
    /// The buckets `first .. end`; others are zero. Always as long as the histogram has buckets.
    pub buckets: Vec<u64>,
}

impl State {
    /// Empties the state and gives it room for `buckets`. If it had as many, only those in its range are set to zero: of hundreds a
    /// histogram touches a few.
    pub fn reset(&mut self, buckets: usize) {
        if self.buckets.len() == buckets
            && let Some(touched) = self.buckets.get_mut(self.first..self.end)
        {
            touched.fill(0);
        } else {
            self.buckets.clear();
            self.buckets.resize(buckets, 0);
        }
        (self.count, self.sum, self.first, self.end) = (0, 0, 0, 0);
        (self.minimum, self.maximum, self.invalid) = (0, 0, 0);
    }

    /// Sum of the buckets.
    pub fn landed(&self) -> u64 {
        self.buckets[self.first..self.end]
            .iter()
            .fold(0, |sum, bucket| sum.wrapping_add(*bucket))
    }

    /// Takes over the touched range from its encoded words; anything out of bounds is cut.
    pub(crate) fn set_range(&mut self, lowest: u64, highest: u64) {
        let buckets = self.buckets.len();
        self.end = usize::try_from(highest).unwrap_or(buckets).min(buckets);
        let lowest = usize::try_from(lowest).unwrap_or(buckets).min(buckets);
        self.first = (buckets - lowest).min(self.end);
    }
}

/// A read that was overtaken by the writer. Try again, a bounded number of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn;

/// Reads the live state into `into`, which is `reset` to the shape first. One attempt; bounded by the number of buckets.
/// `incarnation` is the lane's incarnation word.
pub fn read_live(
    block: ReadWords<'_>,
    incarnation: ReadWords<'_>,
    shape: &BlockShape,
    into: &mut State,
) -> Result<(), Torn> {
    into.reset(shape.buckets);
    let before = incarnation.load(0);
    let begun = block.load(COUNT);
    fence_at!("live.r1", crate::sync::Acquire);
    into.set_range(block.load(LOWEST), block.load(HIGHEST));
    let (first, end) = (into.first, into.end);
    block.copy(BUCKETS + first, &mut into.buckets[first..end]);
    fence_at!("live.r2", crate::sync::Acquire);
    let sums = [block.load(SUM), block.load(SUM_ODD)];
    into.minimum = block.load(MINIMUM);
    into.maximum = block.load(MAXIMUM);
    into.invalid = block.load(INVALID);
    fence_at!("live.r3", crate::sync::Acquire);
    let again = block.load(COUNT);
    fence_at!("live.r4", crate::sync::Acquire);
    let moved = incarnation.load(0) != before && !mutated!("live.incarnation");
    let landed = into.landed();
    if begun != again || moved || !(landed == begun || landed == begun.wrapping_sub(1)) {
        return Err(Torn);
    }
    into.count = landed;
    into.sum = sums[if mutated!("record.parity") {
        0
    } else {
        (landed & 1) as usize
    }];
    Ok(())
}

#[cfg(all(test, not(shmetrics_loom)))]
mod tests {
    use super::*;

    fn block(shape: &BlockShape) -> Vec<AtomicU64> {
        (0..shape.words()).map(|_| AtomicU64::new(0)).collect()
    }

    #[test]
    fn a_state_that_is_reset_holds_nothing_whatever_room_it_had() {
        for (before, after) in [(8, 8), (8, 12), (12, 8)] {
            let mut state = State::default();
            state.reset(before);
            state.set_range(before as u64 - 2, 7);
            let touched = state.first..state.end;
            assert_eq!(touched, 2..7);
            state.buckets[touched].fill(9);
            (state.count, state.sum, state.invalid) = (45, 1, 1);
            state.reset(after);
            let empty = State {
                buckets: vec![0; after],
                ..State::default()
            };
            assert_eq!(state, empty);
        }
    }

    #[test]
    fn a_writer_stopped_after_any_store_is_read_exactly() {
        let shape = BlockShape::new(8, 0);
        let words = block(&shape);
        let incarnation = [AtomicU64::new(1)];
        let read = |state: &mut State| {
            read_live(
                ReadWords::new(&words),
                ReadWords::new(&incarnation),
                &shape,
                state,
            )
        };
        let mut state = State::default();
        for n in 1..=5u64 {
            let observation = Observation {
                index: n as usize,
                value: 10 * n,
                key: 10 * n,
            };
            assert_eq!(record::<IntegerSum>(&words, 8, observation), n);
        }
        read(&mut state).unwrap();
        assert_eq!((state.count, state.sum, state.first, state.end), (5, 150, 1, 6));
        // Dead after W1, then after W2: still the state after five records.
        words[COUNT].store(6, Relaxed);
        read(&mut state).unwrap();
        assert_eq!((state.count, state.sum), (5, 150));
        words[SUM].store(999, Relaxed);
        read(&mut state).unwrap();
        assert_eq!((state.count, state.sum), (5, 150));
        // The adopter mends the count and goes on.
        store_incarnation(&incarnation[0], 2);
        assert!(repair(&words, &shape));
        record::<IntegerSum>(
            &words,
            8,
            Observation {
                index: 7,
                value: 60,
                key: 60,
            },
        );
        read(&mut state).unwrap();
        assert_eq!(
            (state.count, state.sum, !state.minimum, state.maximum - 1),
            (6, 210, 10, 60)
        );
    }

    #[test]
    fn hostile_words_are_torn_never_a_panic() {
        let shape = BlockShape::new(8, 0);
        let words = block(&shape);
        let incarnation = [AtomicU64::new(1)];
        let mut state = State::default();
        for word in [LOWEST, HIGHEST, COUNT, BUCKETS, BUCKETS + 7] {
            words[word].store(u64::MAX, Relaxed);
            let _ = read_live(
                ReadWords::new(&words),
                ReadWords::new(&incarnation),
                &shape,
                &mut state,
            );
            let _ = read_live(
                ReadWords::new(&words[..3]),
                ReadWords::new(&[]),
                &shape,
                &mut state,
            );
        }
    }

    #[test]
    fn ordered_keys_order_as_floats_do() {
        let values = [f64::MIN, -1.0, -0.0, 0.0, f64::MIN_POSITIVE, 1.0, f64::MAX];
        for pair in values.windows(2) {
            assert!(ordered_key(pair[0]) < ordered_key(pair[1]), "{pair:?}");
        }
        for value in values {
            assert_eq!(from_ordered_key(ordered_key(value)).to_bits(), value.to_bits());
        }
    }
}
