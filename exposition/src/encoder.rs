//! The encoder: keeps what is constant of every series, and puts the numbers in.

use std::collections::HashSet;

use shmetrics::Snapshot;
use shmetrics::snapshot::Number;

use crate::basis::Basis;
use crate::bounds::Bounds;
use crate::each::Processes;
use crate::filter::Filter;
use crate::name::Escaping;
use crate::negotiate::{Choice, Format};
use crate::resolve::{Resolved, Syntax, Type, base_of, names_of, resolve};
use crate::{protobuf, text};

/// A segment to tell.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Its name among the others: the value of the label `segment`. Different for each.
    pub name: &'a str,
    /// What it says.
    pub snapshot: &'a Snapshot,
}

/// A family that is of no segment: of the server itself.
///
/// Its name and those of its labels must be plain (letters, digits, `_`), and begin with `shmetrics_` so as not to take the names
/// of others: it wins against families of segments. Label values may be anything. Nothing of it is kept.
#[derive(Clone, Copy, Debug)]
pub struct Extra<'a> {
    /// Its name, of counters with or without `_total`.
    pub name: &'a str,
    /// Its help text; may be empty.
    pub help: &'a str,
    /// What it is.
    pub kind: ExtraKind,
    /// Its series. Without any the family is not told.
    pub samples: &'a [Sample<'a>],
}

/// What an [`Extra`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExtraKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// A series of an [`Extra`].
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// Names and values; no two samples of a family may have the same.
    pub labels: &'a [(&'a str, &'a str)],
    /// Its value.
    pub value: Number,
    /// Of a counter: since when it counts, nanoseconds since 1970; 0: not known. Of a gauge it is not told.
    pub created_ns: u64,
}

impl<'a> Extra<'a> {
    /// The name without the suffix of counters.
    pub(crate) fn base(&self) -> &'a str {
        match self.kind {
            ExtraKind::Counter => base_of(self.name),
            ExtraKind::Gauge => self.name,
        }
    }

    pub(crate) const fn family_type(&self) -> Type {
        match self.kind {
            ExtraKind::Counter => Type::Counter,
            ExtraKind::Gauge => Type::Gauge,
        }
    }
}

/// When series get the label `segment`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SegmentLabel {
    /// When there are several sources.
    #[default]
    WhenSeveral,
    /// Always: series keep their identity when a second segment appears.
    Always,
}

/// How snapshots are told.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// Where exponential histograms are cut into classic buckets. Default: at each power of two.
    pub bounds: Bounds,
    /// In protobuf: native histograms. Default: yes.
    pub native_histograms: bool,
    /// In protobuf: classic buckets beside native ones. Default: yes. Text has only these, and histograms with bounds of their own
    /// have them always.
    pub classic_histograms: bool,
    /// In OpenMetrics: `_created` of counters and histograms. Default: yes. Prometheus 2 keeps each as a series of its own.
    pub created: bool,
    /// When series get the label `segment`. Default: when there are several sources.
    pub segment_label: SegmentLabel,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            bounds: Bounds::default(),
            native_histograms: true,
            classic_histograms: true,
            created: true,
            segment_label: SegmentLabel::default(),
        }
    }
}

/// What could not be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOut {
    /// Series that could not be told apart from others under the names of this format. 0 unless somebody means harm, or a label
    /// is empty in one series and absent in another.
    pub series: u64,
}

/// Encodes snapshots, again and again.
///
/// What is constant of a series (its name, its labels, its metadata) is put together when it is first seen, per format, and kept
/// as long as the sources have the same series, and in the text formats what was told last. Then an exposition is writing the
/// numbers that changed, and copying, and nothing is allocated. Memory: about what one exposition takes, in the text formats twice
/// that, for each format that was asked for.
///
/// ```
/// use shmetrics_exposition::{Choice, Encoder, Filter, Options, Source};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = std::env::temp_dir().join(format!("shmetrics-exposition-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// # let path = folder.join("app");
/// # let segment = shmetrics::Segment::options().create_at(&path)?;
/// # segment.counter("requests_total").label("method", "GET").register()?.add(3);
/// # let mut reader = shmetrics::Reader::open_path(&path)?;
/// let mut encoder = Encoder::new(Options::default());
/// let mut out = Vec::new();
/// let snapshot = reader.snapshot()?;
/// encoder.encode(&[Source { name: "app", snapshot: &snapshot }], &[], Choice::default(), Filter::all(), &mut out);
/// assert_eq!(String::from_utf8(out)?, "# TYPE requests_total counter\nrequests_total{method=\"GET\"} 3\n");
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Encoder {
    options: Options,
    /// One per syntax and escaping that was asked for: at most twelve.
    plans: Vec<Plan>,
    processes: Processes,
}

