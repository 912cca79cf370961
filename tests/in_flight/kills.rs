//! Workers that are killed while they start and end keys, at moments that are told and at any.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use shmetrics::{Reader, Segment, Snapshot};

use super::support::*;
use super::{in_flight, keys};

/// Keys of the storm, so many that buckets have several and none is full.
const KEYS: usize = 64;
const WORKERS: usize = 4;
/// Of each worker: how far it is with its orders, and what it was told of the last one.
const ORDER: usize = 0;
const DONE: usize = 1;
const TOLD: usize = 2;
const WORDS: usize = 3;

/// What a worker is told to do: start, park, defer, finish a key, by its token or by the key.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Order {
    Start(usize),
    Park(usize),
    Defer(usize),
    Finish(usize),
    FinishKey(usize),
}

impl Order {
    fn pack(self) -> u64 {
        let (what, key) = match self {
            Order::Start(key) => (0, key),
            Order::Park(key) => (1, key),
            Order::Defer(key) => (2, key),
            Order::Finish(key) => (3, key),
            Order::FinishKey(key) => (4, key),
        };
        what << 32 | key as u64
    }
}

fn key_name(key: usize) -> String {
    format!("https://example.org/page/{key}")
}

/// A worker that does what it is told until it is killed. An order is a number that ascends, with what to do in its low half.
fn worker(path: &PathBuf, orders: &SharedWords, number: usize) -> i32 {
    let segment = Segment::options()
        .role(format!("worker-{number}"))
        .open_at(path)
        .unwrap();
    let requests = segment.in_flight("requests").register().unwrap();
    let mut tokens: BTreeMap<usize, _> = BTreeMap::new();
    let word = |which: usize| orders.word(WORDS * number + which);
    let mut done = word(DONE).load(Acquire);
    loop {
        let order = poll("an order", || {
            let order = word(ORDER).load(Acquire);
            (order >> 40 != done).then_some(order)
        });
        let (what, key) = (order >> 32 & 0xff, (order & 0xffff_ffff) as usize);
        let told = match what {
            0 => {
                let token = requests.start(&key_name(key));
                let runs = token.runs();
                tokens.insert(key, token);
                runs
            }
            1 => u64::from(
                tokens
                    .remove(&key)
                    .is_some_and(|token| requests.retry_later(token)),
            ),
            2 => u64::from(tokens.remove(&key).is_some_and(|token| requests.defer(token))),
            3 => u64::from(tokens.remove(&key).is_some_and(|token| requests.finish(token))),
            _ => requests.finish_key(&key_name(key)).map_or(0, |ended| ended.runs),
        };
        word(TOLD).store(told, Relaxed);
        done = order >> 40;
        word(DONE).store(done, Release);
    }
}

/// What must be: of each key its runs and who works on it; whose token it is.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    runs: u64,
    owner: Option<usize>,
}

#[test]
fn killed_workers_are_no_longer_in_flight_and_their_keys_are_retries() {
    let _alone = alone();
    let scratch = Scratch::new("in-flight-kills");
    let path = scratch.path("segment");
    let _segment = Segment::options().open_or_create_at(&path).unwrap();
    let requests = _segment.in_flight("requests").register().unwrap();
    let orders = SharedWords::open(&scratch.path("orders"), WORDS * WORKERS);
    let spawn = |number: usize| fork(|| worker(&path, &orders, number));
    let mut pids: Vec<_> = (0..WORKERS).map(spawn).collect();
    let mut known = [Known::default(); KEYS];
    // Tokens that a worker still has: the run that it was told.
    let mut tokens: Vec<BTreeMap<usize, u64>> = vec![BTreeMap::new(); WORKERS];
    let mut reader = Reader::open_path(&path).unwrap();
    reader.in_flight_entries(KEYS);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut draw = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 11) as usize % below
    };
    let mut number = 0;
    for round in 0..1500 {
        let (who, key) = (draw(WORKERS), draw(KEYS));
        if round % 50 == 49 {
            // Killed, whatever it holds; another takes its place and, most likely, its slot.
            // SAFETY: a child of this test that it has not waited for.
            unsafe { libc::kill(pids[who], libc::SIGKILL) };
            wait(pids[who]);
            tokens[who].clear();
            known
                .iter_mut()
                .filter(|known| known.owner == Some(who))
                .for_each(|known| known.owner = None);
            let there = take(&mut reader);
            check(&there, &known);
            pids[who] = spawn(who);
            continue;
        }
        let order = match draw(8) {
            _ if !tokens[who].contains_key(&key) => match draw(12) {
                0 => Order::FinishKey(key),
                _ => Order::Start(key),
            },
            0 => Order::Start(key),
            1 | 2 => Order::Park(key),
            3 => Order::Defer(key),
            4 => Order::FinishKey(key),
            _ => Order::Finish(key),
        };
        number += 1;
        let word = |which: usize| orders.word(WORDS * who + which);
        // Numbers go on over the workers of one place, and fit above what is to be done.
        let next = (word(DONE).load(Acquire) + 1) & 0xff_ffff;
        word(ORDER).store(next << 40 | order.pack(), Release);
        poll("the order is done", || {
            (word(DONE).load(Acquire) == next).then_some(())
        });
        let told = word(TOLD).load(Relaxed);
        let held = &mut known[key];
        let is_its = held.owner == Some(who) && tokens[who].get(&key) == Some(&held.runs);
        match order {
            Order::Start(_) => {
                *held = Known {
                    runs: held.runs + 1,
                    owner: Some(who),
                };
                assert_eq!(told, held.runs, "{order:?} by {who}, order {number}");
                tokens[who].insert(key, told);
                continue;
            }
            Order::FinishKey(_) => {
                assert_eq!(told, held.runs, "{order:?} by {who}, order {number}");
                *held = Known::default();
                continue;
            }
            Order::Park(_) if is_its => held.owner = None,
            Order::Defer(_) if is_its => {
                *held = Known {
                    runs: held.runs - 1,
                    owner: None,
                }
            }
            Order::Finish(_) if is_its => *held = Known::default(),
            _ => {}
        }
        assert_eq!(
            told,
            u64::from(is_its),
            "{order:?} by {who}, order {number}: {held:?}"
        );
        tokens[who].remove(&key);
    }
    let there = take(&mut reader);
    check(&there, &known);
    let found = in_flight(&there);
    assert_eq!((found.overflow, found.forgotten), (0, 0));
    for pid in pids {
        // SAFETY: as above.
        unsafe { libc::kill(pid, libc::SIGKILL) };
        wait(pid);
    }
    assert_eq!(in_flight(&take(&mut reader)).number, 0, "nobody lives");
    // What the dead worked on, and what was parked, is a retry for whoever starts it.
    for (key, known) in known.iter().enumerate() {
        let token = requests.start(&key_name(key));
        assert_eq!(token.runs(), known.runs + 1, "{}", key_name(key));
        assert!(requests.finish(token));
    }
    assert_eq!(in_flight(&take(&mut reader)).parked, 0);
}

