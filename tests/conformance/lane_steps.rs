//! What may become of lanes: live reads, the latch, the shared lane, counters, gauges, marks, owners.

use shmetrics::Kind;
use shmetrics::snapshot::{Number, PerProcess};
use shmetrics_conformance::fact::Fact;
use shmetrics_conformance::image::{Family, Owner, Parameters, Place, SHARED, Seal, Sharing};

use super::{Made, Step};

fn plain(count: u64, sum: u64) -> Fact {
    Fact::histogram("plain", count, sum as f64)
}

/// Histograms without a ring are read live by cuts, too.
fn both(about: &'static str, change: fn(&mut Made), facts: Vec<Fact>) -> Step {
    Step {
        about,
        epoch: 10,
        change,
        live: facts.clone(),
        cut: facts,
    }
}

pub(super) fn all() -> Vec<Step> {
    vec![
        both(
            "counts",
            |made| {
                made.record(|made| &made.plain, 1, &[1, 2, 3]);
                made.record(|made| &made.plain, SHARED, &[4]);
                made.seconds(1, 1.5);
                // Tenths of the three lanes of one process: their compensated sum is another than their plain sum.
                for (lane, value) in [(1, 1), (2, 5), (3, 6), (4, 3)] {
                    made.record(|made| &made.timed, lane, &[value]);
                }
            },
            vec![
                plain(4, 10),
                Fact::float("seconds", 1.5),
                Fact::of_process(
                    0,
                    "timed",
                    Some(PerProcess::Histogram {
                        count: 3,
                        sum: 1.0000000000000002,
                    }),
                ),
            ],
        ),
        both(
            "counts grow",
            |made| {
                made.record(|made| &made.plain, 1, &[5]);
                made.record(|made| &made.plain, 2, &[6]);
                made.seconds(2, 0.25);
                made.image.count(&made.hits, 1, 3).count(&made.hits, 2, 4);
            },
            vec![plain(6, 21), Fact::float("seconds", 1.75), Fact::whole("hits", 7)],
        ),
        both(
            "a lane is torn and nothing was sealed; another grows",
            |made| {
                made.set(|made| &made.plain, 1, "count", 8);
                made.record(|made| &made.plain, 2, &[7]);
            },
            vec![plain(7, 28).bounded(4)],
        ),
        both(
            "its latch appears",
            |made| {
                made.set(|made| &made.plain, 1, "count", 4);
                made.record(|made| &made.plain, 1, &[2, 2]);
                made.image.seal_until(&made.plain.clone(), 1, Seal::L3);
                made.set(|made| &made.plain, 1, "count", 10);
            },
            vec![plain(9, 32)],
        ),
        both(
            "the latch moves, and the lane has one more",
            |made| {
                made.set(|made| &made.plain, 1, "count", 6);
                made.record(|made| &made.plain, 1, &[1]);
                made.image.seal_until(&made.plain.clone(), 1, Seal::L3);
                made.record(|made| &made.plain, 1, &[1]);
            },
            vec![plain(11, 34)],
        ),
        both(
            "torn, and the latch is older than what is kept",
            |made| made.set(|made| &made.plain, 1, "count", 12),
            vec![plain(11, 34)],
        ),
        both(
            "torn, and so is the latch",
            |made| made.set(|made| &made.plain, 1, "latch_begin", 9),
            vec![plain(11, 34).bounded(4)],
        ),
        both(
            "a count goes down",
            |made| {
                made.set(|made| &made.plain, 1, "count", 6);
                made.add_to_bucket(|made| &made.plain, 1, 1, 2u64.wrapping_neg());
            },
            vec![plain(11, 34).bounded(2)],
        ),
        both(
            "a count goes down, and is torn",
            |made| made.set(|made| &made.plain, 1, "count", 2),
            vec![plain(11, 34).bounded(1)],
        ),
        both(
            "the count is put right; a float counter goes down",
            |made| {
                made.add_to_bucket(|made| &made.plain, 1, 1, 2);
                made.set(|made| &made.plain, 1, "count", 8);
                made.seconds(2, 0.0);
            },
            vec![plain(11, 34), Fact::float("seconds", 1.75)],
        ),
        both(
            "a float counter is no number",
            |made| made.seconds(1, f64::NAN),
            vec![Fact::float("seconds", 1.75)],
        ),
        both(
            "a float counter is negative",
            |made| made.seconds(1, -5.0),
            vec![Fact::float("seconds", 1.75)],
        ),
        both(
            "a float counter grows again",
            |made| made.seconds(1, 2.5),
            vec![Fact::float("seconds", 2.5)],
        ),
        both(
            "one died while it recorded in the shared lane",
            |made| {
                made.image.share_until(&made.plain.clone(), 1, Sharing::S1);
            },
            vec![plain(11, 34).bounded(1)],
        ),
        both(
            "the shared lane has less than is kept",
            |made| {
                let bucket = |made: &Made| made.image.bucket_offset(&made.plain, SHARED, 2);
                assert_eq!(made.image.word(bucket(made)), 1, "the bucket of 4");
                made.record(|made| &made.plain, SHARED, &[4, 4]);
                made.add_to_bucket(|made| &made.plain, SHARED, 2, 3u64.wrapping_neg());
                // What was kept was 1, and 0 is what there is; 3 landed.
            },
            vec![plain(11, 34).bounded(3)],
        ),
        both(
            "the shared lane is put right",
            |made| made.add_to_bucket(|made| &made.plain, SHARED, 2, 3),
            vec![plain(13, 42).bounded(1)],
        ),
        both(
            "the mark of a lane is gone",
            |made| {
                made.image.set(Place::Lane(2), "lane_committed", 0);
            },
            vec![plain(11, 29).bounded(1), Fact::whole("hits", 3)],
        ),
        both(
            "the mark of a block is gone, that of the lane is back",
            |made| {
                made.image.set(Place::Lane(2), "lane_committed", 8);
                made.image.uncommit_block(&made.plain.clone(), 1);
            },
            vec![plain(5, 25).bounded(1), Fact::whole("hits", 7)],
        ),
        both(
            "the block is back, with less than before",
            |made| {
                made.image.commit_block(&made.plain.clone(), 1);
                made.set(|made| &made.plain, 1, "count", 7);
                made.add_to_bucket(|made| &made.plain, 1, 0, 1u64.wrapping_neg());
            },
            vec![plain(13, 42).bounded(2)],
        ),
        both(
            "a gauge is set in the newer of two records, then in both",
            |made| {
                made.image.set_gauge(&made.level[0].clone(), 0, 5);
            },
            vec![Fact::of_process(0, "level", None)],
        ),
        both(
            "in both",
            |made| {
                made.image.set_gauge(&made.level[1].clone(), 0, 6);
            },
            vec![Fact::each("level", &[(0, Number::I64(6)), (0, Number::I64(5))])],
        ),
        both(
            "a lane is adopted, and a record is new",
            |made| {
                let next = made.image.claim(1, &Owner::new("next").pid(1002));
                made.image.take(2, next);
                made.image.count(&made.hits, 2, 10);
                made.record(|made| &made.plain, 2, &[1]);
                made.image
                    .single(&Family::new("late", Kind::CounterU64), &Parameters::plain());
            },
            vec![
                plain(14, 43).bounded(2),
                Fact::whole("hits", 17),
                Fact::whole("late", 0),
            ],
        ),
        both(
            "it is given back, and the segment retired",
            |made| {
                made.image.give_back(2).release(1);
                made.image.set(Place::Header, "retired", 1);
            },
            vec![Fact::whole("hits", 17)],
        ),
    ]
}
