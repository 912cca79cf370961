//! `inspect`: how a segment is made, how full it is, who is alive, what was lost.

use std::path::Path;

use serde::Serialize;
use serde_json::value::RawValue;
use shmetrics::dump::Dump;
use shmetrics::snapshot::{BucketScheme, Snapshot};
use shmetrics::{Reader, Value};

use crate::cli::{Format, Inspect};
use crate::discover;
use crate::exit::Failure;
use crate::format::json::{self, Members};
use crate::format::{chosen, hex, table};
use crate::terminal::{self, Style};

/// What `inspect` finds beside the snapshot.
pub(crate) struct Inspection {
    pub(crate) snapshot: Snapshot,
    pub(crate) file_system: String,
    /// Bytes that the file takes.
    pub(crate) committed: u64,
    /// Was it created since the machine started? `None`: nobody knows.
    pub(crate) this_boot: Option<bool>,
    pub(crate) boot_id: String,
    /// Seconds since the machine started.
    pub(crate) uptime: f64,
}

pub(crate) fn run(flags: &Inspect) -> Result<(), Failure> {
    if flags.hex {
        return hex(&discover::path_of(flags.path.as_deref())?);
    }
    let reader = discover::open_reader(flags.path.as_deref())?;
    let inspection = inspect(reader)?;
    let text = match chosen(flags.format) {
        Format::Json => to_json(&inspection)?,
        Format::Table => table::inspection(&inspection, Style::of_stdout()),
    };
    terminal::print(&text)
}

/// Prints in pieces: a large segment has millions of lines.
fn hex(path: &Path) -> Result<(), Failure> {
    const PIECE_LENGTH: usize = 64 * 1024;
    let dump = Dump::open(path)?;
    let mut text = String::new();
    dump.each(|line| {
        hex::line(&line, &mut text);
        if text.len() < PIECE_LENGTH {
            return Ok(());
        }
        terminal::print(&std::mem::take(&mut text))
    })?;
    terminal::print(&text)?;
    dump.ensure_whole()?;
    match dump.refusal() {
        None => Ok(()),
        Some(reason) => Err(Failure::Input(format!(
            "{}: only the header is shown: {reason}",
            path.display()
        ))),
    }
}

fn inspect(mut reader: Reader) -> Result<Inspection, Failure> {
    let snapshot = reader.snapshot()?;
    // Truncated within a page, it has zeros there and no page is missing.
    reader.refresh_owners()?;
    let [high, low] = reader.facts().origin.boot_id;
    let boot_id = format!("{high:016x}{low:016x}");
    let boot_now: Option<String> = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .ok()
        .map(|text| text.chars().filter(char::is_ascii_hexdigit).collect());
    let boot_time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Ok(Inspection {
        file_system: file_system(reader.path()),
        committed: reader.committed_blocks_bytes(),
        this_boot: boot_now.map(|now| now == boot_id),
        boot_id,
        uptime: boot_time.tv_sec as f64 + boot_time.tv_nsec as f64 / 1e9,
        snapshot,
    })
}

/// The file system by its usual name, else by its number (statfs(2)).
fn file_system(path: &Path) -> String {
    let Ok(statfs) = rustix::fs::statfs(path) else {
        return "unknown".to_owned();
    };
    let name = match statfs.f_type as u64 {
        0x0102_1994 => "tmpfs",
        0x8584_58f6 => "ramfs",
        0xef53 => "ext4",
        0x5846_5342 => "xfs",
        0x9123_683e => "btrfs",
        0x794c_7630 => "overlayfs",
        0xf2f5_2010 => "f2fs",
        0x2fc1_2fc1 => "zfs",
        other => return format!("{other:#x}"),
    };
    name.to_owned()
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u64,
    segment: &'a RawValue,
    boot_id: &'a str,
    this_boot: Option<bool>,
    taken_at: &'a RawValue,
    storage: Storage<'a>,
    histograms: Vec<HistogramShape<'a>>,
    processes: &'a RawValue,
    losses: &'a RawValue,
    fill: &'a RawValue,
    skipped: &'a RawValue,
    health: &'a RawValue,
    errors: &'a RawValue,
    reader: &'a RawValue,
}

#[derive(Serialize)]
struct Storage<'a> {
    file_system: &'a str,
    head_bytes: u64,
    committed_bytes: u64,
    budget_bytes: u64,
    worst_case_bytes: u64,
    file_bytes: u64,
}

#[derive(Serialize)]
struct HistogramShape<'a> {
    name: &'a str,
    labels: serde_json::Map<String, serde_json::Value>,
    kind: &'static str,
    /// Buckets per power of two, as a power of two; of exponential buckets only.
    #[serde(skip_serializing_if = "Option::is_none")]
    scale: Option<u8>,
    buckets: usize,
    closed_windows: usize,
}

fn to_json(inspection: &Inspection) -> Result<String, Failure> {
    let snapshot = &inspection.snapshot;
    // Indented as these members are there, so that they fit here.
    let text = json::pretty(snapshot)?;
    let members = Members::parse(&text)?;
    let Some(facts) = &snapshot.segment else {
        return json::pretty(snapshot);
    };
    let geometry = &facts.geometry;
    json::pretty(&Document {
        schema: 1,
        segment: members.get("segment"),
        boot_id: &inspection.boot_id,
        this_boot: inspection.this_boot,
        taken_at: members.get("taken_at"),
        storage: Storage {
            file_system: &inspection.file_system,
            head_bytes: geometry.head_length(),
            committed_bytes: inspection.committed,
            budget_bytes: geometry.capacities.budget,
            worst_case_bytes: table::worst_case(geometry),
            file_bytes: geometry.file_length,
        },
        histograms: shapes(snapshot),
        processes: members.get("processes"),
        losses: members.get("losses"),
        fill: members.get("fill"),
        skipped: members.get("skipped"),
        health: members.get("health"),
        errors: members.get("errors"),
        reader: members.get("reader"),
    })
}

fn shapes(snapshot: &Snapshot) -> Vec<HistogramShape<'_>> {
    let shape = |series: &'_ shmetrics::snapshot::Series| match &series.value {
        Value::Histogram(histogram) => Some((histogram.scheme.clone(), histogram.windows.len())),
        _ => None,
    };
    let mut shapes = Vec::new();
    for series in &snapshot.series {
        let Some((scheme, closed_windows)) = shape(series) else {
            continue;
        };
        let labels = series.description.labels.iter();
        shapes.push(HistogramShape {
            name: &series.description.name,
            labels: labels
                .map(|(name, value)| (name.clone(), value.clone().into()))
                .collect(),
            kind: series.description.kind.name(),
            scale: match &scheme {
                BucketScheme::Exponential(parameters) => Some(parameters.scale()),
                BucketScheme::Classic(_) => None,
            },
            buckets: scheme.buckets(),
            closed_windows,
        });
    }
    shapes
}
