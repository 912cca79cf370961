//! What is told of samples, of texts, of groups and of keys in flight.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::view::process_name;
use super::{List, finite};
use crate::snapshot::{Group, InFlight, InFlightEntry, Samples, Text, rfc3339};

/// What is told of samples; of a process without what is known of all only.
pub(super) fn samples_entries<M: SerializeMap>(
    map: &mut M,
    samples: &Samples,
    of_all: bool,
) -> Result<(), M::Error> {
    map.serialize_entry("count", &samples.count)?;
    map.serialize_entry("mean", &samples.mean().and_then(finite))?;
    map.serialize_entry("percentiles", &Percentiles(samples))?;
    map.serialize_entry(
        "values",
        &List(|| samples.values.iter().map(|value| finite(*value))),
    )?;
    if of_all {
        map.serialize_entry("keep", &samples.keep)?;
        map.serialize_entry("invalid", &samples.invalid)?;
    }
    if samples.overtaken > 0 {
        map.serialize_entry("overtaken", &samples.overtaken)?;
    }
    Ok(())
}

/// Percentiles of samples by nearest rank, by their names.
struct Percentiles<'a>(&'a Samples);

impl Serialize for Percentiles<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let names = [("50", 50.0), ("95", 95.0), ("99", 99.0), ("100", 100.0)];
        serializer
            .collect_map(names.map(|(name, percent)| (name, self.0.nearest_rank(percent).and_then(finite))))
    }
}

/// What is told of a text.
pub(super) fn text_entries<M: SerializeMap>(map: &mut M, value: &Text) -> Result<(), M::Error> {
    map.serialize_entry("text", &value.text())?;
    map.serialize_entry("truncated", &value.truncated)?;
    map.serialize_entry("set_at", &value.set_ns.map(rfc3339))?;
    if value.unreadable {
        map.serialize_entry("unreadable", &true)?;
    }
    map.serialize_entry("capacity", &value.capacity)?;
    map.serialize_entry("refused", &value.refused)
}

/// What is told of a group, but how exact it is.
pub(super) fn group_entries<M: SerializeMap>(map: &mut M, group: &Group) -> Result<(), M::Error> {
    map.serialize_entry("fields", &Fields(group))?;
    map.serialize_entry("updates", &group.updates)
}

/// The fields of a group by their names.
struct Fields<'a>(&'a Group);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.fields.iter().map(|field| (&*field.name, field.value)))
    }
}

/// What is told of keys in flight.
pub(super) fn in_flight_entries<M: SerializeMap>(map: &mut M, value: &InFlight) -> Result<(), M::Error> {
    map.serialize_entry("in_flight", &value.number)?;
    map.serialize_entry("age_seconds", &value.age_seconds())?;
    map.serialize_entry("oldest_seconds", &value.oldest_seconds())?;
    map.serialize_entry("unknown_ages", &value.unknown_ages)?;
    map.serialize_entry("parked", &value.parked)?;
    map.serialize_entry("overflow", &value.overflow)?;
    map.serialize_entry("forgotten", &value.forgotten)?;
    map.serialize_entry("capacity", &value.capacity)?;
    map.serialize_entry("entries", &List(|| value.entries.iter().map(InFlightView::new)))
}

#[derive(Serialize)]
struct InFlightView<'a> {
    key: Option<&'a str>,
    truncated: bool,
    runs: u64,
    age_seconds: Option<f64>,
    slot: u64,
    process: Cow<'a, str>,
}

impl<'a> InFlightView<'a> {
    fn new(of: &'a InFlightEntry) -> Self {
        InFlightView {
            key: of.key(),
            truncated: of.is_truncated(),
            runs: of.runs,
            age_seconds: of.age_seconds(),
            slot: of.slot,
            process: process_name(&of.role, of.slot),
        }
    }
}
