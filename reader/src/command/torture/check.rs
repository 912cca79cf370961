//! The check: a snapshot against the tally, against the one before, and against what it says of itself.

use shmetrics::protocol::latch::SEAL_INTERVAL;
use shmetrics::snapshot::{Histogram, Quality};
use shmetrics::{Snapshot, Value};

use super::history::History;
use super::measure::{
    ENDED, ERRORS, FIRST_HISTOGRAM, GAINED, MEASURES, NAMES, OTHER_GAUGES, SPENT, STARTED, TOP, Total,
    error_of, is_maximum, name, part, totals, worker_of,
};
use super::tally::Tally;

/// What a total may be, by measure: from what is done to what is begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Between(pub(super) [(u64, u64); MEASURES]);

impl Between {
    /// `done` was taken before the snapshot; what is begun is asked now, after it.
    pub(super) fn new(tally: &Tally, era: usize, done: &[u64; MEASURES]) -> Between {
        let begun = tally.begun(era);
        let mut between = [(0, 0); MEASURES];
        for (measure, place) in between.iter_mut().enumerate() {
            *place = if is_maximum(measure) {
                (done[measure], begun[measure])
            } else {
                (
                    tally.least(era, measure, done[measure]),
                    tally.most(era, measure, begun[measure]),
                )
            };
        }
        Between(between)
    }

    /// A histogram that is recorded into all the time is told as it was up to two seals ago, in each of so many lanes: two,
    /// since one that was due is left out where its writer died. Everything else is as of now.
    pub(super) fn while_recording(mut self, lanes: u64) -> Between {
        for (measure, (least, _)) in self.0.iter_mut().enumerate().take(ERRORS).skip(FIRST_HISTOGRAM) {
            let is_count = (measure - FIRST_HISTOGRAM).is_multiple_of(2);
            *least = if is_count {
                least.saturating_sub(2 * SEAL_INTERVAL * lanes)
            } else {
                0
            };
        }
        self
    }

    /// Σdone ≤ total ≤ Σbegun, give or take what the reader says it may be off.
    pub(super) fn check(&self, snapshot: &Snapshot) -> Result<(), String> {
        let dropped = snapshot.losses.gauge_writes_dropped > 0;
        for (measure, total) in totals(snapshot).into_iter().enumerate() {
            let (mut least, most) = self.0[measure];
            // A process without a slot has no gauges; that is told.
            if measure == TOP && dropped {
                least = 0;
            }
            let Total {
                value,
                error: Some(error),
            } = total
            else {
                continue;
            };
            let (name, off) = (
                name(measure),
                if error > 0 {
                    format!(" ± {error}")
                } else {
                    String::new()
                },
            );
            if value.saturating_add(error) < least {
                let lost = least - value;
                return Err(format!("{name} lost {lost}: {value}{off} told, {least} done"));
            }
            if value.saturating_sub(error) > most {
                let twice = value - most;
                return Err(format!(
                    "{name} has {twice} too many: {value}{off} told, {most} begun"
                ));
            }
        }
        super::statistics::check(snapshot, &self.0)?;
        self.check_gauges(snapshot)
    }

    /// No gauge has a value that nobody ever began to set.
    fn check_gauges(&self, snapshot: &Snapshot) -> Result<(), String> {
        let most = self.0[TOP].1;
        let gauges =
            |series: &&shmetrics::snapshot::Series| OTHER_GAUGES.contains(&&*series.description.name);
        for series in snapshot.series.iter().filter(gauges) {
            let is_set = match &series.value {
                Value::GaugeI64(value) => value.is_none_or(|value| (1..=most as i64).contains(&value)),
                Value::Each(values) => values.iter().all(|value| match value.value {
                    shmetrics::snapshot::Number::F64(value) => value >= 1.0 && value <= most as f64,
                    _ => false,
                }),
                _ => false,
            };
            if !is_set {
                let name = &series.description.name;
                return Err(format!(
                    "{name} has a value that nobody set: {:?}, {most} begun",
                    series.value
                ));
            }
        }
        Ok(())
    }

    /// As narrow as a snapshot makes it that was taken when nobody was alive: the next base.
    pub(super) fn narrowed(&self, snapshot: &Snapshot) -> [(u64, u64); MEASURES] {
        let mut between = self.0;
        for (measure, total) in totals(snapshot).into_iter().enumerate() {
            if let Some(error) = total.error {
                let (least, most) = between[measure];
                let (low, high) = (
                    total.value.saturating_sub(error),
                    total.value.saturating_add(error),
                );
                between[measure] = (least.max(low), most.min(high));
            }
        }
        // Only the difference is told, and only it matters: any two totals with that difference will do.
        if let Some(balance) = super::measure::balance(snapshot) {
            // The greatest that can be, so that neither is below 0.
            let spent = between[SPENT].1;
            between[SPENT] = (spent, spent);
            between[GAINED] = (
                spent.wrapping_add_signed(balance),
                spent.wrapping_add_signed(balance),
            );
        }
        // Nothing is in flight: all that was started is ended.
        between[ENDED] = (between[STARTED].1, between[STARTED].1);
        between
    }
}

/// What a process is told to have counted is part of what it, its worker and that worker's other children have begun.
pub(super) fn check_processes(snapshot: &Snapshot, tally: &Tally, era: usize) -> Result<(), String> {
    for process in &snapshot.processes {
        let worker = worker_of(&process.role);
        let Some((worker, most)) =
            worker.and_then(|worker| Some((worker, tally.most_of_worker(era, worker)?)))
        else {
            continue;
        };
        let mut sums = [0u64; MEASURES];
        for (index, value) in &process.values {
            let Some(series) = snapshot.series.get(*index) else {
                return Err(format!(
                    "a process has a value of series {index}, which is not there"
                ));
            };
            if let Some((measure, value)) = part(&series.description.name, value) {
                sums[measure] = sums[measure].saturating_add(value);
            }
        }
        for (measure, (sum, most)) in sums.into_iter().zip(most).enumerate() {
            if sum > most {
                let (name, slot) = (name(measure), process.slot);
                return Err(format!(
                    "{name}: {sum} of worker {worker} in slot {slot}, which has begun {most}"
                ));
            }
        }
    }
    Ok(())
}

