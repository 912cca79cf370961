//! The block of a text series: a text that any process replaces as a whole. It is in the shared lane only.
//!
//! ```text
//! line 0     0x00 head: slot + 1 · generation << 8, 0 in the low byte = no text   0x08 refused   rest reserved
//! 8 slots    whole lines each
//!            0x00 claim: tag of who writes it, 0 = nobody   0x08 begin: generation it is written for
//!            0x10 content: length · cut << 16 · check << 32   0x18 set at, wall clock in ns   0x20 text
//! ```

use super::fields::fields;
use super::in_flight::key_hash;
use super::{LINE_LENGTH, LINE_WORDS, WORD_LENGTH};

fields! {
    /// The words of line 0 that have a meaning.
    FIELDS, words:
    /// Which slot has the text.
    TEXT_HEAD = 0, A64 "text_head";
    /// Texts that found no slot.
    TEXT_REFUSED = 1, A64 "text_refused";
}

fields! {
    /// The words of a slot before its text.
    SLOT_FIELDS, words:
    /// Who writes the slot.
    TEXT_CLAIM = 0, Tag "text_claim";
    /// The generation that it is written for.
    TEXT_BEGIN = 1, A64 "text_begin";
    /// Length of the text, whether it is cut, and a check.
    TEXT_CONTENT = 2, A64 "text_content";
    /// When it was set.
    TEXT_SET_NS = 3, A64 "text_set_ns";
}

/// Slots of a block: one has the text, the others are for those who set it.
pub const TEXT_SLOTS: usize = 8;
/// Words of a slot before its text.
pub const TEXT_START: usize = 4;
/// Longest capacity, bytes.
pub const MAX_TEXT_CAPACITY: u64 = 4096;
/// Most words of a text.
pub const MAX_TEXT_WORDS: usize = (MAX_TEXT_CAPACITY / WORD_LENGTH) as usize;
/// Content word: the text was longer, and is cut.
pub const TEXT_CUT: u64 = 1 << 16;
/// Content word: bits that have no meaning.
pub const TEXT_CONTENT_RESERVED: u64 = 0xfffe_0000;

/// Where the parts of a block are. Offsets are words from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextShape {
    /// Bytes.
    capacity: u16,
}

impl TextShape {
    /// 224 bytes: a slot has two lines.
    pub const DEFAULT: Self = Self { capacity: 224 };

    /// For texts of at most so many bytes; `None` if that is 0 or more than [`MAX_TEXT_CAPACITY`].
    pub const fn new(capacity: u64) -> Option<Self> {
        if capacity == 0 || capacity > MAX_TEXT_CAPACITY {
            return None;
        }
        Some(Self {
            capacity: capacity as u16,
        })
    }

    /// As the word `buckets` of a record.
    pub const fn pack(self) -> u64 {
        self.capacity as u64
    }

    /// Bytes of the longest text.
    pub const fn capacity(self) -> usize {
        self.capacity as usize
    }

    /// Words of the longest text.
    pub const fn text_words(self) -> usize {
        self.capacity().div_ceil(8)
    }

    /// Words of a slot: whole lines, so that two that set it do not share one.
    pub const fn slot_words(self) -> usize {
        (TEXT_START + self.text_words()).next_multiple_of(LINE_WORDS)
    }

    /// First word of a slot.
    pub const fn slot(self, slot: usize) -> usize {
        LINE_WORDS + slot * self.slot_words()
    }

    /// Words of the block.
    pub const fn words(self) -> usize {
        self.slot(TEXT_SLOTS)
    }

    /// Bytes of the block, all of which are used in the shared lane, and none in a lane.
    pub const fn length(self) -> u64 {
        self.words() as u64 * WORD_LENGTH
    }
}

/// The lines are odd in number, so that blocks in a row do not have their lines 0 in the same cache sets.
const _: () = assert!(TextShape::DEFAULT.length() / LINE_LENGTH % 2 == 1);

/// The head of a block: which slot has the text, and how often that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextHead(pub u64);

impl TextHead {
    /// How often the text was set or deleted, modulo 2^56.
    pub const fn generation(self) -> u64 {
        self.0 >> 8
    }

    /// The generation after it.
    pub const fn next_generation(self) -> u64 {
        TextHead(self.0.wrapping_add(1 << 8)).generation()
    }

    /// Is there no text?
    pub const fn is_none(self) -> bool {
        self.0 & 0xff == 0
    }

    /// The slot that has the text; `None` if there is none, or if no slot has this number.
    pub const fn slot(self) -> Option<usize> {
        match (self.0 & 0xff) as usize {
            0 => None,
            number if number <= TEXT_SLOTS => Some(number - 1),
            _ => None,
        }
    }

    /// The head after it, whose text is in this slot.
    pub const fn with(self, slot: usize) -> TextHead {
        TextHead(self.next_generation() << 8 | (slot as u64 + 1))
    }

    /// The head after it, without a text.
    pub const fn without(self) -> TextHead {
        TextHead(self.next_generation() << 8)
    }
}

/// A text as it is stored: cut at a character, with its content word.
#[derive(Clone, Copy, Debug)]
pub struct TextToStore<'a> {
    bytes: &'a [u8],
    content: u64,
}

