//! Texts that are replaced as a whole: line 0 and the slots of a block.

use super::content::Content;
use super::meaning;
use super::walk::Walk;
use crate::layout::fields::{Structure, structure};
use crate::layout::text::*;
use crate::layout::{LINE_WORDS, WORD_LENGTH};

/// The block at this offset of the file.
pub(super) fn block<E>(
    walk: &mut Walk<'_, E>,
    content: &Content<'_>,
    owner: &str,
    start: u64,
    shape: TextShape,
) -> Result<(), E> {
    let (Some(line), Some(head)) = (structure("text block"), structure("text slot")) else {
        return Ok(());
    };
    let words = content.copy(start, LINE_WORDS);
    fields(walk, owner, start, line, &words, |word, value| match word {
        TEXT_HEAD => head_word(TextHead(value)),
        _ => value.to_string(),
    })?;
    for slot in 0..TEXT_SLOTS {
        let base = start + shape.slot(slot) as u64 * WORD_LENGTH;
        let words = content.copy(base, shape.slot_words());
        let name = format!("{owner}.text {slot}");
        fields(walk, &name, base, head, &words, |word, value| match word {
            TEXT_CLAIM => meaning::tag(value),
            TEXT_BEGIN => format!("for generation {value}"),
            TEXT_CONTENT => {
                let cut = if is_cut(value) { ", cut" } else { "" };
                format!("{} bytes{cut}", stored_length(value))
            }
            _ => meaning::time(value),
        })?;
        let load = |index: usize| words[TEXT_START + index];
        walk.words(
            base + TEXT_START as u64 * WORD_LENGTH,
            shape.slot_words() - TEXT_START,
            &format!("{name}.text"),
            load,
            |index, word| match index < shape.text_words() {
                true => (format!("{name}.text"), characters(word)),
                false => (format!("{name}.padding"), format!("{word:#x}, expected 0")),
            },
        )?;
    }
    Ok(())
}

fn fields<E>(
    walk: &mut Walk<'_, E>,
    owner: &str,
    start: u64,
    structure: &Structure,
    words: &[u64],
    meaning: impl Fn(usize, u64) -> String,
) -> Result<(), E> {
    for field in structure.fields() {
        let word = (field.offset / WORD_LENGTH) as usize;
        let length = (field.length / WORD_LENGTH) as usize;
        let load = |index: usize| words[word + index];
        walk.field(owner, start, field, length, load, |value| meaning(word, value))?;
    }
    Ok(())
}

/// Which slot has the text.
fn head_word(head: TextHead) -> String {
    let generation = head.generation();
    match (head.slot(), head.is_none()) {
        (Some(slot), _) => format!("slot {slot}, generation {generation}"),
        (None, true) => format!("no text, generation {generation}"),
        (None, false) => format!("slot {}, which is none, generation {generation}", head.0 & 0xff),
    }
}

/// The bytes of a word, as far as they are plain.
fn characters(word: u64) -> String {
    let bytes = word.to_ne_bytes();
    let plain = bytes.map(|byte| match byte {
        b' '..=b'~' => char::from(byte),
        _ => '.',
    });
    plain.iter().collect()
}
