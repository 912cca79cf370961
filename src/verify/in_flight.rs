//! Tables of what is in flight. Writers may be at work, so only what a claim says by itself is judged, and what nobody ever writes.

use super::pass::Pass;
use super::report::Place;
use crate::layout::in_flight::*;
use crate::layout::{LINE_WORDS, WORD_LENGTH};

/// Checks the table at this offset of the file, whose storage is there.
pub(super) fn check(pass: &mut Pass<'_, '_>, shape: InFlightShape, place: Place, start: u64) {
    pass.checked.blocks += 1;
    pass.reserved_fields("in flight block", place, start);
    for bucket in 0..shape.buckets() {
        for entry in 0..ENTRIES {
            let offset = start + (shape.claims(bucket) + entry) as u64 * WORD_LENGTH;
            let claim = Claim(pass.load(offset));
            check_claim(pass, claim, place, offset);
        }
    }
    let used = shape.claims(shape.buckets());
    for word in used..shape.words() {
        let offset = start + word as u64 * WORD_LENGTH;
        let found = pass.load(offset);
        pass.reserved(place, offset, found);
    }
    debug_assert!(shape.words() - used <= LINE_WORDS);
}

fn check_claim(pass: &mut Pass<'_, '_>, claim: Claim, place: Place, offset: u64) {
    if claim == Claim::FREE {
        return;
    }
    let slots = pass.geometry.capacities.process_slots;
    if claim.runs() == 0 {
        let message = format!("the claim {:#x} says that nobody ever started the key", claim.0);
        pass.error("9.14", place, offset, message);
    } else if claim.is_parked() {
        if claim.is_starting() {
            let message = format!("the claim {:#x} says that nobody starts the key", claim.0);
            pass.error("9.14", place, offset, message);
        }
    } else if claim.slot(slots).is_none() {
        let message = format!(
            "the claim {:#x} names no slot, there are {slots}: nobody works on the key",
            claim.0
        );
        pass.error("9.14", place, offset, message);
    }
}
