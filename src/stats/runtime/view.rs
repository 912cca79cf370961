//! What a snapshot says of the runtime: plain data, detached, all of one moment.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{OVERFLOW, WORKER, names};
use crate::snapshot::{Description, Number, PerProcess, Process, Series, Snapshot, Value, rfc3339};

/// Whose numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Scope<'a> {
    /// All processes, dead or alive: exact.
    #[default]
    All,
    /// What was counted under this name ([`super::Options::worker`]), by whichever process, dead or alive: exact.
    Worker(&'a str),
    /// What the present owner of this slot counted in lanes of its own. It lacks what it counted in the shared lane, and is not reset;
    /// the reader must have been asked for it ([`Reader::per_process`](crate::Reader::per_process)).
    Slot(u64),
}

/// Who runs, since when.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ProcessRuntimeSnapshot {
    /// When it began, or when its metrics were reset; ISO 8601, UTC, microseconds.
    pub started_at: String,
    /// Seconds since then, three decimals; `None` of the dead.
    pub uptime_seconds: Option<f64>,
    /// Its host; empty if it did not say.
    pub hostname: String,
    /// Its process id, as it sees it.
    pub process_id: u64,
    /// Its role; empty if it gave none.
    pub role: String,
    /// Its slot in the segment.
    pub slot: u64,
    /// Is it alive?
    pub alive: bool,
}

/// Requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RequestMetricsSnapshot {
    /// All of them: the sum of the next.
    pub total_requests: u64,
    /// By path; those beyond the limit are under [`OVERFLOW`].
    pub requests_by_path: BTreeMap<String, u64>,
}

/// Config deliveries. Each breakdown adds up to its total.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ServedConfigMetricsSnapshot {
    /// Deliveries.
    pub responses_total: u64,
    /// Values that were delivered.
    pub values_total: u64,
    /// Deliveries by endpoint.
    pub responses_by_endpoint: BTreeMap<String, u64>,
    /// Deliveries by target.
    pub responses_by_target: BTreeMap<String, u64>,
    /// Deliveries by caller.
    pub responses_by_caller: BTreeMap<String, u64>,
    /// Values by target; 0 for one to which only empty deliveries went.
    pub values_by_target: BTreeMap<String, u64>,
    /// Values by caller; 0 for one to whom only empty deliveries went.
    pub values_by_caller: BTreeMap<String, u64>,
    /// Values by name.
    pub values_by_name: BTreeMap<String, u64>,
    /// When the latest delivery was, ISO 8601, UTC, microseconds; `None`: never, or not since the last reset.
    pub last_served_at: Option<String>,
}

/// The runtime metrics in a snapshot. All that one view tells is of one moment.
#[derive(Clone, Copy, Debug)]
pub struct View<'s> {
    snapshot: &'s Snapshot,
    prefix: &'s str,
}

impl<'s> View<'s> {
    /// Those with the prefix `runtime`.
    pub fn new(snapshot: &'s Snapshot) -> View<'s> {
        View {
            snapshot,
            prefix: "runtime",
        }
    }

    /// Those with this prefix.
    pub fn with_prefix(snapshot: &'s Snapshot, prefix: &'s str) -> View<'s> {
        View { snapshot, prefix }
    }

    pub(super) fn taken_at(&self) -> String {
        iso(self.snapshot.taken_at_ns)
    }

    /// Who runs, and who did: every slot that was ever taken and who has it, or had it last. `requests` and all else that is told of a
    /// process begins with [`ProcessRuntimeSnapshot::started_at`].
    pub fn processes(&self) -> Vec<ProcessRuntimeSnapshot> {
        self.snapshot
            .processes
            .iter()
            .map(|process| self.process(process))
            .collect()
    }

    fn process(&self, process: &Process) -> ProcessRuntimeSnapshot {
        let snapshot = self.snapshot;
        let begun = self
            .series(names::PROCESS)
            .find_map(|series| match &series.value {
                Value::Each(values) => values
                    .iter()
                    .find(|value| value.slot == process.slot)
                    .map(|value| (series, value.value)),
                _ => None,
            });
        let label = |series: &Series| label_of(&series.description, "hostname").to_owned();
        let hostname = begun.map(|(series, _)| label(series));
        let reset_ns = self.reset_ns(&process.role);
        let by_wall = |since_ns: u64| snapshot.taken_at_ns.saturating_sub(since_ns);
        let age_ns = match begun {
            Some((_, Number::I64(begun_ns))) => {
                snapshot.taken_at_monotonic_ns.saturating_sub(begun_ns as u64)
            }
            _ => by_wall(process.claimed_ns),
        };
        let uptime_ns = match reset_ns {
            Some(reset_ns) => age_ns.min(by_wall(reset_ns)),
            None => age_ns,
        };
        let started_ns = process.claimed_ns.max(reset_ns.unwrap_or(0));
        ProcessRuntimeSnapshot {
            started_at: iso(started_ns),
            uptime_seconds: process.alive.then(|| (uptime_ns as f64 / 1e6).round() / 1e3),
            hostname: hostname.unwrap_or_default(),
            process_id: process.pid,
            role: process.role.to_string(),
            slot: process.slot,
            alive: process.alive,
        }
    }

    /// When what a process of this role counts was reset: as the worker of this name, or, without workers, as a whole.
    fn reset_ns(&self, role: &str) -> Option<u64> {
        let all: Vec<&Series> = self.series(names::LOADS).collect();
        let of_role = all
            .iter()
            .find(|series| label_of(&series.description, WORKER) == role);
        let without = all
            .iter()
            .find(|series| label_of(&series.description, WORKER).is_empty());
        let series = of_role.or(without)?;
        (series.since_ns > series.description.created_ns).then_some(series.since_ns)
    }

