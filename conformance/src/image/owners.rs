//! Process slots and lanes: SPEC.md 9.1 to 9.3, 10.5, 10.6.

use shmetrics::layout::block::BlockShape;
use shmetrics::layout::directory::{GAUGE_CELL_LENGTH, OwnerTag, SlotOwner, SlotState};
use shmetrics::layout::directory::{PROCESS_COMMAND_LENGTH, PROCESS_ROLE_LENGTH};
use shmetrics::layout::events::EventsShape;
use shmetrics::layout::group::GroupShape;
use shmetrics::layout::kind::{Kind, Merge, Space};
use shmetrics::layout::record::{PUBLISHED, TYPE_SERIES};
use shmetrics::layout::samples::SamplesShape;

use super::{CREATED_NS, Image, Place, Scheme, Series};

/// The last step of a claim of a process slot that was done (10.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    /// The slot says that it is being claimed.
    T2,
    /// Its gauge cells are committed.
    T3,
    /// Gauges that do not outlive their process are cleared.
    T4,
    /// Records that were left are looked after.
    T5,
    /// The description is stored.
    T6,
    /// The slot is active.
    T7,
}

/// The last step of a claim of a lane that was done (10.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Adoption {
    /// The lane has its new owner.
    A1,
    /// Its front is committed.
    A2,
    /// It has its new incarnation.
    A3,
    /// Counts are mended.
    A4,
    /// The baseline is stored, but not whose it is.
    A5Partly,
    /// The baseline is stored.
    A5,
    /// The baseline is of this incarnation.
    A6,
}

/// Who claims a process slot.
#[derive(Clone, Debug, PartialEq)]
pub struct Owner {
    /// Its role: at most 64 bytes are stored.
    pub role: Vec<u8>,
    /// Its command line: at most 128 bytes are stored.
    pub command: Vec<u8>,
    /// Its pid.
    pub pid: u64,
}

impl Owner {
    /// A process of this role.
    pub fn new(role: &str) -> Owner {
        Owner {
            role: role.into(),
            command: b"worker --fast".to_vec(),
            pid: 1000,
        }
    }

    /// With this pid.
    pub fn pid(self, pid: u64) -> Owner {
        Owner { pid, ..self }
    }
}

impl Image {
    /// Claims a process slot as the next process that has it.
    pub fn claim(&mut self, slot: u64, owner: &Owner) -> OwnerTag {
        self.claim_until(slot, owner, Claim::T7)
    }

    /// Claims a process slot and stops after a step.
    pub fn claim_until(&mut self, slot: u64, owner: &Owner, until: Claim) -> OwnerTag {
        let place = Place::Process(slot);
        let incarnation = SlotOwner(self.get(place, "process_owner")).incarnation() + 1;
        let tag = OwnerTag::new(slot, incarnation);
        let state = |state: SlotState| SlotOwner::new(incarnation, state).0;
        self.set(place, "process_owner", state(SlotState::Claiming));
        let cells = self.geometry.capacities.gauges * GAUGE_CELL_LENGTH;
        if until >= Claim::T3 && self.get(place, "process_committed") < cells {
            self.commit(cells);
            self.set(place, "process_committed", cells);
        }
        if until >= Claim::T4 {
            self.clear_gauges(slot);
        }
        if until >= Claim::T5 {
            self.recover_records(slot, tag);
        }
        if until >= Claim::T6 {
            self.describe(slot, owner);
        }
        if until >= Claim::T7 {
            self.set(place, "process_owner", state(SlotState::Active));
        }
        tag
    }

    /// T4.
    fn clear_gauges(&mut self, slot: u64) {
        for series in self.placed() {
            let kept = self.merge_of(series.family).is_some_and(Merge::outlives_process);
            if series.kind.space() == Space::Gauges && !kept {
                let cell = Place::Gauge(self.gauge_offset(&series, slot));
                self.set(cell, "gauge_stamp", 0).set(cell, "gauge_value", 0);
            }
        }
    }

