//! Layer 2, pure: buckets with bounds that somebody chose.

/// Buckets with given upper bounds, the last being +Inf.
///
/// Bucket i holds the values above bound i-1 up to and including bound i; one more bucket, implied,
/// holds the rest. Bounds are in the exported unit of the series and may be negative.
#[derive(Clone, Debug, PartialEq)]
pub struct Classic {
    /// Finite, strictly increasing, 1 to `MAX_BOUNDS`.
    bounds: Box<[f64]>,
}

/// Why bounds were refused.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BoundsError {
    /// There is no finite bound.
    #[error(
        "no bucket bounds were given: expected 1 to {} finite ones",
        Classic::MAX_BOUNDS
    )]
    Empty,
    /// There are more bounds than a series may have.
    #[error("{count} bucket bounds were given: expected at most {limit}")]
    TooMany {
        /// How many were given, a trailing +Inf not counted.
        count: usize,
        /// How many may be given.
        limit: usize,
    },
    /// A bound is NaN or infinite, and is not the trailing +Inf.
    #[error("bucket bound {position} is {value}: expected a finite number (+Inf only as the last)")]
    NotFinite {
        /// Its position, from 0.
        position: usize,
        /// The bound.
        value: f64,
    },
    /// A bound is not above the one before it.
    #[error("bucket bound {position} is {value}: expected more than the bound before it, {previous}")]
    NotIncreasing {
        /// Its position, from 0.
        position: usize,
        /// The bound before it.
        previous: f64,
        /// The bound.
        value: f64,
    },
}

impl Classic {
    /// Most bounds of one series: with more, exponential buckets are both smaller and faster.
    pub const MAX_BOUNDS: usize = 256;

    /// The default bounds of Prometheus clients: 5 ms to 10 s, in seconds.
    pub const DEFAULT_BOUNDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

    /// Buckets that end at `bounds`, which must be finite and strictly increasing. A trailing +Inf
    /// is accepted and dropped: it is implied. Allocates once.
    pub fn new(bounds: &[f64]) -> Result<Self, BoundsError> {
        let bounds = match bounds {
            [finite @ .., last] if *last == f64::INFINITY => finite,
            all => all,
        };
        if bounds.is_empty() {
            return Err(BoundsError::Empty);
        }
        if bounds.len() > Self::MAX_BOUNDS {
            return Err(BoundsError::TooMany {
                count: bounds.len(),
                limit: Self::MAX_BOUNDS,
            });
        }
        if let Some(position) = bounds.iter().position(|bound| !bound.is_finite()) {
            return Err(BoundsError::NotFinite {
                position,
                value: bounds[position],
            });
        }
        if let Some(before) = bounds.windows(2).position(|pair| pair[0] >= pair[1]) {
            return Err(BoundsError::NotIncreasing {
                position: before + 1,
                previous: bounds[before],
                value: bounds[before + 1],
            });
        }
        Ok(Self {
            bounds: bounds.into(),
        })
    }

    /// The finite upper bounds, increasing; +Inf is implied.
    pub fn bounds(&self) -> &[f64] {
        &self.bounds
    }

    /// How many buckets there are: one more than bounds.
    pub fn buckets(&self) -> usize {
        self.bounds.len() + 1
    }

    /// The bucket of `value`. Always below `buckets()`; a binary search, so at most 9 comparisons.
    ///
    /// Callers sort out NaN first, as it belongs to no bucket; here it gets 0.
    #[inline]
    pub fn index(&self, value: f64) -> usize {
        self.bounds.partition_point(|&bound| bound < value)
    }

    /// The largest value of bucket `index`: infinity for the last and any index beyond.
    pub fn upper_bound(&self, index: usize) -> f64 {
        self.bounds.get(index).copied().unwrap_or(f64::INFINITY)
    }

