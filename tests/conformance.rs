//! Two readers, one format: the Python reader was written from SPEC.md alone; it and the library must say the same of any segment, in
//! every member of the JSON, and refuse the same files by the same rule.
//!
//! Floats are compared exactly, but for quantiles: these go through logarithms, whose last bit is the library's of each language.
//!
//! Here are single snapshots of files that stand still; beside the other reader are sequences of snapshots, and segments that are
//! written to.
#![cfg(feature = "serde")]

#[path = "support/random.rs"]
mod random;
mod support;

#[path = "conformance/events.rs"]
mod events;
#[path = "conformance/live.rs"]
mod live;
#[path = "conformance/second_reader.rs"]
mod second_reader;
#[path = "conformance/sequences.rs"]
mod sequences;
#[path = "conformance/unsealed.rs"]
mod unsealed;

use std::path::Path;

use second_reader::*;
use shmetrics_conformance::generate::generate;
use shmetrics_conformance::hex::Dump;
use shmetrics_conformance::image::write_words;
use support::*;

#[test]
fn both_readers_say_the_same_of_every_golden_file() {
    if !has_python() {
        return;
    }
    let scratch = Scratch::new("conformance-golden");
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut compared = 0;
    for kind in ["valid", "damaged", "invalid"] {
        for entry in std::fs::read_dir(data.join(kind)).unwrap() {
            let source = entry.unwrap().path();
            if source.extension().is_none_or(|extension| extension != "hex") {
                continue;
            }
            let dump = Dump::parse(&std::fs::read_to_string(&source).unwrap()).unwrap();
            let path = scratch.path("segment");
            drop(write_words(&path, &dump.words, dump.length).unwrap());
            let name = source.file_name().unwrap().display().to_string();
            compare(
                &path,
                &name,
                if kind == "valid" {
                    &QUESTIONS
                } else {
                    &QUESTIONS[..1]
                },
            );
            // The same with live owners.
            if kind == "valid" {
                let _owners = hold(&path);
                compare(&path, &format!("{name}, held"), &QUESTIONS[..2]);
            }
            std::fs::remove_file(&path).unwrap();
            compared += 1;
        }
    }
    assert!(compared > 30, "{compared}");
}

#[test]
fn both_readers_say_the_same_of_fifty_random_segments() {
    if !has_python() {
        return;
    }
    let scratch = Scratch::new("conformance-random");
    // Not those of tests/generated.rs.
    for seed in random::seeds(50).map(|seed| seed + 1000) {
        // A file of its own: until it execs, a child that another test starts here holds the locks of a file that was dropped.
        let path = scratch.path(&format!("segment-{seed}"));
        generate(seed).image.write_to(&path).unwrap();
        // Half of them with owners that live.
        let _owners = (seed % 2 == 0).then(|| hold(&path));
        let question = QUESTIONS[seed as usize % QUESTIONS.len()];
        compare(&path, &format!("seed {seed}"), &[question]);
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn both_readers_say_the_same_of_damaged_segments() {
    if !has_python() {
        return;
    }
    let scratch = Scratch::new("conformance-damaged");
    let path = scratch.path("segment");
    for seed in random::seeds(120) {
        let mut image = generate(seed % 30).image;
        // A few words, anywhere; the same ones each time.
        let mut state = seed;
        let mut next = move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state ^ state >> 29) >> 3
        };
        let words = image.words().len() as u64;
        let head = image.geometry().head_length() / 8;
        for _ in 0..1 + next() % 12 {
            let place = if next() % 4 == 0 {
                next() % words
            } else {
                64 + next() % (head - 64)
            };
            let value = match next() % 5 {
                0 => 0,
                1 => next(),
                2 => next() % 64,
                3 => image.word(place * 8) ^ 1 << (next() % 64),
                _ => image.word(place * 8).wrapping_add(next() % 5).wrapping_sub(2),
            };
            image.set_word(place * 8, value);
        }
        let records = image.geometry().records_offset;
        for number in 1..=image.geometry().records.min(64) {
            if seed % 3 != 0 && image.word(records + (number - 1) * 128 + 0x10) != 0 {
                image.mend_record(number);
            }
        }
        drop(write_words(&path, image.words(), image.length()).unwrap());
        compare(&path, &format!("damage {seed}"), &[QUESTIONS[seed as usize % 2]]);
    }
}
