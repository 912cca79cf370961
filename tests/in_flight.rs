//! What is in flight: over threads, forks and processes that are killed. The number is that of what the living work on, exactly, and a
//! key whose worker was killed is known as a retry.
#![allow(unsafe_code)]

mod support;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use shmetrics::snapshot::{InFlight, PerProcess};
use shmetrics::{Reader, Segment, Snapshot, Value};
use support::*;

fn in_flight(snapshot: &Snapshot) -> InFlight {
    match snapshot.find("requests", &[]).map(|series| &series.value) {
        Some(Value::InFlight(in_flight)) => InFlight::clone(in_flight),
        other => panic!("{other:?}"),
    }
}

fn keys(in_flight: &InFlight) -> BTreeMap<String, u64> {
    let entries = in_flight.entries.iter();
    entries
        .map(|entry| (entry.key().unwrap_or("?").to_owned(), entry.runs))
        .collect()
}

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

#[test]
fn threads_that_start_one_key_end_up_with_one_entry() {
    let scratch = Scratch::new("in-flight-threads");
    let path = scratch.path("segment");
    let segment = Segment::options().open_or_create_at(&path).unwrap();
    let requests = segment.in_flight("requests").register().unwrap();
    let mut reader = Reader::open_path(&path).unwrap();
    const THREADS: usize = 4;
    let gate = std::sync::Barrier::new(THREADS);
    for round in 0..500 {
        let key = format!("round {round}");
        let tokens: Vec<_> = std::thread::scope(|scope| {
            let start = || {
                scope.spawn(|| {
                    gate.wait();
                    requests.start(&key)
                })
            };
            let threads: Vec<_> = (0..THREADS).map(|_| start()).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let found = in_flight(&reader.snapshot().unwrap());
        assert_eq!((found.number, found.unknown_ages), (1, 0), "{found:?}");
        let last = found.entries[0].runs;
        assert!(last <= THREADS as u64);
        let ended = tokens.into_iter().map(|token| requests.finish(token));
        assert_eq!(ended.filter(|ended| *ended).count(), 1, "the last one ends it");
        assert_eq!(in_flight(&reader.snapshot().unwrap()).number, 0);
    }
}

#[test]
fn a_child_ends_nothing_that_its_parent_started() {
    let scratch = Scratch::new("in-flight-fork");
    let path = scratch.path("segment");
    let segment = Segment::options().open_or_create_at(&path).unwrap();
    let requests = segment.in_flight("requests").register().unwrap();
    for is_forked in [true, false] {
        let token = std::cell::Cell::new(Some(requests.start("a")));
        let run = || {
            let ended = requests.finish(token.take().unwrap());
            let own = requests.start("of the child");
            i32::from(ended || own.is_overflow() || !requests.finish(own))
        };
        let pid = if is_forked { fork(run) } else { raw_clone(run) };
        assert_eq!(wait(pid), 0);
        assert_eq!(in_flight(&snapshot(&path)).number, 1);
        assert!(requests.finish(token.take().unwrap()));
        assert_eq!(in_flight(&snapshot(&path)).number, 0);
    }
}

#[test]
fn a_full_bucket_gives_the_dead_ones_entries_away_and_then_counts() {
    let scratch = Scratch::new("in-flight-full");
    let path = scratch.path("segment");
    let segment = Segment::options().open_or_create_at(&path).unwrap();
    let requests = segment.in_flight("requests").capacity(8).register().unwrap();
    let pid = fork(|| {
        for key in 0..5 {
            let _left = requests.start(&format!("of the dead {key}"));
        }
        0
    });
    assert_eq!(wait(pid), 0);
    let tokens: Vec<_> = (0..10).map(|key| requests.start(&format!("{key}"))).collect();
    let overflowed: Vec<bool> = tokens.iter().map(|token| token.is_overflow()).collect();
    assert_eq!(overflowed.iter().filter(|overflow| **overflow).count(), 2);
    let found = in_flight(&snapshot(&path));
    assert_eq!((found.number, found.overflow, found.forgotten), (8, 2, 5));
    assert!(
        tokens.into_iter().all(|token| requests.finish(token)),
        "also those without an entry"
    );
    let found = in_flight(&snapshot(&path));
    assert_eq!((found.number, found.parked, found.capacity), (0, 0, 8));
}

#[test]
fn a_process_without_a_slot_overflows_and_goes_on() {
    let scratch = Scratch::new("in-flight-slots");
    let path = scratch.path("segment");
    let segment = Segment::options()
        .process_slots(1)
        .open_or_create_at(&path)
        .unwrap();
    let requests = segment.in_flight("requests").register().unwrap();
    let pid = fork(|| {
        let token = requests.start("a");
        i32::from(!token.is_overflow() || token.runs() != 1 || !requests.finish(token))
    });
    assert_eq!(wait(pid), 0);
    let found = in_flight(&snapshot(&path));
    assert_eq!((found.number, found.overflow), (0, 1));
}

#[test]
fn ages_processes_and_truncated_keys_are_told() {
    let scratch = Scratch::new("in-flight-told");
    let path = scratch.path("segment");
    let segment = Segment::options().role("web").open_or_create_at(&path).unwrap();
    let requests = segment.in_flight("requests").register().unwrap();
    let now = shmetrics::InFlight::monotonic_ns();
    let long = "k".repeat(200);
    let _tokens = [
        requests.start_at("younger", now - 1_000_000_000),
        requests.start_at(&long, now - 3_000_000_000),
    ];
    let mut reader = Reader::open_path(&path).unwrap();
    reader.per_process(true).as_of(Some(shmetrics::snapshot::Clocks {
        wall_ns: 1,
        monotonic_ns: now,
    }));
    let taken = reader.snapshot().unwrap();
    let found = in_flight(&taken);
    assert_eq!(
        (found.number, found.age_seconds(), found.oldest_seconds()),
        (2, 4.0, Some(3.0))
    );
    let told: Vec<_> = found
        .entries
        .iter()
        .map(|entry| (entry.key().unwrap(), entry.is_truncated(), &*entry.role))
        .collect();
    assert_eq!(told, [(&long[..120], true, "web"), ("younger", false, "web")]);
    let own = &taken.processes[0].values;
    assert_eq!(
        own[..],
        [(0, PerProcess::Gauge(shmetrics::snapshot::Number::U64(2)))]
    );
    reader.in_flight_entries(1);
    let found = in_flight(&reader.snapshot().unwrap());
    assert_eq!((found.number, found.entries.len()), (2, 1), "the oldest one only");
}

#[test]
fn an_older_segment_and_a_bad_capacity_are_refused_with_the_reason() {
    let scratch = Scratch::new("in-flight-refused");
    let segment = Segment::options()
        .errors(0)
        .reset_tables(0)
        .open_or_create_at(scratch.path("old"))
        .unwrap();
    let error = segment.in_flight("requests").register().unwrap_err().to_string();
    assert!(
        error.contains("in_flight") && error.contains("new segment"),
        "{error}"
    );
    let segment = Segment::options().open_or_create_at(scratch.path("new")).unwrap();
    for capacity in [0, 32_769] {
        let error = segment
            .in_flight("requests")
            .capacity(capacity)
            .register()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&capacity.to_string()) && error.contains("32768"),
            "{error}"
        );
    }
}

