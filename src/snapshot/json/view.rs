//! The objects of the schema, each a view of what it shows.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::statistics::{group_entries, in_flight_entries, samples_entries, text_entries};
use super::{Bound, Buckets, Labels, List, Quantiles, finite, rfc3339};
use crate::layout::kind::Space;
use crate::snapshot::{
    ErrorEntry, Group, Health, Histogram, Losses, PerProcess, Process, ProcessState, ProcessValue, Quality,
    ReaderHealth, Samples, SegmentFacts, Series, Skipped, Snapshot, Value, Window,
};

#[derive(Serialize)]
pub(super) struct SegmentView<'a> {
    path: Cow<'a, str>,
    id: String,
    version: u64,
    created: String,
    uptime_seconds: f64,
    retired: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    ids_given: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resets: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_reset: Option<String>,
    geometry: GeometryView,
}

#[derive(Serialize)]
struct GeometryView {
    process_slots: u64,
    lanes: u64,
    series: u64,
    text_length: u64,
    counters: u64,
    gauges: u64,
    blocks_length: u64,
    errors: u64,
    reset_tables: u64,
    budget: u64,
    epoch_seconds: f64,
    file_length: u64,
    head_length: u64,
}

impl<'a> SegmentView<'a> {
    pub(super) fn new(facts: &'a SegmentFacts, snapshot: &Snapshot) -> Self {
        let (geometry, capacities) = (&facts.geometry, &facts.geometry.capacities);
        let uptime_ns = snapshot
            .taken_at_monotonic_ns
            .saturating_sub(facts.origin.created_monotonic_ns);
        SegmentView {
            path: facts.path.to_string_lossy(),
            id: format!("{:016x}", facts.origin.segment_id),
            version: facts.version,
            created: rfc3339(facts.origin.created_ns),
            uptime_seconds: uptime_ns as f64 / 1e9,
            retired: snapshot.retired,
            ids_given: (snapshot.ids_given > 0).then_some(snapshot.ids_given),
            resets: (snapshot.resets > 0).then_some(snapshot.resets),
            last_reset: (snapshot.resets > 0).then(|| rfc3339(snapshot.last_reset_ns)),
            geometry: GeometryView {
                process_slots: capacities.process_slots,
                lanes: capacities.lanes,
                series: capacities.series,
                text_length: capacities.text_length,
                counters: capacities.counters,
                gauges: capacities.gauges,
                blocks_length: capacities.blocks_length,
                errors: capacities.errors,
                reset_tables: capacities.reset_tables,
                budget: capacities.budget,
                epoch_seconds: capacities.epoch_length_ns as f64 / 1e9,
                file_length: geometry.file_length,
                head_length: geometry.head_length(),
            },
        }
    }
}

/// A series: what it is, then its value, whose fields depend on the kind.
pub(super) struct SeriesView<'a>(pub(super) &'a Series);

impl Serialize for SeriesView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Series {
            description,
            since_ns,
            value,
        } = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &description.name)?;
        map.serialize_entry("kind", description.kind.name())?;
        map.serialize_entry("unit", &description.unit)?;
        map.serialize_entry("help", &description.help)?;
        map.serialize_entry("labels", &Labels(&description.labels))?;
        map.serialize_entry("created", &rfc3339(description.created_ns))?;
        if *since_ns > description.created_ns {
            map.serialize_entry("since", &rfc3339(*since_ns))?;
        }
        if description.kind.space() == Space::Gauges {
            map.serialize_entry("merge", description.merge.name())?;
        }
        match value {
            Value::CounterU64(value) => map.serialize_entry("value", value)?,
            Value::CounterF64(value) => map.serialize_entry("value", &finite(*value))?,
            Value::Number(value) => map.serialize_entry("value", value)?,
            Value::GaugeI64(value) => map.serialize_entry("value", value)?,
            Value::GaugeF64(value) => map.serialize_entry("value", &value.and_then(finite))?,
            Value::Each(values) => {
                map.serialize_entry("values", &List(|| values.iter().map(EachView::new)))?
            }
            Value::Histogram(histogram) => histogram_entries(&mut map, histogram)?,
            Value::Events(totals) => {
                map.serialize_entry("written", &totals.written)?;
                map.serialize_entry("dropped", &totals.dropped)?;
                map.serialize_entry("held", &totals.held)?;
                map.serialize_entry("fullest", &totals.fullest)?;
                map.serialize_entry("capacity", &totals.capacity)?;
            }
            Value::TimeMark(value) => {
                map.serialize_entry("value", value)?;
                map.serialize_entry("time", &value.map(rfc3339))?;
            }
            Value::State(states) => {
                map.serialize_entry("healthy", &states.iter().all(ProcessState::is_healthy))?;
                map.serialize_entry("states", &List(|| states.iter().map(StateView::new)))?;
            }
            Value::Samples(samples) => samples_entries(&mut map, samples, true)?,
            Value::Text(text) => text_entries(&mut map, text)?,
            Value::Group(group) => {
                group_entries(&mut map, group)?;
                quality_entries(&mut map, group.quality)?;
            }
            Value::InFlight(in_flight) => in_flight_entries(&mut map, in_flight)?,
        }
        map.end()
    }
}

