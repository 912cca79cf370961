//! Events over threads and processes: each reader gets each event once, in the order of its writer, or is told that it is lost; also when
//! writers are killed at any moment. Nothing is mocked.

#[path = "../support/mod.rs"]
mod support;

mod kills;

use shmetrics::error::RegisterError;
use shmetrics::events::{EventBatch, EventCursor, Events, FieldKind, FieldValue, Since, Value};
use shmetrics::{Preset, Reader, Segment};
use support::*;

fn compact(path: &std::path::Path) -> Segment {
    Segment::options()
        .preset(Preset::Compact)
        .open_or_create_at(path)
        .unwrap()
}

fn ticks(segment: &Segment, capacity: u64) -> Events {
    let fields = [
        ("worker", FieldKind::U64),
        ("number", FieldKind::U64),
        ("check", FieldKind::Text(24)),
    ];
    segment
        .events("ticks")
        .capacity(capacity)
        .record_length(128)
        .kind(1, "tick", &fields)
        .register()
        .unwrap()
}

fn tick(events: &Events, worker: u64, number: u64) {
    let check = format!("{worker}/{number}");
    let values = [Value::U64(worker), Value::U64(number), Value::Text(&check)];
    events.kind("tick").unwrap().write(&values);
}

/// Worker and number of each event; a torn one would have another check.
fn told(batch: &EventBatch) -> Vec<(u64, u64)> {
    let pair = |event: &shmetrics::events::Event| {
        let pair = (event.whole("worker").unwrap(), event.whole("number").unwrap());
        assert_eq!(
            event.text("check"),
            Some(&*format!("{}/{}", pair.0, pair.1)),
            "{event:?}"
        );
        pair
    };
    batch.events.iter().map(pair).collect()
}

fn start(path: &std::path::Path) -> (Reader, EventCursor) {
    let mut reader = Reader::open_path(path).unwrap();
    let cursor = reader.event_cursor(Since::Start).unwrap();
    (reader, cursor)
}

#[test]
fn each_of_several_readers_gets_every_event_once() {
    let _alone = alone();
    let scratch = Scratch::new("events-readers");
    let path = scratch.path("segment");
    let segment = compact(&path);
    let events = ticks(&segment, 64);
    let (mut first, mut first_cursor) = start(&path);
    let (mut second, mut second_cursor) = start(&path);
    (0..10).for_each(|number| tick(&events, 1, number));
    let expected: Vec<_> = (0..10).map(|number| (1, number)).collect();
    assert_eq!(
        told(&first.events(&mut first_cursor, usize::MAX).unwrap()),
        expected
    );
    // Another thread, another ring.
    std::thread::scope(|scope| {
        scope.spawn(|| (0..5).for_each(|number| tick(&events, 2, number)));
    });
    tick(&events, 1, 10);
    let batch = first.events(&mut first_cursor, usize::MAX).unwrap();
    let expected: Vec<_> = (0..5).map(|number| (2, number)).chain([(1, 10)]).collect();
    assert_eq!((told(&batch), batch.lost, batch.dropped), (expected, 0, 0));
    assert_eq!(
        first.events(&mut first_cursor, usize::MAX).unwrap(),
        EventBatch::default()
    );
    // The other reader was not disturbed, and may take them in small pieces.
    let mut all = Vec::new();
    loop {
        let batch = second.events(&mut second_cursor, 3).unwrap();
        assert!(batch.events.len() <= 3 && batch.lost == 0);
        all.extend(told(&batch));
        if !batch.more {
            break;
        }
    }
    assert_eq!(all.len(), 16);
    for worker in [1, 2] {
        let numbers: Vec<u64> = all
            .iter()
            .filter(|(of, _)| *of == worker)
            .map(|(_, number)| *number)
            .collect();
        assert!(
            numbers.is_sorted() && numbers.len() == if worker == 1 { 11 } else { 5 },
            "{all:?}"
        );
    }
    let shown = snapshot(&path);
    let shmetrics::Value::Events(totals) = &shown.find("ticks", &[]).unwrap().value else {
        panic!("{shown:?}")
    };
    assert_eq!(
        (totals.written, totals.held, totals.fullest, totals.capacity),
        (16, 16, 11, 128)
    );
}

