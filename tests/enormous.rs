//! Files that claim enormous capacities, all within SPEC.md section 19, and have next to no content: reading, verifying and dumping
//! them costs no memory, storage or output in proportion. `reader/tests/cli/enormous.rs` does the same with the binary.
#![cfg(not(shmetrics_loom))]

#[path = "support/memory.rs"]
mod memory;
mod support;

use std::convert::Infallible;
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use shmetrics::dump::Dump;
use shmetrics::layout::directory::{LANE_ENTRY_LENGTH, PROCESS_ENTRY_LENGTH};
use shmetrics::layout::error_log::ERROR_ENTRY_LENGTH;
use shmetrics::layout::geometry::{Capacities, Geometry, Origin};
use shmetrics::layout::header::*;
use shmetrics::verify::verify;
use shmetrics::{Reader, Snapshot};
use support::Scratch;

/// As much as fits 2^42 bytes, once with many lanes, once with long ones.
fn claims() -> [Capacities; 2] {
    let most = Capacities {
        process_slots: 4096,
        lanes: 16_384,
        series: 524_288,
        text_length: 1 << 30,
        counters: 1 << 20,
        gauges: 1 << 20,
        blocks_length: 1 << 27,
        errors: 1024,
        reset_tables: 2,
        budget: 1 << 42,
        epoch_length_ns: 1_000_000,
    };
    let long = Capacities {
        lanes: 1024,
        blocks_length: 1 << 31,
        ..most
    };
    [most, long]
}

/// A header, and nothing but holes behind it.
fn claim(path: &Path, capacities: Capacities) -> (File, Geometry) {
    let geometry = Geometry::plan(capacities).unwrap();
    let origin = Origin {
        boot_id: [0, 0],
        created_ns: 1,
        created_monotonic_ns: 1,
        segment_id: 1,
        writer_features: 0,
    };
    let words = geometry.to_words(&origin);
    let file = File::create(path).unwrap();
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    file.write_all_at(&bytes, 0).unwrap();
    file.set_len(geometry.file_length).unwrap();
    (file, geometry)
}

/// The directories and the error log, of which every entry is looked at: bounded by how many slots, lanes and errors there may be at all.
fn directories(geometry: &Geometry) -> u64 {
    let capacities = &geometry.capacities;
    capacities.process_slots * PROCESS_ENTRY_LENGTH
        + capacities.lanes * LANE_ENTRY_LENGTH
        + capacities.errors * ERROR_ENTRY_LENGTH
        + (64 << 10)
}

fn stored(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().blocks() * 512
}

fn read(path: &Path) -> Snapshot {
    let mut reader = Reader::open_path(path).unwrap();
    reader.per_process(true);
    let mut snapshot = Snapshot::default();
    reader.snapshot_into(&mut snapshot).unwrap();
    reader.cut_into(&mut snapshot).unwrap();
    reader.window(10.0).unwrap();
    let text = serde_json::to_string(&snapshot).unwrap();
    assert!(text.len() < 8192, "{} characters", text.len());
    snapshot
}

/// What readers, the verifier and the dump cost. The index has a word for each place, of which both look at all.
fn assert_cheap(path: &Path, geometry: &Geometry, what: &str) {
    let before = stored(path);
    let (snapshot, heap) = memory::peak_of(|| read(path));
    assert_eq!((snapshot.series.len(), snapshot.skipped.len()), (0, 0), "{what}");
    // A slot is some words in a table of the reader's.
    let slots = geometry.capacities.process_slots as usize * 256;
    assert!(heap < slots + (256 << 10), "{what}: {heap} bytes of heap");
    let taken = stored(path) - before;
    assert!(taken <= directories(geometry), "{what}: {taken} bytes of storage");

    let (report, heap) = memory::peak_of(|| verify(path).unwrap());
    assert!(heap < 32 << 20, "{what}: {heap} bytes of heap to verify");
    assert!(report.to_string().len() < 64 << 10, "{what}: {report}");
    let mut lines = 0;
    let (all, heap) = memory::peak_of(|| {
        Dump::open(path).unwrap().each(|_| {
            lines += 1;
            Ok::<(), Infallible>(())
        })
    });
    let Ok(()) = all;
    assert!(lines < 10_000, "{what}: {lines} lines");
    assert!(heap < 32 << 20, "{what}: {heap} bytes of heap to dump");
    let taken = stored(path) - before;
    let most = directories(geometry) + geometry.index_entries * 8;
    assert!(taken <= most, "{what}: {taken} bytes of storage");
}

