//! What the segment declares, as far as it was understood.

use std::collections::HashMap;

use crate::layout::block::BlockShape;
use crate::layout::events::Schema;
use crate::layout::kind::{Merge, Space};
use crate::layout::record::*;
use crate::snapshot::BucketScheme;

/// A record that readers may look at: it is published, or ready, or a series that is one of these names it as its family.
pub(super) struct Entry {
    pub(super) number: u64,
    pub(super) words: [u64; RECORD_WORDS],
    /// Its number is in the index.
    pub(super) is_published: bool,
    pub(super) is_ready: bool,
    /// Its content; `None` if it is not valid.
    pub(super) record: Option<Record>,
    /// What a valid series has beside its content.
    pub(super) series: Option<Series>,
}

/// A series all of whose parts are valid.
pub(super) struct Series {
    pub(super) record: SeriesRecord,
    /// The merge rule of its family.
    pub(super) merge: Merge,
    /// Where its cell is; `None` if it is not placed yet, or another series has that place (V-30).
    pub(super) placement: Option<u64>,
    /// Another series has its place.
    pub(super) overlaps: bool,
    /// Its block; empty for what is no histogram.
    pub(super) shape: BlockShape,
    /// Its buckets; `None` for what is no histogram.
    pub(super) scheme: Option<BucketScheme>,
    /// The kinds of its events; `None` for what is no events series.
    pub(super) schema: Option<Schema>,
}

/// What the segment declares.
#[derive(Default)]
pub(super) struct Declared {
    /// Ascending by number.
    pub(super) entries: Vec<Entry>,
    /// Not every record could be understood: a cell that nobody is known to have may be one of theirs.
    pub(super) is_incomplete: bool,
    /// The first free unit of blocks before the records were looked at: whatever is placed below is among the entries.
    pub(super) free_blocks: u64,
    by_number: HashMap<u64, usize>,
}

impl Declared {
    pub(super) fn new(entries: Vec<Entry>, free_blocks: u64) -> Declared {
        let mut declared = Declared {
            free_blocks,
            ..Declared::default()
        };
        declared.add(entries);
        declared
    }

    /// Adds entries whose numbers are new.
    pub(super) fn add(&mut self, entries: Vec<Entry>) {
        self.entries.extend(entries);
        self.entries.sort_by_key(|entry| entry.number);
        let numbers = self.entries.iter().map(|entry| entry.number);
        self.by_number = numbers.zip(0..).collect();
    }

    pub(super) fn get(&self, number: u64) -> Option<&Entry> {
        self.by_number.get(&number).map(|index| &self.entries[*index])
    }

    /// Valid series that have a cell in `space`, with their entry and placement.
    pub(super) fn placed(&self, space: Space) -> impl Iterator<Item = (&Entry, &Series, u64)> {
        self.entries.iter().filter_map(move |entry| {
            let series = entry.series.as_ref()?;
            let fits = series.record.kind.space() == space;
            series
                .placement
                .filter(|_| fits)
                .map(|placement| (entry, series, placement))
        })
    }

    /// As [`placed`](Self::placed), those that are ready: their cell in the shared lane is committed.
    pub(super) fn ready(&self, space: Space) -> impl Iterator<Item = (&Entry, &Series, u64)> {
        self.placed(space).filter(|(entry, ..)| entry.is_ready)
    }
}
