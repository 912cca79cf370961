//! Records: damaged, unknown, overlapping, revised.

use super::super::fixture::*;
use crate::buckets::Exponential;
use crate::layout::error::RecordError;
use crate::layout::kind::{Kind, Merge};
use crate::layout::record::*;
use crate::snapshot::{BucketScheme, Skipped, Value};
use crate::sync::Relaxed;

#[test]
fn a_record_that_cannot_be_used_is_reported_and_hides_no_other() {
    let segment = Segment::new();
    let good = segment.single("good", Merge::Sum, counter());
    let single = |name| segment.single(name, Merge::Sum, counter()).number;
    let unknown = single("unknown_kind");
    segment.set_record_word(unknown, SHAPE_WORD, 2 | 200 << 8);
    segment.mend_checksum(unknown);
    let damaged = single("damaged");
    segment.set_record_word(damaged, CREATED_WORD, 1);
    let outside = single("outside");
    segment.set_record_word(outside, CELL_WORD, 1 << 30);
    let overlapping = single("overlapping");
    segment.set_record_word(overlapping, CELL_WORD, good.placement + 1);
    let orphan = single("orphan");
    segment.set_record_word(orphan, UNIT_WORD, good.number);
    segment.mend_checksum(orphan);
    let other_kind = segment.family("other_kind", Kind::GaugeF64, Merge::Sum);
    let conflict = segment.series(other_kind, &[], counter()).number;
    let bad_family = segment.family("bad_family", Kind::CounterU64, Merge::Sum);
    segment.set_record_word(bad_family, CHECKSUM_WORD, 0);
    segment.set_record_word(bad_family, READY_WORD, READY);
    let of_bad_family = segment.series(bad_family, &[], counter()).number;
    let last = segment.single("last", Merge::Sum, counter());
    last.counter(0).store(3, Relaxed);

    let mut reader = segment.reader();
    let mut snapshot = reader.snapshot().unwrap();
    let names: Vec<_> = snapshot
        .series
        .iter()
        .map(|series| &*series.description.name)
        .collect();
    assert_eq!(names, ["good", "last"]);
    assert_eq!(value(&snapshot, "last"), &Value::CounterU64(3));
    let skipped = |record, reason| Skipped { record, reason };
    let expected = [
        skipped(unknown, RecordError::UnknownKind { found: 200 }),
        skipped(damaged, RecordError::BadChecksum),
        skipped(outside, RecordError::BadCell { found: (1 << 30) - 1 }),
        skipped(
            overlapping,
            RecordError::Overlap {
                found: good.placement,
                other: good.number,
            },
        ),
        skipped(orphan, RecordError::BadFamily { found: good.number }),
        skipped(conflict, RecordError::BadFamily { found: other_kind }),
        skipped(bad_family, RecordError::BadChecksum),
        skipped(of_bad_family, RecordError::BadFamily { found: bad_family }),
    ];
    assert_eq!(snapshot.skipped, expected);
    reader.snapshot_into(&mut snapshot).unwrap();
    assert_eq!(snapshot.skipped, expected, "each once");
}

#[test]
fn blocks_may_touch_but_not_overlap() {
    let segment = Segment::new();
    let first = segment.single("first", Merge::Sum, histogram(OCTAVES, 0));
    let second = segment.single("second", Merge::Sum, histogram(OCTAVES, 0));
    segment.single("third", Merge::Sum, histogram(OCTAVES, 0));
    // One line into the first, from behind.
    segment.set_record_word(second.number, CELL_WORD, second.placement - 128 + 1);
    let snapshot = segment.reader().snapshot().unwrap();
    assert_eq!(snapshot.series.len(), 2);
    let overlap = RecordError::Overlap {
        found: second.placement - 128,
        other: first.number,
    };
    assert_eq!(
        snapshot.skipped,
        [Skipped {
            record: second.number,
            reason: overlap
        }]
    );
}

