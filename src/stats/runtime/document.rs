//! The documents of the health and ready endpoints, with the names of the original.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Scope, View};

/// What breakdowns call whatever was hidden.
const HIDDEN: &str = "(hidden)";

/// Loads of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Keys of the one that was loaded last.
    pub keys_loaded: u64,
    /// How often one was loaded.
    pub load_count: u64,
    /// When the last one was, ISO 8601, UTC, microseconds.
    pub last_loaded_at: Option<String>,
}

/// The body of `/api/health`. As JSON its members are in camelCase (`requestsServed`), in this order.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Health {
    /// `Healthy`; in a [`Ready`] document `Ready` or `NotReady`.
    pub status: &'static str,
    /// As given.
    pub environment: String,
    /// When the snapshot was taken.
    pub timestamp: String,
    /// Of the process that is asked.
    pub started_at: String,
    /// Of the process that is asked.
    pub uptime_seconds: f64,
    /// Of the process that is asked.
    pub hostname: String,
    /// Of the process that is asked.
    pub process_id: u64,
    /// Requests, of all processes.
    pub requests_served: u64,
    /// By path.
    pub requests_by_path: BTreeMap<String, u64>,
    /// Keys of the configuration that was loaded last.
    pub config_keys_loaded: u64,
    /// How often one was loaded.
    pub config_load_count: u64,
    /// When the last one was.
    pub last_config_loaded_at: Option<String>,
    /// Config deliveries.
    pub config_responses_served: u64,
    /// Values in them.
    pub config_values_served: u64,
    /// Deliveries by endpoint.
    pub config_responses_by_endpoint: BTreeMap<String, u64>,
    /// Deliveries by target.
    pub config_responses_by_target: BTreeMap<String, u64>,
    /// Deliveries by caller.
    pub config_responses_by_caller: BTreeMap<String, u64>,
    /// Values by target.
    pub config_values_by_target: BTreeMap<String, u64>,
    /// Values by caller.
    pub config_values_by_caller: BTreeMap<String, u64>,
    /// Values by name.
    pub config_values_by_name: BTreeMap<String, u64>,
    /// When the last delivery was.
    pub last_config_served_at: Option<String>,
}

/// The body of `/api/ready`: that of health, and whether the configuration can be read.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Ready {
    /// Everything else.
    #[serde(flatten)]
    pub health: Health,
    /// Keys that can be read; 0 if they cannot.
    pub keys_loaded: u64,
}

impl Health {
    /// The status of the HTTP response: always 200.
    pub const fn status_code(&self) -> u16 {
        200
    }

    /// Who called and which names were delivered, told as one: for an endpoint that everybody may ask. Sums stay.
    #[must_use]
    pub fn without_callers_and_names(mut self) -> Health {
        for map in [
            &mut self.config_responses_by_caller,
            &mut self.config_values_by_caller,
            &mut self.config_values_by_name,
        ] {
            if !map.is_empty() {
                *map = BTreeMap::from([(HIDDEN.to_owned(), map.values().sum())]);
            }
        }
        self
    }
}

impl Ready {
    /// Can the configuration be read?
    pub fn is_ready(&self) -> bool {
        self.health.status == "Ready"
    }

    /// The status of the HTTP response: 200, or 503 if it is not ready.
    pub fn status_code(&self) -> u16 {
        if self.is_ready() { 200 } else { 503 }
    }

    /// The exit code of a probe: 0, or 1 if it is not ready.
    pub fn exit_code(&self) -> u8 {
        u8::from(!self.is_ready())
    }
}

impl View<'_> {
    /// The health document. Numbers are of all processes; start, uptime, host and id are of the live process with the id `process_id`
    /// (in a worker `Some(std::process::id())`), else of the one that runs longest.
    pub fn health(&self, environment: &str, process_id: Option<u32>) -> Health {
        let alive: Vec<_> = self
            .processes()
            .into_iter()
            .filter(|process| process.alive)
            .collect();
        let uptime = |process: &super::ProcessRuntimeSnapshot| process.uptime_seconds.unwrap_or(0.0);
        let asked = process_id.map(u64::from);
        let own = alive
            .iter()
            .find(|process| Some(process.process_id) == asked)
            .or_else(|| alive.iter().max_by(|a, b| uptime(a).total_cmp(&uptime(b))));
        let requests = self.requests(Scope::All);
        let served = self.served_config(Scope::All);
        let config = self.config(Scope::All);
        Health {
            status: "Healthy",
            environment: environment.to_owned(),
            timestamp: self.taken_at(),
            started_at: own.map_or_else(|| self.taken_at(), |own| own.started_at.clone()),
            uptime_seconds: own.map_or(0.0, uptime),
            hostname: own.map(|own| own.hostname.clone()).unwrap_or_default(),
            process_id: own.map_or(0, |own| own.process_id),
            requests_served: requests.total_requests,
            requests_by_path: requests.requests_by_path,
            config_keys_loaded: config.keys_loaded,
            config_load_count: config.load_count,
            last_config_loaded_at: config.last_loaded_at,
            config_responses_served: served.responses_total,
            config_values_served: served.values_total,
            config_responses_by_endpoint: served.responses_by_endpoint,
            config_responses_by_target: served.responses_by_target,
            config_responses_by_caller: served.responses_by_caller,
            config_values_by_target: served.values_by_target,
            config_values_by_caller: served.values_by_caller,
            config_values_by_name: served.values_by_name,
            last_config_served_at: served.last_served_at,
        }
    }

    /// The ready document. `keys`: how many keys of the configuration can be read now; `None` if it cannot.
    pub fn ready(&self, environment: &str, process_id: Option<u32>, keys: Option<u64>) -> Ready {
        let status = if keys.is_some() { "Ready" } else { "NotReady" };
        let health = self.health(environment, process_id);
        Ready {
            health: Health { status, ..health },
            keys_loaded: keys.unwrap_or(0),
        }
    }
}
