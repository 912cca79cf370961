//! Events: a ring of records with a single writer, which never waits; any number of readers, each with a position of its own.
//!
//! N records, N a power of two; event p (from 0 on) goes into record p mod N. The writer, p = position:
//!
//! ```text
//! B1  sequence.store(2p + 1, Relaxed); fence(Release)     event p has begun
//! B2  time, shape, writer, payload, relaxed
//! B3  sequence.store(2p + 2, Release)                     event p has landed: the commit point
//! B4  position.store(p + 1, Release)
//! ```
//!
//! A reader that has everything before c:
//!
//! ```text
//! O1  h = position; fence(Acquire); h + 1 if the sequence of record h is 2h + 2: that event has landed, and only B4 is missing
//! O2  c = max(c, h - N): what is older was overwritten (lapped). Nothing to do if c is h + 1
//! O3  for p in c .. h:  s = sequence; fence(Acquire); copy; fence(Acquire); sequence again. Event p, if both are 2p + 2
//! ```
//!
//! One attempt for each event: what was not taken was overtaken, is overwritten by now, and is counted as lost.
//!
//! **Claim 1.** What O3 takes is event p, whole. Its first load read B3 of p, so all of B2 of p is visible. Had a word of a later event
//! been copied, of p + N or more, B1's fence and the fence after the copy would show its sequence, which is greater than 2p + 2.
//!
//! **Claim 2.** An event below h is not yet overwritten, or lost for good, never still to come: O1 read B4 of h - 1 (or B3 of it), and
//! its fence makes B3 of every event before visible. So a reader that goes on at h gets each event once, in order, or counts it as lost,
//! and the two together are h - c. The next h is at least the last one's position, which was h - 1 if O1 looked at a record: so where a
//! reader goes on it may find itself one ahead of h, when that record holds a later event by then, and waits. More is damage.
//!
//! **Death** after B1, B2: event p did not happen. The next owner writes p again, with the same sequence: 2p + 2 was never stored, so no
//! reader took anything of it, and words of both are of one event for Claim 1, as the sequence is that of p from the first B1 on.
//! After B3: event p is there (O1), but position is p. The next owner must not write p a second time, which readers have already:
//! [`repair`] does B4 for the dead one, before anything else. A number is given to one event that landed, ever.

use crate::layout::events::*;
use crate::sync::{AtomicU64, Relaxed, Release, edge, fence_at, mutated};
use crate::words::ReadWords;

/// The sequence of the event with this number once it landed.
#[inline(always)]
const fn landed(position: u64) -> u64 {
    position.wrapping_mul(2).wrapping_add(2)
}

/// Writes an event; `fill` stores the words of the record that come after its sequence. Single writer. `position` is the position word
/// of the block, `record` the words of the record `shape.record(position)`.
#[inline(always)]
pub fn write_at(position: &AtomicU64, number: u64, record: &[AtomicU64], fill: impl FnOnce(&[AtomicU64])) {
    let [sequence, rest @ ..] = record else { return };
    sequence.store(landed(number).wrapping_sub(1), Relaxed);
    fence_at!("events.begin", Release);
    fill(rest);
    sequence.store(landed(number), edge!("events.landed", Release));
    position.store(number.wrapping_add(1), edge!("events.position", Release));
}

/// Writes an event into a block. As [`write_at`], for who has the whole block at hand.
pub fn write(block: &[AtomicU64], shape: &EventsShape, fill: impl FnOnce(&[AtomicU64])) {
    let number = block[EVENT_POSITION].load(Relaxed);
    let start = shape.record(number);
    if let Some(record) = block.get(start..start + shape.record_words()) {
        write_at(&block[EVENT_POSITION], number, record, fill);
    }
}

/// What the next owner does first: counts an event that landed just before its writer died. Says whether there was one.
pub fn repair(block: &[AtomicU64], shape: &EventsShape) -> bool {
    let number = block[EVENT_POSITION].load(Relaxed);
    let landed = block[shape.record(number)].load(Relaxed) == landed(number);
    if landed && !mutated!("events.no_repair") {
        block[EVENT_POSITION].store(number.wrapping_add(1), Release);
    }
    landed
}

/// How many events have landed (O1): those before it can be read, or were overwritten.
pub fn end(block: ReadWords<'_>, shape: &EventsShape) -> u64 {
    let number = block.load(EVENT_POSITION);
    fence_at!("events.o1", crate::sync::Acquire);
    let is_landed = block.load(shape.record(number)) == landed(number);
    number.wrapping_add(u64::from(is_landed))
}

