//! Layer 5: the algorithms, over slices of words. No mapping, no operating system: loom runs them on the heap.
//!
//! | file | subject |
//! |---|---|
//! | [`histogram`] | record and live read: three stores, exact past a writer that stopped anywhere |
//! | [`latch`] | sealed copies, of which one is always stable |
//! | [`ring`] | cumulative copies labelled with the epoch they close |
//! | [`shared`] | the shared lane: many writers, atomic read-modify-write |
//! | [`index`] | the lock-free index of families and series |
//! | [`placement`] | one word hands out cells: no leak, no duplicate |
//! | [`gauge`] | value and stamp of a gauge cell |
//! | [`time_mark`], [`state`] | what else a gauge cell can hold |
//! | [`error_log`] | one entry per distinct error: count and last time go up |
//! | [`ids`] | ids that are never given twice |
//! | [`events`] | a ring of events per lane, of which each reader gets every one once or counts it as lost |
//! | [`samples`] | the last values, in a ring per lane |
//! | [`text`] | a text that is replaced as a whole, by anyone: one word says which of eight slots has it |
//! | [`group`] | fields that are counted together: copies of which some are always whole |
//! | [`in_flight`] | entries of what is being worked on: one word says who, and for the how-manieth time |
//! | [`reset`] | two tables of baselines, of which one word says which is in force |
//!
//! Each file proves its algorithm above its code; `tests/loom_*.rs` check every ordering and every rule by breaking it.

pub mod error_log;
pub mod events;
pub mod gauge;
pub mod group;
pub mod histogram;
pub mod ids;
pub mod in_flight;
pub mod index;
pub mod latch;
pub mod placement;
pub mod reset;
pub mod ring;
pub mod samples;
pub mod shared;
pub mod state;
pub mod text;
pub mod time_mark;

#[cfg(all(test, not(shmetrics_loom)))]
mod tests;
