//! The processes of a snapshot, and what each of them counted.
//!
//! A lane's cells go on counting from owner to owner. What the present owner counted is the cell minus the baseline that was taken
//! when it took the lane. The baseline is valid if it was made for the present owner; it is zero if nobody was there before, else the
//! lane must say that it belongs to the present incarnation. A lane without a valid baseline, or that changed hands meanwhile, is left out.

use std::sync::Arc;

use super::counters::lane_counters;
use super::fill::{Sums, at, gauge_cell};
use crate::layout::block::{BASELINE_COUNT, BASELINE_SUM};
use crate::layout::directory::*;
use crate::layout::group::{GROUP_BASELINE, GROUP_FIELDS, MAX_GROUP_FIELDS};
use crate::layout::kind::{Kind, Merge, Space};
use crate::protocol::state;
use crate::snapshot::catalog::{Catalog, CounterCell, Group, Member};
use crate::snapshot::lanes::{Lane, Memory, Source};
use crate::snapshot::merge::{self, Compensated};
use crate::snapshot::owners::Owners;
use crate::snapshot::pool::{self, Pool};
use crate::snapshot::{self, events, group, in_flight};
use crate::snapshot::{Number, PerProcess, Process, Samples};
use crate::sync::{Acquire, fence};
use crate::words::ReadWords;

/// One process' sums by group, reused from process to process.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    all: Vec<Part>,
    lane: Vec<Part>,
    /// How many lanes each slot has.
    lanes: Vec<u64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Part {
    whole: u64,
    float: Compensated,
}

impl Part {
    fn add(&mut self, other: &Part) {
        self.whole = self.whole.wrapping_add(other.whole);
        self.float.add(other.float.total());
    }
}

/// Fills the processes whose slots were ever taken.
pub(super) fn fill(
    processes: &mut Vec<Process>,
    owners: &Owners,
    catalog: &Catalog,
    memories: &[Memory],
    source: Source<'_>,
    sums: &mut Sums,
    with_values: bool,
) {
    // Once over all lanes, and not once for each process.
    let mut lanes_of = std::mem::take(&mut sums.process.lanes);
    lanes_of.clear();
    lanes_of.resize(owners.taken().len(), 0);
    for lane in source.lanes {
        let slot = lane.owner.slot(lanes_of.len() as u64).map(|slot| slot as usize);
        if let Some(slot) = slot.filter(|slot| owners.taken()[*slot].tag(*slot) == lane.owner) {
            lanes_of[slot] += 1;
        }
    }
    let mut position = 0;
    for (number, slot) in owners.taken().iter().enumerate() {
        if slot.owner.incarnation() == 0 {
            continue;
        }
        if processes.len() == position {
            processes.push(Process {
                slot: 0,
                incarnation: 0,
                alive: false,
                role: Arc::clone(&slot.role),
                pid: 0,
                pid_namespace: 0,
                start_ticks: 0,
                claimed_ns: 0,
                command: Arc::clone(&slot.command),
                lanes: 0,
                values: Vec::new(),
                samples: Vec::new(),
                groups: Vec::new(),
            });
        }
        let process = &mut processes[position];
        position += 1;
        (process.slot, process.incarnation) = (number as u64, slot.owner.incarnation());
        process.alive = slot.alive;
        (process.pid, process.pid_namespace) = (slot.pid, slot.pid_namespace);
        (process.start_ticks, process.claimed_ns) = (slot.start_ticks, slot.claimed_ns);
        for (shown, known) in [
            (&mut process.role, &slot.role),
            (&mut process.command, &slot.command),
        ] {
            if !Arc::ptr_eq(shown, known) {
                shown.clone_from(known);
            }
        }
        let tag = slot.tag(number);
        process.lanes = lanes_of[number];
        process.values.clear();
        if with_values {
            add_values(process, tag, owners, catalog, memories, source, sums);
        } else {
            process.samples.clear();
            process.groups.clear();
        }
    }
    processes.truncate(position);
    sums.process.lanes = lanes_of;
}

