//! Events: what happened when, with named fields, the last ones of each writer.

use std::sync::Arc;

use super::event_ring::EventRing;
use crate::error::RegisterError;
use crate::layout::events::{EventKind, EventsShape, FieldKind, Schema, is_name};
use crate::layout::kind::{Kind, Merge};
use crate::layout::labels;
use crate::layout::record::{MAX_HELP_LENGTH, MAX_NAME_LENGTH};
use crate::segment::attachment::Attachment;
use crate::segment::error_log;
use crate::segment::registry::{FamilyKey, SeriesKey, register_family, register_series};

/// Records of a ring unless asked otherwise.
const DEFAULT_CAPACITY: u64 = 256;
/// Bytes of a record unless asked otherwise.
const DEFAULT_RECORD_LENGTH: u64 = 256;
/// What readers say of every event beside its fields.
const RESERVED_NAMES: [&str; 4] = ["event", "timestamp", "timestamp_ns", "truncated"];

/// The value of a field of an event.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// Of a field [`FieldKind::U64`].
    U64(u64),
    /// Of a field [`FieldKind::I64`].
    I64(i64),
    /// Of a field [`FieldKind::F64`].
    F64(f64),
    /// Of a field [`FieldKind::Bool`].
    Bool(bool),
    /// Of a field [`FieldKind::Text`]. What is longer than the field is cut at a character, and marked.
    Text(&'a str),
}

/// An events series: each thread has a ring of its own for the last events it wrote. Any number of readers follow it, each with its own
/// cursor ([`Reader::events`](crate::Reader::events)); they cost writers nothing.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::env::temp_dir().join(format!("shmetrics-events-{}", std::process::id()));
/// # let segment = shmetrics::Segment::options().preset(shmetrics::Preset::Compact).open_or_create_at(&path)?;
/// use shmetrics::events::{FieldKind, Since, Value};
///
/// let events = segment
///     .events("jobs")
///     .kind(1, "job_done", &[("job", FieldKind::U64), ("queue", FieldKind::Text(16))])
///     .register()?;
/// let done = events.kind("job_done").expect("just declared");
/// done.write(&[Value::U64(7), Value::Text("mail")]);
///
/// let mut reader = shmetrics::Reader::open_path(&path)?;
/// let mut cursor = reader.event_cursor(Since::Start)?;
/// let batch = reader.events(&mut cursor, usize::MAX)?;
/// assert_eq!(batch.events[0].text("queue"), Some("mail"));
/// assert_eq!((batch.events.len(), batch.lost, batch.dropped), (1, 0, 0));
/// # std::fs::remove_file(&path)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Events {
    ring: Arc<EventRing>,
    kinds: Arc<[Arc<EventKind>]>,
}

/// A kind of event of an events series: what is written.
#[derive(Clone, Debug)]
pub struct EventWriter {
    ring: Arc<EventRing>,
    kind: Arc<EventKind>,
}

impl Events {
    /// The kind of this name; `None` if the series was registered without it.
    pub fn kind(&self, name: &str) -> Option<EventWriter> {
        let kind = self.kinds.iter().find(|kind| kind.name == name)?;
        Some(EventWriter {
            ring: Arc::clone(&self.ring),
            kind: Arc::clone(kind),
        })
    }

    /// Gets this thread its ring ahead of time, so that not even its first event makes a system call. `false`: this thread can have
    /// none now, and its events are dropped and counted.
    pub fn attach_thread(&self) -> bool {
        self.ring.prepare_thread()
    }
}

impl EventWriter {
    /// Writes an event with the time that it is now: reads the monotonic clock.
    pub fn write(&self, values: &[Value<'_>]) {
        if !self.ring.is_noop() {
            self.write_at(EventRing::now_ns(), values);
        }
    }

    /// Writes an event with the time `timestamp_ns`, by `CLOCK_MONOTONIC` ([`crate::monotonic_ns`]). `values` are those of the fields,
    /// in their order.
    ///
    /// Cost: a store for each number and for every eight bytes of text; no lock, no allocation, no system call after the first event of
    /// a thread. It never waits: the oldest event of this thread's ring makes room. An event is dropped, and counted in the segment, if
    /// `values` are not those of the kind, if this thread can have no ring, or in a signal handler that interrupts an operation of its
    /// own thread.
    #[inline]
    pub fn write_at(&self, timestamp_ns: u64, values: &[Value<'_>]) {
        self.ring.write(&self.kind, timestamp_ns, values);
    }
}

/// An events series about to be registered. Made by [`crate::Segment::events`].
#[derive(Debug)]
#[must_use = "a builder does nothing until `register` is called"]
pub struct EventsBuilder<'a> {
    attachment: Option<&'a Arc<Attachment>>,
    name: &'a str,
    help: &'a str,
    labels: Vec<(&'a str, &'a str)>,
    capacity: u64,
    record_length: u64,
    kinds: Vec<(u16, String)>,
    wrong: Option<String>,
}

impl<'a> EventsBuilder<'a> {
    pub(crate) fn new(attachment: Option<&'a Arc<Attachment>>, name: &'a str) -> Self {
        EventsBuilder {
            attachment,
            name,
            help: "",
            labels: Vec::new(),
            capacity: DEFAULT_CAPACITY,
            record_length: DEFAULT_RECORD_LENGTH,
            kinds: Vec::new(),
            wrong: None,
        }
    }

