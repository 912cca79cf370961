//! All readers there are, as commands. Their programs are copied into the scratch folder, where any user may run them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value as Json;

use crate::compiler::{self, Language};
use crate::segment::{BEFORE, DEPTH, EPOCHS, REQUESTS, WORKERS};
use crate::support::*;

/// A program that reads a segment.
pub struct Reader {
    pub name: &'static str,
    program: PathBuf,
    before: Vec<String>,
    after: &'static [&'static str],
    says: Says,
}

/// What it prints.
enum Says {
    /// Snapshots by section 15 of SPEC.md, so many.
    Snapshots(usize),
    /// One, with what each process counted.
    PerProcess,
    /// The processes in it.
    Processes,
    /// A line per series.
    Lines,
    /// Every word with its name.
    Words,
    /// Text for people.
    Text,
}

impl Reader {
    /// The command that reads the segment at `path`.
    pub fn command(&self, path: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.before).arg(path).args(self.after);
        command
    }

    /// It read the segment, and saw whether its owners live.
    #[track_caller]
    pub fn check(&self, output: &str, alive: bool) {
        let name = self.name;
        let documents = || -> Vec<Json> {
            let stream = serde_json::Deserializer::from_str(output).into_iter();
            stream
                .map(|json| json.unwrap_or_else(|error| panic!("{name}: {error}: {output}")))
                .collect()
        };
        let see_values = |json: &Json| {
            let value = |name: &str| {
                let series = json["series"].as_array().unwrap();
                series
                    .iter()
                    .find(|series| series["name"] == name)
                    .map(|series| series["value"].clone())
            };
            let requests = WORKERS * REQUESTS + BEFORE;
            assert_eq!(value("requests_total"), Some(requests.into()), "{name}");
            let depth = if alive {
                (WORKERS as i64 * DEPTH).into()
            } else {
                Json::Null
            };
            assert_eq!(value("depth"), Some(depth), "{name}");
        };
        let see_owners = |json: &Json| {
            let processes = json["processes"].as_array().unwrap();
            assert_eq!(processes.len() as u64, WORKERS, "{name}: {output}");
            assert!(
                processes.iter().all(|process| process["alive"] == alive),
                "{name}: {output}"
            );
        };
        match self.says {
            Says::Snapshots(count) => {
                let documents = documents();
                assert_eq!(documents.len(), count, "{name}: {output}");
                for json in documents {
                    see_owners(&json);
                    see_values(&json);
                }
            }
            Says::PerProcess => {
                let documents = documents();
                let [json] = &documents[..] else {
                    panic!("{name}: {output}")
                };
                see_owners(json);
                see_values(json);
                // What was counted before in the lane that one of them adopted is not told of it.
                for process in json["processes"].as_array().unwrap() {
                    let values = process["values"].as_array().unwrap();
                    let requests = values.iter().find(|value| value["name"] == "requests_total");
                    assert_eq!(requests.unwrap()["value"], REQUESTS, "{name}: {output}");
                }
            }
            Says::Processes => documents().iter().for_each(see_owners),
            Says::Lines => {
                let depth = if alive {
                    (WORKERS as i64 * DEPTH).to_string()
                } else {
                    "none".into()
                };
                for line in [
                    format!("requests_total{{}} {}", WORKERS * REQUESTS + BEFORE),
                    format!("depth{{}} {depth}"),
                ] {
                    assert!(
                        output.lines().any(|said| said == line),
                        "{name}: no {line} in {output}"
                    );
                }
            }
            Says::Words => {
                // A lane was adopted, and a ring rotated more often than it has slots.
                assert!(greatest(output, ".lane_baseline_word") >= 2, "{name}: {output}");
                assert!(
                    greatest(output, ".lane_baseline_counters") >= 1,
                    "{name}: {output}"
                );
                assert!(greatest(output, ".rotations") >= EPOCHS, "{name}: {output}");
            }
            Says::Text => assert!(!output.is_empty(), "{name} says nothing"),
        }
    }
}

