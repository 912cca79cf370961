//! Ids: never given twice, whoever is killed, forked, cloned or replaces the segment meanwhile.
#![allow(unsafe_code)]

mod support;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;

use shmetrics::error::IdError;
use shmetrics::{BlockIds, Preset, Segment, SegmentOptions};
use support::*;

/// Ids that are noted; a worker ends when it gets one beyond.
const IDS: u64 = 1 << 22;
/// Words of the tally: a bit per id, then these.
const BITS: usize = (IDS / 64) as usize;
const DUPLICATES: usize = BITS;
const TAKEN: usize = BITS + 1;
const STOP: usize = BITS + 2;
const REPLACED: usize = BITS + 3;
const LENGTH: usize = BITS + 4;

fn compact() -> SegmentOptions {
    Segment::options().preset(Preset::Compact)
}

fn tally_of(segment: &Path) -> SharedWords {
    SharedWords::open(&segment.with_file_name("tally"), LENGTH)
}

/// Notes an id; `false`: it is beyond what can be noted.
fn note(tally: &SharedWords, id: u64) -> bool {
    if id >= IDS {
        return false;
    }
    let bit = 1 << (id % 64);
    if tally.word((id / 64) as usize).fetch_or(bit, Relaxed) & bit != 0 {
        tally.word(DUPLICATES).fetch_add(1, Relaxed);
    }
    tally.word(TAKEN).fetch_add(1, Relaxed);
    tally.word(STOP).load(Relaxed) == 0
}

/// Takes ids in every way there is, until told to stop or killed.
fn taker(path: &Path) {
    let (segment, tally) = (compact().open_at(path).unwrap(), tally_of(path));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut last = 0;
            while let id = segment.next_id().unwrap()
                && note(&tally, id)
            {
                assert!(id > last, "{id} after {last}");
                last = id;
            }
        });
        scope.spawn(|| {
            let ids = segment.block_ids();
            let mut last = 0;
            while let id = ids.next().unwrap()
                && note(&tally, id)
            {
                assert!(id > last, "{id} after {last}");
                last = id;
            }
        });
        // Children begin in the middle of a block.
        let ids = segment.block_ids();
        let few = |ids: &BlockIds| (0..5).all(|_| note(&tally, ids.next().unwrap()));
        while few(&ids) {
            let child = || {
                few(&ids);
                0
            };
            let pids = [fork(child), raw_clone(child)];
            few(&ids);
            assert_eq!(pids.map(wait), [0, 0]);
        }
    });
}

#[test]
fn no_id_is_given_twice_over_kills_forks_and_clones() {
    if let Some(path) = child_argument().map(PathBuf::from) {
        return taker(&path);
    }
    let scratch = Scratch::new("ids");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    let tally = tally_of(&path);
    let name = "no_id_is_given_twice_over_kills_forks_and_clones";
    let spawn = || Worker::spawn(name, path.to_str().unwrap());
    let mut workers = [spawn(), spawn()];
    for round in 0..8 {
        let before = tally.word(TAKEN).load(Relaxed);
        poll("some ids", || {
            (tally.word(TAKEN).load(Relaxed) > before + 5000).then_some(())
        });
        workers[round % 2].kill();
        workers[round % 2] = spawn();
    }
    tally.word(STOP).store(1, Relaxed);
    workers.iter_mut().for_each(Worker::finish);
    assert_eq!(tally.word(DUPLICATES).load(Relaxed), 0, "ids were given twice");
    assert_eq!(tally.word(0).load(Relaxed) & 1, 0, "0 is no id");
    let given = segment.next_id().unwrap();
    assert_eq!(snapshot(&path).ids_given, given);
    assert!(given > tally.word(TAKEN).load(Relaxed));
}

