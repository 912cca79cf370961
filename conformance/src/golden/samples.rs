//! Samples: the newest of all lanes, rings that went round, writers that died in the middle, the shared lane, and of each process.

use shmetrics::Kind;
use shmetrics::layout::geometry::Capacities;

use super::{Golden, image, small};
use crate::expected::View;
use crate::fact::Fact;
use crate::image::{
    CREATED_MONOTONIC_NS, CREATED_NS, Family, Image, Owner, Parameters, Place, SHARED, Sampling, Series,
};

pub(super) fn all() -> Vec<Golden> {
    vec![samples(), damaged()]
}

/// Milliseconds after creation.
fn at(ms: u64) -> u64 {
    CREATED_MONOTONIC_NS + ms * 1_000_000
}

fn series(image: &mut Image, name: &str, shown: u64) -> Series {
    image.single(&Family::new(name, Kind::Samples), &Parameters::samples(shown))
}

fn capacities() -> Capacities {
    Capacities {
        series: 16,
        lanes: 4,
        blocks_length: 16 << 10,
        ..small()
    }
}

fn samples() -> Golden {
    let mut image = image(capacities());
    let [latency, ties, cut, never] = [("latency", 4), ("ties", 4), ("cut", 3), ("never", 100)]
        .map(|(name, shown)| series(&mut image, name, shown));
    let family = image.family(&Family::new("revised", Kind::Samples));
    let old = image.series(family, &[], &Parameters::samples(5));
    let new = image.series(
        family,
        &[],
        &Parameters::samples(2).created_ns(CREATED_NS + 3_000_000_000),
    );

    let web = image.claim(0, &Owner::new("web"));
    let before = image.claim(1, &Owner::new("before").pid(1001));
    image.take(1, web).take(2, before);
    // Lane 1 goes round twice, lane 2 has few, and some are in the shared lane, in no order of their times.
    for n in 0..20 {
        image.sample(&latency, 1, at(n), n as f64);
    }
    image
        .sample(&latency, 2, at(18), 100.5)
        .sample(&latency, 2, at(30), -1.0);
    image
        .sample(&latency, SHARED, at(19), 7.0)
        .sample(&latency, SHARED, at(3), 8.0);
    image.sample_invalid(&latency, 1).sample_invalid(&latency, SHARED);
    // All at one time: by turns.
    for n in 0..3 {
        for lane in [1, 2, SHARED] {
            image.sample(&ties, lane, at(5), lane as f64 * 10.0 + f64::from(n));
        }
    }
    // Dead at each step, with a ring that is full.
    for (lane, until) in [
        (1, Sampling::K1),
        (2, Sampling::Y2Partly),
        (SHARED, Sampling::Y2Partly),
    ] {
        for n in 0..4 {
            image.sample(&cut, lane, at(n), n as f64);
        }
        image.sample_until(&cut, lane, at(50), 999.0, until);
    }
    image.sample(&old, 1, at(1), 1.0).sample(&old, 1, at(3), 3.0);
    image.sample(&new, 1, at(2), 2.0);
    // The next owner of lane 2 goes on.
    let next = image.claim(1, &Owner::new("next").pid(1002));
    image.take(2, next);
    image
        .sample(&latency, 2, at(31), -2.0)
        .sample(&cut, 2, at(9), 9.0);
    let _ = never;
    let facts = vec![
        // Of one time the one after which none came in its lane.
        Fact::samples("latency", 25, &[7.0, 19.0, -1.0, -2.0]),
        Fact::samples("ties", 9, &[1.0, 22.0, 12.0, 2.0]),
        // In the shared lane the value is the old one's, with the new time; it counts, the one in lane 2 is recorded anew.
        Fact::samples("cut", 13, &[3.0, 9.0, 0.0]),
        Fact::samples("never", 0, &[]),
        Fact::samples("revised", 3, &[2.0, 3.0]),
    ];
    let of_processes = vec![
        Fact::samples_of_process(0, "latency", 20, &[16.0, 17.0, 18.0, 19.0]),
        Fact::samples_of_process(1, "latency", 1, &[-2.0]),
        Fact::samples_of_process(1, "ties", 0, &[]),
        Fact::samples_of_process(0, "cut", 4, &[1.0, 2.0, 3.0]),
        Fact::samples_of_process(1, "cut", 1, &[9.0]),
    ];
    Golden::read(
        "valid/samples",
        &[
            "Samples: the newest over two lanes and the shared lane, samples of one time, writers that died in the middle of one, two",
            "records of one series that keep a different number, and a lane that changed hands.",
        ],
        image,
        facts,
    )
    .view(View::Processes, of_processes)
}

fn damaged() -> Golden {
    let mut image = image(capacities());
    let [behind, ahead, odd] =
        [("behind", 3), ("ahead", 3), ("odd", 3)].map(|(name, shown)| series(&mut image, name, shown));
    let web = image.claim(0, &Owner::new("web"));
    image.take(1, web);
    for series in [&behind, &ahead, &odd] {
        for n in 1..=5 {
            image.sample(series, 1, at(n), n as f64);
        }
    }
    // Began less than ended: nothing is accepted. Began far more: all is overtaken. A value that nobody records.
    let block = |image: &Image, series: &Series| Place::Samples(image.block_offset(series, 1));
    let place = block(&image, &behind);
    image.set(place, "samples_begun", 2);
    let place = block(&image, &ahead);
    image.set(place, "samples_begun", 8);
    let offset = image.block_offset(&odd, 1) + 8 * (16 + 2 * 3 + 1);
    image.set_word(offset, f64::NAN.to_bits());
    Golden::read(
        "damaged/samples_odd",
        &[
            "Samples whose numbers do not fit each other: what cannot be whole is left out and counted. And a value that is no number.",
        ],
        image,
        vec![Fact::samples("behind", 5, &[]), Fact::samples("ahead", 5, &[5.0])],
    )
    .view(View::Processes, vec![Fact::samples_of_process(0, "ahead", 5, &[5.0])])
}
