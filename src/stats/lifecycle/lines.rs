//! Events as JSON lines for a log, each with a level.

use std::fmt::Write as _;

use super::collector::Collector;
use super::event::Event;
use super::stored::FIELDS;
use crate::events::Value;
use crate::snapshot::Clocks;
use crate::snapshot::time::rfc3339;

/// How important a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What happens all the time.
    Debug,
    /// Slow responses, streams that were drained.
    Info,
    /// Clients that went away.
    Warning,
}

/// What is written, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct LineOptions {
    /// From this duration on a response is slow: `"slow":true`, and [`Level::Info`]. Streamed ones never are. Default: 5,000 ms.
    pub slow_ms: f64,
    /// Paths whose `request_started` is left out, without the query: `/health`. Default: none.
    pub quiet_paths: Vec<String>,
}

impl Default for LineOptions {
    fn default() -> Self {
        LineOptions {
            slow_ms: 5_000.0,
            quiet_paths: Vec::new(),
        }
    }
}

impl LineOptions {
    /// The event as one line of JSON, without a line end: `event`, `timestamp` (RFC 3339, UTC), the fields, and `slow` of responses that
    /// are. `wall_ns` is its time by the wall clock. `None`: it is left out.
    pub fn line(&self, event: &Event<'_>, wall_ns: u64) -> Option<(Level, String)> {
        if let Event::RequestStarted { path, .. } = event {
            let path = path.split('?').next().unwrap_or_default();
            if self.quiet_paths.iter().any(|quiet| quiet == path) {
                return None;
            }
        }
        let is_slow = matches!(
            event,
            Event::ResponseCompleted { duration_ms, streaming: false, .. } if *duration_ms >= self.slow_ms
        );
        let level = match event {
            Event::ClientDisconnected { .. } => Level::Warning,
            Event::StreamClosed { reason, .. } if reason == "drain" => Level::Info,
            _ if is_slow => Level::Info,
            _ => Level::Debug,
        };
        let mut line = format!(
            "{{\"event\":\"{}\",\"timestamp\":\"{}\"",
            event.name(),
            rfc3339(wall_ns)
        );
        fields(event, &mut line);
        if is_slow {
            line.push_str(",\"slow\":true");
        }
        line.push('}');
        Some((level, line))
    }
}

/// Writes each event as a JSON line, with its level.
///
/// ```
/// use shmetrics::stats::lifecycle::{Collector, Event, LineCollector, LineOptions};
/// let collector = LineCollector::new(LineOptions::default(), |level, line| eprintln!("{level:?} {line}"));
/// collector.record(&Event::RequestStarted {
///     connection_id: 1,
///     worker_id: 0,
///     method: "GET".into(),
///     path: "/".into(),
///     http_version: "1.1".into(),
///     timestamp_ns: shmetrics::monotonic_ns(),
/// });
/// ```
pub struct LineCollector<F> {
    options: LineOptions,
    write: F,
    clocks: Clocks,
}

impl<F: Fn(Level, &str) + Send + Sync> LineCollector<F> {
    /// Gives each line to `write`, in the thread that records.
    pub fn new(options: LineOptions, write: F) -> LineCollector<F> {
        LineCollector {
            options,
            write,
            clocks: Clocks::read(),
        }
    }
}

#[cfg(feature = "log")]
impl LineCollector<fn(Level, &str)> {
    /// To the `log` facade, target `shmetrics::lifecycle`.
    pub fn to_log(options: LineOptions) -> LineCollector<fn(Level, &str)> {
        LineCollector::new(options, |level, line| {
            let level = match level {
                Level::Debug => log::Level::Debug,
                Level::Info => log::Level::Info,
                Level::Warning => log::Level::Warn,
            };
            log::log!(target: "shmetrics::lifecycle", level, "{line}");
        })
    }
}

impl<F> std::fmt::Debug for LineCollector<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LineCollector")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl<F: Fn(Level, &str) + Send + Sync> Collector for LineCollector<F> {
    fn record(&self, event: &Event<'_>) {
        let since = i128::from(event.timestamp_ns()) - i128::from(self.clocks.monotonic_ns);
        let wall_ns = (i128::from(self.clocks.wall_ns) + since).clamp(0, u64::MAX.into()) as u64;
        if let Some((level, line)) = self.options.line(event, wall_ns) {
            (self.write)(level, &line);
        }
    }
}

/// The fields, by the names and in the order that they have in a segment.
fn fields(event: &Event<'_>, line: &mut String) {
    event.with_values(|values| {
        for ((name, _), value) in FIELDS[event.index()].iter().zip(values) {
            let _ = write!(line, ",\"{name}\":");
            let _ = match *value {
                Value::U64(value) => write!(line, "{value}"),
                Value::I64(value) => write!(line, "{value}"),
                // With all the digits that it needs, and never without a fraction.
                Value::F64(value) if value.is_finite() => write!(line, "{value:?}"),
                Value::F64(_) => write!(line, "null"),
                Value::Bool(value) => write!(line, "{value}"),
                Value::Text(text) => {
                    line.push('"');
                    escape(text, line);
                    write!(line, "\"")
                }
            };
        }
    });
}

/// As JSON wants it within quotes; all controls are written out.
fn escape(text: &str, line: &mut String) {
    for c in text.chars() {
        let _ = match c {
            '"' | '\\' => write!(line, "\\{c}"),
            c if c.is_control() => write!(line, "\\u{:04x}", u32::from(c)),
            c => write!(line, "{c}"),
        };
    }
}
