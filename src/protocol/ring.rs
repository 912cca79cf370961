//! The ring: cumulative copies of a histogram, each labelled with the epoch it closes.
//!
//! On the first record of a new epoch e (single writer), before that record, rotation number r:
//!
//! ```text
//! Q1  slot = (r - 1) mod N; begin.store(e - 1, Relaxed)
//! Q2  rotations.store(r, Release); fence(Release)
//! Q3  copy state -> slot, relaxed
//! Q4  label.store(e - 1, Relaxed)
//! Q5  epoch.store(e, Release)
//! ```
//!
//! A slot with label l holds the state after all records of epochs <= l. Reading the **state at E** (after all records of epochs <= E):
//!
//! ```text
//! R1  e = epoch. If e <= E: the live state, if epoch <= E still holds after it
//! R2  r = rotations; fence(Acquire)                             the fence is R1's too
//! R3  label and begin of every slot; of those with label = begin < e take the smallest label l >= E; copy; fence(Acquire)
//! R4  rotations = r, or the read is torn
//! ```
//!
//! The copy is the state at E if no label in E .. l was overwritten: l = E, or some slot has a label < E, or no label was overwritten
//! at all (r <= N, and no slot with a label has another begin). Otherwise that state is lost (`TooOld`).
//!
//! **Claim.** An accepted copy is the state at E.
//! 1. R1 read Q5 of rotation j, so all of rotations .. j is visible to R3. R2 read Q2 of rotation r, so all rotations before r are,
//!    and the begin of r. (Had R2 read a number before j, R4 would see j at least.)
//! 2. A label or a copied word of a rotation after r would, by Q2's fence and the fence of R3, make R4 see a larger number. So would
//!    the begin of the rotation after the next, being stored after the next one's fence.
//! 3. So the slots show the last N rotations up to r. Only two of them can be in doubt: the slot of r, whose label may not be stored
//!    yet, and the slot of the next, whose begin may be. In both, begin is another than label, and they are passed over. What is left
//!    are consecutive rotations, none missing in between; those with a label < e are no younger than j, so all their words are
//!    visible and nothing younger was copied.
//! 4. Consecutive labels around E leave no room for a forgotten one: if one is < E, the next is the right one. Without one < E, the
//!    right one may have been overwritten, unless nothing was: r <= N and no slot with a label is being overwritten.
//! 5. The live state: a bucket of a record of a later epoch is a release store after Q5, so the fences after the copy show that epoch.
//!
//! A window is the difference of two states: nothing is ever zeroed, a gap costs nothing, a late epoch lengthens a window and never
//! falsifies it. Epochs never go backwards: an older one counts as the same. Label 0 means none: there is no state at 0.
//!
//! **Death.** An unfinished rotation shows in its begin, which is not below `epoch`. Its slot is passed over or, dead after Q4, not
//! asked for while `epoch` is older. The next rotation takes the same slot, so that the labels stay consecutive, and a *new* number,
//! r + N, so that R4 notices it. Neither `begin` nor `rotations` is ever set back to what it was before: a reader that copied the
//! slot before the death would accept a torn copy. (Dead between Q1 and Q2, the next rotation is r + 1 as usual: the same slot.)

use super::histogram::{State, Torn, read_live};
use super::latch::{copy_state, load_state};
use crate::layout::block::*;
use crate::sync::{AtomicU64, Relaxed, Release, edge, fence_at, mutated};
use crate::words::ReadWords;

