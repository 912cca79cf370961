# To be read into the checks of this folder: what they cannot do on a machine they say, and end well; with SHMETRICS_NO_SKIPS=1 they fail.

# skip REASON: ends the check.
skip() {
    echo "skipped: $1"
    if [ "${SHMETRICS_NO_SKIPS:-}" = 1 ]; then
        echo "FAILED: with SHMETRICS_NO_SKIPS=1 nothing may be skipped"
        exit 1
    fi
    exit 0
}

# installed PROGRAM PACKAGE...: is the program there, or can the packages be installed that have it?
installed() {
    program=$1
    shift
    if ! command -v "$program" >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        # Of many sources one may not be reached, and not be needed.
        { apt-get update || true; apt-get install --yes --no-install-recommends "$@" || true; } >/dev/null 2>&1
    fi
    command -v "$program" >/dev/null
}
