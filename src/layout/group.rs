//! The block of a group: fields that are counted together, of which readers see all of an update or nothing.
//!
//! ```text
//! line 0    0x00 begun   0x08 landed   0x10 baseline   0x18 to 0x7f reserved
//! line 1    a word per field; shared lane: what it holds; a lane: what it held when the present owner took it
//! copies    N of them, N a power of two: W words each, the fields, and padding up to a power of two
//!           padded to a line; one more line if the number of lines is even
//! ```
//!
//! Update v of a lane, from 1, is in copy v mod N, whole: what all fields have after it. A block of zeros is valid and empty. In the
//! shared lane (many writers) there are lines 0 and 1 only.
//!
//! The names of the fields are the text that stands in the record's `extra`, one after the other, a line feed between them.

use super::block::BlockShape;
use super::events::is_name;
use super::fields::fields;
use super::{LINE_LENGTH, LINE_WORDS, WORD_LENGTH};

fields! {
    /// The words of line 0 that have a meaning.
    FIELDS, words:
    /// Number of the update that last began (shared lane: how many did).
    GROUP_BEGUN = 0, A64 "group_begun";
    /// Number of the update that last landed (shared lane: how many did).
    GROUP_LANDED = 1, A64 "group_landed";
    /// Updates when the present owner took the lane.
    GROUP_BASELINE = 2, A64 "group_baseline";
}
/// First word of line 1: the fields in the shared lane, their baseline in a lane.
pub const GROUP_FIELDS: usize = LINE_WORDS;
/// First word of the copies.
pub const GROUP_COPIES: usize = 2 * LINE_WORDS;
/// Bytes of the part that the shared lane uses: lines 0 and 1.
pub const GROUP_SHARED_LENGTH: u64 = 2 * LINE_LENGTH;

/// Most fields of a group.
pub const MAX_GROUP_FIELDS: usize = 15;
/// Longest name of a field, bytes.
pub const MAX_GROUP_FIELD_LENGTH: usize = super::events::MAX_EVENT_NAME_LENGTH;
/// Longest names of all fields, with what is between them.
pub const MAX_GROUP_NAMES_LENGTH: usize = MAX_GROUP_FIELDS * (MAX_GROUP_FIELD_LENGTH + 1) - 1;
/// Copies of a block, as a power of two: at least this.
pub const MIN_GROUP_COPIES_LOG2: u8 = 4;
/// Copies of a block, as a power of two: at most this.
pub const MAX_GROUP_COPIES_LOG2: u8 = 8;
/// Lines of the shortest block: as of histograms, so that no two blocks start in one granule of the bitmap.
const LEAST_LINES: usize = 5;
/// Words of all copies together where nothing else is asked for: 2 KiB.
const USUAL_WORDS: usize = 256;
/// Most copies where nothing else is asked for.
const USUAL_COPIES: usize = 64;

/// How the parts of a block follow from the number of fields and of copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupShape {
    fields: u8,
    log2_copies: u8,
}

impl GroupShape {
    /// Of one field, for a handle that does nothing.
    pub const LEAST: Self = Self {
        fields: 1,
        log2_copies: MIN_GROUP_COPIES_LOG2,
    };

    /// For so many fields, with as many copies as are usual: 64 of up to four fields, 32 of up to eight, else 16. `None` if there
    /// cannot be as many fields.
    pub const fn new(fields: usize) -> Option<Self> {
        if fields == 0 || fields > MAX_GROUP_FIELDS {
            return None;
        }
        let copies = USUAL_WORDS / fields.next_power_of_two();
        let copies = if copies > USUAL_COPIES {
            USUAL_COPIES
        } else {
            copies
        };
        Some(Self {
            fields: fields as u8,
            log2_copies: copies.ilog2() as u8,
        })
    }

    /// For tests of the protocol, which holds for fewer copies than the format allows.
    #[doc(hidden)]
    pub const fn with_copies(fields: u8, log2_copies: u8) -> Self {
        Self { fields, log2_copies }
    }

    /// The shape in the word `buckets` of a record; `None` if it is none.
    pub const fn unpack(word: u64) -> Option<Self> {
        let shape = Self {
            fields: word as u8,
            log2_copies: (word >> 8) as u8,
        };
        let fits = shape.fields > 0
            && shape.fields() <= MAX_GROUP_FIELDS
            && shape.log2_copies >= MIN_GROUP_COPIES_LOG2
            && shape.log2_copies <= MAX_GROUP_COPIES_LOG2;
        if fits && shape.pack() == word {
            Some(shape)
        } else {
            None
        }
    }

    /// As one word.
    pub const fn pack(&self) -> u64 {
        self.fields as u64 | (self.log2_copies as u64) << 8
    }

    /// Number of fields.
    #[inline(always)]
    pub const fn fields(&self) -> usize {
        self.fields as usize
    }

    /// Number of copies.
    #[inline(always)]
    pub const fn copies(&self) -> u64 {
        1 << self.log2_copies
    }

    /// Words from one copy to the next.
    #[inline(always)]
    pub const fn copy_words(&self) -> usize {
        self.fields().next_power_of_two()
    }

