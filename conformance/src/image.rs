//! A segment in memory, made by hand: header, word access by field, checksums.
//!
//! | file | what it makes |
//! |---|---|
//! | [`mod@self`] | the header; words by their name in SPEC.md |
//! | `records` | families, series, index, text, placement (SPEC.md 10.7) |
//! | `owners` | process slots and lanes (10.5, 10.6) |
//! | `errors` | the error log (10.18) |
//! | `resets` | baselines (10.19) |
//! | `cells` | counters and gauges (10.8, 10.9) |
//! | `histogram` | records, seals, rotations (10.10 to 10.14) |
//! | `events` | events (10.21) |
//! | `samples` | samples (10.22) |
//! | `group` | groups (10.25) |
//! | `in_flight` | what is in flight (10.23) |
//! | `text` | texts (10.24) |
//! | `storage` | what is committed, and the file |
//!
//! Each protocol can stop after any of its steps, as a process does that is killed.

mod cells;
mod errors;
mod events;
mod family;
mod group;
mod histogram;
mod in_flight;
mod owners;
mod records;
mod resets;
mod samples;
mod storage;
mod text;

use shmetrics::layout::fields::{Field, structure};
use shmetrics::layout::geometry::{Capacities, Geometry, Origin};
use shmetrics::layout::{Fnv, error::LayoutError};

pub use cells::Word;
pub use errors::Logging;
pub use events::{Event, Writing};
pub use family::Family;
pub use group::Update;
pub use histogram::{Recording, Rotation, Seal, Sharing};
pub use in_flight::Starting;
pub use owners::{Adoption, Claim, Owner};
pub use records::{Parameters, Registration, Scheme, Series};
pub use resets::Resetting;
pub use samples::Sampling;
pub use storage::write_words;
pub use text::Setting;

/// The shared lane, where a function takes the number of a lane.
pub const SHARED: u64 = 0;

/// Wall clock of every time that is not given, in nanoseconds since 1970: 2026-11-20T09:00:00Z.
pub const CREATED_NS: u64 = 1_795_165_200_000_000_000;
/// `CLOCK_MONOTONIC` at the creation of every segment whose origin is not given.
pub const CREATED_MONOTONIC_NS: u64 = 40_000_000_000;

/// A segment in memory. Functions panic when they are asked for what the geometry has no room for: whoever makes a segment by hand
/// knows its capacities. Memory: all of the file, so geometries should be small.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    geometry: Geometry,
    words: Vec<u64>,
    length: u64,
    registrant: u64,
}

/// Where a structure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The header, both parts.
    Header,
    /// A record, by number from 1.
    Record(u64),
    /// A process entry, by slot from 0.
    Process(u64),
    /// A lane entry, by lane from 1.
    Lane(u64),
    /// An entry of the error log, from 0.
    Error(u64),
    /// Line 0 of the baseline at this offset of the file ([`Image::reset_block_offset`]).
    ResetBlock(u64),
    /// The gauge cell at this offset of the file ([`Image::gauge_offset`]).
    Gauge(u64),
    /// Line 0 of the block at this offset of the file ([`Image::block_offset`]).
    Block(u64),
    /// Line 0 of the block of samples at this offset of the file ([`Image::block_offset`]).
    Samples(u64),
    /// Line 0 of the block of a group at this offset of the file ([`Image::block_offset`]).
    Group(u64),
    /// The state at this offset of the file.
    State(u64),
    /// The ring slot at this offset of the file.
    RingSlot(u64),
    /// Line 0 of the events block at this offset of the file ([`Image::block_offset`]).
    Events(u64),
    /// The event at this offset of the file ([`Image::event_offset`]).
    Event(u64),
    /// Line 0 of the table of what is in flight at this offset of the file ([`Image::block_offset`]).
    InFlight(u64),
    /// The text of an entry of it, at this offset of the file.
    InFlightText(u64),
    /// Line 0 of a text at this offset of the file ([`Image::block_offset`]).
    Text(u64),
    /// A slot of it, at this offset of the file ([`Image::text_slot`]).
    TextSlot(u64),
}

impl Image {
    /// An empty segment of these capacities, made at a fixed time: complete and published.
    ///
    /// ```
    /// use shmetrics_conformance::image::{Family, Image, Owner, Parameters, SHARED};
    /// use shmetrics::{Kind, layout::geometry::Capacities};
    ///
    /// let mut image = Image::new(Capacities::COMPACT).unwrap();
    /// let hits = image.family(&Family::new("hits", Kind::CounterU64));
    /// let hits = image.series(hits, &[], &Parameters::plain());
    /// let web = image.claim(0, &Owner::new("web"));
    /// image.take(1, web);
    /// image.count(&hits, 1, 3);
    /// image.count(&hits, SHARED, 2);
    /// let path = std::env::temp_dir().join(format!("shmetrics-doc-image-{}", std::process::id()));
    /// image.write_to(&path).unwrap();
    /// let snapshot = shmetrics::Reader::open_path(&path).unwrap().snapshot().unwrap();
    /// assert_eq!(snapshot.series[0].value, shmetrics::Value::CounterU64(5));
    /// # std::fs::remove_file(&path).unwrap();
    /// ```
    pub fn new(capacities: Capacities) -> Result<Image, LayoutError> {
        let origin = Origin {
            boot_id: [0, 0],
            created_ns: CREATED_NS,
            created_monotonic_ns: CREATED_MONOTONIC_NS,
            segment_id: 0xabc,
            writer_features: 0,
        };
        Image::with_origin(capacities, &origin)
    }

