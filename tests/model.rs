//! Random segments and random operations against plain models: where every cell is, and what every series says.
#![allow(unsafe_code)]

mod support;

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use proptest::prelude::*;

use shmetrics::buckets::{Classic, Exponential};
use shmetrics::layout::block::BlockShape;
use shmetrics::layout::directory::*;
use shmetrics::layout::geometry::Geometry;
use shmetrics::layout::header::*;
use shmetrics::layout::kind::Space;
use shmetrics::layout::record::*;
use shmetrics::layout::{LINE_LENGTH, WORD_LENGTH};
use shmetrics::snapshot::{BucketScheme, Number, Quality};
use shmetrics::{
    Counter, Family, FloatCounter, FloatGauge, FloatHistogram, Gauge, Histogram, Merge, Preset, Reader,
    RegisterError, Segment, Snapshot, Unit, Value,
};
use support::*;

/// One case at a time: a child that another test forks takes slots and lanes of every segment that is open then.
///
/// The first also opens a segment that stays, so that the ticker thread runs all the time: see [`Handles::run_batch`] for what a
/// thread that begins or ends during a fork can do.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    static TICKER: OnceLock<Segment> = OnceLock::new();
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    TICKER.get_or_init(|| {
        let scratch = Scratch::new("ticker");
        let segment = Segment::options().create_at(scratch.path("segment")).unwrap();
        segment.histogram("ticking").register().unwrap();
        segment
    });
    alone
}

/// Few cases, so that the file takes seconds; `PROPTEST_CASES` for more.
fn config(cases: u32) -> ProptestConfig {
    let mut config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    config
}

// ---- random geometry, random series ----

/// A series to register.
#[derive(Clone, Debug)]
enum Spec {
    Counter,
    FloatCounter,
    Gauge(Merge),
    FloatGauge(Merge),
    Integer {
        scale: u8,
        low: i16,
        width: i16,
        ring: u8,
    },
    Float {
        scale: u8,
        low: i16,
        width: i16,
        ring: u8,
    },
    Classic {
        bounds: usize,
        ring: u8,
    },
}

impl Spec {
    /// Registers it under a name of its own, `labels` labels long. Counters are incremented `n` times.
    fn register(&self, segment: &Segment, n: u64, labels: usize) -> Result<(), RegisterError> {
        let name = format!("series_{n}");
        let names: Vec<String> = (0..labels).map(|label| format!("l{label}")).collect();
        let labels = names.iter().map(|name| (name.as_str(), "value"));
        match *self {
            Spec::Counter => segment.counter(&name).labels(labels).register()?.add(n),
            Spec::FloatCounter => segment
                .counter_float(&name)
                .labels(labels)
                .register()?
                .add(n as f64),
            Spec::Gauge(rule) => drop(segment.gauge(&name).merge(rule).labels(labels).register()?),
            Spec::FloatGauge(rule) => drop(segment.gauge_float(&name).merge(rule).labels(labels).register()?),
            Spec::Integer {
                scale,
                low,
                width,
                ring,
            } => {
                let builder = segment.histogram(&name).labels(labels).scale(scale);
                drop(builder.range(low, low + width).ring_slots(ring).register()?);
            }
            Spec::Float {
                scale,
                low,
                width,
                ring,
            } => {
                let builder = segment.histogram_float(&name).labels(labels).scale(scale);
                drop(builder.range(low, low + width).ring_slots(ring).register()?);
            }
            Spec::Classic { bounds, ring } => {
                let bounds: Vec<f64> = (0..bounds).map(|bound| bound as f64).collect();
                let builder = segment.histogram_classic(&name, &bounds).labels(labels);
                drop(builder.ring_slots(ring).register()?);
            }
        }
        Ok(())
    }
}

fn spec() -> impl Strategy<Value = Spec> {
    let rule = prop::sample::select(Merge::ALL.to_vec());
    let exponential = || (0..4u8, -20..20i16, 1..12i16, 0..5u8);
    prop_oneof![
        3 => Just(Spec::Counter),
        2 => Just(Spec::FloatCounter),
        2 => rule.clone().prop_map(Spec::Gauge),
        1 => rule.prop_map(Spec::FloatGauge),
        3 => exponential().prop_map(|(scale, low, width, ring)| Spec::Integer { scale, low, width, ring }),
        2 => exponential().prop_map(|(scale, low, width, ring)| Spec::Float { scale, low, width, ring }),
        3 => (1..40usize, 0..5u8).prop_map(|(bounds, ring)| Spec::Classic { bounds, ring }),
    ]
}

