//! Rules and conditions: each validation rule is an error of the code and has a file that breaks it, each condition has its tests,
//! each step of a protocol has its line in the table of deaths.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use shmetrics::error::{LayoutError, RecordError};
use shmetrics::layout::fields::STRUCTURES;

use crate::document::{Document, Table};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// One of each error that a rule of section 12 has: its message, and its name.
fn errors() -> Vec<(String, String)> {
    let field = "";
    let header = [
        LayoutError::TooShort { found: 0 },
        LayoutError::NotPublished,
        LayoutError::OtherEndianness,
        LayoutError::BadMagic { found: 0 },
        LayoutError::OtherVersion {
            version: 0,
            compatible_from: 0,
        },
        LayoutError::BadChecksum {
            found: 0,
            expected: 0,
        },
        LayoutError::UnknownFeatures { found: 0 },
        LayoutError::CapacityOutOfRange {
            field,
            found: 0,
            least: 0,
            most: 0,
        },
        LayoutError::InconsistentOffset {
            field,
            found: 0,
            expected: 0,
        },
        LayoutError::Truncated {
            found: 0,
            expected: 0,
        },
        LayoutError::ReservedNotZero { offset: 0, found: 0 },
        LayoutError::UnknownWriterFeatures { found: 0 },
    ];
    let records = [
        RecordError::BadChecksum,
        RecordError::UnknownType { found: 0 },
        RecordError::UnknownKind { found: 0 },
        RecordError::UnknownMerge { found: 0 },
        RecordError::BadText {
            field,
            offset: 0,
            length: 0,
        },
        RecordError::BadBuckets { found: 0 },
        RecordError::BadLength {
            found: 0,
            expected: 0,
        },
        RecordError::BadFamily { found: 0 },
        RecordError::BadCell { found: 0 },
        RecordError::BadEncoding { field },
        RecordError::Overlap { found: 0, other: 0 },
    ];
    let header = header.map(|error| (error.to_string(), format!("{error:?}")));
    let records = records.map(|error| (error.to_string(), format!("{error:?}")));
    header.into_iter().chain(records).collect()
}

/// The tables of validation rules, in order.
fn rules(spec: &Document) -> Vec<&Table> {
    spec.tables(&["Rule", "Check", "Error"])
        .map(|(_, table)| table)
        .collect()
}

#[test]
fn every_rule_is_an_error_of_the_code_and_every_error_a_rule() {
    let spec = Document::spec();
    let errors = errors();
    let rows: Vec<&Vec<String>> = rules(&spec).into_iter().flat_map(|table| &table.rows).collect();
    assert_eq!(rows.len(), errors.len());
    for (row, (message, name)) in rows.iter().zip(&errors) {
        assert!(
            message.starts_with(&format!("{}: ", row[0])),
            "{} says {message:?}",
            row[0]
        );
        assert_eq!(name.split([' ', '{', '(']).next().unwrap(), row[2], "{}", row[0]);
    }
    // The list above misses none: the source has no other variant.
    let source = include_str!("../../src/layout/error.rs");
    let declared = source
        .lines()
        .filter(|line| line.trim_start().starts_with("#[error("))
        .count();
    assert_eq!(declared, errors.len());
}

#[test]
fn every_rule_has_a_file_that_breaks_it() {
    let spec = Document::spec();
    let mut said = String::new();
    for folder in ["invalid", "damaged", "valid"] {
        for entry in std::fs::read_dir(root().join("tests/data").join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_some_and(|extension| extension == "error" || extension == "json")
            {
                said += &std::fs::read_to_string(path).unwrap();
            }
        }
    }
    for rule in rules(&spec).into_iter().flat_map(|table| table.column("Rule")) {
        // Writers only: it refuses nothing that a reader sees. tests/errors/files.rs has it.
        if rule == "V-12" {
            continue;
        }
        let met = said
            .match_indices(rule)
            .any(|(at, _)| !said[at + rule.len()..].starts_with(|c: char| c.is_ascii_digit()));
        assert!(
            met,
            "no file under tests/data is refused, or has a record that is skipped, by {rule}"
        );
    }
}

#[test]
fn every_condition_names_tests_that_exist() {
    let spec = Document::spec();
    let conditions = spec
        .tables(&["Id", "Condition", "See", "Test"])
        .map(|(_, table)| table);
    let races = spec
        .tables(&["Race", "Allowed", "Never", "Test"])
        .map(|(_, table)| table);
    let (mut checked, mut ids) = (0, Vec::new());
    for table in conditions.chain(races) {
        ids.extend(table.rows.iter().map(|row| row[0].clone()));
        checked += table.column("Test").map(assert_tests_exist).sum::<usize>();
    }
    assert!(checked > 60, "{checked}");
    let unique: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len(), "an id stands twice");
}

/// Is there a function of this name that a test attribute stands above, or that is a property in `proptest!`?
fn is_test(sources: &str, name: &str) -> bool {
    let lines: Vec<&str> = sources.lines().map(str::trim).collect();
    let declared = lines
        .iter()
        .position(|line| line.starts_with(&format!("fn {name}(")));
    declared.is_some_and(|at| lines[..at].iter().rev().take(3).any(|line| *line == "#[test]"))
}

