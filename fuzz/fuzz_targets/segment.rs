//! A reader on any file: open, snapshot, cut, window, per-process view, JSON, verify, dump; then the file changes under it, and all
//! again.
//!
//! It must come back: no panic, no signal, no wild access (AddressSanitizer), and within the fuzzer's limits of time and memory.
#![no_main]

use std::cell::RefCell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use shmetrics::Reader;
use shmetrics::dump::Dump;
use shmetrics::snapshot::{Clocks, Snapshot};
use shmetrics_fuzz::mutate::{Numbers, mutate};
use shmetrics_fuzz::sparse::Sparse;

/// The file that every input becomes, in the folder that `ci/fuzz.sh` removes, or in a temporary one.
struct Place {
    path: PathBuf,
    file: File,
}

impl Place {
    fn new() -> Place {
        let folder = std::env::var_os("SHMETRICS_FUZZ_FOLDER").map_or_else(std::env::temp_dir, PathBuf::from);
        let path = folder.join(format!("segment-{}", std::process::id()));
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .unwrap();
        Place { path, file }
    }

    /// A file of holes and these words.
    fn become_segment(&self, segment: &Sparse) {
        self.file.set_len(0).unwrap();
        self.file.set_len(u64::from(segment.length)).unwrap();
        self.store(segment.length, &segment.before);
    }

    fn store(&self, length: u32, words: &[(u32, u64)]) {
        for (index, value) in words {
            let offset = u64::from(*index) * 8;
            if offset + 8 <= u64::from(length) {
                self.file.write_all_at(&value.to_ne_bytes(), offset).unwrap();
            }
        }
    }
}

thread_local! {
    static PLACE: RefCell<Place> = RefCell::new(Place::new());
}

fn look(reader: &mut Reader, snapshot: &mut Snapshot) {
    for per_process in [false, true] {
        reader.per_process(per_process);
        let _ = reader.refresh_owners();
        if reader.snapshot_into(snapshot).is_ok() {
            serde_json::to_writer(std::io::sink(), snapshot).unwrap();
        }
        if reader.cut_into(snapshot).is_ok() {
            serde_json::to_writer(std::io::sink(), snapshot).unwrap();
        }
    }
    if let Ok(mut cursor) = reader.event_cursor(shmetrics::events::Since::Start) {
        for limit in [3, 100_000] {
            if let Ok(batch) = reader.events(&mut cursor, limit) {
                assert!(batch.events.len() <= limit);
                serde_json::to_writer(std::io::sink(), &batch.events).unwrap();
            }
        }
    }
    for seconds in [0.0, 25.0, f64::NAN] {
        if let Ok(window) = reader.window(seconds) {
            serde_json::to_writer(std::io::sink(), &window).unwrap();
        }
    }
}

/// Most characters that a dump has per byte of the file: a word becomes a line with its name and, if it is a bucket, its bounds.
const DUMP_PER_BYTE: u64 = 64;

/// Whatever stands in the file, there are no more lines than words, and what they say is in proportion to it.
fn dump(place: &Place, length: u64) {
    let Ok(dump) = Dump::open(&place.path) else {
        return;
    };
    let (mut lines, mut characters) = (0u64, 0u64);
    let all = dump.each(|line| {
        lines += 1;
        characters += (line.name.len() + line.meaning.len()) as u64;
        Ok::<(), std::convert::Infallible>(())
    });
    let Ok(()) = all;
    assert!(lines <= length / 8, "{lines} lines of {length} bytes");
    assert!(
        characters <= length * DUMP_PER_BYTE,
        "{characters} characters of {length} bytes"
    );
}

fuzz_target!(|data: &[u8]| {
    let segment = Sparse::decode(data);
    PLACE.with_borrow(|place| {
        place.become_segment(&segment);
        let _ = shmetrics::verify::verify(&place.path);
        dump(place, segment.length.into());
        let Ok(mut reader) = Reader::open_path(&place.path) else {
            return;
        };
        // Fixed, so that an input always does the same.
        let clocks = Clocks {
            wall_ns: 1_800_000_000_000_000_000,
            monotonic_ns: 100_000_000_000,
        };
        reader.as_of(Some(clocks));
        let mut snapshot = Snapshot::default();
        look(&mut reader, &mut snapshot);
        for part in segment.after.chunks(4) {
            place.store(segment.length, part);
            look(&mut reader, &mut snapshot);
        }
    });
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    // A quarter as bytes, so that the input's own format is explored, too.
    if seed % 4 == 0 {
        return fuzzer_mutate(data, size, max_size);
    }
    let mut segment = Sparse::decode(&data[..size]);
    let mut numbers = Numbers(u64::from(seed));
    for _ in 0..1 + numbers.below(4) {
        mutate(&mut segment, &mut numbers);
    }
    let encoded = segment.encode();
    if encoded.len() > max_size {
        return fuzzer_mutate(data, size, max_size);
    }
    data[..encoded.len()].copy_from_slice(&encoded);
    encoded.len()
});
