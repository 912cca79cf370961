//! A folder of this run, on memory where there is any, removed at the end.

use std::path::{Path, PathBuf};

pub struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    pub fn new() -> Scratch {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let folder = parent.join(format!("shmetrics-peers-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for segments");
        Scratch { folder }
    }

    /// A file of this name that is not there.
    pub fn file(&self, name: &str) -> PathBuf {
        let path = self.folder.join(name);
        let _ = std::fs::remove_file(&path);
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
