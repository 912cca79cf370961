//! The tally: what everybody notes of what was begun and done, in memory that outlives them (`storm/memory`). It knows nothing of
//! segments but their inodes, so the two can be compared.
//!
//! ```text
//! phase · counts of what happened · who shall leave · starts of workers · ids · eras[ inode · bases[MEASURES] · seats[ cells[MEASURES] ] ]
//! ```
//!
//! An *era* is one segment file, from its creation to the end of its last user: totals are per file. A *seat* is where one thread
//! notes. A worker's threads have one each, alone; the last seat of a worker is for its children, handlers and passing threads, who
//! may be many at a time. What is begun is noted before the operation, what is done after it. Seats are never emptied: whoever has one
//! next adds to what is there. A *base* is a total that was read when nobody was alive, so that what the dead left undecided
//! before does not blur what comes after.

use std::ops::Range;
use std::process::Stdio;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, fence};

use super::measure::MEASURES;
use crate::exit::{Failure, io_failure};
use crate::storm::memory::Memory;

const PHASE: usize = 0;
/// Values of gauges, handed out.
const RANK: usize = 1;
const COUNTS: usize = 16;
const LEAVE: usize = 80;
const STARTS: usize = LEAVE + MAX_WORKERS as usize;
/// Who it is, in which era, and what was done in its seats before.
const START_WORDS: usize = 2 + MEASURES;
/// The last ids that were used, by their low bits.
const IDS: usize = STARTS + MAX_WORKERS as usize * START_WORDS;
/// An id that is given again is found if fewer were used in between.
const ID_WORDS: usize = 1 << 16;
const ERAS: usize = IDS + ID_WORDS;

/// Workers at a time, at most; the range of the flag.
const MAX_WORKERS: u64 = 64;
/// Segments of one run, at most: then none is retired any more.
pub(super) const MAX_ERAS: usize = 1024;

const INODE: usize = 0;
const BASES: usize = 16;
const BASE_WORDS: usize = 4;
const SEATS: usize = BASES + BASE_WORDS * MEASURES;
/// Begun and done of each measure; whole lines, so that the notes of one thread do not slow another.
const SEAT_WORDS: usize = (2 * MEASURES).next_multiple_of(16);

/// What is counted over the whole run, beside the kinds of events. Numbers above theirs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Count {
    /// Children of any sort.
    Children = 32,
    /// Children that their worker killed.
    ChildrenKilled,
    /// Operations in signal handlers.
    Handled,
    Snapshots,
    /// Histograms that were not exact.
    Bounded,
    Verified,
    /// Most processor time of one snapshot, nanoseconds.
    Slowest,
    /// Processes that the segment had no room for.
    Refused,
    /// Moments in which nobody was alive, and everything was checked.
    Quiet,
}

/// Sizes that everybody must agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) workers: u64,
    pub(super) threads: u64,
}

impl Shape {
    fn seats(self) -> usize {
        (self.workers * (self.threads + 1)) as usize
    }

    fn era_words(self) -> usize {
        SEATS + SEAT_WORDS * self.seats()
    }

    fn words(self) -> u64 {
        (ERAS + MAX_ERAS * self.era_words()) as u64
    }
}

/// The words, mapped.
#[derive(Debug)]
pub(super) struct Tally {
    memory: Memory<AtomicU64>,
    shape: Shape,
}

impl Tally {
    pub(super) fn create(shape: Shape) -> Result<Tally, Failure> {
        let cure = "free memory, or ask for fewer workers";
        let memory = Memory::create("shmetrics-torture-tally", shape.words())
            .map_err(|error| io_failure("make the tally", &error, cure))?;
        Ok(Tally { memory, shape })
    }

    /// The one that this process was given.
    pub(super) fn of_worker(shape: Shape) -> Result<Tally, Failure> {
        let cure = "this command is started by `shmetrics torture` only";
        let memory =
            Memory::of_worker(shape.words()).map_err(|error| io_failure("map the tally", &error, cure))?;
        Ok(Tally { memory, shape })
    }

    pub(super) fn to_stdio(&self) -> Result<Stdio, Failure> {
        let cure = "raise the limit of open files (ulimit -n)";
        self.memory
            .to_stdio()
            .map_err(|error| io_failure("share the tally", &error, cure))
    }

    fn word(&self, index: usize) -> &AtomicU64 {
        &self.memory.all()[index]
    }

    /// Shall everybody end?
    pub(super) fn is_over(&self) -> bool {
        self.word(PHASE).load(Relaxed) != 0
    }

    pub(super) fn set_over(&self, over: bool) {
        self.word(PHASE).store(u64::from(over), Relaxed);
    }

    /// Shall this worker end?
    pub(super) fn must_leave(&self, slot: u64, worker: u64) -> bool {
        self.is_over() || self.word(LEAVE + slot as usize).load(Relaxed) == worker
    }

