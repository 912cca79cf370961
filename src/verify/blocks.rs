//! The block of a histogram in a lane: what is live. Its sealed copies and its ring are in `copies`.

use super::copies;
use super::declared::{Entry, Series};
use super::directories::Lane;
use super::group;
use super::pass::Pass;
use super::report::Place;
use super::samples;
use super::states::{Bounds, check_extremes, check_float_sum, check_padding, check_touched};
use crate::layout::WORD_LENGTH;
use crate::layout::block::*;
use crate::layout::directory::LANE_INCARNATION_OFFSET;
use crate::protocol::histogram::{State, read_live};
use crate::sync::{Acquire, fence};
use crate::words::ReadWords;

/// Attempts to read a block whose writer may be at work.
pub(super) const ATTEMPTS: usize = 8;

/// A block that is looked at.
pub(super) struct Block<'a> {
    pub(super) place: Place,
    /// Where it starts in the file.
    pub(super) start: u64,
    pub(super) words: ReadWords<'a>,
    /// The incarnation word of its lane.
    incarnation: ReadWords<'a>,
    pub(super) series: &'a Series,
    /// Nobody writes it.
    pub(super) is_quiet: bool,
}

impl Block<'_> {
    /// Byte offset of a word.
    pub(super) fn offset(&self, word: usize) -> u64 {
        self.start + word as u64 * WORD_LENGTH
    }
}

/// What came of looking at a part of a block.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// It was judged.
    Judged,
    /// It was judged, and nothing else can be compared with it.
    Damaged,
    /// Its writer overtook every attempt to read it whole.
    Overtaken,
}

/// Checks a committed block.
pub(super) fn check(pass: &mut Pass<'_, '_>, lane: &Lane, entry: &Entry, series: &Series, placement: u64) {
    let place = Place::LaneRecord {
        lane: lane.number,
        record: entry.number,
    };
    let geometry = pass.geometry;
    let start = geometry.lane_offset(lane.number) + geometry.lane_blocks_offset + placement;
    if !pass.is_stored(place, start, series.record.length, "the bit of the block") {
        return;
    }
    pass.checked.blocks += 1;
    if let Some(shape) = series.record.samples() {
        return samples::check(pass, place, start, &shape, lane);
    }
    if let Some(shape) = series.record.group() {
        return group::check(pass, place, start, &shape, lane);
    }
    let block = Block {
        place,
        start,
        words: pass.range(start, series.shape.words()),
        incarnation: pass.range(
            geometry.lane_entry_offset(lane.number) + LANE_INCARNATION_OFFSET,
            1,
        ),
        series,
        is_quiet: lane.is_quiet,
    };
    let before = std::mem::take(&mut pass.findings);
    check_parts(pass, &block);
    let found = std::mem::replace(&mut pass.findings, before);
    if lane.is_overtaken(pass) {
        // What was found counted on nobody writing there.
        not_judged(
            pass,
            &block,
            &[("10.6", "the lane, which was taken over meanwhile")],
        );
    } else {
        pass.findings.append(found);
    }
}

/// One note for all parts of a block that could not be judged: the rule of each, and what it is.
fn not_judged(pass: &mut Pass<'_, '_>, block: &Block<'_>, parts: &[(&'static str, &str)]) {
    if let Some((rule, _)) = parts.first() {
        let parts: Vec<&str> = parts.iter().map(|(_, part)| *part).collect();
        let message = format!("not judged, busy: {}", parts.join("; "));
        pass.note(rule, block.place, block.start, message);
    }
}

fn check_parts(pass: &mut Pass<'_, '_>, block: &Block<'_>) {
    let (words, shape) = (block.words, &block.series.shape);
    pass.reserved_fields("block", block.place, block.start);
    check_padding(
        pass,
        block.place,
        block.start,
        (BUCKETS + shape.buckets, shape.latch(0)),
    );
    let rest = (shape.ring(shape.ring_slots), shape.words());
    check_padding(pass, block.place, block.start, rest);
    let baseline = words.load(BASELINE_COUNT);
    fence(Acquire);
    let count = words.load(COUNT);
    if baseline > count {
        let message = format!("the baseline counts {baseline} records, the block {count}");
        pass.error("9.7", block.place, block.offset(BASELINE_COUNT), message);
    }
    if !check_line(pass, block.place, block.start, words, block.series) {
        return;
    }
    let live = check_live(pass, block);
    if live == Look::Damaged {
        return;
    }
    let looks = [
        (live, "10.11", "a record began in every live read"),
        (
            copies::latch(pass, block),
            "10.12",
            "a seal began in every read of the latch",
        ),
        (
            copies::ring(pass, block),
            "10.13",
            "a rotation began in every read of the ring",
        ),
    ];
    let overtaken = looks.iter().filter(|(look, ..)| *look == Look::Overtaken);
    let parts: Vec<_> = overtaken.map(|(_, rule, part)| (*rule, *part)).collect();
    not_judged(pass, block, &parts);
}

