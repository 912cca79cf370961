//! Numbers in mutable words that no writer stores: a reader cuts them, and touches nothing that is not committed. SPEC.md D-4, D-5.

use shmetrics::Kind;
use shmetrics::snapshot::{Number, PerProcess};

use super::{Golden, image, small};
use crate::expected::View;
use crate::fact::Fact;
use crate::image::{Family, Owner, Parameters, Place, SHARED};

pub(super) fn all() -> Vec<Golden> {
    let mut image = image(small());
    let (web, next) = (
        image.claim(0, &Owner::new("web")),
        image.claim(1, &Owner::new("next").pid(1001)),
    );
    let hits = image.single(&Family::new("hits", Kind::CounterU64), &Parameters::plain());
    let buckets = Parameters::exponential(0, 0, 3);
    let [timed, reversed] =
        ["timed", "reversed"].map(|name| image.single(&Family::new(name, Kind::HistogramInteger), &buckets));
    image
        .take(1, web)
        .count(&hits, 1, 5)
        .take(1, next)
        .count(&hits, 1, 2);
    image.take(2, web).count(&hits, 2, 3);
    for lane in [SHARED, 1] {
        image.record(&timed, lane, 2).record(&timed, lane, 1000);
        let block = Place::Block(image.block_offset(&timed, lane));
        image
            .set(block, "lowest", u64::MAX)
            .set(block, "highest", 1 << 40);
    }
    // A touched range that ends before it begins: no bucket is read.
    image.record(&reversed, 1, 0).record(&reversed, 1, 1);
    let block = Place::Block(image.block_offset(&reversed, 1));
    image.set(block, "lowest", 1).set(block, "highest", 1);
    image.set(Place::Lane(1), "lane_baseline_counters", u64::MAX);
    // A tag of a slot that is not there.
    image.set(Place::Lane(2), "lane_owner", 77 << 48 | 1);
    for (field, value) in [
        ("reserved", u64::MAX),
        ("text_used", u64::MAX),
        ("counter_placement", u64::MAX),
        ("gauge_placement", 1 << 39),
        ("block_placement", u64::MAX >> 24),
        ("committed", u64::MAX),
        ("ticker", u64::MAX),
        ("stamp", u64::MAX),
        ("anomalies", u64::MAX),
    ] {
        image.set(Place::Header, field, value);
    }
    let facts = [
        Fact::whole("hits", 10),
        Fact::histogram("timed", 4, 2004.0).buckets(&[(2.0, 2), (f64::INFINITY, 2)]),
        Fact::histogram("reversed", 0, 0.0).bounded(2),
    ];
    let own = [Fact::of_process(
        1,
        "hits",
        Some(PerProcess::Counter(Number::U64(2))),
    )];
    vec![
        Golden::read(
            "damaged/cut_numbers",
            &[
                "Marks, placements, ranges of buckets and baselines beyond their limits, a tag without a slot: cut, and nothing that is",
                "not committed is touched.",
            ],
            image,
            facts.to_vec(),
        )
        .view(View::Processes, [&facts[..], &own].concat()),
    ]
}
