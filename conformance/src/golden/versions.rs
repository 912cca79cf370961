//! What a later version may make, and what this version must make of it: SPEC.md 16. And segments that were retired.

use shmetrics::Kind;
use shmetrics::layout::geometry::Capacities;
use shmetrics::layout::record::TOMBSTONE;

use super::{Golden, image, small};
use crate::fact::Fact;
use crate::image::{CREATED_NS, Family, Image, Owner, Parameters, Place, Registration, SHARED, Series};

pub(super) fn all() -> Vec<Golden> {
    vec![
        unknown_kind(),
        unknown_merge(),
        not_ready(),
        header(
            "valid/optional_features",
            &["Optional features that nobody knows: ignored."],
            &[("optional_features", 1 << 63 | 1)],
        ),
        header(
            "valid/writer_features",
            &["Features that one must know to write: a reader does not look at them."],
            &[("writer_features", 1 << 5)],
        ),
        header(
            "valid/retired",
            &["A retired segment, of which 1027 ids were given: a reader shows it, and says so."],
            &[("retired", 1), ("next_id", 1 << 63 | 1027)],
        )
        .states(Fact::ids(1027)),
        newer_version(),
    ]
}

/// An empty segment but for a counter `shown` that stands at 5.
fn shown() -> Image {
    let mut image = image(small());
    let shown = image.single(&Family::new("shown", Kind::CounterU64), &Parameters::plain());
    image.count(&shown, SHARED, 5);
    image
}

fn counter(image: &mut Image, name: &str) -> Series {
    let series = image.single(&Family::new(name, Kind::CounterU64), &Parameters::plain());
    image.count(&series, SHARED, 1);
    series
}

fn unknown_kind() -> Golden {
    let mut image = shown();
    let series = counter(&mut image, "of_the_future");
    let last = counter(&mut image, "last");
    image.count(&last, SHARED, 6);
    for number in [series.family, series.number] {
        let shape = image.get(Place::Record(number), "shape");
        image.set(Place::Record(number), "shape", shape & !0xff00 | 200 << 8);
        image.mend_record(number);
    }
    let facts = vec![
        Fact::whole("shown", 5),
        Fact::absent("of_the_future"),
        Fact::whole("last", 7),
    ];
    Golden::read(
        "valid/unknown_kind",
        &["A kind that is not assigned: skipped and reported, all others are shown."],
        image,
        facts,
    )
    .skips(series.number, "V-22", "UnknownKind")
}

fn unknown_merge() -> Golden {
    let mut image = shown();
    let family = Family::new("of_the_future", Kind::GaugeI64);
    let series = image.single(&family, &Parameters::plain());
    let place = Place::Record(series.family);
    let shape = image.get(place, "shape");
    image
        .set(place, "shape", shape & !0xff_0000 | 99 << 16)
        .mend_record(series.family);
    counter(&mut image, "last");
    let facts = vec![
        Fact::whole("shown", 5),
        Fact::absent("of_the_future"),
        Fact::whole("last", 1),
    ];
    Golden::read(
        "valid/unknown_merge",
        &["A merge rule that is not assigned: its family and series are skipped and reported, all others are shown."],
        image,
        facts,
    )
    .skips(series.family, "V-23", "UnknownMerge")
    .skips(series.number, "V-27", "BadFamily")
}

fn not_ready() -> Golden {
    let mut image = shown();
    let removed = counter(&mut image, "removed");
    image.set(Place::Record(removed.number), "ready", TOMBSTONE);
    for (name, until) in [("unplaced", Registration::I4), ("not_ready", Registration::I5)] {
        let family = image.family(&Family::new(name, Kind::CounterU64));
        image.series_until(family, &[], &Parameters::plain(), until);
    }
    let mut facts = vec![Fact::whole("shown", 5)];
    facts.extend(["removed", "unplaced", "not_ready"].map(Fact::absent));
    Golden::read(
        "valid/not_ready",
        &["Series that are not placed, not ready or removed: not shown, and not skipped."],
        image,
        facts,
    )
}

fn header(name: &'static str, about: &'static [&'static str], words: &[(&str, u64)]) -> Golden {
    let mut image = shown();
    for (field, value) in words {
        image.set(Place::Header, field, *value);
    }
    image.mend_header();
    Golden::read(name, about, image, vec![Fact::whole("shown", 5)])
}

fn newer_version() -> Golden {
    let mut image = image(Capacities { errors: 1, ..small() });
    let shown = image.single(&Family::new("shown", Kind::CounterU64), &Parameters::plain());
    image.count(&shown, SHARED, 5);
    let web = image.claim(0, &Owner::new("web"));
    image.take(1, web);
    image.log_error(web, "known", CREATED_NS);
    let header = |image: &mut Image, offset: u64| {
        image.set_word(offset, 0x0123_4567_89ab_cdef);
    };
    image.set(Place::Header, "version", 3);
    // Reserved: in the immutable part, between it and the mutable words, beside one of them, and after them.
    for offset in [0x158, 0x1f0, 0x200, 0x3f8, 0x408, 0xc88, 0xe08, 0xe88, 0xff8] {
        header(&mut image, offset);
    }
    image.mend_header();
    let record = image.geometry().record_offset(2);
    let shape = image.get(Place::Record(2), "shape");
    // Reserved bits of the shape: of the flags, and above the ring slots.
    image
        .set(Place::Record(2), "shape", shape | 0xfe << 24 | 0xff << 40)
        .mend_record(2);
    for offset in [
        record + 0x78,
        image.geometry().process_entry_offset(0) + 0x18,
        image.geometry().process_entry_offset(0) + 0x160,
        image.geometry().lane_entry_offset(1) + 0x30,
        image.geometry().error_entry_offset(0) + 0x38,
        image.geometry().shared_counters_offset + 8,
    ] {
        header(&mut image, offset);
    }
    Golden::read(
        "valid/newer_version",
        &["Version 3 that version 2 can use: reserved space is in use everywhere, and ignored."],
        image,
        vec![
            Fact::whole("shown", 5),
            Fact::process(0, 1, "web", 1000),
            Fact::error("known", 1, CREATED_NS, CREATED_NS),
        ],
    )
}
