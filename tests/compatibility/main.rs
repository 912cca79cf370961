//! What the first released writers left stays readable, and what later versions leave leads to what SPEC.md 16 says.
// Golden files have one byte order.
#![cfg(all(not(shmetrics_loom), target_endian = "little"))]

#[path = "../support/mod.rs"]
mod support;
mod version_1;

use std::path::{Path, PathBuf};

use shmetrics::error::{LayoutError, RegisterError};
use shmetrics::layout::header::VERSION;
use shmetrics::snapshot::{Clocks, Number, PerProcess, Snapshot};
use shmetrics::{Kind, OpenError, Reader, Segment};
use shmetrics_conformance::expected::{View, json, look};
use shmetrics_conformance::fact::Fact;
use shmetrics_conformance::hex::Dump;
use shmetrics_conformance::image::{Image, Place};
use support::Scratch;

/// In the epoch of the last record that the first writers made; the wall clock runs as long since the creation.
const MONOTONIC_NS: u64 = 4291 * 500_000_000 + 250_000_000;

fn clocks(image: &Image) -> Clocks {
    let since = MONOTONIC_NS - image.get(Place::Header, "created_monotonic_ns");
    Clocks {
        wall_ns: image.get(Place::Header, "created_ns") + since,
        monotonic_ns: MONOTONIC_NS,
    }
}

