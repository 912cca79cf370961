//! `shmetrics pipe` as `cat` meets it, and readers that behave worse.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::process::Signal;
use shmetrics::{Merge, Preset, Segment, Unit};

#[path = "../cli/support.rs"]
#[allow(dead_code)]
mod support;

use support::*;

fn furnished(folder: &Folder) -> shmetrics::Segment {
    let segment = folder.segment("app");
    let counter = segment.counter("requests_total").label("code", "200");
    counter.register().unwrap().add(u64::MAX - 5);
    segment
        .gauge("depth")
        .merge(Merge::Sum)
        .register()
        .unwrap()
        .set(-7);
    let latency = segment
        .histogram("latency_seconds")
        .unit(Unit::Seconds)
        .register()
        .unwrap();
    latency.record_duration(Duration::from_millis(4));
    segment
}

fn start(folder: &Folder) -> Running {
    let mut command = folder.command(&["pipe", "app", "--dir", &folder.path("pipes")]);
    let running = Running(
        command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    wait_for("the pipe for all", || {
        std::path::Path::new(&folder.path("pipes/all.stats")).exists()
    });
    running
}

/// All that a reader gets.
fn cat(folder: &Folder, name: &str) -> String {
    text(open(folder, name))
}

/// Opens a pipe as `cat` does: that blocks as long as there is nobody at the other end, which must not be for ever.
fn open(folder: &Folder, name: &str) -> File {
    let path = folder.path(&format!("pipes/{name}"));
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(File::open(path)));
    let opened = receiver.recv_timeout(Duration::from_secs(60));
    opened.expect("somebody at the other end").unwrap()
}

/// Which pipe the name leads to.
fn inode(folder: &Folder, name: &str) -> u64 {
    std::fs::symlink_metadata(folder.path(&format!("pipes/{name}")))
        .unwrap()
        .ino()
}

/// Opens a pipe, and waits until its name leads to another: what we have now is ours alone.
fn open_alone(folder: &Folder, name: &str) -> File {
    let before = inode(folder, name);
    let file = open(folder, name);
    wait_for("a pipe for the next", || inode(folder, name) != before);
    file
}

fn names(folder: &Folder) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path("pipes")).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}

#[test]
fn whoever_opens_a_pipe_gets_all_values_and_then_the_end() {
    let folder = Folder::new();
    let segment = furnished(&folder);
    let mut running = start(&folder);
    let own = format!("{}.stats", std::process::id());
    wait_for("the pipe of this process", || names(&folder).contains(&own));
    assert_eq!(names(&folder), [own.clone(), "all.stats".to_owned()]);
    for name in ["all.stats", &own] {
        let text = cat(&folder, name);
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines.contains(&"requests_total{code=\"200\"}: 18446744073709551610"),
            "{name}: {text}"
        );
        assert!(lines.contains(&"depth: -7"), "{name}: {text}");
        assert!(lines.contains(&"latency_seconds.count: 1"), "{name}: {text}");
        assert!(lines.contains(&"latency_seconds.sum: 0.004"), "{name}: {text}");
        assert_eq!(
            text.contains("latency_seconds.p99: "),
            name == "all.stats",
            "{name}: {text}"
        );
    }
    // As of the moment it is opened.
    let counter = segment.counter("later_total").register().unwrap();
    for round in 1..=50 {
        counter.inc();
        assert!(
            cat(&folder, "all.stats").contains(&format!("later_total: {round}\n")),
            "{round}"
        );
    }
    running.signal(Signal::TERM);
    assert_eq!(running.code(), 0);
    assert_eq!(std::fs::read_dir(folder.path("pipes")).unwrap().count(), 0);
}

#[test]
fn several_readers_at_once_each_get_everything() {
    let folder = Folder::new();
    let _segment = furnished(&folder);
    let _running = start(&folder);
    let expected = cat(&folder, "all.stats");
    let readers: Vec<File> = (0..20).map(|_| open_alone(&folder, "all.stats")).collect();
    for reader in readers.into_iter().rev() {
        assert_eq!(text(reader), expected);
    }
    // Without waiting for each other: two may share a pipe by chance. Then one gets all, and nobody a part: it is sent in one piece.
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let mut got = 0;
                    for _ in 0..50 {
                        let mut bytes = vec![0; 1 << 20];
                        let mut file = File::open(folder.path("pipes/all.stats")).unwrap();
                        let length = file.read(&mut bytes).unwrap();
                        assert!(length == 0 || bytes[..length] == *expected.as_bytes());
                        got += usize::from(length > 0);
                    }
                    got
                })
            })
            .collect();
        let got: usize = all.into_iter().map(|reader| reader.join().unwrap()).sum();
        assert!(got > 0, "{got}");
    });
    assert_eq!(cat(&folder, "all.stats"), expected);
}

