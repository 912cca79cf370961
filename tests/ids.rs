//! Ids: never given twice, whoever is killed, forked, cloned or replaces the segment meanwhile.
#![allow(unsafe_code)]

mod support;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU64,
    Ordering::{Relaxed, SeqCst},
};

use shmetrics::error::IdError;
use shmetrics::{BlockIds, Preset, Segment, SegmentOptions};
use support::*;

/// Ids that are noted; a worker ends when it gets one beyond.
const IDS: u64 = 1 << 25;
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
    let _alone = alone();
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
    let _alone = alone();
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
    let _alone = alone();
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
    let _alone = alone();
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
    let _alone = alone();
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

/// What the handler works on.
static BLOCK: AtomicPtr<BlockIds> = AtomicPtr::new(std::ptr::null_mut());
static TALLY: AtomicPtr<SharedWords> = AtomicPtr::new(std::ptr::null_mut());
thread_local! {
    /// Is this the thread that the block belongs to? Others return from the handler at once.
    static IS_OWNER: Cell<bool> = const { Cell::new(false) };
}

/// Is an id being taken? Only then handlers fork: what is taken and not noted yet would be noted by both.
static IS_TAKING: AtomicBool = AtomicBool::new(false);
/// Handlers that ran; in a child far more.
static HANDLED: AtomicU64 = AtomicU64::new(0);

/// Takes ids in the middle of whatever was interrupted, now and then in a child, which then goes on where the parent was.
extern "C" fn take_in_handler(_: libc::c_int) {
    if !IS_OWNER.get() {
        return;
    }
    // SAFETY: both are set before the first signal and live until the process ends; this is the thread they belong to.
    let (ids, tally) = unsafe { (&*BLOCK.load(Relaxed), &*TALLY.load(Relaxed)) };
    note(tally, ids.next().unwrap());
    if HANDLED.fetch_add(1, Relaxed).is_multiple_of(64) && IS_TAKING.load(SeqCst) {
        // SAFETY: the child goes on with the library only, and ends itself; the library's handlers of fork may run in a handler.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            HANDLED.store(1 << 40, Relaxed);
        } else {
            // SAFETY: a null status; the pid is a child of this process.
            unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
        }
    }
}

/// A handler may interrupt the allocator at any instruction, take ids from it, and fork there.
#[test]
fn a_signal_handler_may_take_ids_and_fork_in_the_middle_of_it() {
    let _alone = alone();
    let name = "a_signal_handler_may_take_ids_and_fork_in_the_middle_of_it";
    if let Some(path) = child_argument().map(PathBuf::from) {
        let segment = compact().open_at(&path).unwrap();
        BLOCK.store(Box::into_raw(Box::new(segment.block_ids())), Relaxed);
        IS_OWNER.set(true);
        TALLY.store(Box::into_raw(Box::new(tally_of(&path))), Relaxed);
        // SAFETY: as in the handler.
        let (ids, tally) = unsafe { (&*BLOCK.load(Relaxed), &*TALLY.load(Relaxed)) };
        let timer = libc::itimerval {
            it_interval: libc::timeval {
                tv_sec: 0,
                tv_usec: 50,
            },
            it_value: libc::timeval {
                tv_sec: 0,
                tv_usec: 50,
            },
        };
        // SAFETY: the handler only does what may be done in one; the timer is this process' own.
        unsafe {
            libc::signal(libc::SIGALRM, take_in_handler as *const () as libc::sighandler_t);
            libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut());
        }
        while HANDLED.load(Relaxed) < 2000 {
            // Many at a time, so that most signals come while one is being taken.
            IS_TAKING.store(true, SeqCst);
            let taken: [u64; 256] = std::array::from_fn(|_| ids.next().unwrap());
            IS_TAKING.store(false, SeqCst);
            // In a child: those that were known when it was forked it has from its parent, as all else.
            if HANDLED.load(Relaxed) < 1 << 40 && !taken.into_iter().all(|id| note(tally, id)) {
                return;
            }
        }
        // A child that a handler made: some more, and the end. A child inherits no timer.
        if HANDLED.load(Relaxed) >= 1 << 40 {
            (0..3).for_each(|_| _ = note(tally, ids.next().unwrap()));
            // SAFETY: ends this process at once; the harness of the copied test must not go on.
            unsafe { libc::_exit(0) };
        }
        return;
    }
    let scratch = Scratch::new("ids-handler");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    let tally = tally_of(&path);
    Worker::spawn(name, path.to_str().unwrap()).finish();
    assert_eq!(tally.word(DUPLICATES).load(Relaxed), 0, "ids were given twice");
    assert!(tally.word(TAKEN).load(Relaxed) > 320);
    drop(segment);
}
