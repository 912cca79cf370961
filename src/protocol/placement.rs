//! Placement: one word hands out the cells of a space, without leak and without duplicate.
//!
//! ```text
//! word = record being placed (24 bits) << 40 | next free unit (40 bits)
//! ```
//!
//! Placing record r of n units:
//!
//! ```text
//! P1  w = word (Acquire). If it names a record d: finish d (P3, P4) and start again.
//! P2  cell(r) != 0? then r was placed meanwhile. Else compare-and-swap (0 | f) -> (r | f) (Release)
//! P3  cell(d).store(f + 1, Relaxed)                             whoever helps stores the same value
//! P4  compare-and-swap (d | f) -> (0 | f + n(d)) (Release)
//! ```
//!
//! **Claim.** No record is placed twice, no unit is handed out twice, and death at any point loses nothing.
//! * f only grows, and every n is at least 1, so no value of the word ever comes back: a compare-and-swap with an old value fails.
//! * P3 stores f + 1 where f is tied to d by the word; all helpers of (d | f) store the same. Late helpers store it again.
//! * Helpers see d's record, hence the same n(d): who wrote (d | f) had it, and P2 releases what P1 acquires.
//! * Twice: cell(r) is examined after w was loaded with acquire. If r was placed before that load, P4's release made its cell
//!   visible. If it is placed after, the word has changed and the compare-and-swap of P2 fails.
//! * Dead after P2 or P3: the next one who places anything finishes it.
//!
//! A cell has one value in its life, so whoever saw it, and whoever comes after that (`ready`, released), sees it too.

use crate::sync::{Acquire, AtomicU64, Relaxed, Release, edge, mutated};

const RECORD_SHIFT: u32 = 40;

/// The record being placed; 0 = none.
pub const fn record(word: u64) -> u64 {
    word >> RECORD_SHIFT
}

/// The next free unit.
pub const fn free(word: u64) -> u64 {
    word & ((1 << RECORD_SHIFT) - 1)
}

/// A free unit beyond 40 bits (damage) stays at the greatest: then the space is full.
const fn pack(record: u64, free: u64) -> u64 {
    let most = (1 << RECORD_SHIFT) - 1;
    record << RECORD_SHIFT | if free > most { most } else { free }
}

/// The space is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// Units wanted.
    pub wanted: u64,
    /// Units left.
    pub left: u64,
}

/// Places record `number` and returns its first unit. `cell(d)` is the cell word of a record, `units(d)` how many units it needs
/// (at least 1, the same for everyone who asks). Lock-free: every retry means that another record was placed.
pub fn place<'a>(
    word: &AtomicU64,
    number: u64,
    capacity: u64,
    cell: impl Fn(u64) -> &'a AtomicU64,
    units: impl Fn(u64) -> u64,
) -> Result<u64, Full> {
    loop {
        let seen = word.load(edge!("place.p1", Acquire));
        let (current, next) = (record(seen), free(seen));
        if current != 0 {
            cell(current).store(next + 1, Relaxed);
            let after = pack(0, next.saturating_add(units(current).max(1)));
            let _ = word.compare_exchange(seen, after, edge!("place.p4", Release), Relaxed);
            continue;
        }
        let placed = cell(number).load(Relaxed);
        if placed != 0 && !mutated!("place.no_check") {
            return Ok(placed - 1);
        }
        let wanted = units(number).max(1);
        if next.checked_add(wanted).is_none_or(|end| end > capacity) {
            return Err(Full {
                wanted,
                left: capacity.saturating_sub(next),
            });
        }
        let _ = word.compare_exchange(seen, pack(number, next), edge!("place.p2", Release), Relaxed);
        if mutated!("place.no_check") && cell(number).load(Relaxed) != 0 {
            return Ok(cell(number).load(Relaxed) - 1);
        }
    }
}

#[cfg(all(test, not(shmetrics_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_placement_cut_short_is_finished_by_the_next() {
        let cells: Vec<_> = (0..4).map(|_| AtomicU64::new(0)).collect();
        let word = AtomicU64::new(pack(2, 10));
        let go = |number: u64| place(&word, number, 100, |n| &cells[n as usize], |n| n * 10);
        assert_eq!(go(1), Ok(30));
        assert_eq!(go(2), Ok(10));
        assert_eq!(go(1), Ok(30));
        assert_eq!(go(3), Ok(40));
        assert_eq!(free(word.load(Relaxed)), 70);
    }

    #[test]
    fn a_full_space_is_an_error_and_smaller_cells_still_fit() {
        let cells: Vec<_> = (0..4).map(|_| AtomicU64::new(0)).collect();
        let word = AtomicU64::new(0);
        let go = |number: u64| place(&word, number, 25, |n| &cells[n as usize], |n| n * 10);
        assert_eq!(go(2), Ok(0));
        assert_eq!(go(3), Err(Full { wanted: 30, left: 5 }));
        assert_eq!(go(1), Err(Full { wanted: 10, left: 5 }));
    }
}
