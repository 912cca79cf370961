//! Rings: windows, cuts, lost states, rotations that were cut short. The clock of all views is in epoch 10.

use shmetrics::Kind;
use shmetrics::layout::geometry::Capacities;

use super::{Golden, image, small};
use crate::expected::View;
use crate::fact::Fact;
use crate::image::{Family, Image, Owner, Parameters, Rotation, SHARED, Series};

pub(super) fn all() -> Vec<Golden> {
    vec![windows(), deaths()]
}

fn with_lanes() -> Image {
    let mut image = image(Capacities {
        blocks_length: 16 * 1024,
        series: 12,
        ..small()
    });
    let web = image.claim(0, &Owner::new("web"));
    image.take(1, web).take(2, web);
    image
}

fn ring(image: &mut Image, name: &str, slots: u8) -> Series {
    let parameters = Parameters::exponential(0, 0, 3).ring(slots);
    image.single(&Family::new(name, Kind::HistogramInteger), &parameters)
}

fn windows() -> Golden {
    let mut image = with_lanes();
    let whole = ring(&mut image, "whole", 3);
    for (epoch, value) in [(7, 1), (8, 2), (8, 3), (9, 4), (10, 5)] {
        image.record_in(&whole, 1, epoch, value);
    }
    // The second lane has been quiet since epoch 8.
    image.record_in(&whole, 2, 6, 10).record_in(&whole, 2, 8, 20);
    let shared = ring(&mut image, "shared", 3);
    image.record_in(&shared, 1, 9, 2).record(&shared, SHARED, 3);
    let lost = ring(&mut image, "lost", 2);
    for epoch in [7, 8, 10, 11] {
        image.record_in(&lost, 1, epoch, 1);
    }
    let late = ring(&mut image, "late", 2);
    image.record_in(&late, 1, 4, 1).record_in(&late, 1, 10, 1);
    let one_slot = ring(&mut image, "one_slot", 1);
    image.record_in(&one_slot, 1, 9, 1).record_in(&one_slot, 1, 10, 1);
    let no_ring = ring(&mut image, "no_ring", 0);
    image.record(&no_ring, 1, 1);
    // The writer is an epoch ahead and died while it overwrote the state at 7, which has its label still.
    let overtaken = ring(&mut image, "overtaken", 3);
    for (epoch, value) in [(6, 1), (7, 1), (8, 2), (9, 3), (10, 4)] {
        image.record_in(&overtaken, 1, epoch, value);
    }
    image.rotate_until(&overtaken, 1, 11, Rotation::Q3);
    let facts = |lost: u64, overtaken: u64, of: [(&str, u64, f64); 7]| {
        let windows = [
            &[(1, 4.0, 0), (4, 29.0, 0)][..],
            &[(1, 2.0, 1), (1, 2.0, 1)],
            // The state at 8 was overwritten: any of its records may belong to the window.
            &[(0, 0.0, lost)],
            &[(0, 0.0, 0)],
            &[],
            &[],
            &[(1, 3.0, 0), (0, 0.0, overtaken)],
        ];
        let facts = of.into_iter().zip(windows);
        facts
            .map(|((name, count, sum), windows)| Fact::histogram(name, count, sum).windows(windows))
            .collect::<Vec<_>>()
    };
    let live = [
        ("whole", 7, 45.0),
        ("shared", 2, 5.0),
        ("lost", 4, 4.0),
        ("late", 2, 2.0),
        ("one_slot", 2, 2.0),
        ("no_ring", 1, 1.0),
        ("overtaken", 5, 11.0),
    ];
    // At the end of epoch 9. What has no ring, and the shared lane, are as they are now.
    let cut = [
        ("whole", 6, 40.0),
        ("shared", 2, 5.0),
        ("lost", 2, 2.0),
        ("late", 1, 1.0),
        ("one_slot", 1, 1.0),
        ("no_ring", 1, 1.0),
        ("overtaken", 4, 7.0),
    ];
    Golden::read(
        "valid/rings",
        &[
            "Windows that end with epoch 9, and a cut there: two lanes of which one is quiet, the shared lane, a state that was",
            "overwritten and one that is being overwritten, a ring that has never been full, one with a single slot, and none.",
        ],
        image,
        facts(4, 5, live),
    )
    .view(View::Cut, facts(2, 4, cut))
}

fn deaths() -> Golden {
    let mut image = with_lanes();
    let steps = [
        ("q1", Rotation::Q1),
        ("q2", Rotation::Q2),
        ("partly", Rotation::Partly),
        ("q3", Rotation::Q3),
        ("q4", Rotation::Q4),
    ];
    let (mut facts, mut cuts) = (Vec::new(), Vec::new());
    for (name, until) in steps {
        let series = ring(&mut image, name, 3);
        // Lane 1: dead. Lane 2: dead, and gone on with in epoch 10.
        for lane in [1, 2] {
            image
                .record_in(&series, lane, 7, 2)
                .record_in(&series, lane, 8, 3)
                .rotate_until(&series, lane, 9, until);
        }
        image.record_in(&series, 2, 10, 4);
        let windows = [(0, 0.0, 0), (2, 6.0, 0)];
        facts.push(Fact::histogram(name, 5, 14.0).windows(&windows));
        cuts.push(Fact::histogram(name, 4, 10.0).windows(&windows));
    }
    Golden::read(
        "valid/deaths_ring",
        &[
            "Writers that died after Q1 to Q4 of their rotation into epoch 9: of each, one lane is as it was left, and in the other",
            "the next owner went on in epoch 10.",
        ],
        image,
        facts,
    )
    .view(View::Cut, cuts)
}
