//! What may become of states at epochs: found, lost, found with less.

use shmetrics_conformance::fact::Fact;

use super::{Made, Step};

fn ringed(count: u64) -> Fact {
    Fact::histogram("ringed", count, count as f64)
}

fn ring(about: &'static str, epoch: u64, change: fn(&mut Made), live: Fact, cut: Fact) -> Step {
    Step {
        about,
        epoch,
        change,
        live: vec![live],
        cut: vec![cut],
    }
}

pub(super) fn all() -> Vec<Step> {
    vec![
        ring(
            "no record in the present epoch",
            10,
            |made| {
                made.ring(8, 1);
                made.ring(9, 1);
            },
            ringed(2).windows(&[(1, 1.0, 0), (2, 2.0, 0)]),
            ringed(2),
        ),
        ring(
            "a rotation",
            11,
            |made| {
                made.ring(10, 1);
                made.ring(11, 2);
            },
            ringed(5).windows(&[(1, 1.0, 0), (2, 2.0, 0)]),
            ringed(3),
        ),
        ring(
            "an epoch without a record",
            13,
            |made| made.ring(13, 1),
            ringed(6),
            ringed(5),
        ),
        ring(
            "a state is lost",
            14,
            |made| {
                made.ring(14, 1);
                made.label(0);
            },
            ringed(7),
            ringed(7).bounded(2),
        ),
        ring(
            "lost again: measured from the last that was a state at an epoch",
            14,
            |made| made.ring(14, 3),
            ringed(10),
            ringed(10).bounded(5),
        ),
        ring(
            "found, with less than the cut before",
            14,
            |made| made.label(13),
            ringed(10),
            ringed(10).bounded(4),
        ),
        ring(
            "lost, and measured from that",
            14,
            |made| {
                made.ring(14, 1);
                made.label(0);
            },
            ringed(11),
            ringed(11).bounded(5),
        ),
        ring(
            "lost, and there is less than before",
            14,
            |made| {
                made.set(|made| &made.ringed, 1, "count", 9);
                made.add_to_bucket(|made| &made.ringed, 1, 0, 2u64.wrapping_neg());
            },
            ringed(11).bounded(2),
            ringed(11).bounded(5),
        ),
        ring(
            "the next epoch",
            15,
            |made| {
                made.set(|made| &made.ringed, 1, "count", 11);
                made.add_to_bucket(|made| &made.ringed, 1, 0, 2);
                made.ring(15, 1);
            },
            ringed(12),
            ringed(11),
        ),
    ]
}
