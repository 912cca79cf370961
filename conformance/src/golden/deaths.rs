//! Processes that died in the middle: SPEC.md 11, but for rotations and seals, which are with rings and histograms.

use shmetrics::layout::geometry::Capacities;
use shmetrics::snapshot::{Number, PerProcess};
use shmetrics::{Kind, Merge};

use super::{Golden, image, small};
use crate::expected::View;
use crate::fact::Fact;
use crate::image::{Adoption, Claim, Family, Image, Owner, Parameters, Recording, Registration, Sharing};

pub(super) fn all() -> Vec<Golden> {
    vec![records(), registrations(), claims(), adoptions()]
}

fn records() -> Golden {
    let mut image = image(Capacities {
        series: 12,
        blocks_length: 16 * 1024,
        ..small()
    });
    let (web, next) = (
        image.claim(0, &Owner::new("web")),
        image.claim(1, &Owner::new("next").pid(1001)),
    );
    image.take(1, web).take(2, web).take(3, web);
    let buckets = Parameters::exponential(0, 0, 3);
    let histogram =
        |image: &mut Image, name: &str| image.single(&Family::new(name, Kind::HistogramInteger), &buckets);
    let mut facts = Vec::new();
    for (name, until) in [
        ("w0", Recording::W0),
        ("w1", Recording::W1),
        ("w2", Recording::W2),
        ("w3", Recording::W3),
    ] {
        let series = histogram(&mut image, name);
        // Dead in the third record of lane 1, and in the fourth of lane 2: both parities.
        image.record(&series, 1, 2).record(&series, 1, 3);
        image
            .record(&series, 2, 2)
            .record(&series, 2, 3)
            .record(&series, 2, 4);
        for lane in [1, 2] {
            image.record_until(&series, lane, 100, until);
        }
        let landed = u64::from(until == Recording::W3);
        facts.push(
            Fact::histogram(name, 5 + 2 * landed, 14.0 + 200.0 * landed as f64)
                .extremes(Some(2.0), Some(100.0)),
        );
    }
    let first = histogram(&mut image, "first");
    image.record_until(&first, 1, 7, Recording::W1);
    facts.push(Fact::histogram("first", 0, 0.0).extremes(None, None));
    // Lane 3 is adopted after a death at W2, and its owner goes on.
    let adopted = histogram(&mut image, "adopted");
    image
        .record(&adopted, 3, 2)
        .record_until(&adopted, 3, 100, Recording::W2);
    image.take(3, next).record(&adopted, 3, 5).record(&adopted, 3, 6);
    facts.push(Fact::histogram("adopted", 3, 13.0));
    for (name, until, count, sum) in [
        ("s1", Sharing::S1, 2, 5.0),
        ("s2", Sharing::S2, 2, 5.0),
        ("s_partly", Sharing::Partly, 2, 105.0),
        ("s3", Sharing::S3, 3, 105.0),
    ] {
        let series = histogram(&mut image, name);
        image
            .share_until(&series, 2, Sharing::S4)
            .share_until(&series, 3, Sharing::S4)
            .share_until(&series, 100, until);
        facts.push(Fact::histogram(name, count, sum).bounded(1));
    }
    Golden::read(
        "valid/deaths_record",
        &[
            "Writers that died after W0 to W3 of a record, in both parities, in the first record of a lane, and before an adoption;",
            "and after S1 to S3 in the shared lane.",
        ],
        image,
        facts,
    )
}

fn registrations() -> Golden {
    let mut image = image(Capacities {
        series: 16,
        counters: 16,
        ..small()
    });
    let dead = image.claim(0, &Owner::new("dead"));
    image.registrant(dead);
    let before = image.single(&Family::new("before", Kind::CounterU64), &Parameters::plain());
    image.count(&before, 0, 1);
    let mut facts = vec![Fact::whole("before", 1)];
    for (name, until) in [
        ("family_i2", Registration::I2),
        ("family_i3", Registration::I3),
        ("family_i4_unmarked", Registration::I4Unmarked),
        ("family_i4", Registration::I4),
    ] {
        image.family_until(&Family::new(name, Kind::CounterU64), until);
        facts.push(Fact::absent(name));
    }
    for (name, until) in [
        ("i2", Registration::I2),
        ("i3", Registration::I3),
        ("i4_unmarked", Registration::I4Unmarked),
        ("i4", Registration::I4),
        ("p2", Registration::P2),
        ("p3", Registration::P3),
        ("i5", Registration::I5),
    ] {
        let family = image.family(&Family::new(name, Kind::CounterU64));
        image.series_until(family, &[], &Parameters::plain(), until);
        facts.push(Fact::absent(name));
    }
    // The first to place anything after them finishes what the placement word names.
    let after = image.single(&Family::new("after", Kind::CounterU64), &Parameters::plain());
    image.count(&after, 0, 2);
    facts.push(Fact::whole("after", 2));
    // And one more is left in the middle.
    let family = image.family(&Family::new("last", Kind::CounterU64));
    image.series_until(family, &[], &Parameters::plain(), Registration::P2);
    facts.push(Fact::absent("last"));
    Golden::read(
        "valid/deaths_registration",
        &[
            "Registrants that died after I2 to I5 and P2, P3: nothing of theirs is shown, and nothing is skipped.",
        ],
        image,
        facts,
    )
}

