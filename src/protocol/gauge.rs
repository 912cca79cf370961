//! A gauge cell: a value and a stamp on a line that only one process writes, from any of its threads.
//!
//! ```text
//! G1  value: store, fetch_add, fetch_max or fetch_min, relaxed
//! G2  stamp.fetch_max(s, Release)
//! ```
//!
//! `stamp` = 0 means never set: the cell is ignored by minimum, maximum, mean, last and each. For a `last` gauge s comes from the
//! segment's stamp counter; for the others s is 1, stored only if it is not there yet.
//!
//! Reading: `s = stamp; fence(Acquire); value`. A non-zero stamp was stored after a value, so the value is at least that new. Of two
//! threads that set a `last` gauge at once, the value that stays may carry the other's stamp: both were the last set.
//!
//! **A new owner** of the slot stores its owner word with the new incarnation and a state that readers pass over (release, then a
//! release fence), empties the cells ([`clear`]), then stores the owner word again, now active (release). A reader loads the owner word
//! before and after the cells, acquire fences in between, and refuses unless both are the same active one. If it saw the new one
//! before, the cells are empty or the new owner's. If it saw the old one, an emptied cell or a value of the new owner shows it
//! another owner word afterwards. Dead in between: the next owner does all of it again.

use crate::sync::{AtomicU64, Relaxed, Release, edge, fence_at};
use crate::words::ReadWords;

/// First word of a cell.
pub const VALUE: usize = 0;
/// Second word of a cell.
pub const STAMP: usize = 1;

/// Marks the cell as set (G2), for rules that do not need to know when.
#[inline(always)]
pub fn mark_set(cell: &[AtomicU64; 2]) {
    if cell[STAMP].load(Relaxed) == 0 {
        cell[STAMP].store(1, edge!("gauge.mark", Release));
    }
}

/// Marks the cell as set at `stamp` (G2), for `last`.
#[inline(always)]
pub fn stamp(cell: &[AtomicU64; 2], stamp: u64) {
    cell[STAMP].fetch_max(stamp, edge!("gauge.stamp", Release));
}

/// The value and the stamp of a cell; `None` if it was never set.
#[inline]
pub fn read(cell: ReadWords<'_>) -> Option<(u64, u64)> {
    let stamp = cell.load(STAMP);
    fence_at!("gauge.r1", crate::sync::Acquire);
    (stamp != 0).then(|| (cell.load(VALUE), stamp))
}

/// Empties the cell, for a new owner; see the head for when.
pub fn clear(cell: &[AtomicU64; 2]) {
    cell[STAMP].store(0, Relaxed);
    cell[VALUE].store(0, Relaxed);
}
