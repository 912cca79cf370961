//! Tasks: what is being worked on, and how long it took.

use std::time::Duration;

use super::{Monitor, MonitorError, Waited, wait_until_idle};
use crate::instrument::{InFlight, InFlightToken};
use crate::snapshot::Reader;

/// A task that was started, to be given to [`Monitor::end_task`]. Dropping it ends nothing: the task stays in flight until it is ended by
/// its id, started again, or its process ends.
#[derive(Debug)]
#[must_use = "the task is in flight until it is ended"]
pub struct Task(InFlightToken);

impl Monitor {
    /// Starts a task. An id that is in flight already is started again, now.
    pub fn start_task(&self, id: &str) -> Task {
        self.started.inc();
        Task(self.tasks.start(id))
    }

    /// The task is completed: it is no longer in flight, and the time since its start is recorded. `false`: somebody else has
    /// started it since or ended it by its id, and nothing is recorded.
    pub fn end_task(&self, task: Task) -> bool {
        let started_ns = task.0.started_ns();
        // First the entry: it says whose task it is. Dead in between, the task is lost, as if it had not been completed.
        let is_ours = self.tasks.finish(task.0);
        if is_ours {
            self.record_task(started_ns);
        }
        is_ours
    }

    /// As [`end_task`](Self::end_task), for who has the id only, in whatever process it was started. `false`: no such task is in flight, and
    /// nothing is recorded.
    pub fn end_task_by_id(&self, id: &str) -> bool {
        let started_ns = self.tasks.finish_key(id).and_then(|ended| ended.started_ns);
        if let Some(started_ns) = started_ns {
            self.record_task(started_ns);
        }
        started_ns.is_some()
    }

    fn record_task(&self, started_ns: u64) {
        let took_ns = InFlight::monotonic_ns().saturating_sub(started_ns);
        self.durations.record(Duration::from_nanos(took_ns).as_secs_f64());
    }

    /// Waits until no task is in flight in any process, as [`wait_until_idle`] does it. On a segment that does nothing, nothing is.
    ///
    /// # Errors
    ///
    /// The segment cannot be read: see [`MonitorError`].
    pub fn wait_until_idle(&self, timeout: Duration) -> Result<Waited, MonitorError> {
        let Some(path) = self.segment.path() else {
            return Ok(Waited::Idle);
        };
        let series = format!("{}_{}", self.prefix, super::names::TASKS);
        let mut reader = Reader::open_path(path)?;
        Ok(wait_until_idle(&mut reader, Some(&series), timeout)?)
    }
}
