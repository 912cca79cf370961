//! Histograms over lanes: live, dead, torn, hot, cut, windows.

use super::super::fixture::*;
use crate::layout::block::*;
use crate::layout::directory::OwnerTag;
use crate::layout::kind::Merge;
use crate::protocol::histogram::{IntegerSum, record};
use crate::protocol::latch::{SEAL_INTERVAL, seal};
use crate::snapshot::{Quality, Reader};
use crate::sync::Relaxed;

fn prepared(segment: &Segment, ring_slots: u8) -> Series<'_> {
    let owner = segment.active(0, "web");
    segment.lane(1, owner, 1);
    segment.lane(2, owner, 1);
    segment.lane(3, OwnerTag::RELEASED, 1);
    segment.single("timed", Merge::Sum, histogram(OCTAVES, ring_slots))
}

fn count(reader: &mut Reader) -> (u64, Quality) {
    let snapshot = reader.snapshot().unwrap();
    let histogram = histogram_of(&snapshot, "timed");
    assert_eq!(histogram.counts.iter().sum::<u64>(), histogram.count);
    (histogram.count, histogram.quality)
}

#[test]
fn lanes_and_the_shared_lane_are_added_up() {
    let segment = Segment::new();
    let timed = prepared(&segment, 0);
    timed.record(0, &[2, 30]);
    timed.record(1, &[4, 4, 1]);
    timed.record(3, &[20]);
    timed.block(1)[INVALID].store(2, Relaxed);
    let snapshot = segment.reader().snapshot().unwrap();
    let histogram = histogram_of(&snapshot, "timed");
    assert_eq!(
        (histogram.count, histogram.sum, histogram.invalid),
        (6, 0.5 * 61.0, 2)
    );
    assert_eq!((histogram.min, histogram.max), (Some(0.5), Some(15.0)));
    assert_eq!(histogram.quality, Quality::Exact);
    let mut expected = vec![0; histogram.scheme.buckets()];
    for value in [2, 30, 4, 4, 1, 20] {
        expected[timed.observation(value).index] += 1;
    }
    assert_eq!(histogram.counts, expected);
    assert!(histogram.windows.is_empty());
}

#[test]
fn a_block_that_is_not_committed_is_not_looked_at() {
    let segment = Segment::new();
    let timed = prepared(&segment, 0);
    timed.record(1, &[4]);
    let front = segment.geometry.lane_offset(1);
    segment.set(front, 0);
    let mut reader = segment.reader();
    assert_eq!(count(&mut reader), (0, Quality::Exact));
    timed.block(1);
    assert_eq!(count(&mut reader), (1, Quality::Exact));
    // A lane that was never committed.
    timed.record(4, &[4]);
    assert_eq!(count(&mut reader), (1, Quality::Exact));
}

#[test]
fn a_writer_dead_in_the_middle_of_a_record_is_read_exactly() {
    let segment = Segment::new();
    let timed = prepared(&segment, 0);
    timed.record(1, &[4, 6]);
    let block = timed.block(1);
    let mut reader = segment.reader();
    for words in [&[(COUNT, 3)][..], &[(SUM_ODD, 999)]] {
        words
            .iter()
            .for_each(|&(word, value)| block[word].store(value, Relaxed));
        let snapshot = reader.snapshot().unwrap();
        let histogram = histogram_of(&snapshot, "timed");
        assert_eq!(
            (histogram.count, histogram.sum, histogram.quality),
            (2, 5.0, Quality::Exact)
        );
    }
    // The only record of a lane, begun and not landed: its minimum is not shown.
    let lonely = segment.single("lonely", Merge::Sum, histogram(OCTAVES, 0));
    lonely.block(1)[MINIMUM].store(!3, Relaxed);
    lonely.block(1)[COUNT].store(1, Relaxed);
    let snapshot = reader.snapshot().unwrap();
    assert_eq!(
        (
            histogram_of(&snapshot, "lonely").count,
            histogram_of(&snapshot, "lonely").min
        ),
        (0, None)
    );
}

#[test]
fn a_histogram_that_cannot_be_read_live_is_read_from_its_latch_and_stays_hot() {
    let segment = Segment::new();
    let timed = prepared(&segment, 0);
    let block = timed.block(1);
    timed.record(1, &[4, 6]);
    assert!(seal(block, &timed.shape()));
    timed.record(1, &[8]);
    let mut reader = segment.reader();
    // As if records began during every copy: count and buckets never agree.
    let tear = |by: u64| block[COUNT].store(by, Relaxed);
    tear(9);
    assert_eq!(count(&mut reader), (2, Quality::Exact));
    // The latch did not move; live works again.
    tear(3);
    assert_eq!(count(&mut reader), (3, Quality::Exact));
    // The seal is older than what was shown: never less, and still exact.
    tear(9);
    assert_eq!(count(&mut reader), (3, Quality::Exact));
    // A new seal: taken first, and as the writer is idle the rest is read live.
    tear(3);
    assert!(seal(block, &timed.shape()));
    timed.record(1, &[2]);
    assert_eq!(count(&mut reader), (4, Quality::Exact));
    tear(9);
    assert_eq!(count(&mut reader), (4, Quality::Exact));
}

