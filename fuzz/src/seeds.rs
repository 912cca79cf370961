//! Writes the golden files as inputs: `seeds DATA FOLDER`.

use std::path::PathBuf;

use shmetrics_conformance::hex::Dump;
use shmetrics_fuzz::sparse::{MAX_FILE_LENGTH, Sparse};

fn main() {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(data), Some(folder)) = (arguments.next(), arguments.next()) else {
        panic!("usage: seeds tests/data FOLDER");
    };
    std::fs::create_dir_all(&folder).unwrap();
    let mut written = 0;
    for kind in ["valid", "damaged", "invalid"] {
        for entry in std::fs::read_dir(data.join(kind)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "hex") {
                continue;
            }
            let dump = Dump::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
            assert!(
                dump.length <= MAX_FILE_LENGTH.into(),
                "{} is too long to be an input",
                path.display()
            );
            let name = format!("{kind}-{}", path.file_stem().unwrap().display());
            std::fs::write(
                folder.join(name),
                Sparse::of_words(&dump.words, dump.length).encode(),
            )
            .unwrap();
            written += 1;
        }
    }
    assert!(
        written > 20,
        "only {written} golden files under {}",
        data.display()
    );
    println!("{written} seeds");
}
