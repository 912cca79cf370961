//! A state: a gauge cell that holds a status and how often in a row it was set, in one word.
//!
//! ```text
//! bits 56 to 63  number of the status        bits 0 to 55  streak; 0 = never set: the first status
//! G1  value := (status, streak + 1) if the status is the same, else (status, 1), by one read-modify-write, relaxed
//! G2  stamp := 1 (release), if it is 0
//! ```
//!
//! **Proof.** Both are in one word, so no reader sees the status of one set with the streak of another. G1 takes the value right before
//! its own: of two threads that set at the same moment one comes first, and each set is in the streak or ends it. Dead between G1 and
//! G2: not set if it was never set before, else the new state. Reading is that of gauges ([`super::gauge::read`]).

use super::gauge::{VALUE, mark_set};
use crate::sync::{AtomicU64, Relaxed, mutated};

/// Where the number of the status begins.
const STATUS_SHIFT: u32 = 56;
/// The greatest streak; it stays there.
pub const MAX_STREAK: u64 = (1 << STATUS_SHIFT) - 1;

/// A status and its streak as one word.
pub const fn pack(status: u8, streak: u64) -> u64 {
    (status as u64) << STATUS_SHIFT | streak
}

/// The status and its streak in a word; any word is one.
pub const fn unpack(word: u64) -> (u8, u64) {
    ((word >> STATUS_SHIFT) as u8, word & MAX_STREAK)
}

/// What a word becomes when `status` is set.
const fn next(word: u64, status: u8) -> u64 {
    match unpack(word) {
        (held, MAX_STREAK) if held == status => word,
        (held, streak) if held == status => pack(status, streak + 1),
        _ => pack(status, 1),
    }
}

/// Sets a status. Returns the new word.
#[inline]
pub fn set(cell: &[AtomicU64; 2], status: u8) -> u64 {
    let word = if mutated!("state.two_accesses") {
        let word = next(cell[VALUE].load(Relaxed), status);
        cell[VALUE].store(word, Relaxed);
        word
    } else {
        let mut held = cell[VALUE].load(Relaxed);
        loop {
            let word = next(held, status);
            match cell[VALUE].compare_exchange_weak(held, word, Relaxed, Relaxed) {
                Ok(_) => break word,
                Err(now) => held = now,
            }
        }
    };
    mark_set(cell);
    word
}

#[cfg(all(test, not(shmetrics_loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_same_again_is_a_streak_and_another_begins_anew() {
        let cell = [const { AtomicU64::new(0) }; 2];
        let set = |status| unpack(super::set(&cell, status));
        assert_eq!(set(0), (0, 1));
        assert_eq!((set(2), set(2), set(2), set(2)), ((2, 1), (2, 2), (2, 3), (2, 4)));
        assert_eq!((set(0), set(255)), ((0, 1), (255, 1)));
        cell[VALUE].store(pack(255, MAX_STREAK), Relaxed);
        assert_eq!((set(255), set(0)), ((255, MAX_STREAK), (0, 1)));
        let other = [const { AtomicU64::new(0) }; 2];
        assert_eq!(unpack(super::set(&other, 7)), (7, 1));
    }
}
