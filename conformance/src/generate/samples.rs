//! Samples: recorded in some lanes at times that ascend or are the same, and some left in the middle.

use shmetrics::layout::directory::OwnerTag;
use shmetrics::layout::kind::Kind;

use super::contents::{committed_lanes, quarters};
use super::random::Random;
use crate::fact::Fact;
use crate::image::{CREATED_MONOTONIC_NS, Family, Image, Parameters, SHARED, Sampling};

/// A sample that is there: time, how many of its lane came after it, lane, value.
type Recorded = (u64, u64, u64, f64);

/// Declares up to two series of samples and records in them.
pub(super) fn record(random: &mut Random, image: &mut Image, tags: &[OwnerTag], facts: &mut Vec<Fact>) {
    for index in 0..random.below(3) {
        image.registrant(random.pick(tags));
        let (name, shown) = (format!("samples_{index}"), random.pick(&[1, 2, 5, 20]));
        let series = image.single(&Family::new(&name, Kind::Samples), &Parameters::samples(shown));
        let mut lanes = committed_lanes(image);
        lanes.push(SHARED);
        let (mut all, mut count): (Vec<Recorded>, u64) = (Vec::new(), 0);
        for lane in lanes {
            let number = random.below(2 * shown + 2);
            // What is older than the entries of the shared lane is gone; there are more of them than are shown.
            let mut time_ns = CREATED_MONOTONIC_NS;
            for sample in 0..number {
                time_ns += random.below(3);
                let value = quarters(random);
                image.sample(&series, lane, time_ns, value);
                all.push((time_ns, number - 1 - sample, lane, value));
            }
            count += number;
            if lane != SHARED && random.one_in(3) {
                let until = random.pick(&[Sampling::K1, Sampling::Y2Partly, Sampling::K2]);
                image.sample_until(&series, lane, time_ns, 99.0, until);
            }
        }
        // The newest first; of one time those first that fewer of their lane came after.
        all.sort_by_key(|&(time_ns, back, lane, _)| (std::cmp::Reverse(time_ns), back, lane));
        let mut values: Vec<f64> = all
            .iter()
            .take(shown as usize)
            .map(|(.., value)| *value)
            .collect();
        values.reverse();
        facts.push(Fact::samples(&name, count, &values));
    }
}