    /// What the family says, for people; at most 1,024 bytes.
    pub fn help(mut self, help: &'a str) -> Self {
        self.help = help;
        self
    }

    /// Adds a label, as of a counter.
    pub fn label(mut self, name: &'a str, value: &'a str) -> Self {
        self.labels.push((name, value));
        self
    }

    /// How many events of each thread are kept: a power of two from 2 to 65,536; default 256.
    pub fn capacity(mut self, capacity: u64) -> Self {
        self.capacity = capacity;
        self
    }

    /// Bytes of an event, 32 for time and origin included: a multiple of 64 up to 4,096; default 256. A number takes 8; a text of at
    /// most n bytes takes 8, and n rounded up to a multiple of 8.
    pub fn record_length(mut self, bytes: u64) -> Self {
        self.record_length = bytes;
        self
    }

    /// Declares a kind of event: its code (from 1 on, each once), its name, and its fields. The declaration is stored with the series:
    /// readers need no other. Names are ASCII letters, digits, `_`, `.`, `-`, at most 63. `event`, `timestamp`, `timestamp_ns` and
    /// `truncated` are no names of fields: readers say these of each event.
    pub fn kind(mut self, code: u16, name: &str, fields: &[(&str, FieldKind)]) -> Self {
        let reserved = fields.iter().find(|(field, _)| RESERVED_NAMES.contains(field));
        let odd = fields
            .iter()
            .map(|(field, _)| *field)
            .chain([name])
            .find(|name| !is_name(name));
        if let Some(name) = reserved.map(|(field, _)| *field).or(odd) {
            self.wrong
                .get_or_insert_with(|| format!("{name:?} is no name of a kind or of a field"));
        }
        let fields = fields.iter().map(|(field, kind)| format!(" {field}:{kind}"));
        self.kinds
            .push((code, format!("{code} {name}{}", fields.collect::<String>())));
        self
    }

    /// Registers the series, get-or-create. On a segment that does nothing, a handle that does nothing.
    ///
    /// Another capacity, record length or other kinds for an existing series are a revision of it: readers tell the events of both.
    ///
    /// # Errors
    ///
    /// As of a counter; and [`RegisterError::Events`] for what cannot be a ring, or no kind.
    pub fn register(mut self) -> Result<Events, RegisterError> {
        let wrong = |reason: &str| RegisterError::Events {
            name: self.name.to_owned(),
            reason: reason.to_owned(),
        };
        let shape = EventsShape::new(self.capacity, self.record_length).ok_or_else(|| {
            wrong(&format!(
                "rings of {} records of {} bytes cannot be: allowed are powers of two from 2 to 65536 records, multiples of 64 up \
                 to 4096 bytes, together at most 8 MiB",
                self.capacity, self.record_length
            ))
        })?;
        if let Some(reason) = &self.wrong {
            return Err(wrong(reason));
        }
        self.kinds.sort_unstable_by_key(|(code, _)| *code);
        let lines: Vec<&str> = self.kinds.iter().map(|(_, line)| line.as_str()).collect();
        let text = lines.join("\n");
        let schema = Schema::parse(&text, &shape).ok_or_else(|| {
            wrong(&format!(
                "its kinds cannot be stored: there must be 1 to 64, each with a code and a name of its own, with at most 64 fields that \
                 fit into {} bytes, together at most 4096 bytes of declarations, of which they have {}",
                self.record_length - 32,
                text.len()
            ))
        })?;
        let texts = [
            ("name", self.name.len().max(1), MAX_NAME_LENGTH),
            ("help", self.help.len(), MAX_HELP_LENGTH),
        ];
        for (field, found, most) in texts {
            if found > most || self.name.is_empty() {
                let name = self.name.to_owned();
                return Err(match field {
                    "name" => RegisterError::NameLength { name, found, most },
                    _ => RegisterError::TextLength {
                        field,
                        name,
                        found,
                        most,
                    },
                });
            }
        }
        let labels = labels::encode(&self.labels).map_err(|source| RegisterError::Labels {
            name: self.name.to_owned(),
            source,
        })?;
        let kinds = schema.kinds.into_iter().map(Arc::new).collect();
        let Some(attachment) = self.attachment else {
            let ring = Arc::new(EventRing::noop(shape));
            return Ok(Events { ring, kinds });
        };
        let family = FamilyKey {
            name: self.name,
            help: self.help,
            unit: "",
            kind: Kind::Events,
            merge: Merge::Sum,
        };
        let series = |family| SeriesKey {
            name: self.name,
            family,
            kind: Kind::Events,
            labels: &labels,
            factor: 1.0,
            exponential: None,
            events: Some(shape),
            group: None,
            extra: text.as_bytes(),
            ring_slots: 0,
            samples: None,
            text: None,
            in_flight: None,
            overflow: false,
            limit: u64::MAX,
        };
        let registered = register_family(attachment, family)
            .and_then(|family| register_series(attachment, series(family)))
            .inspect_err(|error| error_log::registration_refused(attachment, error))?;
        let ring = Arc::new(EventRing::new(attachment, registered.placement, shape));
        Ok(Events { ring, kinds })
    }
}
