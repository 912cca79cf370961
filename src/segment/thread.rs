//! Which lane a thread has: the few instructions before every add.
//!
//! ```text
//! thread-local pointer ──> ThreadBlock, 256 bytes, in wipe-on-fork memory
//!                          lanes[16]   where this thread's lane of segment n starts; 0 = none
//!                          busy        this thread is inside an operation of more than one store
//!                          bound       bound handles that point into its lanes
//! process page (wipe-on-fork)
//!                          generation  0 in a child that nobody has prepared
//!                          lock        guards attach, detach, fork, thread exit
//!                          ticker      1 while the ticker thread runs
//!                          slots[16]   this process' slot in segment n: owner tag, where its gauges start
//! ```
//!
//! A thread without a block points to [`EMPTY`], so no pointer is ever null and a missing lane is found by one load and one test,
//! which is also the test for "forked": a child, however it was cloned, reads zeros. Only a thread writes its own entries; others
//! may only clear them. Blocks come from a pool, not from the heap: the first use of a thread may be in a signal handler that
//! interrupted `malloc`. For the same reason the end of a thread is noticed through a pthread key, not through a destructor of a
//! Rust thread-local, whose registration allocates.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::null_mut;

use super::signals::Blocked;
use crate::map::wipe_on_fork;
use crate::sync::{
    AcqRel, Acquire, AtomicI32, AtomicPtr, AtomicU64, AtomicUsize, Relaxed, Release, compiler_fence,
};

/// Segments one process can have open at a time, plus entry 0, which never has a lane (handles that do nothing).
pub(crate) const MAX_SEGMENTS: usize = 16;
/// Bytes of a [`ThreadBlock`], a power of two: two lines, so that no two threads share one.
const BLOCK_LENGTH: usize = 256;
/// Blocks that are mapped at once.
const CHUNK_BLOCKS: usize = 256;
/// Chunks: 16,384 threads, as many as a segment can have lanes.
const CHUNKS: usize = 64;
/// Keys below this need no heap in `pthread_setspecific` (glibc's first level has 32; musl has only one level).
const FIRST_LEVEL_KEYS: u32 = 32;

/// See the module's picture.
#[repr(C, align(256))]
pub(crate) struct ThreadBlock {
    lanes: [AtomicUsize; MAX_SEGMENTS],
    busy: AtomicU64,
    bound: AtomicU64,
}

const _: () = assert!(size_of::<ThreadBlock>() == BLOCK_LENGTH);

/// One process' slot in one segment.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct SlotEntry {
    /// The owner tag; 0 = no slot.
    pub(crate) tag: AtomicU64,
    /// Where the gauge cells start; 0 = no slot, or no storage for it.
    pub(crate) base: AtomicUsize,
}

/// See the module's picture.
#[repr(C, align(4096))]
pub(crate) struct ProcessPage {
    pub(crate) generation: AtomicU64,
    pub(crate) lock: AtomicU64,
    pub(crate) ticker: AtomicU64,
    pub(crate) slots: [SlotEntry; MAX_SEGMENTS],
}

/// The block of every thread that has none: all lanes missing. Never written.
static EMPTY: ThreadBlock = ThreadBlock {
    lanes: [const { AtomicUsize::new(0) }; MAX_SEGMENTS],
    busy: AtomicU64::new(0),
    bound: AtomicU64::new(0),
};

/// The page of a process that has no segment yet. Never written.
static EMPTY_PAGE: ProcessPage = ProcessPage {
    generation: AtomicU64::new(0),
    lock: AtomicU64::new(0),
    ticker: AtomicU64::new(0),
    slots: [const {
        SlotEntry {
            tag: AtomicU64::new(0),
            base: AtomicUsize::new(0),
        }
    }; MAX_SEGMENTS],
};

static PAGE: AtomicPtr<ProcessPage> = AtomicPtr::new((&raw const EMPTY_PAGE).cast_mut());
static POOL: [AtomicPtr<ThreadBlock>; CHUNKS] = [const { AtomicPtr::new(null_mut()) }; CHUNKS];
static TAKEN: [AtomicU64; CHUNKS * CHUNK_BLOCKS / 64] =
    [const { AtomicU64::new(0) }; CHUNKS * CHUNK_BLOCKS / 64];