/// Every reader that can run here; says which cannot.
pub fn readers(scratch: &Scratch) -> Vec<Reader> {
    let binary = scratch.path("shmetrics");
    std::fs::copy(env!("CARGO_BIN_EXE_shmetrics"), &binary).unwrap();
    let of_binary = |name, before: &[&str], after, says| Reader {
        name,
        program: binary.clone(),
        before: before.iter().map(|&word| word.to_owned()).collect(),
        after,
        says,
    };
    let snapshot = |name, before: &[&str], says| {
        let before = [&["snapshot"], before].concat();
        of_binary(name, &before, &["--format", "json"], says)
    };
    let mut all = vec![
        snapshot("snapshot", &[], Says::Snapshots(1)),
        snapshot("snapshot --processes", &["--processes"], Says::PerProcess),
        snapshot("snapshot --cut", &["--cut"], Says::Snapshots(1)),
        snapshot("snapshot --window", &["--window", "1"], Says::Snapshots(1)),
        of_binary(
            "watch",
            &["watch"],
            &["--count", "2", "--interval", "100ms"],
            Says::Snapshots(2),
        ),
        of_binary("events", &["events"], &[], Says::Text),
        of_binary("inspect", &["inspect"], &["--format", "json"], Says::Processes),
        of_binary("inspect --hex", &["inspect", "--hex"], &[], Says::Words),
        of_binary("verify", &["verify"], &[], Says::Text),
    ];
    if compiler::is_there(Language::C, "the reader in C") {
        let program = scratch.path("read");
        compiler::compile(
            Language::C,
            &["-std=c11", "-O2"],
            &compiler::root().join("examples/read.c"),
            &program,
        );
        all.push(Reader {
            name: "the reader in C",
            program,
            before: Vec::new(),
            after: &[],
            says: Says::Lines,
        });
    }
    all.extend(python(scratch));
    all
}

/// The greatest value that a listing of words has for this field.
fn greatest(output: &str, field: &str) -> u64 {
    let values = output
        .lines()
        .filter_map(|line| line.split_once(field)?.1.split_whitespace().next()?.parse().ok());
    values.max().unwrap_or(0)
}

/// The reader in Python, by the interpreter that every user can run; plainly, and with all that it can be asked.
fn python(scratch: &Scratch) -> Vec<Reader> {
    let interpreter = PathBuf::from("/usr/bin/python3");
    let source = compiler::root().join("tests/conformance/read_segment.py");
    if !interpreter.exists() {
        skip(&format!(
            "the reader in Python: there is no interpreter {}",
            interpreter.display()
        ));
        return Vec::new();
    }
    let script = scratch.path("read_segment.py");
    std::fs::copy(&source, &script).unwrap();
    // The modules beside it.
    let modules = scratch.path("segment_reader");
    std::fs::create_dir_all(&modules).unwrap();
    for entry in std::fs::read_dir(source.with_file_name("segment_reader")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), modules.join(entry.file_name())).unwrap();
        }
    }
    // No cache of compiled modules beside the script.
    let before = vec!["-B".to_owned(), script.to_str().unwrap().to_owned()];
    let python = |name, after, says| Reader {
        name,
        program: interpreter.clone(),
        before: before.clone(),
        after,
        says,
    };
    vec![
        python("the reader in Python", &[], Says::Snapshots(1)),
        python("the reader in Python, --events", &["--events"], Says::Text),
        python(
            "the reader in Python, --processes --cut",
            &["--processes", "--cut"],
            Says::PerProcess,
        ),
        python(
            "the reader in Python, --processes",
            &["--processes", "--window", "1"],
            Says::PerProcess,
        ),
    ]
}

/// How a reader ended; no code if by a signal.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub output: String,
    /// For messages.
    #[allow(dead_code)]
    pub errors: String,
}

/// Runs a reader to its end, with nothing in its environment.
pub fn run(mut command: Command) -> Ended {
    command
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .current_dir("/");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = Worker(command.spawn().unwrap());
    // Read beside, so that no pipe fills up.
    let (output, errors) = (child.0.stdout.take().unwrap(), child.0.stderr.take().unwrap());
    let (output, errors) = (
        std::thread::spawn(move || std::io::read_to_string(output).unwrap()),
        std::thread::spawn(move || std::io::read_to_string(errors).unwrap()),
    );
    let status = poll("the end of a reader", || child.0.try_wait().unwrap());
    Ended {
        code: status.code(),
        output: output.join().unwrap(),
        errors: errors.join().unwrap(),
    }
}
