//! Headers that claim less than there is while all regions stay where they are, as those are rounded up: V-9 has nothing against them.
//! What lies beyond is skipped by its rule, and all else is as it was (`untouched::beyond`).

use std::collections::BTreeSet;

use shmetrics::Kind;
use shmetrics::layout::geometry::Capacities;
use shmetrics_conformance::generate::generate;
use shmetrics_conformance::image::{Family, Image, Parameters, Place as ImagePlace};

use crate::harm::{Damaged, Harm, Place, Value, part_of};
use crate::{BASES, Base, Tally, check, oracle, support::Scratch, untouched};

/// Found by random cases: of many counters one is left.
#[test]
fn a_header_with_fewer_counters_and_the_same_regions_hides_those_beyond() {
    let scratch = Scratch::new("damage-again");
    let path = scratch.path("segment");
    let base = Base::new(generate(2_445_160_532_451_805_652 % BASES).image, &path);
    let harm = Harm::Field {
        place: Place::Header,
        choice: 0,
        part: part_of(Place::Header, "counters"),
        value: Value::Power(0),
    };
    let damaged = Damaged::new(&base.image, &[harm], true);
    assert_eq!(damaged.touched.unwrap().field, "counters");
    check(&base, &damaged, &path, &mut Tally::default()).unwrap_or_else(|error| panic!("{error}"));
}

/// A segment that is used up to its last counter, gauge, block and byte of text.
fn full() -> Image {
    let mut capacities = Capacities {
        process_slots: 1,
        lanes: 1,
        series: 16,
        // One of the lengths that are a multiple of what the region behind is aligned to.
        text_length: 1152,
        counters: 4,
        gauges: 4,
        blocks_length: 65_536,
        errors: 0,
        reset_tables: 0,
        budget: 1 << 20,
        epoch_length_ns: 10_000_000_000,
    };
    let timed = Parameters::exponential(3, 0, 20).ring(4);
    let bounds: Vec<f64> = (0..20).map(f64::from).collect();
    let classic = Parameters::classic(&bounds);
    // The same twice: the first time to see how long the blocks are.
    let mut used = capacities.blocks_length;
    for _ in 0..2 {
        capacities.blocks_length = used;
        let mut image = Image::new(capacities).unwrap();
        for index in 0..3 {
            image.single(
                &Family::new(&format!("c{index}"), Kind::CounterU64),
                &Parameters::plain(),
            );
            image.single(
                &Family::new(&format!("g{index}"), Kind::GaugeI64),
                &Parameters::plain(),
            );
        }
        image.single(&Family::new("classic", Kind::HistogramClassic), &classic);
        image.single(&Family::new("timed", Kind::HistogramInteger), &timed);
        image.single(&Family::new("g3", Kind::GaugeF64), &Parameters::plain());
        let before = image.get(ImagePlace::Header, "text_used");
        let rest = "r".repeat((capacities.text_length - before - 8) as usize);
        let last = image.single(
            &Family::new("c3", Kind::CounterF64).help(&rest),
            &Parameters::plain(),
        );
        // Its own, empty, text is at the start: only its family's is beyond.
        image.set(ImagePlace::Record(last.number), "text", 0);
        image.mend_record(last.number);
        assert_eq!(image.get(ImagePlace::Header, "text_used"), capacities.text_length);
        used = image.get(ImagePlace::Header, "block_placement");
        if used == capacities.blocks_length {
            return image;
        }
    }
    unreachable!("the second time all blocks are used")
}

#[test]
fn a_header_with_less_of_anything_and_the_same_regions_hides_what_is_beyond() {
    let scratch = Scratch::new("damage-less");
    let path = scratch.path("segment");
    let base = Base::new(full(), &path);
    let mut tally = Tally::default();
    let mut hiding = BTreeSet::new();
    let names = ["text_length", "counters", "gauges", "blocks_length"];
    for part in 0..60 {
        let harm = |value| Harm::Field {
            place: Place::Header,
            choice: 0,
            part,
            value,
        };
        let touched = Damaged::new(&base.image, &[harm(Value::Zero)], true)
            .touched
            .unwrap();
        let capacity = match touched.field {
            name if names.contains(&name) => base.image.get(ImagePlace::Header, name),
            _ => continue,
        };
        // All values of the small ones.
        for value in (1..=capacity).step_by(if capacity < 2048 { 1 } else { 97 }) {
            let damaged = Damaged::new(&base.image, &[harm(Value::Any(value))], true);
            if oracle::refusal(damaged.image.words(), damaged.image.length()).is_none() {
                check(&base, &damaged, &path, &mut tally).unwrap_or_else(|error| panic!("{error}"));
                if !untouched::beyond(&base.image, &damaged.image).is_empty() {
                    hiding.insert(touched.field);
                }
            }
        }
    }
    assert_eq!(hiding.len(), names.len(), "only {hiding:?} hid anything");
    let rules: BTreeSet<&str> = tally.rules.keys().map(String::as_str).collect();
    assert_eq!(rules, BTreeSet::from(["V-24", "V-26", "V-27", "V-28"]));
}
