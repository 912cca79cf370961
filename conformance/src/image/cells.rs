//! Counters and gauges: SPEC.md 9.4, 9.5, 10.8, 10.9.

use shmetrics::layout::LINE_LENGTH;
use shmetrics::layout::directory::GAUGE_CELL_LENGTH;
use shmetrics::layout::kind::{Kind, Merge};

use super::{Image, Place, SHARED, Series};

/// A number as the word that stands for it: whole numbers in two's complement, floats as their bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word(pub u64);

impl From<u64> for Word {
    fn from(value: u64) -> Self {
        Word(value)
    }
}

impl From<i64> for Word {
    fn from(value: i64) -> Self {
        Word(value as u64)
    }
}

impl From<i32> for Word {
    fn from(value: i32) -> Self {
        Word(i64::from(value) as u64)
    }
}

impl From<f64> for Word {
    fn from(value: f64) -> Self {
        Word(value.to_bits())
    }
}

impl Image {
    /// Where the counter word of a series is in a lane; of a number that of the whole part.
    pub fn counter_offset(&self, series: &Series, lane: u64) -> u64 {
        self.counter_part_offset(series, lane, 0)
    }

    /// Where a counter word of a series is in a lane: of a number 0 is the whole part, and 1 the float part.
    pub fn counter_part_offset(&self, series: &Series, lane: u64, unit: u64) -> u64 {
        let (geometry, placement) = (&self.geometry, series.placement + unit);
        match lane {
            SHARED => geometry.shared_counters_offset + placement * LINE_LENGTH,
            lane => geometry.lane_offset(lane) + geometry.lane_counters_offset + placement * 8,
        }
    }

    /// Adds a float to a number in a lane.
    pub fn count_float(&mut self, series: &Series, lane: u64, by: f64) -> &mut Self {
        let offset = self.counter_part_offset(series, lane, 1);
        let after = f64::from_bits(self.word(offset)) + by;
        // 0 says that no float was added.
        self.set_word(
            offset,
            if after == 0.0 {
                (-0.0f64).to_bits()
            } else {
                after.to_bits()
            },
        )
    }

    /// Adds to a counter in a lane: whole numbers modulo 2^64, floats as floats.
    pub fn count(&mut self, series: &Series, lane: u64, by: impl Into<Word>) -> &mut Self {
        let (offset, Word(by)) = (self.counter_offset(series, lane), by.into());
        let before = self.word(offset);
        let after = match series.kind {
            Kind::CounterF64 => (f64::from_bits(before) + f64::from_bits(by)).to_bits(),
            _ => before.wrapping_add(by),
        };
        self.set_word(offset, after)
    }

    /// Where the gauge cell of a series is in a process slot.
    pub fn gauge_offset(&self, series: &Series, slot: u64) -> u64 {
        self.geometry.slot_offset(slot) + series.placement * GAUGE_CELL_LENGTH
    }

    /// G1 and G2: sets a gauge. A `last` gauge gets the next stamp, any other 1.
    pub fn set_gauge(&mut self, series: &Series, slot: u64, value: impl Into<Word>) -> &mut Self {
        let stamp = match self.merge_of(series.family) {
            Some(Merge::Last) => self.add(Place::Header, "stamp", 1) + 1,
            _ => 1,
        };
        self.set_value(series, slot, value);
        let cell = Place::Gauge(self.gauge_offset(series, slot));
        self.raise(cell, "gauge_stamp", stamp)
    }

    /// G1 alone: the value without its stamp.
    pub fn set_value(&mut self, series: &Series, slot: u64, value: impl Into<Word>) -> &mut Self {
        let cell = Place::Gauge(self.gauge_offset(series, slot));
        self.set(cell, "gauge_value", value.into().0)
    }
}
