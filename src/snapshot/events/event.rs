//! Events as plain data, detached from the mapping.

use std::sync::Arc;

use crate::layout::directory::OwnerTag;
use crate::layout::events::*;
use crate::layout::geometry::Origin;
use crate::snapshot::Description;

/// What was read at once.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct EventBatch {
    /// The events, by time; of one thread in the order in which it wrote them.
    pub events: Vec<Event>,
    /// Events that their writers overwrote before this cursor came to them.
    pub lost: u64,
    /// Events that could not be written at all since the last read of this cursor: no ring, wrong fields, a signal handler.
    pub dropped: u64,
    /// The most events that waited in one ring when it was read. Near the ring's capacity: read more often, or make it larger.
    pub most_waiting: u64,
    /// There are more, beyond the limit or written meanwhile.
    pub more: bool,
}

/// An event.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// The series that it belongs to.
    pub series: Arc<Description>,
    /// Its kind, with the names of its fields. Of a code that the series' schema does not have: without fields, and without a name.
    pub kind: Arc<EventKind>,
    /// `CLOCK_MONOTONIC` as the writer gave it, nanoseconds.
    pub timestamp_ns: u64,
    /// The same by the wall clock as it was when the segment was created, nanoseconds since 1970.
    pub wall_ns: u64,
    /// The values of the fields, in their order.
    pub values: Vec<FieldValue>,
    /// Texts that were longer than their field, and are cut: bit n for field n.
    pub truncated: u64,
    /// The process that wrote it; `None` if it had no slot.
    pub writer: Option<WrittenBy>,
    /// The number of the record of its series.
    pub record: u64,
    /// The lane in whose ring it is.
    pub lane: u64,
    /// Its number in that ring, from 0 on. Never given twice, whoever has the lane.
    pub position: u64,
}

/// Who wrote an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WrittenBy {
    /// The process slot.
    pub slot: u64,
    /// Its incarnation then. It is that of [`Process`](crate::snapshot::Process) with this slot as long as nobody else has it.
    pub incarnation: u64,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum FieldValue {
    /// A whole number that is not negative.
    U64(u64),
    /// A whole number.
    I64(i64),
    /// A float.
    F64(f64),
    /// Yes or no.
    Bool(bool),
    /// A text. It comes from outside: escape it for whatever it is put into.
    Text(String),
}

/// What a snapshot says of an events series. The events themselves are read by [`Reader::events`](crate::Reader::events).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventTotals {
    /// Events written, ever, by all threads, dead or alive.
    pub written: u64,
    /// Events that could not be written: no ring, wrong fields, a signal handler.
    pub dropped: u64,
    /// Events that are still there.
    pub held: u64,
    /// Events that the fullest ring ever held at once.
    pub fullest: u64,
    /// Events that the rings of all threads that wrote some have room for.
    pub capacity: u64,
}

impl Event {
    /// From the words of a record after its sequence.
    pub(in crate::snapshot) fn new(
        words: &[u64],
        schema: &[Arc<EventKind>],
        series: &Arc<Description>,
        (record, lane, position): (u64, u64, u64),
        origin: &Origin,
    ) -> Event {
        let word = |index: usize| words.get(index - 1).copied().unwrap_or(0);
        let code = word(EVENT_SHAPE) as u16;
        let kind = match schema.binary_search_by_key(&code, |kind| kind.code) {
            Ok(index) => Arc::clone(&schema[index]),
            // Damage: whoever writes has the same schema.
            Err(_) => Arc::new(EventKind {
                code,
                name: String::new(),
                fields: Vec::new(),
            }),
        };
        let mut truncated = 0;
        let value = |(index, field): (usize, &EventField)| {
            let first = word(field.word);
            match field.kind {
                FieldKind::U64 => FieldValue::U64(first),
                FieldKind::I64 => FieldValue::I64(first as i64),
                FieldKind::F64 => FieldValue::F64(f64::from_bits(first)),
                FieldKind::Bool => FieldValue::Bool(first != 0),
                FieldKind::Text(most) => {
                    truncated |= u64::from(first & EVENT_TEXT_CUT != 0) << index;
                    let length = (first as u32).min(most.into()) as usize;
                    let bytes: Vec<u8> = (0..length.div_ceil(8))
                        .flat_map(|at| word(field.word + 1 + at).to_ne_bytes())
                        .take(length)
                        .collect();
                    FieldValue::Text(String::from_utf8_lossy(&bytes).into_owned())
                }
            }
        };
        let values = kind.fields.iter().enumerate().map(value).collect();
        let timestamp_ns = word(EVENT_TIME);
        let tag = OwnerTag(word(EVENT_WRITER));
        Event {
            series: Arc::clone(series),
            kind,
            timestamp_ns,
            wall_ns: wall_ns(timestamp_ns, origin),
            values,
            truncated,
            writer: (tag.0 >> 48 != 0).then(|| WrittenBy {
                slot: (tag.0 >> 48) - 1,
                incarnation: tag.incarnation(),
            }),
            record,
            lane,
            position,
        }
    }

    /// The value of the field of this name.
    pub fn value(&self, name: &str) -> Option<&FieldValue> {
        let index = self.kind.fields.iter().position(|field| field.name == name)?;
        self.values.get(index)
    }

    /// The text of the field of this name.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.value(name)? {
            FieldValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number of the field of this name.
    pub fn whole(&self, name: &str) -> Option<u64> {
        match self.value(name)? {
            FieldValue::U64(value) => Some(*value),
            FieldValue::I64(value) => u64::try_from(*value).ok(),
            _ => None,
        }
    }

    /// The number of the field of this name.
    pub fn number(&self, name: &str) -> Option<f64> {
        match self.value(name)? {
            FieldValue::U64(value) => Some(*value as f64),
            FieldValue::I64(value) => Some(*value as f64),
            FieldValue::F64(value) => Some(*value),
            _ => None,
        }
    }

    /// Yes or no: the field of this name.
    pub fn is(&self, name: &str) -> bool {
        matches!(self.value(name), Some(FieldValue::Bool(true)))
    }

    /// The fields whose texts are cut.
    pub fn truncated_fields(&self) -> impl Iterator<Item = &str> {
        let fields = self.kind.fields.iter().enumerate();
        let cut = fields.filter(|(index, _)| self.truncated >> index & 1 == 1);
        cut.map(|(_, field)| field.name.as_str())
    }

    /// Its time, RFC 3339 in UTC to the nanosecond.
    pub fn timestamp(&self) -> String {
        crate::snapshot::time::rfc3339(self.wall_ns)
    }
}

/// A time of the monotonic clock as one of the wall clock, by the pair of both that the segment has from its creation.
fn wall_ns(monotonic_ns: u64, origin: &Origin) -> u64 {
    let since = i128::from(monotonic_ns) - i128::from(origin.created_monotonic_ns);
    (i128::from(origin.created_ns) + since).clamp(0, u64::MAX.into()) as u64
}
