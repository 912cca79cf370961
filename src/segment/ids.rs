//! Ids that no two callers get: one by one from the segment, or by blocks, for one thread.
//!
//! A child must not go on with the block of its parent. A block carries the generation it was taken in, which is 0 in every child that
//! did nothing yet, however it was made (`fork`), and another one afterwards; it is compared after the id was taken, so that a fork in
//! between is noticed, too.

use core::cell::Cell;
use core::marker::PhantomData;
use std::sync::Arc;

use super::attachment::Attachment;
use super::{Segment, fork};
use crate::error::IdError;
use crate::layout::header::NEXT_ID_OFFSET;
use crate::protocol::ids;
use crate::sync::{AcqRel, Relaxed, compiler_fence};

/// Ids of a block: few enough that a death wastes little, enough that the segment's word is rarely touched.
pub(crate) const BLOCK_IDS: u64 = 1024;

impl Segment {
    /// An id that nobody else gets: neither another thread or process that shares the segment, nor a child, nor whoever comes after a
    /// restart, or after the segment was replaced ([`SegmentOptions::replace`](super::SegmentOptions::replace)). From 1 on, and greater
    /// than every id that was given before by this function.
    ///
    /// After [`retire`](Self::retire) nobody goes on: a segment that is then created under the name begins with 1.
    ///
    /// Cost: one atomic operation on a word that all processes share. Any thread, also in a signal handler.
    ///
    /// # Errors
    ///
    /// The segment was retired or replaced, or does nothing: see [`IdError`].
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let path = std::env::temp_dir().join(format!("shmetrics-ids-{}", std::process::id()));
    /// # let segment = shmetrics::Segment::options().preset(shmetrics::Preset::Compact).open_or_create_at(&path)?;
    /// assert_eq!((segment.next_id()?, segment.next_id()?), (1, 2));
    /// let connections = segment.block_ids();
    /// assert_eq!((connections.next()?, connections.next()?), (3, 4));
    /// assert_eq!(segment.next_id()?, 1027);
    /// # std::fs::remove_file(&path)?;
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    pub fn next_id(&self) -> Result<u64, IdError> {
        take(self.attachment.as_ref(), 1)
    }

    /// Ids by blocks, for one thread: as unique as those of [`next_id`](Self::next_id), and several times cheaper, but increasing only
    /// among themselves.
    pub fn block_ids(&self) -> BlockIds {
        BlockIds {
            attachment: self.attachment.clone(),
            next: Cell::new(0),
            end: Cell::new(0),
            generation: Cell::new(0),
            busy: Cell::new(false),
            not_send: PhantomData,
        }
    }
}

#[inline]
fn take(attachment: Option<&Arc<Attachment>>, count: u64) -> Result<u64, IdError> {
    let Some(attachment) = attachment else {
        return Err(IdError::Noop);
    };
    let word = attachment.word(NEXT_ID_OFFSET);
    match ids::take(word, count) {
        Some(id) => Ok(id),
        None => Err(IdError::Closed {
            given: ids::given(word.load(Relaxed)),
        }),
    }
}

/// Ids for one thread, from blocks of 1,024 that it takes from the segment. Made by [`Segment::block_ids`].
///
/// No id is ever given twice; each is greater than the one before it of the same `BlockIds`. What is left of a block is nobody's when
/// it is dropped, or its process dies; a child made by `fork` or a raw `clone` takes blocks of its own. A signal handler that uses the
/// `BlockIds` it has interrupted gets an id beyond the block.
///
/// Cost: some loads and stores of this thread's memory; every 1,024 ids one atomic operation on a word that all processes share.
#[derive(Debug)]
pub struct BlockIds {
    attachment: Option<Arc<Attachment>>,
    next: Cell<u64>,
    /// One past the last id of the block.
    end: Cell<u64>,
    /// In which the block was taken.
    generation: Cell<u64>,
    /// Inside `next`: a signal handler that interrupts it must leave the block alone.
    busy: Cell<bool>,
    not_send: PhantomData<*const ()>,
}

impl BlockIds {
    /// The next id.
    ///
    /// # Errors
    ///
    /// As [`Segment::next_id`]; the rest of a block that was taken before the segment was closed is still given.
    #[inline(always)]
    pub fn next(&self) -> Result<u64, IdError> {
        if self.busy.replace(true) {
            return take(self.attachment.as_ref(), 1);
        }
        // A handler of this thread runs on this core: program order is all it needs.
        compiler_fence(AcqRel);
        let id = self.next.get();
        self.next.set(id.wrapping_add(1));
        compiler_fence(AcqRel);
        // After the id is taken: in a child that was made just before, the block is its parent's.
        let is_own = id < self.end.get() && self.generation.get() == fork::generation();
        let given = if is_own { Ok(id) } else { self.refill() };
        compiler_fence(AcqRel);
        self.busy.set(false);
        given
    }

    /// Takes a block, and its first id.
    #[cold]
    fn refill(&self) -> Result<u64, IdError> {
        self.end.set(0);
        let generation = fork::own_generation();
        let first = take(self.attachment.as_ref(), BLOCK_IDS)?;
        // Forked in between, in a signal handler, both have this block. 0: a child that cannot be told apart takes single ids.
        compiler_fence(AcqRel);
        if generation == 0 || generation != fork::generation() {
            return take(self.attachment.as_ref(), 1);
        }
        self.next.set(first + 1);
        self.generation.set(generation);
        self.end.set(first + BLOCK_IDS);
        Ok(first)
    }
}
