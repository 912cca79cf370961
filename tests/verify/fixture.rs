//! A segment with something of everything, made through the public interface, and words of its file changed behind it.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use shmetrics::layout::block::{BlockShape, RING_LABEL};
use shmetrics::layout::geometry::Geometry;
use shmetrics::layout::header::IMMUTABLE_WORDS;
use shmetrics::layout::record::*;
use shmetrics::layout::{Fnv, WORD_LENGTH};
use shmetrics::verify::{Report, Severity, verify};
use shmetrics::{Merge, Preset, Segment, Unit};

use super::support::{Scratch, poll};

/// Numbers of the records, in the order of registration.
pub const EVENTS: u64 = 1;
pub const EVENTS_GET: u64 = 2;
pub const EVENTS_PUT: u64 = 3;
pub const LOAD_FAMILY: u64 = 4;
pub const LOAD: u64 = 5;
pub const DEPTH_FAMILY: u64 = 6;
pub const DEPTH: u64 = 7;
pub const NEWEST: u64 = 9;
pub const LATENCY: u64 = 11;
pub const SIZE: u64 = 13;
pub const STEPS: u64 = 15;

/// Records into each histogram and lane: past the second seal.
const RECORDS: u64 = 40_000;

pub struct Fixture {
    _scratch: Scratch,
    pub path: PathBuf,
    pub file: File,
    pub geometry: Geometry,
}

/// Everything the fixture's segment has.
pub struct Instruments {
    pub events: [shmetrics::Counter; 2],
    pub load: shmetrics::FloatCounter,
    pub depth: shmetrics::Gauge,
    pub newest: shmetrics::FloatGauge,
    pub latency: shmetrics::Histogram,
    pub size: shmetrics::FloatHistogram,
    pub steps: shmetrics::FloatHistogram,
}

impl Instruments {
    pub fn register(segment: &Segment) -> Instruments {
        let events = |method| {
            let counter = segment.counter("events_total").help("Events seen");
            counter.label("method", method).register().unwrap()
        };
        Instruments {
            events: [events("GET"), events("PUT")],
            load: segment
                .counter_float("load_total")
                .unit(Unit::Bytes)
                .register()
                .unwrap(),
            depth: segment.gauge("depth").merge(Merge::Sum).register().unwrap(),
            newest: segment
                .gauge_float("newest")
                .merge(Merge::Last)
                .register()
                .unwrap(),
            latency: segment
                .histogram("latency_seconds")
                .unit(Unit::Seconds)
                .register()
                .unwrap(),
            size: segment
                .histogram_float("size")
                .scale(1)
                .range(-2, 8)
                .register()
                .unwrap(),
            steps: segment
                .histogram_classic("steps", &[1.0, 2.0, 5.0])
                .label("kind", "x")
                .register()
                .unwrap(),
        }
    }

    pub fn use_all(&self, n: u64) {
        self.events[(n & 1) as usize].inc();
        self.load.add(n as f64);
        self.depth.set(n as i64);
        self.newest.set(n as f64);
        self.latency.record(1_000 + n * 7919 % 1_000_000);
        self.size.record((n % 300) as f64);
        self.steps.record((n % 7) as f64);
    }
}

/// Two lanes only, so that a third thread counts in the shared one.
pub fn options() -> shmetrics::segment::options::SegmentOptions {
    Segment::options()
        .preset(Preset::Compact)
        .lanes(2)
        .epoch(Duration::from_millis(1))
        .role("tester")
}