#[test]
fn what_cannot_be_read_at_all_is_the_last_known_and_bounded() {
    let segment = Segment::new();
    let timed = prepared(&segment, 0);
    timed.record(1, &[4, 6]);
    let mut reader = segment.reader();
    assert_eq!(count(&mut reader), (2, Quality::Exact));
    timed.block(1)[COUNT].store(12, Relaxed);
    assert_eq!(count(&mut reader), (2, Quality::Bounded { error: 10 }));
    assert_eq!(count(&mut segment.reader()), (0, Quality::Bounded { error: 12 }));
    // A damaged block that has less than it had.
    timed.block(1)[COUNT].store(1, Relaxed);
    assert_eq!(count(&mut reader), (2, Quality::Bounded { error: 1 }));
    timed.block(1)[timed.observation(4).index + BUCKETS].store(0, Relaxed);
    assert_eq!(count(&mut reader).0, 2);
}

#[test]
fn a_writer_dead_in_the_shared_lane_is_bounded_by_one() {
    let segment = Segment::new();
    let timed = prepared(&segment, 0);
    timed.record(0, &[4, 6]);
    timed.block(0)[COUNT].store(3, Relaxed);
    let mut reader = segment.reader();
    assert_eq!(count(&mut reader), (2, Quality::Bounded { error: 1 }));
    // Less than before is never shown.
    timed.block(0)[BUCKETS + timed.observation(4).index].store(0, Relaxed);
    assert_eq!(count(&mut reader).0, 2);
}

#[test]
fn a_cut_ends_with_the_last_closed_epoch_and_never_goes_down() {
    let segment = Segment::new();
    let timed = prepared(&segment, 2);
    let plain = segment.single("plain", Merge::Sum, histogram(OCTAVES, 0));
    plain.record(1, &[1, 1]);
    timed.record_in(1, 5, &[1, 1]);
    timed.record_in(1, 7, &[1]);
    timed.record_in(2, 6, &[1, 1, 1]);
    let mut reader = segment.reader();
    let mut cut = |epoch| {
        let snapshot = snapshot_at(&mut reader, true, epoch);
        assert_eq!(snapshot.cut_epoch, Some(epoch - 1));
        assert_eq!(histogram_of(&snapshot, "plain").count, 2);
        let histogram = histogram_of(&snapshot, "timed");
        (histogram.count, histogram.quality)
    };
    assert_eq!(cut(7), (5, Quality::Exact));
    assert_eq!(cut(8), (6, Quality::Exact));
    timed.record_in(1, 8, &[1]);
    assert_eq!(cut(8), (6, Quality::Exact));
    // The ring lost epoch 8: what is there now is shown, off by what came since the last cut.
    for epoch in 9..12 {
        timed.record_in(1, epoch, &[1, 1]);
    }
    assert_eq!(cut(9), (13, Quality::Bounded { error: 7 }));
    // Two records of epoch 11 were shown already.
    assert_eq!(cut(11), (13, Quality::Bounded { error: 2 }));
    assert_eq!(cut(12), (13, Quality::Exact));
}

#[test]
fn windows_are_differences_of_states_at_epochs() {
    let segment = Segment::new();
    let timed = prepared(&segment, 3);
    timed.record_in(1, 5, &[1, 1]);
    timed.record_in(1, 7, &[4, 4, 4]);
    timed.record_in(1, 8, &[20]);
    timed.record_in(1, 9, &[1]);
    timed.record_in(2, 3, &[30; 9]);
    timed.record_in(2, 7, &[2]);
    let mut reader = segment.reader();
    let snapshot = snapshot_at(&mut reader, false, 9);
    let windows = &histogram_of(&snapshot, "timed").windows;
    let shown: Vec<_> = windows
        .iter()
        .map(|w| (w.seconds, w.count, w.sum, w.quality))
        .collect();
    assert_eq!(
        shown,
        [(10.0, 1, 10.0, Quality::Exact), (20.0, 5, 17.0, Quality::Exact)]
    );
    let mut expected = vec![0; timed.shape().buckets];
    for value in [4, 4, 4, 20, 2] {
        expected[timed.observation(value).index] += 1;
    }
    assert_eq!(windows[1].counts, expected);
    // Two epochs without a record.
    let snapshot = snapshot_at(&mut reader, false, 12);
    let windows = &histogram_of(&snapshot, "timed").windows;
    assert!(
        windows
            .iter()
            .all(|w| (w.count, w.quality) == (0, Quality::Exact))
    );
    // The clock of the reader is behind: epoch 5 is not in the ring any more.
    let snapshot = snapshot_at(&mut reader, false, 7);
    let windows = &histogram_of(&snapshot, "timed").windows;
    assert!(
        windows
            .iter()
            .all(|w| matches!(w.quality, Quality::Bounded { error: 7 })),
        "{windows:?}"
    );
}

