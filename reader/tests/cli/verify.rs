//! `verify`: exit codes, lines, JSON.

use std::fs::File;
use std::os::unix::fs::FileExt;

use shmetrics::layout::geometry::{Capacities, Geometry};
use shmetrics::layout::header::{RETIRED_OFFSET, STAMP_OFFSET};

use super::support::*;

/// Changes a word of a segment's file behind its back.
fn store(folder: &Folder, name: &str, offset: u64, value: u64) {
    let file = File::options().write(true).open(folder.path(name)).unwrap();
    file.write_all_at(&value.to_ne_bytes(), offset).unwrap();
}

/// Where the role of slot 0 is, in a compact segment.
fn role() -> u64 {
    use shmetrics::layout::directory::PROCESS_ROLE_OFFSET;
    Geometry::plan(Capacities::COMPACT)
        .unwrap()
        .process_entry_offset(0)
        + PROCESS_ROLE_OFFSET
}

#[test]
fn a_sound_segment_is_one_line_and_exit_code_0() {
    let folder = Folder::new();
    let segment = folder.segment("app");
    segment.counter("events_total").register().unwrap().inc();
    segment.gauge("depth").register().unwrap().set(3);
    segment.histogram("latency").register().unwrap().record(3);
    for arguments in [
        &["verify", "app"][..],
        &["verify"],
        &["verify", "app", "--strict", "--quiet"],
    ] {
        let ended = folder.run(arguments);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
        assert_eq!(
            ended.stdout,
            "ok: 6 records, 1 lane, 1 slot, 2 blocks checked; 0 errors, 0 warnings, 0 notes\n"
        );
    }
}

#[test]
fn damage_is_a_line_and_exit_code_1() {
    let folder = Folder::new();
    drop(folder.segment("app"));
    store(&folder, "app", STAMP_OFFSET + 8, 7);
    store(&folder, "app", RETIRED_OFFSET, 1);
    let ended = folder.run(&["verify", "app"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(
        lines,
        [
            "error W-9 header.reserved (at 0x808): the reserved word is 0x7, expected 0",
            "note 10.17 header.retired (at 0x880): 1: the segment is retired: open its name again",
            "damaged: 0 records, 0 lanes, 1 slot, 0 blocks checked; 1 error, 0 warnings, 1 note",
        ]
    );
    assert!(
        ended.stderr.starts_with("shmetrics: ") && ended.stderr.contains("1 error"),
        "{ended:?}"
    );
    let quiet = folder.run(&["verify", "app", "--quiet"]);
    assert_eq!((quiet.code, quiet.stdout.lines().count()), (1, 1), "{quiet:?}");
}

#[test]
fn warnings_count_only_if_strict() {
    let folder = Folder::new();
    drop(folder.segment("app"));
    store(&folder, "app", role(), u64::MAX);
    let ended = folder.run(&["verify", "app"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(
        ended.stdout.starts_with("warning 9.1 slot 0 ") && ended.stdout.contains("\nok: "),
        "{ended:?}"
    );
    assert_eq!(folder.run(&["verify", "app", "--strict"]).code, 1);
    let mut command = folder.command(&["verify", "app"]);
    command.env("SHMETRICS_STRICT", "1");
    assert_eq!(finish(command).code, 1);
}

#[test]
fn what_is_no_segment_is_refused_by_its_rule() {
    let folder = Folder::new();
    std::fs::write(folder.path("text"), "no segment\n".repeat(1000)).unwrap();
    std::fs::write(folder.path("empty"), "").unwrap();
    for (name, rule) in [("text", "error V-4 header.magic"), ("empty", "error V-1 file")] {
        let ended = folder.run(&["verify", name]);
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(
            ended.stdout.starts_with(rule) && ended.stdout.contains("\nrefused: "),
            "{ended:?}"
        );
    }
}

#[test]
fn what_cannot_be_read_is_exit_code_2() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("folder")).unwrap();
    assert_refused(&folder.run(&["verify", "missing"]), "there is no segment");
    assert_refused(&folder.run(&["verify", "folder"]), "a folder");
    assert_refused(&folder.run(&["verify"]), "no segment found");
    assert_refused(&folder.run(&["verify", "a:b"]), "no segment name");
    assert_refused(&folder.run(&["verify", "app", "--format", "xml"]), "xml");
}

#[test]
fn json_has_the_same_findings() {
    let folder = Folder::new();
    drop(folder.segment("app"));
    store(&folder, "app", STAMP_OFFSET + 8, 7);
    let ended = folder.run(&["verify", "app", "--format", "json"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    let json: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(json["refused"], false);
    assert_eq!((&json["errors"], &json["warnings"]), (&1.into(), &0.into()));
    assert_eq!(json["checked"]["slots"], 1);
    let expected = serde_json::json!({
        "rule": "W-9", "severity": "error", "place": "header.reserved", "offset": 0x808,
        "message": "the reserved word is 0x7, expected 0"
    });
    assert_eq!(json["findings"], serde_json::json!([expected]));
    let quiet = folder.run(&["verify", "app", "--format", "json", "--quiet"]);
    let quiet: serde_json::Value = serde_json::from_str(&quiet.stdout).unwrap();
    assert!(quiet.get("findings").is_none() && quiet["errors"] == 1);
}
