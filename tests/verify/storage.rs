//! S-2: every mark covers allocated storage only.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

use shmetrics::layout::record::CELL_WORD;
use shmetrics::verify::{Place, Severity, verify};

use super::fixture::*;
use super::support::Scratch;
use crate::support::skip;

/// Gives the storage of a page back.
fn punch(fixture: &Fixture, offset: u64) {
    let page = offset / 4096 * 4096;
    let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    // SAFETY: an open file; the content of the range is given up on purpose.
    let done = unsafe { libc::fallocate(fixture.file.as_raw_fd(), mode, page as i64, 4096) };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
}

#[test]
fn a_mark_without_storage_is_found_and_nothing_there_is_touched() {
    // Is the scratch folder on tmpfs? Others do not tell.
    let probe = Fixture::new("verify-storage-probe");
    if verify(&probe.path)
        .unwrap()
        .findings
        .iter()
        .any(|finding| finding.rule == "S-2")
    {
        skip("the file system of the scratch folder does not tell which pages are allocated");
        return;
    }
    type Case = (&'static str, fn(&Fixture) -> u64, Place);
    let cases: [Case; 5] = [
        (
            "the cells of a slot",
            |f| f.geometry.slot_offset(0) + 8192,
            Place::Slot(0),
        ),
        (
            "the front of a lane",
            |f| f.geometry.lane_offset(1),
            Place::Lane(1),
        ),
        (
            "a block of a lane",
            |f| f.block(1, LATENCY, 0) + 8192,
            Place::LaneRecord {
                lane: 1,
                record: LATENCY,
            },
        ),
        (
            "a counter of the shared lane",
            |f| f.geometry.shared_counters_offset + 128 * (f.load(f.record(LOAD, CELL_WORD)) - 1),
            Place::SharedRecord(LOAD),
        ),
        (
            "a block of the shared lane",
            |f| f.shared_block(SIZE, 0),
            Place::SharedRecord(SIZE),
        ),
    ];
    for (name, offset, place) in cases {
        let fixture = Fixture::new("verify-storage");
        punch(&fixture, offset(&fixture));
        let blocks = fixture.file.metadata().unwrap().blocks();
        let report = verify(&fixture.path).unwrap();
        assert_eq!(
            rules(&report),
            [("S-2", Severity::Error)].into(),
            "{name}:\n{report}"
        );
        assert!(
            report.findings.iter().any(|finding| finding.place == place),
            "{name}:\n{report}"
        );
        let after = fixture.file.metadata().unwrap().blocks();
        assert_eq!(after, blocks, "{name}: the hole was touched");
    }
}

#[test]
fn a_head_without_storage_is_found() {
    let fixture = Fixture::new("verify-head");
    if verify(&fixture.path)
        .unwrap()
        .findings
        .iter()
        .any(|finding| finding.rule == "S-2")
    {
        skip("the file system of the scratch folder does not tell which pages are allocated");
        return;
    }
    punch(&fixture, fixture.geometry.process_directory_offset - 8192);
    let report = verify(&fixture.path).unwrap();
    assert_eq!(rules(&report), [("S-2", Severity::Error)].into(), "{report}");
    assert_eq!(report.findings[0].place, Place::File);
}

/// A ramfs that is gone with the test.
struct Ramfs(std::path::PathBuf);

impl Ramfs {
    /// `None` if this process may not mount.
    fn new(folder: std::path::PathBuf) -> Option<Ramfs> {
        std::fs::create_dir_all(&folder).unwrap();
        let target = CString::new(folder.as_os_str().as_bytes()).unwrap();
        let kind = c"ramfs".as_ptr();
        // SAFETY: three texts that end with NUL and live until after the call, no flags, no data.
        let done = unsafe { libc::mount(kind, target.as_ptr(), kind, 0, std::ptr::null()) };
        (done == 0).then_some(Ramfs(folder))
    }
}

impl Drop for Ramfs {
    fn drop(&mut self) {
        let target = CString::new(self.0.as_os_str().as_bytes()).unwrap();
        // SAFETY: a text that ends with NUL and lives until after the call.
        unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) };
    }
}

#[test]
fn a_file_system_in_memory_that_counts_no_pages_accuses_nobody() {
    let scratch = Scratch::new("verify-ramfs");
    let Some(ramfs) = Ramfs::new(scratch.path("ramfs")) else {
        skip("this process may not mount a ramfs");
        return;
    };
    let path = ramfs.0.join("segment");
    let segment = options().create_at(&path).unwrap();
    assert!(segment.is_in_memory());
    let instruments = Instruments::register(&segment);
    (0..100).for_each(|n| instruments.use_all(n));
    let report = verify(&path).unwrap();
    assert_no_suspicion(&report);
    assert!(
        report.findings.iter().any(|finding| finding.rule == "S-2"),
        "what was not compared is told: {report}"
    );
}
