//! A time mark: a gauge cell that holds when something happened first or last, in nanoseconds of the wall clock.
//!
//! ```text
//! G1  value := the lesser or greater of value and now, by one read-modify-write, relaxed; 0 is no time
//! G2  stamp := 1 (release), if it is 0
//! ```
//!
//! **Proof.** The value only falls (first) or rises (last), once it is not 0, whoever marks at the same moment: a read-modify-write takes
//! the value right before its own, and 0 counts as "never" for both. So a thread that read its clock earlier and comes later changes
//! nothing. With two accesses, or if 0 were a time, a later mark would be lost, or a first one never be stored. Dead between G1 and G2:
//! what was there before G1 holds if the cell was set, else it is not set; both are as if the process had died a moment earlier or
//! later. Reading is that of gauges ([`super::gauge::read`]).

use super::gauge::{VALUE, mark_set};
use crate::sync::{AtomicU64, Relaxed, mutated};

/// Marks `now_ns` as the last time, unless a later one is known.
#[inline]
pub fn mark_last(cell: &[AtomicU64; 2], now_ns: u64) {
    if mutated!("time_mark.last_in_two") {
        let held = cell[VALUE].load(Relaxed);
        cell[VALUE].store(held.max(now_ns), Relaxed);
    } else {
        cell[VALUE].fetch_max(now_ns.max(1), Relaxed);
    }
    mark_set(cell);
}

/// Marks `now_ns` as the first time, unless an earlier one is known.
#[inline]
pub fn mark_first(cell: &[AtomicU64; 2], now_ns: u64) {
    let now_ns = now_ns.max(1);
    let is_earlier = |held: u64| (held == 0 && !mutated!("time_mark.zero_is_a_time")) || now_ns < held;
    if mutated!("time_mark.first_in_two") {
        if is_earlier(cell[VALUE].load(Relaxed)) {
            cell[VALUE].store(now_ns, Relaxed);
        }
    } else {
        let _ = cell[VALUE].fetch_update(Relaxed, Relaxed, |held| is_earlier(held).then_some(now_ns));
    }
    mark_set(cell);
}
