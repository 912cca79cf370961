//! Filling a snapshot: one pass over the directories, one over the counters of each lane, then series by series.

use std::cell::Cell;
use std::sync::Arc;

use super::counters::{lane_counters, shared_counter};
use super::directory::find_lanes;
use super::levels::{fill_levels, losses};
use super::{Clocks, Reader, View, counters, process};
use crate::layout::directory::*;
use crate::layout::geometry::Geometry;
use crate::layout::header::*;
use crate::layout::kind::{Kind, Merge};
use crate::protocol::{gauge, ids, state};
use crate::segment::open::stored_records;
use crate::snapshot::baseline::{Baselines, can_be_reset};
use crate::snapshot::catalog::{Catalog, CounterCell, Group, Member};
use crate::snapshot::events::{self, EventTotals};
use crate::snapshot::group;
use crate::snapshot::lanes::{self, Lane, Memory, Source, Total};
use crate::snapshot::merge::{self, Compensated};
use crate::snapshot::owners::Owners;
use crate::snapshot::pool::{self, Pool};
use crate::snapshot::{
    BucketScheme, Health, Histogram, Number, ProcessState, ProcessValue, Quality, Series, Snapshot, Used,
    Value,
};
use crate::snapshot::{in_flight, text};
use crate::sync::{Acquire, fence};
use crate::words::ReadWords;

/// Sums of counters by group, reused from read to read.
#[derive(Debug, Default)]
pub(super) struct Sums {
    whole: Vec<u64>,
    float: Vec<Compensated>,
    /// The same by place in a lane, over all lanes: see `counters`.
    places: Vec<u64>,
    /// Numbers: was a float added to it, ever and by anybody?
    pub(super) is_float: Vec<bool>,
    /// The greatest value shown: rounding must not make a float counter go down.
    shown: Vec<f64>,
    /// The same of events written.
    written: Vec<u64>,
    /// Where in the snapshot a group is; `None` = hidden.
    pub(super) positions: Vec<Option<usize>>,
    pub(super) process: process::Scratch,
    /// All lanes of one group together.
    total: Total,
    pub(super) pool: Pool,
}