/// Asserts that every test exists that a cell names: a file, then names in it; files separated by semicolons. How many there are.
pub fn assert_tests_exist(cell: &str) -> usize {
    let mut checked = 0;
    for place in cell.split(';') {
        let (file, names) = place
            .trim()
            .split_once(' ')
            .unwrap_or_else(|| panic!("{place:?} names no test"));
        let sources = sources(&root().join(file));
        for name in names.split(',').map(str::trim) {
            assert!(is_test(&sources, name), "{file} has no test {name}");
            checked += 1;
        }
    }
    checked
}

/// The text of a source file, and of all sources in the folder of its modules.
fn sources(path: &Path) -> String {
    let is_main = path.file_name().is_some_and(|name| name == "main.rs");
    let folder = if is_main {
        path.parent().unwrap().to_owned()
    } else {
        path.with_extension("")
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let modules = entries.map(|entry| entry.unwrap().path());
    let is_source =
        |file: &PathBuf| file.extension().is_some_and(|extension| extension == "rs") && file != path;
    let files: Vec<PathBuf> = [path.to_owned()]
        .into_iter()
        .chain(modules.filter(is_source))
        .collect();
    let read = |file: &PathBuf| {
        std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    files.iter().map(read).collect()
}

/// Steps are in bold where section 10 defines them: a letter and a number.
fn steps(text: &str) -> BTreeSet<(char, u32)> {
    let bold = text.split("**").skip(1).step_by(2);
    bold.filter_map(|step| {
        let mut characters = step.chars();
        let letter = characters.next().filter(char::is_ascii_uppercase)?;
        Some((letter, characters.as_str().parse().ok()?))
    })
    .collect()
}

/// The steps in a cell such as `T2 to T6` or `L1, L2`.
fn mentioned(cell: &str) -> BTreeSet<(char, u32)> {
    let mut found = BTreeSet::new();
    let words: Vec<&str> = cell
        .split([' ', ',', ':'])
        .filter(|word| !word.is_empty())
        .collect();
    for (index, word) in words.iter().enumerate() {
        let (letter, digits) = word.split_at(1);
        let Ok(number) = digits.parse::<u32>() else {
            continue;
        };
        if !letter.starts_with(|c: char| c.is_ascii_uppercase()) {
            continue;
        }
        let letter = letter.chars().next().unwrap();
        let from = match index
            .checked_sub(2)
            .map(|before| (words[before], words[before + 1]))
        {
            Some((first, "to")) => first[1..].parse().unwrap(),
            _ => number,
        };
        found.extend((from..=number).map(|number| (letter, number)));
    }
    found
}

#[test]
fn every_step_that_stores_has_a_line_in_the_table_of_deaths() {
    let spec = Document::spec();
    let defined: BTreeSet<_> = spec
        .sections
        .iter()
        .filter(|section| section.number.starts_with("10."))
        .flat_map(|section| steps(&section.text))
        .collect();
    // Steps that store nothing another process could see: all of a reader, looking a key or a placement word up, refusing.
    let silent = |&(letter, number): &(char, u32)| {
        matches!(letter, 'R' | 'O') || [('I', 1), ('P', 1), ('M', 1), ('M', 4)].contains(&(letter, number))
    };
    let (_, table) = spec
        .tables(&["Dies after", "Reader sees", "Adopter does"])
        .next()
        .unwrap();
    let listed: BTreeSet<_> = table.column("Dies after").flat_map(mentioned).collect();
    let defined: BTreeSet<_> = defined.into_iter().filter(|step| !silent(step)).collect();
    assert_eq!(
        listed.difference(&defined).collect::<Vec<_>>(),
        Vec::<&(char, u32)>::new(),
        "no such step"
    );
    let missing: Vec<_> = defined.difference(&listed).collect();
    // A release ends with its last step; the table has the ones before it.
    assert_eq!(missing, [&('U', 3)]);
}

#[test]
fn every_field_has_a_line_in_the_table_of_damage() {
    let spec = Document::spec();
    let (_, table) = spec.tables(&["Structure", "Fields", "Lost"]).next().unwrap();
    for structure in STRUCTURES {
        let rows = table.rows.iter().filter(|row| row[0] == structure.name);
        let listed: Vec<&str> = rows.flat_map(|row| row[1].split(',').map(str::trim)).collect();
        for field in structure.named() {
            let found = listed.iter().filter(|name| **name == field.name).count();
            assert_eq!(found, 1, "{} {}", structure.name, field.name);
        }
        let named = |name: &&str| structure.named().iter().any(|field| field.name == *name);
        let others: Vec<&str> = listed.into_iter().filter(|name| !named(name)).collect();
        assert!(
            others.is_empty() || others == ["a bucket"],
            "{}: no field {others:?}",
            structure.name
        );
    }
}