/// Bytes of the file that belong to one owner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Owned {
    start: u64,
    end: u64,
    owner: String,
}

fn words_at(file: &File, offset: u64, count: u64) -> Vec<u64> {
    let mut bytes = vec![0; (count * WORD_LENGTH) as usize];
    file.read_exact_at(&mut bytes, offset).unwrap();
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().map(|word| u64::from_ne_bytes(*word)).collect()
}

/// The geometry and all published series of a segment, from its bytes: number of the record, record, placement.
fn records_in(path: &Path) -> (File, Geometry, Vec<(u64, SeriesRecord, u64)>) {
    let file = File::open(path).unwrap();
    let header = words_at(&file, 0, HEADER_LENGTH / WORD_LENGTH);
    let immutable: &[u64; IMMUTABLE_WORDS] = header.first_chunk().unwrap();
    let (geometry, _) = Geometry::parse(immutable, file.metadata().unwrap().len()).unwrap();
    let reserved = header[(RESERVED_OFFSET / WORD_LENGTH) as usize].min(geometry.records);
    let mut series = Vec::new();
    for number in 1..=reserved {
        let words = words_at(&file, geometry.record_offset(number), RECORD_WORDS as u64);
        if words[CLAIM_WORD] != PUBLISHED {
            continue;
        }
        let words: &[u64; RECORD_WORDS] = words.first_chunk().unwrap();
        match Record::parse(words, &geometry).unwrap() {
            Record::Family(_) => {}
            Record::Series(_) if words[READY_WORD] != READY => {}
            Record::Series(record) => {
                let placement = record.cell(words[CELL_WORD], &geometry).unwrap();
                series.push((number, record, placement));
            }
        }
    }
    (file, geometry, series)
}

/// The regions of the file, each with its bytes.
fn regions(g: &Geometry) -> Vec<Owned> {
    let c = g.capacities;
    let region = |owner: &str, start: u64, length: u64| Owned {
        start,
        end: start + length,
        owner: owner.to_owned(),
    };
    vec![
        region("header", 0, HEADER_LENGTH),
        region("index", g.index_offset, g.index_entries * WORD_LENGTH),
        region("records", g.records_offset, g.records * RECORD_LENGTH),
        region("text", g.text_offset, c.text_length),
        region(
            "process directory",
            g.process_directory_offset,
            c.process_slots * PROCESS_ENTRY_LENGTH,
        ),
        region(
            "lane directory",
            g.lane_directory_offset,
            c.lanes * LANE_ENTRY_LENGTH,
        ),
        region("slots", g.slots_offset, c.process_slots * g.slot_stride),
        region(
            "shared counters",
            g.shared_counters_offset,
            c.counters * LINE_LENGTH,
        ),
        region("shared blocks", g.shared_blocks_offset, c.blocks_length),
        region("lanes", g.lanes_offset, c.lanes * g.lane_stride),
    ]
}

/// Everything that some owner writes: cells of series in lanes, slots and the shared lane, directory entries, records, header words.
fn cells(g: &Geometry, series: &[(u64, SeriesRecord, u64)]) -> Vec<Owned> {
    let mut owned = Vec::new();
    let mut put = |owner: String, start: u64, length: u64| {
        let end = start + length;
        owned.push(Owned { start, end, owner });
    };
    put("immutable header".into(), 0, IMMUTABLE_WORDS as u64 * WORD_LENGTH);
    for (name, offset) in MUTABLE_WORDS {
        put((*name).into(), *offset, WORD_LENGTH);
    }
    put("index".into(), g.index_offset, g.index_entries * WORD_LENGTH);
    put("text".into(), g.text_offset, g.capacities.text_length);
    for record in 1..=g.records {
        put(format!("record {record}"), g.record_offset(record), RECORD_LENGTH);
    }
    for slot in 0..g.capacities.process_slots {
        put(
            format!("entry of slot {slot}"),
            g.process_entry_offset(slot),
            PROCESS_ENTRY_LENGTH,
        );
    }
    for lane in 1..=g.capacities.lanes {
        put(
            format!("entry of lane {lane}"),
            g.lane_entry_offset(lane),
            LANE_ENTRY_LENGTH,
        );
        put(
            format!("lane {lane}"),
            g.lane_offset(lane),
            g.bitmap_words * WORD_LENGTH,
        );
    }
    for (number, record, placement) in series {
        let own = format!("shared cell of {number}");
        match record.kind.space() {
            Space::Counters => put(
                own,
                g.shared_counters_offset + placement * LINE_LENGTH,
                WORD_LENGTH,
            ),
            Space::Blocks => put(own, g.shared_blocks_offset + placement, record.length),
            Space::Gauges => {}
        }
        if record.kind.space() == Space::Gauges {
            for slot in 0..g.capacities.process_slots {
                let start = g.slot_offset(slot) + placement * GAUGE_CELL_LENGTH;
                put(format!("slot {slot}"), start, 2 * WORD_LENGTH);
            }
            continue;
        }
        for lane in 1..=g.capacities.lanes {
            let (owner, start) = (format!("lane {lane}"), g.lane_offset(lane));
            if record.kind.is_histogram() {
                put(owner, start + g.lane_blocks_offset + placement, record.length);
            } else {
                let word = placement * WORD_LENGTH;
                put(owner.clone(), start + g.lane_counters_offset + word, WORD_LENGTH);
                put(owner, start + g.lane_baseline_offset + word, WORD_LENGTH);
            }
        }
    }
    owned
}

