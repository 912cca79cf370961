//! What a reader subtracts: its private copy of the reset table in force (SPEC.md 10.19).
//!
//! The copy is taken when the number of resets has changed and kept until it changes again, so that a snapshot costs one more load as
//! long as nobody resets. Only words of records that were reset are looked at, and everything is cut to its shape: of a damaged
//! table a reader shows other numbers, and nothing worse.

use super::catalog::{Catalog, Group, Member};
use super::merge::Compensated;
use crate::layout::WORD_LENGTH;
use crate::layout::block::BUCKETS;
use crate::layout::geometry::Geometry;
use crate::layout::header::RESET_OFFSET;
use crate::layout::kind::{Kind, Merge, Space};
use crate::layout::reset::*;
use crate::protocol::histogram::State;
use crate::protocol::reset;
use crate::words::ReadWords;

/// Attempts at a table: it is overwritten by the next reset but one, and resets take milliseconds.
const ATTEMPTS: usize = 4;

/// The baselines in force, as far as this reader knows.
#[derive(Debug, Default)]
pub(super) struct Baselines {
    /// The reset that they are of; 0 = none.
    number: u64,
    table: Table,
    /// What is being copied: it changes places with what it replaces, so that both have their room for good.
    attempt: Table,
}

#[derive(Debug, Default)]
struct Table {
    /// By record number minus one; 0 = never. As long as there were records.
    since: Vec<u64>,
    /// The greatest of them.
    last_ns: u64,
    /// Of counters, by group.
    whole: Vec<u64>,
    float: Vec<Compensated>,
    /// Of histograms and groups, by ordinal. Boxes stay for good, so that the next reset is taken up without allocating.
    blocks: Vec<Option<Box<Block>>>,
}

/// The baseline of a histogram; or of a group, whose fields are buckets, as is the number of its updates.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// Was it reset at all?
    is_reset: bool,
    /// Buckets and invalid; the count is what the buckets add up to.
    pub(super) state: State,
    /// The sum of whole numbers, in the base unit.
    pub(super) whole: u128,
    /// The sum of floats.
    pub(super) float: f64,
    /// By how much the count may be off.
    pub(super) error: u64,
}

impl Baselines {
    /// Takes up what is in force now. `catalog` is updated on the way, up to the record `records`: what was reset was ready before.
    pub(super) fn update(
        &mut self,
        words: ReadWords<'_>,
        geometry: &Geometry,
        records: u64,
        catalog: &mut Catalog,
    ) {
        if geometry.capacities.reset_tables == 0 {
            return catalog.update(words, geometry, records);
        }
        let latch = words.range(at(RESET_OFFSET), 1);
        for _ in 0..ATTEMPTS {
            let number = reset::number(latch);
            catalog.update(words, geometry, records);
            if number == self.number {
                return;
            }
            self.attempt.copy(words, geometry, catalog, number);
            if reset::is_still(latch, number) {
                std::mem::swap(&mut self.table, &mut self.attempt);
                self.number = number;
                return;
            }
        }
        // What is kept stays: the answer is as of an earlier reset.
    }

    /// How often series were reset, as far as is subtracted.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// When the last of them was; 0 = never.
    pub(super) fn last_ns(&self) -> u64 {
        self.table.last_ns
    }

    /// When the series of this record was reset; 0 = never.
    pub(super) fn since(&self, record: u64) -> u64 {
        let index = record.wrapping_sub(1) as usize;
        self.table.since.get(index).copied().unwrap_or(0)
    }

    /// Since when a group counts.
    pub(super) fn start(&self, group: &Group) -> u64 {
        let created = group.description.created_ns;
        if self.number == 0 || !can_be_reset(group.description.kind, group.description.merge) {
            return created;
        }
        let starts = group.shown().iter();
        let starts = starts.map(|member| member.series.created_ns.max(self.since(member.record)));
        starts.min().unwrap_or(created)
    }

    /// What is subtracted from a group of whole counters, or from the whole part of numbers.
    pub(super) fn whole(&self, group: usize) -> u64 {
        self.table.whole.get(group).copied().unwrap_or(0)
    }

