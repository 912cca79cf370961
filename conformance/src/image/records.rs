//! Families and series: texts, records, index, placement. SPEC.md 7, 10.7.

use shmetrics::buckets::Exponential;
use shmetrics::layout::block::BlockShape;
use shmetrics::layout::directory::OwnerTag;
use shmetrics::layout::events::{EVENTS_SHARED_LENGTH, EventsShape};
use shmetrics::layout::group::{GROUP_SHARED_LENGTH, GroupShape};
use shmetrics::layout::kind::{Kind, Merge, Space};
use shmetrics::layout::record::{FLAG_OVERFLOW, PUBLISHED, READY, TYPE_FAMILY, TYPE_SERIES, TextRange};
use shmetrics::layout::samples::SamplesShape;
use shmetrics::layout::{Fnv, LINE_LENGTH, labels};

use super::family::Family;
use super::{CREATED_NS, Image, Place};

/// The last step of a registration that was done (10.7.2, 10.7.3). A family has none after `I4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Registration {
    /// A record is taken.
    I2,
    /// Texts and words are stored.
    I3,
    /// The record's number is in the index, its claim is still the filler's.
    I4Unmarked,
    /// It is marked as published and counted by its family.
    I4,
    /// The placement word names the record.
    P2,
    /// The cell is known, the placement word still names the record.
    P3,
    /// The cell is placed.
    I5,
    /// Readers show the series.
    I6,
}

/// The buckets of a series.
#[derive(Clone, Debug, PartialEq)]
pub enum Scheme {
    /// No histogram.
    None,
    /// Exponential ones.
    Exponential(Exponential),
    /// Given bounds, not validated.
    Classic(Vec<f64>),
    /// No histogram, but a ring of events, and its schema, not validated.
    Events(EventsShape, String),
    /// No buckets: samples, and how many are shown.
    Samples(SamplesShape),
    /// No histogram, but a text of at most so many bytes.
    Text(u64),
    /// No buckets: a group, and the names of its fields, not validated.
    Group(GroupShape, String),
    /// No histogram, but a table of what is in flight, of this power of two of buckets.
    InFlight(u8),
}

/// What makes a series besides its family and labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    pub(super) scheme: Scheme,
    factor: f64,
    ring_slots: u8,
    overflow: bool,
    created_ns: u64,
    statuses: Vec<u8>,
}

impl Parameters {
    /// Of a counter or gauge.
    pub fn plain() -> Self {
        Parameters {
            scheme: Scheme::None,
            factor: 1.0,
            ring_slots: 0,
            overflow: false,
            created_ns: CREATED_NS + 2_000_000_000,
            statuses: Vec::new(),
        }
    }

    /// Of an exponential histogram without ring slots. Panics if the parameters are outside their limits.
    pub fn exponential(scale: u8, low: i16, high: i16) -> Self {
        let buckets = Exponential::new(scale, low, high).expect("bucket parameters within their limits");
        Parameters {
            scheme: Scheme::Exponential(buckets),
            ..Self::plain()
        }
    }

    /// Of a classic histogram without ring slots.
    pub fn classic(bounds: &[f64]) -> Self {
        Parameters {
            scheme: Scheme::Classic(bounds.to_vec()),
            ..Self::plain()
        }
    }

    /// Of an events series. Panics if the ring is outside its limits.
    pub fn events(capacity: u64, record_length: u64, schema: &str) -> Self {
        let shape = EventsShape::new(capacity, record_length).expect("a ring within its limits");
        Parameters {
            scheme: Scheme::Events(shape, schema.to_owned()),
            ..Self::plain()
        }
    }

    /// Of a state with these statuses, each with the streak from which on it is unhealthy, or -1; not validated.
    pub fn statuses(statuses: &[(&str, i32)]) -> Self {
        let mut encoded = Vec::new();
        for (name, unhealthy_from) in statuses {
            encoded.extend(unhealthy_from.to_le_bytes());
            encoded.extend((name.len() as u16).to_le_bytes());
            encoded.extend(name.as_bytes());
        }
        Parameters {
            statuses: encoded,
            ..Self::plain()
        }
    }

