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
