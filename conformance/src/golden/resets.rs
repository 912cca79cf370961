//! Resets: baselines of every kind, twice, one cut short; copies that are older than the reset; damage. SPEC.md 9.11, 10.19, 14.

use shmetrics::layout::geometry::Capacities;
use shmetrics::{Kind, Merge};

use super::{Golden, image, small};
use crate::expected::View;
use crate::fact::Fact;
use crate::image::{CREATED_NS, Family, Image, Owner, Parameters, Place, Resetting, SHARED, Seal, Series};

const SECOND: u64 = 1_000_000_000;

pub(super) fn all() -> Vec<Golden> {
    vec![reset(), damaged()]
}

fn at(seconds: u64) -> u64 {
    CREATED_NS + seconds * SECOND
}

/// Lanes 1 and 2 of one process, lane 3 given back; the gauge is record 2.
fn with_tables() -> (Image, Series) {
    let mut image = image(Capacities {
        series: 16,
        blocks_length: 16 * 1024,
        reset_tables: 2,
        ..small()
    });
    let web = image.claim(0, &Owner::new("web"));
    image.take(1, web).take(2, web).take(3, web).give_back(3);
    let depth = image.single(
        &Family::new("depth", Kind::GaugeI64).merge(Merge::Max),
        &Parameters::plain(),
    );
    image.set_gauge(&depth, 0, 7);
    (image, depth)
}

fn record(image: &mut Image, series: &Series, lane: u64, values: &[f64]) {
    for &value in values {
        image.record(series, lane, value);
    }
}

fn reset() -> Golden {
    let (mut image, _) = with_tables();
    // Bounds 1, √2, 2, 2√2, 4.
    let octaves = Parameters::exponential(1, 0, 2);
    let hits = image.single(&Family::new("hits", Kind::CounterU64), &Parameters::plain());
    let parts = image.single(&Family::new("parts", Kind::CounterF64), &Parameters::plain());
    let sizes = Family::new("sizes", Kind::HistogramInteger).unit("things");
    let sizes = image.single(&sizes, &octaves.clone().factor(0.5));
    let ratios = image.single(&Family::new("ratios", Kind::HistogramFloat), &octaves);
    let levels = Family::new("levels", Kind::HistogramClassic);
    let levels = image.single(&levels, &Parameters::classic(&[-1.0, 0.0, 2.5]));
    let kept = image.single(&Family::new("kept", Kind::CounterU64), &Parameters::plain());
    let ringed = Family::new("ringed", Kind::HistogramInteger);
    let ringed = image.single(&ringed, &octaves.clone().ring(3));
    let young = Family::new("young", Kind::HistogramInteger);
    let young = image.single(&young, &octaves.clone().ring(3));

    image
        .count(&hits, 1, 5)
        .count(&hits, SHARED, 2)
        .count(&kept, 1, 9);
    image.count(&parts, 1, 0.5).count(&parts, 2, 0.25);
    for (lane, value) in [(1, 0), (1, 2), (1, 3), (2, 8), (SHARED, 100)] {
        image.record(&sizes, lane, value);
    }
    record(&mut image, &ratios, 1, &[0.25, 3.0, f64::NAN]);
    record(&mut image, &levels, 1, &[-5.0, 0.0]);
    record(&mut image, &levels, 2, &[7.0]);
    image.record_in(&ringed, 1, 8, 2);
    for value in 0..5 {
        image.record_in(&young, 1, 10, value);
    }
    image.reset(
        &[&hits, &parts, &sizes, &ratios, &levels, &ringed, &young],
        at(10),
    );
    image.count(&hits, 1, 3).count(&hits, 3, 1).count(&kept, 2, 4);
    image.count(&parts, 2, 0.5);
    for (lane, value) in [(1, 3), (1, 3), (SHARED, 0)] {
        image.record(&sizes, lane, value);
    }
    record(&mut image, &ratios, 2, &[1.5, -1.0]);
    record(&mut image, &levels, 1, &[1.0]);
    image
        .record_in(&ringed, 1, 9, 4)
        .record_in(&ringed, 1, 9, 4)
        .record_in(&ringed, 1, 10, 1);
    image.reset(&[&kept, &levels], at(20));

    image.count(&hits, 1, 1).count(&kept, 1, 1);
    record(&mut image, &levels, 2, &[2.0, 2.0]);
    let late = image.single(&Family::new("late", Kind::CounterU64), &Parameters::plain());
    image.count(&late, 1, 6);
    // Whoever resets once more dies before the table is in force.
    image.reset_until(&[&hits, &sizes, &kept], at(30), Resetting::Partly);
    let facts = vec![
        Fact::resets(2),
        Fact::gauge("depth", Some(7)),
        Fact::whole("hits", 5),
        Fact::since("hits", at(10)),
        Fact::float("parts", 0.5),
        Fact::histogram("sizes", 3, 3.0)
            .extremes(Some(0.0), Some(2.0))
            .buckets(&[(1.0, 1), (2.0, 2)])
            .invalid(0),
        Fact::histogram("ratios", 1, 1.5)
            .extremes(Some(std::f64::consts::SQRT_2), Some(2.0))
            .buckets(&[(2.0, 1)])
            .invalid(1),
        Fact::histogram("levels", 2, 4.0)
            .extremes(Some(0.0), Some(2.5))
            .buckets(&[(2.5, 2)]),
        Fact::since("levels", at(20)),
        Fact::whole("kept", 1),
        Fact::since("kept", at(20)),
        Fact::whole("late", 6),
        Fact::since("depth", at(2)),
    ];
    let with = |more: [Fact; 2]| facts.iter().cloned().chain(more).collect::<Vec<Fact>>();
    let live = with([
        Fact::histogram("ringed", 3, 9.0).windows(&[(2, 8.0, 0), (3, 10.0, 0)]),
        Fact::histogram("young", 0, 0.0),
    ]);
    let cut = with([
        Fact::histogram("ringed", 2, 8.0).windows(&[(2, 8.0, 0), (3, 10.0, 0)]),
        Fact::histogram("young", 0, 0.0).bounded(5),
    ]);
    Golden::read(
        "valid/resets",
        &[
            "Version 2: all kinds were reset, two of them again, and the next reset was cut short by a death; a histogram whose state",
            "at the last epoch is older than the reset, and a counter that came later.",
        ],
        image,
        live.clone(),
    )
    .view(View::Held, live.clone())
    .view(View::Processes, live)
    .view(View::Cut, cut)
}