fn add_values(
    process: &mut Process,
    tag: OwnerTag,
    owners: &Owners,
    catalog: &Catalog,
    memories: &[Memory],
    source: Source<'_>,
    sums: &mut Sums,
) {
    let Sums {
        positions,
        is_float,
        process: Scratch {
            all, lane: of_lane, ..
        },
        pool,
        ..
    } = sums;
    let clear = |parts: &mut Vec<Part>| {
        parts.clear();
        parts.resize(catalog.groups().len(), Part::default());
    };
    clear(all);
    for lane in source.lanes.iter().filter(|lane| lane.owner == tag) {
        clear(of_lane);
        add_lane(of_lane, lane, catalog, memories, source);
        if still_owned(lane, source) {
            all.iter_mut()
                .zip(&*of_lane)
                .for_each(|(sum, part)| sum.add(part));
        }
    }
    // Those of the last time are used again.
    let (mut samples, mut groups) = (0, 0);
    for &index in catalog.order() {
        let (group, part, position) = (&catalog.groups()[index], all[index], positions[index]);
        let Some(position) = position else { continue };
        let (kind, rule) = (group.description.kind, group.description.merge);
        let value = match kind.space() {
            Space::Gauges => group.shown().first().and_then(|member| {
                // Of one process: what an earlier owner of the slot left does not count, whatever the rule.
                let works = owners.slots()[process.slot as usize].works();
                let rule = if works { rule } else { Merge::Sum };
                gauge_cell(
                    source.words,
                    source.geometry,
                    owners,
                    process.slot as usize,
                    member,
                    rule,
                )
                .and_then(|(word, _)| match kind {
                    Kind::TimeMark => (word != 0).then_some(PerProcess::TimeMark(word)),
                    Kind::State => {
                        let (number, streak) = state::unpack(word);
                        Some(PerProcess::State { number, streak })
                    }
                    _ => Some(PerProcess::Gauge(merge::number(kind, word))),
                })
            }),
            Space::Counters if kind == Kind::Number => {
                // A float is shown of each process once the number is one.
                let float = is_float[index].then(|| part.float.total());
                let is_told = part.whole != 0 || part.float.total() != 0.0;
                is_told.then(|| PerProcess::Counter(merge::mixed(part.whole, float)))
            }
            Space::Counters if kind == Kind::CounterF64 => {
                let value = part.float.total();
                (value != 0.0).then_some(PerProcess::Counter(Number::F64(value)))
            }
            Space::Counters => (part.whole != 0).then_some(PerProcess::Counter(Number::U64(part.whole))),
            Space::Blocks if kind == Kind::Events => {
                (part.whole != 0).then_some(PerProcess::Counter(Number::U64(part.whole)))
            }
            Space::Blocks if kind == Kind::Samples => {
                if process.samples.len() == samples {
                    process.samples.push((position, Samples::default()));
                }
                let (of, part) = &mut process.samples[samples];
                *of = position;
                samples_part(tag, group, source, pool, part);
                let is_told = part.count > 0;
                samples += usize::from(is_told);
                is_told.then(|| PerProcess::Samples(samples - 1))
            }
            // A text is nobody's.
            Space::Blocks if kind == Kind::Text => None,
            Space::Blocks if kind == Kind::Group => {
                // First whether there is anything to tell, so that what was told before is used again for the same.
                let mut updates = 0u64;
                group_parts(tag, group, memories, source, |_, _, more| {
                    updates = updates.wrapping_add(more)
                });
                (updates != 0).then(|| {
                    if process.groups.len() == groups {
                        process.groups.push((position, snapshot::Group::default()));
                    }
                    let (of, part) = &mut process.groups[groups];
                    *of = position;
                    group::begin(part, group);
                    group_parts(tag, group, memories, source, |member, fields, updates| {
                        part.add(&member.fields, fields, updates)
                    });
                    groups += 1;
                    PerProcess::Group(groups - 1)
                })
            }
            Space::Blocks if kind == Kind::InFlight => {
                let source = in_flight::Source {
                    words: source.words,
                    geometry: source.geometry,
                    owners,
                    now_ns: 0,
                };
                let number = in_flight::of_process(group.shown().iter(), source, process.slot);
                (number != 0).then_some(PerProcess::Gauge(Number::U64(number)))
            }
            Space::Blocks => (part.whole != 0).then(|| PerProcess::Histogram {
                count: part.whole,
                sum: part.float.total(),
            }),
        };
        process.values.extend(value.map(|value| (position, value)));
    }
    process.samples.truncate(samples);
    process.groups.truncate(groups);
}

