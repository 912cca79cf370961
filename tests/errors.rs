//! Every failure of opening, creating and registering is an error of its own, which says what was found, what was expected and what to
//! do; and what must not fail does not.
#![allow(unsafe_code)]

mod support;

use std::fmt::{Debug, Display};
use std::fs::{File, Permissions};
use std::io::{Read, Write};
use std::os::fd::FromRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use shmetrics::buckets::BoundsError;
use shmetrics::error::{LabelError, LayoutError, ReadError};
use shmetrics::layout::Fnv;
use shmetrics::layout::header::*;
use shmetrics::segment::SegmentOptions;
use shmetrics::{Merge, OpenError, Preset, Reader, RegisterError, Segment, Unit, Value};
use support::*;

/// One test at a time: a process can have 15 segments open, and a child that one test forks takes slots in those of the others.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn compact() -> SegmentOptions {
    Segment::options().preset(Preset::Compact)
}

fn is_root() -> bool {
    // SAFETY: no arguments.
    let root = unsafe { libc::geteuid() } == 0;
    if !root {
        println!("skipped: this test needs root");
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

// ---- files ----

#[test]
fn a_missing_folder_is_named() {
    let _alone = alone();
    let scratch = Scratch::new("missing");
    let folder = scratch.path("no/such/folder");
    let path = folder.join("segment");
    for error in [
        compact().create_at(&path).unwrap_err(),
        compact().open_or_create_at(&path).unwrap_err(),
    ] {
        assert!(
            matches!(&error, OpenError::MissingFolder { folder: named } if *named == folder),
            "{error:?}"
        );
        assert_says(&error, &[folder.to_str().unwrap(), "does not exist", "create it"]);
    }
    assert!(!scratch.path("no").exists());
}

#[test]
fn a_missing_segment_is_named_and_the_cure_is_told() {
    let _alone = alone();
    let scratch = Scratch::new("none");
    let path = scratch.path("segment");
    for error in [
        compact().open_at(&path).unwrap_err(),
        Reader::open_path(&path).unwrap_err(),
        Reader::open(path.to_str().unwrap()).unwrap_err(),
    ] {
        assert!(
            matches!(&error, OpenError::NotFound { path: named } if *named == path),
            "{error:?}"
        );
        assert_says(&error, &[path.to_str().unwrap(), "no segment", "create one"]);
    }
    assert!(!path.exists());
}

#[test]
fn an_existing_segment_is_not_created_again() {
    let _alone = alone();
    let scratch = Scratch::new("exists");
    let path = scratch.path("segment");
    closed_segment(&path);
    let before = word_of(&path, SEGMENT_ID_OFFSET);
    let error = compact().create_at(&path).unwrap_err();
    assert!(
        matches!(&error, OpenError::Exists { path: named } if *named == path),
        "{error:?}"
    );
    assert_says(&error, &[path.to_str().unwrap(), "exists already", "retire it"]);
    assert_eq!(word_of(&path, SEGMENT_ID_OFFSET), before);
}

#[test]
fn a_refused_permission_names_the_file_and_what_was_attempted() {
    let _alone = alone();
    if !is_root() {
        return;
    }
    let scratch = Scratch::new("permission");
    let (path, new) = (scratch.path("segment"), scratch.path("new"));
    closed_segment(&path);
    let told = told_by_child(|| {
        become_nobody();
        [
            shown(compact().open_at(&path)),
            shown(compact().open_or_create_at(&path)),
            shown(Reader::open_path(&path)),
            shown(compact().create_at(&new)),
        ]
        .join("\0")
    });
    let operations = [
        "open for writing",
        "open for writing",
        "read",
        "create a file in the folder of",
    ];
    let told: Vec<_> = told.split('\0').collect();
    assert_eq!(told.len(), 4, "{told:?}");
    for (told, operation) in told.into_iter().zip(operations) {
        let path = if operation.starts_with("create") {
            &new
        } else {
            &path
        };
        assert!(told.starts_with("Permission {"), "{told}");
        assert_says(
            &told,
            &[
                &format!("no permission to {operation} {}", path.display()),
                "run as its owner",
            ],
        );
    }
    assert!(!new.exists());
    // Who may only read, reads.
    std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let told = told_by_child(|| {
        become_nobody();
        shown(Reader::open_path(&path).unwrap().snapshot()) + &shown(compact().open_at(&path))
    });
    assert!(told.starts_with("finePermission {"), "{told}");
}

#[test]
fn what_is_no_regular_file_is_refused_by_its_kind_and_left_alone() {
    let _alone = alone();
    let scratch = Scratch::new("kinds");
    let text = |path: &Path| std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    let (folder, fifo, socket) = (
        scratch.path("folder"),
        scratch.path("fifo"),
        scratch.path("socket"),
    );
    let (link, dangling, target) = (
        scratch.path("link"),
        scratch.path("dangling"),
        scratch.path("target"),
    );
    std::fs::create_dir(&folder).unwrap();
    // SAFETY: a valid C string.
    assert_eq!(unsafe { libc::mkfifo(text(&fifo).as_ptr(), 0o600) }, 0);
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    closed_segment(&target);
    std::os::unix::fs::symlink(&target, &link).unwrap();
    std::os::unix::fs::symlink(scratch.path("nothing"), &dangling).unwrap();
    let kinds = [
        (folder, "a folder"),
        (fifo, "a pipe"),
        (socket, "a socket"),
        (link, "a link"),
        (dangling, "a link"),
        (PathBuf::from("/dev/null"), "a device"),
    ];
    // In a thread, as a pipe that blocked would block for good.
    let (done, finished) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for (path, kind) in kinds {
            let begun = Instant::now();
            let errors = open_errors(&path);
            let _ = done.send((path, kind, errors, begun.elapsed()));
        }
    });
    for _ in 0..6 {
        let (path, kind, errors, took) = finished.recv_timeout(Duration::from_secs(30)).unwrap();
        for error in errors {
            let OpenError::WrongFileType { path: named, found } = &error else {
                panic!("{error:?}")
            };
            assert!(
                *named == path && found.starts_with(kind),
                "{error:?}, expected {kind}"
            );
            assert_says(
                &error,
                &[path.to_str().unwrap(), found, "expected a regular file"],
            );
        }
        assert!(took < Duration::from_millis(1500), "{kind}: {took:?}");
        assert!(path.symlink_metadata().is_ok());
    }
    assert!(!scratch.path("nothing").exists(), "a link was followed");
}

