//! From what the user wrote, or did not write, to a segment.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use shmetrics::layout::geometry::Geometry;
use shmetrics::layout::header::IMMUTABLE_WORDS;
use shmetrics::segment::place::{resolve_existing, search_folders};
use shmetrics::{OpenError, Reader};

use crate::exit::Failure;

/// Most segments that an error lists.
const MOST_LISTED: usize = 8;

/// A reader of the place the user gave, or else of the only segment there is.
pub(crate) fn open_reader(place: Option<&OsStr>) -> Result<Reader, Failure> {
    match place {
        Some(place) => Ok(open_place(place)?),
        None => Ok(Reader::open_path(&only()?)?),
    }
}

/// A reader of a name, a path or a `shm:` name. A path need not be UTF-8.
pub(crate) fn open_place(place: &OsStr) -> Result<Reader, OpenError> {
    match place.to_str() {
        Some(place) => Reader::open(place),
        None => Reader::open_path(Path::new(place)),
    }
}

/// The path of the place the user gave, or else of the only segment there is. Nothing is opened.
pub(crate) fn path_of(place: Option<&OsStr>) -> Result<PathBuf, Failure> {
    match place.map(|place| (place, place.to_str())) {
        None => only(),
        Some((_, Some(text))) => Ok(resolve_existing(text)?),
        Some((place, None)) => Ok(PathBuf::from(place)),
    }
}

fn only() -> Result<PathBuf, Failure> {
    let folders = search_folders();
    let mut found = segments(&folders);
    match (found.pop(), found.len()) {
        (None, _) => {
            let folders = list(&folders);
            let message =
                format!("no segment found in {folders}; start a worker, give its path, or set SHMETRICS_DIR");
            Err(Failure::Input(message))
        }
        (Some(only), 0) => Ok(only),
        (Some(last), _) => {
            found.push(last);
            let (count, found) = (found.len(), list(&found));
            Err(Failure::Input(format!(
                "{count} segments found: {found}; give the path of one"
            )))
        }
    }
}

fn list(paths: &[PathBuf]) -> String {
    let mut texts: Vec<String> = paths
        .iter()
        .take(MOST_LISTED)
        .map(|path| path.display().to_string())
        .collect();
    if paths.len() > MOST_LISTED {
        texts.push(format!("and {} more", paths.len() - MOST_LISTED));
    }
    texts.join(", ")
}

/// The segments in these folders, by name within each. What cannot be looked at is passed over.
fn segments(folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut visited = Vec::new();
    for folder in folders {
        // Two variables may lead to one folder.
        let Ok(metadata) = folder.metadata() else { continue };
        if visited.contains(&(metadata.dev(), metadata.ino())) {
            continue;
        }
        visited.push((metadata.dev(), metadata.ino()));
        let Ok(entries) = folder.read_dir() else { continue };
        let paths = entries.flatten().map(|entry| entry.path());
        let mut here: Vec<PathBuf> = paths.filter(|path| is_segment(path)).collect();
        here.sort();
        found.append(&mut here);
    }
    found
}

/// Is it a regular file with a valid header, under a name that is not a temporary one?
fn is_segment(path: &Path) -> bool {
    let hidden = path
        .file_name()
        .is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) && has_header(path)
}

fn has_header(path: &Path) -> bool {
    // It may have become a link or a pipe meanwhile: follow none, wait for none.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let Ok(file) = OpenOptions::new().read(true).custom_flags(flags).open(path) else {
        return false;
    };
    read_header(&file).is_some_and(|(words, length)| Geometry::parse(&words, length).is_ok())
}

fn read_header(file: &File) -> Option<([u64; IMMUTABLE_WORDS], u64)> {
    let metadata = file.metadata().ok().filter(|metadata| metadata.is_file())?;
    let mut bytes = [0; IMMUTABLE_WORDS * 8];
    file.read_exact_at(&mut bytes, 0).ok()?;
    let mut words = [0; IMMUTABLE_WORDS];
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *word = u64::from_ne_bytes(*bytes);
    }
    Some((words, metadata.len()))
}