/// Closes all epochs before `epoch`. Single writer, between two records; `epoch` must be larger than the block's epoch word.
pub fn rotate(block: &[AtomicU64], shape: &BlockShape, epoch: u64) {
    if block.len() < shape.words() {
        return;
    }
    if shape.ring_slots > 0 {
        let slots = shape.ring_slots as u64;
        let slot_of = |number: u64| shape.ring((number.wrapping_sub(1) % slots) as usize);
        let begun = block[ROTATIONS].load(Relaxed);
        let last = slot_of(begun);
        let unfinished = begun > 0 && block[last + RING_BEGIN].load(Relaxed) >= block[EPOCH].load(Relaxed);
        if mutated!("ring.lowered_begin") && unfinished {
            block[last + RING_BEGIN].store(block[last + RING_LABEL].load(Relaxed), Relaxed);
        }
        if mutated!("ring.lowered_rotations") && unfinished {
            block[ROTATIONS].store(begun.wrapping_sub(1), Relaxed);
        }
        let same_number = mutated!("ring.same_number");
        let number = begun.wrapping_add(match unfinished {
            true if same_number => 0,
            true => slots,
            false => 1,
        });
        let slot = slot_of(number);
        let label = epoch.wrapping_sub(1);
        block[slot + RING_BEGIN].store(label, Relaxed);
        block[ROTATIONS].store(number, edge!("ring.q2", Release));
        fence_at!("ring.q2_fence", Release);
        copy_state(block, shape, slot + RING_STATE);
        block[slot + RING_LABEL].store(label, Relaxed);
    }
    block[EPOCH].store(epoch, edge!("ring.q5", Release));
}

/// Why there is no state at an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoState {
    /// Overtaken by the writer; try again.
    Torn,
    /// The ring no longer has it.
    TooOld,
}

impl From<Torn> for NoState {
    fn from(_: Torn) -> Self {
        NoState::Torn
    }
}

/// Reads the state after all records of epochs <= `at` into `into`. One attempt, bounded by ring slots and buckets.
pub fn read_state_at(
    block: ReadWords<'_>,
    incarnation: ReadWords<'_>,
    shape: &BlockShape,
    at: u64,
    into: &mut State,
) -> Result<(), NoState> {
    let epoch = block.load(EPOCH);
    if epoch <= at {
        read_live(block, incarnation, shape, into)?;
        let stayed = block.load(EPOCH) <= at || mutated!("ring.live_epoch");
        return if stayed { Ok(()) } else { Err(NoState::Torn) };
    }
    let rotations = block.load(ROTATIONS);
    fence_at!("ring.r2", crate::sync::Acquire);
    let mut best: Option<(u64, usize)> = None;
    let mut older = false;
    let mut lost = rotations > shape.ring_slots as u64 && !mutated!("ring.full_ignored");
    for index in 0..shape.ring_slots {
        let slot = shape.ring(index);
        let (label, begun) = (block.load(slot + RING_LABEL), block.load(slot + RING_BEGIN));
        if label == 0 {
            continue;
        }
        if label != begun && !mutated!("ring.begin_ignored") {
            lost |= !mutated!("ring.overwriting_ignored");
            continue;
        }
        older |= label < at;
        if label >= at && label < epoch && best.is_none_or(|(least, _)| label < least) {
            best = Some((label, slot));
        }
    }
    let found = best.filter(|(label, _)| at != 0 && (*label == at || older || !lost));
    into.reset(shape.buckets);
    if let Some((_, slot)) = found {
        load_state(block, slot + RING_STATE, into);
    }
    fence_at!("ring.r3", crate::sync::Acquire);
    if block.load(ROTATIONS) != rotations && !mutated!("ring.no_check") {
        return Err(NoState::Torn);
    }
    if found.is_none() {
        return Err(NoState::TooOld);
    }
    // The sum of the copied buckets guards against damage, not against tearing.
    if into.landed() != into.count {
        Err(NoState::Torn)
    } else {
        Ok(())
    }
}

#[cfg(all(test, not(shmetrics_loom)))]
mod tests {
    use super::super::histogram::{IntegerSum, Observation, record};
    use super::*;

    struct Lane {
        shape: BlockShape,
        words: Vec<AtomicU64>,
        incarnation: [AtomicU64; 1],
    }

