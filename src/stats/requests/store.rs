//! Where records are kept: a trait, and a folder of files.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::sync::{AtomicU32, Relaxed};

/// Keeps records by the name of a store and a key. Called in a session's thread, and where one enters, leaves, saves or resets.
///
/// What [`set`](Self::set) replaces is replaced as a whole: who reads, or comes after a crash, finds the old record or the new one.
/// Before a record is replaced it is read. A store that panics has failed: the error says so.
pub trait KeyValueStore: Send + Sync {
    /// The record; `None` if there is none.
    fn get(&self, kvs_name: &str, key: &str) -> io::Result<Option<String>>;
    /// Stores the record, in place of the one that is there.
    fn set(&self, kvs_name: &str, key: &str, record: &str) -> io::Result<()>;
    /// Removes the record, if there is one.
    fn delete(&self, kvs_name: &str, key: &str) -> io::Result<()>;
}

impl<S: KeyValueStore + ?Sized> KeyValueStore for Arc<S> {
    fn get(&self, kvs_name: &str, key: &str) -> io::Result<Option<String>> {
        (**self).get(kvs_name, key)
    }

    fn set(&self, kvs_name: &str, key: &str, record: &str) -> io::Result<()> {
        (**self).set(kvs_name, key, record)
    }

    fn delete(&self, kvs_name: &str, key: &str) -> io::Result<()> {
        (**self).delete(kvs_name, key)
    }
}

/// Records as files, `FOLDER/KVS_NAME/KEY.json`. Folders are made as they are needed.
///
/// Letters, digits, `_`, `-` and `.` (but not as the first) stand for themselves in names of files; any other byte is written `%XX`, so
/// that no key leaves the folder. A name may have 200 bytes then.
///
/// A record is written to a file of its own, put on the disk, and then renamed into its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderStore {
    folder: PathBuf,
}

impl FolderStore {
    /// In this folder.
    pub fn new(folder: impl Into<PathBuf>) -> FolderStore {
        FolderStore {
            folder: folder.into(),
        }
    }

    /// The file of a record.
    ///
    /// # Errors
    ///
    /// A name is empty or too long.
    pub fn path(&self, kvs_name: &str, key: &str) -> io::Result<PathBuf> {
        let file = format!("{}.json", escaped(key)?);
        Ok(self.folder.join(escaped(kvs_name)?).join(file))
    }
}

/// Bytes of the name of a file, so that there is room for what is around it.
const MOST: usize = 200;

fn escaped(name: &str) -> io::Result<String> {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'.' if text.is_empty() => text.push_str("%2E"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' => text.push(char::from(byte)),
            _ => text += &format!("%{byte:02X}"),
        }
    }
    if text.is_empty() || text.len() > MOST {
        let reason = format!(
            "a name of {} bytes, where 1 to {MOST} are possible: {name:?}",
            text.len()
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    Ok(text)
}

/// After so long a file that has no name yet is one that a killed process left: writing takes milliseconds.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Makes the file in which a record is written before it has its name: one's own, whatever other threads, and processes of other pid
/// namespaces, write at the same time. What a killed one leaves is removed by who saves an hour later, and with the record.
fn unnamed(path: &Path) -> io::Result<(PathBuf, File)> {
    static MADE: AtomicU32 = AtomicU32::new(0);
    loop {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos() as u64;
        let number = MADE.fetch_add(1, Relaxed);
        let unnamed = path.with_extension(format!("json.{}.{number:x}.{now:x}.new", std::process::id()));
        match File::create_new(&unnamed) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            file => return file.map(|file| (unnamed, file)),
        }
    }
}

/// Removes files without a name of this record that are as old as this at least.
fn remove_unnamed(path: &Path, folder: &Path, age: Duration) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.into_owned() + ".";
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let found = entry.file_name().to_string_lossy().into_owned();
        if !found.starts_with(&name) || !found.ends_with(".new") {
            continue;
        }
        let modified = entry.metadata().and_then(|file| file.modified());
        let is_old = |modified: SystemTime| modified.elapsed().is_ok_and(|elapsed| elapsed >= age);
        if age.is_zero() || modified.is_ok_and(is_old) {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

impl KeyValueStore for FolderStore {
    fn get(&self, kvs_name: &str, key: &str) -> io::Result<Option<String>> {
        match fs::read_to_string(self.path(kvs_name, key)?) {
            Ok(record) => Ok(Some(record)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn set(&self, kvs_name: &str, key: &str, record: &str) -> io::Result<()> {
        let path = self.path(kvs_name, key)?;
        let folder = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder)?;
        let _ = remove_unnamed(&path, folder, ABANDONED);
        let (unnamed, mut file) = unnamed(&path)?;
        let written = file.write_all(record.as_bytes());
        let written = written
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&unnamed, &path));
        if written.is_err() {
            let _ = fs::remove_file(&unnamed);
        }
        written?;
        // The name, too, is to outlive a crash of the machine.
        File::open(folder)?.sync_all()
    }

    fn delete(&self, kvs_name: &str, key: &str) -> io::Result<()> {
        let path = self.path(kvs_name, key)?;
        let folder = path.parent().unwrap_or(&self.folder);
        match remove_unnamed(&path, folder, Duration::ZERO) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            removed => removed?,
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            removed => removed?,
        }
        // Nor is it to come back with a crash of the machine.
        File::open(folder)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_leaves_the_folder_and_none_is_another() {
        let store = FolderStore::new("/records");
        let path = |kvs, key| store.path(kvs, key).unwrap().display().to_string();
        assert_eq!(path("default", "a_B-1.x"), "/records/default/a_B-1.x.json");
        assert_eq!(path("..", "../../etc"), "/records/%2E./%2E.%2F..%2Fetc.json");
        assert_eq!(path("k", "a%2F"), "/records/k/a%252F.json");
        assert!(store.path("k", "").is_err() && store.path("k", &"/".repeat(67)).is_err());
    }

    #[test]
    fn what_a_killed_one_left_long_ago_is_removed_by_the_next_and_what_is_written_now_is_not() {
        let folder = std::env::temp_dir().join(format!("shmetrics-unnamed-{}", std::process::id()));
        let store = FolderStore::new(&folder);
        store.set("k", "a", "1").unwrap();
        let path = store.path("k", "a").unwrap();
        let (old, file) = unnamed(&path).unwrap();
        file.set_modified(SystemTime::now() - 2 * ABANDONED).unwrap();
        let (new, _) = unnamed(&path).unwrap();
        store.set("k", "a", "2").unwrap();
        assert_eq!((old.exists(), new.exists()), (false, true));
        store.delete("k", "a").unwrap();
        assert!(!new.exists() && !path.exists());
        fs::remove_dir_all(&folder).unwrap();
    }
}
