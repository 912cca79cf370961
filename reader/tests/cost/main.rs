//! Readers cost nothing. Every reader there is (the commands of the binary, the one in C, the one in Python) reads a segment with
//! many holes and live owners, and afterwards the file is the same: not a block more, not a byte other. None needs more than read
//! permission, none needs to be in the owners' pid namespace, and on a read-only mount all still see who lives.

#[path = "../../../tests/support/compiler.rs"]
mod compiler;
#[path = "../../../tests/support/mod.rs"]
mod support;

mod file;
mod readers;
mod segment;

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use file::{Facts, is_on_tmpfs, touch_a_hole};
use readers::{Reader, readers, run};
use segment::Live;
use support::*;

/// Owns nothing on any machine.
const NOBODY: u32 = 65_534;

#[allow(unsafe_code)]
fn is_root() -> bool {
    // SAFETY: has no preconditions and never fails.
    unsafe { libc::geteuid() == 0 }
}

/// Runs every reader, made into another command by `wrap`. Each must read the segment, see its owners alive as told, and leave the
/// file as it was.
#[track_caller]
fn all_readers_read(readers: &[Reader], path: &Path, alive: bool, wrap: impl Fn(Command) -> Command) {
    for reader in readers {
        let before = Facts::of(path);
        let ended = run(wrap(reader.command(path)));
        assert!(ended.code == Some(0), "{}: {ended:?}", reader.name);
        reader.check(&ended.output, alive);
        assert_eq!(Facts::of(path), before, "{} changed the file", reader.name);
    }
}

#[test]
fn no_reader_takes_storage_or_changes_a_byte() {
    if let Some(path) = child_argument() {
        return segment::work(Path::new(&path));
    }
    let scratch = Scratch::new("cost");
    if !is_on_tmpfs(&scratch) {
        skip("/dev/shm is no tmpfs; elsewhere a load from a hole takes no storage anyway");
        return;
    }
    let mut live = Live::start("no_reader_takes_storage_or_changes_a_byte", &scratch);
    let path = scratch.path("segment");
    let readers = readers(&scratch);
    all_readers_read(&readers, &path, true, |command| command);
    live.kill();
    all_readers_read(&readers, &path, false, |command| command);
    // And this would have been seen.
    let before = Facts::of(&path);
    touch_a_hole(&path);
    let after = Facts::of(&path);
    assert!(
        after.blocks > before.blocks,
        "a load from a hole took no storage: {before:?} {after:?}"
    );
    assert_eq!(after.content, before.content);
}

#[test]
fn a_reader_needs_no_more_than_read_permission() {
    if let Some(path) = child_argument() {
        return segment::work(Path::new(&path));
    }
    if !is_root() {
        skip("only root can run readers as another user");
        return;
    }
    let scratch = Scratch::new("cost-mode");
    let _live = Live::start("a_reader_needs_no_more_than_read_permission", &scratch);
    let path = scratch.path("segment");
    let readers = readers(&scratch);
    let as_nobody = |mut command: Command| {
        command.uid(NOBODY).gid(NOBODY);
        command
    };
    let permit = |mode: u32, owner: u32, group: u32| {
        chown(&path, Some(owner), Some(group)).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    // The control: without the permission to read, nobody reads.
    permit(0o600, 0, 0);
    for reader in &readers {
        let ended = run(as_nobody(reader.command(&path)));
        assert_ne!(
            ended.code,
            Some(0),
            "{} read what it may not: {ended:?}",
            reader.name
        );
    }
    for (mode, owner, group) in [
        (0o444, 0, 0),
        (0o644, 0, 0),
        (0o640, 0, NOBODY),
        (0o400, NOBODY, 0),
    ] {
        permit(mode, owner, group);
        all_readers_read(&readers, &path, true, as_nobody);
    }
}

#[test]
fn a_reader_of_a_read_only_mount_in_another_pid_namespace_sees_who_lives() {
    if let Some(path) = child_argument() {
        return segment::work(Path::new(&path));
    }
    const UNSHARE: [&str; 4] = ["--mount", "--pid", "--fork", "--mount-proc"];
    let can = Command::new("unshare").args(UNSHARE).arg("true").output();
    if !can.is_ok_and(|output| output.status.success()) {
        skip("unshare cannot make a mount and a pid namespace here");
        return;
    }
    let scratch = Scratch::new("cost-namespace");
    let test = "a_reader_of_a_read_only_mount_in_another_pid_namespace_sees_who_lives";
    let mut live = Live::start(test, &scratch);
    let path = scratch.path("segment");
    let readers = readers(&scratch);
    let folder = scratch.path("");
    // The reader is process 1 there. That the mount is read-only is seen by trying.
    const SCRIPT: &str = r#"
        set -e
        mount --bind "$1" "$1"
        mount -o remount,bind,ro "$1"
        if (: >"$1/written") 2>/dev/null; then echo "the mount is not read-only" >&2; exit 9; fi
        [ "$$" = 1 ] || exit 8
        shift
        exec "$@"
    "#;
    let elsewhere = |inner: Command| {
        let mut command = Command::new("unshare");
        command
            .args(UNSHARE)
            .args(["sh", "-c", SCRIPT, "sh"])
            .arg(&folder);
        command.arg(inner.get_program()).args(inner.get_args());
        command
    };
    all_readers_read(&readers, &path, true, elsewhere);
    live.kill();
    all_readers_read(&readers, &path, false, elsewhere);
}