fn histogram_entries<M: SerializeMap>(map: &mut M, histogram: &Histogram) -> Result<(), M::Error> {
    map.serialize_entry("count", &histogram.count)?;
    map.serialize_entry("sum", &finite(histogram.sum))?;
    map.serialize_entry("min", &histogram.min.and_then(finite))?;
    map.serialize_entry("max", &histogram.max.and_then(finite))?;
    map.serialize_entry("mean", &histogram.mean().and_then(finite))?;
    map.serialize_entry("invalid", &histogram.invalid)?;
    map.serialize_entry("quantiles", &Quantiles(|q| histogram.quantile(q)))?;
    map.serialize_entry(
        "buckets",
        &Buckets {
            scheme: &histogram.scheme,
            counts: &histogram.counts,
        },
    )?;
    quality_entries(map, histogram.quality)?;
    let windows = || {
        histogram
            .windows
            .iter()
            .map(|window| WindowView { window, histogram })
    };
    map.serialize_entry("windows", &List(windows))
}

fn quality_entries<M: SerializeMap>(map: &mut M, quality: Quality) -> Result<(), M::Error> {
    match quality {
        Quality::Exact => map.serialize_entry("quality", "exact"),
        Quality::Bounded { error } => {
            map.serialize_entry("quality", "bounded")?;
            map.serialize_entry("error", &error)
        }
    }
}

struct WindowView<'a> {
    window: &'a Window,
    histogram: &'a Histogram,
}

impl Serialize for WindowView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { window, histogram } = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("seconds", &window.seconds)?;
        map.serialize_entry("count", &window.count)?;
        map.serialize_entry("sum", &finite(window.sum))?;
        map.serialize_entry("rate", &finite(window.rate()))?;
        map.serialize_entry("quantiles", &Quantiles(|q| window.quantile(&histogram.scheme, q)))?;
        quality_entries(&mut map, window.quality)?;
        map.end()
    }
}

#[derive(Serialize)]
pub(super) struct BucketView {
    pub(super) le: Bound,
    pub(super) count: u64,
}

#[derive(Serialize)]
struct EachView<'a> {
    process: Cow<'a, str>,
    slot: u64,
    value: crate::snapshot::Number,
}

impl<'a> EachView<'a> {
    fn new(of: &'a ProcessValue) -> Self {
        EachView {
            process: process_name(&of.role, of.slot),
            slot: of.slot,
            value: of.value,
        }
    }
}

pub(super) fn process_name(role: &str, slot: u64) -> Cow<'_, str> {
    match role {
        "" => format!("slot-{slot}").into(),
        role => role.into(),
    }
}

#[derive(Serialize)]
struct StateView<'a> {
    process: Cow<'a, str>,
    status: Cow<'a, str>,
    streak: u64,
    healthy: bool,
}

impl<'a> StateView<'a> {
    fn new(of: &'a ProcessState) -> Self {
        StateView {
            process: process_name(&of.role, of.slot),
            status: of.name(),
            streak: of.streak,
            healthy: of.is_healthy(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct ProcessView<'a> {
    slot: u64,
    incarnation: u64,
    alive: bool,
    role: &'a str,
    pid: u64,
    pid_namespace: u64,
    start_ticks: u64,
    claimed: String,
    command: &'a str,
    lanes: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    values: Vec<ValueView<'a>>,
}

impl<'a> ProcessView<'a> {
    pub(super) fn new(process: &'a Process, snapshot: &'a Snapshot) -> Self {
        let value = |(index, value): &(usize, PerProcess)| {
            let series = snapshot.series.get(*index)?;
            let samples = match value {
                PerProcess::Samples(at) => process.samples.get(*at).map(|(_, samples)| samples),
                _ => None,
            };
            let group = match value {
                PerProcess::Group(at) => process.groups.get(*at).map(|(_, group)| group),
                _ => None,
            };
            Some(ValueView {
                series,
                slot: process.slot,
                value: *value,
                samples,
                group,
            })
        };
        ProcessView {
            slot: process.slot,
            incarnation: process.incarnation,
            alive: process.alive,
            role: &process.role,
            pid: process.pid,
            pid_namespace: process.pid_namespace,
            start_ticks: process.start_ticks,
            claimed: rfc3339(process.claimed_ns),
            command: &process.command,
            lanes: process.lanes,
            values: process.values.iter().filter_map(value).collect(),
        }
    }
}

struct ValueView<'a> {
    series: &'a Series,
    slot: u64,
    value: PerProcess,
    samples: Option<&'a Samples>,
    group: Option<&'a Group>,
}

impl ValueView<'_> {
    /// The name of a status, as the process declared it.
    fn status(&self, number: u8) -> Cow<'_, str> {
        let states = match &self.series.value {
            Value::State(states) => &states[..],
            _ => &[],
        };
        let own = states
            .iter()
            .find(|state| (state.slot, state.number) == (self.slot, number));
        own.map_or_else(|| number.to_string().into(), ProcessState::name)
    }
}

