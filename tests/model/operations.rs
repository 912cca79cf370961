//! Random operations of threads and child processes, against a plain model.

mod expected;
mod handles;

use super::*;
use expected::Model;
use handles::{Handles, Start};

/// What any thread of any process may do at any time.
#[derive(Clone, Copy, Debug)]
enum Op {
    Inc,
    Add(u64),
    FloatAdd(u32),
    Integer(u64),
    Float(f64),
    Classic(f64),
    /// Adds to a member of the family, through the family or by its labels in the other order.
    Label([usize; 2], u64, bool),
    /// Adds to a gauge that is a sum over living processes.
    Balance(i32),
    Number(i64),
    NumberFloat(u32),
    Sample(u32),
    /// Marks a time, first and last.
    Mark(u64),
    /// Writes an event.
    Tell(u64),
    /// Starts a key and ends it; or, if it is not a child's, leaves it in flight.
    Key(u8, bool),
}

/// Who does it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Actor {
    Here,
    Thread,
    TwoThreads,
    Child,
    ChildWithThreads,
    ChildThatOpens,
    RawClone,
}

impl Actor {
    fn is_process(self) -> bool {
        !matches!(self, Actor::Here | Actor::Thread | Actor::TwoThreads)
    }

    /// A raw clone may not use the heap: another thread may have been in the allocator. A child may find no slot, and then has no gauges.
    fn can(self, op: &Op) -> bool {
        match op {
            Op::Label(..) => self != Actor::RawClone,
            Op::Mark(_) => !self.is_process(),
            _ => true,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Write {
    Set,
    Add,
    Sub,
    SetMax,
    SetMin,
}

/// One write to the gauge with a rule: whole or float.
#[derive(Clone, Debug)]
struct GaugeOp {
    rule: usize,
    float: bool,
    write: Write,
    value: i32,
}

/// Actors that work at the same time; gauges are written by one thread.
#[derive(Clone, Debug)]
struct Batch {
    actors: Vec<(Actor, Vec<Op>)>,
    gauges: Vec<GaugeOp>,
    gauges_in_a_thread: bool,
}

#[derive(Clone, Debug)]
struct Setup {
    slots: u64,
    lanes: u64,
    unit: usize,
    exponential: [(u8, i16, i16); 2],
    bounds: Vec<f64>,
    rings: [u8; 3],
}

/// Keys of each sort, fewer than a table has entries.
const KEYS: u8 = 8;
/// Samples that are kept.
const KEPT: u64 = 10;
const METHODS: [&str; 4] = ["GET", "PUT", "", "\u{1F980} \"x\"\n"];
const CODES: [&str; 3] = ["200", "404", "GET"];

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let whole = prop_oneof![0..10u64, 0..(1u64 << 20), 0..(1u64 << 44)];
    let float = prop_oneof![
        6 => (0..1000u32).prop_map(f64::from),
        3 => (0..1u32 << 30).prop_map(f64::from),
        1 => (-1000..0i32).prop_map(f64::from),
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
    ];
    let op = prop_oneof![
        3 => Just(Op::Inc),
        3 => (0..1u64 << 40).prop_map(Op::Add),
        2 => any::<u32>().prop_map(Op::FloatAdd),
        6 => whole.prop_map(Op::Integer),
        6 => float.clone().prop_map(Op::Float),
        4 => float.prop_map(Op::Classic),
        4 => (0..METHODS.len(), 0..CODES.len(), 0..9u64, any::<bool>())
            .prop_map(|(method, code, count, shuffled)| Op::Label([method, code], count, shuffled)),
        2 => any::<i32>().prop_map(Op::Balance),
        3 => prop_oneof![-9..10i64, any::<i64>()].prop_map(Op::Number),
        // Not always: one float makes the number a float for good.
        1 => prop::option::of(any::<u32>()).prop_map(|value| value.map_or(Op::Number(1), Op::NumberFloat)),
        2 => any::<u32>().prop_map(Op::Sample),
        2 => any::<u64>().prop_map(Op::Mark),
        2 => any::<u64>().prop_map(Op::Tell),
        2 => (0..KEYS, any::<bool>()).prop_map(|(key, leave)| Op::Key(key, leave)),
    ];
    // Often enough for those who work at the same time to meet.
    (prop::collection::vec(op, 0..60), 1..60usize).prop_map(|(ops, times)| ops.repeat(times))
}

fn batches() -> impl Strategy<Value = Vec<Batch>> {
    let actor = prop::sample::select(vec![
        Actor::Here,
        Actor::Thread,
        Actor::TwoThreads,
        Actor::Child,
        Actor::ChildWithThreads,
        Actor::ChildThatOpens,
        Actor::RawClone,
    ]);
    let write = prop::sample::select(vec![
        Write::Set,
        Write::Add,
        Write::Sub,
        Write::SetMax,
        Write::SetMin,
    ]);
    let gauge = (0..Merge::ALL.len(), any::<bool>(), write, -5000..5000i32).prop_map(
        |(rule, float, write, value)| GaugeOp {
            rule,
            float,
            write,
            value,
        },
    );
    let batch = (
        prop::collection::vec((actor, ops()), 0..4),
        prop::collection::vec(gauge, 0..12),
        any::<bool>(),
    );
    let batch = batch.prop_map(|(actors, gauges, gauges_in_a_thread)| Batch {
        actors,
        gauges,
        gauges_in_a_thread,
    });
    prop::collection::vec(batch, 1..5)
}

fn setup() -> impl Strategy<Value = Setup> {
    let exponential =
        || (0..5u8, -24..24i16, 1..10i16).prop_map(|(scale, low, width)| (scale, low, low + width));
    let bounds = prop::collection::btree_set(-500..2000i32, 1..30)
        .prop_map(|bounds| bounds.into_iter().map(f64::from).collect());
    (
        prop::sample::select(vec![1, 2, 64]),
        prop::sample::select(vec![1, 2, 64]),
        0..4usize,
        [exponential(), exponential()],
        bounds,
        [0..4u8, 0..4u8, 0..4u8],
    )
        .prop_map(|(slots, lanes, unit, exponential, bounds, rings)| Setup {
            slots,
            lanes,
            unit,
            exponential,
            bounds,
            rings,
        })
}

const UNITS: [(Unit<'static>, f64); 4] = [
    (Unit::Seconds, 1e-9),
    (Unit::Bytes, 1.0),
    (Unit::Ratio, 1e-9),
    (Unit::Other("things"), 0.25),
];

impl Setup {
    fn scheme(&self, which: usize) -> Exponential {
        let (scale, low, high) = self.exponential[which];
        Exponential::new(scale, low, high).unwrap()
    }
}

proptest! {
    #![proptest_config(random::config(400))]

    #[test]
    fn operations_of_threads_and_processes_add_up_to_a_plain_model(setup in setup(), batches in batches()) {
        let _alone = alone();
        let scratch = Scratch::new("operations");
        let path = scratch.path("segment");
        let options = Segment::options().preset(Preset::Compact).process_slots(setup.slots).lanes(setup.lanes);
        let segment = options.create_at(&path).unwrap();
        let handles = Handles::register(segment, &setup);
        let mut reader = Reader::open_path(&path).unwrap();
        let words = SharedWords::open(&scratch.path("start"), 2);
        let start = Start { words, path: &path, setup: &setup };
        let mut model = Model::default();
        for batch in &batches {
            prop_assert!(handles.run_batch(batch, &start), "a child failed");
            model.apply(batch);
            // One who has been reading all the time, and one who comes now.
            reader.refresh_owners().unwrap();
            model.compare(&reader.snapshot().unwrap(), &setup);
            model.compare(&snapshot(&path), &setup);
        }
        let losses = snapshot(&path).losses;
        prop_assert_eq!((losses.anomalies, losses.label_sets_refused, losses.label_sets_overflowed), (0, 0, 0));
    }
}