fn damaged() -> Golden {
    let (mut image, depth) = with_tables();
    let octaves = Parameters::exponential(1, 0, 2);
    let above = image.single(&Family::new("above", Kind::CounterU64), &Parameters::plain());
    let odd = image.single(&Family::new("odd", Kind::CounterF64), &Parameters::plain());
    let distant = image.single(&Family::new("distant", Kind::CounterU64), &Parameters::plain());
    let [count, bucket, range, error, sum] = ["count", "bucket", "range", "error", "sum"]
        .map(|name| image.single(&Family::new(name, Kind::HistogramInteger), &octaves));
    let endless = image.single(&Family::new("endless", Kind::HistogramFloat), &octaves);
    let histograms = [&count, &bucket, &range, &error, &sum];
    image
        .count(&above, 1, 5)
        .count(&odd, 1, 0.5)
        .count(&distant, 1, 1);
    for series in histograms {
        image.record(series, 1, 2).record(series, 2, 3);
    }
    image.record(&endless, 1, 1.5);
    let hot = image.single(&Family::new("hot", Kind::HistogramInteger), &octaves);
    image
        .record(&hot, 1, 2)
        .record(&hot, 1, 2)
        .seal_until(&hot, 1, Seal::L3);
    for value in [3, 3, 3] {
        image.record(&hot, 1, value);
    }
    let mut all = vec![&above, &odd, &distant, &endless, &hot];
    all.extend(histograms);
    image.reset(&all, at(10));
    for series in histograms {
        image.record(series, 1, 4);
    }
    image.record(&endless, 1, 2.5);
    // Its live reads are torn from now on: the seal is older than the reset.
    let block = Place::Block(image.block_offset(&hot, 1));
    image.add(block, "count", 7);
    let line = |image: &Image, series: &Series| Place::ResetBlock(image.reset_block_offset(series, 1));
    image.set_word(image.reset_counter_offset(&above, 1), 6);
    image.set_word(image.reset_counter_offset(&odd, 1), f64::NAN.to_bits());
    // Beyond what RFC 3339 has digits for there is nothing: the greatest word is in the year 2554.
    image.set_word(image.reset_time_offset(&distant, 1), u64::MAX);
    image.set_word(image.reset_time_offset(&depth, 1), 1);
    image.add(line(&image.clone(), &count), "reset_count", 4);
    let third = image.reset_block_offset(&bucket, 1) + 8 * 18;
    image.set_word(third, 9);
    image.set(line(&image.clone(), &range), "reset_lowest", u64::MAX);
    image.set(line(&image.clone(), &range), "reset_highest", u64::MAX);
    image.set(line(&image.clone(), &error), "reset_error", 3);
    image.set(line(&image.clone(), &sum), "reset_sum_high", 1);
    image.set(
        line(&image.clone(), &endless),
        "reset_sum",
        f64::INFINITY.to_bits(),
    );
    let facts = vec![
        Fact::resets(1),
        Fact::gauge("depth", Some(7)),
        Fact::since("depth", at(2)),
        Fact::whole("above", 0),
        Fact::float("odd", 0.0),
        Fact::whole("distant", 0),
        Fact::since("distant", u64::MAX),
        Fact::histogram("count", 1, 4.0).bounded(4),
        Fact::histogram("range", 1, 4.0),
        Fact::histogram("error", 1, 4.0).bounded(3),
        Fact::histogram("sum", 1, 0.0),
        Fact::histogram("endless", 1, 0.0),
        Fact::histogram("hot", 0, 0.0).bounded(3),
    ];
    Golden::read(
        "damaged/resets",
        &[
            "A reset table with damaged words: baselines above what was counted, sums that are none, ranges beyond the buckets, counts",
            "that their buckets do not add up to, a time of the far future and one of a gauge; and a histogram of which only a seal from",
            "before the reset can be read.",
        ],
        image,
        facts,
    )
}
