//! Health as a document, with the codes of HTTP and of processes.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Average, Tasks, View};
use crate::snapshot::{Value, rfc3339};

/// How a service fares.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Health {
    /// Is no status of a live process unhealthy?
    pub healthy: bool,
    /// When the snapshot was taken, ISO 8601, UTC.
    pub taken_at: String,
    /// The statuses of all live processes, of whatever state there is in the segment.
    pub statuses: Vec<HealthStatus>,
    /// Tasks.
    pub tasks: Tasks,
    /// Averages of the last values, by key.
    pub averages: Vec<Average>,
    /// The constants of the service.
    pub info: BTreeMap<String, f64>,
    /// Who lives.
    pub processes: Vec<HealthProcess>,
}

/// The status of a process in tasks of one type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HealthStatus {
    /// The series.
    pub series: String,
    /// Its labels: `task_type`.
    pub labels: BTreeMap<String, String>,
    /// The process slot.
    pub slot: u64,
    /// The role of the process; empty if it gave none.
    pub role: String,
    /// The name of its status.
    pub status: String,
    /// How often in a row it had it.
    pub streak: u64,
    /// The streak from which on it is unhealthy; `None`: never.
    pub unhealthy_from: Option<u32>,
    /// Is it healthy?
    pub healthy: bool,
}

/// A process that lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HealthProcess {
    /// Its slot.
    pub slot: u64,
    /// Its role; empty if it gave none.
    pub role: String,
    /// Its process id, as it sees it.
    pub pid: u64,
    /// When it took its slot, ISO 8601, UTC: what the original called `inittime`.
    pub init_time: String,
}

impl View<'_> {
    /// The document. It is healthy unless a live process has a status whose streak has reached its threshold; the next
    /// [`OK`](super::OK) of that process ends it. What the dead had is no longer told: look at [`Health::processes`] for who lives, and
    /// give the reader [`refresh_owners`](crate::Reader::refresh_owners) before.
    pub fn health(&self) -> Health {
        let mut statuses = Vec::new();
        for series in &self.snapshot.series {
            let Value::State(states) = &series.value else {
                continue;
            };
            statuses.extend(states.iter().map(|state| {
                HealthStatus {
                    series: series.description.name.clone(),
                    labels: series.description.labels.iter().cloned().collect(),
                    slot: state.slot,
                    role: state.role.to_string(),
                    status: state.name().into_owned(),
                    streak: state.streak,
                    unhealthy_from: state
                        .statuses
                        .get(usize::from(state.number))
                        .and_then(|status| status.unhealthy_from),
                    healthy: state.is_healthy(),
                }
            }));
        }
        let alive = self.snapshot.processes.iter().filter(|process| process.alive);
        Health {
            healthy: statuses.iter().all(|status| status.healthy),
            taken_at: rfc3339(self.snapshot.taken_at_ns),
            statuses,
            tasks: self.tasks(),
            averages: self.averages(),
            info: self.info(),
            processes: alive
                .map(|process| HealthProcess {
                    slot: process.slot,
                    role: process.role.to_string(),
                    pid: process.pid,
                    init_time: rfc3339(process.claimed_ns),
                })
                .collect(),
        }
    }
}

impl Health {
    /// The status of the HTTP response: 200, or 503 if it is unhealthy.
    pub const fn status_code(&self) -> u16 {
        if self.healthy { 200 } else { 503 }
    }

    /// The exit code of a probe: 0, or 1 if it is unhealthy.
    pub const fn exit_code(&self) -> u8 {
        if self.healthy { 0 } else { 1 }
    }
}
