#!/usr/bin/env bash
# The sidecar against the real programs: Prometheus (text and protobuf), promtool, VictoriaMetrics, the strict OpenMetrics parser of
# Prometheus' Python client, wrk, and clients that misbehave, while workers count and are killed. See ci/e2e/main.py.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
command -v prometheus >/dev/null && command -v promtool >/dev/null || missing+=(prometheus)
command -v victoria-metrics >/dev/null || missing+=(victoria-metrics)
command -v wrk >/dev/null || missing+=(wrk)
python3 -c "import ensurepip, json, urllib.request" 2>/dev/null || missing+=(python3 python3-venv)
if [ "${#missing[@]}" != 0 ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "missing, and nobody here may install it: ${missing[*]}"
        exit 1
    fi
    # Run level 1: their services stay off, the test starts its own.
    { apt-get update && RUNLEVEL=1 apt-get install --yes --no-install-recommends "${missing[@]}"; } >/dev/null
fi

# The strict parser; the version is the one that the expectations were checked with.
client=0.26.0
venv=$PWD/target/tools/python
if ! "$venv/bin/python" -c "import importlib.metadata as m; assert m.version('prometheus_client') == '$client'" 2>/dev/null; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "prometheus_client==$client"
fi

cargo build --quiet --locked --release --package shmetrics-reader
"$venv/bin/python" ci/e2e/main.py "${CARGO_TARGET_DIR:-target}/release/shmetrics"