#[test]
fn what_is_overwritten_is_counted_as_lost_exactly() {
    let _alone = alone();
    let scratch = Scratch::new("events-lost");
    let path = scratch.path("segment");
    let segment = compact(&path);
    let events = ticks(&segment, 8);
    let (mut reader, mut cursor) = start(&path);
    // A known schedule: so many are written between two reads; at most 8 are left.
    let mut number = 0;
    for written in [3, 8, 9, 0, 100, 1, 16] {
        for _ in 0..written {
            tick(&events, 1, number);
            number += 1;
        }
        let batch = reader.events(&mut cursor, usize::MAX).unwrap();
        let kept = written.min(8);
        let expected: Vec<_> = (number - kept..number).map(|number| (1, number)).collect();
        assert_eq!(
            (told(&batch), batch.lost, batch.most_waiting),
            (expected, written - kept, written)
        );
    }
    // What a new reader never saw from the start is lost to it, but not to one that begins now.
    let (mut late, mut from_start) = start(&path);
    assert_eq!(late.events(&mut from_start, usize::MAX).unwrap().lost, number - 8);
    let mut from_now = late.event_cursor(Since::Now).unwrap();
    assert_eq!(
        late.events(&mut from_now, usize::MAX).unwrap(),
        EventBatch::default()
    );
    tick(&events, 1, number);
    assert_eq!(
        told(&late.events(&mut from_now, usize::MAX).unwrap()),
        [(1, number)]
    );
}

#[test]
fn a_cursor_goes_on_in_another_reader() {
    let _alone = alone();
    let scratch = Scratch::new("events-cursor");
    let path = scratch.path("segment");
    let segment = compact(&path);
    let events = ticks(&segment, 64);
    let (mut reader, mut cursor) = start(&path);
    (0..5).for_each(|number| tick(&events, 1, number));
    assert_eq!(reader.events(&mut cursor, 2).unwrap().events.len(), 2);
    let kept = cursor.to_string();
    drop(reader);
    let mut cursor: EventCursor = kept.parse().unwrap();
    let mut reader = Reader::open_path(&path).unwrap();
    let batch = reader.events(&mut cursor, usize::MAX).unwrap();
    assert_eq!((told(&batch), batch.lost), (vec![(1, 2), (1, 3), (1, 4)], 0));
    // Of another segment, or made up: from the start, or from the end; never more than is there.
    let mut other: EventCursor = "1.77;2:9,1=3".parse().unwrap();
    assert_eq!(told(&reader.events(&mut other, usize::MAX).unwrap()).len(), 5);
    let id = format!("{:x}", reader.facts().origin.segment_id);
    let mut beyond: EventCursor = format!("1.{id};2:9,1=300,99999=7").parse().unwrap();
    assert_eq!(
        reader.events(&mut beyond, usize::MAX).unwrap(),
        EventBatch::default()
    );
    tick(&events, 1, 5);
    assert_eq!(told(&reader.events(&mut beyond, usize::MAX).unwrap()), [(1, 5)]);
}

#[test]
fn what_cannot_be_written_is_counted() {
    let _alone = alone();
    let scratch = Scratch::new("events-dropped");
    let path = scratch.path("segment");
    let segment = Segment::options()
        .preset(Preset::Compact)
        .lanes(1)
        .open_or_create_at(&path)
        .unwrap();
    let events = ticks(&segment, 8);
    let (mut reader, mut cursor) = start(&path);
    tick(&events, 1, 0);
    // Other fields than those of the kind: too few, of another type.
    let kind = events.kind("tick").unwrap();
    kind.write(&[Value::U64(1)]);
    kind.write(&[Value::U64(1), Value::I64(2), Value::Text("")]);
    // A thread without a lane, and one in a handler that interrupted itself cannot be told from it.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            assert!(!events.attach_thread());
            (0..3).for_each(|number| tick(&events, 2, number));
        });
    });
    let batch = reader.events(&mut cursor, usize::MAX).unwrap();
    assert_eq!((told(&batch), batch.dropped, batch.lost), (vec![(1, 0)], 5, 0));
    assert_eq!(reader.events(&mut cursor, usize::MAX).unwrap().dropped, 0);
}

