//! Samples: line 0 and the entries of a block.

use super::content::Content;
use super::walk::Walk;
use crate::layout::fields::structure;
use crate::layout::samples::*;
use crate::layout::{LINE_WORDS, WORD_LENGTH};

/// A block of a lane, or of the shared lane.
pub(super) fn block<E>(
    walk: &mut Walk<'_, E>,
    content: &Content<'_>,
    owner: &str,
    start: u64,
    shape: &SamplesShape,
) -> Result<(), E> {
    let Some(structure) = structure("samples block") else {
        return Ok(());
    };
    let words = content.copy(start, LINE_WORDS);
    for field in structure.fields() {
        let word = (field.offset / WORD_LENGTH) as usize;
        let length = (field.length / WORD_LENGTH) as usize;
        let load = |index: usize| words[word + index];
        walk.field(owner, start, field, length, load, |value| value.to_string())?;
    }
    let end = ENTRIES + ENTRY_WORDS * shape.entries();
    let at = |word: usize| start + word as u64 * WORD_LENGTH;
    let load = |index: usize| content.load(at(ENTRIES + index));
    let count = shape.words() - ENTRIES;
    walk.words(
        at(ENTRIES),
        count,
        &format!("{owner}.samples"),
        load,
        |index, word| {
            let entry = index / ENTRY_WORDS;
            match (ENTRIES + index < end, index % ENTRY_WORDS) {
                (false, _) => (format!("{owner}.padding"), format!("{word:#x}, expected 0")),
                (true, SAMPLE_TIME) => (
                    format!("{owner}.sample {entry}.sample_time_ns"),
                    format!("{:.9} s", word as f64 / 1e9),
                ),
                (true, _) => (
                    format!("{owner}.sample {entry}.sample_value"),
                    f64::from_bits(word).to_string(),
                ),
            }
        },
    )
}
