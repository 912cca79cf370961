//! `events`: what happened, event by event, once or as it happens.

use std::ffi::OsStr;
use std::time::{Duration, Instant};

use shmetrics::events::{EventBatch, EventCursor, Since};
use shmetrics::{OpenError, ReadError, Reader};

use crate::cli::{EventFormat, Events};
use crate::exit::Failure;
use crate::format::events;
use crate::signals::Stop;
use crate::{discover, glob, terminal};

/// Events that are told at once: what is printed is in memory before.
const MOST: usize = 10_000;
/// A process that is stuck in a pipe nobody empties ends so long after it was told to.
const GRACE: Duration = Duration::from_secs(1);

pub(crate) fn run(flags: &Events) -> Result<(), Failure> {
    let stop = flags.follow.then(|| Stop::install(Some(GRACE))).transpose()?;
    let mut reader = discover::open_reader(flags.path.as_deref())?;
    let place = match &flags.path {
        Some(place) => place.clone(),
        None => reader.path().as_os_str().to_owned(),
    };
    let since = if flags.new { Since::Now } else { Since::Start };
    let mut cursor = match &flags.after {
        Some(text) => text
            .parse()
            .map_err(|error| Failure::Input(format!("--after: {error}")))?,
        None => reader.event_cursor(since)?,
    };
    loop {
        let is_replaced = reader.replaced();
        match tell(&mut reader, &mut cursor, flags) {
            // It became another file, or none.
            Err(Told::Gone) if flags.follow => {}
            Err(Told::Gone) => return Err(Failure::Input("the segment was truncated meanwhile".to_owned())),
            Err(Told::Failed(failure)) => return Err(failure),
            Ok(()) => {}
        }
        let Some(stop) = &stop else { break };
        let id = |reader: &Reader| reader.facts().origin.segment_id;
        if is_replaced
            && let Some(new) = reopened(&place)?
            && id(&new) != id(&reader)
        {
            reader = new;
            continue;
        }
        if stop.wait_until(Instant::now() + flags.interval) {
            break;
        }
    }
    if flags.print_cursor {
        terminal::say(&cursor.to_string());
    }
    Ok(())
}

enum Told {
    Gone,
    Failed(Failure),
}

/// Prints all that there is after the cursor.
fn tell(reader: &mut Reader, cursor: &mut EventCursor, flags: &Events) -> Result<(), Told> {
    loop {
        let mut batch = match reader.events(cursor, MOST) {
            Ok(batch) => batch,
            Err(ReadError::Truncated { .. } | ReadError::Lost { .. }) => return Err(Told::Gone),
            Err(error) => return Err(Told::Failed(error.into())),
        };
        choose(&mut batch, &flags.kind, flags.series.as_deref());
        let text = match flags.format {
            EventFormat::Json => events::json_lines(&batch).map_err(Told::Failed)?,
            EventFormat::Text => events::text_lines(&batch),
        };
        if !text.is_empty() {
            terminal::print(&text).map_err(Told::Failed)?;
        }
        // What is written meanwhile is for the next time: a writer that is faster than we print would keep us here.
        if batch.events.is_empty() || !batch.more || !flags.follow && batch.events.len() < MOST {
            return Ok(());
        }
    }
}

/// Leaves only the kinds whose name matches one of the patterns, of the series whose name matches.
pub(crate) fn choose(batch: &mut EventBatch, kinds: &[String], series: Option<&str>) {
    batch.events.retain(|event| {
        let name = events::name(event);
        (kinds.is_empty() || kinds.iter().any(|pattern| glob::matches(pattern, &name)))
            && series.is_none_or(|pattern| glob::matches(pattern, &event.series.name))
    });
}

/// The segment that is at the place now; `None`: there is none yet.
fn reopened(place: &OsStr) -> Result<Option<Reader>, Failure> {
    match discover::open_place(place) {
        Ok(reader) => Ok(Some(reader)),
        Err(
            OpenError::NotFound { .. }
            | OpenError::MissingFolder { .. }
            | OpenError::Layout { .. }
            | OpenError::Lost { .. },
        ) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
