//! Files that claim enormous capacities and have next to no content: every command ends, says little, takes hardly any storage, and
//! gets along with a small heap.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::process::Command;

use shmetrics::layout::geometry::{Capacities, Geometry, Origin};
use shmetrics::layout::header::*;

use super::support::*;

/// Heap of a command, stacks and all: RLIMIT_DATA.
const HEAP: u64 = 64 << 20;

/// All that fits 2^42 bytes.
const CLAIM: Capacities = Capacities {
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

/// The same command, with a limit for its heap. A shell sets it: a fork of this process would take slots in the segments that other tests
/// have open at the time.
fn with_a_small_heap(command: &Command) -> Command {
    let mut limited = Command::new("sh");
    let kibibytes = HEAP >> 10;
    limited.args(["-c", &format!("ulimit -d {kibibytes} && exec \"$0\" \"$@\"")]);
    limited.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited.stdin(std::process::Stdio::null());
    limited
}

#[test]
fn files_that_claim_the_most_cost_nothing_in_proportion() {
    let folder = Folder::new();
    let path = folder.path("claims");
    let geometry = Geometry::plan(CLAIM).unwrap();
    let origin = Origin {
        boot_id: [0, 0],
        created_ns: 1,
        created_monotonic_ns: 1,
        segment_id: 1,
        writer_features: 0,
    };
    for mutable_words in [false, true] {
        let file = File::create(&path).unwrap();
        let bytes: Vec<u8> = geometry
            .to_words(&origin)
            .iter()
            .flat_map(|word| word.to_ne_bytes())
            .collect();
        file.write_all_at(&bytes, 0).unwrap();
        if mutable_words {
            for offset in [
                RESERVED_OFFSET,
                TEXT_USED_OFFSET,
                COUNTER_PLACEMENT_OFFSET,
                GAUGE_PLACEMENT_OFFSET,
                BLOCK_PLACEMENT_OFFSET,
                COMMITTED_OFFSET,
            ] {
                file.write_all_at(&[0xff; 8], offset).unwrap();
            }
        }
        file.set_len(geometry.file_length).unwrap();
        for arguments in [
            &["snapshot", "claims", "--format", "json", "--processes"][..],
            &["snapshot", "claims", "--format", "table", "--processes"],
            &["inspect", "claims", "--format", "json"],
            &["inspect", "claims", "--format", "table"],
            &["inspect", "claims", "--hex"],
            &["watch", "claims", "--count", "2", "--interval", "1ms"],
            &["verify", "claims"],
        ] {
            let ended = finish(with_a_small_heap(&folder.command(arguments)));
            // The verifier finds that the head has no storage.
            assert_eq!(
                ended.code,
                i32::from(arguments[0] == "verify"),
                "{arguments:?}: {}",
                ended.stderr
            );
            assert!(
                ended.stdout.len() < 64 << 10,
                "{arguments:?}: {} characters",
                ended.stdout.len()
            );
        }
        // Directories, the error log and the index: SPEC.md 19 bounds them.
        let stored = file.metadata().unwrap().blocks() * 512;
        let most = geometry.index_entries * 8
            + 384 * CLAIM.process_slots
            + 128 * CLAIM.lanes
            + 256 * CLAIM.errors
            + (64 << 10);
        assert!(stored <= most, "{stored} bytes of storage");
    }
}
