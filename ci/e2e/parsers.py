"""The formats by those who are strict about them: promtool, and the OpenMetrics parser of Prometheus' Python client."""

import subprocess

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from processes import Failed, get

TEXT = "text/plain;version=0.0.4"
OPENMETRICS = "application/openmetrics-text;version=1.0.0"


def check(shmetrics, address, segments):
    del shmetrics, segments
    text, headers = get(f"{address}/metrics", {"Accept": TEXT})
    expect(headers, "text/plain; version=0.0.4")
    lint = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    if lint.returncode != 0:
        raise Failed(f"promtool: {lint.stdout.decode()}{lint.stderr.decode()}")
    openmetrics, headers = get(f"{address}/metrics", {"Accept": OPENMETRICS})
    expect(headers, "application/openmetrics-text; version=1.0.0")
    families = {}
    for name, parse, body in (("text", parse_text, text), ("OpenMetrics", parse_openmetrics, openmetrics)):
        samples = [sample for family in parse(body.decode()) for sample in family.samples]
        keys = [(sample.name, tuple(sorted(sample.labels.items()))) for sample in samples]
        doubled = {key for key in keys if keys.count(key) > 1} if len(keys) < 5000 else len(keys) != len(set(keys))
        if doubled:
            raise Failed(f"{name}: more than once: {doubled}")
        families[name] = len(keys)
    print(f"  parsed: {families}")


def expect(headers, content_type):
    if not headers["Content-Type"].startswith(content_type):
        raise Failed(f"answered with {headers['Content-Type']}, not {content_type}")
