//! The events as they stand in a segment: kinds, fields, and the way there and back.

use std::borrow::Cow;

use super::event::{Event, known};
use crate::events::{self, FieldKind, Value};

/// Bytes of a path, unless asked otherwise.
pub(super) const PATH_LENGTH: u16 = 160;

/// The names and kinds of the fields of each kind of event, by code from 1; paths with [`PATH_LENGTH`].
pub(super) const FIELDS: [&[(&str, FieldKind)]; 7] = {
    use FieldKind::{Bool, F64, Text, U64};
    const CONNECTION: (&str, FieldKind) = ("connection_id", U64);
    const WORKER: (&str, FieldKind) = ("worker_id", U64);
    const METHOD: (&str, FieldKind) = ("method", Text(16));
    const PATH: (&str, FieldKind) = ("path", Text(PATH_LENGTH));
    const DURATION: (&str, FieldKind) = ("duration_ms", F64);
    const REASON: (&str, FieldKind) = ("reason", Text(24));
    [
        &[
            CONNECTION,
            WORKER,
            ("client_addr", Text(46)),
            ("client_port", U64),
            ("server_addr", Text(46)),
            ("server_port", U64),
            ("protocol", Text(16)),
        ],
        &[CONNECTION, WORKER, METHOD, PATH, ("http_version", Text(8))],
        &[
            CONNECTION,
            WORKER,
            ("status", U64),
            ("bytes_sent", U64),
            DURATION,
            METHOD,
            ("streaming", Bool),
        ],
        &[CONNECTION, WORKER, ("during_streaming", Bool)],
        &[
            CONNECTION,
            WORKER,
            ("requests_served", U64),
            ("total_bytes_sent", U64),
            DURATION,
            REASON,
        ],
        &[CONNECTION, WORKER, METHOD, PATH],
        &[CONNECTION, WORKER, DURATION, REASON],
    ]
};

/// Declares the kinds in a segment; a path has at most so many bytes.
pub(super) fn declare(builder: events::EventsBuilder<'_>, path_length: u16) -> events::EventsBuilder<'_> {
    (1..)
        .zip(NAMES)
        .zip(FIELDS)
        .fold(builder, |builder, ((code, name), fields)| {
            let fields: Vec<_> = fields
                .iter()
                .map(|&(name, kind)| match name {
                    "path" => (name, FieldKind::Text(path_length)),
                    _ => (name, kind),
                })
                .collect();
            builder.kind(code, name, &fields)
        })
}

/// The names of the kinds, by code from 1.
pub(super) const NAMES: [&str; 7] = [
    "connection_opened",
    "request_started",
    "response_completed",
    "client_disconnected",
    "connection_closed",
    "stream_opened",
    "stream_closed",
];

impl Event<'_> {
    /// Gives the values of its fields, in the order of [`FIELDS`], to `take`. On the stack.
    #[inline]
    pub(super) fn with_values<R>(&self, take: impl FnOnce(&[Value<'_>]) -> R) -> R {
        use Value::{Bool, F64, Text, U64};
        macro_rules! take {
            ($($value:expr),*) => {
                take(&[$($value),*])
            };
        }
        match self {
            Event::ConnectionOpened {
                connection_id,
                worker_id,
                client_addr,
                client_port,
                server_addr,
                server_port,
                protocol,
                ..
            } => take!(
                U64(*connection_id),
                U64(*worker_id),
                Text(known(client_addr)),
                U64((*client_port).into()),
                Text(known(server_addr)),
                U64((*server_port).into()),
                Text(protocol)
            ),
            Event::RequestStarted {
                connection_id,
                worker_id,
                method,
                path,
                http_version,
                ..
            } => take!(
                U64(*connection_id),
                U64(*worker_id),
                Text(known(method)),
                Text(path),
                Text(http_version)
            ),
            Event::ResponseCompleted {
                connection_id,
                worker_id,
                status,
                bytes_sent,
                duration_ms,
                method,
                streaming,
                ..
            } => take!(
                U64(*connection_id),
                U64(*worker_id),
                U64((*status).into()),
                U64(*bytes_sent),
                F64(*duration_ms),
                Text(known(method)),
                Bool(*streaming)
            ),
            Event::ClientDisconnected {
                connection_id,
                worker_id,
                during_streaming,
                ..
            } => take!(U64(*connection_id), U64(*worker_id), Bool(*during_streaming)),
            Event::ConnectionClosed {
                connection_id,
                worker_id,
                requests_served,
                total_bytes_sent,
                duration_ms,
                reason,
                ..
            } => take!(
                U64(*connection_id),
                U64(*worker_id),
                U64(*requests_served),
                U64(*total_bytes_sent),
                F64(*duration_ms),
                Text(reason)
            ),
            Event::StreamOpened {
                connection_id,
                worker_id,
                method,
                path,
                ..
            } => take!(
                U64(*connection_id),
                U64(*worker_id),
                Text(known(method)),
                Text(path)
            ),
            Event::StreamClosed {
                connection_id,
                worker_id,
                duration_ms,
                reason,
                ..
            } => take!(
                U64(*connection_id),
                U64(*worker_id),
                F64(*duration_ms),
                Text(reason)
            ),
        }
    }

    /// From an event that was read from a segment; `None` if it is none of these.
    pub fn from_segment(event: &events::Event) -> Option<Event<'static>> {
        let whole = |name: &str| event.whole(name).unwrap_or(0);
        let float = |name: &str| event.number(name).unwrap_or(0.0);
        let text = |name: &str| Cow::Owned(event.text(name).unwrap_or_default().to_owned());
        let port = |name: &str| u16::try_from(whole(name)).unwrap_or(0);
        let (connection_id, worker_id) = (whole("connection_id"), whole("worker_id"));
        let timestamp_ns = event.timestamp_ns;
        Some(match event.kind.name.as_str() {
            "connection_opened" => Event::ConnectionOpened {
                connection_id,
                worker_id,
                client_addr: text("client_addr"),
                client_port: port("client_port"),
                server_addr: text("server_addr"),
                server_port: port("server_port"),
                protocol: text("protocol"),
                timestamp_ns,
            },
            "request_started" => Event::RequestStarted {
                connection_id,
                worker_id,
                method: text("method"),
                path: text("path"),
                http_version: text("http_version"),
                timestamp_ns,
            },
            "response_completed" => Event::ResponseCompleted {
                connection_id,
                worker_id,
                status: port("status"),
                bytes_sent: whole("bytes_sent"),
                duration_ms: float("duration_ms"),
                method: text("method"),
                streaming: event.is("streaming"),
                timestamp_ns,
            },
            "client_disconnected" => Event::ClientDisconnected {
                connection_id,
                worker_id,
                during_streaming: event.is("during_streaming"),
                timestamp_ns,
            },
            "connection_closed" => Event::ConnectionClosed {
                connection_id,
                worker_id,
                requests_served: whole("requests_served"),
                total_bytes_sent: whole("total_bytes_sent"),
                duration_ms: float("duration_ms"),
                reason: text("reason"),
                timestamp_ns,
            },
            "stream_opened" => Event::StreamOpened {
                connection_id,
                worker_id,
                method: text("method"),
                path: text("path"),
                timestamp_ns,
            },
            "stream_closed" => Event::StreamClosed {
                connection_id,
                worker_id,
                duration_ms: float("duration_ms"),
                reason: text("reason"),
                timestamp_ns,
            },
            _ => return None,
        })
    }
}
