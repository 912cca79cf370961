//! The kernel refuses: storage, address space. By a filter that lets single system calls fail, and by limits.

use std::io::{Read, Write};
use std::os::fd::FromRawFd;

use shmetrics::{Merge, OpenError, Reader, RegisterError, Value};

use super::*;

/// madvise(2), MADV_POPULATE_WRITE.
const POPULATE_WRITE: u32 = 23;

/// From now on this system call fails with `error` in this (child) process; with `argument` only if that argument (counted from 0) has
/// this value. `false`: no seccomp here.
fn refuse(call: libc::c_long, argument: Option<(u32, u32)>, error: i32) -> bool {
    let jump = |equal: u32, otherwise: u8| libc::sock_filter {
        code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
        jt: 0,
        jf: otherwise,
        k: equal,
    };
    let statement = |code: u32, k: u32| libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: 0,
        k,
    };
    // struct seccomp_data: the number at 0, the arguments from 16 on, 8 bytes each; the lower half first on these machines.
    let load = |offset: u32| statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset);
    let (at, value) = argument.unwrap_or((0, 0));
    let (load_argument, compare) = match argument {
        Some(_) => (load(16 + 8 * at), jump(value, 1)),
        // Compares the number once more.
        None => (load(0), jump(call as u32, 1)),
    };
    let program = [
        load(0),
        jump(call as u32, 3),
        load_argument,
        compare,
        statement(
            libc::BPF_RET | libc::BPF_K,
            libc::SECCOMP_RET_ERRNO | error as u32,
        ),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: plain numbers, and a program that lives during the call and is only read.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const program,
            ) == 0
    }
}

/// What a forked child says; `None` if it could not be made to fail.
fn told_by_child(child: impl FnOnce() -> Option<String>) -> Option<String> {
    let mut ends = [0; 2];
    // SAFETY: room for two descriptors, which are this function's own.
    let [mut from, mut to] = unsafe {
        assert_eq!(libc::pipe(ends.as_mut_ptr()), 0);
        ends.map(|end| std::fs::File::from_raw_fd(end))
    };
    let pid = fork(|| match child() {
        Some(told) => {
            to.write_all(told.as_bytes()).unwrap();
            0
        }
        None => 77,
    });
    drop(to);
    let mut told = String::new();
    from.read_to_string(&mut told).unwrap();
    match wait(pid) {
        0 => Some(told),
        77 => {
            skip("seccomp is not available here");
            None
        }
        end => panic!("ended with {end}: {told}"),
    }
}

fn shown<T>(result: Result<T, OpenError>) -> String {
    match result {
        Ok(_) => "fine".to_owned(),
        Err(error) => format!("{error:?}\n{error}"),
    }
}

#[test]
fn storage_that_is_refused_at_first_use_costs_no_count() {
    let _alone = alone();
    let scratch = Scratch::new("refused");
    // A full file system; no memory; the limit of a group; a kernel before 5.14; a sandbox.
    let errors = [
        libc::ENOSPC,
        libc::ENOMEM,
        libc::EFAULT,
        libc::EINVAL,
        libc::EPERM,
    ];
    for error in errors {
        let path = scratch.path(&error.to_string());
        // Somebody registered while there was storage, in the shared lane and nowhere else.
        let segment = compact().create_at(&path).unwrap();
        let level = || segment.gauge("level").merge(Merge::Max).register().unwrap();
        level();
        segment.counter("events_total").register().unwrap();
        let latency = segment.histogram("latency_seconds").unit(Unit::Seconds);
        latency.register().unwrap();
        let told = told_by_child(|| {
            refuse(libc::SYS_madvise, Some((2, POPULATE_WRITE)), error).then(|| {
                std::thread::scope(|scope| {
                    for _ in 0..4 {
                        scope.spawn(|| work(&path));
                    }
                });
                // It has a slot and no gauges.
                let own = compact().open_at(&path).unwrap();
                own.gauge("level").merge(Merge::Max).register().unwrap().set(3);
                own.counter("new_total").register().unwrap_err().to_string()
            })
        });
        let Some(told) = told else { return };
        assert!(
            told.contains("no storage for the series") && told.contains("free space in the file system"),
            "{told}"
        );
        assert_worked(&path, 4);
        let taken = snapshot(&path);
        assert_eq!(taken.find("level", &[]).unwrap().value, Value::GaugeI64(None));
        assert!(taken.losses.storage_refused > 0);
        assert!(taken.losses.gauge_writes_dropped > 0, "{:?}", taken.losses);
        // And with storage again all is as ever.
        work(&path);
        level().set(5);
        assert_worked(&path, 5);
        assert_eq!(
            snapshot(&path).find("level", &[]).unwrap().value,
            Value::GaugeI64(Some(5))
        );
    }
}

