//! Reading one histogram over all lanes. And a group, of which the same is kept: see `group`.
//!
//! For every lane and member the last accepted state is kept: no answer is ever less than the one before, and what could not be
//! read is answered by it, marked bounded. Rules for a lane:
//!
//! ```text
//! not hot    two live attempts; then it is hot, and the latch is taken
//! hot        the latch, if it moved since the last read, else live: live copies of a hot histogram halve its writer
//! cut        the state at an epoch from the ring; lost, or torn each time -> live, bounded
//! window     the difference of two states at epochs; lost -> left out, bounded
//! ```
//!
//! The shared lane has neither latch nor ring: it is read live, and windows leave it out.

mod cell;
mod total;

use std::cell::Cell as Tally;

use self::cell::{Block, Cell};
use self::total::Rest;
pub(super) use self::total::Total;
use super::baseline::Baselines;
use super::catalog::{Group, Member};
use super::merge::{self, Compensated, LaneSum};
use super::{BucketScheme, Histogram, Quality, Window, quality_of};
use crate::layout::block::EPOCH;
use crate::layout::directory::{LANE_INCARNATION_OFFSET, OwnerTag};
use crate::layout::geometry::{BLOCK_GRANULE_LENGTH, Geometry};
use crate::layout::group::GroupShape;
use crate::protocol::histogram::State;
use crate::sync::{Acquire, fence};
use crate::words::ReadWords;

/// A lane whose front is committed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lane {
    /// Its number, from 1.
    pub(super) number: u64,
    /// Who has it.
    pub(super) owner: OwnerTag,
    /// How often it was taken.
    pub(super) incarnation: u64,
}

/// What is read from.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    /// Attempts that were overtaken.
    pub(super) torn: &'a Tally<u64>,
    /// The segment.
    pub(super) words: ReadWords<'a>,
    /// Where everything is.
    pub(super) geometry: &'a Geometry,
    /// The lanes that are committed.
    pub(super) lanes: &'a [Lane],
    /// The epoch it is now.
    pub(super) epoch: u64,
    /// States at the last closed epoch instead of live ones?
    pub(super) cut: bool,
}

impl<'a> Source<'a> {
    /// The words of a member's block in a lane; `None` as long as they are not committed.
    pub(super) fn block(&self, lane: &Lane, member: &Member) -> Option<ReadWords<'a>> {
        let start = self.geometry.lane_offset(lane.number) / 8;
        let bit = member.placement / BLOCK_GRANULE_LENGTH;
        let set = self.words.load((start + bit / 64) as usize) >> (bit % 64) & 1 != 0;
        // Pairs with the release store of the bit: the storage is there.
        fence(Acquire);
        let block = start + (self.geometry.lane_blocks_offset + member.placement) / 8;
        set.then(|| {
            self.words
                .range(block as usize, (member.series.length / 8) as usize)
        })
    }

    /// The part of a member's block that is committed in the shared lane.
    pub(super) fn shared_block(&self, member: &Member) -> ReadWords<'a> {
        let start = (self.geometry.shared_blocks_offset + member.placement) / 8;
        self.words
            .range(start as usize, (member.series.shared_length() / 8) as usize)
    }

    fn incarnation(&self, lane: &Lane) -> ReadWords<'a> {
        let entry = self.geometry.lane_entry_offset(lane.number);
        self.words
            .range(((entry + LANE_INCARNATION_OFFSET) / 8) as usize, 1)
    }

    fn last_closed(&self) -> u64 {
        self.epoch.saturating_sub(1)
    }
}

/// What was last read of one member.
#[derive(Debug, Default)]
pub(super) struct Memory {
    shared: Cell,
    /// By lane number minus one, as far as the lanes have the block.
    lanes: Vec<Option<Box<Cell>>>,
    /// What is being read. It changes places with what it replaces, so all states of a member have their room for good.
    attempt: State,
    /// By how much the count of all lanes together may be off.
    error: u64,
}

impl Memory {
    /// By how much the count of all lanes together may be off, as of the last read.
    pub(super) fn error(&self) -> u64 {
        self.error
    }

    /// Adds up what was last read of the shared lane and of these lanes. Returns by how much the count may be off.
    pub(super) fn total(&self, lanes: &[Lane], member: &Member, into: &mut Total) -> u64 {
        into.clear(member.shape.buckets);
        into.add(member, self.shared.shown(&member.shape, false));
        for lane in lanes {
            if let Some(Some(cell)) = self.lanes.get(lane.number as usize - 1) {
                into.add(member, cell.shown(&member.shape, false));
            }
        }
        self.error
    }

