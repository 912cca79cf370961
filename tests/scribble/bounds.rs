//! What a reader may cost, from its validated geometry alone: SPEC.md 12.3, D-3, in bytes.

use shmetrics::layout::error_log::ERROR_TEXT_LENGTH;
use shmetrics::layout::geometry::Geometry;
use shmetrics::layout::labels::MAX_ENCODED_LENGTH;

/// Longest texts of a family: name, help, unit (SPEC.md 19).
const FAMILY_TEXTS: u64 = 255 + 1024 + 63;
/// A byte of text may be written as `\u00XX`.
const ESCAPED: u64 = 6;
/// The keys and numbers of one object of the output, and of one bucket.
const OBJECT: u64 = 1024;
const BUCKET: u64 = 96;
const WINDOWS: u64 = 64;

/// Characters of a snapshot in JSON.
pub fn json(geometry: &Geometry) -> u64 {
    let capacities = &geometry.capacities;
    let (records, slots) = (geometry.records, capacities.process_slots);
    // All label texts together fit the text region; names and help may be shared by all series.
    let texts = ESCAPED * (records * FAMILY_TEXTS + capacities.text_length);
    let each = records * slots * (OBJECT + ESCAPED * 64);
    let buckets = BUCKET * (capacities.lanes + 1) * capacities.blocks_length / 8;
    let values = records * slots * OBJECT;
    // Once for the series, once per process that tells what it counted.
    texts * (1 + slots)
        + each
        + buckets
        + values
        + records * OBJECT * (2 + WINDOWS)
        + slots * 4 * OBJECT
        + capacities.errors * (ESCAPED * ERROR_TEXT_LENGTH as u64 + OBJECT)
        + 64 * OBJECT
}

/// Bytes of heap that opening, reading and encoding take at one time.
pub fn heap(geometry: &Geometry) -> u64 {
    let capacities = &geometry.capacities;
    let states = (2 + WINDOWS) * 8 * 8194;
    // Copies of what every lane has of every histogram: live, sealed, at epochs; and output, which may be wider than any of them.
    let copies = 16 * (capacities.lanes + 1) * capacities.blocks_length;
    // Labels as pairs of strings, encoded, and as a key.
    let texts = 32 * capacities.text_length + geometry.records * (FAMILY_TEXTS + OBJECT);
    2 * json(geometry) + copies + texts + states + MAX_ENCODED_LENGTH as u64
}
