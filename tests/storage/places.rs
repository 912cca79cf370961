//! Rights and names: read-only, somebody else's, open to everybody, several names, none.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;

use shmetrics::{OpenError, Reader};

use super::mounts::*;
use super::*;

const NOBODY: u32 = 65_534;

fn is_root() -> bool {
    // SAFETY: no arguments.
    let root = unsafe { libc::geteuid() } == 0;
    if !root {
        skip("only root can act as several users");
    }
    root
}

fn permit(path: &Path, owner: u32, mode: u32) {
    chown(path, Some(owner), Some(owner)).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Runs `child` as nobody, and wants it to return.
#[track_caller]
fn as_nobody(child: impl FnOnce()) {
    let pid = fork(|| {
        // SAFETY: system calls that change this (child) process only.
        let done = unsafe {
            libc::setgroups(0, std::ptr::null()) == 0
                && libc::setgid(NOBODY) == 0
                && libc::setuid(NOBODY) == 0
        };
        assert!(done);
        child();
        0
    });
    assert_eq!(wait(pid), 0);
}

#[test]
fn in_a_read_only_folder_what_is_there_works_and_nothing_is_made() {
    let _alone = alone();
    if !is_root() {
        return;
    }
    let scratch = Scratch::new("read-only");
    let (path, new) = (scratch.path("segment"), scratch.path("new"));
    work(&path);
    permit(&path, NOBODY, 0o640);
    permit(&scratch.path(""), 0, 0o555);
    as_nobody(|| {
        work(&path);
        assert_worked(&path, 2);
        let error = compact().open_or_create_at(&new).unwrap_err();
        let is_expected =
            matches!(&error, OpenError::Permission { operation, .. } if operation.contains("folder"));
        assert!(is_expected, "{error:?}");
        // Its name cannot be taken away, and then it is not given up either.
        let segment = compact().open_at(&path).unwrap();
        let error = segment.retire().unwrap_err();
        assert!(
            matches!(
                error,
                OpenError::Permission {
                    operation: "remove",
                    ..
                }
            ),
            "{error:?}"
        );
        assert!(!snapshot(&path).retired);
    });
    assert_eq!(std::fs::read_dir(scratch.path("")).unwrap().count(), 1);
    assert_worked(&path, 2);
}

#[test]
fn a_read_only_file_is_read_and_not_written() {
    let _alone = alone();
    if !is_root() {
        return;
    }
    let scratch = Scratch::new("read-only-file");
    let path = scratch.path("segment");
    work(&path);
    permit(&path, NOBODY, 0o440);
    as_nobody(|| {
        assert_worked(&path, 1);
        for error in [
            compact().open_at(&path).unwrap_err(),
            compact().open_or_create_at(&path).unwrap_err(),
        ] {
            let is_expected = matches!(
                &error,
                OpenError::Permission {
                    operation: "open for writing",
                    ..
                }
            );
            assert!(is_expected, "{error:?}");
        }
    });
}

#[test]
fn a_read_only_file_system_is_read_and_told_to_writers() {
    let test = "places::a_read_only_file_system_is_read_and_told_to_writers";
    with_own_mounts(test, |_, folder| {
        tmpfs(folder, 16 << 20);
        let (path, new) = (folder.join("segment"), folder.join("new"));
        work(&path);
        mount("none", folder, "tmpfs", libc::MS_REMOUNT | libc::MS_RDONLY, "").unwrap();
        assert_worked(&path, 1);
        assert!(!shmetrics::verify::verify(&path).unwrap().refused);
        for error in [
            compact().open_at(&path).unwrap_err(),
            compact().open_or_create_at(&path).unwrap_err(),
            compact().create_at(&new).unwrap_err(),
        ] {
            assert!(
                matches!(&error, OpenError::ReadOnlyFileSystem { .. }),
                "{error:?}"
            );
            assert!(
                error.to_string().contains("mounted read-only; mount it writable"),
                "{error}"
            );
        }
    });
}

#[test]
fn without_a_free_inode_nothing_is_made_and_the_reason_is_told() {
    let test = "places::without_a_free_inode_nothing_is_made_and_the_reason_is_told";
    with_own_mounts(test, |_, folder| {
        mount("none", folder, "tmpfs", 0, "size=16m,nr_inodes=3").unwrap();
        let path = folder.join("segment");
        for name in ["first", "second"] {
            std::fs::write(folder.join(name), "").unwrap();
        }
        let error = compact().create_at(&path).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("create a file in the folder of") && text.contains("No space left"),
            "{text}"
        );
        std::fs::remove_file(folder.join("first")).unwrap();
        work(&path);
        assert_worked(&path, 1);
    });
}

#[test]
fn two_names_of_one_file_are_one_segment() {
    let _alone = alone();
    let scratch = Scratch::new("hard-link");
    let (path, other) = (scratch.path("segment"), scratch.path("other"));
    work(&path);
    std::fs::hard_link(&path, &other).unwrap();
    work(&other);
    assert_worked(&path, 2);
    assert_worked(&other, 2);
    // Given up under one name, it is given up under both.
    compact().open_at(&path).unwrap().retire().unwrap();
    assert!(!path.exists());
    let error = compact().open_at(&other).unwrap_err();
    assert!(matches!(error, OpenError::Retired { .. }), "{error:?}");
    assert!(snapshot(&other).retired);
    work(&other);
    assert_worked(&other, 1);
}

