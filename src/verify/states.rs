//! What line 0 of a block, a sealed copy and a slot of the ring have in common: touched range, least and greatest value, sum, padding.

use super::declared::Series;
use super::pass::Pass;
use super::report::Place;
use crate::buckets::Exponential;
use crate::layout::WORD_LENGTH;
use crate::layout::kind::Kind;
use crate::protocol::histogram::{State, from_ordered_key};
use crate::snapshot::BucketScheme;

/// The four words that stand in the same order in line 0 and in a state.
pub(super) struct Bounds {
    pub(super) place: Place,
    /// Where the first of them is in the file.
    pub(super) offset: u64,
    pub(super) lowest: u64,
    pub(super) highest: u64,
    pub(super) minimum: u64,
    pub(super) maximum: u64,
}

impl Bounds {
    /// The touched range, cut at the number of buckets.
    fn range(&self, buckets: usize) -> std::ops::Range<usize> {
        let mut state = State::default();
        state.reset(buckets);
        state.set_range(self.lowest, self.highest);
        state.first..state.end
    }
}

/// The touched range is one, and covers every bucket that holds something. `rule` is that of the copy.
pub(super) fn check_touched(
    pass: &mut Pass<'_, '_>,
    rule: &'static str,
    bounds: &Bounds,
    buckets: &[u64],
) -> bool {
    let most = buckets.len() as u64;
    for (word, (name, found)) in (0..).zip([("lowest", bounds.lowest), ("highest", bounds.highest)]) {
        if found > most {
            let message = format!("{name} is {found}, the histogram has {most} buckets");
            pass.error("9.7", bounds.place, bounds.offset + word * WORD_LENGTH, message);
            return false;
        }
    }
    let range = bounds.range(buckets.len());
    let outside = (0..)
        .zip(buckets)
        .find(|(index, bucket)| **bucket != 0 && !range.contains(index));
    if let Some((index, bucket)) = outside {
        let message = format!(
            "bucket {index} holds {bucket}, outside the touched range {} to {}: no reader adds it",
            range.start, range.end
        );
        pass.error(rule, bounds.place, bounds.offset, message);
    }
    outside.is_none()
}

/// Minimum and maximum are of buckets inside the touched range: that is widened first.
pub(super) fn check_extremes(pass: &mut Pass<'_, '_>, bounds: &Bounds, series: &Series) {
    let range = bounds.range(series.shape.buckets);
    let minimum = (bounds.minimum != 0).then_some(!bounds.minimum);
    let maximum = bounds.maximum.checked_sub(1);
    for (word, name, key) in [(2, "minimum", minimum), (3, "maximum", maximum)] {
        let Some(key) = key else { continue };
        let bucket = bucket_of(series, key);
        if !bucket.is_some_and(|bucket| range.contains(&bucket)) {
            let found = bucket.map_or("no observation".to_owned(), |bucket| {
                format!("of bucket {bucket}")
            });
            let message = format!(
                "the {name} is {found}, the touched range is {} to {}",
                range.start, range.end
            );
            pass.warning("9.7", bounds.place, bounds.offset + word * WORD_LENGTH, message);
        }
    }
    if let (Some(least), Some(greatest)) = (minimum, maximum)
        && least > greatest
    {
        let offset = bounds.offset + 2 * WORD_LENGTH;
        pass.warning("9.7", bounds.place, offset, "the minimum is above the maximum");
    }
}

/// The bucket of the value with this key; `None` if that is no observation.
fn bucket_of(series: &Series, key: u64) -> Option<usize> {
    let exponential = |parameters: &Exponential| match series.record.kind {
        Kind::HistogramInteger => {
            let exported = key.min(i64::MAX as u64) as f64 * series.record.factor;
            Some(parameters.index(exported))
        }
        _ => {
            let value = from_ordered_key(key);
            (value.is_finite() && value >= 0.0).then(|| parameters.index(value))
        }
    };
    match series.scheme.as_ref()? {
        BucketScheme::Exponential(parameters) => exponential(parameters),
        BucketScheme::Classic(classic) => {
            let value = from_ordered_key(key);
            value.is_finite().then(|| classic.index(value))
        }
    }
}

/// Sums of floats are finite, unless finite ones overflowed.
pub(super) fn check_float_sum(pass: &mut Pass<'_, '_>, place: Place, offset: u64, series: &Series, sum: u64) {
    let sum = f64::from_bits(sum);
    if series.record.kind != Kind::HistogramInteger && !sum.is_finite() {
        let message = format!("the sum is {sum}, expected a finite number");
        pass.warning("9.7", place, offset, message);
    }
}

/// The words of a block from `from` to `to` are between its parts, and nobody writes them. `start` is that of the block.
pub(super) fn check_padding(pass: &mut Pass<'_, '_>, place: Place, start: u64, (from, to): (usize, usize)) {
    for word in from..to {
        let offset = start + word as u64 * WORD_LENGTH;
        let found = pass.load(offset);
        pass.reserved(place, offset, found);
    }
}
