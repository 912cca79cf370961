//! Registration: families and series, lock-free, get-or-create, over the tables of a segment.
//!
//! A series comes to be in three steps that anyone may finish, each idempotent:
//! 1. look up; else take a record, fill it, publish its number in the index (the loser of a race keeps its record for its next
//!    registration);
//! 2. place its cell (`protocol::placement`);
//! 3. commit the cell in the shared lane, then `ready := 1` (release).
//!
//! No handle exists and no reader shows the series before the third. Dead anywhere: the next registrant of the same series goes on.

mod tables;
mod visit;

use self::tables::Tables;
pub(crate) use self::visit::{
    for_each_block, for_each_event_ring, for_each_gauge, for_each_group, for_each_samples, number_at,
    recover_records,
};
use super::attachment::Attachment;
use super::commit::{Refused, commit};
use super::host;
use crate::error::RegisterError;
use crate::layout::block::BlockShape;
use crate::layout::events::{EVENTS_SHARED_LENGTH, EventsShape};
use crate::layout::group::{GROUP_SHARED_LENGTH, GroupShape};
use crate::layout::header::*;
use crate::layout::in_flight::InFlightShape;
use crate::layout::kind::{Kind, Merge, Space};
use crate::layout::record::*;
use crate::layout::samples::SamplesShape;
use crate::layout::text::TextShape;
use crate::layout::{LINE_LENGTH, WORD_LENGTH};
use crate::protocol::index::{self, Probe};
use crate::protocol::placement;
use crate::sync::{Acquire, AtomicU64, Relaxed, Release};

/// A family to register.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FamilyKey<'a> {
    pub(crate) name: &'a str,
    pub(crate) help: &'a str,
    pub(crate) unit: &'a str,
    pub(crate) kind: Kind,
    pub(crate) merge: Merge,
}

/// A series to register.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SeriesKey<'a> {
    pub(crate) name: &'a str,
    pub(crate) family: u64,
    pub(crate) kind: Kind,
    pub(crate) labels: &'a [u8],
    pub(crate) factor: f64,
    /// Parameters of exponential buckets, or none.
    pub(crate) exponential: Option<crate::buckets::Exponential>,
    /// How large a table of what is in flight is, or none.
    pub(crate) in_flight: Option<InFlightShape>,
    /// How long a text may be, or none. A series has one block, so that of who came first stands.
    pub(crate) text: Option<TextShape>,
    /// Parameters of a ring of events, or none.
    pub(crate) events: Option<EventsShape>,
    /// How many fields a group has, or none.
    pub(crate) group: Option<GroupShape>,
    /// Classic bounds, as the bytes of their words, the statuses of a state, encoded, the schema of events, or the fields of a
    /// group; empty for other kinds.
    pub(crate) extra: &'a [u8],
    pub(crate) ring_slots: u8,
    /// How many samples are shown, or none.
    pub(crate) samples: Option<SamplesShape>,
    pub(crate) overflow: bool,
    /// How many series the family may have; a new one beyond it is refused as a full "label set".
    pub(crate) limit: u64,
}

const fn padded(length: usize) -> u64 {
    (length as u64).next_multiple_of(WORD_LENGTH)
}

