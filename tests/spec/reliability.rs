//! RELIABILITY.md against the tests and the messages: every promise and every situation names tests that exist, and every message it
//! quotes is one that the code has.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::document::{Document, Table};
use crate::rules::assert_tests_exist;

fn table(document: &Document, columns: &[&str]) -> Table {
    let mut tables = document.tables(columns);
    let (_, table) = tables.next().unwrap_or_else(|| panic!("no table {columns:?}"));
    assert!(tables.next().is_none(), "two tables {columns:?}");
    table.clone()
}

fn situations(document: &Document) -> Table {
    table(document, &["Situation", "Writers", "Readers", "Message", "Test"])
}

#[test]
fn every_promise_and_every_situation_names_tests_that_exist() {
    let document = Document::reliability();
    let mut checked = 0;
    let enemies = table(&document, &["What a peer does", "Writers", "Readers", "Evidence"]);
    let tables = [
        (table(&document, &["Promise", "Test"]), "Test"),
        (situations(&document), "Test"),
        (enemies, "Evidence"),
    ];
    for (table, tests) in tables {
        let first: BTreeSet<&String> = table.rows.iter().map(|row| &row[0]).collect();
        assert_eq!(first.len(), table.rows.len(), "a row stands twice");
        checked += table.column(tests).map(assert_tests_exist).sum::<usize>();
    }
    assert!(checked > 80, "{checked}");
}

/// Sources of the library and of the binary: where messages are written.
fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else {
            text.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_test_of_storage_has_a_row() {
    let mut code = String::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/storage"),
        &mut code,
    );
    let document = Document::reliability();
    let cells: String = situations(&document).column("Test").collect();
    let tests = code.split("#[test]\nfn ").skip(1);
    let names: Vec<&str> = tests.map(|rest| rest.split('(').next().unwrap()).collect();
    assert!(names.len() > 25, "{names:?}");
    for name in names {
        assert!(cells.contains(name), "no situation is shown by {name}");
    }
}

#[test]
fn every_quoted_message_is_one_of_the_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    sources(&root.join("src"), &mut code);
    sources(&root.join("reader/src"), &mut code);
    // A message may be broken over lines.
    let joined: Vec<&str> = code.split("\\\n").collect();
    let code = joined.iter().map(|part| part.trim_start()).collect::<String>();
    let mut quoted = 0;
    for row in situations(&Document::reliability()).rows {
        let message = &row[3];
        assert!(!message.is_empty(), "{}: say `none`, or quote it", row[0]);
        for part in message.split('"').skip(1).step_by(2) {
            for piece in part.split('…').map(str::trim).filter(|piece| !piece.is_empty()) {
                assert!(code.contains(piece), "{}: nothing says {piece:?}", row[0]);
                quoted += 1;
            }
        }
    }
    assert!(quoted > 40, "{quoted}");
}

#[test]
fn every_check_of_other_machines_is_a_stage() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let stages = std::fs::read_to_string(root.join(".ci/run")).unwrap();
    let document = Document::reliability();
    let checks = table(&document, &["What holds", "Command"]);
    let commands: BTreeSet<&str> = checks.column("Command").collect();
    assert!(commands.len() > 3, "{commands:?}");
    for command in commands {
        assert!(root.join(command).is_file(), "there is no {command}");
        let stage = format!(" {command}");
        assert!(
            stages
                .lines()
                .any(|line| line.starts_with("stage ") && line.ends_with(&stage)),
            "{command} is no stage of .ci/run"
        );
    }
}
