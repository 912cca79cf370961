//! The record of a family or of a series.
//!
//! ```text
//! 0x00 claim     0 unused · owner tag of who fills it · PUBLISHED
//! 0x08 ready     0 not yet · 1 ready · 2 tombstone (reserved)
//! 0x10 shape     type | kind << 8 | merge << 16 | flags << 24 | ring slots << 32
//! 0x18 hash      of the key: what the index is probed with
//! 0x20 text      family: name        series: labels           offset << 32 | length
//! 0x28 extra     family: help        series: bounds, statuses offset << 32 | length
//! 0x30 unit      family: unit text   series: number of its family
//! 0x38 factor    series: f64 bits, exported unit per base unit
//! 0x40 buckets   series: scale | low << 16 | high << 32       (exponential histograms); how many are shown (samples); capacity (text)
//! 0x48 length    series: bytes of a block; 0 for kinds without one
//! 0x50 created   wall clock at registration, ns
//! 0x58 checksum  FNV-1a of 0x10 to 0x50
//! 0x60 cell      placement + 1; 0 = not placed yet
//! 0x68 members   family: number of its series
//! 0x70 room      text reserved for the record: offset << 32 | length, kept when the record is filled anew
//! 0x78 reserved
//! ```
//!
//! Words 0x10 to 0x58 are immutable once the record's number is in the index. A reader copies them once and parses the copy.

use super::block::BlockShape;
use super::error::RecordError;
use super::events::{EVENTS_SHARED_LENGTH, EventsShape, MAX_SCHEMA_LENGTH};
use super::fields::fields;
use super::group::{GROUP_SHARED_LENGTH, GroupShape, MAX_GROUP_NAMES_LENGTH};
use super::in_flight::InFlightShape;
use super::kind::{Kind, Merge, Space};
use super::samples::SamplesShape;
use super::text::TextShape;
use super::{Fnv, WORD_LENGTH, geometry::Geometry};
use crate::buckets::Exponential;

/// Bytes of a record.
pub const RECORD_LENGTH: u64 = 128;
/// Words of a record.
pub const RECORD_WORDS: usize = 16;

fields! {
    /// The words of a record that have a meaning.
    FIELDS, words:
    /// Who fills the record.
    CLAIM_WORD = 0, Tag "claim";
    /// Whether readers show the series.
    READY_WORD = 1, A64 "ready";
    /// Type, kind, merge rule, flags, ring slots.
    SHAPE_WORD = 2, U64 "shape";
    /// Hash of the key.
    HASH_WORD = 3, U64 "hash";
    /// Name or labels.
    TEXT_WORD = 4, Range "text";
    /// Help, bounds or statuses.
    EXTRA_WORD = 5, Range "extra";
    /// Unit text, or the family's number.
    UNIT_WORD = 6, Range "unit";
    /// Exported unit per base unit.
    FACTOR_WORD = 7, F64 "factor";
    /// Parameters of exponential buckets, or of samples.
    BUCKETS_WORD = 8, U64 "buckets";
    /// Bytes of a block.
    LENGTH_WORD = 9, U64 "length";
    /// Registration time.
    CREATED_WORD = 10, U64 "created";
    /// Checksum of words 2 to 10.
    CHECKSUM_WORD = 11, U64 "checksum";
    /// Placement plus one.
    CELL_WORD = 12, A64 "cell";
    /// Number of series of a family.
    MEMBERS_WORD = 13, A64 "members";
    /// Text reserved for the record.
    ROOM_WORD = 14, Range "room";
}

/// Claim word of a record whose number is in the index.
pub const PUBLISHED: u64 = u64::MAX - 1;
/// Claim word of a record whose filler has no process slot: nobody can tell whether it lives, so nobody takes the record over.
pub const CLAIMED_BY_UNKNOWN: u64 = u64::MAX;
/// Ready word: readers show the series.
pub const READY: u64 = 1;
/// Ready word: the series was removed (reserved; no writer of version 1 stores it).
pub const TOMBSTONE: u64 = 2;

