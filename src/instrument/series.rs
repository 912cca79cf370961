//! What every handle points to: the process-private record of one series.
//!
//! It holds one word, the place (segment number | offset in a lane or slot), which an operation loads once, so that no operation can
//! mix two segments; and what the slow paths need.
#![allow(unsafe_code)]

use std::sync::Arc;

use super::block::{Block, Detour, OwnBlock};
use crate::buckets::{Classic, Indexer};
use crate::layout::LINE_LENGTH;
use crate::layout::block::{BUCKETS, BlockShape, EPOCH, INVALID};
use crate::layout::header::LOSS_GAUGE_WRITES_OFFSET;
use crate::protocol::histogram::{Head, Observation, Sum};
use crate::protocol::latch::SEAL_INTERVAL;
use crate::protocol::{histogram, latch, ring, shared};
use crate::segment::attachment::Attachment;
use crate::segment::thread::{self, PlaceWord, ThreadBlock};
use crate::segment::{error_log, lane};
use crate::sync::{AtomicU64, Relaxed};
use crate::words::word_at;

/// A counter or gauge series of this process.
#[derive(Debug)]
pub(crate) struct Scalar {
    /// See the module's head.
    place: PlaceWord,
    /// Where the counter of the shared lane is; unused for gauges.
    shared_offset: u64,
    /// `None`: a handle that does nothing.
    attachment: Option<Arc<Attachment>>,
}

impl Scalar {
    /// Of a handle that does nothing.
    pub(crate) fn noop() -> Scalar {
        Scalar {
            place: PlaceWord::NOWHERE,
            shared_offset: 0,
            attachment: None,
        }
    }

    /// The counter with this number.
    pub(crate) fn counter(attachment: &Arc<Attachment>, number: u64) -> Scalar {
        let geometry = &attachment.geometry;
        Scalar {
            place: PlaceWord::new(attachment.number, geometry.lane_counters_offset + number * 8),
            shared_offset: geometry.shared_counters_offset + number * LINE_LENGTH,
            attachment: Some(Arc::clone(attachment)),
        }
    }

    /// The gauge with this number.
    pub(crate) fn gauge(attachment: &Arc<Attachment>, number: u64) -> Scalar {
        Scalar {
            place: PlaceWord::new(attachment.number, number * LINE_LENGTH),
            shared_offset: 0,
            attachment: Some(Arc::clone(attachment)),
        }
    }

    /// This thread's word of the counter; `None`: no lane (yet).
    #[inline(always)]
    pub(crate) fn own_word(&self, block: &ThreadBlock) -> Option<&AtomicU64> {
        let base = block.lane(self.place);
        // SAFETY: `base` is where a lane of this segment starts in its mapping, set by `lane::obtain` and cleared before the mapping
        // goes; the mapping lives as long as `self.attachment`. The place was computed from the validated geometry: the offset is
        // inside the lane's counters, which are committed, and a multiple of 8.
        (base != 0).then(|| unsafe { word_at(base as *const u8, self.place.offset()) })
    }

    /// The counter word for an operation that found no lane: this thread's, after a claim, or that of the shared lane (`false`), which
    /// takes atomic read-modify-writes only. `None`: do nothing.
    #[cold]
    pub(crate) fn slow_word(&self, may_allocate: bool) -> Option<(&AtomicU64, bool)> {
        let attachment = self.attachment.as_ref()?;
        if lane::obtain(attachment, may_allocate).is_some()
            && let Some(word) = self.own_word(thread::block())
        {
            return Some((word, true));
        }
        Some((attachment.word(self.shared_offset), false))
    }

    /// The word in the shared lane; `None`: do nothing.
    #[cold]
    pub(crate) fn shared_word(&self) -> Option<&AtomicU64> {
        self.attachment
            .as_ref()
            .map(|attachment| attachment.word(self.shared_offset))
    }

    /// This process' cell of the gauge; `None`: no slot, the write is dropped and counted.
    #[inline(always)]
    pub(crate) fn gauge_cell(&self) -> Option<&[AtomicU64; 2]> {
        let Some(attachment) = &self.attachment else {
            return None;
        };
        let base = thread::page().slots[attachment.number].base.load(Relaxed);
        if base == 0 {
            return self.slow_gauge_cell(attachment);
        }
        // SAFETY: as in `own_word`, for the slot of this process, whose cells are all committed; a cell is a line, of which the
        // first two words are used.
        Some(unsafe { &*((base + self.place.offset()) as *const [AtomicU64; 2]) })
    }

    #[cold]
    fn slow_gauge_cell(&self, attachment: &Attachment) -> Option<&[AtomicU64; 2]> {
        crate::segment::fork::ensure_prepared();
        let base = thread::page().slots[attachment.number].base.load(Relaxed);
        if base == 0 {
            attachment.count_loss(LOSS_GAUGE_WRITES_OFFSET);
            error_log::log_once(
                attachment,
                &attachment.told_gauges,
                format_args!(
                    "a process without a slot, or without storage for its gauges, drops its gauge writes"
                ),
            );
            return None;
        }
        // SAFETY: as in `gauge_cell`.
        Some(unsafe { &*((base + self.place.offset()) as *const [AtomicU64; 2]) })
    }

    /// Where the counter is in the shared lane.
    pub(crate) fn shared_offset(&self) -> u64 {
        self.shared_offset
    }

    /// The segment.
    pub(crate) fn attachment(&self) -> Option<&Arc<Attachment>> {
        self.attachment.as_ref()
    }
}

