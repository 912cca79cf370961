//! Merge rules, pure: how cells of several lanes or processes become one value.
//!
//! | what | rule |
//! |---|---|
//! | whole-number counters | sum modulo 2^64: each term only grows, so does the sum |
//! | float counters and sums | compensated sum ([`Compensated`]), so that the order of lanes does not show |
//! | gauges | [`gauge`], by the family's [`Merge`] |
//! | histograms | buckets into a common scheme ([`add_buckets`]), sums by [`LaneSum`], extremes decoded and compared |
//! | windows | [`difference`] of two states |

use super::{BucketScheme, Number};
use crate::layout::kind::{Kind, Merge};
use crate::protocol::histogram::{State, from_ordered_key};

/// A sum of floats with Neumaier's compensation: the error does not grow with the number of terms.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Compensated {
    sum: f64,
    lost: f64,
}

impl Compensated {
    /// Adds a term.
    #[inline]
    pub fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        self.lost += if self.sum.abs() >= value.abs() {
            (self.sum - sum) + value
        } else {
            (value - sum) + self.sum
        };
        self.sum = sum;
    }

    /// The sum. Infinite terms make it infinite, as a plain sum would be.
    pub fn total(&self) -> f64 {
        // With an infinite term the compensation is NaN and says nothing.
        if self.sum.is_finite() && self.lost.is_finite() {
            self.sum + self.lost
        } else {
            self.sum
        }
    }
}

/// The value of a gauge by its rule over the cells that count: value words and stamps, set ones only. `None` if there is none, or
/// for the rule `each`, which has no single value. Whole numbers are added exactly and clamped to `i64`.
pub fn gauge(rule: Merge, kind: Kind, cells: impl Iterator<Item = (u64, u64)>) -> Option<Number> {
    let float = kind == Kind::GaugeF64;
    let (mut count, mut whole, mut sum) = (0u64, 0i128, Compensated::default());
    let mut chosen: Option<(u64, u64)> = None;
    for (value, stamp) in cells {
        count += 1;
        if float {
            sum.add(f64::from_bits(value));
        } else {
            whole += i128::from(value as i64);
        }
        let replaces = chosen.is_none_or(|(held, held_stamp)| {
            let (new, old) = (f64::from_bits(value), f64::from_bits(held));
            match rule {
                Merge::Min if float => new < old || old.is_nan(),
                Merge::Min => (value as i64) < held as i64,
                Merge::Max if float => new > old || old.is_nan(),
                Merge::Max => value as i64 > held as i64,
                Merge::Last => stamp > held_stamp,
                _ => false,
            }
        });
        if replaces {
            chosen = Some((value, stamp));
        }
    }
    let (value, _) = chosen?;
    Some(match rule {
        Merge::Sum if float => Number::F64(sum.total()),
        Merge::Sum => Number::I64(whole.clamp(i64::MIN.into(), i64::MAX.into()) as i64),
        Merge::Mean if float => Number::F64(sum.total() / count as f64),
        Merge::Mean => Number::F64(whole as f64 / count as f64),
        Merge::Min | Merge::Max | Merge::Last => number(kind, value),
        Merge::Each => return None,
    })
}

/// What the word of a cell says, by the kind of its family.
pub fn number(kind: Kind, word: u64) -> Number {
    match kind {
        Kind::CounterU64 | Kind::TimeMark | Kind::State => Number::U64(word),
        Kind::GaugeI64 => Number::I64(word as i64),
        _ => Number::F64(f64::from_bits(word)),
    }
}

/// A number from its two parts: the whole one modulo 2^64, and the sum of the floats, if there ever was one.
pub fn mixed(whole: u64, float: Option<f64>) -> Number {
    match float {
        None => Number::I64(whole as i64),
        Some(float) => Number::F64(whole as i64 as f64 + float),
    }
}

/// The sum words of one histogram series over lanes: whole numbers exactly, floats compensated.
#[derive(Clone, Copy, Debug, Default)]
pub struct LaneSum {
    whole: u128,
    float: Compensated,
}

impl LaneSum {
    /// Adds the sum word of a state.
    pub fn add(&mut self, kind: Kind, word: u64) {
        if kind == Kind::HistogramInteger {
            // At most 2^15 states of less than 2^64 each.
            self.whole += u128::from(word);
        } else {
            self.float.add(f64::from_bits(word));
        }
    }

    /// What was added since the sum was so much: whole numbers, or the float. At least 0 where no value is negative.
    pub fn since(&self, kind: Kind, whole: u128, float: f64) -> f64 {
        let gained = self.float.total() - float;
        match kind {
            Kind::HistogramInteger => self.whole.saturating_sub(whole) as f64,
            Kind::HistogramFloat if gained > 0.0 => gained,
            // Also where infinity was gained from infinity.
            Kind::HistogramFloat => 0.0,
            _ => gained,
        }
    }

    /// The sums as they are, whole and float; one of the two is zero.
    pub fn parts(&self) -> (u128, f64) {
        (self.whole, self.float.total())
    }

