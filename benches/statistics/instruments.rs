//! Instructions of the instruments that statistics are made of. Times are given, as what a clock costs is the machine's; of names and
//! keys there are as many as fit into a cache.

use std::hint::black_box;

use gungraun::prelude::*;
use shmetrics::events::{EventWriter, FieldKind, Value};
use shmetrics::{BlockIds, Group, InFlight, Number, Samples, Segment, State, Text, TimeMark};

use crate::benchmarks::{Ready, budget, ready, repeat, value};

/// Keys that take turns.
pub const KEYS: [&str; 4] = ["page/1", "page/2", "page/3", "page/4"];

fn number() -> Ready<Number> {
    ready(|segment| {
        let number = segment.number("balance").register().expect("a number");
        number.add(-1);
        number
    })
}

#[library_benchmark(config = budget("number_add"))]
#[bench::run(number())]
fn number_add(ready: Ready<Number>) -> Ready<Number> {
    repeat(ready, |number, turn| number.add(value(turn) as i64))
}

#[library_benchmark(config = budget("number_add_float"))]
#[bench::run(number())]
fn number_add_float(ready: Ready<Number>) -> Ready<Number> {
    repeat(ready, |number, turn| number.add_float(value(turn) as f64))
}

// In a segment of which one lane is used.
#[library_benchmark(config = budget("number_set"))]
#[bench::run(number())]
fn number_set(ready: Ready<Number>) -> Ready<Number> {
    repeat(ready, |number, turn| number.set(value(turn) as i64))
}

fn mark() -> Ready<TimeMark> {
    ready(|segment| {
        let mark = segment.time_mark("last").register().expect("a time mark");
        mark.mark_at_ns(1);
        mark
    })
}

#[library_benchmark(config = budget("time_mark"))]
#[bench::run(mark())]
fn time_mark(ready: Ready<TimeMark>) -> Ready<TimeMark> {
    repeat(ready, |mark, turn| mark.mark_at_ns(black_box(turn as u64)))
}

fn state() -> Ready<State> {
    ready(|segment| {
        let state = segment
            .state("status")
            .status("OK", None)
            .status("FATAL", Some(3));
        let state = state.register().expect("a state");
        state.set(0);
        state
    })
}

#[library_benchmark(config = budget("state_set"))]
#[bench::run(state())]
fn state_set(ready: Ready<State>) -> Ready<State> {
    repeat(ready, |state, turn| state.set(black_box(turn as u8 & 1)))
}

fn samples() -> Ready<Samples> {
    ready(|segment| {
        let samples = segment.samples("latency_ms").register().expect("samples");
        samples.record_at(0, 1.0);
        samples
    })
}

#[library_benchmark(config = budget("samples_record"))]
#[bench::run(samples())]
fn samples_record(ready: Ready<Samples>) -> Ready<Samples> {
    repeat(ready, |samples, turn| {
        samples.record_at(turn as u64, value(turn) as f64)
    })
}

fn group() -> Ready<Group<3>> {
    ready(|segment| {
        let group = segment.group("deliveries").fields(["ok", "failed", "bytes"]);
        let group = group.register().expect("a group");
        group.add([1, 0, 1]);
        group
    })
}

#[library_benchmark(config = budget("group_add"))]
#[bench::run(group())]
fn group_add(ready: Ready<Group<3>>) -> Ready<Group<3>> {
    repeat(ready, |group, turn| group.add([1, 0, value(turn)]))
}

fn events() -> Ready<EventWriter> {
    let fields = [
        ("connection_id", FieldKind::U64),
        ("worker_id", FieldKind::U64),
        ("status", FieldKind::U64),
        ("path", FieldKind::Text(64)),
    ];
    ready(|segment| {
        let events = segment.events("e").kind(1, "e", &fields);
        let events = events.register().expect("events");
        assert!(events.attach_thread(), "a ring");
        events.kind("e").expect("just declared")
    })
}

#[library_benchmark(config = budget("event_write"))]
#[bench::run(events())]
fn event_write(ready: Ready<EventWriter>) -> Ready<EventWriter> {
    repeat(ready, |writer, turn| {
        let values = [
            Value::U64(value(turn)),
            Value::U64(3),
            Value::U64(200),
            Value::Text(black_box("/index.html?page=7")),
        ];
        writer.write_at(turn as u64, &values);
    })
}

fn in_flight() -> Ready<InFlight> {
    ready(|segment| {
        let keys = segment.in_flight("requests").register().expect("a table");
        for key in KEYS {
            let token = keys.start_at(key, 0);
            assert!(keys.finish(token), "the table is ours");
        }
        keys
    })
}

#[library_benchmark(config = budget("in_flight_start_finish"))]
#[bench::run(in_flight())]
fn in_flight_start_finish(ready: Ready<InFlight>) -> Ready<InFlight> {
    repeat(ready, |keys, turn| {
        let token = keys.start_at(KEYS[turn % KEYS.len()], turn as u64);
        black_box(keys.finish(token));
    })
}

#[library_benchmark(config = budget("next_id"))]
#[bench::run(ready(Segment::clone))]
fn next_id(ready: Ready<Segment>) -> Ready<Segment> {
    repeat(ready, |segment, _| {
        black_box(segment.next_id().unwrap_or(0));
    })
}

/// Ids of which the first has taken its block, which has more than are asked for.
fn block() -> Ready<BlockIds> {
    ready(|segment| {
        let ids = segment.block_ids();
        assert_eq!(ids.next(), Ok(1));
        ids
    })
}

#[library_benchmark(config = budget("block_id"))]
#[bench::run(block())]
fn block_id(ready: Ready<BlockIds>) -> Ready<BlockIds> {
    repeat(ready, |ids, _| {
        black_box(ids.next().unwrap_or(0));
    })
}

fn text() -> Ready<Text> {
    ready(|segment| segment.text("phase").register().expect("a text"))
}

// A text of 24 bytes, at a time that is given.
#[library_benchmark(config = budget("text_set"))]
#[bench::run(text())]
fn text_set(ready: Ready<Text>) -> Ready<Text> {
    repeat(ready, |text, turn| {
        text.set_at_ns(black_box("loading the catalogue..."), value(turn));
    })
}
