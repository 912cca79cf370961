//! The families and series of a segment, validated once and kept.
//!
//! Records are immutable once they are ready, so each is copied, checked and decoded one time; afterwards a snapshot only walks over
//! them. A record that fails a check is remembered as [`Skipped`] and hides nothing else.
//!
//! Several records of one family with the same labels are *revisions*: the buckets of a histogram were changed. They become one
//! [`Group`]. Exponential revisions are added up in their common scheme; of classic ones only the newest is shown.
//! A text has one record; of several, which no writer makes, the oldest is shown.

use std::collections::HashMap;
use std::sync::Arc;

use super::contents::{Contents, Family, Validation};
use super::{BucketScheme, Description, Skipped};
use crate::layout::WORD_LENGTH;
use crate::layout::block::BlockShape;
use crate::layout::error::RecordError;
use crate::layout::events::{EventKind, EventsShape};
use crate::layout::geometry::Geometry;
use crate::layout::header::RESERVED_OFFSET;
use crate::layout::kind::Kind;
use crate::layout::record::*;
use crate::layout::statuses::Status;
use crate::sync::{Acquire, fence};
use crate::words::ReadWords;

/// One record of a group.
#[derive(Debug)]
pub(super) struct Member {
    /// Number of the record.
    pub(super) record: u64,
    /// Its validated content.
    pub(super) series: SeriesRecord,
    /// Where its cell is: unit of counters and gauges, byte offset of blocks.
    pub(super) placement: u64,
    /// Its block, of a group what a reset keeps of it; empty for other kinds.
    pub(super) shape: BlockShape,
    /// Its buckets; `None` for counters and gauges.
    pub(super) scheme: Option<BucketScheme>,
    /// Its rings, and the kinds of its events, ascending by code; `None` for what is no events series.
    pub(super) events: Option<EventsShape>,
    pub(super) schema: Option<Arc<[Arc<EventKind>]>>,
    /// The statuses of a state; empty for other kinds.
    pub(super) statuses: Arc<[Status]>,
    /// The names of a group's fields; empty for other kinds.
    pub(super) fields: Arc<[Arc<str>]>,
    /// Its place among all members that are histograms or groups, which never changes: where the reader keeps what it read of it.
    pub(super) ordinal: usize,
}

/// One output series.
#[derive(Debug)]
pub(super) struct Group {
    /// What a snapshot shows of it.
    pub(super) description: Arc<Description>,
    /// The buckets of the output; `None` for counters and gauges.
    pub(super) scheme: Option<BucketScheme>,
    /// Names of fields, those of all members, each once; empty for what is no group.
    pub(super) fields: Vec<Arc<str>>,
    /// Oldest first.
    members: Vec<Member>,
}

impl Group {
    /// The members that count: all, or the newest of classic buckets, or the oldest of texts.
    pub(super) fn shown(&self) -> &[Member] {
        match self.description.kind {
            Kind::HistogramClassic => &self.members[self.members.len() - 1..],
            Kind::Text => &self.members[..1],
            _ => &self.members,
        }
    }

    /// All of them, oldest first.
    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    fn first_record(&self) -> u64 {
        self.members.iter().map(|member| member.record).min().unwrap_or(0)
    }

    fn insert(&mut self, member: Member) {
        let age = |member: &Member| (member.series.created_ns, member.record);
        let at = self.members.partition_point(|other| age(other) < age(&member));
        self.members.insert(at, member);
        self.scheme = self
            .shown()
            .iter()
            .filter_map(|member| member.scheme.clone())
            .reduce(|a, b| match (a, b) {
                (BucketScheme::Exponential(a), BucketScheme::Exponential(b)) => {
                    BucketScheme::Exponential(a.common(b))
                }
                (_, newer) => newer,
            });
        let mut fields: Vec<Arc<str>> = Vec::new();
        for name in self.members.iter().flat_map(|member| &*member.fields) {
            if !fields.contains(name) {
                fields.push(Arc::clone(name));
            }
        }
        // The start of what is shown: where classic buckets change, the count starts anew and so must its start time.
        let created_ns = self
            .shown()
            .iter()
            .map(|member| member.series.created_ns)
            .min()
            .unwrap_or(0);
        // What shows other fields is described anew, so that whoever prepared something for the old ones notices.
        let is_other = self.members.len() > 1 && fields != self.fields;
        self.fields = fields;
        if self.description.created_ns != created_ns || is_other {
            self.description = Arc::new(Description {
                created_ns,
                ..Description::clone(&self.description)
            });
        }
    }
}

