//! Resets: SPEC.md 9.11, 10.19. Totals are added up from the cells, whatever their writers were doing.

use shmetrics::layout::block::BUCKETS;
use shmetrics::layout::kind::Kind;

use super::{Image, Place, SHARED, Series};

/// The last step of a reset that was done (10.19).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resetting {
    /// Half of the baselines are stored, and no time.
    Partly,
    /// The table is filled.
    Z3,
    /// It is in force.
    Z4,
}

impl Image {
    /// Resets these series at this time, which is later than any before.
    pub fn reset(&mut self, chosen: &[&Series], now_ns: u64) -> &mut Self {
        self.reset_until(chosen, now_ns, Resetting::Z4)
    }

    /// Resets these series and stops after a step. In the shared lane no histogram may have a record in flight.
    pub fn reset_until(&mut self, chosen: &[&Series], now_ns: u64, until: Resetting) -> &mut Self {
        let number = self.get(Place::Header, "reset");
        let (from, to) = (number & 1, (number + 1) & 1);
        if number < 2 {
            self.commit(self.geometry.reset_front_length());
        }
        // What is in force is taken over, whole; times of what was never reset are 0.
        let parts = (self.geometry.reset_stride / 8) as usize;
        let source = (self.geometry.reset_table_offset(from) / 8) as usize;
        let kept = match number {
            0 => vec![0; parts],
            _ => self.words[source..source + parts].to_vec(),
        };
        let target = (self.geometry.reset_table_offset(to) / 8) as usize;
        self.words[target..target + parts].copy_from_slice(&kept);
        let stored = match until {
            Resetting::Partly => chosen.len().div_ceil(2),
            _ => chosen.len(),
        };
        for series in &chosen[..stored] {
            match series.kind {
                Kind::CounterU64 | Kind::CounterF64 | Kind::Number => self.store_counter(series, to),
                Kind::TimeMark => {}
                Kind::Group => self.store_group(series, self.lanes_of_reset(), to),
                _ => self.store_histogram(series, to),
            }
            if until > Resetting::Partly {
                self.set_word(self.geometry.reset_since_offset(to, series.number), now_ns);
            }
        }
        if until >= Resetting::Z4 {
            self.set(Place::Header, "reset", number + 1);
        }
        self
    }

    /// Where the baseline of a histogram is in a table.
    pub fn reset_block_offset(&self, series: &Series, table: u64) -> u64 {
        self.geometry.reset_block_offset(table, series.placement)
    }

    /// Where the baseline of a counter is in a table.
    pub fn reset_counter_offset(&self, series: &Series, table: u64) -> u64 {
        self.geometry.reset_counter_offset(table, series.placement)
    }

    /// Where the time of a record's reset is in a table.
    pub fn reset_time_offset(&self, series: &Series, table: u64) -> u64 {
        self.geometry.reset_since_offset(table, series.number)
    }

    fn lanes_of_reset(&self) -> Vec<u64> {
        let lanes = 1..=self.geometry.capacities.lanes;
        let committed = lanes.filter(|lane| self.get(Place::Lane(*lane), "lane_committed") != 0);
        std::iter::once(SHARED).chain(committed).collect()
    }

    fn store_counter(&mut self, series: &Series, table: u64) {
        for unit in 0..series.kind.units() {
            let cells = self.lanes_of_reset().into_iter();
            let cells = cells.map(|lane| self.word(self.counter_part_offset(series, lane, unit)));
            let total = match series.kind {
                Kind::CounterU64 => cells.fold(0, u64::wrapping_add),
                Kind::Number if unit == 0 => cells.fold(0, u64::wrapping_add),
                _ => cells.map(f64::from_bits).sum::<f64>().to_bits(),
            };
            self.set_word(self.reset_counter_offset(series, table) + 8 * unit, total);
        }
    }

    fn store_histogram(&mut self, series: &Series, table: u64) {
        let buckets = series.shape.buckets;
        let (mut whole, mut float, mut invalid) = (0u128, 0.0, 0u64);
        let mut counts = vec![0u64; buckets];
        for lane in self.lanes_of_reset() {
            if lane != SHARED && !self.is_block_committed(series, lane) {
                continue;
            }
            let block = Place::Block(self.block_offset(series, lane));
            let mut landed = 0u64;
            for (bucket, count) in counts.iter_mut().enumerate() {
                let held = self.word(self.bucket_offset(series, lane, bucket));
                *count = count.wrapping_add(held);
                landed = landed.wrapping_add(held);
            }
            let odd = lane != SHARED && !landed.is_multiple_of(2);
            let sum = self.get(block, if odd { "sum_odd" } else { "sum" });
            match series.kind {
                Kind::HistogramInteger => whole += u128::from(sum),
                _ => float += f64::from_bits(sum),
            }
            invalid = invalid.wrapping_add(self.get(block, "invalid"));
        }
        let start = self.reset_block_offset(series, table);
        let place = Place::ResetBlock(start);
        let [low, high] = match series.kind {
            Kind::HistogramInteger => [whole as u64, (whole >> 64) as u64],
            _ => [float.to_bits(), 0],
        };
        let first = counts.iter().position(|count| *count > 0);
        let last = counts.iter().rposition(|count| *count > 0);
        if self.word(self.reset_time_offset(series, table)) == 0 {
            self.commit(series.shape.shared_length());
        }
        self.set(
            place,
            "reset_count",
            counts.iter().copied().fold(0, u64::wrapping_add),
        )
        .set(place, "reset_sum", low)
        .set(place, "reset_sum_high", high)
        .set(
            place,
            "reset_lowest",
            first.map_or(0, |bucket| (buckets - bucket) as u64),
        )
        .set(place, "reset_highest", last.map_or(0, |bucket| bucket as u64 + 1))
        .set(place, "reset_error", 0)
        .set(place, "reset_invalid", invalid);
        for (bucket, count) in counts.iter().enumerate() {
            self.set_word(start + 8 * (BUCKETS + bucket) as u64, *count);
        }
    }
}