/// Type in the low byte of the shape.
pub const TYPE_FAMILY: u8 = 1;
/// Type in the low byte of the shape.
pub const TYPE_SERIES: u8 = 2;
/// Flag: the series collects label sets beyond its family's limit; readers show it once it counted something.
pub const FLAG_OVERFLOW: u8 = 1;
/// Most ring slots of a histogram.
pub const MAX_RING_SLOTS: u8 = 64;
/// Longest block: within a lane's block region, and bounding what a reader copies.
pub const MAX_BLOCK_LENGTH: u64 = 8 << 20;

/// Longest family name, bytes.
pub const MAX_NAME_LENGTH: usize = 255;
/// Longest help text, bytes.
pub const MAX_HELP_LENGTH: usize = 1024;
/// Longest unit, bytes.
pub const MAX_UNIT_LENGTH: usize = 63;

/// A range of the text region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TextRange {
    /// From the start of the region; a multiple of 8.
    pub offset: u32,
    /// Bytes.
    pub length: u32,
}

impl TextRange {
    /// As one word.
    pub const fn pack(self) -> u64 {
        (self.offset as u64) << 32 | self.length as u64
    }

    /// From one word; not validated.
    pub const fn unpack(word: u64) -> Self {
        Self {
            offset: (word >> 32) as u32,
            length: word as u32,
        }
    }

    /// From one word, within the text region of `geometry` and of a length from `least` to `most` (V-24).
    pub(crate) fn validate(
        word: u64,
        field: &'static str,
        (least, most): (usize, usize),
        geometry: &Geometry,
    ) -> Result<Self, RecordError> {
        let range = Self::unpack(word);
        let end = u64::from(range.offset) + u64::from(range.length);
        if !(least..=most).contains(&(range.length as usize))
            || end > geometry.capacities.text_length
            || !range.offset.is_multiple_of(8)
        {
            return Err(RecordError::BadText {
                field,
                offset: range.offset,
                length: range.length,
            });
        }
        Ok(range)
    }
}

/// A validated family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FamilyRecord {
    /// What it measures.
    pub kind: Kind,
    /// How gauges are merged; `Sum` for other kinds.
    pub merge: Merge,
    /// Its name.
    pub name: TextRange,
    /// Its help text.
    pub help: TextRange,
    /// Its unit.
    pub unit: TextRange,
}

/// What the block of a series is made for: bucket parameters of a histogram, or how many samples are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buckets {
    /// It has no block.
    None,
    /// Exponential.
    Exponential(Exponential),
    /// Given bounds: where they are, as f64 bits.
    Classic(TextRange),
    /// No buckets: samples.
    Samples(SamplesShape),
    /// No buckets, but a ring of events: its shape, and where its schema is.
    Events(EventsShape, TextRange),
    /// No buckets: a text, and how long it may be.
    Text(TextShape),
    /// No buckets: the fields of a group, and where their names are.
    Group(GroupShape, TextRange),
    /// No buckets of a histogram, but those of a table of what is in flight.
    InFlight(InFlightShape),
}

impl Buckets {
    /// How many; 0 if it is not a histogram.
    pub fn count(&self) -> usize {
        match self {
            Buckets::None | Buckets::Events(..) | Buckets::Samples(_) => 0,
            Buckets::Text(_) | Buckets::InFlight(_) => 0,
            Buckets::Group(..) => 0,
            Buckets::Exponential(parameters) => parameters.buckets(),
            Buckets::Classic(bounds) => bounds.length as usize / WORD_LENGTH as usize + 1,
        }
    }
}

/// A validated series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SeriesRecord {
    /// Number of its family's record.
    pub family: u64,
    /// Its kind, the same as its family's.
    pub kind: Kind,
    /// Its labels.
    pub labels: TextRange,
    /// Exported unit per base unit.
    pub factor: f64,
    /// Bucket parameters.
    pub buckets: Buckets,
    /// The statuses of a state ([`super::statuses`]); empty for other kinds.
    pub statuses: TextRange,
    /// Ring slots of its blocks.
    pub ring_slots: u8,
    /// Collects what a family's limit refused.
    pub overflow: bool,
    /// Bytes of its block; 0 for counters and gauges.
    pub length: u64,
    /// Wall clock at registration, nanoseconds since 1970.
    pub created_ns: u64,
}

