//! Texts over threads, forks and processes that are killed: readers see whole texts, the last one that was set stands, and no death costs
//! a slot for good.
#![allow(unsafe_code)]

mod kills;
#[path = "../support/mod.rs"]
mod support;

use shmetrics::snapshot::Text;
use shmetrics::{Reader, RegisterError, Segment, Snapshot, Value};
use support::*;

fn text(snapshot: &Snapshot, name: &str) -> Text {
    match snapshot.find(name, &[]).map(|series| &series.value) {
        Some(Value::Text(text)) => Text::clone(text),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_text_is_shown_with_its_time_until_it_is_deleted() {
    let scratch = Scratch::new("texts");
    let path = scratch.path("segment");
    let segment = Segment::options().open_or_create_at(&path).unwrap();
    let phase = segment.text("phase").help("what it is doing").register().unwrap();
    let mut reader = Reader::open_path(&path).unwrap();
    let mut shown = || text(&reader.snapshot().unwrap(), "phase");
    assert_eq!(
        (shown().text(), shown().set_ns, shown().capacity),
        (None, None, 224)
    );
    assert!(phase.set_at_ns("warming up", 77));
    assert_eq!((shown().text(), shown().set_ns), (Some("warming up"), Some(77)));
    assert!(phase.set("serving"));
    assert_eq!(shown().text(), Some("serving"));
    assert!(shown().set_ns > Some(1_700_000_000_000_000_000));
    assert_eq!(phase.read().as_deref(), Some("serving"));
    assert!(phase.set(""), "an empty text is one");
    assert_eq!((shown().text(), phase.read().as_deref()), (Some(""), Some("")));
    assert!(phase.delete() && !phase.delete());
    assert_eq!((shown().text(), phase.read()), (None, None));
    // Another handle, and a handle that does nothing.
    assert!(segment.text("phase").register().unwrap().set("again"));
    assert_eq!(shown().text(), Some("again"));
    let noop = Segment::noop().text("phase").register().unwrap();
    assert!(!noop.set("nowhere") && !noop.delete());
    assert_eq!(noop.read(), None);
}

#[test]
fn a_longer_text_is_cut_at_a_character() {
    let scratch = Scratch::new("texts-cut");
    let path = scratch.path("segment");
    let segment = Segment::options().open_or_create_at(&path).unwrap();
    let cut = segment.text("cut").capacity(10).register().unwrap();
    assert!(cut.set("nine byte\u{e4} and more"));
    let mut reader = Reader::open_path(&path).unwrap();
    let shown = text(&reader.snapshot().unwrap(), "cut");
    assert_eq!((shown.text(), shown.truncated), (Some("nine byte"), true));
    assert!(cut.set("ten bytes!"));
    let shown = text(&reader.snapshot().unwrap(), "cut");
    assert_eq!((shown.text(), shown.truncated), (Some("ten bytes!"), false));
    for capacity in [0, 4097] {
        let refused = segment.text("never").capacity(capacity).register().unwrap_err();
        assert!(
            matches!(refused, RegisterError::TextCapacity { found, most: 4096, .. } if found == capacity),
            "{refused}"
        );
    }
    let longest = segment.text("longest").capacity(4096).register().unwrap();
    assert!(longest.set(&"\u{20ac}".repeat(2000)));
    assert_eq!(longest.read().unwrap().len(), 4095);
}

/// One value, not one per capacity: who comes later with another one gets what is there.
#[test]
fn a_series_has_the_capacity_of_its_first_registration() {
    let scratch = Scratch::new("texts-capacity");
    let path = scratch.path("segment");
    let segment = Segment::options().open_or_create_at(&path).unwrap();
    let first = segment.text("version").capacity(8).register().unwrap();
    let second = segment.text("version").capacity(1000).register().unwrap();
    assert!(second.set("longer than eight bytes"));
    assert_eq!(first.read().as_deref(), Some("longer t"));
    assert!(first.set("new"));
    let snapshot = Reader::open_path(&path).unwrap().snapshot().unwrap();
    let shown = text(&snapshot, "version");
    assert_eq!((shown.text(), shown.capacity), (Some("new"), 8));
    assert_eq!(snapshot.series.len(), 1);
}

#[test]
fn a_text_is_not_reset() {
    let scratch = Scratch::new("texts-reset");
    let path = scratch.path("segment");
    let segment = Segment::options().open_or_create_at(&path).unwrap();
    segment.counter("counted").register().unwrap().inc();
    assert!(segment.text("version").register().unwrap().set("1.2"));
    let done = shmetrics::reset::at_path(&path, |_| true).unwrap();
    assert_eq!(done.series, 1, "the counter");
    let snapshot = Reader::open_path(&path).unwrap().snapshot().unwrap();
    assert_eq!(text(&snapshot, "version").text(), Some("1.2"));
}

#[test]
fn a_process_without_a_slot_is_refused_and_counted_and_can_delete() {
    let _alone = alone();
    let scratch = Scratch::new("texts-slot");
    let path = scratch.path("segment");
    let segment = Segment::options()
        .process_slots(1)
        .open_or_create_at(&path)
        .unwrap();
    let phase = segment.text("phase").register().unwrap();
    assert!(phase.set("of the parent"));
    let child = || i32::from(phase.set("of the child")) + i32::from(phase.read().is_none()) * 2;
    assert_eq!(wait(fork(child)), 0);
    let mut reader = Reader::open_path(&path).unwrap();
    let shown = text(&reader.snapshot().unwrap(), "phase");
    assert_eq!((shown.text(), shown.refused), (Some("of the parent"), 1));
    assert_eq!(wait(fork(|| i32::from(!phase.delete()))), 0);
    assert_eq!(text(&reader.snapshot().unwrap(), "phase").text(), None);
}

/// A forked child, and one made by the bare system call, are processes of their own, and set it as such.
#[test]
fn children_set_it_too() {
    let _alone = alone();
    let scratch = Scratch::new("texts-children");
    let path = scratch.path("segment");
    let segment = Segment::options().open_or_create_at(&path).unwrap();
    let phase = segment.text("phase").register().unwrap();
    for (made, name) in [(fork as fn(_) -> _, "forked"), (raw_clone, "cloned")] {
        let child: Box<dyn FnOnce() -> i32> = Box::new(|| i32::from(!phase.set(name)));
        assert_eq!(wait(made(child)), 0);
        assert_eq!(phase.read().as_deref(), Some(name));
    }
}

#[test]
fn threads_that_set_it_at_once_leave_one_of_their_texts() {
    const THREADS: usize = 4;
    let scratch = Scratch::new("texts-threads");
    let path = scratch.path("segment");
    let segment = Segment::options().open_or_create_at(&path).unwrap();
    let phase = segment.text("phase").register().unwrap();
    let mut reader = Reader::open_path(&path).unwrap();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|number| {
                let phase = &phase;
                scope.spawn(move || {
                    for turn in 0..2000 {
                        assert!(phase.set(&kills::checked(number, turn)));
                    }
                })
            })
            .collect();
        while !threads.iter().all(|thread| thread.is_finished()) {
            if let Some(found) = text(&reader.snapshot().unwrap(), "phase").text() {
                kills::check(found);
            }
        }
    });
    let shown = text(&reader.snapshot().unwrap(), "phase");
    let (_, turn) = kills::check(shown.text().unwrap());
    assert_eq!((turn, shown.refused), (1999, 0));
}