#[test]
fn a_file_shorter_than_a_header_is_no_segment() {
    let _alone = alone();
    let scratch = Scratch::new("short");
    for length in [0, 1, 100, HEADER_LENGTH - 1] {
        let path = scratch.path(&length.to_string());
        std::fs::write(&path, vec![0x8f; length as usize]).unwrap();
        let is_expected = |error: &LayoutError| *error == LayoutError::TooShort { found: length };
        let parts = [
            &format!("has {length} bytes")[..],
            "at least 4096",
            "not a segment",
        ];
        assert_layout_error(&path, is_expected, &parts);
    }
}

#[test]
fn a_file_of_something_else_is_no_segment() {
    let _alone = alone();
    let scratch = Scratch::new("garbage");
    let path = scratch.path("text");
    std::fs::write(&path, b"metrics!".repeat(1024)).unwrap();
    let found = u64::from_ne_bytes(*b"metrics!");
    let parts = [
        &format!("{found:#018x}")[..],
        &format!("{MAGIC:#018x}"),
        "not a segment",
    ];
    assert_layout_error(&path, |error| *error == LayoutError::BadMagic { found }, &parts);
    let path = scratch.path("zeros");
    std::fs::write(&path, [0; 8192]).unwrap();
    assert_layout_error(
        &path,
        |error| *error == LayoutError::NotPublished,
        &["not published"],
    );
}

#[test]
fn another_version_is_told_from_damage() {
    let _alone = alone();
    let scratch = Scratch::new("version");
    let path = scratch.path("newer");
    forged(&path, &[(VERSION_OFFSET, 7), (COMPATIBLE_FROM_OFFSET, 5)]);
    let expected = LayoutError::OtherVersion {
        version: 7,
        compatible_from: 5,
    };
    let parts = ["version 7", "from version 5", "knows version 1", "upgrade"];
    assert_layout_error(&path, |error| *error == expected, &parts);
    // Also if its checksum is made in another way.
    put(&path, &[(CHECKSUM_OFFSET, 1)]);
    assert_layout_error(&path, |error| *error == expected, &parts);
    // A newer one that says so can be used, also with features that one may ignore.
    let path = scratch.path("compatible");
    forged(&path, &[(VERSION_OFFSET, 7), (OPTIONAL_FEATURES_OFFSET, 1 << 9)]);
    compact()
        .open_at(&path)
        .unwrap()
        .counter("a_total")
        .register()
        .unwrap()
        .inc();
    assert_eq!(counter(&snapshot(&path), "a_total", &[]), 1);
}

#[test]
fn a_segment_of_the_other_byte_order_is_told_as_such() {
    let _alone = alone();
    let scratch = Scratch::new("endianness");
    let path = scratch.path("segment");
    closed_segment(&path);
    let offsets = (0..IMMUTABLE_WORDS as u64).map(|word| word * 8);
    let swapped: Vec<_> = offsets
        .map(|offset| (offset, word_of(&path, offset).swap_bytes()))
        .collect();
    put(&path, &swapped);
    let is_expected = |error: &LayoutError| *error == LayoutError::OtherEndianness;
    assert_layout_error(&path, is_expected, &["other byte order", "such a machine"]);
}

#[test]
fn a_header_with_one_bit_flipped_anywhere_is_refused() {
    let _alone = alone();
    let scratch = Scratch::new("damaged");
    let path = scratch.path("segment");
    closed_segment(&path);
    let good = std::fs::read(&path).unwrap()[..IMMUTABLE_WORDS * 8].to_vec();
    let file = File::options().write(true).open(&path).unwrap();
    for (at, byte) in good.iter().enumerate() {
        file.write_all_at(&[byte ^ 1 << (at % 8)], at as u64).unwrap();
        for error in open_errors(&path) {
            let OpenError::Layout { path: named, source } = &error else {
                panic!("byte {at}: {error:?}")
            };
            assert_eq!(named, &path);
            let is_expected = match (at / 8) as u64 * 8 {
                MAGIC_OFFSET => matches!(source, LayoutError::BadMagic { .. }),
                VERSION_OFFSET | COMPATIBLE_FROM_OFFSET => {
                    matches!(
                        source,
                        LayoutError::OtherVersion { .. } | LayoutError::BadChecksum { .. }
                    )
                }
                _ => matches!(source, LayoutError::BadChecksum { .. }),
            };
            assert!(is_expected, "byte {at}: {error:?}");
        }
        file.write_all_at(&[*byte], at as u64).unwrap();
    }
    put(&path, &[(CHECKSUM_OFFSET, 0x1234)]);
    let is_expected = |error: &LayoutError| matches!(error, LayoutError::BadChecksum { found: 0x1234, .. });
    assert_layout_error(
        &path,
        is_expected,
        &["0x0000000000001234", "damaged", "create it anew"],
    );
}

#[test]
fn a_header_that_contradicts_itself_is_refused_by_field() {
    let _alone = alone();
    let scratch = Scratch::new("contradiction");
    let path = |name: &str| scratch.path(name);
    forged(&path("lanes"), &[(LANES_OFFSET, 1 << 40)]);
    let is_expected =
        |error: &LayoutError| matches!(error, LayoutError::CapacityOutOfRange { field: "lanes", .. });
    assert_layout_error(
        &path("lanes"),
        is_expected,
        &["lanes is 1099511627776", "1 to 16384"],
    );
    forged(&path("stride"), &[(LANE_STRIDE_OFFSET, 0x80)]);
    let is_expected = |error: &LayoutError| {
        matches!(
            error,
            LayoutError::InconsistentOffset {
                field: "lane_stride",
                found: 0x80,
                ..
            }
        )
    };
    assert_layout_error(
        &path("stride"),
        is_expected,
        &["lane_stride is 0x80", "capacities lead to"],
    );
    forged(&path("reserved"), &[(SEGMENT_ID_OFFSET + 8, 3)]);
    let is_expected = |error: &LayoutError| {
        matches!(
            error,
            LayoutError::ReservedNotZero {
                offset: 0x128,
                found: 3
            }
        )
    };
    assert_layout_error(
        &path("reserved"),
        is_expected,
        &["reserved word at 0x128", "expected 0"],
    );
}