/// A histogram series of this process.
#[derive(Debug)]
pub(crate) struct Distribution {
    /// Exponential buckets; unused if `classic` is there.
    pub(crate) indexer: Indexer,
    pub(crate) classic: Option<Classic>,
    /// Exported unit per base unit.
    pub(crate) factor: f64,
    shape: BlockShape,
    block: Block,
    /// The epoch word of the attachment; of a histogram without a ring, [`NO_EPOCH`].
    epoch: *const AtomicU64,
}

/// The epoch of histograms that have no ring: never newer than any block's.
static NO_EPOCH: AtomicU64 = AtomicU64::new(0);

// SAFETY: `epoch` points to an atomic that lives as long as the attachment that `block` keeps, or to a static; everything else is `Send`.
unsafe impl Send for Distribution {}
// SAFETY: as for `Send`; atomics may be loaded from any thread.
unsafe impl Sync for Distribution {}

/// Line 0 of a block of a histogram.
#[inline(always)]
fn head(block: OwnBlock<'_>) -> &Head {
    // SAFETY: `OwnBlock::at` promises a block, and every block begins with its line 0.
    unsafe { &*block.start().cast::<Head>() }
}

impl Distribution {
    /// Of a handle that does nothing.
    pub(crate) fn noop() -> Distribution {
        Distribution {
            indexer: Indexer::new(crate::buckets::Exponential::OTHER),
            classic: None,
            factor: 1.0,
            shape: BlockShape::new(0, 0),
            block: Block::noop(),
            epoch: &raw const NO_EPOCH,
        }
    }

    /// The histogram whose block is at `placement`.
    pub(crate) fn new(
        attachment: &Arc<Attachment>,
        placement: u64,
        scheme: (Indexer, Option<Classic>),
        factor: f64,
        shape: BlockShape,
    ) -> Distribution {
        let epoch = if shape.ring_slots > 0 {
            &raw const *attachment.epoch
        } else {
            &raw const NO_EPOCH
        };
        Distribution {
            indexer: scheme.0,
            classic: scheme.1,
            factor,
            block: Block::new(attachment, placement, shape.words()),
            shape,
            epoch,
        }
    }

    /// The word of a bucket of a block of this histogram.
    #[inline(always)]
    fn bucket<'a>(&self, block: OwnBlock<'a>, index: usize) -> &'a AtomicU64 {
        debug_assert!(index < self.shape.buckets);
        // SAFETY: `index` is from the indexer or the classic bounds that the block's shape was made for, both of which give less than
        // their number of buckets (`buckets::tests` check it for every input class); so the word is inside the block.
        unsafe { word_at(block.start(), (BUCKETS + index) * 8) }
    }

    /// The block in the shared lane; only its line 0 and its buckets are committed.
    fn shared_block(&self) -> &[AtomicU64] {
        self.block.shared(self.shape.shared_length() as usize / 8)
    }

    /// Records one observation.
    #[inline(always)]
    pub(crate) fn record<S: Sum>(&self, observation: Observation) {
        let recorded = self.block.on_own(|block| self.record_in::<S>(block, observation));
        if let Err(detour) = recorded {
            self.record_slowly::<S>(observation, &detour);
        }
    }

    #[inline(always)]
    pub(super) fn record_in<S: Sum>(&self, block: OwnBlock<'_>, observation: Observation) {
        // SAFETY: `epoch` points into the attachment, which `self` keeps, or to a static.
        let now = unsafe { &*self.epoch }.load(Relaxed);
        if now > head(block)[EPOCH].load(Relaxed) {
            self.rotate(block, now);
        }
        let bucket = self.bucket(block, observation.index);
        let n = histogram::record_at::<S>(head(block), bucket, self.shape.buckets, observation);
        if n.is_multiple_of(SEAL_INTERVAL) {
            self.seal(block);
        }
    }

    #[cold]
    fn rotate(&self, block: OwnBlock<'_>, epoch: u64) {
        ring::rotate(self.block.words(block), &self.shape, epoch);
    }

    #[cold]
    fn seal(&self, block: OwnBlock<'_>) {
        if !latch::seal(self.block.words(block), &self.shape)
            && let Some(attachment) = self.block.attachment()
        {
            lane::mended(attachment);
        }
    }

    #[cold]
    fn record_slowly<S: Sum>(&self, observation: Observation, detour: &Detour) {
        if self.block.prepare(detour, false)
            && self
                .block
                .on_own(|block| self.record_in::<S>(block, observation))
                .is_ok()
        {
            return;
        }
        shared::record::<S>(self.shared_block(), self.shape.buckets, observation);
    }

    /// Gets this thread its lane and its block ahead of time: the block, if it could have one.
    pub(crate) fn prepare_thread(&self) -> Option<*const u8> {
        self.block.prepare_thread()
    }

    /// Counts a value that is no observation.
    #[cold]
    pub(crate) fn count_invalid(&self) {
        let add = |block: OwnBlock<'_>| {
            let word = &head(block)[INVALID];
            word.store(word.load(Relaxed).wrapping_add(1), Relaxed);
        };
        let Err(detour) = self.block.on_own(add) else {
            return;
        };
        if self.block.prepare(&detour, false) && self.block.on_own(add).is_ok() {
            return;
        }
        if let Some(word) = self.shared_block().get(INVALID) {
            word.fetch_add(1, Relaxed);
        }
    }
}