    /// Of samples, of which so many are shown. Panics if that is outside the limits.
    pub fn samples(shown: u64) -> Self {
        Parameters {
            scheme: Scheme::Samples(SamplesShape::new(shown).expect("a number of samples within its limits")),
            ..Self::plain()
        }
    }

    /// Of a text of at most so many bytes.
    pub fn text(capacity: u64) -> Self {
        Parameters {
            scheme: Scheme::Text(capacity),
            ..Self::plain()
        }
    }

    /// Of what is in flight: so many buckets, as a power of two.
    pub fn in_flight(log2_buckets: u8) -> Self {
        Parameters {
            scheme: Scheme::InFlight(log2_buckets),
            ..Self::plain()
        }
    }

    /// With this factor.
    pub fn factor(self, factor: f64) -> Self {
        Parameters { factor, ..self }
    }

    /// With so many ring slots.
    pub fn ring(self, ring_slots: u8) -> Self {
        Parameters { ring_slots, ..self }
    }

    /// An overflow series.
    pub fn overflow(self) -> Self {
        Parameters {
            overflow: true,
            ..self
        }
    }

    /// Registered at this time.
    pub fn created_ns(self, created_ns: u64) -> Self {
        Parameters { created_ns, ..self }
    }
}

/// A series of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Number of its record.
    pub number: u64,
    /// Number of its family's record.
    pub family: u64,
    /// Its kind.
    pub kind: Kind,
    /// Where its cell is; 0 if it was not placed.
    pub placement: u64,
    /// Its block; of no buckets for counters and gauges.
    pub shape: BlockShape,
    /// Its buckets.
    pub scheme: Scheme,
    /// Exported unit per base unit.
    pub factor: f64,
}

const fn padded(length: usize) -> u64 {
    (length as u64).next_multiple_of(8)
}

impl Image {
    /// Who registers from now on: the tag that an unfinished registration leaves. At first a process without a slot.
    pub fn registrant(&mut self, tag: OwnerTag) -> &mut Self {
        self.registrant = tag.0;
        self
    }

    /// The merge rule of a family; `None` if it is none that is known.
    pub fn merge_of(&self, family: u64) -> Option<Merge> {
        Merge::from_code((self.get(Place::Record(family), "shape") >> 16) as u8)
    }

    /// Registers a family; returns the number of its record.
    pub fn family(&mut self, family: &Family<'_>) -> u64 {
        self.family_until(family, Registration::I4)
    }

    /// Registers a series of a family, places it and makes it ready.
    pub fn series(&mut self, family: u64, labels: &[(&str, &str)], parameters: &Parameters) -> Series {
        self.series_until(family, labels, parameters, Registration::I6)
    }

    /// A family with one series without labels.
    pub fn single(&mut self, family: &Family<'_>, parameters: &Parameters) -> Series {
        let family = self.family(family);
        self.series(family, &[], parameters)
    }

    /// Registers a family and stops after a step.
    pub fn family_until(&mut self, family: &Family<'_>, until: Registration) -> u64 {
        let number = self.take_record();
        if until >= Registration::I3 {
            let texts = [family.name, family.help, family.unit].map(str::as_bytes);
            let [name, help, unit] = self.store_texts(number, texts);
            let place = Place::Record(number);
            let shape = u64::from(TYPE_FAMILY) | (family.kind as u64) << 8 | (family.merge as u64) << 16;
            let hash = Fnv::new().bytes(&[1]).bytes(family.name.as_bytes()).finish();
            self.set(place, "shape", shape).set(place, "hash", hash.max(1));
            self.set(place, "text", name)
                .set(place, "extra", help)
                .set(place, "unit", unit);
            self.mend_record(number);
        }
        self.publish(number, until);
        number
    }

