//! What is counted, set and measured under keys.

use shmetrics::RegisterError;
use shmetrics::segment::Unit;
use shmetrics::snapshot::{BucketScheme, Number};
use shmetrics::stats::health::{Average, MonitorError, SIZE_BOUNDS, TIME_BOUNDS};

use super::*;

#[test]
fn c_01_counting_tells_the_new_value_over_processes_and_labels_need_not_agree() {
    let _alone = alone();
    let scratch = Scratch::new("health-keys");
    let path = scratch.path("segment");
    let monitor = register(&compact().create_at(&path).unwrap());
    let plain = Key::parse("jobs").unwrap();
    let labelled = Key::parse("jobs___kind__batch").unwrap();
    let more = Key::new("jobs")
        .label("queue", "a/b \"c\"\n")
        .label("kind", "batch");
    let inc = |key: &Key<'_>, value: Number| monitor.inc_and_tell(key, value).unwrap();
    assert_eq!(inc(&plain, 1.into()), Number::I64(1));
    assert_eq!(inc(&plain, 41.into()), Number::I64(42));
    assert_eq!(inc(&labelled, (-2).into()), Number::I64(-2));
    assert_eq!(inc(&more, 0.5.into()), Number::F64(0.5));
    let handle = monitor.number(&plain).unwrap();
    // In a forked child, too; and what it counted stays when it is gone.
    let child = fork(|| {
        handle.add(99);
        i32::from(inc(&plain, 1.into()) != Number::I64(142))
    });
    assert_eq!(wait(child), 0);
    assert_eq!(inc(&plain, 1.into()), Number::I64(143));
    handle.set(7);
    handle.inc();
    handle.add_float(0.5);
    assert_eq!(inc(&plain, 1.into()), Number::F64(9.5));
    let snapshot = look(&path);
    for (labels, expected) in [
        (&[][..], Number::F64(9.5)),
        (&[("kind", "batch")], Number::I64(-2)),
        (&[("kind", "batch"), ("queue", "a/b \"c\"\n")], Number::F64(0.5)),
    ] {
        let series = snapshot.find("health_stats_jobs", labels).unwrap();
        assert_eq!(series.value, Value::Number(expected), "{labels:?}");
    }
    // As readers say it, a reset included.
    shmetrics::reset::at_path(&path, |series| series.name == "health_stats_jobs").unwrap();
    assert_eq!(inc(&labelled, 3.into()), Number::I64(3));
    // A label twice is an error, and nothing is counted.
    let twice = Key::new("jobs").label("a", "1").label("a", "2");
    let error = monitor.inc_and_tell(&twice, 1).unwrap_err();
    assert!(
        matches!(error, MonitorError::Register(RegisterError::Labels { .. })),
        "{error}"
    );
}

/// The clock of samples.
fn coarse_ns() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the kernel writes the time to the place it is given, which lives during the call.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &mut time) };
    assert_eq!(result, 0);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn average<'a>(averages: &'a [Average], name: &str, method: &str) -> &'a Average {
    let found = |average: &&Average| {
        average.name == name && average.labels.get("method").is_none_or(|found| found == method)
    };
    averages.iter().find(found).unwrap()
}

