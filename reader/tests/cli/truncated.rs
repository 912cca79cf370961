//! A segment that is truncated while the binary reads it: an error of input, told with both lengths, and never the end by a signal.

use std::fs::File;
use std::process::Stdio;

use super::support::*;

/// Nothing, the header, within the tables, within the lanes.
const LENGTHS: [u64; 5] = [0, 4096, 3 * 4096, 5 * 4096 + 100, 900_000];

/// Series enough for a dump that is longer than a pipe holds.
const SERIES: u64 = 300;

/// A segment that nobody has open. Its length.
fn closed(folder: &Folder, name: &str) -> u64 {
    let segment = folder.segment(name);
    for number in 0..SERIES {
        let label = number.to_string();
        let counter = segment.counter("c_total").label("number", &label);
        counter.register().unwrap().add(number);
    }
    segment.histogram("h").register().unwrap().record(7);
    std::fs::metadata(folder.path(name)).unwrap().len()
}

fn truncate(folder: &Folder, name: &str, length: u64) {
    let file = File::options().write(true).open(folder.path(name)).unwrap();
    file.set_len(length).unwrap();
}

#[test]
fn a_dump_of_what_is_truncated_meanwhile_ends_with_both_lengths() {
    let folder = Folder::new();
    for length in LENGTHS {
        let expected = closed(&folder, "app");
        let mut command = folder.command(&["inspect", "--hex", "app"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = Running(command.spawn().unwrap());
        let mut unread = running.0.stdout.take().unwrap();
        wait_for("a full pipe", || {
            rustix::io::ioctl_fionread(&unread).unwrap() > 60_000
        });
        truncate(&folder, "app", length);
        std::io::copy(&mut unread, &mut std::io::sink()).unwrap();
        let stderr = running.0.stderr.take().unwrap();
        assert_eq!(running.code(), 2, "{length}");
        let said = text(stderr);
        let told = format!("the file has {length} bytes, its header says {expected}; it was truncated\n");
        assert!(
            said.ends_with(&told) && said.matches('\n').count() == 1,
            "{said:?}"
        );
        std::fs::remove_file(folder.path("app")).unwrap();
    }
}

#[test]
fn every_reading_command_survives_truncation_at_any_moment() {
    let folder = Folder::new();
    let commands: [&[&str]; 5] = [
        &["snapshot", "app"],
        &["snapshot", "--cut", "--processes", "app"],
        &["inspect", "app"],
        &["verify", &folder.path("app")],
        &["watch", "--count", "1", "app"],
    ];
    for arguments in commands {
        for length in LENGTHS {
            let expected = closed(&folder, "app");
            let mut command = folder.command(arguments);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut running = Running(command.spawn().unwrap());
            let maps = format!("/proc/{}/maps", running.0.id());
            wait_for("its mapping", || {
                let has_mapped = std::fs::read_to_string(&maps).is_ok_and(|maps| maps.contains("/app"));
                has_mapped || running.0.try_wait().unwrap().is_some()
            });
            truncate(&folder, "app", length);
            if arguments[0] == "watch" {
                // It waits for another one, if it has not told of this one already.
                std::fs::remove_file(folder.path("app")).unwrap();
                closed(&folder, "app");
            }
            let stdout = running.0.stdout.take().unwrap();
            let stderr = running.0.stderr.take().unwrap();
            let out = std::thread::spawn(move || text(stdout));
            let code = running.code();
            let (out, said) = (out.join().unwrap(), text(stderr));
            match code {
                // It was done before.
                0 => {}
                2 => assert!(
                    out.is_empty()
                        && said.contains("truncated")
                        && said.contains(&length.to_string())
                        && said.contains(&expected.to_string()),
                    "{arguments:?} {length}: {said:?}"
                ),
                // A report that it is no segment.
                1 => assert!(
                    arguments[0] == "verify" && out.contains("V-"),
                    "{arguments:?}: {out:?}"
                ),
                _ => panic!("{arguments:?}: {code}"),
            }
            std::fs::remove_file(folder.path("app")).unwrap();
        }
    }
}

#[test]
fn watch_waits_until_a_proper_segment_is_there_again() {
    let folder = Folder::new();
    for length in LENGTHS {
        closed(&folder, "app");
        let mut command = folder.command(&["watch", "app", "--interval", "5ms", "--series", "new_*"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = Running(command.spawn().unwrap());
        let lines = Lines::of(running.0.stdout.take().unwrap());
        let errors = Lines::of(running.0.stderr.take().unwrap());
        lines.next();
        truncate(&folder, "app", length);
        assert!(errors.next().contains("waiting for one"));
        std::fs::remove_file(folder.path("app")).unwrap();
        let segment = folder.segment("app");
        segment.counter("new_total").register().unwrap().add(5);
        wait_for("the new segment", || lines.next().contains("\"value\":5"));
        running.signal(rustix::process::Signal::TERM);
        assert_eq!(running.code(), 0);
        assert!(errors.is_over(), "it says it once");
        drop(segment);
        std::fs::remove_file(folder.path("app")).unwrap();
    }
}
