//! The families and series of a segment, validated once and kept.
//!
//! Records are immutable once they are ready, so each is copied, checked and decoded one time; afterwards a snapshot only walks over
//! them. A record that fails a check is remembered as [`Skipped`] and hides nothing else.
//!
//! Several records of one family with the same labels are *revisions*: the buckets of a histogram were changed. They become one
//! [`Group`]. Exponential revisions are added up in their common scheme; of classic ones only the newest is shown.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::{BucketScheme, Description, Skipped};
use crate::buckets::Classic;
use crate::layout::block::BlockShape;
use crate::layout::error::RecordError;
use crate::layout::geometry::Geometry;
use crate::layout::header::RESERVED_OFFSET;
use crate::layout::kind::{Kind, Space};
use crate::layout::record::*;
use crate::layout::{WORD_LENGTH, labels};
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
    /// Its block; empty for counters and gauges.
    pub(super) shape: BlockShape,
    /// Its buckets; `None` for counters and gauges.
    pub(super) scheme: Option<BucketScheme>,
    /// Its place among all histogram members, which never changes: where the reader keeps what it read of it.
    pub(super) ordinal: usize,
}

/// One output series.
#[derive(Debug)]
pub(super) struct Group {
    /// What a snapshot shows of it.
    pub(super) description: Arc<Description>,
    /// The buckets of the output; `None` for counters and gauges.
    pub(super) scheme: Option<BucketScheme>,
    /// Oldest first.
    members: Vec<Member>,
}

impl Group {
    /// The members that count: all, or the newest of classic buckets.
    pub(super) fn shown(&self) -> &[Member] {
        let classic = self.description.kind == Kind::HistogramClassic;
        &self.members[if classic { self.members.len() - 1 } else { 0 }..]
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
        // The start of what is shown: where classic buckets change, the count starts anew and so must its start time.
        let created_ns = self
            .shown()
            .iter()
            .map(|member| member.series.created_ns)
            .min()
            .unwrap_or(0);
        if self.description.created_ns != created_ns {
            self.description = Arc::new(Description {
                created_ns,
                ..Description::clone(&self.description)
            });
        }
    }
}

#[derive(Debug)]
struct Family {
    record: FamilyRecord,
    name: String,
    help: String,
    unit: String,
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
    histograms: usize,
    /// Cells taken, by space: start -> (end, record).
    cells: [BTreeMap<u64, (u64, u64)>; 3],
    /// Bytes of labels decoded. Honest label texts never overlap, so they fit the region together; this bounds memory.
    labels_length: u64,
    skipped: Vec<Skipped>,
    skipped_records: HashSet<u64>,
}

impl Catalog {
    /// Takes up what became ready. Allocates nothing if nothing did. Bounded by the number of records.
    pub(super) fn update(&mut self, words: ReadWords<'_>, geometry: &Geometry) {
        let reserved = words.load(word(RESERVED_OFFSET)).min(geometry.records);
        if self.known.len() < reserved as usize {
            self.known.resize(reserved as usize, false);
        }
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
            match self.take_up(number, words, geometry) {
                Ok(()) => changed = true,
                Err(reason) => self.skip(number, reason),
            }
        }
        if changed {
            self.arrange();
        }
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

    /// Histogram members in all: every ordinal is below.
    pub(super) fn histograms(&self) -> usize {
        self.histograms
    }

