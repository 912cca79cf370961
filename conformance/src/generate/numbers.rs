//! Numbers: counted in some lanes, whole and not, and reset. Floats are multiples of a quarter, so that sums have no rounding.

use shmetrics::layout::directory::OwnerTag;
use shmetrics::layout::kind::Kind;
use shmetrics::snapshot::Number;

use super::contents::{committed_lanes, quarters};
use super::random::Random;
use crate::fact::Fact;
use crate::image::{CREATED_NS, Family, Image, Parameters, SHARED, Series};

/// What is in a number: whole part, float part, and whether there is one.
#[derive(Clone, Copy, Default)]
struct Parts(u64, f64, bool);

/// Declares up to three numbers, counts in them, may reset some, and counts on.
pub(super) fn count(random: &mut Random, image: &mut Image, tags: &[OwnerTag], facts: &mut Vec<Fact>) {
    let mut numbers = Vec::new();
    for index in 0..random.below(4) {
        image.registrant(random.pick(tags));
        let name = format!("number_{index}");
        let series = image.single(&Family::new(&name, Kind::Number), &Parameters::plain());
        let float = random.one_in(2);
        numbers.push((name, series, float, Parts::default(), Parts::default()));
    }
    for (_, series, float, now, _) in &mut numbers {
        add(random, image, series, *float, now);
    }
    // Later than all resets of other series.
    let mut time = CREATED_NS + 2_000_000_000_000;
    if image.geometry().capacities.reset_tables != 0 && random.one_in(2) {
        time += 1;
        let chosen: Vec<bool> = numbers.iter().map(|_| random.one_in(2)).collect();
        let which = numbers.iter().zip(&chosen).filter(|(_, chosen)| **chosen);
        let which: Vec<&Series> = which.map(|((_, series, ..), _)| series).collect();
        if !which.is_empty() {
            image.reset(&which, time);
            for ((_, _, _, now, before), _) in numbers.iter_mut().zip(&chosen).filter(|(_, chosen)| **chosen)
            {
                *before = *now;
            }
        }
        for (_, series, float, now, _) in &mut numbers {
            add(random, image, series, *float, now);
        }
    }
    for (name, _, _, now, before) in numbers {
        let whole = now.0.wrapping_sub(before.0) as i64;
        facts.push(Fact::number(
            &name,
            match now.2 {
                true => Number::F64(whole as f64 + (now.1 - before.1)),
                false => Number::I64(whole),
            },
        ));
    }
}

fn add(random: &mut Random, image: &mut Image, series: &Series, float: bool, parts: &mut Parts) {
    let mut lanes = committed_lanes(image);
    lanes.push(SHARED);
    for lane in lanes {
        if !random.one_in(3) {
            // Small where floats are added to it; else sometimes so much that the sum wraps.
            let by = (random.word() as i64) >> if float { 40 } else { random.pick(&[0, 32, 60]) };
            image.count(series, lane, by);
            parts.0 = parts.0.wrapping_add(by as u64);
        }
        if float && random.one_in(2) {
            let by = quarters(random);
            image.count_float(series, lane, by);
            parts.1 += by;
            parts.2 = true;
        }
    }
}
