//! Samples: SPEC.md 9.13, 10.22.

use shmetrics::layout::samples::{SAMPLE_TIME, SAMPLE_VALUE};

use super::{Image, Place, SHARED, Scheme, Series};

/// The last step of a sample that was done (10.22).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sampling {
    /// It began.
    K1,
    /// Its time is stored.
    Y2Partly,
    /// Its time and its value are stored.
    K2,
    /// It ended.
    K3,
}

impl Image {
    /// Records a sample in a lane, or in the shared lane.
    pub fn sample(&mut self, series: &Series, lane: u64, time_ns: u64, value: f64) -> &mut Self {
        self.sample_until(series, lane, time_ns, value, Sampling::K3)
    }

    /// Records a sample and stops after a step. In the shared lane the steps are H1, H3 before H2 in the same order, and H4: what stands
    /// there then is what two writers of one entry leave.
    pub fn sample_until(
        &mut self,
        series: &Series,
        lane: u64,
        time_ns: u64,
        value: f64,
        until: Sampling,
    ) -> &mut Self {
        let Scheme::Samples(shape) = series.scheme else {
            panic!("{series:?} has no samples");
        };
        self.commit_block(series, lane);
        let start = self.block_offset(series, lane);
        let block = Place::Samples(start);
        let number = match lane {
            SHARED => self.get(block, "samples_begun") + 1,
            _ => self.get(block, "samples_ended") + 1,
        };
        self.set(block, "samples_begun", number);
        let entry = start + 8 * shape.entry(number) as u64;
        if until >= Sampling::Y2Partly {
            self.set_word(entry + 8 * SAMPLE_TIME as u64, time_ns);
        }
        if until >= Sampling::K2 {
            self.set_word(entry + 8 * SAMPLE_VALUE as u64, value.to_bits());
        }
        if until >= Sampling::K3 {
            self.add(block, "samples_ended", 1);
        }
        self
    }

    /// Counts a value that is no sample.
    pub fn sample_invalid(&mut self, series: &Series, lane: u64) -> &mut Self {
        self.commit_block(series, lane);
        self.add(
            Place::Samples(self.block_offset(series, lane)),
            "samples_invalid",
            1,
        );
        self
    }
}
