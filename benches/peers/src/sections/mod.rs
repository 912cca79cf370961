//! What is measured: a file for each section, which makes its tables and says what was to be reached.

pub mod gauge;
pub mod growth;
pub mod increment;
pub mod memory;
pub mod record;
pub mod scrape;
pub mod snapshot;
pub mod start;
pub mod text;

use crate::run::Run;

/// A section: its name on the command line and in the marks of BENCHMARKS.md.
pub struct Section {
    pub name: &'static str,
    pub measure: fn(&mut Run),
}

pub const ALL: &[Section] = &[
    Section {
        name: "increment",
        measure: increment::measure,
    },
    Section {
        name: "gauge",
        measure: gauge::measure,
    },
    Section {
        name: "record",
        measure: record::measure,
    },
    Section {
        name: "snapshot",
        measure: snapshot::measure,
    },
    Section {
        name: "text",
        measure: text::measure,
    },
    Section {
        name: "scrape",
        measure: scrape::measure,
    },
    Section {
        name: "start",
        measure: start::measure,
    },
    Section {
        name: "memory",
        measure: memory::measure,
    },
    Section {
        name: "growth",
        measure: growth::measure,
    },
];
