//! The check: what the segment says against what the workers noted themselves.

use std::sync::atomic::Ordering::Relaxed;

use shmetrics::{Snapshot, Value};

use super::plan::Plan;
use super::tally::{Cell, Notes, Tally};
use super::{COUNTER, HISTOGRAM, WORKER_LABEL};

/// What was in the segment before, if it is not the demo's own.
#[derive(Clone, Debug)]
pub(super) struct Expectation {
    counters: Vec<u64>,
    count: u64,
    sum: f64,
}

/// What was found, if all is well.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Checked {
    /// Operations done, by the tally.
    pub(super) done: u64,
    /// Operations counted, by the segment.
    pub(super) counted: u64,
    /// Threads that were killed between begun and done of a count.
    pub(super) in_flight: u64,
    /// Processor time of an operation.
    pub(super) nanoseconds: f64,
}

/// Counters of the demo by worker; 0 if there is none yet.
pub(super) fn totals(snapshot: &Snapshot, workers: usize) -> Vec<u64> {
    let mut totals = vec![0; workers];
    for series in snapshot
        .series
        .iter()
        .filter(|series| series.description.name == COUNTER)
    {
        if let ([(label, worker)], Value::CounterU64(value)) = (&*series.description.labels, &series.value)
            && label == WORKER_LABEL
            && let Some(total) = worker
                .parse()
                .ok()
                .and_then(|worker: usize| totals.get_mut(worker))
        {
            *total = *value;
        }
    }
    totals
}

fn histogram(snapshot: &Snapshot) -> Option<(u64, f64, u64)> {
    match &snapshot.find(HISTOGRAM, &[])?.value {
        Value::Histogram(histogram) => Some((histogram.count, histogram.sum, histogram.counts.iter().sum())),
        _ => None,
    }
}

fn by_worker(plan: &Plan, tally: &Tally, of: impl Fn(&Cell) -> u64) -> Vec<u64> {
    let mut sums = vec![0; plan.workers as usize];
    for process in 0..plan.processes() {
        sums[plan.worker_of(process) as usize] +=
            tally.process(process, plan.threads).iter().map(&of).sum::<u64>();
    }
    sums
}

/// Counts done, by worker.
pub(super) fn done(plan: &Plan, tally: &Tally) -> Vec<u64> {
    by_worker(plan, tally, |cell| cell.counts.done())
}

/// Counts begun, by worker.
pub(super) fn begun(plan: &Plan, tally: &Tally) -> Vec<u64> {
    by_worker(plan, tally, |cell| cell.counts.begun())
}

impl Expectation {
    pub(super) fn new(plan: &Plan, before: &Snapshot) -> Expectation {
        let (count, sum, _) = histogram(before).unwrap_or_default();
        Expectation {
            counters: totals(before, plan.workers as usize),
            count,
            sum,
        }
    }

    /// What was counted since, by worker.
    pub(super) fn since<'a>(&'a self, totals: &'a [u64]) -> impl Iterator<Item = u64> + 'a {
        totals
            .iter()
            .zip(&self.counters)
            .map(|(now, before)| now.wrapping_sub(*before))
    }

    /// Compares the segment with the tally when all workers have ended.
    pub(super) fn check(&self, plan: &Plan, tally: &Tally, snapshot: &Snapshot) -> Result<Checked, String> {
        let mut checked = Checked::default();
        let (done, begun) = (done(plan, tally), begun(plan, tally));
        let counted = totals(snapshot, done.len());
        for (worker, total) in self.since(&counted).enumerate() {
            let (done, begun) = (done[worker], begun[worker]);
            let killed = if plan.victim_of(worker as u64).is_some() {
                plan.threads
            } else {
                0
            };
            between(
                &format!("{COUNTER}{{{WORKER_LABEL}=\"{worker}\"}}"),
                done,
                total,
                begun,
                killed,
            )?;
            let wanted = plan.threads * plan.increments;
            if done != wanted {
                return Err(format!("worker {worker} did {done} of {wanted} increments"));
            }
            checked.done += done;
            checked.counted += total;
            checked.in_flight += begun - done;
        }
        if plan.record {
            self.check_histogram(plan, tally, snapshot)?;
        }
        checked.nanoseconds = nanoseconds(tally);
        Ok(checked)
    }

