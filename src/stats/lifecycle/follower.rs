//! Reading the events of all processes: each follower has a cursor of its own, and gets every event once.

use std::path::Path;

use super::event::Event;
use crate::Reader;
use crate::error::{OpenError, ReadError};
use crate::events::{EventCursor, Since};

/// What was read at once.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Batch {
    /// The events, with their times by the wall clock, nanoseconds since 1970; by time, and of one thread in its order.
    pub events: Vec<(Event<'static>, u64)>,
    /// Events that were overwritten before this follower came to them.
    pub lost: u64,
    /// Events that could not be written.
    pub dropped: u64,
    /// There are more.
    pub more: bool,
}

/// Follows the events of a segment. Any number of them at once; writers do nothing for them.
#[derive(Debug)]
pub struct Follower {
    reader: Reader,
    cursor: EventCursor,
    lost: u64,
    dropped: u64,
    high_water: u64,
}

impl Follower {
    /// Of the segment of this name or path.
    pub fn open(place: &str, since: Since) -> Result<Follower, OpenError> {
        Follower::new(Reader::open(place)?, since)
    }

    /// Of the segment in this file.
    pub fn open_path(path: &Path, since: Since) -> Result<Follower, OpenError> {
        Follower::new(Reader::open_path(path)?, since)
    }

    fn new(mut reader: Reader, since: Since) -> Result<Follower, OpenError> {
        let cursor = reader.event_cursor(since).map_err(|_| OpenError::Lost {
            path: reader.path().to_owned(),
        })?;
        Ok(Follower {
            reader,
            cursor,
            lost: 0,
            dropped: 0,
            high_water: 0,
        })
    }

    /// Goes on where another follower stopped ([`cursor`](Self::cursor)).
    #[must_use]
    pub fn after(mut self, cursor: EventCursor) -> Follower {
        self.cursor = cursor;
        self
    }

    /// Everything since the last call, at most `limit` events; each event is told once.
    pub fn flush(&mut self, limit: usize) -> Result<Batch, ReadError> {
        let batch = self.reader.events(&mut self.cursor, limit)?;
        self.lost += batch.lost;
        self.dropped += batch.dropped;
        self.high_water = self.high_water.max(batch.most_waiting);
        let events = batch.events.iter();
        Ok(Batch {
            events: events
                .filter_map(|event| Some((Event::from_segment(event)?, event.wall_ns)))
                .collect(),
            lost: batch.lost,
            dropped: batch.dropped,
            more: batch.more,
        })
    }

    /// Gives all that there is to `callback`, in batches of at most `size` events, in this thread: writers know nothing of it. Says how
    /// many events there were.
    pub fn for_each_batch(
        &mut self,
        size: usize,
        mut callback: impl FnMut(&Batch),
    ) -> Result<u64, ReadError> {
        let mut told = 0;
        loop {
            let batch = self.flush(size.max(1))?;
            if batch.events.is_empty() {
                return Ok(told);
            }
            told += batch.events.len() as u64;
            callback(&batch);
        }
    }

    /// Where it is: to go on later, or elsewhere.
    pub fn cursor(&self) -> &EventCursor {
        &self.cursor
    }

    /// Events that it lost so far, as they were overwritten.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Events that could not be written so far.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The most events that ever waited in one ring when it was read: near the capacity, read more often.
    pub fn high_water(&self) -> u64 {
        self.high_water
    }
}
