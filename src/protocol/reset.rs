//! Reset: a baseline that readers subtract. Writers are untouched; two tables take turns, and one word says which is in force.
//!
//! The word `reset` is the number r of resets; table r & 1 is in force, and r = 0 means that none is. Whoever resets holds the reset
//! lock, which the kernel frees when it dies:
//!
//! ```text
//! Z1  r = reset; fence(Release)               table (r + 1) & 1 is about to be overwritten
//! Z2  read the cells that are to be reset
//! Z3  fill table (r + 1) & 1, relaxed
//! Z4  reset.store(r + 1, Release)             table (r + 1) & 1 is in force
//! ```
//!
//! Reading: `r = reset; fence(Acquire); copy table r & 1; fence(Acquire); accept iff reset is still r`; only then the cells.
//!
//! **Claim.** An accepted copy is what reset r stored, whole. The first load reads Z4(r), whose release and the fence after the load
//! make Z3(r) visible, so the copy is at least that. A word of a later reset in the same table is from reset r + 2 or later, whose Z1
//! read r + 1 or more (by itself, or from the one that had the lock before) before its release fence; the fence after the copy then
//! makes the reader's last load at least r + 1, and it refuses.
//!
//! **Never below zero.** Z2 comes before Z4, and the reader's cells after the load that read Z4: by coherence it finds each cell at
//! least as new as the resetter did. (Copies of a histogram can be older than the newest state: SPEC.md 10.19.)
//!
//! **Death** anywhere before Z4: the word is still r and table r & 1 was not touched. The next resetter fills the other one again.

use crate::sync::{AtomicU64, Relaxed, Release, edge, fence_at, mutated};
use crate::words::ReadWords;

/// The table that reset number `number` fills.
pub const fn table(number: u64) -> u64 {
    number & 1
}

/// Z1. Returns the number of the reset in force. The caller holds the reset lock.
pub fn begin(word: &AtomicU64) -> u64 {
    let number = word.load(Relaxed);
    fence_at!("reset.z1", Release);
    number
}

/// The table to fill after [`begin`] returned `number`.
pub const fn next(number: u64) -> u64 {
    number.wrapping_add(1)
}

/// Z4. Puts the table of reset `number` into force.
pub fn publish(word: &AtomicU64, number: u64) {
    word.store(number, edge!("reset.z4", Release));
}

/// The number of the reset in force, with what belongs to it visible afterwards.
#[inline]
pub fn number(word: ReadWords<'_>) -> u64 {
    let number = word.load(0);
    fence_at!("reset.r1", crate::sync::Acquire);
    number
}

/// Was what was copied since [`number`] returned `number` not overwritten meanwhile?
#[inline]
pub fn is_still(word: ReadWords<'_>, number: u64) -> bool {
    fence_at!("reset.r2", crate::sync::Acquire);
    mutated!("reset.unchecked") || word.load(0) == number
}
