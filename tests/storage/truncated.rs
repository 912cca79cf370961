//! A file that is truncated while it is mapped: readers with the guard of `shmetrics::sigbus` get an error, all others die.

use std::ffi::{c_int, c_void};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering::Relaxed;

use shmetrics::dump::Dump;
use shmetrics::error::{LayoutError, ReadError};
use shmetrics::layout::geometry::Geometry;
use shmetrics::sigbus::install_guard;
use shmetrics::verify::verify;
use shmetrics::{OpenError, Reader};

use super::*;

/// Lengths of every kind, of a segment of this geometry: nothing, the header, within each region, all but the last page or byte.
fn lengths(geometry: &Geometry) -> Vec<u64> {
    let regions = [
        geometry.index_offset,
        geometry.records_offset,
        geometry.text_offset,
        geometry.process_directory_offset,
        geometry.lane_directory_offset,
        geometry.slots_offset,
        geometry.shared_counters_offset,
        geometry.shared_blocks_offset,
        geometry.lanes_offset,
        geometry.lanes_offset + 2 * 4096,
    ];
    let pages = regions.iter().map(|offset| offset / 4096 * 4096);
    let within = regions.iter().map(|offset| offset + 13);
    let others = [0, 1, 100, 512, 4095, 4096, 4097];
    let ends = [geometry.file_length - 4096, geometry.file_length - 1];
    others
        .into_iter()
        .chain(pages)
        .chain(within)
        .chain(ends)
        .collect()
}

fn geometry_of(path: &Path) -> Geometry {
    Reader::open_path(path).unwrap().facts().geometry
}

fn truncate(path: &Path, length: u64) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_len(length).unwrap();
}

/// Does the error say that the file has `found` bytes of `expected`?
fn is_told(error: &ReadError, found: u64, expected: u64) -> bool {
    let text = error.to_string();
    matches!(error, ReadError::Truncated { found: f, expected: e, .. } if (*f, *e) == (found, expected))
        && text.contains(&format!("truncated to {found} bytes, expected {expected}"))
        && text.contains("open it again")
}