#[test]
fn a_needed_feature_that_is_unknown_is_told() {
    let _alone = alone();
    let scratch = Scratch::new("features");
    let path = scratch.path("segment");
    forged(&path, &[(REQUIRED_FEATURES_OFFSET, 0b10_0100)]);
    let is_expected = |error: &LayoutError| *error == LayoutError::UnknownFeatures { found: 0b10_0100 };
    assert_layout_error(&path, is_expected, &["features 0x24", "upgrade"]);
}

#[test]
fn a_truncated_file_is_told_with_both_lengths() {
    let _alone = alone();
    let scratch = Scratch::new("truncated");
    let path = scratch.path("segment");
    closed_segment(&path);
    let mut reader = Reader::open_path(&path).unwrap();
    let expected = std::fs::metadata(&path).unwrap().len();
    let file = File::options().write(true).open(&path).unwrap();
    for found in [expected - 1, expected / 2, HEADER_LENGTH] {
        file.set_len(found).unwrap();
        let is_expected = |error: &LayoutError| *error == LayoutError::Truncated { found, expected };
        let parts = [
            &format!("has {found} bytes")[..],
            &format!("says {expected}"),
            "truncated",
        ];
        assert_layout_error(&path, is_expected, &parts);
    }
    // A reader that had it open learns of it.
    let error = reader.refresh_owners().unwrap_err();
    assert!(
        matches!(&error, ReadError::Truncated { path: named, found: HEADER_LENGTH, .. } if *named == path),
        "{error:?}"
    );
    assert_says(
        &error,
        &[
            path.to_str().unwrap(),
            "truncated to 4096",
            &expected.to_string(),
            "open it again",
        ],
    );
    // A longer one is fine.
    file.set_len(expected + 4096).unwrap();
    drop(reader);
    let path = scratch.path("longer");
    closed_segment(&path);
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(expected + 4096)
        .unwrap();
    compact().open_at(&path).unwrap();
}

#[test]
fn capacities_outside_their_limits_are_errors_and_leave_no_file() {
    let _alone = alone();
    let scratch = Scratch::new("capacities");
    let path = scratch.path("segment");
    let cases = [
        (compact().lanes(0), "lanes", "1 to 16384"),
        (compact().lanes(16_385), "lanes", "1 to 16384"),
        (compact().process_slots(4097), "process_slots", "1 to 4096"),
        (compact().series(0), "series", "1 to 524288"),
        (compact().text_length(1023), "text_length", "1024 to"),
        (compact().blocks_length(0), "blocks_length", "4096 to"),
        (compact().epoch(Duration::ZERO), "epoch_length_ns", "1000000 to"),
        (compact().budget(u64::MAX), "budget", "0 to"),
    ];
    for (options, name, limits) in cases {
        let error = options.open_or_create_at(&path).unwrap_err();
        let is_expected = matches!(
            &error,
            OpenError::Layout { source: LayoutError::CapacityOutOfRange { field, .. }, .. } if *field == name
        );
        assert!(is_expected, "{error:?}");
        assert_says(
            &error,
            &[path.to_str().unwrap(), name, limits, "another capacity"],
        );
    }
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
}

// ---- limits of the process ----

#[test]
fn a_file_size_limit_is_an_error_and_never_a_signal() {
    let _alone = alone();
    let scratch = Scratch::new("fsize");
    let (path, existing) = (scratch.path("segment"), scratch.path("existing"));
    closed_segment(&existing);
    let limit_files = || {
        let limit = libc::rlimit {
            rlim_cur: 1 << 20,
            rlim_max: 1 << 20,
        };
        // SAFETY: a valid limit, for this (child) process only.
        let limited = unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) };
        assert_eq!(limited, 0);
    };
    let told = told_by_child(|| {
        limit_files();
        [
            shown(compact().create_at(&path)),
            shown(compact().open_or_create_at(&path)),
            shown(Segment::options().open_or_create_at(&path)),
        ]
        .join("\0")
    });
    let needed = std::fs::metadata(&existing).unwrap().len();
    let told: Vec<_> = told.split('\0').collect();
    assert_eq!(told.len(), 3, "{told:?}");
    for told in &told {
        assert!(told.starts_with("FileSizeLimit {"), "{told}");
        assert_says(
            told,
            &["RLIMIT_FSIZE", "1048576 bytes", "raise the limit", "compact"],
        );
    }
    assert_says(&told[0], &[&needed.to_string()]);
    assert!(!path.exists());
    // A segment that is there has its length already: nothing needs to grow.
    let told = told_by_child(|| {
        limit_files();
        let segment = compact().open_at(&existing).unwrap();
        let events = segment.counter("events_total").register().unwrap();
        let latency = segment
            .histogram("latency_seconds")
            .unit(Unit::Seconds)
            .register()
            .unwrap();
        for n in 0..1000 {
            events.inc();
            latency.record(n);
        }
        "fine".to_owned()
    });
    assert_eq!(told, "fine");
    let taken = snapshot(&existing);
    assert_eq!(counter(&taken, "events_total", &[]), 1000);
    assert_eq!(taken.losses.storage_refused, 0);
}

#[test]
fn locked_memory_is_refused_unless_it_is_allowed() {
    let _alone = alone();
    let scratch = Scratch::new("locked");
    let (path, allowed, early) = (
        scratch.path("segment"),
        scratch.path("allowed"),
        scratch.path("early"),
    );
    let lock = || {
        // SAFETY: changes how this (child) process maps from now on.
        unsafe { libc::mlockall(libc::MCL_FUTURE) == 0 }
    };
    let told = told_by_child(|| {
        // Open before it is locked: no error.
        let segment = compact().create_at(&early).unwrap();
        let events = segment.counter("events_total").register().unwrap();
        if !lock() {
            return "skipped".to_owned();
        }
        events.inc();
        let big = shown(Segment::options().open_or_create_at(&path));
        let small = shown(compact().open_or_create_at(&path));
        let opened = shown(compact().open_at(&early));
        let segment = match compact().allow_locked_memory().open_or_create_at(&allowed) {
            Ok(segment) => segment,
            Err(error) => return format!("{error:?}"),
        };
        segment.counter("events_total").register().unwrap().add(3);
        let latency = segment
            .histogram("latency_seconds")
            .unit(Unit::Seconds)
            .register()
            .unwrap();
        latency.record(5);
        [big, small, opened].join("\0")
    });
    if told == "skipped" {
        println!("skipped: memory cannot be locked here");
        return;
    }
    let told: Vec<_> = told.split('\0').collect();
    assert_eq!(told.len(), 3, "{told:?}");
    let needed = std::fs::metadata(&early).unwrap().len().to_string();
    for told in &told {
        assert!(told.starts_with("LockedMemory {"), "{told}");
        assert_says(
            told,
            &[
                "mlockall",
                "MCL_FUTURE",
                &format!("({needed} bytes)"),
                "before mlockall",
            ],
        );
    }
    assert_says(&told[1], &[&format!("its {needed} bytes")]);
    assert!(!path.exists());
    assert_eq!(counter(&snapshot(&early), "events_total", &[]), 1);
    let taken = snapshot(&allowed);
    assert_eq!(counter(&taken, "events_total", &[]), 3);
    assert_eq!(histogram(&taken, "latency_seconds").0, 1);
}