    /// Records that were passed over.
    pub(super) fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    fn skip(&mut self, record: u64, reason: RecordError) {
        if self.skipped_records.insert(record) {
            self.skipped.push(Skipped { record, reason });
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
    }

    fn take_up(&mut self, number: u64, words: ReadWords<'_>, geometry: &Geometry) -> Result<(), RecordError> {
        let copy = copy_record(number, words, geometry);
        let series = match Record::parse(&copy, geometry)? {
            Record::Series(series) => series,
            Record::Family(_) => {
                self.family(number, words, geometry);
                return Ok(());
            }
        };
        let placement = series.cell(copy[CELL_WORD], geometry)?;
        let family = self
            .family(series.family, words, geometry)
            .filter(|family| family.record.kind == series.kind);
        let Some(family) = family else {
            return Err(RecordError::BadFamily { found: series.family });
        };
        let mut description = Description {
            name: family.name.clone(),
            kind: series.kind,
            unit: family.unit.clone(),
            help: family.help.clone(),
            labels: Vec::new(),
            merge: family.record.merge,
            overflow: series.overflow,
            ring_slots: series.ring_slots,
            created_ns: series.created_ns,
        };
        let encoded = self.labels(series.labels, words, geometry)?;
        description.labels = labels::decode(&encoded).ok_or(RecordError::BadEncoding { field: "labels" })?;
        let scheme = scheme(&series, words, geometry)?;
        self.occupy(number, &series, placement)?;

        let shape = match &scheme {
            Some(scheme) => BlockShape::new(scheme.buckets(), usize::from(series.ring_slots)),
            None => BlockShape::new(0, 0),
        };
        let member = Member {
            record: number,
            series,
            placement,
            shape,
            scheme,
            ordinal: self.histograms,
        };
        self.histograms += usize::from(series.kind.is_histogram());
        let index = *self
            .keys
            .entry((series.family, encoded))
            .or_insert(self.groups.len());
        if index == self.groups.len() {
            self.groups.push(Group {
                description: Arc::new(description),
                scheme: None,
                members: Vec::new(),
            });
        }
        self.groups[index].insert(member);
        Ok(())
    }

    /// The family at record `number`, decoded at first use.
    fn family(&mut self, number: u64, words: ReadWords<'_>, geometry: &Geometry) -> Option<&Family> {
        if !self.families.contains_key(&number) {
            let family = match Record::parse(&copy_record(number, words, geometry), geometry) {
                Ok(Record::Family(record)) => match Family::decode(record, words, geometry) {
                    Ok(family) => Some(family),
                    Err(reason) => {
                        self.skip(number, reason);
                        None
                    }
                },
                // A good series; it is not its fault that another record names it as a family.
                Ok(Record::Series(_)) => None,
                Err(reason) => {
                    self.skip(number, reason);
                    None
                }
            };
            self.families.insert(number, family);
            if let Some(known) = self.known.get_mut(number as usize - 1)
                && self.families[&number].is_some()
            {
                *known = true;
            }
        }
        self.families.get(&number)?.as_ref()
    }

    fn labels(
        &mut self,
        range: TextRange,
        words: ReadWords<'_>,
        geometry: &Geometry,
    ) -> Result<Vec<u8>, RecordError> {
        self.labels_length += u64::from(range.length);
        if self.labels_length > geometry.capacities.text_length {
            return Err(RecordError::BadText {
                field: "labels",
                offset: range.offset,
                length: range.length,
            });
        }
        Ok(text(range, words, geometry))
    }

    /// Notes that the record has its cell, unless another record has some of it.
    fn occupy(&mut self, number: u64, series: &SeriesRecord, start: u64) -> Result<(), RecordError> {
        let (space, units) = match series.kind.space() {
            Space::Counters => (0, 1),
            Space::Gauges => (1, 1),
            Space::Blocks => (2, series.length),
        };
        let (cells, end) = (&mut self.cells[space], start + units);
        // Cells held are disjoint: the last one that starts before our end is the only candidate.
        if let Some((_, &(other_end, other))) = cells.range(..end).next_back()
            && other_end > start
        {
            return Err(RecordError::Overlap { found: start, other });
        }
        cells.insert(start, (end, number));
        Ok(())
    }
}

impl Family {
    fn decode(
        record: FamilyRecord,
        words: ReadWords<'_>,
        geometry: &Geometry,
    ) -> Result<Family, RecordError> {
        let read = |range: TextRange, field: &'static str| {
            String::from_utf8(text(range, words, geometry)).map_err(|_| RecordError::BadEncoding { field })
        };
        let (name, help) = (read(record.name, "name")?, read(record.help, "help")?);
        Ok(Family {
            record,
            name,
            help,
            unit: read(record.unit, "unit")?,
        })
    }
}

/// The word at a byte offset.
fn word(offset: u64) -> usize {
    (offset / WORD_LENGTH) as usize
}

fn copy_record(number: u64, words: ReadWords<'_>, geometry: &Geometry) -> [u64; RECORD_WORDS] {
    let mut copy = [0; RECORD_WORDS];
    words.copy(word(geometry.record_offset(number)), &mut copy);
    copy
}

/// The bytes of a validated range of the text region, which is words in the byte order of the machine.
fn text(range: TextRange, words: ReadWords<'_>, geometry: &Geometry) -> Vec<u8> {
    let start = word(geometry.text_offset + u64::from(range.offset));
    let length = range.length as usize;
    let mut bytes: Vec<u8> = (0..length.div_ceil(8))
        .flat_map(|index| words.load(start + index).to_ne_bytes())
        .collect();
    bytes.truncate(length);
    bytes
}

fn scheme(
    series: &SeriesRecord,
    words: ReadWords<'_>,
    geometry: &Geometry,
) -> Result<Option<BucketScheme>, RecordError> {
    match series.buckets {
        Buckets::None => Ok(None),
        Buckets::Exponential(parameters) => Ok(Some(BucketScheme::Exponential(parameters))),
        Buckets::Classic(range) => {
            let start = word(geometry.text_offset + u64::from(range.offset));
            let count = range.length as usize / 8;
            let bounds: Vec<f64> = (0..count)
                .map(|index| f64::from_bits(words.load(start + index)))
                .collect();
            match Classic::new(&bounds) {
                // A trailing +Inf would be dropped and the block's shape would not fit any more.
                Ok(classic) if classic.buckets() == count + 1 => {
                    Ok(Some(BucketScheme::Classic(Arc::new(classic))))
                }
                _ => Err(RecordError::BadBuckets { found: range.pack() }),
            }
        }
    }
}
