//! The error log: texts that are counted, cut, met twice, cut short by a death, damaged. SPEC.md 9.10, 10.18, 12.3.

use shmetrics::Kind;
use shmetrics::layout::directory::OwnerTag;
use shmetrics::layout::geometry::Capacities;
use shmetrics::layout::record::CLAIMED_BY_UNKNOWN;

use super::{Golden, image, small};
use crate::expected::View;
use crate::fact::Fact;
use crate::image::{CREATED_NS, Family, Image, Logging, Owner, Parameters, Place, SHARED};

const SECOND: u64 = 1_000_000_000;
const QUEUE: &str = "cannot reach the queue: connection refused";
const DISK: &str =
    "no storage for a histogram in a lane: ENOSPC; free space on the file system, or raise the memory limit";

pub(super) fn all() -> Vec<Golden> {
    vec![logged(), damaged()]
}

/// Where nothing else is.
fn with_log(errors: u64) -> Image {
    let mut image = image(Capacities { errors, ..small() });
    let shown = image.single(&Family::new("shown", Kind::CounterU64), &Parameters::plain());
    image.count(&shown, SHARED, 5);
    image
}

fn logged() -> Golden {
    let mut image = with_log(12);
    let web = image.claim(0, &Owner::new("web"));
    image.take(1, web);
    let (unknown, at) = (OwnerTag(CLAIMED_BY_UNKNOWN), |seconds: u64| {
        CREATED_NS + seconds * SECOND
    });
    image
        .log_error(web, QUEUE, at(3))
        .log_error(unknown, DISK, at(4))
        .log_error(web, QUEUE, at(9))
        .log_error(web, QUEUE, at(8));
    // Two that logged the same at the same moment have an entry each.
    image
        .log_error_until(unknown, QUEUE, at(2), Logging::E4)
        .log_error_until(web, DISK, at(4), Logging::E4);
    // As long as an entry, longer, cut within a character, and what a terminal must not get.
    let whole = "w".repeat(192);
    let long = format!("{}\u{20ac} and more", "l".repeat(190));
    let hostile = "a\u{1b}[31m\n\0\u{7f}\u{202e}b";
    image
        .log_error(web, &whole, at(5))
        .log_error(web, &long, at(6))
        .log_error(web, hostile, at(7));
    // Cut short by deaths.
    for until in [Logging::E2, Logging::E3Partly, Logging::E3] {
        image.log_error_until(web, "never ready", at(1), until);
    }
    image.claim(0, &Owner::new("next"));
    image.set(Place::Header, "adoptions", 2);
    image.set(Place::Header, "loss_errors", 7);
    image.set(Place::Header, "loss_registrations", 3);
    let facts = vec![
        Fact::whole("shown", 5),
        Fact::error(QUEUE, 4, at(2), at(9)),
        Fact::error(DISK, 2, at(4), at(4)),
        Fact::error(&whole, 1, at(5), at(5)),
        Fact::error_cut(&"l".repeat(190), 1, at(6), at(6)),
        Fact::error(hostile, 1, at(7), at(7)),
        Fact::error_log(10, 0),
    ];
    Golden::read(
        "valid/error_log",
        &[
            "Version 2: an error log whose texts were logged by one, by several, and by several at one moment; long, cut and hostile",
            "ones; entries whose writers died before they were ready; a lane of a dead owner; losses that version 1 does not count.",
        ],
        image,
        facts.clone(),
    )
    .view(View::Held, facts.clone())
    .view(View::Cut, facts)
}

fn damaged() -> Golden {
    let mut image = with_log(8);
    let web = image.claim(0, &Owner::new("web"));
    for (number, text) in (1..).zip(["one", "two", "three", "four", "five", "six", "seven"]) {
        image.log_error(web, text, CREATED_NS + number * SECOND);
    }
    let fields = [
        (0, "error_hash", 1),
        (1, "error_length", 0),
        (2, "error_length", 193),
        (3, "error_length", 1 << 33 | 4),
        (4, "error_text", 0x0a0d),
        (5, "error_ready", 2),
        // Never cut, and not UTF-8: replaced.
        (6, "error_text", u64::from_ne_bytes(*b"\xffsev\0\0\0\0")),
    ];
    for (entry, field, value) in fields {
        image.set(Place::Error(entry), field, value);
    }
    let hash = shmetrics::layout::error_log::error_hash(b"\xffsev");
    image
        .set(Place::Error(6), "error_hash", hash)
        .set(Place::Error(6), "error_length", 4);
    // Numbers that may be anything.
    image
        .set(Place::Error(6), "error_count", u64::MAX)
        .set(Place::Error(6), "error_first_ns", u64::MAX)
        .set(Place::Error(6), "error_last_ns", 0);
    let facts = vec![
        Fact::whole("shown", 5),
        Fact::error("\u{fffd}sev", u64::MAX, u64::MAX, 0),
        Fact::error_log(7, 5),
    ];
    Golden::read(
        "damaged/error_log",
        &[
            "An error log whose entries are damaged in hash, length, text and ready, and one whose text is no UTF-8: those that are",
            "damaged are left out and counted.",
        ],
        image,
        facts,
    )
}
