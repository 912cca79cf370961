//! The processes of the storm: started, signalled, reaped, and judged by how they ended.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{MemfdFlags, OFlags, fcntl_setfl, memfd_create};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, set_child_subreaper, wait,
};

use super::kind::Kinds;
use super::plan::Capacity;
use super::stage::Stage;
use super::tally::Tally;
use super::worker;
use crate::cli::{Torture, TortureRole, TortureWorker};
use crate::exit::{Failure, THREADS, io_failure};
use crate::storm::process::own_program;

/// Who has not come to an end by then is stuck.
pub(super) const STUCK: Duration = Duration::from_secs(60);
/// How long one waits for somebody who was told to end.
const POLL: Duration = Duration::from_millis(1);

/// A process that the storm has started.
#[derive(Clone, Copy, Debug)]
struct Started {
    pid: Pid,
    number: u64,
    /// Signals that may end it.
    killed: bool,
    aborted: bool,
}

/// Everybody. Gone with this.
pub(super) struct Crew<'a> {
    flags: &'a Torture,
    kinds: Kinds,
    seed: u64,
    stage: &'a Stage,
    tally: &'a Tally,
    /// Where processes write what they find wrong.
    pub(super) report: File,
    workers: Vec<Option<Started>>,
    readers: Vec<Option<Started>>,
    races: Vec<Started>,
    stopped: Vec<(Pid, Instant)>,
    /// Processes started.
    number: u64,
    /// Ends that nobody asked for.
    pub(super) faults: Vec<String>,
}