impl Reader {
    pub(super) fn fill(&mut self, snapshot: &mut Snapshot, view: View, now: Clocks) {
        let cut = view == View::Cut;
        let facts = Arc::clone(&self.facts);
        let geometry = &facts.geometry;
        let words = self.mapping.read_words();
        (snapshot.taken_at_ns, snapshot.taken_at_monotonic_ns) = (now.wall_ns, now.monotonic_ns);
        let epoch = now.monotonic_ns / geometry.capacities.epoch_length_ns.max(1);
        snapshot.cut_epoch = cut.then(|| epoch.saturating_sub(1));
        snapshot.retired = words.load(at(RETIRED_OFFSET)) != 0;
        snapshot.ids_given = ids::given(words.load(at(NEXT_ID_OFFSET)));

        let records = match self.head_has_holes {
            false => geometry.records,
            true => stored_records(&self.file, geometry),
        };
        // Before the cells, so that these are at least what is subtracted.
        self.baselines.update(words, geometry, records, &mut self.catalog);
        (snapshot.resets, snapshot.last_reset_ns) = (self.baselines.number(), self.baselines.last_ns());
        self.owners.update(words, geometry);
        snapshot.fill = fill_levels(words, geometry);
        snapshot.losses = losses(words, facts.version);
        snapshot.health = Health {
            adoptions: match facts.version {
                ERROR_LOG_VERSION.. => words.load(at(ADOPTIONS_OFFSET)),
                _ => 0,
            },
            dead_slots: self.owners.dead(),
            ..Health::default()
        };
        find_lanes(
            words,
            geometry,
            &self.owners,
            &mut self.taken_lanes,
            &mut self.lanes,
            snapshot,
        );
        let entries = self.errors.fill(words, geometry, &mut snapshot.errors);
        snapshot.fill.errors = Used {
            used: entries.taken,
            capacity: geometry.capacities.errors,
        };
        snapshot.health.errors_damaged = entries.damaged;
        self.sums.count(words, geometry, &self.catalog, &self.lanes);
        self.memories.resize_with(self.catalog.blocks(), Memory::default);

        let torn = Cell::new(0);
        let source = Source {
            torn: &torn,
            words,
            geometry,
            lanes: &self.lanes,
            epoch,
            cut,
        };
        let groups = self.catalog.groups();
        self.sums.positions.clear();
        self.sums.positions.resize(groups.len(), None);
        let mut position = 0;
        for &index in self.catalog.order() {
            let group = &groups[index];
            let series = entry(&mut snapshot.series, position, group);
            series.since_ns = self.baselines.start(group);
            match &mut series.value {
                Value::CounterU64(value) => {
                    *value = self.sums.whole[index].saturating_sub(self.baselines.whole(index))
                }
                Value::CounterF64(value) => {
                    *value = at_least_0(self.sums.shown[index] - self.baselines.float(index))
                }
                Value::Number(value) => {
                    let (whole, float) = (self.baselines.whole(index), self.baselines.float(index));
                    *value = self.sums.number(index, whole, float);
                }
                Value::Histogram(histogram) => {
                    // Windows are not reset.
                    let baselines = (view != View::Window).then_some(&self.baselines);
                    lanes::fill(
                        histogram,
                        group,
                        &mut self.memories,
                        baselines,
                        source,
                        &mut self.scratch,
                    );
                    self.health.bounded_results += bounded(histogram);
                }
                Value::Events(totals) => {
                    let lanes = source.lanes.iter().map(|lane| lane.number);
                    *totals = events::totals(group, words, geometry, lanes);
                    // An event may be seen to have landed before it is counted, and then only be counted later.
                    let shown = &mut self.sums.written[index];
                    *shown = totals.written.max(*shown);
                    totals.written = *shown;
                }
                Value::TimeMark(value) => {
                    *value = time_mark(group, &self.baselines, &self.owners, words, geometry)
                }
                Value::State(states) => fill_states(states, group, &self.owners, words, geometry),
                Value::Samples(samples) => pool::fill(samples, group, source, &mut self.sums.pool),
                Value::Text(value) => text::fill(value, group.shown(), words, geometry),
                Value::Group(value) => {
                    group::fill(
                        value,
                        group,
                        &mut self.memories,
                        &self.baselines,
                        source,
                        &mut self.sums.total,
                    );
                    self.health.bounded_results += u64::from(value.quality != Quality::Exact);
                }
                Value::InFlight(value) => {
                    let source = in_flight::Source {
                        words,
                        geometry,
                        owners: &self.owners,
                        now_ns: now.monotonic_ns,
                    };
                    in_flight::fill(value, group.shown().iter(), source, self.in_flight_entries);
                }
                value => gauge_value(value, group, &self.owners, words, geometry),
            }
            if !(group.description.overflow && is_zero(&series.value)) {
                self.sums.positions[index] = Some(position);
                position += 1;
            }
        }
        snapshot.series.truncate(position);

        process::fill(
            &mut snapshot.processes,
            &self.owners,
            &self.catalog,
            &self.memories,
            source,
            &mut self.sums,
            self.per_process,
        );
        snapshot.fill.process_slots.used =
            snapshot.processes.iter().filter(|process| process.alive).count() as u64;
        snapshot.skipped.clear();
        snapshot.skipped.extend_from_slice(self.catalog.skipped());
        snapshot.segment = Some(facts);
        self.health.snapshots += 1;
        self.health.torn_reads += torn.get();
        snapshot.reader = self.health;
    }
}

/// How many of the results of a histogram, itself and its windows, are bounded.
fn bounded(histogram: &Histogram) -> u64 {
    let windows = histogram.windows.iter().map(|window| window.quality);
    let qualities = windows.chain([histogram.quality]);
    qualities.filter(|quality| *quality != Quality::Exact).count() as u64
}

/// A difference that rounding, or infinities, may have made less.
fn at_least_0(difference: f64) -> f64 {
    if difference > 0.0 { difference } else { 0.0 }
}

/// The word at a byte offset.
pub(super) fn at(offset: u64) -> usize {
    (offset / 8) as usize
}

/// The entry at `position`, reused if it is of the same series.
fn entry<'a>(series: &'a mut Vec<Series>, position: usize, group: &Group) -> &'a mut Series {
    let same = series
        .get(position)
        .is_some_and(|entry| Arc::ptr_eq(&entry.description, &group.description));
    if !same {
        let entry = Series {
            description: Arc::clone(&group.description),
            since_ns: group.description.created_ns,
            value: empty_value(group),
        };
        if position < series.len() {
            series[position] = entry;
        } else {
            series.push(entry);
        }
    }
    let last = position.min(series.len() - 1);
    &mut series[last]
}

