//! `examples/read.c`, compiled without a warning, is a reader of this format: what it prints of a segment that real processes wrote,
//! some of them killed, is what `Reader` says; while they write it shows no histogram that never was; and on damaged files it
//! refuses and skips by the same rules, with no complaint of a sanitizer.

#[path = "../support/compiler.rs"]
mod compiler;
#[path = "../support/mod.rs"]
mod support;

mod agree;
mod compare;
mod damage;
mod golden;
mod live;
mod statuses;
mod writers;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use compiler::Language;
use shmetrics::Reader;
use support::*;

const STRICT: [&str; 5] = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror"];
const SANITIZERS: [&str; 3] = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

/// The reader as users compile it. `None`, and says so, if there is no compiler.
fn build(scratch: &Scratch) -> Option<PathBuf> {
    if !compiler::is_there(Language::C, "the reader in C") {
        return None;
    }
    let program = scratch.path("read");
    let source = compiler::root().join("examples/read.c");
    compiler::compile(Language::C, &STRICT, &source, &program);
    Some(program)
}

/// The reader with sanitizers, if the compiler has them; else as users compile it.
fn build_watched(scratch: &Scratch) -> Option<PathBuf> {
    let plain = build(scratch)?;
    let folder = scratch.path("");
    if !compiler::can(&SANITIZERS, &folder, "sanitizers under the reader in C") {
        return Some(plain);
    }
    let program = scratch.path("read-watched");
    let source = compiler::root().join("examples/read.c");
    compiler::compile(
        Language::C,
        &[&STRICT[..], &SANITIZERS].concat(),
        &source,
        &program,
    );
    Some(program)
}

/// How a run ended.
#[derive(Debug)]
struct Ended {
    code: i32,
    lines: Vec<String>,
    errors: String,
}

/// Runs the reader. It ends by itself, within the deadline, with 0 or 1, and no sanitizer has anything to say.
#[track_caller]
fn run(program: &Path, segment: &Path) -> Ended {
    let mut child = Worker(
        Command::new(program)
            .arg(segment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    // Read beside, so that no pipe fills up.
    let (output, errors) = (child.0.stdout.take().unwrap(), child.0.stderr.take().unwrap());
    let (output, errors) = (
        std::thread::spawn(move || text(output)),
        std::thread::spawn(move || text(errors)),
    );
    let status = poll("the end of the reader in C", || child.0.try_wait().unwrap());
    let (output, errors) = (output.join().unwrap(), errors.join().unwrap());
    let ended = Ended {
        code: status.code().unwrap_or_else(|| panic!("{status}\n{errors}")),
        lines: output.lines().map(str::to_owned).collect(),
        errors,
    };
    for complaint in ["Sanitizer", "runtime error"] {
        assert!(!ended.errors.contains(complaint), "{}", ended.errors);
    }
    match ended.code {
        0 => {}
        1 => assert!(ended.errors.starts_with("read: "), "{ended:?}"),
        _ => panic!("{ended:?}"),
    }
    ended
}

fn text(mut from: impl Read) -> String {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn the_reader_in_c_says_what_the_reader_in_rust_says() {
    if let Some(argument) = child_argument() {
        return writers::work(&argument);
    }
    let scratch = Scratch::new("c-reader");
    let Some(program) = build_watched(&scratch) else {
        return;
    };
    let segment = scratch.path("segment");
    let workers = writers::start("the_reader_in_c_says_what_the_reader_in_rust_says", &scratch);
    let snapshot = Reader::open_path(&segment).unwrap().snapshot().unwrap();
    writers::check(&snapshot);
    let ended = run(&program, &segment);
    assert_eq!((ended.code, ended.errors.as_str()), (0, ""));
    compare::same(&ended.lines, &snapshot, compare::Trust::Whole);
    drop(workers);
    // All dead now: what lives only with its process is gone.
    let snapshot = Reader::open_path(&segment).unwrap().snapshot().unwrap();
    compare::same(&run(&program, &segment).lines, &snapshot, compare::Trust::Whole);
}

#[test]
fn the_reader_in_c_refuses_what_is_no_segment() {
    let scratch = Scratch::new("c-reader-refuses");
    let Some(program) = build_watched(&scratch) else {
        return;
    };
    let says = |path: PathBuf, what: &str| {
        let ended = run(&program, &path);
        assert!(
            ended.code == 1 && ended.errors.contains(what),
            "{what}: {ended:?}"
        );
    };
    says(scratch.path("missing"), "No such file");
    says(scratch.path(""), "not a regular file");
    std::fs::write(scratch.path("short"), "short").unwrap();
    says(scratch.path("short"), "V-1 ");
    std::os::unix::fs::symlink("short", scratch.path("link")).unwrap();
    says(scratch.path("link"), "symbolic links");
}
