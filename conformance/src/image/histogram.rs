//! Histograms: records, seals, rotations, the shared lane. SPEC.md 9.7, 9.8, 10.10 to 10.14.

use shmetrics::layout::block::{BUCKETS, RING_STATE, STATE_HEADER_WORDS};
use shmetrics::layout::geometry::BLOCK_GRANULE_LENGTH;
use shmetrics::layout::kind::Kind;

use super::{Image, Place, SHARED, Scheme, Series, Word};

/// The last step of a record that was done (10.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recording {
    /// Range, minimum and maximum are widened.
    W0,
    /// The record has begun.
    W1,
    /// The sum of its parity is stored.
    W2,
    /// The record has landed.
    W3,
}

/// The last step of a seal that was done (10.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seal {
    /// The seal has begun.
    L1,
    /// The header of the state is copied, its buckets are not.
    Partly,
    /// The state is copied.
    L2,
    /// The seal has ended.
    L3,
}

/// The last step of a rotation that was done (10.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rotation {
    /// The slot says that a copy begins.
    Q1,
    /// The rotation has its number.
    Q2,
    /// The header of the state is copied, its buckets are not.
    Partly,
    /// The state is copied.
    Q3,
    /// The slot has its label.
    Q4,
    /// The block has its epoch.
    Q5,
}

/// The last step of a record in the shared lane that was done (10.14).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sharing {
    /// The record has begun.
    S1,
    /// Range, minimum and maximum are widened.
    S2,
    /// The sum is stored, the bucket is not.
    Partly,
    /// Sum and bucket are stored.
    S3,
    /// The record has landed.
    S4,
}

/// A value, taken apart.
struct Observation {
    bucket: usize,
    sum: u64,
    key: u64,
}

impl Series {
    /// What recording this value means; `None` if it is no observation (9.8).
    fn observe(&self, Word(word): Word) -> Option<Observation> {
        let value = f64::from_bits(word);
        let (compared, key) = match self.kind {
            Kind::HistogramInteger => (word.min(i64::MAX as u64) as f64 * self.factor, word),
            _ if !value.is_finite() || (self.kind == Kind::HistogramFloat && value < 0.0) => return None,
            _ if word >> 63 == 0 => (value, word | 1 << 63),
            _ => (value, !word),
        };
        // The least bucket whose upper bound is not below the value.
        let bucket = match &self.scheme {
            Scheme::None | Scheme::Events(..) | Scheme::Samples(_) => return None,
            Scheme::Text(_) | Scheme::InFlight(_) => return None,
            Scheme::Group(..) => return None,
            Scheme::Exponential(buckets) => {
                (0..buckets.buckets() - 1).find(|&index| compared <= buckets.upper_bound(index))
            }
            Scheme::Classic(bounds) => bounds.iter().position(|&bound| compared <= bound),
        };
        Some(Observation {
            bucket: bucket.unwrap_or(self.shape.buckets - 1),
            sum: word,
            key,
        })
    }

    fn add_sums(&self, sum: u64, value: u64) -> u64 {
        match self.kind {
            Kind::HistogramInteger => sum.wrapping_add(value),
            _ => (f64::from_bits(sum) + f64::from_bits(value)).to_bits(),
        }
    }
}

impl Image {
    /// Where the block of a series is in a lane, whether it is committed or not.
    pub fn block_offset(&self, series: &Series, lane: u64) -> u64 {
        let geometry = &self.geometry;
        match lane {
            SHARED => geometry.shared_blocks_offset + series.placement,
            lane => geometry.lane_offset(lane) + geometry.lane_blocks_offset + series.placement,
        }
    }

    /// Where a bucket word is.
    pub fn bucket_offset(&self, series: &Series, lane: u64, bucket: usize) -> u64 {
        self.block_offset(series, lane) + 8 * (BUCKETS + bucket) as u64
    }