/// What is kept for one syntax and escaping.
#[derive(Debug)]
struct Plan {
    syntax: Syntax,
    escaping: Escaping,
    basis: Basis,
    left_out: u64,
    lines: Lines,
}

#[derive(Debug)]
enum Lines {
    Text(text::Plan, text::Pages),
    Protobuf(protobuf::Plan),
}

impl Encoder {
    /// An encoder that knows no series yet.
    pub fn new(options: Options) -> Encoder {
        Encoder {
            options,
            plans: Vec::new(),
            processes: Processes::default(),
        }
    }

    /// Appends to `out` what the sources say, families in the order of their names, then `extra`.
    ///
    /// Cost: some nanoseconds per series. The first time, and when series came or went: some microseconds per series, and
    /// allocations. A reader reuses a snapshot's descriptions, and by these the encoder knows the series again: keep the readers.
    pub fn encode(
        &mut self,
        sources: &[Source<'_>],
        extra: &[Extra<'_>],
        choice: Choice,
        filter: Filter<'_>,
        out: &mut Vec<u8>,
    ) -> LeftOut {
        let syntax = match choice.format {
            Format::Text004 | Format::Text100 => Syntax::Text,
            Format::OpenMetrics001 | Format::OpenMetrics100 => Syntax::OpenMetrics,
            Format::Protobuf => Syntax::Protobuf,
        };
        let found = self
            .plans
            .iter()
            .position(|plan| (plan.syntax, plan.escaping) == (syntax, choice.escaping));
        let at = match found {
            Some(at) => {
                if !self.plans[at].basis.holds(sources, extra) {
                    self.plans[at] = Plan::new(&self.options, sources, extra, syntax, choice.escaping);
                }
                at
            }
            None => {
                self.plans
                    .push(Plan::new(&self.options, sources, extra, syntax, choice.escaping));
                self.plans.len() - 1
            }
        };
        let plan = &mut self.plans[at];
        let open_metrics = syntax == Syntax::OpenMetrics;
        let created = open_metrics && self.options.created;
        let extra = extra
            .iter()
            .filter(|extra| filter.passes(extra.name, extra.base(), extra.family_type()));
        match &mut plan.lines {
            Lines::Text(lines, pages) => {
                lines.write(sources, filter, pages, &mut self.processes, out);
                extra.for_each(|extra| text::line::push_extra(out, extra, open_metrics, created));
                if open_metrics {
                    out.extend_from_slice(b"# EOF\n");
                }
            }
            Lines::Protobuf(lines) => {
                lines.write(sources, filter, &mut self.processes, out);
                extra.for_each(|extra| protobuf::push_extra(out, extra));
            }
        }
        LeftOut {
            series: plan.left_out,
        }
    }
}

impl Plan {
    fn new(
        options: &Options,
        sources: &[Source<'_>],
        extra: &[Extra<'_>],
        syntax: Syntax,
        escaping: Escaping,
    ) -> Plan {
        let taken: HashSet<String> = extra
            .iter()
            .flat_map(|extra| names_of(extra.base(), extra.family_type(), syntax))
            .collect();
        let segment_label = sources.len() > 1 || options.segment_label == SegmentLabel::Always;
        let snapshots = sources.iter().map(|source| (source.name, source.snapshot));
        let resolved: Resolved = resolve(snapshots, segment_label, syntax, escaping, taken);
        let lines = match syntax {
            Syntax::Protobuf => Lines::Protobuf(protobuf::Plan::new(&resolved, sources, options)),
            _ => {
                let plan = text::Plan::new(&resolved, sources, &options.bounds, options.created, syntax);
                let pages = text::Pages::of(&plan);
                Lines::Text(plan, pages)
            }
        };
        Plan {
            syntax,
            escaping,
            basis: Basis::of(sources, extra),
            left_out: resolved.left_out,
            lines,
        }
    }
}
