//! Layer 2, pure: quantiles of bucket counts, as Prometheus 3 tells them.

/// One bucket and how many values it holds: those in (lower, upper].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// The bound that every value is above; negative infinity for the first classic bucket.
    pub lower: f64,
    /// The largest value; infinity for an overflow bucket.
    pub upper: f64,
    /// How many values.
    pub count: u64,
}

/// The `q`-quantile of exponential buckets, in the unit of their bounds: the value of rank `q ·
/// count`.
///
/// `buckets` come in increasing order, empty ones may be left out, and `count` is what they hold
/// together. Interpolates as `histogram_quantile` of Prometheus 3 does on native histograms:
/// exponentially within a bucket, linearly within one that holds 0. A rank in the overflow bucket
/// gives its lower bound: the quantile is at least that.
///
/// `None` if there is nothing to tell: no counts, or `q` is not within 0..=1. Never NaN unless a
/// bound is. Counts that do not add up to `count` give the end of the last bucket that holds
/// something. Costs one pass up to the rank.
///
/// ```text
/// q = 0.5, count = 4:     (1, 2] ×1     (2, 4] ×2     (4, 8] ×1
/// rank 2 is 1 of 2 into (2, 4]:  2 · (4/2)^(1/2) = 2.83
/// ```
pub fn quantile(q: f64, count: u64, buckets: impl Iterator<Item = Bucket>) -> Option<f64> {
    let (bucket, fraction) = find(q, count, buckets)?;
    within(bucket, fraction, |Bucket { lower, upper, .. }| {
        if lower > 0.0 {
            let (from, to) = (lower.log2(), upper.log2());
            (from + (to - from) * fraction).exp2()
        } else {
            linear(lower, upper, fraction)
        }
    })
}

/// The `q`-quantile of classic buckets: [`quantile`], but linear within every bucket, as
/// `histogram_quantile` of Prometheus is on classic histograms.
///
/// The first bucket, with lower bound negative infinity, begins at 0 if its upper bound is
/// positive; else its upper bound is the answer.
pub fn quantile_linear(q: f64, count: u64, buckets: impl Iterator<Item = Bucket>) -> Option<f64> {
    let (mut bucket, fraction) = find(q, count, buckets)?;
    if bucket.lower == f64::NEG_INFINITY && bucket.upper > 0.0 && bucket.upper.is_finite() {
        bucket.lower = 0.0;
    }
    within(bucket, fraction, |Bucket { lower, upper, .. }| {
        linear(lower, upper, fraction)
    })
}

/// The bucket that holds rank `q · count`, and how far into its counts the rank is, 0 to 1.
fn find(q: f64, count: u64, buckets: impl Iterator<Item = Bucket>) -> Option<(Bucket, f64)> {
    if count == 0 || !(0.0..=1.0).contains(&q) {
        return None;
    }
    let rank = q * count as f64;
    // Counts read from a damaged segment may exceed a u64 together.
    let mut before: u128 = 0;
    let mut last = None;
    for bucket in buckets.filter(|bucket| bucket.count > 0) {
        let through = before + u128::from(bucket.count);
        if through as f64 >= rank {
            let fraction = (rank - before as f64) / bucket.count as f64;
            return Some((bucket, fraction.clamp(0.0, 1.0)));
        }
        before = through;
        last = Some((bucket, 1.0));
    }
    last
}

/// The answer within `bucket`; `interpolate` is asked only between two finite bounds, and its
/// rounding does not leave them.
fn within(bucket: Bucket, fraction: f64, interpolate: impl FnOnce(Bucket) -> f64) -> Option<f64> {
    let Bucket { lower, upper, .. } = bucket;
    if upper == f64::INFINITY {
        // With neither bound the counts say nothing.
        return lower.is_finite().then_some(lower);
    }
    if !lower.is_finite() || fraction >= 1.0 {
        return Some(upper);
    }
    if fraction <= 0.0 {
        return Some(lower);
    }
    // Not `clamp`, which panics on bounds in the wrong order.
    Some(interpolate(bucket).max(lower).min(upper))
}

