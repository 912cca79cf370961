//! A random valid segment from a seed, with what must come out of it.
//!
//! Geometry, families, series, revisions, processes, lanes, contents and deaths in the middle are all drawn. A segment of a seed is
//! the same for ever: numbers come from ChaCha8, whose output is fixed by its definition, and are brought into range by a
//! multiplication written here; a draw that is added goes behind all others.
//!
//! | file | draws |
//! |---|---|
//! | [`mod@self`] | the whole: geometry, processes, lanes |
//! | `series` | families and series, also unfinished ones |
//! | `contents` | what is counted, set and recorded |
//! | `events` | events |
//! | `in_flight` | what is in flight |
//! | `text` | texts |
//! | `marks` | time marks and states, from a stream of their own |
//! | `numbers`, `samples`, `groups` | series of these kinds |
//! | `random` | numbers |

mod contents;
mod events;
mod groups;
mod in_flight;
mod marks;
mod numbers;
mod random;
mod samples;
mod series;
mod text;

use shmetrics::layout::directory::OwnerTag;
use shmetrics::layout::geometry::Capacities;
use shmetrics::layout::kind::{Kind, Space};

use self::contents::{Counters, Histograms, Slots};
use self::events::EventRings;
use self::in_flight::Tables;
use self::random::Random;
use self::series::Declared;
use crate::expected::View;
use crate::fact::Fact;
use crate::image::{Adoption, CREATED_NS, Claim, Image, Logging, Owner, Registration, Resetting, Series};

/// A segment, and what holds of it at [`CLOCKS`](crate::expected::CLOCKS).
#[derive(Clone, Debug)]
pub struct Generated {
    /// The segment.
    pub image: Image,
    /// What holds whoever is alive.
    facts: Vec<Fact>,
    free: Vec<Fact>,
    held: Vec<Fact>,
}

impl Generated {
    /// What must come out in a view. Cuts say less of histograms, so nothing is known of them there.
    pub fn facts(&self, view: View) -> Vec<&Fact> {
        let of_view = match view {
            View::Cut => return Vec::new(),
            View::Free => &self.free,
            View::Held | View::Processes => &self.held,
        };
        self.facts.iter().chain(of_view).collect()
    }
}

/// Makes the segment of a seed: at most some megabytes, of which little is committed.
///
/// ```
/// use shmetrics_conformance::generate::generate;
///
/// assert_eq!(generate(7).image, generate(7).image);
/// assert_ne!(generate(7).image, generate(8).image);
/// ```
pub fn generate(seed: u64) -> Generated {
    let random = &mut Random::new(seed);
    let errors_random = &mut Random::beside(seed, 1);
    let resets_random = &mut Random::beside(seed, 2);
    let marks_random = &mut Random::beside(seed, 3);
    let events_random = &mut Random::beside(seed, 12);
    let flight_random = &mut Random::beside(seed, 15);
    let capacities = Capacities {
        errors: errors_random.below(6),
        reset_tables: 2 * resets_random.below(2),
        ..capacities(random)
    };
    let mut image = Image::new(capacities).unwrap_or_else(|error| panic!("{error}"));
    let mut facts = Vec::new();

    let tags = processes(random, &mut image);
    let all = series::declare(random, &mut image, &tags, &mut facts);
    let mut events = EventRings::declare(events_random, &mut image);
    let tables = Tables::declare(flight_random, &mut image);
    lanes(random, &mut image, &tags);
    events.write(events_random, &mut image, &tags);
    let mut counters = Counters::new(&all);
    counters.count(random, &mut image, &all);
    let mut histograms = Histograms::default();
    histograms.record(random, &mut image, &all);
    readopt(random, &mut image, &tags);
    histograms.record(random, &mut image, &all);
    events.write(events_random, &mut image, &tags);
    errors(errors_random, &mut image, &tags, &mut facts);
    tables.work(flight_random, &mut image, &tags);
    let mut slots = Slots::new(&image);
    slots.set(random, &mut image, &all);
    let marks = marks::declare(marks_random, &mut image);
    slots.set(marks_random, &mut image, &marks);
    depart(random, &mut image, &mut slots);
    text::set(&mut Random::beside(seed, 13), &mut image, &tags, &mut facts);
    samples::record(&mut Random::beside(seed, 11), &mut image, &tags, &mut facts);
    resets(resets_random, &mut image, &all, &mut counters, &mut histograms);
    // After the resets: they take over what is in force, and a number may be the next to be reset.
    numbers::count(&mut Random::beside(seed, 8), &mut image, &tags, &mut facts);
    // And these after those of numbers.
    groups::update(&mut Random::beside(seed, 14), &mut image, &tags, &mut facts);
    facts.extend(counters.facts(&all));
    facts.extend(histograms.facts());
    facts.extend(events.facts(&image));
    let (mut free, mut held) = slots.facts(&image, &[all, marks].concat());
    let [of_free, of_held] = tables.facts(&image);
    free.extend(of_free);
    held.extend(of_held);
    Generated {
        image,
        facts,
        free,
        held,
    }
}

fn capacities(random: &mut Random) -> Capacities {
    Capacities {
        process_slots: 1 + random.below(4),
        lanes: 1 + random.below(6),
        // Twice as many as are declared: a writer that opens the segment shall find room.
        series: 64,
        text_length: 16 * 1024,
        counters: 24 + random.below(40),
        gauges: 24 + random.below(8),
        blocks_length: 128 * 1024 + 8 * random.below(1000),
        errors: 0,
        reset_tables: 0,
        budget: 1 << 30,
        epoch_length_ns: 10_000_000_000,
    }
}