#[test]
fn more_segments_than_a_process_can_have_are_an_error_until_one_is_dropped() {
    let _alone = alone();
    let scratch = Scratch::new("many");
    let told = told_by_child(|| {
        let open = |n: usize| compact().open_or_create_at(scratch.path(&n.to_string()));
        let mut segments = Vec::new();
        let error = loop {
            match open(segments.len()) {
                Ok(segment) => segments.push(segment),
                Err(error) => break error,
            }
        };
        assert_eq!(segments.len(), 15);
        segments.pop();
        segments.push(open(99).unwrap());
        shown(Err::<(), _>(error))
    });
    assert!(told.starts_with("TooManySegments { limit: 15 }"), "{told}");
    assert_says(&told, &["15 segments", "drop one"]);
}

// ---- names and folders ----

#[test]
fn bad_names_are_refused_with_the_reason() {
    let _alone = alone();
    let long = "n".repeat(201);
    let bad = [
        ("", "empty"),
        (".", "dot"),
        ("..", "dot"),
        (".hidden", "dot"),
        ("a:b", "colon"),
        ("a\0b", "NUL"),
        ("/tmp/a\0b", "NUL"),
        (&long, "200 bytes"),
        ("shm:", "empty"),
        ("shm:a/b", "slash"),
        ("shm:.x", "dot"),
    ];
    for (bad, why) in bad {
        let errors = [
            Segment::open(bad).unwrap_err(),
            Segment::create(bad).unwrap_err(),
            Segment::open_or_create(bad).unwrap_err(),
            Reader::open(bad).unwrap_err(),
        ];
        for error in errors {
            assert!(
                matches!(&error, OpenError::BadName { name, .. } if name == bad),
                "{error:?}"
            );
            assert_says(&error, &[&format!("{bad:?}"), why, "plain name"]);
        }
    }
    assert!(compact().create_at("/tmp/a\0b").is_err());
}

#[cfg(not(feature = "named"))]
#[test]
fn a_shared_memory_name_without_the_feature_says_which_one_is_missing() {
    let _alone = alone();
    for error in [
        Segment::create("shm:shmetrics-test-unsupported").unwrap_err(),
        Segment::open_or_create("shm:shmetrics-test-unsupported").unwrap_err(),
    ] {
        assert!(matches!(&error, OpenError::NamedUnsupported { .. }), "{error:?}");
        assert_says(
            &error,
            &["shm:shmetrics-test-unsupported", "feature `named`", "/dev/shm"],
        );
    }
}

/// What a fresh process with these variables says about `place`: the path it opened or made, or its error.
fn told_by_process(
    test: &str,
    action: &str,
    place: &str,
    variables: &[(&str, &Path)],
    answer: &Path,
) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
    for name in ["SHMETRICS_DIR", "RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"] {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied());
    command.env(
        "SHMETRICS_TEST_CHILD",
        format!("{action}\n{place}\n{}", answer.display()),
    );
    let mut worker = Worker(command.stdout(Stdio::null()).spawn().unwrap());
    worker.finish();
    std::fs::read_to_string(answer).unwrap()
}

/// The other side of [`told_by_process`]; `true` if this process is one.
fn tell() -> bool {
    let Some(argument) = child_argument() else {
        return false;
    };
    let [action, place, answer] = argument.split('\n').collect::<Vec<_>>()[..] else {
        panic!("{argument}")
    };
    let path = |segment: Segment| segment.path().unwrap().display().to_string();
    let result = match action {
        "open_or_create" => compact().open_or_create(place).map(path),
        "open" => compact().open(place).map(path),
        "read" => Reader::open(place).map(|reader| reader.path().display().to_string()),
        _ => panic!("{action}"),
    };
    std::fs::write(
        answer,
        result.unwrap_or_else(|error| format!("{error:?}\n{error}")),
    )
    .unwrap();
    true
}

#[test]
fn a_plain_name_goes_to_the_first_usable_folder_in_the_documented_order() {
    if tell() {
        return;
    }
    let _alone = alone();
    let scratch = Scratch::new("order");
    // In the last folder, which is the user's own, there may be anything.
    let name = format!("order-{}", std::process::id());
    let test = "a_plain_name_goes_to_the_first_usable_folder_in_the_documented_order";
    let answer = scratch.path("answer");
    let [first, second, third] = ["first", "second", "third"].map(|name| scratch.path(name));
    for folder in [&first, &second, &third] {
        std::fs::create_dir(folder).unwrap();
    }
    let (file, missing) = (scratch.path("file"), scratch.path("missing"));
    std::fs::write(&file, "").unwrap();
    let ask =
        |action: &str, variables: &[(&str, &Path)]| told_by_process(test, action, &name, variables, &answer);
    let at = |folder: &Path| folder.join(&name).display().to_string();
    let runtime = PathBuf::from(format!("{}:{}", second.display(), first.display()));
    let session = third.join("shmetrics");
    let all: [(&str, &Path); 3] = [
        ("SHMETRICS_DIR", &first),
        ("RUNTIME_DIRECTORY", &runtime),
        ("XDG_RUNTIME_DIR", &third),
    ];

    // Nothing is there yet: readers name the place of the first folder.
    let told = ask("read", &all);
    assert!(
        told.starts_with("NotFound {") && told.contains(&at(&first)),
        "{told}"
    );
    // From the last to the first, so that each time an earlier one wins over what exists further down.
    assert_eq!(ask("open_or_create", &all[2..]), at(&session));
    assert_eq!(std::fs::metadata(&session).unwrap().mode() & 0o7777, 0o750);
    // Who opens what exists finds it, wherever it is.
    for action in ["open", "read"] {
        assert_eq!(ask(action, &all), at(&session));
    }
    assert_eq!(ask("open_or_create", &all[1..]), at(&second));
    assert_eq!(ask("open_or_create", &all), at(&first));
    assert_eq!(ask("read", &all), at(&first));
    assert_eq!(ask("read", &all[1..]), at(&second));
    // A variable that is empty, or names no folder, is passed over.
    for useless in [Path::new(""), &file, &missing] {
        let variables = [("SHMETRICS_DIR", useless), all[1]];
        assert_eq!(ask("open_or_create", &variables), at(&second));
    }
    assert!(!missing.exists(), "a folder that the user named is never made");
}

