//! How a session is entered, and with what.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use super::{DEFAULT_INSTANCE, DEFAULT_KVS_NAME, DEFAULT_PREFIX, KeyValueStore, Requests, RequestsError};
use crate::segment::Segment;

/// Is a record kept, and when?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Persistence {
    /// None is.
    #[default]
    Off,
    /// It is restored on entering, and saved every interval, when asked, and on leaving.
    Enabled,
    /// It is restored on entering, and saved only when asked.
    ExplicitOnly,
}

/// How the periodic log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// A box table below the message.
    #[default]
    Table,
    /// The summary as JSON behind the message, on one line.
    Inline,
}

/// Which of the processes that are entered log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LogFrom {
    /// Each of them, the figures of all.
    #[default]
    Each,
    /// The one in the lowest process slot; when it goes, the next.
    First,
}

/// Where lines go.
pub(super) type Sink = Box<dyn FnMut(&str) -> io::Result<()> + Send>;

/// What a session needs to know.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) prefix: String,
    pub(super) instance: String,
    pub(super) extra: Vec<String>,
    pub(super) max_in_flight: u64,
    pub(super) max_error_groups: u64,
    pub(super) log_message: String,
    pub(super) log_interval: Option<Duration>,
    pub(super) log_format: LogFormat,
    pub(super) log_from: LogFrom,
    pub(super) persistence: Persistence,
    pub(super) persist_interval: Duration,
    pub(super) kvs_name: String,
    pub(super) state_key: Option<String>,
    pub(super) store: Option<Arc<dyn KeyValueStore>>,
}

impl Settings {
    pub(super) fn name(&self, name: &str) -> String {
        format!("{}_{name}", self.prefix)
    }
}

/// A session about to be entered. Made by [`Requests::builder`]. All processes of an instance use the same settings.
#[must_use = "a builder does nothing until `enter` is called"]
pub struct Builder<'s> {
    pub(super) segment: &'s Segment,
    pub(super) settings: Settings,
    pub(super) sink: Option<Sink>,
}

impl fmt::Debug for Builder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("instance", &self.settings.instance)
            .finish_non_exhaustive()
    }
}

impl<'s> Builder<'s> {
    pub(super) fn new(segment: &'s Segment) -> Builder<'s> {
        Builder {
            segment,
            settings: Settings {
                prefix: DEFAULT_PREFIX.to_owned(),
                instance: DEFAULT_INSTANCE.to_owned(),
                extra: Vec::new(),
                max_in_flight: 512,
                max_error_groups: 128,
                log_message: "Statistics".to_owned(),
                log_interval: Some(Duration::from_secs(60)),
                log_format: LogFormat::Table,
                log_from: LogFrom::Each,
                persistence: Persistence::Off,
                persist_interval: Duration::from_secs(60),
                kvs_name: DEFAULT_KVS_NAME.to_owned(),
                state_key: None,
                store: None,
            },
            sink: None,
        }
    }

    /// What the families' names begin with; default `requests`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.settings.prefix = prefix.into();
        self
    }

    /// The key of the statistics: all who enter under it count together, others apart. A stable name, never a number of the order in
    /// which something was made. Default: `default`.
    pub fn instance(mut self, instance: impl Into<String>) -> Self {
        self.settings.instance = instance.into();
        self
    }

    /// A further field of the state: a number, exported, saved and restored as the others are ([`Requests::extra`]).
    pub fn extra(mut self, name: impl Into<String>) -> Self {
        self.settings.extra.push(name.into());
        self
    }

    /// Requests that can be in flight, or wait for a retry, over all processes; default 512. Each costs 144 bytes of the segment. The start
    /// of what finds no room is counted, and its end by its [`Attempt`](super::Attempt); but a retry of it is not known as one, and by its
    /// key it cannot be ended. Room is in eights by the hash of the key, so give twice as much as is needed at once. What finds none is
    /// counted in the series `PREFIX_in_flight`, as `overflow`; requests that wait and whose place was given to others, as `forgotten`.
    pub fn max_in_flight(mut self, requests: u64) -> Self {
        self.settings.max_in_flight = requests;
        self
    }

    /// Groups of errors that are told apart, of either stage, over all instances; default 128.
    pub fn max_error_groups(mut self, groups: u64) -> Self {
        self.settings.max_error_groups = groups;
        self
    }

    /// The first line of the periodic log; default `Statistics`.
    pub fn log_message(mut self, message: impl Into<String>) -> Self {
        self.settings.log_message = message.into();
        self
    }

    /// How often it is logged, from entering on; default every 60 s.
    pub fn log_interval(mut self, interval: Duration) -> Self {
        self.settings.log_interval = Some(interval);
        self
    }

    /// Nothing is logged, neither every interval nor on leaving.
    pub fn without_log(mut self) -> Self {
        self.settings.log_interval = None;
        self
    }

    /// A table, or one line.
    pub fn log_format(mut self, format: LogFormat) -> Self {
        self.settings.log_format = format;
        self
    }

    /// Who logs, where several processes are entered.
    pub fn log_from(mut self, from: LogFrom) -> Self {
        self.settings.log_from = from;
        self
    }

    /// Gives each message to `write`, in the session's thread, instead of the `log` facade (level info, target `shmetrics::requests`; without
    /// this crate's feature `log` there is none, and what is logged goes nowhere unless this is called).
    /// If it fails or panics, that is kept in the segment's error log, and the next message comes all the same.
    pub fn log_to(mut self, write: impl FnMut(&str) -> io::Result<()> + Send + 'static) -> Self {
        self.sink = Some(Box::new(write));
        self
    }

    /// As [`log_to`](Self::log_to), each message and a line end to a writer.
    pub fn log_writer(self, mut writer: impl Write + Send + 'static) -> Self {
        self.log_to(move |message| {
            writeln!(writer, "{message}")?;
            writer.flush()
        })
    }

    /// Is a record kept, and when? Default: none is, and nothing is left on disk.
    pub fn persistence(mut self, persistence: Persistence) -> Self {
        self.settings.persistence = persistence;
        self
    }

    /// How often it is saved; default every 60 s.
    pub fn persist_interval(mut self, interval: Duration) -> Self {
        self.settings.persist_interval = interval;
        self
    }

    /// Where records are kept.
    pub fn store(mut self, store: impl KeyValueStore + 'static) -> Self {
        self.settings.store = Some(Arc::new(store));
        self
    }

    /// The store's name; default `default`.
    pub fn persist_state_kvs_name(mut self, name: impl Into<String>) -> Self {
        self.settings.kvs_name = name.into();
        self
    }

    /// The record's key; default [`default_state_key`](super::default_state_key) of the prefix and the
    /// instance.
    pub fn persist_state_key(mut self, key: impl Into<String>) -> Self {
        self.settings.state_key = Some(key.into());
        self
    }

    /// Enters the session: registers what is counted, restores the record if there is one, begins a run unless another process is in one,
    /// and starts the thread that logs, saves, and gives signs of life.
    ///
    /// # Errors
    ///
    /// This process is in one already, a capacity of the segment is used up, or the record cannot be restored: see [`RequestsError`].
    /// Then it was not entered.
    pub fn enter(self) -> Result<Requests, RequestsError> {
        Requests::enter(self)
    }
}
