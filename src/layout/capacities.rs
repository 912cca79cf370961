//! Capacities: what a creator chooses, and the presets. [`Geometry`](super::geometry::Geometry) says what they lead to, and within which
//! limits they are.

use super::WORD_LENGTH;
use super::geometry::MAX_RESET_TABLES;
use super::header::*;

/// What a creator chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacities {
    /// Processes that can have gauges and lanes at one time.
    pub process_slots: u64,
    /// Threads that can have a lane of their own at one time.
    pub lanes: u64,
    /// Series.
    pub series: u64,
    /// Bytes of names, labels, help texts, units and classic bounds.
    pub text_length: u64,
    /// Counter words per lane.
    pub counters: u64,
    /// Gauge cells per process.
    pub gauges: u64,
    /// Bytes of histogram blocks per lane.
    pub blocks_length: u64,
    /// Entries of the error log; 0 = no log, which is what version 1 of the format has.
    pub errors: u64,
    /// Tables for resets: 2, or 0 for a segment whose series cannot be reset, as those of version 1.
    pub reset_tables: u64,
    /// Bytes that may be committed after creation.
    pub budget: u64,
    /// Nanoseconds of an epoch, the time window of histograms.
    pub epoch_length_ns: u64,
}

impl Capacities {
    /// What a header's immutable part says they are; not validated.
    pub const fn of(words: &[u64; IMMUTABLE_WORDS]) -> Capacities {
        const fn at(offset: u64) -> usize {
            (offset / WORD_LENGTH) as usize
        }
        Capacities {
            process_slots: words[at(PROCESS_SLOTS_OFFSET)],
            lanes: words[at(LANES_OFFSET)],
            series: words[at(SERIES_OFFSET)],
            text_length: words[at(TEXT_LENGTH_OFFSET)],
            counters: words[at(COUNTERS_OFFSET)],
            gauges: words[at(GAUGES_OFFSET)],
            blocks_length: words[at(BLOCKS_LENGTH_OFFSET)],
            // Reserved space in version 1.
            errors: match words[at(VERSION_OFFSET)] {
                1 => 0,
                _ => words[at(ERRORS_OFFSET)],
            },
            reset_tables: match words[at(VERSION_OFFSET)] {
                1 => 0,
                _ => words[at(RESET_TABLES_OFFSET)],
            },
            budget: words[at(BUDGET_OFFSET)],
            epoch_length_ns: words[at(EPOCH_LENGTH_NS_OFFSET)],
        }
    }

    /// The default: a busy host. About 890 MB of address space, of which 2.4 MiB are allocated at creation.
    pub const DEFAULT: Capacities = Capacities {
        process_slots: 256,
        lanes: 1024,
        series: 4096,
        text_length: 1 << 20,
        counters: 4096,
        gauges: 512,
        // Room for 64 histograms of 258 buckets with two ring slots (10.9 KiB each).
        blocks_length: 704 * 1024,
        errors: 32,
        reset_tables: MAX_RESET_TABLES,
        budget: 256 << 20,
        epoch_length_ns: 10_000_000_000,
    };

    /// A small one: containers with a 64 MiB `/dev/shm`, locked memory, a handful of workers.
    pub const COMPACT: Capacities = Capacities {
        process_slots: 32,
        lanes: 128,
        series: 512,
        text_length: 128 << 10,
        counters: 512,
        gauges: 128,
        blocks_length: 128 * 1024,
        errors: 8,
        reset_tables: MAX_RESET_TABLES,
        budget: 16 << 20,
        epoch_length_ns: 10_000_000_000,
    };

    /// A large one: thousands of threads, tens of thousands of series.
    pub const LARGE: Capacities = Capacities {
        process_slots: 1024,
        lanes: 4096,
        series: 32_768,
        text_length: 16 << 20,
        counters: 32_768,
        gauges: 2048,
        blocks_length: 4 << 20,
        errors: 128,
        reset_tables: MAX_RESET_TABLES,
        budget: 2 << 30,
        epoch_length_ns: 10_000_000_000,
    };
}
