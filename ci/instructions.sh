#!/bin/sh
# Counts the instructions of single operations, and of expositions, under valgrind (benches/instructions.rs of the library and of
# exposition/) and prints them beside their budgets; fails if one takes more than a tenth above its budget. The numbers do not depend
# on how busy the machine is.
#
#     ci/instructions.sh            compare with the tables benches/instructions.budget
#     ci/instructions.sh --renew    write what was counted into them: after a change that is worth its cost, or with another compiler
set -eu
cd "$(dirname "$0")/.."

if [ "$(uname -m)" != x86_64 ]; then
    echo "skipped: instruction budgets are those of x86_64, this is $(uname -m)"
    exit 0
fi
if ! command -v valgrind >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    { apt-get update && apt-get install --yes --no-install-recommends valgrind; } >/dev/null
fi
if ! command -v valgrind >/dev/null; then
    echo "skipped: there is no valgrind, and it can be installed by root with apt-get only"
    exit 0
fi

# The runner must have the version of the library that the benchmarks are built with.
version=$(awk '$3 == "\"gungraun\"" { getline; gsub(/"/, "", $3); print $3 }' Cargo.lock)
mkdir -p "${CARGO_TARGET_DIR:-target}/tools"
tools=$(cd "${CARGO_TARGET_DIR:-target}/tools" && pwd)
if [ "$("$tools/bin/gungraun-runner" --version 2>/dev/null | awk '{ print $2 }')" != "$version" ]; then
    cargo install --quiet --locked --force --root "$tools" --version "$version" gungraun-runner
fi

renew=${1:-}
report=$(mktemp)
trap 'rm -f "$report" "$report.budget"' EXIT

# NAME INSTRUCTIONS, in the order of the benchmarks.
counts() {
    awk '/^instructions::all::/ { split($1, part, "::"); name = part[3] }
        /^ *Instructions:/ { split($2, number, "|"); print name, number[1] }' "$report"
}

# FOLDER [OPTION...]: the benchmarks of the package in this folder, built with these options.
measure() {
    budgets=$1/benches/instructions.budget status=0
    manifest=$1/Cargo.toml
    shift
    GUNGRAUN_RUNNER="$tools/bin/gungraun-runner" \
        cargo bench --quiet --locked --manifest-path "$manifest" "$@" --bench instructions -- --color never >"$report" 2>&1 || status=$?
    # 3 says that some are over their budget; anything else is a failure of the program.
    if [ "$status" != 0 ] && [ "$status" != 3 ] && ! grep -q "exceeds limit" "$report" || [ -z "$(counts)" ]; then
        cat "$report"
        exit 1
    fi
    if [ "$renew" = --renew ]; then
        { sed -n '/^#/p' "$budgets"; counts; } >"$report.budget"
        mv "$report.budget" "$budgets"
        echo "$budgets is renewed"
        return
    fi
    counts | awk -v budgets="$budgets" '
        BEGIN { while ((getline line < budgets) > 0) { split(line, part, " "); if (line !~ /^#/) { budget[part[1]] = part[2]; missing[part[1]] } }
            printf "%-28s %12s %12s %8s\n", "instructions of", "counted", "budget", "" }
        { over = $2 > int(budget[$1] * 110 / 100)
            printf "%-28s %12d %12d %7.1f%%%s\n", $1, $2, budget[$1], (budget[$1] ? 100 * $2 / budget[$1] : 0), (over ? " OVER" : "")
            failed = failed || over; delete missing[$1] }
        END { for (name in missing) { print name " has a budget and was not counted"; failed = 1 }
            exit failed }' || status=3
    [ "$status" = 0 ] || failed=1
}

failed=0
measure . --features stats
measure exposition
if [ "$failed" != 0 ]; then
    echo "FAILED: over budget by more than a tenth (a new benchmark has no budget yet), or not counted; ci/instructions.sh --renew takes them over"
    exit 1
fi
