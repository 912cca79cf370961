//! Damaged segments: whatever the bytes, a reader answers with the named error of SPEC.md section 12, or with a snapshot that has the
//! series which are still sound. It never panics, never hangs, and its memory stays in proportion to the segment.
//!
//! What a header must lead to is computed a second time, from the text of the format alone (`oracle`). A run is only good if it met
//! every rule, and got past the header in at least half of its cases.

mod harm;
mod less;
mod limits;
#[path = "../support/memory.rs"]
mod memory;
mod oracle;
mod untouched;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};
use shmetrics::Reader;
use shmetrics::error::OpenError;
use shmetrics::snapshot::Snapshot;
use shmetrics_conformance::expected::CLOCKS;
use shmetrics_conformance::generate::generate;
use shmetrics_conformance::image::{Image, write_words};

use harm::{Damaged, Harm, Place};

#[path = "../support/random.rs"]
mod random;
#[path = "../support/mod.rs"]
mod support;

/// Segments that the damage is done to. Small ones; a case takes some milliseconds.
const BASES: u64 = 24;
/// Cases of each run.
const CASES: u32 = 4000;
/// Heap that reading may take: several copies of the greatest segment here, and of what its tables may hold.
const MEMORY_LIMIT: usize = 64 << 20;

fn bases() -> Vec<Image> {
    let first = random::seeds(1).start;
    (first..first + BASES).map(|seed| generate(seed).image).collect()
}

/// A sound segment, and what a reader says of it.
struct Base {
    image: Image,
    snapshot: Snapshot,
}

impl Base {
    fn new(image: Image, path: &Path) -> Base {
        drop(write_words(path, image.words(), image.length()).unwrap());
        let snapshot = read(path).unwrap();
        Base { image, snapshot }
    }
}

/// What rules were met, and how many cases got past the header.
#[derive(Default)]
struct Tally {
    rules: BTreeMap<String, u32>,
    cases: u32,
    accepted: u32,
}

impl Tally {
    fn met(&mut self, message: &str) {
        let rule = message.split(':').next().unwrap_or_default();
        *self.rules.entry(rule.to_owned()).or_default() += 1;
    }
}

/// Everything a reader can do with a file. Returns the rule that refuses it, or the last snapshot.
fn read(path: &Path) -> Result<Snapshot, String> {
    let mut reader = match Reader::open_path(path) {
        Ok(reader) => reader,
        Err(OpenError::Layout { source, .. }) => return Err(source.to_string()),
        Err(other) => panic!("{other}"),
    };
    reader.as_of(Some(CLOCKS));
    reader.per_process(true);
    let mut snapshot = Snapshot::default();
    for seconds in [0.0, 25.0, f64::INFINITY, f64::NAN] {
        serde_json::to_string(&reader.window(seconds).unwrap()).unwrap();
    }
    reader.cut_into(&mut snapshot).unwrap();
    serde_json::to_string(&snapshot).unwrap();
    for _ in 0..2 {
        reader.snapshot_into(&mut snapshot).unwrap();
        let text = serde_json::to_string(&snapshot).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
    }
    Ok(snapshot)
}

