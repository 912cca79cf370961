//! The C and C++ compilers of the machine: what is written in C is compiled by the tests, and skipped aloud where there is none.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::skip;

/// A language, and the compiler that tests use for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// C11.
    C,
    /// C++17.
    Cpp,
}

impl Language {
    fn compiler(self) -> &'static str {
        match self {
            Language::C => "gcc",
            Language::Cpp => "g++",
        }
    }
}

/// Is there a compiler? If not, says that `what` is skipped.
pub fn is_there(language: Language, what: &str) -> bool {
    let compiler = language.compiler();
    let found = Command::new(compiler).arg("--version").output().is_ok();
    if !found {
        skip(&format!("{what}: there is no {compiler} on this machine"));
    }
    found
}

/// Can programs be linked with these flags (a sanitizer may not be installed)? If not, says that `what` is skipped.
pub fn can(flags: &[&str], folder: &Path, what: &str) -> bool {
    let source = folder.join("nothing.c");
    std::fs::write(&source, "int main(void) { return 0; }\n").unwrap();
    let linked = Command::new(Language::C.compiler())
        .args(flags)
        .arg(&source)
        .arg("-o")
        .arg(folder.join("nothing"))
        .output()
        .is_ok_and(|output| output.status.success());
    if !linked {
        skip(&format!("{what}: the compiler cannot do {}", flags.join(" ")));
    }
    linked
}

/// The folder of the workspace.
pub fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_root = own.join("include").is_dir();
    if is_root { own.to_owned() } else { own.join("..") }
}

/// Compiles and links `source` into `program` with these flags; the header's folder is searched. All that the compiler says is an
/// error of the test.
#[track_caller]
pub fn compile(language: Language, flags: &[&str], source: &Path, program: &Path) {
    let output = Command::new(language.compiler())
        .args(flags)
        .arg("-I")
        .arg(root().join("include"))
        .arg(source)
        .arg("-o")
        .arg(program)
        .arg("-lm")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{flags:?} {}: {}\n{said}",
        source.display(),
        output.status
    );
    assert_eq!(said, "", "{flags:?} {}", source.display());
}
