"""End to end: workers count and are killed, the sidecar serves, real servers scrape, and all must say the same.

    main.py PATH_OF_SHMETRICS

A folder in memory holds the segments; everything listens on the loopback interface; every process that is ended here was started here.
What is compared: the totals that Prometheus and VictoriaMetrics answer with are the snapshot's, exactly; quantiles agree within the
width of a bucket; no counter was ever seen to go down.
"""

import os
import shutil
import sys
import tempfile

import load
import misuse
import parsers
import scrapes
from processes import Failed, Server, free_port, step


def main():
    shmetrics = os.path.abspath(sys.argv[1])
    base = "/dev/shm" if os.path.isdir("/dev/shm") else None
    folder = tempfile.mkdtemp(prefix="shmetrics-e2e-", dir=base)
    try:
        check_all(shmetrics, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("end to end: everybody says the same")


def check_all(shmetrics, folder):
    segments = os.path.join(folder, "segments")
    os.mkdir(segments)
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    # Readers that appear while the server runs are part of the test: the folder is empty when it starts.
    command = [shmetrics, "serve", segments, f"--web.listen-address=127.0.0.1:{port}"]
    with Server("shmetrics serve", command, os.path.join(folder, "serve.log")) as sidecar:
        try:
            sidecar.ready(f"{address}/-/healthy")
            app = os.path.join(segments, "app")
            with step("scraped while workers are killed"):
                scrapes.check(shmetrics, folder, address, app)
            with step("parsers and promtool"):
                parsers.check(shmetrics, address, segments)
            with step("clients that misbehave"):
                misuse.check(address, port)
            with step("load"):
                load.check(shmetrics, sidecar, address, app)
        except Failed:
            print(sidecar.said(), file=sys.stderr)
            raise


if __name__ == "__main__":
    try:
        main()
    except Failed as problem:
        print(f"end to end: {problem}", file=sys.stderr)
        sys.exit(1)