impl Fixture {
    /// Nobody writes any more: all is released.
    pub fn new(name: &str) -> Fixture {
        let scratch = Scratch::new(name);
        let path = scratch.path("segment");
        let segment = options().without_ticker().create_at(&path).unwrap();
        let instruments = Instruments::register(&segment);
        (0..RECORDS).for_each(|n| instruments.use_all(n));
        // Alive together: the second one finds no lane.
        let barrier = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let (instruments, barrier) = (&instruments, &barrier);
                scope.spawn(move || {
                    instruments.use_all(1);
                    barrier.wait();
                    (2..100).for_each(|n| instruments.use_all(n));
                });
            }
        });
        let file = File::options().read(true).write(true).open(&path).unwrap();
        let geometry = geometry(&file);
        let fixture = Fixture {
            _scratch: scratch,
            path,
            file,
            geometry,
        };
        // Epochs go by until both slots of the ring hold one.
        poll("closed epochs", || {
            segment.tick();
            instruments.latency.record(5_000);
            let ring = |slot| {
                let at = fixture.latency_shape().ring(slot) + RING_LABEL;
                fixture.load(fixture.block(1, LATENCY, at))
            };
            (ring(0) != 0 && ring(1) != 0).then_some(())
        });
        drop(instruments);
        drop(segment);
        fixture.assert_clean();
        fixture
    }

    pub fn load(&self, offset: u64) -> u64 {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, offset).unwrap();
        u64::from_ne_bytes(bytes)
    }

    /// Entries of the error log that are taken: the fixture's third thread found no lane.
    pub fn load_errors(&self) -> u64 {
        let claimed = |entry: &u64| self.load(self.geometry.error_entry_offset(*entry)) != 0;
        (0..self.geometry.capacities.errors).take_while(claimed).count() as u64
    }

    pub fn store(&self, offset: u64, value: u64) {
        self.file.write_all_at(&value.to_ne_bytes(), offset).unwrap();
    }

    /// Where a word of a record is.
    pub fn record(&self, number: u64, word: usize) -> u64 {
        self.geometry.record_offset(number) + word as u64 * WORD_LENGTH
    }

    /// Where a text of a record is.
    pub fn text(&self, number: u64, word: usize) -> u64 {
        let range = TextRange::unpack(self.load(self.record(number, word)));
        self.geometry.text_offset + u64::from(range.offset)
    }

    /// A change to a record's content, with its checksum made good.
    pub fn content(&self, number: u64, word: usize, value: u64) -> Vec<(u64, u64)> {
        let mut words: Vec<u64> = (0..RECORD_WORDS)
            .map(|word| self.load(self.record(number, word)))
            .collect();
        words[word] = value;
        let hash = words[SHAPE_WORD..CHECKSUM_WORD]
            .iter()
            .fold(Fnv::new(), |hash, word| hash.word(*word));
        vec![
            (self.record(number, word), value),
            (self.record(number, CHECKSUM_WORD), hash.finish()),
        ]
    }

    /// A change to the header's immutable part, with its checksum made good.
    pub fn header(&self, offset: u64, value: u64) -> Vec<(u64, u64)> {
        let mut words: Vec<u64> = (0..IMMUTABLE_WORDS as u64)
            .map(|word| self.load(word * 8))
            .collect();
        words[offset as usize / 8] = value;
        let hash = words[..IMMUTABLE_WORDS - 1]
            .iter()
            .fold(Fnv::new(), |hash, word| hash.word(*word));
        vec![
            (offset, value),
            (shmetrics::layout::header::CHECKSUM_OFFSET, hash.finish()),
        ]
    }

    fn placement(&self, number: u64) -> u64 {
        self.load(self.record(number, CELL_WORD)) - 1
    }

    /// Where a word of a block is.
    pub fn block(&self, lane: u64, number: u64, word: usize) -> u64 {
        let start = self.geometry.lane_offset(lane) + self.geometry.lane_blocks_offset;
        start + self.placement(number) + word as u64 * 8
    }

    /// Where a word of a block in the shared lane is.
    pub fn shared_block(&self, number: u64, word: usize) -> u64 {
        self.geometry.shared_blocks_offset + self.placement(number) + word as u64 * 8
    }

    /// Where a counter of a lane is.
    pub fn counter(&self, lane: u64, index: u64) -> u64 {
        self.geometry.lane_offset(lane) + self.geometry.lane_counters_offset + index * 8
    }

    /// Where the gauge cell of a record is, in slot 0.
    pub fn gauge(&self, number: u64) -> u64 {
        self.geometry.slot_offset(0) + self.placement(number) * 128
    }

    /// The place of a record in the index.
    pub fn index_place(&self, number: u64) -> u64 {
        self.places()
            .find(|offset| self.load(*offset) & 0xffff_ffff == number)
            .unwrap()
    }

    /// The first empty place of the index that follows another empty one.
    pub fn lonely_place(&self) -> u64 {
        self.places()
            .find(|offset| self.load(*offset) == 0 && self.load(offset + 8) == 0)
            .unwrap()
            + 8
    }

    fn places(&self) -> impl Iterator<Item = u64> {
        (0..self.geometry.index_entries).map(|place| self.geometry.index_offset + place * 8)
    }

    pub fn latency_shape(&self) -> BlockShape {
        let parameters = unpack_exponential(self.load(self.record(LATENCY, BUCKETS_WORD))).unwrap();
        let ring_slots = self.load(self.record(LATENCY, SHAPE_WORD)) >> 32 & 0xff;
        BlockShape::new(parameters.buckets(), ring_slots as usize)
    }

    #[track_caller]
    pub fn assert_clean(&self) {
        assert_no_suspicion(&verify(&self.path).unwrap());
    }

    /// Stores these words, looks what is found, and puts the old ones back.
    pub fn damaged(&self, words: &[(u64, u64)]) -> Report {
        let old: Vec<(u64, u64)> = words
            .iter()
            .map(|(offset, _)| (*offset, self.load(*offset)))
            .collect();
        words
            .iter()
            .for_each(|(offset, value)| self.store(*offset, *value));
        let report = verify(&self.path).unwrap();
        old.iter()
            .rev()
            .for_each(|(offset, value)| self.store(*offset, *value));
        report
    }
}

fn geometry(file: &File) -> Geometry {
    let mut words = [0; IMMUTABLE_WORDS];
    for (index, word) in (0..).zip(&mut words) {
        let mut bytes = [0; 8];
        file.read_exact_at(&mut bytes, index * 8).unwrap();
        *word = u64::from_ne_bytes(bytes);
    }
    Geometry::parse(&words, file.metadata().unwrap().len()).unwrap().0
}

/// The geometry of the segment at `path`.
pub fn geometry_of(path: &Path) -> Geometry {
    geometry(&File::open(path).unwrap())
}

#[track_caller]
pub fn assert_no_suspicion(report: &Report) {
    assert!(
        report.worst().is_none_or(|worst| worst == Severity::Note),
        "{report}"
    );
    assert!(!report.refused, "{report}");
}

/// The rules of errors and warnings.
pub fn rules(report: &Report) -> BTreeSet<(&'static str, Severity)> {
    report
        .findings
        .iter()
        .filter(|finding| finding.severity > Severity::Note)
        .map(|finding| (finding.rule, finding.severity))
        .collect()
}
