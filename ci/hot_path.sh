#!/bin/sh
# Looks at what the compiler made of the hot path in a real program, examples/worker: a counter's `inc` must be a plain add to memory,
# without a lock prefix and without a call before it returns; a histogram's `record` must do without lock and call, too.
# The hot path is what runs from a function's start to its first `ret`; behind that lie the branches marked cold, which may call.
set -eu
cd "$(dirname "$0")/.."

if ! command -v objdump >/dev/null; then
    echo "hot path: skipped, there is no objdump (binutils)"
    exit 0
fi
if [ "$(uname -m)" != x86_64 ]; then
    echo "hot path: skipped, the patterns below are for x86_64, this is $(uname -m)"
    exit 0
fi

cargo build --quiet --locked --release --example worker
listing=$(mktemp)
trap 'rm -f "$listing"' EXIT
objdump --disassemble --demangle --no-show-raw-insn "${CARGO_TARGET_DIR:-target}/release/examples/worker" >"$listing"

# The instructions of worker::$1, one per line, without addresses, comments and padding. Behind the name there may be a hash, and what a clone is
# called by.
instructions() {
    awk -v start="^[0-9a-f]+ <worker::$1(::h[0-9a-f]+)?([.[ ].*)?>:\$" '
        $0 ~ start { inside = 1; next }
        /^$/ { inside = 0 }
        inside && !/\tint3|\tnop|\tcs nopw|\tdata16|\txchg +%ax,%ax/ { sub(/^ *[0-9a-f]+:\t/, ""); sub(/ +#.*/, ""); print }
    ' "$listing"
}

failed=0
# fails TEXT FOUND: a finding, unless nothing was found.
fails() {
    if [ -n "$2" ]; then
        printf 'FAILED: %s: %s\n' "$1" "$2"
        failed=1
    fi
}

for function in count_one record_one; do
    all=$(instructions "$function")
    printf '%s:\n' "$function"
    if [ -z "$all" ]; then
        fails "$function" "not found in the binary"
        continue
    fi
    hot=$(printf '%s\n' "$all" | sed '/^ret/q')
    printf '%s\n' "$hot" | sed 's/^/    /'
    echo "    (cold: $(($(printf '%s\n' "$all" | wc -l) - $(printf '%s\n' "$hot" | wc -l))) instructions)"

    # Cold branches are looked at, too: shared memory of other threads is touched only in functions that they call.
    # `xchg` with memory locks without saying so.
    fails "$function locks" "$(printf '%s\n' "$all" | grep -E '^(lock|[a-z]*fence|xchg.*\()' || true)"
    fails "$function calls on the hot path" "$(printf '%s\n' "$hot" | grep -E '^(call|syscall)' || true)"
    # The layout this script counts on: no way out of the hot path but conditional branches and its `ret`.
    fails "$function jumps away from the hot path" "$(printf '%s\n' "$hot" | grep -E '^jmp' || true)"
    printf '%s\n' "$hot" | grep -q '^ret' || fails "$function" "has no ret"
    # A record is several stores, however the compiler makes them; a count is this one instruction, or a killed thread could lose more
    # than the count it was at. AT&T syntax: the destination is last.
    if [ "$function" = count_one ]; then
        printf '%s\n' "$hot" | grep -qE '^(add|inc)[a-z]* .*\)$' || fails "$function" "has no add to memory"
    fi
done
if [ "$failed" = 0 ]; then
    echo "hot path: a plain add, no lock, no call"
fi
exit "$failed"