#[test]
fn the_default_folder_is_made_for_its_user_and_must_be_safe() {
    let _alone = alone();
    if !is_root() {
        return;
    }
    // A user that nobody is.
    let uid = 1_900_000_000 + std::process::id();
    struct Folder(PathBuf);
    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
            let _ = std::fs::remove_file(&self.0);
        }
    }
    let folder = Folder(PathBuf::from(format!("/dev/shm/shmetrics-{uid}")));
    let path = folder.0.join("app");
    let unusable = Scratch::new("unusable");
    let ask = |set: bool| {
        told_by_child(|| {
            become_user(uid);
            let value = std::ffi::CString::new(unusable.path("missing").to_str().unwrap()).unwrap();
            // SAFETY: this child has one thread, and these are valid C strings. (Not through std, whose lock another thread of the
            // parent may have held.)
            unsafe {
                for name in [c"SHMETRICS_DIR", c"RUNTIME_DIRECTORY", c"XDG_RUNTIME_DIR"] {
                    libc::unsetenv(name.as_ptr());
                }
                if set {
                    libc::setenv(c"SHMETRICS_DIR".as_ptr(), value.as_ptr(), 1);
                }
            }
            match compact().open_or_create("app") {
                Ok(segment) => segment.path().unwrap().display().to_string(),
                error => shown(error),
            }
        })
    };
    assert_eq!(ask(false), path.display().to_string());
    let made = std::fs::metadata(&folder.0).unwrap();
    assert_eq!((made.uid(), made.mode() & 0o7777), (uid, 0o750));
    let assert_unsafe = |reason: &str| {
        let told = ask(false);
        assert!(told.starts_with("UnsafeFolder {"), "{told}");
        assert_says(
            &told,
            &[folder.0.to_str().unwrap(), "not safe", reason, "SHMETRICS_DIR"],
        );
    };
    std::fs::set_permissions(&folder.0, Permissions::from_mode(0o777)).unwrap();
    assert_unsafe("others can write to it");
    std::fs::remove_dir_all(&folder.0).unwrap();
    std::fs::create_dir(&folder.0).unwrap();
    assert_unsafe("it belongs to another user");
    std::fs::remove_dir(&folder.0).unwrap();
    std::os::unix::fs::symlink("/tmp", &folder.0).unwrap();
    assert_unsafe("it is a link");
    // If others were set, each is told with its reason.
    let told = ask(true);
    assert!(told.starts_with("NoFolder {"), "{told}");
    let missing = format!("{}: it does not exist", unusable.path("missing").display());
    assert_says(
        &told,
        &[
            "\"app\"",
            &missing,
            &format!("{}: it is a link", folder.0.display()),
            "set SHMETRICS_DIR",
        ],
    );
}

// ---- registration ----

#[test]
fn a_conflict_names_what_is_and_what_was_wanted() {
    let _alone = alone();
    let scratch = Scratch::new("conflicts");
    let segment = compact().create_at(scratch.path("segment")).unwrap();
    let requests = segment
        .counter("requests")
        .unit(Unit::Bytes)
        .label("a", "1")
        .register()
        .unwrap();
    let _depth = segment
        .gauge("depth")
        .merge(Merge::Max)
        .label("a", "1")
        .register()
        .unwrap();
    let _latency = segment
        .histogram("latency")
        .unit(Unit::Seconds)
        .register()
        .unwrap();
    let used = || snapshot(&scratch.path("segment")).fill.records.used;
    let before = used();
    let unit = Unit::Bytes;
    // Each once with the same labels and once with others, and as a family of label names.
    let conflicts: Vec<(RegisterError, [&str; 3])> = vec![
        (
            segment
                .counter_float("requests")
                .unit(unit)
                .label("a", "1")
                .register()
                .unwrap_err(),
            ["requests", "counter_u64 in \"bytes\"", "counter_f64 in \"bytes\""],
        ),
        (
            segment
                .gauge("requests")
                .unit(unit)
                .label("b", "2")
                .register()
                .unwrap_err(),
            [
                "requests",
                "counter_u64 in \"bytes\"",
                "gauge_i64 with merge rule sum in \"bytes\"",
            ],
        ),
        (
            segment
                .counter("requests")
                .label("a", "1")
                .register()
                .unwrap_err(),
            [
                "requests",
                "counter_u64 in \"bytes\"",
                "counter_u64 without a unit",
            ],
        ),
        (
            segment
                .counter("requests")
                .unit(Unit::Other("things"))
                .label("c", "3")
                .register()
                .unwrap_err(),
            [
                "requests",
                "counter_u64 in \"bytes\"",
                "counter_u64 in \"things\"",
            ],
        ),
        (
            segment
                .counter("requests")
                .unit(Unit::Seconds)
                .family(["code"])
                .unwrap_err(),
            [
                "requests",
                "counter_u64 in \"bytes\"",
                "counter_u64 in \"seconds\"",
            ],
        ),
        (
            segment
                .gauge("depth")
                .merge(Merge::Min)
                .label("a", "1")
                .register()
                .unwrap_err(),
            [
                "depth",
                "gauge_i64 with merge rule max without a unit",
                "gauge_i64 with merge rule min without a unit",
            ],
        ),
        (
            segment.gauge("depth").register().unwrap_err(),
            ["depth", "merge rule max", "merge rule sum"],
        ),
        (
            segment
                .gauge_float("depth")
                .merge(Merge::Max)
                .label("b", "2")
                .register()
                .unwrap_err(),
            [
                "depth",
                "gauge_i64 with merge rule max",
                "gauge_f64 with merge rule max",
            ],
        ),
        (
            segment
                .histogram_float("latency")
                .unit(Unit::Seconds)
                .register()
                .unwrap_err(),
            [
                "latency",
                "histogram_integer in \"seconds\"",
                "histogram_float in \"seconds\"",
            ],
        ),
        (
            segment
                .histogram_classic("latency", &[1.0])
                .unit(Unit::Seconds)
                .label("x", "y")
                .register()
                .unwrap_err(),
            [
                "latency",
                "histogram_integer in \"seconds\"",
                "histogram_classic in \"seconds\"",
            ],
        ),
    ];
    for (error, [name, existing, wanted]) in conflicts {
        let RegisterError::Conflict {
            name: named,
            existing: found,
            wanted: asked,
        } = &error
        else {
            panic!("{error:?}")
        };
        assert_eq!(named, name);
        assert!(found.contains(existing) && asked.contains(wanted), "{error:?}");
        assert_says(&error, &[name, found, asked, "another name"]);
    }
    // In another process, too.
    let told = told_by_child(|| {
        let segment = compact().open_at(scratch.path("segment")).unwrap();
        shown(segment.gauge("requests").label("new", "").register())
    });
    assert!(told.starts_with("Conflict {"), "{told}");
    assert_says(&told, &["counter_u64 in \"bytes\"", "gauge_i64"]);
    assert_eq!(used(), before, "a conflict costs no record");
    requests.inc();
    let taken = snapshot(&scratch.path("segment"));
    assert_eq!(counter(&taken, "requests", &[("a", "1")]), 1);
    assert_eq!(taken.series.len(), 3);
}

