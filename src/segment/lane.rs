//! Lanes: claim, adopt, release. A lane belongs to one thread at a time; values in it never move.
//!
//! ```text
//! owner word:  0 never used ── claim ──> tag of process ── give back ──> RELEASED ── claim ──> tag ...
//!                                             │ process dies
//!                                             └────────── claim by another process (adoption) ──> tag
//! ```
//!
//! A claim is a compare-and-swap on the owner word. The order of search: lanes of this process' ended threads, released ones, those
//! of dead processes, never used ones; so short-lived workers reuse lanes and the file does not grow. A lane's owner is dead when the
//! slot in its tag has another incarnation, or the slot's lock byte is free.
//!
//! After the claim, adoption: incarnation stored (release), release fence, then the repairs, then the baseline for the per-process
//! view. Dead in the middle: the owner word names a dead process, the next one does it all again; every step can be repeated.

use super::attachment::Attachment;
use super::commit::commit;
use super::error_log;
use super::liveness::Liveness;
use super::registry::{for_each_block, for_each_event_ring, for_each_group, for_each_samples};
use super::thread;
use crate::layout::block::{BASELINE_COUNT, BASELINE_SUM, COUNT, SUM};
use crate::layout::directory::*;
use crate::layout::events::{EVENT_BASELINE, EVENT_POSITION};
use crate::layout::geometry::BLOCK_GRANULE_LENGTH;
use crate::layout::header::{
    ADOPTIONS_OFFSET, ANOMALIES_OFFSET, COUNTER_PLACEMENT_OFFSET, LOSS_LANES_OFFSET,
};
use crate::layout::samples::{SAMPLES_BASELINE, SAMPLES_ENDED};
use crate::protocol::{events, group, histogram, placement};
use crate::sync::{AcqRel, Acquire, AtomicU64, Relaxed, Release};

/// After a refused claim this many operations use the shared lane before it is tried again: a claim costs some microseconds.
const PATIENCE: u64 = 4096;

/// This thread's lane in the segment, claimed if need be; its first byte. `None`: use the shared lane. The slow path of every
/// operation: no heap, no blocking lock, callable from a signal handler.
#[cold]
pub(crate) fn obtain(attachment: &Attachment, may_allocate: bool) -> Option<usize> {
    super::fork::ensure_prepared();
    // Another thread of a raw clone is still at it: until then nothing here is this process' own.
    if super::fork::generation() == 0 || (!may_allocate && must_wait(&attachment.patience)) {
        return None;
    }
    thread::with_own_block(may_allocate, |block| {
        // A signal handler, or an earlier call, may have got it meanwhile.
        let have = block.lane(thread::PlaceWord::new(attachment.number, 0));
        if have != 0 {
            return Some(have);
        }
        let base = match claim(attachment) {
            Some(lane) => attachment.mapping.base().addr() + attachment.geometry.lane_offset(lane) as usize,
            None => {
                attachment.patience.store(PATIENCE, Relaxed);
                return None;
            }
        };
        super::ticker::refresh(attachment);
        thread::set_lane(block, attachment.number, base);
        Some(base)
    })
}

/// Was a claim refused less than [`PATIENCE`] operations ago? Counts this one. Any number of threads at once.
fn must_wait(patience: &AtomicU64) -> bool {
    patience
        .fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1))
        .is_ok()
}

fn entry_word(attachment: &Attachment, lane: u64, offset: u64) -> &AtomicU64 {
    attachment.word(attachment.geometry.lane_entry_offset(lane) + offset)
}

fn bit(set: &[AtomicU64], index: u64) -> bool {
    set.get(index as usize / 64)
        .is_some_and(|word| word.load(Relaxed) >> (index % 64) & 1 == 1)
}

fn set_bit(set: &[AtomicU64], index: u64, value: bool) {
    if let Some(word) = set.get(index as usize / 64) {
        match value {
            true => word.fetch_or(1 << (index % 64), Relaxed),
            false => word.fetch_and(!(1 << (index % 64)), Relaxed),
        };
    }
}

