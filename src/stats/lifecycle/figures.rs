//! What a snapshot says of connections and requests, of all processes together.

use std::fmt::Write as _;

use crate::snapshot::{Histogram, Snapshot, Value};

/// Completed responses of one method and status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requests {
    /// The method, or [`UNKNOWN`](super::UNKNOWN).
    pub method: String,
    /// The status code.
    pub status: String,
    /// How many.
    pub count: u64,
}

/// The metrics of a [`SegmentCollector`](super::SegmentCollector) as plain data, detached from the segment.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Figures {
    /// By method and status, in order of first use. Those beyond the family's limit, if there are, have the method `other`.
    pub requests: Vec<Requests>,
    /// Completed responses.
    pub requests_total: u64,
    /// Started and not completed, in live processes.
    pub in_flight: i64,
    /// Connections accepted.
    pub connections_total: u64,
    /// Connections open in live processes.
    pub active_connections: i64,
    /// Streamed responses open in live processes.
    pub active_streams: i64,
    /// Bytes of bodies sent.
    pub bytes_sent: u64,
    /// Connections closed, by reason.
    pub closes: Vec<(String, u64)>,
    /// Clients that went away before anything was sent.
    pub disconnects_before_streaming: u64,
    /// Clients that went away while a response was sent.
    pub disconnects_during_streaming: u64,
    /// Durations of responses, in seconds.
    pub durations: Option<Histogram>,
    /// Durations of streams, in seconds.
    pub stream_durations: Option<Histogram>,
    /// Requests per connection.
    pub requests_per_connection: Option<Histogram>,
    /// Events written and dropped; 0 if events are not kept.
    pub events_written: u64,
    /// Events that could not be written.
    pub events_dropped: u64,
}

impl Figures {
    /// From a snapshot of the segment.
    pub fn of(snapshot: &Snapshot) -> Figures {
        let mut figures = Figures::default();
        for series in &snapshot.series {
            let label = |name: &str| {
                let pairs = series.description.labels.iter();
                pairs
                    .filter(|(label, _)| label == name)
                    .map(|(_, value)| value.as_str())
                    .next()
            };
            let (name, value) = (series.description.name.as_str(), &series.value);
            match (name, value) {
                ("http_requests_total", Value::CounterU64(count)) => {
                    figures.requests_total += count;
                    figures.requests.push(Requests {
                        method: label("method").unwrap_or("other").to_owned(),
                        status: label("status").unwrap_or("other").to_owned(),
                        count: *count,
                    });
                }
                ("http_connections_closed_total", Value::CounterU64(count)) => {
                    let reason = label("reason").unwrap_or("other").to_owned();
                    figures.closes.push((reason, *count));
                }
                ("http_client_disconnects_total", Value::CounterU64(count)) => {
                    match label("during_streaming") {
                        Some("true") => figures.disconnects_during_streaming = *count,
                        _ => figures.disconnects_before_streaming = *count,
                    }
                }
                ("http_bytes_sent_total", Value::CounterU64(count)) => figures.bytes_sent = *count,
                ("http_connections_total", Value::CounterU64(count)) => figures.connections_total = *count,
                ("http_requests_in_flight", Value::GaugeI64(value)) => figures.in_flight = value.unwrap_or(0),
                ("http_connections_active", Value::GaugeI64(value)) => {
                    figures.active_connections = value.unwrap_or(0);
                }
                ("http_streams_active", Value::GaugeI64(value)) => {
                    figures.active_streams = value.unwrap_or(0)
                }
                ("http_request_duration_seconds", Value::Histogram(histogram)) => {
                    figures.durations = Some(Histogram::clone(histogram));
                }
                ("http_stream_duration_seconds", Value::Histogram(histogram)) => {
                    figures.stream_durations = Some(Histogram::clone(histogram));
                }
                ("http_requests_per_connection", Value::Histogram(histogram)) => {
                    figures.requests_per_connection = Some(Histogram::clone(histogram));
                }
                ("http_lifecycle", Value::Events(totals)) => {
                    (figures.events_written, figures.events_dropped) = (totals.written, totals.dropped);
                }
                _ => {}
            }
        }
        figures
    }

    /// Completed responses of a method and status.
    pub fn completed(&self, method: &str, status: &str) -> u64 {
        let is_it = |requests: &&Requests| requests.method == method && requests.status == status;
        self.requests
            .iter()
            .find(is_it)
            .map_or(0, |requests| requests.count)
    }

    /// The document of a health check: `{"status":"ok",…}`, of all workers together; and its status code, 503 while draining.
    pub fn health(&self, uptime_seconds: f64, is_draining: bool) -> (u16, String) {
        let (code, status) = if is_draining {
            (503, "draining")
        } else {
            (200, "ok")
        };
        let mut text = String::new();
        let _ = write!(
            text,
            "{{\"status\":\"{status}\",\"uptime_seconds\":{uptime_seconds:.1},\"active_connections\":{}}}",
            self.active_connections
        );
        (code, text)
    }
}
