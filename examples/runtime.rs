//! A service of several processes that tells its runtime metrics, and asks itself for its health as a load balancer would.
//!
//! ```text
//! cargo run --example runtime --features stats [PLACE [WORKERS]]
//! ```
//!
//! Each worker serves requests and configuration values, and ends. Then the health document of all of them together is printed, and
//! the program ends with the exit code of the ready document.

use std::error::Error;
use std::process::{Command, ExitCode};

use shmetrics::stats::runtime::{Options, Runtime, View, local_caller};
use shmetrics::{Reader, Segment};

/// Requests of each worker.
const REQUESTS: usize = 1000;
/// The configuration.
const KEYS: [&str; 3] = ["API_URL", "THEME", "LOCALE"];

fn worker(place: &str, role: &str) -> Result<(), Box<dyn Error>> {
    let segment = Segment::options().role(role).open_or_create(place)?;
    let runtime = Runtime::register(&segment, &Options::default().worker(role))?;
    runtime.record_config_load(KEYS.len() as u64);
    for number in 0..REQUESTS {
        match number % 3 {
            0 => runtime.record_request("/api/health"),
            1 => {
                runtime.record_request("/api/config/build-time");
                runtime.record_config_delivery("build-time", "web", KEYS, &local_caller("web"));
            }
            _ => {
                let key = KEYS[number % KEYS.len()];
                runtime.record_request("/api/config/run-time");
                runtime.record_config_delivery("run-time", "Web", [key], "principal-1");
            }
        }
    }
    Ok(())
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, place, role] = &arguments[..]
        && command == "--worker"
    {
        worker(place, role)?;
        return Ok(ExitCode::SUCCESS);
    }
    let place = arguments.first().map_or("runtime-example", String::as_str);
    let workers: usize = arguments.get(1).map_or(Ok(3), |number| number.parse())?;

    // The one that answers: it is alive, so the documents tell of its start and uptime.
    let segment = Segment::options().role("front").open_or_create(place)?;
    let runtime = Runtime::register(&segment, &Options::default())?;
    let program = std::env::current_exe()?;
    let start = |number: usize| {
        let role = format!("worker-{number}");
        Command::new(&program).args(["--worker", place, &role]).spawn()
    };
    let children: Vec<_> = (0..workers).map(start).collect::<Result<_, _>>()?;
    for mut child in children {
        child.wait()?;
    }

    // Somebody asks, and is counted.
    runtime.record_request("/api/health");
    let mut reader = Reader::open(place)?;
    reader.refresh_owners()?;
    let snapshot = reader.snapshot()?;
    let view = View::new(&snapshot);
    let health = view.health("example", Some(std::process::id()));
    println!("{}", serde_json::to_string(&health)?);
    let ready = view.ready("example", Some(std::process::id()), Some(KEYS.len() as u64));
    println!("{}: HTTP {}", ready.health.status, ready.status_code());
    if arguments.is_empty() {
        segment.retire()?;
    }
    Ok(ExitCode::from(ready.exit_code()))
}