#[test]
fn texts_that_are_not_valid_are_told_by_name() {
    let segment = Segment::new();
    let family = segment.family("name", Kind::CounterU64, Merge::Sum);
    let label = segment.series(family, &[("method", "GET")], counter()).number;
    let bad = segment.text(b"\xff\xff\xff\xff\xff");
    segment.set_record_word(label, TEXT_WORD, bad.pack());
    segment.mend_checksum(label);
    let of_bad_name = segment.single("x", Merge::Sum, counter()).number;
    segment.set_record_word(of_bad_name - 1, TEXT_WORD, bad.pack());
    segment.mend_checksum(of_bad_name - 1);
    let bounds = segment
        .single("bounds", Merge::Sum, classic(&segment, &[2.0, 1.0]))
        .number;
    let infinite = segment
        .single("infinite", Merge::Sum, classic(&segment, &[1.0, f64::INFINITY]))
        .number;
    let snapshot = segment.reader().snapshot().unwrap();
    assert!(snapshot.series.is_empty());
    let reasons: Vec<_> = snapshot
        .skipped
        .iter()
        .map(|skipped| (skipped.record, skipped.reason))
        .collect();
    assert_eq!(
        reasons[..3],
        [
            (label, RecordError::BadEncoding { field: "labels" }),
            (of_bad_name - 1, RecordError::BadEncoding { field: "name" }),
            (
                of_bad_name,
                RecordError::BadFamily {
                    found: of_bad_name - 1
                }
            ),
        ]
    );
    assert!(matches!(reasons[3..], [
        (a, RecordError::BadBuckets { .. }),
        (b, RecordError::BadBuckets { .. })
    ] if (a, b) == (bounds, infinite)));
}

#[test]
fn exponential_revisions_are_added_up_in_the_common_scheme() {
    let segment = Segment::new();
    let family = segment.family("timed", Kind::HistogramInteger, Merge::Sum);
    let labels = [("method", "GET")];
    let created = |created_ns, of| SeriesRecord { created_ns, ..of };
    let fine = segment.series(family, &labels, created(200, histogram((1, 0, 3), 0)));
    segment.series(family, &[("method", "PUT")], histogram(OCTAVES, 0));
    let mut reader = segment.reader();
    fine.record(0, &[2, 3, 5, 100]);
    let mut snapshot = reader.snapshot().unwrap();
    let both = [("method", "GET")];
    let shown = |snapshot: &crate::snapshot::Snapshot| match &snapshot.find("timed", &both).unwrap().value {
        Value::Histogram(histogram) => (**histogram).clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        shown(&snapshot).scheme,
        BucketScheme::Exponential(Exponential::new(1, 0, 3).unwrap())
    );

    let coarse = segment.series(
        family,
        &labels,
        created(
            100,
            SeriesRecord {
                factor: 1.0,
                ..histogram((0, -1, 4), 0)
            },
        ),
    );
    coarse.record(0, &[1, 9]);
    reader.snapshot_into(&mut snapshot).unwrap();
    assert_eq!(snapshot.series.len(), 2);
    let merged = shown(&snapshot);
    let common = Exponential::new(0, -1, 4).unwrap();
    assert_eq!(merged.scheme, BucketScheme::Exponential(common));
    // 2, 3, 5, 100 at half each, and 1 and 9.
    let mut expected = vec![0; common.buckets()];
    for index in [0.5f64, 1.5, 2.5, 1.0, 9.0].map(|value| common.index(value)) {
        expected[index] += 1;
    }
    // The value 1.0 of base units is in the low bucket of the finer scheme, which ends at 1: no bound below may claim it.
    expected[common.index(0.5)] -= 1;
    expected[common.index(1.0)] += 1;
    // 50 is beyond the finer range, hence overflow.
    expected[common.buckets() - 1] += 1;
    assert_eq!(merged.counts, expected);
    assert_eq!(
        (merged.count, merged.sum),
        (6, 1.0 + 1.5 + 2.5 + 50.0 + 1.0 + 9.0)
    );
    assert_eq!((merged.min, merged.max), (Some(1.0), Some(50.0)));
    assert_eq!(snapshot.find("timed", &both).unwrap().description.created_ns, 100);
}

#[test]
fn of_classic_revisions_the_newest_shows_with_its_own_start() {
    let segment = Segment::new();
    let family = segment.family("classic", Kind::HistogramClassic, Merge::Sum);
    let created = |created_ns, of| SeriesRecord { created_ns, ..of };
    let old = segment.series(family, &[], created(100, classic(&segment, &[1.0, 2.0])));
    old.block(0)[crate::layout::block::BUCKETS].store(5, Relaxed);
    let mut reader = segment.reader();
    reader.snapshot().unwrap();
    segment.series(family, &[], created(200, classic(&segment, &[4.0])));
    segment.series(family, &[], created(150, classic(&segment, &[8.0])));
    let snapshot = reader.snapshot().unwrap();
    let histogram = histogram_of(&snapshot, "classic");
    assert_eq!((histogram.count, histogram.scheme.upper_bound(0)), (0, 4.0));
    assert_eq!(histogram.counts.len(), 2);
    assert_eq!(
        (snapshot.series.len(), snapshot.series[0].description.created_ns),
        (1, 200)
    );
}
