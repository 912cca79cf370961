//! Events and metrics in a segment: of all processes together, and after a crash.

use super::collector::Collector;
use super::event::{Event, UNKNOWN, known};
use super::stored::{NAMES, PATH_LENGTH, declare};
use crate::error::{IdError, RegisterError};
use crate::events::EventWriter;
use crate::{Counter, Family, FloatHistogram, Gauge, Histogram, Merge, Segment, Unit};

/// Upper bounds of durations, in seconds.
const BOUNDS: [f64; 12] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0,
];
/// Methods that have a series of their own; others are [`UNKNOWN`] there, as anybody can invent them.
const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
];
/// Bytes of an event besides those of a path: of the longest, which has one.
const BESIDE_THE_PATH: u64 = 96;

/// How events and metrics are kept.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentOptions {
    /// Events that each thread keeps, a power of two. Default: 256. With 0 there are only metrics.
    pub capacity: u64,
    /// Longest path, in bytes; longer ones are cut and marked. Default: 160.
    pub path_length: u16,
    /// Upper bounds of the histograms of durations, in seconds. Default: those of pounce, .005 to 10.
    pub duration_bounds: Vec<f64>,
}

impl Default for SegmentOptions {
    fn default() -> Self {
        SegmentOptions {
            capacity: 256,
            path_length: PATH_LENGTH,
            duration_bounds: BOUNDS.iter().copied().chain([7.5, 10.0]).collect(),
        }
    }
}

/// Writes events into a segment, and counts what they say:
///
/// | series | from |
/// |---|---|
/// | `http_lifecycle` | every event, as it is |
/// | `http_requests_total{method,status}` | completed responses |
/// | `http_request_duration_seconds` | their durations |
/// | `http_bytes_sent_total` | their bytes |
/// | `http_requests_in_flight` | started − completed, of live processes |
/// | `http_connections_total`, `http_connections_active` | opened; opened − closed, of live processes |
/// | `http_connections_closed_total{reason}` | closed |
/// | `http_requests_per_connection` | closed |
/// | `http_client_disconnects_total{during_streaming}` | disconnected: nothing else is changed by it |
/// | `http_streams_active`, `http_stream_duration_seconds` | streams |
///
/// What is in flight is one number per process, raised by a start and lowered by a completion and by nothing else, so it cannot drift; of
/// a process that died nothing is in flight any more.
///
/// Cost of an event: a store for each number and every eight bytes of text, and one or two additions. No lock, no allocation, no system
/// call after a thread's first event; only the first use of a method with a status, or of a reason, registers a series.
#[derive(Debug)]
pub struct SegmentCollector {
    segment: Segment,
    kinds: Option<[EventWriter; 7]>,
    requests: Family<Counter, 2>,
    durations: FloatHistogram,
    bytes: Counter,
    in_flight: Gauge,
    connections: Counter,
    active: Gauge,
    closed: Family<Counter, 1>,
    per_connection: Histogram,
    disconnects: [Counter; 2],
    streams: Gauge,
    stream_durations: FloatHistogram,
}

impl SegmentCollector {
    /// With the defaults.
    pub fn new(segment: &Segment) -> Result<SegmentCollector, RegisterError> {
        SegmentCollector::with_options(segment, &SegmentOptions::default())
    }