    /// What is subtracted from a group of float counters, or from the float part of numbers.
    pub(super) fn float(&self, group: usize) -> f64 {
        self.table.float.get(group).map_or(0.0, Compensated::total)
    }

    /// What is subtracted from a histogram or a group; `None` if it was not reset.
    pub(super) fn block(&self, member: &Member) -> Option<&Block> {
        let block = self.table.blocks.get(member.ordinal)?.as_deref();
        block.filter(|block| block.is_reset)
    }
}

/// Counters, numbers, histograms and groups, and when something happened last. A gauge says what is, not what was counted since; samples are the
/// last ones, whatever came before; events are told, not
/// counted, texts are facts, and keys are in flight or not; and of what happened first the cells know nothing later.
pub(crate) fn can_be_reset(kind: Kind, rule: Merge) -> bool {
    match kind.space() {
        Space::Gauges => kind == Kind::TimeMark && rule == Merge::Max,
        Space::Blocks => kind.has_reset_block(),
        Space::Counters => true,
    }
}

impl Table {
    fn copy(&mut self, words: ReadWords<'_>, geometry: &Geometry, catalog: &Catalog, number: u64) {
        let table = reset::table(number);
        self.clear(catalog);
        if number == 0 {
            return;
        }
        self.since.resize(catalog.reserved(), 0);
        words.copy(at(geometry.reset_table_offset(table)), &mut self.since);
        self.last_ns = self.since.iter().copied().max().unwrap_or(0);
        for (index, group) in catalog.groups().iter().enumerate() {
            let kind = group.description.kind;
            for member in group.members() {
                let since = self.since.get(member.record as usize - 1);
                if since.is_none_or(|since| *since == 0) || kind.space() == Space::Gauges {
                    continue;
                }
                if kind.has_reset_block() {
                    let start = at(geometry.reset_block_offset(table, member.placement));
                    let length = (member.shape.shared_length() / WORD_LENGTH) as usize;
                    let block = self.blocks[member.ordinal].get_or_insert_default();
                    block.copy(words.range(start, length), member);
                } else {
                    for unit in 0..kind.units() {
                        let offset = geometry.reset_counter_offset(table, member.placement + unit);
                        let word = words.load(at(offset));
                        if kind == Kind::CounterF64 || unit > 0 {
                            self.float[index].add(f64::from_bits(word));
                        } else {
                            self.whole[index] = self.whole[index].wrapping_add(word);
                        }
                    }
                }
            }
        }
    }

    fn clear(&mut self, catalog: &Catalog) {
        let groups = catalog.groups().len();
        self.since.clear();
        self.last_ns = 0;
        self.whole.clear();
        self.whole.resize(groups, 0);
        self.float.clear();
        self.float.resize(groups, Compensated::default());
        self.blocks.resize_with(catalog.blocks(), || None);
        for block in self.blocks.iter_mut().flatten() {
            block.is_reset = false;
        }
    }
}

impl Block {
    fn copy(&mut self, words: ReadWords<'_>, member: &Member) {
        self.is_reset = true;
        let state = &mut self.state;
        state.reset(member.shape.buckets);
        state.set_range(words.load(RESET_LOWEST), words.load(RESET_HIGHEST));
        let (first, end) = (state.first, state.end);
        words.copy(BUCKETS + first, &mut state.buckets[first..end]);
        state.count = state.landed();
        state.invalid = words.load(RESET_INVALID);
        let (low, high) = (words.load(RESET_SUM), words.load(RESET_SUM_HIGH));
        (self.whole, self.float) = match member.series.kind {
            Kind::HistogramInteger => (u128::from(high) << 64 | u128::from(low), 0.0),
            _ => (0, f64::from_bits(low)),
        };
        // Buckets that do not add up to the count are damage: the buckets are what is subtracted.
        let damage = words.load(RESET_COUNT).abs_diff(state.count);
        self.error = words.load(RESET_ERROR).saturating_add(damage);
    }
}

/// The word at a byte offset.
fn at(offset: u64) -> usize {
    (offset / WORD_LENGTH) as usize
}
