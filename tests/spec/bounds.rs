//! What tables and sums say about numbers: the column *Valid*, the order of checks, the worked example.

use shmetrics::error::LayoutError;
use shmetrics::layout::block::BlockShape;
use shmetrics::layout::fields::structure;
use shmetrics::layout::geometry::{Capacities, Geometry, Origin};
use shmetrics::layout::header::IMMUTABLE_WORDS;
use shmetrics::layout::kind::Merge;
use shmetrics::layout::{Fnv, WORD_LENGTH};

use crate::document::{Document, number};

type Words = [u64; IMMUTABLE_WORDS];

/// The header of the smallest segment.
fn smallest() -> Words {
    let capacities = Capacities {
        process_slots: 1,
        lanes: 1,
        series: 1,
        text_length: 1024,
        counters: 1,
        gauges: 1,
        blocks_length: 4096,
        errors: 1,
        reset_tables: 2,
        budget: 0,
        epoch_length_ns: 1_000_000,
    };
    let origin = Origin {
        boot_id: [0, 0],
        created_ns: 0,
        created_monotonic_ns: 0,
        segment_id: 0,
        writer_features: 0,
    };
    Geometry::plan(capacities).unwrap().to_words(&origin)
}

fn index(field: &str) -> usize {
    let named = structure("header").unwrap().named();
    let found = named.iter().find(|candidate| candidate.name == field);
    (found.unwrap_or_else(|| panic!("no field {field}")).offset / WORD_LENGTH) as usize
}

fn parse(mut words: Words) -> Result<(), LayoutError> {
    let sum = words[..IMMUTABLE_WORDS - 1]
        .iter()
        .fold(Fnv::new(), |hash, word| hash.word(*word));
    words[IMMUTABLE_WORDS - 1] = sum.finish();
    Geometry::parse(&words, u64::MAX).map(drop)
}

/// `1 to 4096`, `10^6 to 86400·10^9`, `0 or 2`.
fn range(text: &str) -> Option<(u64, u64)> {
    if text == "0 or 2" {
        return Some((0, 2));
    }
    let (least, most) = text.split_once(" to ")?;
    Some((number(least) as u64, number(most) as u64))
}

#[test]
fn capacities_are_valid_exactly_where_the_table_says() {
    let spec = Document::spec();
    let mut checked = 0;
    for row in &spec.section("6.1").tables[0].rows {
        let Some((least, most)) = range(&row[6]) else {
            continue;
        };
        let refused = |value: u64| {
            let mut words = smallest();
            words[index(&row[3])] = value;
            // With other capacities all offsets are wrong, too; that comes later.
            matches!(parse(words), Err(LayoutError::CapacityOutOfRange { field, .. }) if field == row[3])
        };
        assert!(
            !refused(least) && !refused(most) && refused(most + 1),
            "{}: {}",
            row[3],
            row[6]
        );
        assert!(least == 0 || refused(least - 1), "{}: {}", row[3], row[6]);
        assert!(row[6] != "0 or 2" || refused(1), "{}: {}", row[3], row[6]);
        checked += 1;
    }
    assert_eq!(checked, 11, "as many as there are capacities");
}

#[test]
fn other_words_are_valid_as_the_table_says() {
    let spec = Document::spec();
    let valid = |field: &str| {
        let rows = &spec.section("6.1").tables[0].rows;
        rows.iter().find(|row| row[3] == field).unwrap()[6].clone()
    };
    assert_eq!(
        number(&valid("header_length")) as u64,
        smallest()[index("header_length")]
    );
    assert_eq!(valid("version"), "1 or more");
    assert_eq!(valid("compatible_from"), "at most version");
    for row in &spec.section("6.1").tables[0].rows {
        let mut words = smallest();
        let field = index(if row[3] == "reserved" {
            "writer_features"
        } else {
            &row[3]
        });
        words[field] ^= 1 << 20;
        match row[6].as_str() {
            "any" => assert_eq!(parse(words), Ok(()), "{}", row[3]),
            "6.3" => assert!(
                matches!(parse(words), Err(LayoutError::InconsistentOffset { .. })),
                "{}",
                row[3]
            ),
            _ => {}
        }
    }
}

/// The names after `in the order` in a rule.
fn order(check: &str) -> Vec<String> {
    let (_, list) = check.split_once("in the order ").unwrap();
    list.split([',', ';'])
        .map(|name| name.trim().to_owned())
        .take_while(|name| !name.contains("then"))
        .collect()
}

fn check_of(spec: &Document, rule: &str) -> String {
    spec.section("12.1").tables[0].row(rule)[1].clone()
}

