//! A segment made by hand for tests: every word is placed by this file from the layout alone, so that the reader is tested against
//! the format and not against the writers of this crate.

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

pub(super) use super::View;
use super::{Clocks, Reader};
use crate::buckets::Exponential;
use crate::layout::block::{BlockShape, EPOCH};
use crate::layout::directory::*;
use crate::layout::geometry::{BLOCK_GRANULE_LENGTH, Capacities, Geometry, Origin};
use crate::layout::header::*;
use crate::layout::kind::{Kind, Merge};
use crate::layout::record::*;
use crate::layout::{Fnv, LINE_LENGTH, labels};
use crate::map::Mapping;
use crate::protocol::histogram::{IntegerSum, Observation, record};
use crate::protocol::{ring, shared};
use crate::snapshot::{Histogram, Snapshot, Value};
use crate::sync::AtomicU64;

/// Seconds of an epoch.
pub(super) const EPOCH_SECONDS: u64 = 10;
/// The everyday histogram of these tests: 4 octaves of whole units, two buckets each.
pub(super) const OCTAVES: (u8, i16, i16) = (1, 0, 4);

/// A segment in a temporary file.
pub(super) struct Segment {
    pub(super) path: PathBuf,
    pub(super) geometry: Geometry,
    pub(super) file: File,
    mapping: Mapping,
}

impl Drop for Segment {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Segment {
    pub(super) fn new() -> Segment {
        Segment::with_room_for(4, 4)
    }

    pub(super) fn with_room_for(process_slots: u64, lanes: u64) -> Segment {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let capacities = Capacities {
            process_slots,
            lanes,
            series: 16,
            text_length: 4096,
            counters: 16,
            gauges: 8,
            blocks_length: 64 * 1024,
            errors: 4,
            reset_tables: 2,
            budget: 1 << 20,
            epoch_length_ns: EPOCH_SECONDS * 1_000_000_000,
        };
        let geometry = Geometry::plan(capacities).unwrap();
        let number = NUMBER.fetch_add(1, Relaxed);
        let path = std::env::temp_dir().join(format!("shmetrics-reader-{}-{number}", std::process::id()));
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .unwrap();
        file.set_len(geometry.file_length).unwrap();
        let mapping = Mapping::writable(&file, geometry.file_length).unwrap();
        let segment = Segment {
            path,
            geometry,
            file,
            mapping,
        };
        let origin = Origin {
            boot_id: [1, 2],
            created_ns: 1_700_000_000_000_000_000,
            created_monotonic_ns: 40_000_000_000,
            segment_id: 0xabc,
            writer_features: 0,
        };
        for (index, word) in geometry.to_words(&origin).into_iter().enumerate() {
            segment.set(index as u64 * 8, word);
        }
        segment
    }

    pub(super) fn word(&self, offset: u64) -> &AtomicU64 {
        assert!(offset.is_multiple_of(8));
        &self.mapping.words().unwrap()[(offset / 8) as usize]
    }

    pub(super) fn set(&self, offset: u64, value: u64) {
        self.word(offset).store(value, Relaxed);
    }

    fn words(&self, offset: u64, length: u64) -> &[AtomicU64] {
        &self.mapping.words().unwrap()[(offset / 8) as usize..((offset + length) / 8) as usize]
    }

    pub(super) fn reader(&self) -> Reader {
        Reader::open_path(&self.path).unwrap()
    }

    pub(super) fn text(&self, bytes: &[u8]) -> TextRange {
        let used = self
            .word(TEXT_USED_OFFSET)
            .fetch_add((bytes.len() as u64).next_multiple_of(8), Relaxed);
        for (index, chunk) in bytes.chunks(8).enumerate() {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.set(
                self.geometry.text_offset + used + index as u64 * 8,
                u64::from_ne_bytes(word),
            );
        }
        TextRange {
            offset: used as u32,
            length: bytes.len() as u32,
        }
    }

    /// Adds a record; returns its number.
    fn record(&self, content: &Record) -> u64 {
        let number = self.word(RESERVED_OFFSET).fetch_add(1, Relaxed) + 1;
        for (index, word) in content.to_words(5).into_iter().enumerate() {
            self.set_record_word(number, index, word);
        }
        number
    }

    pub(super) fn set_record_word(&self, number: u64, word: usize, value: u64) {
        self.set(self.geometry.record_offset(number) + word as u64 * 8, value);
    }

    /// Makes the checksum of a changed record right again.
    pub(super) fn mend_checksum(&self, number: u64) {
        let start = self.geometry.record_offset(number);
        let words =
            (SHAPE_WORD..CHECKSUM_WORD).map(|index| self.word(start + index as u64 * 8).load(Relaxed));
        let checksum = words.fold(Fnv::new(), |hash, word| hash.word(word)).finish();
        self.set_record_word(number, CHECKSUM_WORD, checksum);
    }

    pub(super) fn family(&self, name: &str, kind: Kind, merge: Merge) -> u64 {
        let (name, help, unit) = (
            self.text(name.as_bytes()),
            self.text(b"What it is."),
            self.text(b"things"),
        );
        self.record(&Record::Family(FamilyRecord {
            kind,
            merge,
            name,
            help,
            unit,
        }))
    }

