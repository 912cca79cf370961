"""client_python in multiprocess mode: what python.rs asks for. Prints `NAME NANOSECONDS...`, a line each.

multiprocess.py FOLDER operations ROUNDS TIMES    ns per operation, in both modes
multiprocess.py FOLDER scrape PROCESSES ROUNDS    ns per scrape of forked processes with 1,000 counters and 10 histograms each
multiprocess.py FOLDER bytes PROCESSES COUNTERS HISTOGRAMS    bytes of the files: allocated, and their lengths
"""

import os
import sys
import time

folder, task, *rest = sys.argv[1:]
os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector


def report(name, figures):
    print(name, *("%.3f" % figure for figure in figures), sep=";", flush=True)


def each(rounds, times, operation):
    """ns per operation, round by round."""
    figures = []
    for _ in range(rounds):
        begun = time.perf_counter_ns()
        for _ in range(times):
            operation()
        figures.append((time.perf_counter_ns() - begun) / times)
    return figures


def operations(rounds, times):
    for mode, value in (("", values.MutexValue), (", multiprocess", values.MultiProcessValue())):
        import prometheus_client.metrics as metrics

        metrics.values.ValueClass = value
        registry = CollectorRegistry()
        counter = Counter("requests", "Requests answered", registry=registry)
        labelled = Counter("answers", "Answers", ["method", "code"], registry=registry)
        gauge = Gauge("depth", "Depth", registry=registry)
        histogram = Histogram("latency", "Latency", registry=registry)

        def timed():
            with histogram.time():
                pass

        report("inc" + mode, each(rounds, times, counter.inc))
        report("labels" + mode, each(rounds, times, lambda: labelled.labels("GET", "200").inc()))
        report("set" + mode, each(rounds, times, lambda: gauge.set(7)))
        report("observe" + mode, each(rounds, times, lambda: histogram.observe(0.0007)))
        report("time" + mode, each(rounds, times, timed))


def processes(count, counters, histograms):
    """Forks them one after another; each counts in everything and ends, as its file stays."""
    counter = Counter("requests", "Requests answered", ["method", "route"])
    histogram = Histogram("latency", "Latency", ["stage"])
    for _ in range(count):
        child = os.fork()
        if child == 0:
            for n in range(counters):
                counter.labels("GET", "/api/v1/items/%d" % n).inc(n + 1)
            for n in range(histograms):
                for value in (0.0001, 0.0007, 0.002):
                    histogram.labels(str(n)).observe(value)
            os._exit(0)
        os.waitpid(child, 0)


def scrape(count, rounds):
    processes(count, 1000, 10)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    report("scrape", each(rounds, 1, lambda: generate_latest(registry)))


def file_bytes(count, counters, histograms):
    processes(count, counters, histograms)
    files = [os.stat(os.path.join(folder, name)) for name in os.listdir(folder)]
    report("bytes", (sum(file.st_blocks * 512 for file in files), sum(file.st_size for file in files)))


{"operations": operations, "scrape": scrape, "bytes": file_bytes}[task](*map(int, rest))
