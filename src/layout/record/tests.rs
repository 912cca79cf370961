//! Records round-trip; every damaged field is named.

use super::super::geometry::Capacities;
use super::*;

fn series() -> SeriesRecord {
    let buckets = Exponential::new(3, -20, 12).unwrap();
    SeriesRecord {
        family: 1,
        kind: Kind::HistogramInteger,
        labels: TextRange {
            offset: 8,
            length: 11,
        },
        factor: 1e-9,
        buckets: Buckets::Exponential(buckets),
        statuses: TextRange::default(),
        ring_slots: 2,
        overflow: true,
        length: super::super::block::BlockShape::new(buckets.buckets(), 2).length(),
        created_ns: 99,
    }
}

#[test]
fn records_round_trip() {
    let geometry = Geometry::plan(Capacities::DEFAULT).unwrap();
    let family = Record::Family(FamilyRecord {
        kind: Kind::GaugeI64,
        merge: Merge::Last,
        name: TextRange { offset: 0, length: 4 },
        help: TextRange {
            offset: 8,
            length: 40,
        },
        unit: TextRange {
            offset: 48,
            length: 7,
        },
    });
    for record in [family, Record::Series(series())] {
        assert_eq!(Record::parse(&record.to_words(5), &geometry), Ok(record));
    }
}

#[test]
fn every_damaged_field_is_rejected_by_name() {
    let geometry = Geometry::plan(Capacities::DEFAULT).unwrap();
    let good = Record::Series(series()).to_words(5);
    let with = |word: usize, value: u64| {
        let mut words = good;
        words[word] = value;
        words[CHECKSUM_WORD] = checksum(&words);
        Record::parse(&words, &geometry).unwrap_err()
    };
    let mut damaged = good;
    damaged[LENGTH_WORD] ^= 1;
    assert_eq!(Record::parse(&damaged, &geometry), Err(RecordError::BadChecksum));
    assert_eq!(with(SHAPE_WORD, 9), RecordError::UnknownType { found: 9 });
    assert_eq!(
        with(SHAPE_WORD, 2 | 200 << 8),
        RecordError::UnknownKind { found: 200 }
    );
    assert_eq!(
        with(SHAPE_WORD, 1 | 3 << 8 | 9 << 16),
        RecordError::UnknownMerge { found: 9 }
    );
    assert!(matches!(
        with(TEXT_WORD, u64::MAX),
        RecordError::BadText { field: "labels", .. }
    ));
    assert!(matches!(with(BUCKETS_WORD, 99), RecordError::BadBuckets { .. }));
    assert!(matches!(
        with(FACTOR_WORD, f64::NAN.to_bits()),
        RecordError::BadBuckets { .. }
    ));
    assert!(matches!(
        with(LENGTH_WORD, 128),
        RecordError::BadLength { found: 128, .. }
    ));
    assert_eq!(with(UNIT_WORD, 0), RecordError::BadFamily { found: 0 });
    let series = series();
    assert!(series.cell(0, &geometry).is_err());
    assert_eq!(series.cell(1, &geometry), Ok(0));
    assert!(series.cell(2, &geometry).is_err());
    assert!(
        series
            .cell(geometry.capacities.blocks_length - 127, &geometry)
            .is_err()
    );
}
