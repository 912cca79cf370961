//! Groups: line 0, the fields or their baseline, and the copies of a block.

use super::content::Content;
use super::walk::Walk;
use crate::layout::fields::structure;
use crate::layout::group::*;
use crate::layout::{LINE_WORDS, WORD_LENGTH};

/// A block of a lane, or of the shared lane, which has no copies.
pub(super) fn block<E>(
    walk: &mut Walk<'_, E>,
    content: &Content<'_>,
    owner: &str,
    start: u64,
    shape: &GroupShape,
    is_shared: bool,
) -> Result<(), E> {
    let Some(structure) = structure("group block") else {
        return Ok(());
    };
    let words = content.copy(start, LINE_WORDS);
    for field in structure.fields() {
        let word = (field.offset / WORD_LENGTH) as usize;
        let length = (field.length / WORD_LENGTH) as usize;
        let load = |index: usize| words[word + index];
        walk.field(owner, start, field, length, load, |value| value.to_string())?;
    }
    let at = |word: usize| start + word as u64 * WORD_LENGTH;
    let (line, end) = match is_shared {
        true => ("field", GROUP_COPIES),
        false => ("baseline of field", shape.words()),
    };
    walk.words(
        at(GROUP_FIELDS),
        end - GROUP_FIELDS,
        &format!("{owner}.group"),
        |index| content.load(at(GROUP_FIELDS + index)),
        |index, word| {
            let (copy, field) = match index.checked_sub(GROUP_COPIES - GROUP_FIELDS) {
                None => (None, index),
                Some(rest) => (Some(rest / shape.copy_words()), rest % shape.copy_words()),
            };
            let is_used = copy.is_none_or(|copy| (copy as u64) < shape.copies());
            if field >= shape.fields() || !is_used {
                return (format!("{owner}.padding"), format!("{word:#x}, expected 0"));
            }
            let name = match copy {
                None => format!("{owner}.{line} {field}"),
                Some(copy) => format!("{owner}.copy {copy}.field {field}"),
            };
            (name, word.to_string())
        },
    )
}
