//! Sealed copies: of two, one is always stable.
//!
//! Sealing number v (single writer):
//!
//! ```text
//! L1  begin.store(v, Relaxed); fence(Release)     copy v & 1 is about to be overwritten
//! L2  copy state -> slot[v & 1], relaxed
//! L3  version.store(v, Release)                   copy v & 1 is seal v
//! ```
//!
//! Reading: `v = version; fence(Acquire); copy slot[v & 1]; fence(Acquire); b = begin; accept iff b - v <= 1`.
//!
//! **Claim.** An accepted copy is the state of seal v. The load of version reads L3(v), so the copy sees at least seal v. A word of
//! it from a later seal to the same slot comes from a seal >= v + 2, whose L1 is before its L2 stores by the release fence; the
//! reader's fence after the copy then makes it see begin >= v + 2, and it rejects.
//!
//! **Death.** Dead between L1 and L3: begin = version + 1, the other copy is untouched and accepted. `begin` is never lowered: the
//! next seal is version + 1 again, the same number, the same slot. Lowering it would let a reader that copied the slot before the
//! death accept a torn copy.

use super::histogram::{State, Torn};
use crate::layout::block::*;
use crate::sync::{AtomicU64, Relaxed, Release, edge, fence_at, mutated};
use crate::words::ReadWords;

/// Records between two seals. 16,384 records take 16 µs at least, a copy of 160 buckets 0.1 µs warm and 2 µs cold: a reader that is
/// not descheduled for eight copies never meets an overwritten slot, up to about 1,000 buckets.
pub const SEAL_INTERVAL: u64 = 16_384;

/// Copies the live state of `block` (own words) into the state at `to` (a word offset). Returns the number of records that the
/// buckets add up to.
pub(super) fn copy_state(block: &[AtomicU64], shape: &BlockShape, to: usize) -> u64 {
    let count = block[COUNT].load(Relaxed);
    let put = |word: usize, value: u64| block[to + word].store(value, Relaxed);
    put(STATE_SUM, block[SUM + (count & 1) as usize].load(Relaxed));
    put(STATE_LOWEST, block[LOWEST].load(Relaxed));
    put(STATE_HIGHEST, block[HIGHEST].load(Relaxed));
    put(STATE_MINIMUM, block[MINIMUM].load(Relaxed));
    put(STATE_MAXIMUM, block[MAXIMUM].load(Relaxed));
    put(STATE_INVALID, block[INVALID].load(Relaxed));
    // Untouched buckets are zero in the copies too: the touched range only grows, so only it needs copying.
    let end = (block[HIGHEST].load(Relaxed) as usize).min(shape.buckets);
    let first = shape.buckets - (block[LOWEST].load(Relaxed) as usize).min(shape.buckets);
    let mut landed = 0u64;
    for index in first..end {
        let value = block[BUCKETS + index].load(Relaxed);
        landed = landed.wrapping_add(value);
        block[to + STATE_HEADER_WORDS + index].store(value, Relaxed);
    }
    // What the buckets say is the truth: between two records it is the count, if nothing is damaged.
    put(STATE_COUNT, landed);
    landed
}

/// Loads the state at `from` into `into`, which has room for the shape's buckets.
pub(crate) fn load_state(block: ReadWords<'_>, from: usize, into: &mut State) {
    into.count = block.load(from + STATE_COUNT);
    into.sum = block.load(from + STATE_SUM);
    into.minimum = block.load(from + STATE_MINIMUM);
    into.maximum = block.load(from + STATE_MAXIMUM);
    into.invalid = block.load(from + STATE_INVALID);
    into.set_range(block.load(from + STATE_LOWEST), block.load(from + STATE_HIGHEST));
    let (first, end) = (into.first, into.end);
    block.copy(from + STATE_HEADER_WORDS + first, &mut into.buckets[first..end]);
}

/// Seals the state of a block. Single writer, between two records. Returns `false` if count and buckets disagreed (damage; the
/// count was mended). A block shorter than its shape is left alone.
pub fn seal(block: &[AtomicU64], shape: &BlockShape) -> bool {
    if block.len() < shape.words() {
        return true;
    }
    if mutated!("latch.lowered_begin") {
        block[LATCH_BEGIN].store(block[LATCH_VERSION].load(Relaxed), Relaxed);
    }
    let version = block[LATCH_VERSION].load(Relaxed).wrapping_add(1);
    block[LATCH_BEGIN].store(version, Relaxed);
    fence_at!("latch.l1", Release);
    let landed = copy_state(block, shape, shape.latch((version & 1) as usize));
    block[LATCH_VERSION].store(version, edge!("latch.l3", Release));
    let whole = landed == block[COUNT].load(Relaxed);
    if !whole {
        // As W1, for readers that are not told of a new owner: who reads it sees the buckets that it counts. Only damage leads here, so
        // no model does.
        block[COUNT].store(landed, Release);
    }
    whole
}

/// Reads the newest sealed copy into `into` and returns its number; 0 = none was sealed yet (`into` is then empty). One attempt.
pub fn read_sealed(block: ReadWords<'_>, shape: &BlockShape, into: &mut State) -> Result<u64, Torn> {
    into.reset(shape.buckets);
    let version = block.load(LATCH_VERSION);
    fence_at!("latch.r1", crate::sync::Acquire);
    if version == 0 {
        return Ok(0);
    }
    load_state(block, shape.latch((version & 1) as usize), into);
    fence_at!("latch.r2", crate::sync::Acquire);
    let begun = block.load(LATCH_BEGIN);
    let allowed = if mutated!("latch.one_too_many") {
        LATCH_COPIES as u64
    } else {
        LATCH_COPIES as u64 - 1
    };
    // The sum of the copied buckets guards against damage, not against tearing.
    if begun.wrapping_sub(version) > allowed || into.landed() != into.count {
        return Err(Torn);
    }
    Ok(version)
}

#[cfg(all(test, not(shmetrics_loom)))]
mod tests {
    use super::super::histogram::{IntegerSum, Observation, record};
    use super::*;

    #[test]
    fn a_seal_cut_short_leaves_the_other_copy() {
        let shape = BlockShape::new(4, 0);
        let words: Vec<_> = (0..shape.words()).map(|_| AtomicU64::new(0)).collect();
        let mut state = State::default();
        assert_eq!(read_sealed(ReadWords::new(&words), &shape, &mut state), Ok(0));
        record::<IntegerSum>(
            &words,
            4,
            Observation {
                index: 2,
                value: 5,
                key: 5,
            },
        );
        assert!(seal(&words, &shape));
        // Dead in the middle of seal 2: begin raised, its slot half written.
        words[LATCH_BEGIN].store(2, Relaxed);
        words[shape.latch(0) + STATE_COUNT].store(77, Relaxed);
        assert_eq!(read_sealed(ReadWords::new(&words), &shape, &mut state), Ok(1));
        assert_eq!((state.count, state.sum), (1, 5));
        // The next owner redoes seal 2.
        record::<IntegerSum>(
            &words,
            4,
            Observation {
                index: 3,
                value: 6,
                key: 6,
            },
        );
        assert!(seal(&words, &shape));
        assert_eq!(read_sealed(ReadWords::new(&words), &shape, &mut state), Ok(2));
        assert_eq!((state.count, state.sum, state.first, state.end), (2, 11, 2, 4));
    }
}
