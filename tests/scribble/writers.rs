//! Writers of the library in a segment that is scribbled over: they may count wrongly, and go on.

use std::path::Path;

use shmetrics::{Counter, Family, FloatHistogram, Gauge, Histogram, Merge, OpenError, Segment};

use crate::fence::Fences;
use crate::scribbler::Numbers;
use crate::{Scene, Watchdog, alone, furnished, random, scribble_if_child};

const ROUNDS: u64 = 150;
/// Records of a round: so many that some seal a histogram, wherever its count was put.
const RECORDS: u64 = 600;

#[derive(Default)]
struct Handles {
    counters: Vec<Counter>,
    gauges: Vec<Gauge>,
    histograms: Vec<Histogram>,
    floats: Vec<FloatHistogram>,
    families: Vec<Family<Counter, 1>>,
}

/// Handles that were got, and calls that ended with an error.
#[derive(Debug, Default)]
struct Met {
    opened: u64,
    refused: u64,
    registered: u64,
    errors: u64,
}

impl Handles {
    fn register(&mut self, segment: &Segment, numbers: &mut Numbers, met: &mut Met) {
        let name = format!("of_scribbled_{}", numbers.below(30));
        let value = format!("{}", numbers.below(4));
        let ring = numbers.one_of(&[0, 2, 3]);
        let failed = match numbers.below(7) {
            0 => keep(
                &mut self.counters,
                segment.counter(&name).label("of", &value).register(),
            ),
            1 => keep(
                &mut self.gauges,
                segment.gauge(&name).merge(Merge::Last).register(),
            ),
            2 => keep(
                &mut self.histograms,
                segment.histogram(&name).ring_slots(ring).register(),
            ),
            3 => keep(
                &mut self.floats,
                segment.histogram_classic(&name, &[1.0, 2.0, 8.0]).register(),
            ),
            4 => keep(
                &mut self.families,
                segment
                    .counter(&name)
                    .unit(shmetrics::Unit::Bytes)
                    .family(["label"]),
            ),
            // Of the furnished.
            5 => keep(
                &mut self.counters,
                segment
                    .counter("hits_total")
                    .unit(shmetrics::Unit::Other("hits"))
                    .register(),
            ),
            _ => keep(
                &mut self.histograms,
                segment
                    .histogram("timed")
                    .scale(3)
                    .range(-2, 12)
                    .ring_slots(3)
                    .register(),
            ),
        };
        match failed {
            None => met.registered += 1,
            // What it says of others' texts is bounded, too.
            Some(message) => {
                met.errors += 1;
                assert!(message.len() < 4096, "{} characters", message.len());
            }
        }
    }

    fn count(&self, numbers: &mut Numbers) {
        for counter in &self.counters {
            counter.add(numbers.below(9));
            counter.bind().inc();
        }
        self.gauges
            .iter()
            .for_each(|gauge| gauge.set(numbers.next() as i64));
        for family in &self.families {
            family.with([&format!("{}", numbers.below(20))]).inc();
        }
        for histogram in &self.histograms {
            (0..RECORDS).for_each(|_| histogram.record(numbers.next() >> 20));
            histogram.bind().record(3);
        }
        for histogram in &self.floats {
            (0..RECORDS).for_each(|_| histogram.record(numbers.below(10) as f64));
            histogram.record(f64::NAN);
        }
    }
}

/// Keeps at most so many of a kind; the oldest goes.
fn keep<T, E: std::fmt::Display>(into: &mut Vec<T>, got: Result<T, E>) -> Option<String> {
    match got {
        Ok(handle) => {
            if into.len() >= 6 {
                into.remove(0);
            }
            into.push(handle);
            None
        }
        Err(error) => Some(error.to_string()),
    }
}

/// One that comes and goes: claims a slot, adopts lanes, and leaves.
fn visit(path: &Path, numbers: &mut Numbers, met: &mut Met) {
    let _fences = Fences::around_the_next(furnished().length());
    let segment = match Segment::options().role("visitor").open_at(path) {
        Ok(segment) => segment,
        Err(OpenError::Layout { .. } | OpenError::Retired { .. }) => {
            met.refused += 1;
            return;
        }
        Err(other) => panic!("{other}"),
    };
    met.opened += 1;
    work(&segment, &mut Handles::default(), numbers, met);
}

fn work(segment: &Segment, handles: &mut Handles, numbers: &mut Numbers, met: &mut Met) {
    (0..4).for_each(|_| handles.register(segment, numbers, met));
    handles.count(numbers);
    segment.log_error(format_args!("cannot reach {}", numbers.below(20)));
    segment.tick();
    segment
        .set_role(["one", "another"][numbers.below(2) as usize])
        .unwrap();
    // Threads claim lanes, and give them back.
    let seeds = [numbers.next(), numbers.next()];
    let handles = &*handles;
    std::thread::scope(|scope| {
        for seed in seeds {
            scope.spawn(move || {
                segment.attach_thread();
                handles.count(&mut Numbers(seed));
            });
        }
    });
}

#[test]
fn writers_of_a_segment_that_a_peer_scribbles_over_go_on() {
    scribble_if_child();
    let _alone = alone();
    let _watchdog = Watchdog::new("writing");
    let place = Scene::segment("scribble-writers");
    let (_fences, segment) = Fences::around(&place.1, furnished().length(), || {
        Segment::options().role("first").open_at(&place.1).unwrap()
    });
    let scene = Scene::begin(
        "writers::writers_of_a_segment_that_a_peer_scribbles_over_go_on",
        place,
    );
    let (mut handles, mut met) = (Handles::default(), Met::default());
    let mut numbers = Numbers(random::seed());
    for round in 0..ROUNDS * random::times() {
        work(&segment, &mut handles, &mut numbers, &mut met);
        if round % 3 == 0 {
            scene.await_turns(20);
            visit(&scene.path, &mut numbers, &mut met);
        }
    }
    scene.end();
    println!("{met:?}");
    assert!(met.opened > 0 && met.refused > 0, "{met:?}");
    assert!(met.registered > ROUNDS / 4 && met.errors > ROUNDS / 4, "{met:?}");
    drop(handles);
    drop(segment);
}
