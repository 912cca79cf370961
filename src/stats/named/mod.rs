//! Numbers by name, made at first use: `incr`, `set`, `record`.
//!
//! For programs that name what they count where they count it, and for those that come from statvent: its calls, its figures and its
//! JSON, summed over all processes where that means something, and without its losses. `docs/five-systems.md` shows both side by side.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let path = std::env::temp_dir().join(format!("shmetrics-named-{}", std::process::id()));
//! # let segment = shmetrics::Segment::options().preset(shmetrics::Preset::Compact).open_or_create_at(&path)?;
//! use shmetrics::stats::named::{Report, Stats};
//!
//! let stats = Stats::new(&segment);
//! stats.incr("pages served", 1);
//! stats.incr("bytes: sent", 1.5);
//! stats.set("queue", 7);
//! stats.record("page time {0}", 0.25);
//!
//! let snapshot = shmetrics::Reader::open_path(&path)?.snapshot()?;
//! let text = Report::new().text(&snapshot);
//! assert!(text.contains("pages served: 1\n") && text.contains("page time 95th: 0.25\n"));
//! # std::fs::remove_file(&path)?;
//! # Ok(())
//! # }
//! ```
//!
//! | file | subject |
//! |---|---|
//! | [`mod@self`] | counting by name |
//! | `names` | which handle a name has: looked up without a lock |
//! | `report` | figures of a snapshot: percentiles, labels, text, JSON |

mod names;
mod report;

use std::sync::Arc;

use self::names::Names;
pub use self::report::{Rank, Report};
use crate::error::RegisterError;
use crate::instrument::{FloatGauge, Number, Samples};
use crate::layout::kind::{Kind, Merge};
use crate::segment::Segment;
use crate::snapshot;
use crate::sync::{AtomicU64, Relaxed};

/// Attempts to register a name that others register as something else at the same moment.
const ATTEMPTS: usize = 4;

/// Numbers by name. Cheap to clone; any thread may use it, also in children made by `fork`, which count as processes of their own.
///
/// A name is any text of 1 to 255 bytes. What it is says its first use in any process: a number by [`incr`](Self::incr), summed over
/// all processes, or a gauge by [`set`](Self::set), one per process, merged by the rule of [`Options::merge`]. Names of
/// [`record`](Self::record) are apart, but for the segment: there a name is of one kind. Cost: a hash of the name and a few loads, then
/// that of the instrument; the first use in a process registers. What cannot be registered is dropped and
/// [counted](Self::refused).
#[derive(Clone, Debug)]
pub struct Stats {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    segment: Segment,
    options: Options,
    plain: Names<Plain>,
    rings: Names<Option<Samples>>,
    refused: AtomicU64,
}

/// What a name is that is counted or set.
#[derive(Debug)]
enum Plain {
    Number(Number),
    Gauge(FloatGauge),
    Refused,
}

/// How names are made. From [`Stats::options`].
#[derive(Clone, Debug)]
#[must_use = "options do nothing until `on` is called"]
pub struct Options {
    keep: u64,
    merge: Merge,
    names: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            keep: 100,
            merge: Merge::Sum,
            names: 4096,
        }
    }
}

impl Options {
    /// How many samples [`Stats::record`] keeps of a name unless [`Stats::keep`] said otherwise: 1 to 4,096, default 100.
    pub fn keep(mut self, samples: u64) -> Self {
        self.keep = samples;
        self
    }

    /// How the values of several processes become one where a name begins with [`Stats::set`]; default: their sum. [`Stats::gauge`]
    /// chooses for one name.
    pub fn merge(mut self, merge: Merge) -> Self {
        self.merge = merge;
        self
    }

    /// Names that this process can use, of each sort; default 4,096. Those beyond are dropped and counted, so that names from outside
    /// cannot take all memory. A place costs 16 bytes.
    pub fn names(mut self, names: usize) -> Self {
        self.names = names;
        self
    }

    /// Statistics in this segment.
    pub fn on(self, segment: &Segment) -> Stats {
        Stats {
            inner: Arc::new(Inner {
                segment: segment.clone(),
                plain: Names::new(self.names),
                rings: Names::new(self.names),
                options: self,
                refused: AtomicU64::new(0),
            }),
        }
    }
}

impl Stats {
    /// Statistics in this segment, with default [`options`](Self::options).
    pub fn new(segment: &Segment) -> Stats {
        Stats::options().on(segment)
    }

    /// Options: how many samples, which merge rule, how many names.
    pub fn options() -> Options {
        Options::default()
    }

    /// Adds one to the number of this name.
    #[inline]
    pub fn inc(&self, name: &str) {
        self.incr(name, 1);
    }

