//! Measuring: interleaved rounds, medians, quartiles, and ratios of the same round.
//!
//! Every contestant of a table is measured once a round, in turn, so that whatever disturbs the machine disturbs all of them. A round
//! of a contestant is a fixed number of turns, chosen beforehand so that it takes about the same time for each. A ratio is the median
//! of the ratios of single rounds, and not the ratio of medians.
//!
//! Time is what the thread worked, not what the clock says, so that a round in which another program ran is no slow round.

use std::cell::Cell;
use std::hint::black_box;
use std::time::Duration;

use crate::system::worked_ns;

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Everything runs once, to see that it does: numbers mean nothing.
    pub quick: bool,
    pub rounds: usize,
    /// Of one contestant in one round.
    pub round: Duration,
}

impl Settings {
    pub fn normal() -> Settings {
        Settings {
            quick: false,
            rounds: 41,
            round: Duration::from_micros(1500),
        }
    }

    pub fn quick() -> Settings {
        Settings {
            quick: true,
            rounds: 3,
            round: Duration::from_micros(20),
        }
    }

    /// For what takes long.
    pub fn with(self, rounds: usize, round: Duration) -> Settings {
        if self.quick {
            return self;
        }
        Settings {
            rounds,
            round,
            ..self
        }
    }
}

/// What one contestant took, in ns per operation, round by round.
#[derive(Clone, Debug)]
pub struct Figures {
    pub name: String,
    pub rounds: Vec<f64>,
}

impl Figures {
    pub fn median(&self) -> f64 {
        quantile(&self.rounds, 0.5)
    }

    pub fn quartiles(&self) -> (f64, f64) {
        (quantile(&self.rounds, 0.25), quantile(&self.rounds, 0.75))
    }

    /// How many times as long as `other` it takes.
    pub fn times(&self, other: &Figures) -> f64 {
        let ratios: Vec<f64> = self
            .rounds
            .iter()
            .zip(&other.rounds)
            .map(|(a, b)| a / b)
            .collect();
        quantile(&ratios, 0.5)
    }

    /// How much longer than `other` it takes, in ns.
    pub fn beyond(&self, other: &Figures) -> Figures {
        Figures {
            name: self.name.clone(),
            rounds: self
                .rounds
                .iter()
                .zip(&other.rounds)
                .map(|(a, b)| a - b)
                .collect(),
        }
    }
}

pub fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = q * (sorted.len().max(1) - 1) as f64;
    sorted.get(at.round() as usize).copied().unwrap_or(f64::NAN)
}

/// Work of one contestant: does the number of turns it is told, each of so many operations as the table says.
pub type Alone<'a> = Box<dyn Fn(u64) + 'a>;
/// The same, for any number of threads at once.
pub type Work = Box<dyn Fn(u64) + Send + Sync>;

/// A contestant.
pub struct Contestant<W> {
    pub name: String,
    pub work: W,
}

pub fn contestant<W>(name: &str, work: W) -> Contestant<W> {
    Contestant {
        name: name.to_owned(),
        work,
    }
}

/// Measures each in one thread. `operations`: of one turn.
pub fn alone(settings: Settings, operations: u64, contestants: &[Contestant<Alone<'_>>]) -> Vec<Figures> {
    rounds(
        settings,
        operations,
        contestants.iter().map(|one| one.name.clone()).collect(),
        &|which, turns| {
            let begun = worked_ns();
            (contestants[which].work)(turns);
            (worked_ns() - begun) as f64
        },
    )
}

/// Measures whatever `time` times: it does `turns` turns of a contestant and says how many ns that took.
pub fn rounds(
    settings: Settings,
    operations: u64,
    names: Vec<String>,
    time: &dyn Fn(usize, u64) -> f64,
) -> Vec<Figures> {
    let turns: Vec<u64> = (0..names.len())
        .map(|which| calibrate(settings, |turns| time(which, turns)))
        .collect();
    let mut all: Vec<Figures> = names
        .into_iter()
        .map(|name| Figures {
            name,
            rounds: Vec::with_capacity(settings.rounds),
        })
        .collect();
    for _ in 0..settings.rounds {
        for (which, figures) in all.iter_mut().enumerate() {
            let ns = time(which, turns[which]);
            figures.rounds.push(ns / (turns[which] * operations) as f64);
        }
    }
    all
}

/// Warms up, and finds how many turns a round takes.
fn calibrate(settings: Settings, mut time: impl FnMut(u64) -> f64) -> u64 {
    let wanted = settings.round.as_secs_f64() * 1e9;
    let mut turns = 1;
    time(1);
    loop {
        let ns = time(turns).max(1.0);
        if ns >= wanted / 4.0 {
            return ((turns as f64 * wanted / ns) as u64).max(1);
        }
        turns = if ns < wanted / 64.0 { turns * 16 } else { turns * 3 };
    }
}

/// How often `operation` is done for each turn of [`rotate`] and [`durations`].
pub const OPERATIONS: usize = 64;

/// Calls `operation` on each of 64 handles, eight calls to a turn of the loop: the compiler unrolls the raw adds by itself, and what is
/// to be compared are operations, not loops. The handles come out of `black_box` each time, as they would out of a struct.
#[inline(always)]
pub fn rotate<T>(handles: &[T], turns: u64, operation: impl Fn(&T)) {
    for _ in 0..turns {
        for [a, b, c, d, e, f, g, h] in black_box(handles).as_chunks().0 {
            operation(a);
            operation(b);
            operation(c);
            operation(d);
            operation(e);
            operation(f);
            operation(g);
            operation(h);
        }
    }
}

/// Durations that are recorded in turn; a power of two, so that taking turns costs no division.
pub const DURATIONS: usize = 4096;

thread_local! {
    static POSITION: Cell<usize> = const { Cell::new(0) };
}

/// Calls `operation` with one of `handles` and another duration each time. With one handle all go there.
#[inline(always)]
pub fn durations<T, D: Copy>(handles: &[T], values: &[D; DURATIONS], turns: u64, operation: impl Fn(&T, D)) {
    let mut position = POSITION.get();
    let mask = handles.len() - 1;
    assert!(handles.len().is_power_of_two(), "a power of two");
    for _ in 0..turns {
        let handles = black_box(handles);
        for n in 0..OPERATIONS {
            operation(&handles[n & mask], values[(position + n) % DURATIONS]);
        }
        position += OPERATIONS;
    }
    POSITION.set(position);
}

/// Latencies: most between 50 µs and 2 ms.
pub fn nanoseconds() -> Box<[u64; DURATIONS]> {
    let mut state = 1u64;
    Box::new(std::array::from_fn(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        50_000 + (state >> 43)
    }))
}
