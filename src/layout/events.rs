//! The block of an events series: a ring of records of one size, and how an event is laid out in a record.
//!
//! ```text
//! line 0    0x00 position   0x08 dropped (shared lane)   0x60 baseline position
//! ring      N records, N a power of two; the event with number p is in record p mod N
//!           one more line if the number of lines is even
//! record    sequence · time · shape · writer · payload
//! ```
//!
//! In the shared lane there is line 0 only: an event that finds no ring is dropped, and counted there.
//!
//! The payload of each kind of event is what the series' *schema* says, a text that stands in the record's `extra`:
//!
//! ```text
//! 1 request_started connection_id:u64 method:text16 path:text96
//! 2 response_completed connection_id:u64 status:u64 duration_ms:f64
//! ```
//!
//! A line per kind: its code, its name, its fields. Fields stand one after another from word 4 on. A number is one word; a text of at
//! most n bytes is a word with its length (bit 32: it was longer and is cut) and the words of its bytes, padded with NUL.

use super::fields::fields;
use super::{LINE_LENGTH, LINE_WORDS, WORD_LENGTH};

fields! {
    /// The words of line 0 that have a meaning.
    EVENTS_FIELDS, words:
    /// Number of the next event: how many landed.
    EVENT_POSITION = 0, A64 "event_position";
    /// Shared lane: events that found no ring.
    EVENT_DROPPED = 1, A64 "event_dropped";
    /// Position when the present owner took the lane. Where [`BASELINE_COUNT`](super::block::BASELINE_COUNT) is in a histogram.
    EVENT_BASELINE = 12, A64 "event_baseline";
}
fields! {
    /// The words of a record before its payload.
    EVENT_FIELDS, words:
    /// 2p + 1 while event p is written, 2p + 2 once it landed; 0 = never.
    EVENT_SEQUENCE = 0, A64 "event_sequence";
    /// `CLOCK_MONOTONIC`, nanoseconds, as the writer gave it.
    EVENT_TIME = 1, A64 "event_time";
    /// Code of the kind, in the low 16 bits.
    EVENT_SHAPE = 2, A64 "event_shape";
    /// Tag of the process that wrote it; 0 = it had none.
    EVENT_WRITER = 3, Tag "event_writer";
}
/// First word of the payload.
pub const EVENT_PAYLOAD: usize = 4;
/// First word of the ring.
pub const EVENTS_RING: usize = LINE_WORDS;
/// Bytes of the part that the shared lane uses: line 0.
pub const EVENTS_SHARED_LENGTH: u64 = LINE_LENGTH;
/// In the length word of a text: it was longer and is cut.
pub const EVENT_TEXT_CUT: u64 = 1 << 32;

/// Records of a ring, as a power of two: at least this.
pub const MIN_EVENT_CAPACITY_LOG2: u8 = 1;
/// Records of a ring, as a power of two: at most this.
pub const MAX_EVENT_CAPACITY_LOG2: u8 = 16;
/// Shortest record, bytes; also what every length is a multiple of.
pub const MIN_EVENT_LENGTH: u64 = 64;
/// Longest record, bytes.
pub const MAX_EVENT_LENGTH: u64 = 4096;
/// Longest schema, bytes.
pub const MAX_SCHEMA_LENGTH: usize = 4096;
/// Most kinds in a schema.
pub const MAX_EVENT_KINDS: usize = 64;
/// Most fields of a kind.
pub const MAX_EVENT_FIELDS: usize = 64;
/// Longest name of a kind or a field, bytes.
pub const MAX_EVENT_NAME_LENGTH: usize = 63;

/// How a block of events follows from its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventsShape {
    capacity_log2: u8,
    record_words: u16,
}

impl EventsShape {
    /// Rings of `capacity` records (a power of two, 2 to 65,536) of `record_length` bytes (a multiple of 64, at most 4,096). `None`
    /// if that is not so, or a block of them would be longer than 8 MiB.
    pub const fn new(capacity: u64, record_length: u64) -> Option<Self> {
        if !capacity.is_power_of_two()
            || capacity.trailing_zeros() < MIN_EVENT_CAPACITY_LOG2 as u32
            || capacity.trailing_zeros() > MAX_EVENT_CAPACITY_LOG2 as u32
            || record_length < MIN_EVENT_LENGTH
            || record_length > MAX_EVENT_LENGTH
            || !record_length.is_multiple_of(MIN_EVENT_LENGTH)
        {
            return None;
        }
        let shape = Self {
            capacity_log2: capacity.trailing_zeros() as u8,
            record_words: (record_length / WORD_LENGTH) as u16,
        };
        if shape.length() > super::record::MAX_BLOCK_LENGTH {
            return None;
        }
        Some(shape)
    }

