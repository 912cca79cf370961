//! What is known of events: cursors, events as plain data, and where rings are in the mapping.

mod cursor;
mod event;

pub use self::cursor::{CursorError, EventCursor};
pub use self::event::{Event, EventBatch, EventTotals, FieldValue, WrittenBy};
use super::catalog::{Group, Member};
use crate::layout::WORD_LENGTH;
use crate::layout::directory::*;
use crate::layout::events::*;
use crate::layout::geometry::{BLOCK_GRANULE_LENGTH, Geometry};
use crate::protocol::events;
use crate::sync::{Acquire, fence};
use crate::words::ReadWords;

/// Where a new cursor begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// With the oldest events that are there.
    Start,
    /// With what is written from now on.
    Now,
}

/// The events series, oldest record first.
pub(super) fn event_series(groups: &[Group]) -> impl Iterator<Item = (&Group, &Member, EventsShape)> {
    groups.iter().flat_map(|group| {
        let members = group.members().iter();
        members.filter_map(move |member| Some((group, member, member.events?)))
    })
}

/// Lanes that may be touched.
pub(super) fn committed_lanes(words: ReadWords<'_>, geometry: &Geometry) -> Vec<u64> {
    let is_committed = |lane: &u64| {
        let entry = geometry.lane_entry_offset(*lane);
        words.load(at(entry + LANE_OWNER_OFFSET)) != OwnerTag::NOBODY.0
            && words.load(at(entry + LANE_COMMITTED_OFFSET)) != 0
    };
    let lanes = (1..=geometry.capacities.lanes).filter(is_committed).collect();
    // Pairs with the release stores of the marks.
    fence(Acquire);
    lanes
}

/// The block of a series in a committed lane; `None` if it is not committed.
pub(super) fn block<'a>(
    words: ReadWords<'a>,
    geometry: &Geometry,
    lane: u64,
    placement: u64,
    shape: &EventsShape,
) -> Option<ReadWords<'a>> {
    let start = geometry.lane_offset(lane);
    let granule = placement / BLOCK_GRANULE_LENGTH;
    let bit = words.load(at(start) + (granule / 64) as usize) >> (granule % 64) & 1;
    // Pairs with the release of whoever set the bit.
    fence(Acquire);
    (bit == 1).then(|| words.range(at(start + geometry.lane_blocks_offset + placement), shape.words()))
}

/// How many events of the series found no ring.
pub(super) fn dropped(words: ReadWords<'_>, geometry: &Geometry, member: &Member) -> u64 {
    words.load(at(geometry.shared_blocks_offset + member.placement) + EVENT_DROPPED)
}

/// What a snapshot says of an events series.
pub(super) fn totals(
    group: &Group,
    words: ReadWords<'_>,
    geometry: &Geometry,
    lanes: impl Iterator<Item = u64> + Clone,
) -> EventTotals {
    let mut totals = EventTotals::default();
    for member in group.members() {
        let Some(shape) = member.events else { continue };
        totals.dropped = totals.dropped.saturating_add(dropped(words, geometry, member));
        for lane in lanes.clone() {
            if let Some(written) = written(words, geometry, lane, member) {
                let held = written.min(shape.capacity());
                totals.written = totals.written.saturating_add(written);
                totals.held += held;
                totals.fullest = totals.fullest.max(held);
                totals.capacity += shape.capacity();
            }
        }
    }
    totals
}

/// How many events of a member landed in a committed lane; `None` if none was ever written there.
pub(super) fn written(words: ReadWords<'_>, geometry: &Geometry, lane: u64, member: &Member) -> Option<u64> {
    let shape = member.events?;
    block(words, geometry, lane, member.placement, &shape).map(|block| events::end(block, &shape))
}

/// How many of these the owners before the present one wrote.
pub(super) fn written_before(words: ReadWords<'_>, geometry: &Geometry, lane: u64, member: &Member) -> u64 {
    let block = geometry.lane_offset(lane) + geometry.lane_blocks_offset + member.placement;
    words.load(at(block) + EVENT_BASELINE)
}

/// The word at a byte offset.
fn at(offset: u64) -> usize {
    (offset / WORD_LENGTH) as usize
}
