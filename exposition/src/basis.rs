//! Whether what was prepared still holds: the sources have the same series as then.

use std::sync::Arc;

use shmetrics::snapshot::{BucketScheme, Description, SegmentFacts, Value};

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
}

#[derive(Debug)]
struct SeriesBasis {
    description: Arc<Description>,
    /// A reset changes it, and nothing else of the series.
    since_ns: u64,
    scheme: Option<BucketScheme>,
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
                    scheme: scheme(&series.value).cloned(),
                })
                .collect(),
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
                .all(|(basis, series)| {
                    Arc::ptr_eq(&basis.description, &series.description)
                        && basis.since_ns == series.since_ns
                        && same_scheme(basis.scheme.as_ref(), scheme(&series.value))
                })
    }
}

fn scheme(value: &Value) -> Option<&BucketScheme> {
    match value {
        Value::Histogram(histogram) => Some(&histogram.scheme),
        _ => None,
    }
}

/// The scheme changes without a new description when another revision is registered.
fn same_scheme(a: Option<&BucketScheme>, b: Option<&BucketScheme>) -> bool {
    match (a, b) {
        (Some(BucketScheme::Classic(a)), Some(BucketScheme::Classic(b))) => Arc::ptr_eq(a, b) || a == b,
        (a, b) => a == b,
    }
}
