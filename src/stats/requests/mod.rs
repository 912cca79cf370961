//! Request statistics of a crawl: requests by key, retries, durations, status codes, errors, run time, a periodic log, and a record that
//! outlives the segment, over all processes that share one.
//!
//! A process enters a session ([`Requests`]) under an *instance*, a key of the user's choice; all that enter under one key count
//! together. Whoever has a snapshot reads through [`View`], without the process' help.
//!
//! ```text
//! PREFIX_in_flight                  in flight       requests that are worked on, by whom, since when, for the how-manieth time
//! PREFIX_started, _retried          number          first starts, and those after; a deferral takes its start back
//! PREFIX_finished_total{retries}    counter         requests that ended well, by how often they were retried
//! PREFIX_failed_total{retries}                      those that were given up
//! PREFIX_duration_seconds{outcome}  histogram       their last attempts
//! PREFIX_status_codes_total{code}   counter         answers
//! PREFIX_errors_total{location,class,message}         errors that were final
//! PREFIX_retry_errors_total{…}                       those that were retried
//! PREFIX_extra{name}                number          what the user counts besides
//! PREFIX_run{run,field}, _alive{run}, _sessions     when somebody was entered: `run`
//! PREFIX_restored{record,field}     number          what was counted before this segment was made: `restored`
//! ```
//!
//! All of them have the label `instance`.
//!
//! **An end is one addition**, to the counter of its outcome and retries. Finished, failed, total, retries and the retry histogram are sums
//! of these, so they never disagree, whoever is killed where. Its duration comes right after: of a thread that was killed in between
//! one is missing.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let path = std::env::temp_dir().join(format!("shmetrics-requests-{}", std::process::id()));
//! # let app = path.to_str().unwrap();
//! use shmetrics::Segment;
//! use shmetrics::stats::requests::Requests;
//!
//! # let segment = Segment::options().preset(shmetrics::Preset::Compact).open_or_create(app)?;
//! # #[cfg(any())]
//! let segment = Segment::open_or_create("app")?;
//! let requests = Requests::builder(&segment).instance("news").enter()?;
//! let attempt = requests.start("https://example.org/");
//! requests.register_status_code(503);
//! requests.retry_later(attempt);
//! // Some time later, in whatever process:
//! let attempt = requests.start("https://example.org/");
//! requests.register_status_code(200);
//! requests.finish(attempt);
//!
//! let figures = requests.figures()?;
//! assert_eq!((figures.requests_finished, figures.requests_retries), (1, 1));
//! assert_eq!(figures.request_retry_histogram, [0, 1]);
//! requests.leave()?;
//! # std::fs::remove_file(&path)?;
//! # Ok(())
//! # }
//! ```
//!
//! | file | subject |
//! |---|---|
//! | `builder` | settings |
//! | `series` | what is registered |
//! | `session`, `inner` | entering and leaving |
//! | `recording` | starts, ends, codes, errors |
//! | `run` | when somebody was entered: run time without down time |
//! | `periodic` | the thread of a session: the log, saving, signs of life |
//! | `view`, `gathered`, `errors`, `figures` | what a snapshot says |
//! | `summary`, `table`, `document` | derived values, as a table, as JSON |
//! | `persist` | saving, restoring, resetting |
//! | `restored` | the restored past, in the segment |
//! | `record`, `past`, `time` | from the JSON of a record to what is restored, and added |
//! | `store` | where records are |
//! | `lock`, `failure` | one at a time; what can go wrong |

mod builder;
mod document;
mod errors;
mod failure;
mod figures;
mod gathered;
mod inner;
mod lock;
mod past;
mod periodic;
mod persist;
mod record;
mod recording;
mod restored;
mod run;
mod series;
mod session;
mod store;
mod summary;
mod table;
mod time;
mod view;

pub use builder::{Builder, LogFormat, LogFrom, Persistence};
pub use errors::ErrorCounts;
pub use failure::RequestsError;
pub use figures::{Figures, Percentiles};
pub use persist::{Place, Restored, reset, restore, save};
pub use recording::{Attempt, ErrorReport, ErrorStage};
pub use session::Requests;
pub use store::{FolderStore, KeyValueStore};
pub use summary::Summary;
pub use table::humanised;
pub use view::View;

/// What families begin with unless asked otherwise.
pub const DEFAULT_PREFIX: &str = "requests";
/// The instance unless asked otherwise.
pub const DEFAULT_INSTANCE: &str = "default";
/// The key-value store unless asked otherwise.
pub const DEFAULT_KVS_NAME: &str = "default";
/// The label by which instances are told apart.
const INSTANCE: &str = "instance";

/// What the families are called.
mod names {
    pub(super) const IN_FLIGHT: &str = "in_flight";
    pub(super) const STARTED: &str = "started";
    pub(super) const RETRIED: &str = "retried";
    pub(super) const FINISHED: &str = "finished_total";
    pub(super) const FAILED: &str = "failed_total";
    pub(super) const DURATIONS: &str = "duration_seconds";
    pub(super) const CODES: &str = "status_codes_total";
    pub(super) const ERRORS: &str = "errors_total";
    pub(super) const RETRY_ERRORS: &str = "retry_errors_total";
    pub(super) const EXTRA: &str = "extra";
    pub(super) const RUN: &str = "run";
    pub(super) const ALIVE: &str = "alive";
    pub(super) const SESSIONS: &str = "sessions";
    pub(super) const RESTORED: &str = "restored";
}

/// The key of an instance's record unless asked otherwise: `SDK_CRAWLER_STATISTICS_` and the instance; with another prefix than
/// [`DEFAULT_PREFIX`], that and a point before it.
pub fn default_state_key(prefix: &str, instance: &str) -> String {
    let of_prefix = match prefix {
        DEFAULT_PREFIX => String::new(),
        prefix => format!("{prefix}."),
    };
    format!("{of_prefix}SDK_CRAWLER_STATISTICS_{instance}")
}
