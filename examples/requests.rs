//! A crawl of several processes, one of which is killed, and which goes on in another segment where the first one ended.
//!
//! ```text
//! cargo run --example requests --features stats [FOLDER [WORKERS]]
//! ```
//!
//! The workers take pages from one list. Some pages have to be tried again; whoever comes next does that. In the end the record of the crawl
//! is restored into a new segment, as after a move to another machine.

use std::error::Error;
use std::io;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use shmetrics::Segment;
use shmetrics::stats::requests::{Builder, ErrorReport, ErrorStage, FolderStore, Persistence, Requests};

/// Pages of each worker.
const PAGES: usize = 300;

/// What all processes of the crawl say of it.
fn crawl<'s>(segment: &'s Segment, folder: &Path) -> Builder<'s> {
    Requests::builder(segment)
        .instance("news")
        .extra("browserRuns")
        .persistence(Persistence::Enabled)
        .store(FolderStore::new(folder.join("records")))
}

fn page(requests: &Requests, url: &str, answer: u16) {
    let attempt = requests.start(url);
    requests.register_status_code(answer);
    match answer {
        200 => drop(requests.finish(attempt)),
        503 => {
            let error = ErrorReport::new("Unavailable", "the server is busy").at("requests.rs:42");
            requests.record_error(ErrorStage::Retried, &error);
            requests.retry_later(attempt);
            page(requests, url, 200);
        }
        _ => {
            requests.record_error(ErrorStage::Final, &ErrorReport::new("NotFound", "no such page"));
            requests.fail(attempt);
        }
    }
}

fn worker(folder: &Path, name: &str) -> Result<(), Box<dyn Error>> {
    let segment = Segment::open(&folder.join("segment").to_string_lossy())?;
    let requests = crawl(&segment, folder).without_log().enter()?;
    let browser = requests.extra("browserRuns");
    for number in 0..PAGES {
        let answer = match number % 10 {
            0 => 404,
            1 | 2 => 503,
            _ => 200,
        };
        page(
            &requests,
            &format!("https://example.org/{name}/{}", number % 10),
            answer,
        );
        if let Some(browser) = browser {
            browser.inc();
        }
    }
    if name == "0" {
        // As if it were killed: nothing is left, saved or flushed.
        std::process::abort();
    }
    requests.leave()?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, folder, name] = &arguments[..]
        && command == "--worker"
    {
        return worker(Path::new(folder), name);
    }
    let own = std::env::temp_dir().join(format!("shmetrics-requests-{}", std::process::id()));
    let folder = arguments.first().map_or(own.clone(), |folder| folder.into());
    let workers: usize = arguments.get(1).map_or(Ok(3), |number| number.parse())?;
    std::fs::create_dir_all(&folder)?;

    let place = folder.join("segment");
    let segment = Segment::open_or_create(&place.to_string_lossy())?;
    let builder = crawl(&segment, &folder).log_message("Current request statistics:");
    let requests = builder
        .log_interval(Duration::from_secs(60))
        .log_writer(io::stdout())
        .enter()?;
    let program = std::env::current_exe()?;
    let start = |number: usize| -> io::Result<Child> {
        let mut command = Command::new(&program);
        command
            .arg("--worker")
            .arg(&folder)
            .arg(number.to_string())
            .spawn()
    };
    let children: Vec<Child> = (0..workers).map(start).collect::<Result<_, _>>()?;
    for mut child in children {
        child.wait()?;
    }
    requests.leave()?;
    // The segment goes, the record stays.
    segment.retire()?;

    let segment = Segment::open_or_create(&folder.join("moved").to_string_lossy())?;
    let requests = crawl(&segment, &folder).without_log().enter()?;
    println!("{}", requests.json()?);
    requests.leave()?;
    segment.retire()?;
    if arguments.is_empty() {
        std::fs::remove_dir_all(&own)?;
    }
    Ok(())
}
