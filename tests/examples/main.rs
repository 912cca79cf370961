//! The examples run, and what they count is compared with what was really done: a worker with its sidecar; tasks of an asynchronous runtime;
//! services of several processes, some of which are killed. A forked HTTP server against its clients: `prefork`.
//!
//! `cargo test` builds the examples before it runs this; `cargo test --test examples` alone does not.

mod prefork;
#[path = "../support/mod.rs"]
mod support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use shmetrics::Segment;
use support::*;

/// An example at work, and the lines it has printed so far.
struct Program {
    process: Worker,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Program {
    fn start(name: &str, arguments: &[&str]) -> Program {
        let tests = std::env::current_exe().unwrap();
        let binary = tests.ancestors().nth(2).unwrap().join("examples").join(name);
        assert!(
            binary.exists(),
            "{} is not built: run `cargo build --examples`, or `cargo test` without --test",
            binary.display()
        );
        let mut child = Command::new(binary)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let output = BufReader::new(child.stdout.take().unwrap());
        let kept = Arc::clone(&lines);
        // Ends with the program and its children, which have the other end of the pipe.
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        let process = Worker(child);
        Program { process, lines }
    }

    /// What follows `prefix` in each line that begins with it.
    fn after(&self, prefix: &str) -> Vec<String> {
        let lines = self.lines.lock().unwrap();
        lines
            .iter()
            .filter_map(|line| Some(line.strip_prefix(prefix)?.to_owned()))
            .collect()
    }

    fn wait_for_line(&self, line: &str) {
        poll(line, || {
            self.lines.lock().unwrap().iter().any(|l| l == line).then_some(())
        });
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process.0), signal).unwrap();
    }
}

#[test]
fn a_sidecar_prints_exactly_what_workers_count_and_follows_the_name() {
    let scratch = Scratch::new("sidecar");
    let path = scratch.path("segment");
    let place = path.to_str().unwrap();
    let work = |count: u64| Program::start("worker", &[place, "--count", &count.to_string()]);
    // Before there is a segment.
    let mut sidecar = Program::start("sidecar", &[place, "--interval-ms", "5"]);
    let (mut first, mut second) = (work(30_000), work(70_000));
    first.process.finish();
    second.process.finish();
    assert_eq!(first.after("counted "), ["30000"]);
    sidecar.wait_for_line("requests_total 100000");
    sidecar.wait_for_line("results_total{result=\"ok\"} 99000");
    sidecar.wait_for_line("results_total{result=\"error\"} 1000");
    sidecar.wait_for_line("queue_depth -");
    poll("the histogram", || {
        let lines = sidecar.after("request_duration_seconds count ");
        lines
            .iter()
            .any(|line| line.starts_with("100000 sum "))
            .then_some(())
    });
    // Another segment under the same name.
    Segment::open(place).unwrap().retire().unwrap();
    work(7).process.finish();
    sidecar.wait_for_line("requests_total 7");
    assert!(sidecar.process.0.try_wait().unwrap().is_none(), "it goes on");
    sidecar.process.kill();
    let mut once = Program::start("sidecar", &[place, "--count", "1"]);
    once.process.finish();
    once.wait_for_line("requests_total 7");
}

#[test]
fn a_worker_works_for_a_time() {
    let scratch = Scratch::new("worker");
    let path = scratch.path("segment");
    let mut worker = Program::start("worker", &[path.to_str().unwrap(), "--seconds", "1"]);
    worker.process.finish();
    let counted = poll("its count", || {
        worker.after("counted ").first()?.parse::<u64>().ok()
    });
    assert!(counted > 0);
    check_worker(&path, counted);
}

fn check_worker(path: &Path, counted: u64) {
    let snapshot = snapshot(path);
    assert_eq!(counter(&snapshot, "requests_total", &[]), counted);
    assert_eq!(histogram(&snapshot, "request_duration_seconds").0, counted);
}

#[cfg(feature = "stats")]
#[test]
fn numbers_by_name_outlive_a_worker_that_is_killed() {
    let mut program = Program::start("named", &[]);
    program.process.finish();
    let pages = poll("what was served", || {
        program.after("pages served: ").first()?.parse::<u64>().ok()
    });
    assert!(pages >= 600, "{pages}");
    assert_eq!(
        program.after("connections open: "),
        ["2.0"],
        "the gauge of the one that was killed does not count"
    );
    assert_eq!(program.after("page time 95th ms: ").len(), 1);
    let json: serde_json::Value =
        serde_json::from_str(&format!("{{\"stats\": {}", program.after("{\"stats\": ")[0])).unwrap();
    assert!(json["stats"]["bytes sent"].as_u64().unwrap() >= 600 * 1500);
}