fn check(base: &Base, damaged: &Damaged, path: &Path, tally: &mut Tally) -> Result<(), TestCaseError> {
    // Its words only: the marks that say what is allocated may be damaged, too.
    drop(write_words(path, damaged.image.words(), damaged.image.length()).unwrap());
    tally.cases += 1;
    let (result, memory) = memory::peak_of(|| read(path));
    prop_assert!(memory < MEMORY_LIMIT, "{memory} bytes");
    let expected = oracle::refusal(damaged.image.words(), damaged.image.length());
    match result {
        Err(message) => {
            tally.met(&message);
            let expected = expected.unwrap_or_else(|| "a snapshot".to_owned());
            prop_assert!(
                message.starts_with(&expected),
                "{message:?} instead of {expected:?}"
            );
        }
        Ok(snapshot) => {
            tally.accepted += 1;
            prop_assert_eq!(expected, None, "was read all the same");
            for skipped in &snapshot.skipped {
                tally.met(&skipped.reason.to_string());
            }
            let changed = untouched::changed(&base.image, &base.snapshot, damaged, &snapshot);
            prop_assert_eq!(changed, None, "{:?}", damaged.touched);
            // A header's damage: exactly those records are skipped that have no room in it, and each by its rule.
            if damaged
                .touched
                .is_some_and(|touched| touched.place == Place::Header)
            {
                let found: Vec<(u64, String)> = snapshot
                    .skipped
                    .iter()
                    .map(|skipped| {
                        let rule = skipped.reason.to_string().chars().take(6).collect();
                        (skipped.record, rule)
                    })
                    .collect();
                let beyond: Vec<(u64, String)> = untouched::beyond(&base.image, &damaged.image)
                    .into_iter()
                    .map(|(record, rule)| (record, rule.to_owned()))
                    .collect();
                prop_assert_eq!(found, beyond, "{:?}", damaged.touched);
            }
            // One record's damage: that record is reported with the rule, and no other rule is named.
            if let Some((record, rule)) = oracle::skipped(damaged) {
                let reasons: Vec<String> = snapshot
                    .skipped
                    .iter()
                    .filter(|skipped| skipped.record == record)
                    .map(|skipped| skipped.reason.to_string())
                    .collect();
                prop_assert!(
                    reasons.len() == 1 && reasons[0].starts_with(rule),
                    "record {record}: {reasons:?}, not {rule}"
                );
            }
        }
    }
    Ok(())
}

