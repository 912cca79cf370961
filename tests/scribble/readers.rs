//! Readers of a segment that is scribbled over.

use std::convert::Infallible;
use std::path::Path;

use shmetrics::dump::Dump;
use shmetrics::error::OpenError;
use shmetrics::verify::verify;
use shmetrics::{Reader, Snapshot};

use crate::fence::Fences;
use crate::memory::peak_of;
use crate::{Scene, Watchdog, alone, bounds, furnished, random, scribble_if_child};

/// Each opens, reads in every way, verifies and dumps.
const ROUNDS: u64 = 150;

/// What was met, so that a test in which nothing happens fails.
#[derive(Debug, Default)]
struct Met {
    opened: u64,
    refused: u64,
    series: u64,
    skipped: u64,
    findings: u64,
    lines: u64,
    fenced: u64,
}

/// Everything a reader does, each bounded by what it validated when it opened.
fn look(reader: &mut Reader, snapshot: &mut Snapshot, met: &mut Met) {
    let geometry = reader.facts().geometry;
    let mut encode = |snapshot: &Snapshot| {
        let text = serde_json::to_string(snapshot).unwrap();
        assert!(
            text.len() as u64 <= bounds::json(&geometry),
            "{} characters",
            text.len()
        );
        serde_json::from_str::<serde::de::IgnoredAny>(&text).unwrap();
        met.series += snapshot.series.len() as u64;
        met.skipped += snapshot.skipped.len() as u64;
        assert!(snapshot.series.len() as u64 <= geometry.records);
        assert!(snapshot.skipped.len() as u64 <= geometry.records);
        assert!(snapshot.processes.len() as u64 <= geometry.capacities.process_slots);
    };
    for per_process in [true, false] {
        reader.per_process(per_process);
        reader.refresh_owners().unwrap();
        reader.snapshot_into(snapshot).unwrap();
        encode(snapshot);
        reader.cut_into(snapshot).unwrap();
        encode(snapshot);
    }
    for seconds in [0.002, f64::INFINITY] {
        encode(&reader.window(seconds).unwrap());
    }
    let _ = reader.replaced();
}

fn open_and_look(path: &Path, length: u64, snapshot: &mut Snapshot, met: &mut Met) {
    let _fences = Fences::around_the_next(length);
    let (geometry, heap) = peak_of(|| {
        let mut reader = match Reader::open_path(path) {
            Ok(reader) => reader,
            Err(OpenError::Layout { .. }) => {
                met.refused += 1;
                return None;
            }
            Err(other) => panic!("{other}"),
        };
        met.opened += 1;
        met.fenced += u64::from(Fences::hold(path));
        look(&mut reader, snapshot, met);
        Some(reader.facts().geometry)
    });
    if let Some(geometry) = geometry {
        assert!(heap as u64 <= bounds::heap(&geometry), "{heap} bytes of heap");
    }
}

fn verify_and_dump(path: &Path, length: u64, met: &mut Met) {
    let (report, heap) = peak_of(|| verify(path).unwrap());
    assert!(
        (heap as u64) < 64 * length,
        "{heap} bytes of heap to verify {length}"
    );
    let text = report.to_string();
    assert!((text.len() as u64) < 64 * length, "{} characters", text.len());
    met.findings += report.findings.len() as u64;
    let Ok(dump) = Dump::open(path) else { return };
    let (mut lines, mut characters) = (0u64, 0u64);
    let (all, heap) = peak_of(|| {
        dump.each(|line| {
            lines += 1;
            characters += (line.name.len() + line.meaning.len()) as u64;
            Ok::<(), Infallible>(())
        })
    });
    let Ok(()) = all;
    assert!(lines <= length / 8, "{lines} lines");
    assert!(characters <= 64 * length, "{characters} characters");
    assert!(
        (heap as u64) < 64 * length,
        "{heap} bytes of heap to dump {length}"
    );
    met.lines += lines;
}

#[test]
fn readers_of_a_segment_that_a_peer_scribbles_over_come_back_within_bounds() {
    scribble_if_child();
    let _alone = alone();
    let _watchdog = Watchdog::new("reading");
    let segment = Scene::segment("scribble-readers");
    // One that saw it sound, and reads on: its catalog, its memories of what it showed.
    let (_fences, mut first) = Fences::around(&segment.1, furnished().length(), || {
        Reader::open_path(&segment.1).unwrap()
    });
    let geometry = first.facts().geometry;
    let (mut snapshot, mut met) = (Snapshot::default(), Met::default());
    let scene = Scene::begin(
        "readers::readers_of_a_segment_that_a_peer_scribbles_over_come_back_within_bounds",
        segment,
    );
    for round in 0..ROUNDS * random::times() {
        // A refused one takes no time: without this one damaged header would be met again and again.
        scene.await_turns(20);
        let ((), heap) = peak_of(|| look(&mut first, &mut snapshot, &mut met));
        assert!(heap as u64 <= bounds::heap(&geometry), "{heap} bytes of heap");
        open_and_look(&scene.path, geometry.file_length, &mut snapshot, &mut met);
        if round % 4 == 0 {
            verify_and_dump(&scene.path, geometry.file_length, &mut met);
        }
    }
    scene.end();
    println!("{met:?}");
    assert!(met.opened > met.refused && met.refused > 0, "{met:?}");
    // Another thread may map something at the wrong moment.
    assert!(met.fenced > met.opened / 2, "{met:?}");
    assert!(met.series > ROUNDS && met.skipped > ROUNDS, "{met:?}");
    assert!(met.findings > ROUNDS && met.lines > ROUNDS, "{met:?}");
}
