//! The schedule: what happens when and to whom, the same for a seed.

use std::time::Duration;

use super::kind::{Kind, Kinds};
use crate::storm::random::Random;

/// How often what happens. Kills are what a storm is about; what ends a segment or needs a second is rare.
const WEIGHTS: &[(Kind, u64)] = &[
    (Kind::Kill, 200),
    (Kind::Exit, 15),
    (Kind::Abort, 15),
    (Kind::Stop, 25),
    (Kind::Starve, 1),
    (Kind::Reader, 8),
    (Kind::Retire, 3),
    (Kind::Race, 6),
];
/// Between two events at most: some threads are hit while they start, most while they work.
const LONGEST_PAUSE_US: u64 = 20_000;
/// How long one is stopped at most.
const LONGEST_STOP_US: u64 = 30_000;

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// Counted from 1.
    pub(super) number: u64,
    /// Nothing, if no kind of this level is wanted.
    pub(super) kind: Option<Kind>,
    pub(super) pause: Duration,
    /// Whom it hits, modulo how many there are.
    pub(super) whom: u64,
    /// How long one is stopped.
    pub(super) stop: Duration,
    /// For whatever else has to be chosen.
    pub(super) seed: u64,
}

/// Events, one after the other.
#[derive(Debug)]
pub(super) struct Schedule {
    random: Random,
    kinds: Kinds,
    number: u64,
}

impl Schedule {
    pub(super) fn new(seed: u64, kinds: Kinds) -> Schedule {
        Schedule {
            random: Random::new(seed),
            kinds,
            number: 0,
        }
    }

    pub(super) fn next(&mut self) -> Event {
        self.number += 1;
        let random = &mut self.random;
        Event {
            number: self.number,
            kind: self.kinds.draw(WEIGHTS, random),
            pause: Duration::from_micros(random.below(LONGEST_PAUSE_US)),
            whom: random.below(1 << 16),
            stop: Duration::from_micros(random.below(LONGEST_STOP_US)),
            seed: random.next(),
        }
    }
}

/// What a segment of the storm is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Capacity {
    pub(super) lanes: u64,
    pub(super) slots: u64,
    pub(super) budget: u64,
}

impl Capacity {
    /// More than is needed.
    pub(super) const AMPLE: Capacity = Capacity {
        lanes: 128,
        slots: 128,
        budget: 64 << 20,
    };
    /// Too little of everything: a lane of the storm takes about 100 KiB.
    const SCARCE: Capacity = Capacity {
        lanes: 3,
        slots: 3,
        budget: 900 << 10,
    };

    /// Draws one; each shortage is as likely as not. Returns which there are, too.
    pub(super) fn draw(kinds: Kinds, budget: Option<u64>, random: &mut Random) -> (Capacity, Vec<Kind>) {
        let mut shortages = Vec::new();
        let mut pick = |kind, ample: u64, scarce: u64| {
            let is_scarce = random.next() >> 63 == 0 && kinds.has(kind);
            if is_scarce {
                shortages.push(kind);
            }
            if is_scarce { scarce } else { ample }
        };
        let (ample, scarce) = (Capacity::AMPLE, Capacity::SCARCE);
        let capacity = Capacity {
            lanes: pick(Kind::Lanes, ample.lanes, scarce.lanes),
            slots: pick(Kind::Slots, ample.slots, scarce.slots),
            budget: budget.unwrap_or(pick(Kind::Budget, ample.budget, scarce.budget)),
        };
        (capacity, shortages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_events() {
        let all = Kinds::chosen(&[], &[]).unwrap();
        let events = |seed| {
            let mut schedule = Schedule::new(seed, all);
            (0..500).map(|_| schedule.next()).collect::<Vec<_>>()
        };
        assert_eq!(events(3), events(3));
        assert_ne!(events(3), events(4));
        for (kind, _) in WEIGHTS {
            let mut schedule = Schedule::new(5, all);
            assert!((0..5000).any(|_| schedule.next().kind == Some(*kind)), "{kind:?}");
        }
    }
}
