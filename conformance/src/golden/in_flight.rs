//! What is in flight: keys of the living and the dead, retries, parked ones, deaths in a start, damage. SPEC.md 9.14, 10.23.

use shmetrics::Kind;
use shmetrics::layout::geometry::Capacities;
use shmetrics::snapshot::{Number, PerProcess};

use super::{Golden, image, small};
use crate::expected::View;
use crate::fact::{Fact, Keys};
use crate::image::{Family, Owner, Parameters, Place, SHARED, Starting};

pub(super) fn all() -> Vec<Golden> {
    vec![working(), damaged()]
}

fn capacities() -> Capacities {
    Capacities {
        process_slots: 4,
        blocks_length: 8192,
        ..small()
    }
}

fn working() -> Golden {
    let mut image = image(capacities());
    let table = image.single(
        &Family::new("requests", Kind::InFlight),
        &Parameters::in_flight(0),
    );
    let roomy = image.single(&Family::new("tasks", Kind::InFlight), &Parameters::in_flight(1));
    image.single(&Family::new("idle", Kind::InFlight), &Parameters::in_flight(0));
    let tags: Vec<_> = (0..3)
        .map(|slot| {
            image.claim(
                slot,
                &Owner::new(["web", "", "old"][slot as usize]).pid(1000 + slot),
            )
        })
        .collect();
    let second = |seconds: u64| seconds * 1_000_000;
    // Clocks stand at 100 s.
    image.start_key(&table, "GET /slow", tags[0], second(50));
    image.start_key(&table, "GET /again", tags[1], second(60));
    image.start_key(&table, "GET /again", tags[0], second(70));
    image.start_key(&table, "GET /parked", tags[1], second(80));
    image.park_key(&table, "GET /parked");
    image.start_key(&table, "GET /done", tags[1], second(80));
    image.finish_key(&table, "GET /done");
    image.start_key(&table, "a dead process'", tags[2], second(55));
    image.start_key_until(&table, "being started", tags[1], second(99), Starting::F1);
    // As long as an entry has room for, longer, cut within a character, hostile, and of the future.
    let long = format!("{}\u{20ac} and more", "l".repeat(119));
    image.start_key(&roomy, &"w".repeat(120), tags[0], second(90));
    image.start_key(&roomy, &long, tags[0], second(91));
    image.start_key(&roomy, "a\u{1b}[31m\n\0\u{7f}\u{202e}b", tags[0], second(92));
    image.start_key(&roomy, "", tags[1], second(101));
    for until in [Starting::F4Partly, Starting::F4] {
        image.start_key_until(&roomy, &format!("{until:?}"), tags[1], second(99), until);
    }
    let place = Place::InFlight(image.block_offset(&table, SHARED));
    image
        .set(place, "in_flight_overflow", 3)
        .set(place, "in_flight_forgotten", 2);
    // Another has the slot of the dead one.
    image.claim(2, &Owner::new("new").pid(2002));
    let keys = Keys {
        parked: 1,
        overflow: 3,
        forgotten: 2,
        ..Keys::default()
    };
    let all_dead = [
        Fact::in_flight("requests", keys),
        Fact::in_flight("tasks", Keys::default()),
        Fact::in_flight("idle", Keys::default()),
    ];
    let held = [
        Fact::in_flight("requests", Keys { number: 3, ..keys }),
        Fact::in_flight(
            "tasks",
            Keys {
                number: 6,
                ..Keys::default()
            },
        ),
        Fact::in_flight("idle", Keys::default()),
    ];
    let of =
        |slot, name: &str, number| Fact::of_process(slot, name, Some(PerProcess::Gauge(Number::U64(number))));
    let processes = [
        of(0, "requests", 2),
        of(1, "requests", 1),
        of(0, "tasks", 3),
        of(1, "tasks", 3),
        Fact::of_process(2, "requests", None),
    ];
    Golden::read(
        "valid/in_flight",
        &[
            "Keys in flight of two processes: a retry, one that is parked, one that is done, one of an owner whose slot another has,",
            "starts cut short after each step; texts that are as long as they may be, cut, hostile and empty; a start in the future.",
        ],
        image,
        all_dead.to_vec(),
    )
    .view(View::Held, held.to_vec())
    .view(View::Processes, [&held[..], &processes].concat())
}

fn damaged() -> Golden {
    let mut image = image(capacities());
    let table = image.single(
        &Family::new("requests", Kind::InFlight),
        &Parameters::in_flight(0),
    );
    let tag = image.claim(0, &Owner::new("web").pid(1000));
    let keys = ["start", "text", "length", "slot", "runs", "twice"];
    for key in keys {
        image.start_key(&table, key, tag, 60_000_000);
    }
    let [start, text, length, slot, runs, twice] =
        keys.map(|key| image.claim_of_key(&table, key).expect("a key that was started"));
    let bucket = image.block_offset(&table, SHARED) + 128;
    let line = |claim: u64| bucket + 128 * (1 + (claim - bucket) / 8);
    // A start of another claim, a text that is another's, one that is too long, a slot that is none, no runs, a key that is there twice.
    image.set_word(start + 64, image.word(start + 64) ^ 1);
    image.set_word(line(text) + 8, 0);
    image.set_word(line(length), image.word(line(length)) | 0xff);
    image.set_word(slot, image.word(slot) | 0x1fff << 9);
    image.set_word(runs, image.word(runs) & !0xff);
    image.set_word(bucket + 8 * 7, image.word(twice));
    let keys = |number| Keys {
        number,
        ..Keys::default()
    };
    Golden::read(
        "damaged/in_flight",
        &[
            "Entries whose start is another's, whose text is another's or too long, of a slot that is none, without runs, and a",
            "key that is there twice.",
        ],
        image,
        vec![Fact::in_flight("requests", keys(0))],
    )
    .view(View::Held, vec![Fact::in_flight("requests", keys(5))])
}
