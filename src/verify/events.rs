//! Events: line 0 and the ring of a block. SPEC.md 9.12, 10.21.

use super::declared::{Entry, Series};
use super::directories::Lane;
use super::pass::Pass;
use super::report::Place;
use super::states::check_padding;
use crate::layout::events::*;
use crate::layout::{LINE_WORDS, WORD_LENGTH};
use crate::protocol::events;
use crate::sync::{Acquire, fence};

/// Checks a committed block.
pub(super) fn check(
    pass: &mut Pass<'_, '_>,
    lane: &Lane,
    entry: &Entry,
    series: &Series,
    shape: &EventsShape,
    placement: u64,
) {
    let place = Place::LaneRecord {
        lane: lane.number,
        record: entry.number,
    };
    let start = pass.geometry.lane_offset(lane.number) + pass.geometry.lane_blocks_offset + placement;
    if !pass.is_stored(place, start, series.record.length, "the bit of the block") {
        return;
    }
    pass.checked.blocks += 1;
    pass.reserved_fields("events block", place, start);
    let words = pass.range(start, shape.words());
    let offset = |word: usize| start + word as u64 * WORD_LENGTH;
    if words.load(EVENT_DROPPED) != 0 {
        let message = format!(
            "{} events dropped; they are counted in the shared lane only",
            words.load(EVENT_DROPPED)
        );
        pass.error("9.12", place, offset(EVENT_DROPPED), message);
    }
    let end_of_ring = EVENTS_RING + shape.capacity() as usize * shape.record_words();
    check_padding(pass, place, start, (end_of_ring, shape.words()));
    let baseline = words.load(EVENT_BASELINE);
    fence(Acquire);
    let first = words.load(EVENT_POSITION);
    fence(Acquire);
    if baseline > first {
        let message = format!("{baseline} events before the present owner, {first} in all");
        pass.error("9.12", place, offset(EVENT_BASELINE), message);
    }
    let sequences: Vec<u64> = (0..shape.capacity())
        .map(|record| words.load(shape.record(record)))
        .collect();
    fence(Acquire);
    // An event begins when all before it are counted.
    let last = words.load(EVENT_POSITION);
    let capacity = shape.capacity();
    for (record, &sequence) in (0..).zip(&sequences) {
        let at = offset(shape.record(record));
        // Every event before `first` landed before the sequences were loaded, and none after `last` had begun.
        let least = first.saturating_sub(capacity);
        match sequence.checked_sub(1).map(|rest| rest / 2) {
            None if record < first => {
                let message = format!("no event, and {first} have landed");
                pass.error("10.21", place, at, message);
            }
            None => {}
            Some(event) if event % capacity != record || !(least..=last).contains(&event) => {
                let message = format!(
                    "the sequence is of event {event}; expected one from {least} to {last} that belongs here"
                );
                pass.error("10.21", place, at, message);
            }
            Some(event) if sequence % 2 == 1 && event < first => {
                let message = format!("event {event} is being written, and {first} have landed");
                pass.error("10.21", place, at, message);
            }
            Some(event) => check_event(pass, series, shape, place, (start, event)),
        }
    }
}

/// What a landed event has besides its payload.
fn check_event(
    pass: &mut Pass<'_, '_>,
    series: &Series,
    shape: &EventsShape,
    place: Place,
    (start, event): (u64, u64),
) {
    let words = pass.range(start, shape.words());
    let mut copy = vec![0; shape.record_words() - 1];
    let Some(schema) = series
        .schema
        .as_ref()
        .filter(|_| events::read(words, shape, event, &mut copy))
    else {
        return;
    };
    let found = copy[EVENT_SHAPE - 1];
    if found > u64::from(u16::MAX) || schema.kind(found).is_none() {
        let at = start + (shape.record(event) + EVENT_SHAPE) as u64 * WORD_LENGTH;
        let message = format!("the kind is {found:#x}, which the schema of the series does not have");
        pass.error("9.12", place, at, message);
    }
}

/// Line 0 in the shared lane, of which only one word is used.
pub(super) fn check_shared(pass: &mut Pass<'_, '_>, place: Place, start: u64) {
    pass.checked.blocks += 1;
    for word in (0..LINE_WORDS).filter(|word| *word != EVENT_DROPPED) {
        let offset = start + word as u64 * WORD_LENGTH;
        let found = pass.load(offset);
        pass.reserved(place, offset, found);
    }
}
