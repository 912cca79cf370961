//! Every failure of opening, creating and registering is an error of its own, which says what was found, what was expected and what to
//! do; and what must not fail does not.
#![allow(unsafe_code)]

#[path = "../support/mod.rs"]
mod support;

mod files;
mod life;
mod limits;
mod places;
mod registration;

use std::fmt::{Debug, Display};
use std::fs::{File, Permissions};
use std::io::{Read, Write};
use std::os::fd::FromRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use shmetrics::buckets::BoundsError;
use shmetrics::error::{LabelError, LayoutError, ReadError};
use shmetrics::layout::Fnv;
use shmetrics::layout::header::*;
use shmetrics::segment::SegmentOptions;
use shmetrics::{Merge, OpenError, Preset, Reader, RegisterError, Segment, Unit, Value};
use support::*;

fn compact() -> SegmentOptions {
    Segment::options().preset(Preset::Compact)
}

fn is_root() -> bool {
    // SAFETY: no arguments.
    let root = unsafe { libc::geteuid() } == 0;
    if !root {
        skip("this test needs root");
    }
    root
}

/// A segment in a file, closed again.
fn closed_segment(path: &Path) {
    compact().create_at(path).unwrap();
}

#[track_caller]
fn assert_says(error: &impl Display, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{text:?} does not say {part:?}");
    }
}

/// What an error looks like: its variant and values, and its message.
fn shown<T>(result: Result<T, impl Debug + Display>) -> String {
    match result {
        Ok(_) => "fine".to_owned(),
        Err(error) => format!("{error:?}\n{error}"),
    }
}

/// Runs `child` in a forked child; what it returned, or how it ended.
fn told_by_child(child: impl FnOnce() -> String) -> String {
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for two descriptors.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
    // SAFETY: the pipe's ends are this function's own.
    let [mut from, mut to] = ends.map(|end| unsafe { File::from_raw_fd(end) });
    let pid = fork(|| {
        to.write_all(child().as_bytes()).unwrap();
        0
    });
    drop(to);
    let mut told = String::new();
    from.read_to_string(&mut told).unwrap();
    match wait(pid) {
        0 => told,
        code => format!("{told}\nended with {code}"),
    }
}

/// Makes this (child) process nobody.
fn become_nobody() {
    become_user(65_534);
}

fn become_user(id: u32) {
    // SAFETY: system calls that change this process only.
    let done = unsafe {
        libc::setgroups(0, std::ptr::null()) == 0 && libc::setgid(id) == 0 && libc::setuid(id) == 0
    };
    assert!(done);
}

/// The errors of all ways to open the file: for writing, for reading, and where it would be created if it were missing.
fn open_errors(path: &Path) -> [OpenError; 3] {
    [
        compact().open_at(path).unwrap_err(),
        Reader::open_path(path).unwrap_err(),
        compact().open_or_create_at(path).unwrap_err(),
    ]
}

/// Asserts that every way to open the file gives this layout error at once, says the path and `parts`, and leaves the file alone.
#[track_caller]
fn assert_layout_error(path: &Path, is_expected: impl Fn(&LayoutError) -> bool, parts: &[&str]) {
    let (before, begun) = (std::fs::metadata(path).unwrap(), Instant::now());
    for error in open_errors(path) {
        let OpenError::Layout { path: named, source } = &error else {
            panic!("{error:?}")
        };
        assert!(named == path && is_expected(source), "{error:?}");
        assert_says(&error, &[path.to_str().unwrap()]);
        assert_says(&error, parts);
    }
    // Nobody waits for a creator where creation is not visible, and nobody replaces what is not his.
    assert!(
        begun.elapsed() < Duration::from_millis(1500),
        "{:?}",
        begun.elapsed()
    );
    let after = std::fs::metadata(path).unwrap();
    assert_eq!((after.ino(), after.len()), (before.ino(), before.len()));
}

fn word_of(path: &Path, offset: u64) -> u64 {
    let mut word = [0; 8];
    File::open(path)
        .unwrap()
        .read_exact_at(&mut word, offset)
        .unwrap();
    u64::from_ne_bytes(word)
}

/// Overwrites words of a file.
fn put(path: &Path, words: &[(u64, u64)]) {
    let file = File::options().write(true).open(path).unwrap();
    for (offset, value) in words {
        file.write_all_at(&value.to_ne_bytes(), *offset).unwrap();
    }
}

/// A good segment with other words in its header, and the checksum that goes with them.
fn forged(path: &Path, words: &[(u64, u64)]) {
    closed_segment(path);
    put(path, words);
    let hash = (0..CHECKSUM_OFFSET)
        .step_by(8)
        .fold(Fnv::new(), |hash, offset| hash.word(word_of(path, offset)));
    put(path, &[(CHECKSUM_OFFSET, hash.finish())]);
}
