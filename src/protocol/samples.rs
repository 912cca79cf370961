//! The last samples of a series: a ring of entries with one writer, which never waits, and any number of readers.
//!
//! Recording the value v at time t, in a lane; n = `ended` + 1:
//!
//! ```text
//! K1  begun := n, relaxed; fence(Release)   the entry of sample n − entries is being overwritten
//! K2  time := t, value := v, relaxed        in the entry of n
//! K3  ended := n, Release                   the commit point
//! ```
//!
//! Reading: `e = ended; fence(Acquire); copy of the entries of samples e − shown + 1 to e; fence(Acquire); b = begun`. Sample n of
//! the copy is accepted iff b − n < entries.
//!
//! **Whole.** e was stored by K3 of sample e, so by the first fence all of K2 of samples up to e is visible: the copy of n has
//! words of K2 of n, or later ones of the same entry, which are of n + entries or more. If it has one of those, that sample's K1 came
//! before its fence and that before its K2, so by the second fence b is n + entries at least, and n is not accepted.
//!
//! **Enough.** There are more entries than samples shown. So a writer that stands still anywhere, or is dead, costs none: b is then
//! at most e + 1, and b − n < entries for all that are shown. One that goes on costs what it overwrites meanwhile: the copy is made
//! again, a bounded number of times, and what is missing then is counted.
//!
//! **Death** before K3: n was not recorded. The next owner of the lane records its first sample under the same number: `begun` is
//! stored again as it was, and is never lowered. Nobody shows that entry before its K3, whose release is after all its stores.
//! Nothing is repaired.
//!
//! In the shared lane (many writers):
//!
//! ```text
//! H1  n = begun.fetch_add(1) + 1, relaxed
//! H2  value.swap(v), relaxed                in the entry of n
//! H3  time.fetch_max(t), Release            time 0 = nothing there
//! H4  ended.fetch_add(1), relaxed           how many landed
//! ```
//!
//! Reading: all times, `fence(Acquire)`, all values. Each value is one that was recorded, as values are single words, and at least
//! as new as its time, by H3. Of two writers that are `entries` samples apart in one entry, the value of one may be told with the
//! time of the other. Nobody waits; one that dies leaves a value with an older time, or a whole sample.

use crate::layout::samples::*;
use crate::sync::{Acquire, AtomicU64, Relaxed, Release, edge, fence_at, mutated};
use crate::words::ReadWords;

/// A sample that was read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// When it was recorded.
    pub time_ns: u64,
    /// How many of the same lane came after it.
    pub back: u64,
    /// The bits of its value.
    pub value: u64,
}

/// What came of a read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Samples that were ever recorded here.
    pub count: u64,
    /// Samples that should be shown and were overwritten while they were read.
    pub overtaken: u64,
}

/// Records in a block that only this thread writes: K1 to K3.
#[inline(always)]
pub fn record(block: &[AtomicU64], shape: &SamplesShape, time_ns: u64, value: f64) {
    let number = block[SAMPLES_ENDED].load(Relaxed).wrapping_add(1);
    let entry = shape.entry(number);
    if mutated!("samples.k1_last") {
        block[entry + SAMPLE_TIME].store(time_ns, Relaxed);
        block[entry + SAMPLE_VALUE].store(value.to_bits(), Relaxed);
    }
    block[SAMPLES_BEGUN].store(number, Relaxed);
    fence_at!("samples.k1", Release);
    block[entry + SAMPLE_TIME].store(time_ns, Relaxed);
    block[entry + SAMPLE_VALUE].store(value.to_bits(), Relaxed);
    block[SAMPLES_ENDED].store(number, edge!("samples.k3", Release));
}

/// Reads what is to be shown of a lane's block: the newest last, by `each`. `scratch` is a copy of the entries.
pub fn read(
    block: ReadWords<'_>,
    shape: &SamplesShape,
    scratch: &mut Vec<u64>,
    mut each: impl FnMut(Sample),
) -> Read {
    let ended = block.load(SAMPLES_ENDED);
    fence_at!("samples.r1", Acquire);
    let shown = ended.min(shape.shown() as u64);
    scratch.clear();
    for back in (0..shown).rev() {
        let entry = shape.entry(ended - back);
        scratch.push(block.load(entry + SAMPLE_TIME));
        scratch.push(block.load(entry + SAMPLE_VALUE));
    }
    fence_at!("samples.r2", Acquire);
    let begun = block.load(SAMPLES_BEGUN);
    let entries = shape.entries() as u64;
    let mut overtaken = 0;
    for (back, copy) in (0..shown).rev().zip(scratch.chunks_exact(ENTRY_WORDS)) {
        let behind = begun.wrapping_sub(ended - back);
        let is_whole = behind < entries || (behind == entries && mutated!("samples.one_more"));
        if is_whole || mutated!("samples.unchecked") {
            each(Sample {
                time_ns: copy[SAMPLE_TIME],
                back,
                value: copy[SAMPLE_VALUE],
            });
        } else {
            overtaken += 1;
        }
    }
    Read {
        count: ended,
        overtaken,
    }
}

