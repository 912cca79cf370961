//! What is counted, set and measured under keys: registered once, then used by its handle.

use super::{Key, Monitor, MonitorError, SIZE_BOUNDS, TIME_BOUNDS, names};
use crate::error::RegisterError;
use crate::instrument::{FloatHistogram, Number, Samples};
use crate::segment::Unit;
use crate::snapshot::{self, Reader, Snapshot};

/// Values that are kept for averages unless asked otherwise.
const DEFAULT_KEEP: u64 = 100;

/// Into which buckets the values of a measure are counted. It is said, not guessed from the name.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
#[non_exhaustive]
pub enum Buckets<'b> {
    /// Into none: only the last values are kept.
    #[default]
    None,
    /// Seconds, [`TIME_BOUNDS`].
    Time,
    /// Bytes, [`SIZE_BOUNDS`].
    Size,
    /// These bounds, ascending, in this unit.
    Custom(&'b [f64], Unit<'b>),
}

/// Values under a key: the last ones, of which readers make averages, and all of them in buckets.
#[derive(Clone, Debug)]
pub struct Measure {
    samples: Samples,
    histogram: Option<FloatHistogram>,
}

impl Measure {
    /// Records a value. One that is not finite is counted apart; so is, of buckets, a negative one.
    pub fn record(&self, value: f64) {
        self.samples.record(value);
        if let Some(histogram) = &self.histogram {
            histogram.record(value);
        }
    }
}

impl Monitor {
    /// The number under a key, over all processes: signed, whole until a float is added. Keep the handle: its `inc` is a plain add
    /// and returns nothing. [`Number::set`] sets the total.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`]: above all, that a capacity of the segment is used up.
    pub fn number(&self, key: &Key<'_>) -> Result<Number, RegisterError> {
        let name = self.keyed(names::STATS, key);
        let builder = self.segment.number(&name);
        builder.labels(key.labels().iter().copied()).register()
    }

    /// Adds to the number under a key, and tells the new total over all processes, as far as others had counted by then. For now and
    /// then: it opens a reader, which takes as long as a hundred thousand additions. On a segment that does nothing it tells 0.
    ///
    /// # Errors
    ///
    /// As [`number`](Self::number), and nothing was added; or it was added, and the segment cannot be read: see [`MonitorError`].
    #[cold]
    pub fn inc_and_tell(
        &self,
        key: &Key<'_>,
        value: impl Into<snapshot::Number>,
    ) -> Result<snapshot::Number, MonitorError> {
        let number = self.number(key)?;
        match value.into() {
            snapshot::Number::I64(value) => number.add(value),
            snapshot::Number::U64(value) => number.add(value as i64),
            snapshot::Number::F64(value) => number.add_float(value),
        }
        let told = match self.segment.path() {
            // A reader of its own: in a forked child the parent's part is not in our mapping.
            Some(path) => Reader::open_path(path)?.snapshot()?,
            None => Snapshot::default(),
        };
        let series = told.find(&self.keyed(names::STATS, key), key.labels());
        Ok(match series.map(|series| &series.value) {
            Some(snapshot::Value::Number(number)) => *number,
            _ => snapshot::Number::I64(0),
        })
    }

    /// The values under a key, of which the last 100 are kept.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`]: above all bounds that cannot be used, and a name that has another unit.
    pub fn measure(&self, key: &Key<'_>, buckets: Buckets<'_>) -> Result<Measure, RegisterError> {
        self.measure_last(key, buckets, DEFAULT_KEEP)
    }

    /// As [`measure`](Self::measure), and the last `max_count` are kept: 1 to 4,096. There is no way to keep all.
    ///
    /// # Errors
    ///
    /// As there, and for any other `max_count`.
    pub fn measure_last(
        &self,
        key: &Key<'_>,
        buckets: Buckets<'_>,
        max_count: u64,
    ) -> Result<Measure, RegisterError> {
        let name = self.keyed(names::SAMPLES, key);
        let builder = self.segment.samples(&name).keep(max_count);
        let samples = builder.labels(key.labels().iter().copied()).register()?;
        let (bounds, unit) = match buckets {
            Buckets::None => {
                let histogram = None;
                return Ok(Measure { samples, histogram });
            }
            Buckets::Time => (&TIME_BOUNDS[..], Unit::Seconds),
            Buckets::Size => (&SIZE_BOUNDS[..], Unit::Bytes),
            Buckets::Custom(bounds, unit) => (bounds, unit),
        };
        let name = self.keyed(names::HISTOGRAMS, key);
        let builder = self.segment.histogram_classic(&name, bounds).unit(unit);
        let histogram = builder.labels(key.labels().iter().copied()).register()?;
        Ok(Measure {
            samples,
            histogram: Some(histogram),
        })
    }

    fn keyed(&self, sort: &str, key: &Key<'_>) -> String {
        format!("{}_{sort}{}", self.prefix, key.name())
    }
}
