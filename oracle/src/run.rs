//! Runs one operation, stop by stop.

mod names;

use std::collections::HashSet;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

use shmetrics::Reader;
use shmetrics::error::OpenError;
use shmetrics::snapshot::{Clocks, Snapshot};

use crate::judge::{self, Told};
use crate::operation::{self, Kind, Operation, RACER_ADDS};
use crate::tracee::{Step, Tracee};

/// Steps of an operation after which it is given up: it hangs.
const MOST_INSTRUCTIONS: u64 = 20_000_000;

/// What came out.
#[derive(Debug, Default)]
pub struct Outcome {
    pub instructions: u64,
    /// Distinct states of the file, the first and the last included.
    pub states: u64,
    /// Those between the first and the last.
    pub in_flight: u64,
    pub failures: Vec<String>,
}

impl Outcome {
    /// Takes up what another run of the same operation came to.
    pub fn add(&mut self, other: Outcome) {
        self.instructions += other.instructions;
        self.states += other.states;
        self.in_flight += other.in_flight;
        self.failures.extend(other.failures);
    }
}

/// A folder in memory, removed with everything in it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Folder> {
        let base = if Path::new("/dev/shm").is_dir() {
            "/dev/shm".into()
        } else {
            std::env::temp_dir()
        };
        let folder = base.join(format!("shmetrics-oracle-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Folder(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// `history`: the seed of what happened before, if anything.
pub fn run(operation: &Operation, history: Option<u64>) -> io::Result<Outcome> {
    let folder = Folder::new()?;
    let path = folder.0.join("segment");
    let mut outcome = Outcome::default();
    match operation.kind {
        Kind::Races => races(operation, &path, history, &mut outcome)?,
        Kind::Publishes => names::publishes(operation, &mut outcome)?,
        Kind::Replaces => names::replaces(operation, &mut outcome)?,
        Kind::Adopts => {
            // A record has at most so many states: each as the last one of the dead.
            for states in 1..8 {
                let _ = std::fs::remove_file(&path);
                if !die_in("record_wider", states, &path, history)? {
                    break;
                }
                Stepping::new(operation, &path, history)?.through(&mut outcome)?;
            }
        }
        _ => {
            if operation.name == "open" {
                die_in("counter_inc", 1, &path, history)?;
            }
            Stepping::new(operation, &path, history)?.through(&mut outcome)?;
        }
    }
    Ok(outcome)
}

/// Kills another operation when the file has reached its `states`th state after the first. `false`: it was over before.
fn die_in(name: &str, states: usize, path: &Path, history: Option<u64>) -> io::Result<bool> {
    let mut tracee = Tracee::start(name, path, history)?;
    let file = File::open(path)?;
    let (mut last, mut seen) = (judge::data(&file)?, 0);
    loop {
        let step = tracee.step()?;
        let now = judge::data(&file)?;
        seen += usize::from(now != last);
        last = now;
        if seen == states {
            tracee.kill();
            return Ok(true);
        }
        if step == Step::Done {
            return Ok(false);
        }
    }
}

/// One operation, being stepped through.
struct Stepping<'a> {
    operation: &'a Operation,
    path: &'a Path,
    copy: PathBuf,
    tracee: Tracee,
    clocks: Clocks,
    /// The file, also when it has lost its name; `None` as long as there is none.
    file: Option<File>,
    /// A reader that is there all the time.
    reader: Option<Reader>,
    last: Snapshot,
    /// What that reader said, and what new readers said, whenever it was something else.
    kept: Vec<(u64, Told)>,
    fresh: Vec<(u64, Told)>,
    distinct: HashSet<u64>,
}

impl<'a> Stepping<'a> {
    fn new(operation: &'a Operation, path: &'a Path, history: Option<u64>) -> io::Result<Stepping<'a>> {
        let tracee = Tracee::start(operation.name, path, history)?;
        Ok(Stepping {
            operation,
            path,
            copy: path.with_extension("copy"),
            tracee,
            clocks: Clocks::read(),
            file: None,
            reader: None,
            last: Snapshot::default(),
            kept: Vec::new(),
            fresh: Vec::new(),
            distinct: HashSet::new(),
        })
    }

    fn through(mut self, outcome: &mut Outcome) -> io::Result<()> {
        let mut instructions = 0;
        let mut before = Vec::new();
        loop {
            self.stop(instructions, &mut before, &mut outcome.failures)?;
            if instructions > MOST_INSTRUCTIONS {
                outcome
                    .failures
                    .push(format!("not over after {instructions} instructions"));
                break;
            }
            if self.tracee.step()? == Step::Done {
                self.stop(instructions, &mut before, &mut outcome.failures)?;
                break;
            }
            instructions += 1;
        }
        self.judge(&mut outcome.failures);
        outcome.instructions += instructions;
        outcome.states += self.distinct.len() as u64;
        outcome.in_flight += (self.distinct.len() as u64).saturating_sub(2);
        Ok(())
    }

    fn most_error(&self) -> u64 {
        u64::from(self.operation.kind == Kind::Shares)
    }

    /// Looks at one stop.
    fn stop(
        &mut self,
        at: u64,
        before: &mut Vec<(u64, Vec<u8>)>,
        failures: &mut Vec<String>,
    ) -> io::Result<()> {
        if self.file.is_none() {
            match File::open(self.path) {
                Ok(file) => self.file = Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        let Some(file) = &self.file else { return Ok(()) };
        let data = judge::data(file)?;
        let there = self.path.exists();
        let unchanged = data == *before;
        if self.reader.is_none() {
            match Reader::open_path(self.path) {
                Ok(mut reader) => {
                    reader.as_of(Some(self.clocks));
                    self.reader = Some(reader);
                }
                Err(error) => {
                    failures.push(format!("instruction {at}: {error}"));
                    return Ok(());
                }
            }
        }
        if let Some(reader) = &mut self.reader {
            let mut snapshot = Snapshot::default();
            if let Err(error) = reader.snapshot_into(&mut snapshot) {
                failures.push(format!("instruction {at}: {error}"));
            }
            if snapshot.series != self.last.series {
                if unchanged {
                    failures.push(format!("instruction {at}: the same bytes were read otherwise"));
                }
                self.kept.push((at, judge::told(&snapshot)));
            }
            self.last = snapshot;
        }
        let mut hasher = DefaultHasher::new();
        (&data, there).hash(&mut hasher);
        if !self.distinct.insert(hasher.finish()) {
            *before = data;
            return Ok(());
        }
        match judge::look(self.path, self.clocks) {
            Ok(told) => self.fresh.push((at, told)),
            Err(OpenError::NotFound { .. }) if !there => {}
            Err(error) => failures.push(format!("instruction {at}: {error}")),
        }
        let length = file.metadata()?.len();
        judge::copy(&data, length, &self.copy)?;
        match judge::check_adoption(&self.copy, self.clocks, self.most_error()) {
            Err(problem) if !(self.operation.kind == Kind::Retires && problem.contains("retired")) => {
                failures.push(format!("instruction {at}: {problem}"));
            }
            _ => {}
        }
        std::fs::remove_file(&self.copy)?;
        *before = data;
        Ok(())
    }

    /// What was said at each stop against what was said first and last.
    fn judge(&self, failures: &mut Vec<String>) {
        for said in [&self.kept, &self.fresh] {
            let (Some((_, before)), Some((_, after))) = (said.first(), said.last()) else {
                // A new segment has no series to tell of.
                if self.operation.kind != Kind::Creates {
                    failures.push("nothing was read".to_owned());
                }
                continue;
            };
            if [Kind::Changes, Kind::Shares, Kind::Resets].contains(&self.operation.kind) && before == after {
                failures.push("the operation changed nothing".to_owned());
            }
            if let Err(problem) = judge::check_effect(self.operation.effect, before, after) {
                failures.push(format!("in the end: {problem}"));
            }
            let mut passed = Vec::new();
            for (at, told) in said.iter() {
                if let Err(problem) = judge::check_stop(told, before, after, self.most_error(), &mut passed) {
                    failures.push(format!("instruction {at}: {problem}"));
                }
                if self.operation.kind == Kind::Resets
                    && let Err(problem) = judge::check_together(told, before, after)
                {
                    failures.push(format!("instruction {at}: {problem}"));
                }
            }
        }
    }
}

/// At each state another process registers what the child is registering; in the end both have counted in one series.
fn races(operation: &Operation, path: &Path, history: Option<u64>, outcome: &mut Outcome) -> io::Result<()> {
    for states in 0.. {
        let _ = std::fs::remove_file(path);
        let mut tracee = Tracee::start(operation.name, path, history)?;
        let file = File::open(path)?;
        let (mut last, mut seen, mut done) = (judge::data(&file)?, 0, false);
        while seen < states && !done {
            done = tracee.step()? == Step::Done;
            outcome.instructions += 1;
            let now = judge::data(&file)?;
            seen += usize::from(now != last);
            last = now;
        }
        if done {
            break;
        }
        outcome.states += 1;
        let segment = operation::adopter().open_at(path).map_err(io::Error::other)?;
        let racer = segment
            .counter("new")
            .label("b", "2")
            .register()
            .map_err(io::Error::other)?;
        racer.add(7);
        tracee.finish()?;
        let told = judge::look(path, Clocks::read()).map_err(io::Error::other)?;
        let of_new: Vec<_> = told.values().filter(|series| series["name"] == "new").collect();
        if of_new.len() != 1 || of_new[0]["value"].as_u64() != Some(7 + RACER_ADDS) {
            outcome.failures.push(format!("after state {states}: {of_new:?}"));
        }
        let report = shmetrics::verify::verify(path).map_err(io::Error::other)?;
        let errors = report
            .findings
            .iter()
            .filter(|finding| finding.severity == shmetrics::verify::Severity::Error);
        outcome
            .failures
            .extend(errors.map(|finding| format!("after state {states}: {finding}")));
    }
    outcome.in_flight = outcome.states.saturating_sub(2);
    Ok(())
}
