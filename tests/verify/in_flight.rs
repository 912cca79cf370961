//! Tables of what is in flight.

use std::convert::Infallible;

use shmetrics::Segment;
use shmetrics::dump::Dump;
use shmetrics::layout::in_flight::*;
use shmetrics::layout::record::CELL_WORD;

use super::damage::*;
use super::fixture::*;

/// The record of the series: the family comes before it, behind those of the fixture.
const TABLE: u64 = STEPS + 2;

#[test]
fn a_damaged_claim_is_found_and_starts_and_ends_are_no_damage() {
    let fixture = Fixture::new("verify-in-flight");
    let segment = Segment::options()
        .without_ticker()
        .open_at(&fixture.path)
        .unwrap();
    let working = segment.in_flight("working").capacity(8).register().unwrap();
    let _left = working.start_at("left", 77_000);
    let parked = working.start("parked");
    assert!(working.retry_later(parked));
    fixture.assert_clean();
    drop((working, segment));
    fixture.assert_clean();

    let shape = InFlightShape::with_entries(8).unwrap();
    let cell = fixture.load(fixture.geometry.record_offset(TABLE) + CELL_WORD as u64 * 8);
    let start = fixture.geometry.shared_blocks_offset + cell - 1;
    let word = |word: usize| start + word as u64 * 8;
    let claim = |entry: usize| word(shape.claims(0) + entry);
    let (left, parked) = (fixture.load(claim(0)), fixture.load(claim(1)));
    assert!(Claim(parked).is_parked() && Claim(left).runs() == 1);
    let mut said = Vec::new();
    let dumped = Dump::open(&fixture.path).unwrap().each(|line| {
        if line.name.starts_with(&format!("shared lane, record {TABLE}.")) {
            said.push((line.offset, line.meaning));
        }
        Ok::<(), Infallible>(())
    });
    let Ok(()) = dumped;
    let meaning = |offset: u64| &said.iter().find(|line| line.0 == offset).unwrap().1;
    assert!(meaning(claim(0)).contains("run 1, tag "), "{}", meaning(claim(0)));
    assert!(
        meaning(claim(1)).starts_with("parked, run 1"),
        "{}",
        meaning(claim(1))
    );
    assert_eq!(meaning(word(shape.starts(0))), "at 77 µs");
    assert_eq!(meaning(word(shape.text(0, 0))), "4 bytes");
    assert_eq!(meaning(word(shape.text(0, 0) + 1)), "|left............|");

    let damaged = |name, offset, value| error("9.14", name, vec![(offset, value)]);
    assert_each_is_found(
        &fixture,
        vec![
            damaged("nobody ever started it", claim(0), left & !255),
            damaged("a slot that is none", claim(0), left | 0x1fff << 9),
            damaged("nobody starts it", claim(1), parked | 1 << 8),
            damaged("a claim of one bit", claim(5), 1 << 40),
            error("W-9", "reserved space of line 0", vec![(word(2), 1)]),
            error("W-9", "behind the last bucket", vec![(word(shape.claims(1)), 1)]),
        ],
    );
    // What a writer may leave is no damage, whatever it means to readers.
    for (offset, value) in [
        (word(shape.starts(0)), 7),
        (word(shape.text(0, 0)), u64::MAX),
        (claim(6), left),
    ] {
        assert!(fixture.damaged(&[(offset, value)]).findings.is_empty());
    }
}
