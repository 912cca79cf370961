//! While others record: what is shown as exact is a state that was.

use std::path::Path;

use shmetrics::Segment;
use shmetrics::protocol::latch::SEAL_INTERVAL;

use crate::support::*;
use crate::{build, run};

/// Every value: so the sum of any prefix of the records follows from its count.
const VALUE: u64 = 3;
const ROUNDS: usize = 40;

/// Two threads that record into the same histograms until they are killed, with one lane between them.
fn record_for_ever(path: &Path) {
    let options = Segment::options().process_slots(4).lanes(1).series(16).gauges(4);
    let segment = options.open_or_create_at(path).unwrap();
    let histogram = segment.histogram("all_the_same").register().unwrap();
    let counter = segment.counter("records_total").register().unwrap();
    let work = || {
        loop {
            histogram.record(VALUE);
            counter.inc();
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
}

#[test]
fn while_others_record_no_histogram_is_shown_that_never_was() {
    if let Some(path) = child_argument() {
        return record_for_ever(Path::new(&path));
    }
    let scratch = Scratch::new("c-reader-live");
    let Some(program) = build(&scratch) else { return };
    let path = scratch.path("segment");
    let test = "live::while_others_record_no_histogram_is_shown_that_never_was";
    let mut worker = Worker::spawn(test, path.to_str().unwrap());
    poll("records", || {
        let snapshot = path.exists().then(|| snapshot(&path))?;
        (counter(&snapshot, "records_total", &[]) > 100_000).then_some(())
    });
    let mut last = 0;
    let mut look = || {
        let ended = run(&program, &path);
        let line = ended
            .lines
            .iter()
            .find(|line| line.starts_with("all_the_same{} "));
        let line = line.unwrap_or_else(|| panic!("{ended:?}"));
        let field = |name: &str| {
            let value = line.split(' ').find_map(|field| field.strip_prefix(name));
            value.map(|value| value.parse::<f64>().unwrap())
        };
        let (count, sum) = (field("count=").unwrap(), field("sum=").unwrap());
        // Off by as many records as are in flight in the shared lane; a lane is exact.
        let error = field("bounded=").unwrap_or(0.0);
        assert!(
            (sum - count * VALUE as f64).abs() <= error * VALUE as f64,
            "{line}"
        );
        assert_eq!(
            (field("min="), field("max=")),
            (Some(VALUE as f64), Some(VALUE as f64)),
            "{line}"
        );
        // Each run is a reader of its own, without what another one knew: of a hot histogram it may take the sealed copy, exact and
        // at most so many records old (SPEC.md 10.12). The shared lane has none.
        let as_of_now = count + error + SEAL_INTERVAL as f64;
        assert!(as_of_now >= last as f64, "{line} after {last}");
        last = (count - error).max(0.0) as u64;
        ended
    };
    (0..ROUNDS).for_each(|_| drop(look()));
    worker.kill();
    look();
}
