//! Damage of what writers are at work on: its numbers move from look to look, and it is found all the same. What cannot be read whole
//! is told, too.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use shmetrics::layout::block::{BUCKETS, COUNT};
use shmetrics::layout::geometry::Geometry;
use shmetrics::layout::record::CELL_WORD;
use shmetrics::verify::{Finding, Place, Report, Severity, verify};
use shmetrics::{FloatHistogram, Preset, Segment};

use super::fixture::*;
use super::support::*;

/// The series; record 1 is its family.
const RECORD: u64 = 2;
/// The lane of the writer that has one. The other finds none and counts in the shared lane.
const LANE: u64 = 1;
/// How often damage is looked for. Most looks must find it: a writer mends the count of a lane at a seal, and a pass that meets the
/// mended one confirms nothing.
const LOOKS: usize = 40;

/// Registers the series.
type Register = fn(&Segment) -> FloatHistogram;

struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Buckets that a copy takes long to make of: all are touched.
fn wide(segment: &Segment) -> FloatHistogram {
    let wide = segment
        .histogram_float("sizes")
        .scale(7)
        .range(-16, 16)
        .ring_slots(0);
    wide.register().unwrap()
}

fn narrow(segment: &Segment) -> FloatHistogram {
    segment
        .histogram_classic("sizes", &[1.0, 2.0])
        .register()
        .unwrap()
}

struct Busy<'a> {
    path: &'a Path,
    geometry: Geometry,
    file: File,
}

/// Two threads record until `check` ends: one in lane 1, one in the shared lane, with other operations for `pause` between two
/// records.
fn while_two_record(name: &str, register: Register, pause: Duration, check: impl FnOnce(&Busy<'_>)) {
    let scratch = Scratch::new(name);
    let path = scratch.path("segment");
    let segment = Segment::options()
        .preset(Preset::Compact)
        .lanes(1)
        .create_at(&path)
        .unwrap();
    let sizes = register(&segment);
    let other = segment.counter("other_total").register().unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _stop = Stop(&stop);
        for _ in 0..2 {
            scope.spawn(|| {
                let mut n = 0u64;
                while !stop.load(Relaxed) {
                    n += 1;
                    sizes.record(((n * 7919 % 32_000) as f64 / 1000.0 - 16.0).exp2());
                    let recorded = Instant::now();
                    while recorded.elapsed() < pause {
                        other.inc();
                    }
                }
            });
        }
        let busy = Busy {
            path: &path,
            geometry: geometry_of(&path),
            file: File::options().read(true).write(true).open(&path).unwrap(),
        };
        poll("both record", || {
            let counts = [busy.lane(COUNT), busy.shared(COUNT)].map(|offset| busy.load(offset));
            counts.iter().all(|count| *count > 20_000).then_some(())
        });
        assert_no_suspicion(&verify(&path).unwrap());
        check(&busy);
    });
}

impl Busy<'_> {
    fn load(&self, offset: u64) -> u64 {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, offset).unwrap();
        u64::from_ne_bytes(bytes)
    }

    fn placement(&self) -> u64 {
        self.load(self.geometry.record_offset(RECORD) + CELL_WORD as u64 * 8) - 1
    }

    fn lane(&self, word: usize) -> u64 {
        let start = self.geometry.lane_offset(LANE) + self.geometry.lane_blocks_offset;
        start + self.placement() + word as u64 * 8
    }

    fn shared(&self, word: usize) -> u64 {
        self.geometry.shared_blocks_offset + self.placement() + word as u64 * 8
    }

    /// Adds to a word that others write, far more than they do meanwhile.
    fn damage(&self, offset: u64) {
        let damaged = self.load(offset).wrapping_add(1 << 40);
        self.file.write_all_at(&damaged.to_ne_bytes(), offset).unwrap();
    }

    /// In how many looks this is found; before each of them the word is damaged anew.
    fn found(&self, offset: u64, rule: &str, place: Place) -> usize {
        let is_it =
            |found: &Finding| found.severity == Severity::Error && found.rule == rule && found.place == place;
        let look = |_: &usize| {
            self.damage(offset);
            verify(self.path).unwrap().findings.iter().any(is_it)
        };
        (0..LOOKS).filter(look).count()
    }
}

#[test]
fn a_damaged_bucket_of_the_shared_lane_is_found_while_it_is_written() {
    while_two_record("verify-busy-shared", narrow, Duration::ZERO, |busy| {
        // Nobody mends it there: every look finds it.
        let found = busy.found(busy.shared(BUCKETS + 1), "10.14", Place::SharedRecord(RECORD));
        assert_eq!(found, LOOKS);
    });
}

#[test]
fn a_damaged_bucket_of_a_lane_is_found_while_it_is_written() {
    let place = Place::LaneRecord {
        lane: LANE,
        record: RECORD,
    };
    // The count is mended after 16,384 records, which takes longer than a look. In the wide one a record begins in every live read.
    for (register, microseconds) in [(narrow as Register, 5), (wide, 2)] {
        let pause = Duration::from_micros(microseconds);
        while_two_record("verify-busy-lane", register, pause, |busy| {
            let found = busy.found(busy.lane(BUCKETS + 1), "10.11", place);
            assert!(found > LOOKS / 2, "{found} of {LOOKS}");
        });
    }
}

#[test]
fn what_is_overtaken_in_every_look_is_told_once() {
    while_two_record("verify-busy-wide", wide, Duration::ZERO, |busy| {
        let report: Report = poll("a look that is overtaken", || {
            let report = verify(busy.path).unwrap();
            assert_no_suspicion(&report);
            let is_it = |found: &Finding| found.message.starts_with("not judged, busy: ");
            let told: Vec<&Finding> = report.findings.iter().filter(|found| is_it(found)).collect();
            assert!(told.len() <= 1, "{report}");
            (!told.is_empty()).then_some(report)
        });
        assert_eq!(report.checked.blocks, 2);
    });
}
