//! Events: line 0 and the ring of a block.

use super::content::{Content, Series};
use super::meaning;
use super::walk::Walk;
use crate::layout::WORD_LENGTH;
use crate::layout::events::*;
use crate::layout::fields::structure;

/// Line 0, of a lane or of the shared lane.
pub(super) fn line<E>(
    walk: &mut Walk<'_, E>,
    content: &Content<'_>,
    owner: &str,
    start: u64,
) -> Result<(), E> {
    let Some(structure) = structure("events block") else {
        return Ok(());
    };
    let words = content.copy(start, EVENTS_RING);
    for field in structure.fields() {
        let word = (field.offset / WORD_LENGTH) as usize;
        let length = (field.length / WORD_LENGTH) as usize;
        walk.field(
            owner,
            start,
            field,
            length,
            |index| words[word + index],
            |value| value.to_string(),
        )?;
    }
    Ok(())
}

/// A block of a lane.
pub(super) fn lane<E>(
    walk: &mut Walk<'_, E>,
    content: &Content<'_>,
    owner: &str,
    start: u64,
    series: &Series,
    shape: &EventsShape,
) -> Result<(), E> {
    line(walk, content, owner, start)?;
    let ring = start + EVENTS_RING as u64 * WORD_LENGTH;
    let size = shape.record_words();
    let end = EVENTS_RING + shape.capacity() as usize * size;
    walk.words(
        ring,
        shape.words() - EVENTS_RING,
        &format!("{owner}.events"),
        |index| content.load(ring + index as u64 * WORD_LENGTH),
        |index, word| {
            if EVENTS_RING + index >= end {
                return (format!("{owner}.padding"), format!("{word:#x}, expected 0"));
            }
            let (name, told) = match index % size {
                EVENT_SEQUENCE => ("event_sequence".to_owned(), sequence(word)),
                EVENT_TIME => ("event_time".to_owned(), format!("{:.9} s", word as f64 / 1e9)),
                EVENT_SHAPE => ("event_shape".to_owned(), format!("kind {}", word as u16)),
                EVENT_WRITER => ("event_writer".to_owned(), meaning::tag(word)),
                payload => (format!("payload {}", payload - EVENT_PAYLOAD), word.to_string()),
            };
            (format!("{owner}.event record {}.{name}", index / size), told)
        },
    )?;
    debug_assert_eq!(series.record.length, shape.length());
    Ok(())
}

fn sequence(word: u64) -> String {
    match word % 2 {
        0 => format!("event {} landed", word / 2 - 1),
        _ => format!("event {} is being written", word / 2),
    }
}
