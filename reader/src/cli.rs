//! Commands and flags. Every flag has a twin in the environment: `--format` is `SHMETRICS_FORMAT`.

mod flags;
mod monitoring;
mod records;
mod serving;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

pub(crate) use self::flags::*;
pub(crate) use self::monitoring::*;
pub(crate) use self::records::*;
pub(crate) use self::serving::*;
use crate::exit::Failure;

const PLACES: &str = "\
PATH is a path (it has a slash), a plain name, looked up in $SHMETRICS_DIR, $RUNTIME_DIRECTORY,
$XDG_RUNTIME_DIR/shmetrics and /dev/shm/shmetrics-UID, or shm:NAME.

Exit codes: 0 fine, 1 a check failed, 2 usage or unreadable input.";

/// Metrics in shared memory: workers count into one mapped file, and this tells the exact sum.
#[derive(Debug, Parser)]
#[command(name = "shmetrics", version, after_help = PLACES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a segment before its workers start, with capacities of your choice
    Create(Create),
    /// Print what all workers did together
    Snapshot(Snapshot),
    /// Print every value on a line of its own
    Text(Text),
    /// Print or export a snapshot with rates again and again, one JSON object each
    Watch(Watch),
    /// Print what happened, event by event, and follow it
    Events(Events),
    /// Serve segments over HTTP: Prometheus, JSON, health
    Serve(Serve),
    /// Hand out values through named pipes, one for each process and one for all
    Pipe(Pipe),
    /// Show how a segment is made and how full it is, who is alive, what was lost
    Inspect(Inspect),
    /// Check everything in a segment against its format, and say what breaks which rule
    Verify(Verify),
    /// Tell whether a service is healthy, and how it fares
    Health(Health),
    /// Wait until nothing is in flight in any process
    WaitIdle(WaitIdle),
    /// Save statistics of requests as records that outlive the segment
    Save(Save),
    /// Restore saved statistics of requests into a segment, once
    Restore(Restore),
    /// Let counters and histograms count from zero again
    Reset(Reset),
    /// Give a segment up: whoever opens its name next makes a new one
    Retire(Retire),
    /// Real workers count and record while some of them are killed; then every number is checked
    Demo(Demo),
    /// Storms of processes that are killed, stopped and forked while readers check every number
    Torture(Torture),
    #[command(hide = true)]
    DemoWorker(DemoWorker),
    #[command(hide = true)]
    TortureWorker(TortureWorker),
}

/// What the user wants. Help and version are printed here.
pub(crate) fn parse() -> Result<Command, Failure> {
    let error = match Cli::try_parse() {
        Ok(cli) => return Ok(cli.command),
        Err(error) => error,
    };
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // Nobody to tell if it cannot be printed.
            let _ = error.print();
            Err(Failure::Quiet)
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            let commands = "create, snapshot, text, watch, events, serve, pipe, inspect, verify, health, wait-idle, save, restore, reset, retire, demo or torture";
            Err(Failure::Input(format!(
                "which command? {commands}; see `shmetrics --help`"
            )))
        }
        _ => Err(Failure::Input(one_line(&error.render().to_string()))),
    }
}

/// The first paragraph of clap's message, which is the cause, on one line, and where to find the cure.
fn one_line(message: &str) -> String {
    let cause: Vec<&str> = message
        .lines()
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .collect();
    let cause = cause.join(" ");
    let first = std::env::args_os().nth(1).unwrap_or_default();
    let known = Cli::command();
    let mut names = known.get_subcommands().map(|command| command.get_name());
    let command = names
        .find(|name| first == **name)
        .map_or(String::new(), |name| format!("{name} "));
    format!(
        "{}; see `shmetrics {command}--help`",
        cause.strip_prefix("error: ").unwrap_or(&cause)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound_and_every_flag_has_its_twin() {
        let mut command = Cli::command();
        command.build();
        command.clone().debug_assert();
        for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
            for flag in command.get_arguments().filter(|flag| flag.get_long().is_some()) {
                let Some(name) = flag.get_long().filter(|name| !["help", "version"].contains(name)) else {
                    continue;
                };
                let twin = format!("SHMETRICS_{}", name.to_uppercase().replace(['-', '.'], "_"));
                let found = flag.get_env().and_then(|name| name.to_str()).unwrap_or_default();
                let expected = match (command.get_name(), name) {
                    ("create", "series") => "SHMETRICS_CREATE_SERIES",
                    // `SHMETRICS_DIR` is the folder of segments.
                    ("pipe", "dir") => "SHMETRICS_PIPE_DIR",
                    ("save" | "restore", "dir") => "SHMETRICS_RECORDS_DIR",
                    _ => &twin,
                };
                assert_eq!(found, expected);
                assert!(flag.get_help().is_some(), "{name}");
            }
        }
    }
}
