//! The copies in a block: the latch (SPEC.md 10.12) and the ring (10.13).

use super::blocks::{ATTEMPTS, Block, Look};
use super::pass::Pass;
use super::states::{Bounds, check_extremes, check_float_sum, check_padding, check_touched};
use crate::layout::block::*;
use crate::sync::{Acquire, fence};

/// A copy as it was loaded: the words of a state, of which all may be anything.
struct Copy {
    /// First word of the state in the block.
    at: usize,
    words: Vec<u64>,
}

impl Copy {
    fn load(block: &Block<'_>, at: usize) -> Copy {
        let mut words = vec![0; block.series.shape.state_words()];
        block.words.copy(at, &mut words);
        Copy { at, words }
    }

    fn count(&self) -> u64 {
        self.words[STATE_COUNT]
    }

    /// Checks what it says by itself. `name` is its name, `rule` its section. `false` if no reader accepts it.
    fn check(&self, pass: &mut Pass<'_, '_>, block: &Block<'_>, rule: &'static str, name: &str) -> bool {
        let buckets = &self.words[STATE_HEADER_WORDS..];
        let bounds = Bounds {
            place: block.place,
            offset: block.offset(self.at + STATE_LOWEST),
            lowest: self.words[STATE_LOWEST],
            highest: self.words[STATE_HIGHEST],
            minimum: self.words[STATE_MINIMUM],
            maximum: self.words[STATE_MAXIMUM],
        };
        if !check_touched(pass, rule, &bounds, buckets) {
            return false;
        }
        let landed = buckets.iter().fold(0u64, |sum, bucket| sum.wrapping_add(*bucket));
        if landed != self.count() {
            let message = format!("{name} counts {}, its buckets hold {landed}", self.count());
            pass.error(rule, block.place, block.offset(self.at), message);
            return false;
        }
        check_extremes(pass, &bounds, block.series);
        let sum = block.offset(self.at + STATE_SUM);
        check_float_sum(pass, block.place, sum, block.series, self.words[STATE_SUM]);
        true
    }
}

/// The reserved word of a state, and what is between it and `end`.
fn check_reserved(pass: &mut Pass<'_, '_>, block: &Block<'_>, state: usize, end: usize) {
    let reserved = state + STATE_INVALID + 1;
    check_padding(pass, block.place, block.start, (reserved, reserved + 1));
    let padding = (state + block.series.shape.state_words(), end);
    check_padding(pass, block.place, block.start, padding);
}

/// Checks the sealed copies.
pub(super) fn latch(pass: &mut Pass<'_, '_>, block: &Block<'_>) -> Look {
    let (words, shape) = (block.words, &block.series.shape);
    for (copy, end) in [(0, shape.latch(1)), (1, shape.ring(0))] {
        check_reserved(pass, block, shape.latch(copy), end);
    }
    for attempt in 1..=ATTEMPTS {
        let version = words.load(LATCH_VERSION);
        fence(Acquire);
        let copy = Copy::load(block, shape.latch((version & 1) as usize));
        fence(Acquire);
        let begun = words.load(LATCH_BEGIN);
        fence(Acquire);
        let ahead = begun.wrapping_sub(version);
        if ahead > 1 {
            // Overtaken, unless the version is still that one.
            if words.load(LATCH_VERSION) == version && (block.is_quiet || attempt == ATTEMPTS) {
                let message =
                    format!("seal {begun} began, seal {version} ended; expected the same, or one more");
                pass.error("10.12", block.place, block.offset(LATCH_BEGIN), message);
                return Look::Damaged;
            }
            continue;
        }
        if version != 0 && copy.check(pass, block, "10.12", &format!("seal {version}")) {
            // After the copy: the count only grows.
            let count = words.load(COUNT);
            if copy.count() > count {
                let message = format!("seal {version} counts {}, the block {count}", copy.count());
                pass.error("10.12", block.place, block.offset(copy.at), message);
            }
        }
        return Look::Judged;
    }
    Look::Overtaken
}

