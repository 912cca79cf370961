//! The binary as people and scripts meet it: every command, exit codes, one-line errors, pipes, terminals, hostile names.

mod commands;
mod demo;
mod discover;
mod enormous;
mod errors;
mod events;
mod health;
mod hex;
mod hostile;
mod records;
mod support;
mod text;
mod texts;
mod torture;
mod truncated;
mod verify;
mod watch;

/// What the tests of the library share: how a test says that it is skipped.
#[path = "../../../tests/support/mod.rs"]
mod library;
