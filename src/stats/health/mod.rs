//! Health of a service: statuses that become unhealthy by their streaks, errors by fragments of their texts, what is being worked on and
//! how long that takes, rolling averages, over all processes that share a segment.
//!
//! A process records through [`Monitor`]; whoever has a snapshot reads through [`View`], without the process' help and without any
//! configuration: thresholds, workers and constants stand in the segment.
//!
//! ```text
//! PREFIX_tasks                          in flight        tasks that are worked on, by whom, since when
//! PREFIX_tasks_started_total            counter          tasks that were started
//! PREFIX_task_duration_seconds          histogram        a task that was completed: their number, and the time they took
//! PREFIX_threads                        gauge, summed    workers of each live process
//! PREFIX_status{task_type}              state            the status of each process, its streak, the thresholds
//! PREFIX_requests_total{method}         counter          a request
//! PREFIX_processed_total{method,status}                  its end: success or failure
//! PREFIX_errors_total{method,type}                       and what failed, by fragment
//! PREFIX_stats_NAME{…}                  number           what is counted or set under a key
//! PREFIX_samples_NAME{…}                samples          the last values under a key
//! PREFIX_hist_NAME{…}                   histogram        all of them, in buckets
//! PREFIX_info_NAME                      gauge            constants
//! ```
//!
//! **Completed tasks are not counted beside their times**: both are of one histogram, so they cannot drift, whoever is killed where.
//! A task whose process died is no longer in flight, and is told as lost.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let path = std::env::temp_dir().join(format!("shmetrics-health-{}", std::process::id()));
//! # let app = path.to_str().unwrap();
//! use shmetrics::stats::health::{ErrorRule, Monitor, Options, View};
//! use shmetrics::{Reader, Segment};
//!
//! # let segment = Segment::options().preset(shmetrics::Preset::Compact).open_or_create(app)?;
//! # #[cfg(any())]
//! let segment = Segment::open_or_create("app")?;
//! let options = Options::default().errors(ErrorRule::new("CONNECTION_ERROR").fragments(["refused"]).unhealthy(2));
//! let monitor = Monitor::register(&segment, &options)?;
//! let task = monitor.start_task("task-1");
//! monitor.record_request("Predict");
//! monitor.record_failure("Predict", "Connection refused");
//! monitor.record_failure("Predict", "Connection refused");
//! monitor.end_task(task);
//!
//! let snapshot = Reader::open(app)?.snapshot()?;
//! let health = View::new(&snapshot).health();
//! assert_eq!((health.healthy, health.status_code(), health.exit_code()), (false, 503, 1));
//! monitor.record_success("Predict");
//! let snapshot = Reader::open(app)?.snapshot()?;
//! assert!(View::new(&snapshot).health().healthy);
//! # std::fs::remove_file(&path)?;
//! # Ok(())
//! # }
//! ```
//!
//! | file | subject |
//! |---|---|
//! | [`mod@self`] | what is registered, and what has no key |
//! | `options` | settings |
//! | `bounds` | the bucket bounds of the original |
//! | `key` | names with labels |
//! | `keyed` | what is counted, set and measured under keys |
//! | `classify` | which status an error means |
//! | `tasks` | what is being worked on |
//! | `wait` | until nothing is |
//! | `view`, `document` | what a snapshot says of it |

mod bounds;
mod classify;
mod document;
mod key;
mod keyed;
mod options;
mod tasks;
mod view;
mod wait;

pub use bounds::{SIZE_BOUNDS, TIME_BOUNDS};
pub use classify::{Class, Classifier};
pub use document::{Health, HealthProcess, HealthStatus};
pub use key::{Key, KeyError};
pub use keyed::{Buckets, Measure};
pub use options::{ErrorRule, Options, ServiceInfo};
pub use tasks::Task;
pub use view::{Average, Tasks, View};
pub use wait::{Waited, in_flight, wait_until_idle};

use crate::error::{OpenError, ReadError, RegisterError};
use crate::instrument::{Counter, Family, FloatHistogram, Gauge, InFlight, State};
use crate::layout::kind::Merge;
use crate::segment::{Segment, Unit};

/// What families begin with unless asked otherwise.
const PREFIX: &str = "health";
/// The status of all that is well.
pub const OK: &str = "OK";
/// The status of errors that no rule has, unless a rule has the fragment [`OTHER`].
pub const OTHER_EXCEPTION: &str = "OTHER_EXCEPTION";
/// The type of errors in which no fragment is found.
pub const OTHER: &str = "other";
/// The task type of [`Monitor::record_success`] and its siblings.
pub const DEFAULT_TASK_TYPE: &str = "default";
/// The statuses that there always are, by number.
const STATUSES: [&str; 6] = [
    OK,
    "FATAL",
    "CONNECTION_ERROR",
    "INTERNAL",
    "UNKNOWN",
    OTHER_EXCEPTION,
];
/// How requests end.
const SUCCESS: &str = "success";
const FAILURE: &str = "failure";

/// What the families are called.
mod names {
    pub(super) const TASKS: &str = "tasks";
    pub(super) const STARTED: &str = "tasks_started_total";
    pub(super) const DURATIONS: &str = "task_duration_seconds";
    pub(super) const THREADS: &str = "threads";
    pub(super) const STATUS: &str = "status";
    pub(super) const REQUESTS: &str = "requests_total";
    pub(super) const PROCESSED: &str = "processed_total";
    pub(super) const ERRORS: &str = "errors_total";
    pub(super) const STATS: &str = "stats_";
    pub(super) const SAMPLES: &str = "samples_";
    pub(super) const HISTOGRAMS: &str = "hist_";
    pub(super) const INFO: &str = "info_";
}