fn empty_value(group: &Group) -> Value {
    let description = &group.description;
    match (description.kind, description.merge, &group.scheme) {
        (Kind::CounterU64, ..) => Value::CounterU64(0),
        (Kind::CounterF64, ..) => Value::CounterF64(0.0),
        (Kind::Samples, ..) => Value::Samples(Box::default()),
        (Kind::Number, ..) => Value::Number(Number::I64(0)),
        (Kind::GaugeI64 | Kind::GaugeF64, Merge::Each, _) => Value::Each(Vec::new()),
        (Kind::GaugeI64, Merge::Mean, _) | (Kind::GaugeF64, ..) => Value::GaugeF64(None),
        (Kind::GaugeI64, ..) => Value::GaugeI64(None),
        (Kind::TimeMark, ..) => Value::TimeMark(None),
        (Kind::State, ..) => Value::State(Vec::new()),
        (Kind::Events, ..) => Value::Events(EventTotals::default()),
        (Kind::Text, ..) => Value::Text(Box::default()),
        (Kind::Group, ..) => Value::Group(Box::new(group::empty(group))),
        (Kind::InFlight, ..) => Value::InFlight(Box::default()),
        (_, _, scheme) => Value::Histogram(Box::new(Histogram {
            count: 0,
            sum: 0.0,
            min: None,
            max: None,
            invalid: 0,
            scheme: scheme
                .clone()
                .unwrap_or(BucketScheme::Exponential(crate::buckets::Exponential::OTHER)),
            counts: Vec::new(),
            quality: Quality::Exact,
            windows: Vec::new(),
        })),
    }
}

/// Has the series counted nothing yet?
fn is_zero(value: &Value) -> bool {
    match value {
        Value::CounterU64(value) => *value == 0,
        Value::CounterF64(value) => *value == 0.0,
        Value::Number(value) => matches!(value, Number::I64(0)) || *value == Number::F64(0.0),
        Value::Samples(samples) => samples.count == 0 && samples.invalid == 0,
        Value::GaugeI64(value) => value.is_none(),
        Value::GaugeF64(value) => value.is_none(),
        Value::Each(values) => values.is_empty(),
        Value::TimeMark(value) => value.is_none(),
        Value::State(states) => states.is_empty(),
        Value::Histogram(histogram) => {
            histogram.count == 0 && histogram.invalid == 0 && histogram.quality == Quality::Exact
        }
        Value::Events(totals) => *totals == EventTotals::default(),
        Value::Text(text) => text.says_nothing(),
        Value::Group(group) => group.says_nothing(),
        Value::InFlight(in_flight) => in_flight.says_nothing(),
    }
}

impl Sums {
    /// Adds up all counters, lane by lane, because the words of a lane are next to each other.
    fn count(&mut self, words: ReadWords<'_>, geometry: &Geometry, catalog: &Catalog, lanes: &[Lane]) {
        let groups = catalog.groups().len();
        self.whole.clear();
        self.whole.resize(groups, 0);
        self.float.clear();
        self.float.resize(groups, Compensated::default());
        self.is_float.clear();
        self.is_float.resize(groups, false);
        self.shown.resize(groups, 0.0);
        self.written.resize(groups, 0);
        let shared = |cell: &CounterCell| words.load(shared_counter(geometry, cell.placement as u64));
        let (whole, float) = (catalog.counters_u64(), catalog.counters_f64());
        let numbers = catalog.numbers();
        whole.iter().for_each(|cell| self.add_whole(cell, shared(cell)));
        float
            .iter()
            .for_each(|cell| self.float[cell.group].add(f64::from_bits(shared(cell))));
        for cell in numbers {
            let float = words.load(shared_counter(geometry, cell.placement as u64 + 1));
            self.add_mixed(cell, shared(cell), float);
        }
        let mut places = std::mem::take(&mut self.places);
        counters::add_up(words, geometry, lanes, catalog.counter_words(), &mut places);
        for cell in whole.iter().chain(numbers) {
            self.add_whole(cell, places.get(cell.placement).copied().unwrap_or(0));
        }
        self.places = places;
        if !(float.is_empty() && numbers.is_empty()) {
            for lane in lanes {
                let counters = lane_counters(words, geometry, lane);
                for cell in float {
                    self.float[cell.group].add(f64::from_bits(counters.load(cell.placement)));
                }
                for cell in numbers {
                    self.add_mixed(cell, 0, counters.load(cell.placement + 1));
                }
            }
        }
        for (shown, sum) in self.shown.iter_mut().zip(&self.float) {
            *shown = shown.max(sum.total());
        }
    }