    /// Requests, by path.
    pub fn requests(&self, scope: Scope<'_>) -> RequestMetricsSnapshot {
        let mut told = RequestMetricsSnapshot::default();
        self.count(names::REQUESTS, scope, |description, count| {
            told.total_requests += count;
            add(&mut told.requests_by_path, description, "path", count);
        });
        told
    }

    /// Config deliveries, and the values in them.
    pub fn served_config(&self, scope: Scope<'_>) -> ServedConfigMetricsSnapshot {
        let mut told = ServedConfigMetricsSnapshot::default();
        self.count(names::RESPONSES, scope, |description, count| {
            told.responses_total += count;
            add(&mut told.responses_by_endpoint, description, "endpoint", count);
            add(&mut told.responses_by_target, description, "target", count);
            add(&mut told.responses_by_caller, description, "caller", count);
            // Of a delivery without values its target and caller are told, with 0.
            add(&mut told.values_by_target, description, "target", 0);
            add(&mut told.values_by_caller, description, "caller", 0);
        });
        self.count(names::VALUES, scope, |description, count| {
            told.values_total += count;
            add(&mut told.values_by_target, description, "target", count);
            add(&mut told.values_by_caller, description, "caller", count);
            add(&mut told.values_by_name, description, "name", count);
        });
        told.last_served_at = self.latest(names::LAST_SERVED, scope).map(iso);
        told
    }

    /// Loads of the configuration: how many keys the last one had, how many there were, and when the last one was.
    pub fn config(&self, scope: Scope<'_>) -> super::Config {
        let mut config = super::Config::default();
        self.count(names::LOADS, scope, |_, count| config.load_count += count);
        config.last_loaded_at = self.latest(names::LAST_LOADED, scope).map(iso);
        let keys = self.series(names::KEYS).filter(|series| is_of(series, scope));
        // Of a reset only the count and the time are 0; what is loaded stays loaded.
        config.keys_loaded = keys
            .filter_map(|series| match series.value {
                Value::GaugeI64(keys) => keys,
                _ => None,
            })
            .max()
            .and_then(|keys| u64::try_from(keys).ok())
            .unwrap_or(0);
        config
    }

    fn series(&self, name: &'static str) -> impl Iterator<Item = &'s Series> {
        let prefix = self.prefix;
        self.snapshot.series.iter().filter(move |series| {
            let rest = series.description.name.strip_prefix(prefix);
            rest.and_then(|rest| rest.strip_prefix('_')) == Some(name)
        })
    }

    /// Calls `tell` with each series of a counter and its count, those of 0 left out.
    fn count(&self, name: &'static str, scope: Scope<'_>, mut tell: impl FnMut(&Description, u64)) {
        let mut each = |series: &Series, count: u64| {
            if count > 0 {
                tell(&series.description, count);
            }
        };
        if let Scope::Slot(slot) = scope {
            for (series, value) in self.values_of(slot, name) {
                if let PerProcess::Counter(Number::U64(count)) = value {
                    each(series, count);
                }
            }
            return;
        }
        for series in self.series(name).filter(|series| is_of(series, scope)) {
            if let Value::CounterU64(count) = series.value {
                each(series, count);
            }
        }
    }

    fn latest(&self, name: &'static str, scope: Scope<'_>) -> Option<u64> {
        if let Scope::Slot(slot) = scope {
            let times = self.values_of(slot, name).filter_map(|(_, value)| match value {
                PerProcess::TimeMark(time) => Some(time),
                _ => None,
            });
            return times.max();
        }
        self.series(name)
            .filter(|series| is_of(series, scope))
            .filter_map(|series| match series.value {
                Value::TimeMark(time) => time,
                _ => None,
            })
            .max()
    }

    /// What the owner of a slot says of the series of a family.
    fn values_of(&self, slot: u64, name: &'static str) -> impl Iterator<Item = (&'s Series, PerProcess)> {
        let (snapshot, prefix) = (self.snapshot, self.prefix);
        let process = snapshot.processes.iter().find(|process| process.slot == slot);
        let values = process.into_iter().flat_map(|process| &process.values);
        values.filter_map(move |(index, value)| {
            let series = snapshot.series.get(*index)?;
            let rest = series.description.name.strip_prefix(prefix)?;
            (rest.strip_prefix('_') == Some(name)).then_some((series, *value))
        })
    }
}

fn is_of(series: &Series, scope: Scope<'_>) -> bool {
    match scope {
        Scope::Worker(worker) => label_of(&series.description, WORKER) == worker,
        _ => true,
    }
}

/// The value of a label; empty if there is none.
fn label_of<'d>(description: &'d Description, wanted: &str) -> &'d str {
    let pair = description.labels.iter().find(|(name, _)| name == wanted);
    pair.map_or("", |(_, value)| value)
}

fn add(map: &mut BTreeMap<String, u64>, description: &Description, label: &str, count: u64) {
    let key = match description.overflow {
        true => OVERFLOW,
        false => label_of(description, label),
    };
    match map.get_mut(key) {
        Some(sum) => *sum += count,
        None => _ = map.insert(key.to_owned(), count),
    }
}

/// A time as the original writes it: microseconds, and the offset of UTC.
fn iso(ns: u64) -> String {
    let mut text = rfc3339(ns);
    // Nanoseconds and the letter Z.
    text.truncate(text.len() - 4);
    text + "+00:00"
}
