//! The error log.

use shmetrics::Segment;
use shmetrics::layout::error_log::*;

use super::damage::*;
use super::fixture::*;

#[test]
fn a_damaged_entry_of_the_error_log_is_found_by_its_name() {
    let fixture = Fixture::new("verify-errors");
    let segment = Segment::options()
        .without_ticker()
        .open_at(&fixture.path)
        .unwrap();
    let known = fixture.load_errors();
    segment.log_error("cannot reach the queue: connection refused");
    drop(segment);
    fixture.assert_clean();
    let entry = |offset: u64, value: u64| vec![(fixture.geometry.error_entry_offset(known) + offset, value)];
    let length = "cannot reach the queue: connection refused".len() as u64;
    let end = ERROR_TEXT_OFFSET + length / 8 * 8;
    assert_each_is_found(
        &fixture,
        vec![
            error("V-31", "a hash", entry(ERROR_HASH_OFFSET, 1)),
            error("V-31", "no length", entry(ERROR_LENGTH_OFFSET, 0)),
            error("V-31", "a length beyond", entry(ERROR_LENGTH_OFFSET, 193)),
            error(
                "V-31",
                "another flag",
                entry(ERROR_LENGTH_OFFSET, length | 1 << 40),
            ),
            error("V-31", "a shorter text", entry(ERROR_LENGTH_OFFSET, length - 1)),
            error("V-31", "another text", entry(ERROR_TEXT_OFFSET, 7)),
            error("9.10", "no end of the text", entry(end + 8, 7)),
            error("9.10", "a state", entry(ERROR_READY_OFFSET, 2)),
            error("9.10", "never counted", entry(ERROR_COUNT_OFFSET, 0)),
            error("7.5", "a claim that is none", entry(ERROR_CLAIM_OFFSET, 7)),
            error("10.18", "nobody's", entry(ERROR_CLAIM_OFFSET, 0)),
            error("W-9", "reserved space", entry(0x38, 1)),
            warning(
                "10.18",
                "one that is passed over",
                entry(ERROR_ENTRY_LENGTH * 2, u64::MAX),
            ),
        ],
    );
}