    #[inline]
    fn add_whole(&mut self, cell: &CounterCell, value: u64) {
        self.whole[cell.group] = self.whole[cell.group].wrapping_add(value);
    }
}

impl Sums {
    #[inline]
    fn add_mixed(&mut self, cell: &CounterCell, whole: u64, float: u64) {
        self.add_whole(cell, whole);
        if float != 0 {
            self.is_float[cell.group] = true;
            self.float[cell.group].add(f64::from_bits(float));
        }
    }

    /// What a number gained since it had these parts.
    fn number(&self, group: usize, whole: u64, float: f64) -> Number {
        let gained = || self.float[group].total() - float;
        let float = self.is_float(group).then(gained);
        merge::mixed(self.whole[group].wrapping_sub(whole), float)
    }

    /// Was a float ever added to this number?
    pub(super) fn is_float(&self, group: usize) -> bool {
        self.is_float.get(group).copied().unwrap_or(false)
    }
}

/// The set value and stamp of a gauge in a process slot; `None` if it is not set, or the slot's owner does not count for it.
pub(super) fn gauge_cell(
    words: ReadWords<'_>,
    geometry: &Geometry,
    owners: &Owners,
    slot: usize,
    member: &Member,
    rule: Merge,
) -> Option<(u64, u64)> {
    let owner = owners.slots().get(slot)?;
    if !owner.committed || !(owner.works() || rule.outlives_process()) {
        return None;
    }
    let start = geometry.slot_offset(slot as u64) + member.placement * GAUGE_CELL_LENGTH;
    let cell = gauge::read(words.range(at(start), 2))?;
    if rule.outlives_process() {
        return Some(cell);
    }
    // The next owner says that it is claiming before it clears: the same owner word means that the value is this owner's.
    fence(Acquire);
    let word = at(geometry.process_entry_offset(slot as u64) + PROCESS_OWNER_OFFSET);
    (words.load(word) == owner.owner.0).then_some(cell)
}

/// The first or last time of all cells. A last one from before its reset is none.
fn time_mark(
    group: &Group,
    baselines: &Baselines,
    owners: &Owners,
    words: ReadWords<'_>,
    geometry: &Geometry,
) -> Option<u64> {
    let rule = group.description.merge;
    let cells = group.shown().iter().flat_map(|member| {
        let since = match can_be_reset(group.description.kind, rule) {
            true => baselines.since(member.record),
            false => 0,
        };
        let slots = 0..owners.taken().len();
        slots.filter_map(move |slot| {
            let (time, _) = gauge_cell(words, geometry, owners, slot, member, rule)?;
            (time != 0 && time >= since).then_some(time)
        })
    });
    match rule {
        Merge::Min => cells.min(),
        _ => cells.max(),
    }
}

fn fill_states(
    states: &mut Vec<ProcessState>,
    group: &Group,
    owners: &Owners,
    words: ReadWords<'_>,
    geometry: &Geometry,
) {
    states.clear();
    for member in group.shown() {
        for (slot, owner) in owners.taken().iter().enumerate() {
            let Some((word, _)) = gauge_cell(words, geometry, owners, slot, member, Merge::Each) else {
                continue;
            };
            let (number, streak) = state::unpack(word);
            states.push(ProcessState {
                slot: slot as u64,
                role: Arc::clone(&owner.role),
                number,
                streak,
                statuses: Arc::clone(&member.statuses),
            });
        }
    }
}

fn gauge_value(value: &mut Value, group: &Group, owners: &Owners, words: ReadWords<'_>, geometry: &Geometry) {
    let (kind, rule) = (group.description.kind, group.description.merge);
    let cells = group.shown().iter().flat_map(|member| {
        let slots = 0..owners.taken().len();
        slots.filter_map(move |slot| {
            gauge_cell(words, geometry, owners, slot, member, rule).map(|cell| (slot, cell))
        })
    });
    if let Value::Each(values) = value {
        values.clear();
        values.extend(cells.map(|(slot, (word, _))| ProcessValue {
            slot: slot as u64,
            role: Arc::clone(&owners.slots()[slot].role),
            value: merge::number(kind, word),
        }));
        return;
    }
    let merged = merge::gauge(rule, kind, cells.map(|(_, cell)| cell));
    match (value, merged) {
        (Value::GaugeI64(value), Some(Number::I64(merged))) => *value = Some(merged),
        (Value::GaugeF64(value), Some(Number::F64(merged))) => *value = Some(merged),
        (Value::GaugeI64(value), _) => *value = None,
        (Value::GaugeF64(value), _) => *value = None,
        _ => {}
    }
}