    /// First word of the copy that update `number` is in.
    #[inline(always)]
    pub const fn copy(&self, number: u64) -> usize {
        GROUP_COPIES + (number & (self.copies() - 1)) as usize * self.copy_words()
    }

    /// The word after the last copy.
    pub const fn end(&self) -> usize {
        GROUP_COPIES + self.copies() as usize * self.copy_words()
    }

    /// Words of the block.
    pub const fn words(&self) -> usize {
        let odd = self.end().div_ceil(LINE_WORDS) | 1;
        (if odd < LEAST_LINES { LEAST_LINES } else { odd }) * LINE_WORDS
    }

    /// Bytes of the block in a lane.
    pub const fn length(&self) -> u64 {
        self.words() as u64 * WORD_LENGTH
    }

    /// What a reset keeps of it: the block of a histogram with a bucket per field, and one for the number of updates.
    pub fn baseline(&self) -> BlockShape {
        BlockShape::new(self.fields() + 1, 0)
    }
}

/// Why fields cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldsError {
    /// None, or too many.
    #[error("{found} fields, expected 1 to {MAX_GROUP_FIELDS}; name what is counted together")]
    Number {
        /// How many.
        found: usize,
    },
    /// A name that is none.
    #[error(
        "the field {name:?}: expected 1 to {MAX_GROUP_FIELD_LENGTH} letters, digits, underlines, dots and hyphens"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// A name twice.
    #[error("the field {name:?} is there twice; name each once")]
    Duplicate {
        /// The name.
        name: String,
    },
}

/// The names of fields as one text.
pub fn encode(names: &[&str]) -> Result<String, FieldsError> {
    if names.is_empty() || names.len() > MAX_GROUP_FIELDS {
        return Err(FieldsError::Number { found: names.len() });
    }
    for (index, &name) in names.iter().enumerate() {
        if !is_name(name) {
            return Err(FieldsError::Name {
                name: name.to_owned(),
            });
        }
        if names[..index].contains(&name) {
            return Err(FieldsError::Duplicate {
                name: name.to_owned(),
            });
        }
    }
    Ok(names.join("\n"))
}

/// The names in a text; `None` if they are not as many names as the shape has fields, each once.
pub fn decode<'a>(text: &'a str, shape: &GroupShape) -> Option<Vec<&'a str>> {
    let names: Vec<&str> = text.split('\n').take(MAX_GROUP_FIELDS + 1).collect();
    (names.len() == shape.fields() && encode(&names).is_ok()).then_some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_do_not_overlap_and_lines_are_odd() {
        assert_eq!((GroupShape::new(0), GroupShape::new(16)), (None, None));
        for fields in 1..=MAX_GROUP_FIELDS {
            for log2 in MIN_GROUP_COPIES_LOG2..=MAX_GROUP_COPIES_LOG2 {
                let shape = GroupShape::with_copies(fields as u8, log2);
                assert_eq!(GroupShape::unpack(shape.pack()), Some(shape));
                assert!(shape.copy_words() >= fields && shape.end() <= shape.words());
                assert_eq!(shape.words() / LINE_WORDS % 2, 1);
                let last = shape.copies() - 1;
                assert_eq!(shape.copy(last) + shape.copy_words(), shape.end());
                assert_eq!(
                    (shape.copy(0), shape.copy(last + 1)),
                    (GROUP_COPIES, GROUP_COPIES)
                );
                assert_eq!(shape.baseline().shared_length(), GROUP_SHARED_LENGTH);
            }
        }
        for word in [
            0,
            3,
            3 | 3 << 8,
            3 | 9 << 8,
            16 | 4 << 8,
            3 | 4 << 8 | 1 << 16,
            3 | 4 << 8 | 1 << 63,
        ] {
            assert_eq!(GroupShape::unpack(word), None, "{word:#x}");
        }
    }

    #[test]
    fn memory_is_as_documented() {
        let lengths = [1, 3, 8, 15].map(|fields| GroupShape::new(fields).unwrap().length());
        assert_eq!(lengths, [896, 2_432, 2_432, 2_432]);
    }

    #[test]
    fn names_round_trip_and_what_is_none_is_not_decoded() {
        let shape = |fields| GroupShape::new(fields).unwrap();
        let text = encode(&["ok", "failed", "t.o-t_al"]).unwrap();
        assert_eq!(decode(&text, &shape(3)), Some(vec!["ok", "failed", "t.o-t_al"]));
        assert_eq!((decode(&text, &shape(2)), decode(&text, &shape(4))), (None, None));
        for text in ["", "a\n", "\na", "a\na", "a b\nc", "ä\nb"] {
            assert_eq!(decode(text, &shape(2)), None, "{text:?}");
        }
        let long = "x".repeat(63);
        let names: Vec<String> = (0..15).map(|n| format!("{n:x}{}", &long[1..])).collect();
        let longest = encode(&names.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
        assert_eq!(longest.len(), MAX_GROUP_NAMES_LENGTH);
        assert_eq!(decode(&longest, &shape(15)).unwrap().len(), 15);
        assert!(matches!(encode(&[]), Err(FieldsError::Number { found: 0 })));
        assert!(matches!(encode(&["a b"]), Err(FieldsError::Name { .. })));
        assert!(matches!(encode(&["a", "a"]), Err(FieldsError::Duplicate { .. })));
    }
}
