//! Reading: what a snapshot costs beside copying the same words.

use std::cell::RefCell;
use std::fs::File;
use std::time::Duration;

use shmetrics::layout::geometry::Geometry;
use shmetrics::{Reader, Segment, Snapshot};

use crate::crowd;
use crate::measure::{Alone, Contestant, alone, contestant};
use crate::peers::{prometheus, shm};
use crate::report::{Limit, Table};
use crate::run::Run;
use crate::system;

const COUNTERS: usize = 1000;
const LANES: usize = 64;
const HISTOGRAMS: usize = 100;
/// Bytes of a default histogram's block in a lane.
const BLOCK_LENGTH: u64 = 11_136;
/// Words that a reader must have of a block in any case: its head, and the buckets that were touched.
const TOUCHED_WORDS: usize = 8 + 48;

pub fn measure(run: &mut Run) {
    counters(run);
    histograms(run);
}

/// A reader of what the segment says, that has read it before.
pub fn reader(segment: &Segment) -> (Reader, Snapshot) {
    let mut reader = Reader::open_path(segment.path().expect("a path")).expect("a reader");
    let mut snapshot = Snapshot::default();
    for _ in 0..2 {
        reader.snapshot_into(&mut snapshot).expect("a snapshot");
    }
    (reader, snapshot)
}

/// The work of taking snapshots.
pub fn snapshots<'a>(segment: &Segment) -> Alone<'a> {
    let kept = RefCell::new(reader(segment));
    Box::new(move |turns| {
        let (reader, snapshot) = &mut *kept.borrow_mut();
        for _ in 0..turns {
            reader.snapshot_into(snapshot).expect("a snapshot");
        }
    })
}

/// Copies `words` words of each lane, beginning at what `from` says of it.
fn copies<'a>(segment: &Segment, words: usize, ranges: Vec<u64>) -> Alone<'a> {
    let geometry = Geometry::plan(segment.capacities().expect("capacities")).expect("a geometry");
    let file = File::open(segment.path().expect("a path")).expect("the segment");
    let mapped = system::mapped(&file, geometry.file_length as usize);
    let to = RefCell::new(vec![0u64; words * ranges.len()]);
    Box::new(move |turns| {
        let mut to = to.borrow_mut();
        for _ in 0..turns {
            for (to, from) in to.chunks_mut(words).zip(&ranges) {
                let from = (*from / 8) as usize;
                system::copy(&mapped[from..from + words], to);
            }
            std::hint::black_box(&mut *to);
        }
    })
}

fn counters(run: &mut Run) {
    let lanes = run.many(LANES, 4);
    let segment = shm::segment(&run.scratch.file("snapshot"));
    let counted = shm::counters(&segment, COUNTERS);
    // This thread's lane is one of them.
    let work = move |_: usize| counted.iter().for_each(|counter| counter.add(7));
    work(0);
    let _threads = crowd::threads(lanes - 1, work);
    let geometry = Geometry::plan(segment.capacities().expect("capacities")).expect("a geometry");
    let ranges: Vec<u64> = (0..lanes as u64)
        .map(|lane| geometry.lane_offset(lane) + geometry.lane_counters_offset)
        .collect();
    let contestants: Vec<Contestant<Alone<'_>>> = vec![
        contestant(
            "`memcpy` of the same words, the limit",
            copies(&segment, COUNTERS, ranges),
        ),
        contestant("shmetrics, snapshot and merge", snapshots(&segment)),
    ];
    let operations = (COUNTERS * lanes) as u64;
    let all = alone(run.settings, operations, &contestants);
    let note = format!("{COUNTERS} counters in {lanes} lanes, warm; ns per counter and lane.");
    run.report
        .table(Table::of("Snapshot of counters", &note, &all, 1));
    run.report.target(
        "snapshot, per counter and lane",
        all[1].times(&all[0]),
        Limit::AtMost(1.8),
        " × memcpy",
    );
    let contestants: Vec<Contestant<Alone<'_>>> = vec![
        contestant("shmetrics, 64 lanes", snapshots(&segment)),
        contestant("prometheus `gather`, one process", prometheus::gather(COUNTERS)),
    ];
    let all = alone(run.settings, COUNTERS as u64, &contestants);
    let note = "The same per series. A library of one process has no lanes to merge.";
    run.report.table(Table::of("Snapshot, per series", note, &all, 0));
    shm::remove(&segment);
}

fn histograms(run: &mut Run) {
    let lanes = run.many(LANES, 4);
    let options = Segment::options().blocks_length((HISTOGRAMS as u64 + 1) * 12_288);
    let path = run.scratch.file("snapshot histograms");
    let segment = options.budget(1 << 30).create_at(&path).expect("a segment");
    let recorded = shm::histograms(&segment, HISTOGRAMS);
    let values = crate::measure::nanoseconds();
    let work = move |_: usize| {
        for value in values.iter().take(200) {
            recorded.iter().for_each(|histogram| histogram.record(*value));
        }
    };
    work(0);
    let _threads = crowd::threads(lanes - 1, work);
    let geometry = Geometry::plan(segment.capacities().expect("capacities")).expect("a geometry");
    let ranges = |words: usize| -> Vec<u64> {
        let lane = |lane: u64| {
            let begin = geometry.lane_offset(lane) + geometry.lane_blocks_offset;
            (0..HISTOGRAMS as u64).map(move |block| begin + block * BLOCK_LENGTH)
        };
        assert!(words as u64 * 8 <= BLOCK_LENGTH);
        (0..lanes as u64).flat_map(lane).collect()
    };
    let all_words = BLOCK_LENGTH as usize / 8;
    let contestants: Vec<Contestant<Alone<'_>>> = vec![
        contestant(
            "`memcpy` of the head and the touched buckets, the limit",
            copies(&segment, TOUCHED_WORDS, ranges(TOUCHED_WORDS)),
        ),
        contestant("shmetrics, snapshot and merge, with windows", snapshots(&segment)),
        contestant(
            "`memcpy` of the whole blocks",
            copies(&segment, all_words, ranges(all_words)),
        ),
    ];
    let settings = run.settings.with(15, Duration::from_millis(8));
    let all = alone(settings, (HISTOGRAMS * lanes) as u64, &contestants);
    let note = format!(
        "{HISTOGRAMS} histograms in {lanes} lanes, 200 values between 50 µs and 2 ms in each; ns per histogram and lane."
    );
    run.report
        .table(Table::of("Snapshot of histograms", &note, &all, 1));
    run.report.target(
        "snapshot, histograms by touched range",
        all[1].times(&all[2]),
        Limit::AtMost(1.0),
        " × memcpy of whole blocks",
    );
    shm::remove(&segment);
}