/// A validated record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Record {
    /// A family.
    Family(FamilyRecord),
    /// A series.
    Series(SeriesRecord),
}

impl Record {
    /// The immutable words of the record, checksum included, as they stand in words 2 to 11.
    pub fn to_words(&self, hash: u64) -> [u64; RECORD_WORDS] {
        let mut words = [0; RECORD_WORDS];
        words[HASH_WORD] = hash;
        match self {
            Record::Family(family) => {
                words[SHAPE_WORD] =
                    u64::from(TYPE_FAMILY) | (family.kind as u64) << 8 | (family.merge as u64) << 16;
                words[TEXT_WORD] = family.name.pack();
                words[EXTRA_WORD] = family.help.pack();
                words[UNIT_WORD] = family.unit.pack();
            }
            Record::Series(series) => {
                let flags = if series.overflow { FLAG_OVERFLOW } else { 0 };
                words[SHAPE_WORD] = u64::from(TYPE_SERIES)
                    | (series.kind as u64) << 8
                    | u64::from(flags) << 24
                    | u64::from(series.ring_slots) << 32;
                words[TEXT_WORD] = series.labels.pack();
                words[UNIT_WORD] = series.family;
                words[FACTOR_WORD] = series.factor.to_bits();
                match series.buckets {
                    Buckets::None => {}
                    Buckets::Exponential(parameters) => words[BUCKETS_WORD] = pack_exponential(parameters),
                    Buckets::Classic(bounds) => words[EXTRA_WORD] = bounds.pack(),
                    Buckets::Text(shape) => words[BUCKETS_WORD] = shape.pack(),
                    Buckets::InFlight(shape) => words[BUCKETS_WORD] = shape.pack(),
                    Buckets::Samples(shape) => words[BUCKETS_WORD] = shape.shown() as u64,
                    Buckets::Events(shape, schema) => {
                        (words[BUCKETS_WORD], words[EXTRA_WORD]) = (shape.pack(), schema.pack());
                    }
                    Buckets::Group(shape, names) => {
                        (words[BUCKETS_WORD], words[EXTRA_WORD]) = (shape.pack(), names.pack());
                    }
                }
                if series.kind == Kind::State {
                    words[EXTRA_WORD] = series.statuses.pack();
                }
                words[LENGTH_WORD] = series.length;
                words[CREATED_WORD] = series.created_ns;
            }
        }
        words[CHECKSUM_WORD] = checksum(&words);
        words
    }