#[test]
fn texts_at_their_limits_are_kept_whole_and_longer_ones_are_errors() {
    let _alone = alone();
    let scratch = Scratch::new("texts");
    let segment = compact().create_at(scratch.path("segment")).unwrap();
    // Two bytes a letter: limits are of bytes, and no letter is ever cut.
    let text = |bytes: usize| format!("{}{}", "\u{e9}".repeat(bytes / 2), "x".repeat(bytes % 2));
    let (name, help, unit) = (text(255), text(1024), text(63));
    let (label, value) = (text(255), text(1024));
    let counter_handle = segment
        .counter(&name)
        .help(&help)
        .unit(Unit::Other(&unit))
        .label(&label, &value);
    counter_handle.register().unwrap().inc();
    let taken = snapshot(&scratch.path("segment"));
    let description = &taken.series[0].description;
    assert_eq!(
        (&description.name, &description.help, &description.unit),
        (&name, &help, &unit)
    );
    assert_eq!(description.labels, [(label, value)]);

    let used = taken.fill.text.used;
    let (name, help, unit) = (text(256), text(1025), text(64));
    for (name, found) in [("", 0), (&name[..], 256)] {
        let error = segment.counter(name).register().unwrap_err();
        assert!(
            matches!(&error, RegisterError::NameLength { name: n, found: f, most: 255 } if n == name && *f == found),
            "{error:?}"
        );
        assert_says(&error, &[&format!("has {found} bytes"), "1 to 255", "shorten"]);
    }
    let cases = [
        (
            segment.gauge("a").help(&help).register().unwrap_err(),
            "help",
            1025,
            1024,
        ),
        (
            segment
                .gauge("a")
                .unit(Unit::Other(&unit))
                .register()
                .unwrap_err(),
            "unit",
            64,
            63,
        ),
        (
            segment.gauge("a").help(&help).family(["x"]).unwrap_err(),
            "help",
            1025,
            1024,
        ),
    ];
    for (error, field, found, most) in cases {
        let expected = RegisterError::TextLength {
            field,
            name: "a".into(),
            found,
            most,
        };
        assert_eq!(error, expected);
        assert_says(
            &error,
            &[field, "\"a\"", &found.to_string(), &most.to_string(), "shorten"],
        );
    }

    let labels =
        |labels: &[(&str, &str)]| match segment.counter("a").labels(labels.iter().copied()).register() {
            Err(RegisterError::Labels { name, source }) => {
                assert_eq!(name, "a");
                source
            }
            other => panic!("{other:?}"),
        };
    let (long_name, long_value) = (text(256), text(1025));
    let names: Vec<String> = (0..33).map(|n| format!("l{n}")).collect();
    let full_value = text(1024);
    let pairs = |count: usize, value| {
        names
            .iter()
            .take(count)
            .map(|n| (n.as_str(), value))
            .collect::<Vec<_>>()
    };
    let name_length = |name: &str, found| LabelError::NameLength {
        name: name.into(),
        found,
    };
    let value_length = LabelError::ValueLength {
        name: "x".into(),
        found: 1025,
    };
    let cases = [
        (
            labels(&[(&long_name, "")]),
            name_length(&long_name, 256),
            "1 to 255",
        ),
        (labels(&[("", "x")]), name_length("", 0), "1 to 255"),
        (labels(&[("x", &long_value)]), value_length, "at most 1024"),
        (
            labels(&[("x", "1"), ("y", ""), ("x", "1")]),
            LabelError::Duplicate { name: "x".into() },
            "twice",
        ),
        (
            labels(&pairs(33, "")),
            LabelError::TooMany { found: 33 },
            "at most 32",
        ),
        (
            labels(&pairs(8, &full_value)),
            LabelError::TotalLength {
                found: 8 * (1024 + 2 + 4),
            },
            "at most 8192",
        ),
    ];
    for (error, expected, limit) in cases {
        assert_eq!(error, expected);
        assert_says(&error, &[limit]);
    }
    segment.counter("a").labels(pairs(32, "")).register().unwrap();
    let taken = snapshot(&scratch.path("segment"));
    assert_eq!(taken.series[1].description.labels.len(), 32);
    assert!(taken.fill.text.used - used < 1024, "refused texts cost nothing");
}

#[test]
fn an_over_long_label_value_of_a_family_is_counted_in_its_overflow_series() {
    let _alone = alone();
    let scratch = Scratch::new("family-values");
    let segment = compact().create_at(scratch.path("segment")).unwrap();
    let family = segment.counter("requests_total").family(["path"]).unwrap();
    let long = "p".repeat(1025);
    family.with([&long]).add(2);
    family.with(["/"]).inc();
    let taken = snapshot(&scratch.path("segment"));
    assert_eq!(
        counter(&taken, "requests_total", &[("shmetrics_overflow", "true")]),
        2
    );
    assert_eq!(counter(&taken, "requests_total", &[("path", "/")]), 1);
    assert_eq!(taken.series.len(), 2, "nothing was cut");
    assert!(taken.losses.series_refused + taken.losses.label_sets_overflowed > 0);
}