/// Touched range and extremes of line 0. `false` if the range is damaged: no reader adds up what is there then.
pub(super) fn check_line(
    pass: &mut Pass<'_, '_>,
    place: Place,
    start: u64,
    words: ReadWords<'_>,
    series: &Series,
) -> bool {
    let load = |minimum, maximum| Bounds {
        place,
        offset: start + LOWEST as u64 * WORD_LENGTH,
        lowest: words.load(LOWEST),
        highest: words.load(HIGHEST),
        minimum,
        maximum,
    };
    // The range is widened before a bucket of it is counted, and before minimum and maximum: it is loaded after them.
    let buckets: Vec<u64> = (0..series.shape.buckets)
        .map(|index| words.load(BUCKETS + index))
        .collect();
    let (minimum, maximum) = (words.load(MINIMUM), words.load(MAXIMUM));
    fence(Acquire);
    let bounds = load(minimum, maximum);
    let is_touched = check_touched(pass, "10.10", &bounds, &buckets);
    if is_touched {
        check_extremes(pass, &bounds, series);
    }
    is_touched
}

/// The live read accepts, or what it saw can have been on the way: between its first look at the count and its last the buckets hold
/// at least all records but one that had begun before, and at most those that had begun after (SPEC.md 10.11, why).
fn check_live(pass: &mut Pass<'_, '_>, block: &Block<'_>) -> Look {
    let (words, mut state) = (block.words, State::default());
    for _ in 0..ATTEMPTS {
        let before = (block.incarnation.load(0), words.load(COUNT));
        fence(Acquire);
        if read_live(words, block.incarnation, &block.series.shape, &mut state).is_ok() {
            check_float_sum(pass, block.place, block.offset(SUM), block.series, state.sum);
            fence(Acquire);
            if block.is_quiet && words.load(COUNT) != state.count {
                let message = format!(
                    "record {} began and did not land: its writer died in the middle, the next owner mends the count",
                    words.load(COUNT)
                );
                pass.note("10.10", block.place, block.offset(COUNT), message);
            }
            return Look::Judged;
        }
        fence(Acquire);
        let (incarnation, count) = (block.incarnation.load(0), words.load(COUNT));
        let landed = state.landed();
        // The adopter of a dead lane lowers the count.
        if incarnation == before.0 && !can_have_landed(landed, before.1, count) {
            let message = format!(
                "the buckets hold {landed}, expected {} to {count}: the count, or one less",
                before.1.wrapping_sub(1)
            );
            pass.error("10.11", block.place, block.offset(COUNT), message);
            return Look::Damaged;
        }
    }
    Look::Overtaken
}

/// May the buckets hold this many records, if the count was `before` when the first of them was loaded, and `after` when the last was?
/// Modulo 2^64, as the reader has it.
fn can_have_landed(landed: u64, before: u64, after: u64) -> bool {
    let least = before.wrapping_sub(1);
    landed.wrapping_sub(least) <= after.wrapping_sub(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_that_begin_during_a_look_are_no_excuse_for_damage() {
        for (before, after) in [(7, 7), (7, 9), (1, 4), (u64::MAX, u64::MAX), (u64::MAX, 2)] {
            let least = before.wrapping_sub(1);
            let span = after.wrapping_sub(least);
            assert!((0..=span).all(|more| can_have_landed(least.wrapping_add(more), before, after)));
            for landed in [
                least.wrapping_sub(1),
                after.wrapping_add(1),
                after.wrapping_add(1 << 40),
            ] {
                assert!(
                    !can_have_landed(landed, before, after),
                    "{landed} from {before} to {after}"
                );
            }
        }
    }
}
