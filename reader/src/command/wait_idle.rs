//! `wait-idle`: waits until nothing is in flight in any process.

use shmetrics::stats::health::{Waited, wait_until_idle};
use shmetrics::{Kind, Reader};

use crate::cli::WaitIdle;
use crate::exit::Failure;
use crate::{discover, terminal};

pub(crate) fn run(flags: &WaitIdle) -> Result<(), Failure> {
    let mut reader = discover::open_reader(flags.path.as_deref())?;
    if let Some(series) = &flags.series {
        check(&mut reader, series)?;
    }
    match wait_until_idle(&mut reader, flags.series.as_deref(), flags.timeout)? {
        Waited::TimedOut { in_flight } => Err(Failure::Check(format!(
            "{in_flight} in flight after {:?}; wait longer, or see who works on what with `shmetrics snapshot`",
            flags.timeout
        ))),
        _ => terminal::print("nothing is in flight\n"),
    }
}

/// A name that nothing has would be idle for ever.
fn check(reader: &mut Reader, name: &str) -> Result<(), Failure> {
    let snapshot = reader.snapshot()?;
    let mut series = snapshot.series.iter().map(|series| &series.description);
    if series.any(|found| found.name == name && found.kind == Kind::InFlight) {
        return Ok(());
    }
    Err(Failure::Input(format!(
        "no series {} says what is in flight; see `shmetrics snapshot`",
        terminal::quoted(name)
    )))
}
