//! `include/shmetrics_layout.h` says in C what `shmetrics::layout` says in Rust: the committed text is what the tables give, it
//! compiles as C11 and as C++17 without a warning, and its constants and functions agree with Rust on numbers that Rust computed.
//!
//! After a change of the layout: `SHMETRICS_BLESS=1 cargo test --test c_header`.

mod check;
#[path = "../support/compiler.rs"]
mod compiler;
mod generate;
#[path = "../support/mod.rs"]
mod support;

use std::process::Command;

use compiler::Language;
use support::Scratch;

const BLESS: &str = "SHMETRICS_BLESS";

#[test]
fn the_committed_header_is_what_the_layout_gives() {
    let path = compiler::root().join("include/shmetrics_layout.h");
    let expected = generate::header();
    if std::env::var_os(BLESS).is_some() {
        std::fs::write(&path, expected).unwrap();
        return;
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    if let Some(difference) = first_difference(&found, &expected) {
        panic!(
            "include/shmetrics_layout.h is not what the layout gives; run `{BLESS}=1 cargo test --test c_header`\n{difference}"
        );
    }
}

/// The first lines that differ, as a diff would show them.
fn first_difference(found: &str, expected: &str) -> Option<String> {
    const SHOWN: usize = 5;
    let (found, expected): (Vec<&str>, Vec<&str>) = (found.lines().collect(), expected.lines().collect());
    let same = found.iter().zip(&expected).take_while(|(a, b)| a == b).count();
    if same == found.len() && same == expected.len() {
        return None;
    }
    let show = |sign: &str, lines: &[&str]| -> String {
        let lines = lines.iter().skip(same).take(SHOWN);
        lines.map(|line| format!("{sign}{line}\n")).collect()
    };
    Some(format!(
        "@@ line {} @@\n{}{}",
        same + 1,
        show("-", &found),
        show("+", &expected)
    ))
}

#[test]
fn the_header_agrees_with_rust_in_c_and_in_cpp() {
    let scratch = Scratch::new("c-header");
    let languages = [
        (Language::C, "check.c", "-std=c11"),
        (Language::Cpp, "check.cpp", "-std=c++17"),
    ];
    for (language, name, standard) in languages {
        if !compiler::is_there(language, &format!("the header as {standard}")) {
            continue;
        }
        let (source, program) = (scratch.path(name), scratch.path("check"));
        std::fs::write(&source, check::program()).unwrap();
        let flags = [standard, "-Wall", "-Wextra", "-Wpedantic", "-Werror"];
        compiler::compile(language, &flags, &source, &program);
        let output = Command::new(&program).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{standard}: {}\n{said}", output.status);
        assert_eq!(said, "");
    }
}

#[test]
fn a_difference_is_shown_where_it_begins() {
    assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
    let difference = first_difference("a\nb\nc\n", "a\nx\nc\n").unwrap();
    assert!(difference.starts_with("@@ line 2 @@\n-b\n"), "{difference}");
    assert!(difference.contains("+x\n"), "{difference}");
    assert!(first_difference("a\n", "a\nb\n").is_some());
}
