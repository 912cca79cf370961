//! Who works, how much, and who is killed when.

use crate::cli::Demo;
use crate::exit::Failure;
use crate::storm::random::{Random, any_seed};

/// Killed unless asked otherwise.
const DEFAULT_KILLS: u64 = 2;

/// What is going to happen. Process `p` below `workers` is worker `p`; process `workers + k` replaces victim `k`.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) workers: u64,
    pub(super) threads: u64,
    pub(super) increments: u64,
    pub(super) record: bool,
    pub(super) victims: Vec<Victim>,
    pub(super) seed: u64,
}

/// A worker that is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Victim {
    pub(super) worker: u64,
    /// Its first process is killed when its threads have done so much together.
    pub(super) after: u64,
}

impl Plan {
    pub(super) fn new(flags: &Demo) -> Result<Plan, Failure> {
        let kills = flags.kill.unwrap_or(DEFAULT_KILLS.min(flags.workers));
        if kills > flags.workers {
            let workers = flags.workers;
            let message = format!(
                "--kill {kills} is more than --workers {workers}; each worker is killed at most once"
            );
            return Err(Failure::Input(message));
        }
        let seed = flags.seed.unwrap_or_else(any_seed);
        let mut plan = Plan {
            workers: flags.workers,
            threads: flags.threads,
            increments: flags.increments,
            record: flags.record,
            victims: Vec::new(),
            seed,
        };
        plan.victims = plan.choose_victims(kills, &mut Random::new(seed));
        Ok(plan)
    }

    fn choose_victims(&self, kills: u64, random: &mut Random) -> Vec<Victim> {
        let mut workers: Vec<u64> = (0..self.workers).collect();
        let mut victims = Vec::new();
        for _ in 0..kills {
            let worker = workers.swap_remove((random.next() % workers.len() as u64) as usize);
            // Half-way, give or take a tenth.
            let percent = 40 + random.next() % 21;
            let all = u128::from(self.threads) * u128::from(self.increments);
            let after = (all * u128::from(percent) / 100) as u64;
            victims.push(Victim {
                worker,
                after: after.min(self.threads * self.hold_at()),
            });
        }
        victims
    }

    /// Where each thread of a victim waits, if it is not killed before: the killer may come late on a busy machine.
    pub(super) fn hold_at(&self) -> u64 {
        self.increments - self.increments.div_ceil(10)
    }

    /// Processes in all.
    pub(super) fn processes(&self) -> u64 {
        self.workers + self.victims.len() as u64
    }

    /// Threads in all.
    pub(super) fn cells(&self) -> u64 {
        self.processes() * self.threads
    }

    /// Whose work a process does.
    pub(super) fn worker_of(&self, process: u64) -> u64 {
        match process.checked_sub(self.workers) {
            None => process,
            Some(victim) => self.victims[victim as usize].worker,
        }
    }

    /// The victim that is the first process of this worker, by its number.
    pub(super) fn victim_of(&self, worker: u64) -> Option<usize> {
        self.victims.iter().position(|victim| victim.worker == worker)
    }
}

#[cfg(test)]
pub(super) fn for_tests(workers: u64, threads: u64, increments: u64, kills: u64, record: bool) -> Plan {
    let mut plan = Plan {
        workers,
        threads,
        increments,
        record,
        victims: Vec::new(),
        seed: 1,
    };
    plan.victims = plan.choose_victims(kills, &mut Random::new(1));
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_victim_can_be_reached_and_is_one_of_the_workers() {
        for increments in [1, 2, 9, 10, 11, 1000] {
            for seed in 0..50 {
                let mut plan = for_tests(5, 3, increments, 0, false);
                plan.victims = plan.choose_victims(5, &mut Random::new(seed));
                let mut workers: Vec<u64> = plan.victims.iter().map(|victim| victim.worker).collect();
                workers.sort_unstable();
                assert_eq!(workers, [0, 1, 2, 3, 4]);
                assert!(plan.hold_at() < increments);
                // Threads that all wait have done enough for the kill.
                assert!(
                    plan.victims
                        .iter()
                        .all(|victim| victim.after <= plan.threads * plan.hold_at())
                );
                for (number, victim) in plan.victims.iter().enumerate() {
                    assert_eq!(plan.worker_of(plan.workers + number as u64), victim.worker);
                    assert_eq!(plan.victim_of(victim.worker), Some(number));
                }
            }
        }
    }
}
