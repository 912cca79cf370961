//! Layer 12: ready-made statistics, built only on public handles and snapshots (feature `stats`).
//!
//! | module | for those who come from |
//! |---|---|
//! | [`named`] | statvent: numbers by name, made at first use |
//! | [`health`] | the monitoring of redup_servicekit: statuses that become unhealthy, errors by fragments, tasks, averages |
//! | [`lifecycle`] | the lifecycle events of pounce: what happens to connections and requests, collectors, metrics that cannot drift |
//! | [`requests`] | `Statistics` of Crawlee: requests by key, retries, run time, a periodic log, a record that outlives the segment |
//! | [`runtime`] | runtime.metrics of exp: identity and uptime, requests by path, config deliveries, health and ready documents |
//!
//! `docs/five-systems.md` says, call by call, what replaces what.

pub mod health;
pub mod lifecycle;
pub mod named;
pub mod requests;
pub mod runtime;
