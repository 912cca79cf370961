"""Prometheus over text, Prometheus over protobuf, and VictoriaMetrics, while workers count and are killed."""

import contextlib
import json
import math
import os
import urllib.parse

from processes import Failed, InBackground, Server, free_port, get, run, until

COUNTER = "demo_operations_total"
HISTOGRAM = "demo_operation_duration_seconds"
QUANTILES = ("0.5", "0.9", "0.99")
# One bucket of the native histogram: a factor of 2^(1/8). Of the classic buckets beside it, by default: a factor of 2.
NATIVE_BUCKET, CLASSIC_BUCKET = 2 ** (1 / 8), 2.0
ROUNDS = 3

CONFIG = """\
global:
  scrape_interval: 1s
  scrape_timeout: 1s
scrape_configs:
  - job_name: shmetrics
    static_configs:
      - targets: ["{target}"]
"""


class Querying:
    """A server that answers PromQL."""

    def __init__(self, name, address, native=False, precision=0.0):
        self.name, self.address, self.native = name, address, native
        # The relative error with which it stores a float; most store it as it is.
        self.precision = precision

    def query(self, expression, lookback=None):
        parameters = {"query": expression}
        if lookback:
            parameters["step"] = lookback
        body, _ = get(f"{self.address}/api/v1/query?{urllib.parse.urlencode(parameters)}")
        answer = json.loads(body)
        if answer["status"] != "success":
            raise Failed(f"{self.name}: {expression}: {answer}")
        return answer["data"]["result"]

    def values(self, expression):
        """The values by worker, "" for what has none."""
        return {one["metric"].get("worker", ""): float(one["value"][1]) for one in self.query(expression)}

    def one(self, expression):
        values = self.values(expression)
        if len(values) != 1:
            raise Failed(f"{self.name}: {expression} has {len(values)} values")
        return next(iter(values.values()))


def check(shmetrics, folder, address, app):
    target = address.removeprefix("http://")
    config = os.path.join(folder, "scrape.yml")
    with open(config, "w", encoding="utf-8") as file:
        file.write(CONFIG.format(target=target))
    with contextlib.ExitStack() as servers:
        peers = [
            prometheus(servers, folder, config, "text", []),
            prometheus(servers, folder, config, "protobuf", ["--enable-feature=native-histograms"]),
            victoria(servers, folder, config),
        ]
        for peer in peers:
            until(f"{peer.name} has scraped", 30, lambda peer=peer: peer.values('up{job="shmetrics"} == 1'))
        for number in range(ROUNDS):
            demo = [shmetrics, "demo", "--segment", app, "--workers", "4", "--threads", "2", "--kill", "4"]
            demo += ["--increments", "60000000", "--record", "--format", "json", "--seed", str(number)]
            working = InBackground(run, demo)
            working.wait()
        told = snapshot(shmetrics, app)
        for peer in peers:
            agree(peer, told)


def prometheus(servers, folder, config, name, flags):
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/prometheus-{name}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--query.lookback-delta=1m", *flags]
    server = Server(f"prometheus ({name})", command, os.path.join(folder, f"prometheus-{name}.log"))
    servers.enter_context(server).ready(f"{address}/-/ready")
    return Querying(server.name, address, native=bool(flags))


def victoria(servers, folder, config):
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = ["victoria-metrics", f"-promscrape.config={config}", f"-storageDataPath={folder}/victoria"]
    command += [f"-httpListenAddr=127.0.0.1:{port}", "-search.latencyOffset=0s", "-memory.allowedBytes=256MB"]
    server = Server("victoria-metrics", command, os.path.join(folder, "victoria.log"))
    servers.enter_context(server).ready(f"{address}/health")
    # It stores floats as decimals, and ends their digits where the rest is less than 1e-12 of the number (conversionPrecision in
    # its lib/decimal). Integers stay exact.
    return Querying(server.name, address, precision=1e-12)


def snapshot(shmetrics, app):
    """What the segment says: totals by worker, and the histogram."""
    printed, _ = run([shmetrics, "snapshot", app, "--format", "json"])
    series = json.loads(printed)["series"]
    totals = {one["labels"]["worker"]: one["value"] for one in series if one["name"] == COUNTER}
    (histogram,) = [one for one in series if one["name"] == HISTOGRAM]
    return totals, histogram


def agree(peer, told):
    """Waits for the scrape after the last count, then compares everything."""
    totals, histogram = told
    until(f"{peer.name} has {COUNTER} as the segment", 30, lambda: peer.values(COUNTER) == totals)
    if peer.native:
        # As a histogram sample; its count and sum by function.
        count, total = f"histogram_count({HISTOGRAM})", f"histogram_sum({HISTOGRAM})"
        quantile, width = "histogram_quantile({q}, " + HISTOGRAM + ")", NATIVE_BUCKET
    else:
        count, total = f"{HISTOGRAM}_count", f"{HISTOGRAM}_sum"
        quantile, width = "histogram_quantile({q}, " + HISTOGRAM + "_bucket)", CLASSIC_BUCKET
    same(peer, "count", peer.one(count), histogram["count"])
    same(peer, "sum", peer.one(total), histogram["sum"], peer.precision)
    for q in QUANTILES:
        found, expected = peer.one(quantile.format(q=q)), histogram["quantiles"][q]
        if not 1 / width <= found / expected <= width:
            raise Failed(f"{peer.name}: quantile {q} is {found}, the segment's {expected}: more than a bucket off")
    for name in (COUNTER, count if not peer.native else COUNTER):
        falls = {worker: number for worker, number in peer.values(f"resets({name}[10m])").items() if number}
        if falls:
            raise Failed(f"{peer.name} saw {name} go down: {falls}")
    if not peer.native:
        below = peer.one(f'{HISTOGRAM}_bucket{{le="+Inf"}}')
        same(peer, "the last bucket", below, histogram["count"])
    seen = sum(peer.values(f"count_over_time({COUNTER}[10m])").values())
    print(f"  {peer.name}: totals of {len(totals)} series exact, {math.floor(seen)} samples, none went down")


def same(peer, what, found, expected, precision=0.0):
    if not math.isclose(found, expected, rel_tol=precision):
        raise Failed(f"{peer.name}: {what} is {found!r}, the segment's {expected!r}")