fn data(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/valid")
        .join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The frozen segment.
fn first() -> Image {
    let dump = Dump::parse(&data("version-1.hex")).unwrap();
    Image::from_words(dump.words, dump.length).unwrap()
}

/// The frozen segment with a change, as a file. Its boot id is unknown, as if it were of this boot.
fn changed(scratch: &Scratch, change: impl FnOnce(&mut Image)) -> PathBuf {
    let mut image = first();
    image
        .set(Place::Header, "boot_id_high", 0)
        .set(Place::Header, "boot_id_low", 0);
    change(&mut image);
    image.mend_header();
    let path = scratch.path("segment");
    image.write_to(&path).unwrap();
    path
}

fn snapshot(path: &Path) -> Snapshot {
    look(path, View::Free, clocks(&first())).unwrap()
}

fn writer(path: &Path) -> Result<Segment, OpenError> {
    Segment::options().without_ticker().open_at(path)
}

fn refusal<T>(opened: Result<T, OpenError>) -> LayoutError {
    match opened {
        Err(OpenError::Layout { source, .. }) => source,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was opened"),
    }
}

#[track_caller]
fn check(facts: &[Fact], snapshot: &Snapshot) {
    for fact in facts {
        fact.check(snapshot).unwrap_or_else(|wrong| panic!("{wrong}"));
    }
}

/// What `version_1::write` counts, whoever lives.
fn counted() -> Vec<Fact> {
    vec![
        Fact::whole("hits", 5).of(&[("code", "200"), ("method", "GET")]),
        Fact::float("spent", 1.75),
        Fact::gauge("most", Some(-4)),
        Fact::gauge("newest", Some(1)),
        // 820 times the sum of 0 to 19, and 1,000.
        Fact::histogram("size", 16_401, 156_800.0).extremes(Some(0.0), Some(1000.0)),
        Fact::histogram("ratio", 5, 103.3)
            .extremes(Some(0.0), Some(100.0))
            .invalid(1)
            .windows(&[]),
        Fact::histogram("wait", 3, 2.5).extremes(Some(-1.0), Some(3.0)),
    ]
}

/// What it also says in these views.
fn of_the_process(view: View) -> Vec<Fact> {
    match view {
        View::Free | View::Cut => vec![Fact::gauge("depth", None), Fact::each("load", &[])],
        View::Held => vec![
            Fact::gauge("depth", Some(7)),
            Fact::each("load", &[(0, Number::F64(0.25))]),
        ],
        View::Processes => vec![
            Fact::of_process(0, "hits", Some(PerProcess::Counter(Number::U64(3))))
                .of(&[("code", "200"), ("method", "GET")]),
            Fact::of_process(0, "spent", Some(PerProcess::Counter(Number::F64(1.25)))),
            Fact::of_process(0, "depth", Some(PerProcess::Gauge(Number::I64(7)))),
            Fact::of_process(
                0,
                "size",
                Some(PerProcess::Histogram {
                    count: 16_401,
                    sum: 156_800.0,
                }),
            ),
        ],
    }
}

#[test]
fn the_first_released_layout_is_read_exactly() {
    let scratch = Scratch::new("compatibility");
    let (path, image) = (scratch.path("segment"), first());
    image.write_to(&path).unwrap();
    for view in View::ALL {
        let snapshot = look(&path, view, clocks(&image)).unwrap();
        let name = format!("version-1{}", view.ending());
        assert_eq!(json(&snapshot, "valid/version-1"), data(&name), "{name}");
        check(&of_the_process(view), &snapshot);
        if view != View::Cut {
            check(&counted(), &snapshot);
        }
    }
    // The record of the last epoch is in no closed window and in no cut.
    let cut = look(&path, View::Cut, clocks(&image)).unwrap();
    check(&[Fact::histogram("size", 16_400, 155_800.0)], &cut);
}

#[test]
fn what_writers_of_today_leave_is_what_the_first_ones_left() {
    let scratch = Scratch::new("compatibility");
    let path = scratch.path("segment");
    let segment = version_1::write(&path);
    let mut reader = Reader::open_path(&path).unwrap();
    let now = reader.per_process(true).snapshot().unwrap();
    drop(segment);
    check(&counted(), &now);
    check(&of_the_process(View::Held), &now);
    check(&of_the_process(View::Processes), &now);
    let geometry = reader.facts().geometry;
    assert_eq!(geometry, *first().geometry());
    let words = std::fs::read(&path).unwrap();
    let words = words
        .as_chunks::<8>()
        .0
        .iter()
        .map(|word| u64::from_ne_bytes(*word));
    let image = Image::from_words(words.collect(), geometry.file_length).unwrap();
    // The text, the records and the placements are the same to the bit, but for the times.
    let [then, now] = [first(), image].map(|mut image| {
        for number in 1..=image.get(Place::Header, "reserved") {
            let place = Place::Record(number);
            image.set(place, "created", 0).set(place, "checksum", 0);
        }
        let head = (geometry.index_offset / 8) as usize..(geometry.process_directory_offset / 8) as usize;
        image.words()[head].to_vec()
    });
    assert_eq!(then, now);
}

#[test]
fn a_writer_goes_on_in_the_first_released_layout() {
    let scratch = Scratch::new("compatibility");
    let path = changed(&scratch, |_| {});
    let segment = writer(&path).unwrap();
    let hits = segment
        .counter("hits")
        .label("method", "GET")
        .label("code", "200");
    let hits = hits.register().unwrap();
    assert!(segment.attach_thread(), "the only lane is that of a dead process");
    hits.add(10);
    let hits = Fact::whole("hits", 15).of(&[("code", "200"), ("method", "GET")]);
    check(&[hits], &snapshot(&path));
    check(&counted()[1..], &snapshot(&path));
}

#[test]
fn optional_features_are_ignored_by_readers_and_writers() {
    let scratch = Scratch::new("compatibility");
    let path = changed(&scratch, |image| {
        image.set(Place::Header, "optional_features", u64::MAX);
    });
    check(&counted(), &snapshot(&path));
    let segment = writer(&path).unwrap();
    segment.counter("more").register().unwrap().add(1);
    check(&[Fact::whole("more", 1)], &snapshot(&path));
}

#[test]
fn required_features_that_are_not_known_refuse_everybody() {
    let scratch = Scratch::new("compatibility");
    let path = changed(&scratch, |image| {
        image.set(Place::Header, "required_features", 1 << 40);
    });
    let expected = LayoutError::UnknownFeatures { found: 1 << 40 };
    assert_eq!(refusal(Reader::open_path(&path)), expected);
    assert_eq!(refusal(writer(&path)), expected);
}

#[test]
fn writer_features_that_are_not_known_refuse_writers_only() {
    let scratch = Scratch::new("compatibility");
    let path = changed(&scratch, |image| {
        image.set(Place::Header, "writer_features", 6);
    });
    check(&counted(), &snapshot(&path));
    assert_eq!(
        refusal(writer(&path)),
        LayoutError::UnknownWriterFeatures { found: 6 }
    );
}

/// Gives the family of `spent` and its series another shape.
fn reshaped(scratch: &Scratch, family: impl Fn(u64) -> u64, series: impl Fn(u64) -> u64) -> PathBuf {
    changed(scratch, |image| {
        for (number, change) in [(3, &family as &dyn Fn(u64) -> u64), (4, &series)] {
            let shape = image.get(Place::Record(number), "shape");
            image
                .set(Place::Record(number), "shape", change(shape))
                .mend_record(number);
        }
    })
}

/// All but `spent` are shown, and a writer cannot register into its family.
fn spent_is_left_out(path: &Path, skipped: &[(u64, &str)]) {
    let mut facts = counted();
    facts[1] = Fact::absent("spent");
    let snapshot = snapshot(path);
    check(&facts, &snapshot);
    let found = snapshot
        .skipped
        .iter()
        .map(|skipped| (skipped.record, skipped.reason.to_string()));
    let found: Vec<_> = found.collect();
    let found: Vec<_> = found
        .iter()
        .map(|(record, reason)| (*record, &reason[..4]))
        .collect();
    assert_eq!(found, skipped);
    let segment = writer(path).unwrap();
    for label in ["", "new"] {
        let spent = segment.counter_float("spent").unit(shmetrics::Unit::Seconds);
        let spent = if label.is_empty() {
            spent
        } else {
            spent.label(label, "x")
        };
        assert!(
            matches!(spent.register(), Err(RegisterError::Conflict { .. })),
            "{label}"
        );
    }
    segment.counter("more").register().unwrap().add(1);
}

#[test]
fn a_series_of_an_unknown_kind_is_left_out_and_nobody_registers_into_its_family() {
    let scratch = Scratch::new("compatibility");
    let unknown = |shape: u64| shape & !0xff00 | 200 << 8;
    assert_eq!(
        Kind::from_code(200),
        None,
        "kind 200 is assigned by now; take another"
    );
    let path = reshaped(&scratch, unknown, unknown);
    spent_is_left_out(&path, &[(4, "V-22")]);
}

#[test]
fn a_family_with_an_unknown_merge_rule_is_left_out_and_nobody_registers_into_it() {
    let scratch = Scratch::new("compatibility");
    let path = reshaped(&scratch, |shape| shape & !0xff_0000 | 7 << 16, |shape| shape);
    spent_is_left_out(&path, &[(3, "V-23"), (4, "V-27")]);
}

#[test]
fn a_newer_version_that_says_it_is_compatible_is_read_and_written() {
    let scratch = Scratch::new("compatibility");
    let path = changed(&scratch, |image| {
        image.set(Place::Header, "version", VERSION + 1);
        // It has no error log and no reset tables, and says where they would be.
        let geometry = *image.geometry();
        let words = [
            ("errors_region", geometry.errors_offset),
            ("resets_region", geometry.resets_offset),
            ("reset_stride", geometry.reset_stride),
        ];
        for (field, value) in words {
            image.set(Place::Header, field, value);
        }
        for offset in [0x158, 0x1f0, 0x200, 0x408, 0xc88] {
            image.set_word(offset, u64::MAX);
        }
    });
    let before = snapshot(&path);
    check(&counted(), &before);
    assert_eq!(before.segment.unwrap().version, VERSION + 1);
    let segment = writer(&path).unwrap();
    segment.counter("more").register().unwrap().add(1);
    check(&[Fact::whole("more", 1)], &snapshot(&path));
    // What is reserved is not touched.
    let after = std::fs::read(&path).unwrap();
    for offset in [0x158, 0x1f0, 0x200, 0x408, 0xc88] {
        assert_eq!(after[offset..offset + 8], [0xff; 8], "{offset:#x}");
    }
}

#[test]
fn versions_that_say_they_are_not_compatible_refuse_everybody() {
    let scratch = Scratch::new("compatibility");
    let newer = VERSION + 1;
    for (version, compatible_from) in [(newer, newer), (0, 0), (0, 1), (VERSION, newer)] {
        let path = changed(&scratch, |image| {
            image.set(Place::Header, "version", version).set(
                Place::Header,
                "compatible_from",
                compatible_from,
            );
        });
        let expected = LayoutError::OtherVersion {
            version,
            compatible_from,
        };
        assert_eq!(refusal(Reader::open_path(&path)), expected);
        assert_eq!(refusal(writer(&path)), expected);
    }
}
