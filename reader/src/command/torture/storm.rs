//! The storm: lets happen to its processes (`crew`) what the schedule says, and brings everybody to an end for the quiet moments in
//! which all can be checked.

use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::crew::{self, Crew, STUCK};
use super::kind::{Kind, Kinds};
use super::plan::{Capacity, Event, Schedule};
use super::quiet;
use super::stage::{self, Stage};
use super::tally::{MAX_ERAS, Tally};
use crate::cli::Torture;
use crate::exit::{Failure, THREADS, io_failure};
use crate::signals::Stop;
use crate::storm::process::own_program;
use crate::storm::random::Random;

/// Between two quiet moments.
const ROUND: Duration = Duration::from_secs(3);
/// How long one waits for somebody who was told to end.
const POLL: Duration = Duration::from_millis(1);
/// Violations that processes tell and that are kept in words: at full rate each snapshot may be one.
const MOST_TOLD: usize = 100;

/// How a quiet moment came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quiet {
    Checked,
    /// It never came.
    Stuck,
}

pub(super) struct Storm<'a> {
    pub(super) flags: &'a Torture,
    pub(super) kinds: Kinds,
    pub(super) seed: u64,
    pub(super) stage: &'a Stage,
    pub(super) tally: &'a Tally,
    crew: Crew<'a>,
    told: u64,
    capacity: Capacity,
    random: Random,
    /// The event that is at work.
    pub(super) event: u64,
    /// Eras whose files have a second name.
    pub(super) eras: usize,
    pub(super) violations: Vec<String>,
    pub(super) more_violations: u64,
}

