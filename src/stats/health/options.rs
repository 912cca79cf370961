//! How a service is monitored: what the original read from `server_config`.

/// How a service is monitored. All processes of a service use the same.
///
/// ```
/// use shmetrics::stats::health::{ErrorRule, Options};
///
/// let options = Options::default()
///     .max_workers(8)
///     .errors(ErrorRule::new("CONNECTION_ERROR").fragments(["connection reset", "timed out"]).unhealthy(3))
///     .info("model_version", "Version of the model", 7.0);
/// # assert_eq!(options.threads(), 8);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// What the names of all families begin with; default `health`.
    pub prefix: String,
    /// Tasks that this process works on at a time; default 1. Times are normalised by those of all live processes together. It says how
    /// many there are and limits nothing: that is for a semaphore of the service, taken after [`start_task`](super::Monitor::start_task) if
    /// the wait is to be part of the time.
    pub max_workers: u64,
    /// As many, where something scales the service by them: what times are normalised by instead of [`max_workers`](Self::max_workers), if
    /// given.
    pub hpa_max_workers: Option<u64>,
    /// Which errors mean which status, in the order in which they are tried.
    pub errors: Vec<ErrorRule>,
    /// Constants that every export shows.
    pub info: Vec<ServiceInfo>,
    /// Tasks that can be in flight at a time, over all processes; default 512, up to 32,768.
    pub max_tasks: u64,
    /// Methods that are told apart; default 256.
    pub max_methods: u64,
    /// Bounds of the durations of tasks, in seconds; default [`TIME_BOUNDS`](super::TIME_BOUNDS).
    pub task_bounds: Vec<f64>,
}

/// A constant that every export shows.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ServiceInfo {
    /// Its name, cleaned as that of a [`Key`](super::Key).
    pub name: String,
    /// What it says, for people.
    pub help: String,
    /// Its value.
    pub value: f64,
}

/// Which errors mean a status, and how often in a row is unhealthy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorRule {
    /// The status: one of those of the original, or a new one.
    pub status: String,
    /// An error whose text contains one of these, in whatever case, has this status. Empty ones are left out.
    pub fragments: Vec<String>,
    /// The streak from which on a process with this status is unhealthy; `None`: never.
    pub unhealthy_from: Option<u32>,
}

impl ErrorRule {
    /// Of this status: no fragments, never unhealthy.
    pub fn new(status: impl Into<String>) -> ErrorRule {
        ErrorRule {
            status: status.into(),
            fragments: Vec::new(),
            unhealthy_from: None,
        }
    }

    /// With further fragments.
    #[must_use]
    pub fn fragments<F: Into<String>>(mut self, fragments: impl IntoIterator<Item = F>) -> ErrorRule {
        self.fragments.extend(fragments.into_iter().map(Into::into));
        self
    }

    /// Unhealthy from this streak on; what is negative, as −1 in the original, is never.
    #[must_use]
    pub fn unhealthy(mut self, streak: i64) -> ErrorRule {
        // Too great a one is refused when it is registered.
        self.unhealthy_from = (streak >= 0).then(|| u32::try_from(streak).unwrap_or(u32::MAX));
        self
    }
}

impl Default for Options {
    fn default() -> Options {
        Options {
            prefix: super::PREFIX.to_owned(),
            max_workers: 1,
            hpa_max_workers: None,
            errors: Vec::new(),
            info: Vec::new(),
            max_tasks: 512,
            max_methods: 256,
            task_bounds: super::TIME_BOUNDS.to_vec(),
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

    /// With so many workers.
    #[must_use]
    pub fn max_workers(mut self, workers: u64) -> Options {
        self.max_workers = workers;
        self
    }

    /// With so many workers to scale by.
    #[must_use]
    pub fn hpa_max_workers(mut self, workers: u64) -> Options {
        self.hpa_max_workers = Some(workers);
        self
    }

    /// With a rule for a status, in place of an earlier one for it.
    #[must_use]
    pub fn errors(mut self, rule: ErrorRule) -> Options {
        match self.errors.iter_mut().find(|known| known.status == rule.status) {
            Some(known) => *known = rule,
            None => self.errors.push(rule),
        }
        self
    }

    /// With a constant.
    #[must_use]
    pub fn info(mut self, name: impl Into<String>, help: impl Into<String>, value: f64) -> Options {
        self.info.push(ServiceInfo {
            name: name.into(),
            help: help.into(),
            value,
        });
        self
    }

    /// With limits of tasks in flight and of methods.
    #[must_use]
    pub fn limits(mut self, tasks: u64, methods: u64) -> Options {
        (self.max_tasks, self.max_methods) = (tasks, methods);
        self
    }

    /// What `service_threads` is: the workers to scale by if they are given, else all workers of this process.
    pub fn threads(&self) -> u64 {
        self.hpa_max_workers.unwrap_or(self.max_workers)
    }

    pub(super) fn name(&self, name: &str) -> String {
        format!("{}_{name}", self.prefix)
    }
}
