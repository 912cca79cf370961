//! What is counted, set and recorded, and what must come out of it. Floats are multiples of a quarter and small, so that sums have no
//! rounding in whatever order they are added.

use std::collections::BTreeMap;

use shmetrics::layout::directory::{SlotOwner, SlotState};
use shmetrics::layout::kind::{Kind, Merge, Space};
use shmetrics::snapshot::Number;

use super::marks::STATUSES;
use super::random::Random;
use super::series::Declared;
use crate::fact::Fact;
use crate::image::{CREATED_NS, Image, Place, Recording, Rotation, SHARED, Seal, Series, Sharing, Word};

/// A multiple of a quarter, from -16 to 16.
pub(super) fn quarters(random: &mut Random) -> f64 {
    random.below(129) as f64 / 4.0 - 16.0
}

/// Lanes whose front is committed.
pub(super) fn committed_lanes(image: &Image) -> Vec<u64> {
    let lanes = 1..=image.geometry().capacities.lanes;
    lanes
        .filter(|&lane| image.get(Place::Lane(lane), "lane_committed") != 0)
        .collect()
}

/// What is in the counters, and what of it was there when they were reset.
#[derive(Debug)]
pub(super) struct Counters {
    /// As long as all declared series; 0 of those that are no counters.
    whole: Vec<(u64, u64)>,
    float: Vec<(f64, f64)>,
}

impl Counters {
    pub(super) fn new(all: &[Declared]) -> Counters {
        Counters {
            whole: vec![(0, 0); all.len()],
            float: vec![(0.0, 0.0); all.len()],
        }
    }

    /// Counts in all counters.
    pub(super) fn count(&mut self, random: &mut Random, image: &mut Image, all: &[Declared]) {
        let mut lanes = committed_lanes(image);
        lanes.push(SHARED);
        for (index, declared) in all.iter().enumerate() {
            let series = &declared.series;
            let is_whole = series.kind == Kind::CounterU64;
            if !is_whole && series.kind != Kind::CounterF64 {
                continue;
            }
            for &lane in &lanes {
                if random.one_in(3) {
                    continue;
                }
                if is_whole {
                    // Sometimes so much that the sum wraps.
                    let by = random.word() >> random.pick(&[0, 32, 60]);
                    image.count(series, lane, by);
                    self.whole[index].0 = self.whole[index].0.wrapping_add(by);
                } else {
                    let by = quarters(random).abs();
                    image.count(series, lane, by);
                    self.float[index].0 += by;
                }
            }
        }
    }

    /// Chooses some to be reset.
    pub(super) fn reset<'a>(&mut self, random: &mut Random, all: &'a [Declared]) -> Vec<&'a Series> {
        let mut chosen = Vec::new();
        for (index, declared) in all.iter().enumerate() {
            let is_counter = matches!(declared.series.kind, Kind::CounterU64 | Kind::CounterF64);
            if is_counter && random.one_in(2) {
                self.whole[index].1 = self.whole[index].0;
                self.float[index].1 = self.float[index].0;
                chosen.push(&declared.series);
            }
        }
        chosen
    }

    /// The value of each.
    pub(super) fn facts(&self, all: &[Declared]) -> Vec<Fact> {
        let values = all.iter().zip(&self.whole).zip(&self.float);
        let facts = values.filter_map(|((declared, (whole, before)), (float, float_before))| {
            let fact = match declared.series.kind {
                // What wrapped since is not more than before.
                Kind::CounterU64 => Fact::whole(&declared.name, whole.saturating_sub(*before)),
                Kind::CounterF64 => Fact::float(&declared.name, float - float_before),
                _ => return None,
            };
            Some(fact.of(&declared.labels))
        });
        facts.collect()
    }
}

/// Name, labels and family of an output series.
type Key = (u64, Vec<(&'static str, &'static str)>);

