//! The segment that all operations work on: small, with a series of every kind, and whatever happened in it before.

use std::path::Path;
use std::time::Duration;

use shmetrics::error::{OpenError, RegisterError};
use shmetrics::events::{EventWriter, FieldKind, Value};
use shmetrics::{
    Counter, FloatCounter, FloatGauge, FloatHistogram, Gauge, Group, Histogram, InFlight, Merge, Number,
    Samples, Segment, SegmentOptions, State, Text, TimeMark, Unit,
};

/// Two processes, two threads; room for the series below and a few more.
pub fn options() -> SegmentOptions {
    SegmentOptions::default()
        .process_slots(2)
        .lanes(2)
        .series(24)
        .text_length(2048)
        .counters(8)
        .gauges(8)
        .blocks_length(32 << 10)
        .errors(3)
        .budget(1 << 20)
        // Nobody waits for an epoch to end here: the ticks of `Segment::tick` are what counts.
        .epoch(Duration::from_millis(1))
        .without_ticker()
}

/// A handle of every kind.
pub struct Handles {
    pub whole: Counter,
    pub float: FloatCounter,
    pub depth: Gauge,
    pub peak: Gauge,
    pub last: FloatGauge,
    pub timed: Histogram,
    pub size: FloatHistogram,
    pub classic: FloatHistogram,
    pub jobs: EventWriter,
    pub begun: TimeMark,
    pub health: State,
    pub balance: Number,
    pub recent: Samples,
    pub deliveries: Group<3>,
    pub working: InFlight,
    pub phase: Text,
}

/// The text that is set when a segment is furnished.
pub const PHASE: &str = "before, of some length";

/// How many events a thread keeps.
pub const EVENTS: u64 = 16;

impl Handles {
    /// Registers all series, or finds them.
    pub fn register(segment: &Segment) -> Result<Handles, RegisterError> {
        Ok(Handles {
            whole: segment.counter("whole").label("a", "1").register()?,
            float: segment.counter_float("float").register()?,
            depth: segment.gauge("depth").merge(Merge::Sum).register()?,
            peak: segment.gauge("peak").merge(Merge::Max).register()?,
            last: segment.gauge_float("last").merge(Merge::Last).register()?,
            timed: segment
                .histogram("timed")
                .unit(Unit::Seconds)
                .scale(0)
                .range(-10, 2)
                .ring_slots(3)
                .register()?,
            size: segment
                .histogram_float("size")
                .scale(0)
                .range(-4, 4)
                .ring_slots(0)
                .register()?,
            classic: segment
                .histogram_classic("classic", &[1.0, 2.0, 5.0])
                .ring_slots(0)
                .register()?,
            jobs: segment
                .events("jobs")
                .capacity(EVENTS)
                .record_length(64)
                .kind(
                    1,
                    "job",
                    &[
                        ("one", FieldKind::U64),
                        ("two", FieldKind::U64),
                        ("text", FieldKind::Text(8)),
                    ],
                )
                .register()?
                .kind("job")
                .expect("just declared"),
            begun: segment.time_mark("begun").first().register()?,
            health: segment
                .state("health")
                .status("OK", None)
                .status("BAD", Some(2))
                .register()?,
            balance: segment.number("balance").register()?,
            recent: segment.samples("recent").keep(2).register()?,
            deliveries: segment
                .group("deliveries")
                .fields(["ok", "failed", "bytes"])
                .register()?,
            working: segment.in_flight("working").capacity(8).register()?,
            phase: segment.text("phase").capacity(40).register()?,
        })
    }

    /// Writes an event, each part of which says which one it is.
    pub fn job(&self, number: u64) {
        let text = format!("{number}");
        self.jobs.write_at(
            number,
            &[Value::U64(number), Value::U64(number), Value::Text(&text)],
        );
    }

