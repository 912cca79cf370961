//! File systems that are not tmpfs.

use std::path::PathBuf;
use std::process::Command;

use shmetrics::{OpenError, Reader};

use super::mounts::*;
use super::*;

/// A folder on the disk of the temporary folder, removed with what is in it.
struct OnDisk(PathBuf);

impl OnDisk {
    fn new() -> OnDisk {
        let folder = std::env::temp_dir().join(format!("shmetrics-test-disk-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        OnDisk(folder)
    }
}

impl Drop for OnDisk {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Eight processes at once, each of whom [`work`]s.
fn eight_work(path: &Path) {
    let children: Vec<_> = (0..8)
        .map(|_| {
            fork(|| {
                work(path);
                0
            })
        })
        .collect();
    assert!(children.into_iter().all(|pid| wait(pid) == 0));
}

#[test]
fn on_a_disk_everything_works_and_it_is_told_that_it_is_one() {
    let _alone = alone();
    let folder = OnDisk::new();
    let path = folder.0.join("segment");
    if compact().create_at(&path).unwrap().is_in_memory() {
        skip(&format!("{} is in memory", folder.0.display()));
        return;
    }
    let mut reader = Reader::open_path(&path).unwrap();
    eight_work(&path);
    assert_worked(&path, 8);
    reader.refresh_owners().unwrap();
    let taken = reader.snapshot().unwrap();
    assert_eq!(counter(&taken, "events_total", &[]), 8 * WORK);
    assert!(
        taken.processes.iter().all(|process| !process.alive),
        "liveness works on a disk, too"
    );
}

#[test]
fn a_full_ext4_costs_no_count() {
    let test = "disks::a_full_ext4_costs_no_count";
    with_own_mounts(test, |scratch, folder| {
        let image = scratch.path("image");
        std::fs::File::create(&image).unwrap().set_len(24 << 20).unwrap();
        let run = |program: &str, arguments: &[&str]| {
            let status = Command::new(program)
                .args(arguments)
                .stdout(std::process::Stdio::null())
                .status();
            status.is_ok_and(|status| status.success())
        };
        let image = image.to_str().unwrap();
        if !run("mkfs.ext4", &["-q", "-F", image])
            || !run("mount", &["-o", "loop", image, folder.to_str().unwrap()])
        {
            skip("no ext4 in a file can be made and mounted here");
            return;
        }
        let path = folder.join("segment");
        let segment = compact().create_at(&path).unwrap();
        assert!(!segment.is_in_memory());
        let events = segment.counter("events_total").register().unwrap();
        let latency = segment
            .histogram("latency_seconds")
            .unit(Unit::Seconds)
            .register()
            .unwrap();
        eight_work(&path);
        let mut filler = Filler::new(folder);
        filler.take_all();
        // A store to what was committed needs no space; who comes now gets none.
        work_at_once(8, 4, &events, &latency);
        assert_worked(&path, 8 + 32);
        assert!(snapshot(&path).losses.storage_refused > 0);
        let error = compact().create_at(folder.join("other")).unwrap_err();
        assert!(matches!(error, OpenError::StorageFull { .. }), "{error:?}");
    });
}

#[test]
fn on_an_overlay_whose_locks_end_early_everything_is_counted_in_the_shared_lane() {
    let test = "disks::on_an_overlay_whose_locks_end_early_everything_is_counted_in_the_shared_lane";
    with_own_mounts(test, |scratch, folder| {
        let [lower, upper, temporary] = ["lower", "upper", "temporary"].map(|name| scratch.path(name));
        for part in [&lower, &upper, &temporary] {
            std::fs::create_dir(part).unwrap();
        }
        work(&lower.join("old"));
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            lower.display(),
            upper.display(),
            temporary.display()
        );
        if let Err(error) = mount("none", folder, "overlay", 0, &options) {
            skip(&format!("no overlay can be mounted here: {error}"));
            return;
        }
        let path = folder.join("segment");
        eight_work(&path);
        assert_worked(&path, 8);
        // Who counts is not told as dead: no slot at all, or, should a kernel keep locks with mappings, a live one.
        let segment = compact().open_at(&path).unwrap();
        assert!(!segment.is_in_memory());
        let level = segment.gauge("level").register().unwrap();
        level.set(3);
        // Nor after a fork, where a slot is taken in another way.
        let child = fork(|| {
            work(&path);
            level.set(4);
            0
        });
        assert_eq!(wait(child), 0);
        assert_worked(&path, 9);
        let taken = snapshot(&path);
        let own = u64::from(std::process::id());
        let ours: Vec<_> = taken
            .processes
            .iter()
            .filter(|process| process.pid == own)
            .collect();
        assert!(ours.iter().all(|process| process.alive), "{ours:?}");
        assert!(
            !ours.is_empty() || taken.losses.slots_exhausted >= 8,
            "{:?}",
            taken.losses
        );
        // One of the lower layer is copied when it is opened for writing; whoever reads it afterwards reads the copy.
        let old = folder.join("old");
        assert_worked(&old, 1);
        work(&old);
        assert_worked(&old, 2);
        assert_worked(&lower.join("old"), 1);
    });
}

#[test]
fn on_ramfs_which_allocates_by_writing_everything_works() {
    let test = "disks::on_ramfs_which_allocates_by_writing_everything_works";
    with_own_mounts(test, |_, folder| {
        mount("none", folder, "ramfs", 0, "").unwrap();
        let path = folder.join("segment");
        assert!(compact().create_at(&path).unwrap().is_in_memory());
        eight_work(&path);
        assert_worked(&path, 8);
    });
}

#[test]
fn hugetlbfs_is_refused_with_the_reason() {
    let test = "disks::hugetlbfs_is_refused_with_the_reason";
    with_own_mounts(test, |_, folder| {
        if let Err(error) = mount("none", folder, "hugetlbfs", 0, "") {
            skip(&format!("no hugetlbfs can be mounted here: {error}"));
            return;
        }
        let (path, there) = (folder.join("segment"), folder.join("there"));
        std::fs::File::create(&there).unwrap();
        for error in [
            compact().create_at(&path).unwrap_err(),
            compact().open_or_create_at(&path).unwrap_err(),
            compact().open_at(&there).unwrap_err(),
            Reader::open_path(&there).unwrap_err(),
        ] {
            let is_expected = matches!(
                &error,
                OpenError::FileSystem {
                    file_system: "hugetlbfs",
                    ..
                }
            );
            assert!(is_expected, "{error:?}");
            assert!(
                error
                    .to_string()
                    .contains("fails by SIGBUS; put the segment on tmpfs"),
                "{error}"
            );
        }
        assert!(!path.exists());
    });
}
