#!/bin/sh
# Model-checks the protocols: every good model must pass, every mutant must fail. Prints the seconds of each file.
# Writers run before readers, which already contains every behaviour of a reader that stores nothing (tests/loom_support/mod.rs);
# models in which several threads store are bounded to 2 to 4 preemptions.
set -eu
cd "$(dirname "$0")/.."

export RUSTFLAGS="--cfg shmetrics_loom"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target/loom}"
# Link-time optimisation costs more time here than it saves.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_DEBUG=0
# Models that fail on purpose would print their stacks.
export RUST_BACKTRACE=0

# One build for all files first, so that the seconds below are those of the models.
set --
for file in tests/loom_*.rs; do
    set -- "$@" --test "$(basename "$file" .rs)"
done
cargo test --locked --package shmetrics --release --no-run "$@"

all=$(date +%s)
for file in tests/loom_*.rs; do
    name=$(basename "$file" .rs)
    start=$(date +%s)
    cargo test --quiet --locked --package shmetrics --release --test "$name" -- --nocapture
    echo "$name: $(($(date +%s) - start)) s"
done
echo "all loom tests: $(($(date +%s) - all)) s"
