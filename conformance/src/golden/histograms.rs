//! Histograms: the three kinds, seals, and what cannot be read live.

use shmetrics::Kind;
use shmetrics::layout::geometry::Capacities;

use super::{Golden, image, small};
use crate::fact::Fact;
use crate::image::{Family, Image, Owner, Parameters, Place, SHARED, Seal, Series};

pub(super) fn all() -> Vec<Golden> {
    vec![kinds(), greatest(), sealed()]
}

fn capacities() -> Capacities {
    Capacities {
        blocks_length: 8192,
        ..small()
    }
}

/// An empty segment with lanes 1 and 2 of one process and lane 3 given back.
fn with_lanes() -> Image {
    let mut image = image(capacities());
    let web = image.claim(0, &Owner::new("web"));
    image.take(1, web).take(2, web).take(3, web).give_back(3);
    image
}

fn record(image: &mut Image, series: &Series, lane: u64, values: &[f64]) {
    for &value in values {
        image.record(series, lane, value);
    }
}

fn kinds() -> Golden {
    let mut image = with_lanes();
    // Bounds 1, √2, 2, 2√2, 4.
    let octaves = Parameters::exponential(1, 0, 2);
    let sizes = Family::new("sizes", Kind::HistogramInteger).unit("things");
    let sizes = image.single(&sizes, &octaves.clone().factor(0.5));
    for value in [0, 2, 3, 8] {
        image.record(&sizes, 1, value);
    }
    image.record(&sizes, 3, 9).record(&sizes, SHARED, 100);

    let ratios = image.single(&Family::new("ratios", Kind::HistogramFloat), &octaves);
    record(&mut image, &ratios, 1, &[0.0, 0.25, 3.0, -1.0, f64::NAN]);
    record(&mut image, &ratios, 2, &[1e300]);
    record(&mut image, &ratios, SHARED, &[1.0, f64::INFINITY]);

    let levels = Family::new("levels", Kind::HistogramClassic);
    let levels = image.single(&levels, &Parameters::classic(&[-1.0, 0.0, 2.5]));
    record(&mut image, &levels, 1, &[-5.0, -1.0, 0.0, f64::NEG_INFINITY]);
    record(&mut image, &levels, 2, &[2.5, 7.0, f64::NAN]);

    image.single(&Family::new("empty", Kind::HistogramFloat), &octaves);
    let one = image.single(&Family::new("one", Kind::HistogramFloat), &octaves);
    record(&mut image, &one, 2, &[1.5]);
    // A block that is not committed is not to be read.
    let hidden = image.single(&Family::new("hidden", Kind::HistogramInteger), &octaves);
    image.record(&hidden, 2, 1).uncommit_block(&hidden, 2);
    Golden::read(
        "valid/histograms",
        &[
            "The three kinds over lanes and the shared lane: low and overflow buckets, values on a bound, invalid ones, negative ones",
            "in classic buckets; an empty one, one value, and a block that is not committed (not to be read).",
        ],
        image,
        vec![
            Fact::histogram("sizes", 6, 0.5 * 122.0)
                .extremes(Some(0.0), Some(50.0))
                .buckets(&[(1.0, 2), (2.0, 1), (4.0, 1), (f64::INFINITY, 2)])
                .invalid(0)
                .windows(&[]),
            Fact::histogram("ratios", 5, 1e300)
                .extremes(Some(0.0), Some(1e300))
                .buckets(&[(1.0, 3), (4.0, 1), (f64::INFINITY, 1)])
                .invalid(3),
            Fact::histogram("levels", 5, 3.5)
                .extremes(Some(-5.0), Some(7.0))
                .buckets(&[(-1.0, 2), (0.0, 1), (2.5, 1), (f64::INFINITY, 1)])
                .invalid(2),
            Fact::histogram("empty", 0, 0.0).extremes(None, None),
            Fact::histogram("one", 1, 1.5)
                .extremes(Some(1.5), Some(1.5))
                .buckets(&[(2.0, 1)]),
            Fact::histogram("hidden", 0, 0.0),
        ],
    )
}

fn greatest() -> Golden {
    let mut image = with_lanes();
    let buckets = Parameters::exponential(0, 0, 2);
    let [lanes, wraps] =
        ["lanes", "wraps"].map(|name| image.single(&Family::new(name, Kind::HistogramInteger), &buckets));
    image.record(&lanes, 1, u64::MAX).record(&lanes, 2, u64::MAX);
    image.record(&wraps, 1, u64::MAX).record(&wraps, 1, 3u64);
    let greatest = 18_446_744_073_709_551_615.0;
    Golden::read(
        "valid/greatest",
        &["The greatest values: sums are exact beyond 64 bits over lanes, and modulo 2^64 within one."],
        image,
        vec![
            Fact::histogram("lanes", 2, 2.0 * greatest)
                .extremes(Some(greatest), Some(greatest))
                .buckets(&[(f64::INFINITY, 2)]),
            Fact::histogram("wraps", 2, 2.0)
                .extremes(Some(3.0), Some(greatest))
                .buckets(&[(4.0, 1), (f64::INFINITY, 1)]),
        ],
    )
}

fn sealed() -> Golden {
    let mut image = with_lanes();
    let buckets = Parameters::exponential(0, 0, 2);
    let mut prepare = |name: &str, until: &[Seal]| {
        let series = image.single(&Family::new(name, Kind::HistogramInteger), &buckets);
        image.record(&series, 1, 2).record(&series, 1, 3);
        for &until in until {
            image.seal_until(&series, 1, until).record(&series, 1, 4);
        }
        // As if records began during every live copy.
        let block = Place::Block(image.block_offset(&series, 1));
        image.add(block, "count", 7);
    };
    prepare("never", &[]);
    prepare("once", &[Seal::L3]);
    prepare("twice", &[Seal::L3, Seal::L3]);
    prepare("begun", &[Seal::L3, Seal::L1]);
    prepare("partly", &[Seal::L3, Seal::Partly]);
    prepare("copied", &[Seal::L3, Seal::L2]);
    let mut facts = vec![
        Fact::histogram("never", 0, 0.0).bounded(9),
        Fact::histogram("twice", 3, 9.0).extremes(Some(2.0), Some(4.0)),
    ];
    for name in ["once", "begun", "partly", "copied"] {
        facts.push(
            Fact::histogram(name, 2, 5.0)
                .extremes(Some(2.0), Some(3.0))
                .buckets(&[(2.0, 1), (4.0, 1)]),
        );
    }
    Golden::read(
        "damaged/latch",
        &[
            "No histogram can be read live (count and buckets disagree), so seals are read: of writers that sealed never, once,",
            "twice, or died after L1, in the middle of L2 and after L2 of their second seal.",
        ],
        image,
        facts,
    )
}
