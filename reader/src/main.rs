//! The `shmetrics` binary: creates, reads, watches and retires segments, and shows the main job in one command.
//!
//! | file | subject |
//! |---|---|
//! | `cli` | commands and flags; `values`: how flags are written |
//! | `command/` | one file per command |
//! | `format/` | one file per output format |
//! | `discover` | from what the user wrote, or did not, to a segment |
//! | `glob` | choosing series by name |
//! | `exit` | exit codes: 0 fine, 1 a check failed, 2 usage or input |
//! | `terminal` | output: broken pipes, colours, nothing raw |
//! | `signals` | stopping cleanly |

mod cli;
mod command;
mod discover;
mod exit;
mod format;
mod glob;
mod signals;
mod terminal;
mod values;

use std::process::ExitCode;

use cli::Command;
use exit::Failure;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run() -> Result<(), Failure> {
    match cli::parse()? {
        Command::Create(flags) => command::create::run(&flags),
        Command::Snapshot(flags) => command::snapshot::run(&flags),
        Command::Watch(flags) => command::watch::run(&flags),
        Command::Inspect(flags) => command::inspect::run(&flags),
        Command::Retire(flags) => command::retire::run(&flags),
        Command::Demo(flags) => command::demo::run(&flags),
        Command::DemoWorker(flags) => command::demo::worker::run(&flags),
    }
}
