//! The second reader, in Python, as a program: asked once, or one snapshot after the other; and how its answers are compared.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;
use shmetrics::Reader;
use shmetrics::error::OpenError;
use shmetrics::snapshot::Clocks;
use shmetrics_conformance::expected::CLOCKS;
use shmetrics_conformance::held::Held;

use crate::support::*;

/// What both are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    Snapshot,
    Cut,
    Window(u32),
}

pub const QUESTIONS: [Question; 4] = [
    Question::Snapshot,
    Question::Cut,
    Question::Window(10),
    Question::Window(3600),
];

/// Is there a Python? Says so, if not.
pub fn has_python() -> bool {
    let found = Command::new("python3")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success());
    if !found {
        skip("no python3 here, so there is no second reader to compare with");
    }
    found
}

/// The library's next answer.
pub fn ask(reader: &mut Reader, question: Question) -> Value {
    let snapshot = match question {
        Question::Snapshot => reader.snapshot(),
        Question::Cut => reader.cut(),
        Question::Window(seconds) => reader.window(seconds.into()),
    };
    // Through text, as everybody gets it.
    serde_json::from_str(&serde_json::to_string(&snapshot.unwrap()).unwrap()).unwrap()
}

/// The library's answer, or the rule that refuses.
fn library(path: &Path, question: Question) -> Result<Value, String> {
    let mut reader = match Reader::open_path(path) {
        Ok(reader) => reader,
        Err(OpenError::Layout { source, .. }) => return Err(rule(&source.to_string()).to_owned()),
        Err(other) => panic!("{other}"),
    };
    reader.per_process(true).as_of(Some(CLOCKS));
    Ok(ask(&mut reader, question))
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/read_segment.py")
}

/// Both clocks, as the other reader takes them.
fn said(clocks: Clocks) -> String {
    format!("{},{}", clocks.wall_ns, clocks.monotonic_ns)
}

fn command(path: &Path, question: Question, as_of: Option<Clocks>) -> Command {
    let mut command = Command::new("python3");
    command.arg(script()).arg(path).arg("--processes");
    if let Some(clocks) = as_of {
        command.arg("--at").arg(said(clocks));
    }
    match question {
        Question::Snapshot => {}
        Question::Cut => drop(command.arg("--cut")),
        Question::Window(seconds) => drop(command.args(["--window", &seconds.to_string()])),
    }
    command
}

/// The other reader's answer, or the rule it refuses by.
pub fn other(path: &Path, question: Question, as_of: Option<Clocks>) -> Result<Value, String> {
    let output = command(path, question, as_of).output().unwrap();
    let (text, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    match output.status.code() {
        Some(0) => Ok(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))),
        Some(2) => Err(rule(errors.lines().last().unwrap_or_default()).to_owned()),
        other => panic!("{}: {other:?}: {errors}", path.display()),
    }
}

/// One life of the other reader: a sequence of snapshots, each taken when it is asked for.
pub struct Stepped {
    /// Ends with the test.
    _process: Worker,
    requests: ChildStdin,
    answers: Receiver<String>,
    is_first: bool,
}

impl Stepped {
    /// Starts it. It takes the first snapshot at once, as of `clocks`.
    pub fn start(path: &Path, question: Question, clocks: Option<Clocks>) -> Stepped {
        let mut child = command(path, question, clocks)
            .args(["--step", "--repeat", "1000000"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (requests, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (answered, answers) = channel();
        // Beside, so that an answer that never comes ends the test by its deadline.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if answered.send(line).is_err() {
                    break;
                }
            }
        });
        Stepped {
            _process: Worker(child),
            requests,
            answers,
            is_first: true,
        }
    }

    /// Its next snapshot, as of these clocks; without, of the machine's or the last that were given.
    pub fn next(&mut self, clocks: Option<Clocks>) -> Value {
        if !std::mem::take(&mut self.is_first) {
            writeln!(self.requests, "{}", clocks.map_or_else(String::new, said)).unwrap();
        }
        let line = self.answers.recv_timeout(DEADLINE);
        let line = line.unwrap_or_else(|error| panic!("no answer of the other reader: {error}"));
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line}"))
    }
}

/// `V-6` of `V-6: the header's ...` or `V-6 BadChecksum: ...`.
fn rule(message: &str) -> &str {
    message.split([':', ' ']).next().unwrap_or_default()
}

/// Fails at the first member in which the two differ.
#[track_caller]
pub fn assert_same(ours: &Value, theirs: &Value, place: &str, context: &str) {
    let differ =
        || -> ! { panic!("{context}: {place} is {ours} for the library and {theirs} for the other reader") };
    match (ours, theirs) {
        // What a reader says of itself: the other one reads nothing twice.
        (Value::Object(_), Value::Object(_)) if place == ".reader" => {}
        (Value::Object(a), Value::Object(b)) => {
            if a.keys().collect::<Vec<_>>() != b.keys().collect::<Vec<_>>() {
                differ()
            }
            for (name, value) in a {
                assert_same(value, &b[name], &format!("{place}.{name}"), context);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            if a.len() != b.len() {
                differ()
            }
            for (index, (ours, theirs)) in a.iter().zip(b).enumerate() {
                assert_same(ours, theirs, &format!("{place}[{index}]"), context);
            }
        }
        (Value::String(a), Value::String(b)) if place.contains("skipped") => {
            if rule(a) != rule(b) {
                differ()
            }
        }
        (Value::Number(a), Value::Number(b)) if place.contains(".quantiles.") => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            if (a - b).abs() > 1e-12 * a.abs().max(b.abs()) {
                differ()
            }
        }
        (a, b) if a == b => {}
        _ => differ(),
    }
}

/// As if every owner in the segment were alive.
pub fn hold(path: &Path) -> Held {
    Held::lock(path, 0..shmetrics::layout::geometry::MAX_PROCESS_SLOTS).unwrap()
}

/// Asks both, each as a reader of its own, and fails where they differ.
#[track_caller]
pub fn compare(path: &Path, context: &str, questions: &[Question]) {
    for &question in questions {
        let context = format!("{context}, {question:?}");
        match (library(path, question), other(path, question, Some(CLOCKS))) {
            (Ok(ours), Ok(theirs)) => assert_same(&ours, &theirs, "", &context),
            (ours, theirs) => assert_eq!(ours, theirs, "{context}"),
        }
    }
}