fn run(name: &str, strategy: impl Strategy<Value = (u64, Vec<Harm>, bool)>) -> Tally {
    let scratch = support::Scratch::new(name);
    let path = scratch.path("segment");
    let bases: Vec<Base> = bases().into_iter().map(|image| Base::new(image, &path)).collect();
    let tally = RefCell::new(Tally::default());
    let mut runner = TestRunner::new(random::config(CASES));
    let outcome = runner.run(&strategy, |(base, harms, repair)| {
        let base = &bases[(base % BASES) as usize];
        check(
            base,
            &Damaged::new(&base.image, &harms, repair),
            &path,
            &mut tally.borrow_mut(),
        )
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    tally.into_inner()
}

#[test]
fn one_damaged_field_leads_to_its_named_error_or_to_a_snapshot() {
    // Three of four with right checksums, so that what lies behind them is reached.
    let repair = prop::bool::weighted(0.75);
    let tally = run(
        "damage-field",
        (any::<u64>(), prop::collection::vec(harm::field(), 1), repair),
    );
    assert!(
        tally.accepted * 2 >= tally.cases,
        "{} of {}",
        tally.accepted,
        tally.cases
    );
    let rules: BTreeSet<&str> = tally.rules.keys().map(String::as_str).collect();
    let every: BTreeSet<String> = (1..=11).chain(20..=30).map(|rule| format!("V-{rule}")).collect();
    let missing: Vec<&String> = every
        .iter()
        .filter(|rule| !rules.contains(rule.as_str()))
        .collect();
    assert!(missing.is_empty(), "{missing:?} never met in {:?}", tally.rules);
}

#[test]
fn several_damaged_words_anywhere_are_survived() {
    let harms = prop::collection::vec(prop_oneof![3 => harm::field(), 2 => harm::word()], 1..30);
    let tally = run("damage-words", (any::<u64>(), harms, prop::bool::weighted(0.9)));
    assert!(tally.cases >= CASES);
}

#[test]
fn every_truncation_is_refused_with_its_reason() {
    let scratch = support::Scratch::new("damage-truncation");
    let path = scratch.path("segment");
    let base = &bases()[0];
    let geometry = *base.geometry();
    base.write_to(&path).unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    // All the lengths around every boundary, and some everywhere, from long to short, so that nothing grows again.
    let mut lengths: BTreeSet<u64> = (0..600).chain((0..geometry.file_length).step_by(4093)).collect();
    for boundary in [
        4096,
        geometry.records_offset,
        geometry.text_offset,
        geometry.process_directory_offset,
        geometry.lane_directory_offset,
        geometry.slots_offset,
        geometry.lanes_offset,
        geometry.file_length,
    ] {
        lengths.extend(boundary - 9..boundary + 9);
    }
    for length in lengths.into_iter().rev() {
        file.set_len(length).unwrap();
        let expected = match length {
            0..4096 => "V-1: ",
            _ if length < geometry.file_length => "V-10: ",
            _ => "",
        };
        match read(&path) {
            Ok(_) => assert_eq!(expected, "", "{length}"),
            Err(message) => assert!(
                !expected.is_empty() && message.starts_with(expected),
                "{length}: {message}"
            ),
        }
    }
}

#[test]
fn any_bytes_are_refused() {
    let scratch = support::Scratch::new("damage-bytes");
    let path = scratch.path("segment");
    let mut runner = TestRunner::new(random::config(300));
    let bytes = prop::collection::vec(any::<u8>(), 0..12_000);
    runner
        .run(&(bytes, any::<bool>()), |(mut bytes, magic)| {
            if let Some(start) = bytes.first_chunk_mut::<8>().filter(|_| magic) {
                *start = shmetrics::layout::header::MAGIC.to_ne_bytes();
            }
            std::fs::write(&path, &bytes).unwrap();
            let words: Vec<u64> = bytes
                .as_chunks::<8>()
                .0
                .iter()
                .map(|word| u64::from_ne_bytes(*word))
                .collect();
            let message = read(&path).map(drop).unwrap_err();
            let expected = oracle::refusal(&words, bytes.len() as u64).unwrap();
            prop_assert!(
                message.starts_with(&expected),
                "{message:?} instead of {expected:?}"
            );
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_sound_header_over_any_words_is_survived() {
    let scratch = support::Scratch::new("damage-words");
    let path = scratch.path("segment");
    let base = &bases()[1];
    let geometry = *base.geometry();
    let mut runner = TestRunner::new(random::config(60));
    let words = (geometry.file_length / 8) as usize;
    // Words that could be something: few bits, small numbers, anything.
    let word = prop_oneof![
        Just(0),
        0..300u64,
        (0..64u32).prop_map(|bit| 1 << bit),
        any::<u64>()
    ];
    let pattern = prop::collection::vec(word, 997);
    runner
        .run(&pattern, |pattern| {
            let mut content: Vec<u64> = pattern.iter().copied().cycle().take(words).collect();
            content[..64].copy_from_slice(&base.words()[..64]);
            drop(write_words(&path, &content, base.length()).unwrap());
            let (snapshot, memory) = memory::peak_of(|| read(&path).unwrap());
            prop_assert!(memory < MEMORY_LIMIT, "{} bytes", memory);
            prop_assert!(snapshot.fill.records.used <= geometry.records);
            Ok(())
        })
        .unwrap();
}

/// The oracle says nothing against what is sound, or it would be no oracle.
#[test]
fn sound_segments_are_read_whole() {
    let scratch = support::Scratch::new("damage-none");
    let path = scratch.path("segment");
    for image in bases() {
        image.write_to(&path).unwrap();
        assert_eq!(oracle::refusal(image.words(), image.length()), None);
        assert!(read(&path).unwrap().skipped.is_empty());
    }
    let damaged = Damaged::new(
        &bases()[0],
        &[Harm::Field {
            place: Place::Header,
            choice: 0,
            part: 0,
            value: harm::Value::Zero,
        }],
        false,
    );
    assert!(
        oracle::refusal(damaged.image.words(), damaged.image.length())
            .unwrap()
            .starts_with("V-2")
    );
}