    fn check_histogram(&self, plan: &Plan, tally: &Tally, snapshot: &Snapshot) -> Result<(), String> {
        let Some((count, sum, in_buckets)) = histogram(snapshot) else {
            return Err(format!("{HISTOGRAM} is not in the segment"));
        };
        if count != in_buckets {
            return Err(format!("{HISTOGRAM} says {count}, its buckets hold {in_buckets}"));
        }
        let sums = |of: fn(&Notes) -> u64, which: fn(&Cell) -> &Notes| {
            tally
                .cells()
                .iter()
                .map(|cell| u128::from(of(which(cell))))
                .sum::<u128>()
        };
        let records = |of| sums(of, |cell| &cell.records) as u64;
        let killed = plan.victims.len() as u64 * plan.threads;
        let done = records(Notes::done);
        between(
            HISTOGRAM,
            done,
            count.wrapping_sub(self.count),
            records(Notes::begun),
            killed,
        )?;
        let wanted = plan.workers * plan.threads * plan.increments;
        if done != wanted {
            return Err(format!("{done} of {wanted} records were made"));
        }

        let seconds = |of| sums(of, |cell| &cell.sums) as f64 * 1e-9;
        let (least, most) = (seconds(Notes::done) + self.sum, seconds(Notes::begun) + self.sum);
        // The sums are exact; turning them into seconds rounds.
        let rounding = 1e-12 * most;
        if sum < least - rounding || sum > most + rounding {
            return Err(format!(
                "{HISTOGRAM} has the sum {sum}, but at least {least} was recorded and at most {most} begun"
            ));
        }
        Ok(())
    }
}

/// Σdone ≤ total ≤ Σbegun, and at most one operation in flight per killed thread.
fn between(name: &str, done: u64, total: u64, begun: u64, killed: u64) -> Result<(), String> {
    if total < done {
        return Err(format!(
            "{name} lost {}: {total} counted, {done} done",
            done - total
        ));
    }
    if total > begun {
        return Err(format!(
            "{name} counted {} twice: {total} counted, {begun} begun",
            total - begun
        ));
    }
    if begun.saturating_sub(done) > killed {
        let gap = begun - done;
        return Err(format!(
            "{name}: {gap} operations were begun and not done, but only {killed} threads were killed"
        ));
    }
    Ok(())
}

/// Processor time per operation of the threads that finished.
fn nanoseconds(tally: &Tally) -> f64 {
    let sum = |of: fn(&Cell) -> u64| tally.cells().iter().map(of).sum::<u64>();
    sum(|cell| cell.processor_ns.load(Relaxed)) as f64 / sum(|cell| cell.finished.load(Relaxed)).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::super::plan::for_tests;
    use super::*;

    #[test]
    fn bounds() {
        assert_eq!(between("n", 10, 10, 10, 0), Ok(()));
        assert_eq!(between("n", 10, 11, 12, 2), Ok(()));
        assert!(between("n", 10, 9, 10, 0).unwrap_err().contains("lost 1"));
        assert!(
            between("n", 10, 11, 10, 5)
                .unwrap_err()
                .contains("counted 1 twice")
        );
        assert!(
            between("n", 10, 10, 12, 1)
                .unwrap_err()
                .contains("only 1 threads were killed")
        );
    }

    #[test]
    fn a_segment_that_says_nothing_fails() {
        let plan = for_tests(2, 2, 10, 0, true);
        let tally = Tally::create(plan.cells()).unwrap();
        let nothing = Snapshot::default();
        let expectation = Expectation::new(&plan, &nothing);
        let check = || expectation.check(&plan, &tally, &nothing).unwrap_err();
        assert!(check().contains("did 0 of 20"));
        for cell in tally.cells() {
            cell.counts.begin(10);
            cell.counts.end(10);
        }
        assert!(check().contains("lost 20"));
        assert_eq!(
            (done(&plan, &tally), begun(&plan, &tally)),
            (vec![20, 20], vec![20, 20])
        );
    }
}
