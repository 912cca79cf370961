//! Prometheus protobuf, delimited: `io.prometheus.client.MetricFamily` messages, each with its length before it.
//!
//! A counter or gauge is a constant prefix and the eight bytes of a double. Histograms are put together each time, since lengths
//! depend on counts.

mod native;
mod wire;
mod write;

use std::ops::Range;

use shmetrics::snapshot::{BucketScheme, Number, Series, Value};

use self::wire::*;
use crate::bounds::ClassicBucket;
use crate::constants::{Constants, Span};
use crate::encoder::{Extra, ExtraKind, Options, Source};
use crate::resolve::{Member, Resolved, Type};

/// Fields of `MetricFamily`.
mod family {
    pub(super) const NAME: u32 = 1;
    pub(super) const HELP: u32 = 2;
    pub(super) const TYPE: u32 = 3;
    pub(super) const METRIC: u32 = 4;
    pub(super) const UNIT: u32 = 5;
}

/// Fields of `Metric`.
mod metric {
    pub(super) const LABEL: u32 = 1;
    pub(super) const GAUGE: u32 = 2;
    pub(super) const COUNTER: u32 = 3;
    pub(super) const HISTOGRAM: u32 = 7;
}

/// Fields of `Histogram` that classic ones have.
mod histogram {
    pub(super) const SAMPLE_COUNT: u32 = 1;
    pub(super) const SAMPLE_SUM: u32 = 2;
    pub(super) const BUCKET: u32 = 3;
    pub(super) const CREATED: u32 = 15;
    /// Of `Bucket`.
    pub(super) const CUMULATIVE_COUNT: u32 = 1;
    pub(super) const UPPER_BOUND: u32 = 2;
}

/// The value of `Counter` and `Gauge`.
const VALUE: u32 = 1;
/// `created_timestamp` of `Counter`.
const COUNTER_CREATED: u32 = 3;
/// Bytes of a double.
const DOUBLE: usize = 8;
const NANOS: u64 = 1_000_000_000;

/// `MetricType`.
const fn code(kind: Type) -> u64 {
    match kind {
        Type::Counter => 0,
        Type::Histogram => 4,
        _ => 1,
    }
}

#[derive(Debug)]
struct FamilyParts {
    original: String,
    base: String,
    kind: Type,
    head: Span,
    series: Range<usize>,
}

#[derive(Debug)]
struct SeriesParts {
    source: usize,
    series: usize,
    /// Of a group: which of its fields; else 0.
    part: usize,
    parts: Parts,
}

#[derive(Debug)]
enum Parts {
    /// `prefix`, then a double.
    Sample { prefix: Span },
    /// Labels; more of them and the value follow for each process.
    Each { labels: Span },
    /// As `Each`, for each process and status.
    State { labels: Span },
    /// Labels; the text and a 1 follow, if there is one.
    Text { labels: Span },
    Histogram {
        labels: Span,
        created: Span,
        classic: Range<usize>,
        native: bool,
    },
}

/// The prepared messages of all sources.
#[derive(Debug)]
pub(crate) struct Plan {
    constants: Constants,
    families: Vec<FamilyParts>,
    series: Vec<SeriesParts>,
    buckets: Vec<ClassicBucket>,
}