/// The pthread key + 1; 0 = not made yet, -1 = cannot be made.
static KEY: AtomicI32 = AtomicI32::new(0);

/// Where a thread is in its life with this library.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Fresh,
    /// Inside the slow path: a signal handler must not enter it again.
    Attaching,
    Attached,
    /// Its lanes were given back; what it still counts goes to the shared lane.
    Ended,
}

thread_local! {
    // Constant-initialised and without destructor: access is a plain load, at any time of the thread's life.
    static BLOCK: Cell<*const ThreadBlock> = const { Cell::new(&raw const EMPTY) };
    static STAGE: Cell<Stage> = const { Cell::new(Stage::Fresh) };
}

/// The block of this thread.
#[inline(always)]
pub(crate) fn block() -> &'static ThreadBlock {
    // SAFETY: the pointer is `EMPTY` or a block of the pool; both are never unmapped, aligned, and made of atomics only. In a
    // forked child the pool's memory reads as zeros, which is a valid block.
    unsafe { &*BLOCK.get() }
}

/// The page of this process.
#[inline(always)]
pub(crate) fn page() -> &'static ProcessPage {
    // SAFETY: the pointer is `EMPTY_PAGE` or a page from `wipe_on_fork`; both are never unmapped, aligned, made of atomics only.
    unsafe { &*PAGE.load(Acquire) }
}

/// A place word: in the low 16 bits the entry of the segment (as a byte offset into `lanes`), above it the byte offset within the lane
/// or slot. In this order taking it apart costs two instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlaceWord(pub(crate) u64);

impl PlaceWord {
    /// Of a handle that does nothing: entry 0 never has a lane.
    pub(crate) const NOWHERE: PlaceWord = PlaceWord(0);

    pub(crate) fn new(segment: usize, offset: u64) -> PlaceWord {
        debug_assert!(segment < MAX_SEGMENTS && offset < 1 << 48);
        PlaceWord(offset << 16 | (segment * size_of::<AtomicUsize>()) as u64)
    }

    #[inline(always)]
    pub(crate) fn offset(self) -> usize {
        (self.0 >> 16) as usize
    }
}

impl ThreadBlock {
    /// Where this thread's lane starts; 0 = none.
    #[inline(always)]
    pub(crate) fn lane(&self, place: PlaceWord) -> usize {
        let entry = usize::from(place.0 as u16);
        debug_assert!(entry < MAX_SEGMENTS * 8 && entry.is_multiple_of(8));
        // SAFETY: a place word is only made by `PlaceWord::new`, from a segment number below MAX_SEGMENTS: `entry` is the byte
        // offset of an element of `lanes`, which is the first field.
        let word = unsafe { &*(&raw const self.lanes).byte_add(entry).cast::<AtomicUsize>() };
        word.load(Relaxed)
    }

    /// Enters an operation of more than one store. `false`: this thread is inside one already (a signal interrupted it), or has no
    /// block.
    #[inline(always)]
    pub(crate) fn enter(&self) -> bool {
        if self.busy.load(Relaxed) != 0 {
            return false;
        }
        self.busy.store(1, Relaxed);
        // A handler of this thread runs on this core: program order is all it needs.
        compiler_fence(AcqRel);
        true
    }

    /// Leaves it.
    #[inline(always)]
    pub(crate) fn leave(&self) {
        compiler_fence(AcqRel);
        self.busy.store(0, Relaxed);
    }

    /// Counts a bound handle in (1) or out (-1, as `u64::MAX`). Only by this thread.
    pub(crate) fn count_bound(&self, change: u64) {
        if !self.is_empty_block() {
            self.bound
                .store(self.bound.load(Relaxed).wrapping_add(change), Relaxed);
        }
    }

    fn is_empty_block(&self) -> bool {
        core::ptr::eq(self, &raw const EMPTY)
    }
}

impl std::fmt::Debug for ThreadBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ThreadBlock")
            .field("lanes", &self.lanes)
            .finish_non_exhaustive()
    }
}

/// Has this process a page of its own? Not before its first segment.
pub(crate) fn has_page() -> bool {
    !core::ptr::eq(PAGE.load(Acquire), &raw const EMPTY_PAGE)
}

