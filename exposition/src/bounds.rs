//! Classic buckets of a histogram: which of its own buckets end where a classic one does, so that every count is exact.

use std::str::FromStr;

use shmetrics::snapshot::BucketScheme;

/// At which bounds exponential histograms are cut into classic buckets. A histogram that was made with bounds of its own is always
/// shown with those.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Bounds {
    /// At each power of two in the range of the histogram: 33 buckets for seconds.
    #[default]
    Octaves,
    /// At the end of each bucket: 257 for seconds. Everything that is known, and a lot of text.
    Every,
    /// At these, each moved up to the next boundary between buckets of the histogram (at the default scale by less than 9 %): only
    /// there counts are exact. Those above its range, NaN and repeated ones are passed over.
    List(Vec<f64>),
}

impl FromStr for Bounds {
    type Err = String;

    /// `octaves`, `every`, or numbers with commas between them.
    fn from_str(text: &str) -> Result<Bounds, String> {
        match text {
            "octaves" => Ok(Bounds::Octaves),
            "every" => Ok(Bounds::Every),
            list => {
                let number = |part: &str| match part.trim().parse::<f64>() {
                    Ok(bound) if bound.is_finite() => Ok(bound),
                    _ => Err(format!(
                        "{part:?} is no bucket bound; expected octaves, every, or numbers with commas between them, as 0.01,0.1,1"
                    )),
                };
                list.split(',')
                    .map(number)
                    .collect::<Result<_, _>>()
                    .map(Bounds::List)
            }
        }
    }
}

/// One classic bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ClassicBucket {
    /// The last of the histogram's buckets that is in it.
    pub(crate) last: usize,
    /// Where it ends, inclusive.
    pub(crate) bound: f64,
}

impl Bounds {
    /// The classic buckets of a histogram, ascending; the last ends at +Inf.
    pub(crate) fn buckets(&self, scheme: &BucketScheme) -> Vec<ClassicBucket> {
        let overflow = scheme.buckets() - 1;
        let mut ends: Vec<usize> = match (scheme, self) {
            (BucketScheme::Classic(_), _) | (_, Bounds::Every) => (0..overflow).collect(),
            (BucketScheme::Exponential(parameters), Bounds::Octaves) => {
                (0..overflow).step_by(1 << parameters.scale()).collect()
            }
            (BucketScheme::Exponential(parameters), Bounds::List(bounds)) => bounds
                .iter()
                .filter(|bound| !bound.is_nan())
                .map(|bound| parameters.index(*bound))
                .filter(|last| *last < overflow)
                .collect(),
        };
        ends.push(overflow);
        ends.sort_unstable();
        ends.dedup();
        let bucket = |last| ClassicBucket {
            last,
            bound: scheme.upper_bound(last),
        };
        ends.into_iter().map(bucket).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shmetrics::buckets::{Classic, Exponential};
    use std::sync::Arc;

    fn bounds(of: &Bounds, scheme: &BucketScheme) -> Vec<f64> {
        of.buckets(scheme).iter().map(|bucket| bucket.bound).collect()
    }

    #[test]
    fn every_bound_is_where_a_bucket_ends() {
        let scheme = BucketScheme::Exponential(Exponential::SECONDS);
        let octaves = bounds(&Bounds::Octaves, &scheme);
        assert_eq!(octaves.len(), 34);
        assert_eq!(
            (octaves[0], octaves[20], octaves[32]),
            (2f64.powi(-20), 1.0, 4096.0)
        );
        assert_eq!(octaves[33], f64::INFINITY);
        assert_eq!(bounds(&Bounds::Every, &scheme).len(), 258);
        let list = Bounds::List(vec![10.0, 0.005, f64::NAN, 1.0, 1.0, 1e9, -1.0]);
        let list = bounds(&list, &scheme);
        assert_eq!((list[0], list[2]), (2f64.powi(-20), 1.0));
        assert!(
            (0.005..0.0055).contains(&list[1]) && (10.0..10.91).contains(&list[3]),
            "{list:?}"
        );
        assert_eq!(&list[4..], [f64::INFINITY]);
        for of in [Bounds::Octaves, Bounds::Every, Bounds::List(vec![0.3, 7.0])] {
            for bucket in of.buckets(&scheme) {
                assert_eq!(scheme.upper_bound(bucket.last), bucket.bound);
            }
        }
    }

    #[test]
    fn a_histogram_with_bounds_of_its_own_keeps_them() {
        let classic = Classic::new(&[-1.0, 0.25, 3.0]).unwrap();
        let scheme = BucketScheme::Classic(Arc::new(classic));
        assert_eq!(
            bounds(&Bounds::List(vec![1.0]), &scheme),
            [-1.0, 0.25, 3.0, f64::INFINITY]
        );
    }

    #[test]
    fn bounds_are_read() {
        assert_eq!("every".parse(), Ok(Bounds::Every));
        assert_eq!("0.1, 1".parse(), Ok(Bounds::List(vec![0.1, 1.0])));
        assert!("0.1,x".parse::<Bounds>().unwrap_err().contains("\"x\""));
        assert!("inf".parse::<Bounds>().is_err());
    }
}
