//! What handles of events point to: where the ring of a series is in this thread's lane, and how a field becomes words.
#![allow(unsafe_code)]

use std::sync::Arc;

use super::events::Value;
use crate::layout::events::*;
use crate::layout::geometry::BLOCK_GRANULE_LENGTH;
use crate::protocol::events;
use crate::segment::attachment::Attachment;
use crate::segment::thread::{self, PlaceWord};
use crate::segment::{host, lane};
use crate::sync::{AtomicU64, Relaxed};
use crate::words::{from_mapping, word_at};

/// An events series of this process.
#[derive(Debug)]
pub(super) struct EventRing {
    place: PlaceWord,
    shape: EventsShape,
    /// Byte offset of the block in the block region.
    placement: u64,
    /// In the lane's bitmap: byte offset of the word, and the bit.
    bitmap_offset: usize,
    bitmap_bit: u64,
    /// `None`: a handle that does nothing.
    attachment: Option<Arc<Attachment>>,
}

/// Why an event cannot go into this thread's ring.
enum Detour {
    NoLane,
    /// A signal interrupted another operation of this thread.
    Reentered,
    NotCommitted,
}

impl EventRing {
    /// Of a handle that does nothing.
    pub(super) fn noop(shape: EventsShape) -> EventRing {
        EventRing {
            place: PlaceWord::NOWHERE,
            shape,
            placement: 0,
            bitmap_offset: 0,
            bitmap_bit: 0,
            attachment: None,
        }
    }

    /// The series whose block is at `placement`.
    pub(super) fn new(attachment: &Arc<Attachment>, placement: u64, shape: EventsShape) -> EventRing {
        let granule = placement / BLOCK_GRANULE_LENGTH;
        EventRing {
            place: PlaceWord::new(
                attachment.number,
                attachment.geometry.lane_blocks_offset + placement,
            ),
            shape,
            placement,
            bitmap_offset: (granule / 64 * 8) as usize,
            bitmap_bit: 1 << (granule % 64),
            attachment: Some(Arc::clone(attachment)),
        }
    }

    pub(super) fn is_noop(&self) -> bool {
        self.attachment.is_none()
    }

