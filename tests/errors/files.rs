//! Files that are no segment, or none this library can use.

use super::*;

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
    let parts = ["version 7", "from version 5", "knows version 2", "upgrade"];
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
    forged(&path("reserved"), &[(RESET_STRIDE_OFFSET + 8, 3)]);
    let is_expected = |error: &LayoutError| {
        matches!(
            error,
            LayoutError::ReservedNotZero {
                offset: 0x158,
                found: 3
            }
        )
    };
    assert_layout_error(
        &path("reserved"),
        is_expected,
        &["reserved word at 0x158", "expected 0"],
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
fn a_feature_for_writers_that_is_unknown_stops_writers_and_no_reader() {
    let _alone = alone();
    let scratch = Scratch::new("writer-features");
    let path = scratch.path("segment");
    forged(&path, &[(WRITER_FEATURES_OFFSET, 0b10_0100)]);
    for error in [
        compact().open_at(&path).unwrap_err(),
        compact().open_or_create_at(&path).unwrap_err(),
    ] {
        let OpenError::Layout { source, .. } = &error else {
            panic!("{error:?}")
        };
        assert_eq!(*source, LayoutError::UnknownWriterFeatures { found: 0b10_0100 });
        assert_says(&error, &["features 0x24", "reading works"]);
    }
    Reader::open_path(&path).unwrap().snapshot().unwrap();
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
        (compact().errors(1025), "errors", "0 to 1024"),
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
