//! Runtime metrics of a service: who runs since when, requests by path, config deliveries, and the documents of its health and ready
//! endpoints, over all processes that share a segment.
//!
//! A process records through [`Runtime`]; whoever has a snapshot reads through [`View`], without the process' help.
//!
//! ```text
//! PREFIX_requests_total{path}                          a request                       total and by path
//! PREFIX_config_responses_total{endpoint,target,caller}  a delivery                    total and by each of the three
//! PREFIX_config_values_total{target,caller,name}       a value that was delivered      total and by each of the three
//! PREFIX_config_last_served                            time mark                       the latest delivery
//! PREFIX_config_loads_total, _config_keys, _config_last_loaded                         loads of the configuration
//! PREFIX_process{hostname}                             gauge of each process           when it began, by the monotonic clock
//! ```
//!
//! **No total is stored.** A delivery is one addition to one series, and each breakdown is the sum of those series by one label. So in a
//! snapshot every breakdown adds up to its total, whoever is in the middle of what, or was killed there.
//!
//! **Label sets are bounded** ([`Options`]). What is beyond is counted under [`OVERFLOW`] in every breakdown: totals stay exact.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let path = std::env::temp_dir().join(format!("shmetrics-runtime-{}", std::process::id()));
//! # let app = path.to_str().unwrap();
//! use shmetrics::stats::runtime::{Options, Runtime, Scope, View};
//! use shmetrics::{Reader, Segment};
//!
//! # let segment = Segment::options().preset(shmetrics::Preset::Compact).open_or_create(app)?;
//! # #[cfg(any())]
//! let segment = Segment::open_or_create("app")?;
//! let runtime = Runtime::register(&segment, &Options::default())?;
//! runtime.record_request("/api/config");
//! runtime.record_config_delivery("run-time", "web", ["API_URL", "THEME"], "local:web");
//!
//! let snapshot = Reader::open(app)?.snapshot()?;
//! let view = View::new(&snapshot);
//! assert_eq!(view.requests(Scope::All).total_requests, 1);
//! let served = view.served_config(Scope::All);
//! assert_eq!((served.responses_total, served.values_total), (1, 2));
//! # std::fs::remove_file(&path)?;
//! # Ok(())
//! # }
//! ```

mod document;
mod normal;
mod view;

pub use document::{Config, Health, Ready};
pub use view::{ProcessRuntimeSnapshot, RequestMetricsSnapshot, Scope, ServedConfigMetricsSnapshot, View};

use normal::normal;

use crate::error::{RegisterError, ResetError};
use crate::instrument::{Counter, Family, Gauge, TimeMark};
use crate::layout::kind::Merge;
use crate::reset::Done;
use crate::segment::Segment;
use crate::snapshot::Clocks;

/// What breakdowns call whatever is beyond the limits.
pub const OVERFLOW: &str = "(overflow)";
/// The label of what one worker counted ([`Options::worker`]).
const WORKER: &str = "worker";

/// What the families are called.
mod names {
    pub(super) const REQUESTS: &str = "requests_total";
    pub(super) const RESPONSES: &str = "config_responses_total";
    pub(super) const VALUES: &str = "config_values_total";
    pub(super) const LAST_SERVED: &str = "config_last_served";
    pub(super) const LOADS: &str = "config_loads_total";
    pub(super) const KEYS: &str = "config_keys";
    pub(super) const LAST_LOADED: &str = "config_last_loaded";
    pub(super) const PROCESS: &str = "process";
}

/// How runtime metrics are kept. All processes of a service use the same.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// What the names of all families begin with; default `runtime`.
    pub prefix: String,
    /// The worker whose counts can be told and reset apart from others' ([`Scope::Worker`]): a stable name, such as the process'
    /// role, and never a pid. Default: none.
    pub worker: Option<String>,
    /// Paths that are told apart; default 256. Whoever scans a service asks for any path.
    pub max_paths: u64,
    /// Combinations of endpoint, target and caller that are told apart; default 256.
    pub max_responses: u64,
    /// Combinations of target, caller and name that are told apart; default 1,024.
    pub max_values: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            prefix: "runtime".to_owned(),
            worker: None,
            max_paths: 256,
            max_responses: 256,
            max_values: 1024,
        }
    }
}

impl Options {
    /// With this prefix.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Options {
        self.prefix = prefix.into();
        self
    }

    /// As this worker.
    #[must_use]
    pub fn worker(mut self, worker: impl Into<String>) -> Options {
        self.worker = Some(worker.into());
        self
    }

    /// With limits of paths, of responses and of values.
    #[must_use]
    pub fn limits(mut self, paths: u64, responses: u64, values: u64) -> Options {
        (self.max_paths, self.max_responses, self.max_values) = (paths, responses, values);
        self
    }

    fn name(&self, name: &str) -> String {
        format!("{}_{name}", self.prefix)
    }
}

