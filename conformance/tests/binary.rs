//! The binary: golden files are what it would write, and its exit code says what went wrong.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use shmetrics::{Reader, Value};
use shmetrics_conformance::generate::generate;

/// A folder of its own, removed with everything in it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let folder = std::env::temp_dir().join(format!("shmetrics-binary-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Scratch(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data")
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_shmetrics-conformance"))
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn what_is_in_the_repository_is_what_would_be_written_and_a_change_is_found() {
    let scratch = Scratch::new("golden");
    let folder = scratch.0.to_str().unwrap();
    assert!(
        run(&["golden", "--check", data().to_str().unwrap()])
            .status
            .success()
    );
    assert!(run(&["golden", "--write", folder]).status.success());
    assert!(run(&["golden", "--check", folder]).status.success());
    let changed = scratch.0.join("valid/smallest.json");
    std::fs::write(&changed, "{}\n").unwrap();
    let checked = run(&["golden", "--check", folder]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&checked.stdout).contains("valid/smallest.json"));
    std::fs::remove_file(changed).unwrap();
    assert_eq!(run(&["golden", "--check", folder]).status.code(), Some(2));
}

#[test]
fn a_golden_file_and_a_seed_become_segments() {
    let scratch = Scratch::new("expand");
    let path = scratch.0.join("segment");
    let (to, from) = (path.to_str().unwrap(), data().join("valid/smallest.hex"));
    assert!(run(&["expand", from.to_str().unwrap(), to]).status.success());
    let snapshot = Reader::open_path(&path).unwrap().snapshot().unwrap();
    assert_eq!(snapshot.series[0].value, Value::CounterU64(5));
    assert!(run(&["generate", "--seed", "7", to]).status.success());
    let words = std::fs::read(&path).unwrap();
    let words: Vec<u64> = words
        .as_chunks::<8>()
        .0
        .iter()
        .map(|word| u64::from_ne_bytes(*word))
        .collect();
    assert!(words == generate(7).image.words());
}

#[test]
fn help_is_no_error_and_nonsense_is() {
    let help = run(&["--help"]);
    assert!(help.status.success() && String::from_utf8_lossy(&help.stdout).contains("Examples:"));
    let nonsense: [&[&str]; 4] = [
        &[],
        &["golden"],
        &["generate", "--seed", "x", "/nonexistent/path"],
        &["expand", "/nonexistent/file.hex", "/nonexistent/path"],
    ];
    for arguments in nonsense {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
}
