//! This thread's block of a series: found, committed, entered. Blocks are what histograms, samples and events have in each lane.
#![allow(unsafe_code)]

use std::sync::Arc;

use crate::layout::geometry::BLOCK_GRANULE_LENGTH;
use crate::segment::attachment::Attachment;
use crate::segment::lane;
use crate::segment::thread::{self, PlaceWord};
use crate::sync::{AtomicU64, Relaxed};
use crate::words::{from_mapping, word_at};

/// Where the blocks of one series are.
#[derive(Debug)]
pub(super) struct Block {
    /// See the head of `series`.
    place: PlaceWord,
    /// Words of the block: computed once, not per record.
    words: usize,
    /// Byte offset of the block in the block region.
    placement: u64,
    /// In the lane's bitmap: byte offset of the word, and the bit.
    bitmap_offset: usize,
    bitmap_bit: u64,
    /// `None`: of a handle that does nothing.
    attachment: Option<Arc<Attachment>>,
}

/// This thread's block of a series: where it starts. The length is the series' and not at hand: only rare paths need it.
#[derive(Clone, Copy)]
pub(super) struct OwnBlock<'a> {
    start: *const u8,
    lifetime: core::marker::PhantomData<&'a AtomicU64>,
}

impl OwnBlock<'_> {
    /// The block that starts at an address.
    ///
    /// # Safety
    ///
    /// There must be a block, in this process' mapping, committed, for `'a`; and it may only be used with the series it belongs to.
    #[inline(always)]
    pub(super) unsafe fn at(start: *const u8) -> Self {
        OwnBlock {
            start,
            lifetime: core::marker::PhantomData,
        }
    }

    /// Its first byte.
    #[inline(always)]
    pub(super) fn start(self) -> *const u8 {
        self.start
    }
}

/// Why an operation cannot use this thread's block.
pub(super) enum Detour {
    NoLane,
    /// A signal interrupted another operation of this thread.
    Reentered,
    NotCommitted,
}

impl Block {
    /// Of a handle that does nothing.
    pub(super) fn noop() -> Block {
        Block {
            place: PlaceWord::NOWHERE,
            words: 0,
            placement: 0,
            bitmap_offset: 0,
            bitmap_bit: 0,
            attachment: None,
        }
    }

    /// Blocks of so many words at `placement`.
    pub(super) fn new(attachment: &Arc<Attachment>, placement: u64, words: usize) -> Block {
        let granule = placement / BLOCK_GRANULE_LENGTH;
        Block {
            place: PlaceWord::new(
                attachment.number,
                attachment.geometry.lane_blocks_offset + placement,
            ),
            words,
            placement,
            bitmap_offset: (granule / 64 * 8) as usize,
            bitmap_bit: 1 << (granule % 64),
            attachment: Some(Arc::clone(attachment)),
        }
    }

    /// The segment.
    pub(super) fn attachment(&self) -> Option<&Arc<Attachment>> {
        self.attachment.as_ref()
    }

    /// Runs `operation` on this thread's block, which it alone writes, not re-entered.
    #[inline(always)]
    pub(super) fn on_own<R>(&self, operation: impl FnOnce(OwnBlock<'_>) -> R) -> Result<R, Detour> {
        let thread = thread::block();
        let base = thread.lane(self.place);
        if base == 0 {
            return Err(Detour::NoLane);
        }
        if !thread.enter() {
            return Err(Detour::Reentered);
        }
        // SAFETY: as in `Scalar::own_word`: the bitmap is at the start of the lane and committed with it.
        let bitmap = unsafe { word_at(base as *const u8, self.bitmap_offset) };
        if bitmap.load(Relaxed) & self.bitmap_bit == 0 {
            thread.leave();
            return Err(Detour::NotCommitted);
        }
        // SAFETY: as in `Scalar::own_word`: the block is inside the lane's block region (its placement was validated against the
        // geometry), a multiple of 128 from the lane's start, and committed, as its bit says.
        let block = unsafe { OwnBlock::at((base as *const u8).add(self.place.offset())) };
        let result = operation(block);
        thread.leave();
        Ok(result)
    }

    /// As [`on_own`](Self::on_own), on all its words.
    #[inline(always)]
    pub(super) fn on_own_words<R>(&self, operation: impl FnOnce(&[AtomicU64]) -> R) -> Result<R, Detour> {
        self.on_own(|block| operation(self.words(block)))
    }

    /// All words of a block of this series.
    #[inline(always)]
    pub(super) fn words<'a>(&self, block: OwnBlock<'a>) -> &'a [AtomicU64] {
        // SAFETY: a block of this series has this many words (`OwnBlock::at`).
        unsafe { from_mapping(block.start, self.words) }
    }

    /// The first words of the block in the shared lane; no more of it than is committed may be asked for.
    pub(super) fn shared(&self, words: usize) -> &[AtomicU64] {
        self.attachment.as_ref().map_or(&[], |attachment| {
            let offset = attachment.geometry.shared_blocks_offset + self.placement;
            attachment.words_at(offset, words)
        })
    }

    /// Tries to remove what stands in the way; `false`: use the shared lane.
    pub(super) fn prepare(&self, detour: &Detour, may_allocate: bool) -> bool {
        let Some(attachment) = &self.attachment else {
            return false;
        };
        let base = match detour {
            Detour::Reentered => return false,
            Detour::NotCommitted => thread::block().lane(self.place),
            Detour::NoLane => lane::obtain(attachment, may_allocate).unwrap_or(0),
        };
        let is_committed = |base: usize| {
            // SAFETY: as in `on_own`.
            unsafe { word_at(base as *const u8, self.bitmap_offset) }.load(Relaxed) & self.bitmap_bit != 0
        };
        base != 0
            && (is_committed(base)
                || lane::commit_block(
                    attachment,
                    base,
                    self.placement,
                    self.words as u64 * crate::layout::WORD_LENGTH,
                    may_allocate,
                ))
    }

    /// Gets this thread its lane and its block ahead of time: the block, if it could have one.
    pub(super) fn prepare_thread(&self) -> Option<*const u8> {
        if let Err(detour) = self.on_own(|_| ()) {
            self.prepare(&detour, true);
        }
        self.on_own(|block| block.start()).ok()
    }
}
