//! Files that are damaged or made to harm: an error or a skipped record, never a panic.

use proptest::prelude::*;

use super::super::fixture::*;
use crate::error::{LayoutError, OpenError};
use crate::layout::header::*;
use crate::layout::kind::Merge;
use crate::layout::record::{RECORD_LENGTH, RECORD_WORDS};
use crate::snapshot::{Reader, Snapshot};
use crate::sync::Relaxed;

fn layout_error(segment: &Segment) -> LayoutError {
    match Reader::open_path(&segment.path) {
        Err(OpenError::Layout { path, source }) if path == segment.path => source,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_that_is_no_segment_is_refused_with_the_reason() {
    let segment = Segment::new();
    segment.set(MAGIC_OFFSET, 0);
    assert_eq!(layout_error(&segment), LayoutError::NotPublished);
    segment.set(MAGIC_OFFSET, MAGIC);
    segment.set(LANES_OFFSET, 5);
    assert!(matches!(layout_error(&segment), LayoutError::BadChecksum { .. }));
    segment.set(LANES_OFFSET, 4);
    let length = segment.geometry.file_length;
    segment.file.set_len(length - 1).unwrap();
    assert_eq!(
        layout_error(&segment),
        LayoutError::Truncated {
            found: length - 1,
            expected: length
        }
    );
    segment.file.set_len(100).unwrap();
    assert_eq!(layout_error(&segment), LayoutError::TooShort { found: 100 });
}

#[test]
fn labels_that_share_their_text_cannot_fill_the_memory() {
    let segment = Segment::new();
    let family = segment.family("a", crate::layout::kind::Kind::CounterU64, Merge::Sum);
    let long = "v".repeat(900);
    let first = segment.series(family, &[("l", &long)], counter());
    let text = segment
        .word(segment.geometry.record_offset(first.number) + 32)
        .load(Relaxed);
    for _ in 0..8 {
        let copy = segment.series(family, &[], counter());
        segment.set_record_word(copy.number, 4, text);
        segment.mend_checksum(copy.number);
    }
    let snapshot = segment.reader().snapshot().unwrap();
    assert_eq!(
        snapshot.skipped.len(),
        9 - 4,
        "4096 bytes of text hold four label sets of 905 bytes"
    );
}

/// A store into a segment.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Record {
        number: u64,
        word: usize,
        value: u64,
        mend: bool,
    },
    Head {
        word: u64,
        value: u64,
    },
    Anywhere {
        word: u64,
        value: u64,
    },
}

fn damage() -> impl Strategy<Value = Damage> {
    let value = prop_oneof![
        any::<u64>(),
        0..40u64,
        (0..64u32).prop_map(|bit| 1 << bit),
        Just(u64::MAX),
        (0..0x4000u64).prop_map(|line| line * 128 + 1),
        any::<f64>().prop_map(f64::to_bits),
    ];
    prop_oneof![
        (1..32u64, 0..RECORD_WORDS, value.clone(), any::<bool>()).prop_map(|(number, word, value, mend)| {
            Damage::Record {
                number,
                word,
                value,
                mend,
            }
        }),
        (0x80..8192u64, value.clone()).prop_map(|(word, value)| Damage::Head { word, value }),
        (0x80..1_000_000u64, value).prop_map(|(word, value)| Damage::Anywhere { word, value }),
    ]
}

fn apply(segment: &Segment, damage: Damage) {
    let geometry = &segment.geometry;
    match damage {
        Damage::Record {
            number,
            word,
            value,
            mend,
        } => {
            segment.set(geometry.record_offset(number) + word as u64 * 8, value);
            if mend {
                segment.mend_checksum(number);
            }
        }
        Damage::Head { word, value } => {
            segment.set(0x400 + word * 8 % (geometry.head_length() - 0x400), value)
        }
        Damage::Anywhere { word, value } => {
            segment.set(0x400 + word * 8 % (geometry.file_length - 0x400), value)
        }
    }
}

fn look(reader: &mut Reader, snapshot: &mut Snapshot) {
    reader.snapshot_into(snapshot).unwrap();
    reader.fill(snapshot, View::Live, at_epoch(9));
    reader.fill(snapshot, View::Cut, at_epoch(9));
    reader.refresh_owners().unwrap();
    reader.window(10.0).unwrap();
    #[cfg(feature = "serde")]
    serde_json::to_string(snapshot).unwrap();
}

fn furnished() -> Segment {
    let segment = Segment::new();
    assert_eq!(RECORD_LENGTH as usize, RECORD_WORDS * 8);
    let owner = segment.active(0, "web");
    segment.lane(1, owner, 1);
    segment.lane(2, owner, 2);
    for (name, of) in [
        ("a", counter()),
        ("b", counter_f64()),
        ("c", gauge()),
        ("d", gauge_f64()),
    ] {
        segment.single(name, Merge::Last, of);
    }
    segment.single("each", Merge::Each, gauge());
    segment.single("classic", Merge::Sum, classic(&segment, &[1.0, 2.0]));
    let family = segment.family("timed", crate::layout::kind::Kind::HistogramInteger, Merge::Sum);
    for of in [histogram(OCTAVES, 3), histogram((3, -2, 5), 2)] {
        let timed = segment.series(family, &[("method", "GET")], of);
        timed.record(0, &[1, 5]);
        (6..10).for_each(|epoch| timed.record_in(1, epoch, &[3, 4]));
        timed.record_in(2, 8, &[3]);
    }
    segment
}

proptest! {
    #![proptest_config(crate::random::config(256))]

    #[test]
    fn no_words_make_the_reader_panic(
        before in prop::collection::vec(damage(), 0..40),
        after in prop::collection::vec(damage(), 0..40),
    ) {
        let segment = furnished();
        before.into_iter().for_each(|damage| apply(&segment, damage));
        let mut reader = segment.reader();
        reader.per_process(true);
        let mut snapshot = Snapshot::default();
        look(&mut reader, &mut snapshot);
        for damage in after {
            apply(&segment, damage);
            look(&mut reader, &mut snapshot);
        }
    }

    #[test]
    fn random_records_and_texts_never_panic(words in prop::collection::vec(any::<u64>(), 32 * RECORD_WORDS + 512)) {
        let segment = furnished();
        segment.set(RESERVED_OFFSET, u64::MAX);
        for (index, word) in words.into_iter().enumerate() {
            segment.set(segment.geometry.records_offset + index as u64 * 8, word);
        }
        for number in 1..=32 {
            segment.set_record_word(number, 1, 1);
            if number % 2 == 0 {
                segment.mend_checksum(number);
            }
        }
        let mut reader = segment.reader();
        let mut snapshot = Snapshot::default();
        look(&mut reader, &mut snapshot);
        prop_assert_eq!(snapshot.skipped.len(), 32);
    }
}
