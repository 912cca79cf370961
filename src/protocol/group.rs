//! Fields that are counted together: a latch of many copies, with one writer, which never waits, and any number of readers.
//!
//! Adding n to the fields, in a lane; v = `landed` + 1, N copies:
//!
//! ```text
//! J1  begun := v, relaxed; fence(Release)     copy v mod N, which is that of update v − N, is being overwritten
//! J2  copy v mod N := copy (v − 1) mod N + n  relaxed, field by field
//! J3  landed := v, Release                    the commit point
//! ```
//!
//! Reading: `v = landed; fence(Acquire); copy of copy v mod N; fence(Acquire); b = begun; accept iff b − v <= N − 1`.
//!
//! **Whole.** An accepted copy is what all fields had after update v of the lane, of no more and of no less. v was stored by J3(v), so
//! by the first fence all of J2 up to v is visible: each word of the copy is that of v, or of a later update that has the same copy,
//! which is v + N or more. If one is, that update's J1 came before its fence and that before its J2, so by the second fence b is v + N
//! at least, and the copy is refused. The sealed copies of histograms are the same with two of them (`latch`): there a seal
//! begins once in many records; here each update does, and a reader has the time of N − 1 of them.
//!
//! **Death** before J3: update v was not made. The next owner of the lane makes its first under the same number, from the same
//! copy, which is untouched. `begun` is stored again as it was and never lowered: a reader that read a word of the dead one's J2 in the
//! copy of v − N would else accept it. Nothing is repaired.
//!
//! In the shared lane (many writers):
//!
//! ```text
//! J4  begun.fetch_add(1), relaxed
//! J5  field.fetch_add(n), Release             each field to which something is added
//! J6  landed.fetch_add(1), Release
//! ```
//!
//! Reading: `l = landed; fence(Acquire); the fields; fence(Acquire); b = begun; exact iff b = l`.
//!
//! **Claim.** If so, the copy is that of exactly those l updates. l synchronises with every J6 of its release sequence (read-modify-writes
//! only), so all of the l are in the copy, and their J4 counted in what b can be. A word of any further update is a release operation
//! after its J4, so by the second fence b would be l + 1 at least. Otherwise up to b − l updates may be there in part. A writer that
//! dies between J4 and J6 leaves begun one ahead for good: the group is then bounded by one. Nobody waits.

use super::histogram::Torn;
use super::shared::Difference;
use crate::layout::group::*;
use crate::sync::{Acquire, AtomicU64, Relaxed, Release, edge, fence_at, mutated};
use crate::words::ReadWords;

/// Adds to the fields of a block that only this thread writes: J1 to J3. A block shorter than its shape is left alone.
#[inline(always)]
pub fn add<const N: usize>(block: &[AtomicU64], shape: &GroupShape, amounts: &[u64; N]) {
    // As `shape.copy`, with a number of fields that the compiler knows.
    let copy = |number: u64| {
        let place = (number & (shape.copies() - 1)) as usize * N.next_power_of_two();
        let rest = block.get(GROUP_COPIES + place..);
        rest.and_then(|rest| rest.first_chunk::<N>())
    };
    let landed = block[GROUP_LANDED].load(Relaxed);
    let next = landed.wrapping_add(1);
    let (Some(from), Some(to)) = (copy(landed), copy(next)) else {
        return;
    };
    let fill = || {
        for ((from, to), amount) in from.iter().zip(to).zip(amounts) {
            to.store(from.load(Relaxed).wrapping_add(*amount), Relaxed);
        }
    };
    if mutated!("group.j1_last") {
        fill();
    }
    block[GROUP_BEGUN].store(next, Relaxed);
    fence_at!("group.j1", Release);
    fill();
    block[GROUP_LANDED].store(next, edge!("group.j3", Release));
}

/// Reads the fields of a lane's block; the number of the update that they are of. One attempt.
pub fn read(block: ReadWords<'_>, shape: &GroupShape, fields: &mut [u64]) -> Result<u64, Torn> {
    let landed = block.load(GROUP_LANDED);
    fence_at!("group.r1", Acquire);
    block.copy(shape.copy(landed), fields);
    fence_at!("group.r2", Acquire);
    let begun = block.load(GROUP_BEGUN);
    let allowed = match mutated!("group.one_more") {
        true => shape.copies(),
        false => shape.copies() - 1,
    };
    if begun.wrapping_sub(landed) > allowed && !mutated!("group.unchecked") {
        return Err(Torn);
    }
    Ok(landed)
}

/// Adds to the fields in the shared lane: J4 to J6.
pub fn add_shared(block: &[AtomicU64], amounts: &[u64]) {
    let Some(fields) = block.get(GROUP_FIELDS..) else {
        return;
    };
    block[GROUP_BEGUN].fetch_add(1, Relaxed);
    for (field, amount) in fields.iter().zip(amounts).filter(|(_, amount)| **amount != 0) {
        field.fetch_add(*amount, edge!("group.j5", Release));
    }
    block[GROUP_LANDED].fetch_add(1, edge!("group.j6", Release));
}

