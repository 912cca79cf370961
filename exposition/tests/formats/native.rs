//! Histograms: native buckets and ours, classic buckets beside them.

use shmetrics::buckets::Exponential;
use shmetrics::snapshot::{BucketScheme, Histogram};
use shmetrics_exposition::*;

use crate::{make, proto};

/// Where a native bucket ends, by the definition: bucket `n` of schema `s` ends at 2^(n / 2^s), in the floats of SPEC.md 9.8.
fn native_upper_bound(number: i32, schema: i32) -> f64 {
    // The same bucket in the octave from 1 to 2, where a histogram of ours that begins at 1 has it as bucket `part`.
    let octave = number.div_euclid(1 << schema);
    let part = number.rem_euclid(1 << schema);
    let unit = Exponential::new(schema as u8, 0, 1).unwrap();
    unit.upper_bound(part as usize) * 2f64.powi(octave)
}

/// Does the message say all that the histogram does?
pub fn is_lossless(ours: &Histogram, theirs: &proto::Histogram) -> bool {
    let total: u64 = ours.counts.iter().sum();
    let sums = (theirs.sample_sum().to_bits(), ours.sum.to_bits());
    if theirs.sample_count() != total || sums.0 != sums.1 {
        return false;
    }
    let classic: Vec<(f64, u64)> = theirs
        .bucket
        .iter()
        .map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()))
        .collect();
    let mut cumulative = 0;
    let ours_classic: Vec<(f64, u64)> = ours
        .counts
        .iter()
        .enumerate()
        .map(|(index, count)| {
            cumulative += count;
            (ours.scheme.upper_bound(index), cumulative)
        })
        .collect();
    let BucketScheme::Exponential(scheme) = ours.scheme else {
        return theirs.schema.is_none() && theirs.zero_threshold.is_none() && classic == ours_classic;
    };
    let native = theirs.native();
    let sum_of_buckets = theirs.zero_count() + native.iter().map(|(_, count)| count).sum::<u64>();
    let expected: Vec<(f64, u64)> = ours
        .counts
        .iter()
        .enumerate()
        .skip(1)
        .filter(|(_, count)| **count > 0)
        .map(|(index, count)| (scheme.upper_bound(index), *count))
        .collect();
    let found: Vec<(f64, u64)> = native
        .iter()
        .map(|(number, count)| (native_upper_bound(*number, theirs.schema()), *count))
        .collect();
    theirs.schema() == i32::from(scheme.scale())
        && theirs.zero_threshold() == scheme.upper_bound(0)
        && theirs.zero_count() == ours.counts[0]
        && sum_of_buckets == total
        && found == expected
        && classic == ours_classic
}

fn only_histogram(bytes: &[u8]) -> proto::Histogram {
    proto::decode(bytes)[0].metric[0].histogram.clone().unwrap()
}

#[test]
fn a_native_bucket_ends_where_ours_does() {
    let scheme = Exponential::new(3, -2, 3).unwrap();
    // One observation in each bucket, low and overflow included.
    let value = make::histogram(BucketScheme::Exponential(scheme), vec![1; scheme.buckets()], 1.0);
    let snapshot = make::snapshot(vec![make::series("h", &[], value)]);
    let found = only_histogram(&make::encoded(&snapshot, Format::Protobuf, Escaping::Underscores));
    assert_eq!(
        (found.schema(), found.zero_threshold(), found.zero_count()),
        (3, 0.25, 1)
    );
    let native = found.native();
    // 2^-2 is where bucket -16 ends, 2^3 where bucket 24 ends; infinity is the bucket after that which ends at 2^1024.
    let expected: Vec<i32> = (-15..=24).chain([1024 * 8 + 1]).collect();
    assert_eq!(
        native.iter().map(|(number, _)| *number).collect::<Vec<_>>(),
        expected
    );
    for (index, (number, _)) in native.iter().enumerate() {
        assert_eq!(native_upper_bound(*number, 3), scheme.upper_bound(index + 1));
    }
    assert_eq!(found.positive_span.len(), 2);
}

#[test]
fn native_and_classic_histograms_can_be_had_alone() {
    let snapshot = make::snapshot(vec![
        make::series("h", &[], make::observed(Exponential::SECONDS, &[0.5])),
        make::series("own", &[], make::classic(&[1.0], &[1, 2], 3.0)),
    ]);
    let choice = Choice {
        format: Format::Protobuf,
        ..Choice::default()
    };
    let source = [Source {
        name: "",
        snapshot: &snapshot,
    }];
    for (native, classic) in [(true, false), (false, true), (true, true)] {
        let mut options = Options::default();
        (options.native_histograms, options.classic_histograms) = (native, classic);
        let mut out = Vec::new();
        Encoder::new(options).encode(&source, &[], choice, Filter::all(), &mut out);
        let families = proto::decode(&out);
        let [found, own] = [0, 1].map(|at| families[at].metric[0].histogram.clone().unwrap());
        assert_eq!(
            (found.schema.is_some(), !found.bucket.is_empty()),
            (native, classic)
        );
        // There is no native form of other bounds.
        assert_eq!((own.schema, own.bucket.len()), (None, 2));
    }
}
