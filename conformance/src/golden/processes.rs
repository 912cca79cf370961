//! What each process counted, and processes whose description is not to be had.

use shmetrics::layout::geometry::Capacities;
use shmetrics::snapshot::{Number, PerProcess};
use shmetrics::{Kind, Merge};

use super::{Golden, image, small};
use crate::expected::View;
use crate::fact::Fact;
use crate::image::{Adoption, Family, Owner, Parameters, Place, SHARED};

pub(super) fn all() -> Vec<Golden> {
    vec![baselines(), descriptions()]
}

fn baselines() -> Golden {
    let mut image = image(Capacities {
        process_slots: 3,
        lanes: 5,
        ..small()
    });
    let hits = image.single(&Family::new("hits", Kind::CounterU64), &Parameters::plain());
    let spent = image.single(&Family::new("spent", Kind::CounterF64), &Parameters::plain());
    let buckets = Parameters::exponential(0, 0, 3).factor(0.5);
    let timed = image.single(&Family::new("timed", Kind::HistogramInteger), &buckets);
    let level = Family::new("level", Kind::GaugeI64).merge(Merge::Max);
    let level = image.single(&level, &Parameters::plain());
    let gone = image.claim(2, &Owner::new("gone").pid(1002));
    let (web, db) = (
        image.claim(0, &Owner::new("web")),
        image.claim(1, &Owner::new("db").pid(1001)),
    );
    image
        .set_gauge(&level, 0, 4)
        .set_gauge(&level, 1, 6)
        .set_gauge(&level, 2, 9);
    // Lane 1 has always been web's, whose second thread has it now. Lane 2 was gone's, then web's, then web's second thread's.
    // Lane 3 was gone's, then db's. Lane 4 was db's and is given back.
    image
        .take(1, web)
        .count(&hits, 1, 1)
        .take(1, web)
        .count(&hits, 1, 2);
    image.take(2, gone).count(&hits, 2, 100).count(&spent, 2, 0.5);
    image.record(&timed, 2, 2).record(&timed, 2, 4);
    image.take(2, web).count(&hits, 2, 10).count(&spent, 2, 0.25);
    image
        .record(&timed, 2, 6)
        .take(2, web)
        .count(&hits, 2, 20)
        .record(&timed, 2, 8);
    image
        .take(3, gone)
        .count(&hits, 3, 1000)
        .take(3, db)
        .count(&hits, 3, 5);
    image.take(4, db).count(&hits, 4, 50).give_back(4);
    // Lane 5 is being taken again by its own process: its baseline is that of the incarnation before.
    image
        .take(5, gone)
        .count(&hits, 5, 200)
        .take(5, web)
        .count(&hits, 5, 30);
    image.take_until(5, web, Adoption::A3);
    image.count(&hits, SHARED, 7).record(&timed, SHARED, 2);
    image.release(2);
    // Placed after the baselines were taken: beyond what they cover, and nothing before.
    let later = image.single(&Family::new("later", Kind::CounterU64), &Parameters::plain());
    image.count(&later, 2, 8).count(&later, 3, 9);
    let totals = [
        Fact::whole("hits", 1 + 2 + 100 + 10 + 20 + 1000 + 5 + 50 + 200 + 30 + 7),
        Fact::float("spent", 0.75),
        Fact::histogram("timed", 5, 11.0),
        Fact::gauge("level", Some(9)),
        Fact::whole("later", 17),
    ];
    let counter = |value| Some(PerProcess::Counter(value));
    let own = [
        Fact::of_process(0, "hits", counter(Number::U64(3 + 30))),
        Fact::of_process(0, "spent", counter(Number::F64(0.25))),
        Fact::of_process(0, "timed", Some(PerProcess::Histogram { count: 2, sum: 7.0 })),
        Fact::of_process(0, "level", Some(PerProcess::Gauge(Number::I64(4)))),
        Fact::of_process(0, "later", counter(Number::U64(8))),
        Fact::of_process(1, "hits", counter(Number::U64(5))),
        Fact::of_process(1, "spent", None),
        Fact::of_process(1, "timed", None),
        Fact::of_process(1, "later", counter(Number::U64(9))),
        Fact::of_process(2, "hits", None),
        Fact::of_process(2, "level", None),
    ];
    Golden::read(
        "valid/processes",
        &[
            "Lanes with and without a baseline, taken again by the same process, adopted, given back, being taken; a counter placed",
            "after the baselines; a slot that was given back and whose gauge is kept.",
        ],
        image,
        totals.to_vec(),
    )
    .view(View::Processes, [&totals[..], &own].concat())
}

fn descriptions() -> Golden {
    let mut image = image(Capacities {
        process_slots: 5,
        ..small()
    });
    let longest = "r\u{f6}le".repeat(12) + "role";
    image.claim(0, &Owner::new(&longest));
    let command = vec![b'x'; 128];
    let hostile = Owner {
        role: b"\xff\x1b[31m\"\\\n".to_vec(),
        command,
        pid: u64::MAX,
    };
    image.claim(1, &hostile);
    image.claim(2, &Owner::new("changing"));
    image.set(Place::Process(2), "process_description", 3);
    image.claim(3, &Owner::new("changed"));
    image.set(Place::Process(3), "process_description", 4);
    // A state that no version knows reads as claiming.
    image.claim(4, &Owner::new("unknown"));
    image.set(Place::Process(4), "process_owner", 1 << 2 | 3);
    Golden::read(
        "valid/descriptions",
        &[
            "Roles and commands as long as they get, not UTF-8, with control characters; a role that is being changed; an unknown",
            "state of a slot.",
        ],
        image,
        vec![
            Fact::process(0, 1, &longest, 1000),
            Fact::process(1, 1, "\u{fffd}\x1b[31m\"\\\n", u64::MAX),
            Fact::process(2, 1, "", 0),
            Fact::process(3, 1, "changed", 1000),
            Fact::process(4, 1, "", 0),
        ],
    )
}
