//! `prometheus_client` for Python, which has the multiprocess mode that this project is compared with. It runs as a program of its own,
//! `multiprocess.py`, in a virtual environment under the target folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::measure::Figures;
use crate::run::Run;

const PROGRAM: &str = include_str!("multiprocess.py");

/// A Python with the library, installed if need be, or why there is none.
pub fn find() -> Result<PathBuf, String> {
    let target = std::env::current_exe()
        .ok()
        .and_then(|program| program.ancestors().nth(2).map(Path::to_owned))
        .ok_or("the target folder is not known")?;
    let venv = target.join("peers-venv");
    let python = venv.join("bin/python");
    if !has_library(&python) {
        // What is there may be half of one.
        let _ = std::fs::remove_dir_all(&venv);
        succeeds(Command::new("python3").args(["-m", "venv"]).arg(&venv))
            .map_err(|error| format!("no virtual environment: {error}"))?;
        let mut pip = Command::new(venv.join("bin/pip"));
        succeeds(pip.args(["install", "--quiet", "prometheus_client>=0.22"]))
            .map_err(|error| format!("prometheus_client cannot be installed: {error}"))?;
    }
    if has_library(&python) {
        Ok(python)
    } else {
        Err("prometheus_client is not there".to_owned())
    }
}

fn has_library(python: &Path) -> bool {
    succeeds(Command::new(python).args(["-c", "import prometheus_client"])).is_ok()
}

fn succeeds(command: &mut Command) -> Result<(), String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.lines().last().unwrap_or("it failed").to_owned())
}

/// Its versions.
pub fn version(python: &Path) -> Option<String> {
    let program = "import platform, importlib.metadata as m; print(m.version('prometheus_client'), 'on Python', platform.python_version())";
    let output = Command::new(python).args(["-c", program]).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Lets `multiprocess.py` do something: names, and the numbers that it says of each.
pub fn ask(run: &Run, task: &[&str]) -> Result<Vec<Figures>, String> {
    let python = run.python.clone()?;
    let folder = run.scratch.file("multiprocess");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).map_err(|error| error.to_string())?;
    let output = Command::new(python)
        .args(["-c", PROGRAM])
        .arg(&folder)
        .args(task)
        .stdin(Stdio::null())
        .output();
    let _ = std::fs::remove_dir_all(&folder);
    let output = output.map_err(|error| error.to_string())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(said.lines().last().unwrap_or("it failed").to_owned());
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let figures = said.lines().filter_map(|line| {
        let mut parts = line.split(';');
        Some(Figures {
            name: parts.next()?.to_owned(),
            rounds: parts.filter_map(|part| part.parse().ok()).collect(),
        })
    });
    Ok(figures.collect())
}

/// Adds a row for `operation` to a table, and says so if there is none.
pub fn add(run: &mut Run, operation: &str, all: &mut Vec<Figures>) {
    let (rounds, times) = (run.settings.rounds, run.many(5000, 10));
    match ask(run, &["operations", &rounds.to_string(), &times.to_string()]) {
        Ok(figures) => all.extend(figures.into_iter().filter_map(|mut figures| {
            let mode = figures.name.strip_prefix(operation)?;
            let shown = match mode {
                "" | ", multiprocess" => format!(
                    "client_python{}",
                    if figures.name.ends_with("multiprocess") {
                        ", multiprocess"
                    } else {
                        ""
                    }
                ),
                _ => return None,
            };
            figures.name = shown;
            Some(figures)
        })),
        Err(reason) => run.report.skip(&format!("client_python: {reason}")),
    }
}