/// Registers a family, or finds it; its number. A conflict of kind, unit or merge rule is an error.
pub(crate) fn register_family(attachment: &Attachment, key: FamilyKey<'_>) -> Result<u64, RegisterError> {
    // In a raw clone the spare records in memory are the parent's until this is done.
    super::fork::ensure_prepared();
    if key.kind.needs_statistics() && attachment.origin.writer_features & STATISTICS_FEATURE == 0 {
        return Err(RegisterError::NoStatistics {
            name: key.name.to_owned(),
            kind: key.kind.name(),
        });
    }
    let tables = Tables::new(attachment);
    let hash = family_hash(key.name);
    let matches = |number: u64| {
        tables.load(number, SHAPE_WORD) as u8 == TYPE_FAMILY
            && tables.text_is(tables.load(number, TEXT_WORD), key.name.as_bytes())
    };
    let number = match index::probe(tables.index, hash, matches) {
        Probe::Found(number) => number,
        Probe::Exhausted => {
            return Err(RegisterError::Damaged {
                name: key.name.to_owned(),
                what: "index",
            });
        }
        Probe::Empty(_) => {
            let lengths = [key.name, key.help, key.unit].map(|text| padded(text.len()));
            let (number, at) = tables.take_record(key.name, lengths.iter().sum())?;
            let name = tables.put_text(at, key.name.as_bytes());
            let help = tables.put_text(at + lengths[0] as u32, key.help.as_bytes());
            let unit = tables.put_text(at + (lengths[0] + lengths[1]) as u32, key.unit.as_bytes());
            let record = Record::Family(FamilyRecord {
                kind: key.kind,
                merge: key.merge,
                name,
                help,
                unit,
            });
            tables.fill(number, &record.to_words(hash));
            tables.publish(key.name, hash, number, matches)?.0
        }
    };
    let shape = tables.load(number, SHAPE_WORD);
    let same = (shape >> 8) as u8 == key.kind as u8
        && (shape >> 16) as u8 == key.merge as u8
        && tables.text_is(tables.load(number, UNIT_WORD), key.unit.as_bytes());
    if same {
        return Ok(number);
    }
    let describe = |kind: Option<Kind>, unit: &str, merge: Option<Merge>| {
        let kind_name = kind.map_or("an unknown kind", Kind::name);
        let merge = merge.filter(|_| kind.is_some_and(|kind| kind.space() == Space::Gauges));
        let rule = merge.map_or(String::new(), |merge| {
            format!(" with merge rule {}", merge.name())
        });
        match unit {
            "" => format!("{kind_name}{rule} without a unit"),
            _ => format!("{kind_name}{rule} in {unit:?}"),
        }
    };
    let existing_unit = tables.text(tables.load(number, UNIT_WORD), MAX_UNIT_LENGTH);
    Err(RegisterError::Conflict {
        name: key.name.to_owned(),
        existing: describe(
            Kind::from_code((shape >> 8) as u8),
            &existing_unit,
            Merge::from_code((shape >> 16) as u8),
        ),
        wanted: describe(Some(key.kind), key.unit, Some(key.merge)),
    })
}

/// Kind and merge rule of the family of this name, if it was ever registered; what one does not know of them is `None`.
pub(crate) fn find_family(attachment: &Attachment, name: &str) -> Option<(Option<Kind>, Option<Merge>)> {
    let tables = Tables::new(attachment);
    let matches = |number: u64| {
        tables.load(number, SHAPE_WORD) as u8 == TYPE_FAMILY
            && tables.text_is(tables.load(number, TEXT_WORD), name.as_bytes())
    };
    let Probe::Found(number) = index::probe(tables.index, family_hash(name), matches) else {
        return None;
    };
    let shape = tables.load(number, SHAPE_WORD);
    Some((
        Kind::from_code((shape >> 8) as u8),
        Merge::from_code((shape >> 16) as u8),
    ))
}

/// A series that is ready.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registered {
    /// In its space: a counter's or gauge's number, a block's byte offset.
    pub(crate) placement: u64,
    /// As its record has it; of other kinds none.
    pub(crate) text: Option<TextShape>,
}

