#!/usr/bin/env bash
# What CI has no time for: ci/long.sh [MINUTES [SEED]]. Single steps after ever other histories, a storm, and the fuzzer, each for so many
# minutes (20 if not said); then the random tests with many times the cases. The seed is the time if none is given; whatever fails prints
# how to do it again. The figures of RELIABILITY.md are from here.
set -euo pipefail
cd "$(dirname "$0")/.."
minutes=${1:-20}
seed=${2:-$(date +%s)}
part() {
    echo "==> $*"
    "$@"
}
# How many times what CI does; a case of `damage` takes a millisecond, one of `model` forks.
random() {
    local times=$1
    shift
    part env SHMETRICS_RANDOM_SEED="$seed" SHMETRICS_RANDOM_TIMES="$times" \
        cargo test --quiet --locked --release --package shmetrics --all-features "$@"
}
echo "seed $seed, $minutes minutes each, $(date --utc +%F), $(uname -sr), $(nproc) cores"
part cargo run --quiet --locked --release --package shmetrics-oracle -- --seed "$seed" --seconds $((minutes * 60))
part cargo run --quiet --locked --release --package shmetrics-reader -- torture --seed "$seed" --duration "${minutes}m" --format table
part ci/fuzz.sh $((minutes * 60))
random 200 --lib
random 50 --test damage
random 50 --test verify random_damage_is_survived
random 20 --test generated
random 10 --test conformance both_readers
random 5 --test model
part env SHMETRICS_RANDOM_SEED="$seed" ci/hostile.sh 50