    /// As [`new`](Self::new), with the given origin.
    pub fn with_origin(capacities: Capacities, origin: &Origin) -> Result<Image, LayoutError> {
        let geometry = Geometry::plan(capacities)?;
        let mut image = Image {
            geometry,
            words: vec![0; (geometry.file_length / 8) as usize],
            length: geometry.file_length,
            registrant: u64::MAX,
        };
        for (index, word) in geometry.to_words(origin).into_iter().enumerate() {
            image.words[index] = word;
        }
        Ok(image)
    }

    /// A segment from the words of a file of `length` bytes. Its header must be valid.
    pub fn from_words(mut words: Vec<u64>, length: u64) -> Result<Image, LayoutError> {
        let header = words
            .first_chunk()
            .ok_or(LayoutError::TooShort { found: length })?;
        let (geometry, _) = Geometry::parse(header, length)?;
        words.resize((length / 8) as usize, 0);
        Ok(Image {
            geometry,
            words,
            length,
            registrant: u64::MAX,
        })
    }

    /// The capacities it was made with and all offsets.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// The words of the file.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Bytes of the file.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Makes the file shorter, or longer, than the header says.
    pub fn set_length(&mut self, length: u64) -> &mut Self {
        self.length = length;
        self
    }

    /// Loads the word at a byte offset.
    pub fn word(&self, offset: u64) -> u64 {
        assert!(offset.is_multiple_of(8));
        self.words[(offset / 8) as usize]
    }

    /// Stores the word at a byte offset.
    pub fn set_word(&mut self, offset: u64, value: u64) -> &mut Self {
        assert!(offset.is_multiple_of(8));
        self.words[(offset / 8) as usize] = value;
        self
    }

    /// Where a field is, by its name in SPEC.md.
    pub fn offset(&self, place: Place, field: &str) -> u64 {
        let (start, structures): (u64, &[&str]) = match place {
            Place::Header => (0, &["header", "mutable header"]),
            Place::Record(number) => (self.geometry.record_offset(number), &["record"]),
            Place::Process(slot) => (self.geometry.process_entry_offset(slot), &["process entry"]),
            Place::Lane(lane) => (self.geometry.lane_entry_offset(lane), &["lane entry"]),
            Place::Error(entry) => (self.geometry.error_entry_offset(entry), &["error entry"]),
            Place::ResetBlock(offset) => (offset, &["reset block"]),
            Place::Gauge(offset) => (offset, &["gauge cell"]),
            Place::Block(offset) => (offset, &["block"]),
            Place::Samples(offset) => (offset, &["samples block"]),
            Place::Group(offset) => (offset, &["group block"]),
            Place::State(offset) => (offset, &["state"]),
            Place::RingSlot(offset) => (offset, &["ring slot"]),
            Place::Events(offset) => (offset, &["events block"]),
            Place::Event(offset) => (offset, &["event"]),
            Place::InFlight(offset) => (offset, &["in flight block"]),
            Place::InFlightText(offset) => (offset, &["in flight text"]),
            Place::Text(offset) => (offset, &["text block"]),
            Place::TextSlot(offset) => (offset, &["text slot"]),
        };
        let named = |field: &&Field, name: &str| field.name == name;
        let found = structures.iter().find_map(|name| {
            let fields = structure(name).map_or(&[][..], |structure| structure.named());
            fields.iter().find(|candidate| named(candidate, field))
        });
        start
            + found
                .unwrap_or_else(|| panic!("{place:?} has no field {field:?}"))
                .offset
    }

    /// Loads a field by its name in SPEC.md.
    pub fn get(&self, place: Place, field: &str) -> u64 {
        self.word(self.offset(place, field))
    }

    /// Stores a field by its name in SPEC.md. Checksums stay as they were ([`mend_record`](Self::mend_record),
    /// [`mend_header`](Self::mend_header)).
    pub fn set(&mut self, place: Place, field: &str, value: u64) -> &mut Self {
        self.set_word(self.offset(place, field), value)
    }

    /// Adds to a field, modulo 2^64; returns what it was.
    pub fn add(&mut self, place: Place, field: &str, value: u64) -> u64 {
        let before = self.get(place, field);
        self.set(place, field, before.wrapping_add(value));
        before
    }

    /// Makes a field at least `value`.
    pub fn raise(&mut self, place: Place, field: &str, value: u64) -> &mut Self {
        let before = self.get(place, field);
        self.set(place, field, before.max(value))
    }

    /// Makes the checksum of a record match its content.
    pub fn mend_record(&mut self, number: u64) -> &mut Self {
        let place = Place::Record(number);
        let checksum = self.checksum(self.offset(place, "shape"), self.offset(place, "checksum"));
        self.set(place, "checksum", checksum)
    }

    /// Makes the checksum of the header match its content.
    pub fn mend_header(&mut self) -> &mut Self {
        let checksum = self.checksum(0, self.offset(Place::Header, "checksum"));
        self.set(Place::Header, "checksum", checksum)
    }

    /// FNV-1a over the words of a range of bytes.
    fn checksum(&self, from: u64, to: u64) -> u64 {
        let words = &self.words[(from / 8) as usize..(to / 8) as usize];
        words
            .iter()
            .fold(Fnv::new(), |hash, &word| hash.word(word))
            .finish()
    }

    /// Stores bytes in file order, padded with NUL to whole words.
    fn put_bytes(&mut self, offset: u64, bytes: &[u8]) {
        for (index, chunk) in bytes.chunks(8).enumerate() {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.set_word(offset + index as u64 * 8, u64::from_ne_bytes(word));
        }
    }

    /// M3: counts bytes as committed.
    fn commit(&mut self, length: u64) {
        self.add(Place::Header, "committed", length);
    }
}
