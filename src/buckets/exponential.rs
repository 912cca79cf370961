//! Layer 2, pure: base-2 exponential buckets, as Prometheus native and OTel exponential histograms
//! have them.

use super::slices::{FINEST, MANTISSA_BITS, SLICE_COUNT, SLICES, boundary};

/// Exponent bias of an `f64`.
const BIAS: i32 = 1023;

/// Parameters of the exponential buckets of one series.
///
/// Bucket k of the infinite scheme covers (2^((k-1)/2^scale), 2^(k/2^scale)]; these are the ones
/// between 2^low and 2^high, with a low bucket for everything up to 2^low (zero included) and an
/// overflow bucket for everything above 2^high. Bounds are in the exported unit of the series. The
/// relative width of a bucket is 2^(1/2^scale) - 1: 9 % at scale 3, 0.5 % at scale 7.
///
/// ```text
/// scale 3, low -20, high 12:   258 buckets, 1 µs to 68 min in seconds
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Exponential {
    scale: u8,
    low: i16,
    high: i16,
}

impl Exponential {
    /// The finest scale: 128 buckets per octave. Finer ones cost memory, and a width of 0.5 % is
    /// below the noise of what is measured.
    pub const MAX_SCALE: u8 = FINEST as u8;

    /// Most buckets of one series, low and overflow included: 64 octaves at the finest scale, so
    /// every `u64` fits; 64 KiB a copy.
    ///
    /// At scale 0 the whole range of `f64` (2047 buckets) fits, so a [`common`](Self::common) one
    /// always exists.
    pub const MAX_BUCKETS: usize = (64 << Self::MAX_SCALE) + 2;

    /// Lowest `low`: 2^-1022 is the smallest normal `f64`; everything subnormal is in the low
    /// bucket.
    pub const MIN_LOW: i16 = -1022;

    /// Highest `high`: 2^1023 is the largest power of two of an `f64`.
    pub const MAX_HIGH: i16 = 1023;

    /// Seconds measured in a service: 1 µs (2^-20) to 68 minutes (2^12).
    pub const SECONDS: Self = Self::fixed(3, -20, 12);
    /// Seconds of short operations: 1 ns (2^-30) to 4 s (2^2).
    pub const SECONDS_NANOS: Self = Self::fixed(3, -30, 2);
    /// Bytes: 1 to 1 TiB (2^40).
    pub const BYTES: Self = Self::fixed(3, 0, 40);
    /// Ratios: one in a million (2^-20) to 16.
    pub const RATIO: Self = Self::fixed(3, -20, 4);
    /// Anything else that is counted in whole units: 1 to 4.3 billion (2^32).
    pub const OTHER: Self = Self::fixed(3, 0, 32);

    /// Buckets between 2^low and 2^high with 2^scale buckets per octave.
    ///
    /// `None` unless scale ≤ [`MAX_SCALE`](Self::MAX_SCALE), [`MIN_LOW`](Self::MIN_LOW) ≤ low <
    /// high ≤ [`MAX_HIGH`](Self::MAX_HIGH) and there are at most
    /// [`MAX_BUCKETS`](Self::MAX_BUCKETS).
    pub const fn new(scale: u8, low: i16, high: i16) -> Option<Self> {
        let in_range =
            scale <= Self::MAX_SCALE && low >= Self::MIN_LOW && low < high && high <= Self::MAX_HIGH;
        if !in_range {
            return None;
        }
        let new = Self { scale, low, high };
        if new.buckets() <= Self::MAX_BUCKETS {
            Some(new)
        } else {
            None
        }
    }

    /// [`new`](Self::new) for constants: wrong parameters do not compile.
    const fn fixed(scale: u8, low: i16, high: i16) -> Self {
        match Self::new(scale, low, high) {
            Some(new) => new,
            None => panic!("these bucket parameters are out of range"),
        }
    }