/// `fraction` of the way; weighted, as the width of finite bounds may be infinite.
fn linear(lower: f64, upper: f64, fraction: f64) -> f64 {
    lower * (1.0 - fraction) + upper * fraction
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buckets::{Classic, Exponential};
    use proptest::prelude::*;

    fn buckets(of: &[(f64, f64, u64)]) -> impl Iterator<Item = Bucket> + Clone {
        of.iter()
            .map(|&(lower, upper, count)| Bucket { lower, upper, count })
    }

    fn close(actual: Option<f64>, expected: f64) {
        let actual = actual.expect("a quantile");
        let off = (actual - expected).abs();
        assert!(off <= expected.abs() * 1e-12, "{actual} is not {expected}");
    }

    #[test]
    fn nothing_to_tell_is_none() {
        let some = [(1.0, 2.0, 4)];
        assert_eq!(quantile(0.5, 0, buckets(&some)), None);
        assert_eq!(quantile(0.5, 4, buckets(&[])), None);
        assert_eq!(quantile(0.5, 4, buckets(&[(1.0, 2.0, 0)])), None);
        for q in [f64::NAN, -0.1, 1.1, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(quantile(q, 4, buckets(&some)), None);
            assert_eq!(quantile_linear(q, 4, buckets(&some)), None);
        }
    }

    #[test]
    fn interpolates_exponentially_within_a_bucket() {
        let counts = [(1.0, 2.0, 1), (2.0, 4.0, 2), (4.0, 8.0, 1)];
        close(quantile(0.5, 4, buckets(&counts)), 8_f64.sqrt());
        close(quantile(0.125, 4, buckets(&counts)), 2_f64.sqrt());
        close(quantile(0.875, 4, buckets(&counts)), 32_f64.sqrt());
        close(quantile(0.25, 4, buckets(&counts)), 2.0);
    }

    #[test]
    fn interpolates_linearly_from_zero_in_the_low_bucket() {
        let counts = [(0.0, 1.0, 4), (1.0, 2.0, 4)];
        close(quantile(0.25, 8, buckets(&counts)), 0.5);
        close(quantile(0.125, 8, buckets(&counts)), 0.25);
        close(quantile(0.75, 8, buckets(&counts)), 2_f64.sqrt());
        close(quantile(0.5, 2, buckets(&[(-1.0, 3.0, 2)])), 1.0);
    }

    #[test]
    fn extreme_quantiles_are_the_outer_bounds_of_what_is_there() {
        let counts = [(0.0, 1.0, 0), (1.0, 2.0, 3), (2.0, 4.0, 5), (4.0, 8.0, 0)];
        assert_eq!(quantile(0.0, 8, buckets(&counts)), Some(1.0));
        assert_eq!(quantile(1.0, 8, buckets(&counts)), Some(4.0));
        assert_eq!(quantile_linear(0.0, 8, buckets(&counts)), Some(1.0));
        assert_eq!(quantile_linear(1.0, 8, buckets(&counts)), Some(4.0));
        assert_eq!(quantile(-0.0, 8, buckets(&counts)), Some(1.0));
    }

    #[test]
    fn a_rank_at_the_end_of_a_bucket_is_its_upper_bound_across_a_gap() {
        let counts = [(1.0, 2.0, 1), (2.0, 8.0, 0), (8.0, 16.0, 1)];
        assert_eq!(quantile(0.5, 2, buckets(&counts)), Some(2.0));
        assert_eq!(quantile_linear(0.5, 2, buckets(&counts)), Some(2.0));
    }

    #[test]
    fn overflow_answers_its_lower_bound() {
        let counts = [(1.0, 2.0, 1), (2.0, f64::INFINITY, 9)];
        for q in [0.2, 0.9, 1.0] {
            assert_eq!(quantile(q, 10, buckets(&counts)), Some(2.0));
            assert_eq!(quantile_linear(q, 10, buckets(&counts)), Some(2.0));
        }
        let everything = [(f64::NEG_INFINITY, f64::INFINITY, 1)];
        assert_eq!(quantile(0.5, 1, buckets(&everything)), None);
        assert_eq!(quantile_linear(0.5, 1, buckets(&everything)), None);
    }

    #[test]
    fn classic_buckets_interpolate_linearly() {
        let first = f64::NEG_INFINITY;
        let counts = [(first, 0.1, 4), (0.1, 0.5, 4), (0.5, 1.0, 2)];
        close(quantile_linear(0.2, 10, buckets(&counts)), 0.05);
        close(quantile_linear(0.5, 10, buckets(&counts)), 0.2);
        close(quantile_linear(0.9, 10, buckets(&counts)), 0.75);
        // A first bucket that ends at or below 0 has no natural beginning.
        for end in [0.0, -2.0] {
            assert_eq!(quantile_linear(0.5, 2, buckets(&[(first, end, 2)])), Some(end));
        }
        assert_eq!(quantile(0.5, 2, buckets(&[(first, 3.0, 2)])), Some(3.0));
    }

    #[test]
    fn counts_that_do_not_add_up_give_the_end_of_what_is_there() {
        let counts = [(1.0, 2.0, 1), (2.0, 4.0, 1)];
        assert_eq!(quantile(0.9, 1000, buckets(&counts)), Some(4.0));
        assert_eq!(quantile(1.0, 1, buckets(&counts)), Some(2.0));
        let most = [(1.0, 2.0, u64::MAX), (2.0, 4.0, u64::MAX)];
        assert_eq!(quantile(1.0, u64::MAX, buckets(&most)), Some(2.0));
        let overflow = [(1.0, 2.0, 1), (2.0, f64::INFINITY, 1)];
        assert_eq!(quantile(1.0, 9, buckets(&overflow)), Some(2.0));
    }

    #[test]
    fn extreme_bounds_give_no_nan() {
        let wide = [(-f64::MAX, f64::MAX, 2)];
        assert_eq!(quantile_linear(0.5, 2, buckets(&wide)), Some(0.0));
        let tall = [(f64::from_bits(1), f64::MAX, 2)];
        assert!(quantile(0.5, 2, buckets(&tall)).is_some_and(f64::is_finite));
    }

    fn any_bucket() -> impl Strategy<Value = Bucket> {
        (any::<u64>(), any::<u64>(), any::<u64>()).prop_map(|(lower, upper, count)| Bucket {
            lower: f64::from_bits(lower),
            upper: f64::from_bits(upper),
            count,
        })
    }

    proptest! {
        #![proptest_config(crate::random::config(256))]

        #[test]
        fn any_input_is_survived_and_finite_bounds_give_no_nan(
            q in prop_oneof![0.0..=1.0, any::<f64>()],
            count in any::<u64>(),
            all in prop::collection::vec(any_bucket(), 0..8),
        ) {
            let finite = all.iter().all(|b| b.lower.is_finite() && b.upper.is_finite());
            for value in [
                quantile(q, count, all.iter().copied()),
                quantile_linear(q, count, all.iter().copied()),
            ] {
                prop_assert!(!finite || value.is_none_or(|value| !value.is_nan()));
            }
        }

        #[test]
        fn a_quantile_is_in_the_bucket_of_the_value_of_that_rank(
            mut values in prop::collection::vec(1e-3..1e3_f64, 1..50),
            q in 0.0..=1.0_f64,
        ) {
            values.sort_by(f64::total_cmp);
            let rank = (q * values.len() as f64).ceil().max(1.0) as usize;
            let value = values[rank - 1];
            let count = values.len() as u64;

            let shape = Exponential::SECONDS;
            let mut counts = vec![0; shape.buckets()];
            values.iter().for_each(|&value| counts[shape.index(value)] += 1);
            let told = quantile(q, count, (0..shape.buckets()).map(|index| Bucket {
                lower: shape.lower_bound(index),
                upper: shape.upper_bound(index),
                count: counts[index],
            }));
            let told = told.expect("a quantile");
            let index = shape.index(value);
            prop_assert!(shape.lower_bound(index) <= told && told <= shape.upper_bound(index));

            let classic = Classic::new(&Classic::DEFAULT_BOUNDS).expect("valid");
            let mut counts = vec![0; classic.buckets()];
            values.iter().for_each(|&value| counts[classic.index(value)] += 1);
            let told = quantile_linear(q, count, (0..classic.buckets()).map(|index| Bucket {
                lower: classic.lower_bound(index),
                upper: classic.upper_bound(index),
                count: counts[index],
            }));
            let told = told.expect("a quantile");
            let index = classic.index(value);
            prop_assert!(classic.lower_bound(index) <= told && told <= classic.upper_bound(index));
        }
    }
}