/// A counter word and the group it belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct CounterCell {
    /// Number of the word in a lane.
    pub(super) placement: usize,
    /// Index of the group.
    pub(super) group: usize,
}

/// Everything a segment declares.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    /// By record number minus one: nothing more to learn from it.
    known: Vec<bool>,
    /// Families by record number; `None` = the record is no usable family.
    families: HashMap<u64, Option<Family>>,
    /// Groups by family and encoded labels.
    keys: HashMap<(u64, Vec<u8>), usize>,
    /// In the order they were found; an index into it is never reused.
    groups: Vec<Group>,
    /// Groups in the order of their first record.
    order: Vec<usize>,
    counters_u64: Vec<CounterCell>,
    counters_f64: Vec<CounterCell>,
    numbers: Vec<CounterCell>,
    counter_words: usize,
    blocks: usize,
    /// What the next records are compared with.
    validation: Validation,
    /// Ascending by record; each once.
    skipped: Vec<Skipped>,
}

impl Catalog {
    /// Takes up what became ready. Allocates nothing if nothing did. Bounded by `records`, how many there can be.
    pub(super) fn update(&mut self, words: ReadWords<'_>, geometry: &Geometry, records: u64) {
        let reserved = words
            .load(word(RESERVED_OFFSET))
            .min(geometry.records)
            .min(records);
        if self.known.len() < reserved as usize {
            self.known.resize(reserved as usize, false);
        }
        let contents = Contents::new(words, geometry);
        let mut changed = false;
        for number in 1..=reserved {
            if self.known[number as usize - 1] {
                continue;
            }
            let start = word(geometry.record_offset(number));
            if words.load(start + READY_WORD) != READY {
                continue;
            }
            // Pairs with the release store of ready: the content, its texts and its family are visible.
            fence(Acquire);
            self.known[number as usize - 1] = true;
            match self.take_up(number, &contents, geometry) {
                Ok(()) => changed = true,
                Err(reason) => self.skip(number, reason),
            }
        }
        if changed {
            self.arrange();
        }
    }

    /// How many records there are to look at.
    pub(super) fn reserved(&self) -> usize {
        self.known.len()
    }

    /// The groups by index.
    pub(super) fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Indices of the groups, in the order of registration.
    pub(super) fn order(&self) -> &[usize] {
        &self.order
    }

    /// Words of whole-number counters.
    pub(super) fn counters_u64(&self) -> &[CounterCell] {
        &self.counters_u64
    }

    /// Words of float counters.
    pub(super) fn counters_f64(&self) -> &[CounterCell] {
        &self.counters_f64
    }

    /// Numbers: the word of the whole part; that of the float part is the next one.
    pub(super) fn numbers(&self) -> &[CounterCell] {
        &self.numbers
    }

    /// How many counter words there are up to the last one that holds a whole number.
    pub(super) fn counter_words(&self) -> usize {
        self.counter_words
    }

    /// Members that are histograms or groups, in all: every ordinal is below.
    pub(super) fn blocks(&self) -> usize {
        self.blocks
    }

    /// Records that were passed over.
    pub(super) fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    fn skip(&mut self, record: u64, reason: RecordError) {
        let at = self.skipped.partition_point(|skipped| skipped.record < record);
        if self
            .skipped
            .get(at)
            .is_none_or(|skipped| skipped.record != record)
        {
            self.skipped.insert(at, Skipped { record, reason });
        }
    }