/// Claims a lane for the calling thread; its number.
fn claim(attachment: &Attachment) -> Option<u64> {
    let tag = slot_tag(attachment)?;
    for place in &attachment.free_lanes {
        let lane = place.swap(0, AcqRel);
        if lane != 0 && bit(&attachment.owned, lane) {
            adopt(attachment, lane, tag);
            return Some(lane);
        }
    }
    let mut liveness = Liveness::new(attachment);
    let mut is_refused = false;
    for wanted in [Wanted::Released, Wanted::Dead, Wanted::Unused] {
        for lane in 1..=attachment.geometry.capacities.lanes {
            let owner = entry_word(attachment, lane, LANE_OWNER_OFFSET);
            let seen = owner.load(Acquire);
            // Lanes are taken in ascending order: after the first that nobody ever had there is nobody's only.
            if wanted != Wanted::Unused && seen == OwnerTag::NOBODY.0 {
                break;
            }
            let is_committed = || entry_word(attachment, lane, LANE_COMMITTED_OFFSET).load(Relaxed) != 0;
            if !wanted.matches(OwnerTag(seen), tag, &mut liveness)
                || bit(&attachment.covered, lane)
                || (is_refused && !is_committed())
            {
                continue;
            }
            if owner.compare_exchange(seen, tag.0, AcqRel, Relaxed).is_err() {
                continue;
            }
            set_bit(&attachment.owned, lane, true);
            if commit_front(attachment, lane) {
                if wanted == Wanted::Dead {
                    attachment.count_since_version_2(ADOPTIONS_OFFSET);
                }
                adopt(attachment, lane, tag);
                return Some(lane);
            }
            set_bit(&attachment.owned, lane, false);
            owner.store(OwnerTag::RELEASED.0, Release);
            // No storage for a new lane; one that has its storage already will do.
            is_refused = true;
        }
    }
    if !is_refused {
        attachment.count_loss(LOSS_LANES_OFFSET);
        error_log::log(
            attachment,
            format_args!(
                "no lane is free: a thread counts in the shared lane, which is slower; create the segment with more `lanes`"
            ),
        );
    }
    None
}

