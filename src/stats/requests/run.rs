//! When somebody was entered: run time that goes on over restarts and over processes, survives kills, and has no down time.
//!
//! A *run* lasts as long as at least one live process is entered. Its words are in one of two places, `number & 1`:
//!
//! ```text
//! _run{run="0"|"1", field=…}   number     number, start_ns, before_ns, first_ns, ahead_ns, check
//! _alive{run="0"|"1"}          time mark  the last sign of life of that run: from each process every 250 ms, and when it leaves
//! _sessions                    gauge      of each process that is entered: the number of the run
//! ```
//!
//! `before_ns` is the run time of all runs before, `first_ns` when the first of them began, `check` the hash of the other five.
//!
//! **In force** is the run with the greatest number whose check is right. Who enters and finds no live process in the run in force begins
//! the next one, in the other place: six words in any order, the check the last. Whoever dies in between leaves a place whose check is
//! wrong, and the run before stays in force; a reader that meets some of the words as they were and some as they will be takes the run
//! before, too, and needs no order. What that reader then sees of signs of life and sessions, is of that run: they bear its number.
//! So a reader never takes the down time between two runs for run time.
//!
//! **Run time** is `before_ns`, and from `start_ns` until the last sign of life; until now, if a live process is in the run. When all
//! are killed, at most 250 ms are missing. The clock is the wall clock as each process knew it when it entered, moved on by the monotonic
//! one, and that of the reader for no more than 5 s behind the last sign of life: so a step of the wall clock does no more.
//!
//! **A clock that was set back**: a sign of life is the latest of its place, and one of a run before may be later than all that this run
//! will see. So signs of life are stored `ahead_ns` later than they are, which readers take off: as much as the latest of either place
//! was in the future when the run began. Who joins a run goes on from its last sign of life, if its own clock is behind that. Only a reset
//! of the whole segment in such a run forgets `ahead_ns`, and counts it as run time.
//!
//! **A reset** at time r does not touch these words, so it need not be one with them: readers count from r on. If r is in the run in force
//! or after it, nothing before r counts, and the run began at r; if it is before its start, what the beginner stored as `before_ns`
//! and `first_ns` was computed by these rules.
//!
//! One at a time enters (`lock`). If the lock cannot be had, two may begin the same run, and their words may be mixed, which is no run. So
//! who begins one reads it back, and stores it again if it is not in force: whoever stores last reads all of its own words.

use super::builder::Settings;
use super::names;
use crate::error::RegisterError;
use crate::instrument::{Number, TimeMark};
use crate::layout::Fnv;
use crate::segment::Segment;

/// So much after the last sign of life readers take for run time of a process that lives: what a step of the clock can do.
const LATEST_NS: u64 = 5_000_000_000;
/// How often a run is stored; each time another beginner must have been storing, too.
const ATTEMPTS: u32 = 16;
/// The words of a run, in the order of [`Run::words`], the check behind them.
pub(super) const FIELDS: [&str; WORDS] = ["number", "start_ns", "before_ns", "first_ns", "ahead_ns", "check"];
pub(super) const WORDS: usize = 6;

/// A run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Run {
    /// From 1; 0: there was none yet.
    pub(super) number: i64,
    /// When it began, nanoseconds since 1970.
    pub(super) start_ns: u64,
    /// The run time of those before it.
    pub(super) before_ns: u64,
    /// When the first one began.
    pub(super) first_ns: u64,
    /// Its signs of life are stored so much later than they are.
    pub(super) ahead_ns: u64,
}

impl Run {
    fn words(&self) -> [i64; WORDS] {
        let words = [
            self.number,
            self.start_ns as i64,
            self.before_ns as i64,
            self.first_ns as i64,
            self.ahead_ns as i64,
        ];
        let check = words
            .iter()
            .fold(Fnv::new(), |hash, word| hash.word(*word as u64));
        let [number, start, before, first, ahead] = words;
        [number, start, before, first, ahead, check.finish() as i64]
    }

    /// The run that these words say; `None` if they do not belong together.
    pub(super) fn of_words(words: [i64; WORDS]) -> Option<Run> {
        let run = Run {
            number: words[0],
            start_ns: words[1] as u64,
            before_ns: words[2] as u64,
            first_ns: words[3] as u64,
            ahead_ns: words[4] as u64,
        };
        (run.number > 0 && run.words() == words).then_some(run)
    }

    /// Stores it until it, or that of another beginner, is in force; returns which. `in_force` tells.
    pub(super) fn store_whole<E>(
        self,
        mut store: impl FnMut(&Run),
        mut in_force: impl FnMut() -> Result<Run, E>,
    ) -> Result<Run, E> {
        for _ in 0..ATTEMPTS {
            store(&self);
            let found = in_force()?;
            if found.number >= self.number {
                return Ok(found);
            }
        }
        // Its words do not arrive: this process cannot write here any more.
        Ok(self)
    }