#[test]
fn ids_go_on_when_a_segment_is_replaced() {
    let scratch = Scratch::new("ids-replaced");
    let path = scratch.path("segment");
    let old = compact().create_at(&path).unwrap();
    let block = old.block_ids();
    assert_eq!(
        (old.next_id(), block.next(), old.next_id()),
        (Ok(1), Ok(2), Ok(1026))
    );
    old.counter("events").register().unwrap().inc();

    let new = compact().replace_at(&path).unwrap();
    assert_eq!(new.next_id(), Ok(1027));
    // What was taken before is still its taker's; nothing is given any more.
    assert_eq!(block.next(), Ok(3));
    assert_eq!(old.next_id(), Err(IdError::Closed { given: 1027 }));
    assert!((0..2000).any(|_| block.next().is_err()));
    assert_eq!(new.next_id(), Ok(1028));
    let shown = snapshot(&path);
    assert_eq!((shown.ids_given, shown.series.len()), (1028, 0));

    // Without a segment there it makes one.
    let path = scratch.path("other");
    assert_eq!(compact().replace_at(&path).unwrap().next_id(), Ok(1));
    assert_eq!(Segment::noop().next_id(), Err(IdError::Noop));
    assert_eq!(Segment::noop().block_ids().next(), Err(IdError::Noop));
}

#[test]
fn a_retired_segment_gives_no_ids() {
    let scratch = Scratch::new("ids-retired");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    assert_eq!(segment.next_id(), Ok(1));
    segment.retire().unwrap();
    assert_eq!(segment.next_id(), Err(IdError::Closed { given: 2 }));
}

/// Who was replacing it died between closing the ids and taking the name.
#[test]
fn an_opener_goes_on_where_a_replacer_died() {
    use std::os::unix::fs::FileExt;
    let scratch = Scratch::new("ids-dead-replacer");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    assert_eq!(segment.next_id(), Ok(1));
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.write_all_at(&(1u64 | 1 << 63).to_ne_bytes(), 0x780).unwrap();
    let refused = compact().open_at(&path).unwrap_err();
    assert!(
        matches!(refused, shmetrics::OpenError::Retired { .. }),
        "{refused}"
    );
    assert!(segment.next_id().is_err());
    let next = compact().open_or_create_at(&path).unwrap();
    // The one that was refused counts, too.
    assert_eq!(next.next_id(), Ok(3));
}

#[test]
fn replacers_are_killed_at_any_moment_and_ids_go_on() {
    let name = "replacers_are_killed_at_any_moment_and_ids_go_on";
    if let Some(argument) = child_argument() {
        let (what, path) = argument.split_once(' ').unwrap();
        let path = Path::new(path);
        let tally = tally_of(path);
        if what == "replace" {
            while tally.word(STOP).load(Relaxed) == 0 {
                // Two replacers may be at it: one of them waits for the other.
                drop(compact().replace_at(path).unwrap());
                tally.word(REPLACED).fetch_add(1, Relaxed);
            }
            return;
        }
        let mut segment = compact().open_or_create_at(path).unwrap();
        while tally.word(STOP).load(Relaxed) == 0 {
            match segment.next_id() {
                Ok(id) if note(&tally, id) => {}
                Ok(_) => return,
                Err(_) => segment = compact().open_or_create_at(path).unwrap(),
            }
        }
        return;
    }
    let scratch = Scratch::new("ids-replacers");
    let path = scratch.path("segment");
    compact().create_at(&path).unwrap();
    let tally = tally_of(&path);
    let spawn = |what: &str| Worker::spawn(name, &format!("{what} {}", path.display()));
    let mut takers = [spawn("take"), spawn("take")];
    let mut replacers = [spawn("replace"), spawn("replace")];
    for round in 0..20 {
        let before = tally.word(REPLACED).load(Relaxed);
        poll("a replacement", || {
            (tally.word(REPLACED).load(Relaxed) > before).then_some(())
        });
        replacers[round % 2].kill();
        replacers[round % 2] = spawn("replace");
    }
    tally.word(STOP).store(1, Relaxed);
    takers.iter_mut().chain(&mut replacers).for_each(Worker::finish);
    assert_eq!(tally.word(DUPLICATES).load(Relaxed), 0, "ids were given twice");
    let taken = tally.word(TAKEN).load(Relaxed);
    let last = compact().open_or_create_at(&path).unwrap().next_id().unwrap();
    assert!(taken > 0 && last > taken, "{taken} taken, then {last}");
}
