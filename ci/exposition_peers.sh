#!/usr/bin/env bash
# Other people's parsers read what exposition/ writes: the strict OpenMetrics parser and the text parser of the Prometheus client
# library for Python (in a virtual environment under the target folder) and promtool. Without them those tests are skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

peers=${CARGO_TARGET_DIR:-target}/exposition_peers
mkdir -p "$peers"
peers=$(cd "$peers" && pwd)

if [ ! -x "$peers/venv/bin/python" ] || ! "$peers/venv/bin/python" -c 'import prometheus_client' 2>/dev/null; then
    rm -rf "$peers/venv"
    python3 -m venv "$peers/venv"
    # Quoted names are read from 0.22 on.
    "$peers/venv/bin/pip" install --quiet 'prometheus_client>=0.22'
fi
if [ ! -x "$peers/promtool" ]; then
    if command -v promtool >/dev/null; then
        ln -sf "$(command -v promtool)" "$peers/promtool"
    else
        # Only the program is wanted, not the service that the package would start.
        packages=$(mktemp -d)
        trap 'rm -rf "$packages"' EXIT
        (cd "$packages" && { apt-get download prometheus || { apt-get update && apt-get download prometheus; }; } >/dev/null 2>&1)
        dpkg-deb --extract "$packages"/prometheus_*.deb "$packages/content"
        cp "$packages/content/usr/bin/promtool" "$peers/promtool"
    fi
fi

SHMETRICS_PEERS=$peers SHMETRICS_NO_SKIPS=1 cargo test --locked --package shmetrics-exposition --test formats strict
