//! Ids that are never given twice: one word that counts them, and a bit that ends it.
//!
//! ```text
//! N1  before = next_id.fetch_add(n)       bit 63 of `before` clear: before + 1 to before + n are the caller's. Set: none
//! N2  given = next_id.fetch_or(1 << 63)   closed; whoever replaces the segment goes on from `given`, without the bit
//! ```
//!
//! **Proof.** All changes of a word have one order (coherence), and a read-modify-write takes its value from the change right before
//! its own. So the ranges of N1 are disjoint and ascend in that order; what happens before something else is before it in the order, so
//! ids ascend for whoever can tell. After the first N2 every `before` has the bit: no id is given, and what N2 saw without the bit, or
//! sees when it is done again, is at least every id given before. The successor begins there. Nothing here depends on another word, so
//! no order but that of the word is needed: all accesses are relaxed.
//!
//! **Death.** After N1: the ids are nobody's, for good. After N2, before a successor has the name: no ids, until whoever opens next
//! replaces the segment (SPEC.md 10.17, Y1 to Y5); N2 again finds the same number, or more by what was refused since.

use crate::sync::{AtomicU64, Relaxed, mutated};

/// The bit of a closed word: no more ids.
pub const CLOSED: u64 = 1 << 63;

/// Takes `count` ids (N1). Returns the first one; `None` if the word is closed.
#[inline(always)]
pub fn take(word: &AtomicU64, count: u64) -> Option<u64> {
    let before = if mutated!("ids.two_accesses") {
        let before = word.load(Relaxed);
        word.store(before.wrapping_add(count), Relaxed);
        before
    } else {
        word.fetch_add(count, Relaxed)
    };
    let is_open = before & CLOSED == 0 || mutated!("ids.closed_gives");
    is_open.then(|| (before & !CLOSED) + 1)
}

/// Closes the word (N2). Returns how many ids were given, at least: where the successor begins.
pub fn close(word: &AtomicU64) -> u64 {
    if mutated!("ids.seen_before_closed") {
        let before = word.load(Relaxed);
        word.fetch_or(CLOSED, Relaxed);
        return given(before);
    }
    given(word.fetch_or(CLOSED, Relaxed))
}

/// Opens a closed word again. Only for who closed it and holds the lock of replacement: nobody goes on from what it gave.
pub fn open_again(word: &AtomicU64) {
    word.fetch_and(!CLOSED, Relaxed);
}

/// How many ids a word says were given. Of a closed one it may be more: what is refused counts on.
pub const fn given(word: u64) -> u64 {
    word & !CLOSED
}

#[cfg(all(test, not(shmetrics_loom)))]
mod tests {
    use super::*;

    #[test]
    fn ids_begin_with_one_and_end_when_closed() {
        let word = AtomicU64::new(0);
        assert_eq!(
            (take(&word, 1), take(&word, 1024), take(&word, 1)),
            (Some(1), Some(2), Some(1026))
        );
        assert_eq!(close(&word), 1026);
        assert_eq!(take(&word, 1), None);
        assert!(close(&word) >= 1026);
        let successor = AtomicU64::new(given(word.load(Relaxed)));
        assert!(take(&successor, 1).is_some_and(|id| id > 1026));
    }
}