#[test]
fn tables_of_labels_stand_apart_and_those_of_other_capacities_add_up() {
    let scratch = Scratch::new("in-flight-labels");
    let path = scratch.path("segment");
    let segment = Segment::options().open_or_create_at(&path).unwrap();
    let family = segment
        .in_flight("requests")
        .capacity(8)
        .limit(1)
        .family(["crawler"])
        .unwrap();
    let number = |labels: &[(&str, &str)]| {
        let taken = snapshot(&path);
        taken.find("requests", labels).map(|series| match &series.value {
            Value::InFlight(found) => (found.number, found.capacity),
            other => panic!("{other:?}"),
        })
    };
    let overflow = [("shmetrics_overflow", "true")];
    let _one = family.with(["a"]).start("key");
    assert_eq!(
        (number(&[("crawler", "a")]), number(&overflow)),
        (Some((1, 8)), None)
    );
    // Beyond the limit: one table for the rest.
    let _others = [
        family.with(["b"]).start("key"),
        family.with(["c"]).start("another"),
    ];
    assert_eq!(number(&overflow), Some((2, 8)));
    // Another capacity is a second table of the series; each has its own keys.
    let larger = segment
        .in_flight("requests")
        .label("crawler", "a")
        .capacity(9)
        .register()
        .unwrap();
    let token = larger.start("key");
    assert_eq!((token.runs(), number(&[("crawler", "a")])), (1, Some((2, 24))));
    assert!(shmetrics::reset::at_path(&path, |_| true).is_ok_and(|reset| reset.series == 0));
    assert_eq!(number(&[("crawler", "a")]), Some((2, 24)), "it is not reset");
}
