//! A histogram in the shared lane: any number of writers, each with atomic read-modify-write.
//!
//! ```text
//! S1  begun.fetch_add(1, Relaxed)
//! S2  lowest, highest, minimum, maximum: fetch_max, relaxed
//! S3  sum += v (Release), then bucket[i].fetch_add(1, Relaxed)
//! S4  landed.fetch_add(1, Release)
//! ```
//!
//! Reading: `l = landed; fence(Acquire); copy; fence(Acquire); b = begun; exact iff b = l and the copied buckets add up to l`.
//!
//! **Claim.** If so, the copy is the state after exactly those l records. Reading l from `landed` synchronises with every S4 of its
//! release sequence (read-modify-writes only), so all of the l records are in the copy: a bucket of any further record makes its sum
//! greater than l. The sum word of any further record is a release operation after its S1, so the fence after the copy would make
//! b at least l + 1.
//!
//! Otherwise the copy is between the two and off by at most the greater difference. A writer that dies between S1 and S4 leaves begun
//! one ahead of landed for good: results are then marked bounded, by one.

use super::histogram::{State, Sum};
use crate::layout::block::*;
use crate::sync::{AtomicU64, Relaxed, Release, edge, fence_at};
use crate::words::ReadWords;

/// Records one observation. Any number of writers. Lock-free: only the sum of floats retries, when another writer was faster.
pub fn record<S: Sum>(block: &[AtomicU64], buckets: usize, observation: super::histogram::Observation) {
    let super::histogram::Observation { index, value, key } = observation;
    let Some(bucket) = block.get(BUCKETS + index) else {
        return;
    };
    block[COUNT].fetch_add(1, Relaxed);
    block[LOWEST].fetch_max((buckets - index.min(buckets)) as u64, Relaxed);
    block[HIGHEST].fetch_max(index as u64 + 1, Relaxed);
    let key = key.min(super::histogram::GREATEST_KEY);
    block[MINIMUM].fetch_max(!key, Relaxed);
    block[MAXIMUM].fetch_max(key + 1, Relaxed);
    let _ = block[SUM].fetch_update(edge!("shared.sum", Release), Relaxed, |sum| {
        Some(S::add(sum, value))
    });
    bucket.fetch_add(1, Relaxed);
    block[LANDED].fetch_add(1, edge!("shared.s4", Release));
}

/// How far a shared copy can be from the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference(pub u64);

/// Reads the shared block into `into`. One attempt; `Difference(0)` means exact.
pub fn read(block: ReadWords<'_>, shape: &BlockShape, into: &mut State) -> Difference {
    into.reset(shape.buckets);
    let landed = block.load(LANDED);
    fence_at!("shared.r1", crate::sync::Acquire);
    into.set_range(block.load(LOWEST), block.load(HIGHEST));
    let (first, end) = (into.first, into.end);
    block.copy(BUCKETS + first, &mut into.buckets[first..end]);
    into.sum = block.load(SUM);
    into.minimum = block.load(MINIMUM);
    into.maximum = block.load(MAXIMUM);
    into.invalid = block.load(INVALID);
    fence_at!("shared.r2", crate::sync::Acquire);
    let begun = block.load(COUNT);
    into.count = into.landed();
    Difference(begun.abs_diff(landed).max(into.count.abs_diff(landed)))
}

#[cfg(all(test, not(shmetrics_loom)))]
mod tests {
    use super::super::histogram::{FloatSum, Observation};
    use super::*;

    #[test]
    fn idle_is_exact_and_a_dead_writer_is_bounded_by_one() {
        let shape = BlockShape::new(4, 0);
        let words: Vec<_> = (0..shape.words()).map(|_| AtomicU64::new(0)).collect();
        let mut state = State::default();
        let observation = Observation {
            index: 3,
            value: 1.5f64.to_bits(),
            key: 9,
        };
        record::<FloatSum>(&words, 4, observation);
        record::<FloatSum>(&words, 4, observation);
        assert_eq!(read(ReadWords::new(&words), &shape, &mut state), Difference(0));
        assert_eq!((state.count, f64::from_bits(state.sum)), (2, 3.0));
        words[COUNT].fetch_add(1, Relaxed);
        assert_eq!(read(ReadWords::new(&words), &shape, &mut state), Difference(1));
        assert_eq!(state.count, 2);
    }
}
