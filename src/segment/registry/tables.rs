//! The tables of a segment as word slices: records, texts, spares. Registration fills them, visits walk them.

use crate::error::RegisterError;
use crate::layout::WORD_LENGTH;
use crate::layout::geometry::Geometry;
use crate::layout::header::{RESERVED_OFFSET, TEXT_USED_OFFSET};
use crate::layout::record::*;
use crate::protocol::index;
use crate::segment::attachment::Attachment;
use crate::segment::thread;
use crate::sync::{AcqRel, AtomicU64, Relaxed};

/// A segment's tables as word slices.
pub(super) struct Tables<'a> {
    pub(super) attachment: &'a Attachment,
    pub(super) geometry: &'a Geometry,
    pub(super) index: &'a [AtomicU64],
    pub(super) records: &'a [AtomicU64],
    text: &'a [AtomicU64],
}

impl<'a> Tables<'a> {
    pub(super) fn new(attachment: &'a Attachment) -> Self {
        let geometry = &attachment.geometry;
        Tables {
            attachment,
            geometry,
            index: attachment.words_at(geometry.index_offset, geometry.index_entries as usize),
            records: attachment.words_at(geometry.records_offset, geometry.records as usize * RECORD_WORDS),
            text: attachment.words_at(
                geometry.text_offset,
                (geometry.capacities.text_length / WORD_LENGTH) as usize,
            ),
        }
    }

    /// A word of a record; a number that is none reads as a word of nobody.
    pub(super) fn word(&self, number: u64, word: usize) -> &'a AtomicU64 {
        static NOWHERE: AtomicU64 = AtomicU64::new(0);
        let index = (number as usize)
            .wrapping_sub(1)
            .wrapping_mul(RECORD_WORDS)
            .wrapping_add(word);
        self.records.get(index).unwrap_or(&NOWHERE)
    }

    pub(super) fn load(&self, number: u64, word: usize) -> u64 {
        self.word(number, word).load(Relaxed)
    }

    /// Is this text, and no other, in the range?
    pub(super) fn text_is(&self, range: u64, text: &[u8]) -> bool {
        let range = TextRange::unpack(range);
        if range.length as usize != text.len() {
            return false;
        }
        let start = range.offset as usize / 8;
        text.chunks(8).enumerate().all(|(at, chunk)| {
            let bytes = self
                .text
                .get(start + at)
                .map_or(0, |word| word.load(Relaxed))
                .to_ne_bytes();
            &bytes[..chunk.len()] == chunk
        })
    }

    /// The text of at most `most` bytes in a range, for messages. Others may have stored any range: it is cut.
    pub(super) fn text(&self, range: u64, most: usize) -> String {
        let range = TextRange::unpack(range);
        let length = (range.length as usize).min(most);
        let words = length.div_ceil(8);
        let start = range.offset as usize / 8;
        let mut bytes: Vec<u8> = (start..start + words)
            .flat_map(|at| {
                self.text
                    .get(at)
                    .map_or(0, |word| word.load(Relaxed))
                    .to_ne_bytes()
            })
            .collect();
        bytes.truncate(length);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub(super) fn put_text(&self, offset: u32, text: &[u8]) -> TextRange {
        for (at, chunk) in text.chunks(8).enumerate() {
            let mut bytes = [0; 8];
            bytes[..chunk.len()].copy_from_slice(chunk);
            if let Some(word) = self.text.get(offset as usize / 8 + at) {
                word.store(u64::from_ne_bytes(bytes), Relaxed);
            }
        }
        TextRange {
            offset,
            length: text.len() as u32,
        }
    }

    /// A record of this process' own to fill, with room for `length` bytes of text. Its number and where the text goes.
    pub(super) fn take_record(&self, name: &str, length: u64) -> Result<(u64, u32), RegisterError> {
        let spare = self
            .attachment
            .spares
            .iter()
            .map(|place| place.swap(0, AcqRel))
            .find(|n| *n != 0);
        let tag = match thread::page().slots[self.attachment.number].tag.load(Relaxed) {
            0 => CLAIMED_BY_UNKNOWN,
            tag => tag,
        };
        let reserved = self.attachment.word(RESERVED_OFFSET);
        let full = |what, capacity, option| RegisterError::Full {
            name: name.to_owned(),
            what,
            capacity,
            option,
        };
        let number = match spare {
            Some(number) => number,
            None => index::take_record(self.records, reserved, tag)
                .ok_or_else(|| full("record", self.geometry.records, "series"))?,
        };
        let room = self.word(number, ROOM_WORD);
        let have = TextRange::unpack(room.load(Relaxed));
        let most = self.geometry.capacities.text_length;
        // The word is mutable: room that is outside of the text is none.
        let is_inside = u64::from(have.offset) + u64::from(have.length) <= most;
        if u64::from(have.length) >= length && is_inside && u64::from(have.offset).is_multiple_of(WORD_LENGTH)
        {
            return Ok((number, have.offset));
        }
        let used = self.attachment.word(TEXT_USED_OFFSET);
        let start = used.fetch_update(AcqRel, Relaxed, |used| {
            let end = used.checked_add(length)?;
            (end <= most).then_some(end)
        });
        match start {
            Ok(start) => {
                room.store(
                    TextRange {
                        offset: start as u32,
                        length: length as u32,
                    }
                    .pack(),
                    Relaxed,
                );
                Ok((number, start as u32))
            }
            Err(_) => {
                self.keep_spare(number);
                Err(full("byte of text", most, "text_length"))
            }
        }
    }

    /// Keeps a record that lost its race for the next registration. If every place is taken it stays claimed by this process, and
    /// whoever gets the process slot next recovers it.
    pub(super) fn keep_spare(&self, number: u64) {
        let empty = |place: &AtomicU64| place.compare_exchange(0, number, AcqRel, Relaxed).is_ok();
        let _ = self.attachment.spares.iter().any(empty);
    }

    /// Publishes a filled record. Returns the number that stands for the key and whether it is this one.
    pub(super) fn publish(
        &self,
        name: &str,
        hash: u64,
        number: u64,
        matches: impl Fn(u64) -> bool,
    ) -> Result<(u64, bool), RegisterError> {
        match index::publish(self.index, hash, number, matches) {
            Some(found) if found == number => {
                index::mark_published(self.records, number);
                Ok((number, true))
            }
            Some(found) => {
                self.keep_spare(number);
                Ok((found, false))
            }
            None => {
                self.keep_spare(number);
                Err(RegisterError::Damaged {
                    name: name.to_owned(),
                    what: "index",
                })
            }
        }
    }

    pub(super) fn fill(&self, number: u64, words: &[u64; RECORD_WORDS]) {
        for (word, value) in words.iter().enumerate().take(CHECKSUM_WORD + 1).skip(SHAPE_WORD) {
            self.word(number, word).store(*value, Relaxed);
        }
        // A record that served another key before it lost: nothing of that may stay.
        for word in [READY_WORD, CELL_WORD, MEMBERS_WORD] {
            self.word(number, word).store(0, Relaxed);
        }
    }
}
