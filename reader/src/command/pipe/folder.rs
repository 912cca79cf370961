//! The folder of the pipes, and noticing that one is opened.
//!
//! Everything goes through the descriptor of the folder, so that nobody can put another in its place; it must belong to us, and nobody
//! else may write to it. A lock on it keeps a second server out, so that what is left of one that was killed can be told from what is
//! in use.
//!
//! A pipe serves one reader. The kernel tells that it was opened (inotify(7)); at once another one takes its name, and who opens the
//! name after that gets that one.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::fifo::Fifo;
use crate::exit::{Failure, io_failure};
use crate::terminal;

/// The pipe that is next to take a name.
const SPARE: &str = ".next.stats";

/// Bytes of events that are taken at a time.
const EVENTS_LENGTH: usize = 16 << 10;

/// The folder, locked.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    folder: OwnedFd,
    events: OwnedFd,
    pipes: BTreeMap<String, Fifo>,
    spare: Option<Fifo>,
    /// Names that something else has: said once.
    taken: Vec<String>,
}

impl Folder {
    /// Makes it if need be, checks and locks it, and removes what a killed predecessor left.
    pub(super) fn open(path: &Path) -> Result<Folder, Failure> {
        let failed = |doing: &str, error: Errno, cure: &str| {
            io_failure(&format!("{doing} {}", path.display()), &error.into(), cure)
        };
        if let Err(error) = DirBuilder::new().mode(0o750).create(path)
            && error.kind() != std::io::ErrorKind::AlreadyExists
        {
            let doing = format!("make the folder {}", path.display());
            return Err(io_failure(&doing, &error, "make it, or give another with --dir"));
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| {
            failed(
                "open the folder",
                error,
                "give a folder, and no link to one, with --dir",
            )
        })?;
        let stat = rustix::fs::fstat(&folder)
            .map_err(|error| failed("examine the folder", error, "give another with --dir"))?;
        let problem = if stat.st_uid != rustix::process::geteuid().as_raw() {
            Some("it belongs to somebody else")
        } else if stat.st_mode & 0o022 != 0 {
            Some("others may write to it")
        } else {
            None
        };
        if let Some(problem) = problem {
            let path = path.display();
            let message = format!(
                "the folder {path} is not safe: {problem}; chmod go-w it, or give another with --dir"
            );
            return Err(Failure::Input(message));
        }
        match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let message = format!(
                    "another `shmetrics pipe` uses the folder {}; end it, or give another with --dir",
                    path.display()
                );
                return Err(Failure::Input(message));
            }
            Err(error) => return Err(failed("lock the folder", error, "give another with --dir")),
        }
        let events = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).and_then(|events| {
            // The very folder that was checked, whatever its path leads to by now.
            let watched = format!("/proc/self/fd/{}", folder.as_raw_fd());
            inotify::add_watch(&events, watched, WatchFlags::OPEN | WatchFlags::ONLYDIR)?;
            Ok(events)
        });
        let events = events
            .map_err(|error| failed("watch the folder", error, "raise fs.inotify.max_user_instances"))?;
        let opened = Folder {
            path: path.to_owned(),
            folder,
            events,
            pipes: BTreeMap::new(),
            spare: None,
            taken: Vec::new(),
        };
        opened
            .clear()
            .map_err(|error| opened.failure("clear the folder", error))?;
        Ok(opened)
    }

    fn failure(&self, doing: &str, error: Errno) -> Failure {
        let cure = "give a folder in memory that is yours with --dir";
        io_failure(&format!("{doing} {}", self.path.display()), &error.into(), cure)
    }

    /// Removes pipes of ours that a killed predecessor left.
    fn clear(&self) -> Result<(), Errno> {
        for entry in Dir::read_from(&self.folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if name.ends_with(".stats") && self.is_own_pipe(name) == Some(true) {
                rustix::fs::unlinkat(&self.folder, name, AtFlags::empty())?;
            }
        }
        Ok(())
    }

    /// Is a pipe of ours there? `None`: nothing is.
    fn is_own_pipe(&self, name: &str) -> Option<bool> {
        let stat = rustix::fs::statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        let is_pipe = FileType::from_raw_mode(stat.st_mode) == FileType::Fifo;
        Some(is_pipe && stat.st_uid == rustix::process::geteuid().as_raw())
    }

    /// Has exactly the pipes of these names.
    pub(super) fn keep(&mut self, names: &[String]) -> Result<(), Failure> {
        let gone: Vec<String> = self
            .pipes
            .keys()
            .filter(|name| !names.contains(name))
            .cloned()
            .collect();
        for name in gone {
            self.pipes.remove(&name);
            self.remove(&name);
        }
        self.taken.retain(|name| names.contains(name));
        for name in names {
            if !self.pipes.contains_key(name) && self.is_free(name) {
                self.place(name)?;
            }
        }
        Ok(())
    }

    /// Nothing is overwritten that is no pipe of ours.
    fn is_free(&mut self, name: &String) -> bool {
        let is_free = self.is_own_pipe(name) != Some(false);
        if !is_free && !self.taken.contains(name) {
            let path = self.path.join(name);
            terminal::say(&format!(
                "shmetrics: {} is there and no pipe of ours; remove it",
                path.display()
            ));
            self.taken.push(name.clone());
        }
        is_free
    }

    /// Puts a new pipe under the name, in place of what is there. What was there.
    fn place(&mut self, name: &str) -> Result<Option<Fifo>, Failure> {
        let placed = self.take_spare().and_then(|spare| {
            rustix::fs::renameat(&self.folder, SPARE, &self.folder, name)?;
            Ok(spare)
        });
        let spare = placed.map_err(|error| self.failure("make a pipe in", error))?;
        let before = self.pipes.insert(name.to_owned(), spare);
        // Made ahead, so that the next reader's has its name sooner.
        self.spare = Fifo::make(self.folder.as_fd(), SPARE).ok();
        Ok(before)
    }

    fn take_spare(&mut self) -> Result<Fifo, Errno> {
        match self.spare.take() {
            Some(spare) => Ok(spare),
            None => {
                let _ = rustix::fs::unlinkat(&self.folder, SPARE, AtFlags::empty());
                Fifo::make(self.folder.as_fd(), SPARE)
            }
        }
    }

    /// Readable when a pipe was opened.
    pub(super) fn events(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }

    /// The pipes that were opened since, each with its name, which another has by now.
    pub(super) fn take_opened(&mut self) -> Result<Vec<(String, Fifo)>, Failure> {
        let mut names = Vec::new();
        let mut buffer = [MaybeUninit::uninit(); EVENTS_LENGTH];
        let mut events = inotify::Reader::new(&self.events, &mut buffer);
        loop {
            match events.next() {
                Ok(event) => {
                    let name = event.file_name().and_then(|name| name.to_str().ok());
                    let is_known = |name: &&str| self.pipes.contains_key(*name);
                    if event.events().contains(inotify::ReadFlags::QUEUE_OVERFLOW) {
                        // Any may have been opened.
                        names = self.pipes.keys().cloned().collect();
                    } else if let Some(name) = name
                        .filter(is_known)
                        .filter(|name| !names.iter().any(|have| have == name))
                    {
                        names.push(name.to_owned());
                    }
                }
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(error) => return Err(self.failure("watch the folder", error)),
            }
        }
        let mut opened = Vec::new();
        for name in names {
            let before = self.place(&name)?;
            opened.extend(before.map(|fifo| (name, fifo)));
        }
        Ok(opened)
    }

    fn remove(&self, name: &str) {
        // Only what is ours; what is not there need not be removed.
        if self.is_own_pipe(name) == Some(true) {
            let _ = rustix::fs::unlinkat(&self.folder, name, AtFlags::empty());
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.pipes.keys().for_each(|name| self.remove(name));
        self.remove(SPARE);
    }
}
