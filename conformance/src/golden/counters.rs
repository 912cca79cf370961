//! Counters: whole and float, over lanes of the living and the dead and the shared lane; those that collect an overflow; and floats
//! that no writer adds.

use shmetrics::Kind;
use shmetrics::layout::geometry::Capacities;
use shmetrics::snapshot::{Number, PerProcess};

use super::{Golden, image, small};
use crate::expected::View;
use crate::fact::Fact;
use crate::image::{Adoption, Family, Image, Owner, Parameters, SHARED, Series};

pub(super) fn all() -> Vec<Golden> {
    vec![lanes(), overflow(), odd()]
}

fn counter(image: &mut Image, name: &str, kind: Kind) -> Series {
    image.single(&Family::new(name, kind), &Parameters::plain())
}

fn lanes() -> Golden {
    let mut image = image(Capacities { lanes: 5, ..small() });
    let hits = counter(&mut image, "hits", Kind::CounterU64);
    let wraps = counter(&mut image, "wraps", Kind::CounterU64);
    counter(&mut image, "never", Kind::CounterU64);
    let cancels = counter(&mut image, "cancels", Kind::CounterF64);
    let parts = counter(&mut image, "parts", Kind::CounterF64);
    let infinite = counter(&mut image, "infinite", Kind::CounterF64);

    let web = image.claim(0, &Owner::new("web"));
    let before = image.claim(1, &Owner::new("before").pid(1001));
    // Lane 1 of the living, lane 2 of an incarnation that is gone, lane 3 given back.
    image.take(1, web).take(2, before).take(3, web).give_back(3);
    image.claim(1, &Owner::new("after").pid(1002));
    // Lane 4 was claimed and never committed: what stands there does not count. Lane 5 was never taken.
    image.take_until(4, web, Adoption::A1);
    let by_lane = [(SHARED, 13), (1, 5), (2, 7), (3, 11), (4, 1000), (5, 1000)];
    for (lane, by) in by_lane {
        image.count(&hits, lane, by);
    }
    image.count(&wraps, 1, u64::MAX).count(&wraps, 2, 3);
    for (lane, by) in [(SHARED, 1.0), (1, 1e100), (2, 1.0), (3, -1e100)] {
        image.count(&cancels, lane, by);
    }
    for (lane, by) in [(SHARED, 0.1), (1, 0.2), (2, 0.3)] {
        image.count(&parts, lane, by);
    }
    image.count(&infinite, 1, f64::INFINITY).count(&infinite, 2, 1.0);
    let facts = vec![
        Fact::whole("hits", 13 + 5 + 7 + 11),
        Fact::whole("wraps", 2),
        Fact::whole("never", 0),
        Fact::float("cancels", 2.0),
        Fact::float("parts", 0.6),
        Fact::float("infinite", f64::INFINITY),
    ];
    Golden::read(
        "valid/counters",
        &[
            "Counters over a living owner's lane, a dead one's, one that was given back, one that was never committed (not to be",
            "read), one never taken, and the shared lane; a sum that wraps; float sums that need compensation.",
        ],
        image,
        facts.clone(),
    )
    .view(View::Held, facts)
}

fn overflow() -> Golden {
    let mut image = image(small());
    let label = [("shmetrics_overflow", "true")];
    for name in ["used", "unused"] {
        let family = image.family(&Family::new(name, Kind::CounterU64));
        let one = image.series(family, &[("user", "1")], &Parameters::plain());
        let rest = image.series(family, &label, &Parameters::plain().overflow());
        image.count(&one, SHARED, 1);
        if name == "used" {
            image.count(&rest, SHARED, 4);
        }
    }
    Golden::read(
        "valid/overflow",
        &["Overflow series are shown when they are not zero."],
        image,
        vec![
            Fact::whole("used", 1).of(&[("user", "1")]),
            Fact::whole("used", 4).of(&label),
            Fact::whole("unused", 1).of(&[("user", "1")]),
            Fact::absent("unused").of(&label),
        ],
    )
}

fn odd() -> Golden {
    let mut image = image(small());
    let (web, other) = (
        image.claim(0, &Owner::new("web")),
        image.claim(1, &Owner::new("other").pid(1001)),
    );
    image.take(1, web).take(2, other);
    const INF: f64 = f64::INFINITY;
    // Name, the cells of the shared lane, lane 1 and lane 2, and what is shown.
    let cases = [
        ("negative", [0.0, -5.0, 0.0], 0.0),
        ("less", [0.0, -2.0, 7.0], 5.0),
        ("below", [2.0, 0.0, -7.0], 0.0),
        ("no_number", [0.0, f64::NAN, 0.0], 0.0),
        ("one_no_number", [3.0, 4.0, f64::NAN], 0.0),
        ("infinite", [1.0, INF, 2.0], INF),
        ("minus_infinite", [1.0, 2.0, -INF], 0.0),
        ("both", [INF, -INF, 1.0], 0.0),
    ];
    let mut facts = Vec::new();
    for (name, cells, shown) in cases {
        let series = counter(&mut image, name, Kind::CounterF64);
        for (lane, cell) in (SHARED..).zip(cells) {
            image.set_word(image.counter_offset(&series, lane), cell.to_bits());
        }
        facts.push(Fact::float(name, shown));
    }
    // Of a process what stands there is told.
    let own = |name: &str, value| Fact::of_process(0, name, Some(PerProcess::Counter(Number::F64(value))));
    let of_web = vec![own("negative", -5.0), own("less", -2.0), own("infinite", INF)];
    Golden::read(
        "damaged/float_counters_odd",
        &[
            "Float counters whose cells are negative, infinite, or no number. A reader that has shown nothing yet has shown 0, and",
            "never shows less than before, nor what is no number.",
        ],
        image,
        facts,
    )
    .view(View::Processes, of_web)
}
