//! Texts: set, replaced, cut, deleted, cut short by deaths, damaged. SPEC.md 9.15, 10.24.

use shmetrics::Kind;
use shmetrics::layout::geometry::Capacities;

use super::{Golden, image, small};
use crate::fact::{Fact, StoredText};
use crate::image::{CREATED_NS, Family, Image, Owner, Parameters, Place, SHARED, Series, Setting};

pub(super) fn all() -> Vec<Golden> {
    vec![set(), damaged()]
}

fn capacities() -> Capacities {
    Capacities {
        blocks_length: 65_536,
        series: 16,
        ..small()
    }
}

fn second(second: u64) -> u64 {
    CREATED_NS + second * 1_000_000_000
}

fn text(image: &mut Image, name: &str, capacity: u64) -> Series {
    image.single(&Family::new(name, Kind::Text), &Parameters::text(capacity))
}

fn shown(text: &str, at_ns: u64) -> StoredText {
    StoredText {
        text: Some((text.to_owned(), at_ns)),
        ..StoredText::default()
    }
}

fn set() -> Golden {
    let mut image = image(capacities());
    let names = ["version", "never", "gone", "cut", "hostile", "wrapped"];
    let [version, _, gone, cut, hostile, wrapped] =
        names.map(|name| text(&mut image, name, if name == "cut" { 10 } else { 40 }));
    let tag = image.claim(0, &Owner::new("web").pid(1000));
    for (number, at) in (0..11).zip(10..) {
        image.set_text(&version, &format!("1.{number}"), tag, second(at));
    }
    image.set_text(&gone, "here", tag, second(1)).delete_text(&gone);
    image.set_text(&cut, "nine byte\u{e4} and more", tag, second(2));
    image.set_text(&hostile, "a\u{1b}[31m\n\0\u{7f}\u{202e}\"\\", tag, second(3));
    // The next generation is 0.
    let head = Place::Text(image.block_offset(&wrapped, SHARED));
    image.set(head, "text_head", u64::MAX << 8);
    image.set_text_until(&wrapped, "first", tag, second(4), Setting::D2);
    let slot = image.text_slot(&wrapped, 0);
    image.set(slot, "text_begin", 0).set(slot, "text_claim", 0);
    image
        .set(slot, "text_set_ns", second(4))
        .set(slot, "text_content", 0);
    image.set(head, "text_head", 1);
    // Writers that died after each step: one after D4 has set it, and the one after that not.
    let dead = image.single(&Family::new("of the dead", Kind::Text), &Parameters::text(96));
    let steps = [
        Setting::D1,
        Setting::D2,
        Setting::D3Partly,
        Setting::D4,
        Setting::D3,
    ];
    for (until, at) in steps.into_iter().zip(20..) {
        image.set_text_until(
            &dead,
            &format!("{until:?} {}", "x".repeat(60)),
            tag,
            second(at),
            until,
        );
    }
    image.set(Place::Text(image.block_offset(&dead, SHARED)), "text_refused", 2);
    let facts = vec![
        Fact::text("version", shown("1.10", second(20))),
        Fact::text("never", StoredText::default()),
        Fact::text("gone", StoredText::default()),
        Fact::text(
            "cut",
            StoredText {
                truncated: true,
                ..shown("nine byte", second(2))
            },
        ),
        Fact::text("hostile", shown("a\u{1b}[31m\n\0\u{7f}\u{202e}\"\\", second(3))),
        Fact::text("wrapped", shown("", second(4))),
        Fact::text(
            "of the dead",
            StoredText {
                refused: 2,
                ..shown(&format!("D4 {}", "x".repeat(60)), second(23))
            },
        ),
    ];
    Golden::read(
        "valid/text",
        &[
            "Texts: one that was replaced more often than there are slots, one that was never set, one that was deleted, one that is cut,",
            "a hostile one, an empty one whose generation began anew, and one whose writers died after each step.",
        ],
        image,
        facts,
    )
}

fn damaged() -> Golden {
    let mut image = image(capacities());
    let names = [
        "slot", "begin", "content", "length", "reserved", "text", "encoding",
    ];
    let all = names.map(|name| text(&mut image, name, 40));
    let tag = image.claim(0, &Owner::new("web").pid(1000));
    for series in &all {
        image.set_text(series, "\u{e4} text", tag, second(1));
    }
    let [slot, begin, content, length, reserved, text, encoding] = &all;
    let at = |image: &Image, series: &Series| image.text_slot(series, 0);
    image.set(Place::Text(image.block_offset(slot, SHARED)), "text_head", 0x109);
    image.add(at(&image, begin), "text_begin", 1);
    image.add(at(&image, content), "text_content", 1 << 32);
    image.add(at(&image, length), "text_content", 100);
    image.add(at(&image, reserved), "text_content", 1 << 20);
    for (series, byte) in [(text, 1), (encoding, 0x40)] {
        let word = image.offset(at(&image, series), "text_claim") + 32;
        image.set_word(word, image.word(word) ^ byte);
    }
    let unreadable = StoredText {
        unreadable: true,
        ..StoredText::default()
    };
    Golden::read(
        "damaged/text",
        &[
            "Texts whose slot is none, whose slot is of another generation, whose check, length, or reserved bits are wrong, and two in which",
            "a byte is another one, one of them so that it is no UTF-8.",
        ],
        image,
        names.map(|name| Fact::text(name, unreadable.clone())).to_vec(),
    )
}
