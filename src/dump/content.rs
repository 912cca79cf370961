//! What is walked over: words, the series that have a cell, texts.

use std::cell::Cell;
use std::collections::HashMap;

use crate::layout::WORD_LENGTH;
use crate::layout::block::BlockShape;
use crate::layout::geometry::{BLOCK_GRANULE_LENGTH, Geometry};
use crate::layout::header::{RESERVED_OFFSET, TEXT_USED_OFFSET};
use crate::layout::kind::Space;
use crate::layout::record::*;
use crate::snapshot::contents::{Contents, Validation};
use crate::sync::{Acquire, fence};
use crate::words::ReadWords;

/// A series that has a cell.
pub(super) struct Series {
    pub(super) number: u64,
    pub(super) record: SeriesRecord,
    pub(super) placement: u64,
    /// Its block; empty for counters and gauges.
    pub(super) shape: BlockShape,
    pub(super) is_ready: bool,
}

/// What is walked over.
pub(super) struct Content<'a> {
    words: ReadWords<'a>,
    pub(super) geometry: &'a Geometry,
    contents: Contents<'a>,
    /// Records, and bytes of text, that have storage.
    stored: (u64, u64),
    /// Series that have a cell which no other has, by number.
    series: Vec<Series>,
    /// Of blocks: the first granule -> place in `series`. No two blocks start in one.
    blocks: HashMap<u64, usize>,
    /// Bytes of texts that may still be shown. Sound texts do not overlap, so the region has enough for all of them.
    texts: Cell<u64>,
}

impl<'a> Content<'a> {
    pub(super) fn new(words: ReadWords<'a>, geometry: &'a Geometry, stored: (u64, u64)) -> Self {
        let contents = Contents::new(words, geometry);
        let mut content = Self {
            words,
            geometry,
            contents,
            stored,
            series: Vec::new(),
            blocks: HashMap::new(),
            texts: Cell::new(geometry.capacities.text_length),
        };
        content.series = content.find_series();
        let blocks = (0..)
            .zip(&content.series)
            .filter(|(_, series)| series.record.kind.space() == Space::Blocks);
        content.blocks = blocks
            .map(|(index, series)| (series.placement / BLOCK_GRANULE_LENGTH, index))
            .collect();
        content
    }

    /// All series whose record is valid and has a cell. Ready ones first choose, as for a reader; the dump does not ask for their
    /// families and labels: their cells are worth seeing without them.
    fn find_series(&self) -> Vec<Series> {
        let heads: Vec<bool> = (1..=self.reserved())
            .map(|number| {
                let ready = self.geometry.record_offset(number) + READY_WORD as u64 * WORD_LENGTH;
                self.load(ready) == READY
            })
            .collect();
        // Pairs with the release store of ready.
        fence(Acquire);
        let mut validation = Validation::default();
        let mut found = Vec::new();
        for wanted in [true, false] {
            for (number, is_ready) in (1..)
                .zip(heads.iter().copied())
                .filter(|(_, ready)| *ready == wanted)
            {
                let copy = self.contents.record(number);
                let Ok(Record::Series(record)) = Record::parse(&copy, self.geometry) else {
                    continue;
                };
                let Ok(placement) = record.cell(copy[CELL_WORD], self.geometry) else {
                    continue;
                };
                if validation.occupy(number, &record, placement).is_err() {
                    continue;
                }
                found.push(Series {
                    number,
                    record,
                    placement,
                    shape: record.shape(),
                    is_ready,
                });
            }
        }
        found.sort_by_key(|series| series.number);
        found
    }

    /// The word at a byte offset.
    pub(super) fn load(&self, offset: u64) -> u64 {
        self.words.load((offset / WORD_LENGTH) as usize)
    }

    /// The words from a byte offset on, loaded once.
    pub(super) fn copy(&self, offset: u64, count: usize) -> Vec<u64> {
        let mut words = vec![0; count];
        self.words.copy((offset / WORD_LENGTH) as usize, &mut words);
        words
    }

    /// Records that were handed out.
    pub(super) fn reserved(&self) -> u64 {
        let reserved = self.load(RESERVED_OFFSET);
        // Pairs with whatever published what is loaded next.
        fence(Acquire);
        reserved.min(self.stored.0)
    }

    /// Bytes of text that were handed out.
    pub(super) fn text_used(&self) -> u64 {
        self.load(TEXT_USED_OFFSET).min(self.stored.1)
    }

    /// The series with a cell in this space.
    pub(super) fn of(&self, space: Space) -> impl Iterator<Item = &Series> {
        self.series
            .iter()
            .filter(move |series| series.record.kind.space() == space)
    }

    /// The series whose block begins in this granule.
    pub(super) fn block(&self, granule: u64) -> Option<&Series> {
        self.blocks.get(&granule).map(|index| &self.series[*index])
    }

    /// A text of a record by its range, of which nobody knows whether it is valid: loaded only if it has at most `most` bytes.
    pub(super) fn text(&self, word: u64, most: usize, tell: impl Fn(&[u8]) -> String) -> String {
        let TextRange { offset, length } = TextRange::unpack(word);
        if word == 0 {
            return "none".to_owned();
        }
        let told = if length as usize > most {
            format!("beyond the limit of {most}")
        } else if let Ok(range) = TextRange::validate(word, "", (0, most), self.geometry) {
            match self.texts.get().checked_sub(length.into()) {
                Some(left) => {
                    self.texts.set(left);
                    tell(&self.contents.text(range))
                }
                None => "not shown, as all texts together have more than their region".to_owned(),
            }
        } else {
            "outside the text".to_owned()
        };
        format!("{length} bytes at {offset}: {told}")
    }
}