#[derive(Clone, Debug, Default)]
struct Total {
    name: String,
    count: u64,
    sum: f64,
    invalid: u64,
    error: u64,
}

/// What is in the histograms. Of classic ones with several bounds only one is declared, so all revisions add up.
#[derive(Debug, Default)]
pub(super) struct Histograms {
    totals: BTreeMap<Key, Total>,
    /// The last epoch of a round of records.
    epoch: u64,
}

impl Histograms {
    /// Records into all histograms, in ascending epochs. In some lanes the last record, rotation or seal is left in the middle: the
    /// next round is for the next owner of the lane only, as it would be.
    pub(super) fn record(&mut self, random: &mut Random, image: &mut Image, all: &[Declared]) {
        let first = self.epoch + 3;
        self.epoch = first + 3;
        for declared in all.iter().filter(|declared| declared.series.kind.is_histogram()) {
            let key = (declared.series.family, declared.labels.clone());
            let mut total = self.totals.remove(&key).unwrap_or_default();
            total.name.clone_from(&declared.name);
            for lane in committed_lanes(image) {
                if random.one_in(3) || left_in_the_middle(image, declared, lane) {
                    continue;
                }
                let mut epoch = first;
                for _ in 0..random.below(8) {
                    epoch = (epoch + random.below(2)).min(self.epoch);
                    let value = total.draw(random, declared, false);
                    image.record_in(&declared.series, lane, epoch, value);
                    if random.one_in(6) {
                        image.seal_until(&declared.series, lane, Seal::L3);
                    }
                }
                leave(random, image, declared, lane, epoch);
            }
            for _ in 0..random.below(4) {
                let value = total.draw(random, declared, false);
                image.record(&declared.series, SHARED, value);
            }
            if random.one_in(5) {
                let until = random.pick(&[Sharing::S1, Sharing::S2, Sharing::S3]);
                let landed = until == Sharing::S3;
                let mut dead = if landed {
                    std::mem::take(&mut total)
                } else {
                    Total::default()
                };
                let value = dead.draw(random, declared, true);
                image.share_until(&declared.series, value, until);
                if landed {
                    total = dead;
                }
                total.error += 1;
            }
            self.totals.insert(key, total);
        }
    }

    /// Chooses some to be reset, all revisions of one together. Not those with a record in flight in the shared lane.
    pub(super) fn reset<'a>(&mut self, random: &mut Random, all: &'a [Declared]) -> Vec<&'a Series> {
        let mut chosen = Vec::new();
        for (key, total) in self.totals.iter_mut().filter(|(_, total)| total.error == 0) {
            if random.one_in(2) {
                (total.count, total.sum, total.invalid) = (0, 0.0, 0);
                let is_one =
                    |declared: &&Declared| (declared.series.family, &declared.labels) == (key.0, &key.1);
                chosen.extend(all.iter().filter(is_one).map(|declared| &declared.series));
            }
        }
        chosen
    }

    /// Records some more, without looking at the epoch.
    pub(super) fn record_more(&mut self, random: &mut Random, image: &mut Image, all: &[Declared]) {
        for declared in all.iter().filter(|declared| declared.series.kind.is_histogram()) {
            let key = (declared.series.family, declared.labels.clone());
            let Some(total) = self.totals.get_mut(&key) else {
                continue;
            };
            let mut lanes = committed_lanes(image);
            lanes.push(SHARED);
            for lane in lanes {
                if random.one_in(2) || lane != SHARED && left_in_the_middle(image, declared, lane) {
                    continue;
                }
                let value = total.draw(random, declared, false);
                image.record(&declared.series, lane, value);
            }
        }
    }

    /// Count, sum, error and invalid values of each.
    pub(super) fn facts(&self) -> Vec<Fact> {
        let facts = self.totals.iter().map(|((_, labels), total)| {
            let fact = Fact::histogram(&total.name, total.count, total.sum).of(labels);
            let fact = fact.invalid(total.invalid);
            if total.error > 0 {
                fact.bounded(total.error)
            } else {
                fact
            }
        });
        facts.collect()
    }
}

