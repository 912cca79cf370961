//! When somebody was entered: run time that goes on over restarts and over processes, survives kills, and has no down time.
//!
//! A *run* lasts as long as at least one live process is entered. Its words are in one of two places, `number & 1`:
//!
//! ```text
//! _run{run="0"|"1", field=…}   number     number, start_ns, before_ns, first_ns, check
//! _alive{run="0"|"1"}          time mark  the last sign of life of that run: from each process every 250 ms, and when it leaves
//! _sessions                    gauge      of each process that is entered: the number of the run
//! ```
//!
//! `before_ns` is the run time of all runs before, `first_ns` when the first of them began, `check` the hash of the other four.
//!
//! **In force** is the run with the greatest number whose check is right. Who enters and finds no live process in the run in force begins
//! the next one, in the other place: five words in any order, the check the last. Whoever dies in between leaves a place whose check is
//! wrong, and the run before stays in force; a reader that meets some of the words as they were and some as they will be takes the run
//! before, too, and needs no order. What that reader then sees of signs of life and sessions, is of that run: they bear its number.
//! So a reader never takes the down time between two runs for run time.
//!
//! **Run time** is `before_ns`, and from `start_ns` until the last sign of life; until now, if a live process is in the run. When all
//! are killed, at most 250 ms are missing. The clock is the wall clock as each process knew it when it entered, moved on by the monotonic
//! one, and that of the reader for no more than 5 s behind the last sign of life: so a step of the wall clock does no more.
//!
//! **A reset** at time r does not touch these words, so it need not be one with them: readers count from r on. If r is in the run in force
//! or after it, nothing before r counts, and the run began at r; if it is before its start, what the beginner stored as `before_ns`
//! and `first_ns` was computed by these rules.
//!
//! One at a time enters (`lock`). If the lock cannot be had, two may begin the same run: both store the same but for the moments.

use super::builder::Settings;
use super::names;
use crate::error::RegisterError;
use crate::instrument::{Number, TimeMark};
use crate::layout::Fnv;
use crate::segment::Segment;

/// So much after the last sign of life readers take for run time of a process that lives: what a step of the clock can do.
const LATEST_NS: u64 = 5_000_000_000;
/// The words of a run, in the order of [`Run::words`], the check behind them.
pub(super) const FIELDS: [&str; 5] = ["number", "start_ns", "before_ns", "first_ns", "check"];

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
}

impl Run {
    fn words(&self) -> [i64; 5] {
        let words = [
            self.number,
            self.start_ns as i64,
            self.before_ns as i64,
            self.first_ns as i64,
        ];
        let check = words
            .iter()
            .fold(Fnv::new(), |hash, word| hash.word(*word as u64));
        let [number, start, before, first] = words;
        [number, start, before, first, check.finish() as i64]
    }

    /// The run that these words say; `None` if they do not belong together.
    pub(super) fn of_words(words: [i64; 5]) -> Option<Run> {
        let run = Run {
            number: words[0],
            start_ns: words[1] as u64,
            before_ns: words[2] as u64,
            first_ns: words[3] as u64,
        };
        (run.number > 0 && run.words() == words).then_some(run)
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
    /// `run`: that in force. `alive_ns`: its last sign of life. `reset_ns`: when the figures were last reset, 0 = never.
    pub(super) fn new(run: Run, is_running: bool, alive_ns: u64, reset_ns: u64, now_ns: u64) -> Told {
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

    /// The run that begins now after this one.
    pub(super) fn next(&self, now_ns: u64) -> Run {
        Run {
            number: self.run.number.saturating_add(1),
            start_ns: now_ns,
            before_ns: self.runtime_ns,
            first_ns: self.first_ns.unwrap_or(now_ns),
        }
    }
}

/// Where runs are stored.
#[derive(Debug)]
pub(super) struct Series {
    words: [[Number; 5]; 2],
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
        let words = |run: &str| -> Result<[Number; 5], RegisterError> {
            let [number, start, before, first, check] = FIELDS;
            Ok([
                word(run, number)?,
                word(run, start)?,
                word(run, before)?,
                word(run, first)?,
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

    /// Somebody in the run lives.
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
        }
    }

    #[test]
    fn words_that_do_not_belong_together_are_no_run() {
        let (older, newer) = (run(3, 500, 40, 100), run(5, 900, 70, 100));
        assert_eq!(Run::of_words(newer.words()), Some(newer));
        assert_eq!(Run::of_words([0; 5]), None);
        // Whichever of the words are stored by now.
        for stored in 1..31u32 {
            let mixed = std::array::from_fn(|word| match stored >> word & 1 {
                1 => newer.words()[word],
                _ => older.words()[word],
            });
            let is_first_alone = mixed == newer.words() || mixed == older.words();
            assert_eq!(Run::of_words(mixed).is_some(), is_first_alone, "{stored:b}");
        }
    }

    #[test]
    fn down_time_is_no_run_time_and_a_reset_begins_anew() {
        let first = Told::new(Run::default(), false, 0, 0, 1000).next(1000);
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
        let second = Told::new(first, false, 1090, 0, 9000).next(9000);
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
        let third = Told::new(second, false, 9400, 9500, 9999).next(10_000);
        assert_eq!(third, run(3, 10_000, 0, 10_000));
        assert_eq!(
            told(third, true, 0, 9500, 10_001),
            (1, Some(10_000), Some(10_000), None)
        );
    }
}