    /// Reads a group: the fields of the shared lane and of all lanes, added up. The number of updates is the last bucket.
    pub(super) fn read_group(
        &mut self,
        member: &Member,
        shape: &GroupShape,
        source: Source<'_>,
        into: &mut Total,
    ) {
        into.clear(member.shape.buckets);
        let block = source.shared_block(member);
        self.error = self
            .shared
            .read_shared_group(block, shape, source.torn, &mut self.attempt);
        into.add(member, self.shared.shown(&member.shape, false));
        for lane in source.lanes {
            let Some(words) = source.block(lane, member) else {
                continue;
            };
            let index = lane.number as usize - 1;
            if self.lanes.len() <= index {
                self.lanes.resize_with(index + 1, || None);
            }
            let cell = self.lanes[index].get_or_insert_default();
            let error = cell.read_group(words, shape, source.torn, &mut self.attempt);
            self.error = self.error.saturating_add(error);
            into.add(member, cell.shown(&member.shape, false));
        }
    }

    /// The fields of a group, and the number of updates, last shown of a lane.
    pub(super) fn fields(&self, lane: &Lane, member: &Member) -> Option<&[u64]> {
        let cell = self.lanes.get(lane.number as usize - 1)?.as_ref()?;
        let fields = &cell.shown(&member.shape, false).buckets;
        // Empty as long as nothing was read.
        (fields.len() == member.shape.buckets).then_some(fields)
    }

    /// Count and sum word last shown of a lane.
    pub(super) fn shown(&self, lane: &Lane, member: &Member, cut: bool) -> Option<(u64, u64)> {
        let cell = self.lanes.get(lane.number as usize - 1)?.as_ref()?;
        let state = cell.shown(&member.shape, cut);
        Some((state.count, state.sum))
    }
}

/// What is reused from read to read.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    newer: State,
    older: State,
    gained: State,
    windows: Vec<WindowSum>,
    total: Total,
}

#[derive(Clone, Copy, Debug, Default)]
struct WindowSum {
    /// Of the present member.
    lanes: LaneSum,
    /// Of all members, in the exported unit.
    total: Compensated,
    error: u64,
}

/// Reads all members of a group over all lanes into `histogram`. `memories` are indexed by ordinal.
pub(super) fn fill(
    histogram: &mut Histogram,
    group: &Group,
    memories: &mut [Memory],
    baselines: Option<&Baselines>,
    source: Source<'_>,
    scratch: &mut Scratch,
) {
    let Some(scheme) = &group.scheme else { return };
    prepare(histogram, scheme, group, source, scratch);
    let (mut sum, mut error) = (Compensated::default(), 0u64);
    for member in group.shown() {
        let Some(memory) = memories.get_mut(member.ordinal) else {
            continue;
        };
        let baseline = baselines.and_then(|baselines| baselines.block(member));
        let mut total = std::mem::take(&mut scratch.total);
        if baseline.is_some() {
            total.clear(member.shape.buckets);
        }
        let mut adder = Adder {
            histogram,
            member,
            to: scheme,
            sum: LaneSum::default(),
            total: baseline.is_some().then_some(&mut total),
        };

        let block = source.shared_block(member);
        memory.error = memory
            .shared
            .read_shared(block, &member.shape, source.torn, &mut memory.attempt);
        let state = memory.shared.shown(&member.shape, false);
        adder.add(state);
        // It has no ring: nobody knows how many of its records belong to a window.
        scratch
            .windows
            .iter_mut()
            .for_each(|window| window.error = window.error.saturating_add(state.count));

        for lane in source.lanes {
            let Some(words) = source.block(lane, member) else {
                continue;
            };
            let block = Block {
                words,
                incarnation: source.incarnation(lane),
                shape: &member.shape,
                torn: source.torn,
            };
            let index = lane.number as usize - 1;
            if memory.lanes.len() <= index {
                memory.lanes.resize_with(index + 1, || None);
            }
            let cell = memory.lanes[index].get_or_insert_default();
            memory.error = memory.error.saturating_add(if source.cut {
                cell.read_cut(block, source.last_closed(), &mut memory.attempt)
            } else {
                cell.read(block, &mut memory.attempt)
            });
            let state = cell.shown(&member.shape, source.cut);
            adder.add(state);
            let records = state.count;
            add_windows(
                adder.histogram,
                scheme,
                member,
                block,
                records,
                source.epoch,
                scratch,
            );
        }
        error = error.saturating_add(memory.error);
        let gained = adder.sum.total(member.series.factor);
        sum.add(match baseline {
            Some(baseline) => {
                let rest = total.subtract(baseline, member);
                error = error.saturating_add(rest.error);
                add_gained(histogram, member, scheme, &total.state, &rest);
                rest.sum
            }
            None => gained,
        });
        scratch.total = total;
        for window in &mut scratch.windows {
            window
                .total
                .add(std::mem::take(&mut window.lanes).total(member.series.factor));
        }
    }
    histogram.sum = sum.total();
    histogram.quality = quality_of(error);
    if histogram.count == 0 {
        // They may already include records that are not counted yet.
        (histogram.min, histogram.max) = (None, None);
    }
    for (window, sum) in histogram.windows.iter_mut().zip(&scratch.windows) {
        window.sum = sum.total.total();
        window.quality = quality_of(sum.error);
    }
}

