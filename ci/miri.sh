#!/bin/sh
# The protocols, the buckets, the layout and the words under Miri, which finds undefined behaviour, data races, and stale values that
# weak memory allows. Their tests run on the heap, the protocols also with threads: they map nothing and ask the system for nothing
# else. What does is left out: Miri knows no shared mapping and none of the system calls behind it. Other executions:
# MIRIFLAGS=-Zmiri-seed=N.
set -eu
cd "$(dirname "$0")/.."
. ci/skip.sh

# Any toolchain that has it, the default one first.
for toolchain in '' $(rustup toolchain list 2>/dev/null | awk '{ print "+" $1 }'); do
    # shellcheck disable=SC2086
    if cargo $toolchain miri --version >/dev/null 2>&1; then
        # Proptest looks for files of earlier failures, and cases are slow here.
        MIRIFLAGS="-Zmiri-disable-isolation ${MIRIFLAGS:-}" PROPTEST_CASES=4 CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/miri" \
            cargo $toolchain miri test --locked --package shmetrics --lib -- protocol:: buckets:: layout:: words::
        exit 0
    fi
done
skip "miri: no toolchain here has it (rustup +nightly component add miri rust-src)"
