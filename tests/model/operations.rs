//! Random operations of threads and child processes, against a plain model.

use super::*;

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

    /// A raw clone may not use the heap: another thread may have been in the allocator.
    fn can(self, op: &Op) -> bool {
        self != Actor::RawClone || !matches!(op, Op::Label(..))
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

/// All series, as one process has them.
struct Handles {
    segment: Segment,
    counter: Counter,
    float: FloatCounter,
    integer: Histogram,
    floats: FloatHistogram,
    classic: FloatHistogram,
    requests: Family<Counter, 2>,
    balance: Gauge,
    gauges: Vec<Gauge>,
    float_gauges: Vec<FloatGauge>,
}

impl Handles {
    fn register(segment: Segment, setup: &Setup) -> Handles {
        let [first, second] = setup.exponential;
        let (unit, factor) = UNITS[setup.unit];
        let integer = segment
            .histogram("integer")
            .unit(unit)
            .factor(factor)
            .scale(first.0);
        let floats = segment.histogram_float("float").scale(second.0);
        Handles {
            counter: segment.counter("counter_total").register().unwrap(),
            float: segment.counter_float("float_total").register().unwrap(),
            integer: integer
                .range(first.1, first.2)
                .ring_slots(setup.rings[0])
                .register()
                .unwrap(),
            floats: floats
                .range(second.1, second.2)
                .ring_slots(setup.rings[1])
                .register()
                .unwrap(),
            classic: segment
                .histogram_classic("classic", &setup.bounds)
                .ring_slots(setup.rings[2])
                .register()
                .unwrap(),
            requests: segment
                .counter("requests_total")
                .family(["method", "code"])
                .unwrap(),
            balance: segment.gauge("balance").merge(Merge::Sum).register().unwrap(),
            gauges: Merge::ALL
                .map(|rule| segment.gauge(rule.name()).merge(rule).register().unwrap())
                .into(),
            float_gauges: Merge::ALL
                .map(|rule| {
                    let name = format!("float_{}", rule.name());
                    segment.gauge_float(&name).merge(rule).register().unwrap()
                })
                .into(),
            segment,
        }
    }

    fn apply(&self, op: &Op) {
        match *op {
            Op::Inc => self.counter.inc(),
            Op::Add(value) => self.counter.add(value),
            Op::FloatAdd(value) => self.float.add(f64::from(value)),
            Op::Integer(value) => self.integer.record(value),
            Op::Float(value) => self.floats.record(value),
            Op::Classic(value) => self.classic.record(value),
            Op::Label([method, code], count, false) => {
                self.requests.with([METHODS[method], CODES[code]]).add(count);
            }
            Op::Label([method, code], count, true) => {
                let builder = self.segment.counter("requests_total").label("code", CODES[code]);
                builder
                    .label("method", METHODS[method])
                    .register()
                    .unwrap()
                    .add(count);
            }
            Op::Balance(value) => self.balance.add(value.into()),
        }
    }

    fn apply_gauge(&self, op: &GaugeOp) {
        let (gauge, float) = (&self.gauges[op.rule], &self.float_gauges[op.rule]);
        let (whole, real) = (i64::from(op.value), f64::from(op.value));
        match (op.write, op.float) {
            (Write::Set, false) => gauge.set(whole),
            (Write::Add, false) => gauge.add(whole),
            (Write::Sub, false) => gauge.sub(whole),
            (Write::SetMax, false) => gauge.set_max(whole),
            (Write::SetMin, false) => gauge.set_min(whole),
            (Write::Set, true) => float.set(real),
            (Write::Add, true) => float.add(real),
            (Write::Sub, true) => float.sub(real),
            (Write::SetMax, true) => float.set_max(real),
            (Write::SetMin, true) => float.set_min(real),
        }
    }

    /// What a child leaves in gauges whose values die with it.
    fn leave_noise(&self) {
        for (rule, index) in Merge::ALL.into_iter().zip(0..) {
            if !rule.outlives_process() {
                self.gauges[index].set(1_000_000_007);
                self.float_gauges[index].set(-1e9);
            }
        }
    }

    fn run(&self, actor: Actor, ops: &[Op]) {
        ops.iter()
            .filter(|op| actor.can(op))
            .for_each(|op| self.apply(op));
    }

    /// As a process of its own; its exit code.
    fn run_as_child(&self, actor: Actor, ops: &[Op], start: &Start<'_>) -> i32 {
        let (before, after) = ops.split_at(ops.len() / 4);
        self.leave_noise();
        self.run(actor, before);
        start.wait();
        match actor {
            Actor::ChildWithThreads => {
                let (one, other) = after.split_at(after.len() / 2);
                std::thread::scope(|scope| {
                    scope.spawn(|| self.run(actor, one));
                    self.run(actor, other);
                });
            }
            Actor::ChildThatOpens => {
                let segment = Segment::options().open_at(start.path).unwrap();
                Handles::register(segment, start.setup).run(actor, after);
            }
            _ => self.run(actor, after),
        }
        0
    }

    /// Runs all actors of a batch and waits for them. Were all children successful?
    ///
    /// No thread begins or ends while another forks: std has a lock there, which a child that starts threads would find taken for good
    /// (`std::sys::pal::unix::stack_overflow::thread_info`).
    fn run_batch(&self, batch: &Batch, start: &Start<'_>) -> bool {
        start.reset();
        // What a thread does before all children are there, and what it does then.
        let mut works: Vec<(Actor, &[Op], &[Op])> = Vec::new();
        for (actor, ops) in &batch.actors {
            let (one, other) = ops.split_at(ops.len() / 2);
            match actor {
                Actor::Thread => works.push((*actor, one, other)),
                Actor::TwoThreads => works.extend([(*actor, one, &[][..]), (*actor, &[], other)]),
                _ => {}
            }
        }
        let threads = works.len() as u64 + u64::from(batch.gauges_in_a_thread);
        let write = || batch.gauges.iter().for_each(|op| self.apply_gauge(op));
        std::thread::scope(|scope| {
            for (actor, before, after) in works {
                scope.spawn(move || {
                    start.begin();
                    self.run(actor, before);
                    start.wait();
                    self.run(actor, after);
                });
            }
            if batch.gauges_in_a_thread {
                scope.spawn(|| {
                    start.begin();
                    write();
                    start.wait();
                });
            }
            start.wait_for(threads);
            let mut children = Vec::new();
            for (actor, ops) in batch.actors.iter().filter(|(actor, _)| actor.is_process()) {
                let child = || self.run_as_child(*actor, ops, start);
                children.push(match actor {
                    Actor::RawClone => raw_clone(child),
                    _ => fork(child),
                });
            }
            start.now();
            if !batch.gauges_in_a_thread {
                write();
            }
            for (actor, ops) in batch.actors.iter().filter(|(actor, _)| *actor == Actor::Here) {
                self.run(*actor, ops);
            }
            children.into_iter().map(wait).filter(|code| *code != 0).count() == 0
        })
    }
}

/// Lets all actors of a batch work at the same time. They wait awake.
struct Start<'a> {
    words: SharedWords,
    path: &'a Path,
    setup: &'a Setup,
}

