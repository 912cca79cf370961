//! The golden segments of tests/data: deaths at every step, damage by every rule, every kind.

use shmetrics_conformance::golden;
use shmetrics_conformance::hex::Dump;
use shmetrics_conformance::image::write_words;

use crate::agree::agree;
use crate::support::*;
use crate::{build_watched, compare, compiler};

#[test]
fn golden_segments_are_read_as_the_reader_in_rust_reads_them() {
    let scratch = Scratch::new("c-reader-golden");
    let Some(program) = build_watched(&scratch) else {
        return;
    };
    let path = scratch.path("segment");
    let all = golden::all();
    assert!(!all.is_empty());
    for golden in all {
        let dump = compiler::root()
            .join("tests/data")
            .join(format!("{}.hex", golden.name));
        let dump = Dump::parse(&std::fs::read_to_string(dump).unwrap()).unwrap();
        write_words(&path, &dump.words, dump.length).unwrap();
        agree(&program, &path, compare::Trust::Whole, golden.name);
    }
}
