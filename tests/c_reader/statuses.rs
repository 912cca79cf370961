//! Statuses that cannot be are refused by both readers, and those that just can be are shown by both.

use std::os::unix::fs::FileExt;

use shmetrics::layout::Fnv;
use shmetrics::layout::record::*;
use shmetrics::{Reader, Segment};

use crate::agree::agree;
use crate::support::*;
use crate::{build_watched, compare};

/// So many names of this length, each its own.
fn names(count: usize, length: usize) -> Vec<Vec<u8>> {
    (0..count).map(|n| format!("{n:0length$}").into_bytes()).collect()
}

fn encoded(names: &[Vec<u8>], threshold: i32) -> Vec<u8> {
    let one = |name: &Vec<u8>| {
        let length = (name.len() as u16).to_le_bytes();
        [&threshold.to_le_bytes()[..], &length, name].concat()
    };
    names.iter().flat_map(one).collect()
}

#[test]
fn statuses_are_refused_by_the_same_rule_or_shown() {
    let scratch = Scratch::new("c-reader-statuses");
    let Some(program) = build_watched(&scratch) else {
        return;
    };
    let path = scratch.path("segment");
    let segment = Segment::options()
        .preset(shmetrics::Preset::Compact)
        .create_at(&path)
        .unwrap();
    // Room for what is written over it.
    let longest: Vec<String> = (0..64).map(|n| format!("{n:063}")).collect();
    let mut state = segment.state("status");
    for name in &longest {
        state = state.status(name, Some(2));
    }
    let state = state.register().unwrap();
    [3, 3].iter().for_each(|status| state.set(*status));
    let mut reader = Reader::open_path(&path).unwrap();
    let geometry = reader.snapshot().unwrap().segment.as_ref().unwrap().geometry;
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    let start = geometry.record_offset(2);
    let mut bytes = [0; RECORD_WORDS * 8];
    file.read_exact_at(&mut bytes, start).unwrap();
    let mut record: Vec<u64> = bytes
        .as_chunks()
        .0
        .iter()
        .map(|word| u64::from_ne_bytes(*word))
        .collect();
    let offset = TextRange::unpack(record[EXTRA_WORD]).offset;
    let cut = |bytes: Vec<u8>| bytes[..bytes.len() - 1].to_vec();
    let cases = [
        ("as many as can be", encoded(&names(64, 2), 0), None),
        ("one more", encoded(&names(65, 2), 0), Some("V-25")),
        ("the longest name", encoded(&names(4, 63), 2), None),
        ("a longer one", encoded(&names(4, 64), 2), Some("V-25")),
        ("the last number not declared", encoded(&names(3, 1), 2), None),
        (
            "a name twice",
            encoded(&[names(4, 1), names(1, 1)].concat(), 2),
            Some("V-25"),
        ),
        ("an empty name", encoded(&[vec![]], 2), Some("V-25")),
        (
            "not UTF-8",
            encoded(&[b"a".to_vec(), b"\xff".to_vec()], 2),
            Some("V-25"),
        ),
        ("below never", encoded(&names(4, 1), -2), Some("V-25")),
        ("a threshold not reached", encoded(&names(4, 1), 3), None),
        ("cut short", cut(encoded(&names(4, 4), 2)), Some("V-25")),
        (
            "a head cut short",
            encoded(&names(4, 4), 2)[..13].to_vec(),
            Some("V-25"),
        ),
        ("none", vec![], Some("V-24")),
    ];
    for (case, statuses, rule) in cases {
        record[EXTRA_WORD] = TextRange {
            offset,
            length: statuses.len() as u32,
        }
        .pack();
        let words = record[SHAPE_WORD..CHECKSUM_WORD].iter();
        record[CHECKSUM_WORD] = words.fold(Fnv::new(), |hash, word| hash.word(*word)).finish();
        let bytes: Vec<u8> = record.iter().flat_map(|word| word.to_ne_bytes()).collect();
        file.write_all_at(&statuses, geometry.text_offset + u64::from(offset))
            .unwrap();
        file.write_all_at(&bytes, start).unwrap();
        let met = agree(&program, &path, compare::Trust::Whole, case);
        assert_eq!(met, Vec::from_iter(rule.map(str::to_owned)), "{case}");
    }
}
