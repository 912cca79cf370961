//! Events: their rings, and those that were dropped. SPEC.md 9.12, 10.21.

use shmetrics::layout::events::{EVENT_PAYLOAD, EventsShape};

use super::{Image, Place, SHARED, Scheme, Series};

/// The last step of an event that was done (10.21).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Writing {
    /// The event has begun.
    B1,
    /// The time is stored, the rest is not.
    Partly,
    /// Everything is stored.
    B2,
    /// The event has landed.
    B3,
    /// It is counted.
    B4,
}

/// An event to write: code of its kind, time, writer, and the words of its payload.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// Code of its kind.
    pub code: u64,
    /// `CLOCK_MONOTONIC`, nanoseconds.
    pub time_ns: u64,
    /// Tag of the process.
    pub writer: u64,
    /// Its fields.
    pub payload: &'a [u64],
}

impl Image {
    /// Where the record of the event with this number is.
    pub fn event_offset(&self, series: &Series, shape: &EventsShape, lane: u64, number: u64) -> u64 {
        self.block_offset(series, lane) + 8 * shape.record(number) as u64
    }

    /// Writes an event in a lane.
    pub fn event(&mut self, series: &Series, lane: u64, event: &Event<'_>) -> &mut Self {
        self.event_until(series, lane, event, Writing::B4)
    }

    /// Writes an event and stops after a step.
    pub fn event_until(
        &mut self,
        series: &Series,
        lane: u64,
        event: &Event<'_>,
        until: Writing,
    ) -> &mut Self {
        let Scheme::Events(shape, _) = series.scheme else {
            panic!("{series:?} is no events series");
        };
        self.commit_block(series, lane);
        let block = Place::Events(self.block_offset(series, lane));
        let number = self.get(block, "event_position");
        let start = self.event_offset(series, &shape, lane, number);
        let record = Place::Event(start);
        self.set(record, "event_sequence", 2 * number + 1);
        if until >= Writing::Partly {
            self.set(record, "event_time", event.time_ns);
        }
        if until >= Writing::B2 {
            self.set(record, "event_shape", event.code)
                .set(record, "event_writer", event.writer);
            for (at, word) in (EVENT_PAYLOAD as u64..).zip(event.payload) {
                self.set_word(start + 8 * at, *word);
            }
        }
        if until >= Writing::B3 {
            self.set(record, "event_sequence", 2 * number + 2);
        }
        if until >= Writing::B4 {
            self.set(block, "event_position", number + 1);
        }
        self
    }

    /// An event that could not be written.
    pub fn drop_event(&mut self, series: &Series) -> &mut Self {
        let block = Place::Events(self.block_offset(series, SHARED));
        self.add(block, "event_dropped", 1);
        self
    }
}
