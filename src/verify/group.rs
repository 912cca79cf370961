//! The block of a group: numbers of updates that fit each other, and nothing beside the fields. SPEC.md 9.16, 10.25.

use super::directories::Lane;
use super::pass::Pass;
use super::report::Place;
use super::states::check_padding;
use crate::layout::group::*;
use crate::layout::{LINE_WORDS, WORD_LENGTH};
use crate::sync::{Acquire, fence};

/// Checks a committed block of a lane.
pub(super) fn check(pass: &mut Pass<'_, '_>, place: Place, start: u64, shape: &GroupShape, lane: &Lane) {
    let words = pass.range(start, shape.words());
    let offset = |word: usize| start + word as u64 * WORD_LENGTH;
    check_line(pass, place, start, shape);
    for copy in 0..shape.copies() {
        let at = shape.copy(copy);
        check_padding(pass, place, start, (at + shape.fields(), at + shape.copy_words()));
    }
    check_padding(pass, place, start, (shape.end(), shape.words()));
    let before = std::mem::take(&mut pass.findings);
    // What began is loaded last: it is at least what landed, and the baseline at most that.
    let baseline = words.load(GROUP_BASELINE);
    fence(Acquire);
    let landed = words.load(GROUP_LANDED);
    fence(Acquire);
    let begun = words.load(GROUP_BEGUN);
    if begun < landed {
        let message = format!("update {landed} landed, and only {begun} began");
        pass.error("10.25", place, offset(GROUP_BEGUN), message);
    } else if lane.is_quiet && begun > landed.saturating_add(1) {
        let message = format!("update {begun} began before {landed} landed: there is one at a time");
        pass.error("10.25", place, offset(GROUP_BEGUN), message);
    } else if lane.is_quiet && begun > landed {
        let message = format!(
            "update {begun} began and did not land: its writer died in the middle, the next owner makes it anew"
        );
        pass.note("10.25", place, offset(GROUP_BEGUN), message);
    }
    if baseline > landed {
        let message = format!("the baseline counts {baseline} updates, the block {landed}");
        pass.error("9.16", place, offset(GROUP_BASELINE), message);
    }
    let found = std::mem::replace(&mut pass.findings, before);
    if lane.is_overtaken(pass) {
        let message = "not judged, busy: the lane, which was taken over meanwhile";
        pass.note("10.6", place, start, message);
    } else {
        pass.findings.append(found);
    }
}

/// Checks the block in the shared lane.
pub(super) fn check_shared(pass: &mut Pass<'_, '_>, place: Place, start: u64, shape: &GroupShape) {
    pass.checked.blocks += 1;
    let words = pass.range(start, GROUP_COPIES);
    let offset = |word: usize| start + word as u64 * WORD_LENGTH;
    check_line(pass, place, start, shape);
    if words.load(GROUP_BASELINE) != 0 {
        let message = "the shared lane has no owner, and no baseline";
        pass.error("9.16", place, offset(GROUP_BASELINE), message);
    }
    let landed = words.load(GROUP_LANDED);
    fence(Acquire);
    let begun = words.load(GROUP_BEGUN);
    if begun < landed {
        let message = format!("{landed} updates landed, and only {begun} began");
        pass.error("10.25", place, offset(GROUP_BEGUN), message);
    }
}

/// Reserved words of line 0, and what is beside the fields in line 1.
fn check_line(pass: &mut Pass<'_, '_>, place: Place, start: u64, shape: &GroupShape) {
    pass.reserved_fields("group block", place, start);
    let end = GROUP_FIELDS + LINE_WORDS;
    check_padding(pass, place, start, (GROUP_FIELDS + shape.fields(), end));
}
