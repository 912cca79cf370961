//! From words to lines: named words one by one, runs of zeros folded, texts two words to a line.

use super::Line;
use crate::layout::WORD_LENGTH;
use crate::layout::fields::{Field, FieldType};

/// Words of a text that are shown on one line.
const TEXT_WORDS: usize = 2;

/// Where lines go.
pub(super) struct Walk<'a, E> {
    visit: &'a mut dyn FnMut(Line) -> Result<(), E>,
}

impl<'a, E> Walk<'a, E> {
    pub(super) fn new(visit: &'a mut dyn FnMut(Line) -> Result<(), E>) -> Self {
        Self { visit }
    }

    /// One line.
    pub(super) fn line(
        &mut self,
        offset: u64,
        words: Vec<u64>,
        name: impl Into<String>,
        meaning: impl Into<String>,
    ) -> Result<(), E> {
        (self.visit)(Line {
            offset,
            words,
            zeros: 0,
            name: name.into(),
            meaning: meaning.into(),
        })
    }

    fn zeros(&mut self, offset: u64, zeros: u64, name: &str) -> Result<(), E> {
        (self.visit)(Line {
            offset,
            words: Vec::new(),
            zeros,
            name: name.to_owned(),
            meaning: String::new(),
        })
    }

    /// `count` words from `offset` on: those that are not 0 with what `tell` says (name and meaning), the others folded under
    /// `name`.
    pub(super) fn words(
        &mut self,
        offset: u64,
        count: usize,
        name: &str,
        load: impl Fn(usize) -> u64,
        tell: impl Fn(usize, u64) -> (String, String),
    ) -> Result<(), E> {
        let at = |index: usize| offset + index as u64 * WORD_LENGTH;
        let mut zeros = 0;
        for index in 0..count {
            let word = load(index);
            if word == 0 {
                zeros += 1;
                continue;
            }
            if zeros > 0 {
                self.zeros(at(index - zeros), zeros as u64, name)?;
                zeros = 0;
            }
            let (name, meaning) = tell(index, word);
            self.line(at(index), vec![word], name, meaning)?;
        }
        match zeros {
            0 => Ok(()),
            _ => self.zeros(at(count - zeros), zeros as u64, name),
        }
    }

    /// Words of text: each line with its bytes as characters, a dot for what is none. Lines of zeros are folded.
    pub(super) fn text(
        &mut self,
        offset: u64,
        count: usize,
        name: &str,
        load: impl Fn(usize) -> u64,
    ) -> Result<(), E> {
        let mut zeros = 0;
        for start in (0..count).step_by(TEXT_WORDS) {
            let words: Vec<u64> = (start..count.min(start + TEXT_WORDS)).map(&load).collect();
            let here = offset + start as u64 * WORD_LENGTH;
            if words.iter().all(|word| *word == 0) {
                zeros += words.len() as u64;
                continue;
            }
            if zeros > 0 {
                self.zeros(here - zeros * WORD_LENGTH, zeros, name)?;
                zeros = 0;
            }
            let shown = words.iter().flat_map(|word| word.to_ne_bytes());
            let shown: String = shown
                .map(|byte| {
                    if (b' '..=b'~').contains(&byte) {
                        char::from(byte)
                    } else {
                        '.'
                    }
                })
                .collect();
            self.line(here, words, name, format!("|{shown}|"))?;
        }
        match zeros {
            0 => Ok(()),
            _ => self.zeros(
                offset + count as u64 * WORD_LENGTH - zeros * WORD_LENGTH,
                zeros,
                name,
            ),
        }
    }

    /// A field of the structure at `base`, of which `count` words are there. Named words are shown even if they are 0.
    pub(super) fn field(
        &mut self,
        owner: &str,
        base: u64,
        field: Field,
        count: usize,
        load: impl Fn(usize) -> u64,
        meaning: impl Fn(u64) -> String,
    ) -> Result<(), E> {
        let (offset, name) = (base + field.offset, format!("{owner}.{}", field.name));
        match field.content {
            FieldType::Reserved => self.words(offset, count, &name, load, |_, word| {
                (name.clone(), format!("{word:#x}, expected 0"))
            }),
            FieldType::Text => self.text(offset, count, &name, load),
            _ => {
                let word = load(0);
                self.line(offset, vec![word], name, meaning(word))
            }
        }
    }
}
