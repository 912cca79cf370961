//! The block of a series of samples: what one lane, or the shared lane, holds of the last values that were recorded.
//!
//! ```text
//! line 0    0x00 begun   0x08 ended   0x10 invalid   0x18 baseline   0x20 to 0x7f reserved
//! entries   time · value, two words each, a power of two of them
//!           padded to a line; one more line if the number of lines is even
//! ```
//!
//! Sample n, from 1, is in entry (n − 1) mod entries. There are more entries than samples that readers show, by a quarter at least:
//! so a writer that overwrites the oldest ones while a reader copies, or that died doing so, costs none of those that are shown.
//! A block of zeros is valid and empty. In the shared lane (many writers) `ended` is how many have landed.

use super::fields::fields;
use super::{LINE_WORDS, WORD_LENGTH};

fields! {
    /// The words of line 0 that have a meaning.
    FIELDS, words:
    /// Number of the last sample that began.
    SAMPLES_BEGUN = 0, A64 "samples_begun";
    /// Number of the last sample that ended (shared lane: how many did).
    SAMPLES_ENDED = 1, A64 "samples_ended";
    /// Values that are no samples.
    SAMPLES_INVALID = 2, A64 "samples_invalid";
    /// Samples when the present owner took the lane.
    SAMPLES_BASELINE = 3, A64 "samples_baseline";
}
/// First entry.
pub const ENTRIES: usize = LINE_WORDS;
/// Words of an entry.
pub const ENTRY_WORDS: usize = 2;

fields! {
    /// The words of an entry.
    ENTRY_FIELDS, words:
    /// When it was recorded.
    SAMPLE_TIME = 0, A64 "sample_time_ns";
    /// What was recorded.
    SAMPLE_VALUE = 1, A64 "sample_value";
}

/// Most samples that a series shows.
pub const MAX_SAMPLES: u64 = 4096;
/// Lines of the shortest block: as of histograms, so that no two blocks start in one granule of the bitmap.
const LEAST_LINES: usize = 5;

/// How the parts of a block follow from the number of samples that readers show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SamplesShape {
    shown: u32,
}

impl SamplesShape {
    /// For a series that shows one sample.
    pub const LEAST: Self = Self { shown: 1 };

    /// For a series that shows the last so many samples; `None` if that is 0 or more than [`MAX_SAMPLES`].
    pub const fn new(shown: u64) -> Option<Self> {
        match shown {
            1..=MAX_SAMPLES => Some(Self { shown: shown as u32 }),
            _ => None,
        }
    }

    /// How many samples are shown.
    pub const fn shown(&self) -> usize {
        self.shown as usize
    }

    /// Entries: the least power of two above 5/4 of what is shown.
    pub const fn entries(&self) -> usize {
        (self.shown() + self.shown() / 4 + 1).next_power_of_two()
    }

    /// First word of the entry of sample `number`, which is 1 or more.
    #[inline(always)]
    pub const fn entry(&self, number: u64) -> usize {
        ENTRIES + ENTRY_WORDS * (number.wrapping_sub(1) as usize & (self.entries() - 1))
    }

    /// Words of the block.
    pub const fn words(&self) -> usize {
        let odd = (ENTRIES + ENTRY_WORDS * self.entries()).div_ceil(LINE_WORDS) | 1;
        (if odd < LEAST_LINES { LEAST_LINES } else { odd }) * LINE_WORDS
    }

    /// Bytes of the block, in lanes and in the shared lane.
    pub const fn length(&self) -> u64 {
        self.words() as u64 * WORD_LENGTH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_more_entries_than_samples_shown_and_lines_are_odd() {
        assert_eq!(
            (SamplesShape::new(0), SamplesShape::new(MAX_SAMPLES + 1)),
            (None, None)
        );
        for shown in 1..=MAX_SAMPLES {
            let shape = SamplesShape::new(shown).unwrap();
            assert!(shape.entries() > shape.shown() + shape.shown() / 4);
            assert!(ENTRIES + ENTRY_WORDS * shape.entries() <= shape.words());
            assert_eq!(shape.words() / LINE_WORDS % 2, 1);
            let entries = shape.entries() as u64;
            assert_eq!(shape.entry(1), ENTRIES);
            assert_eq!(
                shape.entry(entries),
                ENTRIES + ENTRY_WORDS * (shape.entries() - 1)
            );
            assert_eq!(shape.entry(entries + 1), ENTRIES);
        }
    }

    #[test]
    fn memory_of_the_default_is_as_documented() {
        assert_eq!(SamplesShape::new(100).unwrap().length(), 2_176);
    }
}
