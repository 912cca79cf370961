//! One writer at a time; what several do is for `tests/loom_in_flight.rs`.

use super::*;

const SHAPE: InFlightShape = match InFlightShape::unpack(0) {
    Some(shape) => shape,
    None => panic!(),
};

fn block() -> Vec<AtomicU64> {
    (0..SHAPE.words()).map(|_| AtomicU64::new(0)).collect()
}

fn start(block: &[AtomicU64], key: &str, slot: u64, now_us: u64) -> Option<Held> {
    start_beside(block, key, slot, now_us, |_| false)
}

fn start_beside(
    block: &[AtomicU64],
    key: &str,
    slot: u64,
    now_us: u64,
    is_dead: impl FnMut(Claim) -> bool,
) -> Option<Held> {
    let key = KeyText::new(key);
    super::start(block, SHAPE, &key, Claim::new(key.hash, slot, 1), now_us, is_dead)
}

/// Key, runs, slot and start of every entry.
fn all(block: &[AtomicU64]) -> Vec<(String, u64, Option<u64>, Option<u64>)> {
    let words = ReadWords::new(block);
    let entry = |entry| {
        let seen = read(words, SHAPE, 0, entry, |_| true)?;
        let key = seen.key.map_or("?".to_owned(), |key| key.text().to_owned());
        Some((key, seen.claim.runs(), seen.claim.slot(9), seen.started_us))
    };
    (0..ENTRIES).filter_map(entry).collect()
}

#[test]
fn a_key_is_started_again_by_whoever_does_and_ended_by_the_last() {
    let block = block();
    let first = start(&block, "a", 0, 10).unwrap();
    assert_eq!(all(&block), [("a".into(), 1, Some(0), Some(10))]);
    let second = start(&block, "a", 1, 20).unwrap();
    assert_eq!((first.claim.runs(), second.claim.runs()), (1, 2));
    assert!(!end(&block, first, End::Finish), "somebody else runs it");
    assert_eq!(all(&block), [("a".into(), 2, Some(1), Some(20))]);
    assert!(end(&block, second, End::Park));
    assert_eq!(all(&block)[0].1, 2, "parked");
    let third = start(&block, "a", 0, 30).unwrap();
    assert_eq!(third.claim.runs(), 3);
    assert!(end(&block, third, End::Defer));
    assert_eq!(
        start(&block, "a", 0, 40).unwrap().claim.runs(),
        3,
        "the third did not count"
    );
    assert_eq!(
        end_key(&block, SHAPE, key_hash(b"a"), End::Finish),
        Some((3, Some(40)))
    );
    assert_eq!(end_key(&block, SHAPE, key_hash(b"a"), End::Finish), None);
    assert_eq!(all(&block), []);
    let again = start(&block, "a", 0, 50).unwrap();
    assert_eq!(again.claim.runs(), 1);
    assert!(
        end(&block, again, End::Defer),
        "a first start that does not count leaves nothing"
    );
    assert_eq!(all(&block), []);
}

#[test]
fn a_full_bucket_forgets_the_dead_then_the_oldest_that_is_parked_and_then_counts() {
    let block = block();
    let held: Vec<_> = (0..8u64)
        .map(|key| start(&block, &key.to_string(), key, 100 - key).unwrap())
        .collect();
    assert_eq!(start(&block, "one more", 0, 1), None);
    assert_eq!(
        (block[OVERFLOW].load(Relaxed), block[FORGOTTEN].load(Relaxed)),
        (1, 0)
    );
    // Known ones are found all the same.
    assert_eq!(start(&block, "3", 0, 2).unwrap().claim.runs(), 2);
    assert!(end(&block, held[1], End::Park) && end(&block, held[5], End::Park));
    assert!(start_beside(&block, "x", 0, 3, |claim| claim.slot(9) == Some(7)).is_some());
    assert!(all(&block).iter().all(|(key, ..)| key != "7"), "the dead one's");
    assert!(start(&block, "y", 0, 4).is_some());
    assert!(
        all(&block).iter().all(|(key, ..)| key != "5"),
        "the oldest that is parked"
    );
    assert!(start(&block, "z", 0, 5).is_some());
    assert_eq!(start(&block, "w", 0, 6), None);
    assert_eq!(
        (block[OVERFLOW].load(Relaxed), block[FORGOTTEN].load(Relaxed)),
        (2, 3)
    );
}

#[test]
fn a_starter_stopped_after_any_store_leaves_what_the_next_start_goes_on_from() {
    let key = KeyText::new("a key of more than one word");
    let claim = Claim::new(key.hash, 3, 1);
    let (starts, text) = (SHAPE.starts(0), SHAPE.text(0, 0));
    // The stores of F1, F4 and F5, in their order, cut short after each.
    let mut stores = vec![
        (SHAPE.claims(0), claim.0),
        (starts, claim.start_word(7)),
        (text, key.word()),
    ];
    stores.extend((text + 1..).zip(key.words()));
    stores.push((SHAPE.claims(0), claim.settled().0));
    for count in 1..=stores.len() {
        let block = block();
        for (word, value) in &stores[..count] {
            block[*word].store(*value, Relaxed);
        }
        let is_settled = count == stores.len();
        let seen = read(ReadWords::new(&block), SHAPE, 0, 0, |_| true).unwrap();
        assert_eq!((seen.claim.slot(9), seen.claim.runs()), (Some(3), 1));
        assert_eq!(seen.started_us, is_settled.then_some(7));
        assert_eq!(seen.key.is_some(), is_settled);
        let next = super::start(&block, SHAPE, &key, Claim::new(key.hash, 4, 1), 9, |_| {
            panic!("not full")
        });
        assert_eq!(next.unwrap().claim.runs(), 2);
        // The stopped one goes on.
        store(&block, SHAPE, (0, 0), claim, &key, 7);
        let seen = read(ReadWords::new(&block), SHAPE, 0, 0, |_| true).unwrap();
        assert_eq!((seen.claim.slot(9), seen.claim.runs()), (Some(4), 2));
        assert_eq!(seen.started_us, Some(9));
        assert_eq!(seen.key.unwrap().text(), "a key of more than one word");
    }
}

#[test]
fn two_entries_of_one_key_become_the_first_of_them() {
    let block = block();
    let key = KeyText::new("a");
    let put = |entry: usize, slot, runs| {
        let claim = Claim::new(key.hash, slot, 1).with_runs(runs).settled();
        block[SHAPE.claims(0) + entry].store(claim.0, Relaxed);
    };
    put(2, 5, 3);
    put(6, 6, 4);
    assert_eq!(start(&block, "a", 1, 10).unwrap().claim.runs(), 8);
    assert_eq!(all(&block), [("a".into(), 8, Some(1), Some(10))]);
    // As the later one finds it.
    let claims = claims(&block, SHAPE, 0);
    let later = Claim::new(key.hash, 2, 1).with_runs(2);
    claims[7].store(later.0, Relaxed);
    assert!(matches!(merge(claims, 7, later), Merged::Moved(1)));
    assert_eq!(all(&block).len(), 1);
}