/// Records in the shared lane: H1 to H4.
pub fn record_shared(block: &[AtomicU64], shape: &SamplesShape, time_ns: u64, value: f64) {
    let (Some(begun), Some(ended)) = (block.get(SAMPLES_BEGUN), block.get(SAMPLES_ENDED)) else {
        return;
    };
    let number = begun.fetch_add(1, Relaxed).wrapping_add(1);
    if let Some(entry) = block
        .get(shape.entry(number)..)
        .and_then(|rest| rest.first_chunk::<ENTRY_WORDS>())
    {
        entry[SAMPLE_VALUE].swap(value.to_bits(), Relaxed);
        // 0 says that there is nothing.
        entry[SAMPLE_TIME].fetch_max(time_ns.max(1), edge!("samples.h3", Release));
    }
    ended.fetch_add(1, Relaxed);
}

/// Reads what is in the shared lane.
pub fn read_shared(
    block: ReadWords<'_>,
    shape: &SamplesShape,
    scratch: &mut Vec<u64>,
    mut each: impl FnMut(Sample),
) -> Read {
    let count = block.load(SAMPLES_ENDED);
    let begun = block.load(SAMPLES_BEGUN);
    let entries = shape.entries();
    scratch.clear();
    scratch.extend((0..entries).map(|at| block.load(ENTRIES + ENTRY_WORDS * at + SAMPLE_TIME)));
    fence_at!("samples.r3", Acquire);
    for (at, &time_ns) in scratch.iter().enumerate().filter(|(_, time_ns)| **time_ns != 0) {
        each(Sample {
            time_ns,
            // The entry of the last one that began is the newest.
            back: begun.wrapping_sub(1).wrapping_sub(at as u64) & (entries as u64 - 1),
            value: block.load(ENTRIES + ENTRY_WORDS * at + SAMPLE_VALUE),
        });
    }
    Read { count, overtaken: 0 }
}

#[cfg(all(test, not(shmetrics_loom)))]
mod tests {
    use super::*;

    fn block(shape: &SamplesShape) -> Vec<AtomicU64> {
        (0..shape.words()).map(|_| AtomicU64::new(0)).collect()
    }

    fn shown(block: &[AtomicU64], shape: &SamplesShape) -> (Vec<f64>, Read) {
        let (mut values, mut scratch) = (Vec::new(), Vec::new());
        let read = read(ReadWords::new(block), shape, &mut scratch, |sample| {
            assert_eq!(sample.time_ns, f64::from_bits(sample.value) as u64 * 10);
            values.push(f64::from_bits(sample.value));
        });
        (values, read)
    }

    #[test]
    fn the_last_samples_are_shown_from_the_first_on() {
        for most in [1, 2, 3, 100] {
            let shape = SamplesShape::new(most).unwrap();
            let block = block(&shape);
            for n in 1..=300u64 {
                record(&block, &shape, n * 10, n as f64);
                let (values, read) = shown(&block, &shape);
                let expected: Vec<f64> = (n.saturating_sub(most) + 1..=n).map(|n| n as f64).collect();
                assert_eq!((values, read.count, read.overtaken), (expected, n, 0));
            }
        }
    }

    #[test]
    fn a_writer_stopped_after_any_store_costs_no_sample_and_the_next_owner_goes_on() {
        let shape = SamplesShape::new(3).unwrap();
        for begun in [1, 3, 4, 9, 12] {
            // K1, and the two stores of K2, cut short after each.
            for stores in 1..=3 {
                let block = block(&shape);
                (1..begun).for_each(|n| record(&block, &shape, n * 10, n as f64));
                let entry = shape.entry(begun);
                let at = [SAMPLES_BEGUN, entry + SAMPLE_TIME, entry + SAMPLE_VALUE];
                for (word, value) in at.iter().zip([begun, 777, 777]).take(stores) {
                    block[*word].store(value, Relaxed);
                }
                let last = |n: u64| -> Vec<f64> { (n.saturating_sub(3) + 1..=n).map(|n| n as f64).collect() };
                let whole = |n: u64| {
                    (
                        last(n),
                        Read {
                            count: n,
                            overtaken: 0,
                        },
                    )
                };
                assert_eq!(shown(&block, &shape), whole(begun - 1));
                record(&block, &shape, begun * 10, begun as f64);
                assert_eq!(shown(&block, &shape), whole(begun));
            }
        }
    }

    #[test]
    fn what_is_overwritten_while_it_is_read_is_counted() {
        let shape = SamplesShape::new(3).unwrap();
        let block = block(&shape);
        (1..=6).for_each(|n| record(&block, &shape, n * 10, n as f64));
        // As if two more had begun than there is room beside what is shown.
        block[SAMPLES_BEGUN].store(4 + shape.entries() as u64 + 1, Relaxed);
        let (values, read) = shown(&block, &shape);
        assert_eq!((values, read.overtaken), (vec![6.0], 2));
    }

    #[test]
    fn the_shared_lane_keeps_the_last_ones_of_all() {
        let shape = SamplesShape::new(3).unwrap();
        let block = block(&shape);
        let seen = || {
            let (mut found, mut scratch) = (Vec::new(), Vec::new());
            let read = read_shared(ReadWords::new(&block), &shape, &mut scratch, |sample| {
                found.push((sample.back, f64::from_bits(sample.value)))
            });
            found.sort_by_key(|(back, _)| *back);
            (read.count, found)
        };
        assert_eq!(seen(), (0, vec![]));
        (1..=9).for_each(|n| record_shared(&block, &shape, n * 10, n as f64));
        let newest: Vec<(u64, f64)> = (0..4).map(|back| (back, (9 - back) as f64)).collect();
        assert_eq!(seen(), (9, newest));
    }
}
