//! What records say once their texts are read: the rules of SPEC.md section 12.2 that parsing a record cannot see.
//!
//! The reader's catalog, the verifier and the dump judge records here, so that none of them can disagree with another. Everything is
//! loaded into private memory, and bounded: a text by the limit that its range was validated against, all labels together by
//! [`Validation`].

use std::collections::BTreeMap;
use std::sync::Arc;

use super::BucketScheme;
use crate::buckets::Classic;
use crate::layout::error::RecordError;
use crate::layout::events::Schema;
use crate::layout::geometry::Geometry;
use crate::layout::group;
use crate::layout::kind::{Kind, Space};
use crate::layout::record::*;
use crate::layout::statuses::{self, Status};
use crate::layout::{WORD_LENGTH, labels};
use crate::words::ReadWords;

/// Records and texts of a segment.
#[derive(Clone, Copy)]
pub(crate) struct Contents<'a> {
    words: ReadWords<'a>,
    geometry: &'a Geometry,
}

/// A family all of whose parts are valid.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) record: FamilyRecord,
    pub(crate) name: String,
    pub(crate) help: String,
    pub(crate) unit: String,
}

/// What the texts of a valid series say.
#[derive(Debug)]
pub(crate) struct SeriesTexts {
    /// The labels in canonical form.
    pub(crate) encoded: Vec<u8>,
    /// The labels.
    pub(crate) labels: Vec<(String, String)>,
    /// The buckets; `None` for what is no histogram.
    pub(crate) scheme: Option<BucketScheme>,
    /// The kinds of events; `None` for what is no events series.
    pub(crate) schema: Option<Schema>,
    /// The statuses of a state; empty for other kinds.
    pub(crate) statuses: Arc<[Status]>,
    /// The names of a group's fields; empty for other kinds.
    pub(crate) fields: Arc<[Arc<str>]>,
}

impl<'a> Contents<'a> {
    pub(crate) fn new(words: ReadWords<'a>, geometry: &'a Geometry) -> Self {
        Self { words, geometry }
    }

    /// A copy of the record with this number, which is within `1..=records`.
    pub(crate) fn record(&self, number: u64) -> [u64; RECORD_WORDS] {
        let mut copy = [0; RECORD_WORDS];
        let start = (self.geometry.record_offset(number) / WORD_LENGTH) as usize;
        self.words.copy(start, &mut copy);
        copy
    }

    /// The words of a validated range of the text region.
    pub(crate) fn text_words(&self, range: TextRange) -> Vec<u64> {
        let start = ((self.geometry.text_offset + u64::from(range.offset)) / WORD_LENGTH) as usize;
        let count = u64::from(range.length).div_ceil(WORD_LENGTH) as usize;
        (start..start + count)
            .map(|index| self.words.load(index))
            .collect()
    }

    /// The bytes of a validated range of the text region, which is words in the byte order of the machine.
    pub(crate) fn text(&self, range: TextRange) -> Vec<u8> {
        let words = self.text_words(range);
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        bytes.truncate(range.length as usize);
        bytes
    }

    /// The texts of a family (V-29).
    pub(crate) fn family(&self, record: FamilyRecord) -> Result<Family, RecordError> {
        let read = |range, field| {
            String::from_utf8(self.text(range)).map_err(|_| RecordError::BadEncoding { field })
        };
        let (name, help) = (read(record.name, "name")?, read(record.help, "help")?);
        Ok(Family {
            record,
            name,
            help,
            unit: read(record.unit, "unit")?,
        })
    }

    /// The buckets of a series (V-25, the values of bounds).
    fn scheme(&self, series: &SeriesRecord) -> Result<Option<BucketScheme>, RecordError> {
        match series.buckets {
            Buckets::None | Buckets::Events(..) | Buckets::Samples(_) => Ok(None),
            Buckets::Text(_) | Buckets::InFlight(_) => Ok(None),
            Buckets::Group(..) => Ok(None),
            Buckets::Exponential(parameters) => Ok(Some(BucketScheme::Exponential(parameters))),
            Buckets::Classic(range) => {
                let bounds: Vec<f64> = self.text_words(range).into_iter().map(f64::from_bits).collect();
                match Classic::new(&bounds) {
                    // A trailing +Inf would be dropped and the block's shape would not fit any more.
                    Ok(classic) if classic.buckets() == bounds.len() + 1 => {
                        Ok(Some(BucketScheme::Classic(Arc::new(classic))))
                    }
                    _ => Err(RecordError::BadBuckets { found: range.pack() }),
                }
            }
        }
    }