    /// Which of the two places it is in.
    pub(super) fn place(&self) -> usize {
        (self.number & 1) as usize
    }
}

/// What readers tell of the runs of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// The run in force.
    pub(super) run: Run,
    /// Is a live process in it?
    pub(super) is_running: bool,
    /// Run time of all runs, nanoseconds.
    pub(super) runtime_ns: u64,
    /// When the first run began.
    pub(super) first_ns: Option<u64>,
    /// When the run in force began.
    pub(super) last_start_ns: Option<u64>,
    /// When it ended, if it did.
    pub(super) finished_ns: Option<u64>,
}

impl Told {
    /// `run`: that in force. `alive_ns`: its last sign of life, as it is stored. `reset_ns`: when the figures were last reset, 0 = never.
    pub(super) fn new(run: Run, is_running: bool, alive_ns: u64, reset_ns: u64, now_ns: u64) -> Told {
        let alive_ns = alive_ns.saturating_sub(run.ahead_ns);
        let last = match (is_running, alive_ns) {
            (true, 0) => now_ns,
            (true, _) => now_ns.clamp(alive_ns, alive_ns.saturating_add(LATEST_NS)),
            (false, _) => alive_ns,
        };
        let until = last.max(run.start_ns);
        let begun = run.start_ns.max(reset_ns);
        let is_before_reset = run.start_ns < reset_ns;
        let is_there = run.number > 0 && (!is_before_reset || until > reset_ns || is_running);
        if !is_there {
            return Told {
                run,
                is_running,
                ..Told::default()
            };
        }
        let before_ns = if is_before_reset { 0 } else { run.before_ns };
        Told {
            run,
            is_running,
            runtime_ns: before_ns.saturating_add(until.saturating_sub(begun)),
            first_ns: Some(if is_before_reset { begun } else { run.first_ns }),
            last_start_ns: Some(begun),
            finished_ns: (!is_running).then_some(until),
        }
    }

    /// The run that begins now after this one. `latest_ns`: the latest sign of life of either place.
    pub(super) fn next(&self, now_ns: u64, latest_ns: u64) -> Run {
        Run {
            number: self.run.number.saturating_add(1),
            start_ns: now_ns,
            before_ns: self.runtime_ns,
            first_ns: self.first_ns.unwrap_or(now_ns),
            ahead_ns: latest_ns.saturating_sub(now_ns),
        }
    }
}

/// Where runs are stored.
#[derive(Debug)]
pub(super) struct Series {
    words: [[Number; WORDS]; 2],
    alive: [TimeMark; 2],
}

impl Series {
    pub(super) fn register(segment: &Segment, settings: &Settings) -> Result<Series, RegisterError> {
        let word = |run: &str, field: &str| {
            segment
                .number(&settings.name(names::RUN))
                .help("When somebody was entered: see src/stats/requests/run.rs")
                .label(super::INSTANCE, &settings.instance)
                .label("run", run)
                .label("field", field)
                .register()
        };
        let words = |run: &str| -> Result<[Number; WORDS], RegisterError> {
            let [number, start, before, first, ahead, check] = FIELDS;
            Ok([
                word(run, number)?,
                word(run, start)?,
                word(run, before)?,
                word(run, first)?,
                word(run, ahead)?,
                word(run, check)?,
            ])
        };
        let alive = |run: &str| {
            segment
                .time_mark(&settings.name(names::ALIVE))
                .help("The last sign of life of somebody who is entered")
                .label(super::INSTANCE, &settings.instance)
                .label("run", run)
                .register()
        };
        Ok(Series {
            words: [words("0")?, words("1")?],
            alive: [alive("0")?, alive("1")?],
        })
    }

    /// Begins a run: it is in force once the last word is stored.
    pub(super) fn begin(&self, run: &Run) {
        for (number, word) in self.words[run.place()].iter().zip(run.words()) {
            number.set(word);
        }
    }