/// Where a reader with everything before `from` goes on (O2), if `end` have landed: never before `from`, unless that is of nowhere, as of
/// a damaged file.
pub fn next(from: u64, end: u64) -> u64 {
    match from.checked_sub(end) {
        None => end,
        Some(0) => from,
        Some(1) if !mutated!("events.back") => from,
        Some(_) => end,
    }
}

/// The oldest event that such a reader may still find; not below [`next`] if there is none.
pub fn first(from: u64, end: u64, shape: &EventsShape) -> u64 {
    from.max(end.saturating_sub(shape.capacity()))
}

/// Reads the words of the event with this number that come after its sequence, as many as `into` has (O3). `false`: it is overwritten.
pub fn read(block: ReadWords<'_>, shape: &EventsShape, number: u64, into: &mut [u64]) -> bool {
    let start = shape.record(number);
    if block.load(start) != landed(number) {
        return false;
    }
    fence_at!("events.o3", crate::sync::Acquire);
    block.copy(start + 1, into);
    fence_at!("events.o3_end", crate::sync::Acquire);
    block.load(start) == landed(number) || mutated!("events.no_check")
}

#[cfg(all(test, not(shmetrics_loom)))]
mod tests {
    use super::*;

    fn block(shape: &EventsShape) -> Vec<AtomicU64> {
        (0..shape.words()).map(|_| AtomicU64::new(0)).collect()
    }

    fn event(block: &[AtomicU64], shape: &EventsShape, value: u64) {
        write(block, shape, |words| {
            words.iter().for_each(|word| word.store(value, Relaxed))
        });
    }

    /// What a reader gets that has everything before `from`; and where it goes on, and what it lost.
    fn all(block: &[AtomicU64], shape: &EventsShape, from: u64) -> (Vec<u64>, u64, u64) {
        let words = ReadWords::new(block);
        let end = end(words, shape);
        let mut into = vec![0; shape.record_words() - 1];
        let mut got = Vec::new();
        for number in first(from, end, shape)..end {
            if read(words, shape, number, &mut into) {
                got.push(into[0]);
            }
        }
        let next = next(from, end);
        let lost = next.saturating_sub(from) - got.len() as u64;
        (got, next, lost)
    }

    #[test]
    fn a_reader_gets_each_event_once_and_is_told_how_many_it_lost() {
        let shape = EventsShape::new(4, 64).unwrap();
        let block = block(&shape);
        assert_eq!(all(&block, &shape, 0), (vec![], 0, 0));
        (10..13).for_each(|value| event(&block, &shape, value));
        assert_eq!(all(&block, &shape, 0), (vec![10, 11, 12], 3, 0));
        assert_eq!(all(&block, &shape, 3), (vec![], 3, 0));
        (13..19).for_each(|value| event(&block, &shape, value));
        // Nine landed, four are left: of those after the third, two are gone.
        assert_eq!(all(&block, &shape, 3), (vec![15, 16, 17, 18], 9, 2));
        assert_eq!(all(&block, &shape, 8), (vec![18], 9, 0));
        // The position of one who saw an event land before it was counted; and one of nowhere.
        assert_eq!(all(&block, &shape, 10), (vec![], 10, 0));
        assert_eq!(all(&block, &shape, 99), (vec![], 9, 0));
    }

    /// After every single store of the writer, as if it had died there.
    #[test]
    fn a_writer_stopped_after_any_store_has_its_last_event_whole_or_not_at_all() {
        let shape = EventsShape::new(2, 64).unwrap();
        for before in 0..4u64 {
            for stores in 0..=10 {
                let block = block(&shape);
                (0..before).for_each(|value| event(&block, &shape, value));
                let start = shape.record(before);
                // B1, seven words of B2, B3, B4.
                for store in 0..stores {
                    match store {
                        0 => block[start].store(2 * before + 1, Relaxed),
                        8 => block[start].store(2 * before + 2, Relaxed),
                        9 => block[EVENT_POSITION].store(before + 1, Relaxed),
                        word => block[start + word].store(before, Relaxed),
                    }
                }
                let landed = before + u64::from(stores >= 9);
                let oldest = landed.saturating_sub(2).max(before.saturating_sub(2));
                let lost_by_writing = u64::from(stores > 0 && stores < 9 && before >= 2);
                let expected: Vec<u64> = (oldest + lost_by_writing..landed).collect();
                let (got, end, lost) = all(&block, &shape, 0);
                assert_eq!((got, end), (expected.clone(), landed), "{before} {stores}");
                assert_eq!(lost + expected.len() as u64, landed);

                assert_eq!(repair(&block, &shape), stores == 9);
                event(&block, &shape, 77);
                let (got, end, lost) = all(&block, &shape, landed);
                assert_eq!((got, end, lost), (vec![77], landed + 1, 0), "{before} {stores}");
            }
        }
    }
}