/// What one snapshot says of itself: buckets add up, windows hold no more than there was time for.
pub(super) fn check_histograms(
    snapshot: &Snapshot,
    between: &Between,
    history: &History,
) -> Result<u64, String> {
    let mut bounded = 0;
    for series in &snapshot.series {
        let Value::Histogram(histogram) = &series.value else {
            continue;
        };
        let name = &series.description.name;
        let error = error_of(histogram);
        bounded += u64::from(error > 0);
        let (count, in_buckets) = (histogram.count, histogram.counts.iter().sum::<u64>());
        if count.abs_diff(in_buckets) > error {
            return Err(format!(
                "{name} says {count}, off by at most {error}; its buckets hold {in_buckets}"
            ));
        }
        if error == 0 {
            check_values(histogram).map_err(|what| format!("{name}: {what}"))?;
        }
        if let Some(index) = NAMES.iter().position(|known| known == name) {
            let measure = FIRST_HISTOGRAM + 2 * (index - FIRST_HISTOGRAM);
            let context = Context {
                name,
                measure,
                most: between.0[measure].1,
                history,
            };
            check_windows(histogram, snapshot, &context)?;
        }
    }
    Ok(bounded)
}

/// Every value is the upper bound of its bucket, and sums are exact. Minimum and maximum may be of a record that has not landed.
fn check_values(histogram: &Histogram) -> Result<(), String> {
    let scheme = &histogram.scheme;
    let sum_of = |counts: &[u64]| -> f64 {
        let filled = counts.iter().enumerate().filter(|(_, count)| **count > 0);
        filled
            .map(|(index, count)| scheme.upper_bound(index) * *count as f64)
            .sum()
    };
    let (sum, in_buckets) = (histogram.sum, sum_of(&histogram.counts));
    if sum != in_buckets {
        return Err(format!("the sum is {sum}, that of its buckets {in_buckets}"));
    }
    let first = histogram.counts.iter().position(|count| *count > 0);
    let last = histogram.counts.iter().rposition(|count| *count > 0);
    if let (Some(first), Some(last)) = (first, last) {
        let (least, most) = (scheme.upper_bound(first), scheme.upper_bound(last));
        let (min, max) = (
            histogram.min.unwrap_or(f64::NAN),
            histogram.max.unwrap_or(f64::NAN),
        );
        if !(min <= least && most <= max) {
            return Err(format!(
                "from {min} to {max}, but there are values from {least} to {most}"
            ));
        }
    }
    for window in histogram
        .windows
        .iter()
        .filter(|window| window.quality == Quality::Exact)
    {
        let (sum, in_buckets) = (window.sum, sum_of(&window.counts));
        if sum != in_buckets {
            return Err(format!(
                "the sum of a window is {sum}, that of its buckets {in_buckets}"
            ));
        }
    }
    Ok(())
}

struct Context<'a> {
    name: &'a str,
    measure: usize,
    /// Begun in all.
    most: u64,
    history: &'a History,
}

fn check_windows(histogram: &Histogram, snapshot: &Snapshot, context: &Context<'_>) -> Result<(), String> {
    let Context { name, .. } = context;
    let epoch_ns = snapshot
        .segment
        .as_ref()
        .map_or(1, |facts| facts.geometry.capacities.epoch_length_ns);
    let mut shorter = 0;
    for (index, window) in histogram.windows.iter().enumerate() {
        if window.quality != Quality::Exact {
            continue;
        }
        let count = window.count;
        if count != window.counts.iter().sum::<u64>() {
            return Err(format!(
                "{name}, window {index}: {count} told, its buckets hold something else"
            ));
        }
        // A longer window that ends at the same time has at least as much in it.
        if count < shorter {
            return Err(format!(
                "{name}, window {index}: {count}, but {shorter} in a part of it"
            ));
        }
        shorter = count;
        // The state at the end of an epoch holds all that was done before; noticed late, also more.
        let begins_ns =
            (snapshot.taken_at_monotonic_ns / epoch_ns).saturating_sub(1 + index as u64) * epoch_ns;
        let before = context.history.least_at(begins_ns, context.measure);
        let most = context.most.saturating_sub(before);
        if count > most {
            return Err(format!(
                "{name}, window {index}: {count}, but only {most} were begun in that time"
            ));
        }
    }
    Ok(())
}

/// When nobody was alive for longer than all windows, they are empty.
pub(super) fn check_empty_windows(snapshot: &Snapshot) -> Result<(), String> {
    for series in &snapshot.series {
        if let Value::Histogram(histogram) = &series.value
            && let Some(window) = histogram.windows.iter().find(|window| window.count > 0)
        {
            let name = &series.description.name;
            let (count, seconds) = (window.count, window.seconds);
            return Err(format!(
                "{name}: {count} in the last {seconds} s, in which nobody was alive"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_must_lie_between_done_and_begun() {
        let mut between = Between([(0, 0); MEASURES]);
        let nothing = Snapshot::default();
        assert_eq!(between.check(&nothing), Ok(()));
        between.0[0] = (3, 4);
        assert!(between.check(&nothing).unwrap_err().contains("lost 3"));
        between.0[0] = (0, 4);
        assert_eq!(between.check(&nothing), Ok(()));
        assert_eq!(between.narrowed(&nothing)[0], (0, 0));
    }
}
