#!/bin/bash
# The format on other machines, under qemu's user mode; the kernel is this one's:
#
# * aarch64: the reader in C says of every golden segment, and of one that the library wrote, what it says here. Workers of both machines
#   count in one segment at once, and readers of both show the exact totals. The tests of the library, of the layout, of the golden files
#   and of SPEC.md's tables pass there.
# * s390x, which has the other byte order: the reader in C refuses every segment of this machine by V-3.
#
# What this cannot show: qemu runs on this machine's memory, which is ordered more strictly than that of aarch64. Orders are the subject
# of ci/aarch64.sh and of loom.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/skip.sh

target=aarch64-unknown-linux-gnu
installed aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu libc6-dev-arm64-cross || skip "other machines: there is no gcc-aarch64-linux-gnu"
installed s390x-linux-gnu-gcc gcc-s390x-linux-gnu libc6-dev-s390x-cross || skip "other machines: there is no gcc-s390x-linux-gnu"
installed qemu-s390x qemu-user && installed qemu-aarch64 qemu-user || skip "other machines: there is no qemu-user"

base=/tmp
if [ -d /dev/shm ]; then base=/dev/shm; fi
work=$(mktemp -d "$base/shmetrics-machines-XXXXXX")
trap 'rm -rf "$work"' EXIT

fail() {
    echo "FAILED: $*"
    exit 1
}

strict=(-std=c11 -O2 -Wall -Wextra -Werror -I include -static)
gcc "${strict[@]}" examples/read.c -o "$work/read" -lm
for machine in aarch64 s390x; do
    $machine-linux-gnu-gcc "${strict[@]}" examples/read.c -o "$work/read-$machine" -lm
done

# said PROGRAM... SEGMENT: what a reader says, its errors and its exit code included, in $said.
said() {
    local code=0
    said=$("$@" 2>&1) || code=$?
    said="$said
exit code $code"
}

cargo build --quiet --locked --release --package shmetrics-conformance --package shmetrics-probes
programs=${CARGO_TARGET_DIR:-target}/release
compared=0
refused=0
for golden in tests/data/*/*.hex; do
    name=$(basename "$golden" .hex)
    "$programs/shmetrics-conformance" expand "$golden" "$work/golden"
    said "$work/read" "$work/golden"
    here=$said
    said qemu-aarch64 "$work/read-aarch64" "$work/golden"
    [ "$said" = "$here" ] || fail "$name: aarch64 says
$said
and this machine
$here"
    compared=$((compared + 1))
    said qemu-s390x "$work/read-s390x" "$work/golden"
    case $name in
    # No magic word to swap, or one that is swapped already: this is where the other byte order's own segments begin.
    v1_* | v2_* | v4_*) [ "$said" = "$here" ] || fail "$name: s390x says $said" ;;
    v3_*) [[ $said != *V-3* && $said == *"exit code 1" ]] || fail "$name: s390x says $said" ;;
    *)
        [[ $said == *"V-3 OtherEndianness"*"exit code 1" ]] || fail "$name: s390x says $said"
        refused=$((refused + 1))
        ;;
    esac
done
[ "$compared" -gt 70 ] && [ "$refused" -gt 60 ] || fail "$compared compared and $refused refused are too few"
echo "reader in C: of $compared golden segments aarch64 says what this machine says; s390x refuses $refused by V-3"

"$programs/segment" count "$work/segment" 100000
said "$work/read" "$work/segment"
here=$said
said qemu-aarch64 "$work/read-aarch64" "$work/segment"
[ "$said" = "$here" ] || fail "aarch64 says of a segment of this machine: $said, and this machine: $here"
echo "$here" | grep -q '^requests_total{kind="é"} 100000$' || fail "$here"
said qemu-s390x "$work/read-s390x" "$work/segment"
[[ $said == *"V-3 OtherEndianness"* ]] || fail "s390x says $said"

if [ ! -d "$(rustc --print target-libdir --target $target)" ]; then
    RUSTC=$(ci/second_compiler.sh arm64) || skip "the library on aarch64: no standard library for $target"
    export RUSTC
fi
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"
export QEMU_LD_PREFIX=/usr/aarch64-linux-gnu
# As ci/aarch64.sh builds them.
RUSTFLAGS="-C collapse-macro-debuginfo=yes" \
    cargo build --quiet --locked --release --package shmetrics-probes --bins --target $target
other=${CARGO_TARGET_DIR:-target}/$target/release/segment

# Two of each machine at once, in one segment.
workers=()
for worker in 1 2; do
    "$programs/segment" count "$work/both" 300000 &
    workers+=($!)
    qemu-aarch64 "$other" count "$work/both" 300000 &
    workers+=($!)
done
for worker in "${workers[@]}"; do wait "$worker"; done
said "$programs/segment" show "$work/both"
here=$said
said qemu-aarch64 "$other" show "$work/both"
[ "$said" = "$here" ] || fail "the reader on aarch64 says $said, and here $here"
for expected in 'requests_total .*CounterU64(1200000)' 'weight_total .*CounterF64(600000.0)' 'depth .*GaugeI64(Some(299999))' \
    'latency_seconds .*count: 1200000, .*Exact' 'windows .*count: 1200000, .*Exact'; do
    echo "$here" | grep -q "^$expected" || fail "no $expected in $here"
done
said "$work/read" "$work/both"
here=$said
said qemu-aarch64 "$work/read-aarch64" "$work/both"
[ "$said" = "$here" ] || fail "the reader in C on aarch64 says $said, and here $here"
echo "$here" | grep -q '^requests_total{kind="é"} 1200000$' || fail "$here"
echo "one segment: two workers of each machine at once, 1200000 counts and records, exact on both"

cargo test --quiet --locked --package shmetrics --target $target --lib --test golden --test spec
