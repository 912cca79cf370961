//! Processor time, memory, descriptors and threads of live owners, from `/proc`: it costs them nothing.
//!
//! Processor time is summed over all processes that were ever seen, so that the sum does not go down when one ends: what it used
//! after it was last seen is missing.

use std::collections::{BTreeMap, HashMap, HashSet};

use shmetrics::snapshot::{Number, Process};

use super::clock;
use super::families::Family;
use super::segments::Segments;
use super::usage::{Host, Identity, Usage};

/// Processor time per segment, over processes that come and go. In ticks: sums of floats depend on their order, and would go down by a
/// hair now and then.
#[derive(Debug, Default)]
struct Ledger {
    /// Of those that ended.
    ended: u64,
    /// Of those that live, as last seen.
    live: HashMap<Identity, u64>,
    /// When the oldest of those began that were seen first, nanoseconds since 1970; 0 before.
    began_ns: u64,
}

impl Ledger {
    fn total(&self) -> u64 {
        self.ended + self.live.values().sum::<u64>()
    }

    fn note(&mut self, identity: Identity, cpu_ticks: u64) {
        let known = self.live.entry(identity).or_default();
        // Never less than before.
        *known = (*known).max(cpu_ticks);
    }

    /// Asks after processes that own nothing any more: whoever lives may come back.
    fn settle(&mut self, seen: &HashSet<Identity>, host: &Host) {
        let ended = &mut self.ended;
        self.live.retain(|identity, cpu_ticks| {
            if seen.contains(identity) {
                return true;
            }
            match host.stat(*identity) {
                Some(usage) => *cpu_ticks = (*cpu_ticks).max(usage.cpu_ticks),
                None => {
                    *ended += *cpu_ticks;
                    return false;
                }
            }
            true
        });
    }
}

/// Remembers what ended processes used.
#[derive(Debug)]
pub(super) struct Processes {
    host: Host,
    /// By segment name: a successor under the same name goes on with its sum.
    ledgers: BTreeMap<String, Ledger>,
    is_per_process: bool,
}

impl Processes {
    pub(super) fn new(is_per_process: bool) -> Processes {
        Processes {
            host: Host::learn(),
            ledgers: BTreeMap::new(),
            is_per_process,
        }
    }

    /// The families, of all segments that can be read.
    pub(super) fn families(&mut self, segments: &Segments) -> Vec<Family> {
        let mut sums = Sums::default();
        let mut each = Each::default();
        for (segment, snapshot) in segments
            .iter()
            .filter_map(|one| Some((&one.name, one.snapshot()?)))
        {
            let ledger = self.ledgers.entry(segment.clone()).or_default();
            let mut seen = HashSet::new();
            let mut all = Vec::new();
            for process in snapshot.processes.iter().filter(|process| process.alive) {
                let Some(usage) = self.host.usage(process) else {
                    continue;
                };
                let identity = (process.pid, process.start_ticks);
                ledger.note(identity, usage.cpu_ticks);
                // One that has two slots, for whatever reason, is one process.
                if seen.insert(identity) {
                    all.push(usage);
                }
                if self.is_per_process {
                    each.put(segment, process, &usage, self.host.seconds(usage.cpu_ticks));
                }
            }
            ledger.settle(&seen, &self.host);
            if ledger.began_ns == 0 {
                ledger.began_ns = oldest(&all).map_or(0, clock::ns);
            }
            sums.put(segment, &all, self.host.seconds(ledger.total()), ledger.began_ns);
        }
        // A segment that is gone for good takes its sum along; one that is only unreadable is still listed.
        self.ledgers
            .retain(|name, _| segments.iter().any(|one| one.name == *name));
        let mut families = sums.0;
        if self.is_per_process {
            families.extend(each.0);
        }
        families
    }
}

/// Families of sums over all processes of a segment.
struct Sums(Vec<Family>);

impl Default for Sums {
    fn default() -> Self {
        Sums(vec![
            Family::counter(
                "shmetrics_processes_cpu_seconds_total",
                "Processor time of all processes that own a slot or did while this server ran.",
            ),
            Family::gauge(
                "shmetrics_processes_resident_memory_bytes",
                "Resident memory of live processes; shared pages count in each.",
            ),
            Family::gauge(
                "shmetrics_processes_open_fds",
                "Open descriptors of live processes whose descriptors may be seen.",
            ),
            Family::gauge("shmetrics_processes_threads", "Threads of live processes."),
            Family::gauge(
                "shmetrics_processes_observed",
                "Live processes that /proc tells of: the others are in another pid namespace.",
            ),
            Family::gauge(
                "shmetrics_processes_oldest_start_time_seconds",
                "When the oldest live process began, in seconds since 1970.",
            ),
        ])
    }
}