#[test]
fn windows_say_that_the_shared_lane_is_not_in_them() {
    let segment = Segment::new();
    let timed = prepared(&segment, 2);
    timed.record_in(1, 8, &[4]);
    timed.record(0, &[1, 1, 1]);
    let snapshot = snapshot_at(&mut segment.reader(), false, 9);
    let histogram = histogram_of(&snapshot, "timed");
    assert_eq!((histogram.count, histogram.quality), (4, Quality::Exact));
    assert_eq!(histogram.windows.len(), 1);
    assert_eq!(
        (histogram.windows[0].count, histogram.windows[0].quality),
        (1, Quality::Bounded { error: 3 })
    );
}

#[test]
fn a_revision_without_a_long_enough_ring_bounds_the_window() {
    let segment = Segment::new();
    segment.lane(1, segment.active(0, ""), 1);
    let family = segment.family("timed", crate::layout::kind::Kind::HistogramInteger, Merge::Sum);
    let long = segment.series(family, &[], histogram(OCTAVES, 3));
    let short = segment.series(family, &[], histogram((1, 0, 3), 2));
    long.record_in(1, 7, &[1]);
    long.record_in(1, 8, &[1]);
    short.record_in(1, 8, &[1]);
    let snapshot = snapshot_at(&mut segment.reader(), false, 9);
    let windows = &histogram_of(&snapshot, "timed").windows;
    let shown: Vec<_> = windows.iter().map(|w| (w.count, w.quality)).collect();
    assert_eq!(shown, [(2, Quality::Exact), (2, Quality::Bounded { error: 1 })]);
}

#[test]
fn a_window_snapshot_keeps_the_shortest_window_that_is_long_enough() {
    let segment = Segment::new();
    let timed = prepared(&segment, 4);
    let plain = segment.single("plain", Merge::Sum, histogram(OCTAVES, 0));
    plain.record(1, &[1, 1]);
    timed.record(1, &[4]);
    let mut reader = segment.reader();
    for (seconds, length) in [
        (1.0, 10.0),
        (10.0, 10.0),
        (11.0, 20.0),
        (30.0, 30.0),
        (500.0, 30.0),
    ] {
        let snapshot = reader.window(seconds).unwrap();
        let histogram = histogram_of(&snapshot, "timed");
        assert_eq!(histogram.windows.len(), 1);
        assert_eq!(
            (histogram.windows[0].seconds, histogram.count, histogram.max),
            (length, 0, None)
        );
        let histogram = histogram_of(&snapshot, "plain");
        assert_eq!(
            (histogram.count, histogram.quality),
            (0, Quality::Bounded { error: 2 })
        );
    }
}

#[test]
fn a_hot_writer_is_read_exactly_all_the_time_and_completely_at_the_end() {
    const RECORDS: u64 = 4_000_000;
    let segment = Segment::new();
    let timed = prepared(&segment, 0);
    let block = timed.block(1);
    let mut reader = segment.reader();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (shape, observation) = (timed.shape(), timed.observation(6));
            for number in 1..=RECORDS {
                record::<IntegerSum>(block, shape.buckets, observation);
                if number % SEAL_INTERVAL == 0 {
                    assert!(seal(block, &shape));
                }
            }
            done.store(true, std::sync::atomic::Ordering::Release);
        });
        let mut last = 0;
        loop {
            let finished = done.load(std::sync::atomic::Ordering::Acquire);
            let snapshot = reader.snapshot().unwrap();
            let histogram = histogram_of(&snapshot, "timed");
            // Before the first seal a hot histogram has no copy to take.
            if histogram.count >= SEAL_INTERVAL {
                assert_eq!(histogram.quality, Quality::Exact);
            }
            assert_eq!(histogram.sum, histogram.count as f64 * 3.0);
            assert!(histogram.count >= last, "{} after {last}", histogram.count);
            last = histogram.count;
            if finished {
                break;
            }
        }
        assert_eq!(last, RECORDS);
    });
}
