//! Sequences: one life of each reader, through the same states of a segment, snapshot by snapshot and cut by cut. Between two of them
//! words of the file change, also as no writer changes them: both must remember the same and say the same.
//!
//! Each step states what must be shown, so that the two are not wrong alike.

mod lane_steps;
mod ring_steps;

use std::fs::File;
use std::os::unix::fs::FileExt;

use shmetrics::layout::geometry::Capacities;
use shmetrics::snapshot::Clocks;
use shmetrics::{Kind, Merge, Reader};
use shmetrics_conformance::expected::CLOCKS;
use shmetrics_conformance::fact::Fact;
use shmetrics_conformance::golden::small;
use shmetrics_conformance::image::{
    CREATED_MONOTONIC_NS, CREATED_NS, Family, Image, Owner, Parameters, Place, Series,
};

use crate::second_reader::*;
use crate::support::*;

/// The series of a segment. One process has lanes 1, 3 and 4, another lane 2.
struct Made {
    image: Image,
    hits: Series,
    seconds: Series,
    /// Its first record is the newer.
    level: [Series; 2],
    /// Without a ring.
    plain: Series,
    /// With three ring slots.
    ringed: Series,
    /// With a factor that no float has exactly.
    timed: Series,
}

/// What becomes of the segment, and what must then be shown.
struct Step {
    about: &'static str,
    /// The epoch it is then.
    epoch: u64,
    change: fn(&mut Made),
    live: Vec<Fact>,
    cut: Vec<Fact>,
}

fn made() -> Made {
    let capacities = Capacities {
        lanes: 4,
        series: 16,
        blocks_length: 16_384,
        ..small()
    };
    let mut image = Image::new(capacities).unwrap();
    let single = |image: &mut Image, name, kind, parameters: &Parameters| {
        image.single(&Family::new(name, kind), parameters)
    };
    let hits = single(&mut image, "hits", Kind::CounterU64, &Parameters::plain());
    let seconds = single(&mut image, "seconds", Kind::CounterF64, &Parameters::plain());
    let family = image.family(&Family::new("level", Kind::GaugeI64).merge(Merge::Each));
    let level = [2, 1].map(|age| {
        let parameters = Parameters::plain().created_ns(CREATED_NS + age);
        image.series(family, &[], &parameters)
    });
    let buckets = || Parameters::exponential(0, 0, 3);
    let plain = single(&mut image, "plain", Kind::HistogramInteger, &buckets());
    let ringed = single(&mut image, "ringed", Kind::HistogramInteger, &buckets().ring(3));
    let timed = single(
        &mut image,
        "timed",
        Kind::HistogramInteger,
        &buckets().factor(0.1),
    );
    let web = image.claim(0, &Owner::new("web"));
    let other = image.claim(1, &Owner::new("other").pid(1001));
    image.take(1, web).take(2, other).take(3, web).take(4, web);
    Made {
        image,
        hits,
        seconds,
        level,
        plain,
        ringed,
        timed,
    }
}

impl Made {
    fn set(&mut self, series: fn(&Made) -> &Series, lane: u64, field: &str, value: u64) {
        let block = self.image.block_offset(series(self), lane);
        self.image.set(Place::Block(block), field, value);
    }

    fn record(&mut self, series: fn(&Made) -> &Series, lane: u64, values: &[u64]) {
        let series = series(self).clone();
        for &value in values {
            self.image.record(&series, lane, value);
        }
    }

    /// Records the value 1 in lane 1 in an epoch.
    fn ring(&mut self, epoch: u64, times: usize) {
        let ringed = self.ringed.clone();
        for _ in 0..times {
            self.image.record_in(&ringed, 1, epoch, 1);
        }
    }

    fn add_to_bucket(&mut self, series: fn(&Made) -> &Series, lane: u64, bucket: usize, by: u64) {
        let at = self.image.bucket_offset(series(self), lane, bucket);
        self.image.set_word(at, self.image.word(at).wrapping_add(by));
    }

    /// The label of the last rotation of `ringed` in lane 1.
    fn label(&mut self, label: u64) {
        let block = Place::Block(self.image.block_offset(&self.ringed, 1));
        let slot = (self.image.get(block, "rotations") - 1) % self.ringed.shape.ring_slots as u64;
        let slot = self.image.ring_offset(&self.ringed, 1, slot as usize);
        self.image.set(Place::RingSlot(slot), "ring_label", label);
    }

    fn seconds(&mut self, lane: u64, value: f64) {
        let at = self.image.counter_offset(&self.seconds, lane);
        self.image.set_word(at, value.to_bits());
    }
}

/// The clocks in the middle of an epoch.
fn clocks(epoch: u64) -> Clocks {
    let monotonic_ns = epoch * small().epoch_length_ns;
    Clocks {
        wall_ns: CREATED_NS + (monotonic_ns - CREATED_MONOTONIC_NS),
        monotonic_ns,
    }
}

fn live_through(steps: Vec<Step>, question: Question) {
    assert_eq!(clocks(10), CLOCKS);
    let scratch = Scratch::new("conformance-sequence");
    let path = scratch.path("segment");
    let mut made = made();
    made.image.write_to(&path).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    let _owners = hold(&path);
    let mut written = made.image.words().to_vec();
    let mut readers = None;
    for step in steps {
        (step.change)(&mut made);
        for (index, word) in made.image.words().iter().enumerate() {
            if *word != written[index] {
                file.write_all_at(&word.to_ne_bytes(), 8 * index as u64).unwrap();
                written[index] = *word;
            }
        }
        let clocks = clocks(step.epoch);
        // Both begin with the first step.
        let (ours, theirs) = readers.get_or_insert_with(|| {
            let ours = Reader::open_path(&path).unwrap();
            (ours, Stepped::start(&path, question, Some(clocks)))
        });
        ours.refresh_owners().unwrap();
        ours.per_process(true).as_of(Some(clocks));
        let (snapshot, facts) = match question {
            Question::Cut => (ours.cut().unwrap(), &step.cut),
            _ => (ours.snapshot().unwrap(), &step.live),
        };
        for fact in facts {
            fact.check(&snapshot)
                .unwrap_or_else(|wrong| panic!("{question:?}, {}: {wrong}", step.about));
        }
        let text = serde_json::to_string(&snapshot).unwrap();
        let context = format!("{question:?}, {}", step.about);
        assert_same(
            &serde_json::from_str(&text).unwrap(),
            &theirs.next(Some(clocks)),
            "",
            &context,
        );
    }
}

#[test]
fn both_readers_remember_the_same_of_lanes() {
    if has_python() {
        live_through(lane_steps::all(), Question::Snapshot);
        live_through(lane_steps::all(), Question::Cut);
    }
}

#[test]
fn both_readers_remember_the_same_of_epochs() {
    if has_python() {
        live_through(ring_steps::all(), Question::Snapshot);
        live_through(ring_steps::all(), Question::Cut);
    }
}