    impl Lane {
        fn new() -> Self {
            let shape = BlockShape::new(4, 2);
            let words = (0..shape.words()).map(|_| AtomicU64::new(0)).collect();
            Lane {
                shape,
                words,
                incarnation: [AtomicU64::new(1)],
            }
        }

        fn record(&self, epoch: u64) {
            if epoch > self.words[EPOCH].load(Relaxed) {
                rotate(&self.words, &self.shape, epoch);
            }
            record::<IntegerSum>(
                &self.words,
                4,
                Observation {
                    index: 1,
                    value: 1,
                    key: 1,
                },
            );
        }

        fn count_at(&self, at: u64) -> Result<u64, NoState> {
            let mut state = State::default();
            let (block, incarnation) = (ReadWords::new(&self.words), ReadWords::new(&self.incarnation));
            read_state_at(block, incarnation, &self.shape, at, &mut state).map(|()| state.count)
        }
    }

    #[test]
    fn windows_are_exact_for_a_known_schedule() {
        let lane = Lane::new();
        for epoch in [5, 5, 6, 9, 9, 9, 10] {
            lane.record(epoch);
        }
        // Labels in the ring: 8 and 9 (4 and 5 were overwritten).
        assert_eq!(lane.count_at(10), Ok(7));
        assert_eq!(lane.count_at(12), Ok(7));
        assert_eq!(lane.count_at(9), Ok(6));
        assert_eq!(lane.count_at(8), Ok(3));
        // Label 8 also answers for 6 and 7, but a reader cannot know that label 7 was never overwritten.
        assert_eq!(lane.count_at(7), Err(NoState::TooOld));
    }

    #[test]
    fn before_the_first_record_the_state_is_empty() {
        let lane = Lane::new();
        lane.record(5);
        assert_eq!(lane.count_at(4), Ok(0));
        assert_eq!(lane.count_at(1), Ok(0));
        assert_eq!(lane.count_at(5), Ok(1));
    }

    #[test]
    fn a_rotation_cut_short_is_skipped_and_done_again() {
        let lane = Lane::new();
        lane.record(5);
        lane.record(6);
        let slot = lane.shape.ring(0);
        lane.words[slot + RING_BEGIN].store(6, Relaxed);
        lane.words[slot + RING_STATE].store(99, Relaxed);
        assert_eq!(lane.count_at(5), Ok(1));
        lane.record(7);
        assert_eq!(lane.count_at(6), Ok(2));
    }

    #[test]
    fn a_rotation_dead_after_its_number_takes_the_same_slot_and_a_new_number() {
        let lane = Lane::new();
        for epoch in [5, 6, 7] {
            lane.record(epoch);
        }
        // Dead while closing 8: slot 1 (label 5) is half overwritten by rotation 4.
        let slot = lane.shape.ring(1);
        lane.words[slot + RING_BEGIN].store(8, Relaxed);
        lane.words[ROTATIONS].store(4, Relaxed);
        lane.words[slot + RING_STATE].store(99, Relaxed);
        assert_eq!(lane.count_at(5), Err(NoState::TooOld));
        assert_eq!(lane.count_at(6), Ok(2));
        // The next owner's clock is behind.
        lane.record(8);
        assert_eq!(lane.words[ROTATIONS].load(Relaxed), 6);
        assert_eq!(
            (lane.count_at(6), lane.count_at(7), lane.count_at(8)),
            (Ok(2), Ok(3), Ok(4))
        );
        assert_eq!(lane.count_at(5), Err(NoState::TooOld));
    }

    #[test]
    fn while_a_slot_is_overwritten_its_state_is_lost_not_the_next_one() {
        let lane = Lane::new();
        for epoch in [5, 6] {
            lane.record(epoch);
        }
        assert_eq!(lane.count_at(4), Ok(0));
        lane.words[lane.shape.ring(0) + RING_BEGIN].store(6, Relaxed);
        assert_eq!(lane.count_at(4), Err(NoState::TooOld));
        assert_eq!(lane.count_at(5), Ok(1));
    }
}