impl<'a> Storm<'a> {
    pub(super) fn new(
        flags: &'a Torture,
        kinds: Kinds,
        seed: u64,
        stage: &'a Stage,
        tally: &'a Tally,
    ) -> Result<Storm<'a>, Failure> {
        let crew = Crew::new(flags, kinds, seed, stage, tally)?;
        let mut storm = Storm {
            flags,
            kinds,
            seed,
            stage,
            tally,
            crew,
            told: 0,
            capacity: Capacity::draw(Kinds::from_bits(0), flags.budget, &mut Random::new(seed)).0,
            random: Random::new(!seed),
            event: 0,
            eras: 0,
            violations: Vec::new(),
            more_violations: 0,
        };
        storm.draw_capacity();
        Ok(storm)
    }

    /// One thing after the other, until `is_over`; then everything is checked once more.
    pub(super) fn run(
        &mut self,
        stop: &Stop,
        mut is_over: impl FnMut(&Storm<'_>) -> bool,
    ) -> Result<(), Failure> {
        let mut schedule = Schedule::new(self.seed, self.kinds);
        let mut round = Instant::now();
        loop {
            self.crew.fill(self.capacity)?;
            let event = schedule.next();
            self.event = event.number;
            if stop.wait(event.pause) || is_over(self) {
                break;
            }
            self.happen(&event)?;
            self.crew.go_on_after(Instant::now());
            self.reap()?;
            self.adopt_eras();
            self.listen();
            if round.elapsed() > ROUND {
                if self.quieten(false)? == Quiet::Stuck {
                    return Ok(());
                }
                round = Instant::now();
            }
        }
        self.quieten(true).map(drop)
    }

    /// Nobody is alive after this; then everything is checked.
    fn quieten(&mut self, last: bool) -> Result<Quiet, Failure> {
        self.tally.set_over(true);
        let begun = Instant::now();
        self.crew.go_on_after(begun + STUCK);
        while self.reap()? {
            if begun.elapsed() > STUCK {
                let who: Vec<String> = crew::own_children().into_iter().map(crew::describe).collect();
                let (seconds, who) = (STUCK.as_secs(), who.join(", "));
                self.complain(format!("did not come to an end within {seconds} s: {who}"));
                self.crew.kill_all();
                // What the killed were at is unknown, and the next ones would be stuck, too.
                return Ok(Quiet::Stuck);
            }
            std::thread::sleep(POLL);
        }
        self.adopt_eras();
        self.listen();
        quiet::check(self, last);
        self.tally.set_over(false);
        Ok(Quiet::Checked)
    }

    /// Takes note of all who ended. Returns whether anybody is left.
    fn reap(&mut self) -> Result<bool, Failure> {
        let left = self.crew.reap()?;
        for fault in std::mem::take(&mut self.crew.faults) {
            self.complain(fault);
        }
        Ok(left)
    }

    /// Something is wrong, as this process found.
    pub(super) fn complain(&mut self, what: String) {
        self.violations
            .push(format!("seed {}, event {}: {what}", self.seed, self.event));
    }

    /// What the processes of the storm found wrong.
    fn listen(&mut self) {
        let mut bytes = vec![0; 64 << 10];
        loop {
            let length = self.crew.report.read_at(&mut bytes, self.told).unwrap_or(0);
            // Whole lines only.
            let end = bytes[..length].iter().rposition(|byte| *byte == b'\n');
            let Some(whole) = end.map(|end| end + 1) else {
                return;
            };
            self.told += whole as u64;
            for line in String::from_utf8_lossy(&bytes[..whole]).lines() {
                if self.violations.len() < MOST_TOLD {
                    self.complain(line.to_owned());
                } else {
                    self.more_violations += 1;
                }
            }
        }
    }

    fn count(&self, kind: Kind) {
        self.tally.count(kind as usize).fetch_add(1, Relaxed);
    }

    fn draw_capacity(&mut self) {
        let (capacity, shortages) = Capacity::draw(self.kinds, self.flags.budget, &mut self.random);
        self.capacity = capacity;
        shortages.into_iter().for_each(|kind| self.count(kind));
    }

    fn happen(&mut self, event: &Event) -> Result<(), Failure> {
        let Some(kind) = event.kind else {
            return Ok(());
        };
        let crew = &mut self.crew;
        let slot = (event.whom % self.flags.workers) as usize;
        match kind {
            Kind::Kill => crew.signal(slot, Signal::KILL),
            Kind::Abort => crew.signal(slot, Signal::ABORT),
            Kind::Exit => crew.ask_to_leave(slot),
            Kind::Stop => crew.stop(slot, event.stop),
            Kind::Starve => {
                // Epochs pass, and nobody is there to notice.
                (0..self.flags.workers as usize).for_each(|slot| crew.stop(slot, event.stop * 4));
            }
            Kind::Reader => crew.kill_reader(event.whom),
            Kind::Retire => return self.retire(),
            Kind::Race => crew.race(self.capacity)?,
            // Those are the workers' own.
            _ => return Ok(()),
        }
        self.count(kind);
        Ok(())
    }

    /// Retires the segment, if it has begun and there is room for another era.
    fn retire(&mut self) -> Result<(), Failure> {
        self.adopt_eras();
        let path = stage::segment(&self.stage.folder);
        if !path.exists() || self.eras + 1 >= MAX_ERAS || self.inode_of(&path) != self.newest_inode() {
            return Ok(());
        }
        self.draw_capacity();
        let mut command = Command::new(own_program());
        command.arg0("shmetrics").arg("retire").arg(&path);
        command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let ended = command.spawn().and_then(|mut child| child.wait());
        match ended {
            Ok(status) if status.success() => self.count(Kind::Retire),
            Ok(status) => self.complain(format!("`shmetrics retire` ended with {status}")),
            Err(error) => return Err(io_failure("retire the segment", &error, THREADS)),
        }
        Ok(())
    }

    fn inode_of(&self, path: &std::path::Path) -> u64 {
        std::fs::metadata(path).map_or(0, |file| file.ino())
    }

    fn newest_inode(&self) -> u64 {
        self.eras.checked_sub(1).map_or(0, |era| self.tally.inode(era))
    }

    /// Gives the files of new eras a second name, by which they can be read when they have lost the first.
    fn adopt_eras(&mut self) {
        while self.eras < MAX_ERAS && self.tally.inode(self.eras) != 0 {
            let (public, kept) = (
                stage::segment(&self.stage.folder),
                stage::kept(&self.stage.folder, self.eras),
            );
            let linked = std::fs::hard_link(&public, &kept);
            if linked.is_err() || self.inode_of(&kept) != self.tally.inode(self.eras) {
                let era = self.eras;
                self.complain(format!(
                    "the file of era {era} has lost its name, and nobody retired it"
                ));
            }
            self.eras += 1;
        }
    }
}
