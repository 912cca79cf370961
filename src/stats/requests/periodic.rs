//! The thread of a session: it logs at once and then every interval, saves, and gives signs of life.
//!
//! It ends when the session is left. Whatever fails in it is kept in the segment's error log, and it goes on.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::builder::{LogFormat, Persistence, Settings};
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
    let settings = &inner.settings;
    let mut due = Due::new(settings, Instant::now());
    loop {
        inner.mark();
        if inner.persist_asked.swap(false, Relaxed) {
            save(inner);
        }
        if let Some(interval) = settings.log_interval
            && is_due(&mut due.log, interval, Instant::now())
        {
            keep(inner, log(inner).map_err(|error| error.to_string()));
        }
        if is_due(&mut due.save, settings.persist_interval, Instant::now()) {
            save(inner);
        }
        let pause = due.pause(Instant::now());
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

/// When it is time again; `None`: never.
#[derive(Debug, PartialEq)]
struct Due {
    log: Option<Instant>,
    save: Option<Instant>,
}

impl Due {
    /// It is logged at once, and saved after an interval; what is off never comes.
    fn new(settings: &Settings, now: Instant) -> Due {
        let is_saved = settings.persistence == Persistence::Enabled;
        let first_save = now.checked_add(settings.persist_interval);
        Due {
            log: settings.log_interval.map(|_| now),
            save: first_save.filter(|_| is_saved),
        }
    }

    /// How long there is nothing to do.
    fn pause(&self, now: Instant) -> Duration {
        let next = [self.log, self.save].into_iter().flatten().min();
        let left = next.map_or(PAUSE, |next| next.saturating_duration_since(now));
        // At least a moment: an interval of zero shall not take a core.
        left.clamp(Duration::from_millis(1), PAUSE)
    }
}

/// Is it time? Then it is again after the interval; what was missed is not made up for.
fn is_due(next: &mut Option<Instant>, interval: Duration, now: Instant) -> bool {
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

/// Gives a message to where it goes, which may fail and panic: also the `log` facade ends in what the user wrote.
fn give(inner: &Inner, message: &str) {
    let Some(mut sink) = lock(&inner.sink) else {
        return;
    };
    let given = catch_unwind(AssertUnwindSafe(|| match sink.as_mut() {
        Some(sink) => sink(message),
        None => {
            #[cfg(feature = "log")]
            log::info!(target: "shmetrics::requests", "{message}");
            Ok(())
        }
    }));
    match given {
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

#[cfg(test)]
mod tests {
    use super::super::Builder;
    use super::*;
    use crate::segment::Segment;

    #[test]
    fn it_wakes_for_what_is_due_and_else_only_for_signs_of_life() {
        let segment = Segment::noop();
        let builder = || Builder::new(&segment);
        let now = Instant::now();
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        // As it comes: it logs at once and every 60 s, and never saves.
        let settings = builder().settings;
        let mut due = Due::new(&settings, now);
        assert_eq!((due.log, due.save), (Some(now), None));
        assert!(is_due(&mut due.log, settings.log_interval.unwrap(), now));
        assert_eq!(due.log, Some(now + minute));
        assert_eq!(due.pause(now), PAUSE);
        assert_eq!(due.pause(now + minute - PAUSE / 2), PAUSE / 2);
        assert!(!is_due(&mut due.log, minute, now + minute - second));
        // What was missed is not made up for.
        assert!(is_due(&mut due.log, minute, now + 5 * minute));
        assert_eq!(due.log, Some(now + 6 * minute));
        // Neither: however long it runs.
        let due = Due::new(&builder().without_log().settings, now);
        assert_eq!((due.log, due.save), (None, None));
        assert_eq!(due.pause(now + minute), PAUSE);
        for persistence in [Persistence::Enabled, Persistence::ExplicitOnly] {
            let builder = builder().without_log().persistence(persistence);
            let mut due = Due::new(&builder.settings, now);
            let is_saved = persistence == Persistence::Enabled;
            assert_eq!(due.save, is_saved.then_some(now + minute));
            assert!(!is_due(&mut due.save, minute, now));
            assert_eq!(is_due(&mut due.save, minute, now + minute), is_saved);
            assert_eq!(due.pause(now + minute), PAUSE);
        }
        // An interval of zero, and one that has no end.
        let due = Due::new(&builder().log_interval(Duration::ZERO).settings, now);
        assert_eq!(due.pause(now + second), Duration::from_millis(1));
        let mut due = Due::new(&builder().log_interval(Duration::MAX).settings, now);
        assert!(is_due(&mut due.log, Duration::MAX, now));
        assert_eq!((due.log, due.pause(now)), (None, PAUSE));
    }
}