impl Total {
    /// A value for a histogram, taken up in the total.
    fn draw(&mut self, random: &mut Random, declared: &Declared, valid: bool) -> Word {
        let series = &declared.series;
        if series.kind == Kind::HistogramInteger {
            let bits = 1 + random.below(12);
            let value = random.below(1 << bits);
            self.count += 1;
            self.sum += value as f64 * series.factor;
            return Word::from(value);
        }
        let value = match random.below(12) {
            0 if !valid => random.pick(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
            1 if series.kind == Kind::HistogramFloat && !valid => -0.25,
            _ if series.kind == Kind::HistogramFloat => quarters(random).abs(),
            _ => quarters(random),
        };
        if !value.is_finite() || (series.kind == Kind::HistogramFloat && value < 0.0) {
            self.invalid += 1;
        } else {
            self.count += 1;
            self.sum += value;
        }
        Word::from(value)
    }
}

/// Is there something unfinished in the block, that only another owner of the lane goes on with?
fn left_in_the_middle(image: &Image, declared: &Declared, lane: u64) -> bool {
    let series = &declared.series;
    if !image.is_block_committed(series, lane) {
        return false;
    }
    let landed: u64 = (0..series.shape.buckets)
        .map(|bucket| image.word(image.bucket_offset(series, lane, bucket)))
        .sum();
    landed != image.get(Place::Block(image.block_offset(series, lane)), "count")
}

/// Sometimes the owner of a lane dies in the middle of what it does next.
fn leave(random: &mut Random, image: &mut Image, declared: &Declared, lane: u64, epoch: u64) {
    let series = &declared.series;
    match random.below(12) {
        0 => {
            let until = random.pick(&[Rotation::Q1, Rotation::Q2, Rotation::Partly, Rotation::Q4]);
            image.rotate_until(series, lane, epoch + 1, until);
        }
        1 if image.is_block_committed(series, lane) => {
            image.seal_until(series, lane, random.pick(&[Seal::L1, Seal::Partly, Seal::L2]));
        }
        2 | 3 => {
            let until = random.pick(&[Recording::W0, Recording::W1, Recording::W2]);
            // An observation of every kind.
            let value = match series.kind {
                Kind::HistogramInteger => Word::from(random.below(1000)),
                _ => Word::from(quarters(random).abs()),
            };
            image.record_until(series, lane, value, until);
        }
        _ => {}
    }
}

/// The process slots as the rules of gauges see them.
#[derive(Debug)]
pub(super) struct Slots {
    active: Vec<bool>,
}

impl Slots {
    pub(super) fn new(image: &Image) -> Slots {
        let slots = 0..image.geometry().capacities.process_slots;
        let state = |slot| SlotOwner(image.get(Place::Process(slot), "process_owner")).state();
        Slots {
            active: slots.map(|slot| state(slot) == SlotState::Active).collect(),
        }
    }

    pub(super) fn is_active(&self, slot: u64) -> bool {
        self.active[slot as usize]
    }

    /// The owner of a slot is gone.
    pub(super) fn leave(&mut self, slot: u64) {
        self.active[slot as usize] = false;
    }

    /// Sets gauges in the slots that somebody has.
    pub(super) fn set(&self, random: &mut Random, image: &mut Image, all: &[Declared]) {
        for declared in all {
            for slot in 0..self.active.len() as u64 {
                if !self.is_active(slot) || random.one_in(3) {
                    continue;
                }
                match declared.series.kind {
                    Kind::GaugeI64 => {
                        let value = random.below(2001) as i64 - 1000;
                        image.set_gauge(&declared.series, slot, value);
                    }
                    Kind::GaugeF64 => {
                        let value = quarters(random);
                        image.set_gauge(&declared.series, slot, value);
                    }
                    Kind::TimeMark => {
                        let time = CREATED_NS + random.below(1000);
                        image.set_gauge(&declared.series, slot, time);
                    }
                    Kind::State => {
                        let state = random.below(STATUSES.len() as u64) << 56 | random.below(8);
                        image.set_gauge(&declared.series, slot, state);
                    }
                    _ => {}
                }
            }
        }
    }

