//! Starting this program again, and ending with one's parent.

use std::path::PathBuf;

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use crate::exit::{Failure, io_failure};

/// This very program, also if its file was replaced meanwhile.
pub(crate) fn own_program() -> PathBuf {
    let link = PathBuf::from("/proc/self/exe");
    if link.exists() {
        link
    } else {
        std::env::current_exe().unwrap_or(link)
    }
}

/// Whatever happens to who started it, no worker is left behind. `command` is what people run.
pub(crate) fn die_with_parent(parent: u32, command: &str) -> Result<(), Failure> {
    let set = set_parent_process_death_signal(Some(Signal::KILL));
    set.map_err(|error| {
        io_failure(
            &format!("tie the worker to the {command}"),
            &error.into(),
            "prctl(2) must be allowed",
        )
    })?;
    // It may have died before.
    match getppid() {
        Some(pid) if pid.as_raw_nonzero().get().unsigned_abs() == parent => Ok(()),
        _ => Err(Failure::Input(format!(
            "the {command} that started this worker is gone; run `shmetrics {command}`"
        ))),
    }
}