impl Start<'_> {
    fn reset(&self) {
        (0..2).for_each(|word| self.words.word(word).store(0, Relaxed));
    }

    /// A thread of this process has begun.
    fn begin(&self) {
        self.words.word(0).fetch_add(1, Relaxed);
    }

    fn wait_for(&self, threads: u64) {
        while self.words.word(0).load(Relaxed) < threads {
            std::thread::yield_now();
        }
    }

    /// All children are there.
    fn now(&self) {
        self.words.word(1).store(1, Relaxed);
    }

    fn wait(&self) {
        while self.words.word(1).load(Relaxed) == 0 {
            std::thread::yield_now();
        }
    }
}

/// What must come out, kept in the plainest way.
#[derive(Debug, Default)]
struct Model {
    counter: u64,
    float: f64,
    integers: Vec<u64>,
    floats: Vec<f64>,
    classic: Vec<f64>,
    labels: BTreeMap<[usize; 2], u64>,
    balance: Option<i64>,
    gauges: BTreeMap<(usize, bool), i64>,
}

impl Model {
    fn apply(&mut self, batch: &Batch) {
        for (actor, ops) in &batch.actors {
            for op in ops.iter().filter(|op| actor.can(op)) {
                match *op {
                    Op::Inc => self.counter += 1,
                    Op::Add(value) => self.counter += value,
                    Op::FloatAdd(value) => self.float += f64::from(value),
                    Op::Integer(value) => self.integers.push(value),
                    Op::Float(value) => self.floats.push(value),
                    Op::Classic(value) => self.classic.push(value),
                    Op::Label(label, count, _) => *self.labels.entry(label).or_default() += count,
                    // The gauge of a process ends with it.
                    Op::Balance(_) if actor.is_process() => {}
                    Op::Balance(value) => *self.balance.get_or_insert(0) += i64::from(value),
                }
            }
        }
        for op in &batch.gauges {
            let value = i64::from(op.value);
            let old = self.gauges.get(&(op.rule, op.float)).copied();
            let new = match (op.write, old) {
                (Write::Set, _) | (Write::SetMax | Write::SetMin, None) => value,
                (Write::Add, _) => old.unwrap_or(0) + value,
                (Write::Sub, _) => old.unwrap_or(0) - value,
                (Write::SetMax, Some(old)) => old.max(value),
                (Write::SetMin, Some(old)) => old.min(value),
            };
            self.gauges.insert((op.rule, op.float), new);
        }
    }

