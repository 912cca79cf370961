//! `shmetrics serve` as scrapers, people and attackers meet it: every request is made by hand, over TCP.

mod client;
mod events;
mod formats;
mod limits;
mod memory;
mod monitoring;
mod named;
mod peers;
mod places;
mod processes;
mod routes;
mod start;
mod stop;
mod storm;
mod truncated;

/// What the tests of the library share: how a test says that it is skipped.
#[path = "../../../tests/support/mod.rs"]
mod library;
#[path = "../cli/support.rs"]
#[allow(dead_code)]
mod support;
