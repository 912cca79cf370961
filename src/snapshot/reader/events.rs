//! Reading events: each reader has a cursor of its own, gets every event after it once, and is told how many it lost.
//!
//! One attempt per event (`protocol::events`). Events of one writer come in the order in which they were written; those of several
//! writers are merged by their times. What a read tells, delivered and lost, is exactly what the cursor moved on.

use std::sync::Arc;

use super::Reader;
use crate::error::ReadError;
use crate::layout::events::{EventKind, EventsShape};
use crate::layout::geometry::Origin;
use crate::protocol::events;
use crate::segment::open::stored_records;
use crate::snapshot::Description;
use crate::snapshot::events::*;
use crate::words::ReadWords;

/// The ring of a series in a lane, and what is read of it.
struct Ring<'a> {
    description: &'a Arc<Description>,
    schema: &'a Arc<[Arc<EventKind>]>,
    shape: EventsShape,
    record: u64,
    lane: u64,
    block: ReadWords<'a>,
    /// Where the cursor was.
    from: u64,
    /// How far it was looked.
    end: u64,
}

impl Reader {
    /// A cursor for [`events`](Self::events) that begins here. A thread that writes its first event after that is read from its first
    /// event on, whichever was chosen.
    pub fn event_cursor(&mut self, since: Since) -> Result<EventCursor, ReadError> {
        let mut cursor = EventCursor::new(self.facts().origin.segment_id);
        if since == Since::Now {
            self.take_up_records();
            let words = self.mapping.read_words();
            let geometry = &self.facts.geometry;
            let lanes = committed_lanes(words, geometry);
            for (_, member, shape) in event_series(self.catalog.groups()) {
                cursor.set_dropped(member.record, dropped(words, geometry, member));
                for &lane in &lanes {
                    if let Some(block) = block(words, geometry, lane, member.placement, &shape) {
                        cursor.set(member.record, lane, events::end(block, &shape));
                    }
                }
            }
        }
        self.check_lost()?;
        Ok(cursor)
    }

    /// The events after `cursor`, at most `limit`, oldest first; the cursor goes on behind them.
    ///
    /// Each event is told once to each cursor, or counted in [`EventBatch::lost`] if its writer has overwritten it. Of one thread events
    /// come in the order in which it wrote them, and between threads by their times; an event may still come with a time before those of
    /// an earlier batch. A cursor of another segment, which this one replaced, begins at the start of this one.
    ///
    /// Cost: every event is copied once, and twice if it is beyond `limit`. Writers do nothing for it. No system call.
    ///
    /// # Errors
    ///
    /// As of [`snapshot_into`](Self::snapshot_into).
    pub fn events(&mut self, cursor: &mut EventCursor, limit: usize) -> Result<EventBatch, ReadError> {
        self.take_up_records();
        let words = self.mapping.read_words();
        let (geometry, origin) = (&self.facts.geometry, &self.facts.origin);
        if cursor.segment_id() != origin.segment_id {
            *cursor = EventCursor::new(origin.segment_id);
        }
        let mut batch = EventBatch::default();
        let lanes = committed_lanes(words, geometry);
        let mut found: Vec<(u64, usize, Event)> = Vec::new();
        let mut rings: Vec<Ring<'_>> = Vec::new();
        for (group, member, shape) in event_series(self.catalog.groups()) {
            let Some(schema) = &member.schema else { continue };
            let (now, before) = (dropped(words, geometry, member), cursor.dropped(member.record));
            batch.dropped = batch.dropped.saturating_add(now.saturating_sub(before));
            cursor.set_dropped(member.record, now);
            for &lane in &lanes {
                let Some(block) = block(words, geometry, lane, member.placement, &shape) else {
                    continue;
                };
                let from = cursor.position(member.record, lane);
                let end = events::end(block, &shape);
                if from >= end {
                    cursor.set(member.record, lane, events::next(from, end));
                    continue;
                }
                batch.most_waiting = batch.most_waiting.max(end - from);
                let mut ring = Ring {
                    description: &group.description,
                    schema,
                    shape,
                    record: member.record,
                    lane,
                    block,
                    from,
                    end,
                };
                ring.collect(rings.len(), limit, origin, &mut found);
                rings.push(ring);
                // However many rings there are, no more than this is kept in memory.
                if found.len() / 2 > limit {
                    batch.more |= keep_first(&mut found, &mut rings, limit);
                }
            }
        }
        batch.more |= keep_first(&mut found, &mut rings, limit);
        batch.more |= rings
            .iter()
            .any(|ring| ring.end < events::end(ring.block, &ring.shape));
        let mut passed = 0u64;
        for ring in &rings {
            // Positions of a damaged file may be anything.
            passed = passed.saturating_add(ring.end.saturating_sub(ring.from));
            cursor.set(ring.record, ring.lane, ring.end);
        }
        batch.events = found.into_iter().map(|(_, _, event)| event).collect();
        batch.lost = passed.saturating_sub(batch.events.len() as u64);
        self.check_lost()?;
        Ok(batch)
    }

    /// Takes up the series that became ready.
    fn take_up_records(&mut self) {
        let records = match self.head_has_holes {
            false => self.facts.geometry.records,
            true => stored_records(&self.file, &self.facts.geometry),
        };
        let words = self.mapping.read_words();
        self.catalog.update(words, &self.facts.geometry, records);
    }
}

/// Sorts what was found and keeps the first `limit`; the rings of the others are read again from there. Says whether there were any.
fn keep_first(found: &mut Vec<(u64, usize, Event)>, rings: &mut [Ring<'_>], limit: usize) -> bool {
    // Stable, and by the greatest time so far of each ring: so events of a ring keep their order, and what is left out is its end.
    found.sort_by_key(|(key, ..)| *key);
    let rest = found.drain(limit.min(found.len())..);
    let is_more = rest.len() > 0;
    for (_, ring, event) in rest {
        let ring = &mut rings[ring];
        ring.end = ring.end.min(event.position);
    }
    is_more
}

impl Ring<'_> {
    /// Reads what can be read of it, at most `limit` events, and notes how far it looked.
    fn collect(&mut self, index: usize, limit: usize, origin: &Origin, found: &mut Vec<(u64, usize, Event)>) {
        let mut words = vec![0; self.shape.record_words() - 1];
        let (mut latest, mut taken) = (0, 0);
        for number in events::first(self.from, self.end, &self.shape)..self.end {
            if taken == limit {
                self.end = number;
                return;
            }
            if !events::read(self.block, &self.shape, number, &mut words) {
                continue;
            }
            let event = Event::new(
                &words,
                self.schema,
                self.description,
                (self.record, self.lane, number),
                origin,
            );
            latest = event.timestamp_ns.max(latest);
            found.push((latest, index, event));
            taken += 1;
        }
    }
}
