//! `watch`: snapshots with rates, again and again. With `--output` it is the sidecar that exports JSON.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use shmetrics::snapshot::{ReaderHealth, Series};
use shmetrics::{OpenError, ReadError, Reader, Snapshot, Value};

use crate::cli::Watch;
use crate::exit::{Failure, io_failure};
use crate::format::json::{self, Rate};
use crate::signals::Stop;
use crate::{discover, glob, terminal};

/// A process that is stuck in a pipe nobody empties ends so long after it was told to.
const GRACE: Duration = Duration::from_secs(1);

pub(crate) fn run(flags: &Watch) -> Result<(), Failure> {
    let stop = Stop::install(Some(GRACE))?;
    let mut source = Source::open(flags)?;
    let mut written = 0;
    let mut due = Instant::now();
    loop {
        if let Some(text) = source.next(flags)? {
            match &flags.output {
                Some(path) => replace(path, &text)?,
                None => terminal::print(&text)?,
            }
            written += 1;
            if flags.count.is_some_and(|count| written >= count) {
                return Ok(());
            }
        }
        // From due time to due time, so that intervals do not drift; what was missed is left out.
        due = (due + flags.interval).max(Instant::now());
        if stop.wait_until(due) {
            return Ok(());
        }
    }
}

/// The segment at a place, whichever it is at the moment.
struct Source {
    place: OsString,
    /// `None`: there is none at the moment.
    reader: Option<Reader>,
    /// How the readers fared so far that were opened; `None`: there was none yet.
    health: Option<ReaderHealth>,
    now: Snapshot,
    before: Snapshot,
    /// Is `before` an earlier state of the same segment?
    has_before: bool,
}

impl Source {
    fn open(flags: &Watch) -> Result<Source, Failure> {
        let place = flags.path.as_deref();
        let reader = match discover::open_reader(place) {
            Ok(reader) => Some(reader),
            Err(Failure::Input(_)) if flags.wait => None,
            Err(failure) => return Err(failure),
        };
        let place: &OsStr = match (place, &reader) {
            (Some(place), _) => place,
            (None, Some(reader)) => reader.path().as_os_str(),
            (None, None) => OsStr::new(""),
        };
        let place = place.to_owned();
        if reader.is_none() {
            say_waiting(&place);
        }
        let (now, before) = (Snapshot::default(), Snapshot::default());
        Ok(Source {
            place,
            reader,
            health: None,
            now,
            before,
            has_before: false,
        })
    }

    /// The next line; `None` as long as there is no segment.
    fn next(&mut self, flags: &Watch) -> Result<Option<String>, Failure> {
        self.attach()?;
        let Some(reader) = &mut self.reader else {
            return Ok(None);
        };
        std::mem::swap(&mut self.now, &mut self.before);
        let now = &mut self.now;
        match reader.refresh_owners().and_then(|()| reader.snapshot_into(now)) {
            Ok(()) => {}
            // It became another file, or none: the next attempt tells.
            Err(ReadError::Truncated { .. } | ReadError::Lost { .. }) => {
                self.detach();
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        }
        self.health = Some(reader.health());
        let earlier = std::mem::replace(&mut self.has_before, true).then_some(&self.before);
        let chosen = flags.series.as_ref().map(|pattern| {
            let mut chosen = self.now.clone();
            glob::choose(&mut chosen, pattern);
            chosen
        });
        let shown = chosen.as_ref().unwrap_or(&self.now);
        let (rates, interval) = rates(shown, earlier);
        json::watch_line(shown, &rates, interval).map(Some)
    }

    /// Opens the segment that is at the place now, unless it is the one that is open.
    fn attach(&mut self) -> Result<(), Failure> {
        if self.reader.as_ref().is_some_and(|reader| !reader.replaced()) {
            return Ok(());
        }
        match discover::open_place(&self.place) {
            Ok(mut reader) => {
                if let Some(before) = self.health {
                    reader.follow(before);
                }
                self.reader = Some(reader);
                self.has_before = false;
                Ok(())
            }
            // Gone, or being made: it will be there.
            Err(
                OpenError::NotFound { .. }
                | OpenError::MissingFolder { .. }
                | OpenError::Layout { .. }
                | OpenError::Lost { .. },
            ) => {
                self.detach();
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn detach(&mut self) {
        self.has_before = false;
        if self.reader.take().is_some() {
            say_waiting(&self.place);
        }
    }
}

fn say_waiting(place: &OsStr) {
    terminal::say(&format!(
        "shmetrics: there is no segment at {}; waiting for one",
        place.display()
    ));
}

/// The rate of each series of `now`, and the time since `before`.
fn rates(now: &Snapshot, before: Option<&Snapshot>) -> (Vec<Rate>, Option<f64>) {
    let seconds = before.map(|before| {
        now.taken_at_monotonic_ns
            .saturating_sub(before.taken_at_monotonic_ns) as f64
            / 1e9
    });
    // Snapshots share descriptions; one that is new, or another start, means that the count started anew.
    let identity = |series: &Series| (Arc::as_ptr(&series.description), series.since_ns);
    let known: HashMap<_, &Value> = before
        .iter()
        .flat_map(|before| &before.series)
        .map(|series| (identity(series), &series.value))
        .collect();
    let rate = |series: &Series| {
        let before = known.get(&identity(series)).copied();
        let gained = match (&series.value, before) {
            (Value::CounterU64(now), Some(Value::CounterU64(before))) => {
                Some(now.wrapping_sub(*before) as f64)
            }
            (Value::CounterF64(now), Some(Value::CounterF64(before))) => Some(now - before),
            (Value::Histogram(now), Some(Value::Histogram(before))) => {
                Some(now.count.wrapping_sub(before.count) as f64)
            }
            (Value::Events(now), Some(Value::Events(before))) => {
                Some(now.written.wrapping_sub(before.written) as f64)
            }
            (Value::CounterU64(_) | Value::CounterF64(_) | Value::Histogram(_) | Value::Events(_), _) => None,
            _ => return Rate::Never,
        };
        let seconds = seconds.filter(|seconds| *seconds > 0.0);
        Rate::PerSecond(gained.zip(seconds).map(|(gained, seconds)| gained / seconds))
    };
    (now.series.iter().map(rate).collect(), seconds)
}

/// Puts the text in place of the file: whoever opens it sees the old text or the new, whole.
fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let temporary = temporary_beside(path);
    let write = || {
        // Left by one of our pid that was killed.
        let _ = std::fs::remove_file(&temporary);
        let mut file: File = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(&temporary)?;
        // Whatever the umask.
        file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
        file.write_all(text.as_bytes())?;
        std::fs::rename(&temporary, path)
    };
    write().map_err(|error| {
        let _ = std::fs::remove_file(&temporary);
        io_failure(
            &format!("write {}", path.display()),
            &error,
            "give a file in a writable folder",
        )
    })
}

fn temporary_beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or(OsStr::new("shmetrics")));
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}
