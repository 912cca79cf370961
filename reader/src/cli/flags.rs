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
    /// Distinct errors that the error log has room for; 0: no log
    #[arg(long, env = "SHMETRICS_ERRORS", value_name = "N")]
    pub(crate) errors: Option<u64>,
    /// Tables for resets: 2, or 0 for a segment that cannot be reset
    #[arg(long, env = "SHMETRICS_RESET_TABLES", value_name = "N")]
    pub(crate) reset_tables: Option<u64>,
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
A line is NAME{LABELS}: VALUE. Whole numbers are exact, floats have all digits they need. A histogram has a line each for
NAME.count, .sum, .min, .max, .mean, .p50, .p90, .p99 and .p999, and .invalid and .error if there were any; what has no
value has no line. Names and labels that could be taken for something else are in quotes, controls are written out.

Examples:
  shmetrics text app
  shmetrics text app --series 'http_*' | sort
  shmetrics text app | grep '^jobs_total: '")]
pub(crate) struct Text {
    /// Name, path or shm:NAME; without it the only segment there is
    #[arg(env = "SHMETRICS_PATH")]
    pub(crate) path: Option<OsString>,
    /// Only series whose name matches: * any text, ? one character
    #[arg(long, env = "SHMETRICS_SERIES", value_name = "GLOB")]
    pub(crate) series: Option<String>,
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

/// How events are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EventFormat {
    /// An object on a line for each
    Json,
    /// For people
    Text,
}

#[derive(Debug, Args)]
#[command(after_help = "\
A line is {\"event\": KIND, \"timestamp\": …, \"timestamp_ns\": …} and the fields of its kind, which the segment itself declares;
\"truncated\" names texts that were cut. Each thread keeps its last events only: what was overwritten before it was read is
told as {\"lost\": …, \"dropped\": …}. Events of one thread come in their order, others by time.

Examples:
  shmetrics events app
  shmetrics events app --follow --new --kind 'request_*'
  shmetrics events app --format text --series http_lifecycle
  shmetrics events app --print-cursor 2>cursor; shmetrics events app --after \"$(cat cursor)\"")]
pub(crate) struct Events {
    /// Name, path or shm:NAME; without it the only segment there is
    #[arg(env = "SHMETRICS_PATH")]
    pub(crate) path: Option<OsString>,
    /// Go on with what happens from now on; when the segment is replaced, with the new one
    #[arg(long, env = "SHMETRICS_FOLLOW", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub(crate) follow: bool,
    /// Begin with the oldest events that are there: the default
    #[arg(long, env = "SHMETRICS_SINCE_START", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub(crate) since_start: bool,
    /// Begin with what is written from now on
    #[arg(long, env = "SHMETRICS_NEW", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new(), conflicts_with = "since_start")]
    pub(crate) new: bool,
    /// Begin where another reader stopped
    #[arg(long, env = "SHMETRICS_AFTER", value_name = "CURSOR", conflicts_with_all = ["new", "since_start"])]
    pub(crate) after: Option<String>,
    /// Say on stderr, at the end, where to go on
    #[arg(long, env = "SHMETRICS_PRINT_CURSOR", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub(crate) print_cursor: bool,
    /// Only kinds whose name matches: * any text, ? one character; may be given several times
    #[arg(long, env = "SHMETRICS_KIND", value_name = "GLOB")]
    pub(crate) kind: Vec<String>,
    /// Only series whose name matches: * any text, ? one character
    #[arg(long, env = "SHMETRICS_SERIES", value_name = "GLOB")]
    pub(crate) series: Option<String>,
    /// Output
    #[arg(long, env = "SHMETRICS_FORMAT", value_enum, default_value = "json")]
    pub(crate) format: EventFormat,
    /// With --follow: time from one look to the next
    #[arg(long, env = "SHMETRICS_INTERVAL", value_name = "TIME", default_value = "100ms", value_parser = values::duration)]
    pub(crate) interval: Duration,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  shmetrics inspect
  shmetrics inspect app --format json | jq .storage
  shmetrics inspect app --hex | grep 'lane 1, record 4'")]
pub(crate) struct Inspect {
    /// Name, path or shm:NAME; without it the only segment there is
    #[arg(env = "SHMETRICS_PATH")]
    pub(crate) path: Option<OsString>,
    /// Output; default: table on a terminal, else json
    #[arg(long, env = "SHMETRICS_FORMAT", value_enum)]
    pub(crate) format: Option<Format>,
    /// Every committed word instead, with its offset, name and meaning; of a damaged file the header
    #[arg(long, env = "SHMETRICS_HEX", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub(crate) hex: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Each finding is a line: severity, rule or section of SPEC.md, place, and what was found. The last line
sums up. Nothing is changed, and workers may go on meanwhile.