/// A slot of the ring as it was loaded.
struct Slot {
    index: usize,
    label: u64,
    begun: u64,
    copy: Copy,
}

/// Checks the ring.
pub(super) fn ring(pass: &mut Pass<'_, '_>, block: &Block<'_>) -> Look {
    let (words, shape) = (block.words, &block.series.shape);
    if shape.ring_slots == 0 {
        return Look::Judged;
    }
    for slot in 0..shape.ring_slots {
        check_reserved(pass, block, shape.ring(slot) + RING_STATE, shape.ring(slot + 1));
    }
    for _ in 0..ATTEMPTS {
        let epoch = words.load(EPOCH);
        let rotations = words.load(ROTATIONS);
        fence(Acquire);
        let load = |index| {
            let at = shape.ring(index);
            Slot {
                index,
                label: words.load(at + RING_LABEL),
                begun: words.load(at + RING_BEGIN),
                copy: Copy::load(block, at + RING_STATE),
            }
        };
        let slots = (0..shape.ring_slots).map(load).collect();
        fence(Acquire);
        if words.load(ROTATIONS) == rotations {
            check_ring(pass, block, epoch, rotations, slots);
            return Look::Judged;
        }
    }
    Look::Overtaken
}

/// Of the slots only those count that a reader takes: label = begin, below the epoch. At most one is being overwritten, or was when
/// its writer died: its begin is another than its label, or its label is not below the epoch yet.
fn check_ring(pass: &mut Pass<'_, '_>, block: &Block<'_>, epoch: u64, rotations: u64, mut slots: Vec<Slot>) {
    let shape = &block.series.shape;
    let number = shape.ring_slots as u64;
    // From the oldest to the newest: the slot of rotation r is (r - 1) mod N, and the one after it is the oldest.
    slots.sort_by_key(|slot| (slot.index as u64 + number - rotations % number) % number);
    let at = |slot: &Slot| block.offset(shape.ring(slot.index));
    let is_taken = |slot: &Slot| slot.label != 0 && slot.label == slot.begun && slot.label < epoch;
    let is_unfinished = |slot: &Slot| {
        let is_empty = slot.label == 0 && slot.begun == 0;
        !is_taken(slot) && !is_empty
    };
    if block.is_quiet {
        let unfinished: Vec<&Slot> = slots.iter().filter(|slot| is_unfinished(slot)).collect();
        if let [first, second, ..] = unfinished[..] {
            let message = format!(
                "ring slots {} and {} are both unfinished; only one can be",
                first.index, second.index
            );
            pass.error("10.13", block.place, at(second), message);
        } else if let [one] = unfinished[..] {
            let message = format!(
                "ring slot {} is unfinished: its writer died in a rotation, the next one takes it again",
                one.index
            );
            pass.note("10.13", block.place, at(one), message);
        }
    }
    let mut before: Option<&Slot> = None;
    for slot in slots.iter().filter(|slot| is_taken(slot)) {
        let name = format!("the copy of epoch {}", slot.label);
        if !slot.copy.check(pass, block, "10.13", &name) {
            return;
        }
        if let Some(before) = before
            && (before.label >= slot.label || before.copy.count() > slot.copy.count())
        {
            let message = format!(
                "the copy of epoch {} counts {}, the older one of epoch {} counts {}; both ascend with rotations",
                slot.label,
                slot.copy.count(),
                before.label,
                before.copy.count()
            );
            pass.error("10.13", block.place, at(slot), message);
            return;
        }
        before = Some(slot);
    }
    fence(Acquire);
    let count = block.words.load(COUNT);
    if let Some(newest) = before.filter(|newest| newest.copy.count() > count) {
        let message = format!(
            "the copy of epoch {} counts {}, the block {count}",
            newest.label,
            newest.copy.count()
        );
        pass.error("10.13", block.place, at(newest), message);
    }
}
