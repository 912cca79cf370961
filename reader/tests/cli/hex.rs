//! `inspect --hex`: names and values, and that the dump gives the file back.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};

use rustix::fs::{SeekFrom, seek};
use shmetrics::layout::header::{CHECKSUM_OFFSET, RETIRED_OFFSET};
use shmetrics::{Merge, Unit};

use super::support::*;

/// A small segment with something of everything.
fn fill(folder: &Folder) {
    let segment = folder.segment("app");
    let requests = segment.counter("requests_total").help("Requests\u{9b}served");
    let requests = requests.label("method", "GET").register().unwrap();
    let load = segment.counter_float("load_total").register().unwrap();
    let depth = segment.gauge("depth").merge(Merge::Max).register().unwrap();
    let latency = segment
        .histogram("latency")
        .unit(Unit::Seconds)
        .register()
        .unwrap();
    let steps = segment
        .histogram_classic("steps", &[1.0, 2.5])
        .register()
        .unwrap();
    requests.add(12_345);
    load.add(0.5);
    depth.set(-7);
    (0..40_000).for_each(|n| latency.record(1_000_000 + n));
    steps.record(2.0);
}

fn dump(folder: &Folder) -> String {
    let ended = folder.run(&["inspect", "app", "--hex"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
    ended.stdout
}

/// The words of a dump by offset, zeros included.
fn parse(dump: &str) -> BTreeMap<u64, u64> {
    let mut words = BTreeMap::new();
    let mut put = |offset: u64, word: u64| assert_eq!(words.insert(offset, word), None, "{offset:#x} twice");
    for line in dump.lines() {
        let (offset, rest) = line.split_once("  ").unwrap();
        let offset = u64::from_str_radix(offset, 16).unwrap();
        if let Some(folded) = rest.strip_prefix("* ") {
            let zeros: u64 = folded.split(' ').next().unwrap().parse().unwrap();
            (0..zeros).for_each(|index| put(offset + index * 8, 0));
            continue;
        }
        let digits: String = rest[..40].chars().filter(|c| *c != ' ').collect();
        let bytes: Vec<u8> = (0..digits.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
            .collect();
        for (index, word) in (0..).zip(bytes.as_chunks::<8>().0) {
            put(offset + index * 8, u64::from_ne_bytes(*word));
        }
    }
    words
}

/// What is not 0 in the file.
fn content(file: &File) -> BTreeMap<u64, u64> {
    let mut words = BTreeMap::new();
    let mut at = 0;
    while let Ok(start) = seek(file, SeekFrom::Data(at)) {
        let end = seek(file, SeekFrom::Hole(start)).unwrap();
        let mut bytes = vec![0; (end - start) as usize];
        file.read_exact_at(&mut bytes, start).unwrap();
        for (index, word) in (0..).zip(bytes.as_chunks::<8>().0) {
            let word = u64::from_ne_bytes(*word);
            if word != 0 {
                words.insert(start + index * 8, word);
            }
        }
        at = end;
    }
    words
}

#[test]
fn the_dump_gives_the_file_back_and_allocates_nothing() {
    let folder = Folder::new();
    fill(&folder);
    // The next owner of the lane notes what was there before it: the baseline is committed.
    let again = shmetrics::Segment::options().open_at(folder.path("app")).unwrap();
    let requests = again
        .counter("requests_total")
        .label("method", "GET")
        .register()
        .unwrap();
    requests.inc();
    drop(again);
    let file = File::open(folder.path("app")).unwrap();
    let blocks = file.metadata().unwrap().blocks();
    let dump = dump(&folder);
    assert!(dump.contains("lane 1, record 2.baseline"), "{dump}");
    let words = parse(&dump);
    assert_eq!(file.metadata().unwrap().blocks(), blocks);
    let content = content(&file);
    assert!(content.len() > 200, "{}", content.len());
    let told: BTreeMap<u64, u64> = words.into_iter().filter(|(_, word)| *word != 0).collect();
    for (offset, word) in &content {
        assert_eq!(told.get(offset), Some(word), "{offset:#x}");
    }
    assert_eq!(told.len(), content.len());
}

#[test]
fn words_have_their_names_and_meanings() {
    let folder = Folder::new();
    fill(&folder);
    let dump = dump(&folder);
    let mut lines = BTreeMap::new();
    for line in dump.lines() {
        let rest = &line[51..];
        let (name, meaning) = rest.split_once("  ").unwrap_or((rest, ""));
        // Of a text the first line.
        lines.entry(name).or_insert(meaning.trim());
    }
    let own = format!("{:?}", std::process::id());
    for (name, meaning) in [
        ("header.magic", "as it should be"),
        ("header.process_slots", "32"),
        ("header.epoch_length_ns", "10 s"),
        ("header.reserved", ""),
        ("header.counter_placement", "next free 2"),
        ("record 1.claim", "published"),
        ("record 1.shape", "family, counter_u64, sum"),
        ("record 1.text", "14 bytes at 0: \"requests_total\""),
        ("record 1.extra", "16 bytes at 16: \"Requests\\u{9b}served\""),
        ("record 1.members", "1"),
        ("record 2.shape", "series, counter_u64"),
        ("record 2.text", "13 bytes at 32: {method=\"GET\"}"),
        ("record 2.unit", "family: record 1"),
        ("record 2.cell", "placement 0"),
        ("record 5.shape", "family, gauge_i64, max"),
        ("record 8.shape", "series, histogram_integer, 2 ring slots"),
        ("record 8.buckets", "scale 3, 2^-20 to 2^12: 258 buckets"),
        ("record 8.length", "11136"),
        ("record 10.extra", "16 bytes at 96: 1, 2.5"),
        ("slot 0.process_owner", "incarnation 1, free"),
        ("slot 0.process_pid", &own),
        ("slot 0.process_role", "|tester..........|"),
        ("slot 0, record 6.gauge_value", "-7"),
        ("slot 0, record 6.gauge_stamp", "1"),
        ("lane 1.lane_owner", "released"),
        ("lane 1.lane_baseline_owner", "slot 0, incarnation 1"),
        ("lane 1.bitmap 0", "committed: record 8 at 0, record 10 at 11136"),
        ("lane 1, record 2.counter", "12345"),
        ("lane 1, record 4.counter", "0.5"),
        ("lane 1, record 8.count", "40000"),
        ("lane 1, record 8.minimum", "1000000"),
        ("lane 1, record 8.maximum", "1039999"),
        ("lane 1, record 8.latch_version", "2"),
        ("lane 1, record 8.latch 0.state_count", "32768"),
        ("lane 1, record 8.latch 1.state_count", "16384"),
        ("lane 1, record 10.bucket 1", "1"),
        ("shared lane, record 8.landed", "0"),
    ] {
        assert_eq!(lines.get(name), Some(&meaning), "{name}\n{dump}");
    }
    let created = lines["record 2.created"];
    assert!(
        created.starts_with("20") && created.ends_with('Z') && created.len() == 30,
        "{created}"
    );
    assert!(dump.is_ascii(), "control characters are written out");
}

#[test]
fn of_a_damaged_file_there_is_the_header_and_the_reason() {
    let folder = Folder::new();
    drop(folder.segment("app"));
    let whole = folder.run(&["inspect", "app", "--hex"]).stdout;
    let file = File::options().write(true).open(folder.path("app")).unwrap();
    file.write_all_at(&7u64.to_ne_bytes(), CHECKSUM_OFFSET).unwrap();
    let ended = folder.run(&["inspect", "app", "--hex"]);
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(
        ended.stderr.contains("only the header is shown: V-6"),
        "{ended:?}"
    );
    assert!(
        ended.stdout.contains("header.lanes") && ended.stdout.contains("header.retired"),
        "{ended:?}"
    );
    assert_eq!(parse(&ended.stdout).len(), 512);
    assert!(whole.starts_with(&ended.stdout[..1000]));
    // As far as it goes.
    file.set_len(0x100 + 4).unwrap();
    let ended = folder.run(&["inspect", "app", "--hex"]);
    assert_eq!((ended.code, parse(&ended.stdout).len()), (2, 32), "{ended:?}");
    assert!(ended.stderr.contains("V-1"), "{ended:?}");
    assert_refused(
        &folder.run(&["inspect", "missing", "--hex"]),
        "there is no segment",
    );
}

#[test]
fn a_retired_segment_is_told_and_the_environment_asks_for_the_dump_too() {
    let folder = Folder::new();
    drop(folder.segment("app"));
    let file = File::options().write(true).open(folder.path("app")).unwrap();
    file.write_all_at(&1u64.to_ne_bytes(), RETIRED_OFFSET).unwrap();
    let mut command = folder.command(&["inspect", "app"]);
    command.env("SHMETRICS_HEX", "1");
    let ended = finish(command);
    assert!(ended.stdout.contains("1: retired"), "{ended:?}");
}
