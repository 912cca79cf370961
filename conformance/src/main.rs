//! Writes and checks golden files, makes random segments, expands golden files into segments.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use shmetrics_conformance::golden;
use shmetrics_conformance::hex::Dump;
use shmetrics_conformance::image::write_words;

const HELP: &str = "\
Segments made by hand, for tests and for other implementations of the shmetrics format

Usage:
  shmetrics-conformance golden --write DIR       write all golden files under DIR
  shmetrics-conformance golden --check DIR       compare the golden files under DIR with what would be written
  shmetrics-conformance generate --seed N PATH   make the random segment of a seed
  shmetrics-conformance expand FILE.hex PATH     make the segment of a golden file
  shmetrics-conformance --help

Examples:
  shmetrics-conformance golden --check tests/data
  shmetrics-conformance generate --seed 7 /dev/shm/seven
  shmetrics-conformance expand tests/data/valid/smallest.hex /dev/shm/smallest
  shmetrics snapshot /dev/shm/smallest

Frozen files are neither written nor checked.

Exit codes:
  0  done
  1  golden files differ
  2  usage, or a file that cannot be read or written
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["--help" | "-h"] => {
            print!("{HELP}");
            Ok(true)
        }
        ["golden", "--write", folder] => write(Path::new(folder)),
        ["golden", "--check", folder] => check(Path::new(folder)),
        ["generate", "--seed", seed, to] => generate(seed, Path::new(to)),
        ["expand", from, to] => expand(Path::new(from), Path::new(to)),
        _ => Err(io::Error::other("no such command; see --help")),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("shmetrics-conformance: {error}");
            ExitCode::from(2)
        }
    }
}

/// Every golden file by its name under the folder.
fn files() -> io::Result<BTreeMap<String, String>> {
    let scratch = std::env::temp_dir().join(format!("shmetrics-conformance-{}", std::process::id()));
    let mut files = BTreeMap::new();
    for golden in golden::all() {
        files.extend(golden.files(&scratch)?);
    }
    Ok(files)
}

fn write(folder: &Path) -> io::Result<bool> {
    for (name, content) in files()? {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        std::fs::write(path, content)?;
    }
    Ok(true)
}

fn check(folder: &Path) -> io::Result<bool> {
    let mut same = true;
    for (name, content) in files()? {
        let path = folder.join(name);
        if std::fs::read_to_string(&path).map_err(|error| named(&path, error))? != content {
            println!("{}: differs from what the golden segments give", path.display());
            same = false;
        }
    }
    Ok(same)
}

fn generate(seed: &str, to: &Path) -> io::Result<bool> {
    let seed = seed
        .parse()
        .map_err(|_| io::Error::other(format!("{seed:?} is no seed; give a whole number below 2^64")))?;
    let generated = shmetrics_conformance::generate::generate(seed);
    generated.image.write_to(to).map_err(|error| named(to, error))?;
    Ok(true)
}

fn expand(from: &Path, to: &Path) -> io::Result<bool> {
    let text = std::fs::read_to_string(from).map_err(|error| named(from, error))?;
    let dump = Dump::parse(&text).map_err(|error| named(from, io::Error::other(error)))?;
    write_words(to, &dump.words, dump.length).map_err(|error| named(to, error))?;
    Ok(true)
}

fn named(path: &Path, error: io::Error) -> io::Error {
    let path: PathBuf = path.to_owned();
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
