//! Layer 4: bytes become words here, proven once, and nowhere else.
//!
//! Two views. A writer works on `&[AtomicU64]`. A reader works on [`ReadWords`], which can only load, and only relaxed: on a
//! read-only mapping nothing else is guaranteed. From the documentation of `core::sync::atomic`, "Atomic accesses to read-only
//! memory": *all atomic accesses on read-only memory are undefined behavior*, except that *"sufficiently small" atomic loads with
//! `Ordering::Relaxed` are implemented in a way that works on read-only memory*; *if you need to do an acquire load on read-only
//! memory, you can do a relaxed load followed by an acquire fence instead*. The limit is 8 bytes on the 64-bit targets that this
//! crate compiles for.
//!
//! Other processes are modelled as threads of one program that access every word whole and atomically (SPEC.md section 4). A
//! hostile process may store anything, but an aligned 8-byte load then still gives *some* 8 bytes, which readers never trust.

use crate::sync::{AtomicU64, Relaxed};

/// A read-only view of words: loads, relaxed, nothing else. Out of range reads as 0, so that no index can panic.
#[derive(Clone, Copy)]
pub struct ReadWords<'a> {
    words: &'a [AtomicU64],
}

impl<'a> ReadWords<'a> {
    /// A view of words that are already words: a writer's own, or a heap slice in tests.
    pub const fn new(words: &'a [AtomicU64]) -> Self {
        Self { words }
    }

    /// Loads one word, relaxed. The only place where a reader touches shared memory.
    #[inline(always)]
    pub fn load(&self, index: usize) -> u64 {
        match self.words.get(index) {
            Some(word) => word.load(Relaxed),
            None => 0,
        }
    }

    /// The words `start .. start + length`, cut at the end of the view.
    #[inline]
    pub fn range(&self, start: usize, length: usize) -> ReadWords<'a> {
        let start = start.min(self.words.len());
        let end = start.saturating_add(length).min(self.words.len());
        ReadWords {
            words: &self.words[start..end],
        }
    }

    /// Loads `into.len()` words from `start` on, in ascending order.
    #[inline]
    pub fn copy(&self, start: usize, into: &mut [u64]) {
        let source = self.range(start, into.len());
        for (value, word) in into.iter_mut().zip(source.words) {
            *value = word.load(Relaxed);
        }
    }

    /// Adds the words of several views to `sums`, each to the sum in its place, modulo 2^64. Words that a view does not have are zero.
    #[inline]
    pub fn add_to<const N: usize>(views: [ReadWords<'_>; N], sums: &mut [u64]) {
        let shortest = views.iter().map(ReadWords::len).min().unwrap_or(0);
        let (whole, rest) = sums.split_at_mut(shortest.min(sums.len()));
        // As long as the sums, so that the loop has no bounds to check.
        let words = views.map(|view| &view.words[..whole.len()]);
        for (index, sum) in whole.iter_mut().enumerate() {
            *sum = words
                .iter()
                .fold(*sum, |sum, words| sum.wrapping_add(words[index].load(Relaxed)));
        }
        for (index, sum) in rest.iter_mut().enumerate() {
            *sum = views
                .iter()
                .fold(*sum, |sum, view| sum.wrapping_add(view.load(shortest + index)));
        }
    }

    /// Number of words.
    pub const fn len(&self) -> usize {
        self.words.len()
    }

    /// No words at all?
    pub const fn is_empty(&self) -> bool {
        self.words.is_empty()
    }
}

#[cfg(not(shmetrics_loom))]
pub(crate) use mapped::*;

#[cfg(not(shmetrics_loom))]
#[allow(unsafe_code)]
mod mapped {
    use crate::sync::{AtomicU64, Relaxed};

    /// The words of a mapped range.
    ///
    /// # Safety
    ///
    /// `base .. base + 8 * words` must stay mapped (readable, or readable and writable) for `'a`, `base` must be a multiple of 8,
    /// and during `'a` nobody in this process may access the range other than through `AtomicU64`.
    pub(crate) unsafe fn from_mapping<'a>(base: *const u8, words: usize) -> &'a [AtomicU64] {
        debug_assert!(base.addr().is_multiple_of(8));
        // SAFETY: `AtomicU64` has the same size and bit validity as `u64` ("This type has the same size and bit validity as the
        // underlying integer type"), its alignment is 8 on 64-bit targets, any bits are valid, and the caller promises the range.
        // `&AtomicU64` over memory that others write is what the type is for (interior mutability); over a read-only mapping it
        // is used for relaxed loads only, see the module's head.
        unsafe { core::slice::from_raw_parts(base.cast::<AtomicU64>(), words) }
    }

    /// The word at `base + offset`.
    ///
    /// # Safety
    ///
    /// As [`from_mapping`], for the 8 bytes at `base + offset`.
    #[inline(always)]
    pub(crate) unsafe fn word_at<'a>(base: *const u8, offset: usize) -> &'a AtomicU64 {
        // SAFETY: the caller promises that `base + offset` is inside the mapping, so `add` stays in bounds of it; the rest as above.
        unsafe { &*base.add(offset).cast::<AtomicU64>() }
    }

    /// Adds to a word that only this thread writes: one instruction on x86-64, so that a signal handler of the same thread that
    /// adds to the same word comes before or after it, never in between. No `lock` prefix: no other thread stores here.
    #[inline(always)]
    pub(crate) fn add_owned(word: &AtomicU64, value: u64) {
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        // SAFETY: `word` is a valid, aligned, writable word for the duration of the call (it is a reference; writable because
        // owned words come from writable mappings only). The instruction writes that word and the flags, which `asm!` assumes
        // clobbered by default, and does not touch the stack. Other threads may load the word at the same time: an aligned
        // 8-byte store is single-copy atomic on x86-64, as a relaxed atomic store would be.
        unsafe {
            core::arch::asm!(
                "add qword ptr [{word}], {value}",
                word = in(reg) word.as_ptr(),
                value = in(reg) value,
                options(nostack),
            );
        }
        #[cfg(not(all(target_arch = "x86_64", not(miri))))]
        word.store(word.load(Relaxed).wrapping_add(value), Relaxed);
        // Named on every target, so that the import is.
        let _ = Relaxed;
    }

    /// Is [`add_owned`] one instruction here, which a signal cannot split? Elsewhere the busy flag guards it.
    pub(crate) const ADD_IS_ONE_INSTRUCTION: bool = cfg!(all(target_arch = "x86_64", not(miri)));
}
