//! What cannot be beaten: adds to memory of one's own. And what all who share a word pay: an atomic one.

use std::cell::Cell;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use crate::measure::{Alone, DURATIONS, OPERATIONS, Work, durations, nanoseconds, rotate};
use crate::system;

/// Words of a thread, away from those of others.
#[repr(align(4096))]
struct Words([AtomicU64; OPERATIONS]);

thread_local! {
    static WORDS: Words = const { Words([const { AtomicU64::new(0) }; OPERATIONS]) };
}

fn add(word: &AtomicU64) {
    word.store(word.load(Relaxed).wrapping_add(1), Relaxed);
}

/// One word after another: the limit.
pub fn inc() -> Work {
    Box::new(|turns| WORDS.with(|words| rotate(&words.0, turns, add)))
}

/// Ten times the limit, as a control: ten adds where the others do one.
pub fn slow() -> Work {
    Box::new(|turns| {
        WORDS.with(|words| rotate(&words.0, turns, |word| (0..10).for_each(|_| add(black_box(word)))));
    })
}

/// The same word again and again: each add waits for the one before.
pub fn same_word() -> Work {
    Box::new(|turns| {
        WORDS.with(|words| {
            let same: [&AtomicU64; OPERATIONS] = [&words.0[0]; OPERATIONS];
            rotate(&same, turns, |word| add(word));
        });
    })
}

/// Atomic adds to words that all threads and processes share.
pub fn shared() -> Work {
    let words = system::shared_words(OPERATIONS);
    Box::new(move |turns| {
        rotate(words, turns, |word| {
            word.fetch_add(1, Relaxed);
        });
    })
}

/// Stores that others see.
pub fn set() -> Work {
    Box::new(|turns| WORDS.with(|words| rotate(&words.0, turns, |word| word.store(7, Relaxed))))
}

/// A histogram without guards, alone in its memory: the bucket from the bits of the value, a count and a sum.
pub fn record(count: usize) -> Alone<'static> {
    struct Bare {
        count: Cell<u64>,
        sum: Cell<u64>,
        // Of 64 powers of two; some more words, so that several do not meet in the same sets of a cache.
        buckets: [Cell<u64>; 504],
    }
    let bare = || Bare {
        count: Cell::new(0),
        sum: Cell::new(0),
        buckets: [const { Cell::new(0) }; 504],
    };
    let histograms: Vec<Bare> = (0..count).map(|_| bare()).collect();
    let values = nanoseconds();
    Box::new(move |turns| {
        durations(&histograms, &values, turns, |histogram, value: u64| {
            // Eight buckets for each power of two.
            let power = (value | 8).ilog2();
            let index = ((power - 3) * 8) as usize + (value >> (power - 3)) as usize;
            let bucket = &histogram.buckets[index];
            bucket.set(bucket.get() + 1);
            histogram.count.set(histogram.count.get() + 1);
            histogram.sum.set(histogram.sum.get().wrapping_add(value));
        });
    })
}

/// Three atomic adds: the least that a shared histogram takes.
pub fn record_shared() -> Work {
    let words = system::shared_words(512);
    let values = nanoseconds();
    Box::new(move |turns| {
        durations(&[words], &values, turns, |words, value: u64| {
            let power = value.ilog2() as usize;
            words[64 + power].fetch_add(1, Relaxed);
            words[0].fetch_add(1, Relaxed);
            words[16].fetch_add(value, Relaxed);
        });
    })
}

/// What a scope that is timed cannot do without: the clock, twice.
pub fn timed() -> Work {
    Box::new(|turns| {
        for _ in 0..turns * OPERATIONS as u64 {
            let begun = Instant::now();
            black_box(begun.elapsed());
        }
    })
}

/// Multiplications that each need the one before: about 10 ns of work that no processor can do ahead.
const STEPS: usize = 9;

/// Work, and `operation` on a handle after each piece of it.
#[inline(always)]
pub fn inside<T>(handles: &[T], turns: u64, operation: impl Fn(&T)) {
    let mut state = black_box(turns | 1);
    for _ in 0..turns {
        for handle in black_box(handles) {
            for _ in 0..STEPS {
                // The shift is what keeps the compiler from doing them all at once.
                state = (state ^ state >> 32).wrapping_mul(6_364_136_223_846_793_005);
            }
            // Needed now, and not at the end only.
            state = black_box(state);
            operation(handle);
        }
    }
    black_box(state);
}

/// The work, and nothing else.
pub fn nothing_inside() -> Alone<'static> {
    let nothing = [(); OPERATIONS];
    Box::new(move |turns| inside(&nothing, turns, |_| ()))
}

/// The work, and a raw add.
pub fn add_inside() -> Alone<'static> {
    Box::new(|turns| WORDS.with(|words| inside(&words.0, turns, add)))
}

const _: () = assert!(DURATIONS.is_multiple_of(OPERATIONS));