/// Some series are reset, and go on being counted; in the end somebody may die in the middle of it.
fn resets(
    random: &mut Random,
    image: &mut Image,
    all: &[Declared],
    counters: &mut Counters,
    histograms: &mut Histograms,
) {
    if image.geometry().capacities.reset_tables == 0 {
        return;
    }
    let mut now = CREATED_NS + 1_000_000_000_000;
    for _ in 0..random.below(4) {
        now += 1;
        let mut chosen = counters.reset(random, all);
        chosen.extend(histograms.reset(random, all));
        image.reset(&chosen, now);
        counters.count(random, image, all);
        histograms.record_more(random, image, all);
    }
    if random.one_in(3) {
        let chosen: Vec<&Series> = all.iter().map(|declared| &declared.series).collect();
        let can_be: Vec<&Series> = chosen
            .into_iter()
            .filter(|series| is_counted(series.kind))
            .collect();
        let until = random.pick(&[Resetting::Partly, Resetting::Z3]);
        image.reset_until(&can_be, now + 1, until);
    }
}

fn is_counted(kind: Kind) -> bool {
    kind.space() != Space::Gauges && !kind.is_shared_only()
}

/// Texts of which some are logged again, some twice at one moment, and the last may be cut short by a death.
fn errors(random: &mut Random, image: &mut Image, tags: &[OwnerTag], facts: &mut Vec<Fact>) {
    let entries = image.geometry().capacities.errors;
    let (mut taken, second) = (0, 1_000_000_000);
    let mut number = 0;
    while taken < entries && !random.one_in(4) {
        let text = format!(
            "error {number}: cannot reach {}",
            "the queue, ".repeat(random.below(25) as usize)
        );
        let (tag, first) = (random.pick(tags), CREATED_NS + random.below(50) * second);
        if random.one_in(5) {
            image.log_error_until(
                tag,
                &text,
                first,
                random.pick(&[Logging::E2, Logging::E3Partly, Logging::E3]),
            );
            taken += 1;
            continue;
        }
        image.log_error(tag, &text, first);
        taken += 1;
        let (mut count, mut last) = (1, first);
        for _ in 0..random.below(4) {
            let now = CREATED_NS + (50 + random.below(9)) * second;
            image.log_error(random.pick(tags), &text, now);
            (count, last) = (count + 1, last.max(now));
        }
        if taken < entries && random.one_in(3) {
            image.log_error_until(random.pick(tags), &text, first, Logging::E4);
            taken += 1;
            count += 1;
        }
        number += 1;
        let shown: String = text.chars().take(192).collect();
        facts.push(match text.len() {
            ..=192 => Fact::error(&text, count, first, last),
            _ => Fact::error_cut(&shown, count, first, last),
        });
    }
    facts.push(Fact::error_log(taken, 0));
}

/// Every slot that was taken, by the tag of who had it last; some were taken several times.
fn processes(random: &mut Random, image: &mut Image) -> Vec<OwnerTag> {
    let mut tags = Vec::new();
    for slot in 0..image.geometry().capacities.process_slots {
        if slot > 0 && random.one_in(4) {
            continue;
        }
        let claim = |image: &mut Image, number| {
            let role = format!("worker-{number}");
            image.claim(slot, &Owner::new(&role).pid(1000 + slot))
        };
        let mut tag = claim(image, 1);
        for number in 0..random.below(3) {
            if random.one_in(2) {
                image.release(slot);
            }
            tag = claim(image, 2 + number);
        }
        tags.push(tag);
    }
    tags
}

/// Takes most lanes, some from an owner that died in the claim.
fn lanes(random: &mut Random, image: &mut Image, tags: &[OwnerTag]) {
    for lane in 1..=image.geometry().capacities.lanes {
        if random.one_in(5) {
            continue;
        }
        if random.one_in(4) {
            let steps = [Adoption::A1, Adoption::A2, Adoption::A3];
            image.take_until(lane, random.pick(tags), random.pick(&steps));
        }
        image.take(lane, random.pick(tags));
    }
}

/// Some lanes change hands, are given back, or lose their new owner in the middle.
fn readopt(random: &mut Random, image: &mut Image, tags: &[OwnerTag]) {
    let steps = [
        Adoption::A1,
        Adoption::A2,
        Adoption::A3,
        Adoption::A4,
        Adoption::A5Partly,
        Adoption::A5,
    ];
    for lane in 1..=image.geometry().capacities.lanes {
        match random.below(5) {
            0 => image.give_back(lane).take(lane, random.pick(tags)),
            1 => image.take(lane, random.pick(tags)),
            2 => {
                // Dead in the claim; the next one does all of it.
                image.take_until(lane, random.pick(tags), random.pick(&steps));
                image.take(lane, random.pick(tags))
            }
            _ => image,
        };
    }
}

/// Some processes give their slot back, and some slots are being claimed by another.
fn depart(random: &mut Random, image: &mut Image, slots: &mut Slots) {
    let steps = [Claim::T2, Claim::T3, Claim::T4, Claim::T5, Claim::T6];
    for slot in 0..image.geometry().capacities.process_slots {
        match random.below(5) {
            0 if slots.is_active(slot) => {
                image.release(slot);
                slots.leave(slot);
            }
            1 => {
                image.claim_until(slot, &Owner::new("next").pid(3000), random.pick(&steps));
                slots.leave(slot);
            }
            _ => {}
        }
    }
}

/// A step at which a registration is left.
fn unfinished(random: &mut Random) -> Registration {
    random.pick(&[
        Registration::I2,
        Registration::I3,
        Registration::I4Unmarked,
        Registration::I4,
        Registration::P2,
        Registration::P3,
        Registration::I5,
    ])
}
