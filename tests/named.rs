//! Segments by POSIX shared-memory name: visible before they are complete, never unlinked by whoever ends.
#![cfg(feature = "named")]
#![allow(unsafe_code)]

mod support;

use std::fs::{File, Permissions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use shmetrics::layout::directory::LOCK_BASE_OFFSET;
use shmetrics::layout::geometry::MAX_PROCESS_SLOTS;
use shmetrics::layout::header::{LANES_OFFSET, MAGIC, MAGIC_OFFSET};
use shmetrics::segment::SegmentOptions;
use shmetrics::{OpenError, Preset, Reader, Segment};
use support::*;

fn compact() -> SegmentOptions {
    Segment::options().preset(Preset::Compact)
}

/// A name of its own, gone when the test ends.
struct Named {
    name: String,
}

impl Named {
    fn new() -> Named {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Relaxed);
        let name = format!("shmetrics-test-named-{}-{number}", std::process::id());
        Named { name }
    }

    /// As users write it.
    fn place(&self) -> String {
        format!("shm:{}", self.name)
    }

    fn path(&self) -> PathBuf {
        PathBuf::from("/dev/shm").join(&self.name)
    }

    /// Which file has the name now.
    fn inode(&self) -> u64 {
        std::fs::metadata(self.path()).unwrap().ino()
    }

    /// What a creator leaves that died before it published: a file of this length, zero but for these words.
    fn unpublished(&self, length: u64, words: &[(u64, u64)]) -> File {
        let mut options = File::options();
        let file = options
            .read(true)
            .write(true)
            .create_new(true)
            .open(self.path())
            .unwrap();
        file.set_len(length).unwrap();
        for (offset, value) in words {
            file.write_all_at(&value.to_ne_bytes(), *offset).unwrap();
        }
        file
    }

    fn remove(&self) {
        std::fs::remove_file(self.path()).unwrap();
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.path());
    }
}

/// Bytes of a compact segment.
fn compact_length() -> u64 {
    let named = Named::new();
    compact().create(&named.place()).unwrap();
    std::fs::metadata(named.path()).unwrap().len()
}

/// Opens or creates the segment and counts in it.
fn count(place: &str, count: u64) {
    let segment = compact().open_or_create(place).unwrap();
    segment.counter("events_total").register().unwrap().add(count);
}

#[track_caller]
fn assert_total(place: &str, total: u64) {
    let snapshot = Reader::open(place).unwrap().snapshot().unwrap();
    assert_eq!(counter(&snapshot, "events_total", &[]), total);
}

/// Takes the lock of whoever creates the segment, as a creator at work has it.
fn lock_creation(file: &File) {
    // SAFETY: `flock` is plain data for which zeros are valid.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_start = (LOCK_BASE_OFFSET + MAX_PROCESS_SLOTS) as libc::off_t;
    lock.l_len = 1;
    // SAFETY: an open descriptor and a valid lock.
    let locked = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw mut lock) };
    assert_eq!(locked, 0, "the lock is taken");
}

#[test]
fn a_named_segment_is_shared_by_processes_and_survives_its_creator() {
    if let Some(place) = child_argument() {
        // A process of its own: it ends as programs do, with all that happens at exit.
        count(&place, 3);
        return;
    }
    let _alone = alone();
    let test = "a_named_segment_is_shared_by_processes_and_survives_its_creator";
    let named = Named::new();
    assert!(!named.path().exists());
    Worker::spawn(test, &named.place()).finish();
    let inode = named.inode();
    assert_total(&named.place(), 3);
    Worker::spawn(test, &named.place()).finish();
    // One that is killed, one that only opens, one that drops all it has.
    let killed = fork(|| {
        count(&named.place(), 10);
        // SAFETY: ends this process.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
        0
    });
    assert_eq!(wait(killed), -libc::SIGKILL);
    let opener = fork(|| {
        let segment = Segment::open(&named.place()).unwrap();
        segment.counter("events_total").register().unwrap().add(100);
        drop(segment);
        i32::from(!named.path().exists())
    });
    assert_eq!(wait(opener), 0);
    // With a slash before the name it is the same.
    count(&format!("shm:/{}", named.name), 1000);
    assert_total(&named.place(), 1116);
    assert_eq!(named.inode(), inode);
}

