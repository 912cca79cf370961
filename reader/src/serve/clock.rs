//! Times as scrapers want them.

use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970; 0 on a machine whose clock is before that.
pub(super) fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64)
}

/// Seconds since 1970 as nanoseconds.
pub(super) fn ns(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}
