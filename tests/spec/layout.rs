//! Layout tables: offsets chain, sizes add up, every field is the constant of that name.

use shmetrics::layout::fields::{Field, FieldType, STRUCTURES, structure};

use crate::document::{Document, number};

const COLUMNS: &[&str] = &[
    "Offset", "Size", "Type", "Field", "Written", "Order", "Valid", "Meaning",
];

/// Structures in the order in which SPEC.md has their tables.
const ORDER: &[&str] = &[
    "header",
    "mutable header",
    "record",
    "process entry",
    "lane entry",
    "gauge cell",
    "block",
    "state",
    "ring slot",
    "error entry",
    "reset block",
    "events block",
    "event",
    "samples block",
    "sample",
    "in flight block",
    "in flight text",
    "text block",
    "text slot",
    "group block",
];

#[test]
fn every_structure_has_its_table_in_the_section_it_names() {
    let spec = Document::spec();
    let found: Vec<&str> = spec
        .tables(COLUMNS)
        .map(|(section, _)| section.number.as_str())
        .collect();
    let expected: Vec<&str> = ORDER
        .iter()
        .map(|name| structure(name).unwrap().section)
        .collect();
    assert_eq!(found, expected);
    assert_eq!(ORDER.len(), STRUCTURES.len());
}

#[test]
fn offsets_chain_and_sizes_add_up_to_the_stated_total() {
    let spec = Document::spec();
    for ((section, table), name) in spec.tables(COLUMNS).zip(ORDER) {
        let structure = structure(name).unwrap();
        let mut end = i128::from(structure.start);
        for row in &table.rows {
            assert_eq!(
                number(&row[0]),
                end,
                "{name}: {} does not begin where the row before ends",
                row[3]
            );
            end += number(&row[1]);
        }
        assert_eq!(end, i128::from(structure.start + structure.length), "{name}");
        let total = format!("Total: {} bytes", structure.length);
        assert!(
            section.text.contains(&total),
            "section {} does not say {total:?}",
            section.number
        );
    }
}

#[test]
fn every_field_is_the_constant_of_its_name_and_every_constant_has_a_row() {
    let spec = Document::spec();
    for ((_, table), name) in spec.tables(COLUMNS).zip(ORDER) {
        let in_text: Vec<Field> = table
            .rows
            .iter()
            .map(|row| Field {
                // Rows are compared as the code has them; names live as long as the test.
                name: String::leak(row[3].clone()),
                offset: number(&row[0]) as u64,
                length: number(&row[1]) as u64,
                content: content(&row[2]),
            })
            .collect();
        let in_code: Vec<Field> = structure(name).unwrap().fields().collect();
        for (text, code) in in_text.iter().zip(&in_code) {
            assert_eq!(text, code, "{name}");
        }
        assert_eq!(in_text.len(), in_code.len(), "{name}");
    }
}

fn content(name: &str) -> FieldType {
    use FieldType::*;
    let types = [U64, A64, F64, Range, Tag, Text, Reserved];
    let found = types.into_iter().find(|content| content.name() == name);
    found.unwrap_or_else(|| panic!("{name:?} is no type of section 2"))
}

#[test]
fn words_of_the_columns_are_those_that_section_2_defines() {
    let spec = Document::spec();
    let conventions = &spec.section("2").text;
    let types: Vec<&str> = spec.section("2").tables[0].column("Type").collect();
    for (_, table) in spec.tables(COLUMNS) {
        for row in &table.rows {
            let (content, written, order) = (&row[2], &row[4], &row[5]);
            assert!(types.contains(&content.as_str()), "type {content}");
            assert!(
                conventions.contains(&format!("`{written}`")),
                "Written: {written} of {} is not defined",
                row[3]
            );
            let reserved = content == "bytes";
            assert!(!reserved || written == "never" && order == "-", "{}", row[3]);
        }
    }
}

/// A constant that is declared outside of `fields!` would be in no table, and one that is named otherwise would not be found.
#[test]
fn offsets_are_declared_in_tables_only() {
    // Offsets of nothing that is in the file: where locks are, and FNV's constants.
    const ELSEWHERE: &[&str] = &["LOCK_BASE_OFFSET"];
    for source in [
        include_str!("../../src/layout/header.rs"),
        include_str!("../../src/layout/record.rs"),
        include_str!("../../src/layout/directory.rs"),
        include_str!("../../src/layout/block.rs"),
        include_str!("../../src/layout/events.rs"),
    ] {
        for line in source.lines() {
            // `NAME = offset, Type "name";` in the tables; other lines with " = " do not begin with a constant.
            let constant = |name: &str| {
                name.chars()
                    .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
            };
            if let Some((name, rest)) = line.trim().split_once(" = ").filter(|(name, _)| constant(name)) {
                let label = rest.split('"').nth(1).unwrap_or_else(|| panic!("{line}"));
                let name = name.strip_suffix("_OFFSET").unwrap_or(name);
                let short = name.strip_suffix("_WORD").unwrap_or(name);
                assert!(
                    [name, short].iter().any(|name| name.to_lowercase() == label),
                    "{line}"
                );
            }
            let Some(name) = line
                .strip_prefix("pub const ")
                .and_then(|rest| rest.split(':').next())
            else {
                continue;
            };
            let is_offset = name.ends_with("_OFFSET") || name.ends_with("_WORD");
            assert!(
                !is_offset || ELSEWHERE.contains(&name),
                "{name} is not declared by fields!"
            );
        }
    }
}