/// Prepares the process: its page, and the key through which the end of threads is noticed. Called at attach, never on the hot path.
pub(crate) fn prepare_process() -> std::io::Result<()> {
    if core::ptr::eq(PAGE.load(Acquire), &raw const EMPTY_PAGE) {
        let fresh = wipe_on_fork(size_of::<ProcessPage>())?.cast::<ProcessPage>();
        let empty = (&raw const EMPTY_PAGE).cast_mut();
        // A loser leaks one page; this happens at most once per racing thread in the life of the process.
        let _ = PAGE.compare_exchange(empty, fresh, AcqRel, Acquire);
    }
    if KEY.load(Acquire) == 0 {
        let mut key: libc::pthread_key_t = 0;
        // SAFETY: `key` is a valid place for the key; `thread_ended` is an `extern "C"` function that never unwinds.
        let made = unsafe { libc::pthread_key_create(&raw mut key, Some(thread_ended)) } == 0;
        let value = if made { key as i32 + 1 } else { -1 };
        if KEY.compare_exchange(0, value, AcqRel, Acquire).is_err() && made {
            // SAFETY: the key was just made and nobody knows it.
            unsafe { libc::pthread_key_delete(key) };
        }
    }
    Ok(())
}

/// Runs the slow path for this thread, not twice at once: `claim` gets the thread's block. `None` if the thread cannot have a lane
/// now: it is in the slow path already (a signal handler), has ended, or no block is left. `may_allocate` is false on the hot
/// path's first use, which may be in a signal handler.
pub(crate) fn with_own_block<R>(
    may_allocate: bool,
    claim: impl FnOnce(&'static ThreadBlock) -> Option<R>,
) -> Option<R> {
    let stage = STAGE.get();
    if matches!(stage, Stage::Attaching | Stage::Ended) {
        return None;
    }
    // A handler that forked or cloned in here would give its child half a claim.
    let _signals = Blocked::all();
    STAGE.set(Stage::Attaching);
    compiler_fence(AcqRel);
    let own = if block().is_empty_block() {
        take_block(may_allocate)
    } else {
        Some(block())
    };
    let claimed = own.and_then(claim);
    compiler_fence(AcqRel);
    STAGE.set(if own.is_some() {
        Stage::Attached
    } else {
        Stage::Fresh
    });
    claimed
}

fn take_block(may_allocate: bool) -> Option<&'static ThreadBlock> {
    let key = KEY.load(Acquire);
    if key <= 0 || (key as u32 > FIRST_LEVEL_KEYS && !may_allocate) {
        return None;
    }
    let index = TAKEN.iter().enumerate().find_map(|(at, word)| {
        let mut seen = word.load(Relaxed);
        while seen != u64::MAX {
            let bit = seen.trailing_ones();
            match word.compare_exchange(seen, seen | 1 << bit, AcqRel, Relaxed) {
                Ok(_) => return Some(at * 64 + bit as usize),
                Err(now) => seen = now,
            }
        }
        None
    })?;
    let give_back = || TAKEN[index / 64].fetch_and(!(1 << (index % 64)), Release);
    let Some(taken) = block_at(index) else {
        give_back();
        return None;
    };
    // SAFETY: the key exists (KEY > 0); the value is only handed back to `thread_ended`.
    let set = unsafe {
        libc::pthread_setspecific(
            (key - 1) as libc::pthread_key_t,
            core::ptr::from_ref(taken).cast(),
        )
    };
    if set != 0 {
        give_back();
        return None;
    }
    BLOCK.set(taken);
    Some(taken)
}

/// The block with this number; maps its chunk if need be.
fn block_at(index: usize) -> Option<&'static ThreadBlock> {
    let chunk = &POOL[index / CHUNK_BLOCKS];
    let mut base = chunk.load(Acquire);
    if base.is_null() {
        let fresh = wipe_on_fork(CHUNK_BLOCKS * BLOCK_LENGTH)
            .ok()?
            .cast::<ThreadBlock>();
        base = match chunk.compare_exchange(null_mut(), fresh, AcqRel, Acquire) {
            Ok(_) => fresh,
            // A loser leaks 64 KiB of untouched address space.
            Err(theirs) => theirs,
        };
    }
    // SAFETY: `base` is a mapping of CHUNK_BLOCKS blocks, page-aligned, never unmapped, made of atomics; the index is below that.
    Some(unsafe { &*base.add(index % CHUNK_BLOCKS) })
}

