//! Programs that go on without metrics: a segment that does nothing instead of an error.

use std::sync::Arc;

use super::Segment;
use crate::error::OpenError;

/// For programs that must run with or without metrics.
pub trait OrNoop {
    /// The segment, or one whose handles do nothing. The reason is kept ([`Segment::noop_reason`]) and, with the feature `log`, logged
    /// once as a warning.
    fn or_noop(self) -> Segment;
}

impl OrNoop for Result<Segment, OpenError> {
    fn or_noop(self) -> Segment {
        self.unwrap_or_else(|error| {
            #[cfg(feature = "log")]
            log::warn!("metrics are off: {error}");
            Segment {
                reason: Some(Arc::new(error)),
                ..Segment::noop()
            }
        })
    }
}