/// Records what a service does. `Send + Sync`; share it by reference or in an `Arc`. An operation never fails and takes no lock: what
/// finds no room is counted under [`OVERFLOW`]. A forked child goes on with it, in cells of its own ([`Runtime::start`]).
#[derive(Debug)]
pub struct Runtime {
    requests: Family<Counter, 1>,
    responses: Family<Counter, 3>,
    values: Family<Counter, 3>,
    last_served: TimeMark,
    loads: Counter,
    keys: Gauge,
    last_loaded: TimeMark,
    process: Gauge,
}

impl Runtime {
    /// Registers the families, or finds them, and says that this process begins now.
    ///
    /// # Errors
    ///
    /// A capacity of the segment is used up, or one of the names is of another kind: see [`RegisterError`].
    pub fn register(segment: &Segment, options: &Options) -> Result<Runtime, RegisterError> {
        let worker = options.worker.as_deref().map(|worker| (WORKER, worker));
        let hostname = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let runtime = Runtime {
            requests: segment
                .counter(&options.name(names::REQUESTS))
                .help("Requests")
                .labels(worker)
                .limit(options.max_paths)
                .family(["path"])?,
            responses: segment
                .counter(&options.name(names::RESPONSES))
                .help("Config deliveries")
                .labels(worker)
                .limit(options.max_responses)
                .family(["endpoint", "target", "caller"])?,
            values: segment
                .counter(&options.name(names::VALUES))
                .help("Config values delivered")
                .labels(worker)
                .limit(options.max_values)
                .family(["target", "caller", "name"])?,
            last_served: segment
                .time_mark(&options.name(names::LAST_SERVED))
                .help("The latest config delivery")
                .labels(worker)
                .register()?,
            loads: segment
                .counter(&options.name(names::LOADS))
                .help("Loads of the configuration")
                .labels(worker)
                .register()?,
            keys: segment
                .gauge(&options.name(names::KEYS))
                .help("Keys of the configuration that was loaded last")
                .labels(worker)
                .merge(Merge::Last)
                .register()?,
            last_loaded: segment
                .time_mark(&options.name(names::LAST_LOADED))
                .help("The latest load of the configuration")
                .labels(worker)
                .register()?,
            process: segment
                .gauge(&options.name(names::PROCESS))
                .help("When each process began, by the monotonic clock, ns")
                .label("hostname", &hostname)
                .merge(Merge::Each)
                .register()?,
        };
        runtime.start();
        Ok(runtime)
    }

    /// Says that this process begins now: for a forked child, whose uptime else counts from when it took its slot, by the wall clock.
    pub fn start(&self) {
        self.process.set(Clocks::read().monotonic_ns as i64);
    }

    /// Counts a request. The path is kept as it is given: case, slashes and all. Call it before the request is handled, for every one.
    ///
    /// Cost: a look-up of the path and an add; a path's first use in a process is a registration.
    pub fn record_request(&self, path: &str) {
        self.requests.with([path]).inc();
    }

    /// Counts a delivery of configuration values. Endpoint, target and caller are trimmed and put into lower case; names are kept as
    /// they are, and count as often as they are given. Without names it is a response with 0 values.
    ///
    /// Cost: as [`record_request`](Self::record_request), once and for each name, and a reading of the wall clock.
    pub fn record_config_delivery<'n>(
        &self,
        endpoint: &str,
        target: &str,
        names: impl IntoIterator<Item = &'n str>,
        caller: &str,
    ) {
        let (endpoint, target, caller) = (normal(endpoint), normal(target), normal(caller));
        for name in names {
            self.values.with([&target, &caller, name]).inc();
        }
        self.responses.with([&endpoint, &target, &caller]).inc();
        self.last_served.mark();
    }

    /// Counts a load of the configuration, which had so many keys.
    pub fn record_config_load(&self, keys: u64) {
        self.keys.set(keys.min(i64::MAX as u64) as i64);
        self.loads.inc();
        self.last_loaded.mark();
    }
}

/// The label of a caller that has no principal: what the original used.
pub fn local_caller(target: &str) -> String {
    format!("local:{}", normal(target))
}

/// Resets all that is counted here, of the segment of this name or path: totals and breakdowns are 0, nothing was served or loaded
/// yet, and uptime begins anew. For all readers at once; nobody who counts notices. With `worker` only what that worker counted.
///
/// # Errors
///
/// As [`crate::reset::series`].
pub fn reset(place: &str, prefix: &str, worker: Option<&str>) -> Result<Done, ResetError> {
    crate::reset::series(place, |series| {
        let is_ours = series
            .name
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.starts_with('_'));
        let of_worker = |wanted: &str| {
            series
                .labels
                .iter()
                .any(|(name, value)| name == WORKER && value == wanted)
        };
        is_ours && worker.is_none_or(of_worker)
    })
}