impl Sums {
    fn put(&mut self, segment: &str, all: &[Usage], cpu_seconds: f64, began_ns: u64) {
        let [cpu, resident, descriptors, threads, observed, oldest] = &mut self.0[..] else {
            return;
        };
        let labels = [("segment", segment)];
        cpu.put_since(&labels, Number::F64(cpu_seconds), began_ns);
        let sum = |value: fn(&Usage) -> u64| Number::U64(all.iter().map(value).sum());
        resident.put(&labels, sum(|usage| usage.resident_bytes));
        // Leave out rather than tell 0 where nothing may be seen.
        if all.iter().any(|usage| usage.descriptors.is_some()) {
            descriptors.put(&labels, sum(|usage| usage.descriptors.unwrap_or(0)));
        }
        threads.put(&labels, sum(|usage| usage.threads));
        observed.put(&labels, Number::U64(all.len() as u64));
        if let Some(start) = self::oldest(all) {
            oldest.put(&labels, Number::F64(start));
        }
    }
}

/// When the oldest of these began, seconds since 1970.
fn oldest(all: &[Usage]) -> Option<f64> {
    all.iter().map(|usage| usage.started_seconds).reduce(f64::min)
}

/// Families with one value per process: by slot, which is used again, and role; never by pid, which would be a new series each time.
struct Each(Vec<Family>);

impl Default for Each {
    fn default() -> Self {
        Each(vec![
            Family::counter(
                "shmetrics_process_cpu_seconds_total",
                "Processor time of the process in the slot; begins anew with a new one.",
            ),
            Family::gauge(
                "shmetrics_process_resident_memory_bytes",
                "Resident memory of the process in the slot.",
            ),
            Family::gauge(
                "shmetrics_process_open_fds",
                "Open descriptors of the process in the slot.",
            ),
            Family::gauge("shmetrics_process_threads", "Threads of the process in the slot."),
            Family::gauge(
                "shmetrics_process_start_time_seconds",
                "When the process in the slot began, in seconds since 1970.",
            ),
        ])
    }
}

impl Each {
    fn put(&mut self, segment: &str, process: &Process, usage: &Usage, cpu_seconds: f64) {
        let [cpu, resident, descriptors, threads, start] = &mut self.0[..] else {
            return;
        };
        let slot = process.slot.to_string();
        let labels = [("segment", segment), ("slot", &slot), ("role", &process.role)];
        cpu.put_since(
            &labels,
            Number::F64(cpu_seconds),
            clock::ns(usage.started_seconds),
        );
        resident.put(&labels, Number::U64(usage.resident_bytes));
        if let Some(count) = usage.descriptors {
            descriptors.put(&labels, Number::U64(count));
        }
        threads.put(&labels, Number::U64(usage.threads));
        start.put(&labels, Number::F64(usage.started_seconds));
    }
}

#[cfg(test)]
mod tests {
    use super::super::usage::tests::own_identity;
    use super::*;

    #[test]
    fn the_time_of_who_ended_stays_and_of_who_only_left_is_counted_once() {
        let host = Host::learn();
        let mut ledger = Ledger::default();
        let (gone, far) = ((u64::MAX, 1), 1 << 40);
        ledger.note(gone, 2);
        ledger.note(own_identity(), far);
        ledger.settle(&HashSet::from([gone, own_identity()]), &host);
        assert_eq!((ledger.total(), ledger.ended), (far + 2, 0));
        // Both own nothing any more; one of them lives.
        ledger.settle(&HashSet::new(), &host);
        assert_eq!((ledger.total(), ledger.ended), (far + 2, 2));
        ledger.note(own_identity(), far + 5);
        assert_eq!((ledger.total(), ledger.live.len()), (far + 7, 1));
        // A clock that jumps does not take back what was told.
        ledger.note(own_identity(), 1);
        assert_eq!(ledger.total(), far + 7);
    }
}
