//! Events as lines: JSON objects, or for people.

use std::fmt::Write as _;

use serde::Serialize;
use shmetrics::events::{Event, EventBatch, FieldValue};

use super::json;
use crate::exit::Failure;
use crate::terminal;

/// What of a batch is not an event: only told if there was any.
#[derive(Debug, Serialize)]
pub(crate) struct Missing {
    lost: u64,
    dropped: u64,
}

impl Missing {
    pub(crate) fn of(batch: &EventBatch) -> Option<Missing> {
        let missing = Missing {
            lost: batch.lost,
            dropped: batch.dropped,
        };
        (missing.lost > 0 || missing.dropped > 0).then_some(missing)
    }
}

/// A line for each event, as JSON; and one with `lost` and `dropped`, if there is something to tell.
pub(crate) fn json_lines(batch: &EventBatch) -> Result<String, Failure> {
    let mut text = String::new();
    for event in &batch.events {
        text.push_str(&json::line(event)?);
    }
    if let Some(missing) = Missing::of(batch) {
        text.push_str(&json::line(&missing)?);
    }
    Ok(text)
}

/// The same for people: time, kind, fields. Behind a text that was cut stand three dots.
pub(crate) fn text_lines(batch: &EventBatch) -> String {
    let mut text = String::new();
    for event in &batch.events {
        let _ = write!(text, "{} {}", event.timestamp(), name(event));
        for (index, (field, value)) in event.kind.fields.iter().zip(&event.values).enumerate() {
            let _ = write!(text, " {}=", field.name);
            let _ = match value {
                FieldValue::U64(value) => write!(text, "{value}"),
                FieldValue::I64(value) => write!(text, "{value}"),
                FieldValue::F64(value) => write!(text, "{value}"),
                FieldValue::Bool(value) => write!(text, "{value}"),
                FieldValue::Text(value) => write!(text, "\"{}\"", terminal::escaped(value)),
                other => write!(text, "{other:?}"),
            };
            if event.truncated >> index & 1 == 1 {
                text.push_str("...");
            }
        }
        text.push('\n');
    }
    if let Some(Missing { lost, dropped }) = Missing::of(batch) {
        let _ = writeln!(
            text,
            "-- {lost} lost: overwritten before they were read; {dropped} dropped: never written"
        );
    }
    text
}

/// What an event is called.
pub(crate) fn name(event: &Event) -> String {
    match event.kind.name.as_str() {
        "" => format!("kind-{}", event.kind.code),
        name => name.to_owned(),
    }
}
