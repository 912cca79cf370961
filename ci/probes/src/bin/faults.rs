//! Faults on purpose: shows that the sanitizers, as `ci/sanitizers.sh` sets them up, see what they are there for.
//!
//! ```text
//! faults sound           hands a word over by release and acquire: there is nothing to find
//! faults race            the same with relaxed accesses: a data race
//! faults use-after-free  reads a word that was freed
//! faults leak            loses the last pointer to a word
//! ```
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{self, Acquire, Relaxed, Release};

struct HandedOver {
    is_there: AtomicBool,
    word: UnsafeCell<u64>,
    /// Until then the first thread lives: of one that has ended the sanitizer may not know any more where it stored.
    was_read: AtomicBool,
}

// SAFETY: none for `race`, which is its point. With release and acquire the word is stored before it is there and loaded after.
unsafe impl Sync for HandedOver {}

fn hand_over(store: Ordering, load: Ordering) {
    let handed_over = HandedOver {
        is_there: AtomicBool::new(false),
        word: UnsafeCell::new(0),
        was_read: AtomicBool::new(false),
    };
    let from = &handed_over;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // SAFETY: the other thread looks at the word only once it is there; see `HandedOver` for `race`.
            unsafe { *from.word.get() = 7 };
            from.is_there.store(true, store);
            while !from.was_read.load(Relaxed) {
                std::thread::yield_now();
            }
        });
        while !from.is_there.load(load) {
            std::thread::yield_now();
        }
        // SAFETY: the other thread does not touch the word any more; see `HandedOver` for `race`.
        let word = unsafe { *from.word.get() };
        from.was_read.store(true, Relaxed);
        assert_eq!(word, 7);
    });
}

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("sound") => hand_over(Release, Acquire),
        Some("race") => hand_over(Relaxed, Relaxed),
        Some("use-after-free") => {
            let word = Box::into_raw(Box::new(black_box(7u64)));
            // SAFETY: the box is freed once; that it is read afterwards is the fault.
            unsafe {
                drop(Box::from_raw(word));
                black_box(black_box(word).read_volatile());
            }
        }
        Some("leak") => {
            black_box(Box::leak(Box::new(black_box(7u64))));
        }
        _ => {
            eprintln!("usage: faults sound | race | use-after-free | leak");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