/// Registers a series, or finds it.
pub(crate) fn register_series(
    attachment: &Attachment,
    mut key: SeriesKey<'_>,
) -> Result<Registered, RegisterError> {
    super::fork::ensure_prepared();
    let tables = Tables::new(attachment);
    let hash = series_hash(key.family, key.labels);
    let parameters = match (key.exponential, key.events, key.samples) {
        (Some(parameters), ..) => pack_exponential(parameters),
        (_, Some(events), _) => events.pack(),
        (.., Some(samples)) => samples.shown() as u64,
        _ => match (key.text, key.group) {
            (Some(shape), _) => shape.pack(),
            (_, Some(shape)) => shape.pack(),
            _ => key.in_flight.map_or(0, InFlightShape::pack),
        },
    };
    let matches = |number: u64| {
        let shape = tables.load(number, SHAPE_WORD);
        shape as u8 == TYPE_SERIES
            && tables.load(number, UNIT_WORD) == key.family
            && (shape >> 32) as u8 == key.ring_slots
            && (tables.load(number, BUCKETS_WORD) == parameters || key.text.is_some())
            && tables.load(number, FACTOR_WORD) == key.factor.to_bits()
            && tables.text_is(tables.load(number, TEXT_WORD), key.labels)
            && tables.text_is(tables.load(number, EXTRA_WORD), key.extra)
    };
    let (number, is_new) = match index::probe(tables.index, hash, matches) {
        Probe::Found(number) => (number, false),
        Probe::Exhausted => {
            return Err(RegisterError::Damaged {
                name: key.name.to_owned(),
                what: "index",
            });
        }
        Probe::Empty(_) if tables.load(key.family, MEMBERS_WORD) >= key.limit => {
            let (name, capacity) = (key.name.to_owned(), key.limit);
            return Err(RegisterError::Full {
                name,
                what: "label set",
                capacity,
                option: "limit",
            });
        }
        Probe::Empty(_) => publish_series(&tables, &key, hash, matches)?,
    };
    if is_new {
        tables.word(key.family, MEMBERS_WORD).fetch_add(1, Relaxed);
    }
    if key.text.is_some() {
        key.text = TextShape::new(tables.load(number, BUCKETS_WORD));
        if key.text.is_none() {
            return Err(RegisterError::Damaged {
                name: key.name.to_owned(),
                what: "record of the series",
            });
        }
    }
    let placement = place(&tables, &key, number)?;
    // What is stored at the placement must be inside its space, whatever the file says.
    let (_, capacity, _) = space_of(&tables, key.kind);
    let length = block_lengths(&key).map_or(key.kind.units(), |(length, _)| length);
    let is_aligned = key.kind.space() != Space::Blocks || placement.is_multiple_of(LINE_LENGTH);
    if number > tables.geometry.records || !is_aligned || placement.saturating_add(length) > capacity {
        return Err(RegisterError::Damaged {
            name: key.name.to_owned(),
            what: "placement of the series",
        });
    }
    make_ready(&tables, &key, number, placement)?;
    Ok(Registered {
        placement,
        text: key.text,
    })
}

fn publish_series(
    tables: &Tables<'_>,
    key: &SeriesKey<'_>,
    hash: u64,
    matches: impl Fn(u64) -> bool,
) -> Result<(u64, bool), RegisterError> {
    let length = block_lengths(key).map_or(0, |(length, _)| length);
    // Look before a record is spent on a series that cannot be placed.
    let (word, capacity, option) = space_of(tables, key.kind);
    let wanted = units(key.kind, length);
    let left = capacity.saturating_sub(placement::free(word.load(Relaxed)));
    if wanted > left || length > MAX_BLOCK_LENGTH {
        return Err(full(key, capacity, option));
    }
    let labels_length = padded(key.labels.len());
    let (number, at) = tables.take_record(key.name, labels_length + padded(key.extra.len()))?;
    let labels = tables.put_text(at, key.labels);
    let extra = tables.put_text(at + labels_length as u32, key.extra);
    let record = Record::Series(SeriesRecord {
        family: key.family,
        kind: key.kind,
        labels,
        factor: key.factor,
        buckets: match (key.exponential, key.events, key.samples, key.in_flight, key.text) {
            (Some(parameters), ..) => Buckets::Exponential(parameters),
            (_, Some(shape), ..) => Buckets::Events(shape, extra),
            (_, _, Some(samples), ..) => Buckets::Samples(samples),
            (.., Some(shape), _) => Buckets::InFlight(shape),
            (.., Some(shape)) => Buckets::Text(shape),
            _ if key.extra.is_empty() || key.kind == Kind::State => Buckets::None,
            _ => match key.group {
                Some(shape) => Buckets::Group(shape, extra),
                None => Buckets::Classic(extra),
            },
        },
        statuses: match key.kind {
            Kind::State => extra,
            _ => TextRange::default(),
        },
        ring_slots: key.ring_slots,
        overflow: key.overflow,
        length,
        created_ns: host::wall_ns(),
    });
    tables.fill(number, &record.to_words(hash));
    tables.publish(key.name, hash, number, matches)
}

/// The block of a histogram series; `None` for other kinds.
pub(crate) fn block_shape_of(key: &SeriesKey<'_>) -> Option<BlockShape> {
    let buckets = match (key.exponential, key.kind) {
        (Some(parameters), _) => parameters.buckets(),
        (None, Kind::HistogramClassic) => key.extra.len() / 8 + 1,
        _ => return None,
    };
    Some(BlockShape::new(buckets, usize::from(key.ring_slots)))
}