    /// Validates a private copy of a record. Checks in the order V-20 … V-27; the family of a series, its cell and its texts are
    /// checked by whoever has them at hand.
    pub fn parse(words: &[u64; RECORD_WORDS], geometry: &Geometry) -> Result<Record, RecordError> {
        if words[CHECKSUM_WORD] != checksum(words) {
            return Err(RecordError::BadChecksum);
        }
        let shape = words[SHAPE_WORD];
        let record_type = shape as u8;
        if record_type != TYPE_FAMILY && record_type != TYPE_SERIES {
            return Err(RecordError::UnknownType { found: record_type });
        }
        let code = (shape >> 8) as u8;
        let kind = Kind::from_code(code).ok_or(RecordError::UnknownKind { found: code })?;
        if record_type == TYPE_FAMILY {
            let code = (shape >> 16) as u8;
            let merge = Merge::from_code(code).filter(|merge| kind.may_merge(*merge));
            return Ok(Record::Family(FamilyRecord {
                kind,
                merge: merge.ok_or(RecordError::UnknownMerge { found: code })?,
                name: TextRange::validate(words[TEXT_WORD], "name", (1, MAX_NAME_LENGTH), geometry)?,
                help: TextRange::validate(words[EXTRA_WORD], "help", (0, MAX_HELP_LENGTH), geometry)?,
                unit: TextRange::validate(words[UNIT_WORD], "unit", (0, MAX_UNIT_LENGTH), geometry)?,
            }));
        }
        let labels = TextRange::validate(
            words[TEXT_WORD],
            "labels",
            (0, super::labels::MAX_ENCODED_LENGTH),
            geometry,
        )?;
        let ring_slots = (shape >> 32) as u8;
        let factor = f64::from_bits(words[FACTOR_WORD]);
        let bad_buckets = RecordError::BadBuckets {
            found: words[BUCKETS_WORD],
        };
        let buckets = match kind {
            Kind::HistogramInteger | Kind::HistogramFloat => {
                let parameters = unpack_exponential(words[BUCKETS_WORD]).ok_or(bad_buckets)?;
                Buckets::Exponential(parameters)
            }
            Kind::HistogramClassic => {
                let most = crate::buckets::Classic::MAX_BOUNDS * 8;
                let bounds = TextRange::validate(words[EXTRA_WORD], "bounds", (0, most), geometry)?;
                if bounds.length == 0 || !bounds.length.is_multiple_of(8) {
                    return Err(RecordError::BadBuckets { found: bounds.pack() });
                }
                Buckets::Classic(bounds)
            }
            Kind::Samples => Buckets::Samples(SamplesShape::new(words[BUCKETS_WORD]).ok_or(bad_buckets)?),
            Kind::Events => {
                let shape = EventsShape::unpack(words[BUCKETS_WORD]).ok_or(bad_buckets)?;
                let schema =
                    TextRange::validate(words[EXTRA_WORD], "schema", (1, MAX_SCHEMA_LENGTH), geometry)?;
                Buckets::Events(shape, schema)
            }
            Kind::Text => Buckets::Text(TextShape::new(words[BUCKETS_WORD]).ok_or(bad_buckets)?),
            Kind::Group => {
                let shape = GroupShape::unpack(words[BUCKETS_WORD]).ok_or(bad_buckets)?;
                let most = MAX_GROUP_NAMES_LENGTH;
                let names = TextRange::validate(words[EXTRA_WORD], "fields", (1, most), geometry)?;
                Buckets::Group(shape, names)
            }
            Kind::InFlight => {
                Buckets::InFlight(InFlightShape::unpack(words[BUCKETS_WORD]).ok_or(bad_buckets)?)
            }
            _ => Buckets::None,
        };
        let statuses = match kind {
            Kind::State => {
                let most = super::statuses::MAX_STATUSES_LENGTH;
                TextRange::validate(words[EXTRA_WORD], "statuses", (1, most), geometry)?
            }
            _ => TextRange::default(),
        };
        if !(factor.is_finite() && factor > 0.0) || ring_slots > MAX_RING_SLOTS {
            return Err(bad_buckets);
        }
        let expected = match buckets {
            Buckets::None => 0,
            Buckets::Samples(shape) => shape.length(),
            Buckets::Events(shape, _) => shape.length(),
            Buckets::Text(shape) => shape.length(),
            Buckets::Group(shape, _) => shape.length(),
            Buckets::InFlight(shape) => shape.length(),
            _ => BlockShape::new(buckets.count(), usize::from(ring_slots)).length(),
        };
        if words[LENGTH_WORD] != expected
            || expected > MAX_BLOCK_LENGTH.min(geometry.capacities.blocks_length)
        {
            return Err(RecordError::BadLength {
                found: words[LENGTH_WORD],
                expected,
            });
        }
        let family = words[UNIT_WORD];
        if family == 0 || family > geometry.records {
            return Err(RecordError::BadFamily { found: family });
        }
        Ok(Record::Series(SeriesRecord {
            family,
            kind,
            labels,
            factor,
            buckets,
            statuses,
            ring_slots,
            overflow: (shape >> 24) as u8 & FLAG_OVERFLOW != 0,
            length: expected,
            created_ns: words[CREATED_WORD],
        }))
    }
}

