//! A text that any number of processes, threads and signal handlers replace as a whole. One word, the *head*, says which of eight slots
//! has the text, and its *generation*: how often that changed.
//!
//! Setting, `me` being the own owner tag:
//!
//! ```text
//! D1  h = head; from the slot after h's on (without one, from slot generation mod 8), but not that one: claim 0 -> me (compare-and-swap,
//!     acquire)
//!     else, if head is not h any more: done
//!     else one of the dead: claim seen -> me; else refused += 1: done
//! D2  h = head; if it names the claimed slot: claim := 0 (read-modify-write, release), and D1 with the next slot
//!     begin := generation of h + 1; fence(Release)
//! D3  text, set at, content, relaxed
//! D4  head h -> (generation + 1, slot) (compare-and-swap, Release): the commit point
//! D5  claim := 0 (Release)
//! ```
//!
//! A failure of D4 is none: another text was set, or the text deleted, since D2, so during this call. It is as if this text had been set
//! right before, and been replaced. The same if D1 found nothing, and the head changed meanwhile. So nothing is tried again.
//!
//! Deleting: h = head; h -> (generation + 1, no slot), compare-and-swap. A failure is none, either.
//!
//! Reading: `h = head; fence(Acquire); content, set at, text; fence(Acquire); begin`, accepted if begin is the generation of h.
//!
//! **Who writes a slot has it alone**, by its claim, until D5, or dies. **The slot that has the text is not written**: whoever claims
//! slot i reads what D5 of its last writer stored, or what somebody who gave it back in D2 did, and so sees in D2 the head that this one stored in D4, or a
//! later one. If the head names i it gives i back; if not, it never will before its own D4, as nobody else has i. From the dead all
//! stores are visible to who found them dead (A-6), and a dead writer does not go on to D4.
//!
//! **An accepted text is whole.** D4 of generation g and slot i was by a writer whose begin was g, as it replaced the head it saw in D2.
//! So a reader of that head sees, by the Release and the first fence, at least its begin, text and content. If it saw a word of a later
//! writer of slot i, it sees, by the fences of D2 and after the copy, the begin of that one or of a later one. Each of these saw in D2 a
//! head of generation g or later, as above, and not g, as that names i; so its begin is at least g + 2.
//!
//! **A failed attempt** means that slot i was claimed anew during the copy: the search begins behind the present slot, so that normally seven
//! texts were set meanwhile. Readers try again; a reader is not held up for ever unless it is slower than that each time.
//!
//! **No slot is lost.** A slot that is claimed has an owner in D1 to D5. If it dies, anywhere, the slot is still claimed, and either has
//! the text, which then stands until it is replaced, or is there for whoever finds no free one. That the owner died after D4 needs no
//! telling: a claim says who writes, and only the head which slot has the text.
//!
//! **Death.** Before D4: nothing, the old text stands. After it: the new one does.
//!
//! **Children.** A handler may fork in the middle of this, and both return into it. A child is told so by `is_own` before it claims, after
//! that, before D4 and before D5, and leaves the rest to its parent. What it stores of D3 is what the parent stores, too. What is left: a
//! child that is stopped in D3 until its parent and eight others have set theirs spoils that text: it is unreadable, or, if the child stores all of
//! it, the older one again, until the next set. And one that is made between the question and the claim may win a slot under its parent's
//! tag, which is then lost until the parent ends. Nothing tells such a child from its parent.

use crate::layout::text::*;
use crate::sync::{Acquire, AtomicU64, Relaxed, Release, edge, fence_at, mutated};
use crate::words::ReadWords;

/// How often a reader tries. Each failure means that the text was replaced, normally seven times, during a copy.
const LOOKS: usize = if cfg!(shmetrics_loom) { 2 } else { 64 };

/// What became of a text that was to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetText {
    /// It was set; it may have been replaced since, or at once.
    Set,
    /// All slots are being written by others, so it was not, and this was counted.
    Refused,
}

fn head_of(block: &[AtomicU64]) -> TextHead {
    TextHead(block[TEXT_HEAD].load(Relaxed))
}

