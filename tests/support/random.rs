//! Random tests do the same each time, so that nothing lands or fails by luck, unless they are asked to search on:
//!
//! * `SHMETRICS_RANDOM_SEED=N` begins from another seed, `SHMETRICS_RANDOM_SEED=random` from one that is chosen anew in each process.
//!   A test that fails shows which it was.
//! * `SHMETRICS_RANDOM_TIMES=N` does N times the cases.
//!
//! `ci/long.sh` sets both. Unit tests include this file, too.
#![allow(dead_code)]

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::OnceLock;

use proptest::test_runner::{Config, RngSeed};

/// The seed if none is asked for. Any would do.
const FIXED: u64 = 0;

const SEED: &str = "SHMETRICS_RANDOM_SEED";
const TIMES: &str = "SHMETRICS_RANDOM_TIMES";

fn number(name: &str) -> Option<u64> {
    let said = std::env::var(name).ok()?;
    Some(
        said.parse()
            .unwrap_or_else(|_| panic!("{name} is {said:?}, no number")),
    )
}

/// The seed of this process. Printed: the harness shows what a failed test printed.
pub fn seed() -> u64 {
    static CHOSEN: OnceLock<u64> = OnceLock::new();
    let seed = *CHOSEN.get_or_init(|| match std::env::var(SEED) {
        // The standard library's maps have random keys.
        Ok(said) if said == "random" => RandomState::new().hash_one(std::process::id()),
        _ => number(SEED).unwrap_or(FIXED),
    });
    println!("to do it again: {SEED}={seed}");
    seed
}

/// How many times the usual number of cases are wanted.
pub fn times() -> u64 {
    number(TIMES).unwrap_or(1).max(1)
}

/// A runner of this many cases. Failures are printed with their input, and kept nowhere: who finds one writes a test of its name.
pub fn config(cases: u32) -> Config {
    Config {
        cases: u32::try_from(u64::from(cases) * times()).unwrap_or(u32::MAX),
        rng_seed: RngSeed::Fixed(seed()),
        failure_persistence: None,
        ..Config::default()
    }
}

/// Seeds for whatever is made from a number, like the segments of `shmetrics_conformance::generate`.
pub fn seeds(count: u64) -> Range<u64> {
    // Those of another seed follow far behind, and never wrap.
    let first = seed() % (1 << 32) * 1_000_003;
    first..first + count * times()
}
