//! The thread of a session: it logs at once and then every interval, saves, and gives signs of life.
//!
//! It ends when the session is left. Whatever fails in it is kept in the segment's error log, and it goes on.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::builder::{LogFormat, Persistence};
use super::gathered::Found;
use super::inner::{Inner, lock};
use super::{Figures, RequestsError};
use crate::sync::Relaxed;

/// Between two signs of life; at most so much run time is missing after a kill, and so long a request to save waits.
const PAUSE: Duration = Duration::from_millis(250);

pub(super) fn spawn(inner: &Arc<Inner>) -> io::Result<JoinHandle<()>> {
    let inner = Arc::clone(inner);
    std::thread::Builder::new()
        .name("shmetrics-stats".to_owned())
        .spawn(move || run(&inner))
}

fn run(inner: &Inner) {
    let mut next_log = Some(Instant::now());
    let mut next_save = Instant::now().checked_add(inner.settings.persist_interval);
    loop {
        inner.mark();
        if inner.persist_asked.swap(false, Relaxed) {
            save(inner);
        }
        if let Some(interval) = inner.settings.log_interval
            && is_due(&mut next_log, interval)
        {
            keep(inner, log(inner).map_err(|error| error.to_string()));
        }
        if inner.settings.persistence == Persistence::Enabled
            && is_due(&mut next_save, inner.settings.persist_interval)
        {
            save(inner);
        }
        let next = [next_log, next_save].into_iter().flatten().min();
        let left = next.map_or(PAUSE, |next| next.saturating_duration_since(Instant::now()));
        // At least a moment: an interval of zero shall not take a core.
        let pause = left.clamp(Duration::from_millis(1), PAUSE);
        let stop = inner.stop.lock().unwrap_or_else(PoisonError::into_inner);
        if *stop {
            return;
        }
        let waited = inner.wake.wait_timeout(stop, pause);
        let (stop, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if *stop {
            return;
        }
    }
}

/// Is it time? Then it is again after the interval; what was missed is not made up for.
fn is_due(next: &mut Option<Instant>, interval: Duration) -> bool {
    let now = Instant::now();
    let is_due = next.is_some_and(|next| next <= now);
    if is_due {
        *next = now.checked_add(interval);
    }
    is_due
}

fn log(inner: &Inner) -> Result<(), RequestsError> {
    if inner.is_first()? {
        let figures = inner.found().map(Found::figures)?;
        write(inner, &inner.settings.log_message, &figures);
    }
    Ok(())
}

/// What is logged at the end, if anything is.
pub(super) fn log_final(inner: &Inner, figures: &Figures) {
    if inner.settings.log_interval.is_none() {
        return;
    }
    write(inner, "Final request statistics:", figures);
    if let Some(analysis) = figures.error_analysis() {
        give(inner, &analysis);
    }
}

fn write(inner: &Inner, message: &str, figures: &Figures) {
    let summary = figures.calculate();
    give(
        inner,
        &match inner.settings.log_format {
            LogFormat::Table => format!("{message}\n{}", summary.table()),
            LogFormat::Inline => format!("{message} {}", summary.json()),
        },
    );
}

/// Gives a message to where it goes, which may fail and panic.
fn give(inner: &Inner, message: &str) {
    let Some(mut sink) = lock(&inner.sink) else {
        return;
    };
    let Some(sink) = sink.as_mut() else {
        #[cfg(feature = "log")]
        log::info!(target: "shmetrics::requests", "{message}");
        return;
    };
    match catch_unwind(AssertUnwindSafe(|| sink(message))) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => inner
            .segment
            .log_error(format_args!("the statistics could not be logged: {error}")),
        Err(_) => inner
            .segment
            .log_error("the statistics could not be logged: who logs them panicked"),
    }
}

/// The store is the user's, and may panic.
fn save(inner: &Inner) {
    let saved = catch_unwind(AssertUnwindSafe(|| inner.save()));
    let saved = saved.unwrap_or_else(|_| {
        inner.segment.log_error("statistics: the store panicked");
        Ok(())
    });
    keep(inner, saved.map_err(|error| error.to_string()));
}

fn keep(inner: &Inner, done: Result<(), String>) {
    if let Err(error) = done {
        inner.segment.log_error(format_args!("statistics: {error}"));
    }
}