#[test]
fn a_reader_that_does_not_read_holds_up_nobody() {
    let folder = Folder::new();
    let segment = Segment::options()
        .preset(Preset::Large)
        .create_at(folder.path("app"))
        .unwrap();
    // More than a pipe can be made to hold.
    let padding = "x".repeat(1000);
    let made = 1100;
    for number in 0..made {
        let series = segment
            .gauge("n")
            .label("label", &format!("{number}{padding}"))
            .register();
        series.unwrap().set(1);
    }
    let mut running = start(&folder);
    let descriptors = |running: &Running| {
        let folder = format!("/proc/{}/fd", running.0.id());
        std::fs::read_dir(folder).unwrap().count()
    };
    let before = descriptors(&running);
    let stuck: Vec<File> = (0..40).map(|_| open_alone(&folder, "all.stats")).collect();
    for _ in 0..3 {
        assert_eq!(cat(&folder, "all.stats").lines().count(), made);
    }
    // Who comes and goes without reading is no matter either.
    for _ in 0..20 {
        drop(File::open(folder.path("pipes/all.stats")).unwrap());
    }
    assert_eq!(cat(&folder, "all.stats").lines().count(), made);
    drop(stuck);
    wait_for("all to be let go", || descriptors(&running) <= before);
    running.signal(Signal::TERM);
    assert_eq!(running.code(), 0);
}

