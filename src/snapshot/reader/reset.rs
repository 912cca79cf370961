//! What a reset stores, read before it is stored (SPEC.md 10.19, Z2). [`crate::reset`] stores it.

use super::{Clocks, Reader, View};
use crate::layout::WORD_LENGTH;
use crate::layout::block::BUCKETS;
use crate::layout::kind::{Kind, Space};
use crate::layout::reset::*;
use crate::protocol::histogram::State;
use crate::snapshot::baseline::{self, can_be_reset};
use crate::snapshot::catalog::Member;
use crate::snapshot::lanes::{Lane, Total};
use crate::snapshot::merge::Compensated;
use crate::snapshot::{Description, Snapshot};

/// Attempts to read every histogram that is reset exactly; what is still bounded then is reset as it was read. A writer at full rate
/// is read exactly at the first or second one.
const ATTEMPTS: usize = 16;

/// The content of the next table.
#[derive(Debug)]
pub(crate) struct NextTable {
    /// The reset that is in force.
    pub(crate) number: u64,
    /// Series that are reset now; the others keep what they had.
    pub(crate) series: u64,
    /// Every record that has a baseline.
    pub(crate) baselines: Vec<Baseline>,
}

/// What one record has in the next table; of a number both words, one after the other.
#[derive(Debug)]
pub(crate) struct Baseline {
    pub(crate) record: u64,
    /// When it was reset, nanoseconds since 1970.
    pub(crate) since_ns: u64,
    pub(crate) cell: Cell,
}

#[derive(Debug)]
pub(crate) enum Cell {
    None,
    Counter { placement: u64, word: u64 },
    Block { placement: u64, words: Vec<u64> },
}

impl Reader {
    /// Reads what the next table is to hold: the present totals of the series that `select` chooses, and for all others what is in force.
    pub(crate) fn read_next_table(&mut self, select: &mut dyn FnMut(&Description) -> bool) -> NextTable {
        let mut snapshot = Snapshot::default();
        let mut chosen: Vec<bool> = Vec::new();
        for attempt in 1..=ATTEMPTS {
            self.fill(&mut snapshot, View::Live, Clocks::read());
            let groups = self.catalog.groups();
            // Each is asked about once.
            let new = &groups[chosen.len()..];
            chosen.extend(new.iter().map(|group| {
                can_be_reset(group.description.kind, group.description.merge) && select(&group.description)
            }));
            let mut members = groups.iter().zip(&chosen).filter(|(_, chosen)| **chosen);
            let is_exact = members.all(|(group, _)| {
                let mut members = group.shown().iter();
                members.all(|member| {
                    self.memories
                        .get(member.ordinal)
                        .is_none_or(|memory| memory.error() == 0)
                })
            });
            if is_exact || attempt == ATTEMPTS {
                break;
            }
            std::thread::sleep(crate::segment::open::POLL_INTERVAL);
        }
        let now_ns = Clocks::read().wall_ns;
        let mut baselines = Vec::new();
        let mut total = Total::default();
        for (group, &chosen) in self.catalog.groups().iter().zip(&chosen) {
            let kind = group.description.kind;
            for member in group
                .members()
                .iter()
                .filter(|_| can_be_reset(group.description.kind, group.description.merge))
            {
                let before = self.baselines.since(member.record);
                let is_shown = group.shown().iter().any(|shown| shown.record == member.record);
                let units = 0..kind.units();
                let cells: Vec<Cell> = match (chosen && is_shown, kind.has_reset_block()) {
                    // Its time says all.
                    _ if kind.space() == Space::Gauges && (chosen && is_shown || before != 0) => {
                        vec![Cell::None]
                    }
                    (true, true) => vec![self.block_now(member, &mut total)],
                    (true, false) => units.map(|unit| self.counter_now(member, unit)).collect(),
                    (false, _) if before == 0 => continue,
                    (false, true) => match self.baselines.block(member) {
                        Some(block) => vec![block_before(member, block)],
                        None => continue,
                    },
                    (false, false) => units.map(|unit| self.counter_before(member, unit)).collect(),
                };
                let since_ns = match chosen && is_shown {
                    // Later than before, whatever the clock says: a count that goes down has a later start.
                    true => now_ns
                        .max(member.series.created_ns.saturating_add(1))
                        .max(before.saturating_add(1)),
                    false => before,
                };
                baselines.extend(cells.into_iter().map(|cell| Baseline {
                    record: member.record,
                    since_ns,
                    cell,
                }));
            }
        }
        NextTable {
            number: self.baselines.number(),
            series: chosen.iter().filter(|chosen| **chosen).count() as u64,
            baselines,
        }
    }