    /// Registers all series, or finds them.
    pub fn with_options(
        segment: &Segment,
        options: &SegmentOptions,
    ) -> Result<SegmentCollector, RegisterError> {
        let kinds = match options.capacity {
            0 => None,
            capacity => {
                let length = (BESIDE_THE_PATH + u64::from(options.path_length)).next_multiple_of(64);
                let builder = segment
                    .events("http_lifecycle")
                    .help("Connections and requests, event by event")
                    .capacity(capacity)
                    .record_length(length.max(256));
                let events = declare(builder, options.path_length).register()?;
                let kinds: Vec<EventWriter> = NAMES.iter().filter_map(|name| events.kind(name)).collect();
                kinds.try_into().ok()
            }
        };
        let gauge = |name, help| segment.gauge(name).help(help).merge(Merge::Sum).register();
        let duration = |name, help| {
            let builder = segment.histogram_classic(name, &options.duration_bounds);
            builder.help(help).unit(Unit::Seconds).register()
        };
        let disconnects = |during: &str| {
            let builder = segment.counter("http_client_disconnects_total");
            let builder = builder.help("Clients that went away before their response was over");
            builder.label("during_streaming", during).register()
        };
        Ok(SegmentCollector {
            segment: segment.clone(),
            kinds,
            requests: segment
                .counter("http_requests_total")
                .help("Responses completed")
                .family(["method", "status"])?,
            durations: duration(
                "http_request_duration_seconds",
                "From the start of a request to its end",
            )?,
            bytes: segment
                .counter("http_bytes_sent_total")
                .help("Bytes of bodies sent")
                .register()?,
            in_flight: gauge("http_requests_in_flight", "Requests started and not completed")?,
            connections: segment
                .counter("http_connections_total")
                .help("Connections accepted")
                .register()?,
            active: gauge("http_connections_active", "Connections open")?,
            closed: segment
                .counter("http_connections_closed_total")
                .help("Connections closed")
                .family(["reason"])?,
            per_connection: segment
                .histogram("http_requests_per_connection")
                .help("Requests of a connection")
                .scale(1)
                .range(0, 16)
                .register()?,
            disconnects: [disconnects("false")?, disconnects("true")?],
            streams: gauge("http_streams_active", "Streamed responses open")?,
            stream_durations: duration("http_stream_duration_seconds", "From open to close of a stream")?,
        })
    }

    /// An id that no other connection has: of no other process that shares the segment, and none after a restart. They increase over all
    /// of them. From 1 on.
    ///
    /// # Errors
    ///
    /// The segment was retired or replaced, or does nothing: see [`IdError`].
    pub fn next_connection_id(&self) -> Result<u64, IdError> {
        self.segment.next_id()
    }

    /// The segment.
    pub fn segment(&self) -> &Segment {
        &self.segment
    }

    fn count(&self, event: &Event<'_>) {
        match event {
            Event::ConnectionOpened { .. } => {
                self.connections.inc();
                self.active.add(1);
            }
            Event::RequestStarted { .. } => self.in_flight.add(1),
            Event::ResponseCompleted {
                status,
                bytes_sent,
                duration_ms,
                method,
                ..
            } => {
                self.in_flight.add(-1);
                let method = METHODS
                    .iter()
                    .find(|known| **known == *method)
                    .unwrap_or(&UNKNOWN);
                let mut digits = [0; 5];
                self.requests.with([method, decimal(*status, &mut digits)]).inc();
                self.durations.record(duration_ms / 1e3);
                self.bytes.add(*bytes_sent);
            }
            Event::ClientDisconnected { during_streaming, .. } => {
                self.disconnects[usize::from(*during_streaming)].inc();
            }
            Event::ConnectionClosed {
                requests_served,
                reason,
                ..
            } => {
                self.active.add(-1);
                self.closed.with([known(reason)]).inc();
                self.per_connection.record(*requests_served);
            }
            Event::StreamOpened { .. } => self.streams.add(1),
            Event::StreamClosed { duration_ms, .. } => {
                self.streams.add(-1);
                self.stream_durations.record(duration_ms / 1e3);
            }
        }
    }
}

impl Collector for SegmentCollector {
    #[inline]
    fn record(&self, event: &Event<'_>) {
        if let Some(kinds) = &self.kinds {
            let writer = &kinds[event.index()];
            event.with_values(|values| writer.write_at(event.timestamp_ns(), values));
        }
        self.count(event);
    }
}

/// A number as text, without the heap.
fn decimal(mut number: u16, digits: &mut [u8; 5]) -> &str {
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    std::str::from_utf8(&digits[start..]).unwrap_or(UNKNOWN)
}
