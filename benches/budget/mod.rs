//! What benchmarks that count instructions may take: their lines in a table, and a tenth more.

use gungraun::prelude::*;
use gungraun::{Callgrind, EventKind};

/// Of the budget, in percent. Room for what another minor version of the compiler does otherwise.
const ALLOWED_PERCENT: u64 = 110;

/// Above a size that depends on the processor the C library copies by one instruction that valgrind counts once per byte.
const NO_COPIES_BY_BYTE: (&str, &str) = ("GLIBC_TUNABLES", "glibc.cpu.x86_rep_movsb_threshold=1073741824");

/// Fails the benchmark beyond its budget in a table of lines `NAME INSTRUCTIONS`. One that is not there has a budget of nothing.
pub fn budget(table: &str, name: &str) -> LibraryBenchmarkConfig {
    let of = |line: &str| {
        line.strip_prefix(name)?
            .strip_prefix(' ')?
            .trim()
            .parse::<u64>()
            .ok()
    };
    let budget = table.lines().find_map(of).unwrap_or(0);
    let limit = budget * ALLOWED_PERCENT / 100;
    let callgrind = Callgrind::with_args(["--cache-sim=no"])
        .hard_limits([(EventKind::Ir, limit)])
        .format([EventKind::Ir])
        .clone();
    LibraryBenchmarkConfig::default()
        .envs([NO_COPIES_BY_BYTE])
        .tool(callgrind)
        .clone()
}