/// Clears every thread's entry for a segment, whose mapping is about to go.
pub(crate) fn forget_segment(segment: usize) {
    for chunk in &POOL {
        let base = chunk.load(Acquire);
        if base.is_null() {
            continue;
        }
        for index in 0..CHUNK_BLOCKS {
            // SAFETY: as in `block_at`.
            let block = unsafe { &*base.add(index) };
            block.lanes[segment].store(0, Release);
        }
    }
}

/// Sets this thread's entry. `claim` in [`with_own_block`] got the block.
pub(crate) fn set_lane(block: &ThreadBlock, segment: usize, base: usize) {
    block.lanes[segment].store(base, Release);
}

/// After a fork, in the child: only the calling thread is left, so all other blocks are free again.
pub(crate) fn forget_other_threads() {
    let own = block();
    for (at, word) in TAKEN.iter().enumerate() {
        let mut keep = 0;
        for bit in 0..64 {
            let index = at * 64 + bit;
            let base = POOL[index / CHUNK_BLOCKS].load(Acquire);
            // SAFETY: pointer arithmetic within the chunk's mapping; compared, not read.
            let is_own =
                !base.is_null() && core::ptr::eq(unsafe { base.add(index % CHUNK_BLOCKS) }.cast_const(), own);
            keep |= u64::from(is_own) << bit;
        }
        word.store(keep, Release);
    }
    if STAGE.get() == Stage::Attaching {
        STAGE.set(if own.is_empty_block() {
            Stage::Fresh
        } else {
            Stage::Attached
        });
    }
}

/// The end of a thread: its lanes go back to the process, its block to the pool.
extern "C" fn thread_ended(value: *mut c_void) {
    // Before anything is taken from the block: whoever detaches a segment clears entries under the same lock, and only then may the
    // segment's number stand for another. The lock also keeps signal handlers out.
    let guard = super::attachment::registry_lock();
    // From here on this thread uses the shared lane, also in destructors that run later.
    BLOCK.set(&raw const EMPTY);
    STAGE.set(Stage::Ended);
    // SAFETY: the value was set by `take_block`: a block of the pool, never unmapped.
    let block = unsafe { &*value.cast::<ThreadBlock>() };
    // A bound handle that outlives its thread's destructors could still write: then the lanes stay with the process.
    let give_back = block.bound.load(Relaxed) == 0;
    for segment in 1..MAX_SEGMENTS {
        let base = block.lanes[segment].swap(0, AcqRel);
        if base != 0 && give_back {
            super::attachment::give_back_lane(&guard, segment, base);
        }
    }
    if !give_back {
        // A bound histogram that was leaked still refers to the block: it is nobody's from now on.
        return;
    }
    block.busy.store(0, Relaxed);
    for (at, chunk) in POOL.iter().enumerate() {
        let start = chunk.load(Acquire);
        let offset = value.addr().wrapping_sub(start.addr());
        if !start.is_null() && offset < CHUNK_BLOCKS * BLOCK_LENGTH {
            let index = at * CHUNK_BLOCKS + offset / BLOCK_LENGTH;
            TAKEN[index / 64].fetch_and(!(1 << (index % 64)), Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_without_a_block_has_no_lane_and_the_empty_block_stays_empty() {
        std::thread::spawn(|| {
            for segment in 0..MAX_SEGMENTS {
                assert_eq!(block().lane(PlaceWord::new(segment, 8)), 0);
            }
        })
        .join()
        .unwrap();
    }

    #[test]
    fn blocks_of_ended_threads_are_used_again() {
        prepare_process().unwrap();
        let address = || {
            let take = || with_own_block(true, |block| Some(core::ptr::from_ref(block).addr()));
            std::thread::spawn(take).join().unwrap().unwrap()
        };
        // Other tests take and free blocks at the same time; a handful of places must be enough for all of them.
        let seen: std::collections::HashSet<_> = (0..600).map(|_| address()).collect();
        assert!(
            seen.len() < 300,
            "{} blocks for 600 threads one after another",
            seen.len()
        );
    }

    #[test]
    fn an_operation_cannot_be_entered_twice() {
        prepare_process().unwrap();
        with_own_block(true, |block| {
            assert!(block.enter());
            assert!(!block.enter());
            block.leave();
            assert!(block.enter());
            block.leave();
            Some(())
        })
        .unwrap();
    }
}
