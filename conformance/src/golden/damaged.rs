//! Segments with one damaged record: it is skipped and reported, and hides no other. One or more for each of V-20 to V-30, but for
//! V-22 and V-23, which a later version may make.

use shmetrics::Kind;
use shmetrics::layout::geometry::Capacities;
use shmetrics::layout::record::READY;

use super::{Golden, image, small};
use crate::fact::Fact;
use crate::image::{Family, Image, Parameters, Place, Registration, SHARED, Series};

pub(super) fn all() -> Vec<Golden> {
    let mut all: Vec<Golden> = simple().collect();
    all.extend([
        shared_text(),
        not_utf8(),
        empty_name(),
        labels_not_sorted(),
        bounds(
            "damaged/v25_bounds",
            &["Bounds that do not increase."],
            &[2.0, 1.0],
        ),
        bounds(
            "damaged/v25_infinite_bound",
            &["+Inf is implied and must not be stored."],
            &[1.0, f64::INFINITY],
        ),
        family_damaged(),
        unready_series_as_family(),
        unknown_ready(),
        overlap(),
        overlapping_blocks(),
    ]);
    all
}

/// A segment with a counter `good` that stands at 1, before whatever else comes.
fn base() -> Image {
    let mut image = image(Capacities {
        blocks_length: 8192,
        ..small()
    });
    counter(&mut image, "good", 1);
    image
}

fn counter(image: &mut Image, name: &str, value: u64) -> Series {
    let series = image.single(&Family::new(name, Kind::CounterU64), &Parameters::plain());
    image.count(&series, SHARED, value);
    series
}

fn histogram(image: &mut Image, name: &str) -> Series {
    image.single(
        &Family::new(name, Kind::HistogramInteger),
        &Parameters::exponential(0, 0, 3),
    )
}

/// Ends a segment with a counter `last` that stands at 2, and says what is skipped.
fn golden(
    name: &'static str,
    about: &'static [&'static str],
    mut image: Image,
    skipped: &[(u64, &'static str, &'static str)],
) -> Golden {
    counter(&mut image, "last", 2);
    let facts = vec![
        Fact::whole("good", 1),
        Fact::absent("bad"),
        Fact::whole("last", 2),
    ];
    let golden = Golden::read(name, about, image, facts);
    skipped.iter().fold(golden, |golden, &(record, rule, error)| {
        golden.skips(record, rule, error)
    })
}

