//! Random valid segments, made without the writers: the reader finds in them what their maker knows, and leaves their storage alone.
#![cfg(not(shmetrics_loom))]

#[path = "support/random.rs"]
mod random;
mod support;

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use shmetrics::layout::Fnv;
use shmetrics::snapshot::Clocks;
use shmetrics::verify::{Severity, verify};
use shmetrics::{Reader, Segment, Snapshot};
use shmetrics_conformance::expected::{CLOCKS, View, look};
use shmetrics_conformance::fact::Fact;
use shmetrics_conformance::generate::{Generated, generate};
use shmetrics_conformance::golden::{self, Outcome};
use support::Scratch;

const SEEDS: u64 = 200;

#[track_caller]
fn check<'a>(seed: u64, what: &str, facts: impl IntoIterator<Item = &'a Fact>, snapshot: &Snapshot) {
    for fact in facts {
        fact.check(snapshot)
            .unwrap_or_else(|wrong| panic!("seed {seed}, {what}: {wrong}"));
    }
}

/// Bytes of storage that the file takes.
fn stored(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().blocks() * 512
}

#[test]
fn the_reader_finds_what_the_maker_knows() {
    let scratch = Scratch::new("generated");
    let path = scratch.path("segment");
    let (mut facts, mut bounded) = (0, 0);
    for seed in random::seeds(SEEDS) {
        let generated = generate(seed);
        generated.image.write_to(&path).unwrap();
        let before = stored(&path);
        for view in View::ALL {
            let snapshot = look(&path, view, CLOCKS).unwrap();
            assert_eq!(snapshot.skipped, [], "seed {seed}, {view:?}");
            check(seed, &format!("{view:?}"), generated.facts(view), &snapshot);
            facts += generated.facts(view).len();
            bounded += serde_json::to_string(&snapshot)
                .unwrap()
                .matches("\"bounded\"")
                .count();
        }
        assert_eq!(stored(&path), before, "seed {seed}: reading allocated storage");
    }
    // Else nothing was compared.
    assert!(facts > 20 * SEEDS as usize && bounded > 0, "{facts} {bounded}");
}

#[test]
fn one_reader_may_take_every_kind_of_snapshot_in_any_order() {
    let scratch = Scratch::new("generated");
    let path = scratch.path("segment");
    for seed in random::seeds(SEEDS / 4) {
        let generated = generate(seed);
        generated.image.write_to(&path).unwrap();
        let mut reader = Reader::open_path(&path).unwrap();
        for epochs in [0, 1, 5, 60, 100_000] {
            let monotonic_ns = epochs * 10_000_000_000;
            reader.as_of(Some(Clocks {
                monotonic_ns,
                ..CLOCKS
            }));
            let counts = |snapshot: &Snapshot| snapshot.series.len();
            let live = reader.snapshot().unwrap();
            assert_eq!(counts(&reader.cut().unwrap()), counts(&live));
            assert_eq!(counts(&reader.window(20.0).unwrap()), counts(&live));
            check(
                seed,
                "again",
                generated.facts(View::Free),
                &reader.snapshot().unwrap(),
            );
        }
    }
}

/// A segment that only its own writer has: what was there stays, and what the writer counts is added, in lanes that it adopted.
#[test]
fn a_writer_goes_on_where_the_dead_stopped() {
    let scratch = Scratch::new("generated");
    let mut adopted = 0;
    for seed in random::seeds(40) {
        let path = scratch.path(&format!("segment-{seed}"));
        let generated: Generated = generate(seed);
        generated.image.write_to(&path).unwrap();
        let segment = Segment::options().without_ticker().open_at(&path).unwrap();
        let added = segment.counter("added").register().unwrap();
        let times = segment.histogram("times").ring_slots(2).register().unwrap();
        adopted += u64::from(segment.attach_thread());
        added.add(3);
        times.record(5);
        let mut reader = Reader::open_path(&path).unwrap();
        let snapshot = reader.as_of(Some(CLOCKS)).snapshot().unwrap();
        assert_eq!(snapshot.skipped, [], "seed {seed}");
        check(seed, "with a writer", generated.facts(View::Free), &snapshot);
        let own = [Fact::whole("added", 3), Fact::histogram("times", 1, 5.0)];
        check(seed, "of the writer", &own, &snapshot);
    }
    assert!(adopted > 0);
}

#[test]
fn reading_a_golden_segment_allocates_nothing() {
    let scratch = Scratch::new("generated");
    let path = scratch.path("segment");
    for golden in golden::all() {
        golden.image.write_to(&path).unwrap();
        let before = stored(&path);
        if let Outcome::Read { .. } = golden.outcome {
            for view in View::ALL {
                look(&path, view, CLOCKS).unwrap();
            }
        } else {
            assert!(Reader::open_path(&path).is_err());
        }
        assert_eq!(stored(&path), before, "{}", golden.name);
    }
}

#[test]
fn a_seed_gives_the_same_segment_for_ever() {
    let hash = |seed| {
        let image = generate(seed).image;
        let words = image.words().iter().enumerate().filter(|(_, word)| **word != 0);
        words
            .fold(Fnv::new(), |hash, (index, &word)| {
                hash.word(index as u64).word(word)
            })
            .finish()
    };
    let expected = [
        3_838_426_432_033_854_364,
        14_269_509_939_252_739_574,
        8_140_131_013_159_905_929,
    ];
    assert_eq!(
        [0, 1, u64::MAX].map(hash),
        expected,
        "a draw was changed; add draws behind all others"
    );
}

/// A verifier and the maker agree: whatever died where, a writer can go on, so nothing is an error.
#[test]
fn a_verifier_has_nothing_against_a_generated_segment() {
    let scratch = Scratch::new("generated");
    let path = scratch.path("segment");
    for seed in random::seeds(SEEDS) {
        generate(seed).image.write_to(&path).unwrap();
        let report = verify(&path).unwrap();
        assert!(report.worst() <= Some(Severity::Note), "seed {seed}: {report}");
    }
}
