//! The error log: one entry per distinct text, with how often and when it was logged.
//!
//! ```text
//! error entry, 256 bytes
//! 0x00 claim    who fills it: a claim word, as of records     0x20 count      how often
//! 0x08 ready    1: filled                                     0x28 first_ns   when, at first
//! 0x10 hash     of the text                                   0x30 last_ns    when, at last
//! 0x18 length   bytes of the text | cut << 32                 0x40 text, 192 bytes
//! ```
//!
//! An entry is never given back: the text of a ready one is immutable. All of it is allocated at creation, because the log is needed
//! exactly when storage is short.

use core::fmt;

use super::fields::fields;
use super::{Fnv, WORD_LENGTH};

/// Bytes of an entry: two lines, so that entries do not share one.
pub const ERROR_ENTRY_LENGTH: u64 = 256;
/// Words of an entry.
pub const ERROR_ENTRY_WORDS: usize = (ERROR_ENTRY_LENGTH / WORD_LENGTH) as usize;
/// Longest text: what is left of an entry. Longer ones are cut at a character.
pub const ERROR_TEXT_LENGTH: usize = 192;
/// Words of a text.
pub const ERROR_TEXT_WORDS: usize = ERROR_TEXT_LENGTH / WORD_LENGTH as usize;
/// In the word `error_length`: the text was cut.
pub const ERROR_TEXT_CUT: u64 = 1 << 32;
/// `error_ready` of an entry that is filled.
pub const ERROR_READY: u64 = 1;

fields! {
    /// The fields of an error entry.
    ERROR_FIELDS, bytes:
    /// Who fills the entry, or filled it: 0 = unused; an owner tag; or [`CLAIMED_BY_UNKNOWN`](super::record::CLAIMED_BY_UNKNOWN).
    ERROR_CLAIM_OFFSET = 0x00, Tag "error_claim";
    /// [`ERROR_READY`] when the entry is filled.
    ERROR_READY_OFFSET = 0x08, A64 "error_ready";
    /// [`error_hash`] of the text.
    ERROR_HASH_OFFSET = 0x10, U64 "error_hash";
    /// Bytes of the text; [`ERROR_TEXT_CUT`] if there was more.
    ERROR_LENGTH_OFFSET = 0x18, U64 "error_length";
    /// How often it was logged.
    ERROR_COUNT_OFFSET = 0x20, A64 "error_count";
    /// Wall clock when it was first logged, nanoseconds since 1970.
    ERROR_FIRST_NS_OFFSET = 0x28, U64 "error_first_ns";
    /// Wall clock when it was last logged.
    ERROR_LAST_NS_OFFSET = 0x30, A64 "error_last_ns";
    /// The text: UTF-8, padded with NUL.
    ERROR_TEXT_OFFSET = 0x40, Text "error_text", ERROR_TEXT_LENGTH as u64;
}

/// Hash of a text: FNV-1a; 0 becomes 1.
pub fn error_hash(text: &[u8]) -> u64 {
    Fnv::new().bytes(text).finish().max(1)
}

/// The text of an entry: what is to be logged, cut while it is written; or what a ready entry says, validated. No heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorText {
    /// Beyond `length` zeros.
    bytes: [u8; ERROR_TEXT_LENGTH],
    length: usize,
    truncated: bool,
}

impl Default for ErrorText {
    fn default() -> Self {
        ErrorText {
            bytes: [0; ERROR_TEXT_LENGTH],
            length: 0,
            truncated: false,
        }
    }
}

impl fmt::Write for ErrorText {
    /// Takes up what there is room for, whole characters, and nothing after the first cut. Never fails.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.truncated {
            return Ok(());
        }
        let room = ERROR_TEXT_LENGTH - self.length;
        let fits = |at: &usize| text.is_char_boundary(*at);
        let taken = (0..=room.min(text.len())).rev().find(fits).unwrap_or(0);
        self.bytes[self.length..self.length + taken].copy_from_slice(&text.as_bytes()[..taken]);
        self.length += taken;
        self.truncated = taken < text.len();
        Ok(())
    }
}