/// What the baseline of a lane covers.
#[derive(Clone, Copy)]
enum Baseline {
    /// Nobody was there before: all zero, and not committed.
    Zero,
    /// So many counter words; later ones are zero.
    Counters(usize),
}

fn baseline(lane: &Lane, source: Source<'_>) -> Option<Baseline> {
    let entry = source.geometry.lane_entry_offset(lane.number);
    let load = |offset: u64| source.words.load(at(entry + offset));
    let described = load(LANE_BASELINE_WORD_OFFSET);
    // Pairs with the release store of that word: the baseline and what it covers are complete.
    fence(Acquire);
    // A claimer stores its tag before it stores the incarnation: until then the incarnation is that of the owner before.
    if load(LANE_BASELINE_OWNER_OFFSET) != lane.owner.0 {
        return None;
    }
    if lane.incarnation == 1 {
        return Some(Baseline::Zero);
    }
    let counters = load(LANE_BASELINE_COUNTERS_OFFSET).min(source.geometry.capacities.counters);
    (described == lane.incarnation).then_some(Baseline::Counters(counters as usize))
}

/// Has the lane the owner and the incarnation that it had when it was found?
fn still_owned(lane: &Lane, source: Source<'_>) -> bool {
    // After the cells: had any been a later owner's, its words in the directory would be seen too.
    fence(Acquire);
    let entry = source.geometry.lane_entry_offset(lane.number);
    let load = |offset: u64| source.words.load(at(entry + offset));
    load(LANE_OWNER_OFFSET) == lane.owner.0 && load(LANE_INCARNATION_OFFSET) == lane.incarnation
}

/// Adds what the present owner of a lane counted in it.
fn add_lane(parts: &mut [Part], lane: &Lane, catalog: &Catalog, memories: &[Memory], source: Source<'_>) {
    let Some(baseline) = baseline(lane, source) else {
        return;
    };
    let Source { words, geometry, .. } = source;
    let counters = lane_counters(words, geometry, lane);
    let covered = match baseline {
        Baseline::Zero => 0,
        Baseline::Counters(covered) => covered,
    };
    let start = geometry.lane_offset(lane.number) + geometry.lane_baseline_offset;
    // Cut at what is covered: beyond, the storage may not be there, and the range reads as 0.
    let before_words = words.range(at(start), covered);
    let both = |cell: &CounterCell| (counters.load(cell.placement), before_words.load(cell.placement));
    for cell in catalog.counters_u64() {
        let (now, before) = both(cell);
        let part = &mut parts[cell.group].whole;
        *part = part.wrapping_add(now.wrapping_sub(before));
    }
    for cell in catalog.counters_f64() {
        let (now, before) = both(cell);
        parts[cell.group]
            .float
            .add(f64::from_bits(now) - f64::from_bits(before));
    }
    for cell in catalog.numbers() {
        let (now, before) = both(cell);
        let part = &mut parts[cell.group];
        part.whole = part.whole.wrapping_add(now.wrapping_sub(before));
        let float = |words: ReadWords<'_>| f64::from_bits(words.load(cell.placement + 1));
        part.float.add(float(counters) - float(before_words));
    }
    for (index, group) in catalog.groups().iter().enumerate() {
        if group.description.kind == Kind::Events {
            let members = group.members().iter();
            parts[index].whole = members
                .map(|member| events_part(lane, member, baseline, source))
                .fold(0, u64::wrapping_add);
        }
        if !group.description.kind.is_histogram() {
            continue;
        }
        for member in group.shown() {
            if let Some((count, sum)) = histogram_part(lane, member, baseline, memories, source) {
                parts[index].whole = parts[index].whole.wrapping_add(count);
                parts[index].float.add(sum);
            }
        }
    }
}

