//! Reading one block: which protocol is tried, how often, and what is kept.

use std::cell::Cell as Tally;

use crossbeam_utils::Backoff;

use crate::layout::block::{BlockShape, COUNT, LATCH_VERSION};
use crate::layout::group::{GROUP_LANDED, GroupShape};
use crate::protocol::group;
use crate::protocol::histogram::{State, read_live};
use crate::protocol::latch::{SEAL_INTERVAL, read_sealed};
use crate::protocol::ring::{NoState, read_state_at};
use crate::protocol::shared::{self, Difference};
use crate::words::ReadWords;

/// Live attempts before a histogram counts as hot.
const LIVE_ATTEMPTS: usize = 2;
/// Attempts at a latch, a ring or the shared lane.
const ATTEMPTS: usize = 4;
/// Attempts at a group whose writer is at work, if something of it is kept. It makes 15 updates or more in the time of a copy each time.
const GROUP_ATTEMPTS: usize = 64;
/// And if nothing is.
const FIRST_ATTEMPTS: usize = 16_384;

/// One block of a lane, as words.
#[derive(Clone, Copy)]
pub(super) struct Block<'a> {
    /// The block.
    pub(super) words: ReadWords<'a>,
    /// The incarnation of its lane.
    pub(super) incarnation: ReadWords<'a>,
    /// Its parts.
    pub(super) shape: &'a BlockShape,
    /// Attempts that were overtaken.
    pub(super) torn: &'a Tally<u64>,
}

/// One attempt more that was overtaken.
fn torn(tally: &Tally<u64>, backoff: &Backoff) {
    tally.set(tally.get() + 1);
    backoff.spin();
}

impl Block<'_> {
    /// The state after all records of epochs up to `at`; `None` if it is lost or was overtaken each time.
    pub(super) fn state_at(&self, at: u64, into: &mut State) -> Option<()> {
        let backoff = Backoff::new();
        for _ in 0..ATTEMPTS {
            match read_state_at(self.words, self.incarnation, self.shape, at, into) {
                Ok(()) => return Some(()),
                Err(NoState::Torn) => torn(self.torn, &backoff),
                Err(NoState::TooOld) => return None,
            }
        }
        None
    }
}

/// What was last read of one member in one lane.
#[derive(Debug, Default)]
pub(super) struct Cell {
    live: State,
    cut: State,
    /// Count of the last state at an epoch that was found: what a cut without one is measured from.
    cut_known: u64,
    hot: bool,
    /// The latest seal that was taken.
    version: u64,
}

/// Takes `attempt` over unless it has less. Returns by how much less.
fn accept(kept: &mut State, attempt: &mut State) -> u64 {
    if attempt.count < kept.count {
        return kept.count - attempt.count;
    }
    std::mem::swap(kept, attempt);
    0
}

fn copy(from: &State, into: &mut State) {
    into.buckets.clear();
    into.buckets.extend_from_slice(&from.buckets);
    (into.count, into.sum, into.first, into.end) = (from.count, from.sum, from.first, from.end);
    (into.minimum, into.maximum, into.invalid) = (from.minimum, from.maximum, from.invalid);
}

impl Cell {
    /// The state to show. Without a ring there is no cut state.
    pub(super) fn shown(&self, shape: &BlockShape, cut: bool) -> &State {
        if cut && shape.ring_slots > 0 {
            &self.cut
        } else {
            &self.live
        }
    }