/// Reads the fields in the shared lane: how many updates landed, and how many may be there in part. One attempt.
pub fn read_shared(block: ReadWords<'_>, fields: &mut [u64]) -> (u64, Difference) {
    let landed = block.load(GROUP_LANDED);
    fence_at!("group.r3", Acquire);
    block.copy(GROUP_FIELDS, fields);
    fence_at!("group.r4", Acquire);
    let begun = block.load(GROUP_BEGUN);
    (landed, Difference(begun.abs_diff(landed)))
}

/// Notes in a lane's block what it holds, as the baseline of its next owner. Only who took the lane over may, before it adds.
pub fn note_baseline(block: &[AtomicU64], shape: &GroupShape) {
    let landed = block[GROUP_LANDED].load(Relaxed);
    let (from, to) = (shape.copy(landed), GROUP_FIELDS);
    for field in 0..shape.fields() {
        block[to + field].store(block[from + field].load(Relaxed), Relaxed);
    }
    block[GROUP_BASELINE].store(landed, Relaxed);
}

#[cfg(all(test, not(shmetrics_loom)))]
mod tests {
    use super::*;

    fn block(shape: &GroupShape) -> Vec<AtomicU64> {
        (0..shape.words()).map(|_| AtomicU64::new(0)).collect()
    }

    fn fields(block: &[AtomicU64], shape: &GroupShape) -> Result<(u64, Vec<u64>), Torn> {
        let mut fields = vec![0; shape.fields()];
        read(ReadWords::new(block), shape, &mut fields).map(|landed| (landed, fields))
    }

    #[test]
    fn fields_are_those_of_the_last_update_however_often_copies_go_round() {
        let shape = GroupShape::with_copies(3, 4);
        let block = block(&shape);
        assert_eq!(fields(&block, &shape), Ok((0, vec![0, 0, 0])));
        for n in 1..=100 {
            add(&block, &shape, &[1, 2, 3]);
            assert_eq!(fields(&block, &shape), Ok((n, vec![n, 2 * n, 3 * n])));
        }
        // Modulo 2^64.
        add(&block, &shape, &[u64::MAX, 0, 0]);
        assert_eq!(fields(&block, &shape), Ok((101, vec![99, 200, 300])));
    }

    #[test]
    fn an_update_cut_short_anywhere_was_not_made_and_the_next_owner_makes_it() {
        let shape = GroupShape::with_copies(3, 4);
        for before in [0, 1, 15, 16, 40] {
            for stores in 0..=3 {
                let block = block(&shape);
                (0..before).for_each(|_| add(&block, &shape, &[1, 2, 3]));
                block[GROUP_BEGUN].store(before + 1, Relaxed);
                for field in 0..stores {
                    block[shape.copy(before + 1) + field].store(777, Relaxed);
                }
                let whole = |n: u64| Ok((n, vec![n, 2 * n, 3 * n]));
                assert_eq!(fields(&block, &shape), whole(before));
                note_baseline(&block, &shape);
                let baseline: Vec<u64> = (0..3)
                    .map(|field| block[GROUP_FIELDS + field].load(Relaxed))
                    .collect();
                assert_eq!(
                    (block[GROUP_BASELINE].load(Relaxed), Ok((before, baseline))),
                    (before, whole(before))
                );
                add(&block, &shape, &[1, 2, 3]);
                assert_eq!(fields(&block, &shape), whole(before + 1));
            }
        }
    }

    #[test]
    fn a_copy_that_may_be_overwritten_is_refused() {
        let shape = GroupShape::with_copies(1, 4);
        let block = block(&shape);
        add(&block, &shape, &[5]);
        block[GROUP_BEGUN].store(16, Relaxed);
        assert_eq!(fields(&block, &shape), Ok((1, vec![5])));
        block[GROUP_BEGUN].store(17, Relaxed);
        assert_eq!(fields(&block, &shape), Err(Torn));
        // Damage.
        block[GROUP_BEGUN].store(0, Relaxed);
        assert_eq!(fields(&block, &shape), Err(Torn));
    }

    #[test]
    fn idle_is_exact_in_the_shared_lane_and_a_dead_writer_is_bounded_by_one() {
        let block = block(&GroupShape::LEAST);
        let mut fields = [0; 3];
        add_shared(&block, &[1, 0, 3]);
        add_shared(&block, &[1, 2, 0]);
        assert_eq!(
            read_shared(ReadWords::new(&block), &mut fields),
            (2, Difference(0))
        );
        assert_eq!(fields, [2, 2, 3]);
        block[GROUP_BEGUN].fetch_add(1, Relaxed);
        block[GROUP_FIELDS].fetch_add(1, Relaxed);
        assert_eq!(
            read_shared(ReadWords::new(&block), &mut fields),
            (2, Difference(1))
        );
        assert_eq!(fields, [3, 2, 3]);
    }
}