    /// The scale, 0..=7: an octave has 2^scale buckets.
    pub const fn scale(self) -> u8 {
        self.scale
    }

    /// The low bucket ends at 2^low.
    pub const fn low(self) -> i16 {
        self.low
    }

    /// The overflow bucket begins above 2^high.
    pub const fn high(self) -> i16 {
        self.high
    }

    /// How many buckets there are, low and overflow included: (high - low) · 2^scale + 2.
    pub const fn buckets(self) -> usize {
        ((self.high as i32 - self.low as i32) as usize) * (1 << self.scale) + 2
    }

    /// The bucket of `value`: 0 is the low bucket, `buckets() - 1` overflow. Always below
    /// `buckets()`.
    ///
    /// Callers sort out NaN and negative values first, as they belong to no bucket; here they get
    /// 0. Positive infinity overflows. Who indexes often keeps an [`Indexer`].
    #[inline]
    pub fn index(self, value: f64) -> usize {
        Indexer::new(self).index(value)
    }

    /// The largest value of bucket `index`, correctly rounded: 2^low for the low bucket, infinity
    /// for overflow and any index beyond.
    pub const fn upper_bound(self, index: usize) -> f64 {
        if index >= self.buckets() - 1 {
            return f64::INFINITY;
        }
        let bucket = self.first() + index as i32;
        let exponent = bucket >> self.scale;
        let position = bucket - (exponent << self.scale);
        let mantissa = boundary(self.scale as u32, position as usize);
        f64::from_bits((((exponent + BIAS) as u64) << MANTISSA_BITS) | mantissa)
    }

    /// The bound that every value of bucket `index` is above: 0 for the low bucket (which also
    /// holds 0), 2^high for overflow and any index beyond.
    pub const fn lower_bound(self, index: usize) -> f64 {
        let last = self.buckets() - 1;
        match if index < last { index } else { last } {
            0 => 0.0,
            index => self.upper_bound(index - 1),
        }
    }

    /// The same range with half as many buckets per octave; `None` at scale 0.
    pub const fn coarser(self) -> Option<Self> {
        match self.scale {
            0 => None,
            scale => Some(Self {
                scale: scale - 1,
                ..self
            }),
        }
    }

    /// The finest buckets that both can be merged into by [`target_index`](Self::target_index).
    ///
    /// The coarser of both scales over the union of both ranges; coarser still if that had more
    /// than [`MAX_BUCKETS`](Self::MAX_BUCKETS).
    #[must_use]
    pub fn common(self, other: Self) -> Self {
        let mut common = Self {
            scale: self.scale.min(other.scale),
            low: self.low.min(other.low),
            high: self.high.max(other.high),
        };
        while common.buckets() > Self::MAX_BUCKETS {
            match common.coarser() {
                Some(coarser) => common = coarser,
                None => break,
            }
        }
        common
    }

    /// The bucket of `target` that receives the counts of bucket `index` of `self`.
    ///
    /// `target` is no finer and covers the range of `self`, as [`common`](Self::common) makes it;
    /// then a bucket between low and overflow lies within the one it goes to. The low bucket, too, goes
    /// to where its upper bound is, and overflow to overflow: where in a wider range their values would
    /// have been is not known, and no value may be shown under a bound that it may exceed. For any
    /// other `target` a bucket goes to where its upper bound is.
    pub const fn target_index(self, index: usize, target: Self) -> usize {
        let overflow = target.buckets() - 1;
        if index >= self.buckets() - 1 {
            return overflow;
        }
        let bucket = self.first() + index as i32;
        let bucket = match self.scale.checked_sub(target.scale) {
            // Upper bounds are inclusive, so the division rounds up.
            Some(coarser) => -(-bucket >> coarser),
            None => bucket << (target.scale - self.scale),
        };
        let index = bucket - target.first();
        if index < 0 {
            0
        } else if index as usize > overflow {
            overflow
        } else {
            index as usize
        }
    }

