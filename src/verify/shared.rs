//! The shared lane: many writers, so nothing is ever quiet, and every comparison goes with the order of its steps (SPEC.md 10.14).

use super::blocks::check_line;
use super::declared::{Declared, Series};
use super::events;
use super::group;
use super::in_flight;
use super::lanes::check_shared_counter;
use super::pass::Pass;
use super::report::Place;
use super::samples;
use super::states::{check_float_sum, check_padding};
use super::texts;
use crate::layout::block::*;
use crate::layout::kind::Space;
use crate::layout::record::Buckets;
use crate::layout::{LINE_WORDS, WORD_LENGTH};
use crate::sync::{Acquire, fence};

/// First word of line 0 that has no meaning here: epochs, latch, ring and baseline are those of a lane.
const UNUSED: usize = EPOCH;

/// Checks the cells of all ready series in the shared lane.
pub(super) fn check(pass: &mut Pass<'_, '_>, declared: &Declared) {
    for (entry, series, placement) in declared.ready(Space::Counters) {
        check_shared_counter(pass, entry, series.record.kind, placement);
    }
    for (entry, series, placement) in declared.ready(Space::Blocks) {
        let place = Place::SharedRecord(entry.number);
        let start = pass.geometry.shared_blocks_offset + placement;
        if !pass.is_stored(place, start, series.record.shared_length(), "ready") {
            continue;
        }
        match (&series.record.buckets, series.record.samples()) {
            (Buckets::Events(..), _) => events::check_shared(pass, place, start),
            (Buckets::Text(shape), _) => texts::check(pass, *shape, place, start),
            (Buckets::Group(shape, _), _) => group::check_shared(pass, place, start, shape),
            (Buckets::InFlight(shape), _) => in_flight::check(pass, *shape, place, start),
            (_, Some(shape)) => samples::check_shared(pass, place, start, &shape),
            _ => check_block(pass, series, place, start),
        }
    }
}

fn check_block(pass: &mut Pass<'_, '_>, series: &Series, place: Place, start: u64) {
    pass.checked.blocks += 1;
    let words = pass.range(start, series.shape.latch(0));
    let offset = |word: usize| start + word as u64 * WORD_LENGTH;
    for word in UNUSED..LINE_WORDS {
        pass.reserved(place, offset(word), words.load(word));
    }
    let padding = (BUCKETS + series.shape.buckets, words.len());
    check_padding(pass, place, start, padding);
    // S4 of a record comes after its S3, and that after its S1.
    let landed = words.load(LANDED);
    fence(Acquire);
    let buckets: Vec<u64> = (0..series.shape.buckets)
        .map(|index| words.load(BUCKETS + index))
        .collect();
    let sum = words.load(SUM);
    fence(Acquire);
    let begun = words.load(COUNT);
    if !check_line(pass, place, start, words, series) {
        return;
    }
    let counted = buckets.iter().fold(0u64, |sum, bucket| sum.wrapping_add(*bucket));
    if !(landed..=begun).contains(&counted) {
        let message = format!("the buckets hold {counted}, expected {landed} (landed) to {begun} (begun)");
        return pass.error("10.14", place, offset(COUNT), message);
    }
    check_float_sum(pass, place, offset(SUM), series, sum);
}