    /// Writes an event; what has no ring is dropped and counted.
    #[inline]
    pub(super) fn write(&self, kind: &EventKind, time_ns: u64, values: &[Value<'_>]) {
        if !fits(kind, values) {
            return self.drop_event();
        }
        if let Err(detour) = self.write_now(kind, time_ns, values)
            && !(self.prepare(&detour, false) && self.write_now(kind, time_ns, values).is_ok())
        {
            self.drop_event();
        }
    }

    /// The time now, for whoever gives none.
    pub(super) fn now_ns() -> u64 {
        host::monotonic_ns()
    }

    #[inline(always)]
    fn write_now(&self, kind: &EventKind, time_ns: u64, values: &[Value<'_>]) -> Result<(), Detour> {
        let thread = thread::block();
        let base = thread.lane(self.place);
        if base == 0 {
            return Err(Detour::NoLane);
        }
        if !thread.enter() {
            return Err(Detour::Reentered);
        }
        // SAFETY: `base` is where a lane of this segment starts in its mapping, set by `lane::obtain` and cleared before the mapping
        // goes; the mapping lives as long as `self.attachment`. The bitmap is at the start of the lane and committed with it.
        let bitmap = unsafe { word_at(base as *const u8, self.bitmap_offset) };
        if bitmap.load(Relaxed) & self.bitmap_bit == 0 {
            thread.leave();
            return Err(Detour::NotCommitted);
        }
        // SAFETY: as above; the block is inside the lane's block region (its placement was validated against the geometry), a multiple
        // of 128 from the lane's start, has the words of its shape, and is committed, as its bit says.
        let block = unsafe { from_mapping((base as *const u8).add(self.place.offset()), self.shape.words()) };
        // The entry is a segment's number: the slot of this process in it.
        let writer = self.attachment.as_ref().map_or(0, |attachment| {
            thread::page().slots[attachment.number].tag.load(Relaxed)
        });
        events::write(block, &self.shape, |words| {
            let word = |index: usize| &words[index - 1];
            word(EVENT_TIME).store(time_ns, Relaxed);
            word(EVENT_SHAPE).store(kind.code.into(), Relaxed);
            word(EVENT_WRITER).store(writer, Relaxed);
            for (field, value) in kind.fields.iter().zip(values) {
                store(field, *value, &words[field.word - 1..]);
            }
        });
        thread.leave();
        Ok(())
    }

    /// Tries to remove what stands in the way.
    #[cold]
    fn prepare(&self, detour: &Detour, may_allocate: bool) -> bool {
        let Some(attachment) = &self.attachment else {
            return false;
        };
        let base = match detour {
            Detour::Reentered => return false,
            Detour::NotCommitted => thread::block().lane(self.place),
            Detour::NoLane => lane::obtain(attachment, may_allocate).unwrap_or(0),
        };
        if base == 0 {
            return false;
        }
        // SAFETY: as in `write_now`.
        let bitmap = unsafe { word_at(base as *const u8, self.bitmap_offset) };
        bitmap.load(Relaxed) & self.bitmap_bit != 0
            || lane::commit_block(
                attachment,
                base,
                self.placement,
                self.shape.length(),
                may_allocate,
            )
    }

    /// Gets this thread its lane and its ring ahead of time; `false`: its events will be dropped.
    pub(super) fn prepare_thread(&self) -> bool {
        self.is_noop() || (self.prepare(&Detour::NoLane, true) && self.prepare(&Detour::NotCommitted, true))
    }

    /// Counts an event that is lost.
    #[cold]
    fn drop_event(&self) {
        if let Some(attachment) = &self.attachment {
            let line = attachment.geometry.shared_blocks_offset + self.placement;
            attachment
                .word(line + 8 * EVENT_DROPPED as u64)
                .fetch_add(1, Relaxed);
        }
    }
}

/// Are these the fields of the kind?
#[inline]
fn fits(kind: &EventKind, values: &[Value<'_>]) -> bool {
    let is_one = |(field, value): (&EventField, &Value<'_>)| {
        matches!(
            (field.kind, value),
            (FieldKind::U64, Value::U64(_))
                | (FieldKind::I64, Value::I64(_))
                | (FieldKind::F64, Value::F64(_))
                | (FieldKind::Bool, Value::Bool(_))
                | (FieldKind::Text(_), Value::Text(_))
        )
    };
    kind.fields.len() == values.len() && kind.fields.iter().zip(values).all(is_one)
}

#[inline(always)]
fn store(field: &EventField, value: Value<'_>, words: &[AtomicU64]) {
    let one = match value {
        Value::U64(value) => value,
        Value::I64(value) => value as u64,
        Value::F64(value) => value.to_bits(),
        Value::Bool(value) => value.into(),
        Value::Text(text) => {
            let FieldKind::Text(most) = field.kind else { return };
            return store_text(text, most.into(), words);
        }
    };
    words[0].store(one, Relaxed);
}

#[inline(always)]
fn store_text(text: &str, most: usize, words: &[AtomicU64]) {
    let (length, mark) = match text.len() {
        length if length <= most => (length, 0),
        // A character has at most four bytes.
        _ => {
            let end = (0..=most).rev().find(|end| text.is_char_boundary(*end));
            (end.unwrap_or(0), EVENT_TEXT_CUT)
        }
    };
    words[0].store(length as u64 | mark, Relaxed);
    let (whole, rest) = text.as_bytes()[..length].as_chunks::<8>();
    let words = &words[1..];
    for (bytes, word) in whole.iter().zip(words) {
        word.store(u64::from_ne_bytes(*bytes), Relaxed);
    }
    if let (false, Some(word)) = (rest.is_empty(), words.get(whole.len())) {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        word.store(u64::from_ne_bytes(last), Relaxed);
    }
}