impl ErrorText {
    /// Was there more of it?
    pub const fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// The word `error_length`.
    pub const fn length_word(&self) -> u64 {
        self.length as u64 | if self.truncated { ERROR_TEXT_CUT } else { 0 }
    }

    /// The words of the text, padded with NUL.
    pub fn words(&self) -> impl Iterator<Item = u64> {
        let chunks = self.bytes.as_chunks::<8>().0;
        chunks.iter().map(|chunk| u64::from_ne_bytes(*chunk))
    }

    /// The text of a ready entry, of whose words this is a copy. `None`: the entry is damaged (SPEC.md 12.3): its length is none, or
    /// its hash is not that of the text.
    pub fn parse(words: &[u64; ERROR_ENTRY_WORDS]) -> Option<ErrorText> {
        let at = |offset: u64| words[(offset / WORD_LENGTH) as usize];
        let word = at(ERROR_LENGTH_OFFSET);
        let length = usize::try_from(word & !ERROR_TEXT_CUT).ok()?;
        if !(1..=ERROR_TEXT_LENGTH).contains(&length) {
            return None;
        }
        let mut bytes = [0; ERROR_TEXT_LENGTH];
        let texts = &words[(ERROR_TEXT_OFFSET / WORD_LENGTH) as usize..];
        for (byte, at) in bytes[..length].iter_mut().zip(0..) {
            let at: usize = at;
            *byte = texts[at / 8].to_ne_bytes()[at % 8];
        }
        let text = ErrorText {
            bytes,
            length,
            truncated: word & ERROR_TEXT_CUT != 0,
        };
        (error_hash(text.bytes()) == at(ERROR_HASH_OFFSET)).then_some(text)
    }

    /// The bytes of the text: UTF-8, if its writer was right.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_at_a_character_and_stays_cut() {
        use core::fmt::Write;
        let mut text = ErrorText::default();
        write!(text, "{}\u{20ac}uro", "x".repeat(190)).unwrap();
        write!(text, "y").unwrap();
        assert_eq!(
            (text.bytes(), text.is_truncated()),
            ("x".repeat(190).as_bytes(), true)
        );
        assert_eq!(text.length_word(), 190 | ERROR_TEXT_CUT);
        assert_eq!(text.words().last(), Some(u64::from_ne_bytes(*b"xxxxxx\0\0")));
    }

    fn entry(text: &[u8]) -> [u64; ERROR_ENTRY_WORDS] {
        let mut words = [0; ERROR_ENTRY_WORDS];
        words[2] = error_hash(text);
        words[3] = text.len() as u64;
        for (word, chunk) in words[8..].iter_mut().zip(text.chunks(8)) {
            let mut bytes = [0; 8];
            bytes[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_ne_bytes(bytes);
        }
        words
    }

    #[test]
    fn a_text_is_what_its_length_and_hash_say_or_nothing() {
        let good = entry(b"cannot reach the queue");
        assert_eq!(
            ErrorText::parse(&good).unwrap().bytes(),
            b"cannot reach the queue"
        );
        let mut cut = good;
        cut[3] |= ERROR_TEXT_CUT;
        assert!(ErrorText::parse(&cut).unwrap().is_truncated());
        for (word, value) in [(2, 0), (3, 0), (3, 193), (3, 1 << 33 | 22), (3, u64::MAX), (8, 7)] {
            let mut bad = good;
            bad[word] = value;
            assert_eq!(ErrorText::parse(&bad), None, "word {word}");
        }
        let whole = [b'x'; ERROR_TEXT_LENGTH];
        assert_eq!(ErrorText::parse(&entry(&whole)).unwrap().bytes(), whole);
        assert_eq!(ErrorText::parse(&entry(b"")), None);
    }
}
