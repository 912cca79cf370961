//! Promise: every named edge, fence and wrong variant of the protocols stands in the mutant table of a loom test, which shows that
//! the proof falls without it. Plain text: runs without loom, so that no edge can be added and forgotten.
#![cfg(not(shmetrics_loom))]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Edges that loom cannot show to be needed (it models neither load buffering nor the total order of SeqCst), each with the reason
/// why the proof needs it all the same.
const NOT_OBSERVABLE_IN_LOOM: &[(&str, &str)] = &[];

fn sources(folder: &str) -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}

/// The string literals that follow `opening`, white space aside.
fn names_after<'a>(text: &'a str, opening: &str) -> Vec<&'a str> {
    let literal = |rest: &'a str| rest.trim_start().strip_prefix('"')?.split('"').next();
    text.split(opening).skip(1).filter_map(literal).collect()
}

#[test]
fn every_named_edge_has_a_mutant() {
    let mut named = BTreeSet::new();
    for path in sources("src") {
        // The macros themselves, and their documentation.
        if path.ends_with("src/sync.rs") {
            continue;
        }
        let text = fs::read_to_string(path).unwrap();
        for opening in ["edge!(", "fence_at!(", "mutated!("] {
            named.extend(names_after(&text, opening).into_iter().map(str::to_owned));
        }
    }
    assert!(named.len() > 30, "the names are no longer found: {named:?}");

    let mut covered: BTreeSet<String> = NOT_OBSERVABLE_IN_LOOM
        .iter()
        .map(|(name, _)| name.to_string())
        .collect();
    for path in sources("tests") {
        let is_loom_test = path.file_name().unwrap().to_str().unwrap().starts_with("loom_");
        let text = fs::read_to_string(path).unwrap();
        if let Some((_, table)) = text
            .split_once("const MUTANTS: &[Mutant] = &[")
            .filter(|_| is_loom_test)
        {
            let table = table.split("\n];").next().unwrap();
            covered.extend(names_after(table, "(").into_iter().map(str::to_owned));
        }
    }

    let forgotten: Vec<_> = named.difference(&covered).collect();
    assert!(
        forgotten.is_empty(),
        "no mutant table in tests/loom_*.rs breaks {forgotten:?}"
    );
    let unknown: Vec<_> = NOT_OBSERVABLE_IN_LOOM
        .iter()
        .filter(|(name, _)| !named.contains(*name))
        .collect();
    assert!(unknown.is_empty(), "excused, but gone: {unknown:?}");
}
