//! Layer 10: every committed word of a segment, with its name in SPEC.md and its meaning.
//!
//! For whoever writes another reader or writer, or looks at a damaged file. Only what the marks cover is loaded (SPEC.md D-5), and each
//! word is told once, whatever records say: of series whose cells overlap only the first has its cell (V-30), and of texts no more is
//! shown than a sound text may have, and a sound region. A segment at work gives words of different moments. Of a file that is no valid
//! segment there is the header, as far as it goes.
//!
//! | file | subject |
//! |---|---|
//! | [`mod@self`] | lines, and what comes in which order |
//! | `walk` | words into lines: zeros are folded |
//! | `meaning` | what a word says, by its field |
//! | `content` | what is walked over: series by their cells, texts within their limits |
//! | `tables` | index, records, text, directories, error log |
//! | `cells` | gauges, counters, fronts and baselines of lanes |
//! | `blocks` | histograms |
//! | `events` | rings of events |
//! | `text` | texts that are replaced as a whole |
//! | `in_flight` | tables of what is in flight |
//! | `resets` | reset tables |

mod blocks;
mod cells;
mod content;
mod events;
mod group;
mod in_flight;
mod meaning;
mod resets;
mod samples;
mod tables;
mod text;
mod walk;

use std::path::Path;

use self::content::Content;
use self::walk::Walk;
use crate::error::{LayoutError, OpenError};
use crate::layout::WORD_LENGTH;
use crate::layout::fields::structure;
use crate::layout::header::HEADER_LENGTH;
use crate::verify::opened::Opened;

/// Some words that stand next to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line {
    /// Where they start, in bytes of the file.
    pub offset: u64,
    /// The words, in the byte order of the machine: their bytes in memory are those of the file. Empty if they are `zeros`.
    pub words: Vec<u64>,
    /// How many words that are 0 are folded into this line; 0 if it has `words`.
    pub zeros: u64,
    /// The name of the field, with what it belongs to: `record 1.shape`.
    pub name: String,
    /// What the words say. Empty if there is nothing to say. Texts of the segment are in it as they are: escape them for a terminal.
    pub meaning: String,
}

/// A file that may be a segment, ready to be told word by word.
pub struct Dump {
    opened: Opened,
}

impl std::fmt::Debug for Dump {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dump")
            .field("length", &self.opened.length)
            .field("refusal", &self.refusal())
            .finish_non_exhaustive()
    }
}

impl Dump {
    /// Opens the file at `path`, read-only.
    ///
    /// # Errors
    ///
    /// The file cannot be read at all. That it is no valid segment is no error: see [`refusal`](Self::refusal).
    pub fn open(path: &Path) -> Result<Dump, OpenError> {
        Opened::open(path).map(|opened| Dump { opened })
    }

    /// Why the file is no valid segment; `None` if it is one. Otherwise [`each`](Self::each) tells its header only.
    pub fn refusal(&self) -> Option<&LayoutError> {
        self.opened.refusal()
    }

    /// Was the file whole all the time? Fails if it was truncated since it was opened: then lines told after that mean nothing. Without
    /// the guard of [`crate::sigbus`] that can be the end of the process.
    pub fn ensure_whole(&self) -> Result<(), OpenError> {
        self.opened.ensure_whole()
    }

    /// Gives every line to `visit`, offsets ascending within each structure, until it fails.
    ///
    /// Cost: each committed word is told once, as it was loaded for that. Marks and records are loaded once more before, to find what
    /// they lead to, and texts where a record shows them. Memory in proportion to the records, and to the longest state of a
    /// histogram. There are never more lines than words in the file, and what they say is in proportion to it.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let path = std::env::temp_dir().join(format!("shmetrics-dump-{}", std::process::id()));
    /// use shmetrics::dump::Dump;
    /// let segment = shmetrics::Segment::options().lanes(12).open_or_create_at(&path)?;
    ///
    /// let mut meaning = String::new();
    /// Dump::open(&path)?.each(|line| {
    ///     if line.name == "header.lanes" {
    ///         meaning = line.meaning;
    ///     }
    ///     Ok::<(), std::convert::Infallible>(())
    /// })?;
    /// assert_eq!(meaning, "12");
    /// # std::fs::remove_file(&path)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn each<E>(&self, mut visit: impl FnMut(Line) -> Result<(), E>) -> Result<(), E> {
        let mut walk = Walk::new(&mut visit);
        self.header(&mut walk)?;
        let Some((geometry, mapping)) = self.opened.mapped() else {
            return Ok(());
        };
        let words = mapping.read_words();
        let stored = (self.opened.stored_records(), self.opened.stored_text());
        let content = Content::new(words, geometry, stored);
        tables::index(&mut walk, &content)?;
        tables::records(&mut walk, &content)?;
        tables::text(&mut walk, &content)?;
        tables::slots(&mut walk, &content)?;
        tables::lanes(&mut walk, &content)?;
        tables::errors(&mut walk, &content)?;
        cells::gauges(&mut walk, &content)?;
        cells::shared_counters(&mut walk, &content)?;
        blocks::shared(&mut walk, &content)?;
        cells::lanes(&mut walk, &content)?;
        resets::tables(&mut walk, &content)
    }

    fn header<E>(&self, walk: &mut Walk<'_, E>) -> Result<(), E> {
        let words = &self.opened.header;
        for name in ["header", "mutable header"] {
            let Some(structure) = structure(name) else {
                continue;
            };
            for field in structure.fields() {
                let first = (field.offset / WORD_LENGTH) as usize;
                let last = ((field.offset + field.length) / WORD_LENGTH) as usize;
                let Some(words) = words
                    .get(first..last.min(words.len()))
                    .filter(|words| !words.is_empty())
                else {
                    return Ok(());
                };
                let load = |index: usize| words[index];
                let word = |offset: u64| self.opened.header_word(offset);
                walk.field("header", 0, field, words.len(), load, |value| {
                    meaning::header(field.offset, value, word)
                })?;
            }
        }
        debug_assert!(words.len() as u64 * WORD_LENGTH <= HEADER_LENGTH);
        Ok(())
    }
}
