//! The golden segments in tests/data: the reader says of each what is written beside it, and what its maker states.
// Golden files have one byte order.
#![cfg(all(not(shmetrics_loom), target_endian = "little"))]

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use shmetrics::Kind;
use shmetrics::Segment;
use shmetrics::layout::record::{READY_WORD, SHAPE_WORD, TYPE_SERIES};
use shmetrics::verify::{self, Severity, verify};
use shmetrics_conformance::expected::{CLOCKS, View, json, look};
use shmetrics_conformance::fact::Fact;
use shmetrics_conformance::golden::{self, Golden, Outcome, refusal, rule_and_name};
use shmetrics_conformance::hex::Dump;
use shmetrics_conformance::image::{Family, Image, Parameters, Place, write_words};
use support::Scratch;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

fn text(name: &str) -> String {
    let path = data().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Makes the segment of a golden file, as another implementation would.
fn expand(scratch: &Scratch, golden: &Golden) -> PathBuf {
    let path = scratch.path("segment");
    let dump = Dump::parse(&text(&format!("{}.hex", golden.name))).unwrap();
    write_words(&path, &dump.words, dump.length).unwrap();
    path
}

#[test]
fn every_golden_segment_reads_as_its_json_says() {
    let scratch = Scratch::new("golden");
    for golden in golden::all() {
        let path = expand(&scratch, &golden);
        let Outcome::Read { views, skipped } = &golden.outcome else {
            continue;
        };
        for (view, facts) in views {
            let name = format!("{}{}", golden.name, view.ending());
            let snapshot = look(&path, *view, CLOCKS).unwrap_or_else(|error| panic!("{name}: {error}"));
            for fact in facts {
                fact.check(&snapshot)
                    .unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
            }
            let found: Vec<_> = snapshot
                .skipped
                .iter()
                .map(|skipped| {
                    let reason = skipped.reason;
                    (
                        skipped.record,
                        rule_and_name(&reason.to_string(), &format!("{reason:?}")),
                    )
                })
                .collect();
            let stated: Vec<_> = skipped
                .iter()
                .map(|(record, rule, error)| (*record, format!("{rule} {error}")))
                .collect();
            assert_eq!(found, stated, "{name}");
            assert_eq!(json(&snapshot, golden.name), text(&name), "{name}");
        }
    }
}

#[test]
fn every_golden_segment_that_is_invalid_is_refused_by_its_rule() {
    let scratch = Scratch::new("golden");
    for golden in golden::all() {
        let Outcome::Refused(rule, error) = golden.outcome else {
            continue;
        };
        let path = expand(&scratch, &golden);
        let expected = format!("{rule} {error}");
        assert_eq!(refusal(&path).as_deref(), Some(&*expected), "{}", golden.name);
        assert_eq!(text(&format!("{}.error", golden.name)), expected + "\n");
    }
}

/// What no definition makes, because it must stay as the first writers left it, and what tells about the files.
const FROZEN: [&str; 6] = [
    "README.md",
    "valid/version-1.cut.json",
    "valid/version-1.held.json",
    "valid/version-1.hex",
    "valid/version-1.json",
    "valid/version-1.processes.json",
];

#[test]
fn the_files_are_exactly_what_the_definitions_make() {
    let scratch = Scratch::new("golden");
    let mut expected: Vec<String> = FROZEN.map(str::to_owned).to_vec();
    for golden in golden::all() {
        for (name, content) in golden.files(&scratch.path("segment")).unwrap() {
            assert!(
                text(&name) == content,
                "{name} is not what the definitions make; look at the difference, then: \
                 cargo run -p shmetrics-conformance -- golden --write tests/data"
            );
            expected.push(name);
        }
    }
    expected.sort();
    let mut found = vec!["README.md".to_owned()];
    for folder in ["valid", "invalid", "damaged"] {
        let entries = std::fs::read_dir(data().join(folder)).unwrap();
        found.extend(
            entries.map(|entry| format!("{folder}/{}", entry.unwrap().file_name().to_str().unwrap())),
        );
    }
    found.sort();
    assert_eq!(found, expected);
}

/// No writer leaves it, but every bit pattern of a counter is legal: a verifier warns.
const ODD: &str = "damaged/float_counters_odd";

/// The maker and the verifier agree which segments are sound, and by which rule the others are not.
#[test]
fn a_verifier_has_nothing_against_valid_segments_and_names_the_rule_of_others() {
    let scratch = Scratch::new("golden");
    for golden in golden::all() {
        let path = segment_of(&scratch, golden.name);
        let report = verify(&path).unwrap();
        let is_sound = golden.name.starts_with("valid/");
        if golden.name == ODD {
            assert_eq!(report.count(Severity::Error), 0, "{report}");
            assert!(report.count(Severity::Warning) > 0, "{report}");
            continue;
        }
        assert_eq!(
            report.count(Severity::Error) == 0,
            is_sound,
            "{}: {report}",
            golden.name
        );
        let rules: Vec<_> = report.findings.iter().map(|finding| finding.rule).collect();
        let stated: Vec<_> = match &golden.outcome {
            Outcome::Refused(rule, _) => vec![*rule],
            Outcome::Read { skipped, .. } if !is_sound => skipped.iter().map(|skipped| skipped.1).collect(),
            Outcome::Read { .. } => continue,
        };
        for rule in stated {
            assert!(
                rules.contains(&rule),
                "{}: {rule} is not in {report}",
                golden.name
            );
        }
    }
}

/// Of every segment that is read, they pass over the same records by the same rules. More only of what a newer writer may have made
/// (V-22, V-23): of a family that no series of a known kind names the verifier tells, too.
#[test]
fn a_verifier_and_a_reader_refuse_the_same_records_by_the_same_rules() {
    let scratch = Scratch::new("golden");
    for golden in golden::all() {
        if matches!(golden.outcome, Outcome::Read { .. }) {
            assert_same_verdicts(&segment_of(&scratch, golden.name), golden.name);
        }
    }
}

#[test]
fn a_label_text_that_does_not_fit_leaves_room_for_those_after_it() {
    let mut image = Image::new(golden::small()).unwrap();
    let family = image.family(&Family::new("bad", Kind::CounterU64));
    let value = "v".repeat(600);
    let first = image.series(family, &[("l", &value)], &Parameters::plain());
    let second = image.series(family, &[], &Parameters::plain());
    let third = image.series(family, &[("l", "3")], &Parameters::plain());
    let text = image.get(Place::Record(first.number), "text");
    image
        .set(Place::Record(second.number), "text", text)
        .mend_record(second.number);
    let scratch = Scratch::new("golden-room");
    let path = scratch.path("segment");
    image.write_to(&path).unwrap();
    assert_eq!(
        assert_same_verdicts(&path, "room"),
        [(second.number, "V-24".to_owned())].into()
    );
    let snapshot = look(&path, View::Free, CLOCKS).unwrap();
    assert!(snapshot.find("bad", &[("l", "3")]).is_some(), "{}", third.number);
}

/// Record and rule of what the reader skips, which must be what the verifier names, at whatever severity.
fn assert_same_verdicts(path: &Path, name: &str) -> BTreeSet<(u64, String)> {
    let snapshot = look(path, View::Free, CLOCKS).unwrap();
    let rule = |reason: &str| reason.split(':').next().unwrap().to_owned();
    let skipped: BTreeSet<(u64, String)> = snapshot
        .skipped
        .iter()
        .map(|skipped| (skipped.record, rule(&skipped.reason.to_string())))
        .collect();
    let report = verify(path).unwrap();
    let named: BTreeSet<(u64, String)> = report
        .findings
        .iter()
        .filter_map(|finding| match finding.place {
            verify::Place::Record(record) if finding.rule.starts_with("V-") => {
                Some((record, finding.rule.to_owned()))
            }
            _ => None,
        })
        .collect();
    assert!(
        named.is_superset(&skipped),
        "{name}: {skipped:?} are skipped: {report}"
    );
    // The verifier judges all that is published (S-3), a reader a series only once it is ready.
    let bytes = std::fs::read(path).unwrap();
    let geometry = snapshot.segment.as_ref().unwrap().geometry;
    let is_unready = |record: u64| {
        let at = geometry.record_offset(record) as usize;
        bytes[at + 8 * READY_WORD] == 0 && bytes[at + 8 * SHAPE_WORD] == TYPE_SERIES
    };
    let more: Vec<_> = named.difference(&skipped).collect();
    let is_open = |rule: &str| ["V-22", "V-23"].contains(&rule);
    assert!(
        more.iter()
            .all(|(record, rule)| is_open(rule) || is_unready(*record)),
        "{name}: {more:?} are not skipped: {report}"
    );
    skipped
}

fn segment_of(scratch: &Scratch, name: &str) -> PathBuf {
    let golden = golden::all().into_iter().find(|golden| golden.name == name);
    let path = scratch.path("segment");
    golden.unwrap().image.write_to(&path).unwrap();
    path
}

#[test]
fn a_writer_records_exactly_where_the_dead_were_in_the_middle() {
    let scratch = Scratch::new("golden");
    let path = segment_of(&scratch, "valid/deaths_record");
    let segment = Segment::options().without_ticker().open_at(&path).unwrap();
    assert!(segment.attach_thread(), "lane 1 is that of a dead process");
    // What landed before in both lanes: five records each, and those two that had done W3.
    let before = [
        ("w0", 5, 14.0),
        ("w1", 5, 14.0),
        ("w2", 5, 14.0),
        ("w3", 7, 214.0),
        ("first", 0, 0.0),
    ];
    for (name, count, sum) in before {
        let series = segment.histogram(name).scale(0).range(0, 3).ring_slots(0);
        let series = series.register().unwrap();
        for done in 1..=3 {
            series.record(5);
            let snapshot = look(&path, View::Free, CLOCKS).unwrap();
            let fact = Fact::histogram(name, count + done, sum + 5.0 * done as f64);
            fact.check(&snapshot).unwrap_or_else(|wrong| panic!("{wrong}"));
        }
    }
}

#[test]
fn a_writer_finishes_every_registration_that_was_left_in_the_middle() {
    let scratch = Scratch::new("golden");
    let left = "valid/deaths_registration";
    let golden = golden::all()
        .into_iter()
        .find(|golden| golden.name == left)
        .unwrap();
    let path = scratch.path("segment");
    golden.image.write_to(&path).unwrap();
    let segment = Segment::options().without_ticker().open_at(&path).unwrap();
    let families = ["family_i2", "family_i3", "family_i4_unmarked", "family_i4"];
    let series = ["i2", "i3", "i4_unmarked", "i4", "p2", "p3", "i5", "last"];
    let mut facts = vec![Fact::whole("before", 1), Fact::whole("after", 2)];
    for (value, name) in (10..).zip(families.into_iter().chain(series)) {
        segment.counter(name).register().unwrap().add(value);
        facts.push(Fact::whole(name, value));
    }
    let snapshot = look(&path, View::Free, CLOCKS).unwrap();
    for fact in facts {
        fact.check(&snapshot).unwrap_or_else(|wrong| panic!("{wrong}"));
    }
    assert_eq!(snapshot.skipped, []);
    // The records of the dead are used again: no more than one for each family and one for each series.
    assert_eq!(snapshot.fill.records.used, 2 * snapshot.series.len() as u64);
}
