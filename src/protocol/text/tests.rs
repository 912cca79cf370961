//! One writer at a time; what several do is for `tests/loom_text.rs`.

use super::*;

fn block(shape: TextShape) -> Vec<AtomicU64> {
    (0..shape.words()).map(|_| AtomicU64::new(0)).collect()
}

const SHAPE: TextShape = TextShape::DEFAULT;

fn put(block: &[AtomicU64], text: &str, me: u64, dead: &[u64]) -> SetText {
    let stored = TextToStore::new(text, SHAPE);
    set(
        block,
        SHAPE,
        &stored,
        (me, me * 10),
        |tag| dead.contains(&tag),
        || true,
    )
}

/// The text and its time.
fn shown(block: &[AtomicU64]) -> Option<(String, u64)> {
    let mut words = [0; MAX_TEXT_WORDS];
    let SeenText::Copied { content, set_ns } = read(ReadWords::new(block), SHAPE, &mut words) else {
        return None;
    };
    let mut text = String::new();
    parse(content, SHAPE, &words, &mut text).unwrap();
    Some((text, set_ns))
}

fn claims(block: &[AtomicU64]) -> Vec<u64> {
    let claim = |slot| block[SHAPE.slot(slot) + TEXT_CLAIM].load(Relaxed);
    (0..TEXT_SLOTS).map(claim).collect()
}

#[test]
fn a_text_replaces_another_and_can_be_deleted() {
    let block = block(SHAPE);
    assert_eq!(shown(&block), None);
    assert!(!delete(&block));
    for number in 1..20 {
        let text = "x".repeat(number * 12);
        assert_eq!(put(&block, &text, 1, &[]), SetText::Set);
        assert_eq!(shown(&block), Some((text.chars().take(224).collect(), 10)));
    }
    assert!(delete(&block));
    assert_eq!(shown(&block), None);
    assert!(!delete(&block));
    assert_eq!(put(&block, "", 2, &[]), SetText::Set);
    assert_eq!(shown(&block), Some((String::new(), 20)));
    assert_eq!(claims(&block), [0; TEXT_SLOTS]);
    assert_eq!(TextHead(block[TEXT_HEAD].load(Relaxed)).generation(), 21);
}

#[test]
fn slots_are_used_by_turns() {
    let block = block(SHAPE);
    for number in 0..2 * TEXT_SLOTS {
        put(&block, "x", 1, &[]);
        let head = TextHead(block[TEXT_HEAD].load(Relaxed));
        assert_eq!(head.slot(), Some(number % TEXT_SLOTS));
    }
}

#[test]
fn without_a_free_slot_those_of_the_dead_are_taken() {
    let block = block(SHAPE);
    put(&block, "first", 1, &[]);
    for slot in 1..TEXT_SLOTS {
        block[SHAPE.slot(slot) + TEXT_CLAIM].store(40 + slot as u64, Relaxed);
    }
    assert_eq!(put(&block, "second", 1, &[]), SetText::Refused);
    assert_eq!(block[TEXT_REFUSED].load(Relaxed), 1);
    assert_eq!(shown(&block).unwrap().0, "first");
    assert_eq!(put(&block, "second", 2, &[44]), SetText::Set);
    assert_eq!(shown(&block).unwrap().0, "second");
    assert_eq!(TextHead(block[TEXT_HEAD].load(Relaxed)).slot(), Some(4));
    assert_eq!(block[TEXT_REFUSED].load(Relaxed), 1);
}

/// A slot whose owner died after it had set the text is not taken while the text stands, and can be afterwards.
#[test]
fn what_the_dead_have_set_stands_until_it_is_replaced() {
    let block = block(SHAPE);
    put(&block, "of the dead", 7, &[]);
    block[SHAPE.slot(0) + TEXT_CLAIM].store(7, Relaxed);
    for slot in 2..TEXT_SLOTS {
        block[SHAPE.slot(slot) + TEXT_CLAIM].store(40 + slot as u64, Relaxed);
    }
    block[SHAPE.slot(1) + TEXT_CLAIM].store(8, Relaxed);
    assert_eq!(
        put(&block, "next", 1, &[7]),
        SetText::Refused,
        "slot 0 has the text"
    );
    assert_eq!(put(&block, "next", 1, &[7, 8]), SetText::Set);
    assert_eq!(shown(&block).unwrap().0, "next");
    assert_eq!(put(&block, "after it", 1, &[7]), SetText::Set);
    assert_eq!(TextHead(block[TEXT_HEAD].load(Relaxed)).slot(), Some(0));
}