fn assert_disjoint(mut ranges: Vec<Owned>, what: &str) {
    ranges.sort();
    for pair in ranges.windows(2) {
        assert!(pair[0].end <= pair[1].start, "{what} overlap: {pair:?}");
    }
}

proptest! {
    #![proptest_config(config(96))]

    #[test]
    fn no_two_cells_overlap_and_no_two_owners_share_a_line(
        (slots, lanes, series) in (1..40u64, 1..24u64, 1..80u64),
        (text, counters, gauges, blocks) in (1024..40_000u64, 1..40u64, 1..40u64, 4096..200_000u64),
        specs in prop::collection::vec((spec(), 0..5usize), 1..12),
        threads in 1..4u64,
    ) {
        let _alone = alone();
        let scratch = Scratch::new("geometry");
        let path = scratch.path("segment");
        let options = Segment::options().process_slots(slots).lanes(lanes).series(series).text_length(text);
        let segment = options.counters(counters).gauges(gauges).blocks_length(blocks).budget(1 << 30)
            .create_at(&path).unwrap();
        // Until nothing fits any more, from several threads at once.
        let registered: u64 = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|thread| {
                let (segment, specs) = (&segment, &specs);
                scope.spawn(move || {
                    let mut registered = 0;
                    for round in 0.. {
                        let before = registered;
                        for (at, (spec, labels)) in specs.iter().enumerate() {
                            let n = (round * specs.len() as u64 + at as u64) * threads + thread;
                            match spec.register(segment, n, *labels) {
                                Ok(()) => registered += 1,
                                Err(RegisterError::Full { .. }) => {}
                                Err(error) => panic!("{error}"),
                            }
                        }
                        if registered == before {
                            break;
                        }
                    }
                    registered
                })
            }).collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum()
        });

        let (file, geometry, found) = records_in(&path);
        prop_assert_eq!(found.len() as u64, registered);
        let all = regions(&geometry);
        prop_assert!(all.iter().all(|region| region.end <= geometry.file_length));
        assert_disjoint(all, "regions");

        for space in [Space::Counters, Space::Gauges, Space::Blocks] {
            let (capacity, most) = match space {
                Space::Counters => (counters, geometry.lane_baseline_offset - geometry.lane_counters_offset),
                Space::Gauges => (gauges, geometry.slot_stride),
                Space::Blocks => (blocks, geometry.lane_stride - geometry.lane_blocks_offset),
            };
            let mut taken = Vec::new();
            for (number, record, placement) in found.iter().filter(|(_, record, _)| record.kind.space() == space) {
                let length = record.length.max(1);
                prop_assert!(placement + length <= capacity, "record {} at {}", number, placement);
                if record.kind.is_histogram() {
                    let buckets = match record.buckets {
                        Buckets::Exponential(parameters) => parameters.buckets(),
                        Buckets::Classic(bounds) => bounds.length as usize / 8 + 1,
                        Buckets::None => 0,
                    };
                    let shape = BlockShape::new(buckets, usize::from(record.ring_slots));
                    prop_assert_eq!(record.length, shape.length());
                    prop_assert_eq!(placement % LINE_LENGTH, 0);
                    prop_assert_eq!(record.length % LINE_LENGTH, 0);
                    prop_assert_eq!(record.length / LINE_LENGTH % 2, 1);
                }
                taken.push(Owned { start: *placement, end: placement + length, owner: format!("record {number}") });
            }
            let unit = match space { Space::Counters => WORD_LENGTH, Space::Gauges => LINE_LENGTH, Space::Blocks => 1 };
            prop_assert!(capacity * unit <= most, "{:?} do not fit their part", space);
            assert_disjoint(taken, "cells");
        }

        let mut lines = cells(&geometry, &found);
        for owned in &mut lines {
            (owned.start, owned.end) = (owned.start / LINE_LENGTH, owned.end.div_ceil(LINE_LENGTH));
        }
        lines.sort();
        let mut reach: Option<&Owned> = None;
        for owned in &lines {
            if let Some(before) = reach {
                prop_assert!(owned.start >= before.end || owned.owner == before.owner, "{:?} {:?}", before, owned);
            }
            if reach.is_none_or(|before| owned.end > before.end) {
                reach = Some(owned);
            }
        }

        // And the cells are where the layout says: what was counted is found there.
        for (number, record, placement) in found.iter().filter(|(_, record, _)| record.kind.space() == Space::Counters) {
            let is_float = record.kind == shmetrics::layout::kind::Kind::CounterF64;
            let shared = geometry.shared_counters_offset + placement * LINE_LENGTH;
            let word = geometry.lane_counters_offset + placement * WORD_LENGTH;
            let places = (1..=lanes).map(|lane| geometry.lane_offset(lane) + word).chain([shared]);
            let total: u64 = places.map(|offset| {
                let bits = words_at(&file, offset, 1)[0];
                if is_float { f64::from_bits(bits) as u64 } else { bits }
            }).sum();
            let family = words_at(&file, geometry.record_offset(record.family), RECORD_WORDS as u64);
            let name = TextRange::unpack(family[TEXT_WORD]);
            let mut text = vec![0; name.length as usize];
            file.read_exact_at(&mut text, geometry.text_offset + u64::from(name.offset)).unwrap();
            prop_assert_eq!(String::from_utf8(text).unwrap(), format!("series_{}", total), "record {}", number);
        }
    }
}

