//! Why a segment, or a place where some were expected, cannot be read: a word for machines, a sentence for people.

use shmetrics::error::LayoutError;
use shmetrics::{OpenError, ReadError};

/// A reason. The words are few and fixed: they are the value of a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) word: &'static str,
    /// What was found, what was expected, what to do.
    pub(crate) message: String,
}

impl Problem {
    /// There is nothing at its place.
    pub(crate) const MISSING: &'static str = "missing";
    /// This process may not read it.
    pub(crate) const DENIED: &'static str = "denied";
    /// The file is no segment, or one that this program cannot read.
    pub(crate) const REFUSED: &'static str = "refused";
    /// The file became shorter, or pages of it are gone.
    pub(crate) const TRUNCATED: &'static str = "truncated";
    /// Anything else.
    pub(crate) const FAILED: &'static str = "failed";

    pub(crate) fn is_missing(&self) -> bool {
        self.word == Problem::MISSING
    }
}

impl From<OpenError> for Problem {
    fn from(error: OpenError) -> Self {
        let word = match &error {
            OpenError::NotFound { .. } | OpenError::MissingFolder { .. } | OpenError::NoFolder { .. } => {
                Problem::MISSING
            }
            OpenError::Permission { .. } => Problem::DENIED,
            OpenError::Lost { .. }
            | OpenError::Layout {
                source: LayoutError::Truncated { .. },
                ..
            } => Problem::TRUNCATED,
            OpenError::Layout { .. } | OpenError::WrongFileType { .. } | OpenError::FileSystem { .. } => {
                Problem::REFUSED
            }
            _ => Problem::FAILED,
        };
        Problem {
            word,
            message: error.to_string(),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        let word = match &error {
            ReadError::Truncated { .. } | ReadError::Lost { .. } => Problem::TRUNCATED,
            _ => Problem::FAILED,
        };
        Problem {
            word,
            message: error.to_string(),
        }
    }
}
