//! What `serve` is made of: segments in, HTTP out, all on one thread.
//!
//! | file | subject |
//! |---|---|
//! | `places` | from what the user wrote to files that may be segments |
//! | `segments` | those that are open: found, lost, replaced, bad |
//! | `problem` | why a segment cannot be read |
//! | `collection` | what all of them say at one time, shared by all who ask at about that time |
//! | `clock` | times as scrapers want them |
//! | `families` | metrics of our own, as data |
//! | `telemetry` | which these are |
//! | `processes` | processor time, memory and so on of live owners |
//! | `usage` | what `/proc` tells of a process |
//! | `health` | what somebody must act on |
//! | `exposition` | the formats that monitoring systems scrape |
//! | `events` | what happened, event by event |
//! | `stats` | names and values, and nothing else |
//! | `landing` | the page for people |
//! | `query` | the part of an address behind `?` |
//! | `answer` | from content to a response |
//! | `routes` | which path gives what |
//! | `memory` | how much of what was answered is still held for slow readers |
//! | `listen` | addresses and sockets |
//! | `connections` | how many, how long, and the clean end |
//! | `notify` | telling systemd |

mod answer;
mod clock;
mod collection;
pub(crate) mod connections;
mod events;
mod exposition;
mod families;
mod health;
mod landing;
pub(crate) mod listen;
mod memory;
pub(crate) mod notify;
pub(crate) mod places;
pub(crate) mod problem;
mod processes;
mod query;
pub(crate) mod routes;
pub(crate) mod segments;
mod stats;
mod telemetry;
mod usage;
