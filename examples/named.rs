//! Numbers by name in some worker processes, and what they say together. `cargo run --example named --features stats`
//!
//! Three workers serve pages: each counts them, measures how long they take, and says how many connections it has. The parent reads
//! while they work, kills one, and reads again: nothing that was counted is gone. With the binary, at the same time or later:
//!
//! ```text
//! shmetrics text PATH
//! shmetrics serve PATH --web.listen-address 127.0.0.1:7828    and then    curl localhost:7828/stats
//! ```

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use shmetrics::snapshot::Number;
use shmetrics::stats::named::{Report, Stats};
use shmetrics::{Reader, Segment};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn worker(path: &str) -> Result<()> {
    let segment = Segment::open_or_create(path)?;
    let stats = Stats::new(&segment);
    stats.set("connections open", 1);
    for page in 0u32.. {
        let start = Instant::now();
        std::thread::sleep(Duration::from_micros(200 + 10 * u64::from(page % 50)));
        stats.inc("pages served");
        stats.incr("bytes sent", 1500 + page % 7);
        stats.record("page time {0} ms", start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(())
}

fn served(reader: &mut Reader) -> Result<i64> {
    let figures = Report::new().figures(&reader.snapshot()?);
    let pages = figures.iter().find(|(name, _)| name == "pages served");
    Ok(match pages {
        Some((_, Number::I64(pages))) => *pages,
        _ => 0,
    })
}

fn wait_until_served(reader: &mut Reader, pages: i64) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(30);
    while served(reader)? < pages {
        if Instant::now() > end {
            return Err("the workers do not work".into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    if let (Some("--worker"), Some(path)) = (arguments.next().as_deref(), arguments.next()) {
        return worker(&path);
    }
    let path = std::env::temp_dir().join(format!("shmetrics-example-named-{}", std::process::id()));
    let place = path.display().to_string();
    let segment = Segment::open_or_create(&place)?;
    let this = std::env::current_exe()?;
    let spawn = |_| Command::new(&this).args(["--worker", &place]).spawn();
    let mut workers: Vec<Child> = (0..3).map(spawn).collect::<std::io::Result<_>>()?;
    let mut reader = Reader::open(&place)?;
    wait_until_served(&mut reader, 300)?;
    workers[0].kill()?;
    workers[0].wait()?;
    let before = served(&mut reader)?;
    wait_until_served(&mut reader, before + 300)?;
    // Who lives is asked for now and then, as it costs system calls.
    reader.refresh_owners()?;
    let snapshot = reader.snapshot()?;
    print!("{}", Report::new().text(&snapshot));
    println!("{}", Report::new().json(&snapshot));
    for worker in &mut workers[1..] {
        worker.kill()?;
        worker.wait()?;
    }
    drop(segment);
    std::fs::remove_file(&path)?;
    Ok(())
}
