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
        cell[STAMP].store(1, edge!("gauge.g2", Release));
    }
}

/// Marks the cell as set at `stamp` (G2), for `last`.
#[inline(always)]
pub fn stamp(cell: &[AtomicU64; 2], stamp: u64) {
    cell[STAMP].fetch_max(stamp, edge!("gauge.g2", Release));
}

/// The value and the stamp of a cell; `None` if it was never set.
#[inline]
pub fn read(cell: ReadWords<'_>) -> Option<(u64, u64)> {
    let stamp = cell.load(STAMP);
    fence_at!("gauge.r1", crate::sync::Acquire);
    (stamp != 0).then(|| (cell.load(VALUE), stamp))
}

/// Forgets the value: the next owner of a slot starts anew. Stamp first: a reader never sees a value of nobody.
pub fn clear(cell: &[AtomicU64; 2]) {
    cell[STAMP].store(0, Relaxed);
    cell[VALUE].store(0, Release);
}
