//! The block of a series of samples: numbers that fit each other, and nothing where nothing was recorded. SPEC.md 9.13, 10.22.

use super::directories::Lane;
use super::pass::Pass;
use super::report::Place;
use super::states::check_padding;
use crate::layout::WORD_LENGTH;
use crate::layout::samples::*;
use crate::sync::{Acquire, fence};

/// Checks a committed block of a lane.
pub(super) fn check(pass: &mut Pass<'_, '_>, place: Place, start: u64, shape: &SamplesShape, lane: &Lane) {
    let words = pass.range(start, shape.words());
    let offset = |word: usize| start + word as u64 * WORD_LENGTH;
    check_rest(pass, place, start, shape);
    let before = std::mem::take(&mut pass.findings);
    // What began is loaded last: it is at least what ended, and the baseline at most that.
    let baseline = words.load(SAMPLES_BASELINE);
    fence(Acquire);
    let ended = words.load(SAMPLES_ENDED);
    fence(Acquire);
    let begun = words.load(SAMPLES_BEGUN);
    if begun < ended {
        let message = format!("sample {ended} ended, and only {begun} began");
        pass.error("10.22", place, offset(SAMPLES_BEGUN), message);
    } else if lane.is_quiet && begun > ended.saturating_add(1) {
        let message = format!("sample {begun} began before {ended} ended: there is one at a time");
        pass.error("10.22", place, offset(SAMPLES_BEGUN), message);
    } else if lane.is_quiet && begun > ended {
        let message = format!(
            "sample {begun} began and did not end: its writer died in the middle, the next owner records it anew"
        );
        pass.note("10.22", place, offset(SAMPLES_BEGUN), message);
    }
    if baseline > ended {
        let message = format!("the baseline counts {baseline} samples, the block {ended}");
        pass.error("9.13", place, offset(SAMPLES_BASELINE), message);
    }
    check_values(pass, place, start, shape, begun);
    let found = std::mem::replace(&mut pass.findings, before);
    if lane.is_overtaken(pass) {
        pass.note(
            "10.6",
            place,
            start,
            "not judged, busy: the lane, which was taken over meanwhile",
        );
    } else {
        pass.findings.append(found);
    }
}

/// Checks the block in the shared lane.
pub(super) fn check_shared(pass: &mut Pass<'_, '_>, place: Place, start: u64, shape: &SamplesShape) {
    pass.checked.blocks += 1;
    let words = pass.range(start, shape.words());
    let offset = |word: usize| start + word as u64 * WORD_LENGTH;
    check_rest(pass, place, start, shape);
    if words.load(SAMPLES_BASELINE) != 0 {
        let message = "the shared lane has no owner, and no baseline";
        pass.error("9.13", place, offset(SAMPLES_BASELINE), message);
    }
    let ended = words.load(SAMPLES_ENDED);
    fence(Acquire);
    let begun = words.load(SAMPLES_BEGUN);
    if begun < ended {
        let message = format!("{ended} samples ended, and only {begun} began");
        pass.error("10.22", place, offset(SAMPLES_BEGUN), message);
    }
    check_values(pass, place, start, shape, begun);
}

/// Reserved words, and what is beyond the entries.
fn check_rest(pass: &mut Pass<'_, '_>, place: Place, start: u64, shape: &SamplesShape) {
    pass.reserved_fields("samples block", place, start);
    let end = ENTRIES + ENTRY_WORDS * shape.entries();
    check_padding(pass, place, start, (end, shape.words()));
}

/// Only finite values are recorded; entries that no sample had are empty. `begun` was loaded before.
fn check_values(pass: &mut Pass<'_, '_>, place: Place, start: u64, shape: &SamplesShape, begun: u64) {
    let words = pass.range(start, shape.words());
    let offset = |word: usize| start + word as u64 * WORD_LENGTH;
    for entry in 0..shape.entries() {
        let at = ENTRIES + ENTRY_WORDS * entry;
        let (time_ns, value) = (words.load(at + SAMPLE_TIME), words.load(at + SAMPLE_VALUE));
        fence(Acquire);
        let is_used = (entry as u64) < begun.max(words.load(SAMPLES_BEGUN));
        if !is_used && (time_ns, value) != (0, 0) {
            let message = format!("entry {entry} holds something, and {begun} samples began");
            return pass.error("9.13", place, offset(at), message);
        }
        if !f64::from_bits(value).is_finite() {
            let message = format!(
                "entry {entry} is {}, expected a finite number",
                f64::from_bits(value)
            );
            return pass.warning("8.1", place, offset(at + SAMPLE_VALUE), message);
        }
    }
}