    /// As one word: log2 of the capacity, words of a record `<< 16`.
    pub const fn pack(self) -> u64 {
        self.capacity_log2 as u64 | (self.record_words as u64) << 16
    }

    /// From one word; `None` if it is outside the limits.
    pub fn unpack(word: u64) -> Option<Self> {
        let capacity = 1u64.checked_shl(u32::from(word as u8))?;
        let shape = Self::new(capacity, (word >> 16 & 0xffff) * WORD_LENGTH)?;
        (shape.pack() == word).then_some(shape)
    }

    /// Records of a ring.
    pub const fn capacity(&self) -> u64 {
        1 << self.capacity_log2
    }

    /// Words of a record.
    pub const fn record_words(&self) -> usize {
        self.record_words as usize
    }

    /// First word of the record of the event with this number.
    #[inline(always)]
    pub const fn record(&self, position: u64) -> usize {
        EVENTS_RING + (position & (self.capacity() - 1)) as usize * self.record_words()
    }

    /// Words of the block.
    pub const fn words(&self) -> usize {
        let used = (EVENTS_RING + ((self.record_words as usize) << self.capacity_log2)).div_ceil(LINE_WORDS);
        // Odd, and at least five lines: as blocks of histograms.
        let odd = used | 1;
        (if odd < 5 { 5 } else { odd }) * LINE_WORDS
    }

    /// Bytes of the block.
    pub const fn length(&self) -> u64 {
        self.words() as u64 * WORD_LENGTH
    }
}

/// What a field of an event holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldKind {
    /// A whole number that is not negative.
    U64,
    /// A whole number.
    I64,
    /// A float.
    F64,
    /// Yes (not 0) or no (0).
    Bool,
    /// UTF-8 of at most so many bytes; what is longer is cut at a character and marked.
    Text(u16),
}

impl FieldKind {
    /// Words it takes in a payload.
    pub const fn words(self) -> usize {
        match self {
            FieldKind::Text(most) => 1 + (most as usize).div_ceil(WORD_LENGTH as usize),
            _ => 1,
        }
    }

    fn parse(text: &str) -> Option<FieldKind> {
        Some(match text {
            "u64" => FieldKind::U64,
            "i64" => FieldKind::I64,
            "f64" => FieldKind::F64,
            "bool" => FieldKind::Bool,
            _ => FieldKind::Text(u16::try_from(whole(text.strip_prefix("text")?)?).ok()?),
        })
    }
}

impl core::fmt::Display for FieldKind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            FieldKind::U64 => f.write_str("u64"),
            FieldKind::I64 => f.write_str("i64"),
            FieldKind::F64 => f.write_str("f64"),
            FieldKind::Bool => f.write_str("bool"),
            FieldKind::Text(most) => write!(f, "text{most}"),
        }
    }
}

/// A field of a kind of event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventField {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: FieldKind,
    /// Its first word in the record.
    pub word: usize,
}

/// A kind of event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventKind {
    /// Its code, not 0.
    pub code: u16,
    /// Its name.
    pub name: String,
    /// Its fields, in their order.
    pub fields: Vec<EventField>,
}

/// The kinds of events of a series. Codes ascend; names are told once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// Ascending by code.
    pub kinds: Vec<EventKind>,
}

impl Schema {
    /// Reads a schema for records of this shape. `None` if it is none, or a kind has no room in a record.
    pub fn parse(text: &str, shape: &EventsShape) -> Option<Schema> {
        if text.is_empty() || text.len() > MAX_SCHEMA_LENGTH {
            return None;
        }
        let mut kinds: Vec<EventKind> = Vec::new();
        for line in text.split('\n') {
            let kind = parse_kind(line, shape.record_words())?;
            let ascends = kinds.last().is_none_or(|last| last.code < kind.code);
            if !ascends || kinds.iter().any(|other| other.name == kind.name) || kinds.len() == MAX_EVENT_KINDS
            {
                return None;
            }
            kinds.push(kind);
        }
        Some(Schema { kinds })
    }

    /// The kind with this code.
    pub fn kind(&self, code: u64) -> Option<&EventKind> {
        let found = self.kinds.binary_search_by_key(&code, |kind| kind.code.into());
        found.ok().map(|index| &self.kinds[index])
    }
}