    pub(super) fn ask_to_leave(&self, slot: u64, worker: u64) {
        self.word(LEAVE + slot as usize).store(worker, Relaxed);
    }

    pub(super) fn count(&self, number: usize) -> &AtomicU64 {
        self.word(COUNTS + number)
    }

    /// A number greater than all before.
    pub(super) fn next_rank(&self) -> u64 {
        self.word(RANK).fetch_add(1, Relaxed) + 1
    }

    /// Notes that an id of this era is used; `false`: it was noted already.
    pub(super) fn use_id(&self, era: usize, id: u64) -> bool {
        // Eras have ids of their own.
        let note = id * MAX_ERAS as u64 + era as u64;
        self.word(IDS + id as usize % ID_WORDS).swap(note, AcqRel) != note
    }

    fn era_word(&self, era: usize, word: usize) -> &AtomicU64 {
        self.word(ERAS + era * self.shape.era_words() + word)
    }

    /// The era of this file; a new one if it is not known. `None` if there are too many.
    pub(super) fn era_of(&self, inode: u64) -> Option<usize> {
        (0..MAX_ERAS).find(|era| {
            let word = self.era_word(*era, INODE);
            let seen = match word.load(Acquire) {
                0 => word
                    .compare_exchange(0, inode, AcqRel, Acquire)
                    .map_or_else(|now| now, |_| inode),
                seen => seen,
            };
            seen == inode
        })
    }

    /// The inode of an era that has begun; 0 otherwise.
    pub(super) fn inode(&self, era: usize) -> u64 {
        self.era_word(era, INODE).load(Acquire)
    }

    /// The era is over: another file may have its inode.
    pub(super) fn close_era(&self, era: usize) {
        self.era_word(era, INODE).store(u64::MAX, Release);
    }

    /// To be called when nobody is alive.
    pub(super) fn set_base(&self, era: usize, between: &[(u64, u64); MEASURES]) {
        let (done, begun) = (self.done(era), self.begun(era));
        for (measure, (least, most)) in between.iter().enumerate() {
            let values = [*least, *most, done[measure], begun[measure]];
            for (word, value) in values.into_iter().enumerate() {
                self.base(era, measure, word).store(value, Relaxed);
            }
        }
    }

    fn base(&self, era: usize, measure: usize, word: usize) -> &AtomicU64 {
        self.era_word(era, BASES + measure * BASE_WORDS + word)
    }

    /// The least total there can be, from what was `done`.
    pub(super) fn least(&self, era: usize, measure: usize, done: u64) -> u64 {
        let word = |word| self.base(era, measure, word).load(Relaxed);
        word(0).wrapping_add(done.wrapping_sub(word(2)))
    }

    /// The greatest total there can be, from what was `begun`.
    pub(super) fn most(&self, era: usize, measure: usize, begun: u64) -> u64 {
        let word = |word| self.base(era, measure, word).load(Relaxed);
        word(1).wrapping_add(begun.wrapping_sub(word(3)))
    }

    /// What is done in an era, by measure. To be taken before a snapshot.
    pub(super) fn done(&self, era: usize) -> [u64; MEASURES] {
        self.sums(era, 1, |word| word.load(Acquire))
    }

    /// What is begun, by measure. To be taken after a snapshot: what that has seen of an operation, this has seen before.
    pub(super) fn begun(&self, era: usize) -> [u64; MEASURES] {
        fence(Acquire);
        self.sums(era, 0, |word| word.load(Relaxed))
    }

    fn sums(&self, era: usize, which: usize, load: impl Fn(&AtomicU64) -> u64) -> [u64; MEASURES] {
        self.sums_of(era, 0..self.shape.seats(), which, load)
    }

    fn sums_of(
        &self,
        era: usize,
        seats: Range<usize>,
        which: usize,
        load: impl Fn(&AtomicU64) -> u64,
    ) -> [u64; MEASURES] {
        let mut sums = [0u64; MEASURES];
        for seat in seats {
            for (measure, sum) in sums.iter_mut().enumerate() {
                let value = load(self.era_word(era, SEATS + seat * SEAT_WORDS + 2 * measure + which));
                *sum = if super::measure::is_maximum(measure) {
                    (*sum).max(value)
                } else {
                    sum.wrapping_add(value)
                };
            }
        }
        sums
    }

    fn seats_of(&self, slot: u64) -> Range<usize> {
        let seats = self.shape.threads as usize + 1;
        slot as usize * seats..(slot as usize + 1) * seats
    }

    fn start(&self, slot: u64, word: usize) -> &AtomicU64 {
        self.word(STARTS + slot as usize * START_WORDS + word)
    }

