//! The flags of commands that run beside the workers and hand out what they count. Names are those of Prometheus exporters.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{ArgAction, Args};

use crate::values;

#[derive(Debug, Args)]
#[command(after_help = "\
PATH is a name, a path, shm:NAME, a folder, or a pattern whose last part has * or ?. Segments that appear are taken up,
those that vanish are left out, replaced ones are opened again. Without PATH: all segments in the folders for names.

  /metrics     Prometheus text, OpenMetrics or protobuf, as the Accept header asks; ?name[]=NAME chooses families
  /json        the snapshot; of several segments an object by name, or ?segment=NAME
  /stats       {\"stats\": {name: value}, \"timestamp\": seconds}
  /health      200, or 503 if somebody must act, with the reasons as JSON
  /-/healthy   200 as long as the server answers        /-/ready   200 unless it is about to stop

There is no TLS and no authentication: it listens on loopback unless told otherwise. Put a reverse proxy in front of it
to let others in.

Examples:
  shmetrics serve app
  shmetrics serve /dev/shm/app '/run/web/*' --web.listen-address :10291
  curl -s localhost:10291/metrics
  curl -s localhost:10291/health | jq .problems")]
pub(crate) struct Serve {
    /// Segments; without it all that are in the folders for names
    #[arg(env = "SHMETRICS_PATH")]
    pub(crate) path: Vec<OsString>,
    /// HOST:PORT to listen on; repeatable. `:PORT` is every address of the machine, port 0 any free port
    #[arg(
        long = "web.listen-address",
        env = "SHMETRICS_WEB_LISTEN_ADDRESS",
        value_name = "ADDRESS",
        value_delimiter = ',',
        // Beyond the range that the list of exporters' ports has given away.
        default_value = "127.0.0.1:10291",
        value_parser = values::address
    )]
    pub(crate) listen_addresses: Vec<String>,
    /// Where the metrics are
    #[arg(
        long = "web.telemetry-path",
        env = "SHMETRICS_WEB_TELEMETRY_PATH",
        value_name = "PATH",
        default_value = "/metrics",
        value_parser = values::telemetry_path
    )]
    pub(crate) telemetry_path: String,
    /// Use the sockets that systemd opened (socket activation) instead of addresses
    #[arg(
        long = "web.systemd-socket",
        env = "SHMETRICS_WEB_SYSTEMD_SOCKET",
        action = ArgAction::SetTrue,
        value_parser = FalseyValueParser::new()
    )]
    pub(crate) systemd_socket: bool,
    /// Connections at one time; beyond it those that idle longest are closed
    #[arg(
        long = "web.max-connections",
        env = "SHMETRICS_WEB_MAX_CONNECTIONS",
        value_name = "N",
        default_value = "512",
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    pub(crate) max_connections: u16,
    /// Also processor time, memory, descriptors and threads of each live process, by slot and role
    #[arg(
        long = "collector.per-process",
        env = "SHMETRICS_COLLECTOR_PER_PROCESS",
        action = ArgAction::SetTrue,
        value_parser = FalseyValueParser::new()
    )]
    pub(crate) per_process: bool,
    /// Bounds of classic histograms: `octaves` (each power of two), `every` (all buckets), or a list like 0.005,0.01,0.1
    #[arg(
        long = "histogram.bounds",
        env = "SHMETRICS_HISTOGRAM_BOUNDS",
        value_name = "BOUNDS",
        default_value = "octaves"
    )]
    pub(crate) bounds: String,
    /// In protobuf only native histograms, without classic buckets beside them
    #[arg(
        long = "histogram.native-only",
        env = "SHMETRICS_HISTOGRAM_NATIVE_ONLY",
        action = ArgAction::SetTrue,
        value_parser = FalseyValueParser::new()
    )]
    pub(crate) native_only: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
In the folder there are `all.stats`, what all workers did together, and `PID.stats` for each live process: what it counted
itself. Whoever opens one for reading gets lines of the form `name{label=\"value\"}: value`, as of this moment, and then the
end of the file. Each reader gets a pipe of its own. Two that open the same name within some microseconds of each other share
one: then one gets all, or each a part; who must be sure asks `shmetrics serve` for /stats.

The folder is made if it is not there. It must belong to you, and nobody else may write to it.

Examples:
  shmetrics pipe app --dir /run/app/stats &
  cat /run/app/stats/all.stats
  grep ^http_requests_total /run/app/stats/4711.stats")]
pub(crate) struct Pipe {
    /// Name, path or shm:NAME; without it the only segment there is
    #[arg(env = "SHMETRICS_PATH")]
    pub(crate) path: Option<OsString>,
    /// Folder of the pipes
    #[arg(long = "dir", env = "SHMETRICS_PIPE_DIR", value_name = "DIR")]
    pub(crate) folder: PathBuf,
}