/// Why what reads the segment cannot be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MonitorError {
    /// What is to be read cannot be registered.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// The segment cannot be opened to read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It cannot be read any more.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Records what a service does and how it fares. `Send + Sync`; share it by reference or in an `Arc`. Its operations take no lock, never
/// wait, and may be used from any thread and from asynchronous code; no server need run. A forked child goes on with it, in cells of its
/// own ([`Monitor::start`]).
#[derive(Debug)]
pub struct Monitor {
    segment: Segment,
    prefix: String,
    threads: (Gauge, i64),
    classifier: Classifier,
    tasks: InFlight,
    started: Counter,
    durations: FloatHistogram,
    statuses: Family<State, 1>,
    requests: Family<Counter, 1>,
    processed: Family<Counter, 2>,
    errors: Family<Counter, 2>,
}

impl Monitor {
    /// Registers the families, or finds them, shows the constants, and says how many workers this process has.
    ///
    /// # Errors
    ///
    /// A capacity of the segment is used up, a name is of another kind, or the statuses or bounds cannot be used: see [`RegisterError`].
    pub fn register(segment: &Segment, options: &Options) -> Result<Monitor, RegisterError> {
        let classifier = Classifier::new(&options.errors);
        let types = classifier.error_types().count() as u64;
        let methods = options.max_methods;
        for info in &options.info {
            let name = options.name(&format!("{}{}", names::INFO, key::clean(&info.name)));
            let gauge = segment.gauge_float(&name).help(&info.help).merge(Merge::Last);
            gauge.register()?.set(info.value);
        }
        let threads = segment
            .gauge(&options.name(names::THREADS))
            .help("Workers of the processes that live")
            .register()?;
        let monitor = Monitor {
            threads: (threads, i64::try_from(options.threads()).unwrap_or(i64::MAX)),
            tasks: segment
                .in_flight(&options.name(names::TASKS))
                .help("Tasks that are worked on")
                .capacity(options.max_tasks)
                .register()?,
            started: segment
                .counter(&options.name(names::STARTED))
                .help("Tasks that were started")
                .register()?,
            durations: segment
                .histogram_classic(&options.name(names::DURATIONS), &options.task_bounds)
                .help("How long tasks took that were completed")
                .unit(Unit::Seconds)
                .register()?,
            statuses: segment
                .state(&options.name(names::STATUS))
                .help("What the last tasks ended with")
                .statuses(classifier.statuses())
                .family(["task_type"])?,
            requests: segment
                .counter(&options.name(names::REQUESTS))
                .help("Requests")
                .limit(methods)
                .family(["method"])?,
            processed: segment
                .counter(&options.name(names::PROCESSED))
                .help("Requests that ended")
                .limit(methods.saturating_mul(2))
                .family(["method", "status"])?,
            errors: segment
                .counter(&options.name(names::ERRORS))
                .help("Requests that failed, by what was found in the error")
                .limit(methods.saturating_mul(types))
                .family(["method", "type"])?,
            segment: segment.clone(),
            prefix: options.prefix.clone(),
            classifier,
        };
        monitor.start();
        Ok(monitor)
    }

    /// Says how many workers this process has. [`register`](Self::register) does it; a forked child does it for itself.
    pub fn start(&self) {
        self.threads.0.set(self.threads.1);
    }

    /// Makes the series of these methods, for each of them with all ends and all types of errors, so that exports show zeros from the
    /// start.
    pub fn preregister<'m>(&self, methods: impl IntoIterator<Item = &'m str>) {
        for method in methods {
            self.requests.with([method]);
            self.processed.with([method, SUCCESS]);
            self.processed.with([method, FAILURE]);
            for error_type in self.classifier.error_types() {
                self.errors.with([method, error_type]);
            }
        }
    }

    /// A request of this method begins.
    pub fn record_request(&self, method: &str) {
        self.requests.with([method]).inc();
    }

    /// It ended well: success, and the status of this process is [`OK`].
    pub fn record_success(&self, method: &str) {
        self.processed.with([method, SUCCESS]).inc();
        self.state(DEFAULT_TASK_TYPE).set(0);
    }

    /// It failed with an error of this text: failure, the type of the error, and the status of this process is the one that it means.
    pub fn record_failure(&self, method: &str, error: &str) -> Class<'_> {
        let class = self.classifier.classify(error);
        self.processed.with([method, FAILURE]).inc();
        self.errors.with([method, class.error_type]).inc();
        self.state(DEFAULT_TASK_TYPE).set(class.number);
        class
    }

    /// It was refused on purpose: failure, and the status of this process is [`OK`].
    pub fn record_refusal(&self, method: &str) {
        self.processed.with([method, FAILURE]).inc();
        self.state(DEFAULT_TASK_TYPE).set(0);
    }

    /// What errors are.
    pub fn classifier(&self) -> &Classifier {
        &self.classifier
    }

    /// The status of this process in tasks of one type: set it by number, [`Classifier::number`]. At most 256 types are told apart,
    /// those beyond are one. Cost: a look-up, and that of [`State`].
    pub fn state(&self, task_type: &str) -> &State {
        self.statuses.with([task_type])
    }

    /// Sets the status of this process in tasks of one type, by name. `false`: there is no such status, and nothing was set.
    pub fn set_task_status(&self, status: &str, task_type: &str) -> bool {
        let number = self.classifier.number(status);
        if let Some(number) = number {
            self.state(task_type).set(number);
        }
        number.is_some()
    }
}