#[test]
fn c_07_averages_are_of_the_last_100_and_5_values_of_all_processes_and_buckets_as_asked() {
    let _alone = alone();
    let scratch = Scratch::new("health-averages");
    let path = scratch.path("segment");
    let monitor = register(&compact().create_at(&path).unwrap());
    // Its name has both `time` and `size` in it; neither decides.
    let key = Key::parse("runtime_size___method__M").unwrap();
    let measure = monitor.measure(&key, Buckets::Size).unwrap();
    (0..50).for_each(|_| measure.record(1_000_000.0));
    (1..=97).for_each(|n| measure.record(f64::from(n)));
    let child = fork(|| {
        // Newer than all others: the clock of samples goes on in steps.
        let begun_ns = shmetrics::monotonic_ns();
        poll("the coarse clock", || (coarse_ns() > begun_ns).then_some(()));
        (98..=100).for_each(|n| measure.record(f64::from(n)));
        0
    });
    assert_eq!(wait(child), 0);
    let custom = Key::new("depth").label("method", "M");
    let bounds = [1.0, 2.0, 4.0];
    let depth = monitor
        .measure(&custom, Buckets::Custom(&bounds, Unit::Other("items")))
        .unwrap();
    [1.0, 3.0, 9.0].iter().for_each(|value| depth.record(*value));
    let time = Key::new("anything").label("method", "M");
    monitor.measure(&time, Buckets::Time).unwrap().record(0.25);
    let none = Key::new("count___method__runtime");
    monitor.measure(&none, Buckets::None).unwrap().record(1.0);

    let snapshot = look(&path);
    let view = View::new(&snapshot);
    let averages = view.averages();
    let found = average(&averages, "runtime_size", "M");
    assert_eq!((found.count, found.last_100, found.last_5), (150, 50.5, 98.0));
    let found = average(&averages, "depth", "M");
    assert_eq!(
        (found.count, found.last_100, found.last_5),
        (3, 13.0 / 3.0, 13.0 / 3.0)
    );
    assert_eq!(view.health().averages, averages);

    let of = |name: &str| {
        let series = snapshot
            .series
            .iter()
            .find(|series| series.description.name == name);
        let series = series.unwrap_or_else(|| panic!("{name}"));
        match &series.value {
            Value::Histogram(histogram) => (series.description.unit.clone(), histogram.clone()),
            other => panic!("{other:?}"),
        }
    };
    let bounds_of = |scheme: &BucketScheme| match scheme {
        BucketScheme::Classic(classic) => classic.bounds().to_vec(),
        other => panic!("{other:?}"),
    };
    let (unit, sizes) = of("health_hist_runtime_size");
    assert_eq!((&*unit, sizes.count, sizes.counts.len()), ("bytes", 150, 56));
    assert_eq!(bounds_of(&sizes.scheme), SIZE_BOUNDS);
    let (unit, times) = of("health_hist_anything");
    assert_eq!((&*unit, times.count, times.counts.len()), ("seconds", 1, 48));
    assert_eq!(bounds_of(&times.scheme), TIME_BOUNDS);
    let (unit, depths) = of("health_hist_depth");
    assert_eq!((&*unit, &depths.counts[..]), ("items", &[1, 0, 1, 1][..]));
    let histograms = snapshot
        .series
        .iter()
        .filter(|series| series.description.name.starts_with("health_hist_"));
    assert_eq!(histograms.count(), 3, "no bucket that nobody asked for");
}

#[test]
fn c_07_the_bucket_sets_are_those_of_the_original() {
    let _alone = alone();
    assert_eq!((TIME_BOUNDS.len() + 1, SIZE_BOUNDS.len() + 1), (48, 56));
    let mut times = vec![0.0, 0.01, 0.02, 0.03, 0.05, 0.1, 0.5];
    times.extend((2..=10).map(|half| f64::from(half) / 2.0));
    times.extend((6..=10).map(f64::from));
    times.extend((3..=12).map(|five| f64::from(five) * 5.0));
    times.extend([90.0, 120.0, 180.0, 240.0, 270.0, 300.0]);
    times.extend((6..=10).map(|minute| f64::from(minute) * 60.0));
    times.extend([900.0, 1200.0, 1500.0, 1800.0, 3600.0]);
    assert_eq!(times, TIME_BOUNDS);
    let mut sizes = vec![0.0, 1.0, 5.0, 10.0, 20.0, 50.0, 100.0, 500.0];
    sizes.extend([1_000.0, 5_000.0, 10_000.0, 15_000.0, 30_000.0]);
    sizes.extend((1..=10).map(|step| f64::from(step * 150_000)));
    sizes.extend((6..=10).map(|step| f64::from(step * 300_000)));
    sizes.extend([3_750_000.0, 4_500_000.0]);
    sizes.extend((4..=10).map(|step| f64::from(step * 1_500_000)));
    sizes.extend([17.5e6, 20e6, 25e6, 35e6, 50e6, 65e6, 80e6]);
    sizes.extend((5..=8).map(|step| f64::from(step * 20_000_000)));
    sizes.extend([200e6, 260e6, 360e6, 500e6, 750e6, 1e9, 2e9]);
    assert_eq!(sizes, SIZE_BOUNDS);
}

#[test]
fn c_08_lists_of_samples_are_bounded_by_max_count() {
    let _alone = alone();
    let scratch = Scratch::new("health-lists");
    let path = scratch.path("segment");
    let monitor = register(&compact().create_at(&path).unwrap());
    let key = Key::new("queue").label("method", "M");
    let measure = monitor.measure_last(&key, Buckets::None, 7).unwrap();
    (1..=1000).for_each(|n| measure.record(f64::from(n)));
    let snapshot = look(&path);
    let Value::Samples(samples) = &snapshot
        .find("health_samples_queue", &[("method", "M")])
        .unwrap()
        .value
    else {
        panic!("no samples");
    };
    let expected: Vec<f64> = (994..=1000).map(f64::from).collect();
    assert_eq!((&samples.values, samples.count), (&expected, 1000));
    let averages = View::new(&snapshot).averages();
    let found = average(&averages, "queue", "M");
    assert_eq!((found.last_100, found.last_5), (997.0, 998.0));
    // Neither nothing, which the original took for all, nor without end.
    for max_count in [0, 4097, u64::MAX] {
        let other = Key::new("other");
        let error = monitor
            .measure_last(&other, Buckets::None, max_count)
            .unwrap_err();
        assert!(matches!(error, RegisterError::Samples { .. }), "{error}");
    }
}