fn take(reader: &mut Reader) -> Snapshot {
    reader.refresh_owners().unwrap();
    reader.snapshot().unwrap()
}

#[track_caller]
fn check(snapshot: &Snapshot, known: &[Known]) {
    let found = in_flight(snapshot);
    let working = known
        .iter()
        .enumerate()
        .filter(|(_, known)| known.owner.is_some());
    let expected: BTreeMap<_, _> = working.map(|(key, known)| (key_name(key), known.runs)).collect();
    assert_eq!(keys(&found), expected);
    assert_eq!(found.number as usize, expected.len());
    assert_eq!((found.unknown_ages, found.entries.len()), (0, expected.len()));
    assert!(
        found.oldest_us.is_none() == expected.is_empty()
            && found.age_us >= found.oldest_us.unwrap_or(0).into()
    );
    let parked = known
        .iter()
        .filter(|known| known.owner.is_none() && known.runs > 0)
        .count() as u64;
    // Those of the dead are neither.
    assert!(found.parked <= parked);
}

#[test]
fn workers_that_die_in_the_middle_of_a_start_leave_nothing_half() {
    let _alone = alone();
    let scratch = Scratch::new("in-flight-middle");
    let path = scratch.path("segment");
    let segment = Segment::options().open_or_create_at(&path).unwrap();
    let requests = segment.in_flight("requests").capacity(8).register().unwrap();
    let keys: Vec<String> = (0..6).map(|key| format!("key {key}")).collect();
    let begun = SharedWords::open(&scratch.path("begun"), 1);
    let mut reader = Reader::open_path(&path).unwrap();
    for round in 0..60u64 {
        begun.word(0).store(0, Relaxed);
        let pids: Vec<_> = (0..3)
            .map(|_| {
                fork(|| {
                    let segment = Segment::options().open_at(&path).unwrap();
                    let requests = segment.in_flight("requests").capacity(8).register().unwrap();
                    begun.word(0).fetch_add(1, Relaxed);
                    loop {
                        for key in &keys {
                            let token = requests.start(key);
                            requests.finish(token);
                        }
                    }
                })
            })
            .collect();
        poll("all of them are at work", || {
            (begun.word(0).load(Relaxed) == 3).then_some(())
        });
        for entry in &in_flight(&take(&mut reader)).entries {
            let key = entry.key();
            assert!(
                key.is_none_or(|key| keys.iter().any(|known| known == key)),
                "{key:?}"
            );
        }
        for pid in pids {
            // SAFETY: a child of this test that it has not waited for.
            unsafe { libc::kill(pid, libc::SIGKILL) };
            wait(pid);
        }
        let found = in_flight(&take(&mut reader));
        assert_eq!(
            (found.number, found.parked),
            (0, 0),
            "round {round}: nobody lives"
        );
    }
    for key in &keys {
        let token = requests.start(key);
        assert!(!token.is_overflow() && requests.finish(token));
    }
    let report = shmetrics::verify::verify(&path).unwrap();
    assert!(
        report
            .findings
            .iter()
            .all(|finding| finding.severity != shmetrics::verify::Severity::Error),
        "{report:?}"
    );
}
