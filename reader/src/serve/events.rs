//! `/events`: events as JSON lines, or as server-sent events that resume from a cursor.
//!
//! Each answer has what there is after the cursor that the client gives, and ends. A client of server-sent events comes again by itself
//! after the time that the answer says, and gives the last id that it got (`Last-Event-ID`): each event's id is the cursor behind it,
//! so that it gets each event once, also when a connection breaks in the middle. No connection is held, so clients that never read cost
//! nothing, and the limits of all answers are theirs, too.

use hyper::header::{ACCEPT, HeaderMap};
use shmetrics::events::{EventBatch, EventCursor, Since};
use shmetrics::{ReadError, Reader};

use super::query;
use crate::command::events::choose;
use crate::exit::Failure;
use crate::format::{events, json};

/// Events in one answer: the next one has the rest.
const MOST: usize = 1_000;
/// A client of server-sent events comes again after so many milliseconds.
const RETRY_MS: u64 = 1_000;

pub(super) const EVENT_STREAM: &str = "text/event-stream";
pub(super) const JSON_LINES: &str = "application/x-ndjson";

/// What is asked for.
#[derive(Debug)]
pub(super) struct Wanted {
    is_stream: bool,
    after: Option<EventCursor>,
    since: Since,
    kinds: Vec<String>,
    series: Option<String>,
}

impl Wanted {
    /// From the request; what is wrong with it otherwise.
    pub(super) fn parse(headers: &HeaderMap, query: &[(String, String)]) -> Result<Wanted, String> {
        let one = |name: &str| query::values(query, name).first().copied();
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let after = text("last-event-id").filter(|id| !id.is_empty()).or(one("after"));
        let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
        let is_stream = match one("format") {
            Some("sse") => true,
            Some("json") => false,
            Some(other) => return Err(format!("format={other:?} is not known: sse or json")),
            None => accept.is_some_and(|accept| accept.contains(EVENT_STREAM)),
        };
        Ok(Wanted {
            is_stream,
            after: after
                .map(|after| after.parse().map_err(|error| format!("the cursor: {error}")))
                .transpose()?,
            since: match one("since") {
                None | Some("start") => Since::Start,
                Some("now") => Since::Now,
                Some(other) => return Err(format!("since={other:?} is not known: start or now")),
            },
            kinds: query::values(query, "kind")
                .into_iter()
                .map(str::to_owned)
                .collect(),
            series: one("series").map(str::to_owned),
        })
    }

    pub(super) fn content_type(&self) -> &'static str {
        match self.is_stream {
            true => EVENT_STREAM,
            false => JSON_LINES,
        }
    }

    /// What there is after the cursor, as text.
    pub(super) fn read(self, reader: &mut Reader) -> Result<Vec<u8>, ReadError> {
        let mut cursor = match self.after {
            Some(cursor) => cursor,
            None => reader.event_cursor(self.since)?,
        };
        let before = cursor.clone();
        let mut batch = reader.events(&mut cursor, MOST)?;
        let text = match self.is_stream {
            true => stream(&mut batch, before, &cursor, &self.kinds, self.series.as_deref()),
            false => {
                choose(&mut batch, &self.kinds, self.series.as_deref());
                lines(&batch, &cursor)
            }
        };
        // Nothing of an event cannot be written as JSON.
        Ok(text.unwrap_or_default().into_bytes())
    }
}

/// A line for each event; the last line says where to go on, and what is missing.
fn lines(batch: &EventBatch, cursor: &EventCursor) -> Result<String, Failure> {
    let mut text = String::new();
    for event in &batch.events {
        text.push_str(&json::line(event)?);
    }
    let end = serde_json::json!({
        "cursor": cursor.to_string(),
        "lost": batch.lost,
        "dropped": batch.dropped,
        "more": batch.more,
    });
    text.push_str(&json::line(&end)?);
    Ok(text)
}

fn stream(
    batch: &mut EventBatch,
    mut at: EventCursor,
    end: &EventCursor,
    kinds: &[String],
    series: Option<&str>,
) -> Result<String, Failure> {
    let mut text = format!("retry: {RETRY_MS}\n\n");
    let all = batch.events.clone();
    choose(batch, kinds, series);
    let mut chosen = batch.events.iter().peekable();
    for event in &all {
        at.pass(event);
        // Those that are left out are passed, too.
        if chosen.next_if(|chosen| *chosen == event).is_some() {
            let name = events::name(event);
            text.push_str(&format!(
                "id: {at}\nevent: {name}\ndata: {}\n",
                json::line(event)?
            ));
        }
    }
    // Without data nothing is dispatched, but the id is kept.
    text.push_str(&match events::Missing::of(batch) {
        Some(missing) => format!("id: {end}\nevent: missing\ndata: {}\n", json::line(&missing)?),
        None => format!("id: {end}\n\n"),
    });
    Ok(text)
}
