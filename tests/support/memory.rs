//! Counts the heap of the thread that runs a test. Only test programs that include this file have the counting allocator.
#![allow(dead_code, unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static USED: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on to the system's allocator as it came; counting touches thread-local cells only, which need no
// allocation themselves (constant initialisers, no destructor).
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let used = USED.get() + layout.size();
        USED.set(used);
        PEAK.set(PEAK.get().max(used));
        // SAFETY: our caller's promises are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // Freed on another thread than it was allocated on: cut.
        USED.set(USED.get().saturating_sub(layout.size()));
        // SAFETY: our caller's promises are those that `System` asks for.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `run` returns, and the most that it had allocated at one time, beyond what was there before.
pub fn peak_of<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = USED.get();
    PEAK.set(before);
    let result = run();
    (result, PEAK.get() - before)
}