/// Sets the text. `me`: the owner tag of the caller. `is_dead` says whether nobody is alive behind a tag; it is asked only when there is
/// no free slot. `is_own`: is this still the process that began?
#[inline]
pub fn set(
    block: &[AtomicU64],
    shape: TextShape,
    text: &TextToStore<'_>,
    (me, now_ns): (u64, u64),
    mut is_dead: impl FnMut(u64) -> bool,
    is_own: impl Fn() -> bool,
) -> SetText {
    if block.len() < shape.words() {
        return SetText::Refused;
    }
    let (number, seen) = match take(block, shape, me, &mut is_dead, &is_own) {
        Ok(taken) => taken,
        Err(done) => return done,
    };
    let slot = &block[shape.slot(number)..shape.slot(number + 1)];
    slot[TEXT_BEGIN].store(seen.next_generation(), Relaxed);
    fence_at!("text.d2", Release);
    for (word, value) in slot[TEXT_START..].iter().zip(text.words()) {
        word.store(value, Relaxed);
    }
    slot[TEXT_SET_NS].store(now_ns, Relaxed);
    slot[TEXT_CONTENT].store(text.content(), Relaxed);
    if !is_own() {
        return SetText::Set;
    }
    let (mine, order) = (seen.with(number), edge!("text.d4", Release));
    if mutated!("text.replaces_unseen") {
        block[TEXT_HEAD].store(mine.0, Release);
    } else {
        let _ = block[TEXT_HEAD].compare_exchange(seen.0, mine.0, order, Relaxed);
    }
    if is_own() {
        slot[TEXT_CLAIM].store(0, edge!("text.d5", Release));
    }
    SetText::Set
}

/// D1, and the look at the head of D2: a slot of the own, and the head that does not name it. Else what came of it.
#[inline]
fn take(
    block: &[AtomicU64],
    shape: TextShape,
    me: u64,
    is_dead: &mut impl FnMut(u64) -> bool,
    is_own: &impl Fn() -> bool,
) -> Result<(usize, TextHead), SetText> {
    let before = head_of(block);
    // After a deletion, too, not the slot that a reader may be copying still.
    let first = before
        .slot()
        .map_or(before.generation() as usize % TEXT_SLOTS, |slot| slot + 1);
    for wants_dead in [false, true] {
        // Under load there is soon a free one: nobody is asked for then.
        if wants_dead && head_of(block) != before {
            return Err(SetText::Set);
        }
        for number in (first..first + TEXT_SLOTS).map(|number| number % TEXT_SLOTS) {
            if head_of(block).slot() == Some(number) {
                continue;
            }
            let claim = &block[shape.slot(number) + TEXT_CLAIM];
            let seen = claim.load(Relaxed);
            let is_there = match (wants_dead, seen) {
                (_, 0) => true,
                (false, _) => false,
                (true, _) => mutated!("text.takes_from_the_living") || is_dead(seen),
            };
            let order = edge!("text.d1", Acquire);
            if !is_there {
                continue;
            }
            if !is_own() {
                return Err(SetText::Set);
            }
            if claim.compare_exchange(seen, me, order, Relaxed).is_err() {
                continue;
            }
            let now = head_of(block);
            if !is_own() {
                return Err(SetText::Set);
            }
            if now.slot() != Some(number) || mutated!("text.takes_what_is_shown") {
                return Ok((number, now));
            }
            // Who claims it next sees the head that this one saw, also where its writer died before it could show it by D5.
            claim.swap(0, Release);
        }
    }
    block[TEXT_REFUSED].fetch_add(1, Relaxed);
    Err(SetText::Refused)
}

/// Deletes the text. `false`: there was none.
pub fn delete(block: &[AtomicU64]) -> bool {
    let Some(head) = block.get(TEXT_HEAD) else {
        return false;
    };
    let seen = TextHead(head.load(Relaxed));
    if seen.is_none() {
        return false;
    }
    let _ = head.compare_exchange(seen.0, seen.without().0, Relaxed, Relaxed);
    true
}

/// What a reader finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeenText {
    /// No text is set.
    None,
    /// A copy was accepted: its content word, and when it was set.
    Copied {
        /// Length, cut, check.
        content: u64,
        /// Wall clock, ns.
        set_ns: u64,
    },
    /// It was replaced too fast each time, or the block is damaged.
    Overtaken,
}

/// Copies the text into `into`, as many words as it has, and the rest as it was.
pub fn read(block: ReadWords<'_>, shape: TextShape, into: &mut [u64]) -> SeenText {
    for _ in 0..LOOKS {
        let head = TextHead(block.load(TEXT_HEAD));
        if head.is_none() {
            return SeenText::None;
        }
        let Some(number) = head.slot() else {
            return SeenText::Overtaken;
        };
        fence_at!("text.r1", Acquire);
        let slot = block.range(shape.slot(number), shape.slot_words());
        let content = slot.load(TEXT_CONTENT);
        let set_ns = slot.load(TEXT_SET_NS);
        let words = stored_length(content)
            .div_ceil(8)
            .min(shape.text_words())
            .min(into.len());
        slot.copy(TEXT_START, &mut into[..words]);
        fence_at!("text.r2", Acquire);
        if slot.load(TEXT_BEGIN) == head.generation() || mutated!("text.accepts_all") {
            return SeenText::Copied { content, set_ns };
        }
    }
    SeenText::Overtaken
}

#[cfg(all(test, not(shmetrics_loom)))]
mod tests;
