//! How a command ends: 0 fine, 1 a check failed, 2 usage or unreadable input, with one line on stderr.

use std::process::ExitCode;

use shmetrics::{OpenError, ReadError, RegisterError, ResetError};

use crate::terminal;

/// Why a command ends early.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// A check failed. Exit code 1.
    Check(String),
    /// Usage, or input that cannot be used: cause and cure. Exit code 2.
    Input(String),
    /// All was said, or nobody listens any more (a broken pipe). Exit code 0.
    Quiet,
}

impl Failure {
    pub(crate) fn report(self) -> ExitCode {
        let (message, code) = match self {
            Failure::Check(message) => (message, 1),
            Failure::Input(message) => (message, 2),
            Failure::Quiet => return ExitCode::SUCCESS,
        };
        terminal::say(&format!("shmetrics: {message}"));
        ExitCode::from(code)
    }
}

/// Cure of a thread or process that cannot be started.
pub(crate) const THREADS: &str = "raise the limit of processes (ulimit -u), or ask for fewer";

/// `cannot DO: error; cure`.
pub(crate) fn io_failure(doing: &str, error: &std::io::Error, cure: &str) -> Failure {
    Failure::Input(format!("cannot {doing}: {error}; {cure}"))
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Failure::Input(error.to_string())
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Failure::Input(error.to_string())
    }
}

impl From<ResetError> for Failure {
    fn from(error: ResetError) -> Self {
        Failure::Input(error.to_string())
    }
}

impl From<RegisterError> for Failure {
    fn from(error: RegisterError) -> Self {
        Failure::Input(error.to_string())
    }
}
