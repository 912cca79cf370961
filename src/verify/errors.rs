//! The error log: V-31, what claims say, order of the entries, reserved space.

use super::owners::{self, Life};
use super::pass::Pass;
use super::report::Place;
use crate::layout::WORD_LENGTH;
use crate::layout::directory::OwnerTag;
use crate::layout::error_log::*;
use crate::layout::record::CLAIMED_BY_UNKNOWN;
use crate::protocol::error_log::is_ready;

/// Checks every entry.
pub(super) fn check(pass: &mut Pass<'_, '_>) {
    let mut was_free = false;
    for number in 0..pass.geometry.capacities.errors {
        let base = pass.geometry.error_entry_offset(number);
        let place = Place::Error(number);
        let entry = pass.range(base, ERROR_ENTRY_WORDS);
        let word = |offset: u64| entry.load((offset / WORD_LENGTH) as usize);
        let ready = is_ready(entry);
        let claim = word(ERROR_CLAIM_OFFSET);
        if claim != 0 {
            pass.checked.errors += 1;
            if was_free {
                let message = "an entry before it is free: who logs this text takes that one";
                pass.warning("10.18", place, base, message);
            }
        }
        was_free |= claim == 0;
        check_claim(pass, number, base, claim, ready);
        let found = word(ERROR_READY_OFFSET);
        if found > ERROR_READY {
            let message = format!("error_ready is {found}, expected 0 or {ERROR_READY}");
            pass.error("9.10", place, base + ERROR_READY_OFFSET, message);
        }
        if ready {
            check_text(pass, number, base);
        }
        pass.reserved_fields("error entry", place, base);
    }
}

fn check_claim(pass: &mut Pass<'_, '_>, number: u64, base: u64, claim: u64, ready: bool) {
    let place = Place::Error(number);
    let tag = OwnerTag(claim);
    let is_tag = tag.slot(pass.geometry.capacities.process_slots).is_some();
    if claim == 0 {
        if ready {
            let message = "the entry is ready and nobody claimed it";
            pass.error("10.18", place, base, message);
        }
    } else if claim != CLAIMED_BY_UNKNOWN && !is_tag {
        let message = format!("the claim word {claim:#x} is none");
        pass.error("7.5", place, base, message);
    } else if let Some(slot) = tag.slot(pass.geometry.capacities.process_slots)
        && !ready
        && owners::life(pass, slot, tag.incarnation()) == Life::Dead
    {
        let message = "its writer died before it was ready; it is taken over when the log is full";
        pass.note("10.18", place, base, message);
    }
}

/// V-31; and what readers do not look at: UTF-8, and that the rest of the words is NUL.
fn check_text(pass: &mut Pass<'_, '_>, number: u64, base: u64) {
    let place = Place::Error(number);
    let mut words = [0; ERROR_ENTRY_WORDS];
    pass.range(base, ERROR_ENTRY_WORDS).copy(0, &mut words);
    let Some(text) = ErrorText::parse(&words) else {
        let message = "length, hash and text do not belong together; readers leave the entry out";
        return pass.error("V-31", place, base + ERROR_HASH_OFFSET, message);
    };
    if std::str::from_utf8(text.bytes()).is_err() {
        pass.error("9.10", place, base + ERROR_TEXT_OFFSET, "the text is not UTF-8");
    }
    let first = (ERROR_TEXT_OFFSET / WORD_LENGTH) as usize;
    if !text.words().eq(words[first..].iter().copied()) {
        pass.error(
            "9.10",
            place,
            base + ERROR_TEXT_OFFSET,
            "the text is not padded with NUL",
        );
    }
    if words[(ERROR_COUNT_OFFSET / WORD_LENGTH) as usize] == 0 {
        pass.error(
            "9.10",
            place,
            base + ERROR_COUNT_OFFSET,
            "it is ready and was never counted",
        );
    }
}
