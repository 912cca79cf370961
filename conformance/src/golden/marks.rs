//! Time marks and states: first and last times over slots of the living and the dead, before and after a reset; statuses, streaks,
//! thresholds; and records of them that are damaged. SPEC.md 7.4, 9.4, 14.

use shmetrics::layout::geometry::Capacities;
use shmetrics::snapshot::PerProcess;
use shmetrics::{Kind, Merge};

use super::{Golden, image, small};
use crate::expected::View;
use crate::fact::Fact;
use crate::image::{CREATED_NS, Family, Image, Owner, Parameters, Place, SHARED, Series};

const SECOND: u64 = 1_000_000_000;
/// A streak beyond every threshold.
const LONGEST: u64 = (1 << 56) - 1;

pub(super) fn all() -> Vec<Golden> {
    vec![marks(), damaged()]
}

fn at(seconds: u64) -> u64 {
    CREATED_NS + seconds * SECOND
}

fn with_statistics() -> Image {
    let mut image = image(Capacities {
        process_slots: 4,
        series: 16,
        gauges: 16,
        reset_tables: 2,
        ..small()
    });
    image.set(Place::Header, "writer_features", 1);
    image.mend_header();
    image
}

fn mark(image: &mut Image, name: &str, merge: Merge) -> Series {
    image.single(
        &Family::new(name, Kind::TimeMark).merge(merge),
        &Parameters::plain(),
    )
}

fn state(image: &mut Image, name: &str, statuses: &[(&str, i32)]) -> Series {
    image.single(
        &Family::new(name, Kind::State).merge(Merge::Each),
        &Parameters::statuses(statuses),
    )
}

fn word(status: u64, streak: u64) -> u64 {
    status << 56 | streak
}

fn marks() -> Golden {
    let mut image = with_statistics();
    let (first, last) = (
        mark(&mut image, "first", Merge::Min),
        mark(&mut image, "last", Merge::Max),
    );
    let (old, never) = (
        mark(&mut image, "before_reset", Merge::Max),
        mark(&mut image, "never", Merge::Max),
    );
    let kept = mark(&mut image, "first_before_reset", Merge::Min);
    let unstamped = mark(&mut image, "unstamped", Merge::Max);
    let zero = mark(&mut image, "zero", Merge::Min);
    let statuses = [("OK", -1), ("CONNECTION_ERROR", 3), ("FATAL", 1)];
    let fetch = state(&mut image, "fetch", &statuses);
    let start = state(&mut image, "start", &[("\u{e4}", 0), ("b", i32::MAX)]);
    let odd = state(&mut image, "odd", &statuses);
    let unset = state(&mut image, "unset", &statuses);
    // Other thresholds: a revision.
    let strict = image.series(
        fetch.family,
        &[],
        &Parameters::statuses(&[("OK", -1), ("CONNECTION_ERROR", 2)]).created_ns(at(5)),
    );
    for (slot, role) in ["web", "", "gone", "web"].into_iter().enumerate() {
        let slot = slot as u64;
        image.claim(slot, &Owner::new(role).pid(1000 + slot));
    }
    for (slot, seconds) in [(0, 20), (1, 30), (2, 40), (3, 10)] {
        image
            .set_gauge(&first, slot, at(seconds))
            .set_gauge(&last, slot, at(seconds));
    }
    image
        .set_gauge(&old, 0, at(14))
        .set_gauge(&old, 1, at(13))
        .set_gauge(&kept, 0, at(14));
    image.set_value(&unstamped, 0, at(20));
    image.set_gauge(&zero, 0, 0u64).set_gauge(&zero, 1, at(21));
    image
        .set_gauge(&fetch, 0, word(1, 2))
        .set_gauge(&fetch, 1, word(2, 1))
        .set_gauge(&fetch, 2, word(1, 9));
    image.set_gauge(&strict, 3, word(1, 2));
    image.set_gauge(&start, 0, 0u64);
    image
        .set_gauge(&odd, 0, word(200, LONGEST))
        .set_gauge(&odd, 1, word(0, LONGEST));
    image.reset(&[&last, &old, &never], at(15));
    image.release(2);

    let free = [
        Fact::time_mark("first", Some(at(10))),
        Fact::time_mark("last", Some(at(40))),
        Fact::since("last", at(15)),
        Fact::time_mark("before_reset", None),
        Fact::time_mark("never", None),
        Fact::time_mark("first_before_reset", Some(at(14))),
        Fact::time_mark("unstamped", None),
        Fact::time_mark("zero", Some(at(21))),
        Fact::states("unset", &[]),
    ];
    let dead = [Fact::states("fetch", &[]), Fact::states("odd", &[])];
    let held = [
        Fact::states(
            "fetch",
            &[
                (0, "CONNECTION_ERROR", 2, true),
                (1, "FATAL", 1, false),
                (3, "CONNECTION_ERROR", 2, false),
            ],
        ),
        Fact::states("start", &[(0, "\u{e4}", 0, false)]),
        Fact::states("odd", &[(0, "200", LONGEST, true), (1, "OK", LONGEST, true)]),
    ];
    let of_processes = [
        Fact::of_process(0, "last", Some(PerProcess::TimeMark(at(20)))),
        Fact::of_process(0, "zero", None),
        Fact::of_process(2, "first", None),
        Fact::of_process(1, "unset", None),
    ];
    let _ = unset;
    Golden::read(
        "valid/marks",
        &[
            "Time marks: first and last over four slots, one of them given back; before and after a reset; 0; a value without its stamp.",
            "States: streaks below and at their thresholds, a status with other thresholds, one that was never declared.",
        ],
        image,
        [&free[..], &dead].concat(),
    )
    .view(View::Held, [&free[..], &held].concat())
    .view(View::Processes, of_processes.to_vec())
}

