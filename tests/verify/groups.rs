//! Groups: numbers of updates that fit each other, in lanes and in the shared lane, and nothing beside the fields.

use std::convert::Infallible;

use shmetrics::Segment;
use shmetrics::dump::Dump;
use shmetrics::layout::group::*;
use shmetrics::layout::record::CELL_WORD;

use super::damage::*;
use super::fixture::*;

/// The record of the series: the family comes before it, behind those of the fixture.
const GROUP: u64 = STEPS + 2;

#[test]
fn damaged_blocks_of_groups_are_found_and_what_a_death_leaves_is_no_damage() {
    let fixture = Fixture::new("verify-groups");
    let segment = Segment::options()
        .without_ticker()
        .open_at(&fixture.path)
        .unwrap();
    let group = segment.group("group").fields(["a", "b", "c"]).register().unwrap();
    (0..3).for_each(|_| group.add([1, 2, 3]));
    fixture.assert_clean();
    drop((group, segment));
    fixture.assert_clean();

    let shape = GroupShape::new(3).unwrap();
    let geometry = &fixture.geometry;
    let cell = fixture.load(geometry.record_offset(GROUP) + CELL_WORD as u64 * 8) - 1;
    let shared = geometry.shared_blocks_offset + cell;
    let mut lines = Vec::new();
    let dumped = Dump::open(&fixture.path).unwrap().each(|line| {
        if line.name.contains(&format!("record {GROUP}.")) {
            lines.push((line.name, line.offset, line.meaning));
        }
        Ok::<(), Infallible>(())
    });
    let Ok(()) = dumped;
    // Whichever lane it is in.
    let found = lines.iter().find(|(name, ..)| name.ends_with(".copy 3.field 1"));
    let (_, third, meaning) = found.expect("the copy of the third update");
    assert_eq!(meaning, "6");
    let own = third - 8 * (shape.copy(3) as u64 + 1);
    let word = |start: u64, word: usize| start + word as u64 * 8;

    let damaged = |rule, name, offset, value| error(rule, name, vec![(offset, value)]);
    assert_each_is_found(
        &fixture,
        vec![
            damaged("10.25", "fewer began than landed", word(own, GROUP_BEGUN), 2),
            damaged("10.25", "two at a time", word(own, GROUP_BEGUN), 5),
            damaged("9.16", "a baseline ahead", word(own, GROUP_BASELINE), 4),
            damaged("W-9", "the rest of line 0", word(own, GROUP_BASELINE + 1), 1),
            damaged(
                "W-9",
                "behind the baseline of the fields",
                word(own, GROUP_FIELDS + 3),
                1,
            ),
            damaged(
                "W-9",
                "behind the fields of a copy",
                word(own, shape.copy(1) + 3),
                1,
            ),
            damaged("W-9", "behind the last copy", word(own, shape.end()), 1),
            damaged("10.25", "shared: fewer began", word(shared, GROUP_LANDED), 1),
            damaged("9.16", "shared: a baseline", word(shared, GROUP_BASELINE), 1),
            damaged(
                "W-9",
                "shared: behind the fields",
                word(shared, GROUP_FIELDS + 3),
                1,
            ),
        ],
    );
    // What a writer may leave is no damage.
    let left = [
        (word(own, GROUP_BEGUN), 4),
        (word(own, shape.copy(4)), 99),
        (word(shared, GROUP_BEGUN), 1),
    ];
    let report = fixture.damaged(&left);
    assert!(
        report.worst() <= Some(shmetrics::verify::Severity::Note),
        "{report}"
    );
    let told = report.to_string();
    assert!(told.contains("update 4 began and did not land"), "{told}");
}
