//! From what the user wrote to files that may be segments. Looked at anew each time: files come and go.

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use shmetrics::layout::header::{MAGIC, MAGIC_OFFSET};
use shmetrics::segment::place::{resolve_existing, search_folders};

use super::problem::Problem;
use crate::exit::Failure;
use crate::glob;

/// Most entries of a folder that are looked at: a mistaken `/tmp` must not make every scrape slow.
const MOST_ENTRIES: usize = 10_000;

/// Where to look.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// One file, by its path.
    File(PathBuf),
    /// One file, by a plain name or `shm:NAME`.
    Name(String),
    /// All segments in a folder.
    Folder(PathBuf),
    /// All files in a folder whose name matches.
    Pattern(PathBuf, String),
    /// All segments in the folders for names.
    Default,
    /// All files in the folders for names whose name matches.
    DefaultPattern(String),
}

/// All places of a command line.
#[derive(Debug)]
pub(crate) struct Places(Vec<Place>);

/// A file that may be a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(super) path: PathBuf,
    /// The user gave this very file: it is missed when it is not there.
    pub(super) is_named: bool,
}

/// What is there at the moment.
#[derive(Debug, Default)]
pub(super) struct Sighting {
    /// In the order of the places, by name within a folder, each once.
    pub(super) candidates: Vec<Candidate>,
    /// Places that could not be looked at.
    pub(super) problems: Vec<(String, Problem)>,
}

impl Places {
    /// Understands the arguments. Nothing has to be there yet.
    pub(crate) fn parse(arguments: &[OsString]) -> Result<Places, Failure> {
        if arguments.is_empty() {
            return Ok(Places(vec![Place::Default]));
        }
        arguments
            .iter()
            .map(|text| Place::parse(text))
            .collect::<Result<_, _>>()
            .map(Places)
    }

    /// One file, whatever is in its name.
    pub(crate) fn one(text: &OsStr) -> Result<Places, Failure> {
        match Place::parse(text)? {
            name @ Place::Name(_) => Ok(Places(vec![name])),
            _ => Ok(Places(vec![Place::File(text.into())])),
        }
    }

    /// Is it one file for good, so that its series need no label that says which segment they are from?
    pub(crate) fn is_one_file(&self) -> bool {
        match &self.0[..] {
            [Place::Name(_)] => true,
            [Place::File(path)] => !path.is_dir(),
            _ => false,
        }
    }

    /// Looks. Files for which `is_known` holds are told even if they do not look like segments (any more).
    pub(super) fn look(&self, is_known: impl Fn(&Path) -> bool) -> Sighting {
        let mut sighting = Sighting::default();
        for place in &self.0 {
            place.look(&is_known, &mut sighting);
        }
        // A file that is named is named, whatever else leads to it.
        let mut seen: Vec<Candidate> = Vec::new();
        for candidate in std::mem::take(&mut sighting.candidates) {
            match seen.iter_mut().find(|other| other.path == candidate.path) {
                Some(other) => other.is_named |= candidate.is_named,
                None => seen.push(candidate),
            }
        }
        sighting.candidates = seen;
        // The same place may have been given twice.
        let mut told = Vec::new();
        sighting.problems.retain(|(name, _)| {
            let is_new = !told.contains(name);
            told.push(name.clone());
            is_new
        });
        sighting
    }
}

impl Place {
    fn parse(text: &OsStr) -> Result<Place, Failure> {
        let path = Path::new(text);
        let pattern = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .filter(|name| name.contains(['*', '?']));
        let bytes = text.as_encoded_bytes();
        if let (Some(name), Some(pattern)) =
            (text.to_str().and_then(|text| text.strip_prefix("shm:")), &pattern)
        {
            let pattern = if name.contains('/') { pattern } else { name };
            return Ok(Place::Pattern("/dev/shm".into(), pattern.to_owned()));
        }
        match (pattern, bytes.contains(&b'/'), text.to_str()) {
            (Some(pattern), true, _) => {
                let folder = path.parent().unwrap_or(Path::new("/"));
                Ok(Place::Pattern(folder.to_owned(), pattern))
            }
            (Some(pattern), false, _) => Ok(Place::DefaultPattern(pattern)),
            (None, true, _) if bytes.ends_with(b"/") => Ok(Place::Folder(path.to_owned())),
            (None, _, Some(name)) if !bytes.contains(&b'/') => {
                // A name that none can have is a mistake of the command line.
                resolve_existing(name)?;
                Ok(Place::Name(name.to_owned()))
            }
            (None, _, _) => Ok(Place::File(path.to_owned())),
        }
    }

