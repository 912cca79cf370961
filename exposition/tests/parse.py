"""Parses every file of a folder by the parsers of the Prometheus client library, the ending of its name says by which, and prints
how many there were. A series that is there twice is an error, too, although these parsers do not see it."""

import pathlib
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text


def check(path):
    ending = path.suffix
    if ending == ".protobuf":
        return
    content = path.read_bytes().decode("utf-8")
    seen = set()
    for family in (openmetrics if ending == ".openmetrics" else text)(content):
        for sample in family.samples:
            labels = tuple(sorted((name, value) for name, value in sample.labels.items() if value))
            if (sample.name, labels) in seen:
                raise ValueError(f"twice: {sample}")
            seen.add((sample.name, labels))
            if sample.timestamp is not None:
                raise ValueError(f"a timestamp: {sample}")


files = sorted(path for path in pathlib.Path(sys.argv[1]).iterdir())
for path in files:
    try:
        check(path)
    except Exception as error:
        content = path.read_bytes().decode("utf-8", "replace")
        sys.exit(f"{path.name}: {type(error).__name__}: {error}\n{content}")
print(len(files), "files")
