//! Flags of the commands that scripts go by: `health` and `wait-idle`.

use std::ffi::OsString;
use std::time::Duration;

use clap::Args;

use super::Format;
use crate::values;

#[derive(Debug, Args)]
#[command(after_help = "\
A service is unhealthy if a state of a live process has had a status as often in a row as its threshold says. The thresholds stand
in the segment. Tasks, averages and constants are those of shmetrics::stats::health.

Exit codes: 0 healthy, 1 unhealthy, 2 usage or unreadable input.

Examples:
  shmetrics health app
  shmetrics health app --format json | jq '.statuses[] | select(.healthy | not)'
  shmetrics health app > /dev/null || systemctl restart app")]
pub(crate) struct Health {
    /// Name, path or shm:NAME; without it the only segment there is
    #[arg(env = "SHMETRICS_PATH")]
    pub(crate) path: Option<OsString>,
    /// Output; default: table on a terminal, else json
    #[arg(long, env = "SHMETRICS_FORMAT", value_enum)]
    pub(crate) format: Option<Format>,
    /// What the names of the families begin with
    #[arg(long, env = "SHMETRICS_PREFIX", value_name = "NAME", default_value = "health")]
    pub(crate) prefix: String,
}

#[derive(Debug, Args)]
#[command(after_help = "\
What a dead process worked on is not in flight, so nobody waits for it; nor for what is parked to be tried again. It looks at
once, and then every 1 to 100 ms.

Exit codes: 0 nothing is in flight, 1 the time is over, 2 usage or unreadable input.

Examples:
  shmetrics wait-idle app --timeout 30s && systemctl stop app
  shmetrics wait-idle app --series health_tasks --timeout 2m")]
pub(crate) struct WaitIdle {
    /// Name, path or shm:NAME; without it the only segment there is
    #[arg(env = "SHMETRICS_PATH")]
    pub(crate) path: Option<OsString>,
    /// Only the series of this name
    #[arg(long, env = "SHMETRICS_SERIES", value_name = "NAME")]
    pub(crate) series: Option<String>,
    /// How long to wait at most
    #[arg(long, env = "SHMETRICS_TIMEOUT", value_name = "TIME", value_parser = values::duration)]
    pub(crate) timeout: Duration,
}