    /// Registers a series and stops after a step.
    pub fn series_until(
        &mut self,
        family: u64,
        labels: &[(&str, &str)],
        parameters: &Parameters,
        until: Registration,
    ) -> Series {
        let code = (self.get(Place::Record(family), "shape") >> 8) as u8;
        let kind = Kind::from_code(code).expect("the record of a family");
        let shape = BlockShape::new(parameters.scheme.buckets(), usize::from(parameters.ring_slots));
        let mut series = Series {
            number: self.take_record(),
            family,
            kind,
            placement: 0,
            shape,
            scheme: parameters.scheme.clone(),
            factor: parameters.factor,
        };
        if until >= Registration::I3 {
            let labels = labels::encode(labels).expect("labels within their limits");
            self.fill(&series, &labels, parameters);
        }
        self.publish(series.number, until);
        if until >= Registration::I4 {
            self.add(Place::Record(family), "members", 1);
        }
        if until >= Registration::P2 {
            self.place(&series, until);
            series.placement = self.get(Place::Record(series.number), "cell").saturating_sub(1);
        }
        if until >= Registration::I6 {
            match kind.space() {
                Space::Counters => self.commit(LINE_LENGTH * kind.units()),
                Space::Gauges => {}
                Space::Blocks => self.commit(series.shared_length()),
            }
            self.set(Place::Record(series.number), "ready", READY);
        }
        series
    }

    fn fill(&mut self, series: &Series, labels: &[u8], parameters: &Parameters) {
        let bounds: Vec<u8> = match &parameters.scheme {
            Scheme::Classic(bounds) => bounds
                .iter()
                .flat_map(|bound| bound.to_bits().to_ne_bytes())
                .collect(),
            Scheme::Events(_, text) | Scheme::Group(_, text) => text.clone().into_bytes(),
            _ => parameters.statuses.clone(),
        };
        let [text, extra] = self.store_texts(series.number, [labels, &bounds]);
        let place = Place::Record(series.number);
        let flags = if parameters.overflow { FLAG_OVERFLOW } else { 0 };
        let shape = u64::from(TYPE_SERIES)
            | (series.kind as u64) << 8
            | u64::from(flags) << 24
            | u64::from(parameters.ring_slots) << 32;
        let hash = Fnv::new().bytes(&[2]).word(series.family).bytes(labels).finish();
        self.set(place, "shape", shape).set(place, "hash", hash.max(1));
        self.set(place, "text", text).set(place, "unit", series.family);
        self.set(place, "factor", parameters.factor.to_bits());
        match &parameters.scheme {
            Scheme::None if series.kind != Kind::State => {}
            Scheme::Events(shape, _) => {
                self.set(place, "extra", extra)
                    .set(place, "buckets", shape.pack());
            }
            Scheme::Text(capacity) => {
                self.set(place, "buckets", *capacity);
            }
            Scheme::Group(shape, _) => {
                self.set(place, "extra", extra)
                    .set(place, "buckets", shape.pack());
            }
            Scheme::InFlight(log2) => {
                self.set(place, "buckets", u64::from(*log2));
            }
            Scheme::None | Scheme::Classic(_) => {
                self.set(place, "extra", extra);
            }
            Scheme::Samples(shape) => {
                self.set(place, "buckets", shape.shown() as u64);
            }
            Scheme::Exponential(buckets) => {
                let word = u64::from(buckets.scale())
                    | u64::from(buckets.low() as u16) << 16
                    | u64::from(buckets.high() as u16) << 32;
                self.set(place, "buckets", word);
            }
        }
        if series.kind.space() == Space::Blocks {
            self.set(place, "length", series.length());
        }
        self.set(place, "created", parameters.created_ns);
        self.mend_record(series.number);
    }

    /// I2.
    fn take_record(&mut self) -> u64 {
        let number = self.add(Place::Header, "reserved", 1) + 1;
        assert!(number <= self.geometry.records, "no record is left");
        self.set(Place::Record(number), "claim", self.registrant);
        number
    }

    /// Takes up texts, one after the other, and notes the room of the record.
    fn store_texts<const N: usize>(&mut self, number: u64, texts: [&[u8]; N]) -> [u64; N] {
        let length = texts.iter().map(|text| padded(text.len())).sum();
        let start = self.add(Place::Header, "text_used", length);
        assert!(
            start + length <= self.geometry.capacities.text_length,
            "no text is left"
        );
        let range = |offset: u64, length: u64| {
            TextRange {
                offset: offset as u32,
                length: length as u32,
            }
            .pack()
        };
        self.set(Place::Record(number), "room", range(start, length));
        let mut next = start;
        texts.map(|text| {
            self.put_bytes(self.geometry.text_offset + next, text);
            let stored = range(next, text.len() as u64);
            next += padded(text.len());
            stored
        })
    }