#[test]
fn who_may_write_somebody_elses_file_counts_in_it_and_who_may_not_is_refused() {
    let _alone = alone();
    if !is_root() {
        return;
    }
    let scratch = Scratch::new("others");
    let path = scratch.path("segment");
    // As /tmp and /dev/shm are.
    permit(&scratch.path(""), 0, 0o1777);
    as_nobody(|| work(&path));
    assert_eq!(std::fs::metadata(&path).unwrap().uid(), NOBODY);
    // Root may; the numbers are those of both.
    work(&path);
    assert_worked(&path, 2);
    permit(&path, 0, 0o640);
    as_nobody(|| {
        let error = compact().open_or_create_at(&path).unwrap_err();
        assert!(matches!(error, OpenError::Permission { .. }), "{error:?}");
    });
    // Open to everybody: everybody counts, but in a sticky folder only its owner gives it up.
    permit(&path, 0, 0o666);
    as_nobody(|| {
        work(&path);
        let error = compact().open_at(&path).unwrap().retire().unwrap_err();
        assert!(
            matches!(
                error,
                OpenError::Permission {
                    operation: "remove",
                    ..
                }
            ),
            "{error:?}"
        );
    });
    assert_worked(&path, 3);
    assert!(!snapshot(&path).retired);
}

#[test]
fn in_a_folder_open_to_everybody_others_can_replace_the_name_and_readers_notice() {
    let _alone = alone();
    if !is_root() {
        return;
    }
    let scratch = Scratch::new("open-folder");
    let path = scratch.path("segment");
    permit(&scratch.path(""), 0, 0o777);
    work(&path);
    let mut reader = Reader::open_path(&path).unwrap();
    assert!(!reader.replaced());
    as_nobody(|| {
        std::fs::remove_file(&path).unwrap();
        work(&path);
    });
    assert!(reader.replaced());
    // What was open is what it was; the file that is there now is nobody's.
    assert_eq!(counter(&reader.snapshot().unwrap(), "events_total", &[]), WORK);
    assert_eq!(std::fs::metadata(&path).unwrap().uid(), NOBODY);
}

#[test]
fn what_others_put_into_the_default_folder_is_read_and_never_written() {
    let _alone = alone();
    if !is_root() {
        return;
    }
    // A user that nobody is: this folder would be its own.
    let user = 1_800_000_000 + std::process::id();
    struct Folder(PathBuf);
    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
    let folder = Folder(PathBuf::from(format!("/dev/shm/shmetrics-{user}")));
    std::fs::create_dir(&folder.0).unwrap();
    let path = folder.0.join("app");
    work(&path);
    let open = |owner: u32, mode: u32| {
        permit(&folder.0, owner, mode);
        permit(&path, user, 0o666);
        let pid = fork(|| {
            // SAFETY: this child has one thread; the strings are valid.
            unsafe {
                assert_eq!(libc::setuid(user), 0);
                for name in [c"SHMETRICS_DIR", c"RUNTIME_DIRECTORY", c"XDG_RUNTIME_DIR"] {
                    libc::unsetenv(name.as_ptr());
                }
            }
            assert!(Reader::open("app").unwrap().snapshot().is_ok());
            let opened = compact().open("app");
            match (&opened, compact().open_or_create("app")) {
                (Ok(_), Ok(_)) => 0,
                (Err(OpenError::UnsafeFolder { .. }), Err(OpenError::UnsafeFolder { .. })) => 1,
                (opened, other) => panic!("{opened:?} {other:?}"),
            }
        });
        wait(pid)
    };
    assert_eq!(open(user, 0o750), 0, "its own");
    assert_eq!(open(NOBODY, 0o755), 1, "somebody else's");
    assert_eq!(open(user, 0o777), 1, "open to everybody");
}

#[test]
fn deleted_or_made_anew_while_mapped_nothing_is_lost_and_nothing_mixed() {
    let name = "places::deleted_or_made_anew_while_mapped_nothing_is_lost_and_nothing_mixed";
    // A worker that counts once for each step it is told.
    if let Some(argument) = child_argument() {
        let (path, steps) = argument.split_once('\n').unwrap();
        let steps = SharedWords::open(steps.as_ref(), 2);
        let segment = compact().open_or_create_at(path).unwrap();
        let events = segment.counter("events_total").register().unwrap();
        let mut done = 0;
        while done < 3 {
            poll("a step", || (steps.word(0).load(Relaxed) > done).then_some(()));
            events.inc();
            done += 1;
            steps.word(1).store(done, Relaxed);
        }
        return;
    }
    let _alone = alone();
    let scratch = Scratch::new("deleted");
    let (path, steps_path) = (scratch.path("segment"), scratch.path("steps"));
    let steps = SharedWords::open(&steps_path, 2);
    let argument = format!("{}\n{}", path.display(), steps_path.display());
    let mut worker = Worker::spawn(name, &argument);
    let step = |number: u64| {
        steps.word(0).store(number, Relaxed);
        poll("the worker", || {
            (steps.word(1).load(Relaxed) == number).then_some(())
        });
    };
    step(1);
    let mut old = Reader::open_path(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    step(2);
    let value = |reader: &mut Reader| counter(&reader.snapshot().unwrap(), "events_total", &[]);
    assert_eq!(value(&mut old), 2);
    assert!(old.replaced());
    let error = Reader::open_path(&path).unwrap_err();
    assert!(matches!(error, OpenError::NotFound { .. }), "{error:?}");
    // A second worker makes another one.
    work(&path);
    step(3);
    worker.finish();
    assert_eq!(value(&mut old), 3);
    assert_worked(&path, 1);
    assert!(old.replaced() && !old.snapshot().unwrap().retired);
}
