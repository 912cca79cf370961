"""Scrapes at full rate while workers run: no error, memory flat, and what the workers pay for it."""

import re

from processes import Failed, InBackground, run

# Scrapes allocate buffers that grow once; what grows with every scrape would be far beyond after ten thousands of them.
MEMORY_SLACK_BYTES = 8 << 20
SECONDS = 10


def check(shmetrics, sidecar, address, app):
    def demo():
        work = [shmetrics, "demo", "--segment", app, "--workers", "1", "--threads", "1", "--kill", "0"]
        _, said = run([*work, "--increments", "50000000", "--record", "--format", "json"])
        return float(re.search(r"about ([0-9.]+) ns of processor time per increment", said).group(1))

    def scrape(seconds):
        printed, _ = run(["wrk", "-t1", "-c4", f"-d{seconds}s", "--timeout", "5s", f"{address}/metrics"])
        problems = re.search(r"Socket errors:.*|Non-2xx.*", printed)
        if problems:
            raise Failed(f"wrk: {problems.group()}")
        return float(re.search(r"Requests/sec:\s+([0-9.]+)", printed).group(1))

    scrape(1)
    alone = min(demo() for _ in range(3))
    before = sidecar.resident_bytes()
    scraping = InBackground(scrape, SECONDS)
    beside = []
    while scraping.running():
        beside.append(demo())
    rate = scraping.wait()
    after = sidecar.resident_bytes()
    if after > before + MEMORY_SLACK_BYTES:
        raise Failed(f"resident memory grew from {before} to {after} bytes")
    print(
        f"  {rate:.0f} scrapes/s for {SECONDS} s without an error; memory {before >> 10} to {after >> 10} KiB; "
        f"an increment with a record {min(beside) / alone:.2f} times its processor time without scrapes ({alone} ns)"
    )