impl Plan {
    pub(crate) fn new(resolved: &Resolved, sources: &[Source<'_>], options: &Options) -> Plan {
        let mut plan = Plan {
            constants: Constants::default(),
            families: Vec::new(),
            series: Vec::new(),
            buckets: Vec::new(),
        };
        for family in &resolved.families {
            let first = plan.series.len();
            let head = plan.constants.add(|out| {
                push_head(
                    out,
                    [&family.base, family.suffix()],
                    &family.help,
                    family.kind,
                    &family.unit,
                )
            });
            for member in &family.members {
                let series = &sources[member.source].snapshot.series[member.series];
                let parts = plan.parts(family.kind, member, series, options);
                plan.series.push(SeriesParts {
                    source: member.source,
                    series: member.series,
                    part: member.part,
                    parts,
                });
            }
            let series = first..plan.series.len();
            plan.families.push(FamilyParts {
                original: family.original.clone(),
                base: family.base.clone(),
                kind: family.kind,
                head,
                series,
            });
        }
        plan.constants.finish();
        plan
    }

    fn parts(&mut self, kind: Type, member: &Member, series: &Series, options: &Options) -> Parts {
        let created_ns = series.since_ns;
        let labels = |out: &mut Vec<u8>| {
            member
                .labels
                .iter()
                .for_each(|(name, value)| push_label(out, name, value))
        };
        match &series.value {
            Value::Each(_) => Parts::Each {
                labels: self.constants.add(labels),
            },
            Value::State(_) if kind == Type::State => Parts::State {
                labels: self.constants.add(labels),
            },
            Value::Text(_) => Parts::Text {
                labels: self.constants.add(labels),
            },
            Value::Histogram(histogram) => {
                let native =
                    options.native_histograms && matches!(histogram.scheme, BucketScheme::Exponential(_));
                let first = self.buckets.len();
                if options.classic_histograms || !native {
                    self.buckets.extend(options.bounds.buckets(&histogram.scheme));
                }
                Parts::Histogram {
                    labels: self.constants.add(labels),
                    created: self
                        .constants
                        .add(|out| push_created(out, histogram::CREATED, created_ns)),
                    classic: first..self.buckets.len(),
                    native,
                }
            }
            _ => {
                let (mut pairs, mut inner) = (Vec::new(), Vec::new());
                labels(&mut pairs);
                let field = if kind == Type::Counter {
                    metric::COUNTER
                } else {
                    metric::GAUGE
                };
                if kind == Type::Counter {
                    push_created(&mut inner, COUNTER_CREATED, created_ns);
                }
                push_double_tag(&mut inner, VALUE);
                push_message_head(&mut pairs, field, inner.len() + DOUBLE);
                pairs.append(&mut inner);
                let prefix = self.constants.add(|out| {
                    push_message_head(out, family::METRIC, pairs.len() + DOUBLE);
                    out.append(&mut pairs);
                });
                Parts::Sample { prefix }
            }
        }
    }
}

/// The metadata. The name comes in two parts.
fn push_head(out: &mut Vec<u8>, name: [&str; 2], help: &str, kind: Type, unit: &str) {
    push_message_head(out, family::NAME, name[0].len() + name[1].len());
    name.iter()
        .for_each(|part| out.extend_from_slice(part.as_bytes()));
    if !help.is_empty() {
        push_text(out, family::HELP, help);
    }
    push_u64(out, family::TYPE, code(kind));
    if !unit.is_empty() {
        push_text(out, family::UNIT, unit);
    }
}

fn push_label(out: &mut Vec<u8>, name: &str, value: &str) {
    push_message(out, metric::LABEL, |out| {
        push_text(out, 1, name);
        push_text(out, 2, value);
    });
}

/// A `Timestamp`; none if the time is not known.
fn push_created(out: &mut Vec<u8>, field: u32, created_ns: u64) {
    if created_ns != 0 {
        push_message(out, field, |out| {
            push_u64(out, 1, created_ns / NANOS);
            push_u64(out, 2, created_ns % NANOS);
        });
    }
}

/// Appends a family that is of no segment. Nothing of it is kept, and nothing allocated.
pub(crate) fn push_extra(out: &mut Vec<u8>, extra: &Extra<'_>) {
    if extra.samples.is_empty() {
        return;
    }
    let kind = extra.family_type();
    let (field, suffix) = match extra.kind {
        ExtraKind::Counter => (metric::COUNTER, "_total"),
        ExtraKind::Gauge => (metric::GAUGE, ""),
    };
    push_delimited(out, |out| {
        push_head(out, [extra.base(), suffix], extra.help, kind, "");
        for sample in extra.samples {
            push_message(out, family::METRIC, |out| {
                sample
                    .labels
                    .iter()
                    .for_each(|(name, value)| push_label(out, name, value));
                push_message(out, field, |out| {
                    if extra.kind == ExtraKind::Counter {
                        push_created(out, COUNTER_CREATED, sample.created_ns);
                    }
                    push_double(out, VALUE, float(sample.value));
                });
            });
        }
    });
}

fn float(number: Number) -> f64 {
    match number {
        Number::U64(value) => value as f64,
        Number::I64(value) => value as f64,
        Number::F64(value) => value,
    }
}
