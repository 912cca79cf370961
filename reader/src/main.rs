//! The `shmetrics` binary: creates, reads, watches, serves and retires segments, shows the main job in one command, and
//! tries it in storms.
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
//! | `serve/` | what `serve` is made of |
//! | `storm/` | what `demo` and `torture` share |

mod cli;
mod command;
mod discover;
mod exit;
mod format;
mod glob;
mod serve;
mod signals;
mod storm;
mod terminal;
mod values;

use std::process::ExitCode;

use cli::Command;
use exit::{Failure, io_failure};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run() -> Result<(), Failure> {
    let command = cli::parse()?;
    // Whoever may write a segment can truncate it; that is then an error of input, too.
    shmetrics::sigbus::install_guard()
        .map_err(|error| io_failure("handle SIGBUS", &error, "allow sigaction(2)"))?;
    match command {
        Command::Create(flags) => command::create::run(&flags),
        Command::Snapshot(flags) => command::snapshot::run(&flags),
        Command::Text(flags) => command::text::run(&flags),
        Command::Watch(flags) => command::watch::run(&flags),
        Command::Events(flags) => command::events::run(&flags),
        Command::Serve(flags) => command::serve::run(&flags),
        Command::Pipe(flags) => command::pipe::run(&flags),
        Command::Inspect(flags) => command::inspect::run(&flags),
        Command::Verify(flags) => command::verify::run(&flags),
        Command::Health(flags) => command::health::run(&flags),
        Command::WaitIdle(flags) => command::wait_idle::run(&flags),
        Command::Save(flags) => command::save::run(&flags),
        Command::Restore(flags) => command::restore::run(&flags),
        Command::Reset(flags) => command::reset::run(&flags),
        Command::Retire(flags) => command::retire::run(&flags),
        Command::Demo(flags) => command::demo::run(&flags),
        Command::DemoWorker(flags) => command::demo::worker::run(&flags),
        Command::Torture(flags) => command::torture::run(&flags),
        Command::TortureWorker(flags) => command::torture::worker::run(&flags),
    }
}
