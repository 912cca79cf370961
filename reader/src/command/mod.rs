//! One file per command.

pub(crate) mod create;
pub(crate) mod demo;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod inspect;
pub(crate) mod pipe;
pub(crate) mod reset;
pub(crate) mod restore;
pub(crate) mod retire;
pub(crate) mod save;
pub(crate) mod serve;
pub(crate) mod snapshot;
pub(crate) mod text;
pub(crate) mod torture;
pub(crate) mod verify;
pub(crate) mod wait_idle;
pub(crate) mod watch;