fn scene(capacities: Capacities) -> (Scratch, PathBuf, File, Geometry) {
    let scratch = Scratch::new("enormous");
    let path = scratch.path("segment");
    let (file, geometry) = claim(&path, capacities);
    (scratch, path, file, geometry)
}

#[test]
fn a_header_that_claims_the_most_costs_nothing_in_proportion() {
    for capacities in claims() {
        let (_scratch, path, _, geometry) = scene(capacities);
        assert!(geometry.file_length > 1 << 41);
        assert_cheap(&path, &geometry, "the header alone");
    }
}

#[test]
fn mutable_words_that_claim_the_most_cost_nothing_in_proportion() {
    for capacities in claims() {
        let (_scratch, path, file, geometry) = scene(capacities);
        for offset in [
            RESERVED_OFFSET,
            TEXT_USED_OFFSET,
            COUNTER_PLACEMENT_OFFSET,
            GAUGE_PLACEMENT_OFFSET,
            BLOCK_PLACEMENT_OFFSET,
            COMMITTED_OFFSET,
            TICKER_OFFSET,
            STAMP_OFFSET,
        ] {
            file.write_all_at(&[0xff; 8], offset).unwrap();
        }
        assert_cheap(&path, &geometry, "mutable words");
    }
}

/// Marks say that all is there: without a series that has cells nobody looks. What has cells is looked at, and costs what it is.
#[test]
fn marks_without_series_cost_nothing_in_proportion() {
    let (_scratch, path, file, geometry) = scene(claims()[0]);
    for lane in 1..=64 {
        let entry = geometry.lane_entry_offset(lane);
        for (word, value) in [(0, 1u64 << 48 | 1), (1, 1), (2, u64::MAX), (4, u64::MAX)] {
            file.write_all_at(&value.to_ne_bytes(), entry + word * 8).unwrap();
        }
    }
    for slot in 0..64 {
        let entry = geometry.process_entry_offset(slot);
        for (word, value) in [(0, 1u64 << 2 | 2), (1, u64::MAX)] {
            file.write_all_at(&value.to_ne_bytes(), entry + word * 8).unwrap();
        }
    }
    let before = stored(&path);
    let mut reader = Reader::open_path(&path).unwrap();
    let snapshot = reader.snapshot().unwrap();
    assert_eq!((snapshot.series.len(), snapshot.fill.lanes_touched), (0, 64));
    let taken = stored(&path) - before;
    assert!(taken <= directories(&geometry), "{taken} bytes of storage");
}

/// A record that comes while a reader looks on is seen, wherever it is: holes are asked for each time.
#[test]
fn what_is_stored_later_is_read_later() {
    let (_scratch, path, file, geometry) = scene(claims()[1]);
    let mut reader = Reader::open_path(&path).unwrap();
    file.write_all_at(&100u64.to_ne_bytes(), RESERVED_OFFSET).unwrap();
    assert_eq!(reader.snapshot().unwrap().skipped.len(), 0);
    // Ready, with a checksum that is none; all of the pages before it have storage then.
    for number in 1..=70 {
        file.write_all_at(&1u64.to_ne_bytes(), geometry.record_offset(number) + 8)
            .unwrap();
    }
    assert_eq!(reader.snapshot().unwrap().skipped.len(), 70);
}