    /// T5.
    fn recover_records(&mut self, slot: u64, tag: OwnerTag) {
        for number in 1..=self.get(Place::Header, "reserved") {
            let place = Place::Record(number);
            let claim = OwnerTag(self.get(place, "claim"));
            if claim == tag || claim.slot(self.geometry.capacities.process_slots) != Some(slot) {
                continue;
            }
            let index = self.geometry.index_offset / 8;
            let entries = &self.words[index as usize..(index + self.geometry.index_entries) as usize];
            let is_published = entries.iter().any(|word| word & 0xffff_ffff == number);
            self.set(place, "claim", if is_published { PUBLISHED } else { tag.0 });
        }
    }

    /// T6.
    fn describe(&mut self, slot: u64, owner: &Owner) {
        let place = Place::Process(slot);
        self.set(place, "process_description", 0);
        self.set(place, "process_pid", owner.pid);
        self.set(place, "process_pid_namespace", 4_026_531_836);
        self.set(place, "process_start_ticks", 88);
        self.set(place, "process_claimed_ns", CREATED_NS + 1_000_000_000);
        let texts = [
            ("process_role", &owner.role, PROCESS_ROLE_LENGTH as usize),
            ("process_command", &owner.command, PROCESS_COMMAND_LENGTH as usize),
        ];
        for (field, text, most) in texts {
            let mut bytes = text.clone();
            bytes.resize(most, 0);
            self.put_bytes(self.offset(place, field), &bytes);
        }
    }

    /// U2: gives a process slot back.
    pub fn release(&mut self, slot: u64) -> &mut Self {
        let place = Place::Process(slot);
        let incarnation = SlotOwner(self.get(place, "process_owner")).incarnation();
        let free = SlotOwner::new(incarnation, SlotState::Free);
        self.set(place, "process_owner", free.0)
    }

    /// Takes a lane: as its first owner, or from the owner before.
    pub fn take(&mut self, lane: u64, tag: OwnerTag) -> &mut Self {
        self.take_until(lane, tag, Adoption::A6)
    }

    /// Takes a lane and stops after a step.
    pub fn take_until(&mut self, lane: u64, tag: OwnerTag, until: Adoption) -> &mut Self {
        let place = Place::Lane(lane);
        let front = self.geometry.lane_front_length();
        self.set(place, "lane_owner", tag.0);
        if until >= Adoption::A2 && self.get(place, "lane_committed") < front {
            self.commit(front);
            self.set(place, "lane_committed", front);
        }
        if until < Adoption::A3 {
            return self;
        }
        let last = self.add(place, "lane_incarnation", 1);
        if last > 0 && until >= Adoption::A4 {
            self.mend_positions(lane);
            self.mend_counts(lane);
        }
        if until < Adoption::A5Partly {
            return self;
        }
        if last == 0 {
            // Nobody was there before: the baseline is zero, and only its owner is noted.
            if until >= Adoption::A5 {
                self.set(place, "lane_baseline_owner", tag.0);
            }
            return self;
        }
        let is_own = self.get(place, "lane_baseline_owner") == tag.0
            && (last == 1 || self.get(place, "lane_baseline_word") == last);
        if !is_own {
            self.store_baseline(lane);
            if until >= Adoption::A5 {
                self.set(place, "lane_baseline_owner", tag.0);
            }
        }
        if until >= Adoption::A6 {
            self.set(place, "lane_baseline_word", last + 1);
        }
        self
    }

    /// Gives a lane back.
    pub fn give_back(&mut self, lane: u64) -> &mut Self {
        self.set(Place::Lane(lane), "lane_owner", OwnerTag::RELEASED.0)
    }

    /// A4.
    fn mend_counts(&mut self, lane: u64) {
        for series in self.committed_blocks(lane) {
            let landed = (0..series.shape.buckets)
                .map(|bucket| self.word(self.bucket_offset(&series, lane, bucket)))
                .fold(0, u64::wrapping_add);
            self.set(Place::Block(self.block_offset(&series, lane)), "count", landed);
        }
    }

    /// A4, of events: one that landed, and was not counted before its writer died.
    fn mend_positions(&mut self, lane: u64) {
        for (series, shape) in self.committed_rings(lane) {
            let place = Place::Events(self.block_offset(&series, lane));
            let next = self.get(place, "event_position");
            let record = self.event_offset(&series, &shape, lane, next);
            if self.get(Place::Event(record), "event_sequence") == 2 * next + 2 {
                self.set(place, "event_position", next + 1);
            }
        }
    }

