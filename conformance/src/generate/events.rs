//! Events series: their rings, written in many lanes, some left in the middle of an event.

use shmetrics::layout::directory::OwnerTag;
use shmetrics::layout::kind::Kind;

use super::random::Random;
use crate::fact::Fact;
use crate::image::{CREATED_MONOTONIC_NS, Event, Family, Image, Parameters, Place, Scheme, Series, Writing};

const SCHEMA: &str = "1 started job:u64 queue:text12\n2 ended job:u64 ms:f64 ok:bool";
/// Room that is left for all of them.
const ROOM: u64 = 16 * 1024;

/// The events series of a segment, and what is in them.
#[derive(Debug, Default)]
pub(super) struct EventRings {
    rings: Vec<(String, Series)>,
    dropped: Vec<u64>,
    numbers: u64,
}

impl EventRings {
    /// Declares some, if the segment may have events and has room.
    pub(super) fn declare(random: &mut Random, image: &mut Image) -> EventRings {
        let mut events = EventRings::default();
        let geometry = image.geometry();
        let used = image.get(Place::Header, "block_placement");
        if geometry.writer_features() == 0 || used + ROOM > geometry.capacities.blocks_length {
            return events;
        }
        for number in 0..random.below(3) {
            let name = format!("events_{number}");
            let parameters = Parameters::events(2 << random.below(3), 64 << random.below(2), SCHEMA);
            let series = image.single(&Family::new(&name, Kind::Events), &parameters);
            events.rings.push((name, series));
            events.dropped.push(0);
        }
        events
    }

    /// Writes into most lanes. In some the last event is left in the middle: the next round is for the next owner of the lane only.
    pub(super) fn write(&mut self, random: &mut Random, image: &mut Image, tags: &[OwnerTag]) {
        for ((_, series), dropped) in self.rings.iter().zip(&mut self.dropped) {
            for lane in super::contents::committed_lanes(image) {
                if random.one_in(3) || is_left_in_the_middle(image, series, lane) {
                    continue;
                }
                let writer = random.pick(tags).0;
                for _ in 0..random.below(12) {
                    event(
                        random,
                        image,
                        series,
                        lane,
                        (&mut self.numbers, writer),
                        Writing::B4,
                    );
                }
                if random.one_in(4) {
                    let until = random.pick(&[Writing::B1, Writing::Partly, Writing::B2, Writing::B3]);
                    event(random, image, series, lane, (&mut self.numbers, writer), until);
                }
            }
            for _ in 0..random.below(3) {
                image.drop_event(series);
                *dropped += 1;
            }
        }
    }

    /// How many there were, and are.
    pub(super) fn facts(&self, image: &Image) -> Vec<Fact> {
        let facts = self
            .rings
            .iter()
            .zip(&self.dropped)
            .map(|((name, series), dropped)| {
                let Scheme::Events(shape, _) = series.scheme else {
                    return Fact::absent(name);
                };
                let mut totals = [0, *dropped, 0, 0, 0];
                for lane in super::contents::committed_lanes(image) {
                    if !image.is_block_committed(series, lane) {
                        continue;
                    }
                    let landed = landed(image, series, lane);
                    let held = landed.min(shape.capacity());
                    totals[0] += landed;
                    totals[2] += held;
                    totals[3] = totals[3].max(held);
                    totals[4] += shape.capacity();
                }
                Fact::events(name, totals)
            });
        facts.collect()
    }
}

fn event(
    random: &mut Random,
    image: &mut Image,
    series: &Series,
    lane: u64,
    (numbers, writer): (&mut u64, u64),
    until: Writing,
) {
    *numbers += 1;
    let text = u64::from_ne_bytes(*b"a queue\0");
    let (code, payload) = match random.below(2) {
        0 => (1, [*numbers, 7, text]),
        _ => (2, [*numbers, 0.5f64.to_bits(), 1]),
    };
    let event = Event {
        code,
        time_ns: CREATED_MONOTONIC_NS + 1_000 * *numbers,
        writer,
        payload: &payload,
    };
    image.event_until(series, lane, &event, until);
}

/// The sequence of the record that the next event goes into, and that event's number.
fn next(image: &Image, series: &Series, lane: u64) -> (u64, u64) {
    let Scheme::Events(shape, _) = series.scheme else {
        return (0, 0);
    };
    let next = image.get(Place::Events(image.block_offset(series, lane)), "event_position");
    let record = image.event_offset(series, &shape, lane, next);
    (image.get(Place::Event(record), "event_sequence"), next)
}

fn is_left_in_the_middle(image: &Image, series: &Series, lane: u64) -> bool {
    let (sequence, next) = next(image, series, lane);
    image.is_block_committed(series, lane) && sequence > 2 * next
}

fn landed(image: &Image, series: &Series, lane: u64) -> u64 {
    let (sequence, next) = next(image, series, lane);
    next + u64::from(sequence == 2 * next + 2)
}
