//! Records of one family with the same labels and other bucket parameters: SPEC.md 14.

use shmetrics::Kind;
use shmetrics::layout::geometry::Capacities;

use super::{Golden, image, small};
use crate::fact::Fact;
use crate::image::{CREATED_NS, Family, Parameters, SHARED};

pub(super) fn all() -> Vec<Golden> {
    let mut image = image(Capacities {
        blocks_length: 8192,
        ..small()
    });
    let labels = [("method", "GET")];
    let timed = image.family(&Family::new("timed", Kind::HistogramInteger));
    // Bounds 1, √2, 2, 2√2, 4, 4√2, 8; and 1/2, 1, 2, 4, 8, 16.
    let fine = Parameters::exponential(1, 0, 3)
        .factor(0.5)
        .created_ns(CREATED_NS + 200);
    let coarse = Parameters::exponential(0, -1, 4).created_ns(CREATED_NS + 100);
    let fine = image.series(timed, &labels, &fine);
    let other = image.series(timed, &[("method", "PUT")], &Parameters::exponential(0, 0, 3));
    let coarse = image.series(timed, &labels, &coarse);
    // 1/2 and 1 are in the low bucket of the fine one, which goes to where it ends; 50 is in its overflow bucket.
    for value in [1, 2, 3, 5, 100] {
        image.record(&fine, SHARED, value);
    }
    image.record(&coarse, SHARED, 1).record(&coarse, SHARED, 9);
    image.record(&other, SHARED, 4);

    let levels = image.family(&Family::new("levels", Kind::HistogramClassic));
    let bounds = |bounds: &[f64], age| Parameters::classic(bounds).created_ns(CREATED_NS + age);
    let old = image.series(levels, &[], &bounds(&[1.0, 2.0], 100));
    let newest = image.series(levels, &[], &bounds(&[4.0], 200));
    let middle = image.series(levels, &[], &bounds(&[8.0], 150));
    image
        .record(&old, SHARED, 1.0)
        .record(&newest, SHARED, 5.0)
        .record(&middle, SHARED, 3.0);
    vec![Golden::read(
        "valid/revisions",
        &[
            "Exponential revisions of another scale, range and factor are added up in the common scheme; of classic ones the newest",
            "is shown. Their place is that of the first record, their start that of the earliest that is shown.",
        ],
        image,
        vec![
            Fact::histogram("timed", 7, 0.5 + 1.0 + 1.5 + 2.5 + 50.0 + 1.0 + 9.0)
                .of(&labels)
                .extremes(Some(0.5), Some(50.0))
                .buckets(&[(1.0, 3), (2.0, 1), (4.0, 1), (16.0, 1), (f64::INFINITY, 1)]),
            Fact::histogram("timed", 1, 4.0).of(&[("method", "PUT")]),
            Fact::histogram("levels", 1, 5.0).buckets(&[(f64::INFINITY, 1)]),
        ],
    )]
}