#[test]
fn a_family_needs_label_names_that_can_be_labels() {
    let _alone = alone();
    let scratch = Scratch::new("family-names");
    let segment = compact().create_at(scratch.path("segment")).unwrap();
    let none: [&str; 0] = [];
    let refused = [
        segment.counter("a").family(none).unwrap_err(),
        segment.counter("a").family(["x", "x"]).unwrap_err(),
        segment.counter("a").label("x", "1").family(["x"]).unwrap_err(),
        segment.counter("a").family([""; 33]).unwrap_err(),
    ];
    for error in refused {
        assert!(
            matches!(&error, RegisterError::LabelNames { name } if name == "a"),
            "{error:?}"
        );
        assert_says(&error, &["a family needs 1 to 32 distinct label names"]);
    }
    // An over-long text is an error, also here: all members would end in the overflow series.
    let long = "n".repeat(256);
    for (name, found) in [(&long[..], 256), ("", 0)] {
        let error = segment
            .counter("a")
            .family([name])
            .expect_err("such a label name cannot be used");
        let expected = LabelError::NameLength {
            name: name.into(),
            found,
        };
        assert!(
            matches!(&error, RegisterError::Labels { source, .. } if *source == expected),
            "{error:?}"
        );
    }
}

#[test]
fn a_family_may_have_as_many_labels_as_a_series() {
    let _alone = alone();
    let scratch = Scratch::new("family-most");
    let segment = compact().create_at(scratch.path("segment")).unwrap();
    let names: Vec<String> = (0..32).map(|n| format!("l{n}")).collect();
    let names: [&str; 32] = std::array::from_fn(|n| names[n].as_str());
    let family = segment.counter("a_total").family(names).unwrap();
    family.with([""; 32]).inc();
    let taken = snapshot(&scratch.path("segment"));
    assert_eq!(taken.series[0].description.labels.len(), 32);
}

