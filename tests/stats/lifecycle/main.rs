//! Connections and requests of a server over processes: the acceptance list of the lifecycle events of pounce, a test for each point.
//! docs/five-systems.md has the table.

#[path = "../../support/mod.rs"]
mod support;

mod derived;
mod reading;
mod recording;

use std::borrow::Cow;
use std::path::Path;

use shmetrics::stats::lifecycle::Event;
use shmetrics::{Preset, Segment};

fn compact(path: &Path) -> Segment {
    Segment::options()
        .preset(Preset::Compact)
        .blocks_length(512 << 10)
        .open_or_create_at(path)
        .unwrap()
}

fn opened(connection_id: u64, timestamp_ns: u64) -> Event<'static> {
    Event::ConnectionOpened {
        connection_id,
        worker_id: 3,
        client_addr: Cow::Borrowed("2001:db8::1"),
        client_port: 54_321,
        server_addr: Cow::Borrowed("unix"),
        server_port: 0,
        protocol: Cow::Borrowed("h1"),
        timestamp_ns,
    }
}

fn started(connection_id: u64, method: &'static str, path: &str, timestamp_ns: u64) -> Event<'static> {
    Event::RequestStarted {
        connection_id,
        worker_id: 3,
        method: Cow::Borrowed(method),
        path: Cow::Owned(path.to_owned()),
        http_version: Cow::Borrowed("1.1"),
        timestamp_ns,
    }
}

fn completed(connection_id: u64, method: &'static str, status: u16, timestamp_ns: u64) -> Event<'static> {
    Event::ResponseCompleted {
        connection_id,
        worker_id: 3,
        status,
        bytes_sent: 1_500,
        duration_ms: 12.25,
        method: Cow::Borrowed(method),
        streaming: false,
        timestamp_ns,
    }
}

fn disconnected(connection_id: u64, during_streaming: bool, timestamp_ns: u64) -> Event<'static> {
    Event::ClientDisconnected {
        connection_id,
        worker_id: 3,
        during_streaming,
        timestamp_ns,
    }
}

fn closed(
    connection_id: u64,
    requests_served: u64,
    reason: &'static str,
    timestamp_ns: u64,
) -> Event<'static> {
    Event::ConnectionClosed {
        connection_id,
        worker_id: 3,
        requests_served,
        total_bytes_sent: 1_500 * requests_served,
        duration_ms: 100.5,
        reason: Cow::Borrowed(reason),
        timestamp_ns,
    }
}

/// One of each kind, in the order of a connection.
fn one_of_each() -> Vec<Event<'static>> {
    vec![
        opened(1, 10),
        started(1, "GET", "/index.html?q=\u{e4}", 20),
        Event::StreamOpened {
            connection_id: 1,
            worker_id: 3,
            method: Cow::Borrowed("GET"),
            path: Cow::Borrowed("/stream"),
            timestamp_ns: 25,
        },
        disconnected(1, true, 30),
        Event::StreamClosed {
            connection_id: 1,
            worker_id: 3,
            duration_ms: 7.5,
            reason: Cow::Borrowed("client_disconnect"),
            timestamp_ns: 35,
        },
        completed(1, "GET", 200, 40),
        closed(1, 1, "client_disconnect", 50),
    ]
}