    /// Where a copy of the latch is: a state.
    pub fn latch_offset(&self, series: &Series, lane: u64, copy: usize) -> u64 {
        self.block_offset(series, lane) + 8 * series.shape.latch(copy) as u64
    }

    /// Where a ring slot is.
    pub fn ring_offset(&self, series: &Series, lane: u64, slot: usize) -> u64 {
        self.block_offset(series, lane) + 8 * series.shape.ring(slot) as u64
    }

    /// Is the block of a series committed in a lane?
    pub fn is_block_committed(&self, series: &Series, lane: u64) -> bool {
        let (word, bit) = self.block_bit(series.placement, lane);
        self.word(word) >> bit & 1 == 1
    }

    pub(super) fn block_bit(&self, placement: u64, lane: u64) -> (u64, u64) {
        let granule = placement / BLOCK_GRANULE_LENGTH;
        (self.geometry.lane_offset(lane) + granule / 64 * 8, granule % 64)
    }

    /// Commits the block of a series in a lane, if it is not.
    pub fn commit_block(&mut self, series: &Series, lane: u64) -> &mut Self {
        if lane != SHARED && !self.is_block_committed(series, lane) {
            let (word, bit) = self.block_bit(series.placement, lane);
            self.commit(series.length());
            self.set_word(word, self.word(word) | 1 << bit);
        }
        self
    }

    /// Takes back that the block of a series is committed in a lane; what stands there stays.
    pub fn uncommit_block(&mut self, series: &Series, lane: u64) -> &mut Self {
        let (word, bit) = self.block_bit(series.placement, lane);
        self.set_word(word, self.word(word) & !(1 << bit))
    }

    /// Records a value: in a lane without looking at the epoch, or in the shared lane.
    pub fn record(&mut self, series: &Series, lane: u64, value: impl Into<Word>) -> &mut Self {
        match lane {
            SHARED => self.share_until(series, value, Sharing::S4),
            lane => self.record_until(series, lane, value, Recording::W3),
        }
    }

    /// Records a value in a lane in an epoch: rotates first, if the epoch is a new one.
    pub fn record_in(&mut self, series: &Series, lane: u64, epoch: u64, value: impl Into<Word>) -> &mut Self {
        if self.get(Place::Block(self.block_offset(series, lane)), "epoch") < epoch {
            self.rotate_until(series, lane, epoch, Rotation::Q5);
        }
        self.record(series, lane, value)
    }

    /// Records a value in a lane and stops after a step.
    pub fn record_until(
        &mut self,
        series: &Series,
        lane: u64,
        value: impl Into<Word>,
        until: Recording,
    ) -> &mut Self {
        self.commit_block(series, lane);
        let block = Place::Block(self.block_offset(series, lane));
        let Some(observation) = series.observe(value.into()) else {
            self.add(block, "invalid", 1);
            return self;
        };
        let number = self.get(block, "count").wrapping_add(1);
        self.widen(series, block, &observation);
        if until >= Recording::W1 {
            self.set(block, "count", number);
        }
        if until >= Recording::W2 {
            let (this, other) = if number.is_multiple_of(2) {
                ("sum", "sum_odd")
            } else {
                ("sum_odd", "sum")
            };
            let sum = series.add_sums(self.get(block, other), observation.sum);
            self.set(block, this, sum);
        }
        if until >= Recording::W3 {
            self.land(series, lane, observation.bucket);
        }
        self
    }

    /// W0, S2.
    fn widen(&mut self, series: &Series, block: Place, observation: &Observation) {
        let buckets = series.shape.buckets;
        self.raise(block, "lowest", (buckets - observation.bucket) as u64);
        self.raise(block, "highest", observation.bucket as u64 + 1);
        // 0 means none, so the greatest key counts as the one below it.
        let key = observation.key.min(u64::MAX - 1);
        self.raise(block, "minimum", !key);
        self.raise(block, "maximum", key + 1);
    }

    fn land(&mut self, series: &Series, lane: u64, bucket: usize) {
        let offset = self.bucket_offset(series, lane, bucket);
        self.set_word(offset, self.word(offset).wrapping_add(1));
    }

