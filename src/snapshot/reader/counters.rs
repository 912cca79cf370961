//! Counter words of all lanes, added up word by word.
//!
//! The words of a lane are next to each other, so they are added in the order in which they lie there, several lanes at a time: that
//! takes a few loads and one store per word, without looking up which series it belongs to. Whose word it is matters only once, for the
//! sum. Words of floats are added like the others; their sums mean nothing, and nobody looks at them.

use super::fill::at;
use crate::layout::LINE_LENGTH;
use crate::layout::geometry::Geometry;
use crate::snapshot::lanes::Lane;
use crate::words::ReadWords;

/// Lanes that are read side by side. With eight there are too few registers for where each lane is, and it takes longer again.
const SIDE_BY_SIDE: usize = 4;

/// The word of a counter in the shared lane.
pub(super) fn shared_counter(geometry: &Geometry, placement: u64) -> usize {
    at(geometry.shared_counters_offset + placement * LINE_LENGTH)
}

/// The counter words of a committed lane.
pub(super) fn lane_counters<'a>(words: ReadWords<'a>, geometry: &Geometry, lane: &Lane) -> ReadWords<'a> {
    let start = geometry.lane_offset(lane.number) + geometry.lane_counters_offset;
    words.range(at(start), geometry.capacities.counters as usize)
}

/// Sums of the first `used` counter words over `lanes`, modulo 2^64, into `sums`.
pub(super) fn add_up(
    words: ReadWords<'_>,
    geometry: &Geometry,
    lanes: &[Lane],
    used: usize,
    sums: &mut Vec<u64>,
) {
    sums.clear();
    sums.resize(used, 0);
    let counters = |lane: &Lane| lane_counters(words, geometry, lane);
    let (groups, rest) = lanes.as_chunks::<SIDE_BY_SIDE>();
    for group in groups {
        ReadWords::add_to(group.each_ref().map(counters), sums);
    }
    for lane in rest {
        ReadWords::add_to([counters(lane)], sums);
    }
}

#[cfg(test)]
mod tests {
    use crate::sync::AtomicU64;
    use crate::words::ReadWords;

    #[test]
    fn words_are_added_in_their_places_modulo_2_to_the_64_and_missing_ones_are_zero() {
        let lanes: [Vec<AtomicU64>; 3] = [vec![1, 2, 3], vec![u64::MAX, 20, 30], vec![5, 200]]
            .map(|lane| lane.into_iter().map(AtomicU64::new).collect());
        let mut sums = vec![100, 0, 0, 7];
        ReadWords::add_to(lanes.each_ref().map(|lane| ReadWords::new(lane)), &mut sums);
        assert_eq!(sums, [105, 222, 33, 7]);
    }
}