/// Empties the histogram, keeping its allocations.
fn prepare(
    histogram: &mut Histogram,
    scheme: &BucketScheme,
    group: &Group,
    source: Source<'_>,
    scratch: &mut Scratch,
) {
    let buckets = scheme.buckets();
    if histogram.scheme != *scheme {
        histogram.scheme = scheme.clone();
    }
    let empty = |counts: &mut Vec<u64>| {
        counts.clear();
        counts.resize(buckets, 0);
    };
    empty(&mut histogram.counts);
    (histogram.count, histogram.invalid) = (0, 0);
    (histogram.min, histogram.max) = (None, None);
    let slots = group
        .shown()
        .iter()
        .map(|member| member.shape.ring_slots)
        .max()
        .unwrap_or(0);
    let windows = slots.saturating_sub(1);
    let nothing = || Window {
        seconds: 0.0,
        count: 0,
        sum: 0.0,
        counts: Vec::new(),
        quality: Quality::Exact,
    };
    histogram.windows.resize_with(windows, nothing);
    let epoch_seconds = source.geometry.capacities.epoch_length_ns as f64 / 1e9;
    for (index, window) in histogram.windows.iter_mut().enumerate() {
        window.seconds = (index + 1) as f64 * epoch_seconds;
        window.count = 0;
        empty(&mut window.counts);
    }
    scratch.windows.clear();
    scratch.windows.resize(windows, WindowSum::default());
}

/// Adds states of one member to the histogram.
struct Adder<'a> {
    histogram: &'a mut Histogram,
    member: &'a Member,
    to: &'a BucketScheme,
    sum: LaneSum,
    /// Where states are added up instead, if something is to be subtracted from all of them together.
    total: Option<&'a mut Total>,
}

impl Adder<'_> {
    fn add(&mut self, state: &State) {
        if let Some(total) = &mut self.total {
            return total.add(self.member, state);
        }
        let (kind, factor) = (self.member.series.kind, self.member.series.factor);
        let Some(from) = &self.member.scheme else { return };
        let histogram = &mut *self.histogram;
        merge::add_buckets(state, from, self.to, &mut histogram.counts);
        histogram.count = histogram.count.wrapping_add(state.count);
        histogram.invalid = histogram.invalid.wrapping_add(state.invalid);
        histogram.min = merge::lesser(histogram.min, merge::minimum(kind, state.minimum, factor));
        histogram.max = merge::greater(histogram.max, merge::maximum(kind, state.maximum, factor));
        self.sum.add(kind, state.sum);
    }
}

/// Adds what a member that was reset gained since.
fn add_gained(histogram: &mut Histogram, member: &Member, to: &BucketScheme, gained: &State, rest: &Rest) {
    let Some(from) = &member.scheme else { return };
    merge::add_buckets(gained, from, to, &mut histogram.counts);
    histogram.count = histogram.count.wrapping_add(gained.count);
    histogram.invalid = histogram.invalid.wrapping_add(gained.invalid);
    histogram.min = merge::lesser(histogram.min, rest.min);
    histogram.max = merge::greater(histogram.max, rest.max);
}

/// Adds what one lane gained in each closed window. `total` are all its records.
fn add_windows(
    histogram: &mut Histogram,
    to: &BucketScheme,
    member: &Member,
    block: Block<'_>,
    total: u64,
    epoch: u64,
    scratch: &mut Scratch,
) {
    let Some(from) = &member.scheme else { return };
    let Scratch {
        newer,
        older,
        gained,
        windows,
        ..
    } = scratch;
    let newest = block.words.load(EPOCH);
    fence(Acquire);
    let mut newer_read = None;
    for (index, (window, sum)) in histogram.windows.iter_mut().zip(windows).enumerate() {
        let length = index as u64 + 1;
        let at = epoch.saturating_sub(1 + length);
        if newest <= at && member.shape.ring_slots > 0 {
            // No record since: the states at both ends are the same. (Without a ring nobody notes the epoch.)
            continue;
        }
        let kind = member.series.kind;
        let whole = length < member.shape.ring_slots as u64
            && newer_read
                .get_or_insert_with(|| block.state_at(epoch.saturating_sub(1), newer))
                .is_some()
            && block.state_at(at, older).is_some();
        if !whole {
            // Lost: any of its records may belong to the window.
            sum.error = sum.error.saturating_add(total.max(1));
            continue;
        }
        if !merge::difference(kind, newer, older, gained) {
            sum.error = sum.error.saturating_add(older.count.abs_diff(newer.count).max(1));
        }
        merge::add_buckets(gained, from, to, &mut window.counts);
        window.count = window.count.wrapping_add(gained.count);
        sum.lanes.add(kind, gained.sum);
    }
}