/// Bytes of the block of a series in a lane, and of the part that the shared lane uses; `None` for kinds without one.
fn block_lengths(key: &SeriesKey<'_>) -> Option<(u64, u64)> {
    if let Some(samples) = key.samples {
        return Some((samples.length(), samples.length()));
    }
    if let Some(shape) = key.text {
        return Some((shape.length(), shape.length()));
    }
    if let Some(shape) = key.in_flight {
        return Some((shape.length(), shape.length()));
    }
    if let Some(shape) = key.group {
        return Some((shape.length(), GROUP_SHARED_LENGTH));
    }
    match key.events {
        Some(shape) => Some((shape.length(), EVENTS_SHARED_LENGTH)),
        None => block_shape_of(key).map(|shape| (shape.length(), shape.shared_length())),
    }
}

fn full(key: &SeriesKey<'_>, capacity: u64, option: &'static str) -> RegisterError {
    let what = match key.kind.space() {
        Space::Counters => "counter",
        Space::Gauges => "gauge",
        Space::Blocks if key.kind == Kind::Text => "text",
        Space::Blocks if key.kind == Kind::InFlight => "table of what is in flight",
        Space::Blocks if key.kind.is_histogram() => "histogram block",
        Space::Blocks if key.kind == Kind::Events => "ring of events",
        Space::Blocks if key.kind == Kind::Group => "group",
        Space::Blocks => "block",
    };
    RegisterError::Full {
        name: key.name.to_owned(),
        what,
        capacity,
        option,
    }
}

/// Placement word of a kind's space, its capacity, and the option that enlarges it.
fn space_of<'a>(tables: &Tables<'a>, kind: Kind) -> (&'a AtomicU64, u64, &'static str) {
    let capacities = &tables.geometry.capacities;
    match kind.space() {
        Space::Counters => (
            tables.attachment.word(COUNTER_PLACEMENT_OFFSET),
            capacities.counters,
            "counters",
        ),
        Space::Gauges => (
            tables.attachment.word(GAUGE_PLACEMENT_OFFSET),
            capacities.gauges,
            "gauges",
        ),
        Space::Blocks => (
            tables.attachment.word(BLOCK_PLACEMENT_OFFSET),
            capacities.blocks_length,
            "blocks_length",
        ),
    }
}

fn units(kind: Kind, length: u64) -> u64 {
    match kind.space() {
        Space::Blocks => length.max(LINE_LENGTH),
        Space::Counters | Space::Gauges => kind.units(),
    }
}

fn place(tables: &Tables<'_>, key: &SeriesKey<'_>, number: u64) -> Result<u64, RegisterError> {
    let (word, capacity, option) = space_of(tables, key.kind);
    // Who helps another one's placement needs the units of that kind. Every kind of the segment is known: V-12.
    let units_of = |record: u64| {
        let kind = Kind::from_code((tables.load(record, SHAPE_WORD) >> 8) as u8).unwrap_or(key.kind);
        units(kind, tables.load(record, LENGTH_WORD))
    };
    placement::place(
        word,
        number,
        capacity,
        |record| tables.word(record, CELL_WORD),
        units_of,
    )
    .map_err(|_| full(key, capacity, option))
}

fn make_ready(
    tables: &Tables<'_>,
    key: &SeriesKey<'_>,
    number: u64,
    placement: u64,
) -> Result<(), RegisterError> {
    let ready = tables.word(number, READY_WORD);
    if ready.load(Acquire) != 0 {
        return Ok(());
    }
    let (geometry, attachment) = (tables.geometry, tables.attachment);
    let committed = match key.kind.space() {
        Space::Counters => commit(
            attachment,
            "a counter in the shared lane",
            geometry.shared_counters_offset + placement * LINE_LENGTH,
            LINE_LENGTH * key.kind.units(),
        ),
        Space::Gauges => Ok(()),
        Space::Blocks => {
            let length = block_lengths(key).map_or(0, |(_, shared)| shared);
            let what = match key.kind {
                Kind::Text => "a text",
                Kind::InFlight => "a table of what is in flight",
                kind if kind.is_histogram() => "a histogram in the shared lane",
                _ => "a block in the shared lane",
            };
            commit(
                attachment,
                what,
                geometry.shared_blocks_offset + placement,
                length,
            )
        }
    };
    let reason = |refused| match refused {
        Refused::Budget => format!("the budget of {} bytes is used up", geometry.capacities.budget),
        Refused::Storage => "the file system or the memory limit has no room".to_owned(),
    };
    committed.map_err(|refused| RegisterError::Storage {
        name: key.name.to_owned(),
        reason: reason(refused),
    })?;
    ready.store(READY, Release);
    Ok(())
}
