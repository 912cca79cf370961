//! Events: rings that were overwritten, dead writers, revisions, a schema that is none. SPEC.md 9.12, 10.21.

use shmetrics::Kind;
use shmetrics::layout::geometry::Capacities;
use shmetrics::snapshot::{Number, PerProcess};

use super::{Golden, image, small};
use crate::expected::View;
use crate::fact::Fact;
use crate::image::{
    Adoption, CREATED_MONOTONIC_NS, Event, Family, Image, Owner, Parameters, Place, Series, Writing,
};

const SCHEMA: &str = "1 started job:u64 queue:text16\n3 ended ok:bool change:i64 ms:f64";

pub(super) fn all() -> Vec<Golden> {
    vec![rings(), damaged()]
}

fn with_lanes() -> Image {
    // The log makes it a segment of version 2, which may have events.
    let mut image = image(Capacities {
        blocks_length: 16 * 1024,
        series: 12,
        errors: 1,
        ..small()
    });
    let web = image.claim(0, &Owner::new("web"));
    image.take(1, web).take(2, web);
    image
}

/// A job with this number, by its first kind; every third one has a name that was cut.
fn job(image: &mut Image, series: &Series, lane: u64, number: u64, until: Writing) {
    let name = |text: &[u8; 8]| u64::from_ne_bytes(*text);
    let cut = if number.is_multiple_of(3) { 1 << 32 } else { 0 };
    let payload = [
        number,
        11 | cut,
        name(b"mail \xc3\xa4\xc3"),
        name(b"\xb6ax\0\0\0\0\0"),
    ];
    let event = Event {
        code: 1,
        time_ns: CREATED_MONOTONIC_NS + 1_000_000_000 * number,
        writer: 1 << 48 | 1,
        payload: &payload,
    };
    image.event_until(series, lane, &event, until);
}

fn ended(image: &mut Image, series: &Series, lane: u64) {
    let event = Event {
        code: 3,
        time_ns: CREATED_MONOTONIC_NS - 1,
        writer: 0,
        payload: &[1, u64::MAX, 0.25f64.to_bits()],
    };
    image.event(series, lane, &event);
}

fn rings() -> Golden {
    let mut image = with_lanes();
    let ring = |image: &mut Image, name: &str| {
        image.single(
            &Family::new(name, Kind::Events),
            &Parameters::events(4, 64, SCHEMA),
        )
    };
    let jobs = ring(&mut image, "jobs");
    for number in 0..6 {
        job(&mut image, &jobs, 1, number, Writing::B4);
    }
    ended(&mut image, &jobs, 2);
    image.drop_event(&jobs).drop_event(&jobs);
    // Nobody ever wrote one; and a writer that only got to the first step of its first.
    ring(&mut image, "none");
    let begun = ring(&mut image, "begun");
    job(&mut image, &begun, 2, 1, Writing::Partly);
    // Killed in the middle of overwriting, and after it landed.
    let cut = ring(&mut image, "cut");
    let landed = ring(&mut image, "landed");
    for number in 0..5 {
        job(&mut image, &cut, 1, number, Writing::B4);
        job(&mut image, &landed, 1, number, Writing::B4);
    }
    job(&mut image, &cut, 1, 5, Writing::B2);
    job(&mut image, &landed, 1, 5, Writing::B3);
    // The same, and the next owner of the lane goes on.
    let adopted = image.family(&Family::new("adopted", Kind::Events));
    let adopted = image.series(adopted, &[("of", "it")], &Parameters::events(2, 128, SCHEMA));
    job(&mut image, &adopted, 2, 1, Writing::B3);
    let next = image.claim(1, &Owner::new("next"));
    image.take_until(2, next, Adoption::A5Partly);
    image.take(2, next);
    job(&mut image, &adopted, 2, 2, Writing::B4);
    job(&mut image, &adopted, 2, 3, Writing::B4);
    // Other kinds of events: both are told.
    let longer = format!("{SCHEMA}\n65535 late");
    let revision = Parameters::events(4, 64, &longer).created_ns(crate::image::CREATED_NS + 5_000_000_000);
    let late = image.series(jobs.family, &[], &revision);
    image.event(
        &late,
        1,
        &Event {
            code: 65535,
            time_ns: 0,
            writer: 0,
            payload: &[],
        },
    );
    let facts = || {
        vec![
            Fact::events("jobs", [8, 2, 6, 4, 12]),
            Fact::events("none", [0; 5]),
            Fact::events("begun", [0, 0, 0, 0, 4]),
            Fact::events("cut", [5, 0, 4, 4, 4]),
            Fact::events("landed", [6, 0, 4, 4, 4]),
            Fact::events("adopted", [3, 0, 2, 2, 2]).of(&[("of", "it")]),
        ]
    };
    let counted = |value: u64| Some(PerProcess::Counter(Number::U64(value)));
    let processes = vec![
        Fact::of_process(0, "jobs", counted(7)),
        Fact::of_process(1, "jobs", None),
        Fact::of_process(1, "adopted", counted(2)).of(&[("of", "it")]),
    ];
    Golden::read(
        "valid/events",
        &[
            "Events: overwritten, dropped, cut short by deaths, of two schemas; a lane whose next owner goes on.",
            "What is in the rings is told by readers of events; a snapshot says how many there were.",
        ],
        image,
        facts(),
    )
    .view(View::Processes, processes)
}

fn damaged() -> Golden {
    let mut image = with_lanes();
    let family = image.family(&Family::new("jobs", Kind::Events));
    let series = |image: &mut Image, label: &str, schema: &str| {
        image.series(family, &[("of", label)], &Parameters::events(2, 64, schema))
    };
    let sound = series(&mut image, "sound", SCHEMA);
    job(&mut image, &sound, 1, 1, Writing::B4);
    // A sequence of another place, and a position that nobody reached: what a reader of events finds is lost.
    let position = Place::Events(image.block_offset(&sound, 1));
    image.set(position, "event_position", 7);
    let none = series(&mut image, "no schema", "1 a b:c");
    let too_long = series(&mut image, "no room", "1 a b:text40");
    let not_utf8 = series(&mut image, "not UTF-8", "1 a");
    let text = image.text(b"1 \xff");
    image
        .set(Place::Record(not_utf8.number), "extra", text)
        .mend_record(not_utf8.number);
    let capacity = series(&mut image, "capacity", SCHEMA);
    image
        .set(Place::Record(capacity.number), "buckets", 17 | 8 << 16)
        .mend_record(capacity.number);
    let bits = series(&mut image, "bits", SCHEMA);
    image
        .set(Place::Record(bits.number), "buckets", 1 | 8 << 16 | 1 << 40)
        .mend_record(bits.number);
    let length = series(&mut image, "length", SCHEMA);
    image
        .set(Place::Record(length.number), "length", 768)
        .mend_record(length.number);
    let range = series(&mut image, "range", SCHEMA);
    image
        .set(Place::Record(range.number), "extra", 8 << 32)
        .mend_record(range.number);
    let facts = vec![Fact::events("jobs", [7, 0, 2, 2, 2]).of(&[("of", "sound")])];
    Golden::read(
        "damaged/events",
        &["Events: a position that is too high; rings and schemas that are none."],
        image,
        facts,
    )
    .skips(none.number, "V-29", "BadEncoding")
    .skips(too_long.number, "V-29", "BadEncoding")
    .skips(not_utf8.number, "V-29", "BadEncoding")
    .skips(capacity.number, "V-25", "BadBuckets")
    .skips(bits.number, "V-25", "BadBuckets")
    .skips(length.number, "V-26", "BadLength")
    .skips(range.number, "V-24", "BadText")
}