impl<'a> TextToStore<'a> {
    /// As much of this text as there is room for.
    #[inline]
    pub fn new(text: &'a str, shape: TextShape) -> Self {
        let (text, cut) = match text.len() <= shape.capacity() {
            true => (text, 0),
            false => {
                let end = (0..=shape.capacity()).rev().find(|at| text.is_char_boundary(*at));
                (&text[..end.unwrap_or(0)], TEXT_CUT)
            }
        };
        let bytes = text.as_bytes();
        Self {
            bytes,
            content: bytes.len() as u64 | cut | check(bytes),
        }
    }

    /// The content word.
    #[inline]
    pub const fn content(&self) -> u64 {
        self.content
    }

    /// The words of the text, as many as it needs, padded with NUL.
    #[inline]
    pub fn words(&self) -> impl Iterator<Item = u64> + '_ {
        let (words, rest) = self.bytes.as_chunks::<8>();
        let last = (!rest.is_empty()).then(|| {
            let mut bytes = [0; 8];
            bytes[..rest.len()].copy_from_slice(rest);
            u64::from_ne_bytes(bytes)
        });
        words.iter().map(|word| u64::from_ne_bytes(*word)).chain(last)
    }
}

/// The high half of the hash of a text, where the content word has it.
fn check(bytes: &[u8]) -> u64 {
    key_hash(bytes) >> 32 << 32
}

/// Bytes of a text by its content word.
pub const fn stored_length(content: u64) -> usize {
    (content & 0xffff) as usize
}

/// Is the text of this content word cut?
pub const fn is_cut(content: u64) -> bool {
    content & TEXT_CUT != 0
}

/// Puts the text of a copy of a slot into `into`. `None`, and nothing in it: it is not what the content word says.
pub fn parse(content: u64, shape: TextShape, words: &[u64], into: &mut String) -> Option<()> {
    let length = stored_length(content);
    into.clear();
    if length > shape.capacity() {
        return None;
    }
    let mut bytes = [0; MAX_TEXT_CAPACITY as usize];
    for (chunk, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *chunk = word.to_ne_bytes();
    }
    let text = bytes.get(..length.min(words.len() * 8))?;
    let text = core::str::from_utf8(text).ok()?;
    if content & TEXT_CONTENT_RESERVED != 0
        || text.len() != length
        || check(text.as_bytes()) != content >> 32 << 32
    {
        return None;
    }
    into.push_str(text);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_whole_lines_and_blocks_have_an_odd_number_of_them() {
        for capacity in [1, 8, 96, 97, 224, 225, 4095, MAX_TEXT_CAPACITY] {
            let shape = TextShape::new(capacity).unwrap();
            assert_eq!(TextShape::new(shape.pack()), Some(shape));
            assert!(shape.slot_words() >= TEXT_START + shape.text_words());
            assert!(shape.slot_words().is_multiple_of(LINE_WORDS));
            assert_eq!(shape.words() / LINE_WORDS % 2, 1);
            assert!(
                shape.length() >= 5 * LINE_LENGTH && shape.length() <= super::super::record::MAX_BLOCK_LENGTH
            );
        }
        assert_eq!(
            (TextShape::new(0), TextShape::new(MAX_TEXT_CAPACITY + 1)),
            (None, None)
        );
        assert_eq!(TextShape::DEFAULT.slot_words(), 2 * LINE_WORDS);
    }

    #[test]
    fn a_head_goes_on_whatever_it_was() {
        let first = TextHead(0).with(7);
        assert_eq!(
            (first.slot(), first.generation(), first.is_none()),
            (Some(7), 1, false)
        );
        let deleted = first.without();
        assert_eq!(
            (deleted.slot(), deleted.generation(), deleted.is_none()),
            (None, 2, true)
        );
        let damaged = TextHead(9);
        assert_eq!((damaged.slot(), damaged.is_none()), (None, false));
        let last = TextHead(u64::MAX << 8 | 1);
        assert_eq!((last.next_generation(), last.with(0).0), (0, 1));
    }

    #[test]
    fn a_text_is_cut_at_a_character_and_comes_back_or_is_refused() {
        let shape = TextShape::new(10).unwrap();
        let mut found = String::from("before");
        for (text, shown) in [
            ("", ""),
            ("ten bytes!", "ten bytes!"),
            ("nine byte\u{e4}", "nine byte"),
        ] {
            let stored = TextToStore::new(text, shape);
            let words: Vec<u64> = stored.words().collect();
            assert_eq!(words.len(), shown.len().div_ceil(8));
            assert_eq!(is_cut(stored.content()), text != shown);
            assert_eq!(stored_length(stored.content()), shown.len());
            parse(stored.content(), shape, &words, &mut found).unwrap();
            assert_eq!(found, shown);
            for damage in [1, 1 << 17, 1 << 40] {
                assert_eq!(parse(stored.content() ^ damage, shape, &words, &mut found), None);
                assert_eq!(found, "");
            }
        }
        assert_eq!(
            parse(4097 | check(b""), shape, &[0; MAX_TEXT_WORDS], &mut found),
            None
        );
        // Of words there is room for 16 bytes.
        let longer = TextToStore::new("eleven byte", TextShape::new(16).unwrap());
        let words: Vec<u64> = longer.words().collect();
        assert_eq!(parse(longer.content(), shape, &words, &mut found), None);
    }
}
