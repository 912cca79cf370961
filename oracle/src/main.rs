//! The single-step oracle: an operation of a writer runs in a child that is stopped at every instruction. At each stop a reader looks at
//! the segment through its own mapping; for each state of the file that is new, the writer is taken for dead: a copy is verified, adopted
//! by another process, and counted on.
//!
//! ```text
//! cargo run --release -p shmetrics-oracle            all operations, a line each
//! cargo run --release -p shmetrics-oracle -- NAME …  some of them
//! cargo run --release -p shmetrics-oracle -- --seed 7 --seconds 1200 [NAME …]
//!                                                    again and again for so long, each time after another history
//! cargo run --release -p shmetrics-oracle -- --history N [NAME …]
//!                                                    after the history that a failure names
//! cargo run -p shmetrics-oracle -- --list            what there is
//! ```
//!
//! A history is what happened in the segment before the operation; it follows from a number. Ends with 0 if nothing is wrong, 1 if something is, 2 if it is called wrongly or cannot trace here.
//!
//! What it cannot see: orders that only another machine's memory model allows (loom does), two writers at once (the storms do).

mod judge;
mod operation;
mod run;
mod scene;
mod tracee;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use operation::OPERATIONS;
use run::Outcome;

/// What is asked for.
struct Asked {
    names: Vec<String>,
    seed: Option<u64>,
    history: Option<u64>,
    seconds: u64,
}

fn asked() -> Result<Asked, String> {
    let mut asked = Asked {
        names: Vec::new(),
        seed: None,
        history: None,
        seconds: 0,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || {
            let value = words.next().unwrap_or_default();
            let number = value.parse::<u64>();
            number.map_err(|_| format!("{word} needs a whole number, not {value:?}"))
        };
        match word.as_str() {
            "--seed" => asked.seed = Some(number()?),
            "--history" => asked.history = Some(number()?),
            "--seconds" => asked.seconds = number()?,
            name if OPERATIONS.iter().any(|operation| operation.name == name) => asked.names.push(word),
            unknown => return Err(format!("no operation {unknown:?}; --list says what there is")),
        }
    }
    Ok(asked)
}

fn main() -> ExitCode {
    if let Some(task) = std::env::var_os(tracee::TASK) {
        return operation::child(&task.to_string_lossy());
    }
    if std::env::args().any(|word| word == "--list") {
        for operation in OPERATIONS {
            println!("{:<24} {}", operation.name, operation.about);
        }
        return ExitCode::SUCCESS;
    }
    let told = asked().and_then(|asked| rounds(&asked));
    match told {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("shmetrics-oracle: {problem}");
            ExitCode::from(2)
        }
    }
}

/// Runs what is asked for, once or as often as there is time. `true`: nothing is wrong.
fn rounds(asked: &Asked) -> Result<bool, String> {
    let operations: Vec<_> = OPERATIONS
        .iter()
        .filter(|operation| asked.names.is_empty() || asked.names.iter().any(|name| name == operation.name))
        .collect();
    let mut outcomes: Vec<Outcome> = operations.iter().map(|_| Outcome::default()).collect();
    let end = Instant::now() + Duration::from_secs(asked.seconds);
    let mut seeds = scene::Random(asked.seed.unwrap_or_default());
    let mut number = 0;
    loop {
        // The first round has none, unless it is asked for.
        let drawn = || (asked.seed.is_some() || number > 0).then(|| seeds.next());
        let history = asked.history.or_else(drawn);
        for (operation, outcome) in operations.iter().zip(&mut outcomes) {
            let mut new =
                run::run(operation, history).map_err(|error| format!("{}: {error}", operation.name))?;
            if let Some(history) = history {
                let after = format!("{} after history {history}", operation.name);
                new.failures
                    .iter_mut()
                    .for_each(|failure| *failure = format!("{after}: {failure}"));
            }
            outcome.add(new);
        }
        number += 1;
        if Instant::now() >= end {
            break;
        }
    }
    println!(
        "{:<24} {:>12} {:>8} {:>10} {:>9}",
        "operation", "instructions", "states", "in flight", "failures"
    );
    let mut all = Outcome::default();
    for (operation, outcome) in operations.iter().zip(outcomes) {
        line(operation.name, &outcome);
        outcome
            .failures
            .iter()
            .take(10)
            .for_each(|failure| println!("    {failure}"));
        all.add(outcome);
    }
    line(&format!("all, {number} times"), &all);
    Ok(all.failures.is_empty())
}

fn line(name: &str, outcome: &Outcome) {
    println!(
        "{name:<24} {:>12} {:>8} {:>10} {:>9}",
        outcome.instructions,
        outcome.states,
        outcome.in_flight,
        outcome.failures.len()
    );
}
