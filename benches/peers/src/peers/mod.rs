//! Who is compared: a file for each, which does with it what its own documentation calls the fast way.
//!
//! Handles are made once and used 64 in turn. Labels are known to the compiler wherever a peer can make use of that. Each file has the
//! same functions, as far as its peer can do that; they return work for [`crate::measure`].

pub mod client;
pub mod fastmetrics;
pub mod hdrhistogram;
pub mod histogram;
pub mod measured;
pub mod metrics;
pub mod metriken;
pub mod opentelemetry;
pub mod prometheus;
pub mod python;
pub mod raw;
pub mod shm;

/// Labels of the dynamic look-ups: a method and a code, 64 pairs in turn.
pub const METHODS: [&str; 4] = ["GET", "HEAD", "POST", "PUT"];
pub const CODES: [&str; 16] = [
    "200", "201", "202", "204", "206", "301", "302", "304", "400", "401", "403", "404", "429", "500", "502",
    "503",
];

/// The pairs, in the order in which they are used.
pub fn labels() -> [[&'static str; 2]; 64] {
    std::array::from_fn(|n| [METHODS[n % 4], CODES[n / 4]])
}

/// Bounds in seconds of peers with bounds: those of the Prometheus libraries.
pub const BOUNDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Latencies in seconds, for peers that record floats.
pub fn seconds() -> Box<[f64; crate::measure::DURATIONS]> {
    let nanoseconds = crate::measure::nanoseconds();
    Box::new(std::array::from_fn(|n| nanoseconds[n] as f64 * 1e-9))
}

/// Series of the text encoding: a counter with two labels, as many routes as wanted.
pub fn route(n: usize) -> String {
    format!("/api/v1/items/{n}")
}

/// Values from one digit to many.
pub fn value(n: usize) -> u64 {
    7u64.pow((n % 12) as u32) + n as u64 / 12
}
