//! Both readers over one file: refused by the same rule, or the same records skipped for the same reasons and the same numbers shown.

use std::path::Path;

use shmetrics::layout::record::SHAPE_WORD;
use shmetrics::{Kind, OpenError, Reader, Snapshot};

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
        if at.is_none() && is_left_out(file, &snapshot, skipped.record) {
            continue;
        }
        said.remove(at.unwrap_or_else(|| panic!("{case}: {}: {ended:?}", skipped.reason)));
        met.push(rule);
    }
    // It leaves out the kinds for statistics, by name.
    let is_known = |line: &str| line.contains(": V-22 ") && line.contains("(statistics)");
    said.retain(|line| !is_known(line));
    assert!(said.is_empty(), "{case}: only in C: {said:?}");
    compare::same(&ended.lines, &snapshot, trust);
    met
}

/// Is a record of a kind that the reader in C leaves out, whatever else is wrong with it?
fn is_left_out(file: &Path, snapshot: &Snapshot, record: u64) -> bool {
    use std::os::unix::fs::FileExt;
    let geometry = snapshot.segment.as_ref().unwrap().geometry;
    let mut shape = [0; 8];
    let offset = geometry.record_offset(record) + 8 * SHAPE_WORD as u64;
    let file = std::fs::File::open(file).unwrap();
    file.read_exact_at(&mut shape, offset).unwrap();
    let code = (u64::from_ne_bytes(shape) >> 8) as u8;
    Kind::from_code(code).is_some_and(compare::is_left_out)
}

/// `V-n` from the beginning of a message.
fn rule(message: &str) -> String {
    message.split(':').next().unwrap().to_owned()
}