    /// The sum in the exported unit.
    pub fn total(&self, factor: f64) -> f64 {
        // One of the two is zero.
        (self.whole as f64 + self.float.total()) * factor
    }
}

/// Adds the buckets of `state`, which has the scheme `from`, to `counts`, which has the scheme `to`.
pub fn add_buckets(state: &State, from: &BucketScheme, to: &BucketScheme, counts: &mut [u64]) {
    match (from, to) {
        (BucketScheme::Exponential(from), BucketScheme::Exponential(to)) if from != to => {
            let touched = state.buckets.iter().enumerate().take(state.end).skip(state.first);
            for (index, &count) in touched {
                if let Some(sum) = counts.get_mut(from.target_index(index, *to)) {
                    *sum = sum.wrapping_add(count);
                }
            }
        }
        _ => {
            let end = state.end.min(counts.len()).min(state.buckets.len());
            let touched = state.first.min(end)..end;
            for (sum, count) in counts[touched.clone()].iter_mut().zip(&state.buckets[touched]) {
                *sum = sum.wrapping_add(*count);
            }
        }
    }
}

/// The least value in the exported unit, from its word (`!key`, 0 = none).
pub fn minimum(kind: Kind, word: u64, factor: f64) -> Option<f64> {
    (word != 0).then(|| from_key(kind, !word) * factor)
}

/// The greatest value in the exported unit, from its word (`key + 1`, 0 = none).
pub fn maximum(kind: Kind, word: u64, factor: f64) -> Option<f64> {
    word.checked_sub(1).map(|key| from_key(kind, key) * factor)
}

fn from_key(kind: Kind, key: u64) -> f64 {
    if kind == Kind::HistogramInteger {
        key as f64
    } else {
        from_ordered_key(key)
    }
}

/// The lesser of what is known and a further value.
pub fn lesser(known: Option<f64>, value: Option<f64>) -> Option<f64> {
    known.into_iter().chain(value).reduce(f64::min)
}

/// The greater of what is known and a further value.
pub fn greater(known: Option<f64>, value: Option<f64>) -> Option<f64> {
    known.into_iter().chain(value).reduce(f64::max)
}

