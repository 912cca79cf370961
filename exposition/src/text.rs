//! Prometheus text and OpenMetrics: what is constant of each line, prepared once, and the numbers between.
//!
//! All constant bytes of a plan are in one buffer. Telling a series is copying its prefix, `name{labels} `, and writing a number.
//! What was told is kept in [`Pages`], and what can be told again of it is.

pub(crate) mod line;
mod pages;
mod write;

use std::ops::Range;

use shmetrics::snapshot::{Series, Value};

use crate::bounds::Bounds;
use crate::constants::{Constants, Span};
use crate::encoder::Source;
use crate::number::{self, LINE_ROOM};
use crate::resolve::{Family, LE, Member, Resolved, Syntax, Type};
use line::{push_head, push_prefix, push_stem};

pub(crate) use self::pages::Pages;

/// A family: its metadata, and which series are its.
#[derive(Debug)]
struct FamilyLines {
    original: String,
    base: String,
    kind: Type,
    head: Span,
    series: Range<usize>,
    /// How much all of it takes at most, lines of each process left out.
    room: usize,
    /// Are there any of each process, or any texts?
    each: bool,
    /// Are they all samples, each a number in a line of its own?
    samples: bool,
}

/// A series: where its value is, and its lines. Small: there may be many, and all are looked at each time.
#[derive(Debug)]
struct SeriesLines {
    source: usize,
    series: usize,
    /// Of a group: which of its fields; else 0.
    part: usize,
    lines: Lines,
}

#[derive(Debug)]
enum Lines {
    /// A prefix, the number, and a tail, which begins where the prefix ends.
    Sample { prefix: Span, end: usize },
    /// The stem, a process and a number, for each process.
    Each(Span),
    /// The stem, a process, a status and a streak, for each process and status.
    State(Span),
    /// The stem; the text follows, if there is one.
    Text(Span),
    /// Which of the histograms.
    Histogram(usize),
}

/// Buckets by cumulative count, then sum and count, then the tail.
#[derive(Debug)]
struct HistogramLines {
    buckets: Range<usize>,
    sum: Span,
    count: Span,
    tail: Span,
}

/// A line of a classic bucket: the last of the histogram's own buckets in it, and its prefix.
#[derive(Clone, Copy, Debug)]
struct BucketLine {
    last: usize,
    prefix: Span,
}

/// The prepared text of all sources.
#[derive(Debug)]
pub(crate) struct Plan {
    open_metrics: bool,
    constants: Constants,
    families: Vec<FamilyLines>,
    series: Vec<SeriesLines>,
    histograms: Vec<HistogramLines>,
    buckets: Vec<BucketLine>,
}

