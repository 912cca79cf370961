//! What is in flight: keys of some processes, some of them being started, some parked, in one or two tables of a series.

use shmetrics::layout::directory::OwnerTag;
use shmetrics::layout::kind::Kind;

use super::random::Random;
use crate::fact::{Fact, Keys};
use crate::image::{Family, Image, Parameters, Place, SHARED, Series, Starting};

/// The name of the family.
const NAME: &str = "in_flight";

/// The tables of one series.
#[derive(Debug, Default)]
pub(super) struct Tables(Vec<Series>);

impl Tables {
    /// Declares a series, or none.
    pub(super) fn declare(random: &mut Random, image: &mut Image) -> Tables {
        if random.one_in(3) {
            return Tables::default();
        }
        let family = image.family(&Family::new(NAME, Kind::InFlight).help("what is in flight"));
        let first = random.below(3) as u8;
        let mut tables = vec![image.series(family, &[], &Parameters::in_flight(first))];
        if random.one_in(4) {
            tables.push(image.series(family, &[], &Parameters::in_flight(first + 1)));
        }
        Tables(tables)
    }

    /// Starts and ends keys: few enough for the smallest table.
    pub(super) fn work(&self, random: &mut Random, image: &mut Image, tags: &[OwnerTag]) {
        let steps = [Starting::F1, Starting::F4Partly, Starting::F4];
        for table in &self.0 {
            for number in 0..random.below(8) {
                let key = format!(
                    "https://example.org/{number}/{}",
                    "\u{20ac}uro/".repeat(random.below(40) as usize)
                );
                for _ in 0..1 + random.below(4) {
                    let now_us = 40_000_000 + random.below(59_000_000);
                    image.start_key(table, &key, random.pick(tags), now_us);
                }
                match random.below(6) {
                    0 => image.finish_key(table, &key),
                    1 => image.park_key(table, &key),
                    2 => {
                        image.start_key_until(table, &key, random.pick(tags), 99_000_000, random.pick(&steps))
                    }
                    _ => image,
                };
            }
            let offset = image.block_offset(table, SHARED);
            image.add(Place::InFlight(offset), "in_flight_overflow", random.below(5));
            image.add(Place::InFlight(offset), "in_flight_forgotten", random.below(5));
        }
    }

    /// What a reader shows of it: if no owner is alive, and if all are.
    pub(super) fn facts(&self, image: &Image) -> [Option<Fact>; 2] {
        if self.0.is_empty() {
            return [None, None];
        }
        let [mut free, mut held] = [Keys::default(); 2];
        for table in &self.0 {
            let place = Place::InFlight(image.block_offset(table, SHARED));
            let (parked, active) = image.count_keys(table);
            for keys in [&mut free, &mut held] {
                keys.parked += parked;
                keys.overflow += image.get(place, "in_flight_overflow");
                keys.forgotten += image.get(place, "in_flight_forgotten");
            }
            held.number += active;
        }
        [free, held].map(|keys| Some(Fact::in_flight(NAME, keys)))
    }
}