    /// Number of the low bucket in the infinite scheme.
    const fn first(self) -> i32 {
        (self.low as i32) << self.scale
    }
}

/// The index computation of one series with everything precomputed: two clamps, a table look-up, an add.
///
/// No branch, no logarithm; scale 3 touches 128 bytes of its table.
#[derive(Clone, Copy, Debug)]
pub struct Indexer {
    /// 2^low, which is index 0.
    low: f64,
    /// The smallest value above 2^high, which is the index of overflow.
    above: f64,
    /// Bits of 2^low: the exponent that counts as zero.
    origin: u64,
    /// From the bits of a value to its slice.
    shift: u32,
    /// Slices of an octave, minus one.
    mask: u64,
    slices: &'static [u64; SLICE_COUNT],
}

impl Indexer {
    /// Precomputes the index computation of `buckets`.
    pub const fn new(buckets: Exponential) -> Self {
        let low = power_of_two(buckets.low);
        let scale = buckets.scale as u32;
        Self {
            low,
            above: power_of_two(buckets.high).next_up(),
            origin: low.to_bits(),
            shift: MANTISSA_BITS - 1 - scale,
            mask: (2 << scale) - 1,
            slices: &SLICES[scale as usize],
        }
    }

    /// The bucket of `value`, as [`Exponential::index`].
    #[inline(always)]
    pub fn index(&self, value: f64) -> usize {
        // Not `max`: this form sends NaN to `low`, in one instruction.
        let value = if value > self.low { value } else { self.low };
        let value = if value < self.above { value } else { self.above };
        // From here 2^low ≤ value ≤ above: normal, positive, and every index in range.
        let bits = value.to_bits() - self.origin;
        let slice = (bits >> self.shift) & self.mask;
        // Wrapping, because entries can be below zero. One shift for both: the second is one more.
        let sum = bits.wrapping_add(self.slices[usize::from(slice as u8)]);
        (sum >> self.shift >> 1) as usize
    }
}