#[test]
fn storage_that_is_refused_at_creation_is_an_error_and_leaves_no_file() {
    let _alone = alone();
    let scratch = Scratch::new("creation");
    let path = scratch.path("segment");
    let create = |error: i32| {
        told_by_child(|| {
            refuse(libc::SYS_fallocate, None, error).then(|| shown(compact().create_at(&path).map(drop)))
        })
    };
    for (error, expected) in [
        (libc::ENOSPC, "StorageFull {"),
        (libc::EDQUOT, "StorageFull {"),
        (libc::EIO, "Io {"),
        (libc::EPERM, "Permission {"),
    ] {
        let Some(told) = create(error) else { return };
        assert!(told.starts_with(expected), "{error}: {told}");
        assert!(told.contains(path.to_str().unwrap()), "{told}");
        assert_eq!(std::fs::read_dir(scratch.path("")).unwrap().count(), 0);
    }
    // A file system without it: zeros are written.
    assert_eq!(create(libc::EOPNOTSUPP).unwrap(), "fine");
    work(&path);
    assert_worked(&path, 1);
}

#[test]
fn a_file_system_without_nameless_files_gets_a_temporary_name() {
    let _alone = alone();
    let scratch = Scratch::new("nameless");
    let path = scratch.path("segment");
    // O_TMPFILE is in the flags, which are compared as a whole.
    let flags = libc::O_RDWR | libc::O_CLOEXEC | libc::O_TMPFILE;
    let told = told_by_child(|| {
        let is_refused = refuse(libc::SYS_openat, Some((2, flags as u32)), libc::EOPNOTSUPP)
            && refuse(
                libc::SYS_openat,
                Some((2, (flags | libc::O_LARGEFILE) as u32)),
                libc::EOPNOTSUPP,
            );
        is_refused.then(|| {
            // That it is refused is seen by trying.
            let folder = std::ffi::CString::new(scratch.path("").to_str().unwrap()).unwrap();
            // SAFETY: a valid C string.
            let tried = unsafe { libc::open(folder.as_ptr(), flags, 0o600) };
            let first = shown(compact().create_at(&path).map(drop));
            let second = shown(compact().create_at(&path).map(drop));
            format!("{}\0{first}\0{second}", tried < 0)
        })
    });
    let Some(told) = told else { return };
    let told: Vec<&str> = told.split('\0').collect();
    assert_eq!(told[..2], ["true", "fine"]);
    assert!(told[2].starts_with("Exists {"), "{}", told[2]);
    work(&path);
    assert_worked(&path, 1);
    assert_eq!(
        std::fs::read_dir(scratch.path("")).unwrap().count(),
        1,
        "no temporary name stays"
    );
}

#[test]
fn a_lack_of_address_space_is_an_error_that_names_the_limit() {
    let _alone = alone();
    let scratch = Scratch::new("address");
    let (path, new) = (scratch.path("segment"), scratch.path("new"));
    drop(Segment::options().create_at(&path).unwrap());
    let told = told_by_child(|| {
        let limit = libc::rlimit {
            rlim_cur: 256 << 20,
            rlim_max: 256 << 20,
        };
        // SAFETY: a valid limit, for this (child) process only.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
        let told = [
            shown(Segment::options().open_at(&path).map(drop)),
            shown(Reader::open_path(&path).map(drop)),
            shown(shmetrics::verify::verify(&path).map(drop)),
            shown(Segment::options().create_at(&new).map(drop)),
        ];
        Some(told.join("\0"))
    });
    for told in told.unwrap().split('\0') {
        assert!(told.starts_with("AddressSpace {"), "{told}");
        assert!(
            told.contains("raise the limit (ulimit -v), or use the compact preset"),
            "{told}"
        );
    }
}

#[test]
fn registering_without_any_storage_says_so() {
    let _alone = alone();
    let scratch = Scratch::new("nothing");
    let path = scratch.path("segment");
    let told = told_by_child(|| {
        let segment = compact().create_at(&path).unwrap();
        refuse(libc::SYS_madvise, Some((2, POPULATE_WRITE)), libc::ENOMEM).then(|| {
            let errors = [
                segment.counter("a_total").register().unwrap_err(),
                segment.histogram("b").register().unwrap_err(),
            ];
            let is_storage = |error: &RegisterError| matches!(error, RegisterError::Storage { .. });
            assert!(errors.iter().all(is_storage), "{errors:?}");
            // A family counts nowhere then, and the program goes on.
            let family = segment.counter("c_total").family(["code"]);
            if let Ok(family) = family {
                family.with(["200"]).inc();
            }
            errors[0].to_string()
        })
    });
    let Some(told) = told else { return };
    assert!(told.contains("a_total: no storage for the series"), "{told}");
    assert_eq!(snapshot(&path).series.len(), 0);
}

#[test]
fn a_reset_without_storage_changes_nothing() {
    let _alone = alone();
    let scratch = Scratch::new("refused-reset");
    let path = scratch.path("segment");
    work(&path);
    // The first reset has no table yet; the third has one of its own.
    for resets in [0, 2] {
        let before = snapshot(&path);
        assert_eq!(before.resets, resets);
        let told = told_by_child(|| {
            refuse(libc::SYS_madvise, Some((2, POPULATE_WRITE)), libc::ENOSPC).then(|| {
                shmetrics::reset::at_path(&path, |_| true)
                    .unwrap_err()
                    .to_string()
            })
        });
        let Some(told) = told else { return };
        assert!(told.contains("no storage for the baselines"), "{told}");
        let after = snapshot(&path);
        assert_eq!((after.resets, &after.series), (resets, &before.series));
        assert!(after.losses.storage_refused > before.losses.storage_refused);
        for _ in 0..2 {
            shmetrics::reset::at_path(&path, |_| true).unwrap();
        }
    }
}
