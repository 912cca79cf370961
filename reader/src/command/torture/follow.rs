//! A follower of events: each comes once, whole, and those of a writer in the order in which it wrote them.

use std::collections::HashMap;

use shmetrics::Reader;
use shmetrics::events::{Event, EventCursor, Since};

use super::statistics::{TEXT, text};

/// What was told so far.
#[derive(Debug, Default)]
pub(super) struct Follow {
    cursor: Option<EventCursor>,
    /// The last number of each writer.
    last: HashMap<u64, u64>,
    /// Events that came, and that are told to be lost.
    came: u64,
    lost: u64,
}

impl Follow {
    /// Reads on, at most so many events. `true`: there are more.
    pub(super) fn go_on(&mut self, reader: &mut Reader, limit: usize) -> Result<bool, String> {
        let said = |error: shmetrics::ReadError| error.to_string();
        let cursor = match &mut self.cursor {
            Some(cursor) => cursor,
            none => none.insert(reader.event_cursor(Since::Start).map_err(said)?),
        };
        let batch = reader.events(cursor, limit).map_err(said)?;
        for event in &batch.events {
            self.take(event)?;
        }
        self.came += batch.events.len() as u64;
        self.lost += batch.lost;
        Ok(batch.more)
    }

    fn take(&mut self, event: &Event) -> Result<(), String> {
        let (Some(writer), Some(number)) = (event.whole("writer"), event.whole("number")) else {
            return Err(format!("an event without its fields: {event:?}"));
        };
        let mut bytes = [0; 2 * TEXT];
        let whole = text(writer, number, &mut bytes);
        let kept = &whole[..whole.len().min(TEXT)];
        let is_cut = event.truncated_fields().count() > 0;
        if event.text("text") != Some(kept) || is_cut != (kept != whole) {
            return Err(format!(
                "event {number} of writer {writer} is not as it was written: {event:?}"
            ));
        }
        let last = self.last.insert(writer, number).unwrap_or(0);
        if number <= last {
            return Err(format!(
                "event {number} of writer {writer} came after its event {last}"
            ));
        }
        Ok(())
    }

    /// When nobody writes and all was read: everything that was written came or is lost.
    pub(super) fn check_all(&self, written: u64) -> Result<(), String> {
        let (came, lost) = (self.came, self.lost);
        if came + lost != written {
            return Err(format!(
                "of {written} events {came} came and {lost} are told to be lost"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_neither_came_nor_was_lost_is_missed() {
        let follow = Follow {
            came: 3,
            lost: 2,
            ..Follow::default()
        };
        assert_eq!(follow.check_all(5), Ok(()));
        assert!(follow.check_all(6).is_err() && follow.check_all(4).is_err());
    }
}
