//! What handles of events point to: the rings of a series, and how a field becomes words.

use std::sync::Arc;

use super::block::{Block, Detour};
use super::events::Value;
use crate::layout::WORD_LENGTH;
use crate::layout::events::*;
use crate::protocol::events;
use crate::segment::attachment::Attachment;
use crate::segment::{host, thread};
use crate::sync::{AtomicU64, Relaxed};

/// An events series of this process.
#[derive(Debug)]
pub(super) struct EventRing {
    block: Block,
    shape: EventsShape,
}

impl EventRing {
    /// Of a handle that does nothing.
    pub(super) fn noop(shape: EventsShape) -> EventRing {
        EventRing {
            block: Block::noop(),
            shape,
        }
    }

    /// The series whose block is at `placement`.
    pub(super) fn new(attachment: &Arc<Attachment>, placement: u64, shape: EventsShape) -> EventRing {
        EventRing {
            block: Block::new(attachment, placement, shape.words()),
            shape,
        }
    }

    pub(super) fn is_noop(&self) -> bool {
        self.block.attachment().is_none()
    }

    /// Writes an event; what has no ring is dropped and counted.
    #[inline]
    pub(super) fn write(&self, kind: &EventKind, time_ns: u64, values: &[Value<'_>]) {
        if !fits(kind, values) {
            self.drop_event();
        } else if let Err(detour) = self.write_now(kind, time_ns, values) {
            self.write_slowly(&detour, kind, time_ns, values);
        }
    }

    /// The time now, for whoever gives none.
    pub(super) fn now_ns() -> u64 {
        host::monotonic_ns()
    }

    #[inline(always)]
    fn write_now(&self, kind: &EventKind, time_ns: u64, values: &[Value<'_>]) -> Result<(), Detour> {
        self.block.on_own_words(|block| {
            // The entry is a segment's number: the slot of this process in it.
            let writer = self.block.attachment().map_or(0, |attachment| {
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
        })
    }

    #[cold]
    fn write_slowly(&self, detour: &Detour, kind: &EventKind, time_ns: u64, values: &[Value<'_>]) {
        if !(self.block.prepare(detour, false) && self.write_now(kind, time_ns, values).is_ok()) {
            self.drop_event();
        }
    }

    /// Gets this thread its lane and its ring ahead of time; `false`: its events will be dropped.
    pub(super) fn prepare_thread(&self) -> bool {
        self.is_noop() || self.block.prepare_thread().is_some()
    }

    /// Counts an event that is lost.
    #[cold]
    fn drop_event(&self) {
        let line = self.block.shared((EVENTS_SHARED_LENGTH / WORD_LENGTH) as usize);
        if let Some(dropped) = line.get(EVENT_DROPPED) {
            dropped.fetch_add(1, Relaxed);
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
