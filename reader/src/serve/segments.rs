//! The segments that are open: those that appear are taken up, those that vanish are left out, replaced ones are opened again, and a
//! bad one has its problem told and disturbs no other.
//!
//! A segment that was given up or replaced while workers still count into it is left at once: what they count from then on is in no
//! sum. Its successor's series have start times of their own.

use std::path::{Path, PathBuf};

use shmetrics::{Reader, Snapshot};

use super::clock;
use super::events::Wanted;
use super::places::{self, Candidate, Places};
use super::problem::Problem;

/// Most segments at one time: as many as the guard against truncation covers, but for one. When a segment is replaced its successor is
/// opened while it is still there itself, and who is opened when there is no place is never guarded.
pub(crate) const MOST_SEGMENTS: usize = shmetrics::sigbus::MOST_GUARDED - 1;

/// A segment, or a file that should be one.
#[derive(Debug)]
pub(crate) struct Attached {
    /// The file's name, or its path if another has that name. It stays as long as the file does.
    pub(crate) name: String,
    path: PathBuf,
    /// The user gave this very file.
    pub(crate) is_named: bool,
    reader: Option<Reader>,
    /// When it was opened that is read now, nanoseconds since 1970.
    pub(crate) opened_ns: u64,
    content: Snapshot,
    /// Why it cannot be read.
    pub(crate) problem: Option<Problem>,
    /// Shall it also tell what each process counted?
    is_per_process: bool,
}

impl Attached {
    fn new(candidate: &Candidate, name: String, is_per_process: bool) -> Attached {
        Attached {
            name,
            path: candidate.path.clone(),
            is_named: candidate.is_named,
            reader: None,
            opened_ns: 0,
            content: Snapshot::default(),
            problem: None,
            is_per_process,
        }
    }

    /// What it says; nothing if it cannot be read.
    pub(crate) fn snapshot(&self) -> Option<&Snapshot> {
        self.reader.is_some().then_some(&self.content)
    }

    fn read(&mut self) {
        let read = self.attach().and_then(|()| {
            let Some(reader) = &mut self.reader else {
                return Ok(());
            };
            reader.refresh_owners()?;
            Ok(reader.snapshot_into(&mut self.content)?)
        });
        self.problem = read.err();
        if self.problem.is_some() {
            self.reader = None;
            self.content = Snapshot::default();
        }
    }

    /// Opens what is at the path now, unless it is what is open.
    fn attach(&mut self) -> Result<(), Problem> {
        if self.reader.as_ref().is_some_and(|reader| !reader.replaced()) {
            return Ok(());
        }
        if is_unpublished(&self.path) {
            let message = format!(
                "{} is empty: its creator has not finished, or it is no segment",
                self.path.display()
            );
            return Err(Problem {
                word: Problem::REFUSED,
                message,
            });
        }
        let mut new = Reader::open_path(&self.path)?;
        new.per_process(self.is_per_process);
        let id = |reader: &Reader| reader.facts().origin.segment_id;
        // Given up, and still there: the old reader knows what it told last.
        if self.reader.as_ref().map(id) != Some(id(&new)) {
            self.reader = Some(new);
            self.opened_ns = clock::now_ns();
            self.content = Snapshot::default();
        }
        Ok(())
    }
}

/// Is it a file that has no magic word yet? Opening would wait for it (`shm:` names can be in that state), and all scrapes with it.
fn is_unpublished(path: &Path) -> bool {
    places::start(path).is_ok_and(|magic| magic.is_none_or(|magic| magic == 0))
}

/// All that are open, and all that should be.
#[derive(Debug)]
pub(crate) struct Segments {
    places: Places,
    is_per_process: bool,
    attached: Vec<Attached>,
    /// Places that could not be looked at.
    pub(crate) problems: Vec<(String, Problem)>,
    /// Files beyond [`MOST_SEGMENTS`].
    pub(crate) ignored: usize,
}

impl Segments {
    /// `is_per_process`: their snapshots shall also tell what each process counted.
    pub(crate) fn new(places: Places, is_per_process: bool) -> Segments {
        Segments {
            places,
            is_per_process,
            attached: Vec::new(),
            problems: Vec::new(),
            ignored: 0,
        }
    }

    /// In the order in which they were found.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Attached> {
        self.attached.iter()
    }

    /// Events of the segment of this name; `None` if it cannot be read.
    pub(super) fn events(&mut self, name: &str, wanted: Wanted) -> Option<Result<Vec<u8>, Problem>> {
        let segment = self.attached.iter_mut().find(|segment| segment.name == name)?;
        let reader = segment.reader.as_mut()?;
        Some(wanted.read(reader).map_err(Problem::from))
    }

    /// Looks what is there, and reads it.
    pub(crate) fn read(&mut self) {
        let attached = &self.attached;
        let is_known = |path: &Path| attached.iter().any(|known| known.path == path);
        let mut sighting = self.places.look(is_known);
        self.problems = std::mem::take(&mut sighting.problems);
        let candidates = sighting.candidates;
        // First, so that their names are free.
        self.attached
            .retain(|known| candidates.iter().any(|candidate| candidate.path == known.path));
        self.ignored = 0;
        for candidate in &candidates {
            if let Some(known) = self
                .attached
                .iter_mut()
                .find(|known| known.path == candidate.path)
            {
                known.is_named = candidate.is_named;
            } else if self.attached.len() < MOST_SEGMENTS {
                let name = self.free_name(&candidate.path);
                self.attached
                    .push(Attached::new(candidate, name, self.is_per_process));
            } else {
                self.ignored += 1;
            }
        }
        self.attached.iter_mut().for_each(Attached::read);
        // Gone since we looked: nobody named it, so nobody misses it.
        self.attached.retain(|known| {
            known.is_named || known.problem.as_ref().is_none_or(|problem| !problem.is_missing())
        });
    }

    fn free_name(&self, path: &Path) -> String {
        let is_free = |name: &String| self.attached.iter().all(|known| known.name != *name);
        let short = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let long = path.to_string_lossy().into_owned();
        let numbered = (2..).map(|number| format!("{long}-{number}"));
        // Different paths can look alike once what is not UTF-8 in them is replaced.
        let mut names = short.into_iter().chain([long.clone()]).chain(numbered);
        names.find(is_free).unwrap_or(long)
    }
}
