//! Flags of the commands that keep records: `save` and `restore`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "\
Saves the statistics of shmetrics::stats::requests, one record for each instance, as their sessions do: JSON, in
DIR/KVS/KEY.json, replaced as a whole. It writes nothing to the segment, and disturbs nobody: of those who save at the same moment
one comes after the other. A record of another segment that was not restored into this one is not replaced.

Exit codes: 0 saved, 1 there is no such instance, 2 usage, unreadable or unwritable files, or a record of another segment.

Examples:
  shmetrics save app --dir /var/lib/crawl
  shmetrics save app --dir /var/lib/crawl --instance news --key my-key")]
pub(crate) struct Save {
    /// Name, path or shm:NAME
    pub(crate) path: OsString,
    #[command(flatten)]
    pub(crate) place: RecordPlace,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Restores what `save` or a session has saved, also on another machine: readers add it to what is counted in this segment. A record
is restored once: not again before a reset, and not into the segment that it was made from, which has all of it. It needs
permission to write the segment. What went on in another segment is not restored into an earlier one that still has its counts:
use a new segment, or reset the instance in this one first. Sessions with persistence restore by themselves when they are entered.

Exit codes: 0 restored, or there already, 1 there is no record, 2 usage, files that are unreadable or no records,
or a record that would count twice.

Examples:
  shmetrics create app && shmetrics restore app --dir /var/lib/crawl
  shmetrics restore app --dir /var/lib/crawl --instance news --key my-key")]
pub(crate) struct Restore {
    // No twin in the environment: what is changed must be named.
    /// Name, path or shm:NAME
    pub(crate) path: OsString,
    #[command(flatten)]
    pub(crate) place: RecordPlace,
}

/// Where records are, and of whom.
#[derive(Debug, Args)]
pub(crate) struct RecordPlace {
    /// Folder of the records
    #[arg(long, env = "SHMETRICS_RECORDS_DIR", value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Only this instance; without it all there are
    #[arg(long, env = "SHMETRICS_INSTANCE", value_name = "KEY")]
    pub(crate) instance: Option<String>,
    /// Name of the key-value store: the folder in DIR
    #[arg(long, env = "SHMETRICS_KVS", value_name = "NAME", default_value = "default")]
    pub(crate) kvs: String,
    /// Key of the record, if it is not SDK_CRAWLER_STATISTICS_ and the instance, with PREFIX. before it if that is not `requests`
    #[arg(long, env = "SHMETRICS_KEY", value_name = "KEY", requires = "instance")]
    pub(crate) key: Option<String>,
    /// What the names of the families begin with
    #[arg(
        long,
        env = "SHMETRICS_PREFIX",
        value_name = "NAME",
        default_value = "requests"
    )]
    pub(crate) prefix: String,
}
