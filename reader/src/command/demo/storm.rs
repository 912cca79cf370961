//! The storm: starts the workers, kills the victims half-way, replaces them, and reaps everybody.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::observer::Observer;
use super::plan::Plan;
use super::stage::Stage;
use super::tally::Tally;
use crate::exit::{Failure, THREADS, io_failure};
use crate::signals::Stop;
use crate::storm::process::own_program;
use crate::{format, terminal};

/// How often the tally is looked at: much shorter than the work of a worker.
const POLL: Duration = Duration::from_micros(200);
/// How often the line on the terminal is written.
const PROGRESS: Duration = Duration::from_millis(100);
/// Workers that do nothing for so long are stuck.
const STALLED: Duration = Duration::from_secs(60);

/// The running workers. Whatever way this ends, they are killed and reaped.
pub(super) struct Storm<'a> {
    plan: &'a Plan,
    stage: &'a Stage,
    tally: &'a Tally,
    running: Vec<Running>,
    killed: u64,
}

struct Running {
    process: u64,
    child: Child,
}

impl<'a> Storm<'a> {
    pub(super) fn run(
        plan: &'a Plan,
        stage: &'a Stage,
        tally: &'a Tally,
        stop: &Stop,
        observer: &Observer,
    ) -> Result<(), Failure> {
        let mut storm = Storm {
            plan,
            stage,
            tally,
            running: Vec::new(),
            killed: 0,
        };
        for worker in 0..plan.workers {
            storm.start(worker, None)?;
        }
        let mut progress = Progress::new();
        while !storm.running.is_empty() {
            if stop.wait(POLL) {
                return Err(stopped());
            }
            storm.kill_victims()?;
            if let Some(failure) = storm.reap()? {
                // Control-C reaches the workers, too, and perhaps before us.
                let told = stop.wait(Duration::from_millis(100));
                return Err(if told { stopped() } else { failure });
            }
            progress.show(&storm, observer)?;
        }
        progress.finish();
        Ok(())
    }

    fn start(&mut self, process: u64, after: Option<u64>) -> Result<(), Failure> {
        let plan = self.plan;
        let worker = plan.worker_of(process);
        let mut command = Command::new(own_program());
        // For those who look at the list of processes.
        command
            .arg0("shmetrics")
            .arg("demo-worker")
            .arg("--segment")
            .arg(self.stage.path());
        let mut number = |flag: &str, value: u64| {
            command.arg(flag).arg(value.to_string());
        };
        number("--parent", u64::from(std::process::id()));
        number("--worker", worker);
        number("--process", process);
        number("--processes", plan.processes());
        number("--threads", plan.threads);
        number("--increments", plan.increments);
        match after {
            Some(before) => number("--after", before),
            None if plan.victim_of(worker).is_some() => number("--hold-at", plan.hold_at()),
            None => {}
        }
        if plan.record {
            command.arg("--record");
        }
        command.stdin(self.tally.to_stdio()?).stdout(Stdio::null());
        let child = command
            .spawn()
            .map_err(|error| io_failure("start a worker", &error, THREADS))?;
        self.running.push(Running { process, child });
        Ok(())
    }

    /// Kills the victims whose time has come, and starts their replacements.
    fn kill_victims(&mut self) -> Result<(), Failure> {
        let mut index = 0;
        while index < self.running.len() {
            let process = self.running[index].process;
            let victim = if process < self.plan.workers {
                self.plan.victim_of(process)
            } else {
                None
            };
            let is_due = |victim: &usize| self.done_by(process) >= self.plan.victims[*victim].after;
            let Some(victim) = victim.filter(is_due) else {
                index += 1;
                continue;
            };
            let mut running = self.running.swap_remove(index);
            kill(&mut running.child)?;
            self.killed += 1;
            // The tally of the dead stands still now: the replacement goes on from there.
            self.start(self.plan.workers + victim as u64, Some(process))?;
        }
        Ok(())
    }

    fn done_by(&self, process: u64) -> u64 {
        self.tally
            .process(process, self.plan.threads)
            .iter()
            .map(|cell| cell.counts.done())
            .sum()
    }

    fn done(&self) -> u64 {
        self.tally.cells().iter().map(|cell| cell.counts.done()).sum()
    }

    /// Takes note of workers that ended. Returns why one ended that should not have.
    fn reap(&mut self) -> Result<Option<Failure>, Failure> {
        let mut failure = None;
        let mut index = 0;
        while index < self.running.len() {
            let running = &mut self.running[index];
            match running
                .child
                .try_wait()
                .map_err(|error| io_failure("wait for a worker", &error, "please report this"))?
            {
                None => index += 1,
                Some(status) => {
                    let process = running.process;
                    self.running.swap_remove(index);
                    failure = failure.or(self.judge(process, status));
                }
            }
        }
        Ok(failure)
    }

    fn judge(&self, process: u64, status: ExitStatus) -> Option<Failure> {
        let worker = self.plan.worker_of(process);
        (!status.success()).then(|| match status.code() {
            // It has told why.
            Some(2) => Failure::Input(format!("worker {worker} could not work; see the line above")),
            _ => Failure::Check(format!(
                "worker {worker} ended with {status}, and nobody asked it to"
            )),
        })
    }
}

impl Drop for Storm<'_> {
    fn drop(&mut self) {
        for running in &mut self.running {
            let _ = kill(&mut running.child);
        }
    }
}

/// SIGKILL, and reaped.
fn kill(child: &mut Child) -> Result<(), Failure> {
    let failed = |error: std::io::Error| io_failure("kill a worker", &error, "please report this");
    child.kill().map_err(failed)?;
    child.wait().map_err(failed)?;
    Ok(())
}

fn stopped() -> Failure {
    Failure::Check("stopped by a signal before the work was done; nothing was checked".to_owned())
}

/// The line on the terminal, and whether there is any.
struct Progress {
    is_shown: bool,
    shown: Instant,
    done: u64,
    moved: Instant,
}

impl Progress {
    fn new() -> Progress {
        let now = Instant::now();
        Progress {
            is_shown: terminal::stderr_is_terminal(),
            shown: now,
            done: 0,
            moved: now,
        }
    }

    fn show(&mut self, storm: &Storm<'_>, observer: &Observer) -> Result<(), Failure> {
        let now = Instant::now();
        if now - self.shown < PROGRESS {
            return Ok(());
        }
        self.shown = now;
        let done = storm.done();
        if done != self.done {
            (self.done, self.moved) = (done, now);
        } else if now - self.moved > STALLED {
            let running = storm.running.len();
            let message = format!(
                "{running} workers did nothing for {} s; they are stuck",
                STALLED.as_secs()
            );
            return Err(Failure::Check(message));
        }
        if self.is_shown {
            let all = storm.plan.workers * storm.plan.threads * storm.plan.increments;
            terminal::progress(&format!(
                "{:3} %  {} of {} done  {} working  {} killed  {} snapshots",
                done * 100 / all.max(1),
                format::grouped(done),
                format::grouped(all),
                storm.running.len(),
                storm.killed,
                format::grouped(observer.snapshots()),
            ));
        }
        Ok(())
    }

    fn finish(&self) {
        if self.is_shown {
            terminal::progress("");
        }
    }
}
