//! A histogram with other bucket parameters is a revision: readers merge both.

use super::*;

fn revision() -> impl Strategy<Value = (u8, i16, i16)> {
    (0..6u8, -16..16i16, 1..12i16).prop_map(|(scale, low, width)| (scale, low, low + width))
}

/// Where a value that was recorded by `own` is shown by `common`.
fn shown_index(own: Exponential, common: Exponential, value: f64) -> usize {
    match own.index(value) {
        // Beyond its range nobody knows where it was; no bound may claim what may exceed it.
        0 => common.index(own.upper_bound(0)),
        index if index == own.buckets() - 1 => common.buckets() - 1,
        _ => common.index(value),
    }
}

fn assert_revisions(path: &Path, name: &str, parts: &[(Exponential, &[f64])]) {
    let common = parts
        .iter()
        .map(|(scheme, _)| *scheme)
        .reduce(Exponential::common)
        .unwrap();
    let coarsest = parts.iter().map(|(scheme, _)| scheme.scale()).min().unwrap();
    assert_eq!(common.scale(), coarsest);
    let mut counts = vec![0; common.buckets()];
    for (own, values) in parts {
        values
            .iter()
            .for_each(|value| counts[shown_index(*own, common, *value)] += 1);
    }
    let all: Vec<f64> = parts
        .iter()
        .flat_map(|(_, values)| values.iter().copied())
        .collect();
    let snapshot = snapshot(path);
    assert_eq!(
        snapshot
            .series
            .iter()
            .filter(|series| series.description.name == name)
            .count(),
        1
    );
    let Value::Histogram(histogram) = &snapshot.find(name, &[]).unwrap().value else {
        panic!()
    };
    assert_eq!(histogram.scheme, BucketScheme::Exponential(common));
    assert_eq!(
        (histogram.count, histogram.quality),
        (all.len() as u64, Quality::Exact)
    );
    assert_eq!(histogram.counts, counts);
    assert_eq!(histogram.sum, all.iter().sum::<f64>());
    let extreme = |choose: fn(f64, f64) -> f64| all.iter().copied().reduce(choose);
    assert_eq!(
        (histogram.min, histogram.max),
        (extreme(f64::min), extreme(f64::max))
    );
}

fn record_revision(segment: &Segment, (scale, low, high): (u8, i16, i16), ring: u8, values: &[f64]) {
    let builder = segment.histogram_float("sizes").scale(scale).range(low, high);
    let histogram = builder.ring_slots(ring).register().unwrap();
    values.iter().for_each(|value| histogram.record(*value));
}

proptest! {
    #![proptest_config(random::config(64))]

    #[test]
    fn revisions_of_a_histogram_are_shown_as_one(
        parameters in [revision(), revision()],
        values in [prop::collection::vec((0..1u32 << 20).prop_map(f64::from), 0..80),
                   prop::collection::vec((0..300u32).prop_map(f64::from), 0..80)],
        rings in [0..3u8, 0..3u8],
        elsewhere in any::<bool>(),
    ) {
        let _alone = alone();
        let scratch = Scratch::new("revisions");
        let path = scratch.path("segment");
        let segment = Segment::options().preset(Preset::Compact).create_at(&path).unwrap();
        record_revision(&segment, parameters[0], rings[0], &values[0]);
        let second = || record_revision(&segment, parameters[1], rings[1], &values[1]);
        if elsewhere {
            prop_assert_eq!(wait(fork(|| { second(); 0 })), 0);
        } else {
            second();
        }
        let scheme = |(scale, low, high)| Exponential::new(scale, low, high).unwrap();
        let parts = [(scheme(parameters[0]), &values[0][..]), (scheme(parameters[1]), &values[1][..])];
        assert_revisions(&path, "sizes", &parts);
    }
}

#[test]
fn scales_three_and_five_with_other_ranges_merge_into_the_coarser_scheme() {
    let _alone = alone();
    let scratch = Scratch::new("scales");
    let path = scratch.path("segment");
    let segment = Segment::options()
        .preset(Preset::Compact)
        .create_at(&path)
        .unwrap();
    let (coarse, fine): (Vec<f64>, Vec<f64>) = (
        (0..2000).map(f64::from).collect(),
        (0..500).map(|n| f64::from(n * 7)).collect(),
    );
    record_revision(&segment, (3, 0, 10), 2, &coarse);
    record_revision(&segment, (5, -4, 8), 2, &fine);
    let scheme = |scale, low, high| Exponential::new(scale, low, high).unwrap();
    let (first, second) = (scheme(3, 0, 10), scheme(5, -4, 8));
    assert_eq!(first.common(second), scheme(3, -4, 10));
    assert_revisions(&path, "sizes", &[(first, &coarse), (second, &fine)]);
    // Whole numbers in another base unit are a revision, too: both are shown in the exported unit.
    let nanoseconds = segment
        .histogram("wait_seconds")
        .unit(Unit::Seconds)
        .register()
        .unwrap();
    let milliseconds = segment
        .histogram("wait_seconds")
        .unit(Unit::Seconds)
        .factor(1e-3)
        .register()
        .unwrap();
    nanoseconds.record(2_000_000_000);
    milliseconds.record(3_000);
    let taken = snapshot(&path);
    assert_eq!(
        histogram(&taken, "wait_seconds"),
        (2, 2_000_000_000.0 * 1e-9 + 3_000.0 * 1e-3, true)
    );
}

#[test]
fn classic_histograms_with_other_bounds_begin_anew() {
    let _alone = alone();
    let scratch = Scratch::new("bounds");
    let path = scratch.path("segment");
    let segment = Segment::options()
        .preset(Preset::Compact)
        .create_at(&path)
        .unwrap();
    let old = segment
        .histogram_classic("sizes", &[1.0, 2.0])
        .register()
        .unwrap();
    old.record(1.0);
    let new = segment
        .histogram_classic("sizes", &[1.0, 4.0, 9.0])
        .register()
        .unwrap();
    new.record(5.0);
    new.record(5.0);
    old.record(1.0);
    let taken = snapshot(&path);
    let Value::Histogram(histogram) = &taken.find("sizes", &[]).unwrap().value else {
        panic!()
    };
    assert_eq!(histogram.counts, [0, 0, 2, 0]);
    assert_eq!((histogram.count, histogram.sum), (2, 10.0));
}