    /// Places a series after those of its space and makes it ready.
    pub(super) fn series(&self, family: u64, labels: &[(&str, &str)], of: SeriesRecord) -> Series<'_> {
        let labels = self.text(&labels::encode(labels).unwrap());
        let (offset, units) = match of.kind {
            Kind::CounterU64 | Kind::CounterF64 | Kind::Number => (COUNTER_PLACEMENT_OFFSET, of.kind.units()),
            Kind::GaugeI64 | Kind::GaugeF64 => (GAUGE_PLACEMENT_OFFSET, 1),
            _ => (BLOCK_PLACEMENT_OFFSET, of.length),
        };
        let placement = self.word(offset).fetch_add(units, Relaxed);
        let series = SeriesRecord { family, labels, ..of };
        let number = self.record(&Record::Series(series));
        self.set_record_word(number, CELL_WORD, placement + 1);
        self.set_record_word(number, READY_WORD, READY);
        Series {
            segment: self,
            number,
            placement,
            series,
        }
    }

    /// A family with one series without labels.
    pub(super) fn single(&self, name: &str, merge: Merge, of: SeriesRecord) -> Series<'_> {
        self.series(self.family(name, of.kind, merge), &[], of)
    }

    pub(super) fn slot(&self, slot: u64, owner: SlotOwner, role: &str) -> OwnerTag {
        let entry = self.geometry.process_entry_offset(slot);
        self.set(
            entry + PROCESS_COMMITTED_OFFSET,
            self.geometry.capacities.gauges * GAUGE_CELL_LENGTH,
        );
        self.set(entry + PROCESS_PID_OFFSET, 1000 + slot);
        self.set(entry + PROCESS_PID_NAMESPACE_OFFSET, 77);
        self.set(entry + PROCESS_START_TICKS_OFFSET, 88);
        self.set(entry + PROCESS_CLAIMED_NS_OFFSET, 1_700_000_001_000_000_000);
        let put = |offset: u64, text: &str| {
            for (index, chunk) in text.as_bytes().chunks(8).enumerate() {
                let mut word = [0; 8];
                word[..chunk.len()].copy_from_slice(chunk);
                self.set(entry + offset + index as u64 * 8, u64::from_ne_bytes(word));
            }
        };
        put(PROCESS_ROLE_OFFSET, role);
        put(PROCESS_COMMAND_OFFSET, "worker --fast");
        self.set(entry + PROCESS_OWNER_OFFSET, owner.0);
        OwnerTag::new(slot, owner.incarnation())
    }

    pub(super) fn active(&self, slot: u64, role: &str) -> OwnerTag {
        self.slot(slot, SlotOwner::new(1, SlotState::Active), role)
    }

    pub(super) fn lane(&self, lane: u64, owner: OwnerTag, incarnation: u64) {
        let entry = self.geometry.lane_entry_offset(lane);
        self.set(entry + LANE_OWNER_OFFSET, owner.0);
        self.set(entry + LANE_INCARNATION_OFFSET, incarnation);
        self.set(entry + LANE_COMMITTED_OFFSET, self.geometry.lane_front_length());
        if incarnation == 1 && self.word(entry + LANE_BASELINE_OWNER_OFFSET).load(Relaxed) == 0 {
            self.set(entry + LANE_BASELINE_OWNER_OFFSET, owner.0);
        }
    }

    /// Holds, or gives back, the lock bytes of all slots.
    pub(super) fn lock_slots(&self, held: bool) {
        use rustix::fs::{FlockOperation, fcntl_lock};
        let operation = if held {
            FlockOperation::NonBlockingLockExclusive
        } else {
            FlockOperation::NonBlockingUnlock
        };
        fcntl_lock(&self.file, operation).unwrap();
    }
}

fn plain(kind: Kind) -> SeriesRecord {
    SeriesRecord {
        family: 0,
        kind,
        labels: TextRange::default(),
        factor: 1.0,
        buckets: Buckets::None,
        statuses: TextRange::default(),
        ring_slots: 0,
        overflow: false,
        length: 0,
        created_ns: 1_700_000_002_000_000_000,
    }
}

pub(super) fn counter() -> SeriesRecord {
    plain(Kind::CounterU64)
}

pub(super) fn counter_f64() -> SeriesRecord {
    plain(Kind::CounterF64)
}

pub(super) fn gauge() -> SeriesRecord {
    plain(Kind::GaugeI64)
}

pub(super) fn gauge_f64() -> SeriesRecord {
    plain(Kind::GaugeF64)
}

pub(super) fn histogram((scale, low, high): (u8, i16, i16), ring_slots: u8) -> SeriesRecord {
    let buckets = Exponential::new(scale, low, high).unwrap();
    SeriesRecord {
        buckets: Buckets::Exponential(buckets),
        ring_slots,
        length: BlockShape::new(buckets.buckets(), usize::from(ring_slots)).length(),
        factor: 0.5,
        ..plain(Kind::HistogramInteger)
    }
}