// ---- random operations ----

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
    #![proptest_config(config(96))]

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
        prop_assert_eq!((losses.anomalies, losses.series_refused, losses.label_sets_overflowed), (0, 0, 0));
    }
}

// ---- revisions ----

fn revision() -> impl Strategy<Value = (u8, i16, i16)> {
    (0..6u8, -16..16i16, 1..12i16).prop_map(|(scale, low, width)| (scale, low, low + width))
}

/// Where a value that was recorded by `own` is shown by `common`.
fn shown_index(own: Exponential, common: Exponential, value: f64) -> usize {
    match own.index(value) {
        // Beyond its range nobody knows where it was.
        0 => 0,
        index if index == own.buckets() - 1 => common.buckets() - 1,
        _ => common.index(value),
    }
}

fn assert_revisions(path: &Path, name: &str, parts: &[(Exponential, &[f64])]) {
    let common = parts
        .iter()
        .map(|(scheme, _)| *scheme)
        .reduce(Exponential::common)
        .unwrap();
    let coarsest = parts.iter().map(|(scheme, _)| scheme.scale()).min().unwrap();
    assert_eq!(common.scale(), coarsest);
    let mut counts = vec![0; common.buckets()];
    for (own, values) in parts {
        values
            .iter()
            .for_each(|value| counts[shown_index(*own, common, *value)] += 1);
    }
    let all: Vec<f64> = parts
        .iter()
        .flat_map(|(_, values)| values.iter().copied())
        .collect();
    let snapshot = snapshot(path);
    assert_eq!(
        snapshot
            .series
            .iter()
            .filter(|series| series.description.name == name)
            .count(),
        1
    );
    let Value::Histogram(histogram) = &snapshot.find(name, &[]).unwrap().value else {
        panic!()
    };
    assert_eq!(histogram.scheme, BucketScheme::Exponential(common));
    assert_eq!(
        (histogram.count, histogram.quality),
        (all.len() as u64, Quality::Exact)
    );
    assert_eq!(histogram.counts, counts);
    assert_eq!(histogram.sum, all.iter().sum::<f64>());
    let extreme = |choose: fn(f64, f64) -> f64| all.iter().copied().reduce(choose);
    assert_eq!(
        (histogram.min, histogram.max),
        (extreme(f64::min), extreme(f64::max))
    );
}

