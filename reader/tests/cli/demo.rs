//! `demo`: the main job, with kills; it leaves nothing behind; and it fails when a number is wrong.

use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;
use serde_json::Value as Json;
use shmetrics::Segment;

use super::support::*;

/// Total of all workers, of which each did at least `least`.
fn total(snapshot: &Json, workers: usize, least: u64) -> u64 {
    let all = snapshot["series"].as_array().unwrap();
    let totals: Vec<u64> = all
        .iter()
        .filter(|series| series["name"] == "demo_operations_total")
        .map(|series| series["value"].as_u64().unwrap())
        .collect();
    assert_eq!(totals.len(), workers);
    assert!(
        totals.iter().all(|total| (least..least + 10).contains(total)),
        "{totals:?}"
    );
    totals.iter().sum()
}

fn temporary_segment(demo: u32) -> String {
    format!("/dev/shm/shmetrics-demo-{demo}")
}

#[test]
fn every_number_is_right_although_workers_are_killed() {
    let folder = Folder::new();
    let flags = [
        "--workers",
        "4",
        "--threads",
        "4",
        "--increments",
        "100000",
        "--record",
        "--kill",
        "4",
        "--seed",
        "7",
    ];
    let mut command = folder.command(&["demo"]);
    command.args(flags).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running(command.spawn().unwrap());
    let (stdout, stderr) = (running.0.stdout.take().unwrap(), running.0.stderr.take().unwrap());
    let stderr = std::thread::spawn(move || text(stderr));
    let snapshot: Json = serde_json::from_str(&text(stdout)).unwrap();
    let stderr = stderr.join().unwrap();
    assert_eq!(running.code(), 0, "{stderr}");
    assert!(total(&snapshot, 4, 400_000) >= 1_600_000);
    let histogram = series(&snapshot, "demo_operation_duration_seconds");
    let count = histogram["count"].as_u64().unwrap();
    assert!((1_600_000..=1_600_016).contains(&count), "{count}");
    assert_eq!(histogram["quality"], "exact");
    for says in [
        "lost 0",
        "4 killed with SIGKILL, 4 restarted",
        "seed 7",
        "none went down",
    ] {
        assert!(stderr.contains(says), "{says}: {stderr}");
    }
    // No progress where there is no terminal.
    assert!(!stderr.contains('\r') && !stderr.contains('\x1b'), "{stderr}");
    assert!(!Path::new(&temporary_segment(running.0.id())).exists());
}

#[test]
fn the_smallest_demos_work_too() {
    let folder = Folder::new();
    for increments in ["1", "2", "10", "11"] {
        for record in [&[][..], &["--record"]] {
            let mut command = folder.command(&[
                "demo",
                "--workers",
                "2",
                "--threads",
                "3",
                "--increments",
                increments,
            ]);
            let ended = finish({
                command.args(record);
                command
            });
            assert_eq!(ended.code, 0, "{ended:?}");
            assert!(ended.stderr.contains("2 killed"), "{ended:?}");
        }
    }
    let ended = folder.run(&["demo", "--kill", "0", "--increments", "1000"]);
    assert!(ended.code == 0 && !ended.stderr.contains("killed"), "{ended:?}");
}

#[test]
fn a_segment_of_the_users_is_left_and_counted_on() {
    let folder = Folder::new();
    let path = folder.path("own");
    for round in 1..=3u64 {
        let snapshot = folder.json(&["demo", "--increments", "20000", "--record", "--segment", &path]);
        let total = total(&snapshot, 4, round * 40_000);
        assert!(total >= round * 160_000);
    }
    assert_eq!(folder.run(&["retire", &path]).code, 0);
}

#[test]
fn posix_shared_memory_works_and_is_left() {
    let folder = Folder::new();
    let place = format!("shm:shmetrics-cli-test-{}", std::process::id());
    let file = Path::new("/dev/shm").join(&place[4..]);
    let ended = folder.run(&["demo", "--increments", "20000", "--segment", &place]);
    let read = folder.run(&["snapshot", &place]);
    let retired = folder.run(&["retire", &place]);
    let left = file.exists();
    let _ = std::fs::remove_file(&file);
    assert_eq!(
        (ended.code, read.code, retired.code, left),
        (0, 0, 0, false),
        "{ended:?} {read:?} {retired:?}"
    );
    assert!(total(&serde_json::from_str(&read.stdout).unwrap(), 4, 40_000) >= 160_000);
}

#[test]
fn keep_leaves_the_segment_and_wants_a_new_one() {
    let folder = Folder::new();
    let path = folder.path("kept");
    let arguments = [
        "demo",
        "--increments",
        "5000",
        "--keep",
        &path,
        "--format",
        "table",
    ];
    let ended = folder.run(&arguments);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(
        ended.stdout.contains("demo_operations_total{worker=\"0\"}") && ended.stderr.contains(&path),
        "{ended:?}"
    );
    total(&folder.json(&["snapshot", &path]), 4, 10_000);
    assert_refused(&folder.run(&arguments), "exists already");
}

/// The demo can fail: somebody else counts into its series.
#[test]
fn a_wrong_number_is_found() {
    let folder = Folder::new();
    let path = folder.path("app");
    let segment = Segment::options().create_at(&path).unwrap();
    let counter = segment
        .counter("demo_operations_total")
        .label("worker", "1")
        .register()
        .unwrap();
    let over = AtomicBool::new(false);
    let ended = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                counter.inc();
            }
        });
        let ended = folder.run(&["demo", "--increments", "100000", "--segment", &path]);
        over.store(true, Ordering::Relaxed);
        ended
    });
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(
        ended.stderr.starts_with("shmetrics: ") && ended.stderr.contains("worker"),
        "{ended:?}"
    );
    assert!(serde_json::from_str::<Json>(&ended.stdout).is_ok());
}

/// Processes whose command line has this text.
fn processes_with(text: &str) -> usize {
    let mentions = |entry: std::fs::DirEntry| {
        std::fs::read(entry.path().join("cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(text))
    };
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .map(mentions)
        .filter(|found| *found)
        .count()
}

#[test]
fn a_demo_that_is_stopped_or_killed_leaves_no_worker() {
    let folder = Folder::new();
    for (signal, code) in [
        (Signal::INT, Some(1)),
        (Signal::TERM, Some(1)),
        (Signal::KILL, None),
    ] {
        let mut command = folder.command(&["demo", "--increments", "1000000000000"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut running = Running(command.spawn().unwrap());
        let segment = temporary_segment(running.0.id());
        wait_for("four workers", || processes_with(&segment) == 4);
        running.signal(signal);
        match code {
            Some(code) => {
                assert_eq!(running.code(), code);
                assert!(!Path::new(&segment).exists());
            }
            // Nobody could remove the file.
            None => {
                running.0.wait().unwrap();
                std::fs::remove_file(&segment).unwrap();
            }
        }
        wait_for("the end of the workers", || processes_with(&segment) == 0);
    }
}

#[test]
fn a_worker_started_by_hand_says_what_it_is_for() {
    let folder = Folder::new();
    let worker = [
        "demo-worker",
        "--segment=x",
        "--parent=1",
        "--worker=0",
        "--process=0",
    ];
    let mut command = folder.command(&worker);
    command.args(["--threads=1", "--increments=1", "--processes=1"]);
    assert_refused(&finish(command), "shmetrics demo");
}
