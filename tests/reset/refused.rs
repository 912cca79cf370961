//! What cannot be reset is refused with the reason, and nothing is changed.

#![allow(unsafe_code)]

use std::fs::File;
use std::os::fd::AsRawFd;

use shmetrics::OpenError;
use shmetrics::reset::ResetError;

use super::*;

/// What all readers see, and how much storage the file takes.
fn state(path: &Path) -> (Vec<Series>, u64, u64) {
    let mut reader = Reader::open_path(path).unwrap();
    let snapshot = reader.snapshot().unwrap();
    (snapshot.series, snapshot.resets, snapshot.fill.committed.used)
}

fn refused(path: &Path) -> ResetError {
    let before = state(path);
    let error = reset::at_path(path, |_| true).unwrap_err();
    assert_eq!(state(path), before, "{error}");
    error
}

#[test]
fn a_segment_without_tables_is_refused_and_left_alone() {
    let scratch = Scratch::new("reset-no-tables");
    let path = scratch.path("segment");
    let options = Segment::options().preset(Preset::Compact).reset_tables(0);
    let segment = options.open_or_create_at(&path).unwrap();
    segment.counter("events").register().unwrap().add(3);
    let error = refused(&path);
    assert!(
        matches!(error, ResetError::NoTables { version: 2, .. }),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("create it anew with 2 reset tables"),
        "{error}"
    );
    assert_eq!(counter(&snapshot(&path), "events", &[]), 3);
}

#[test]
fn what_is_no_segment_and_what_is_given_up_is_refused() {
    let scratch = Scratch::new("reset-none");
    let path = scratch.path("segment");
    let error = reset::at_path(&path, |_| true).unwrap_err();
    assert!(
        matches!(error, ResetError::Open(OpenError::NotFound { .. })),
        "{error:?}"
    );
    let segment = create(&path);
    let other = scratch.path("other");
    std::fs::hard_link(&path, &other).unwrap();
    segment.retire().unwrap();
    let error = refused(&other);
    assert!(
        matches!(error, ResetError::Open(OpenError::Retired { .. })),
        "{error:?}"
    );
}

/// The reset byte (SPEC.md 10.4), locked as a resetter does.
fn lock_reset_byte(path: &Path) -> File {
    let file = File::options().read(true).write(true).open(path).unwrap();
    // SAFETY: `flock` is plain data for which zeros are valid.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_start = (1 << 60) + 4097;
    lock.l_len = 1;
    // SAFETY: an open descriptor and a valid lock.
    let locked = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw mut lock) };
    assert_eq!(locked, 0);
    file
}

#[test]
fn while_another_resets_one_is_told_so_and_afterwards_it_works() {
    let scratch = Scratch::new("reset-lock");
    let path = scratch.path("segment");
    let segment = create(&path);
    segment.counter("events").register().unwrap().add(3);
    let held = lock_reset_byte(&path);
    let error = refused(&path);
    assert!(matches!(error, ResetError::UnderWay { .. }), "{error:?}");
    drop(held);
    assert_eq!(reset_all(&path).series, 1);
    assert_eq!(reset_all(&path).resets, 2, "the lock was given back");
}

#[test]
fn without_budget_it_is_refused_and_costs_none() {
    let scratch = Scratch::new("reset-budget");
    let path = scratch.path("segment");
    // 16,384 for the gauges of a slot and 2,304 for each histogram in the shared lane; two fronts of 12,288 and two baselines of
    // 2,304 fit into the rest, and eleven baselines do not.
    let options = Segment::options().preset(Preset::Compact).budget(74 << 10);
    let segment = options.open_or_create_at(&path).unwrap();
    for number in 0..11 {
        segment.histogram(&format!("h{number}")).register().unwrap();
    }
    for _ in 0..3 {
        let error = refused(&path);
        assert!(matches!(error, ResetError::Storage { .. }), "{error:?}");
        assert!(error.to_string().contains("budget"), "{error}");
    }
    assert_eq!(snapshot(&path).losses.budget_refused, 3);
    // One of them fits, again and again: what is allocated is not counted twice.
    let one = |path: &Path| reset::at_path(path, |series| series.name == "h0").unwrap();
    one(&path);
    one(&path);
    let committed = state(&path).2;
    (0..10).for_each(|_| assert_eq!(one(&path).series, 1));
    assert_eq!(state(&path).2, committed);
}