#[test]
fn buckets_outside_their_limits_are_errors_that_name_the_values() {
    let _alone = alone();
    let scratch = Scratch::new("buckets");
    let segment = compact().create_at(scratch.path("segment")).unwrap();
    let refused = [
        (segment.histogram("h").scale(8).register().unwrap_err(), "scale 8"),
        (
            segment.histogram("h").range(5, 5).register().unwrap_err(),
            "range 2^5 to 2^5",
        ),
        (
            segment.histogram("h").range(-1023, 0).register().unwrap_err(),
            "range 2^-1023 to 2^0",
        ),
        (
            segment
                .histogram("h")
                .scale(7)
                .range(-1000, 1000)
                .register()
                .unwrap_err(),
            "8194 buckets",
        ),
        (
            segment.histogram("h").ring_slots(65).register().unwrap_err(),
            "65 ring slots",
        ),
        (
            segment
                .histogram_classic("h", &[1.0])
                .ring_slots(65)
                .register()
                .unwrap_err(),
            "65 ring slots",
        ),
    ];
    for (error, part) in refused {
        assert!(
            matches!(&error, RegisterError::Buckets { name, .. } if name == "h"),
            "{error:?}"
        );
        assert_says(&error, &["h: ", part, "allowed are"]);
    }
    let bounds = |bounds: &[f64]| match segment.histogram_classic("h", bounds).register() {
        Err(RegisterError::Bounds { name, source }) => {
            assert_eq!(name, "h");
            source
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(bounds(&[]), BoundsError::Empty);
    assert_eq!(
        bounds(&[0.0; 257]),
        BoundsError::TooMany {
            count: 257,
            limit: 256
        }
    );
    assert!(matches!(
        bounds(&[0.0, f64::NAN]),
        BoundsError::NotFinite { position: 1, .. }
    ));
    assert!(matches!(
        bounds(&[1.0, 1.0]),
        BoundsError::NotIncreasing { position: 1, .. }
    ));
    assert!(snapshot(&scratch.path("segment")).series.is_empty());
}

#[test]
fn an_over_long_role_is_an_error_and_one_at_the_limit_is_shown_whole() {
    let _alone = alone();
    let scratch = Scratch::new("role");
    let path = scratch.path("segment");
    let role = "\u{e9}".repeat(32);
    let _segment = compact().role(&role).create_at(&path).unwrap();
    let taken = snapshot(&path);
    assert!(taken.processes.iter().any(|process| *process.role == *role));
    let long = role + "x";
    for error in [
        compact().role(&long).open_at(&path).unwrap_err(),
        compact().role(&long).open_or_create_at(&path).unwrap_err(),
    ] {
        assert!(
            matches!(&error, OpenError::RoleLength { role, found: 65, most: 64 } if *role == long),
            "{error:?}"
        );
        assert_says(&error, &[&long, "65 bytes", "at most 64", "shorten"]);
    }
}

#[test]
fn an_over_long_role_creates_nothing() {
    let _alone = alone();
    let scratch = Scratch::new("role-new");
    let path = scratch.path("segment");
    let error = compact().role("r".repeat(65)).create_at(&path).unwrap_err();
    assert!(matches!(error, OpenError::RoleLength { .. }), "{error:?}");
    assert!(!path.exists(), "a segment was left behind by a call that failed");
}

// ---- creation, capacities, retirement ----

#[test]
fn racing_creators_end_up_on_one_segment() {
    const CREATORS: usize = 16;
    let _alone = alone();
    let scratch = Scratch::new("race");
    for round in 0..20 {
        let folder = scratch.path(&format!("round{round}"));
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("segment");
        let words = SharedWords::open(&scratch.path(&format!("words{round}")), 1 + CREATORS);
        let children: Vec<_> = (0..CREATORS)
            .map(|creator| {
                fork(|| {
                    words.word(0).fetch_add(1, Relaxed);
                    poll("the others", || {
                        (words.word(0).load(Relaxed) == CREATORS as u64).then_some(())
                    });
                    let segment = compact().open_or_create_at(&path).unwrap();
                    segment.counter("events_total").register().unwrap().inc();
                    let facts = Reader::open_path(&path).unwrap().facts().origin;
                    words.word(1 + creator).store(facts.segment_id, Relaxed);
                    0
                })
            })
            .collect();
        assert!(children.into_iter().all(|pid| wait(pid) == 0));
        assert_eq!(counter(&snapshot(&path), "events_total", &[]), CREATORS as u64);
        let id = word_of(&path, SEGMENT_ID_OFFSET);
        assert!((0..CREATORS).all(|creator| words.word(1 + creator).load(Relaxed) == id));
        // And the losers left nothing.
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    }
}

#[test]
fn other_capacities_than_the_files_are_reported_and_the_files_hold() {
    let _alone = alone();
    let scratch = Scratch::new("capacities");
    let path = scratch.path("segment");
    let options = || compact().lanes(17).gauges(5);
    let first = options().open_or_create_at(&path).unwrap();
    assert_eq!(first.differences(), []);
    let same = options().open_or_create_at(&path).unwrap();
    assert_eq!(same.differences(), []);
    let epoch = Duration::from_secs(3);
    let other = compact()
        .lanes(40)
        .series(100)
        .epoch(epoch)
        .open_or_create_at(&path)
        .unwrap();
    let found: Vec<_> = other
        .differences()
        .iter()
        .map(|difference| (difference.option, difference.wanted, difference.found))
        .collect();
    let expected = [
        ("lanes", 40, 17),
        ("series", 100, 512),
        ("gauges", 128, 5),
        ("epoch_length_ns", 3_000_000_000, 10_000_000_000),
    ];
    assert_eq!(found, expected);
    let capacities = other.capacities().unwrap();
    assert_eq!(
        (capacities.lanes, capacities.series, capacities.gauges),
        (17, 512, 5)
    );
    // It is the same segment, and it works.
    first.counter("events_total").register().unwrap().inc();
    other.counter("events_total").register().unwrap().inc();
    assert_eq!(counter(&snapshot(&path), "events_total", &[]), 2);
}

#[test]
fn the_mode_is_as_configured_whatever_the_umask() {
    let _alone = alone();
    let scratch = Scratch::new("mode");
    for umask in [0, 0o022, 0o077, 0o777] {
        for mode in [0o600, 0o640, 0o664, 0o666] {
            let path = scratch.path(&format!("{umask:o}-{mode:o}"));
            let told = told_by_child(|| {
                // SAFETY: changes this (child) process only.
                unsafe { libc::umask(umask) };
                shown(compact().mode(mode).open_or_create_at(&path))
            });
            assert_eq!(told, "fine");
            assert_eq!(
                std::fs::metadata(&path).unwrap().mode() & 0o7777,
                mode,
                "umask {umask:o}"
            );
        }
    }
    let path = scratch.path("default");
    closed_segment(&path);
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
}

#[test]
fn a_retired_segment_loses_its_name_and_nobody_its_handles() {
    let _alone = alone();
    let scratch = Scratch::new("retire");
    let path = scratch.path("segment");
    let old = compact().create_at(&path).unwrap();
    let old_events = old.counter("events_total").register().unwrap();
    let family = old.counter("requests_total").family(["code"]).unwrap();
    old_events.inc();
    let mut reader = Reader::open_path(&path).unwrap();
    assert!(!reader.replaced() && !reader.snapshot().unwrap().retired);
    old.retire().unwrap();
    assert!(!path.exists());
    assert!(reader.replaced());
    assert!(reader.snapshot().unwrap().retired);

    let new = compact().open_or_create_at(&path).unwrap();
    let new_events = new.counter("events_total").register().unwrap();
    new_events.add(100);
    // Old handles go on: in this thread, others, children; also with series that are new.
    old_events.add(10);
    std::thread::scope(|scope| drop(scope.spawn(|| old_events.add(10))));
    let told = told_by_child(|| {
        old_events.add(10);
        family.with(["200"]).inc();
        new_events.add(100);
        "fine".to_owned()
    });
    assert_eq!(told, "fine");
    old.histogram("late").register().unwrap().record(3);
    assert_eq!(counter(&reader.snapshot().unwrap(), "events_total", &[]), 31);
    assert_eq!(counter(&snapshot(&path), "events_total", &[]), 200);
    // Retiring the old one again does not touch the new one's name.
    old.retire().unwrap();
    drop((old, old_events, family));
    assert!(path.exists());
    let after = snapshot(&path);
    assert!(!after.retired);
    assert_eq!(after.series.len(), 1);
    // Nothing was left beside it.
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn a_retired_segment_that_still_has_its_name_is_told_and_replaced() {
    let _alone = alone();
    let scratch = Scratch::new("retired");
    let path = scratch.path("segment");
    let old = compact().create_at(&path).unwrap();
    old.counter("events_total").register().unwrap().add(5);
    let id = word_of(&path, SEGMENT_ID_OFFSET);
    put(&path, &[(RETIRED_OFFSET, 1)]);
    let error = compact().open_at(&path).unwrap_err();
    assert!(
        matches!(&error, OpenError::Retired { path: named } if *named == path),
        "{error:?}"
    );
    assert_says(
        &error,
        &[path.to_str().unwrap(), "retired", "open its name again"],
    );
    assert!(snapshot(&path).retired);
    let new = compact().open_or_create_at(&path).unwrap();
    new.counter("events_total").register().unwrap().inc();
    assert_ne!(word_of(&path, SEGMENT_ID_OFFSET), id);
    assert_eq!(counter(&snapshot(&path), "events_total", &[]), 1);
}

#[test]
fn a_segment_on_disk_that_survived_a_reboot_is_begun_anew() {
    let _alone = alone();
    struct Folder(PathBuf);
    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
    let folder = Folder(std::env::temp_dir().join(format!("shmetrics-test-reboot-{}", std::process::id())));
    std::fs::create_dir_all(&folder.0).unwrap();
    let path = folder.0.join("segment");
    if compact().create_at(&path).unwrap().is_in_memory() {
        println!("skipped: {} is in memory", folder.0.display());
        return;
    }
    // Of this boot: gone on with.
    compact()
        .open_or_create_at(&path)
        .unwrap()
        .counter("events_total")
        .register()
        .unwrap()
        .inc();
    compact()
        .open_or_create_at(&path)
        .unwrap()
        .counter("events_total")
        .register()
        .unwrap()
        .inc();
    assert_eq!(counter(&snapshot(&path), "events_total", &[]), 2);
    std::fs::remove_file(&path).unwrap();
    forged(&path, &[(BOOT_ID_LOW_OFFSET, 12_345)]);
    let id = word_of(&path, SEGMENT_ID_OFFSET);
    compact()
        .open_or_create_at(&path)
        .unwrap()
        .counter("events_total")
        .register()
        .unwrap()
        .inc();
    assert_ne!(word_of(&path, SEGMENT_ID_OFFSET), id);
    let taken = snapshot(&path);
    assert_eq!(
        taken.find("events_total", &[]).unwrap().value,
        Value::CounterU64(1)
    );
}
