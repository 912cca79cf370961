//! Every limit is exact: the greatest value that is allowed is read, the next one is refused by its rule.

use shmetrics::layout::geometry::Capacities;
use shmetrics::{Kind, Reader};
use shmetrics_conformance::image::{Family, Image, Parameters, Place, write_words};

use crate::{memory, support::Scratch};

fn image() -> Image {
    Image::new(Capacities {
        process_slots: 2,
        lanes: 2,
        series: 8,
        text_length: 1024,
        counters: 3,
        gauges: 3,
        blocks_length: 8192,
        errors: 2,
        reset_tables: 2,
        budget: 1 << 20,
        epoch_length_ns: 10_000_000_000,
    })
    .unwrap()
}

/// What a reader skips, as numbers of records with the beginnings of the reasons.
fn skipped(image: &Image, scratch: &Scratch) -> Vec<(u64, String)> {
    let path = scratch.path("segment");
    drop(write_words(&path, image.words(), image.length()).unwrap());
    let snapshot = Reader::open_path(&path).unwrap().snapshot().unwrap();
    let rule = |reason: String| reason.split(':').next().unwrap_or_default().to_owned();
    snapshot
        .skipped
        .iter()
        .map(|skipped| (skipped.record, rule(skipped.reason.to_string())))
        .collect()
}

#[test]
fn cells_may_be_the_last_of_their_space_and_no_further() {
    let scratch = Scratch::new("damage-limits");
    let mut image = image();
    let counter = image.single(&Family::new("counter", Kind::CounterU64), &Parameters::plain());
    let gauge = image.single(&Family::new("gauge", Kind::GaugeI64), &Parameters::plain());
    let timed = image.single(
        &Family::new("timed", Kind::HistogramInteger),
        &Parameters::exponential(0, 0, 4),
    );
    let length = image.get(Place::Record(timed.number), "length");
    for (number, last, beyond) in [
        (counter.number, 3, 4),
        (gauge.number, 3, 4),
        (timed.number, 8192 - length + 1, 8192 - length + 128 + 1),
    ] {
        let mut image = image.clone();
        image.set(Place::Record(number), "cell", last);
        assert_eq!(skipped(&image, &scratch), [], "record {number}, cell {last}");
        image.set(Place::Record(number), "cell", beyond);
        assert_eq!(
            skipped(&image, &scratch),
            [(number, "V-28".to_owned())],
            "record {number}, cell {beyond}"
        );
    }
}

#[test]
fn texts_may_end_with_the_region_and_no_later() {
    let scratch = Scratch::new("damage-limits");
    let mut image = image();
    let family = image.family(&Family::new("counter", Kind::CounterU64));
    let series = image.series(family, &[], &Parameters::plain());
    for (offset, length, skips) in [
        (1016u64, 8u64, false),
        (1016, 9, true),
        (1024, 0, false),
        (1032, 0, true),
        (4, 2, true),
    ] {
        let mut image = image.clone();
        image
            .set(Place::Record(family), "extra", offset << 32 | length)
            .mend_record(family);
        let expected = if skips {
            vec![(family, "V-24".to_owned()), (series.number, "V-27".to_owned())]
        } else {
            vec![]
        };
        assert_eq!(skipped(&image, &scratch), expected, "{length} bytes at {offset}");
    }
}

#[test]
fn a_ring_may_have_64_slots_and_no_more() {
    let scratch = Scratch::new("damage-limits");
    let mut image = image();
    let counter = image.single(&Family::new("counter", Kind::CounterU64), &Parameters::plain());
    let shape = image.get(Place::Record(counter.number), "shape");
    for (slots, expected) in [(64u64, vec![]), (65, vec![(counter.number, "V-25".to_owned())])] {
        image
            .set(Place::Record(counter.number), "shape", shape | slots << 32)
            .mend_record(counter.number);
        assert_eq!(skipped(&image, &scratch), expected, "{slots}");
    }
}

#[test]
fn numbers_from_mutable_words_are_cut_and_cost_nothing_beyond() {
    let scratch = Scratch::new("damage-limits");
    let path = scratch.path("segment");
    let mut image = image();
    image.single(&Family::new("counter", Kind::CounterU64), &Parameters::plain());
    let read = |image: &Image| {
        drop(write_words(&path, image.words(), image.length()).unwrap());
        memory::peak_of(|| Reader::open_path(&path).unwrap().snapshot().unwrap())
    };
    let (_, usual) = read(&image);
    for name in [
        "reserved",
        "text_used",
        "counter_placement",
        "gauge_placement",
        "block_placement",
        "committed",
    ] {
        image.set(Place::Header, name, u64::MAX);
    }
    let (snapshot, memory) = read(&image);
    assert_eq!(snapshot.series.len(), 1);
    let fill = &snapshot.fill;
    for used in [fill.records, fill.text, fill.counters, fill.gauges, fill.blocks] {
        assert_eq!(used.used, used.capacity);
    }
    assert!(memory < usual + 4096, "{memory} bytes instead of {usual}");
}