/// Events that were written since the lane was taken.
fn events_part(lane: &Lane, member: &Member, baseline: Baseline, source: Source<'_>) -> u64 {
    let Source { words, geometry, .. } = source;
    let written = events::written(words, geometry, lane.number, member);
    written.map_or(0, |written| match baseline {
        Baseline::Zero => written,
        Baseline::Counters(_) => {
            written.saturating_sub(events::written_before(words, geometry, lane.number, member))
        }
    })
}

/// Count and sum, in the exported unit, of one histogram since its lane was taken.
fn histogram_part(
    lane: &Lane,
    member: &Member,
    baseline: Baseline,
    memories: &[Memory],
    source: Source<'_>,
) -> Option<(u64, f64)> {
    // Without its mark a block is not shown, though something is kept of it.
    let block = source.block(lane, member)?;
    let (count, sum) = memories.get(member.ordinal)?.shown(lane, member, source.cut)?;
    let (count_before, sum_before) = match baseline {
        Baseline::Zero => (0, 0),
        Baseline::Counters(_) => (block.load(BASELINE_COUNT), block.load(BASELINE_SUM)),
    };
    // A cut may be older than the take-over.
    let count = count.checked_sub(count_before)?;
    let sum = match member.series.kind {
        Kind::HistogramInteger => sum.wrapping_sub(sum_before) as f64,
        _ => f64::from_bits(sum) - f64::from_bits(sum_before),
    };
    Some((count, sum * member.series.factor))
}

/// What the present owner of the lanes with this tag recorded last.
fn samples_part(tag: OwnerTag, group: &Group, source: Source<'_>, pool: &mut Pool, into: &mut Samples) {
    pool.begin(group, into);
    for lane in source.lanes.iter().filter(|lane| lane.owner == tag) {
        let Some(baseline) = baseline(lane, source) else {
            continue;
        };
        let before = (pool.length(), into.count, into.overtaken);
        for member in group.shown().iter().enumerate() {
            let Some(block) = source.block(lane, member.1) else {
                continue;
            };
            let since = match baseline {
                Baseline::Zero => 0,
                Baseline::Counters(_) => pool::baseline(block),
            };
            pool.add_lane(member, lane, block, since, into, source);
        }
        if !still_owned(lane, source) {
            pool.forget(before.0);
            (into.count, into.overtaken) = (before.1, before.2);
        }
        pool.tidy(into.keep);
    }
    pool.end(into);
}

/// Calls `each` with what the present owner of the lanes with this tag added to a group, in each lane and for each member: the fields, and
/// the number of updates.
fn group_parts(
    tag: OwnerTag,
    group: &Group,
    memories: &[Memory],
    source: Source<'_>,
    mut each: impl FnMut(&Member, &[u64], u64),
) {
    for lane in source.lanes.iter().filter(|lane| lane.owner == tag) {
        let Some(baseline) = baseline(lane, source) else {
            continue;
        };
        for member in group.shown() {
            let fields = memories
                .get(member.ordinal)
                .and_then(|memory| memory.fields(lane, member));
            // Without its mark a block is not shown, though something is kept of it.
            let (Some(block), Some([fields @ .., updates])) = (source.block(lane, member), fields) else {
                continue;
            };
            let before = |word: usize| match baseline {
                Baseline::Zero => 0,
                Baseline::Counters(_) => block.load(word),
            };
            // What is kept may be older than the take-over.
            let Some(updates) = updates.checked_sub(before(GROUP_BASELINE)) else {
                continue;
            };
            let mut since = [0; MAX_GROUP_FIELDS];
            for (index, (since, now)) in since.iter_mut().zip(fields).enumerate() {
                *since = now.wrapping_sub(before(GROUP_FIELDS + index));
            }
            if still_owned(lane, source) {
                each(member, &since[..fields.len().min(MAX_GROUP_FIELDS)], updates);
            }
        }
    }
}
