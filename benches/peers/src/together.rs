//! Measuring two at once: threads of this process, or two processes, each pinned to a processor of its own.
//!
//! Both spin until a round begins, do the same turns, and the slower one's time counts.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::measure::{Contestant, Figures, Settings, Work, rounds};
use crate::system;

/// What the two share: which contestant is next and for how many turns, the round, how long the partner took.
struct Meeting<'a> {
    words: &'a [AtomicU64],
}

const CONTESTANT: usize = 0;
const TURNS: usize = 1;
const ROUND: usize = 2;
const READY: usize = 3;
/// Away from what both spin on.
const NANOSECONDS: usize = 16;
const WORDS: usize = 32;
/// Of the round that is none: the partner ends.
const END: u64 = u64::MAX;

impl Meeting<'_> {
    fn load(&self, word: usize) -> u64 {
        self.words[word].load(Ordering::Acquire)
    }

    fn store(&self, word: usize, value: u64) {
        self.words[word].store(value, Ordering::Release);
    }

    /// The partner's part, until the end.
    fn partner(&self, contestants: &[Contestant<Work>]) {
        let mut round = 0;
        loop {
            self.store(READY, round + 1);
            while self.load(ROUND) == round {
                std::hint::spin_loop();
            }
            round = self.load(ROUND);
            if round == END {
                return;
            }
            let begun = system::worked_ns();
            (contestants[self.load(CONTESTANT) as usize].work)(self.load(TURNS));
            self.store(NANOSECONDS, system::worked_ns() - begun);
        }
    }

    /// One round, in which this thread is the other partner.
    fn round(&self, contestants: &[Contestant<Work>], which: usize, turns: u64) -> f64 {
        let round = self.load(ROUND);
        while self.load(READY) != round + 1 {
            std::hint::spin_loop();
        }
        self.store(CONTESTANT, which as u64);
        self.store(TURNS, turns);
        self.store(ROUND, round + 1);
        let begun = system::worked_ns();
        (contestants[which].work)(turns);
        let own = system::worked_ns() - begun;
        while self.load(READY) != round + 2 {
            std::hint::spin_loop();
        }
        own.max(self.load(NANOSECONDS)) as f64
    }
}

/// Two threads.
pub fn threads(
    settings: Settings,
    cpus: &[usize],
    operations: u64,
    contestants: &[Contestant<Work>],
) -> Vec<Figures> {
    let words: Vec<AtomicU64> = (0..WORDS).map(|_| AtomicU64::new(0)).collect();
    let meeting = Meeting { words: &words };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            system::pin(cpus[1]);
            meeting.partner(contestants);
        });
        let all = measured(settings, operations, contestants, &meeting);
        meeting.store(ROUND, END);
        all
    })
}

/// Two processes: the partner is a child that is forked now.
pub fn processes(
    settings: Settings,
    cpus: &[usize],
    operations: u64,
    contestants: &[Contestant<Work>],
) -> Vec<Figures> {
    let meeting = Meeting {
        words: system::shared_words(WORDS),
    };
    let _child = system::fork(|_| {
        system::pin(cpus[1]);
        meeting.partner(contestants);
    });
    let all = measured(settings, operations, contestants, &meeting);
    meeting.store(ROUND, END);
    all
}

fn measured(
    settings: Settings,
    operations: u64,
    contestants: &[Contestant<Work>],
    meeting: &Meeting<'_>,
) -> Vec<Figures> {
    let names = contestants.iter().map(|one| one.name.clone()).collect();
    rounds(settings, operations, names, &|which, turns| {
        meeting.round(contestants, which, turns)
    })
}