#[test]
fn capacities_are_checked_in_the_order_of_the_text() {
    let spec = Document::spec();
    let order = order(&check_of(&spec, "V-8"));
    assert_eq!(order.len(), 11);
    let mut words = smallest();
    order.iter().for_each(|field| words[index(field)] = u64::MAX);
    // The first that is still wrong is told.
    for field in &order {
        match parse(words) {
            Err(LayoutError::CapacityOutOfRange { field: told, .. }) => assert_eq!(told, field),
            other => panic!("{other:?}"),
        }
        words[index(field)] = smallest()[index(field)];
    }
    assert_eq!(parse(words), Ok(()));
}

#[test]
fn derived_words_are_checked_in_the_order_of_the_text() {
    let spec = Document::spec();
    let check = check_of(&spec, "V-9");
    assert!(check.ends_with(
        "in the order records, index_entries, the regions and strides as in 6.1, header_length, file_length"
    ));
    let in_table: Vec<String> = spec.section("6.1").tables[0]
        .rows
        .iter()
        .map(|row| row[3].clone())
        .collect();
    let from = in_table.iter().position(|field| field == "index_region").unwrap();
    let to = in_table.iter().position(|field| field == "lane_blocks").unwrap();
    let mut order = vec!["records".to_owned(), "index_entries".to_owned()];
    order.extend_from_slice(&in_table[from..=to]);
    order.extend(["errors_region", "resets_region", "reset_stride"].map(str::to_owned));
    order.extend(["header_length".to_owned(), "file_length".to_owned()]);
    let mut words = smallest();
    order.iter().for_each(|field| words[index(field)] ^= 8);
    for field in &order {
        match parse(words) {
            Err(LayoutError::InconsistentOffset { field: told, .. }) => assert_eq!(told, field),
            other => panic!("{other:?}"),
        }
        words[index(field)] ^= 8;
    }
    assert_eq!(parse(words), Ok(()));
}

#[test]
fn rules_that_need_a_live_owner_are_those_that_are_not_kept() {
    let spec = Document::spec();
    let table = &spec.section("8.2").tables[0];
    for (row, rule) in table.rows.iter().zip(Merge::ALL) {
        let expected = if rule.outlives_process() {
            "set"
        } else {
            "live, set"
        };
        assert_eq!(row[3], expected, "{}", row[1]);
    }
}

/// Numbers of the code that prose repeats.
#[test]
fn numbers_in_prose_are_those_of_the_code() {
    let spec = Document::spec();
    let interval = shmetrics::protocol::latch::SEAL_INTERVAL.to_string();
    let interval = format!("{},{}", &interval[..2], &interval[2..]);
    for (section, text) in [("10.10", &interval), ("12.3", &interval), ("18", &interval)] {
        let section = spec.section(section);
        let rows = section.tables.iter().flat_map(|table| &table.rows).flatten();
        let found =
            section.text.contains(text.as_str()) || rows.into_iter().any(|cell| cell.contains(text.as_str()));
        assert!(found, "{} does not say {text}", section.number);
    }
    let slots = shmetrics::layout::geometry::MAX_PROCESS_SLOTS;
    assert!(spec.section("10.2").text.contains(&format!("at 2^60 + {slots}")));
    assert!(
        spec.section("9.2").blocks[0]
            .1
            .starts_with("tag = (slot + 1) << 48 | (incarnation of the slot & (2^48 − 1))")
    );
    let tag = shmetrics::layout::directory::OwnerTag::new(6, 1 << 50 | 9);
    assert_eq!(tag.0, (6 + 1) << 48 | ((1 << 50 | 9) & ((1 << 48) - 1)));
}

/// The figures of 9.9, and the same ones in the README.
#[test]
fn the_worked_example_adds_up() {
    let spec = Document::spec();
    let geometry = Geometry::plan(Capacities::DEFAULT).unwrap();
    let shape = BlockShape::new(258, 2);
    let lanes = 512 * (geometry.lane_front_length() + 50 * shape.length());
    let slots = 64 * 512 * 128;
    let shared = 500 * 128 + 50 * shape.shared_length();
    let block = &spec.section("9.9").blocks[0].1;
    for text in [block.as_str(), include_str!("../../README.md")] {
        for value in [
            lanes,
            slots,
            shared,
            lanes + slots + shared,
            Capacities::DEFAULT.budget,
        ] {
            let digits = value.to_string();
            let grouped: Vec<&str> = digits
                .as_bytes()
                .rchunks(3)
                .rev()
                .map(|part| std::str::from_utf8(part).unwrap())
                .collect();
            assert!(
                text.contains(&grouped.join(",")),
                "{} is not in {text}",
                grouped.join(",")
            );
        }
    }
    assert!(
        block.contains("head, allocated at creation                     2,490,368")
            && geometry.head_length() == 2_490_368
    );
}
