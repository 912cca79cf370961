//! Where a segment is: from what the user wrote to a path.
//!
//! * `app`: a plain name, in the first usable of `$SHMETRICS_DIR`, `$RUNTIME_DIRECTORY`, `$XDG_RUNTIME_DIR/shmetrics` and
//!   `/dev/shm/shmetrics-<uid>`. The last two are created (0750) if missing; the last is checked, as `/dev/shm` is open to everybody.
//! * anything with a slash: a path, taken as it is.
//! * `shm:NAME`: a POSIX shared-memory name (feature `named`), which on Linux is the file `/dev/shm/NAME`.

use std::fs::{DirBuilder, Metadata};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::Access;

use crate::error::OpenError;

/// Where POSIX shared memory lives on Linux.
const SHM_FOLDER: &str = "/dev/shm";
/// Mode of folders that are created: the owner works, the group reads.
const FOLDER_MODE: u32 = 0o750;
/// Longest plain name: a file name with room for the suffix of a temporary one.
const MAX_NAME_LENGTH: usize = 200;

/// What the user's text means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A file.
    Path(PathBuf),
    /// A plain name.
    Name(String),
    /// A POSIX shared-memory name.
    Shm(String),
}

impl Place {
    /// Understands what the user wrote.
    pub(crate) fn parse(text: &str) -> Result<Place, OpenError> {
        let bad = |reason| {
            Err(OpenError::BadName {
                name: text.to_owned(),
                reason,
            })
        };
        if let Some(name) = text.strip_prefix("shm:") {
            return match plain(name.strip_prefix('/').unwrap_or(name)) {
                Ok(name) => Ok(Place::Shm(name.to_owned())),
                Err(reason) => bad(reason),
            };
        }
        if text.contains('\0') {
            return bad("it has a NUL");
        }
        if text.contains('/') {
            return Ok(Place::Path(PathBuf::from(text)));
        }
        match plain(text) {
            Ok(name) => Ok(Place::Name(name.to_owned())),
            Err(reason) => bad(reason),
        }
    }

    /// The path to create at, or to open if it is there.
    pub(crate) fn to_path(&self) -> Result<PathBuf, OpenError> {
        match self {
            Place::Path(path) => Ok(path.clone()),
            Place::Shm(name) => Ok(Path::new(SHM_FOLDER).join(name)),
            Place::Name(name) => {
                let mut tried = Vec::new();
                let mut unsafe_folder = None;
                for folder in folders() {
                    match usable(&folder) {
                        Ok(()) => return Ok(folder.path.join(name)),
                        Err(reason) => {
                            tried.push(format!("{}: {reason}", folder.path.display()));
                            if folder.shared {
                                unsafe_folder = Some((folder.path, reason));
                            }
                        }
                    }
                }
                match unsafe_folder {
                    Some((path, reason)) if tried.len() == 1 => Err(OpenError::UnsafeFolder { path, reason }),
                    _ => Err(OpenError::NoFolder {
                        name: name.clone(),
                        tried: tried.join("; "),
                    }),
                }
            }
        }
    }
}

/// Is this the file of a POSIX shared-memory name?
pub(crate) fn is_shm_path(path: &Path) -> bool {
    path.parent() == Some(Path::new(SHM_FOLDER))
}

fn plain(name: &str) -> Result<&str, &'static str> {
    match name {
        "" => Err("it is empty"),
        _ if name.len() > MAX_NAME_LENGTH => Err("it is longer than 200 bytes"),
        _ if name.starts_with('.') => Err("it begins with a dot"),
        _ if name.contains(['/', '\0', ':']) => Err("it has a slash, a colon or a NUL"),
        _ => Ok(name),
    }
}

/// Where the segment of this name, path or `shm:` name is: a plain name is looked for in every folder, in their order. If it is in
/// none, the path it would have in the first. Looks at file names, opens nothing.
///
/// # Errors
///
/// The text is no name, or there is no folder for names.
pub fn resolve_existing(text: &str) -> Result<PathBuf, OpenError> {
    match Place::parse(text)? {
        Place::Name(name) => find(&name).map(|folder| folder.path.join(&name)),
        place => place.to_path(),
    }
}

/// As [`resolve_existing`], for whoever is going to write there: a folder among everybody's must be this user's own.
pub(crate) fn resolve_existing_to_write(name: &str) -> Result<PathBuf, OpenError> {
    let folder = find(name)?;
    let path = folder.path.join(name);
    if folder.shared && path.symlink_metadata().is_ok() {
        let metadata = folder.path.symlink_metadata();
        let is_safe = metadata.map_or(Err("it cannot be examined"), |metadata| check_own(&metadata));
        is_safe.map_err(|reason| OpenError::UnsafeFolder {
            path: folder.path,
            reason,
        })?;
    }
    Ok(path)
}