impl SeriesRecord {
    /// Its block of samples; `None` for other kinds.
    pub fn samples(&self) -> Option<SamplesShape> {
        match self.buckets {
            Buckets::Samples(shape) => Some(shape),
            _ => None,
        }
    }

    /// Its fields, if it is a group; `None` for other kinds.
    pub fn group(&self) -> Option<GroupShape> {
        match self.buckets {
            Buckets::Group(shape, _) => Some(shape),
            _ => None,
        }
    }

    /// Bytes of its block that are used in the shared lane; 0 for kinds without one.
    pub fn shared_length(&self) -> u64 {
        match self.buckets {
            Buckets::None => 0,
            Buckets::Samples(shape) => shape.length(),
            Buckets::Text(shape) => shape.length(),
            Buckets::InFlight(shape) => shape.length(),
            Buckets::Events(..) => EVENTS_SHARED_LENGTH,
            Buckets::Group(..) => GROUP_SHARED_LENGTH,
            _ => self.shape().shared_length(),
        }
    }

    /// Its block, if it is a histogram, or what a reset keeps of it, if it is a group; else an empty one.
    pub fn shape(&self) -> BlockShape {
        match self.buckets {
            Buckets::None | Buckets::Events(..) | Buckets::Samples(_) => BlockShape::new(0, 0),
            Buckets::Text(_) | Buckets::InFlight(_) => BlockShape::new(0, 0),
            Buckets::Group(shape, _) => shape.baseline(),
            _ => BlockShape::new(self.buckets.count(), usize::from(self.ring_slots)),
        }
    }

    /// Validates the content of the cell word: the placement within the kind's space.
    pub fn cell(&self, cell_word: u64, geometry: &Geometry) -> Result<u64, RecordError> {
        let bad = RecordError::BadCell {
            found: cell_word.wrapping_sub(1),
        };
        let placement = cell_word.checked_sub(1).ok_or(bad)?;
        let fits = match self.kind.space() {
            Space::Counters => placement
                .checked_add(self.kind.units())
                .is_some_and(|end| end <= geometry.capacities.counters),
            Space::Gauges => placement < geometry.capacities.gauges,
            Space::Blocks => {
                placement.is_multiple_of(super::LINE_LENGTH)
                    && placement
                        .checked_add(self.length)
                        .is_some_and(|end| end <= geometry.capacities.blocks_length)
            }
        };
        if fits { Ok(placement) } else { Err(bad) }
    }
}

/// Parameters of exponential buckets as one word: scale | low << 16 | high << 32, the exponents as 16-bit two's complement.
pub fn pack_exponential(parameters: Exponential) -> u64 {
    u64::from(parameters.scale())
        | u64::from(parameters.low() as u16) << 16
        | u64::from(parameters.high() as u16) << 32
}

/// The parameters in one word; `None` if they are outside their limits.
pub fn unpack_exponential(word: u64) -> Option<Exponential> {
    let parameters = Exponential::new(word as u8, (word >> 16) as u16 as i16, (word >> 32) as u16 as i16)?;
    (pack_exponential(parameters) == word).then_some(parameters)
}

/// FNV-1a of words 2 to 10.
fn checksum(words: &[u64; RECORD_WORDS]) -> u64 {
    words[SHAPE_WORD..CHECKSUM_WORD]
        .iter()
        .fold(Fnv::new(), |hash, &word| hash.word(word))
        .finish()
}

/// Hash of a family's key. The first byte keeps families and series apart; a hash is never 0, which the index uses for empty.
pub fn family_hash(name: &str) -> u64 {
    Fnv::new()
        .bytes(&[TYPE_FAMILY])
        .bytes(name.as_bytes())
        .finish()
        .max(1)
}

/// Hash of a series' key: the number of its family and its encoded labels. Never the kind: a conflict must be found, not missed.
pub fn series_hash(family: u64, labels: &[u8]) -> u64 {
    Fnv::new()
        .bytes(&[TYPE_SERIES])
        .word(family)
        .bytes(labels)
        .finish()
        .max(1)
}

#[cfg(test)]
mod tests;
