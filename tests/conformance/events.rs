//! What both readers tell of events: the same lines, in the same order, and as many lost.

use std::path::Path;
use std::process::Command;

use shmetrics::Reader;
use shmetrics::events::Since;
use shmetrics_conformance::generate::generate;
use shmetrics_conformance::hex::Dump;
use shmetrics_conformance::image::write_words;

use crate::random;
use crate::second_reader::has_python;
use crate::support::*;

fn library(path: &Path) -> Vec<serde_json::Value> {
    let mut reader = Reader::open_path(path).unwrap();
    let mut cursor = reader.event_cursor(Since::Start).unwrap();
    let batch = reader.events(&mut cursor, usize::MAX).unwrap();
    let lines = batch
        .events
        .iter()
        .map(|event| serde_json::to_value(event).unwrap());
    lines.chain([serde_json::json!({ "lost": batch.lost })]).collect()
}

fn other(path: &Path) -> Vec<serde_json::Value> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/read_segment.py");
    let output = Command::new("python3")
        .arg(program)
        .arg(path)
        .arg("--events")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn both_readers_tell_the_same_events() {
    if !has_python() {
        return;
    }
    let scratch = Scratch::new("conformance-events");
    let path = scratch.path("segment");
    let mut told = 0;
    for name in ["valid/events", "damaged/events"] {
        let source = format!("{}/tests/data/{name}.hex", env!("CARGO_MANIFEST_DIR"));
        let dump = Dump::parse(&std::fs::read_to_string(source).unwrap()).unwrap();
        drop(write_words(&path, &dump.words, dump.length).unwrap());
        assert_eq!(library(&path), other(&path), "{name}");
        told += library(&path).len() - 1;
    }
    assert!(told >= 15, "{told}");
    for seed in random::seeds(20).map(|seed| seed + 2000) {
        generate(seed).image.write_to(&path).unwrap();
        let ours = library(&path);
        assert_eq!(ours, other(&path), "seed {seed}");
        told += ours.len() - 1;
    }
    assert!(told > 100, "{told}");
}

/// Nothing that stands in a ring, or in what leads to it, is believed: both tell the same of any damage, and end.
#[test]
fn both_readers_tell_the_same_of_damaged_rings() {
    if !has_python() {
        return;
    }
    let scratch = Scratch::new("conformance-events-damaged");
    let path = scratch.path("segment");
    let source = format!("{}/tests/data/valid/events.hex", env!("CARGO_MANIFEST_DIR"));
    let dump = Dump::parse(&std::fs::read_to_string(source).unwrap()).unwrap();
    // Only what is there: a word in a hole would be no damage, but storage.
    let there: Vec<usize> = (64..dump.words.len())
        .filter(|index| dump.words[*index] != 0)
        .collect();
    for seed in random::seeds(25) {
        let mut words = dump.words.clone();
        let mut state = seed;
        let mut next = move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state ^ state >> 29) >> 3
        };
        for _ in 0..1 + next() % 6 {
            let at = there[(next() as usize) % there.len()];
            words[at] = match next() % 4 {
                0 => next(),
                1 => words[at] ^ 1 << (next() % 64),
                2 => words[at].wrapping_add(next() % 9).wrapping_sub(4),
                _ => next() % 40,
            };
        }
        drop(write_words(&path, &words, dump.length).unwrap());
        assert_eq!(library(&path), other(&path), "damage {seed}");
    }
}
