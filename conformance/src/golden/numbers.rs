//! Numbers: over lanes, signed, with and without floats, reset, and of each process.

use shmetrics::Kind;
use shmetrics::layout::geometry::Capacities;
use shmetrics::snapshot::{Number, PerProcess};

use super::{Golden, image, small};
use crate::expected::View;
use crate::fact::Fact;
use crate::image::{CREATED_NS, Family, Image, Owner, Parameters, SHARED, Series};

pub(super) fn all() -> Vec<Golden> {
    vec![numbers()]
}

fn number(image: &mut Image, name: &str) -> Series {
    image.single(&Family::new(name, Kind::Number), &Parameters::plain())
}

fn numbers() -> Golden {
    let mut image = image(Capacities {
        series: 16,
        counters: 24,
        reset_tables: 2,
        ..small()
    });
    // Beside a counter, so that placements are odd.
    image.single(&Family::new("hits", Kind::CounterU64), &Parameters::plain());
    let [balance, wraps, never, mixed, zero, reset] =
        ["balance", "wraps", "never", "mixed", "zero", "reset"].map(|name| number(&mut image, name));
    let rest = image.family(&Family::new("rest", Kind::Number));
    let overflow = image.series(
        rest,
        &[("shmetrics_overflow", "true")],
        &Parameters::plain().overflow(),
    );

    let web = image.claim(0, &Owner::new("web"));
    let before = image.claim(1, &Owner::new("before").pid(1001));
    image.take(1, web).take(2, before);
    image
        .count(&balance, SHARED, -20)
        .count(&balance, 1, 5)
        .count(&balance, 2, 8);
    // Beyond 63 bits and back.
    image
        .count(&wraps, 1, i64::MAX)
        .count(&wraps, 2, 3)
        .count(&wraps, SHARED, -4);
    image.count(&mixed, 1, -7).count(&mixed, 2, 2);
    image
        .count_float(&mixed, 2, 0.5)
        .count_float(&mixed, SHARED, -0.25);
    image.count_float(&zero, 1, 1.5).count_float(&zero, 1, -1.5);
    image
        .count(&reset, 1, 40)
        .count_float(&reset, 1, 0.5)
        .count(&reset, SHARED, 2);
    image.count(&overflow, SHARED, 0);
    // Another process takes lane 2 over and counts on.
    let next = image.claim(1, &Owner::new("next").pid(1002));
    image.take(2, next);
    image.count(&balance, 2, -3).count_float(&mixed, 2, 1.0);
    image.reset(&[&reset, &balance], CREATED_NS + 9_000_000_000);
    image.count(&reset, 1, -1).count_float(&reset, SHARED, 0.25);
    image.count(&balance, SHARED, 6);
    let _ = never;
    let facts = vec![
        Fact::number("balance", Number::I64(6)),
        Fact::number("wraps", Number::I64(i64::MAX - 1)),
        Fact::number("never", Number::I64(0)),
        Fact::number("mixed", Number::F64(-5.0 + 1.25)),
        Fact::number("zero", Number::F64(0.0)),
        Fact::number("reset", Number::F64(-0.75)),
        Fact::absent("rest").of(&[("shmetrics_overflow", "true")]),
        Fact::since("reset", CREATED_NS + 9_000_000_000),
    ];
    let own = |slot, name, value| Fact::of_process(slot, name, Some(PerProcess::Counter(value)));
    let of_processes = vec![
        own(0, "balance", Number::I64(5)),
        own(1, "balance", Number::I64(-3)),
        own(0, "mixed", Number::F64(-7.0)),
        own(1, "mixed", Number::F64(1.0)),
        Fact::of_process(0, "zero", None),
        own(0, "reset", Number::F64(39.5)),
    ];
    Golden::read(
        "valid/numbers",
        &[
            "Numbers: signed sums over lanes and the shared lane, one that wraps on the way and is exact all the same, one that is a float",
            "as a float was added somewhere, one of floats that add up to 0, a lane that changed hands, and a reset.",
        ],
        image,
        facts,
    )
    .view(View::Processes, of_processes)
}