    /// Records a value in the shared lane and stops after a step.
    pub fn share_until(&mut self, series: &Series, value: impl Into<Word>, until: Sharing) -> &mut Self {
        let block = Place::Block(self.block_offset(series, SHARED));
        let Some(observation) = series.observe(value.into()) else {
            self.add(block, "invalid", 1);
            return self;
        };
        self.add(block, "count", 1);
        if until >= Sharing::S2 {
            self.widen(series, block, &observation);
        }
        if until >= Sharing::Partly {
            let sum = series.add_sums(self.get(block, "sum"), observation.sum);
            self.set(block, "sum", sum);
        }
        if until >= Sharing::S3 {
            self.land(series, SHARED, observation.bucket);
        }
        if until >= Sharing::S4 {
            // Of the shared lane this word counts the records that landed.
            self.add(block, "sum_odd", 1);
        }
        self
    }

    /// Seals the state of a block and stops after a step.
    pub fn seal_until(&mut self, series: &Series, lane: u64, until: Seal) -> &mut Self {
        let block = Place::Block(self.block_offset(series, lane));
        let version = self.get(block, "latch_version").wrapping_add(1);
        self.set(block, "latch_begin", version);
        let copy = self.latch_offset(series, lane, (version % 2) as usize);
        if until >= Seal::Partly {
            self.copy_state(series, lane, copy, until >= Seal::L2);
        }
        if until >= Seal::L3 {
            self.set(block, "latch_version", version);
        }
        self
    }

    /// Begins an epoch in a block and stops after a step. Without ring slots nothing is done.
    pub fn rotate_until(&mut self, series: &Series, lane: u64, epoch: u64, until: Rotation) -> &mut Self {
        let slots = series.shape.ring_slots as u64;
        if slots == 0 {
            return self;
        }
        self.commit_block(series, lane);
        let block = Place::Block(self.block_offset(series, lane));
        let slot_of = |number: u64| (number.wrapping_sub(1) % slots) as usize;
        let begun = self.get(block, "rotations");
        let last = Place::RingSlot(self.ring_offset(series, lane, slot_of(begun)));
        let unfinished = begun > 0 && self.get(last, "ring_begin") >= self.get(block, "epoch");
        let number = begun.wrapping_add(if unfinished { slots } else { 1 });
        let slot = self.ring_offset(series, lane, slot_of(number));
        self.set(Place::RingSlot(slot), "ring_begin", epoch - 1);
        if until >= Rotation::Q2 {
            self.set(block, "rotations", number);
        }
        if until >= Rotation::Partly {
            self.copy_state(series, lane, slot + 8 * RING_STATE as u64, until >= Rotation::Q3);
        }
        if until >= Rotation::Q4 {
            self.set(Place::RingSlot(slot), "ring_label", epoch - 1);
        }
        if until >= Rotation::Q5 {
            self.set(block, "epoch", epoch);
        }
        self
    }

    fn copy_state(&mut self, series: &Series, lane: u64, to: u64, with_buckets: bool) {
        let (block, state) = (Place::Block(self.block_offset(series, lane)), Place::State(to));
        let count = self.get(block, "count");
        let sum = if count.is_multiple_of(2) { "sum" } else { "sum_odd" };
        let words = [
            ("count", "state_count"),
            (sum, "state_sum"),
            ("lowest", "state_lowest"),
            ("highest", "state_highest"),
            ("minimum", "state_minimum"),
            ("maximum", "state_maximum"),
            ("invalid", "state_invalid"),
        ];
        for (from, into) in words {
            self.set(state, into, self.get(block, from));
        }
        if with_buckets {
            for bucket in 0..series.shape.buckets {
                let held = self.word(self.bucket_offset(series, lane, bucket));
                self.set_word(to + 8 * (STATE_HEADER_WORDS + bucket) as u64, held);
            }
        }
    }
}