    /// Counts something in every one of them.
    pub fn use_all(&self) {
        self.whole.add(5);
        self.float.add(0.5);
        self.depth.set(7);
        self.peak.set_max(3);
        self.last.set(1.5);
        for value in [2_000_000, 40_000_000, 300_000_000] {
            self.timed.record(value);
        }
        self.size.record(2.5);
        self.classic.record(1.5);
        self.job(7);
        self.begun.mark_at_ns(100);
        self.health.set(1);
        self.balance.add(-4);
        self.recent.record_at(RECENT_NS, 2.5);
        self.phase.set_at_ns(PHASE, 1);
        self.deliveries.add(DELIVERY);
    }
}

/// What each update adds to the fields of the group: they fit each other after each.
pub const DELIVERY: [u64; 3] = [1, 2, 3];

/// Keys that are in flight when a segment is furnished.
pub const HELD: [&str; 2] = ["held", "held, too"];

/// What [`Handles::use_all`] adds: to a counter, to events written, or to samples; to count and sum of a histogram; to updates of a group, and to
/// all its fields.
pub const ADDS: [(&str, f64, f64); 9] = [
    ("whole", 5.0, 0.0),
    ("float", 0.5, 0.0),
    ("timed", 3.0, 0.342),
    ("size", 1.0, 2.5),
    ("classic", 1.0, 1.5),
    ("jobs", 1.0, 0.0),
    ("balance", -4.0, 0.0),
    ("recent", 1.0, 0.0),
    ("deliveries", 1.0, 6.0),
];

/// When samples are recorded: always at the same time, so that the same ones are shown.
pub const RECENT_NS: u64 = 1_000_000;

/// A segment in which everything was used once, by a process that is still there, and in which this run's history has happened.
pub fn furnish(path: &Path) -> Result<(Segment, Handles), Box<dyn std::error::Error>> {
    let segment = open(path)?;
    let handles = Handles::register(&segment)?;
    handles.use_all();
    for key in HELD {
        let _token = handles.working.start(key);
    }
    history().iter().for_each(|act| act.carry_out(&handles));
    Ok((segment, handles))
}

pub fn open(path: &Path) -> Result<Segment, OpenError> {
    options().open_or_create_at(path)
}

/// Environment variable: the seed of what happens in the segment before the operation; nothing without it.
pub const HISTORY: &str = "SHMETRICS_ORACLE_HISTORY";

/// Something that happens before the operation. The gauges that operations set are left alone, as it is told what they become.
#[derive(Clone, Copy, Debug)]
enum Act {
    Whole(u64),
    /// Quarters, so that sums of them are exact.
    Float(u64),
    Last(u64),
    Timed(u64),
    Size(u64),
    Classic(u64),
}

impl Act {
    fn carry_out(self, handles: &Handles) {
        match self {
            Act::Whole(number) => handles.whole.add(number),
            Act::Float(quarters) => handles.float.add(quarters as f64 / 4.0),
            Act::Last(value) => handles.last.set(value as f64),
            Act::Timed(nanoseconds) => handles.timed.record(nanoseconds),
            Act::Size(quarters) => handles.size.record(quarters as f64 / 4.0),
            Act::Classic(quarters) => handles.classic.record(quarters as f64 / 4.0),
        }
    }
}

/// What happened before: up to 63 acts. Values in and below the ranges of the histograms, none of them the greatest of all.
fn history() -> Vec<Act> {
    let Some(seed) = std::env::var(HISTORY).ok().and_then(|seed| seed.parse().ok()) else {
        return Vec::new();
    };
    let mut random = Random(seed);
    let number = random.below(64);
    let act = |random: &mut Random| match random.below(8) {
        0 => Act::Whole(random.below(1 << 20)),
        1 => Act::Float(random.below(1 << 10)),
        2 => Act::Last(random.below(1 << 10)),
        3 => Act::Size(random.below(1 << 8)),
        4 => Act::Classic(random.below(32)),
        // From a nanosecond to two seconds, each power of two as likely.
        _ => {
            let power = random.below(31);
            Act::Timed(1 << power | random.below(1 << power))
        }
    };
    (0..number).map(|_| act(&mut random)).collect()
}

/// How many records `timed` has when its segment is furnished.
pub fn timed_before() -> u64 {
    3 + history()
        .iter()
        .filter(|act| matches!(act, Act::Timed(_)))
        .count() as u64
}

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