    /// The bound that every value of bucket `index` is above: negative infinity for the first, the
    /// last bound for any index beyond.
    pub fn lower_bound(&self, index: usize) -> f64 {
        match index.min(self.bounds.len()) {
            0 => f64::NEG_INFINITY,
            index => self.bounds[index - 1],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bound_belongs_to_the_bucket_it_ends() {
        let classic = Classic::new(&Classic::DEFAULT_BOUNDS).expect("valid");
        assert_eq!(classic.buckets(), 12);
        for (index, &bound) in Classic::DEFAULT_BOUNDS.iter().enumerate() {
            assert_eq!(classic.index(bound), index);
            assert_eq!(classic.index(bound.next_up()), index + 1);
            assert_eq!(classic.index(bound.next_down()), index);
            assert_eq!(classic.upper_bound(index), bound);
            assert_eq!(classic.lower_bound(index + 1), bound);
        }
    }

    #[test]
    fn extremes_go_to_the_outer_buckets() {
        let classic = Classic::new(&[-1.0, 0.0, 1.0]).expect("valid");
        for lowest in [f64::NEG_INFINITY, f64::MIN, -1.0, f64::NAN] {
            assert_eq!(classic.index(lowest), 0);
        }
        assert_eq!(classic.index(-0.0), 1);
        for highest in [1.5, f64::MAX, f64::INFINITY] {
            assert_eq!(classic.index(highest), 3);
        }
        assert_eq!(classic.lower_bound(0), f64::NEG_INFINITY);
        assert_eq!(classic.upper_bound(3), f64::INFINITY);
        assert_eq!(classic.upper_bound(usize::MAX), f64::INFINITY);
        assert_eq!(classic.lower_bound(usize::MAX), 1.0);
    }

    #[test]
    fn a_trailing_infinity_is_dropped() {
        let classic = Classic::new(&[1.0, 2.0, f64::INFINITY]).expect("valid");
        assert_eq!(classic.bounds(), [1.0, 2.0]);
        let mut most: Vec<f64> = (0..Classic::MAX_BOUNDS).map(|bound| bound as f64).collect();
        most.push(f64::INFINITY);
        assert_eq!(Classic::new(&most).map(|classic| classic.buckets()), Ok(257));
    }

    #[test]
    fn errors_say_what_was_wrong_and_what_was_expected() {
        let says = |bounds: &[f64], message: &str| {
            let error = Classic::new(bounds).expect_err("invalid");
            assert_eq!(error.to_string(), message);
        };
        says(&[], "no bucket bounds were given: expected 1 to 256 finite ones");
        says(
            &[f64::INFINITY],
            "no bucket bounds were given: expected 1 to 256 finite ones",
        );
        says(&[1.0; 257], "257 bucket bounds were given: expected at most 256");
        let not_finite = "expected a finite number (+Inf only as the last)";
        says(&[1.0, f64::NAN], &format!("bucket bound 1 is NaN: {not_finite}"));
        says(
            &[f64::NEG_INFINITY, 1.0],
            &format!("bucket bound 0 is -inf: {not_finite}"),
        );
        says(
            &[f64::INFINITY, f64::INFINITY],
            &format!("bucket bound 0 is inf: {not_finite}"),
        );
        let not_increasing = "expected more than the bound before it";
        says(
            &[1.0, 2.5, 2.5],
            &format!("bucket bound 2 is 2.5: {not_increasing}, 2.5"),
        );
        says(
            &[1.0, 0.5],
            &format!("bucket bound 1 is 0.5: {not_increasing}, 1"),
        );
    }

    proptest! {
        #![proptest_config(crate::random::config(256))]

        #[test]
        fn index_is_the_first_bucket_not_exceeded(
            bounds in prop::collection::btree_set(-100_i32..100, 1..40),
            value in -110.0..110.0_f64,
        ) {
            let bounds: Vec<f64> = bounds.into_iter().map(f64::from).collect();
            let classic = Classic::new(&bounds).expect("valid");
            for value in [value, value.round()] {
                let expected = (0..classic.buckets()).find(|&i| value <= classic.upper_bound(i));
                prop_assert_eq!(Some(classic.index(value)), expected);
            }
        }
    }
}