    /// Adds a value to the number of this name, which begins with 0: any sign; a float makes it a float for good. Nothing is lost,
    /// whoever else adds. If the name is a gauge, it is added to the gauge of this process. Floats that are not finite are ignored.
    #[inline]
    pub fn incr(&self, name: &str, value: impl Into<snapshot::Number>) {
        let value = value.into();
        match self.plain(name, false) {
            Some(Plain::Number(number)) => match value {
                snapshot::Number::I64(value) => number.add(value),
                snapshot::Number::U64(value) => number.add(value as i64),
                snapshot::Number::F64(value) => number.add_float(value),
            },
            Some(Plain::Gauge(gauge)) if float(value).is_finite() => gauge.add(float(value)),
            Some(Plain::Gauge(_)) => {}
            Some(Plain::Refused) | None => self.refuse(),
        }
    }

    /// Sets the gauge of this name in this process. It is a float: whole numbers are exact up to 2^53. If the name is a number, its
    /// total over all processes becomes the value, as [`Number::set`] does it: for now and then.
    #[inline]
    pub fn set(&self, name: &str, value: impl Into<snapshot::Number>) {
        let value = value.into();
        match self.plain(name, true) {
            Some(Plain::Gauge(gauge)) => gauge.set(float(value)),
            Some(Plain::Number(number)) => match value {
                snapshot::Number::I64(value) => number.set(value),
                snapshot::Number::U64(value) => number.set(value as i64),
                snapshot::Number::F64(value) => number.set_float(value),
            },
            Some(Plain::Refused) | None => self.refuse(),
        }
    }

    /// Records a sample under this name. Where the figures are shown, `{0}` in the name is replaced by what is told: `median`, `95th`.
    /// A value that is not finite is counted apart and is no sample.
    #[inline]
    pub fn record(&self, name: &str, value: f64) {
        match self.ring(name) {
            Some(Some(samples)) => samples.record(value),
            Some(None) | None => self.refuse(),
        }
    }

    /// How many samples are kept of a name, 1 to 4,096. From then on all processes show so many, of what they have kept; best before
    /// the first record. Of several processes that say it the last counts.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`]; nothing was changed.
    pub fn keep(&self, name: &str, samples: u64) -> Result<(), RegisterError> {
        let made = self.inner.segment.samples(name).keep(samples).register()?;
        self.inner.rings.replace(name, Some(made));
        Ok(())
    }

    /// Makes a name a gauge with a merge rule of its own, before its first use.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`]: above all, that the name is something else already.
    pub fn gauge(&self, name: &str, merge: Merge) -> Result<(), RegisterError> {
        let made = self.inner.segment.gauge_float(name).merge(merge).register()?;
        self.inner.plain.replace(name, Plain::Gauge(made));
        Ok(())
    }

    /// Updates of this process that were dropped: of names that could not be registered. The error log of the segment says why.
    pub fn refused(&self) -> u64 {
        self.inner.refused.load(Relaxed)
    }

    #[cold]
    fn refuse(&self) {
        self.inner.refused.fetch_add(1, Relaxed);
    }

    #[inline]
    fn plain(&self, name: &str, is_gauge: bool) -> Option<&Plain> {
        self.inner
            .plain
            .get(name, || self.inner.make_plain(name, is_gauge))
    }

    #[inline]
    fn ring(&self, name: &str) -> Option<&Option<Samples>> {
        self.inner.rings.get(name, || {
            let builder = self.inner.segment.samples(name).keep(self.inner.options.keep);
            builder.register().ok()
        })
    }
}

impl Inner {
    /// What the name is by now, or becomes.
    #[cold]
    fn make_plain(&self, name: &str, is_gauge: bool) -> Plain {
        let segment = &self.segment;
        for _ in 0..ATTEMPTS {
            let made = match segment.family_of(name) {
                Some((Kind::GaugeF64, merge)) => gauge(segment, name, merge),
                None if is_gauge => gauge(segment, name, self.options.merge),
                None | Some((Kind::Number, _)) => segment.number(name).register().map(Plain::Number),
                // Something else that this program registered itself.
                Some(_) => {
                    // It refuses, and logs why.
                    let _ = segment.number(name).register();
                    return Plain::Refused;
                }
            };
            match made {
                Ok(made) => return made,
                // Another process was faster, with the other one.
                Err(RegisterError::Conflict { .. }) => {}
                Err(_) => return Plain::Refused,
            }
        }
        Plain::Refused
    }
}

fn gauge(segment: &Segment, name: &str, merge: Merge) -> Result<Plain, RegisterError> {
    segment
        .gauge_float(name)
        .merge(merge)
        .register()
        .map(Plain::Gauge)
}

/// The nearest float.
fn float(number: snapshot::Number) -> f64 {
    match number {
        snapshot::Number::U64(value) => value as f64,
        snapshot::Number::I64(value) => value as f64,
        snapshot::Number::F64(value) => value,
    }
}