    /// To be called by a worker before it operates.
    pub(super) fn note_start(&self, era: usize, slot: u64, worker: u64) {
        self.start(slot, 0).store(0, Relaxed);
        fence(Release);
        self.start(slot, 1).store(era as u64, Relaxed);
        let done = self.sums_of(era, self.seats_of(slot), 1, |word| word.load(Acquire));
        for (measure, done) in done.into_iter().enumerate() {
            self.start(slot, 2 + measure).store(done, Relaxed);
        }
        self.start(slot, 0).store(worker, Release);
    }

    /// What a worker and its children can have done at most since it started; `None` if it is not known, or they are of another era. To
    /// be taken after a snapshot.
    pub(super) fn most_of_worker(&self, era: usize, worker: u64) -> Option<[u64; MEASURES]> {
        let is_here = |slot: &u64| self.start(*slot, 0).load(Acquire) == worker;
        let slot = (0..self.shape.workers).find(is_here)?;
        let before: [u64; MEASURES] =
            std::array::from_fn(|measure| self.start(slot, 2 + measure).load(Relaxed));
        let is_in_era = self.start(slot, 1).load(Relaxed) == era as u64;
        fence(Acquire);
        let begun = self.sums_of(era, self.seats_of(slot), 0, |word| word.load(Relaxed));
        let is_known = is_in_era && is_here(&slot);
        is_known.then(|| std::array::from_fn(|measure| begun[measure].wrapping_sub(before[measure])))
    }

    /// Where one notes: `thread` of the worker in `slot`; the last one for all who have none of their own.
    pub(super) fn seat(&self, era: usize, slot: u64, thread: u64) -> Seat<'_> {
        let seat = (slot * (self.shape.threads + 1) + thread) as usize;
        let start = ERAS + era * self.shape.era_words() + SEATS + seat * SEAT_WORDS;
        Seat {
            words: &self.memory.all()[start..start + SEAT_WORDS],
            alone: thread < self.shape.threads,
            era,
            number: seat as u64,
        }
    }
}

/// Where a thread notes what it begins and does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seat<'a> {
    words: &'a [AtomicU64],
    /// Nobody else stores here.
    pub(super) alone: bool,
    pub(super) era: usize,
    /// Among all seats of an era.
    pub(super) number: u64,
}

impl Seat<'_> {
    /// To be called before the operation, with by how much it raises which measure.
    #[inline(always)]
    pub(super) fn begin(&self, amounts: &[(usize, u64)]) {
        for (measure, amount) in amounts {
            self.raise(&self.words[2 * measure], *measure, *amount);
        }
        // Whoever sees anything of the operation sees that it began.
        fence(Release);
    }

    /// To be called after the operation. Whoever sees it sees all of the operation.
    #[inline(always)]
    pub(super) fn end(&self, amounts: &[(usize, u64)]) {
        fence(Release);
        for (measure, amount) in amounts {
            self.raise(&self.words[2 * measure + 1], *measure, *amount);
        }
    }

    #[inline(always)]
    fn raise(&self, word: &AtomicU64, measure: usize, amount: u64) {
        if super::measure::is_maximum(measure) {
            word.fetch_max(amount, Release);
        } else if self.alone {
            word.store(word.load(Relaxed).wrapping_add(amount), Release);
        } else {
            word.fetch_add(amount, Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eras_are_found_again_and_bases_take_the_doubt_away() {
        let tally = Tally::create(Shape {
            workers: 2,
            threads: 1,
        })
        .unwrap();
        assert_eq!(
            (tally.era_of(7), tally.era_of(9), tally.era_of(7)),
            (Some(0), Some(1), Some(0))
        );
        let (own, common) = (tally.seat(1, 1, 0), tally.seat(1, 1, 1));
        own.begin(&[(0, 5)]);
        own.end(&[(0, 5)]);
        common.begin(&[(0, 2)]);
        let bounds = || {
            let (done, begun) = (tally.done(1), tally.begun(1));
            (tally.least(1, 0, done[0]), tally.most(1, 0, begun[0]))
        };
        assert_eq!(bounds(), (5, 7));
        let mut totals = [(0, 0); MEASURES];
        totals[0] = (7, 7);
        tally.set_base(1, &totals);
        assert_eq!(bounds(), (7, 7));
        own.begin(&[(0, 1)]);
        assert_eq!(bounds(), (7, 8));
        assert_eq!(tally.done(0), [0; MEASURES]);
    }

    #[test]
    fn an_id_that_is_used_twice_is_found_and_eras_have_their_own() {
        let shape = Shape {
            workers: 1,
            threads: 1,
        };
        let tally = Tally::create(shape).unwrap();
        assert!((1..1000).all(|id| tally.use_id(0, id)) && !tally.use_id(0, 999));
        assert!(tally.use_id(1, 998) && !tally.use_id(1, 998));
    }
}