    /// Takes up text that no record names yet; returns its range.
    pub fn text(&mut self, bytes: &[u8]) -> u64 {
        let offset = self.add(Place::Header, "text_used", padded(bytes.len()));
        self.put_bytes(self.geometry.text_offset + offset, bytes);
        offset << 32 | bytes.len() as u64
    }

    /// I4.
    fn publish(&mut self, number: u64, until: Registration) {
        let place = Place::Record(number);
        if until >= Registration::I4Unmarked {
            let hash = self.get(place, "hash");
            let entries = self.geometry.index_entries;
            let free = (0..entries)
                .map(|step| self.geometry.index_offset + hash.wrapping_add(step) % entries * 8)
                .find(|&offset| self.word(offset) == 0);
            self.set_word(
                free.expect("an empty place"),
                hash & 0xffff_ffff_0000_0000 | number,
            );
        }
        if until >= Registration::I4 {
            self.set(place, "claim", PUBLISHED);
        }
    }

    /// P1 to P4.
    fn place(&mut self, series: &Series, until: Registration) {
        let (word, capacity) = match series.kind.space() {
            Space::Counters => ("counter_placement", self.geometry.capacities.counters),
            Space::Gauges => ("gauge_placement", self.geometry.capacities.gauges),
            Space::Blocks => ("block_placement", self.geometry.capacities.blocks_length),
        };
        const FREE: u64 = (1 << 40) - 1;
        let seen = self.get(Place::Header, word);
        let (unfinished, mut free) = (seen >> 40, seen & FREE);
        if unfinished != 0 {
            self.set(Place::Record(unfinished), "cell", free + 1);
            let kind = Kind::from_code((self.get(Place::Record(unfinished), "shape") >> 8) as u8);
            let units = kind.map_or(1, Kind::units);
            free += self.get(Place::Record(unfinished), "length").max(units);
        }
        let units = match series.kind.space() {
            Space::Blocks => series.length(),
            Space::Counters | Space::Gauges => series.kind.units(),
        };
        assert!(free + units <= capacity, "no cell is left");
        self.set(Place::Header, word, series.number << 40 | free);
        if until >= Registration::P3 {
            self.set(Place::Record(series.number), "cell", free + 1);
        }
        if until >= Registration::I5 {
            self.set(Place::Header, word, free + units);
        }
    }
}

impl Series {
    /// Bytes of its block in a lane; 0 for kinds without one.
    pub fn length(&self) -> u64 {
        match &self.scheme {
            Scheme::Events(shape, _) => shape.length(),
            Scheme::Samples(shape) => shape.length(),
            Scheme::Text(capacity) => LINE_LENGTH + 8 * super::text::slot_length(*capacity),
            Scheme::Group(shape, _) => shape.length(),
            Scheme::InFlight(log2) => ((1 + (9 << log2)) | 1) * LINE_LENGTH,
            _ if self.kind.is_histogram() => self.shape.length(),
            _ => 0,
        }
    }

    /// Bytes of its block that are used in the shared lane.
    pub fn shared_length(&self) -> u64 {
        match &self.scheme {
            Scheme::Events(..) => EVENTS_SHARED_LENGTH,
            Scheme::Samples(shape) => shape.length(),
            Scheme::Group(..) => GROUP_SHARED_LENGTH,
            Scheme::Text(_) | Scheme::InFlight(_) => self.length(),
            _ => self.shape.shared_length(),
        }
    }
}

impl Scheme {
    /// Number of buckets; 0 if there are none.
    pub fn buckets(&self) -> usize {
        match self {
            Scheme::None | Scheme::Events(..) | Scheme::Samples(_) => 0,
            Scheme::Text(_) | Scheme::Group(..) | Scheme::InFlight(_) => 0,
            Scheme::Exponential(buckets) => buckets.buckets(),
            Scheme::Classic(bounds) => bounds.len() + 1,
        }
    }
}
