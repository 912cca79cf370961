#!/bin/bash
# Tests under sanitizers, each after programs with a fault on purpose, which it must find, and one without.
#
# * The thread sanitizer: the unit tests, threads, and exactness. It follows each atomic access of the mapping, and finds plain accesses
#   that no release and acquire orders. It does not know fences: what only a fence orders would be reported, unless it is atomic, as all
#   shared words are. The standard library is built with it: as it comes, its own synchronisation is invisible, and every `Arc`
#   would be reported. So nothing has to be suppressed.
# * The address sanitizer, which also looks for leaks: the unit tests.
#
# Both are unstable flags of the stable compiler (RUSTC_BOOTSTRAP=1), in a target folder of their own.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/skip.sh

target=x86_64-unknown-linux-gnu
[ "$(uname -m)" = x86_64 ] || skip "sanitizers: the runtimes are looked for on x86-64, this is $(uname -m)"
installed cc gcc libc6-dev || skip "sanitizers: there is no C compiler to link with"
stable=$(rustc --print target-libdir)
stable_compiler=${RUSTC:-rustc}
# Lines are all that a report needs, and quicker to make than the rest.
export RUSTC_BOOTSTRAP=1 RUST_BACKTRACE=0 CARGO_PROFILE_DEV_DEBUG=line-tables-only

# finds FAULT WHAT: the program with the fault is reported.
finds() {
    local said code=0
    said=$("$faults" "$1" 2>&1) || code=$?
    if [ "$code" = 0 ] || [[ $said != *"$2"* ]]; then
        echo "FAILED: $1 is not found (exit code $code): $said"
        exit 1
    fi
    echo "found as it must be: $1 ($2)"
}

address() {
    # `cargo` and its tests inherit what is set for the sanitizer.
    export RUSTC=$stable_compiler CARGO_TARGET_DIR=$folder/address
    export RUSTFLAGS="-Zsanitizer=address -Cunsafe-allow-abi-mismatch=sanitizer" ASAN_OPTIONS=detect_leaks=1
    ls "$stable"/librustc-*_rt.asan.a >/dev/null 2>&1 || skip "address sanitizer: the toolchain has no runtime for it"
    cargo build --quiet --locked --package shmetrics-probes --bin faults --target $target
    faults=$CARGO_TARGET_DIR/$target/debug/faults
    "$faults" sound
    finds use-after-free heap-use-after-free
    finds leak LeakSanitizer
    cargo test --quiet --locked --package shmetrics --target $target --lib
}

thread() {
    if [ ! -e "$(rustc --print sysroot)/lib/rustlib/src/rust/library/Cargo.lock" ]; then
        RUSTC=$(ci/second_compiler.sh source) || skip "thread sanitizer: the standard library's source is missing"
        export RUSTC
        # Debian's compiler comes without the runtime; that of the toolchain has the same interface.
        runtime=$(ls "$stable"/librustc-*_rt.tsan.a 2>/dev/null) || skip "thread sanitizer: the toolchain has no runtime for it"
        cp "$runtime" "$("$RUSTC" --print target-libdir)/librustc-stable_rt.tsan.a"
    fi
    export CARGO_TARGET_DIR=$folder/thread RUSTFLAGS="-Zsanitizer=thread" TSAN_OPTIONS=exitcode=66
    cargo build --quiet --locked -Zbuild-std --package shmetrics-probes --bin faults --target $target
    faults=$CARGO_TARGET_DIR/$target/debug/faults
    "$faults" sound
    finds race "data race"
    cargo test --quiet --locked -Zbuild-std --package shmetrics --target $target --lib --test threads --test exactness
}

folder=${CARGO_TARGET_DIR:-$PWD/target}/sanitizers
# Each by itself, so that what one cannot do here does not keep the other from it.
(address)
(thread)