    fn arrange(&mut self) {
        self.order = (0..self.groups.len()).collect();
        self.order.sort_by_key(|group| self.groups[*group].first_record());
        let cells = |kind: Kind| {
            let groups = self
                .groups
                .iter()
                .enumerate()
                .filter(|(_, group)| group.description.kind == kind);
            groups
                .flat_map(|(index, group)| {
                    let cell = move |member: &Member| CounterCell {
                        placement: member.placement as usize,
                        group: index,
                    };
                    group.members.iter().map(cell)
                })
                .collect()
        };
        (self.counters_u64, self.counters_f64) = (cells(Kind::CounterU64), cells(Kind::CounterF64));
        self.numbers = cells(Kind::Number);
        let whole = self.counters_u64.iter().chain(&self.numbers);
        self.counter_words = whole.map(|cell| cell.placement + 1).max().unwrap_or(0);
    }

    fn take_up(
        &mut self,
        number: u64,
        contents: &Contents<'_>,
        geometry: &Geometry,
    ) -> Result<(), RecordError> {
        let copy = contents.record(number);
        let series = match Record::parse(&copy, geometry)? {
            Record::Series(series) => series,
            Record::Family(_) => {
                self.family(number, contents, geometry);
                return Ok(());
            }
        };
        let placement = series.cell(copy[CELL_WORD], geometry)?;
        self.family(series.family, contents, geometry);
        let family = self.families.get(&series.family).and_then(Option::as_ref);
        let texts = self
            .validation
            .series(contents, &series, family.map(|family| &family.record))?;
        // A valid series has one.
        let Some(family) = family else {
            return Err(RecordError::BadFamily { found: series.family });
        };
        self.validation.occupy(number, &series, placement)?;
        let description = Description {
            name: family.name.clone(),
            kind: series.kind,
            unit: family.unit.clone(),
            help: family.help.clone(),
            labels: texts.labels,
            merge: family.record.merge,
            overflow: series.overflow,
            ring_slots: series.ring_slots,
            created_ns: series.created_ns,
        };
        let member = Member {
            record: number,
            series,
            placement,
            shape: series.shape(),
            scheme: texts.scheme,
            events: match series.buckets {
                Buckets::Events(shape, _) => Some(shape),
                _ => None,
            },
            schema: texts
                .schema
                .map(|schema| schema.kinds.into_iter().map(Arc::new).collect()),
            statuses: texts.statuses,
            fields: texts.fields,
            ordinal: self.blocks,
        };
        self.blocks += usize::from(series.kind.has_reset_block());
        let index = *self
            .keys
            .entry((series.family, texts.encoded))
            .or_insert(self.groups.len());
        if index == self.groups.len() {
            self.groups.push(Group {
                description: Arc::new(description),
                scheme: None,
                fields: Vec::new(),
                members: Vec::new(),
            });
        }
        self.groups[index].insert(member);
        Ok(())
    }

    /// Validates the record `number` as a family, once.
    fn family(&mut self, number: u64, contents: &Contents<'_>, geometry: &Geometry) {
        if self.families.contains_key(&number) {
            return;
        }
        let family = match Record::parse(&contents.record(number), geometry) {
            Ok(Record::Family(record)) => contents.family(record).map(Some),
            // A good series; it is not its fault that another record names it as a family.
            Ok(Record::Series(_)) => Ok(None),
            Err(reason) => Err(reason),
        };
        let family = family.unwrap_or_else(|reason| {
            self.skip(number, reason);
            None
        });
        if let Some(known) = self.known.get_mut(number as usize - 1)
            && family.is_some()
        {
            *known = true;
        }
        self.families.insert(number, family);
    }
}

/// The word at a byte offset.
fn word(offset: u64) -> usize {
    (offset / WORD_LENGTH) as usize
}
