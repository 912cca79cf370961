#!/usr/bin/env bash
# Readers and writers under the address sanitizer while another process scribbles over their segment: ci/hostile.sh [TIMES], so many
# times what CI does. Overflow checks are on. SHMETRICS_RANDOM_SEED as in tests/support/random.rs.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "$(uname -m)" != x86_64 ]; then
    echo "skipped: the address sanitizer is only known to work here on x86_64, this is $(uname -m)"
    exit 0
fi
# The flag is unstable; with this the stable compiler takes it. Its runtime comes with the toolchain.
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="-Zsanitizer=address"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}/hostile"
# What is still allocated when a test binary ends is of no interest, and the other process is killed.
export ASAN_OPTIONS="detect_leaks=0:abort_on_error=1:${ASAN_OPTIONS:-}"
export SHMETRICS_RANDOM_TIMES=${1:-1}
# With a target of its own, build scripts and macros are left alone.
cargo test --locked --package shmetrics --all-features --target x86_64-unknown-linux-gnu --test scribble -- --nocapture
