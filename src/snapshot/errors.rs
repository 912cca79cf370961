//! The error log of a segment: each entry is decoded once, entries of one text are added up.

use std::sync::Arc;

use super::ErrorEntry;
use crate::layout::WORD_LENGTH;
use crate::layout::directory::OwnerTag;
use crate::layout::error_log::*;
use crate::layout::geometry::Geometry;
use crate::protocol::error_log::{is_ready, tally};
use crate::words::ReadWords;

/// What is known of an entry. Its text never changes once it is ready, so a verdict is kept.
#[derive(Clone, Debug, Default)]
enum Known {
    #[default]
    Unready,
    /// It says nothing that may be believed.
    Damaged,
    /// Its text, and the first known entry that has it.
    Text {
        message: Arc<str>,
        truncated: bool,
        first: usize,
    },
}

/// All entries.
#[derive(Debug, Default)]
pub(super) struct ErrorLog {
    entries: Vec<Known>,
    /// Where in the answer the text of an entry is. Reused.
    positions: Vec<Option<usize>>,
}

/// How many entries there are of which sort.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Entries {
    /// Claimed, filled or not.
    pub(super) taken: u64,
    /// Ready, and damaged.
    pub(super) damaged: u64,
}

impl ErrorLog {
    /// Reads the log into `errors`, newest first.
    pub(super) fn fill(
        &mut self,
        words: ReadWords<'_>,
        geometry: &Geometry,
        errors: &mut Vec<ErrorEntry>,
    ) -> Entries {
        let capacity = geometry.capacities.errors as usize;
        self.entries.resize(capacity, Known::Unready);
        self.positions.clear();
        self.positions.resize(capacity, None);
        errors.clear();
        let mut found = Entries::default();
        for index in 0..capacity {
            let offset = geometry.error_entry_offset(index as u64);
            let entry = words.range((offset / WORD_LENGTH) as usize, ERROR_ENTRY_WORDS);
            let claim = entry.load((ERROR_CLAIM_OFFSET / WORD_LENGTH) as usize);
            found.taken += u64::from(OwnerTag(claim) != OwnerTag::NOBODY);
            if matches!(self.entries[index], Known::Unready) && is_ready(entry) {
                self.entries[index] = self.decode(index, entry);
            }
            match &self.entries[index] {
                Known::Unready => {}
                Known::Damaged => found.damaged += 1,
                Known::Text {
                    message,
                    truncated,
                    first,
                } => {
                    let (count, first_seen_ns, last_seen_ns) = tally(entry);
                    if let Some(position) = self.positions[*first] {
                        let known: &mut ErrorEntry = &mut errors[position];
                        known.count = known.count.wrapping_add(count);
                        known.first_seen_ns = known.first_seen_ns.min(first_seen_ns);
                        known.last_seen_ns = known.last_seen_ns.max(last_seen_ns);
                    } else {
                        self.positions[*first] = Some(errors.len());
                        errors.push(ErrorEntry {
                            message: Arc::clone(message),
                            count,
                            first_seen_ns,
                            last_seen_ns,
                            truncated: *truncated,
                        });
                    }
                }
            }
        }
        errors.sort_unstable_by(|a, b| {
            let newest = (b.last_seen_ns, b.first_seen_ns).cmp(&(a.last_seen_ns, a.first_seen_ns));
            newest.then_with(|| (&a.message, a.truncated).cmp(&(&b.message, b.truncated)))
        });
        found
    }

    fn decode(&self, index: usize, entry: ReadWords<'_>) -> Known {
        let mut copy = [0; ERROR_ENTRY_WORDS];
        entry.copy(0, &mut copy);
        let Some(text) = ErrorText::parse(&copy) else {
            return Known::Damaged;
        };
        let said = String::from_utf8_lossy(text.bytes());
        let same = self.entries.iter().find_map(|known| match known {
            Known::Text {
                message,
                truncated,
                first,
            } if **message == *said && *truncated == text.is_truncated() => {
                Some((Arc::clone(message), *first))
            }
            _ => None,
        });
        let (message, first) = same.unwrap_or_else(|| (said.into(), index));
        Known::Text {
            message,
            truncated: text.is_truncated(),
            first,
        }
    }
}