    /// A5, without whose it is.
    fn store_baseline(&mut self, lane: u64) {
        let place = Place::Lane(lane);
        let placed = self.get(Place::Header, "counter_placement") & ((1 << 40) - 1);
        let known = self.get(place, "lane_baseline_counters");
        if placed > known {
            self.commit(8 * (placed - known));
        }
        let start = self.geometry.lane_offset(lane);
        for index in 0..placed {
            let counter = self.word(start + self.geometry.lane_counters_offset + 8 * index);
            self.set_word(start + self.geometry.lane_baseline_offset + 8 * index, counter);
        }
        self.raise(place, "lane_baseline_counters", placed);
        for series in self.committed_blocks(lane) {
            let block = Place::Block(self.block_offset(&series, lane));
            let count = self.get(block, "count");
            let sum = self.get(block, if count.is_multiple_of(2) { "sum" } else { "sum_odd" });
            self.set(block, "baseline_count", count)
                .set(block, "baseline_sum", sum);
        }
        for (series, _) in self.committed_rings(lane) {
            let place = Place::Events(self.block_offset(&series, lane));
            let position = self.get(place, "event_position");
            self.set(place, "event_baseline", position);
        }
        let mut samples = self.placed();
        samples.retain(|series| series.kind == Kind::Samples && self.is_block_committed(series, lane));
        for series in samples {
            let block = Place::Samples(self.block_offset(&series, lane));
            let ended = self.get(block, "samples_ended");
            self.set(block, "samples_baseline", ended);
        }
        for group in self.committed_groups(lane) {
            self.store_group_baseline(&group, lane);
        }
    }

    fn committed_groups(&self, lane: u64) -> Vec<Series> {
        let mut groups = self.placed();
        groups.retain(|series| series.kind == Kind::Group && self.is_block_committed(series, lane));
        groups
    }

    fn committed_blocks(&self, lane: u64) -> Vec<Series> {
        let mut series = self.placed();
        series.retain(|series| series.kind.is_histogram() && self.is_block_committed(series, lane));
        series
    }

    fn committed_rings(&self, lane: u64) -> Vec<(Series, EventsShape)> {
        let mut rings = Vec::new();
        for series in self.placed() {
            if series.kind == Kind::Events && self.is_block_committed(&series, lane) {
                let shape = EventsShape::unpack(self.get(Place::Record(series.number), "buckets"));
                rings.extend(shape.map(|shape| (series, shape)));
            }
        }
        rings
    }

    /// Every placed series, as its record says; without its buckets.
    fn placed(&self) -> Vec<Series> {
        let numbers = 1..=self.get(Place::Header, "reserved").min(self.geometry.records);
        let series = numbers.filter_map(|number| {
            let place = Place::Record(number);
            let (shape, cell) = (self.get(place, "shape"), self.get(place, "cell"));
            let kind = Kind::from_code((shape >> 8) as u8)?;
            if shape as u8 != TYPE_SERIES || cell == 0 {
                return None;
            }
            let word = self.get(place, "buckets");
            let octaves = i32::from((word >> 32) as u16 as i16) - i32::from((word >> 16) as u16 as i16);
            let buckets = match kind {
                Kind::HistogramClassic => self.get(place, "extra") as u32 as usize / 8 + 1,
                kind if kind.is_histogram() => ((octaves as usize) << (word as u8)) + 2,
                _ => 0,
            };
            Some(Series {
                number,
                family: self.get(place, "unit"),
                kind,
                placement: cell - 1,
                shape: BlockShape::new(buckets, usize::from((shape >> 32) as u8)),
                scheme: match kind {
                    Kind::Samples => SamplesShape::new(word).map_or(Scheme::None, Scheme::Samples),
                    Kind::Group => GroupShape::unpack(word)
                        .map_or(Scheme::None, |shape| Scheme::Group(shape, String::new())),
                    _ => Scheme::None,
                },
                factor: 1.0,
            })
        });
        series.collect()
    }
}