#[test]
fn fields_come_back_and_long_texts_are_cut_at_a_character_and_marked() {
    let _alone = alone();
    let scratch = Scratch::new("events-fields");
    let path = scratch.path("segment");
    let segment = compact(&path);
    let fields = [
        ("whole", FieldKind::I64),
        ("float", FieldKind::F64),
        ("yes", FieldKind::Bool),
        ("short", FieldKind::Text(3)),
        ("long", FieldKind::Text(9)),
    ];
    let events = segment
        .events("all")
        .kind(7, "all", &fields)
        .kind(3, "none", &[])
        .register()
        .unwrap();
    let before = shmetrics::monotonic_ns();
    let kind = events.kind("all").unwrap();
    kind.write(&[
        Value::I64(i64::MIN),
        Value::F64(-0.5),
        Value::Bool(true),
        Value::Text(""),
        Value::Text("12345678\u{e4}"),
    ]);
    kind.write_at(
        before,
        &[
            Value::I64(1),
            Value::F64(0.0),
            Value::Bool(false),
            Value::Text("\u{20ac}"),
            Value::Text("123456789"),
        ],
    );
    events.kind("none").unwrap().write_at(5, &[]);
    let (mut reader, mut cursor) = start(&path);
    let batch = reader.events(&mut cursor, usize::MAX).unwrap();
    let [first, second, third] = &batch.events[..] else {
        panic!("{batch:?}")
    };
    assert_eq!(
        first.values,
        [
            FieldValue::I64(i64::MIN),
            FieldValue::F64(-0.5),
            FieldValue::Bool(true),
            FieldValue::Text(String::new()),
            FieldValue::Text("12345678".to_owned()),
        ]
    );
    assert_eq!(first.truncated_fields().collect::<Vec<_>>(), ["long"]);
    assert_eq!(
        (second.text("short"), second.text("long")),
        (Some("\u{20ac}"), Some("123456789"))
    );
    assert_eq!((second.truncated, second.timestamp_ns), (0, before));
    assert!(first.timestamp_ns >= before);
    // In the order in which they were written, whatever times the writer gave.
    assert_eq!((third.kind.name.as_str(), third.timestamp_ns), ("none", 5));
    let origin = &reader.facts().origin;
    assert_eq!(
        second.wall_ns,
        origin.created_ns + (before - origin.created_monotonic_ns)
    );
    assert_eq!(
        first.writer.map(|writer| (writer.slot, writer.incarnation)),
        Some((0, 1))
    );
}

#[test]
fn what_cannot_be_an_events_series_is_an_error_that_says_why() {
    let _alone = alone();
    let scratch = Scratch::new("events-refused");
    let segment = compact(&scratch.path("segment"));
    let one = [("a", FieldKind::U64)];
    let refused = |builder: shmetrics::events::EventsBuilder<'_>, what: &str| {
        let error = builder.register().unwrap_err();
        assert!(
            matches!(error, RegisterError::Events { .. }) && error.to_string().contains(what),
            "{error}"
        );
    };
    let series = || segment.events("e");
    refused(series(), "kinds");
    refused(series().kind(0, "zero", &one), "kinds");
    refused(series().kind(1, "a", &one).kind(1, "b", &one), "kinds");
    refused(series().kind(1, "a", &one).kind(2, "a", &one), "kinds");
    refused(series().kind(1, "with space", &one), "with space");
    refused(
        series().kind(1, "a", &[("timestamp", FieldKind::U64)]),
        "timestamp",
    );
    refused(
        series().kind(1, "a", &[("long", FieldKind::Text(300))]),
        "fit into 224 bytes",
    );
    refused(series().capacity(100).kind(1, "a", &one), "powers of two");
    refused(series().record_length(100).kind(1, "a", &one), "multiples of 64");
    refused(
        series().capacity(1 << 16).record_length(4096).kind(1, "a", &one),
        "8 MiB",
    );
    // A family has one kind; and who asks for the same gets the same.
    segment.counter("c").register().unwrap();
    let conflict = segment.events("c").kind(1, "a", &one).register().unwrap_err();
    assert!(conflict.to_string().contains("counter_u64"), "{conflict}");
    let events = series().kind(1, "a", &one).register().unwrap();
    events.kind("a").unwrap().write(&[Value::U64(1)]);
    let same = series().kind(1, "a", &one).register().unwrap();
    same.kind("a").unwrap().write(&[Value::U64(2)]);
    let shown = snapshot(&scratch.path("segment"));
    let of_kind: Vec<_> = shown
        .series
        .iter()
        .filter(|series| series.description.name == "e")
        .collect();
    assert!(
        matches!(&of_kind[..], [one] if matches!(&one.value, shmetrics::Value::Events(totals) if totals.written == 2))
    );
    // What does nothing takes everything.
    let noop = Segment::noop().events("e").kind(1, "a", &one).register().unwrap();
    assert!(noop.attach_thread());
    noop.kind("a").unwrap().write(&[]);
}