    /// One of the words of a counter or a number.
    fn counter_now(&self, member: &Member, unit: u64) -> Cell {
        let words = self.mapping.read_words();
        let geometry = &self.facts.geometry;
        let placement = member.placement + unit;
        let shared = words.load(super::counters::shared_counter(geometry, placement));
        let of_lane =
            |lane: &Lane| super::counters::lane_counters(words, geometry, lane).load(placement as usize);
        let cells = std::iter::once(shared).chain(self.lanes.iter().map(of_lane));
        let word = if member.series.kind == Kind::CounterF64 || unit > 0 {
            let mut sum = Compensated::default();
            cells.for_each(|cell| sum.add(f64::from_bits(cell)));
            sum.total().to_bits()
        } else {
            cells.fold(0, u64::wrapping_add)
        };
        Cell::Counter { placement, word }
    }

    fn counter_before(&self, member: &Member, unit: u64) -> Cell {
        let table = crate::protocol::reset::table(self.baselines.number());
        let placement = member.placement + unit;
        let word = self.facts.geometry.reset_counter_offset(table, placement);
        Cell::Counter {
            placement,
            // The table in force does not change while the reset lock is held.
            word: self.mapping.read_words().load((word / WORD_LENGTH) as usize),
        }
    }

    /// Of a histogram, or a group.
    fn block_now(&self, member: &Member, total: &mut Total) -> Cell {
        let error = match self.memories.get(member.ordinal) {
            Some(memory) => memory.total(&self.lanes, member, total),
            None => 0,
        };
        let (whole, float) = total.sum.parts();
        let sum = match member.series.kind {
            Kind::HistogramInteger => [whole as u64, (whole >> 64) as u64],
            _ => [float.to_bits(), 0],
        };
        block(member, &total.state, sum, error)
    }
}

fn block_before(member: &Member, before: &baseline::Block) -> Cell {
    let sum = match member.series.kind {
        Kind::HistogramInteger => [before.whole as u64, (before.whole >> 64) as u64],
        _ => [before.float.to_bits(), 0],
    };
    block(member, &before.state, sum, before.error)
}

/// The words of a baseline. The count is what the buckets add up to.
fn block(member: &Member, state: &State, sum: [u64; 2], error: u64) -> Cell {
    let buckets = &state.buckets[state.first..state.end];
    let mut words = vec![0; (member.shape.shared_length() / WORD_LENGTH) as usize];
    words[RESET_COUNT] = buckets.iter().fold(0, |sum: u64, count| sum.wrapping_add(*count));
    [words[RESET_SUM], words[RESET_SUM_HIGH]] = sum;
    words[RESET_ERROR] = error;
    words[RESET_INVALID] = state.invalid;
    let touched = state.buckets.iter().enumerate().filter(|(_, count)| **count > 0);
    let (first, last) = (touched.clone().next(), touched.clone().next_back());
    words[RESET_LOWEST] = first.map_or(0, |(index, _)| (member.shape.buckets - index) as u64);
    words[RESET_HIGHEST] = last.map_or(0, |(index, _)| index as u64 + 1);
    for (index, count) in touched {
        words[BUCKETS + index] = *count;
    }
    Cell::Block {
        placement: member.placement,
        words,
    }
}