  error    the format is violated: some reader or writer may go wrong
  warning  suspicious, and harmless
  note     a fact, or what a killed worker left for the next one to mend

In a copy nobody counts as alive. Copy a segment when its workers are stopped or gone: a copy made while they
write is of no single moment, and may be called damaged.

Exit codes: 0 no error, 1 errors, 2 the file cannot be read. A file that is no segment is an error.

Examples:
  shmetrics verify app
  shmetrics verify /dev/shm/app --strict --quiet
  shmetrics verify app --format json | jq '.findings[] | select(.severity == \"error\")'")]
pub(crate) struct Verify {
    /// Name, path or shm:NAME; without it the only segment there is
    #[arg(env = "SHMETRICS_PATH")]
    pub(crate) path: Option<OsString>,
    /// Output; a table is a line per finding
    #[arg(long, env = "SHMETRICS_FORMAT", value_enum, default_value = "table")]
    pub(crate) format: Format,
    /// Warnings are errors
    #[arg(long, env = "SHMETRICS_STRICT", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub(crate) strict: bool,
    /// Only the summary line, or in JSON no findings
    #[arg(long, env = "SHMETRICS_QUIET", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Workers do not notice: what they have counted stays in the segment, and readers subtract it from now on, all of them, all
series at once. Each series then says since when it counts. Gauges, events, losses, time windows and what is told per process
are not reset. It needs permission to write the segment.

Examples:
  shmetrics reset app
  shmetrics reset app --series 'http_*' --series latency_seconds")]
pub(crate) struct Reset {
    // No twin in the environment: what is changed must be named.
    /// Name, path or shm:NAME
    pub(crate) path: OsString,
    /// Only series whose name matches: * any text, ? one character; may be given several times
    #[arg(long, env = "SHMETRICS_SERIES", value_name = "GLOB")]
    pub(crate) series: Vec<String>,
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

#[derive(Debug, Args)]
#[command(after_help = "\
Workers count, set and record at full rate, and note privately what they begin and what they have done. Meanwhile, by a
schedule that follows from the seed:

  kill, abort, exit, stop, starve       workers end or stand still at any moment
  fork, exec, close, clone              children are made while other threads operate, and count, too
  nobody, namespace                     privileges are dropped, pid namespaces made (as root)
  signal, thread, series                handlers count, threads come and go, label sets abound
  lanes, slots, budget                  segments have too few of them
  reader, retire, race                  readers are killed, segments given up, names created by many at once

Readers check every snapshot: never less than was done, never more than was begun, never less than before; buckets add up,
windows hold no more than was begun in them. When nobody is alive, every segment must be sound, too (see verify).

Exit codes: 0 nothing was wrong, 1 violations, 2 usage.

Examples:
  shmetrics torture
  shmetrics torture --seed 7 --duration 60s
  shmetrics torture --only kill,fork --kills 10000 --forks 10000
  shmetrics torture --without retire,race --workers 8 --threads 4 --format json | jq .violations")]
pub(crate) struct Torture {
    /// What happens when and to whom; default: another each time
    #[arg(long, env = "SHMETRICS_SEED", value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// End after this time; default 10s, unless --kills or --forks say when
    #[arg(long, env = "SHMETRICS_DURATION", value_name = "TIME", value_parser = values::duration)]
    pub(crate) duration: Option<Duration>,
    /// End when so many workers were killed
    #[arg(long, env = "SHMETRICS_KILLS", value_name = "N")]
    pub(crate) kills: Option<u64>,
    /// End when so many children were made; with --kills when both are reached
    #[arg(long, env = "SHMETRICS_FORKS", value_name = "N")]
    pub(crate) forks: Option<u64>,
    /// Only these events
    #[arg(long, env = "SHMETRICS_ONLY", value_name = "EVENT,...", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// All events but these
    #[arg(
        long,
        env = "SHMETRICS_WITHOUT",
        value_name = "EVENT,...",
        value_delimiter = ','
    )]
    pub(crate) without: Vec<String>,
    /// Worker processes at a time
    #[arg(long, env = "SHMETRICS_WORKERS", value_name = "N", default_value = "4", value_parser = clap::value_parser!(u64).range(1..=64))]
    pub(crate) workers: u64,
    /// Threads of each, and some that come and go
    #[arg(long, env = "SHMETRICS_THREADS", value_name = "T", default_value = "3", value_parser = clap::value_parser!(u64).range(1..=64))]
    pub(crate) threads: u64,
    /// Processes that read all the time
    #[arg(long, env = "SHMETRICS_READERS", value_name = "R", default_value = "2", value_parser = clap::value_parser!(u64).range(0..=64))]
    pub(crate) readers: u64,
    /// Budget of every segment; default: ample or, by chance, too small
    #[arg(long, env = "SHMETRICS_BUDGET", value_name = "BYTES", value_parser = values::size)]
    pub(crate) budget: Option<u64>,
    /// Output; default: table on a terminal, else json
    #[arg(long, env = "SHMETRICS_FORMAT", value_enum)]
    pub(crate) format: Option<Format>,
    /// Workers lie: `lose` notes what was not done, `double` does twice what was noted once; the others are of kinds for statistics
    #[arg(long, env = "SHMETRICS_FALSIFY", value_name = "HOW", hide = true, value_parser = ["lose", "double", "silent", "disordered", "kept", "twice", "taken"])]
    pub(crate) falsify: Option<String>,
}

/// What a process of the storm is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TortureRole {
    Worker,
    Reader,
    Race,
}

/// One process of the storm; its tally is its standard input, and what it finds wrong goes to its standard output.
#[derive(Debug, Args)]
pub(crate) struct TortureWorker {
    #[arg(long, value_enum)]
    pub(crate) role: TortureRole,
    #[arg(long)]
    pub(crate) folder: PathBuf,
    #[arg(long)]
    pub(crate) parent: u32,
    #[arg(long)]
    pub(crate) seed: u64,
    /// Counted over all processes of the storm.
    #[arg(long)]
    pub(crate) number: u64,
    /// Which worker it is of those at a time: where its seats are.
    #[arg(long)]
    pub(crate) slot: u64,
    #[arg(long)]
    pub(crate) workers: u64,
    #[arg(long)]
    pub(crate) threads: u64,
    /// What it may do, as bits.
    #[arg(long)]
    pub(crate) kinds: u64,
    /// Capacities of a segment, if it creates one.
    #[arg(long)]
    pub(crate) lanes: u64,
    #[arg(long)]
    pub(crate) slots: u64,
    #[arg(long)]
    pub(crate) budget: u64,
    /// Ends after less than so many operations; for a child that became another program.
    #[arg(long)]
    pub(crate) operations: Option<u64>,
    #[arg(long)]
    pub(crate) falsify: Option<String>,
}
