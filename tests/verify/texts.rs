//! Texts that are replaced as a whole.

use std::convert::Infallible;

use shmetrics::Segment;
use shmetrics::dump::Dump;
use shmetrics::layout::record::CELL_WORD;
use shmetrics::layout::text::*;

use super::damage::*;
use super::fixture::*;

/// The record of the series: the family comes before it, behind those of the fixture.
const TEXT: u64 = STEPS + 2;

#[test]
fn a_damaged_text_is_found_and_what_setters_leave_is_no_damage() {
    let fixture = Fixture::new("verify-texts");
    let segment = Segment::options()
        .without_ticker()
        .open_at(&fixture.path)
        .unwrap();
    let phase = segment.text("phase").capacity(80).register().unwrap();
    fixture.assert_clean();
    assert!(phase.set_at_ns("before", 1));
    assert!(phase.set_at_ns("serving", 1_795_165_200_000_000_000));
    fixture.assert_clean();
    drop((phase, segment));
    fixture.assert_clean();

    let shape = TextShape::new(80).unwrap();
    let cell = fixture.load(fixture.geometry.record_offset(TEXT) + CELL_WORD as u64 * 8);
    let start = fixture.geometry.shared_blocks_offset + cell - 1;
    let word = |word: usize| start + word as u64 * 8;
    let at = |slot: usize, field: usize| word(shape.slot(slot) + field);
    assert_eq!(fixture.load(word(TEXT_HEAD)), 2 << 8 | 2);
    let mut said = Vec::new();
    let dumped = Dump::open(&fixture.path).unwrap().each(|line| {
        if line.name.starts_with(&format!("shared lane, record {TEXT}.")) {
            said.push((line.offset, line.meaning));
        }
        Ok::<(), Infallible>(())
    });
    let Ok(()) = dumped;
    let meaning = |offset: u64| &said.iter().find(|line| line.0 == offset).unwrap().1;
    assert_eq!(meaning(word(TEXT_HEAD)), "slot 1, generation 2");
    assert_eq!(meaning(at(1, TEXT_BEGIN)), "for generation 2");
    assert_eq!(meaning(at(1, TEXT_CONTENT)), "7 bytes");
    assert!(meaning(at(1, TEXT_SET_NS)).starts_with("2026-"));
    assert_eq!(meaning(at(1, TEXT_START)), "serving.");

    let content = fixture.load(at(1, TEXT_CONTENT));
    let damaged = |name, offset, value| error("9.15", name, vec![(offset, value)]);
    assert_each_is_found(
        &fixture,
        vec![
            damaged("a slot that is none", word(TEXT_HEAD), 2 << 8 | 9),
            damaged(
                "a claim of a slot that is none",
                at(5, TEXT_CLAIM),
                0xffff << 48 | 1,
            ),
            damaged("a longer text", at(1, TEXT_CONTENT), content + 1),
            damaged("another check", at(1, TEXT_CONTENT), content ^ 1 << 40),
            damaged("a reserved bit", at(1, TEXT_CONTENT), content | 1 << 20),
            damaged("another byte", at(1, TEXT_START), 7),
            error("10.24", "another generation", vec![(at(1, TEXT_BEGIN), 3)]),
            error("W-9", "reserved space of line 0", vec![(word(2), 1)]),
            error("W-9", "behind the text", vec![(at(0, TEXT_START + 10), 1)]),
        ],
    );
    // What a writer may leave is no damage: slots that have not the text, in the middle of being written.
    for (offset, value) in [
        (at(0, TEXT_CONTENT), u64::MAX),
        (at(0, TEXT_BEGIN), 77),
        (at(3, TEXT_START), 7),
        (at(3, TEXT_CLAIM), 1 << 48 | 1),
        (at(1, TEXT_CLAIM), 1 << 48 | 1),
        (word(TEXT_HEAD), 3 << 8),
    ] {
        let report = fixture.damaged(&[(offset, value)]);
        assert!(report.findings.is_empty(), "{:?}", report.findings);
    }
}
