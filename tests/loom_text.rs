//! Promise: a reader sees a text that was set, as a whole, or none; the text that is shown is never written; the generation never goes
//! back; a slot of the dead goes to one setter.
#![cfg(shmetrics_loom)]

mod loom_support;

use std::sync::Arc;

use loom::thread;
use loom_support::{Mutant, explore, words};
use shmetrics::layout::text::*;
use shmetrics::protocol::text::{SeenText, SetText, delete, read, set};
use shmetrics::sync::{AtomicU64, Relaxed};
use shmetrics::words::ReadWords;

/// Room for a text of one word.
fn shape() -> TextShape {
    TextShape::new(8).unwrap()
}

/// The tag of those who have all slots but the free ones.
const OTHERS: u64 = 9;

fn block(free: &[usize]) -> Arc<Vec<AtomicU64>> {
    let words = words(shape().words());
    for slot in (0..TEXT_SLOTS).filter(|slot| !free.contains(slot)) {
        words[shape().slot(slot) + TEXT_CLAIM].store(OTHERS, Relaxed);
    }
    Arc::new(words)
}

/// Text number n: its length, its only word and its time say which one it is.
fn text(n: u64) -> String {
    n.to_string().repeat(n as usize)
}

fn put_beside(block: &[AtomicU64], n: u64, is_dead: impl FnMut(u64) -> bool) -> SetText {
    let text = text(n);
    set(
        block,
        shape(),
        &TextToStore::new(&text, shape()),
        (n, n),
        is_dead,
        || true,
    )
}

fn put(block: &[AtomicU64], n: u64) -> SetText {
    put_beside(block, n, |_| false)
}

/// The number of the text that is shown, which must be whole; 0: none, or it was replaced each time.
fn shown(block: &[AtomicU64]) -> u64 {
    let mut words = [0; 1];
    match read(ReadWords::new(block), shape(), &mut words) {
        SeenText::Copied { content, set_ns } => {
            let mut found = String::new();
            let whole = parse(content, shape(), &words, &mut found);
            assert!(
                whole.is_some() && found == text(set_ns),
                "half a text: {found:?} {content:#x} of {set_ns}"
            );
            set_ns
        }
        SeenText::None | SeenText::Overtaken => 0,
    }
}

fn generation(block: &[AtomicU64]) -> u64 {
    TextHead(block[TEXT_HEAD].load(Relaxed)).generation()
}

/// Three texts by turns in two slots while a reader looks.
fn texts_and_a_reader() {
    explore(Some(0), || {
        let block = block(&[0, 1]);
        let reader = thread::spawn({
            let block = block.clone();
            move || {
                shown(&block);
            }
        });
        for n in 1..=3 {
            assert_eq!(put(&block, n), SetText::Set);
        }
        assert_eq!(shown(&block), 3);
        reader.join().unwrap();
    });
}

#[test]
fn a_reader_sees_whole_texts() {
    let _alone = loom_support::alone();
    texts_and_a_reader();
}

/// Two set it at once, with only the slots in `free` for them; one of them looks in between, and sets another.
fn two_setters(free: &'static [usize]) {
    explore(Some(3), move || {
        let block = block(free);
        assert_eq!(put(&block, 1), SetText::Set);
        let other = thread::spawn({
            let block = block.clone();
            move || put(&block, 2)
        });
        let mut last = generation(&block);
        let mut is_set = false;
        for n in [3, 4] {
            is_set |= put(&block, n) == SetText::Set;
            // The other one sets it once: too seldom to overtake a reader.
            assert!(shown(&block) > 0, "the text is not readable");
            let now = generation(&block);
            assert!(now >= last, "the generation went back from {last} to {now}");
            last = now;
        }
        is_set |= other.join().unwrap() == SetText::Set;
        let end = shown(&block);
        assert!(is_set && end > 1, "{end} at the end");
        assert!(generation(&block) >= last);
        for slot in free {
            assert_eq!(
                block[shape().slot(*slot) + TEXT_CLAIM].load(Relaxed),
                0,
                "a slot is lost"
            );
        }
    });
}

fn two_setters_with_room() {
    two_setters(&[0, 1, 2]);
}

fn two_setters_of_one_slot() {
    two_setters(&[0, 1]);
}

#[test]
fn of_two_that_set_it_one_is_the_last() {
    let _alone = loom_support::alone();
    two_setters_with_room();
    two_setters_of_one_slot();
}

/// It is deleted while another sets it.
fn a_setter_and_a_deleter() {
    explore(Some(3), || {
        let block = block(&[0, 1]);
        put(&block, 1);
        let other = thread::spawn({
            let block = block.clone();
            move || put(&block, 2)
        });
        assert!(delete(&block));
        assert!(matches!(shown(&block), 0 | 2), "it was deleted");
        assert_eq!(other.join().unwrap(), SetText::Set);
        assert!(matches!(shown(&block), 0 | 2));
    });
}

#[test]
fn what_was_deleted_is_not_shown_again() {
    let _alone = loom_support::alone();
    a_setter_and_a_deleter();
}

/// No slot is free; one is of the dead, and two want it.
fn heirs() {
    explore(Some(3), || {
        let block = block(&[0, 1]);
        put(&block, 1);
        block[shape().slot(1) + TEXT_CLAIM].store(7, Relaxed);
        let is_dead = |tag: u64| tag == 7;
        let other = thread::spawn({
            let block = block.clone();
            move || put_beside(&block, 2, is_dead)
        });
        let mine = put_beside(&block, 3, is_dead);
        shown(&block);
        let theirs = other.join().unwrap();
        let refused = block[TEXT_REFUSED].load(Relaxed);
        match (mine, theirs) {
            (SetText::Set, SetText::Set) => assert_eq!(refused, 0),
            (SetText::Refused, SetText::Refused) => panic!("the slot went to nobody"),
            _ => assert_eq!(refused, 1),
        }
        assert!(matches!(shown(&block), 2 | 3));
    });
}

#[test]
fn what_the_dead_left_goes_to_one_setter() {
    let _alone = loom_support::alone();
    heirs();
}

const MUTANTS: &[Mutant] = &[
    ("text.d1", two_setters_with_room),
    ("text.takes_what_is_shown", two_setters_with_room),
    ("text.takes_from_the_living", two_setters_of_one_slot),
    ("text.d2", texts_and_a_reader),
    ("text.d4", texts_and_a_reader),
    ("text.d5", two_setters_with_room),
    ("text.replaces_unseen", two_setters_with_room),
    ("text.r1", texts_and_a_reader),
    ("text.r2", texts_and_a_reader),
    ("text.accepts_all", texts_and_a_reader),
];

#[test]
fn every_mutant_is_caught() {
    loom_support::every_mutant_is_caught(MUTANTS);
}
