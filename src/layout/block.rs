//! The block of a histogram: what one lane, or the shared lane, holds of one series.
//!
//! ```text
//! line 0    0x00 count     0x08 sum[0]     0x10 sum[1]     0x18 lowest    0x20 highest  0x28 minimum
//!           0x30 maximum   0x38 invalid    0x40 epoch      0x48 latch begin   0x50 latch version
//!           0x58 rotations 0x60 baseline count   0x68 baseline sum   0x70 reserved   0x78 reserved
//! buckets   NB words, padded to a line
//! latch     2 × state, each padded to a line
//! ring      N × (begin · label · state), each padded to a line
//!           one more line if the number of lines is even
//! state     count · sum · lowest · highest · minimum · maximum · invalid · reserved · NB buckets
//! ```
//!
//! The number of lines is odd: blocks a power of two apart would fall on the same sets of the L1 cache, which was measured to make
//! records five times slower. `lowest`, `highest`, `minimum`, `maximum` are zero-encoded, so that a fresh block of zeros is valid:
//! lowest = NB − index, highest = index + 1, minimum = !value, maximum = value + 1 (as ordered words; 0 = none).
//!
//! In the shared lane (many writers) line 0 holds: count = begun, `sum[0]` = sum, `sum[1]` = landed; latch and ring are unused.

use super::fields::fields;
use super::{LINE_LENGTH, LINE_WORDS};

fields! {
    /// The words of line 0 that have a meaning.
    FIELDS, words:
    /// Number of the last record that began (shared lane: records begun).
    COUNT = 0, A64 "count";
    /// Sum after an even number of records (shared lane: the sum).
    SUM = 1, A64 "sum";
    /// Sum after an odd number of records (shared lane: records landed).
    SUM_ODD = 2, A64 "sum_odd";
    /// NB − the lowest touched bucket.
    LOWEST = 3, A64 "lowest";
    /// The highest touched bucket + 1.
    HIGHEST = 4, A64 "highest";
    /// Bitwise complement of the least value.
    MINIMUM = 5, A64 "minimum";
    /// The greatest value + 1.
    MAXIMUM = 6, A64 "maximum";
    /// Values that are no observation.
    INVALID = 7, A64 "invalid";
    /// Epoch of the newest record, plus nothing: 0 = none yet.
    EPOCH = 8, A64 "epoch";
    /// Latch: number of the seal that last began.
    LATCH_BEGIN = 9, A64 "latch_begin";
    /// Latch: number of the seal that last ended.
    LATCH_VERSION = 10, A64 "latch_version";
    /// Ring: number of the rotation that last began.
    ROTATIONS = 11, A64 "rotations";
    /// Count when the present owner took the lane.
    BASELINE_COUNT = 12, A64 "baseline_count";
    /// Sum when the present owner took the lane.
    BASELINE_SUM = 13, A64 "baseline_sum";
}
/// Shared lane: records whose bucket and sum have landed.
pub const LANDED: usize = SUM_ODD;
/// First bucket.
pub const BUCKETS: usize = LINE_WORDS;

/// Words of a state before its buckets.
pub const STATE_HEADER_WORDS: usize = 8;
fields! {
    /// The words of a state before its buckets.
    STATE_FIELDS, words:
    /// In a state: records.
    STATE_COUNT = 0, A64 "state_count";
    /// In a state: sum.
    STATE_SUM = 1, A64 "state_sum";
    /// In a state: as [`LOWEST`].
    STATE_LOWEST = 2, A64 "state_lowest";
    /// In a state: as [`HIGHEST`].
    STATE_HIGHEST = 3, A64 "state_highest";
    /// In a state: as [`MINIMUM`].
    STATE_MINIMUM = 4, A64 "state_minimum";
    /// In a state: as [`MAXIMUM`].
    STATE_MAXIMUM = 5, A64 "state_maximum";
    /// In a state: as [`INVALID`].
    STATE_INVALID = 6, A64 "state_invalid";
}

fields! {
    /// The words of a ring slot before its state.
    RING_FIELDS, words:
    /// In a ring slot: label of the copy that last began.
    RING_BEGIN = 0, A64 "ring_begin";
    /// In a ring slot: label of the copy that last ended; 0 = none.
    RING_LABEL = 1, A64 "ring_label";
}
/// In a ring slot: first word of the state.
pub const RING_STATE: usize = 2;
/// Copies of a latch.
pub const LATCH_COPIES: usize = 2;

/// How the parts of a block follow from its number of buckets and ring slots. Offsets are words from the start of the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockShape {
    /// Buckets, low and overflow included.
    pub buckets: usize,
    /// Ring slots.
    pub ring_slots: usize,
}

const fn lines(words: usize) -> usize {
    words.div_ceil(LINE_WORDS)
}

impl BlockShape {
    /// The shape for these parameters.
    pub const fn new(buckets: usize, ring_slots: usize) -> Self {
        Self { buckets, ring_slots }
    }

    /// Words of a state.
    pub const fn state_words(&self) -> usize {
        STATE_HEADER_WORDS + self.buckets
    }

    const fn latch_stride(&self) -> usize {
        lines(self.state_words()) * LINE_WORDS
    }

    const fn ring_stride(&self) -> usize {
        lines(RING_STATE + self.state_words()) * LINE_WORDS
    }

    /// First word of a latch copy.
    pub const fn latch(&self, copy: usize) -> usize {
        BUCKETS + lines(self.buckets) * LINE_WORDS + (copy % LATCH_COPIES) * self.latch_stride()
    }

    /// First word of a ring slot.
    pub const fn ring(&self, slot: usize) -> usize {
        self.latch(0) + LATCH_COPIES * self.latch_stride() + slot * self.ring_stride()
    }

    /// Words of the block.
    pub const fn words(&self) -> usize {
        let used = lines(self.ring(self.ring_slots));
        // Odd; and at least five lines, so that no two blocks start in one granule of the bitmap.
        let odd = used | 1;
        (if odd < 5 { 5 } else { odd }) * LINE_WORDS
    }

    /// Bytes of the block.
    pub const fn length(&self) -> u64 {
        self.words() as u64 * 8
    }

    /// Bytes of the part that the shared lane uses: line 0 and the buckets.
    pub const fn shared_length(&self) -> u64 {
        self.latch(0) as u64 * 8
    }
}

/// Lines of the smallest block, in bytes, must exceed a bitmap granule.
const _: () = assert!(5 * LINE_LENGTH >= super::geometry::BLOCK_GRANULE_LENGTH);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_never_overlap_and_lines_are_odd() {
        for buckets in 1..700 {
            for ring_slots in 0..5 {
                let shape = BlockShape::new(buckets, ring_slots);
                let mut parts = vec![(BUCKETS, buckets)];
                parts.extend((0..LATCH_COPIES).map(|i| (shape.latch(i), shape.state_words())));
                parts.extend((0..ring_slots).map(|i| (shape.ring(i), RING_STATE + shape.state_words())));
                for pair in parts.windows(2) {
                    assert!(pair[0].0 + pair[0].1 <= pair[1].0);
                    assert_eq!(pair[1].0 % LINE_WORDS, 0);
                }
                let last = parts[parts.len() - 1];
                assert!(last.0 + last.1 <= shape.words());
                assert_eq!(shape.words() / LINE_WORDS % 2, 1);
            }
        }
    }

    #[test]
    fn memory_of_the_default_histogram_is_as_documented() {
        // 258 buckets, two latch copies, two ring slots: about 10 KiB.
        assert_eq!(BlockShape::new(258, 2).length(), 11_136);
    }
}
