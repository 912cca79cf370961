//! Files of random damage: whatever stands there, `verify` and `dump` end, and touch nothing outside.

use std::convert::Infallible;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use shmetrics::dump::Dump;
use shmetrics::layout::header::MAGIC_OFFSET;
use shmetrics::verify::verify;

use super::fixture::*;
use super::seed;

/// Every committed word.
fn offsets(fixture: &Fixture) -> Vec<u64> {
    let mut offsets = Vec::new();
    let all = Dump::open(&fixture.path).unwrap().each(|line| {
        let count = line.words.len() as u64 + line.zeros.min(3);
        offsets.extend((0..count).map(|index| line.offset + index * 8));
        Ok::<(), Infallible>(())
    });
    let Ok(()) = all;
    // A damaged immutable part ends everything at once; the rules for it have tests of their own.
    offsets.retain(|offset| *offset >= MAGIC_OFFSET + 512);
    offsets
}

fn value() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(1),
        Just(u64::MAX),
        Just(u64::MAX - 1),
        Just(1 << 63),
        (0..64u32, 0..4u64).prop_map(|(bit, more)| (1u64 << bit).wrapping_add(more)),
        any::<u64>(),
    ]
}

#[test]
fn random_damage_is_survived() {
    let fixture = Fixture::new("verify-random");
    let offsets = offsets(&fixture);
    assert!(offsets.len() > 1_000);
    let records = 15u64;
    let damage = prop::collection::vec((any::<prop::sample::Index>(), value()), 1..6);
    // With its checksum made good, so that the content is looked at.
    let record = prop::option::of((1..=records, 2..11usize, value()));
    let mut runner = TestRunner::new(seed::config(300));
    let result = runner.run(&(damage, record), |(damage, record)| {
        let mut words: Vec<(u64, u64)> = record.map_or(Vec::new(), |(number, word, value)| {
            fixture.content(number, word, value)
        });
        words.extend(damage.iter().map(|(at, value)| (*at.get(&offsets), *value)));
        let old: Vec<(u64, u64)> = words
            .iter()
            .map(|(offset, _)| (*offset, fixture.load(*offset)))
            .collect();
        words
            .iter()
            .for_each(|(offset, value)| fixture.store(*offset, *value));
        let report = verify(&fixture.path).unwrap();
        let (mut lines, mut words, mut length) = (0, 0, 0);
        let all = Dump::open(&fixture.path).unwrap().each(|line| {
            lines += 1;
            words += line.words.len() + line.zeros as usize;
            length += line.name.len() + line.meaning.len();
            Ok::<(), Infallible>(())
        });
        let Ok(()) = all;
        old.iter()
            .rev()
            .for_each(|(offset, value)| fixture.store(*offset, *value));
        prop_assert!(!report.refused && lines > 50);
        // Each word once, and a line says little beside texts, which are shown once, too.
        let most = fixture.geometry.capacities.text_length as usize * 6 + lines * 300;
        prop_assert!(words as u64 <= fixture.geometry.file_length / 8, "{words} words");
        prop_assert!(length <= most, "{length} characters in {lines} lines");
        Ok(())
    });
    result.unwrap();
}
