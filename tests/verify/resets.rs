//! The reset tables.

use shmetrics::layout::block::BUCKETS;
use shmetrics::layout::header::RESET_OFFSET;
use shmetrics::layout::reset::*;
use shmetrics::reset;

use super::damage::*;
use super::fixture::*;

#[test]
fn what_is_wrong_with_a_reset_table_is_found() {
    let fixture = Fixture::new("verify-resets");
    for _ in 0..2 {
        reset::at_path(&fixture.path, |_| true).unwrap();
        fixture.assert_clean();
    }
    // Table 0 is in force.
    let time = |record: u64| fixture.geometry.reset_since_offset(0, record);
    let placement = |record: u64| {
        let cell = fixture.geometry.record_offset(record) + 0x60;
        fixture.load(cell) - 1
    };
    let word = |record: u64, word: usize| {
        fixture.geometry.reset_block_offset(0, placement(record)) + word as u64 * 8
    };
    let load = fixture.geometry.reset_counter_offset(0, placement(LOAD));
    let lowest = fixture.load(word(LATENCY, RESET_LOWEST));
    let shape = fixture.latency_shape();
    assert_each_is_found(
        &fixture,
        vec![
            error("9.11", "a count", vec![(word(LATENCY, RESET_COUNT), 7)]),
            error(
                "9.11",
                "a bucket",
                vec![(word(LATENCY, BUCKETS + shape.buckets - 1), 7)],
            ),
            error(
                "9.11",
                "a range too wide",
                vec![(word(LATENCY, RESET_LOWEST), lowest + 1000)],
            ),
            error(
                "9.11",
                "a range too narrow",
                vec![(word(LATENCY, RESET_HIGHEST), 1)],
            ),
            error(
                "9.11",
                "the sum of a float",
                vec![(word(SIZE, RESET_SUM_HIGH), 1)],
            ),
            error("9.11", "the time of a gauge", vec![(time(DEPTH), 7)]),
            error("9.11", "the time of no record", vec![(time(500), 7)]),
            error("W-9", "reserved space", vec![(word(STEPS, 6), 1)]),
            error("W-9", "padding", vec![(word(STEPS, shape_end(4)), 1)]),
            warning("9.11", "a counter below 0", vec![(load, (-1.0f64).to_bits())]),
            warning(
                "9.7",
                "a sum that is none",
                vec![(word(SIZE, RESET_SUM), f64::NAN.to_bits())],
            ),
        ],
    );
}

/// The first word behind so many buckets.
fn shape_end(buckets: usize) -> usize {
    BUCKETS + buckets
}

#[test]
fn a_table_that_was_never_filled_has_no_storage() {
    let fixture = Fixture::new("verify-resets-hole");
    let report = fixture.damaged(&[(RESET_OFFSET, 1)]);
    assert!(
        report.findings.iter().any(|finding| finding.rule == "S-2"),
        "{report}"
    );
}
