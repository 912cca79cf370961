//! Operations of which the name matters: what is under it at every stop.

use std::collections::HashSet;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use shmetrics::Reader;
use shmetrics::error::OpenError;
use shmetrics::layout::Fnv;
use shmetrics::layout::header::{BOOT_ID_HIGH_OFFSET, CHECKSUM_OFFSET};
use shmetrics::verify::{Severity, verify};

use super::Outcome;
use crate::judge;
use crate::operation::{self, Operation};
use crate::scene;
use crate::tracee::{Step, Tracee};

/// Files that are removed in the end, however it ends.
struct Files(Vec<PathBuf>);

impl Drop for Files {
    fn drop(&mut self) {
        for path in &self.0 {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn hash(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// Creation by shared-memory name. At each state of the file the creator is taken for dead: the next one, who finds the same bytes
/// under a name, must end up with a sound segment in which it can count.
pub(super) fn publishes(operation: &Operation, outcome: &mut Outcome) -> io::Result<()> {
    let name = format!("shmetrics-oracle-{}-named", std::process::id());
    let path = Path::new("/dev/shm").join(&name);
    let left = format!("{name}-left");
    let copy = Path::new("/dev/shm").join(&left);
    let _files = Files(vec![path.clone(), copy.clone()]);
    let mut tracee = Tracee::start(operation.name, &path, None)?;
    let mut distinct = HashSet::new();
    loop {
        if let Ok(file) = File::open(&path) {
            let (data, length) = (judge::data(&file)?, file.metadata()?.len());
            if distinct.insert(hash((&data, length))) {
                judge::copy(&data, length, &copy)?;
                if let Err(problem) = next_creator(&format!("shm:{left}"), &copy) {
                    outcome
                        .failures
                        .push(format!("instruction {}: {problem}", outcome.instructions));
                }
                let _ = std::fs::remove_file(&copy);
            }
        }
        if tracee.step()? == Step::Done {
            break;
        }
        outcome.instructions += 1;
    }
    outcome.states = distinct.len() as u64;
    outcome.in_flight = outcome.states.saturating_sub(2);
    let written = Reader::open_path(&path).map_err(io::Error::other)?;
    drop(written);
    Ok(())
}

fn next_creator(place: &str, path: &Path) -> Result<(), String> {
    let segment = operation::adopter()
        .open_or_create(place)
        .map_err(|error| error.to_string())?;
    let counter = segment
        .counter("whole")
        .register()
        .map_err(|error| error.to_string())?;
    counter.add(3);
    let mut reader = Reader::open_path(path).map_err(|error| error.to_string())?;
    let told = judge::told(&reader.snapshot().map_err(|error| error.to_string())?);
    match told.values().find(|series| series["name"] == "whole") {
        Some(series) if series["value"] == 3 => {}
        other => return Err(format!("the next creator counted 3 and reads {other:?}")),
    }
    drop((counter, segment));
    sound(path)
}

fn sound(path: &Path) -> Result<(), String> {
    let report = verify(path).map_err(|error| error.to_string())?;
    match report
        .findings
        .iter()
        .find(|finding| finding.severity == Severity::Error)
    {
        Some(finding) => Err(finding.to_string()),
        None => Ok(()),
    }
}

/// What is under the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum There {
    Old,
    Nothing,
    New,
}

/// A segment on a disk that bears another boot id. At every stop there is a whole segment under the name or nothing: the old one, then
/// nothing, then the new one.
pub(super) fn replaces(operation: &Operation, outcome: &mut Outcome) -> io::Result<()> {
    // Not in memory: there no segment survives a boot, and boot ids are not compared.
    let folder = std::env::temp_dir().join(format!("shmetrics-oracle-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("segment");
    drop(scene::furnish(&path).map_err(|error| io::Error::other(error.to_string()))?);
    age(&path)?;
    let old = Reader::open_path(&path)
        .map_err(io::Error::other)?
        .facts()
        .origin
        .segment_id;
    let mut tracee = Tracee::start(operation.name, &path, None)?;
    let (mut distinct, mut last) = (HashSet::new(), There::Old);
    loop {
        let at = outcome.instructions;
        let data = match File::open(&path) {
            Ok(file) => Some((judge::data(&file)?, file.metadata()?.ino())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let is_there = data.is_some();
        if distinct.insert(hash(data)) {
            let there = match Reader::open_path(&path) {
                Ok(reader) if reader.facts().origin.segment_id == old => There::Old,
                Ok(_) => There::New,
                Err(OpenError::NotFound { .. }) if !is_there => There::Nothing,
                Err(error) => {
                    outcome.failures.push(format!("instruction {at}: {error}"));
                    last
                }
            };
            if there < last {
                outcome
                    .failures
                    .push(format!("instruction {at}: {there:?} after {last:?}"));
            }
            last = there;
            if is_there && let Err(problem) = sound(&path) {
                outcome.failures.push(format!("instruction {at}: {problem}"));
            }
        }
        if tracee.step()? == Step::Done {
            break;
        }
        outcome.instructions += 1;
    }
    if last != There::New {
        outcome.failures.push("it was not replaced".to_owned());
    }
    outcome.states = distinct.len() as u64;
    outcome.in_flight = outcome.states.saturating_sub(2);
    drop(tracee);
    std::fs::remove_dir_all(&folder)
}

/// Gives a segment the boot id of another boot.
fn age(path: &Path) -> io::Result<()> {
    let file = File::options().read(true).write(true).open(path)?;
    let mut header = vec![0; CHECKSUM_OFFSET as usize];
    file.read_exact_at(&mut header, 0)?;
    let at = BOOT_ID_HIGH_OFFSET as usize;
    header[at..at + 8].copy_from_slice(&0x1234_u64.to_ne_bytes());
    let words = header
        .as_chunks::<8>()
        .0
        .iter()
        .map(|word| u64::from_ne_bytes(*word));
    let checksum = words.fold(Fnv::new(), |hash, word| hash.word(word)).finish();
    file.write_all_at(&header, 0)?;
    file.write_all_at(&checksum.to_ne_bytes(), CHECKSUM_OFFSET)
}
