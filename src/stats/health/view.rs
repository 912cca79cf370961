//! What a snapshot says of tasks, averages and constants: plain data, detached, all of one moment.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{PREFIX, names};
use crate::snapshot::{Series, Snapshot, Value};

/// Values of the longer average.
const LONG: usize = 100;
/// Values of the shorter one.
const SHORT: usize = 5;

/// Tasks of all processes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Tasks {
    /// Tasks that are worked on by live processes.
    pub in_flight: u64,
    /// Their ages together.
    pub current_seconds: f64,
    /// The age of the oldest of them; 0 if there is none.
    pub max_current_seconds: f64,
    /// Tasks that were started.
    pub started: u64,
    /// Tasks that were completed.
    pub completed: u64,
    /// Tasks that were started, and are neither completed nor in flight: their processes died, or they were started again.
    pub lost: u64,
    /// Tasks that found no room in the table: they are in none of the figures of tasks in flight.
    pub overflow: u64,
    /// Time spent on completed tasks.
    pub spent_seconds: f64,
    /// The same, and the ages of those in flight.
    pub spent_with_current_seconds: f64,
    /// That for each worker; 0 if no live process has any.
    pub spent_with_current_normalised_seconds: f64,
    /// Workers of live processes.
    pub threads: i64,
}

/// Averages of the last values under a key, of all processes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Average {
    /// The name of the key.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Values ever recorded.
    pub count: u64,
    /// The mean of the last 100, or of as many as there are.
    pub last_100: f64,
    /// The mean of the last 5, or of as many as there are.
    pub last_5: f64,
}

/// What a snapshot says of a service's health.
#[derive(Clone, Copy, Debug)]
pub struct View<'s> {
    pub(super) snapshot: &'s Snapshot,
    prefix: &'s str,
}

impl<'s> View<'s> {
    /// Of the families with the prefix `health`.
    pub fn new(snapshot: &'s Snapshot) -> View<'s> {
        View::with_prefix(snapshot, PREFIX)
    }

    /// Of those with this prefix.
    pub fn with_prefix(snapshot: &'s Snapshot, prefix: &'s str) -> View<'s> {
        View { snapshot, prefix }
    }

    /// Tasks of all processes. Each figure is exact; tasks that start or end while the snapshot is taken may be in one and not yet in
    /// another.
    pub fn tasks(&self) -> Tasks {
        let mut told = Tasks::default();
        for (name, series) in self.series() {
            match (name, &series.value) {
                (names::TASKS, Value::InFlight(tasks)) => {
                    told.in_flight += tasks.number;
                    told.current_seconds += tasks.age_seconds();
                    let oldest = tasks.oldest_seconds().unwrap_or_default();
                    told.max_current_seconds = told.max_current_seconds.max(oldest);
                    told.overflow += tasks.overflow;
                }
                (names::STARTED, Value::CounterU64(started)) => told.started += started,
                (names::DURATIONS, Value::Histogram(durations)) => {
                    told.completed += durations.count;
                    told.spent_seconds += durations.sum;
                }
                (names::THREADS, Value::GaugeI64(Some(threads))) => told.threads += threads,
                _ => {}
            }
        }
        let known = told.completed.saturating_add(told.in_flight);
        told.lost = told.started.saturating_sub(known);
        told.spent_with_current_seconds = told.spent_seconds + told.current_seconds;
        if told.threads > 0 {
            told.spent_with_current_normalised_seconds =
                told.spent_with_current_seconds / told.threads as f64;
        }
        told
    }

    /// The averages of all keys under which values were recorded.
    pub fn averages(&self) -> Vec<Average> {
        let mut told = Vec::new();
        for (name, series) in self.series() {
            let (Some(name), Value::Samples(samples)) = (name.strip_prefix(names::SAMPLES), &series.value)
            else {
                continue;
            };
            let mean = |most| crate::snapshot::Samples::from_values(samples.last(most).to_vec()).mean();
            if let (Some(last_100), Some(last_5)) = (mean(LONG), mean(SHORT)) {
                told.push(Average {
                    name: name.to_owned(),
                    labels: series.description.labels.iter().cloned().collect(),
                    count: samples.count,
                    last_100,
                    last_5,
                });
            }
        }
        told
    }

    /// The constants.
    pub fn info(&self) -> BTreeMap<String, f64> {
        let info = |(name, series): (&str, &Series)| match (name.strip_prefix(names::INFO), &series.value) {
            (Some(name), Value::GaugeF64(Some(value))) => Some((name.to_owned(), *value)),
            _ => None,
        };
        self.series().filter_map(info).collect()
    }

    /// The series with the prefix, and what is behind it in their names.
    fn series(&self) -> impl Iterator<Item = (&'s str, &'s Series)> {
        let prefix = self.prefix;
        self.snapshot.series.iter().filter_map(move |series| {
            let rest = series.description.name.strip_prefix(prefix)?;
            Some((rest.strip_prefix('_')?, series))
        })
    }
}
