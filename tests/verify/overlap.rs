//! Series on one cell (V-30): the first has it, and nothing is done once for each of them.

use std::collections::HashSet;
use std::convert::Infallible;
use std::fs::File;
use std::os::unix::fs::FileExt;

use shmetrics::dump::Dump;
use shmetrics::layout::record::CELL_WORD;
use shmetrics::verify::{Severity, verify};
use shmetrics::{Preset, Segment};

use super::fixture::*;
use super::support::Scratch;

const SERIES: u64 = 64;

#[test]
fn a_block_that_many_series_name_is_looked_at_once() {
    let scratch = Scratch::new("verify-overlap");
    let path = scratch.path("segment");
    let segment = Segment::options()
        .preset(Preset::Compact)
        .create_at(&path)
        .unwrap();
    for n in 0..SERIES {
        let sizes = segment.histogram_classic("sizes", &[1.0]).ring_slots(0);
        sizes.label("n", &n.to_string()).register().unwrap().record(1.0);
    }
    drop(segment);
    let report = verify(&path).unwrap();
    assert_no_suspicion(&report);
    assert_eq!(
        report.checked.blocks,
        2 * SERIES,
        "each in lane 1 and in the shared lane"
    );

    let file = File::options().write(true).open(&path).unwrap();
    let geometry = geometry_of(&path);
    // Record 1 is the family.
    for number in 3..2 + SERIES {
        let at = geometry.record_offset(number) + CELL_WORD as u64 * 8;
        file.write_all_at(&1u64.to_ne_bytes(), at).unwrap();
    }
    let report = verify(&path).unwrap();
    assert_eq!(rules(&report), [("V-30", Severity::Error)].into(), "{report}");
    assert_eq!(report.count(Severity::Error) as u64, SERIES - 1);
    assert_eq!(report.checked.blocks, 2, "{report}");

    let mut told = HashSet::new();
    let all = Dump::open(&path).unwrap().each(|line| {
        for index in 0..line.words.len() as u64 + line.zeros {
            assert!(told.insert(line.offset + index * 8), "twice: {line:?}");
        }
        Ok::<(), Infallible>(())
    });
    let Ok(()) = all;
}