impl Serialize for ValueView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.series.description.name)?;
        map.serialize_entry("labels", &Labels(&self.series.description.labels))?;
        match self.value {
            PerProcess::Counter(value) | PerProcess::Gauge(value) => map.serialize_entry("value", &value)?,
            PerProcess::TimeMark(value) => {
                map.serialize_entry("value", &value)?;
                map.serialize_entry("time", &rfc3339(value))?;
            }
            PerProcess::State { number, streak } => {
                map.serialize_entry("status", &self.status(number))?;
                map.serialize_entry("streak", &streak)?;
            }
            PerProcess::Samples(_) => {
                if let Some(samples) = self.samples {
                    samples_entries(&mut map, samples, false)?;
                }
            }
            PerProcess::Group(_) => {
                if let Some(group) = self.group {
                    group_entries(&mut map, group)?;
                }
            }
            PerProcess::Histogram { count, sum } => {
                map.serialize_entry("count", &count)?;
                map.serialize_entry("sum", &finite(sum))?;
            }
        }
        map.end()
    }
}

#[derive(Serialize)]
pub(super) struct LossesView {
    lanes_exhausted: u64,
    slots_exhausted: u64,
    storage_refused: u64,
    budget_refused: u64,
    gauge_writes_dropped: u64,
    label_sets_refused: u64,
    label_sets_overflowed: u64,
    anomalies: u64,
    registrations_refused: u64,
    errors_lost: u64,
}

impl LossesView {
    pub(super) fn new(losses: &Losses) -> Self {
        LossesView {
            lanes_exhausted: losses.lanes_exhausted,
            slots_exhausted: losses.slots_exhausted,
            storage_refused: losses.storage_refused,
            budget_refused: losses.budget_refused,
            gauge_writes_dropped: losses.gauge_writes_dropped,
            label_sets_refused: losses.label_sets_refused,
            label_sets_overflowed: losses.label_sets_overflowed,
            anomalies: losses.anomalies,
            registrations_refused: losses.registrations_refused,
            errors_lost: losses.errors_lost,
        }
    }
}

#[derive(Serialize)]
pub(super) struct HealthView {
    adoptions: u64,
    dead_slots: u64,
    dead_lanes: u64,
    errors_damaged: u64,
}

impl HealthView {
    pub(super) fn new(health: &Health) -> Self {
        HealthView {
            adoptions: health.adoptions,
            dead_slots: health.dead_slots,
            dead_lanes: health.dead_lanes,
            errors_damaged: health.errors_damaged,
        }
    }
}

#[derive(Serialize)]
pub(super) struct ErrorView<'a> {
    message: &'a str,
    count: u64,
    first_seen: String,
    last_seen: String,
    truncated: bool,
}

impl<'a> ErrorView<'a> {
    pub(super) fn new(error: &'a ErrorEntry) -> Self {
        ErrorView {
            message: &error.message,
            count: error.count,
            first_seen: rfc3339(error.first_seen_ns),
            last_seen: rfc3339(error.last_seen_ns),
            truncated: error.truncated,
        }
    }
}

#[derive(Serialize)]
pub(super) struct ReaderView {
    snapshots: u64,
    torn_reads: u64,
    bounded_results: u64,
    reopened: u64,
}

impl ReaderView {
    pub(super) fn new(reader: &ReaderHealth) -> Self {
        ReaderView {
            snapshots: reader.snapshots,
            torn_reads: reader.torn_reads,
            bounded_results: reader.bounded_results,
            reopened: reader.reopened,
        }
    }
}

#[derive(Serialize)]
pub(super) struct UsedView {
    pub(super) used: u64,
    pub(super) capacity: u64,
}

#[derive(Serialize)]
pub(super) struct SkippedView {
    record: u64,
    reason: String,
}

impl SkippedView {
    pub(super) fn new(skipped: &Skipped) -> Self {
        SkippedView {
            record: skipped.record,
            reason: skipped.reason.to_string(),
        }
    }
}