    /// Somebody in the run lives, at this time of its signs of life.
    pub(super) fn mark(&self, run: i64, now_ns: u64) {
        self.alive[(run & 1) as usize].mark_at_ns(now_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(number: i64, start_ns: u64, before_ns: u64, first_ns: u64) -> Run {
        Run {
            number,
            start_ns,
            before_ns,
            first_ns,
            ahead_ns: 0,
        }
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_run_time_and_a_reset_begins_anew_all_the_same() {
        const HOUR: u64 = 3_600_000_000_000;
        let latest = 5 * HOUR;
        // Two runs were there, the latest mark is in either place, and it is four o'clock again.
        for (number, before) in [(1, 0), (2, 70)] {
            let told = Told::new(run(number, latest - 100, before, 500), false, latest, 0, 4 * HOUR);
            let next = told.next(4 * HOUR, latest);
            let expected = Run {
                ahead_ns: HOUR,
                ..run(number + 1, 4 * HOUR, before + 100, 500)
            };
            assert_eq!(next, expected);
            assert_eq!(Run::of_words(next.words()), Some(next));
            let runtime = |alive, reset, now| Told::new(next, true, alive, reset, now).runtime_ns;
            // What its place still has of the run before last is not its own.
            assert_eq!(runtime(latest, 0, 4 * HOUR), before + 100);
            assert_eq!(runtime(latest + 30, 0, 4 * HOUR + 30), before + 130);
            assert_eq!(runtime(latest + 30, 4 * HOUR + 20, 4 * HOUR + 30), 10);
            let ended = Told::new(next, false, latest + 40, 0, 6 * HOUR);
            assert_eq!(
                (ended.runtime_ns, ended.finished_ns),
                (before + 140, Some(4 * HOUR + 40))
            );
            // Once the clock is where it was, nothing is ahead.
            assert_eq!(ended.next(6 * HOUR, latest + 40).ahead_ns, 0);
        }
    }

    #[test]
    fn words_that_do_not_belong_together_are_no_run() {
        let (older, newer) = (run(3, 500, 40, 100), run(5, 900, 70, 100));
        assert_eq!(Run::of_words(newer.words()), Some(newer));
        assert_eq!(Run::of_words([0; WORDS]), None);
        // Whichever of the words are stored by now.
        for stored in 1..(1u32 << WORDS) - 1 {
            let mixed = std::array::from_fn(|word| match stored >> word & 1 {
                1 => newer.words()[word],
                _ => older.words()[word],
            });
            let is_first_alone = mixed == newer.words() || mixed == older.words();
            assert_eq!(Run::of_words(mixed).is_some(), is_first_alone, "{stored:b}");
        }
    }

    #[test]
    fn of_two_who_begin_a_run_at_once_one_is_in_force() {
        let (older, own, other) = (run(4, 500, 40, 100), run(5, 900, 70, 100), run(5, 901, 71, 100));
        // The other one's last words come behind ours, so many times.
        for (times, expected) in [(0, own), (1, own), (ATTEMPTS - 1, own), (u32::MAX, own)] {
            let place = std::cell::Cell::new([0; WORDS]);
            let mut stored = 0;
            let store = |run: &Run| {
                let mut words = run.words();
                if stored < times {
                    words[3..].copy_from_slice(&other.words()[3..]);
                }
                stored += 1;
                place.set(words);
            };
            let in_force = || Ok::<_, ()>(Run::of_words(place.get()).unwrap_or(older));
            assert_eq!(own.store_whole(store, in_force), Ok(expected));
            assert_eq!(stored, times.saturating_add(1).min(ATTEMPTS));
        }
        // Or it was the last: then it is its run.
        assert_eq!(own.store_whole(|_| {}, || Ok::<_, ()>(other)), Ok(other));
        assert_eq!(own.store_whole(|_| {}, || Err(())), Err(()));
    }

    #[test]
    fn down_time_is_no_run_time_and_a_reset_begins_anew() {
        let first = Told::new(Run::default(), false, 0, 0, 1000).next(1000, 0);
        assert_eq!(first, run(1, 1000, 0, 1000));
        let told = |run, running, alive, reset, now| {
            let told = Told::new(run, running, alive, reset, now);
            (
                told.runtime_ns,
                told.first_ns,
                told.last_start_ns,
                told.finished_ns,
            )
        };
        assert_eq!(
            told(first, true, 1010, 0, 1100),
            (100, Some(1000), Some(1000), None)
        );
        // The reader's clock was moved on, or back.
        assert_eq!(told(first, true, 1010, 0, 1 << 60).0, 10 + LATEST_NS);
        assert_eq!(told(first, true, 1010, 0, 5).0, 10);
        // Killed: until the last sign of life.
        assert_eq!(
            told(first, false, 1090, 0, 9000),
            (90, Some(1000), Some(1000), Some(1090))
        );
        let second = Told::new(first, false, 1090, 0, 9000).next(9000, 1090);
        assert_eq!(second, run(2, 9000, 90, 1000));
        assert_eq!(
            told(second, true, 0, 0, 9010),
            (100, Some(1000), Some(9000), None)
        );
        assert_eq!(
            told(second, false, 0, 0, 9999),
            (90, Some(1000), Some(9000), Some(9000))
        );
        // Reset while it runs, and looked at later.
        assert_eq!(
            told(second, true, 0, 9500, 9510),
            (10, Some(9500), Some(9500), None)
        );
        assert_eq!(
            told(second, false, 9600, 9500, 9999),
            (100, Some(9500), Some(9500), Some(9600))
        );
        // Reset when nobody ran.
        assert_eq!(told(second, false, 9400, 9500, 9999), (0, None, None, None));
        let third = Told::new(second, false, 9400, 9500, 9999).next(10_000, 9400);
        assert_eq!(third, run(3, 10_000, 0, 10_000));
        assert_eq!(
            told(third, true, 0, 9500, 10_001),
            (1, Some(10_000), Some(10_000), None)
        );
    }
}
