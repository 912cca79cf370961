//! What is in a lane beside its blocks: the bitmap and the counters. And the counters of the shared lane.

use super::blocks;
use super::cells;
use super::declared::{Declared, Entry};
use super::directories::Lane;
use super::events;
use super::pass::Pass;
use super::report::Place;
use crate::layout::geometry::BLOCK_GRANULE_LENGTH;
use crate::layout::kind::{Kind, Space};
use crate::layout::record::Buckets;
use crate::layout::{LINE_LENGTH, WORD_LENGTH};
use crate::sync::{Acquire, fence};

/// Granules per word of a bitmap.
const WORD_BITS: u64 = 64;

/// Checks a committed lane.
pub(super) fn check(pass: &mut Pass<'_, '_>, lane: &Lane, declared: &Declared) {
    let start = pass.geometry.lane_offset(lane.number);
    let place = Place::Lane(lane.number);
    if !pass.is_stored(place, start, pass.geometry.lane_front_length(), "lane_committed") {
        return;
    }
    let words = pass.range(start, pass.geometry.bitmap_words as usize);
    let bitmap: Vec<u64> = (0..words.len()).map(|index| words.load(index)).collect();
    // A bit is set after its block was committed, and its series was ready before that.
    fence(Acquire);
    let is_set = |granule: u64| bitmap[(granule / WORD_BITS) as usize] >> (granule % WORD_BITS) & 1 == 1;
    let mut unknown = bitmap.clone();
    for (entry, series, placement) in declared.placed(Space::Blocks) {
        if series.record.kind.is_shared_only() {
            // It has nothing in lanes: its bits are nobody's.
            continue;
        }
        let granule = placement / BLOCK_GRANULE_LENGTH;
        if is_set(granule) {
            unknown[(granule / WORD_BITS) as usize] &= !(1 << (granule % WORD_BITS));
            match &series.record.buckets {
                Buckets::Events(shape, _) => events::check(pass, lane, entry, series, shape, placement),
                _ => blocks::check(pass, lane, entry, series, placement),
            }
        }
    }
    check_unknown_bits(pass, lane, declared, &unknown);
    check_counters(pass, lane, declared);
}

/// Bits that no placed block answers for. On a segment at work a block may have been placed and used after the records were looked at:
/// those are in the units that were free then and are not any more, of which nothing is known.
fn check_unknown_bits(pass: &mut Pass<'_, '_>, lane: &Lane, declared: &Declared, unknown: &[u64]) {
    let free = cells::free(pass, Space::Blocks);
    let is_news = |granule: u64| {
        let start = granule * BLOCK_GRANULE_LENGTH;
        start < free && start + BLOCK_GRANULE_LENGTH > declared.free_blocks && free != declared.free_blocks
    };
    let granules = pass
        .geometry
        .capacities
        .blocks_length
        .div_ceil(BLOCK_GRANULE_LENGTH);
    let start = pass.geometry.lane_offset(lane.number);
    for (index, &word) in (0..).zip(unknown) {
        let bits = (0..WORD_BITS).filter(|bit| word >> bit & 1 == 1);
        for granule in bits.map(|bit| index * WORD_BITS + bit) {
            let message = if granule >= granules {
                format!("bit {granule} is set, the blocks have {granules} granules")
            } else if !declared.is_incomplete && !is_news(granule) {
                format!("bit {granule} is set, no block is placed there")
            } else {
                continue;
            };
            pass.error(
                "9.6",
                Place::Lane(lane.number),
                start + index * WORD_LENGTH,
                message,
            );
            break;
        }
    }
}

fn check_counters(pass: &mut Pass<'_, '_>, lane: &Lane, declared: &Declared) {
    let start = pass.geometry.lane_offset(lane.number) + pass.geometry.lane_counters_offset;
    let words = pass.range(start, pass.geometry.capacities.counters as usize);
    for (entry, series, placement) in declared.placed(Space::Counters) {
        let place = Place::LaneRecord {
            lane: lane.number,
            record: entry.number,
        };
        for unit in 0..series.record.kind.units() {
            let value = words.load((placement + unit) as usize);
            let offset = start + (placement + unit) * WORD_LENGTH;
            check_sum(pass, place, offset, (series.record.kind, unit), value);
        }
    }
    let last = (0..words.len()).rev().find(|index| words.load(*index) != 0);
    fence(Acquire);
    let free = cells::free(pass, Space::Counters);
    if let Some(last) = last.filter(|last| *last as u64 >= free) {
        let message = format!(
            "counter {last} is {:#x}, only {free} are placed",
            words.load(last)
        );
        let offset = start + last as u64 * WORD_LENGTH;
        pass.warning("9.6", Place::Lane(lane.number), offset, message);
    }
}

/// A float counter adds finite numbers that are not negative. Whole ones may be anything, and so may the parts of a number.
fn check_sum(pass: &mut Pass<'_, '_>, place: Place, offset: u64, (kind, unit): (Kind, u64), value: u64) {
    let sum = f64::from_bits(value);
    if kind == Kind::Number && unit > 0 && sum.is_nan() {
        // Only finite numbers are added; their sum may be infinite, and two of those are no number.
        pass.note("8.1", place, offset, "the float part is no number");
    }
    if kind == Kind::CounterF64 && !(sum.is_finite() && sum >= 0.0) {
        let message = format!("the counter is {sum}, expected a finite number that is not negative");
        pass.warning("8.1", place, offset, message);
    }
}

/// The counter of a ready series in the shared lane.
pub(super) fn check_shared_counter(pass: &mut Pass<'_, '_>, entry: &Entry, kind: Kind, placement: u64) {
    let place = Place::SharedRecord(entry.number);
    for unit in 0..kind.units() {
        let start = pass.geometry.shared_counters_offset + (placement + unit) * LINE_LENGTH;
        if !pass.is_stored(place, start, LINE_LENGTH, "ready") {
            return;
        }
        let value = pass.load(start);
        check_sum(pass, place, start, (kind, unit), value);
        for offset in (start + WORD_LENGTH..start + LINE_LENGTH).step_by(WORD_LENGTH as usize) {
            let found = pass.load(offset);
            pass.reserved(place, offset, found);
        }
    }
}
