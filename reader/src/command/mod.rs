//! One file per command.

pub(crate) mod create;
pub(crate) mod demo;
pub(crate) mod inspect;
pub(crate) mod retire;
pub(crate) mod snapshot;
pub(crate) mod watch;