/// The first folder that has something of this name, else the first of all.
fn find(name: &str) -> Result<Folder, OpenError> {
    let mut folders = folders();
    let has_it = |folder: &Folder| folder.path.join(name).symlink_metadata().is_ok();
    let at = folders.iter().position(has_it).unwrap_or(0);
    if folders.is_empty() {
        return Err(OpenError::NoFolder {
            name: name.to_owned(),
            tried: "none is set".to_owned(),
        });
    }
    Ok(folders.swap_remove(at))
}

/// A folder for plain names.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Folder {
    path: PathBuf,
    /// Created if missing.
    create: bool,
    /// Its parent is open to everybody: owner and type are checked.
    shared: bool,
}

/// The folders in which plain names are looked up, in order. Existing or not.
pub fn search_folders() -> Vec<PathBuf> {
    folders().into_iter().map(|folder| folder.path).collect()
}

fn folders() -> Vec<Folder> {
    // A process with more rights than its caller must not be led by the caller's environment (getauxval(3), AT_SECURE).
    let is_secure = super::host::is_secure_execution();
    let variable = |name: &str| {
        let value = if is_secure { None } else { std::env::var_os(name) };
        value.filter(|value| !value.is_empty()).map(PathBuf::from)
    };
    let mut folders = Vec::new();
    if let Some(path) = variable("SHMETRICS_DIR") {
        folders.push(Folder {
            path,
            create: false,
            shared: false,
        });
    }
    if let Some(value) = variable("RUNTIME_DIRECTORY") {
        // systemd gives several, separated by colons; the first is the service's own.
        let first = value.to_string_lossy().split(':').next().map(PathBuf::from);
        folders.extend(first.map(|path| Folder {
            path,
            create: false,
            shared: false,
        }));
    }
    if let Some(path) = variable("XDG_RUNTIME_DIR") {
        folders.push(Folder {
            path: path.join("shmetrics"),
            create: true,
            shared: false,
        });
    }
    let uid = rustix::process::geteuid().as_raw();
    let path = Path::new(SHM_FOLDER).join(format!("shmetrics-{uid}"));
    folders.push(Folder {
        path,
        create: true,
        shared: true,
    });
    folders
}

fn usable(folder: &Folder) -> Result<(), &'static str> {
    if folder.create {
        // Losing a race to another creator is fine; anything else shows below.
        let _ = DirBuilder::new().mode(FOLDER_MODE).create(&folder.path);
    }
    let metadata: Metadata = match folder.path.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err("it does not exist"),
        Err(_) => return Err("it cannot be examined"),
    };
    if folder.shared {
        check_own(&metadata)?;
    }
    if !folder.path.is_dir() {
        return Err("it is not a folder");
    }
    let access = rustix::fs::access(&folder.path, Access::WRITE_OK | Access::EXEC_OK);
    access.map_err(|_| "it is not writable")
}

/// Is it this user's own folder, and nobody else's to write to? A link is not: what it leads to may change.
fn check_own(metadata: &Metadata) -> Result<(), &'static str> {
    if metadata.is_symlink() {
        return Err("it is a link");
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err("it belongs to another user");
    }
    if metadata.mode() & 0o022 != 0 {
        return Err("others can write to it");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_paths_and_shared_memory_are_told_apart() {
        assert_eq!(Place::parse("app").unwrap(), Place::Name("app".into()));
        assert_eq!(Place::parse("./app").unwrap(), Place::Path("./app".into()));
        assert_eq!(Place::parse("shm:app").unwrap(), Place::Shm("app".into()));
        assert_eq!(
            Place::parse("shm:/app").unwrap().to_path().unwrap(),
            Path::new("/dev/shm/app")
        );
        for bad in [
            "",
            ".",
            "..",
            ".app",
            "a:b",
            "a\0b",
            "shm:",
            "shm:a/b",
            &"n".repeat(201),
        ] {
            assert!(
                matches!(Place::parse(bad), Err(OpenError::BadName { .. })),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn a_folder_that_is_a_link_or_open_to_others_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let base = std::env::temp_dir().join(format!("shmetrics-place-{}", std::process::id()));
        let target = base.join("target");
        std::fs::create_dir_all(&target).unwrap();
        let link = base.join("link");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let check = |path: &Path| {
            usable(&Folder {
                path: path.into(),
                create: true,
                shared: true,
            })
        };
        assert_eq!(check(&link), Err("it is a link"));
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(check(&target), Err("others can write to it"));
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o750)).unwrap();
        assert_eq!(check(&target), Ok(()));
        assert_eq!(check(&base.join("new")), Ok(()));
        std::fs::remove_dir_all(&base).unwrap();
    }
}