/// 2^exponent for MIN_LOW ≤ exponent ≤ MAX_HIGH.
const fn power_of_two(exponent: i16) -> f64 {
    f64::from_bits(((exponent as i32 + BIAS) as u64) << MANTISSA_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn new(scale: u8, low: i16, high: i16) -> Exponential {
        Exponential::new(scale, low, high).expect("valid parameters")
    }

    /// The definition of `index`: the first bucket that the value does not exceed.
    fn reference(buckets: Exponential, value: f64) -> usize {
        (0..buckets.buckets())
            .find(|&index| value <= buckets.upper_bound(index))
            .expect("overflow takes the rest")
    }

    /// Every scale over ranges in the middle and at both ends of `f64`.
    fn shapes() -> impl Iterator<Item = Exponential> {
        let ranges = [(-20, 12), (-1022, -1000), (1000, 1023), (0, 1), (-40, -2)];
        (0..=Exponential::MAX_SCALE)
            .flat_map(move |scale| ranges.map(|(low, high)| new(scale, low, high)))
            .chain([new(0, -1022, 1023), new(7, 0, 64)])
    }

    fn any_shape() -> impl Strategy<Value = Exponential> {
        (0_u8..=7, -1022_i16..1023, 1_i16..=64)
            .prop_map(|(scale, low, octaves)| new(scale, low, (low + octaves).min(Exponential::MAX_HIGH)))
    }

    /// Values that hurt: any bits, values within and around the range, and close to a bound.
    fn shape_and_value() -> impl Strategy<Value = (Exponential, f64)> {
        any_shape().prop_flat_map(|shape| {
            let around = shape.low as i32 - 2..shape.high as i32 + 2;
            let bits = any::<u64>().prop_map(|bits| f64::from_bits(bits & (u64::MAX >> 1)));
            let near = (around, any::<u64>()).prop_map(|(exponent, bits)| {
                let exponent = (exponent + BIAS).clamp(0, 2046) as u64;
                f64::from_bits(exponent << MANTISSA_BITS | bits & ((1 << MANTISSA_BITS) - 1))
            });
            let at = (0..shape.buckets() - 1, -2_i64..=2).prop_map(move |(index, step)| {
                let bits = shape.upper_bound(index).to_bits() as i64;
                f64::from_bits((bits + step) as u64)
            });
            let value = prop_oneof![bits, near, at].prop_filter("NaN has no bucket", |v| !v.is_nan());
            (Just(shape), value)
        })
    }

    #[test]
    fn parameters_out_of_range_are_refused() {
        assert_eq!(Exponential::new(8, 0, 1), None);
        assert_eq!(Exponential::new(3, 1, 1), None);
        assert_eq!(Exponential::new(3, 2, 1), None);
        assert_eq!(Exponential::new(0, -1023, 1), None);
        assert_eq!(Exponential::new(0, 0, 1024), None);
        assert_eq!(Exponential::new(7, i16::MIN, i16::MAX), None);
        assert_eq!(Exponential::new(7, 0, 65), None, "too many buckets");
        assert_eq!(new(7, 0, 64).buckets(), Exponential::MAX_BUCKETS);
        assert_eq!(new(7, 0, 40).buckets(), 5122);
        assert_eq!(new(0, -1022, 1023).buckets(), 2047);
    }

    #[test]
    fn presets_have_the_documented_size() {
        let sizes = [
            (Exponential::SECONDS, 258),
            (Exponential::SECONDS_NANOS, 258),
            (Exponential::BYTES, 322),
            (Exponential::RATIO, 194),
            (Exponential::OTHER, 258),
        ];
        for (preset, buckets) in sizes {
            assert_eq!(preset.buckets(), buckets, "{preset:?}");
        }
        let seconds = Exponential::SECONDS;
        assert_eq!((seconds.scale(), seconds.low(), seconds.high()), (3, -20, 12));
    }

    #[test]
    fn a_bound_belongs_to_the_bucket_it_ends() {
        for shape in shapes() {
            for index in 0..shape.buckets() - 1 {
                let bound = shape.upper_bound(index);
                assert_eq!(shape.index(bound), index, "{shape:?} at {bound:e}");
                assert_eq!(
                    shape.index(bound.next_up()),
                    index + 1,
                    "{shape:?} above {bound:e}"
                );
                assert_eq!(shape.index(bound.next_down()), index, "{shape:?} below {bound:e}");
            }
        }
    }

    #[test]
    fn bounds_are_the_mathematical_ones() {
        for shape in shapes() {
            let per_octave = f64::from(1_u32 << shape.scale);
            for index in 0..shape.buckets() - 1 {
                let bound = shape.upper_bound(index);
                let exponent = f64::from(shape.low) + index as f64 / per_octave;
                let ulps = bound.to_bits().abs_diff(exponent.exp2().to_bits());
                assert!(ulps <= 1, "{shape:?}: bucket {index} is {ulps} ulps off");
            }
        }
    }

    #[test]
    fn powers_of_two_are_exact_bounds() {
        for shape in shapes() {
            for exponent in shape.low..=shape.high {
                let index = usize::from(exponent.abs_diff(shape.low)) << shape.scale;
                assert_eq!(shape.upper_bound(index), power_of_two(exponent));
                assert_eq!(shape.index(power_of_two(exponent)), index);
            }
        }
        assert_eq!(power_of_two(10), 1024.0);
    }

    #[test]
    fn buckets_adjoin_from_zero_to_infinity() {
        for shape in shapes() {
            let last = shape.buckets() - 1;
            assert_eq!(shape.lower_bound(0), 0.0);
            assert_eq!(shape.upper_bound(0), power_of_two(shape.low));
            for index in 1..=last {
                assert_eq!(shape.lower_bound(index), shape.upper_bound(index - 1));
                assert!(shape.lower_bound(index) < shape.upper_bound(index));
            }
            assert_eq!(shape.lower_bound(last), power_of_two(shape.high));
            assert_eq!(shape.upper_bound(last), f64::INFINITY);
            assert_eq!(shape.upper_bound(usize::MAX), f64::INFINITY);
            assert_eq!(shape.lower_bound(usize::MAX), power_of_two(shape.high));
        }
    }

    #[test]
    fn extremes_are_clamped() {
        let subnormal = f64::from_bits(1);
        for shape in shapes() {
            let overflow = shape.buckets() - 1;
            for low in [
                0.0,
                -0.0,
                subnormal,
                f64::MIN_POSITIVE,
                f64::MIN_POSITIVE.next_down(),
            ] {
                assert_eq!(shape.index(low), 0, "{shape:?} at {low:e}");
            }
            for none in [-1.0, -subnormal, f64::MIN, f64::NEG_INFINITY, f64::NAN, -f64::NAN] {
                assert_eq!(shape.index(none), 0, "{shape:?} at {none:e}");
            }
            for high in [f64::MAX, f64::INFINITY] {
                assert_eq!(shape.index(high), overflow, "{shape:?} at {high:e}");
            }
        }
    }

    #[test]
    fn common_takes_the_coarser_scale_and_both_ranges() {
        let a = new(3, -20, 12);
        assert_eq!(a.common(a), a);
        assert_eq!(a.common(new(5, -30, 2)), new(3, -30, 12));
        assert_eq!(new(5, -30, 2).common(a), new(3, -30, 12));
        // 60 + 64 octaves at scale 7 are too many; at scale 6 they fit.
        assert_eq!(new(7, -60, 0).common(new(7, 0, 64)), new(6, -60, 64));
        assert_eq!(
            new(7, -1022, -1000).common(new(7, 1000, 1023)),
            new(2, -1022, 1023)
        );
        assert_eq!(a.coarser(), Some(new(2, -20, 12)));
        assert_eq!(new(0, 0, 1).coarser(), None);
    }

    proptest! {
        #![proptest_config(crate::random::config(256))]

        #[test]
        fn index_is_the_first_bucket_not_exceeded((shape, value) in shape_and_value()) {
            prop_assert_eq!(shape.index(value), reference(shape, value));
        }

        #[test]
        fn index_is_in_range_for_any_bits(shape in any_shape(), bits in any::<u64>()) {
            prop_assert!(shape.index(f64::from_bits(bits)) < shape.buckets());
        }

        #[test]
        fn downscaled_counts_are_where_their_values_would_be(
            (shape, value) in shape_and_value(),
            coarser in 0_u8..=7,
        ) {
            let target = Exponential { scale: shape.scale.saturating_sub(coarser), ..shape };
            prop_assert_eq!(shape.target_index(shape.index(value), target), target.index(value));
        }

        #[test]
        fn both_of_a_merge_land_in_the_common_buckets(
            (shape, value) in shape_and_value(),
            other in any_shape(),
        ) {
            let target = shape.common(other);
            prop_assert!(target.buckets() <= Exponential::MAX_BUCKETS);
            prop_assert!(Exponential::new(target.scale, target.low, target.high) == Some(target));
            prop_assert_eq!(target, other.common(shape));
            let index = shape.index(value);
            let expected = match index {
                0 => target.index(shape.upper_bound(0)),
                index if index == shape.buckets() - 1 => target.buckets() - 1,
                _ => target.index(value),
            };
            prop_assert_eq!(shape.target_index(index, target), expected);
        }

        #[test]
        fn target_index_is_in_range_for_any_target(
            shape in any_shape(),
            target in any_shape(),
            index in prop_oneof![0..9000_usize, Just(usize::MAX)],
        ) {
            prop_assert!(shape.target_index(index, target) < target.buckets());
        }
    }
}
