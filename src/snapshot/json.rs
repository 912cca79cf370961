//! The JSON schema of a snapshot (feature `serde`), version 1. Fields come in the order of the structs below.
//!
//! Whole numbers are exact. A number that is not finite is `null`, except the last bucket's bound, which is the text `"+Inf"`. Bucket
//! counts are cumulative; only buckets in which the count changes are listed, and the last one always. Times are RFC 3339 in UTC with
//! nanoseconds.

mod event;
mod statistics;
mod view;

use serde::ser::{Serialize, SerializeMap, Serializer};

use self::view::*;
use super::time::rfc3339;
use super::{BucketScheme, Fill, Number, Snapshot, Used};

/// Version of the schema. It changes only when a field changes its meaning or goes away.
const SCHEMA: u64 = 1;
/// The quantiles that are listed.
const QUANTILES: [(&str, f64); 4] = [("0.5", 0.5), ("0.9", 0.9), ("0.99", 0.99), ("0.999", 0.999)];

impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("schema", &SCHEMA)?;
        map.serialize_entry(
            "segment",
            &self.segment.as_deref().map(|facts| SegmentView::new(facts, self)),
        )?;
        map.serialize_entry("taken_at", &rfc3339(self.taken_at_ns))?;
        if let Some(epoch) = self.cut_epoch {
            map.serialize_entry("cut_epoch", &epoch)?;
        }
        map.serialize_entry("series", &List(|| self.series.iter().map(SeriesView)))?;
        map.serialize_entry(
            "processes",
            &List(|| {
                self.processes
                    .iter()
                    .map(|process| ProcessView::new(process, self))
            }),
        )?;
        map.serialize_entry("losses", &LossesView::new(&self.losses))?;
        map.serialize_entry("fill", &self.fill)?;
        map.serialize_entry("skipped", &List(|| self.skipped.iter().map(SkippedView::new)))?;
        map.serialize_entry("health", &HealthView::new(&self.health))?;
        map.serialize_entry("errors", &List(|| self.errors.iter().map(ErrorView::new)))?;
        map.serialize_entry("reader", &ReaderView::new(&self.reader))?;
        map.end()
    }
}

impl Serialize for Fill {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut put = |name: &str, used: Used| {
            map.serialize_entry(
                name,
                &UsedView {
                    used: used.used,
                    capacity: used.capacity,
                },
            )
        };
        put("process_slots", self.process_slots)?;
        put("lanes", self.lanes)?;
        put(
            "lanes_touched",
            Used {
                used: self.lanes_touched,
                capacity: self.lanes.capacity,
            },
        )?;
        put("records", self.records)?;
        put("text", self.text)?;
        put("counters", self.counters)?;
        put("gauges", self.gauges)?;
        put("blocks", self.blocks)?;
        put("errors", self.errors)?;
        put("committed", self.committed)?;
        map.end()
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Number::U64(value) => serializer.serialize_u64(value),
            Number::I64(value) => serializer.serialize_i64(value),
            Number::F64(value) => finite(value).serialize(serializer),
        }
    }
}

/// `null` for what JSON has no number for.
fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// An array of what an iterator yields. Called once per serialisation.
struct List<F>(F);

impl<I, F> Serialize for List<F>
where
    F: Fn() -> I,
    I: Iterator,
    I::Item: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0())
    }
}

/// Label pairs as an object, in their order.
struct Labels<'a>(&'a [(String, String)]);

impl Serialize for Labels<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// The listed quantiles; `null` if nothing was observed.
struct Quantiles<F>(F);

impl<F: Fn(f64) -> Option<f64>> Serialize for Quantiles<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            QUANTILES
                .iter()
                .map(|(name, q)| (name, (self.0)(*q).and_then(finite))),
        )
    }
}

/// The upper bound of a bucket.
struct Bound(f64);

impl Serialize for Bound {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match finite(self.0) {
            Some(bound) => serializer.serialize_f64(bound),
            None => serializer.serialize_str("+Inf"),
        }
    }
}

/// Cumulative buckets: those that hold something, and the last.
struct Buckets<'a> {
    scheme: &'a BucketScheme,
    counts: &'a [u64],
}

impl Serialize for Buckets<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let last = self.counts.len().saturating_sub(1);
        let counts = self.counts.iter().enumerate();
        let cumulative = counts.scan(0u64, |sum, (index, &count)| {
            *sum = sum.wrapping_add(count);
            Some((index, count, *sum))
        });
        let listed = cumulative.filter(|&(index, count, _)| count > 0 || index == last);
        serializer.collect_seq(listed.map(|(index, _, sum)| BucketView {
            le: Bound(if index == last {
                f64::INFINITY
            } else {
                self.scheme.upper_bound(index)
            }),
            count: sum,
        }))
    }
}
