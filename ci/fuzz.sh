#!/usr/bin/env bash
# Fuzzes the reader and the verifier, from the golden files on: ci/fuzz.sh [SECONDS]. What it finds stays in fuzz/artifacts/; run one
# again with: RUSTC_BOOTSTRAP=1 cargo fuzz run segment fuzz/artifacts/segment/FILE
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}

# cargo-fuzz drives libFuzzer; the sanitizer's runtime comes with the toolchain.
version=0.13.2
tools=$PWD/target/tools
if ! "$tools/bin/cargo-fuzz" --version 2>/dev/null | grep --quiet --fixed-strings "$version"; then
    cargo install cargo-fuzz --version "$version" --locked --quiet --root "$tools"
fi
# libFuzzer is C++.
if ! command -v c++ >/dev/null; then
    { apt-get update && apt-get install --yes --no-install-recommends g++; } >/dev/null
fi

# The file that inputs become is in here; whoever is stopped by a limit cannot remove it.
SHMETRICS_FUZZ_FOLDER=$(mktemp -d /dev/shm/shmetrics-fuzz-XXXXXX 2>/dev/null || mktemp -d)
export SHMETRICS_FUZZ_FOLDER
trap 'rm -rf "$SHMETRICS_FUZZ_FOLDER"' EXIT

cargo run --quiet --locked --release --manifest-path fuzz/Cargo.toml --bin seeds -- tests/data fuzz/corpus/segment
# The flags for sanitizers and coverage are unstable; with this the stable compiler takes them.
export RUSTC_BOOTSTRAP=1
# As for all random tests (tests/support/random.rs); to libFuzzer 0 is any.
case ${SHMETRICS_RANDOM_SEED:-1} in
    random) seed=0 ;;
    *) seed=$((${SHMETRICS_RANDOM_SEED:-0} % 4294967295 + 1)) ;;
esac
# Limits: an input is at most the words of a full small segment; a second is a thousand times what one takes.
"$tools/bin/cargo-fuzz" fuzz run segment --release -- \
    -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=200000 -seed="$seed" -print_final_stats=1
