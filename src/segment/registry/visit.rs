//! Walks over the records, for those who take over a slot or a lane: no heap, bounded by the records.

use super::tables::Tables;
use crate::layout::LINE_LENGTH;
use crate::layout::block::BlockShape;
use crate::layout::directory::OwnerTag;
use crate::layout::events::EventsShape;
use crate::layout::group::GroupShape;
use crate::layout::header::RESERVED_OFFSET;
use crate::layout::kind::{Kind, Merge, Space};
use crate::layout::record::*;
use crate::layout::samples::SamplesShape;
use crate::protocol::index;
use crate::segment::attachment::Attachment;
use crate::sync::{Acquire, Release};

/// Visits the blocks of all placed histograms: byte offset in the block region and shape. No heap; bounded by the records.
pub(crate) fn for_each_block(attachment: &Attachment, mut visit: impl FnMut(u64, BlockShape)) {
    for_each_series(attachment, |tables, number, kind| {
        let cell = tables.load(number, CELL_WORD);
        let shape = kind
            .is_histogram()
            .then(|| light_shape(tables, number, kind))
            .flatten();
        if let (Some(placement), Some(shape)) = (cell.checked_sub(1), shape) {
            let end = placement.saturating_add(shape.length());
            if placement.is_multiple_of(LINE_LENGTH) && end <= tables.geometry.capacities.blocks_length {
                visit(placement, shape);
            }
        }
    });
}

/// Visits the blocks of all placed events series: byte offset in the block region and shape. As [`for_each_block`].
pub(crate) fn for_each_event_ring(attachment: &Attachment, mut visit: impl FnMut(u64, EventsShape)) {
    for_each_series(attachment, |tables, number, kind| {
        if kind != Kind::Events {
            return;
        }
        let placement = tables.load(number, CELL_WORD).checked_sub(1);
        let shape = EventsShape::unpack(tables.load(number, BUCKETS_WORD));
        if let (Some(placement), Some(shape)) = (placement, shape) {
            let end = placement.saturating_add(shape.length());
            if placement.is_multiple_of(LINE_LENGTH) && end <= tables.geometry.capacities.blocks_length {
                visit(placement, shape);
            }
        }
    });
}

/// Visits the blocks of all placed series of samples: byte offset in the block region and shape. No heap; bounded by the records.
pub(crate) fn for_each_samples(attachment: &Attachment, mut visit: impl FnMut(u64, SamplesShape)) {
    for_each_series(attachment, |tables, number, kind| {
        if kind != Kind::Samples {
            return;
        }
        let cell = tables.load(number, CELL_WORD);
        let shape = SamplesShape::new(tables.load(number, BUCKETS_WORD));
        if let (Some(placement), Some(shape)) = (cell.checked_sub(1), shape) {
            let end = placement.saturating_add(shape.length());
            if placement.is_multiple_of(LINE_LENGTH) && end <= tables.geometry.capacities.blocks_length {
                visit(placement, shape);
            }
        }
    });
}

/// Visits the blocks of all placed groups: byte offset in the block region and shape. No heap; bounded by the records.
pub(crate) fn for_each_group(attachment: &Attachment, mut visit: impl FnMut(u64, GroupShape)) {
    for_each_series(attachment, |tables, number, kind| {
        if kind != Kind::Group {
            return;
        }
        let cell = tables.load(number, CELL_WORD);
        let shape = GroupShape::unpack(tables.load(number, BUCKETS_WORD));
        if let (Some(placement), Some(shape)) = (cell.checked_sub(1), shape) {
            let end = placement.saturating_add(shape.length());
            if placement.is_multiple_of(LINE_LENGTH) && end <= tables.geometry.capacities.blocks_length {
                visit(placement, shape);
            }
        }
    });
}

/// The record of the number with this placement; `None` if there is none.
pub(crate) fn number_at(attachment: &Attachment, placement: u64) -> Option<u64> {
    let mut found = None;
    for_each_series(attachment, |tables, number, kind| {
        if kind == Kind::Number && tables.load(number, CELL_WORD) == placement + 1 {
            found = found.or(Some(number));
        }
    });
    found
}

/// Visits all placed gauges: number of the cell, and whether its value outlives its process.
pub(crate) fn for_each_gauge(attachment: &Attachment, mut visit: impl FnMut(u64, bool)) {
    for_each_series(attachment, |tables, number, kind| {
        let cell = tables.load(number, CELL_WORD);
        if kind.space() == Space::Gauges
            && let Some(placement) = cell.checked_sub(1)
            && placement < tables.geometry.capacities.gauges
        {
            let family = tables.load(number, UNIT_WORD);
            let merge = Merge::from_code((tables.load(family, SHAPE_WORD) >> 16) as u8);
            visit(placement, merge.is_some_and(Merge::outlives_process));
        }
    });
}

fn for_each_series(attachment: &Attachment, mut visit: impl FnMut(&Tables<'_>, u64, Kind)) {
    let tables = Tables::new(attachment);
    let reserved = attachment
        .word(RESERVED_OFFSET)
        .load(Acquire)
        .min(tables.geometry.records);
    for number in 1..=reserved {
        // Only records matter that the last owner of a lane or slot used: it had acquired them, and taking over acquires what it had
        // (compare-and-swap on the lane's owner word, or the kernel's lock). A record without a cell is skipped by the visitor.
        let shape = tables.load(number, SHAPE_WORD);
        if shape as u8 == TYPE_SERIES
            && let Some(kind) = Kind::from_code((shape >> 8) as u8)
        {
            visit(&tables, number, kind);
        }
    }
}

/// The shape of a block without the checksum: adoption runs for every claimed lane.
fn light_shape(tables: &Tables<'_>, number: u64, kind: Kind) -> Option<BlockShape> {
    let ring_slots = (tables.load(number, SHAPE_WORD) >> 32) as u8;
    let buckets = match kind {
        Kind::HistogramClassic => TextRange::unpack(tables.load(number, EXTRA_WORD)).length as usize / 8 + 1,
        _ => unpack_exponential(tables.load(number, BUCKETS_WORD))?.buckets(),
    };
    let shape = BlockShape::new(buckets, usize::from(ring_slots));
    (ring_slots <= MAX_RING_SLOTS && shape.length() == tables.load(number, LENGTH_WORD)).then_some(shape)
}

/// Records that a dead owner of this slot had taken: published ones are marked so, the others become this process' spares.
pub(crate) fn recover_records(attachment: &Attachment, slot: u64, own: OwnerTag) {
    let tables = Tables::new(attachment);
    let slots = tables.geometry.capacities.process_slots;
    let reserved = attachment
        .word(RESERVED_OFFSET)
        .load(Acquire)
        .min(tables.geometry.records);
    for number in 1..=reserved {
        let claim = tables.word(number, CLAIM_WORD);
        let tag = OwnerTag(claim.load(Acquire));
        if tag.slot(slots) != Some(slot) || tag == own {
            continue;
        }
        if index::is_published(tables.index, tables.records, number) {
            index::mark_published(tables.records, number);
        } else {
            claim.store(own.0, Release);
            tables.keep_spare(number);
        }
    }
}