pub(super) fn classic(segment: &Segment, bounds: &[f64]) -> SeriesRecord {
    let bytes: Vec<u8> = bounds
        .iter()
        .flat_map(|bound| bound.to_bits().to_ne_bytes())
        .collect();
    SeriesRecord {
        buckets: Buckets::Classic(segment.text(&bytes)),
        length: BlockShape::new(bounds.len() + 1, 0).length(),
        ..plain(Kind::HistogramClassic)
    }
}

/// A series of a hand-made segment.
#[derive(Clone, Copy)]
pub(super) struct Series<'a> {
    segment: &'a Segment,
    pub(super) number: u64,
    pub(super) placement: u64,
    series: SeriesRecord,
}

impl<'a> Series<'a> {
    /// The counter word in a lane; lane 0 is the shared one.
    pub(super) fn counter(&self, lane: u64) -> &'a AtomicU64 {
        let geometry = &self.segment.geometry;
        self.segment.word(match lane {
            0 => geometry.shared_counters_offset + self.placement * LINE_LENGTH,
            lane => geometry.lane_offset(lane) + geometry.lane_counters_offset + self.placement * 8,
        })
    }

    pub(super) fn set_gauge(&self, slot: u64, value: u64, stamp: u64) {
        let cell = self.segment.geometry.slot_offset(slot) + self.placement * GAUGE_CELL_LENGTH;
        self.segment.set(cell + GAUGE_VALUE_OFFSET, value);
        self.segment.set(cell + GAUGE_STAMP_OFFSET, stamp);
    }

    pub(super) fn shape(&self) -> BlockShape {
        let buckets = match self.series.buckets {
            Buckets::Exponential(parameters) => parameters.buckets(),
            Buckets::Classic(range) => range.length as usize / 8 + 1,
            Buckets::None | Buckets::Events(..) | Buckets::Samples(_) => 0,
            Buckets::Text(_) | Buckets::InFlight(_) => 0,
            Buckets::Group(..) => 0,
        };
        BlockShape::new(buckets, usize::from(self.series.ring_slots))
    }

    /// The block in a lane, which is marked as committed.
    pub(super) fn block(&self, lane: u64) -> &'a [AtomicU64] {
        let geometry = &self.segment.geometry;
        if lane == 0 {
            return self
                .segment
                .words(geometry.shared_blocks_offset + self.placement, self.series.length);
        }
        let bit = self.placement / BLOCK_GRANULE_LENGTH;
        self.segment
            .word(geometry.lane_offset(lane) + bit / 64 * 8)
            .fetch_or(1 << (bit % 64), Relaxed);
        let start = geometry.lane_offset(lane) + geometry.lane_blocks_offset + self.placement;
        self.segment.words(start, self.series.length)
    }

    /// What recording `value` base units of a whole-number histogram means.
    pub(super) fn observation(&self, value: u64) -> Observation {
        let Buckets::Exponential(parameters) = self.series.buckets else {
            panic!("exponential only")
        };
        Observation {
            index: parameters.index(value as f64 * self.series.factor),
            value,
            key: value,
        }
    }

    /// Records in a lane, without looking at the epoch.
    pub(super) fn record(&self, lane: u64, values: &[u64]) {
        for &value in values {
            let (block, buckets) = (self.block(lane), self.shape().buckets);
            if lane == 0 {
                shared::record::<IntegerSum>(block, buckets, self.observation(value));
            } else {
                record::<IntegerSum>(block, buckets, self.observation(value));
            }
        }
    }

    /// Records in a lane in an epoch.
    pub(super) fn record_in(&self, lane: u64, epoch: u64, values: &[u64]) {
        if self.block(lane)[EPOCH].load(Relaxed) < epoch {
            ring::rotate(self.block(lane), &self.shape(), epoch);
        }
        self.record(lane, values);
    }
}

/// The clocks at the start of an epoch.
pub(super) fn at_epoch(epoch: u64) -> Clocks {
    let monotonic_ns = epoch * EPOCH_SECONDS * 1_000_000_000;
    Clocks {
        wall_ns: 1_700_000_100_000_000_000,
        monotonic_ns,
    }
}

pub(super) fn snapshot_at(reader: &mut Reader, cut: bool, epoch: u64) -> Snapshot {
    let mut snapshot = Snapshot::default();
    let view = if cut { View::Cut } else { View::Live };
    reader.fill(&mut snapshot, view, at_epoch(epoch));
    snapshot
}

pub(super) fn value<'a>(snapshot: &'a Snapshot, name: &str) -> &'a Value {
    let named = snapshot
        .series
        .iter()
        .find(|series| series.description.name == name);
    &named.unwrap_or_else(|| panic!("no series {name}")).value
}

pub(super) fn histogram_of<'a>(snapshot: &'a Snapshot, name: &str) -> &'a Histogram {
    match value(snapshot, name) {
        Value::Histogram(histogram) => histogram,
        other => panic!("{other:?}"),
    }
}
