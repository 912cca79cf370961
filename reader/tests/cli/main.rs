//! The binary as people and scripts meet it: every command, exit codes, one-line errors, pipes, terminals, hostile names.

mod commands;
mod demo;
mod discover;
mod errors;
mod hostile;
mod support;
mod watch;