fn claims() -> Golden {
    let mut image = image(Capacities {
        process_slots: 7,
        ..small()
    });
    let gauge = |image: &mut Image, name: &str, merge: Merge| {
        image.single(
            &Family::new(name, Kind::GaugeI64).merge(merge),
            &Parameters::plain(),
        )
    };
    let (sum, most) = (
        gauge(&mut image, "sum", Merge::Sum),
        gauge(&mut image, "most", Merge::Max),
    );
    let steps = [Claim::T2, Claim::T3, Claim::T4, Claim::T5, Claim::T6, Claim::T7];
    let mut processes = Vec::new();
    for (slot, until) in (0..).zip(steps) {
        image.claim(slot, &Owner::new("before").pid(1000 + slot));
        image
            .set_gauge(&sum, slot, 1 << slot)
            .set_gauge(&most, slot, 10 + slot);
        image.claim_until(slot, &Owner::new("after").pid(2000 + slot), until);
        let done = until == Claim::T7;
        let (role, pid) = if done { ("after", 2000 + slot) } else { ("", 0) };
        processes.push(Fact::process(slot, 2, role, pid));
    }
    // The first claim of a slot, without storage yet.
    image.claim_until(6, &Owner::new("first"), Claim::T2);
    processes.push(Fact::process(6, 1, "", 0));
    let facts = |sum| {
        let mut facts = vec![Fact::gauge("sum", sum), Fact::gauge("most", Some(15))];
        facts.extend(processes.iter().cloned());
        facts
    };
    Golden::read(
        "valid/deaths_claim",
        &[
            "Claimants of slots that died after T2 to T7: gauges kept after death count, no others; a slot being claimed is",
            "described as nobody's.",
        ],
        image.clone(),
        facts(None),
    )
    .view(View::Held, facts(None))
}

fn adoptions() -> Golden {
    let mut image = image(Capacities { lanes: 8, ..small() });
    let hits = image.single(&Family::new("hits", Kind::CounterU64), &Parameters::plain());
    let buckets = Parameters::exponential(0, 0, 3);
    let timed = image.single(&Family::new("timed", Kind::HistogramInteger), &buckets);
    let before = image.claim(0, &Owner::new("before"));
    let steps = [
        Adoption::A1,
        Adoption::A2,
        Adoption::A3,
        Adoption::A4,
        Adoption::A5Partly,
        Adoption::A5,
        Adoption::A6,
    ];
    for lane in 1..=steps.len() as u64 {
        image.take(lane, before).count(&hits, lane, 10);
        image
            .record(&timed, lane, 2)
            .record_until(&timed, lane, 4, Recording::W1);
    }
    let after = image.claim(1, &Owner::new("after").pid(1001));
    for (lane, until) in (1..).zip(steps) {
        image.take_until(lane, after, until);
        // Who died in the claim counted nothing.
        if until == Adoption::A6 {
            image.count(&hits, lane, 3).record(&timed, lane, 8);
        }
    }
    // Lane 8: claimed for the first time, dead before its storage was there.
    image.take_until(8, after, Adoption::A1);
    let totals = [Fact::whole("hits", 73), Fact::histogram("timed", 8, 22.0)];
    let own = [
        Fact::of_process(0, "hits", None),
        Fact::of_process(1, "hits", Some(PerProcess::Counter(Number::U64(3)))),
        Fact::of_process(1, "timed", Some(PerProcess::Histogram { count: 1, sum: 8.0 })),
    ];
    Golden::read(
        "valid/deaths_adoption",
        &[
            "Adopters of lanes that died after A1 to A6, the owner before having died after W1: totals are exact, and only the lane",
            "with a whole baseline is in the per-process view.",
        ],
        image,
        totals.to_vec(),
    )
    .view(View::Processes, [&totals[..], &own].concat())
}