    /// What the gauges must say when no owner lives, and when those of all active slots do.
    pub(super) fn facts(&self, image: &Image, all: &[Declared]) -> (Vec<Fact>, Vec<Fact>) {
        let (mut free, mut held) = (Vec::new(), Vec::new());
        for declared in all {
            if declared.series.kind.space() != Space::Gauges {
                continue;
            }
            // Slot, value, stamp.
            let set: Vec<(u64, u64, u64)> = (0..self.active.len() as u64)
                .map(|slot| {
                    let cell = Place::Gauge(image.gauge_offset(&declared.series, slot));
                    let (value, stamp) = (image.get(cell, "gauge_value"), image.get(cell, "gauge_stamp"));
                    (slot, value, stamp)
                })
                .filter(|(_, _, stamp)| *stamp != 0)
                .collect();
            let kept = declared.merge.outlives_process();
            let alive = set
                .iter()
                .filter(|(slot, ..)| kept || self.is_active(*slot))
                .copied();
            held.push(gauge(declared, &alive.collect::<Vec<_>>()));
            free.push(gauge(declared, if kept { &set } else { &[] }));
        }
        (free, held)
    }
}

/// The fact of a gauge with these cells: slot, value and stamp.
fn gauge(declared: &Declared, cells: &[(u64, u64, u64)]) -> Fact {
    let (name, merge) = (&*declared.name, declared.merge);
    match declared.series.kind {
        Kind::TimeMark => {
            let times = cells.iter().map(|&(_, value, _)| value);
            let time = if merge == Merge::Min {
                times.min()
            } else {
                times.max()
            };
            return Fact::time_mark(name, time).of(&declared.labels);
        }
        Kind::State => {
            let state = |&(slot, value, _): &(u64, u64, u64)| {
                let ((status, unhealthy_from), streak) =
                    (STATUSES[(value >> 56) as usize], value & !(0xff << 56));
                let healthy = unhealthy_from < 0 || streak < unhealthy_from as u64;
                (slot, status, streak, healthy)
            };
            let states: Vec<_> = cells.iter().map(state).collect();
            return Fact::states(name, &states).of(&declared.labels);
        }
        _ => {}
    }
    let is_whole = declared.series.kind == Kind::GaugeI64;
    if merge == Merge::Each {
        let number = |value: u64| match is_whole {
            true => Number::I64(value as i64),
            false => Number::F64(f64::from_bits(value)),
        };
        let values: Vec<_> = cells
            .iter()
            .map(|&(slot, value, _)| (slot, number(value)))
            .collect();
        return Fact::each(name, &values).of(&declared.labels);
    }
    // Values are small: floats stand for the whole numbers exactly.
    let values: Vec<f64> = cells
        .iter()
        .map(|&(_, value, _)| match is_whole {
            true => value as i64 as f64,
            false => f64::from_bits(value),
        })
        .collect();
    let last = (0..cells.len()).max_by_key(|&index| cells[index].2);
    let sum: f64 = values.iter().sum();
    let value = match merge {
        _ if values.is_empty() => None,
        Merge::Min => values.iter().copied().reduce(f64::min),
        Merge::Max => values.iter().copied().reduce(f64::max),
        Merge::Last => last.map(|index| values[index]),
        Merge::Mean => Some(sum / values.len() as f64),
        _ => Some(sum),
    };
    let fact = if is_whole && merge != Merge::Mean {
        Fact::gauge(name, value.map(|value| value as i64))
    } else {
        Fact::gauge_float(name, value)
    };
    fact.of(&declared.labels)
}