/// What was recorded between two states of one cell: buckets, count and sum into `into`. Returns `false` if `older` had more than
/// `newer` somewhere; there the difference is 0, and so is the sum, which then says nothing. Minimum and maximum are not known.
pub fn difference(kind: Kind, newer: &State, older: &State, into: &mut State) -> bool {
    if into.buckets.len() != newer.buckets.len() {
        into.reset(newer.buckets.len());
    }
    (into.first, into.end) = (newer.first, newer.end);
    (into.minimum, into.maximum) = (0, 0);
    let held = |index: usize| {
        if (older.first..older.end).contains(&index) {
            older.buckets[index]
        } else {
            0
        }
    };
    let mut whole = older.first >= older.end || (newer.first <= older.first && older.end <= newer.end);
    into.count = 0;
    for index in newer.first..newer.end {
        let gained = newer.buckets[index].checked_sub(held(index));
        whole &= gained.is_some();
        into.buckets[index] = gained.unwrap_or(0);
        into.count = into.count.wrapping_add(into.buckets[index]);
    }
    into.invalid = newer.invalid.saturating_sub(older.invalid);
    into.sum = match (whole, kind) {
        (false, _) => 0,
        (true, Kind::HistogramInteger) => newer.sum.wrapping_sub(older.sum),
        (true, _) => (f64::from_bits(newer.sum) - f64::from_bits(older.sum)).to_bits(),
    };
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buckets::Exponential;
    use crate::protocol::histogram::ordered_key;

    fn of(values: &[f64]) -> f64 {
        let mut sum = Compensated::default();
        values.iter().for_each(|value| sum.add(*value));
        sum.total()
    }

    #[test]
    fn float_sums_do_not_lose_small_terms() {
        assert_eq!(of(&[1.0, 1e100, 1.0, -1e100]), 2.0);
        assert_eq!(of(&[0.1; 10]), 1.0);
        assert_eq!(of(&[f64::INFINITY, 1.0]), f64::INFINITY);
        assert!(of(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
        assert_eq!(of(&[f64::MAX, f64::MAX]), f64::INFINITY);
    }

    #[test]
    fn whole_gauges_by_rule() {
        let cells = [(5, 3), (-7i64 as u64, 9), (i64::MAX as u64, 4)];
        let by = |rule, count: usize| gauge(rule, Kind::GaugeI64, cells.into_iter().take(count));
        assert_eq!(by(Merge::Sum, 2), Some(Number::I64(-2)));
        assert_eq!(by(Merge::Min, 3), Some(Number::I64(-7)));
        assert_eq!(by(Merge::Max, 3), Some(Number::I64(i64::MAX)));
        assert_eq!(by(Merge::Last, 3), Some(Number::I64(-7)));
        assert_eq!(by(Merge::Mean, 2), Some(Number::F64(-1.0)));
        assert_eq!(by(Merge::Each, 3), None);
        let clamped = [(i64::MAX as u64, 1), (1, 1)];
        assert_eq!(
            gauge(Merge::Sum, Kind::GaugeI64, clamped.into_iter()),
            Some(Number::I64(i64::MAX))
        );
        for rule in Merge::ALL {
            assert_eq!(by(rule, 0), None);
        }
    }

    #[test]
    fn float_gauges_by_rule() {
        let cells = [
            (f64::NAN.to_bits(), 1),
            (2.5f64.to_bits(), 2),
            ((-1.0f64).to_bits(), 3),
        ];
        let by = |rule, skip: usize| gauge(rule, Kind::GaugeF64, cells.into_iter().skip(skip));
        assert_eq!(by(Merge::Sum, 1), Some(Number::F64(1.5)));
        assert_eq!(by(Merge::Mean, 1), Some(Number::F64(0.75)));
        assert_eq!(by(Merge::Min, 0), Some(Number::F64(-1.0)));
        assert_eq!(by(Merge::Max, 0), Some(Number::F64(2.5)));
        assert_eq!(by(Merge::Last, 0), Some(Number::F64(-1.0)));
    }

    #[test]
    fn whole_sums_are_exact_beyond_64_bits() {
        let mut sum = LaneSum::default();
        sum.add(Kind::HistogramInteger, u64::MAX);
        sum.add(Kind::HistogramInteger, u64::MAX);
        assert_eq!(sum.total(0.5), u64::MAX as f64);
    }

    #[test]
    fn extremes_are_decoded_per_kind() {
        assert_eq!(minimum(Kind::HistogramInteger, !40, 0.5), Some(20.0));
        assert_eq!(maximum(Kind::HistogramInteger, 41, 0.5), Some(20.0));
        assert_eq!(
            minimum(Kind::HistogramClassic, !ordered_key(-2.0), 1.0),
            Some(-2.0)
        );
        assert_eq!(
            maximum(Kind::HistogramFloat, ordered_key(2.5) + 1, 2.0),
            Some(5.0)
        );
        assert_eq!(
            (
                minimum(Kind::HistogramFloat, 0, 1.0),
                maximum(Kind::HistogramFloat, 0, 1.0)
            ),
            (None, None)
        );
        assert_eq!(
            (lesser(None, Some(2.0)), lesser(Some(1.0), Some(2.0))),
            (Some(2.0), Some(1.0))
        );
        assert_eq!(
            (greater(None, Some(2.0)), greater(Some(1.0), None)),
            (Some(2.0), Some(1.0))
        );
    }

    fn state(first: usize, counts: &[u64], sum: u64) -> State {
        let mut state = State::default();
        state.reset(8);
        (state.first, state.end) = (first, first + counts.len());
        state.buckets[first..first + counts.len()].copy_from_slice(counts);
        (state.count, state.sum) = (counts.iter().sum(), sum);
        state
    }

    #[test]
    fn buckets_go_to_the_common_scheme() {
        let (fine, coarse) = (
            Exponential::new(1, 0, 3).unwrap(),
            Exponential::new(0, 0, 3).unwrap(),
        );
        let (from, to) = (BucketScheme::Exponential(fine), BucketScheme::Exponential(coarse));
        let mut counts = vec![0; coarse.buckets()];
        add_buckets(&state(0, &[1, 2, 3, 4, 5, 6, 7, 8], 0), &from, &to, &mut counts);
        assert_eq!(counts, [1, 5, 9, 13, 8]);
        // Only the touched range counts.
        let mut stale = state(2, &[3], 0);
        stale.buckets[5] = 99;
        let mut counts = vec![0; fine.buckets()];
        add_buckets(&stale, &from, &from, &mut counts);
        assert_eq!(counts, [0, 0, 3, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_difference_never_goes_below_zero() {
        let mut gained = State::default();
        let kind = Kind::HistogramInteger;
        assert!(difference(
            kind,
            &state(1, &[5, 6], 70),
            &state(2, &[4], 30),
            &mut gained
        ));
        assert_eq!(
            (gained.count, gained.sum, &gained.buckets[..4]),
            (7, 40, &[0, 5, 2, 0][..])
        );
        assert!(difference(
            kind,
            &state(1, &[5], 3),
            &state(1, &[4], u64::MAX),
            &mut gained
        ));
        assert_eq!(gained.sum, 4);
        assert!(!difference(
            kind,
            &state(1, &[5, 6], 70),
            &state(1, &[9], 30),
            &mut gained
        ));
        assert_eq!((gained.count, gained.sum), (6, 0));
        assert!(!difference(
            kind,
            &state(1, &[5], 70),
            &state(3, &[9], 30),
            &mut gained
        ));
        let floats = [3.5f64.to_bits(), 1.25f64.to_bits()];
        assert!(difference(
            Kind::HistogramFloat,
            &state(1, &[2], floats[0]),
            &state(1, &[1], floats[1]),
            &mut gained
        ));
        assert_eq!(f64::from_bits(gained.sum), 2.25);
    }
}