fn damaged() -> Golden {
    let mut image = with_statistics();
    let good = mark(&mut image, "good", Merge::Max);
    image.claim(0, &Owner::new("web"));
    image.set_gauge(&good, 0, at(1));
    let mut skipped = Vec::new();
    let mut skip = |record: u64, rule, name| skipped.push((record, rule, name));
    for (name, kind, merge) in [
        ("summed_mark", Kind::TimeMark, Merge::Sum),
        ("last_state", Kind::State, Merge::Last),
    ] {
        let family = image.family(&Family::new(name, kind).merge(merge));
        let parameters = match kind {
            Kind::State => Parameters::statuses(&[("OK", -1)]),
            _ => Parameters::plain(),
        };
        let series = image.series(family, &[], &parameters);
        skip(family, "V-23", "UnknownMerge");
        skip(series.number, "V-27", "BadFamily");
    }
    for (name, statuses) in [
        ("low_threshold", &[("OK", -2)][..]),
        ("twice", &[("OK", 1), ("OK", 2)]),
        ("no_name", &[("", 1)]),
    ] {
        skip(state(&mut image, name, statuses).number, "V-25", "BadBuckets");
    }
    let none = state(&mut image, "none", &[]);
    skip(none.number, "V-24", "BadText");
    let cut = state(&mut image, "cut", &[("OK", 1)]);
    let extra = image.get(Place::Record(cut.number), "extra");
    image.set(Place::Record(cut.number), "extra", extra - 1);
    image.mend_record(cut.number);
    skip(cut.number, "V-25", "BadBuckets");
    let last = image.single(&Family::new("last", Kind::CounterU64), &Parameters::plain());
    image.count(&last, SHARED, 2);
    let facts = vec![Fact::time_mark("good", Some(at(1))), Fact::whole("last", 2)];
    let golden = Golden::read(
        "damaged/marks",
        &["Time marks and states whose merge rule or statuses are not as they must be."],
        image,
        facts,
    );
    skipped.into_iter().fold(golden, |golden, (record, rule, name)| {
        golden.skips(record, rule, name)
    })
}
