//! Both readers over one file: refused by the same rule, or the same records skipped for the same reasons and the same numbers shown.

use std::path::Path;

use shmetrics::{OpenError, Reader};

use crate::{compare, run};

/// Compares them, and returns the rules that were met.
#[track_caller]
pub fn agree(program: &Path, file: &Path, trust: compare::Trust, case: &str) -> Vec<String> {
    let ended = run(program, file);
    let mut reader = match Reader::open_path(file) {
        Ok(reader) => reader,
        Err(OpenError::Layout { source, .. }) => {
            let rule = rule(&source.to_string());
            let refused = ended.code == 1 && ended.errors.starts_with(&format!("read: {rule} "));
            assert!(refused, "{case}: {source}: {ended:?}");
            return vec![rule];
        }
        Err(other) => panic!("{case}: {other}"),
    };
    assert_eq!(ended.code, 0, "{case}: {ended:?}");
    let snapshot = reader.snapshot().unwrap();
    let mut met = Vec::new();
    let mut said: Vec<&str> = ended
        .errors
        .lines()
        .filter(|line| line.starts_with("record "))
        .collect();
    for skipped in &snapshot.skipped {
        let rule = rule(&skipped.reason.to_string());
        let line = format!("record {}: {rule} ", skipped.record);
        let at = said.iter().position(|said| said.starts_with(&line));
        said.remove(at.unwrap_or_else(|| panic!("{case}: {}: {ended:?}", skipped.reason)));
        met.push(rule);
    }
    assert!(said.is_empty(), "{case}: only in C: {said:?}");
    compare::same(&ended.lines, &snapshot, trust);
    met
}

/// `V-n` from the beginning of a message.
fn rule(message: &str) -> String {
    message.split(':').next().unwrap().to_owned()
}
