//! How far a reader of events is, as data, and as a text that can be kept or sent.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::Event;

/// How far one reader of events is in each ring. Made by [`Reader::event_cursor`](crate::Reader::event_cursor), or from its text: with
/// it another process, or the same one after a restart, goes on where this one stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventCursor {
    segment_id: u64,
    /// By number of the series' record.
    series: BTreeMap<u64, Position>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Position {
    /// How many dropped events it was told of.
    dropped: u64,
    /// By lane: the number of the next event. Not there: 0.
    lanes: BTreeMap<u64, u64>,
}

/// A text is no cursor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no cursor: expected what an event cursor was written as, such as \"1.6f00a;2:0,1=17\"")]
#[non_exhaustive]
pub struct CursorError {
    /// The text, cut.
    pub found: String,
}

impl EventCursor {
    /// Before the first event of this segment.
    pub(in crate::snapshot) fn new(segment_id: u64) -> EventCursor {
        EventCursor {
            segment_id,
            series: BTreeMap::new(),
        }
    }

    /// The segment it belongs to.
    pub fn segment_id(&self) -> u64 {
        self.segment_id
    }

    /// Moves on behind this event, and those before it in its ring, as if they had been read with this cursor.
    pub fn pass(&mut self, event: &Event) {
        self.set(event.record, event.lane, event.position.saturating_add(1));
    }

    pub(in crate::snapshot) fn position(&self, record: u64, lane: u64) -> u64 {
        let series = self.series.get(&record);
        series
            .and_then(|series| series.lanes.get(&lane))
            .copied()
            .unwrap_or(0)
    }

    pub(in crate::snapshot) fn set(&mut self, record: u64, lane: u64, position: u64) {
        self.series
            .entry(record)
            .or_default()
            .lanes
            .insert(lane, position);
    }

    pub(in crate::snapshot) fn dropped(&self, record: u64) -> u64 {
        self.series.get(&record).map_or(0, |series| series.dropped)
    }

    pub(in crate::snapshot) fn set_dropped(&mut self, record: u64, dropped: u64) {
        self.series.entry(record).or_default().dropped = dropped;
    }
}

impl fmt::Display for EventCursor {
    /// `1.SEGMENT;RECORD:DROPPED,LANE=NEXT,LANE=NEXT;…`: letters and digits that need no escape in a header or a URL's value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{:x}", self.segment_id)?;
        for (record, series) in &self.series {
            write!(f, ";{record}:{}", series.dropped)?;
            for (lane, next) in series.lanes.iter().filter(|(_, next)| **next > 0) {
                write!(f, ",{lane}={next}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for EventCursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<EventCursor, CursorError> {
        parse(text).ok_or_else(|| CursorError {
            found: text.chars().take(64).collect(),
        })
    }
}

fn parse(text: &str) -> Option<EventCursor> {
    let mut parts = text.strip_prefix("1.")?.split(';');
    let mut cursor = EventCursor::new(u64::from_str_radix(parts.next()?, 16).ok()?);
    for part in parts {
        let mut numbers = part.split(',');
        let (record, dropped) = numbers.next()?.split_once(':')?;
        let record = record.parse().ok()?;
        cursor.set_dropped(record, dropped.parse().ok()?);
        for number in numbers {
            let (lane, next) = number.split_once('=')?;
            cursor.set(record, lane.parse().ok()?, next.parse().ok()?);
        }
    }
    Some(cursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_from_its_text() {
        let mut cursor = EventCursor::new(0xabc);
        assert_eq!(cursor.to_string(), "1.abc");
        cursor.set_dropped(2, 3);
        cursor.set(2, 1, 17);
        cursor.set(2, 9, u64::MAX);
        cursor.set(40, 1, 5);
        assert_eq!(
            cursor.to_string(),
            "1.abc;2:3,1=17,9=18446744073709551615;40:0,1=5"
        );
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in [
            "",
            "1",
            "1.",
            "1.xyz",
            "2.abc",
            "1.abc;",
            "1.abc;2",
            "1.abc;2:x",
            "1.abc;2:0,1",
            "1.abc;2:0,1=-1",
            "1.abc\n",
        ] {
            assert!(text.parse::<EventCursor>().is_err(), "{text:?}");
        }
    }
}
