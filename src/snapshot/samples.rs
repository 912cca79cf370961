//! The last values of a series, and what is computed of them.

use super::merge::Compensated;

/// The last values that were recorded in a series, over all processes: as many as it keeps, or fewer if there were not as many.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Samples {
    /// How many values were ever recorded, of which these are the last.
    pub count: u64,
    /// How many values the series keeps.
    pub keep: u64,
    /// The values, the oldest first.
    pub values: Vec<f64>,
    /// Values that were not finite, and are no samples.
    pub invalid: u64,
    /// Samples that should be shown, and that writers overwrote while they were read. 0 unless this reader was held up.
    pub overtaken: u64,
    /// The values, the least first.
    ascending: Vec<f64>,
}

impl Samples {
    /// Of these values, the oldest first.
    ///
    /// ```
    /// let samples = shmetrics::snapshot::Samples::from_values(vec![3.0, 1.0, 2.0]);
    /// assert_eq!((samples.mean(), samples.nearest_rank(50.0)), (Some(2.0), Some(2.0)));
    /// ```
    pub fn from_values(values: Vec<f64>) -> Samples {
        let mut samples = Samples {
            count: values.len() as u64,
            keep: values.len() as u64,
            values,
            ..Samples::default()
        };
        samples.sort();
        samples
    }

    /// Puts the values in order, after they were changed.
    pub(super) fn sort(&mut self) {
        self.ascending.clear();
        self.ascending.extend_from_slice(&self.values);
        self.ascending.sort_unstable_by(f64::total_cmp);
    }

    /// The values, the least first.
    pub fn ascending(&self) -> &[f64] {
        &self.ascending
    }

    /// The last `most` values, the oldest first.
    pub fn last(&self, most: usize) -> &[f64] {
        &self.values[self.values.len().saturating_sub(most)..]
    }

    /// The mean; `None` if there are no samples.
    pub fn mean(&self) -> Option<f64> {
        mean(&self.ascending)
    }

    /// The percentile by nearest rank: the least value that is not below `percent` (0 to 100) of all. `None` if there are no samples, or
    /// `percent` is out of range.
    pub fn nearest_rank(&self, percent: f64) -> Option<f64> {
        let n = self.ascending.len() as f64;
        self.at(percent, (n * percent / 100.0).ceil() - 1.0)
    }

    /// The percentile by the rule of statvent: the value at `floor(n × percent / 100) − 1`, from 0 and not below it. It is the
    /// nearest rank where that is a whole number, else the value before it.
    pub fn floor_rank(&self, percent: f64) -> Option<f64> {
        let n = self.ascending.len() as f64;
        self.at(percent, (n * percent / 100.0).floor() - 1.0)
    }

    fn at(&self, percent: f64, index: f64) -> Option<f64> {
        if !(0.0..=100.0).contains(&percent) {
            return None;
        }
        // Cut at 0 by the conversion; rounding must not lead beyond the last.
        let last = self.ascending.len().checked_sub(1)?;
        self.ascending.get((index as usize).min(last)).copied()
    }
}

/// The mean of values, whatever their order: the error does not grow with their number.
fn mean(values: &[f64]) -> Option<f64> {
    let mut sum = Compensated::default();
    values.iter().for_each(|value| sum.add(*value));
    (!values.is_empty()).then(|| sum.total() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up_to(n: u32) -> Samples {
        Samples::from_values((1..=n).rev().map(f64::from).collect())
    }

    #[test]
    fn percentiles_are_those_that_statvent_has() {
        // Its checked values: median, 95th, 99th, 100th.
        for (n, expected) in [
            (1, [1.0, 1.0, 1.0, 1.0]),
            (2, [1.0, 1.0, 1.0, 2.0]),
            (10, [5.0, 9.0, 9.0, 10.0]),
            (20, [10.0, 19.0, 19.0, 20.0]),
            (100, [50.0, 95.0, 99.0, 100.0]),
        ] {
            let samples = up_to(n);
            let found = [50.0, 95.0, 99.0, 100.0].map(|percent| samples.floor_rank(percent).unwrap());
            assert_eq!(found, expected, "of {n}");
        }
    }

    #[test]
    fn the_nearest_rank_is_the_least_value_that_is_enough() {
        for n in 1..=120u32 {
            let samples = up_to(n);
            for percent in [0.0, 1.0, 50.0, 95.0, 99.0, 99.9, 100.0] {
                let found = samples.nearest_rank(percent).unwrap();
                let share = |value: f64| value * 100.0 / f64::from(n);
                assert!(share(found) >= percent, "{percent} of {n}: {found}");
                assert!(
                    found == 1.0 || share(found - 1.0) < percent,
                    "{percent} of {n}: {found}"
                );
            }
        }
    }

    #[test]
    fn of_nothing_there_is_nothing() {
        let none = Samples::default();
        assert_eq!(
            (none.mean(), none.nearest_rank(50.0), none.floor_rank(50.0)),
            (None, None, None)
        );
        for percent in [-1.0, 100.1, f64::NAN] {
            assert_eq!(
                (up_to(3).nearest_rank(percent), up_to(3).floor_rank(percent)),
                (None, None)
            );
        }
    }

    #[test]
    fn the_mean_does_not_lose_small_values() {
        assert_eq!(
            Samples::from_values(vec![1.0, 1e100, 1.0, -1e100]).mean(),
            Some(0.5)
        );
        assert_eq!(up_to(4).last(2), [2.0, 1.0]);
        assert_eq!(up_to(4).last(9).len(), 4);
    }
}