fn record_revision(segment: &Segment, (scale, low, high): (u8, i16, i16), ring: u8, values: &[f64]) {
    let builder = segment.histogram_float("sizes").scale(scale).range(low, high);
    let histogram = builder.ring_slots(ring).register().unwrap();
    values.iter().for_each(|value| histogram.record(*value));
}

proptest! {
    #![proptest_config(config(64))]

    #[test]
    fn revisions_of_a_histogram_are_shown_as_one(
        parameters in [revision(), revision()],
        values in [prop::collection::vec((0..1u32 << 20).prop_map(f64::from), 0..80),
                   prop::collection::vec((0..300u32).prop_map(f64::from), 0..80)],
        rings in [0..3u8, 0..3u8],
        elsewhere in any::<bool>(),
    ) {
        let _alone = alone();
        let scratch = Scratch::new("revisions");
        let path = scratch.path("segment");
        let segment = Segment::options().preset(Preset::Compact).create_at(&path).unwrap();
        record_revision(&segment, parameters[0], rings[0], &values[0]);
        let second = || record_revision(&segment, parameters[1], rings[1], &values[1]);
        if elsewhere {
            prop_assert_eq!(wait(fork(|| { second(); 0 })), 0);
        } else {
            second();
        }
        let scheme = |(scale, low, high)| Exponential::new(scale, low, high).unwrap();
        let parts = [(scheme(parameters[0]), &values[0][..]), (scheme(parameters[1]), &values[1][..])];
        assert_revisions(&path, "sizes", &parts);
    }
}

#[test]
fn scales_three_and_five_with_other_ranges_merge_into_the_coarser_scheme() {
    let _alone = alone();
    let scratch = Scratch::new("scales");
    let path = scratch.path("segment");
    let segment = Segment::options()
        .preset(Preset::Compact)
        .create_at(&path)
        .unwrap();
    let (coarse, fine): (Vec<f64>, Vec<f64>) = (
        (0..2000).map(f64::from).collect(),
        (0..500).map(|n| f64::from(n * 7)).collect(),
    );
    record_revision(&segment, (3, 0, 10), 2, &coarse);
    record_revision(&segment, (5, -4, 8), 2, &fine);
    let scheme = |scale, low, high| Exponential::new(scale, low, high).unwrap();
    let (first, second) = (scheme(3, 0, 10), scheme(5, -4, 8));
    assert_eq!(first.common(second), scheme(3, -4, 10));
    assert_revisions(&path, "sizes", &[(first, &coarse), (second, &fine)]);
    // Whole numbers in another base unit are a revision, too: both are shown in the exported unit.
    let nanoseconds = segment
        .histogram("wait_seconds")
        .unit(Unit::Seconds)
        .register()
        .unwrap();
    let milliseconds = segment
        .histogram("wait_seconds")
        .unit(Unit::Seconds)
        .factor(1e-3)
        .register()
        .unwrap();
    nanoseconds.record(2_000_000_000);
    milliseconds.record(3_000);
    let taken = snapshot(&path);
    assert_eq!(
        histogram(&taken, "wait_seconds"),
        (2, 2_000_000_000.0 * 1e-9 + 3_000.0 * 1e-3, true)
    );
}

#[test]
fn classic_histograms_with_other_bounds_begin_anew() {
    let _alone = alone();
    let scratch = Scratch::new("bounds");
    let path = scratch.path("segment");
    let segment = Segment::options()
        .preset(Preset::Compact)
        .create_at(&path)
        .unwrap();
    let old = segment
        .histogram_classic("sizes", &[1.0, 2.0])
        .register()
        .unwrap();
    old.record(1.0);
    let new = segment
        .histogram_classic("sizes", &[1.0, 4.0, 9.0])
        .register()
        .unwrap();
    new.record(5.0);
    new.record(5.0);
    old.record(1.0);
    let taken = snapshot(&path);
    let Value::Histogram(histogram) = &taken.find("sizes", &[]).unwrap().value else {
        panic!()
    };
    assert_eq!(histogram.counts, [0, 0, 2, 0]);
    assert_eq!((histogram.count, histogram.sum), (2, 10.0));
}