    /// Reads the newest state. Returns by how much its count may be off.
    pub(super) fn read(&mut self, block: Block<'_>, scratch: &mut State) -> u64 {
        let mut latched = false;
        let begun = block.words.load(COUNT);
        if self.hot && block.words.load(LATCH_VERSION) != self.version {
            let before = block.words.load(COUNT);
            latched = self.read_latch(block, scratch);
            if latched {
                // A count that stood still means an idle writer: a live copy disturbs nobody and finds what the seal does not have.
                if block.words.load(COUNT) == before {
                    return self.read_live(block, scratch, 1).unwrap_or(0);
                }
                return 0;
            }
        }
        if let Some(less) = self.read_live(block, scratch, LIVE_ATTEMPTS) {
            return less;
        }
        self.hot = true;
        // Four failures are enough: the latch is damaged, or this thread is descheduled all the time.
        if !latched && self.read_latch(block, scratch) {
            return 0;
        }
        // Never sealed, and records begin all the time: what is kept is the state after some of them, less than an interval ago. A
        // count that stands still and yet disagrees with its buckets is damage.
        let is_moving = block.words.load(LATCH_VERSION) == 0 && block.words.load(COUNT) != begun;
        if is_moving && (self.live.count > 0 || self.read_first(block, scratch)) {
            return 0;
        }
        block.words.load(COUNT).saturating_sub(self.live.count).max(1)
    }

    /// One accepted copy. Returns by how much it has less than what is kept: only damage makes a count go down.
    fn read_live(&mut self, block: Block<'_>, scratch: &mut State, attempts: usize) -> Option<u64> {
        let backoff = Backoff::new();
        for _ in 0..attempts {
            if read_live(block.words, block.incarnation, block.shape, scratch).is_ok() {
                return Some(accept(&mut self.live, scratch));
            }
            torn(block.torn, &backoff);
        }
        None
    }

    /// The first state of all, of a histogram at full rate. A live copy fails only if a record begins meanwhile, so after at most an
    /// interval of failures there is a seal.
    fn read_first(&mut self, block: Block<'_>, scratch: &mut State) -> bool {
        (0..SEAL_INTERVAL).any(|_| {
            let sealed = block.words.load(LATCH_VERSION) != 0;
            sealed && self.read_latch(block, scratch) || self.read_live(block, scratch, 1).is_some()
        })
    }

    /// An older seal than the state kept leaves that as it is: it is the state after some records, so still exact.
    fn read_latch(&mut self, block: Block<'_>, scratch: &mut State) -> bool {
        let backoff = Backoff::new();
        for _ in 0..ATTEMPTS {
            match read_sealed(block.words, block.shape, scratch) {
                Ok(0) => return false,
                Ok(version) => {
                    self.version = version;
                    accept(&mut self.live, scratch);
                    return true;
                }
                Err(_) => torn(block.torn, &backoff),
            }
        }
        false
    }

    /// Reads the state after all records of epochs up to `at`. Returns by how much its count may be off.
    pub(super) fn read_cut(&mut self, block: Block<'_>, at: u64, scratch: &mut State) -> u64 {
        if block.shape.ring_slots == 0 {
            return self.read(block, scratch);
        }
        if block.state_at(at, scratch).is_some() {
            self.cut_known = scratch.count;
            return accept(&mut self.cut, scratch);
        }
        // The truth is between the last state at an epoch and what is there now.
        let error = self.read(block, scratch);
        let gained = self.live.count.saturating_sub(self.cut_known);
        if self.live.count > self.cut.count {
            copy(&self.live, &mut self.cut);
        }
        error.max(gained).max(1)
    }

    /// Reads the fields of a group, as buckets, and the number of its updates, as the last of them and as the count. Returns how many
    /// updates may be missing.
    pub(super) fn read_group(
        &mut self,
        words: ReadWords<'_>,
        shape: &GroupShape,
        tally: &Tally<u64>,
        scratch: &mut State,
    ) -> u64 {
        let backoff = Backoff::new();
        let first = words.load(GROUP_LANDED);
        let mut attempts = 0;
        loop {
            if let Some(less) =
                self.attempt_group(shape, scratch, |fields| group::read(words, shape, fields).ok())
            {
                return less;
            }
            torn(tally, &backoff);
            attempts += 1;
            let now = words.load(GROUP_LANDED);
            // At full rate, and held up each time: what is kept is the state after some updates. Where nothing is, it goes on trying. Of
            // a number that stands still and yet does not fit nothing more is to be had: that is damage.
            let (is_moving, is_kept) = (now != first, self.live.count > 0);
            if is_moving && is_kept && attempts >= GROUP_ATTEMPTS {
                return 0;
            }
            if !is_moving && attempts >= ATTEMPTS || attempts >= FIRST_ATTEMPTS {
                return now.saturating_sub(self.live.count).max(1);
            }
        }
    }