/// This process' tag in the segment.
fn slot_tag(attachment: &Attachment) -> Option<OwnerTag> {
    match thread::page().slots[attachment.number].tag.load(Acquire) {
        0 => None,
        tag => Some(OwnerTag(tag)),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Released,
    Dead,
    Unused,
}

impl Wanted {
    fn matches(self, owner: OwnerTag, own: OwnerTag, liveness: &mut Liveness<'_>) -> bool {
        match self {
            Wanted::Released => owner == OwnerTag::RELEASED,
            Wanted::Unused => owner == OwnerTag::NOBODY,
            Wanted::Dead => {
                owner != OwnerTag::RELEASED
                    && owner != OwnerTag::NOBODY
                    && owner != own
                    && liveness.is_dead(owner)
            }
        }
    }
}

/// Allocates bitmap and counters of a lane, if they are not.
fn commit_front(attachment: &Attachment, lane: u64) -> bool {
    let mark = entry_word(attachment, lane, LANE_COMMITTED_OFFSET);
    let length = attachment.geometry.lane_front_length();
    if mark.load(Acquire) >= length {
        return true;
    }
    let offset = attachment.geometry.lane_offset(lane);
    if commit(attachment, "the counters of a lane", offset, length).is_err() {
        return false;
    }
    mark.store(length, Release);
    true
}

/// Makes a claimed lane this process': see the module's head.
fn adopt(attachment: &Attachment, lane: u64, tag: OwnerTag) {
    let geometry = &attachment.geometry;
    let incarnation = entry_word(attachment, lane, LANE_INCARNATION_OFFSET);
    let last = incarnation.load(Relaxed);
    // It wraps only where somebody stored nonsense (SPEC.md A-9).
    histogram::store_incarnation(incarnation, last.wrapping_add(1));
    let lane_offset = geometry.lane_offset(lane);
    if last == 0 {
        entry_word(attachment, lane, LANE_BASELINE_OWNER_OFFSET).store(tag.0, Relaxed);
        return;
    }
    let bitmap = attachment.words_at(lane_offset, geometry.bitmap_words as usize);
    for_each_block(attachment, |placement, shape| {
        if bit(bitmap, placement / BLOCK_GRANULE_LENGTH) {
            let block = attachment.words_at(
                lane_offset + geometry.lane_blocks_offset + placement,
                shape.words(),
            );
            let begun = block[COUNT].load(Relaxed);
            if histogram::repair(block, &shape) && begun.wrapping_sub(block[COUNT].load(Relaxed)) != 1 {
                // More than the one record in flight that a death leaves.
                mended(attachment);
            }
        }
    });
    for_each_event_ring(attachment, |placement, shape| {
        if bit(bitmap, placement / BLOCK_GRANULE_LENGTH) {
            let offset = lane_offset + geometry.lane_blocks_offset + placement;
            events::repair(attachment.words_at(offset, shape.words()), &shape);
        }
    });
    write_baseline(attachment, lane, last, tag);
}

/// Counts and logs that the count of a histogram was made what its buckets say.
#[cold]
pub(crate) fn mended(attachment: &Attachment) {
    attachment.count_loss(ANOMALIES_OFFSET);
    error_log::log(
        attachment,
        format_args!(
            "the count of a histogram did not match its buckets and was mended: the segment was damaged; check it with `shmetrics verify`"
        ),
    );
}

/// Notes what the lane had counted before its present process, unless it is the same process still.
fn write_baseline(attachment: &Attachment, lane: u64, last: u64, tag: OwnerTag) {
    let geometry = &attachment.geometry;
    let lane_offset = geometry.lane_offset(lane);
    let baseline = entry_word(attachment, lane, LANE_BASELINE_WORD_OFFSET);
    let covered = entry_word(attachment, lane, LANE_BASELINE_COUNTERS_OFFSET);
    let owner_of_baseline = entry_word(attachment, lane, LANE_BASELINE_OWNER_OFFSET);
    if owner_of_baseline.load(Relaxed) == tag.0 && (baseline.load(Relaxed) == last || last == 1) {
        baseline.store(last.wrapping_add(1), Release);
        return;
    }
    let placed = placement::free(attachment.word(COUNTER_PLACEMENT_OFFSET).load(Acquire));
    let count = placed.min(geometry.capacities.counters);
    let from = lane_offset + geometry.lane_counters_offset;
    let to = lane_offset + geometry.lane_baseline_offset;
    // The part that an earlier baseline covers is committed already; committing it again costs no storage, only budget.
    let known = covered.load(Relaxed).min(count);
    let (start, length) = (to + known * 8, (count - known) * 8);
    if count > known && commit(attachment, "the baseline of a lane", start, length).is_err() {
        return;
    }
    let counters = attachment.words_at(from, count as usize);
    for (word, counter) in attachment.words_at(to, count as usize).iter().zip(counters) {
        word.store(counter.load(Relaxed), Relaxed);
    }
    covered.store(count.max(covered.load(Relaxed)), Relaxed);
    let bitmap = attachment.words_at(lane_offset, geometry.bitmap_words as usize);
    for_each_block(attachment, |placement, shape| {
        if bit(bitmap, placement / BLOCK_GRANULE_LENGTH) {
            let block = attachment.words_at(
                lane_offset + geometry.lane_blocks_offset + placement,
                shape.words(),
            );
            let count = block[COUNT].load(Relaxed);
            block[BASELINE_COUNT].store(count, Relaxed);
            block[BASELINE_SUM].store(block[SUM + (count & 1) as usize].load(Relaxed), Relaxed);
        }
    });
    for_each_event_ring(attachment, |placement, shape| {
        if bit(bitmap, placement / BLOCK_GRANULE_LENGTH) {
            let offset = lane_offset + geometry.lane_blocks_offset + placement;
            let block = attachment.words_at(offset, shape.words());
            block[EVENT_BASELINE].store(block[EVENT_POSITION].load(Relaxed), Relaxed);
        }
    });
    for_each_samples(attachment, |placement, shape| {
        if bit(bitmap, placement / BLOCK_GRANULE_LENGTH) {
            let start = lane_offset + geometry.lane_blocks_offset + placement;
            let block = attachment.words_at(start, shape.words());
            block[SAMPLES_BASELINE].store(block[SAMPLES_ENDED].load(Relaxed), Relaxed);
        }
    });
    for_each_group(attachment, |placement, shape| {
        if bit(bitmap, placement / BLOCK_GRANULE_LENGTH) {
            let start = lane_offset + geometry.lane_blocks_offset + placement;
            group::note_baseline(attachment.words_at(start, shape.words()), &shape);
        }
    });
    owner_of_baseline.store(tag.0, Relaxed);
    baseline.store(last.wrapping_add(1), Release);
}

/// Commits the block of a series in this thread's lane, which starts at `base`. `false`: use the shared lane.
#[cold]
pub(crate) fn commit_block(
    attachment: &Attachment,
    base: usize,
    placement: u64,
    length: u64,
    may_allocate: bool,
) -> bool {
    if !may_allocate && must_wait(&attachment.patience) {
        return false;
    }
    let lane_offset = (base - attachment.mapping.base().addr()) as u64;
    let offset = lane_offset + attachment.geometry.lane_blocks_offset + placement;
    if commit(attachment, "a block in a lane", offset, length).is_err() {
        attachment.patience.store(PATIENCE, Relaxed);
        return false;
    }
    let granule = placement / BLOCK_GRANULE_LENGTH;
    let word = attachment.word(lane_offset + granule / 64 * 8);
    // Release: readers look at the bit before the block. Atomic, although only this thread writes it: a signal handler may commit
    // another block at the same moment.
    word.fetch_or(1 << (granule % 64), Release);
    true
}

/// A lane of an ended thread: kept for the next one, or released.
pub(crate) fn give_back(attachment: &Attachment, base: usize) {
    let geometry = &attachment.geometry;
    let offset = base.wrapping_sub(attachment.mapping.base().addr()) as u64;
    let Some(index) = offset
        .checked_sub(geometry.lanes_offset)
        .map(|o| o / geometry.lane_stride)
    else {
        return;
    };
    let lane = index + 1;
    if !bit(&attachment.owned, lane) {
        return;
    }
    for place in &attachment.free_lanes {
        if place.compare_exchange(0, lane, AcqRel, Relaxed).is_ok() {
            return;
        }
    }
    release(attachment, lane);
}

fn release(attachment: &Attachment, lane: u64) {
    set_bit(&attachment.owned, lane, false);
    entry_word(attachment, lane, LANE_OWNER_OFFSET).store(OwnerTag::RELEASED.0, Release);
}

/// The process leaves the segment: all its lanes are released.
pub(crate) fn release_all(attachment: &Attachment) {
    if slot_tag(attachment).is_none() {
        return;
    }
    for lane in 1..=attachment.geometry.capacities.lanes {
        if bit(&attachment.owned, lane) {
            release(attachment, lane);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends_however_many_threads_count_it_down() {
        let patience = AtomicU64::new(0);
        // As threads that are refused again and again do, with one operation to wait: then two often count the same one.
        let refused = || {
            for _ in 0..1_000_000 {
                if !must_wait(&patience) {
                    patience.store(1, Relaxed);
                }
                let left = patience.load(Relaxed);
                assert!(
                    left <= 1,
                    "{left} operations to wait, never more than 1 was asked for"
                );
            }
        };
        std::thread::scope(|scope| (0..2).for_each(|_| drop(scope.spawn(refused))));
    }
}