    fn compare(&self, snapshot: &Snapshot, setup: &Setup) {
        let value = |name: &str| &snapshot.find(name, &[]).unwrap().value;
        assert_eq!(value("counter_total"), &Value::CounterU64(self.counter));
        assert_eq!(value("float_total"), &Value::CounterF64(self.float));

        let mut labels: BTreeMap<(String, String), u64> = BTreeMap::new();
        for series in snapshot
            .series
            .iter()
            .filter(|series| series.description.name == "requests_total")
        {
            let [(code_name, code), (method_name, method)] = &series.description.labels[..] else {
                panic!("{series:?}");
            };
            assert_eq!([code_name, method_name], ["code", "method"]);
            let Value::CounterU64(count) = series.value else {
                panic!("{series:?}")
            };
            assert_eq!(
                labels.insert((method.clone(), code.clone()), count),
                None,
                "a series twice"
            );
        }
        let name = |&[method, code]: &[usize; 2]| (METHODS[method].to_owned(), CODES[code].to_owned());
        let expected = self
            .labels
            .iter()
            .map(|(label, count)| (name(label), *count))
            .collect();
        assert_eq!(labels, expected);

        let factor = UNITS[setup.unit].1;
        let exported: Vec<f64> = self.integers.iter().map(|value| *value as f64 * factor).collect();
        let total: u128 = self.integers.iter().map(|value| u128::from(*value)).sum();
        let scheme = setup.scheme(0);
        let index = |value: f64| scheme.index(value);
        assert_histogram(
            value("integer"),
            &BucketScheme::Exponential(scheme),
            index,
            &exported,
            0,
            total as f64 * factor,
        );

        let (valid, invalid) = split(&self.floats, |value| value.is_finite() && value >= 0.0);
        let scheme = setup.scheme(1);
        let (index, sum) = (|value: f64| scheme.index(value), valid.iter().sum());
        assert_histogram(
            value("float"),
            &BucketScheme::Exponential(scheme),
            index,
            &valid,
            invalid,
            sum,
        );

        let (valid, invalid) = split(&self.classic, f64::is_finite);
        let classic = Classic::new(&setup.bounds).unwrap();
        let (index, sum) = (|value: f64| classic.index(value), valid.iter().sum());
        let scheme = BucketScheme::Classic(classic.clone().into());
        assert_histogram(value("classic"), &scheme, index, &valid, invalid, sum);

        assert_eq!(value("balance"), &Value::GaugeI64(self.balance));
        for (index, rule) in Merge::ALL.into_iter().enumerate() {
            let whole = self.gauges.get(&(index, false)).copied();
            let float = self.gauges.get(&(index, true)).map(|value| *value as f64);
            let each = |found: &Value, expected: Option<Number>| {
                let Value::Each(values) = found else {
                    panic!("{found:?}")
                };
                let values: Vec<Number> = values.iter().map(|value| value.value).collect();
                assert_eq!(values, expected.into_iter().collect::<Vec<_>>());
            };
            let (found, found_float) = (value(rule.name()), value(&format!("float_{}", rule.name())));
            match rule {
                Merge::Each => {
                    each(found, whole.map(Number::I64));
                    each(found_float, float.map(Number::F64));
                    continue;
                }
                Merge::Mean => assert_eq!(found, &Value::GaugeF64(whole.map(|value| value as f64))),
                _ => assert_eq!(found, &Value::GaugeI64(whole), "{rule:?}"),
            }
            assert_eq!(found_float, &Value::GaugeF64(float), "{rule:?}");
        }
    }
}

/// The values that are observations, and how many are none.
fn split(values: &[f64], is_valid: impl Fn(f64) -> bool) -> (Vec<f64>, u64) {
    let valid: Vec<f64> = values.iter().copied().filter(|value| is_valid(*value)).collect();
    let invalid = (values.len() - valid.len()) as u64;
    (valid, invalid)
}

#[track_caller]
fn assert_histogram(
    value: &Value,
    scheme: &BucketScheme,
    index: impl Fn(f64) -> usize,
    observations: &[f64],
    invalid: u64,
    sum: f64,
) {
    let Value::Histogram(histogram) = value else {
        panic!("{value:?}")
    };
    let mut counts = vec![0; scheme.buckets()];
    observations.iter().for_each(|value| counts[index(*value)] += 1);
    let extreme = |choose: fn(f64, f64) -> f64| observations.iter().copied().reduce(choose);
    assert_eq!(&histogram.scheme, scheme);
    assert_eq!(histogram.count, observations.len() as u64);
    assert_eq!(histogram.counts, counts);
    assert_eq!(histogram.sum, sum);
    assert_eq!(
        (histogram.min, histogram.max),
        (extreme(f64::min), extreme(f64::max))
    );
    assert_eq!(histogram.invalid, invalid);
    assert_eq!(histogram.quality, Quality::Exact);
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
