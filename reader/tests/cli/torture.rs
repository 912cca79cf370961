//! `torture`: storms with a fixed seed find nothing wrong, a falsified number is found, and nothing is left behind.

use std::path::Path;
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::Value as Json;

use super::support::*;

fn happened(report: &Json, event: &str) -> u64 {
    let all = report["happened"].as_array().unwrap();
    let found = all.iter().find(|happened| happened["event"] == event);
    found.map_or(0, |happened| happened["times"].as_u64().unwrap())
}

/// What a storm may leave: its folder, and names that were raced for.
fn left_in_memory(storm: u32) -> Vec<String> {
    let name = format!("shmetrics-torture-{storm}");
    let files = std::fs::read_dir("/dev/shm").unwrap().flatten();
    files
        .map(|file| file.file_name().to_string_lossy().into_owned())
        .filter(|file| *file == name || file.starts_with(&format!("{name}-")))
        .collect()
}

/// Processes that bear the storm's folder in their command line.
fn processes_of(storm: u32) -> usize {
    let folder = format!("shmetrics-torture-{storm}\0");
    let mentions = |entry: std::fs::DirEntry| {
        std::fs::read(entry.path().join("cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(&folder))
    };
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.map(mentions).filter(|found| *found).count()
}

/// Runs a storm to its end: its exit code, its report, and what it said.
fn storm(arguments: &[&str]) -> (i32, Json, String) {
    let folder = Folder::new();
    let mut command = folder.command(&["torture", "--format", "json"]);
    command
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut running = Running(command.spawn().unwrap());
    let (stdout, stderr) = (running.0.stdout.take().unwrap(), running.0.stderr.take().unwrap());
    let stderr = std::thread::spawn(move || text(stderr));
    let (report, code) = (text(stdout), running.code());
    let report = serde_json::from_str(&report).unwrap_or_else(|error| panic!("{error}: {report}"));
    let pid = running.0.id();
    assert_eq!(left_in_memory(pid), [""; 0]);
    assert_eq!(processes_of(pid), 0);
    (code, report, stderr.join().unwrap())
}

#[test]
fn a_storm_of_everything_finds_nothing_wrong() {
    let (code, report, stderr) = storm(&["--seed", "1", "--duration", "5s"]);
    assert_eq!(
        (code, report["violations"].as_u64()),
        (0, Some(0)),
        "{report:#} {stderr}"
    );
    for event in ["kill", "fork", "clone", "close", "signal", "thread"] {
        assert!(happened(&report, event) > 0, "{event}: {report:#}");
    }
    for number in ["snapshots", "verified", "segments", "quiet_moments"] {
        assert!(report[number].as_u64().unwrap() > 0, "{number}: {report:#}");
    }
    let done = report["done"].as_array().unwrap();
    assert!(
        done.iter().all(|done| done["done"].as_u64().unwrap() > 0),
        "{report:#}"
    );
    // No progress where there is no terminal.
    assert!(!stderr.contains('\r'), "{stderr}");
}

#[test]
fn only_what_was_asked_for_happens_and_goals_are_reached() {
    let (code, report, stderr) = storm(&[
        "--seed",
        "2",
        "--only",
        "kill,fork",
        "--kills",
        "20",
        "--forks",
        "20",
    ]);
    assert_eq!(code, 0, "{report:#} {stderr}");
    assert!(
        happened(&report, "kill") >= 20 && happened(&report, "fork") > 0,
        "{report:#}"
    );
    assert!(report["children"].as_u64().unwrap() >= 20, "{report:#}");
    assert_eq!(report["happened"].as_array().unwrap().len(), 2, "{report:#}");
    assert_eq!(report["segments"], 1);
}

/// The storm can fail: workers note what they do not do, or do twice what they note once.
#[test]
fn a_falsified_tally_is_found() {
    // What is found, and whether it is at the end, too, when everything must be exact.
    let lies = [
        ("lose", "torture_events_total lost", true),
        ("double", "torture_events_total has", true),
        ("silent", "torture_told lost", true),
        // At the end only what is still in the rings can be found.
        ("disordered", "came after its event", false),
        // Who keeps a key is dead by then.
        ("kept", "torture_keys", false),
        ("twice", "an id was given twice", false),
        ("taken", "torture_balance", true),
    ];
    for (how, says, at_end) in lies {
        let (code, report, stderr) = storm(&["--seed", "3", "--duration", "1s", "--falsify", how]);
        assert_eq!(code, 1, "{report:#}");
        let details = report["details"].as_array().unwrap();
        let detail = |says: &str| {
            details
                .iter()
                .any(|detail| detail.as_str().unwrap().contains(says))
        };
        assert!(detail(says) && detail("seed 3, event "), "{how}: {report:#}");
        assert!(!at_end || detail("when nobody was alive"), "{how}: {report:#}");
        assert!(stderr.contains("(seed 3)"), "{stderr}");
    }
}

#[test]
fn a_storm_that_is_stopped_ends_cleanly_and_a_killed_one_leaves_no_process() {
    let folder = Folder::new();
    for (signal, code) in [(Signal::INT, Some(0)), (Signal::KILL, None)] {
        let mut command = folder.command(&["torture", "--duration", "10m", "--without", "race"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut running = Running(command.spawn().unwrap());
        let pid = running.0.id();
        wait_for("workers", || processes_of(pid) >= 4);
        running.signal(signal);
        match code {
            Some(code) => {
                assert_eq!(running.code(), code);
                assert_eq!(left_in_memory(pid), [""; 0]);
            }
            // Nobody could remove the folder.
            None => {
                running.0.wait().unwrap();
                std::fs::remove_dir_all(Path::new("/dev/shm").join(format!("shmetrics-torture-{pid}")))
                    .unwrap();
            }
        }
        wait_for("the end of the workers", || processes_of(pid) == 0);
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let folder = Folder::new();
    for (arguments, says) in [
        (&["--only", "kil"][..], "there is no event \"kil\""),
        (
            &["--without", "kill", "--kills", "3"],
            "--kills can never be reached",
        ),
        (
            &["--only", "kill", "--forks", "3"],
            "--forks can never be reached",
        ),
        (&["--workers", "0"], "see `shmetrics torture --help`"),
    ] {
        let mut command = folder.command(&["torture"]);
        command.args(arguments);
        assert_refused(&finish(command), says);
    }
}
