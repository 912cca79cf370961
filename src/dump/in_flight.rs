//! Tables of what is in flight: claims, starts and texts of all buckets.

use super::content::Content;
use super::walk::Walk;
use crate::layout::fields::structure;
use crate::layout::in_flight::*;
use crate::layout::{LINE_WORDS, WORD_LENGTH};

/// The table at this offset of the file.
pub(super) fn table<E>(
    walk: &mut Walk<'_, E>,
    content: &Content<'_>,
    owner: &str,
    start: u64,
    shape: InFlightShape,
) -> Result<(), E> {
    let (Some(line), Some(text)) = (structure("in flight block"), structure("in flight text")) else {
        return Ok(());
    };
    let words = content.copy(start, LINE_WORDS);
    for field in line.fields() {
        let (first, count) = (
            (field.offset / WORD_LENGTH) as usize,
            (field.length / WORD_LENGTH) as usize,
        );
        walk.field(
            owner,
            start,
            field,
            count,
            |index| words[first + index],
            |value| value.to_string(),
        )?;
    }
    for bucket in 0..shape.buckets() {
        let at = |word: usize| start + word as u64 * WORD_LENGTH;
        let claims = content.copy(at(shape.claims(bucket)), LINE_WORDS);
        let name = format!("{owner}.bucket {bucket}");
        walk.words(
            at(shape.claims(bucket)),
            LINE_WORDS,
            &name,
            |index| claims[index],
            |index, word| match index.checked_sub(ENTRIES) {
                None => (format!("{name}.claim {index}"), claim(Claim(word))),
                Some(entry) => (format!("{name}.start {entry}"), since(Claim(claims[entry]), word)),
            },
        )?;
        for entry in 0..ENTRIES {
            let base = at(shape.text(bucket, entry));
            let words = content.copy(base, LINE_WORDS);
            let name = format!("{name}.entry {entry}");
            if words.iter().all(|word| *word == 0) {
                walk.words(
                    base,
                    LINE_WORDS,
                    &name,
                    |index| words[index],
                    |_, _| Default::default(),
                )?;
                continue;
            }
            for field in text.fields() {
                let (first, count) = (
                    (field.offset / WORD_LENGTH) as usize,
                    (field.length / WORD_LENGTH) as usize,
                );
                walk.field(
                    &name,
                    base,
                    field,
                    count,
                    |index| words[first + index],
                    |word| {
                        let cut = if word & KEY_TEXT_CUT == 0 { "" } else { ", cut" };
                        format!("{} bytes{cut}", word & 0xff)
                    },
                )?;
            }
        }
    }
    let rest = shape.claims(shape.buckets());
    let name = format!("{owner}.unused");
    walk.words(
        start + rest as u64 * WORD_LENGTH,
        shape.words() - rest,
        &name,
        |index| content.load(start + (rest + index) as u64 * WORD_LENGTH),
        |_, word| (name.clone(), word.to_string()),
    )
}

/// Who has an entry, and for the how-manieth time.
fn claim(claim: Claim) -> String {
    let owner = match claim.slot(u64::MAX) {
        None => "parked".to_owned(),
        Some(slot) => format!("slot {slot}, incarnation {}", claim.incarnation()),
    };
    let starting = if claim.is_starting() { ", starting" } else { "" };
    format!("{owner}, run {}{starting}, tag {:06x}", claim.runs(), claim.tag())
}

fn since(claim: Claim, word: u64) -> String {
    let whose = match claim.started_us(word) {
        Some(_) => "",
        None => ", of no claim that is there",
    };
    format!("at {} µs{whose}", word >> 16)
}