    /// The same of the shared lane. Returns how many updates may be there in part.
    pub(super) fn read_shared_group(
        &mut self,
        words: ReadWords<'_>,
        shape: &GroupShape,
        tally: &Tally<u64>,
        scratch: &mut State,
    ) -> u64 {
        let backoff = Backoff::new();
        for attempt in 1.. {
            let mut error = 0;
            let less = self.attempt_group(shape, scratch, |fields| {
                let (landed, Difference(difference)) = group::read_shared(words, fields);
                error = difference;
                (difference == 0 || attempt == ATTEMPTS).then_some(landed)
            });
            if let Some(less) = less {
                return error.max(less);
            }
            torn(tally, &backoff);
        }
        0
    }

    /// One attempt at a group, by `read`, which says how many updates it found.
    fn attempt_group(
        &mut self,
        shape: &GroupShape,
        scratch: &mut State,
        read: impl FnOnce(&mut [u64]) -> Option<u64>,
    ) -> Option<u64> {
        let fields = shape.fields();
        scratch.reset(fields + 1);
        scratch.end = fields + 1;
        let landed = read(&mut scratch.buckets[..fields])?;
        scratch.buckets[fields] = landed;
        scratch.count = landed;
        Some(accept(&mut self.live, scratch))
    }

    /// Reads the block of the shared lane. Returns by how much its count may be off.
    pub(super) fn read_shared(
        &mut self,
        words: ReadWords<'_>,
        shape: &BlockShape,
        tally: &Tally<u64>,
        scratch: &mut State,
    ) -> u64 {
        let backoff = Backoff::new();
        let mut error = 0;
        for _ in 0..ATTEMPTS {
            let Difference(difference) = shared::read(words, shape, scratch);
            error = difference;
            if error == 0 {
                break;
            }
            torn(tally, &backoff);
        }
        error.max(accept(&mut self.live, scratch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::histogram::{IntegerSum, Observation, record};
    use crate::protocol::latch::seal;
    use crate::sync::{AtomicU64, Relaxed};

    #[test]
    fn a_histogram_read_from_its_latch_is_remembered_as_hot() {
        let shape = BlockShape::new(4, 0);
        let words: Vec<_> = (0..shape.words()).map(|_| AtomicU64::new(0)).collect();
        let incarnation = [AtomicU64::new(1)];
        let torn = Tally::new(0);
        let block = Block {
            words: ReadWords::new(&words),
            incarnation: ReadWords::new(&incarnation),
            shape: &shape,
            torn: &torn,
        };
        let (mut cell, mut scratch) = (Cell::default(), State::default());
        record::<IntegerSum>(
            &words,
            4,
            Observation {
                index: 1,
                value: 1,
                key: 1,
            },
        );
        assert!(seal(&words, &shape));
        assert_eq!(
            (cell.read(block, &mut scratch), cell.hot, cell.version),
            (0, false, 0)
        );
        // As if records began during every live copy.
        words[COUNT].store(9, Relaxed);
        assert_eq!(
            (cell.read(block, &mut scratch), cell.hot, cell.version),
            (0, true, 1)
        );
        assert_eq!(torn.get(), LIVE_ATTEMPTS as u64);
        words[COUNT].store(1, Relaxed);
        assert!(seal(&words, &shape));
        assert_eq!(
            (cell.read(block, &mut scratch), cell.hot, cell.version),
            (0, true, 2)
        );
    }
}
