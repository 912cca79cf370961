//! The events, as a program makes them.

use std::borrow::Cow;

use super::stored::NAMES;

/// What stands for a method or an address that is not known: never an empty text.
pub const UNKNOWN: &str = "unknown";

/// An event of a connection. Texts are borrowed where the caller has them, so that making one allocates nothing.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A connection was accepted.
    ConnectionOpened {
        /// From [`SegmentCollector::next_connection_id`](super::SegmentCollector::next_connection_id).
        connection_id: u64,
        /// Which worker.
        worker_id: u64,
        /// `unix` for a Unix socket, [`UNKNOWN`] if nobody knows.
        client_addr: Cow<'a, str>,
        /// 0 where there is none.
        client_port: u16,
        /// As `client_addr`.
        server_addr: Cow<'a, str>,
        /// As `client_port`.
        server_port: u16,
        /// `h1`, `h2`, `websocket`.
        protocol: Cow<'a, str>,
        /// When it was accepted.
        timestamp_ns: u64,
    },
    /// The head of a request was read.
    RequestStarted {
        /// The connection.
        connection_id: u64,
        /// Which worker.
        worker_id: u64,
        /// `GET`; an empty one is stored as [`UNKNOWN`].
        method: Cow<'a, str>,
        /// The target as it came, with its query.
        path: Cow<'a, str>,
        /// `1.1`.
        http_version: Cow<'a, str>,
        /// When.
        timestamp_ns: u64,
    },
    /// A response is over, however it ended. Exactly one for each started request.
    ResponseCompleted {
        /// The connection.
        connection_id: u64,
        /// Which worker.
        worker_id: u64,
        /// The status code.
        status: u16,
        /// Bytes of the body that were really sent.
        bytes_sent: u64,
        /// From start to end.
        duration_ms: f64,
        /// That of the request; an empty one is [`UNKNOWN`].
        method: Cow<'a, str>,
        /// Was it streamed? Then it is never called slow.
        streaming: bool,
        /// When.
        timestamp_ns: u64,
    },
    /// The client went away before the response was over; the response is completed by an event of its own.
    ClientDisconnected {
        /// The connection.
        connection_id: u64,
        /// Which worker.
        worker_id: u64,
        /// Were bytes of the response sent already?
        during_streaming: bool,
        /// When.
        timestamp_ns: u64,
    },
    /// A connection is over.
    ConnectionClosed {
        /// The connection.
        connection_id: u64,
        /// Which worker.
        worker_id: u64,
        /// Requests it had.
        requests_served: u64,
        /// Bytes sent, of all of them.
        total_bytes_sent: u64,
        /// From accept to close.
        duration_ms: f64,
        /// `complete`, `timeout`, `write_timeout`, `client_disconnect`, `error`, `backpressure`.
        reason: Cow<'a, str>,
        /// When.
        timestamp_ns: u64,
    },
    /// A streamed response, or a web socket, began.
    StreamOpened {
        /// The connection.
        connection_id: u64,
        /// Which worker.
        worker_id: u64,
        /// As of a request.
        method: Cow<'a, str>,
        /// As of a request.
        path: Cow<'a, str>,
        /// When.
        timestamp_ns: u64,
    },
    /// A streamed response ended.
    StreamClosed {
        /// The connection.
        connection_id: u64,
        /// Which worker.
        worker_id: u64,
        /// From open to close.
        duration_ms: f64,
        /// `complete`, `client_disconnect`, `drain`, `error`.
        reason: Cow<'a, str>,
        /// When.
        timestamp_ns: u64,
    },
}

/// A text, or what stands for none.
pub(super) fn known(text: &str) -> &str {
    if text.is_empty() { UNKNOWN } else { text }
}

impl Event<'_> {
    /// Its place in [`NAMES`].
    pub(super) fn index(&self) -> usize {
        match self {
            Event::ConnectionOpened { .. } => 0,
            Event::RequestStarted { .. } => 1,
            Event::ResponseCompleted { .. } => 2,
            Event::ClientDisconnected { .. } => 3,
            Event::ConnectionClosed { .. } => 4,
            Event::StreamOpened { .. } => 5,
            Event::StreamClosed { .. } => 6,
        }
    }

    /// What it is called in a segment and in JSON: `request_started`.
    pub fn name(&self) -> &'static str {
        NAMES[self.index()]
    }

    /// When it happened.
    pub fn timestamp_ns(&self) -> u64 {
        match *self {
            Event::ConnectionOpened { timestamp_ns, .. }
            | Event::RequestStarted { timestamp_ns, .. }
            | Event::ResponseCompleted { timestamp_ns, .. }
            | Event::ClientDisconnected { timestamp_ns, .. }
            | Event::ConnectionClosed { timestamp_ns, .. }
            | Event::StreamOpened { timestamp_ns, .. }
            | Event::StreamClosed { timestamp_ns, .. } => timestamp_ns,
        }
    }

    /// The same event with texts of its own.
    pub fn into_owned(self) -> Event<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Event::ConnectionOpened {
                connection_id,
                worker_id,
                client_addr,
                client_port,
                server_addr,
                server_port,
                protocol,
                timestamp_ns,
            } => Event::ConnectionOpened {
                connection_id,
                worker_id,
                client_addr: own(client_addr),
                client_port,
                server_addr: own(server_addr),
                server_port,
                protocol: own(protocol),
                timestamp_ns,
            },
            Event::RequestStarted {
                connection_id,
                worker_id,
                method,
                path,
                http_version,
                timestamp_ns,
            } => Event::RequestStarted {
                connection_id,
                worker_id,
                method: own(method),
                path: own(path),
                http_version: own(http_version),
                timestamp_ns,
            },
            Event::ResponseCompleted {
                connection_id,
                worker_id,
                status,
                bytes_sent,
                duration_ms,
                method,
                streaming,
                timestamp_ns,
            } => Event::ResponseCompleted {
                connection_id,
                worker_id,
                status,
                bytes_sent,
                duration_ms,
                method: own(method),
                streaming,
                timestamp_ns,
            },
            Event::ClientDisconnected {
                connection_id,
                worker_id,
                during_streaming,
                timestamp_ns,
            } => Event::ClientDisconnected {
                connection_id,
                worker_id,
                during_streaming,
                timestamp_ns,
            },
            Event::ConnectionClosed {
                connection_id,
                worker_id,
                requests_served,
                total_bytes_sent,
                duration_ms,
                reason,
                timestamp_ns,
            } => Event::ConnectionClosed {
                connection_id,
                worker_id,
                requests_served,
                total_bytes_sent,
                duration_ms,
                reason: own(reason),
                timestamp_ns,
            },
            Event::StreamOpened {
                connection_id,
                worker_id,
                method,
                path,
                timestamp_ns,
            } => Event::StreamOpened {
                connection_id,
                worker_id,
                method: own(method),
                path: own(path),
                timestamp_ns,
            },
            Event::StreamClosed {
                connection_id,
                worker_id,
                duration_ms,
                reason,
                timestamp_ns,
            } => Event::StreamClosed {
                connection_id,
                worker_id,
                duration_ms,
                reason: own(reason),
                timestamp_ns,
            },
        }
    }
}
