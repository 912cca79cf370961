//! Texts: short facts that are replaced as a whole.

use std::sync::Arc;

use crate::layout::directory::OwnerTag;
use crate::layout::text::{MAX_TEXT_WORDS, TEXT_REFUSED, TextShape, TextToStore, parse};
use crate::protocol::text::{SeenText, SetText, delete, read, set};
use crate::segment::attachment::Attachment;
use crate::segment::{fork, host, liveness, thread};
use crate::sync::{Acquire, AtomicU64, Relaxed};
use crate::words::ReadWords;

/// A short text that is a fact about the service: a version, the name of a configuration, a phase, the last error. One value for all
/// processes; whoever sets it replaces it.
///
/// Readers see a text that was set, as a whole, or none, whenever the process that sets it dies. What is longer than the capacity
/// ([`capacity`](super::Builder::capacity)) is cut at a character, and readers are told so. With the text there is the time at which
/// it was set. It outlives the process that set it, and stays until it is [deleted](Self::delete). It is not reset: it says what is, not
/// what was counted.
///
/// Do not put what changes many times a second into it, nor secrets: scrapers get the text as the value of a label, where each change
/// ends a series and begins another.
///
/// All operations are lock-free, use no heap (but [`read`](Self::read)), and may be used by any thread and in signal handlers. Cost: a hash
/// of the text, three atomic operations on lines that all processes share, some tens of nanoseconds, and [`set`](Self::set) reads the
/// clock.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::env::temp_dir().join(format!("shmetrics-text-{}", std::process::id()));
/// # let segment = shmetrics::Segment::options().preset(shmetrics::Preset::Compact).open_or_create_at(&path)?;
/// use shmetrics::{Reader, Value};
///
/// let phase = segment.text("phase").register()?;
/// assert!(phase.set("warming up"));
/// assert!(phase.set("serving"));
/// let snapshot = Reader::open_path(&path)?.snapshot()?;
/// let Value::Text(text) = &snapshot.series[0].value else { unreachable!() };
/// assert_eq!(text.text(), Some("serving"));
/// assert!(phase.delete());
/// assert_eq!(phase.read(), None);
/// # std::fs::remove_file(&path)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Text {
    block: Arc<TextBlock>,
}

/// The block of a series.
#[derive(Debug)]
pub(super) struct TextBlock {
    /// `None`: of a handle that does nothing.
    attachment: Option<Arc<Attachment>>,
    /// Byte offset in the segment.
    offset: u64,
    shape: TextShape,
}

impl TextBlock {
    pub(super) fn noop() -> TextBlock {
        TextBlock {
            attachment: None,
            offset: 0,
            shape: TextShape::DEFAULT,
        }
    }

    pub(super) fn new(attachment: &Arc<Attachment>, placement: u64, shape: TextShape) -> TextBlock {
        TextBlock {
            attachment: Some(Arc::clone(attachment)),
            offset: attachment.geometry.shared_blocks_offset + placement,
            shape,
        }
    }

    #[inline]
    fn words(&self) -> &[AtomicU64] {
        self.attachment.as_ref().map_or(&[], |attachment| {
            attachment.words_at(self.offset, self.shape.words())
        })
    }
}

/// Who is dead. The kernel is asked, by some system calls, only if seven others are in the middle of setting the text and none of them
/// goes on.
struct Dead<'a> {
    attachment: &'a Attachment,
    me: OwnerTag,
    liveness: Option<liveness::Liveness<'a>>,
}

impl Dead<'_> {
    #[cold]
    fn is_dead(&mut self, tag: OwnerTag) -> bool {
        if tag == self.me {
            return false;
        }
        let attachment = self.attachment;
        let Some(slot) = tag.slot(attachment.geometry.capacities.process_slots) else {
            // No slot has this number: damage, of which nobody is the owner.
            return true;
        };
        if liveness::present_tag(attachment, slot) != Some(tag) {
            return true;
        }
        let liveness = || liveness::Liveness::new(attachment);
        self.liveness.get_or_insert_with(liveness).is_dead(tag)
    }
}

impl Text {
    pub(super) fn new(block: TextBlock) -> Text {
        Text {
            block: Arc::new(block),
        }
    }

    /// Replaces the text. Of several that do so at a time, one is the last, and stands. `false`: it is not set, which is counted, because
    /// the process has no process slot, or because seven others have stood still in the middle of this.
    #[inline]
    pub fn set(&self, text: &str) -> bool {
        self.set_at_ns(text, host::wall_ns())
    }

    /// As [`set`](Self::set), with the time that readers are told: nanoseconds since 1970. It decides nothing: what was set last stands.
    #[inline]
    pub fn set_at_ns(&self, text: &str, at_ns: u64) -> bool {
        let Some(attachment) = &self.block.attachment else {
            return false;
        };
        let generation = fork::own_generation();
        let me = OwnerTag(thread::page().slots[attachment.number].tag.load(Acquire));
        let words = self.block.words();
        // A raw clone, of which another thread takes its slots right now: nothing is this process' own yet.
        let is_child_in_making = generation == 0;
        if is_child_in_making || me.slot(attachment.geometry.capacities.process_slots).is_none() {
            if let Some(refused) = words.get(TEXT_REFUSED) {
                refused.fetch_add(1, Relaxed);
            }
            return false;
        }
        let mut dead = Dead {
            attachment,
            me,
            liveness: None,
        };
        let shape = self.block.shape;
        let done = set(
            words,
            shape,
            &TextToStore::new(text, shape),
            (me.0, at_ns),
            |claim| dead.is_dead(OwnerTag(claim)),
            || fork::generation() == generation,
        );
        done == SetText::Set
    }

    /// Deletes the text: there is none until it is set again. `false`: there was none. Needs no process slot.
    #[inline]
    pub fn delete(&self) -> bool {
        delete(self.block.words())
    }

    /// The text as it is now, for whoever needs it; readers have it in their snapshots. `None`: there is none, or it cannot be read.
    #[cold]
    pub fn read(&self) -> Option<String> {
        let mut words = [0; MAX_TEXT_WORDS];
        let (block, shape) = (ReadWords::new(self.block.words()), self.block.shape);
        let SeenText::Copied { content, .. } = read(block, shape, &mut words) else {
            return None;
        };
        let mut text = String::new();
        parse(content, shape, &words[..shape.text_words()], &mut text)?;
        Some(text)
    }
}