fn parse_kind(line: &str, record_words: usize) -> Option<EventKind> {
    let mut parts = line.split(' ');
    let code = u16::try_from(whole(parts.next()?)?).ok()?;
    let name = parts.next().filter(|name| is_name(name))?.to_owned();
    let mut fields: Vec<EventField> = Vec::new();
    let mut word = EVENT_PAYLOAD;
    for part in parts {
        let (name, kind) = part.split_once(':')?;
        let kind = FieldKind::parse(kind)?;
        if !is_name(name) || fields.len() == MAX_EVENT_FIELDS || fields.iter().any(|field| field.name == name)
        {
            return None;
        }
        fields.push(EventField {
            name: name.to_owned(),
            kind,
            word,
        });
        word += kind.words();
        if word > record_words {
            return None;
        }
    }
    Some(EventKind { code, name, fields })
}

/// A name of a kind or a field: ASCII letters, digits, `_`, `.` and `-`, 1 to 63 of them.
pub fn is_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=MAX_EVENT_NAME_LENGTH).contains(&name.len()) && name.bytes().all(is_part)
}

/// A whole number from 1 on as it is written: digits, no 0 first.
fn whole(text: &str) -> Option<u64> {
    let is_plain = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = "1 started connection:u64 path:text20\n7 ended ok:bool ms:f64 left:i64";

    #[test]
    fn records_are_apart_within_a_block_of_an_odd_number_of_lines() {
        for capacity in [2, 4, 256, 1024] {
            for length in (64..=1024).step_by(64) {
                let shape = EventsShape::new(capacity, length).unwrap();
                assert_eq!(EventsShape::unpack(shape.pack()), Some(shape));
                assert_eq!(
                    shape.record(capacity - 1) + shape.record_words(),
                    EVENTS_RING + (capacity * length / 8) as usize
                );
                assert_eq!(shape.record(capacity), EVENTS_RING);
                assert!(shape.record(capacity - 1) + shape.record_words() <= shape.words());
                assert_eq!(shape.words() / LINE_WORDS % 2, 1);
                assert!(shape.length() > super::super::geometry::BLOCK_GRANULE_LENGTH);
            }
        }
    }

    #[test]
    fn shapes_outside_the_limits_are_refused() {
        for (capacity, length) in [
            (1, 64),
            (3, 64),
            (1 << 17, 64),
            (256, 32),
            (256, 100),
            (256, 8192),
            (1 << 16, 4096),
        ] {
            assert_eq!(EventsShape::new(capacity, length), None, "{capacity} {length}");
        }
        let word = EventsShape::new(256, 256).unwrap().pack();
        assert_eq!(word, 8 | 32 << 16);
        for bit in [8, 33, 63] {
            assert_eq!(EventsShape::unpack(word | 1 << bit), None);
        }
        assert_eq!(EventsShape::unpack(64 | 32 << 16), None);
        assert_eq!(EventsShape::unpack(255 | 32 << 16), None);
    }

    #[test]
    fn a_schema_says_where_each_field_is() {
        let shape = EventsShape::new(2, 64).unwrap();
        // Four words of payload: a number, a length, three words for 20 bytes would be five.
        assert_eq!(Schema::parse(SCHEMA, &shape), None);
        let schema = Schema::parse(SCHEMA, &EventsShape::new(2, 128).unwrap()).unwrap();
        let words: Vec<_> = schema
            .kind(1)
            .unwrap()
            .fields
            .iter()
            .map(|field| (field.word, field.kind))
            .collect();
        assert_eq!(words, [(4, FieldKind::U64), (5, FieldKind::Text(20))]);
        assert_eq!(schema.kind(7).unwrap().fields[2].word, 6);
        assert_eq!(schema.kind(2), None);
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        let shape = EventsShape::new(2, 4096).unwrap();
        for text in [
            "",
            "1",
            "0 a",
            "01 a",
            "1 a b",
            "1 a b:u32",
            "1 a b:text",
            "1 a b:text0",
            "1 a b:text65536",
            "1 a b:u64 b:i64",
            "2 a\n1 b",
            "1 a\n1 b",
            "1 a\n2 a",
            "1 a\n",
            "1  a",
            "1 a ",
            "1 ä",
            "1 a b:text32760",
            "65536 a",
        ] {
            assert_eq!(Schema::parse(text, &shape), None, "{text:?}");
        }
        assert!(Schema::parse("65535 a-b.c_D b:text4000", &shape).is_some());
    }
}
