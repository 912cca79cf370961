//! Texts that are replaced as a whole. Writers may be at work, so only the text that is set is judged, and what nobody ever writes.

use super::pass::Pass;
use super::report::Place;
use crate::layout::WORD_LENGTH;
use crate::layout::directory::OwnerTag;
use crate::layout::text::*;
use crate::protocol::text::{SeenText, read};

/// Checks the block at this offset of the file, whose storage is there.
pub(super) fn check(pass: &mut Pass<'_, '_>, shape: TextShape, place: Place, start: u64) {
    pass.checked.blocks += 1;
    pass.reserved_fields("text block", place, start);
    let slots = pass.geometry.capacities.process_slots;
    for slot in 0..TEXT_SLOTS {
        let at = |word: usize| start + (shape.slot(slot) + word) as u64 * WORD_LENGTH;
        let claim = OwnerTag(pass.load(at(TEXT_CLAIM)));
        if claim != OwnerTag::NOBODY && claim.slot(slots).is_none() {
            let message = format!(
                "the claim {:#x} names no slot, there are {slots}: nobody writes here",
                claim.0
            );
            pass.error("9.15", place, at(TEXT_CLAIM), message);
        }
        for word in TEXT_START + shape.text_words()..shape.slot_words() {
            let found = pass.load(at(word));
            pass.reserved(place, at(word), found);
        }
    }
    check_text(pass, shape, place, start);
}

/// The text that is set, if it is still the same after it was copied.
fn check_text(pass: &mut Pass<'_, '_>, shape: TextShape, place: Place, start: u64) {
    let offset = start + TEXT_HEAD as u64 * WORD_LENGTH;
    let head = TextHead(pass.load(offset));
    let Some(slot) = head.slot() else {
        if !head.is_none() {
            let message = format!(
                "the head {:#x} names slot {}, there are {TEXT_SLOTS}",
                head.0,
                head.0 & 0xff
            );
            pass.error("9.15", place, offset, message);
        }
        return;
    };
    let block = pass.range(start, shape.words());
    let mut words = [0; MAX_TEXT_WORDS];
    let seen = read(block, shape, &mut words);
    crate::sync::fence(crate::sync::Acquire);
    if TextHead(pass.load(offset)) != head {
        return;
    }
    let at = |word: usize| start + (shape.slot(slot) + word) as u64 * WORD_LENGTH;
    match seen {
        SeenText::Overtaken => {
            let message = format!(
                "slot {slot} was written for generation {}, the head is of generation {}",
                block.load(shape.slot(slot) + TEXT_BEGIN),
                head.generation()
            );
            pass.error("10.24", place, at(TEXT_BEGIN), message);
        }
        SeenText::Copied { content, .. } => {
            if parse(content, shape, &words[..shape.text_words()], &mut String::new()).is_none() {
                let message = format!("the text that is set is not the one that {content:#x} tells of");
                pass.error("9.15", place, at(TEXT_CONTENT), message);
            }
        }
        SeenText::None => {}
    }
}