impl<'a> Crew<'a> {
    pub(super) fn new(
        flags: &'a Torture,
        kinds: Kinds,
        seed: u64,
        stage: &'a Stage,
        tally: &'a Tally,
    ) -> Result<Crew<'a>, Failure> {
        let failed = |error: Errno| io_failure("prepare the storm", &error.into(), "free memory");
        let report = memfd_create("shmetrics-torture-report", MemfdFlags::CLOEXEC).map_err(failed)?;
        fcntl_setfl(&report, OFlags::APPEND).map_err(failed)?;
        // Children whose worker is gone end here: none is lost sight of.
        set_child_subreaper(Some(getpid())).map_err(failed)?;
        Ok(Crew {
            flags,
            kinds,
            seed,
            stage,
            tally,
            report: report.into(),
            workers: vec![None; flags.workers as usize],
            readers: vec![None; flags.readers as usize],
            races: Vec::new(),
            stopped: Vec::new(),
            number: 0,
            faults: Vec::new(),
        })
    }

    /// Starts whoever is missing.
    pub(super) fn fill(&mut self, capacity: Capacity) -> Result<(), Failure> {
        for slot in 0..self.workers.len() {
            if self.workers[slot].is_none() {
                self.workers[slot] = Some(self.start(TortureRole::Worker, slot as u64, capacity)?);
            }
        }
        for slot in 0..self.readers.len() {
            if self.readers[slot].is_none() {
                self.readers[slot] = Some(self.start(TortureRole::Reader, slot as u64, capacity)?);
            }
        }
        Ok(())
    }

    fn start(&mut self, role: TortureRole, slot: u64, capacity: Capacity) -> Result<Started, Failure> {
        self.number += 1;
        let flags = TortureWorker {
            role,
            folder: self.stage.folder.clone(),
            parent: std::process::id(),
            seed: self.seed,
            number: self.number,
            slot,
            workers: self.flags.workers,
            threads: self.flags.threads,
            kinds: self.kinds.bits(),
            lanes: capacity.lanes,
            slots: capacity.slots,
            budget: capacity.budget,
            operations: None,
            falsify: self.flags.falsify.clone(),
        };
        let mut command = Command::new(own_program());
        worker::arguments(&mut command, &flags, flags.parent);
        let share =
            |error: std::io::Error| io_failure("share the report", &error, "raise the limit of open files");
        let report = self.report.try_clone().map_err(share)?;
        // A group of its own: what is typed at the terminal is for the storm, which brings everybody to an end.
        command
            .process_group(0)
            .stdin(self.tally.to_stdio()?)
            .stdout(Stdio::from(report));
        let child = command
            .spawn()
            .map_err(|error| io_failure("start a worker", &error, THREADS))?;
        Ok(Started {
            pid: Pid::from_child(&child),
            number: self.number,
            killed: false,
            aborted: false,
        })
    }

    /// Starts a race of creators.
    pub(super) fn race(&mut self, capacity: Capacity) -> Result<(), Failure> {
        let race = self.start(TortureRole::Race, 0, capacity)?;
        self.races.push(race);
        Ok(())
    }

    pub(super) fn ask_to_leave(&self, slot: usize) {
        if let Some(started) = self.workers[slot] {
            self.tally.ask_to_leave(slot as u64, started.number);
        }
    }

    pub(super) fn signal(&mut self, slot: usize, signal: Signal) {
        if let Some(started) = &mut self.workers[slot] {
            started.killed |= signal == Signal::KILL;
            started.aborted |= signal == Signal::ABORT;
            let _ = kill_process(started.pid, signal);
            // One that is stopped takes no signal but this.
            if signal != Signal::KILL {
                let _ = kill_process(started.pid, Signal::CONT);
            }
        }
    }

    pub(super) fn stop(&mut self, slot: usize, time: Duration) {
        if let Some(started) = self.workers[slot] {
            let _ = kill_process(started.pid, Signal::STOP);
            self.stopped.push((started.pid, Instant::now() + time));
        }
    }

    /// Whoever was stopped until then goes on.
    pub(super) fn go_on_after(&mut self, now: Instant) {
        let alive: Vec<Pid> = self.workers.iter().flatten().map(|started| started.pid).collect();
        self.stopped.retain(|(pid, until)| {
            if *until <= now && alive.contains(pid) {
                let _ = kill_process(*pid, Signal::CONT);
            }
            *until > now && alive.contains(pid)
        });
    }

    pub(super) fn kill_reader(&mut self, whom: u64) {
        let slot = (whom % self.readers.len().max(1) as u64) as usize;
        if let Some(Some(started)) = self.readers.get_mut(slot) {
            started.killed = true;
            let _ = kill_process(started.pid, Signal::KILL);
        }
    }

    /// Takes note of all who ended. Returns whether anybody is left.
    pub(super) fn reap(&mut self) -> Result<bool, Failure> {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => self.judge(pid, status),
                Ok(None) => return Ok(true),
                Err(Errno::CHILD) => return Ok(false),
                Err(Errno::INTR) => {}
                Err(error) => {
                    return Err(io_failure(
                        "wait for the workers",
                        &error.into(),
                        "please report this",
                    ));
                }
            }
        }
    }

    /// Takes note of one who ended. Nobody ends in a way that was not asked for.
    fn judge(&mut self, pid: Pid, status: WaitStatus) {
        let is_this = |started: &Option<Started>| started.is_some_and(|started| started.pid == pid);
        let (what, started) = if let Some(slot) = self.workers.iter().position(is_this) {
            ("worker", self.workers[slot].take())
        } else if let Some(slot) = self.readers.iter().position(is_this) {
            ("reader", self.readers[slot].take())
        } else if let Some(race) = self.races.iter().position(|started| started.pid == pid) {
            ("race", Some(self.races.swap_remove(race)))
        } else {
            // A child whose worker was killed, and which was killed for that, or ended before.
            ("child", None)
        };
        let signal = status.terminating_signal();
        let is_fine = match (signal, status.exit_status()) {
            (None, code) => code == Some(0),
            (Some(signal), _) => {
                // What a child was told is its worker's to know, which may be gone.
                let may = |asked: fn(&Started) -> bool| started.as_ref().is_none_or(asked);
                signal == Signal::KILL.as_raw() && may(|started| started.killed)
                    || signal == Signal::ABORT.as_raw() && may(|started| started.aborted)
            }
        };
        if !is_fine {
            let number = started.map_or(0, |started| started.number);
            let how = match signal {
                Some(signal) => format!("by signal {signal}, which nobody sent"),
                None => format!("with exit code {}", status.exit_status().unwrap_or_default()),
            };
            self.faults.push(format!("{what} {number} ended {how}"));
        }
    }

    /// Everybody, also those that came to this process when their worker died.
    pub(super) fn kill_all(&mut self) {
        let begun = Instant::now();
        while begun.elapsed() < STUCK {
            for pid in own_children() {
                let _ = kill_process(pid, Signal::KILL);
            }
            match self.reap() {
                Ok(true) => std::thread::sleep(POLL),
                Ok(false) | Err(_) => break,
            }
        }
        self.workers.fill(None);
        self.readers.fill(None);
        self.races.clear();
    }
}

impl Drop for Crew<'_> {
    fn drop(&mut self) {
        self.kill_all();
    }
}

/// All children that this process has now.
pub(super) fn own_children() -> Vec<Pid> {
    let mut children = Vec::new();
    for task in std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten()
    {
        // proc_pid_children(5): reliable for those that are stopped or do not end meanwhile; who calls this calls it again.
        let listed = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        children.extend(
            listed
                .split_ascii_whitespace()
                .filter_map(|pid| Pid::from_raw(pid.parse().ok()?)),
        );
    }
    children
}

/// What a process is doing, for whoever looks into why it is stuck.
pub(super) fn describe(pid: Pid) -> String {
    let number = pid.as_raw_nonzero();
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{number}/{name}")).unwrap_or_default();
    let status = read("status");
    let state = status
        .lines()
        .find_map(|line| line.strip_prefix("State:"))
        .unwrap_or("gone");
    let command = read("cmdline").replace('\0', " ");
    format!("{number} ({command}) {} in {}", state.trim(), read("wchan"))
}
