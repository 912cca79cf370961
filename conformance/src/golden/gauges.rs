//! Gauges: every merge rule, over slots of the living, the dead, those being claimed and those given back.

use shmetrics::layout::directory::{SlotOwner, SlotState};
use shmetrics::layout::geometry::Capacities;
use shmetrics::snapshot::Number;
use shmetrics::{Kind, Merge};

use super::{Golden, image, small};
use crate::expected::View;
use crate::fact::Fact;
use crate::image::{Claim, Family, Image, Owner, Parameters, Place, Series, Word};

pub(super) fn all() -> Vec<Golden> {
    vec![rules(), odd()]
}

fn gauge(image: &mut Image, name: &str, kind: Kind, merge: Merge) -> Series {
    image.single(&Family::new(name, kind).merge(merge), &Parameters::plain())
}

fn rules() -> Golden {
    let mut image = image(Capacities {
        process_slots: 4,
        series: 16,
        gauges: 16,
        ..small()
    });
    let mut gauges = Vec::new();
    for (kind, prefix) in [(Kind::GaugeI64, "whole"), (Kind::GaugeF64, "float")] {
        for merge in Merge::ALL {
            let name = format!("{prefix}_{}", merge.name());
            gauges.push(gauge(&mut image, &name, kind, merge));
        }
    }
    for slot in 0..4 {
        image.claim(
            slot,
            &Owner::new(["a", "", "c", "d"][slot as usize]).pid(1000 + slot),
        );
    }
    // The last to be set is that of slot 2.
    for (slot, whole) in [(0, 5), (1, -3), (3, -100), (2, 100)] {
        for gauge in &gauges {
            let value = match gauge.kind {
                Kind::GaugeI64 => Word::from(whole),
                _ => Word::from(f64::from(whole) + 0.5),
            };
            image.set_gauge(gauge, slot, value);
        }
    }
    // Slot 2 is being claimed by another and not cleared yet; slot 3 was given back.
    image.claim_until(2, &Owner::new("next"), Claim::T3);
    image.release(3);

    let kept = [
        Fact::gauge("whole_min", Some(-100)),
        Fact::gauge("whole_max", Some(100)),
        Fact::gauge("whole_last", Some(100)),
        Fact::gauge_float("float_min", Some(-99.5)),
        Fact::gauge_float("float_max", Some(100.5)),
        Fact::gauge_float("float_last", Some(100.5)),
    ];
    let free = [
        Fact::gauge("whole_sum", None),
        Fact::gauge_float("whole_mean", None),
        Fact::each("whole_each", &[]),
        Fact::gauge_float("float_sum", None),
        Fact::gauge_float("float_mean", None),
        Fact::each("float_each", &[]),
    ];
    let held = [
        Fact::gauge("whole_sum", Some(2)),
        Fact::gauge_float("whole_mean", Some(1.0)),
        Fact::each("whole_each", &[(0, Number::I64(5)), (1, Number::I64(-3))]),
        Fact::gauge_float("float_sum", Some(3.0)),
        Fact::gauge_float("float_mean", Some(1.5)),
        Fact::each("float_each", &[(0, Number::F64(5.5)), (1, Number::F64(-2.5))]),
    ];
    Golden::read(
        "valid/gauges",
        &[
            "Every merge rule of whole and float gauges. Slots 0 and 1 are active, slot 2 is being claimed, slot 3 is given back.",
            "Of the dead only min, max and last count.",
        ],
        image,
        [&kept[..], &free].concat(),
    )
    .view(View::Held, [&kept[..], &held].concat())
}

fn odd() -> Golden {
    let mut image = image(Capacities {
        process_slots: 3,
        ..small()
    });
    let least = gauge(&mut image, "least", Kind::GaugeF64, Merge::Min);
    let nothing_else = gauge(&mut image, "nothing_else", Kind::GaugeF64, Merge::Max);
    let unstamped = gauge(&mut image, "unstamped", Kind::GaugeI64, Merge::Max);
    let unset = gauge(&mut image, "unset", Kind::GaugeI64, Merge::Last);
    let full = gauge(&mut image, "full", Kind::GaugeI64, Merge::Sum);
    let last = gauge(&mut image, "last", Kind::GaugeI64, Merge::Last);
    let nan = gauge(&mut image, "nan", Kind::GaugeF64, Merge::Sum);
    for slot in 0..2 {
        image.claim(slot, &Owner::new("web").pid(1000 + slot));
    }
    image.set_gauge(&least, 0, f64::NAN).set_gauge(&least, 1, 2.5);
    image.set_gauge(&nothing_else, 0, f64::NAN);
    // Dead between value and stamp.
    image.set_value(&unstamped, 0, 7);
    image.set_gauge(&full, 0, i64::MAX).set_gauge(&full, 1, 1);
    image.set_gauge(&nan, 0, f64::NAN).set_gauge(&nan, 1, 1.0);
    // The stamp decides, not the slot.
    image
        .set_gauge(&last, 1, 10)
        .set_gauge(&last, 0, 20)
        .set_gauge(&last, 1, 30);
    // Slot 2 got no storage for its cells: active, and not to be read.
    image.claim_until(2, &Owner::new("poor"), Claim::T2);
    image.set(
        Place::Process(2),
        "process_owner",
        SlotOwner::new(1, SlotState::Active).0,
    );
    image
        .set_gauge(&least, 2, -1000.0)
        .set_gauge(&unset, 2, 1)
        .set_gauge(&full, 2, -5);
    let kept = [
        Fact::gauge_float("least", Some(2.5)),
        Fact::gauge_float("nothing_else", Some(f64::NAN)),
        Fact::gauge("unstamped", None),
        Fact::gauge("unset", None),
        Fact::gauge("last", Some(30)),
    ];
    let free = [Fact::gauge("full", None), Fact::gauge_float("nan", None)];
    let held = [
        Fact::gauge("full", Some(i64::MAX)),
        Fact::gauge_float("nan", Some(f64::NAN)),
    ];
    Golden::read(
        "valid/gauges_odd",
        &[
            "NaN beside a number and alone, a value without its stamp, a gauge never set, a sum beyond i64, stamps, and a slot",
            "whose cells were never committed (not to be read).",
        ],
        image,
        [&kept[..], &free].concat(),
    )
    .view(View::Held, [&kept[..], &held].concat())
}