    /// The schema of a series (V-29).
    fn schema(&self, series: &SeriesRecord) -> Result<Option<Schema>, RecordError> {
        let Buckets::Events(shape, range) = series.buckets else {
            return Ok(None);
        };
        let text = String::from_utf8(self.text(range)).ok();
        let schema = text.and_then(|text| Schema::parse(&text, &shape));
        schema
            .map(Some)
            .ok_or(RecordError::BadEncoding { field: "schema" })
    }

    /// The names of a group's fields (V-29).
    fn fields(&self, series: &SeriesRecord) -> Result<Arc<[Arc<str>]>, RecordError> {
        let Buckets::Group(shape, range) = series.buckets else {
            return Ok(Arc::new([]));
        };
        let text = String::from_utf8(self.text(range)).ok();
        let names = text.as_deref().and_then(|text| group::decode(text, &shape));
        let names = names.ok_or(RecordError::BadEncoding { field: "fields" })?;
        Ok(names.into_iter().map(Arc::from).collect())
    }

    /// The statuses of a state (V-25).
    fn statuses(&self, series: &SeriesRecord) -> Result<Arc<[Status]>, RecordError> {
        match series.kind {
            Kind::State => match statuses::decode(&self.text(series.statuses)) {
                Some(statuses) => Ok(statuses.into()),
                None => Err(RecordError::BadBuckets {
                    found: series.statuses.pack(),
                }),
            },
            _ => Ok(Arc::new([])),
        }
    }
}

/// What rules compare a record with: the records that were taken up before it.
#[derive(Debug, Default)]
pub(crate) struct Validation {
    /// Bytes of labels decoded. Honest label texts never overlap, so they fit the region together; this bounds memory.
    labels_length: u64,
    /// Cells taken, by space: start -> (end, record).
    cells: [BTreeMap<u64, (u64, u64)>; 3],
}

impl Validation {
    /// From V-27 (the family) to V-25 (the values of bounds), in the order of SPEC.md. `family` is that which the series names, if it
    /// is a valid one. The cell (V-28) comes before, [`occupy`](Self::occupy) (V-30) after it.
    pub(crate) fn series(
        &mut self,
        contents: &Contents<'_>,
        series: &SeriesRecord,
        family: Option<&FamilyRecord>,
    ) -> Result<SeriesTexts, RecordError> {
        if family.is_none_or(|family| family.kind != series.kind) {
            return Err(RecordError::BadFamily { found: series.family });
        }
        let TextRange { offset, length } = series.labels;
        let together = self.labels_length + u64::from(length);
        if together > contents.geometry.capacities.text_length {
            return Err(RecordError::BadText {
                field: "labels",
                offset,
                length,
            });
        }
        // Only now: a text that does not fit is not counted.
        self.labels_length = together;
        let encoded = contents.text(series.labels);
        let labels = labels::decode(&encoded).ok_or(RecordError::BadEncoding { field: "labels" })?;
        let scheme = contents.scheme(series)?;
        let schema = contents.schema(series)?;
        let statuses = contents.statuses(series)?;
        let fields = contents.fields(series)?;
        Ok(SeriesTexts {
            encoded,
            labels,
            scheme,
            schema,
            statuses,
            fields,
        })
    }

    /// Notes that the record has its cell at `start`, unless another record has some of it (V-30).
    pub(crate) fn occupy(
        &mut self,
        number: u64,
        series: &SeriesRecord,
        start: u64,
    ) -> Result<(), RecordError> {
        let (space, units) = match series.kind.space() {
            Space::Counters => (0, series.kind.units()),
            Space::Gauges => (1, series.kind.units()),
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
