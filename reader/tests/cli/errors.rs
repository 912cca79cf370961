//! What goes wrong is told on one line, with exit code 2; a broken pipe is not wrong.

use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

use super::support::*;

#[test]
fn usage_errors_are_one_line() {
    let folder = Folder::new();
    let cases: [(&[&str], &str); 18] = [
        (&[], "which command?"),
        (&["snap"], "snap"),
        (&["snapshot", "--bogus"], "see `shmetrics snapshot --help`"),
        (&["snapshot", "a", "b"], "unexpected argument"),
        (&["snapshot", "--format", "xml"], "xml"),
        (&["snapshot", "--window=-1"], "--window"),
        (&["snapshot", "--cut", "--window", "1"], "--window"),
        (&["create", "x", "--budget", "1XB"], "--budget"),
        (&["create", "x", "--mode", "rw-"], "octal"),
        (&["create", "x", "--lanes", "0"], "lanes is 0"),
        (&["create", "x", "--epoch", "1ns"], "epoch"),
        (&["watch", "x", "--interval", "0"], "more than 0"),
        (&["watch", "x", "--count", "0"], "--count"),
        (&["retire"], "PATH"),
        (&["reset"], "PATH"),
        (&["demo", "--workers", "0"], "--workers"),
        (&["demo", "--workers", "2", "--kill", "3"], "--kill 3"),
        (&["demo", "--keep", "a", "--segment", "b"], "cannot be used with"),
    ];
    for (arguments, says) in cases {
        assert_refused(&folder.run(arguments), says);
    }
    let mut command = folder.command(&["snapshot", "x"]);
    command.env("SHMETRICS_FORMAT", "xml");
    assert_refused(&finish(command), "xml");
}

#[test]
fn help_and_version_are_no_errors() {
    let folder = Folder::new();
    assert_eq!(
        folder.run(&["--version"]).stdout,
        format!("shmetrics {}\n", env!("CARGO_PKG_VERSION"))
    );
    for command in [
        "create",
        "snapshot",
        "text",
        "watch",
        "serve",
        "pipe",
        "inspect",
        "verify",
        "health",
        "wait-idle",
        "save",
        "restore",
        "reset",
        "retire",
        "demo",
        "torture",
    ] {
        let ended = folder.run(&[command, "--help"]);
        assert_eq!(ended.code, 0);
        assert!(ended.stdout.contains("Examples:") && ended.stdout.contains(&format!("shmetrics {command}")));
    }
    assert!(!folder.run(&["--help"]).stdout.contains("demo-worker"));
}

#[test]
fn input_that_cannot_be_read_is_told() {
    let folder = Folder::new();
    drop(folder.segment("good"));
    let good = std::fs::read(folder.path("good")).unwrap();
    std::fs::write(folder.path("text"), "no segment\n".repeat(1000)).unwrap();
    std::fs::write(folder.path("empty"), "").unwrap();
    std::fs::write(folder.path("short"), &good[..4000]).unwrap();
    std::fs::write(folder.path("truncated"), &good[..good.len() - 1]).unwrap();
    let mut damaged = good.clone();
    damaged[0x40] ^= 1;
    std::fs::write(folder.path("damaged"), &damaged).unwrap();
    std::os::unix::fs::symlink(folder.path("good"), folder.path("link")).unwrap();
    std::fs::create_dir(folder.path("folder")).unwrap();
    let cases = [
        ("missing", "there is no segment"),
        ("text", "V-4"),
        ("empty", "V-1"),
        ("short", "V-1"),
        ("truncated", "V-10"),
        ("damaged", "V-6"),
        ("link", "link"),
        ("folder", "a folder"),
        ("a:b", "no segment name"),
    ];
    for (name, says) in cases {
        for command in ["snapshot", "text", "inspect", "watch", "retire"] {
            assert_refused(&folder.run(&[command, name]), says);
        }
    }
    assert_eq!(folder.run(&["snapshot", "good"]).code, 0);
}

#[test]
fn a_path_is_never_written_raw() {
    let folder = Folder::new();
    let name = folder.path("a\x1b[31m\nb\u{202e}\u{9b}c");
    let ended = folder.run(&["snapshot", &name]);
    assert_refused(&ended, "\\u{1b}[31m\\u{a}b\\u{202e}\\u{9b}c");
    // A name need not be text.
    let not_text = std::ffi::OsStr::from_bytes(b"/dev/shm/\xff\xfe");
    assert_refused(
        &folder.run(&[std::ffi::OsStr::new("snapshot"), not_text]),
        "there is no segment",
    );
}

#[test]
fn nobody_listening_ends_quietly() {
    let folder = Folder::new();
    let segment = folder.segment("app");
    for number in 0..200 {
        segment
            .counter("filler_total")
            .label("number", &number.to_string())
            .register()
            .unwrap();
    }
    let cases: [&[&str]; 6] = [
        &["snapshot", "app"],
        &["snapshot", "app", "--format", "table"],
        &["inspect", "app"],
        &["watch", "app", "--interval", "1ms"],
        &["demo", "--workers", "1", "--increments", "1000"],
        &["demo", "--help"],
    ];
    for arguments in cases {
        let mut command = folder.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = Running(command.spawn().unwrap());
        // As `| head -1` does.
        let mut line = String::new();
        BufReader::new(running.0.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(running.code(), 0, "{arguments:?}");
        let stderr = text(running.0.stderr.take().unwrap());
        assert!(
            stderr.is_empty() || arguments[0] == "demo",
            "{arguments:?}: {stderr}"
        );
        assert!(!stderr.contains("panicked"));
    }
}

#[test]
fn a_full_disk_is_told() {
    let folder = Folder::new();
    drop(folder.segment("app"));
    for arguments in [["snapshot", "app"], ["inspect", "app"]] {
        let mut command = folder.command(&arguments);
        command
            .stdout(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap())
            .stderr(Stdio::piped());
        let mut running = Running(command.spawn().unwrap());
        let stderr = running.0.stderr.take().unwrap();
        assert_eq!(running.code(), 2);
        assert!(text(stderr).starts_with("shmetrics: cannot write to stdout"));
    }
}