#[test]
fn a_child_changes_nothing_that_is_its_parents() {
    let block = block(SHAPE);
    put(&block, "before", 1, &[]);
    let stored = TextToStore::new("of a child", SHAPE);
    assert_eq!(
        set(&block, SHAPE, &stored, (1, 1), |_| false, || false),
        SetText::Set
    );
    assert_eq!(
        claims(&block),
        [0; TEXT_SLOTS],
        "it was forked before it had a slot"
    );
    // Forked while it had one: right after it had it, before D4, and before D5, when the text is set.
    for (turns, text, claim) in [(1, "before", 1), (2, "before", 2), (3, "of a child", 3)] {
        let turn = core::cell::Cell::new(0);
        let is_own = || turn.replace(turn.get() + 1) < turns;
        assert_eq!(
            set(&block, SHAPE, &stored, (1, 1), |_| false, is_own),
            SetText::Set
        );
        assert_eq!(claims(&block).iter().sum::<u64>(), claim, "the parent has it");
        assert_eq!(shown(&block).unwrap().0, text);
    }
}

/// Whatever a damaged file says, nothing outside of the block is touched.
#[test]
fn damage_is_unreadable_and_the_next_text_mends_it() {
    let block = block(SHAPE);
    for head in [9, 0xff, u64::MAX] {
        block[TEXT_HEAD].store(head, Relaxed);
        let mut words = [0; MAX_TEXT_WORDS];
        assert_eq!(
            read(ReadWords::new(&block), SHAPE, &mut words),
            SeenText::Overtaken
        );
        put(&block, "new", 1, &[]);
        assert_eq!(shown(&block).unwrap().0, "new");
    }
    let slot = TextHead(block[TEXT_HEAD].load(Relaxed)).slot().unwrap();
    block[SHAPE.slot(slot) + TEXT_CONTENT].store(u64::MAX, Relaxed);
    let mut words = [0; MAX_TEXT_WORDS];
    let SeenText::Copied { content, .. } = read(ReadWords::new(&block), SHAPE, &mut words) else {
        panic!("it is the one that was set");
    };
    assert_eq!(parse(content, SHAPE, &words, &mut String::new()), None);
    assert_eq!(put(&[], "nowhere", 1, &[]), SetText::Refused);
}

/// Writers die after each of their steps, ten thousand of them; the text is always the last one that was set, and a slot is always found.
#[test]
fn ten_thousand_deaths_lose_no_slot() {
    let block = block(SHAPE);
    let mut last = None;
    for number in 1..=10_000u64 {
        let text = format!("text {number}");
        let stored = TextToStore::new(&text, SHAPE);
        let is_dead = &mut |tag: u64| tag < number;
        let (slot, seen) = take(&block, SHAPE, number, is_dead, &|| true).expect("a slot");
        let slot_words = &block[SHAPE.slot(slot)..SHAPE.slot(slot + 1)];
        let steps = number % 5;
        if steps > 0 {
            slot_words[TEXT_BEGIN].store(seen.next_generation(), Relaxed);
        }
        if steps > 1 {
            let words = slot_words[TEXT_START..].iter().zip(stored.words());
            words.for_each(|(word, value)| word.store(value, Relaxed));
        }
        if steps > 2 {
            slot_words[TEXT_SET_NS].store(number, Relaxed);
            slot_words[TEXT_CONTENT].store(stored.content(), Relaxed);
        }
        if steps > 3 {
            block[TEXT_HEAD].store(seen.with(slot).0, Relaxed);
            last = Some((text.clone(), number));
        }
        assert_eq!(shown(&block), last);
    }
    assert_eq!(block[TEXT_REFUSED].load(Relaxed), 0);
    assert!(
        claims(&block).iter().all(|claim| *claim != 0),
        "all slots are of the dead"
    );
}
