//! shmetrics beside what a program would use instead, in one run on one machine.
//!
//! ```text
//! cargo run --release --manifest-path benches/peers/Cargo.toml                          everything, to the terminal
//! cargo run --release --manifest-path benches/peers/Cargo.toml -- record text           some sections
//! cargo run --release --manifest-path benches/peers/Cargo.toml -- --write BENCHMARKS.md    and into the document
//! ```
//!
//! `--quick` runs everything once, to see that it does; its numbers mean nothing. `--list` names the sections.
//!
//! Two controls say whether the harness can be believed: ten adds must take much longer than one, and one thing measured twice must
//! take the same. If not, the exit code is 1.

mod crowd;
mod machine;
mod measure;
mod peers;
mod plot;
mod report;
mod run;
mod scratch;
mod sections;
mod system;
mod together;

use std::path::Path;
use std::process::ExitCode;

use measure::{Alone, Contestant, OPERATIONS, Settings, alone, contestant};
use peers::{python, raw};
use report::Report;
use run::Run;
use scratch::Scratch;
use sections::{ALL, Section};

struct Arguments {
    quick: bool,
    write: Option<String>,
    sections: Vec<&'static Section>,
}

fn arguments() -> Result<Option<Arguments>, String> {
    let mut arguments = Arguments {
        quick: false,
        write: None,
        sections: Vec::new(),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--quick" | "--test" => arguments.quick = true,
            "--write" => arguments.write = Some(words.next().ok_or("--write needs a file")?),
            sections::start::ATTACH => {
                sections::start::attach_once(&words.next().ok_or("which segment?")?);
                return Ok(None);
            }
            "--list" => {
                ALL.iter().for_each(|section| println!("{}", section.name));
                return Ok(None);
            }
            name => {
                let section = ALL.iter().find(|section| section.name == name);
                let section = section.ok_or_else(|| {
                    let names: Vec<&str> = ALL.iter().map(|section| section.name).collect();
                    format!("no section `{name}`; there are {}", names.join(", "))
                })?;
                arguments.sections.push(section);
            }
        }
    }
    if arguments.sections.is_empty() {
        arguments.sections = ALL.iter().collect();
    }
    if arguments.quick && arguments.write.is_some() {
        return Err("numbers of --quick mean nothing: they are not written".to_owned());
    }
    Ok(Some(arguments))
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(Some(arguments)) => arguments,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let cpus = system::processors();
    system::pin(cpus[0]);
    if let Err(error) = controls() {
        eprintln!("the harness cannot be believed: {error}");
        return ExitCode::FAILURE;
    }
    let mut run = Run {
        settings: if arguments.quick {
            Settings::quick()
        } else {
            Settings::normal()
        },
        cpus,
        scratch: Scratch::new(),
        report: Report::default(),
        plots: Vec::new(),
        python: python::find(),
    };
    let machine = machine::describe(&run);
    println!("{machine}");
    let mut blocks = Vec::new();
    let mut missed = 0;
    for section in arguments.sections {
        println!("## {}\n", section.name);
        (section.measure)(&mut run);
        let report = std::mem::take(&mut run.report);
        missed += report.targets.iter().filter(|target| !target.met).count();
        blocks.push((section.name, report.markdown()));
    }
    if arguments.quick {
        println!("everything ran; the numbers above mean nothing");
        return ExitCode::SUCCESS;
    }
    println!("{missed} not reached");
    if let Some(path) = arguments.write {
        blocks.push(("machine", machine));
        if let Err(error) = write(&path, &blocks, &run.plots) {
            eprintln!("{path}: {error}");
            return ExitCode::FAILURE;
        }
        println!("written into {path}");
    }
    ExitCode::SUCCESS
}

/// Can it tell a slow thing from a fast one, and are equal things equal? The numbers are kept for nobody.
fn controls() -> Result<(), String> {
    let contestants: Vec<Contestant<Alone<'_>>> = vec![
        contestant("one add", raw::inc()),
        contestant("one add, again", raw::inc()),
        contestant("ten adds", raw::slow()),
    ];
    let all = alone(Settings::normal(), OPERATIONS as u64, &contestants);
    let (same, slow) = (all[1].times(&all[0]), all[2].times(&all[0]));
    println!("controls: the same again {same:.2} ×, ten adds {slow:.2} ×\n");
    if !(0.8..=1.25).contains(&same) {
        return Err(format!("the same thing took {same:.2} times as long"));
    }
    if slow < 4.0 {
        return Err(format!("ten adds took only {slow:.2} times as long as one"));
    }
    Ok(())
}

/// Writes each block into its place in the document, and drawings into `docs/plots` beside it.
fn write(path: &str, blocks: &[(&str, String)], plots: &[(String, String)]) -> Result<(), String> {
    let mut document = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    for (name, text) in blocks {
        document = report::replace(&document, name, text)?;
    }
    std::fs::write(path, document).map_err(|error| error.to_string())?;
    let folder = Path::new(path).with_file_name("docs").join("plots");
    for (name, drawing) in plots {
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        std::fs::write(folder.join(format!("{name}.svg")), drawing).map_err(|error| error.to_string())?;
    }
    Ok(())
}