#[test]
fn tasks_of_an_asynchronous_runtime_count_exactly() {
    let scratch = Scratch::new("tokio");
    let path = scratch.path("segment");
    // Twice: the second run finds a used segment.
    for _ in 0..2 {
        let mut program = Program::start("tokio", &[path.to_str().unwrap()]);
        program.process.finish();
        program.wait_for_line("expected 100000, counted 100000, recorded 100000");
    }
    let snapshot = snapshot(&path);
    assert_eq!(counter(&snapshot, "steps_total", &[]), 200_000);
    assert_eq!(histogram(&snapshot, "step_duration_seconds").0, 200_000);
}

#[cfg(feature = "stats")]
#[test]
fn a_service_tells_the_health_of_all_its_processes() {
    let scratch = Scratch::new("example-runtime");
    let path = scratch.path("segment");
    let mut program = Program::start("runtime", &[path.to_str().unwrap(), "3"]);
    program.process.finish();
    program.wait_for_line("Ready: HTTP 200");
    let health = format!("{{{}", program.after("{")[0]);
    let health: serde_json::Value = serde_json::from_str(&health).unwrap();
    assert_eq!(health["status"], "Healthy");
    assert_eq!(health["requestsServed"], 3001);
    assert_eq!(health["requestsByPath"]["/api/health"], 1003);
    // 333 of each kind, of three values and of one.
    assert_eq!(health["configResponsesServed"], 3 * 666);
    assert_eq!(health["configValuesServed"], 3 * 333 * 4);
    assert_eq!(health["configResponsesByTarget"]["web"], 3 * 666);
    assert_eq!(health["configLoadCount"], 3);
}

#[cfg(feature = "stats")]
#[test]
fn a_crawl_goes_on_in_another_segment_and_nobody_who_was_killed_took_anything_along() {
    let scratch = Scratch::new("example-requests");
    let folder = scratch.path("crawl");
    let mut program = Program::start("requests", &[folder.to_str().unwrap(), "2"]);
    program.process.finish();
    assert_eq!(program.after("Current request statistics:").len(), 1);
    assert_eq!(program.after("Final request statistics:").len(), 1);
    assert_eq!(
        program.after("Error analysis: "),
        ["total_errors=180 unique_errors=2"]
    );
    let state = format!("{{{}", program.after("{")[0]);
    let state: serde_json::Value = serde_json::from_str(&state).unwrap();
    assert_eq!(state["requestsFinished"], 2 * 270);
    assert_eq!(state["requestsFailed"], 2 * 30);
    assert_eq!(
        state["requestRetryHistogram"],
        serde_json::json!([2 * 240, 2 * 60])
    );
    assert_eq!(state["requestsWithStatusCode"]["503"], 2 * 60);
    assert_eq!(state["browserRuns"], 2 * 300);
    // Whoever runs it again goes on there.
    assert!(!folder.join("segment").exists());
    assert!(
        folder
            .join("records/default/SDK_CRAWLER_STATISTICS_news.json")
            .exists()
    );
}

#[cfg(feature = "stats")]
#[test]
fn a_monitored_service_is_ill_and_well_again_and_does_not_wait_for_the_dead() {
    let scratch = Scratch::new("example-health");
    let path = scratch.path("segment");
    let mut program = Program::start("health", &[path.to_str().unwrap(), "2"]);
    program.process.finish();
    assert_eq!(program.after("waiting: "), ["TimedOut { in_flight: 2 }", "Idle"]);
    assert_eq!(program.after("HTTP "), ["503, exit code 1", "200, exit code 0"]);
    let told: Vec<serde_json::Value> = program
        .after("{")
        .iter()
        .map(|line| serde_json::from_str(&format!("{{{line}")).unwrap())
        .collect();
    assert_eq!(
        (&told[0]["healthy"], &told[1]["healthy"]),
        (&false.into(), &true.into())
    );
    let tasks = &told[1]["tasks"];
    assert_eq!(
        (&tasks["started"], &tasks["completed"]),
        (&202.into(), &200.into())
    );
    assert_eq!((&tasks["in_flight"], &tasks["lost"]), (&0.into(), &2.into()));
    assert_eq!(
        (&told[0]["tasks"]["threads"], &tasks["threads"]),
        (&12.into(), &4.into())
    );
    assert_eq!(told[1]["info"]["model_version"], 7.0);
    assert_eq!(told[1]["averages"][0]["last_100"], 1500.0);
}

#[test]
fn wrong_usage_is_said_and_is_no_panic() {
    for name in ["prefork", "worker", "sidecar", "tokio"] {
        let mut program = Program::start(name, &[]);
        let status = poll("its end", || program.process.0.try_wait().unwrap());
        assert_eq!(status.code(), Some(2), "{name}");
    }
}
