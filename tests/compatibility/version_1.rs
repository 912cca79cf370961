//! What the writers did that left tests/data/valid/version-1.hex.

use std::path::Path;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use shmetrics::{Merge, Segment, Unit};

use crate::support::poll;

const EPOCH_MS: u64 = 500;

/// The epoch it is now.
fn epoch() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    (now.tv_sec as u64 * 1000 + now.tv_nsec as u64 / 1_000_000) / EPOCH_MS
}

/// One process with a lane, one thread without: counters, gauges and histograms of every kind, a seal, two rotations.
pub fn write(path: &Path) -> Segment {
    let segment = Segment::options()
        .process_slots(2)
        .lanes(1)
        .series(16)
        .text_length(2048)
        .counters(4)
        .gauges(8)
        .blocks_length(16 * 1024)
        .errors(0)
        .reset_tables(0)
        .budget(1 << 20)
        .epoch(Duration::from_millis(EPOCH_MS))
        .role("web")
        .without_ticker()
        .create_at(path)
        .unwrap();
    assert!(segment.attach_thread());
    let hits = segment.counter("hits").help("Requests served");
    let hits = hits
        .label("method", "GET")
        .label("code", "200")
        .register()
        .unwrap();
    let spent = segment
        .counter_float("spent")
        .unit(Unit::Seconds)
        .register()
        .unwrap();
    let depth = segment.gauge("depth").register().unwrap();
    let most = segment.gauge("most").merge(Merge::Max).register().unwrap();
    let newest = segment.gauge("newest").merge(Merge::Last).register().unwrap();
    let load = segment.gauge_float("load").merge(Merge::Each).register().unwrap();
    let size = segment.histogram("size").unit(Unit::Bytes).scale(0).range(0, 4);
    let size = size.register().unwrap();
    let ratio = segment
        .histogram_float("ratio")
        .scale(1)
        .range(-2, 2)
        .ring_slots(0);
    let ratio = ratio.register().unwrap();
    let wait = segment
        .histogram_classic("wait", &[0.5, 1.0, 2.5])
        .register()
        .unwrap();

    hits.add(3);
    spent.add(1.25);
    depth.set(7);
    most.set(9);
    most.set(-4);
    newest.set(1);
    load.set(0.25);
    // A seal is due after 16,384 records.
    for value in 0..16_400u64 {
        size.record(value % 20);
    }
    for value in [0.0, 0.3, 2.0, 100.0, -1.0] {
        ratio.record(value);
    }
    wait.record(0.5);
    wait.record(3.0);
    // Into the next epoch, so that a window is closed.
    let last = epoch();
    poll("the next epoch", || (epoch() > last).then_some(()));
    segment.tick();
    size.record(1000);
    wait.record(-1.0);
    std::thread::scope(|scope| {
        // No lane is left for this thread: it counts in the shared lane.
        scope.spawn(|| {
            hits.add(2);
            spent.add(0.5);
            ratio.record(1.0);
        });
    });
    segment
}
