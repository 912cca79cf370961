//! A service of several processes that is monitored: its errors make it unhealthy, and it waits until nothing is in flight before it ends.
//!
//! ```text
//! cargo run --example health --features stats [PLACE [WORKERS]]
//! ```
//!
//! Each worker works on tasks, and one is killed in the middle of one. Then the health document of all of them together is printed twice:
//! while connections are refused, and when all is well again. The program ends with the exit code of the last one.

use std::error::Error;
use std::io::Read;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use shmetrics::stats::health::{Buckets, ErrorRule, Health, Key, Monitor, Options, View, Waited};
use shmetrics::{Reader, Segment};

/// Tasks of each worker.
const TASKS: usize = 100;

fn monitor(segment: &Segment) -> Result<Monitor, Box<dyn Error>> {
    let options = Options::default()
        .max_workers(4)
        .errors(
            ErrorRule::new("CONNECTION_ERROR")
                .fragments(["refused", "timed out"])
                .unhealthy(3),
        )
        .errors(ErrorRule::new("FATAL").fragments(["out of memory"]).unhealthy(1))
        .info("model_version", "Version of the model", 7.0);
    let monitor = Monitor::register(segment, &options)?;
    monitor.preregister(["Predict"]);
    Ok(monitor)
}

/// Works on its tasks. The last one it does not end: it says so, and waits to be killed.
fn worker(place: &str, role: &str) -> Result<(), Box<dyn Error>> {
    let segment = Segment::options().role(role).open_or_create(place)?;
    let monitor = monitor(&segment)?;
    let size = monitor.measure(&Key::parse("response_size___method__Predict")?, Buckets::Size)?;
    for number in 0..TASKS {
        let task = monitor.start_task(&format!("{role}-{number}"));
        monitor.record_request("Predict");
        match number % 10 {
            9 => _ = monitor.record_failure("Predict", "ValueError: no such feature"),
            _ => monitor.record_success("Predict"),
        }
        size.record(1500.0);
        monitor.end_task(task);
    }
    let _task = monitor.start_task(&format!("{role}-last"));
    println!("working");
    // Until it is killed, or the parent is gone.
    std::io::stdin().read_exact(&mut [0])?;
    Ok(())
}

fn health(place: &str) -> Result<Health, Box<dyn Error>> {
    let mut reader = Reader::open(place)?;
    reader.refresh_owners()?;
    let health = View::new(&reader.snapshot()?).health();
    println!("{}", serde_json::to_string(&health)?);
    println!("HTTP {}, exit code {}", health.status_code(), health.exit_code());
    Ok(health)
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, place, role] = &arguments[..]
        && command == "--worker"
    {
        worker(place, role)?;
        return Ok(ExitCode::SUCCESS);
    }
    let place = arguments.first().map_or("health-example", String::as_str);
    let workers: usize = arguments.get(1).map_or(Ok(2), |number| number.parse())?;

    let segment = Segment::options().role("front").open_or_create(place)?;
    let monitor = monitor(&segment)?;
    let program = std::env::current_exe()?;
    let start = |number: usize| {
        let role = format!("worker-{number}");
        let mut command = Command::new(&program);
        command.args(["--worker", place, &role]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
    };
    let mut children: Vec<Child> = (0..workers).map(start).collect::<Result<_, _>>()?;
    for child in &mut children {
        let mut said = [0; "working\n".len()];
        child.stdout.take().ok_or("no output")?.read_exact(&mut said)?;
    }
    // Three in a row.
    (0..3).for_each(|_| _ = monitor.record_failure("Predict", "Connection REFUSED"));
    health(place)?;
    println!("waiting: {:?}", monitor.wait_until_idle(Duration::ZERO)?);

    // The ends of their tasks are never reported; nobody waits for them.
    for child in &mut children {
        child.kill()?;
        child.wait()?;
    }
    monitor.record_success("Predict");
    let waited = monitor.wait_until_idle(Duration::from_secs(60))?;
    println!("waiting: {waited:?}");
    let health = health(place)?;
    if arguments.is_empty() {
        segment.retire()?;
    }
    Ok(match waited {
        Waited::Idle => ExitCode::from(health.exit_code()),
        _ => ExitCode::from(2),
    })
}