#[test]
fn pipes_come_and_go_with_their_processes_and_the_segment() {
    let folder = Folder::new();
    let path = folder.path("app");
    let made = folder.run(&["create", &path]);
    assert_eq!(made.code, 0, "{made:?}");
    let mut running = start(&folder);
    assert_eq!(names(&folder), ["all.stats"]);
    assert_eq!(cat(&folder, "all.stats"), "");
    let mut demo = Running(
        folder
            .command(&[
                "demo",
                "--segment",
                &path,
                "--workers=2",
                "--kill=0",
                // For ever, in effect: it is told to stop.
                "--increments=1000000000000",
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    wait_for("pipes of workers", || names(&folder).len() >= 3);
    demo.signal(Signal::TERM);
    assert_eq!(demo.code(), 1);
    wait_for("their end", || names(&folder) == ["all.stats"]);
    assert!(cat(&folder, "all.stats").contains("demo_operations_total{worker=\"1\"}: "));
    // Another segment under the name.
    std::fs::remove_file(&path).unwrap();
    wait_for("nothing", || cat(&folder, "all.stats").is_empty());
    let _segment = furnished(&folder);
    wait_for("the new one", || cat(&folder, "all.stats").contains("depth: -7"));
    running.signal(Signal::INT);
    assert_eq!(running.code(), 0);
}

#[test]
fn what_a_killed_one_left_is_cleared_and_what_is_not_ours_stays() {
    let folder = Folder::new();
    let _segment = furnished(&folder);
    let mut first = start(&folder);
    let own = format!("{}.stats", std::process::id());
    wait_for("the pipe of this process", || names(&folder).contains(&own));
    // One at a time.
    let second = folder.run(&["pipe", "app", "--dir", &folder.path("pipes")]);
    assert_refused(&second, "another `shmetrics pipe` uses the folder");
    first.signal(Signal::KILL);
    first.0.wait().unwrap();
    assert_eq!(names(&folder).len(), 2, "left behind");
    let stale = inode(&folder, "all.stats");

    std::fs::remove_file(folder.path(&format!("pipes/{own}"))).unwrap();
    std::fs::write(folder.path(&format!("pipes/{own}")), "precious").unwrap();
    std::fs::write(folder.path("victim"), "untouched").unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, folder.path("pipes/1.stats"), Mode::RUSR).unwrap();
    let mut second = start(&folder);
    let errors = Lines::of(second.0.stderr.take().unwrap());
    assert!(errors.next().contains("no pipe of ours"));
    wait_for("a new pipe", || {
        names(&folder) == [own.clone(), "all.stats".to_owned()] && inode(&folder, "all.stats") != stale
    });
    assert!(cat(&folder, "all.stats").contains("depth: -7"));
    second.signal(Signal::TERM);
    assert_eq!(second.code(), 0);
    assert_eq!(names(&folder), std::slice::from_ref(&own));
    assert_eq!(
        std::fs::read_to_string(folder.path(&format!("pipes/{own}"))).unwrap(),
        "precious"
    );

    // A link where the pipe should be is neither followed nor replaced.
    std::os::unix::fs::symlink(folder.path("victim"), folder.path("pipes/all.stats")).unwrap();
    let mut command = folder.command(&["pipe", "app", "--dir", &folder.path("pipes")]);
    let mut third = Running(command.stderr(Stdio::piped()).spawn().unwrap());
    let errors = Lines::of(third.0.stderr.take().unwrap());
    assert!(errors.next().contains("no pipe of ours"));
    third.signal(Signal::TERM);
    assert_eq!(third.code(), 0);
    assert_eq!(
        std::fs::read_to_string(folder.path("victim")).unwrap(),
        "untouched"
    );
    assert!(
        std::fs::symlink_metadata(folder.path("pipes/all.stats"))
            .unwrap()
            .is_symlink()
    );
}

#[test]
fn the_folder_must_be_safe() {
    let folder = Folder::new();
    let _segment = furnished(&folder);
    let run = |path: &str| folder.run(&["pipe", "app", "--dir", &folder.path(path)]);
    std::fs::create_dir(folder.path("open")).unwrap();
    std::fs::set_permissions(folder.path("open"), PermissionsExt::from_mode(0o777)).unwrap();
    assert_refused(&run("open"), "is not safe: others may write to it");
    std::fs::create_dir(folder.path("real")).unwrap();
    std::os::unix::fs::symlink(folder.path("real"), folder.path("link")).unwrap();
    assert_refused(&run("link"), "cannot open the folder");
    std::fs::write(folder.path("file"), "").unwrap();
    assert_refused(&run("file"), "cannot open the folder");
    assert_refused(&run("none/deeper"), "cannot make the folder");
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(folder.path("real"), Some(65534), None).unwrap();
        assert_refused(&run("real"), "is not safe: it belongs to somebody else");
    }
    assert_refused(&folder.run(&["pipe", "app"]), "--dir");
}

#[test]
fn it_waits_for_its_segment_and_says_so_once() {
    let folder = Folder::new();
    let mut running = start(&folder);
    let errors = Lines::of(running.0.stderr.take().unwrap());
    assert!(errors.next().contains("there is no segment at"));
    assert_eq!(cat(&folder, "all.stats"), "");
    let _segment = furnished(&folder);
    wait_for("the segment", || cat(&folder, "all.stats").contains("depth: -7"));
    running.signal(Signal::TERM);
    assert_eq!(running.code(), 0);
    assert!(errors.is_over());
}

#[test]
fn a_pipe_is_a_pipe_that_the_group_may_read() {
    let folder = Folder::new();
    let _segment = furnished(&folder);
    let mut running = start(&folder);
    let metadata = std::fs::symlink_metadata(folder.path("pipes/all.stats")).unwrap();
    assert!(metadata.file_type().is_fifo());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o640);
    // A reader that will not wait finds nothing yet, and then everything: it is never told that this is the end.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK;
    let mut impatient =
        File::from(rustix::fs::open(folder.path("pipes/all.stats"), flags, Mode::empty()).unwrap());
    let mut bytes = [0; 10_000];
    let mut length = 0;
    wait_for("the values", || match impatient.read(&mut bytes) {
        Ok(read) => {
            length = read;
            true
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            false
        }
    });
    assert!(length > 50);
    running.signal(Signal::HUP);
    assert_eq!(running.code(), 0);
}

#[test]
fn b_05_cat_of_one_process_and_of_all() {
    use shmetrics::stats::named::Stats;
    let folder = Folder::new();
    let segment = folder.segment("app");
    let stats = Stats::new(&segment);
    stats.incr("served", 7);
    stats.incr("small", 1e-7);
    stats.record("time:{0}", 2.0);
    let _pipe = start(&folder);
    let own = format!("{}.stats", std::process::id());
    wait_for("the pipe of this process", || names(&folder).contains(&own));
    let expected = "served: 7\nsmall: 1e-7\ntime:median: 2.0\ntime:95th: 2.0\ntime:99th: 2.0\ntime:100th: 2.0\ntime:mean: 2.0\n";
    assert_eq!(cat(&folder, "all.stats"), expected);
    assert_eq!(cat(&folder, &own), expected);
}