/// What is wrong with a record.
enum Wrong {
    /// A field of a counter has this value, and the checksum matches.
    Counter(&'static str, u64),
    /// A field of a histogram has this value, and the checksum matches.
    Histogram(&'static str, u64),
    /// A field of a counter that the checksum does not cover, or does not match.
    Unmended(&'static str, u64),
}

type Case = (
    &'static str,
    &'static [&'static str],
    Wrong,
    &'static str,
    &'static str,
);

/// Name, what it shows, what is wrong, rule and error.
const CASES: &[Case] = &[
    (
        "damaged/v20_checksum",
        &["A word that its checksum does not match."],
        Wrong::Unmended("created", 1),
        "V-20",
        "BadChecksum",
    ),
    (
        "damaged/v21_type",
        &["A record that is neither family nor series."],
        Wrong::Counter("shape", 3 | 1 << 8),
        "V-21",
        "UnknownType",
    ),
    (
        "damaged/v24_not_aligned",
        &["Labels that begin within a word."],
        Wrong::Counter("text", 4 << 32 | 8),
        "V-24",
        "BadText",
    ),
    (
        "damaged/v24_beyond_the_text",
        &["Labels that end after the text region."],
        Wrong::Counter("text", 1016 << 32 | 16),
        "V-24",
        "BadText",
    ),
    (
        "damaged/v25_scale",
        &["A scale of 8."],
        Wrong::Histogram("buckets", 8 | 3 << 32),
        "V-25",
        "BadBuckets",
    ),
    (
        "damaged/v25_low_above_high",
        &["A range that ends before it begins."],
        Wrong::Histogram("buckets", 3 << 16),
        "V-25",
        "BadBuckets",
    ),
    (
        "damaged/v25_reserved_bits",
        &["Bits of the bucket parameters that must be 0."],
        Wrong::Histogram("buckets", 1 << 8 | 3 << 32),
        "V-25",
        "BadBuckets",
    ),
    (
        "damaged/v25_factor",
        &["A factor that is no number."],
        Wrong::Histogram("factor", 0x7ff8_0000_0000_0000),
        "V-25",
        "BadBuckets",
    ),
    (
        "damaged/v25_ring_slots",
        &["65 ring slots."],
        Wrong::Histogram("shape", 2 | 5 << 8 | 65 << 32),
        "V-25",
        "BadBuckets",
    ),
    (
        "damaged/v26_length",
        &["A block that is a line longer than its parameters lead to."],
        Wrong::Histogram("length", 768),
        "V-26",
        "BadLength",
    ),
    (
        "damaged/v27_no_family",
        &["A family number of 0."],
        Wrong::Counter("unit", 0),
        "V-27",
        "BadFamily",
    ),
    (
        "damaged/v27_other_kind",
        &["A family of another kind."],
        Wrong::Histogram("unit", 1),
        "V-27",
        "BadFamily",
    ),
    (
        "damaged/v27_series_as_family",
        &["A family that is a series."],
        Wrong::Counter("unit", 2),
        "V-27",
        "BadFamily",
    ),
    (
        "damaged/v28_not_placed",
        &["Ready, but not placed."],
        Wrong::Unmended("cell", 0),
        "V-28",
        "BadCell",
    ),
    (
        "damaged/v28_beyond",
        &["A cell beyond the counters."],
        Wrong::Unmended("cell", 9),
        "V-28",
        "BadCell",
    ),
    (
        "damaged/v28_not_on_a_line",
        &["A block that does not begin on a line."],
        Wrong::Histogram("cell", 8 + 1),
        "V-28",
        "BadCell",
    ),
];

fn simple() -> impl Iterator<Item = Golden> {
    CASES.iter().map(|(name, about, wrong, rule, error)| {
        let mut image = base();
        let (Wrong::Counter(field, value) | Wrong::Histogram(field, value) | Wrong::Unmended(field, value)) =
            *wrong;
        let bad = match wrong {
            Wrong::Histogram(..) => histogram(&mut image, "bad"),
            _ => counter(&mut image, "bad", 9),
        };
        image.set(Place::Record(bad.number), field, value);
        if !matches!(wrong, Wrong::Unmended(..)) {
            image.mend_record(bad.number);
        }
        golden(name, about, image, &[(bad.number, rule, error)])
    })
}

fn shared_text() -> Golden {
    let mut image = base();
    let family = image.family(&Family::new("bad", Kind::CounterU64));
    let value = "v".repeat(600);
    let first = image.series(family, &[("l", &value)], &Parameters::plain());
    let second = image.series(family, &[], &Parameters::plain());
    let text = image.get(Place::Record(first.number), "text");
    image
        .set(Place::Record(second.number), "text", text)
        .mend_record(second.number);
    let about = &[
        "Two series that name the same labels: decoded together they exceed the text region, which honest ones cannot.",
    ];
    let golden = Golden::read(
        "damaged/v24_together",
        about,
        image,
        vec![Fact::whole("good", 1), Fact::whole("bad", 0).of(&[("l", &value)])],
    );
    golden.skips(second.number, "V-24", "BadText")
}

fn not_utf8() -> Golden {
    let mut image = base();
    let bad = counter(&mut image, "bad", 9);
    let text = image.text(b"\xff\xfe");
    image
        .set(Place::Record(bad.family), "text", text)
        .mend_record(bad.family);
    let skipped = [
        (bad.family, "V-29", "BadEncoding"),
        (bad.number, "V-27", "BadFamily"),
    ];
    golden(
        "damaged/v29_name",
        &["A name that is not UTF-8; its family is skipped, and with it the series."],
        image,
        &skipped,
    )
}

fn empty_name() -> Golden {
    let mut image = base();
    let bad = counter(&mut image, "bad", 9);
    image
        .set(Place::Record(bad.family), "text", 0)
        .mend_record(bad.family);
    let skipped = [(bad.family, "V-24", "BadText"), (bad.number, "V-27", "BadFamily")];
    golden(
        "damaged/v24_empty_name",
        &["A family without a name."],
        image,
        &skipped,
    )
}

fn labels_not_sorted() -> Golden {
    let mut image = base();
    let bad = counter(&mut image, "bad", 9);
    let text = image.text(b"\x01\x00\x01\x00b1\x01\x00\x01\x00a2");
    image
        .set(Place::Record(bad.number), "text", text)
        .mend_record(bad.number);
    golden(
        "damaged/v29_labels",
        &["Labels that are not in their canonical order."],
        image,
        &[(bad.number, "V-29", "BadEncoding")],
    )
}

fn bounds(name: &'static str, about: &'static [&'static str], bounds: &[f64]) -> Golden {
    let mut image = base();
    let bad = image.single(
        &Family::new("bad", Kind::HistogramClassic),
        &Parameters::classic(bounds),
    );
    golden(name, about, image, &[(bad.number, "V-25", "BadBuckets")])
}

fn family_damaged() -> Golden {
    let mut image = base();
    let bad = counter(&mut image, "bad", 9);
    image.set(Place::Record(bad.family), "extra", 8);
    // A family is never ready; if it says so, it is looked at on its own.
    let alone = image.family(&Family::new("alone", Kind::CounterU64));
    image
        .set(Place::Record(alone), "checksum", 0)
        .set(Place::Record(alone), "ready", READY);
    let skipped = [
        (bad.family, "V-20", "BadChecksum"),
        (bad.number, "V-27", "BadFamily"),
        (alone, "V-20", "BadChecksum"),
    ];
    golden(
        "damaged/v20_family",
        &[
            "A damaged family takes its series with it; one that says that it is ready is reported without any.",
        ],
        image,
        &skipped,
    )
}

/// Field, value, and the rule and error by which the record is reported, if it is.
type Unready = (&'static str, u64, Option<(&'static str, &'static str)>);

/// What is wrong with a series that is not ready and that another names as its family.
const UNREADY: [Unready; 8] = [
    ("checksum", 0, Some(("V-20", "BadChecksum"))),
    ("shape", 2 | 99 << 8, Some(("V-22", "UnknownKind"))),
    ("text", 4 << 32 | 8, Some(("V-24", "BadText"))),
    ("factor", 0, Some(("V-25", "BadBuckets"))),
    ("length", 640, Some(("V-26", "BadLength"))),
    ("unit", 0, Some(("V-27", "BadFamily"))),
    // For what it names it is not reported, nor for its cell, before it is ready.
    ("unit", 1 << 4, None),
    ("cell", 99, None),
];

fn unready_series_as_family() -> Golden {
    let mut image = image(Capacities {
        series: 16,
        counters: 32,
        ..small()
    });
    counter(&mut image, "good", 1);
    let family = image.family(&Family::new("bad", Kind::CounterU64));
    let mut skipped = Vec::new();
    for (number, (field, value, rule)) in UNREADY.into_iter().enumerate() {
        let labels = [("number", &*number.to_string())];
        let plain = Parameters::plain();
        let unready = image.series_until(family, &labels, &plain, Registration::I5);
        let bad = image.series(family, &labels, &plain);
        image.set(Place::Record(unready.number), field, value);
        if field != "checksum" {
            image.mend_record(unready.number);
        }
        image
            .set(Place::Record(bad.number), "unit", unready.number)
            .mend_record(bad.number);
        skipped.extend(rule.map(|(rule, error)| (unready.number, rule, error)));
        skipped.push((bad.number, "V-27", "BadFamily"));
    }
    golden(
        "damaged/unready_series_as_family",
        &[
            "Series that are not ready, each named by another as its family: reported for what is wrong within the record, V-20 to",
            "V-27, and for nothing else. Each that names one is skipped by V-27.",
        ],
        image,
        &skipped,
    )
}

fn unknown_ready() -> Golden {
    let mut image = base();
    let bad = counter(&mut image, "bad", 9);
    image.set(Place::Record(bad.number), "ready", 77);
    golden(
        "damaged/unknown_ready",
        &["A series in a state that no version knows: not shown, and not skipped."],
        image,
        &[],
    )
}

fn overlap() -> Golden {
    let mut image = base();
    let bad = counter(&mut image, "bad", 9);
    image.set(Place::Record(bad.number), "cell", 1);
    golden(
        "damaged/v30_counter",
        &["A counter at the cell of another: the first to be taken up has it."],
        image,
        &[(bad.number, "V-30", "Overlap")],
    )
}

fn overlapping_blocks() -> Golden {
    let mut image = base();
    let first = histogram(&mut image, "first");
    let bad = histogram(&mut image, "bad");
    histogram(&mut image, "third");
    let cell = bad.placement - 128 + 1;
    image.set(Place::Record(bad.number), "cell", cell);
    image.record(&first, SHARED, 2);
    golden(
        "damaged/v30_block",
        &[
            "A block that begins in the last line of another; the next one, which it ends before, is not in its way.",
        ],
        image,
        &[(bad.number, "V-30", "Overlap")],
    )
}
