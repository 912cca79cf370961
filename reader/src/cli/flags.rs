//! The flags of each command.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{ArgAction, Args, ValueEnum};

use crate::values;

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// The documented schema
    Json,
    /// For people
    Table,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PresetName {
    Default,
    Compact,
    Large,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  shmetrics create app
  shmetrics create /dev/shm/app --preset compact --epoch 1s
  shmetrics create app --lanes 2048 --budget 512MiB --mode 0660")]
pub(crate) struct Create {
    /// Name, path or shm:NAME of the new segment
    #[arg(env = "SHMETRICS_PATH", default_value = "default")]
    pub(crate) path: OsString,
    /// Capacities to start from
    #[arg(long, env = "SHMETRICS_PRESET", value_enum, default_value = "default")]
    pub(crate) preset: PresetName,
    /// Processes at one time
    #[arg(long, env = "SHMETRICS_PROCESS_SLOTS", value_name = "N")]
    pub(crate) process_slots: Option<u64>,
    /// Threads at one time, over all processes; others share one lane
    #[arg(long, env = "SHMETRICS_LANES", value_name = "N")]
    pub(crate) lanes: Option<u64>,
    // `SHMETRICS_SERIES` is a pattern of names elsewhere.
    /// Series
    #[arg(long, env = "SHMETRICS_CREATE_SERIES", value_name = "N")]
    pub(crate) series: Option<u64>,
    /// Bytes of all names, labels and help texts together
    #[arg(long, env = "SHMETRICS_TEXT_LENGTH", value_name = "BYTES", value_parser = values::size)]
    pub(crate) text_length: Option<u64>,
    /// Counter series
    #[arg(long, env = "SHMETRICS_COUNTERS", value_name = "N")]
    pub(crate) counters: Option<u64>,
    /// Gauge series
    #[arg(long, env = "SHMETRICS_GAUGES", value_name = "N")]
    pub(crate) gauges: Option<u64>,
    /// Bytes of histograms per thread; a default histogram takes 11,136
    #[arg(long, env = "SHMETRICS_BLOCKS_LENGTH", value_name = "BYTES", value_parser = values::size)]
    pub(crate) blocks_length: Option<u64>,
    /// Bytes that may be allocated after creation
    #[arg(long, env = "SHMETRICS_BUDGET", value_name = "BYTES", value_parser = values::size)]
    pub(crate) budget: Option<u64>,
    /// Time window of histograms
    #[arg(long, env = "SHMETRICS_EPOCH", value_name = "TIME", value_parser = values::duration)]
    pub(crate) epoch: Option<Duration>,
    /// Permissions of the file, in octal
    #[arg(long, env = "SHMETRICS_MODE", value_name = "MODE", value_parser = values::mode)]
    pub(crate) mode: Option<u32>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  shmetrics snapshot
  shmetrics snapshot app --series 'http_*' --processes
  shmetrics snapshot /dev/shm/app --format json | jq '.series[] | {name, labels, value}'
  shmetrics snapshot app --window 60")]
pub(crate) struct Snapshot {
    /// Name, path or shm:NAME; without it the only segment there is
    #[arg(env = "SHMETRICS_PATH")]
    pub(crate) path: Option<OsString>,
    /// Output; default: table on a terminal, else json
    #[arg(long, env = "SHMETRICS_FORMAT", value_enum)]
    pub(crate) format: Option<Format>,
    /// Only series whose name matches: * any text, ? one character
    #[arg(long, env = "SHMETRICS_SERIES", value_name = "GLOB")]
    pub(crate) series: Option<String>,
    /// Also tell what each process counted
    #[arg(long, env = "SHMETRICS_PROCESSES", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub(crate) processes: bool,
    /// All histograms as of the same moment: the end of the last time window
    #[arg(long, env = "SHMETRICS_CUT", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub(crate) cut: bool,
    /// Histograms of the last closed window of at least this length
    #[arg(long, env = "SHMETRICS_WINDOW", value_name = "SECONDS", value_parser = values::duration)]
    pub(crate) window: Option<Duration>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Each line is the snapshot with \"interval_seconds\" and, for counters and histograms, \"rate\" (per second).
It re-attaches when the segment is replaced, and waits when it vanishes.

Examples:
  shmetrics watch app
  shmetrics watch app --interval 10s --output /run/app/metrics.json
  shmetrics watch app --count 2 --series 'http_*' | jq '.series[].rate'")]
pub(crate) struct Watch {
    /// Name, path or shm:NAME; without it the only segment there is
    #[arg(env = "SHMETRICS_PATH")]
    pub(crate) path: Option<OsString>,
    /// Time from one to the next
    #[arg(long, env = "SHMETRICS_INTERVAL", value_name = "TIME", default_value = "1s", value_parser = values::duration)]
    pub(crate) interval: Duration,
    /// Stop after so many
    #[arg(long, env = "SHMETRICS_COUNT", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// Replace this file each time, atomically, instead of printing
    #[arg(long, env = "SHMETRICS_OUTPUT", value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Only series whose name matches: * any text, ? one character
    #[arg(long, env = "SHMETRICS_SERIES", value_name = "GLOB")]
    pub(crate) series: Option<String>,
    /// Wait for the segment if it is not there yet
    #[arg(long, env = "SHMETRICS_WAIT", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new(), requires = "path")]
    pub(crate) wait: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  shmetrics inspect
  shmetrics inspect app --format json | jq .storage")]
pub(crate) struct Inspect {
    /// Name, path or shm:NAME; without it the only segment there is
    #[arg(env = "SHMETRICS_PATH")]
    pub(crate) path: Option<OsString>,
    /// Output; default: table on a terminal, else json
    #[arg(long, env = "SHMETRICS_FORMAT", value_enum)]
    pub(crate) format: Option<Format>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Workers that have the segment open are not disturbed: they go on counting into the nameless file.

Examples:
  shmetrics retire app")]
pub(crate) struct Retire {
    // No twin in the environment: what is destroyed must be named.
    /// Name, path or shm:NAME
    pub(crate) path: OsString,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Each worker is a process of its own. Workers are killed with SIGKILL half-way and replaced by others that finish their
work. For every operation each thread notes privately that it began and that it is done; the segment must say neither less
than was done nor more than was begun, in every snapshot taken meanwhile, too. Otherwise the exit code is 1.

Examples:
  shmetrics demo
  shmetrics demo --workers 8 --threads 4 --increments 5000000 --record --kill 8
  shmetrics demo --record --keep /tmp/demo && shmetrics inspect /tmp/demo
  shmetrics demo --segment shm:demo && shmetrics retire shm:demo")]
pub(crate) struct Demo {
    /// Worker processes
    #[arg(long, env = "SHMETRICS_WORKERS", value_name = "N", default_value = "4", value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub(crate) workers: u64,
    /// Threads of each
    #[arg(long, env = "SHMETRICS_THREADS", value_name = "T", default_value = "2", value_parser = clap::value_parser!(u64).range(1..=256))]
    pub(crate) threads: u64,
    /// Increments of each thread
    #[arg(long, env = "SHMETRICS_INCREMENTS", value_name = "M", default_value = "20000000", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000_000))]
    pub(crate) increments: u64,
    /// With each increment also record a duration in a histogram
    #[arg(long, env = "SHMETRICS_RECORD", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub(crate) record: bool,
    /// Workers to kill half-way; default 2, or all if there are fewer
    #[arg(long, env = "SHMETRICS_KILL", value_name = "K")]
    pub(crate) kill: Option<u64>,
    /// Count into this segment, created if it is not there, and leave it
    #[arg(
        long,
        env = "SHMETRICS_SEGMENT",
        value_name = "PATH|shm:NAME",
        conflicts_with = "keep"
    )]
    pub(crate) segment: Option<String>,
    /// Create the segment here and leave it
    #[arg(long, env = "SHMETRICS_KEEP", value_name = "PATH")]
    pub(crate) keep: Option<String>,
    /// Output; default: table on a terminal, else json
    #[arg(long, env = "SHMETRICS_FORMAT", value_enum)]
    pub(crate) format: Option<Format>,
    /// Which workers are killed, and when; default: another each time
    #[arg(long, env = "SHMETRICS_SEED", value_name = "S")]
    pub(crate) seed: Option<u64>,
}

/// One worker of the demo; its tally is its standard input.
#[derive(Debug, Args)]
pub(crate) struct DemoWorker {
    #[arg(long)]
    pub(crate) segment: PathBuf,
    #[arg(long)]
    pub(crate) parent: u32,
    /// Which worker it is.
    #[arg(long)]
    pub(crate) worker: u64,
    /// Which process it is: where its cells of the tally are.
    #[arg(long)]
    pub(crate) process: u64,
    /// The process whose work it goes on with.
    #[arg(long)]
    pub(crate) after: Option<u64>,
    #[arg(long)]
    pub(crate) threads: u64,
    #[arg(long)]
    pub(crate) increments: u64,
    /// Processes that the tally has room for.
    #[arg(long)]
    pub(crate) processes: u64,
    #[arg(long)]
    pub(crate) record: bool,
    /// Increments after which each thread waits to be killed.
    #[arg(long)]
    pub(crate) hold_at: Option<u64>,
}