impl Plan {
    pub(crate) fn new(
        resolved: &Resolved,
        sources: &[Source<'_>],
        bounds: &Bounds,
        created: bool,
        syntax: Syntax,
    ) -> Plan {
        let mut plan = Plan {
            open_metrics: syntax == Syntax::OpenMetrics,
            constants: Constants::default(),
            families: Vec::with_capacity(resolved.families.len()),
            series: Vec::new(),
            histograms: Vec::new(),
            buckets: Vec::new(),
        };
        for family in &resolved.families {
            let first = plan.series.len();
            let open_metrics = plan.open_metrics;
            let head = plan.constants.add(|bytes| {
                let name = if open_metrics {
                    family.base.clone()
                } else {
                    family.sample_name()
                };
                // One of the strict parsers takes no unit of a histogram.
                let unit = if family.kind == Type::Histogram {
                    ""
                } else {
                    &family.unit
                };
                push_head(bytes, &name, family.kind, unit, &family.help, open_metrics);
            });
            for member in &family.members {
                let lines = plan.lines(
                    family,
                    member,
                    &sources[member.source].snapshot.series[member.series],
                    bounds,
                    created,
                );
                plan.series.push(SeriesLines {
                    source: member.source,
                    series: member.series,
                    part: member.part,
                    lines,
                });
            }
            let lines = &plan.series[first..];
            let room: usize = lines.iter().map(|lines| plan.room(&lines.lines)).sum();
            let each = lines
                .iter()
                .any(|lines| matches!(lines.lines, Lines::Each(_) | Lines::State(_) | Lines::Text(_)));
            let samples = lines
                .iter()
                .all(|lines| matches!(lines.lines, Lines::Sample { .. }));
            plan.families.push(FamilyLines {
                original: family.original.clone(),
                base: family.base.clone(),
                kind: family.kind,
                head,
                series: first..plan.series.len(),
                room: head.len() + room,
                each,
                samples,
            });
        }
        plan.constants.finish();
        plan
    }

    fn lines(
        &mut self,
        family: &Family,
        member: &Member,
        series: &Series,
        bounds: &Bounds,
        created: bool,
    ) -> Lines {
        let labels = &member.labels;
        let created_ns = series.since_ns;
        // An unknown time is not told.
        let created = self.open_metrics && created && created_ns != 0 && family.kind.has_created();
        let tail = |plan: &mut Plan| {
            plan.constants.add(|bytes| {
                if created {
                    push_prefix(bytes, &format!("{}_created", family.base), labels, None);
                    number::push_seconds(bytes, created_ns);
                    bytes.push(b'\n');
                }
            })
        };
        match &series.value {
            Value::Each(_) => {
                let stem = self.constants.add(|bytes| push_stem(bytes, &family.base, labels));
                Lines::Each(stem)
            }
            Value::State(_) if family.kind == Type::State => {
                let stem = self.constants.add(|bytes| push_stem(bytes, &family.base, labels));
                Lines::State(stem)
            }
            Value::Text(_) => {
                let name = family.sample_name();
                let stem = self.constants.add(|bytes| push_stem(bytes, &name, labels));
                Lines::Text(stem)
            }
            Value::Histogram(histogram) => {
                let first = self.buckets.len();
                let name = format!("{}_bucket", family.base);
                for bucket in bounds.buckets(&histogram.scheme) {
                    let bound = number::bound(bucket.bound);
                    let prefix = self
                        .constants
                        .add(|bytes| push_prefix(bytes, &name, labels, Some((LE, &bound))));
                    self.buckets.push(BucketLine {
                        last: bucket.last,
                        prefix,
                    });
                }
                let line = |plan: &mut Plan, suffix: &str| {
                    let name = format!("{}{suffix}", family.base);
                    plan.constants
                        .add(|bytes| push_prefix(bytes, &name, labels, None))
                };
                let lines = HistogramLines {
                    sum: line(self, "_sum"),
                    count: line(self, "_count"),
                    tail: tail(self),
                    buckets: first..self.buckets.len(),
                };
                self.histograms.push(lines);
                Lines::Histogram(self.histograms.len() - 1)
            }
            _ => {
                let name = family.sample_name();
                let prefix = self
                    .constants
                    .add(|bytes| push_prefix(bytes, &name, labels, None));
                let tail = tail(self);
                Lines::Sample {
                    prefix,
                    end: tail.end,
                }
            }
        }
    }

    /// Bytes that lines take at most: what is constant of them, and room for each number.
    fn room(&self, lines: &Lines) -> usize {
        match lines {
            Lines::Sample { prefix, end } => end - prefix.start + LINE_ROOM,
            Lines::Each(_) | Lines::State(_) | Lines::Text(_) => 0,
            Lines::Histogram(number) => {
                let HistogramLines {
                    buckets,
                    sum,
                    count,
                    tail,
                } = &self.histograms[*number];
                let prefixes = self.buckets[buckets.clone()]
                    .iter()
                    .map(|bucket| bucket.prefix.len());
                let numbers = buckets.len() + 2;
                prefixes.sum::<usize>() + sum.len() + count.len() + tail.len() + numbers * LINE_ROOM
            }
        }
    }
}