    fn look(&self, is_known: &impl Fn(&Path) -> bool, into: &mut Sighting) {
        let mut named = |path: PathBuf| {
            into.candidates.push(Candidate { path, is_named: true });
        };
        match self {
            Place::Name(name) => match resolve_existing(name) {
                Ok(path) => named(path),
                Err(error) => into.problems.push((name.clone(), error.into())),
            },
            Place::File(path) if path.is_dir() => folder(path, None, is_known, into, true),
            Place::File(path) => named(path.clone()),
            Place::Folder(path) => folder(path, None, is_known, into, true),
            Place::Pattern(path, pattern) => folder(path, Some(pattern), is_known, into, true),
            // Folders for names need not be there.
            Place::Default => search_folders()
                .iter()
                .for_each(|path| folder(path, None, is_known, into, false)),
            Place::DefaultPattern(pattern) => search_folders()
                .iter()
                .for_each(|path| folder(path, Some(pattern), is_known, into, false)),
        }
    }
}

/// The files of a folder: those that match, or without a pattern those that are segments, or may be and must not be read.
fn folder(
    path: &Path,
    pattern: Option<&String>,
    is_known: &impl Fn(&Path) -> bool,
    into: &mut Sighting,
    must_be_there: bool,
) {
    let entries = match path.read_dir() {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound && !must_be_there => return,
        Err(error) => {
            let word = match error.kind() {
                ErrorKind::NotFound => Problem::MISSING,
                ErrorKind::PermissionDenied => Problem::DENIED,
                _ => Problem::FAILED,
            };
            let name = path.to_string_lossy().into_owned();
            let message = format!("cannot look into {name}: {error}; create it, or let this user read it");
            into.problems.push((name, Problem { word, message }));
            return;
        }
    };
    let is_chosen = |path: &PathBuf| {
        let Some(name) = path.file_name().map(OsStr::to_string_lossy) else {
            return false;
        };
        // Hidden files are temporary ones; a segment is never a link.
        !name.starts_with('.')
            && pattern.is_none_or(|pattern| glob::matches(pattern, &name))
            && path.symlink_metadata().is_ok_and(|metadata| metadata.is_file())
            && (pattern.is_some() || is_known(path) || may_be_segment(path))
    };
    let paths = entries.take(MOST_ENTRIES).flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = paths.filter(is_chosen).collect();
    paths.sort();
    into.candidates.extend(paths.into_iter().map(|path| Candidate {
        path,
        is_named: false,
    }));
}

/// Does it begin as segments do, or is it hidden from us what it begins with?
fn may_be_segment(path: &Path) -> bool {
    match start(path) {
        Ok(magic) => magic == Some(MAGIC),
        Err(error) => error.kind() == ErrorKind::PermissionDenied,
    }
}

/// The word where segments have their magic number; `None` if the file is shorter than that.
pub(super) fn start(path: &Path) -> std::io::Result<Option<u64>> {
    // It may have become a link or a pipe meanwhile: follow none, wait for none.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let mut word = [0; 8];
    match file.read_exact_at(&mut word, MAGIC_OFFSET) {
        Ok(()) => Ok(Some(u64::from_ne_bytes(word))),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_a_file_a_folder_or_a_pattern() {
        let place = |text: &str| Place::parse(OsStr::new(text)).unwrap();
        assert_eq!(place("/run/app"), Place::File("/run/app".into()));
        assert_eq!(place("./app"), Place::File("./app".into()));
        assert_eq!(place("app"), Place::Name("app".to_owned()));
        assert_eq!(place("shm:app"), Place::Name("shm:app".to_owned()));
        assert_eq!(place("/run/app/"), Place::Folder("/run/app/".into()));
        assert_eq!(
            place("/run/app/*"),
            Place::Pattern("/run/app".into(), "*".to_owned())
        );
        assert_eq!(place("/web-?"), Place::Pattern("/".into(), "web-?".to_owned()));
        assert_eq!(place("web-*"), Place::DefaultPattern("web-*".to_owned()));
        assert_eq!(
            place("shm:web-*"),
            Place::Pattern("/dev/shm".into(), "web-*".to_owned())
        );
        assert!(Place::parse(OsStr::new("a:b")).is_err());
        assert!(Place::parse(OsStr::new("")).is_err());
    }

    #[test]
    fn only_one_file_needs_no_label() {
        let is_one = |texts: &[&str]| {
            let texts: Vec<OsString> = texts.iter().map(OsString::from).collect();
            Places::parse(&texts).unwrap().is_one_file()
        };
        assert!(is_one(&["app"]) && is_one(&["/nowhere/app"]));
        assert!(!is_one(&[]) && !is_one(&["/"]) && !is_one(&["a*"]) && !is_one(&["a", "b"]));
    }
}