#[test]
fn a_guarded_reader_of_a_truncated_file_gets_an_error_with_both_lengths() {
    let _alone = alone();
    let scratch = Scratch::new("guarded");
    let path = scratch.path("segment");
    work(&path);
    let geometry = geometry_of(&path);
    std::fs::remove_file(&path).unwrap();
    for length in lengths(&geometry) {
        work(&path);
        let child = fork(|| {
            install_guard().unwrap();
            let mut reader = Reader::open_path(&path).unwrap();
            let mut other = Reader::open_path(&path).unwrap();
            let expected = geometry.file_length;
            let before = reader.snapshot().unwrap();
            truncate(&path, length);
            // What is read by then may lie before the end. If not, the read itself fails.
            let is_far = length <= geometry.slots_offset && length.is_multiple_of(4096);
            match other.snapshot() {
                Ok(_) => assert!(!is_far, "{length}: read what is not there"),
                Err(error) => assert!(is_told(&error, length, expected), "{length}: {error}"),
            }
            for _ in 0..2 {
                match reader.cut() {
                    Ok(_) => assert!(!is_far, "{length}"),
                    Err(error) => assert!(is_told(&error, length, expected), "{length}: {error}"),
                }
                let error = reader.refresh_owners().unwrap_err();
                assert!(is_told(&error, length, expected), "{length}: {error}");
            }
            assert!(before.find("events_total", &[]).is_some());
            i32::from(reader.replaced() != (reader.path() != path))
        });
        assert_eq!(wait(child), 0, "{length}");
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_guarded_reader_survives_whatever_length_the_file_has_at_any_moment() {
    const ERRORS: u64 = 200;
    let _alone = alone();
    let scratch = Scratch::new("race");
    let path = scratch.path("segment");
    work(&path);
    let geometry = geometry_of(&path);
    let lengths = lengths(&geometry);
    // All that is allocated, to put it back each time.
    let file = File::options().read(true).write(true).open(&path).unwrap();
    let mut head = vec![0; geometry.lanes_offset as usize + 64 * 1024];
    file.read_exact_at(&mut head, 0).unwrap();
    // Errors when opening, when reading; snapshots; done.
    let told = SharedWords::open(&scratch.path("told"), 4);
    let child = fork(|| {
        install_guard().unwrap();
        let mut errors = 0;
        while errors < ERRORS {
            let mut reader = match Reader::open_path(&path) {
                Ok(reader) => reader,
                Err(OpenError::Layout { .. } | OpenError::Lost { .. }) => {
                    told.word(0).fetch_add(1, Relaxed);
                    continue;
                }
                Err(error) => panic!("{error:?}"),
            };
            loop {
                match reader.snapshot().and_then(|_| reader.refresh_owners()) {
                    Ok(()) => told.word(2).fetch_add(1, Relaxed),
                    Err(ReadError::Truncated { found, expected, .. }) => {
                        assert!(found < expected);
                        break;
                    }
                    Err(ReadError::Lost { .. }) => break,
                    Err(error) => panic!("{error:?}"),
                };
            }
            errors += 1;
            told.word(1).store(errors, Relaxed);
        }
        told.word(3).store(1, Relaxed);
        0
    });
    let mut next = lengths.iter().cycle();
    poll("errors of the reader", || {
        for _ in 0..20 {
            file.set_len(*next.next().unwrap()).unwrap();
            file.set_len(geometry.file_length).unwrap();
            file.write_all_at(&head, 0).unwrap();
        }
        let has_ended = told.word(1).load(Relaxed) >= ERRORS;
        // SAFETY: asks only, about a child that is not waited for yet.
        let is_dead = unsafe {
            let mut found: libc::siginfo_t = std::mem::zeroed();
            let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
            libc::waitid(libc::P_PID, child as libc::id_t, &raw mut found, options) == 0
                && found.si_pid() == child
        };
        (has_ended || is_dead).then_some(())
    });
    assert_eq!(wait(child), 0, "it was ended: {}", libc::SIGBUS);
    assert_eq!(told.word(3).load(Relaxed), 1);
}

#[test]
fn without_the_guard_truncation_ends_readers_and_with_or_without_it_writers() {
    let _alone = alone();
    let scratch = Scratch::new("unguarded");
    let path = scratch.path("segment");
    work(&path);
    let reader = fork(|| {
        let mut reader = Reader::open_path(&path).unwrap();
        truncate(&path, 0);
        i32::from(reader.snapshot().is_ok())
    });
    assert_eq!(wait(reader), -libc::SIGBUS);
    std::fs::remove_file(&path).unwrap();
    for guarded in [false, true] {
        let writer = fork(|| {
            if guarded {
                install_guard().unwrap();
            }
            let segment = compact().open_or_create_at(&path).unwrap();
            let events = segment.counter("events_total").register().unwrap();
            events.inc();
            truncate(&path, 0);
            events.inc();
            0
        });
        assert_eq!(wait(writer), -libc::SIGBUS);
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_file_that_is_truncated_and_extended_again_is_told_as_lost() {
    let _alone = alone();
    let scratch = Scratch::new("extended");
    let path = scratch.path("segment");
    work(&path);
    let child = fork(|| {
        install_guard().unwrap();
        let mut reader = Reader::open_path(&path).unwrap();
        let expected = reader.facts().geometry.file_length;
        truncate(&path, 0);
        assert!(reader.replaced() || reader.snapshot().is_err());
        truncate(&path, expected);
        for error in [
            reader.snapshot().unwrap_err(),
            reader.refresh_owners().unwrap_err(),
        ] {
            assert!(matches!(error, ReadError::Lost { .. }), "{error}");
            assert!(
                error.to_string().contains("truncated and extended again"),
                "{error}"
            );
        }
        // It is that mapping that is lost, and not the next one at its address.
        drop(reader);
        std::fs::remove_file(&path).unwrap();
        work(&path);
        assert_worked(&path, 1);
        0
    });
    assert_eq!(wait(child), 0);
}

#[test]
fn verify_and_dump_of_a_truncated_file_are_errors() {
    let _alone = alone();
    let scratch = Scratch::new("verify");
    let path = scratch.path("segment");
    work(&path);
    let child = fork(|| {
        install_guard().unwrap();
        let dump = Dump::open(&path).unwrap();
        let expected = geometry_of(&path).file_length;
        let mut lines = 0u64;
        let told = dump.each(|_| {
            lines += 1;
            if lines == 100 {
                truncate(&path, 4096);
            }
            Ok::<(), ()>(())
        });
        assert!(told.is_ok() && lines > 100);
        let error = dump.ensure_whole().unwrap_err();
        let is_expected = |error: &LayoutError| {
            *error
                == LayoutError::Truncated {
                    found: 4096,
                    expected,
                }
        };
        assert!(
            matches!(&error, OpenError::Layout { source, .. } if is_expected(source)),
            "{error}"
        );
        // Refused from the start it is a finding.
        i32::from(!verify(&path).unwrap().refused)
    });
    assert_eq!(wait(child), 0);
    // While it is verified: whatever the moment, an error or a report.
    for _ in 0..50 {
        std::fs::remove_file(&path).unwrap();
        work(&path);
        let gate = SharedWords::open(&scratch.path("gate"), 1);
        gate.word(0).store(0, Relaxed);
        let child = fork(|| {
            install_guard().unwrap();
            gate.word(0).store(1, Relaxed);
            match verify(&path) {
                Ok(_) | Err(OpenError::Layout { .. }) => 0,
                Err(error) => panic!("{error}"),
            }
        });
        poll("the verifier", || (gate.word(0).load(Relaxed) == 1).then_some(()));
        truncate(&path, 0);
        assert_eq!(wait(child), 0);
    }
}

/// A page of a file that is gone: a load from it is SIGBUS, and not in a segment.
fn page_that_is_gone(scratch: &Scratch) -> *const u8 {
    let path = scratch.path("other");
    std::fs::write(&path, vec![1; 4096]).unwrap();
    let file = File::options().read(true).write(true).open(&path).unwrap();
    // SAFETY: a new mapping at an address of the kernel's choice.
    let base = unsafe {
        let (read, shared) = (libc::PROT_READ, libc::MAP_SHARED);
        libc::mmap(std::ptr::null_mut(), 4096, read, shared, file.as_raw_fd(), 0)
    };
    assert_ne!(base, libc::MAP_FAILED);
    file.set_len(0).unwrap();
    base.cast()
}

/// What this (child) process does about SIGBUS from now on.
fn handle(handler: usize, flags: c_int) {
    // SAFETY: zeros are valid; the handlers below only end the process or return.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        (action.sa_sigaction, action.sa_flags) = (handler, flags);
        assert_eq!(
            libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut()),
            0
        );
    }
}

extern "C" fn exit_with_42(_signal: c_int) {
    // SAFETY: ends the process.
    unsafe { libc::_exit(42) }
}

extern "C" fn exit_with_the_page(_signal: c_int, info: *mut libc::siginfo_t, _context: *mut c_void) {
    // SAFETY: called with SA_SIGINFO; ends the process.
    unsafe { libc::_exit(i32::from((*info).si_code == libc::BUS_ADRERR) * 43) }
}

extern "C" fn go_on(_signal: c_int) {}

#[test]
fn a_sigbus_elsewhere_does_what_it_did_before() {
    let _alone = alone();
    let scratch = Scratch::new("elsewhere");
    let path = scratch.path("segment");
    work(&path);
    let touch = |prepare: &dyn Fn()| {
        wait(fork(|| {
            prepare();
            install_guard().unwrap();
            // A second time changes nothing: it does not become its own predecessor.
            install_guard().unwrap();
            // A reader is there, and its mapping is not the one.
            let mut reader = Reader::open_path(&path).unwrap();
            reader.snapshot().unwrap();
            let page = page_that_is_gone(&scratch);
            // SAFETY: mapped; what the load does is what is asked.
            i32::from(unsafe { page.read_volatile() })
        }))
    };
    let with_information = exit_with_the_page as extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
    let plain = exit_with_42 as extern "C" fn(c_int);
    let returning = go_on as extern "C" fn(c_int);
    // The handler of Rust's runtime; the default; a fault cannot be ignored; the program's own.
    assert_eq!(touch(&|| {}), -libc::SIGBUS);
    assert_eq!(touch(&|| handle(libc::SIG_DFL, 0)), -libc::SIGBUS);
    assert_eq!(touch(&|| handle(libc::SIG_IGN, 0)), -libc::SIGBUS);
    assert_eq!(touch(&|| handle(plain as usize, 0)), 42);
    assert_eq!(touch(&|| handle(with_information as usize, libc::SA_SIGINFO)), 43);
    assert_eq!(
        touch(&|| handle(returning as usize, libc::SA_RESETHAND)),
        -libc::SIGBUS
    );

    let sent = |prepare: &dyn Fn()| {
        wait(fork(|| {
            prepare();
            install_guard().unwrap();
            // SAFETY: a signal to this process.
            unsafe { libc::raise(libc::SIGBUS) };
            7
        }))
    };
    assert_eq!(sent(&|| handle(libc::SIG_DFL, 0)), -libc::SIGBUS);
    assert_eq!(sent(&|| handle(libc::SIG_IGN, 0)), 7);
    assert_eq!(sent(&|| handle(returning as usize, 0)), 7);
    assert_eq!(sent(&|| handle(plain as usize, 0)), 42);
}