#[test]
fn readers_map_a_named_segment_read_only() {
    let _alone = alone();
    let named = Named::new();
    let maps = || {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let lines = maps.lines().filter(|line| line.contains(&named.name));
        lines
            .map(|line| line.split_whitespace().nth(1).unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    count(&named.place(), 1);
    assert!(maps().is_empty(), "all writers are gone: {:?}", maps());
    let mut reader = Reader::open(named.place()).unwrap();
    let all = maps();
    assert!(
        !all.is_empty() && all.iter().all(|access| access == "r--s"),
        "{all:?}"
    );
    // And it follows what others count.
    count(&named.place(), 5);
    assert_eq!(counter(&reader.snapshot().unwrap(), "events_total", &[]), 6);
}

#[test]
fn the_mode_of_a_named_segment_is_as_configured_whatever_the_umask() {
    let _alone = alone();
    for (umask, mode) in [(0o077, 0o664), (0, 0o600), (0o777, 0o640), (0o022, 0o644)] {
        let named = Named::new();
        let child = fork(|| {
            // SAFETY: changes this (child) process only.
            unsafe { libc::umask(umask) };
            compact().mode(mode).open_or_create(&named.place()).unwrap();
            0
        });
        assert_eq!(wait(child), 0);
        assert_eq!(
            std::fs::metadata(named.path()).unwrap().mode() & 0o7777,
            mode,
            "umask {umask:o}"
        );
    }
}

#[test]
fn who_may_only_read_a_named_segment_reads_it() {
    // SAFETY: no arguments.
    if unsafe { libc::geteuid() } != 0 {
        skip("dropping privileges needs root");
        return;
    }
    let _alone = alone();
    let named = Named::new();
    count(&named.place(), 4);
    std::fs::set_permissions(named.path(), Permissions::from_mode(0o644)).unwrap();
    let child = fork(|| {
        // SAFETY: system calls that change this (child) process only.
        assert!(unsafe { libc::setgid(65_534) == 0 && libc::setuid(65_534) == 0 });
        assert_total(&named.place(), 4);
        for error in [
            Segment::open(&named.place()).unwrap_err(),
            compact().open_or_create(&named.place()).unwrap_err(),
        ] {
            assert!(
                matches!(&error, OpenError::Permission { path, .. } if *path == named.path()),
                "{error:?}"
            );
        }
        0
    });
    assert_eq!(wait(child), 0);
}

#[test]
fn a_missing_named_segment_is_told_at_once_and_an_existing_one_is_not_created_again() {
    let _alone = alone();
    let named = Named::new();
    let begun = Instant::now();
    for error in [
        Segment::open(&named.place()).unwrap_err(),
        Reader::open(named.place()).unwrap_err(),
    ] {
        assert!(
            matches!(&error, OpenError::NotFound { path } if *path == named.path()),
            "{error:?}"
        );
    }
    assert!(!named.path().exists());
    compact().create(&named.place()).unwrap();
    let inode = named.inode();
    let error = compact().create(&named.place()).unwrap_err();
    assert!(
        matches!(&error, OpenError::Exists { path } if *path == named.path()),
        "{error:?}"
    );
    assert_eq!(named.inode(), inode);
    assert!(
        begun.elapsed() < Duration::from_millis(1500),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_creator_that_died_before_publishing_is_replaced_by_the_next() {
    let _alone = alone();
    let length = compact_length();
    // It died before it gave the file its length; after that; in the middle of the header; it wanted another length.
    let states: [(u64, &[(u64, u64)]); 5] = [
        (0, &[]),
        (length, &[]),
        (length, &[(8, 1), (LANES_OFFSET, 77), (0x128, 5)]),
        (length / 2, &[(8, 1)]),
        (length * 2, &[]),
    ];
    for (length, words) in states {
        let named = Named::new();
        drop(named.unpublished(length, words));
        let begun = Instant::now();
        count(&named.place(), 7);
        // Nobody has the lock, so nobody is waited for.
        assert!(
            begun.elapsed() < Duration::from_millis(1500),
            "{:?}",
            begun.elapsed()
        );
        assert_total(&named.place(), 7);
        count(&named.place(), 1);
        assert_total(&named.place(), 8);
        // Also by one that insists on creating.
        named.remove();
        drop(named.unpublished(length, words));
        compact().create(&named.place()).unwrap();
        assert_total(&named.place(), 0);
    }
}

#[test]
fn a_file_of_something_else_under_the_name_is_refused_and_left_alone() {
    let _alone = alone();
    let named = Named::new();
    drop(named.unpublished(8192, &[(MAGIC_OFFSET, MAGIC ^ 1)]));
    let inode = named.inode();
    let begun = Instant::now();
    let errors = [
        compact().open_or_create(&named.place()).unwrap_err(),
        compact().open(&named.place()).unwrap_err(),
        Reader::open(named.place()).unwrap_err(),
    ];
    for error in errors {
        assert!(
            matches!(&error, OpenError::Layout { path, .. } if *path == named.path()),
            "{error:?}"
        );
        assert!(error.to_string().contains("V-4"), "{error}");
    }
    assert!(
        begun.elapsed() < Duration::from_millis(1500),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(named.inode(), inode);
}

#[track_caller]
fn assert_unpublished(error: &OpenError, named: &Named, took: Duration) {
    let OpenError::Unpublished { path, waited_ms } = error else {
        panic!("{error:?}")
    };
    assert_eq!(*path, named.path());
    assert!((2000..15_000).contains(waited_ms), "{waited_ms}");
    assert!(
        took >= Duration::from_secs(2) && took < Duration::from_secs(20),
        "{took:?}"
    );
    let text = error.to_string();
    for part in [
        named.path().to_str().unwrap(),
        &format!("{waited_ms} ms"),
        "its creator",
        "remove the name",
    ] {
        assert!(text.contains(part), "{text:?} does not say {part:?}");
    }
}

#[test]
fn who_opens_what_is_never_published_waits_a_bounded_time_and_says_so() {
    let _alone = alone();
    let length = compact_length();
    let (one, other) = (Named::new(), Named::new());
    drop((one.unpublished(length, &[]), other.unpublished(0, &[])));
    let inodes = (one.inode(), other.inode());
    std::thread::scope(|scope| {
        for named in [&one, &other] {
            scope.spawn(|| {
                let begun = Instant::now();
                assert_unpublished(
                    &Segment::open(&named.place()).unwrap_err(),
                    named,
                    begun.elapsed(),
                );
            });
            scope.spawn(|| {
                let begun = Instant::now();
                assert_unpublished(&Reader::open(named.place()).unwrap_err(), named, begun.elapsed());
            });
        }
    });
    // Only those who may create replace a file.
    assert_eq!((one.inode(), other.inode()), inodes);
}

#[test]
fn a_creator_that_is_alive_is_waited_for_and_never_replaced() {
    let _alone = alone();
    let length = compact_length();
    let scratch = Scratch::new("named-slow");
    let words = SharedWords::open(&scratch.path("words"), 2);
    for length in [length, 0] {
        let named = Named::new();
        words.word(0).store(0, Relaxed);
        words.word(1).store(0, Relaxed);
        let creator = fork(|| {
            let file = named.unpublished(length, &[]);
            lock_creation(&file);
            words.word(0).store(1, Relaxed);
            poll("the end", || (words.word(1).load(Relaxed) == 1).then_some(()));
            0
        });
        poll("the creator", || (words.word(0).load(Relaxed) == 1).then_some(()));
        let inode = named.inode();
        std::thread::scope(|scope| {
            for act in [
                SegmentOptions::open_or_create,
                SegmentOptions::create,
                SegmentOptions::open,
            ] {
                let named = &named;
                scope.spawn(move || {
                    let begun = Instant::now();
                    let error = act(compact(), &named.place()).unwrap_err();
                    assert_unpublished(&error, named, begun.elapsed());
                });
            }
        });
        assert_eq!(named.inode(), inode, "its file was taken from under it");
        words.word(1).store(1, Relaxed);
        assert_eq!(wait(creator), 0);
        // Now it is dead, and replaced.
        count(&named.place(), 2);
        assert_total(&named.place(), 2);
    }
}

#[test]
fn who_waits_for_a_creator_gets_what_it_publishes() {
    let _alone = alone();
    let length = compact_length();
    let named = Named::new();
    let file = named.unpublished(length, &[]);
    lock_creation(&file);
    std::thread::scope(|scope| {
        let opener = scope.spawn(|| {
            let segment = Segment::open(&named.place()).unwrap();
            segment.counter("events_total").register().unwrap().add(10);
        });
        let other = scope.spawn(|| count(&named.place(), 100));
        std::thread::sleep(Duration::from_millis(200));
        assert!(!opener.is_finished() && !other.is_finished());
        // The creator dies (its lock goes with its file); the other one takes its place, and the opener finds it.
        drop(file);
    });
    assert_total(&named.place(), 110);
}

#[test]
fn racing_creators_of_a_name_end_up_on_one_segment() {
    const CREATORS: usize = 16;
    let _alone = alone();
    let length = compact_length();
    let scratch = Scratch::new("named-race");
    for round in 0..120 {
        let named = Named::new();
        // From nothing, and from what dead creators left.
        match round % 3 {
            0 => {}
            1 => drop(named.unpublished(0, &[])),
            _ => drop(named.unpublished(length, &[(8, 3)])),
        }
        let words = SharedWords::open(&scratch.path(&format!("words{round}")), 1 + CREATORS);
        let children: Vec<_> = (0..CREATORS)
            .map(|creator| {
                fork(|| {
                    words.word(0).fetch_add(1, Relaxed);
                    poll("the others", || {
                        (words.word(0).load(Relaxed) == CREATORS as u64).then_some(())
                    });
                    let segment = compact().open_or_create(&named.place()).unwrap();
                    segment.counter("events_total").register().unwrap().inc();
                    let id = Reader::open(named.place()).unwrap().facts().origin.segment_id;
                    words.word(1 + creator).store(id, Relaxed);
                    0
                })
            })
            .collect();
        let codes: Vec<_> = children.into_iter().map(wait).collect();
        assert!(codes.iter().all(|code| *code == 0), "round {round}: {codes:?}");
        let id = Reader::open(named.place()).unwrap().facts().origin.segment_id;
        assert!(
            (0..CREATORS).all(|creator| words.word(1 + creator).load(Relaxed) == id),
            "round {round}"
        );
        assert_total(&named.place(), CREATORS as u64);
    }
}

#[test]
fn a_retired_named_segment_makes_room_for_a_new_one() {
    let _alone = alone();
    let named = Named::new();
    let old = compact().open_or_create(&named.place()).unwrap();
    let events = old.counter("events_total").register().unwrap();
    events.inc();
    let reader = Reader::open(named.place()).unwrap();
    old.retire().unwrap();
    assert!(!named.path().exists() && reader.replaced());
    events.inc();
    count(&named.place(), 5);
    assert_total(&named.place(), 5);
}
