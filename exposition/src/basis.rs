//! Whether what was prepared still holds: the sources have the same series as then.

use std::sync::Arc;

use shmetrics::snapshot::{BucketScheme, Description, SegmentFacts, Series, Value};

use crate::encoder::{Extra, ExtraKind, Source};

/// What a plan was made of. Descriptions are known again by their address: they are kept, so no other gets it.
#[derive(Debug)]
pub(crate) struct Basis {
    sources: Vec<SourceBasis>,
    extra: Vec<(String, ExtraKind)>,
}

#[derive(Debug)]
struct SourceBasis {
    name: String,
    facts: Option<Arc<SegmentFacts>>,
    series: Vec<SeriesBasis>,
    /// Which series are histograms, and how their buckets are made.
    schemes: Vec<(usize, BucketScheme)>,
}

/// Small: all are looked at each time.
#[derive(Debug)]
struct SeriesBasis {
    description: Arc<Description>,
    /// A reset changes it, and nothing else of the series.
    since_ns: u64,
}

impl Basis {
    pub(crate) fn of(sources: &[Source<'_>], extra: &[Extra<'_>]) -> Basis {
        let source = |source: &Source<'_>| SourceBasis {
            name: source.name.to_owned(),
            facts: source.snapshot.segment.clone(),
            series: source
                .snapshot
                .series
                .iter()
                .map(|series| SeriesBasis {
                    description: Arc::clone(&series.description),
                    since_ns: series.since_ns,
                })
                .collect(),
            schemes: schemes(source).map(|(at, scheme)| (at, scheme.clone())).collect(),
        };
        Basis {
            sources: sources.iter().map(source).collect(),
            extra: extra
                .iter()
                .map(|extra| (extra.name.to_owned(), extra.kind))
                .collect(),
        }
    }

    /// Is everything still what the plan was made of?
    pub(crate) fn holds(&self, sources: &[Source<'_>], extra: &[Extra<'_>]) -> bool {
        self.sources.len() == sources.len()
            && self.extra.len() == extra.len()
            && self
                .sources
                .iter()
                .zip(sources)
                .all(|(basis, source)| basis.holds(source))
            && self
                .extra
                .iter()
                .zip(extra)
                .all(|((name, kind), extra)| name == extra.name && *kind == extra.kind)
    }
}

impl SourceBasis {
    fn holds(&self, source: &Source<'_>) -> bool {
        let same_segment = match (&self.facts, &source.snapshot.segment) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        };
        same_segment
            && self.name == source.name
            && self.series.len() == source.snapshot.series.len()
            && self
                .series
                .iter()
                .zip(&source.snapshot.series)
                .all(|(basis, series)| basis.holds(series))
            && self.has_schemes(source)
    }

    /// Are these series histograms as they were, and no others?
    fn has_schemes(&self, source: &Source<'_>) -> bool {
        let series = &source.snapshot.series;
        let is_as_it_was = |(at, known): &(usize, BucketScheme)| {
            let now = series.get(*at).and_then(|series| scheme(&series.value));
            now.is_some_and(|now| same_scheme(known, now))
        };
        let histograms = series.iter().filter(|series| is_histogram(&series.value));
        histograms.count() == self.schemes.len() && self.schemes.iter().all(is_as_it_was)
    }
}

impl SeriesBasis {
    #[inline(always)]
    fn holds(&self, series: &Series) -> bool {
        Arc::ptr_eq(&self.description, &series.description) && self.since_ns == series.since_ns
    }
}

/// The series of a source that are histograms.
fn schemes<'a>(source: &Source<'a>) -> impl Iterator<Item = (usize, &'a BucketScheme)> {
    let series = source.snapshot.series.iter().enumerate();
    series.filter_map(|(at, series)| Some((at, scheme(&series.value)?)))
}

fn is_histogram(value: &Value) -> bool {
    matches!(value, Value::Histogram(_))
}

fn scheme(value: &Value) -> Option<&BucketScheme> {
    match value {
        Value::Histogram(histogram) => Some(&histogram.scheme),
        _ => None,
    }
}

/// The scheme changes without a new description when another revision is registered.
fn same_scheme(a: &BucketScheme, b: &BucketScheme) -> bool {
    match (a, b) {
        (BucketScheme::Classic(a), BucketScheme::Classic(b)) => Arc::ptr_eq(a, b) || a == b,
        (a, b) => a == b,
    }
}