#[test]
fn a_segment_of_version_1_has_no_events() {
    let _alone = alone();
    let scratch = Scratch::new("events-version-1");
    let options = Segment::options()
        .preset(Preset::Compact)
        .errors(0)
        .reset_tables(0);
    let segment = options.open_or_create_at(scratch.path("segment")).unwrap();
    let error = segment.events("e").kind(1, "a", &[]).register().unwrap_err();
    assert!(matches!(error, RegisterError::NoStatistics { .. }), "{error}");
}

#[test]
fn a_forked_child_writes_into_a_ring_of_its_own() {
    let _alone = alone();
    let scratch = Scratch::new("events-fork");
    let path = scratch.path("segment");
    let segment = compact(&path);
    let events = ticks(&segment, 16);
    tick(&events, 1, 0);
    let child = fork(|| {
        (0..3).for_each(|number| tick(&events, 2, number));
        0
    });
    assert_eq!(wait(child), 0);
    tick(&events, 1, 1);
    let (mut reader, mut cursor) = start(&path);
    let batch = reader.events(&mut cursor, usize::MAX).unwrap();
    let mut all = told(&batch);
    all.sort_unstable();
    assert_eq!(all, [(1, 0), (1, 1), (2, 0), (2, 1), (2, 2)]);
    let lane_of = |worker: u64| {
        batch
            .events
            .iter()
            .find(|event| event.whole("worker") == Some(worker))
            .unwrap()
            .lane
    };
    assert_ne!(lane_of(1), lane_of(2));
}

/// Dead between the commit point of its last event and the next store: two instructions, which kills by chance hardly ever meet.
#[test]
fn an_event_that_landed_and_was_not_counted_stays_when_the_lane_is_taken_over() {
    let _alone = alone();
    use std::os::unix::fs::FileExt;
    let scratch = Scratch::new("events-adopted");
    let path = scratch.path("segment");
    let segment = Segment::options()
        .preset(Preset::Compact)
        .lanes(1)
        .open_or_create_at(&path)
        .unwrap();
    let events = ticks(&segment, 8);
    let child = fork(|| {
        (0..3).for_each(|number| tick(&events, 2, number));
        0
    });
    assert_eq!(wait(child), 0);
    let (mut reader, mut cursor) = start(&path);
    let mut position = 0;
    let all = shmetrics::dump::Dump::open(&path).unwrap().each(|line| {
        if line.name == "lane 1, record 2.event_position" {
            position = line.offset;
        }
        Ok::<(), std::convert::Infallible>(())
    });
    let Ok(()) = all;
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.write_all_at(&2u64.to_ne_bytes(), position).unwrap();
    // It is there, and told once; the next owner of the lane goes on behind it.
    let batch = reader.events(&mut cursor, usize::MAX).unwrap();
    assert_eq!((told(&batch), batch.lost), (vec![(2, 0), (2, 1), (2, 2)], 0));
    tick(&events, 1, 0);
    let batch = reader.events(&mut cursor, usize::MAX).unwrap();
    assert_eq!((told(&batch), batch.lost), (vec![(1, 0)], 0));
    assert_eq!((batch.events[0].lane, batch.events[0].position), (1, 3));
}

#[test]
fn many_rings_are_read_in_small_pieces_each_event_once_and_by_time() {
    let _alone = alone();
    let scratch = Scratch::new("events-pieces");
    let path = scratch.path("segment");
    let segment = compact(&path);
    let events = ticks(&segment, 16);
    let barrier = std::sync::Barrier::new(8);
    std::thread::scope(|scope| {
        for worker in 0..8 {
            let (events, barrier) = (&events, &barrier);
            scope.spawn(move || {
                (0..20).for_each(|number| tick(events, worker, number));
                // All alive together, so that each has a ring of its own.
                barrier.wait();
            });
        }
    });
    let (mut reader, mut cursor) = start(&path);
    let (mut followed, mut pieces, mut times) = (kills::Followed::default(), 0, Vec::new());
    loop {
        let batch = reader.events(&mut cursor, 5).unwrap();
        assert!(batch.events.len() <= 5);
        followed.take(&batch);
        times.extend(batch.events.iter().map(|event| event.timestamp_ns));
        pieces += 1;
        if !batch.more {
            break;
        }
    }
    assert_eq!((followed.events, followed.lost), (8 * 16, 8 * 4));
    assert!(times.is_sorted() && pieces >= 8 * 16 / 5, "{pieces}");
}
