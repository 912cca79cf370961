//! A sidecar: reads a segment once a second and prints a line per series. It maps the file read-only and never disturbs a worker.
//!
//! ```text
//! cargo run --release --example sidecar -- app                              # until Ctrl-C
//! cargo run --release --example sidecar -- /dev/shm/app --count 5           # five times
//! cargo run --release --example sidecar -- app --interval-ms 100
//! ```
//!
//! It may be started before the first worker, and follows its name: when the segment is retired, or another file has taken its place,
//! it opens the name again.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use shmetrics::{OpenError, Reader, Snapshot, Value};

struct Options {
    place: String,
    /// `None`: for ever.
    count: Option<u64>,
    interval: Duration,
}

fn main() -> ExitCode {
    let Some(options) = parse() else {
        eprintln!("usage: sidecar NAME|PATH [--count N] [--interval-ms MS]");
        return ExitCode::from(2);
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sidecar: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse() -> Option<Options> {
    let mut arguments = std::env::args().skip(1);
    let mut options = Options {
        place: arguments.next()?,
        count: None,
        interval: Duration::from_secs(1),
    };
    while let Some(option) = arguments.next() {
        let number = arguments.next()?.parse().ok()?;
        match option.as_str() {
            "--count" => options.count = Some(number),
            "--interval-ms" => options.interval = Duration::from_millis(number),
            _ => return None,
        }
    }
    Some(options)
}

fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let mut reader: Option<Reader> = None;
    // Reused: once it is warm, taking a snapshot allocates nothing.
    let mut snapshot = Snapshot::default();
    let mut round = 0;
    while options.count.is_none_or(|count| round < count) {
        if round > 0 {
            std::thread::sleep(options.interval);
        }
        round += 1;
        reader = reader.filter(|reader| !reader.replaced());
        // Liveness is a step of its own, since it asks the kernel; without it gauges of dead workers would stay.
        if reader
            .as_mut()
            .is_some_and(|reader| reader.refresh_owners().is_err())
        {
            // Cut short under us: whoever did that will make a new one.
            reader = None;
        }
        if reader.is_none() {
            reader = open(&options.place)?;
        }
        let Some(reader) = &mut reader else {
            continue;
        };
        reader.snapshot_into(&mut snapshot)?;
        match print(&snapshot) {
            // Whoever read this has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            printed => printed?,
        }
    }
    Ok(())
}

/// Opens the segment; `None`: there is none yet.
fn open(place: &str) -> Result<Option<Reader>, OpenError> {
    match Reader::open(place) {
        Ok(reader) => Ok(Some(reader)),
        Err(OpenError::NotFound { .. } | OpenError::Retired { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn print(snapshot: &Snapshot) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for series in &snapshot.series {
        let description = &series.description;
        // Names and labels are any text: escaped, they cannot steer a terminal.
        write!(out, "{}", description.name.escape_debug())?;
        for (number, (name, value)) in description.labels.iter().enumerate() {
            let opening = if number == 0 { '{' } else { ',' };
            write!(out, "{opening}{}={value:?}", name.escape_debug())?;
        }
        if !description.labels.is_empty() {
            write!(out, "}}")?;
        }
        match &series.value {
            Value::CounterU64(value) => writeln!(out, " {value}")?,
            Value::CounterF64(value) => writeln!(out, " {value}")?,
            Value::GaugeI64(Some(value)) => writeln!(out, " {value}")?,
            Value::GaugeF64(Some(value)) => writeln!(out, " {value}")?,
            Value::GaugeI64(None) | Value::GaugeF64(None) => writeln!(out, " -")?,
            Value::Each(values) => {
                for value in values {
                    write!(out, " {}={:?}", value.role.escape_debug(), value.value)?;
                }
                writeln!(out)?;
            }
            Value::Histogram(histogram) => {
                write!(out, " count {} sum {:.6}", histogram.count, histogram.sum)?;
                for q in [0.5, 0.99] {
                    if let Some(value) = histogram.quantile(q) {
                        write!(out, " p{} {value:.9}", q * 100.0)?;
                    }
                }
                writeln!(out)?;
            }
            // More kinds may come.
            other => writeln!(out, " {other:?}")?,
        }
    }
    out.flush()
}
