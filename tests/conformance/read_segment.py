#!/usr/bin/env python3
"""A second reader of the shmetrics segment format, written from SPEC.md alone.

It prints the JSON of SPEC 15, one line for each snapshot of a segment file. Numbers in brackets, as in [10.11], are
sections of SPEC.md. The modules in the folder `segment_reader`, each built on those before it:

    layout.py     2, 6 to 9, 12.1     where everything is; the header
    buckets.py    9.7, 9.8            buckets of histograms, shapes of blocks
    records.py    7, 12.2             families and series
    events.py     9.12, 10.21         rings of events, schemas
    errors.py     9.10, 10.18         the error log
    resets.py     9.11, 10.19         what was reset
    processes.py  10.4, 10.5, 10.16   owners
    groups.py     9.16, 10.25         fields that are counted together
    in_flight.py  9.14, 10.23         what is in flight
    texts.py      9.15, 10.24         texts that are replaced as a whole
    blocks.py     10.11 to 10.14      copying what others are writing
    sequence.py   10.15, 12.3         never less than before
    merging.py    14                  histograms: sums, windows, quantiles
    samples.py    9.13, 10.22, 14     the last values
    reader.py     14                  snapshots: counters, gauges, histograms, the view per process

Exit codes: 0 fine; 2 the segment is refused, and the last line of stderr begins with the rule; 1 anything else.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from datetime import datetime, timezone
from typing import Any

sys.dont_write_bytecode = True

from segment_reader import layout
from segment_reader.errors import ErrorLog
from segment_reader.groups import Fields
from segment_reader.in_flight import InFlight
from segment_reader.layout import CAPACITIES, GAUGES, WORD_MASK, Kind, Merge, Refused, Segment
from segment_reader.merging import Histogram, Number, Windows, compensated
from segment_reader.processes import Process
from segment_reader.reader import Group, Reader, Reading, Snapshot
from segment_reader.samples import Samples
from segment_reader.texts import Text

Json = dict[str, Any]

IN_FLIGHT_ENTRIES = 100
QUANTILES = ("0.5", "0.9", "0.99", "0.999")
PERCENTILES = ("50", "95", "99", "100")


def timestamp(ns: int) -> str:
    """RFC 3339, UTC, nanoseconds."""
    seconds, rest = divmod(ns, 10**9)
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S") + f".{rest:09d}Z"


def finite(value: Number | None) -> Number | None:
    """Floats that are not finite are null."""
    return value if value is None or math.isfinite(value) else None


def quality(error: int) -> Json:
    return {"quality": "bounded", "error": min(error, WORD_MASK)} if error else {"quality": "exact"}


def quantiles(histogram: Histogram) -> Json:
    return {q: finite(histogram.quantile(float(q))) for q in QUANTILES}


def buckets(histogram: Histogram) -> list[Json]:
    """The buckets that hold something, cumulative, and always the last, which is +Inf."""
    last = histogram.scheme.buckets - 1
    shown: list[Json] = [{"le": finite(histogram.scheme.upper(bucket)), "count": reached}
                         for bucket, _, reached in histogram.cumulative() if bucket != last]
    return [*shown, {"le": "+Inf", "count": histogram.count}]


def samples_of(samples: Samples) -> Json:
    """Samples; of those that no writer makes, what is no number is null."""
    total, number = compensated(samples.ascending), len(samples.values)
    return {
        "count": samples.count, "mean": finite(total / float(number)) if number else None,
        "percentiles": {percent: finite(samples.nearest_rank(float(percent))) for percent in PERCENTILES},
        "values": [finite(value) for value in samples.values],
        **({"overtaken": samples.overtaken} if samples.overtaken else {}),
    }


def fields_of(group: Fields) -> Json:
    return {"fields": group.fields, "updates": group.updates}


def seconds_of(us: int) -> float:
    return float(us) / 1e6


def in_flight(found: InFlight) -> Json:
    def work(of: Any) -> Json:
        key, is_cut = of.key or (None, False)
        return {"key": key, "truncated": is_cut, "runs": of.runs,
                "age_seconds": None if of.age_us is None else seconds_of(of.age_us),
                "slot": of.process.slot, "process": of.process.name}

    ages = found.ages
    return {"in_flight": len(found.works), "age_seconds": seconds_of(sum(ages)),
            "oldest_seconds": seconds_of(max(ages)) if ages else None, "unknown_ages": len(found.works) - len(ages),
            "parked": found.parked, "overflow": found.overflow, "forgotten": found.forgotten,
            "capacity": found.capacity, "entries": [work(each) for each in found.works[:IN_FLIGHT_ENTRIES]]}


def text_of(found: Text) -> Json:
    return {"text": found.text, "truncated": found.truncated,
            "set_at": None if found.set_ns is None else timestamp(found.set_ns),
            **({"unreadable": True} if found.unreadable else {}), "capacity": found.capacity, "refused": found.refused}


def is_of_the_dead(snapshot: Snapshot, tag: int) -> bool:
    """Does this tag of a lane name an incarnation that is dead [10.4]? One newer than the slot was read is not."""
    process = next((process for process in snapshot.processes if process.slot + 1 == tag >> 48), None)
    if process is None:
        return False
    behind = process.tag - tag & 2**48 - 1
    return not process.alive if behind == 0 else behind < 2**47


class Printer:
    """The JSON of a reader's snapshots."""

    def __init__(self, reader: Reader, window_seconds: float | None, processes: bool) -> None:
        self.reader = reader
        self.segment = reader.segment
        self.header = reader.segment.header
        self.window_seconds = window_seconds
        self.processes = processes
        self.errors = ErrorLog(reader.segment)
        self.taken = 0

    def line(self, snapshot: Snapshot) -> str:
        """Control characters are escaped, also DEL, which json leaves alone [D-7]."""
        shown = json.dumps(self._snapshot(snapshot), separators=(",", ":"), allow_nan=False)
        return shown.replace("\x7f", "\\u007f")

    def _snapshot(self, snapshot: Snapshot) -> Json:
        shown: Json = {"schema": 1, "segment": self._segment(snapshot), "taken_at": timestamp(snapshot.wall_ns)}
        if self.reader.cut:
            shown["cut_epoch"] = snapshot.epoch
        readings = [(group, self.reader.read(snapshot, group)) for group in snapshot.groups]
        shown["series"] = [self._series(group, reading) for group, reading in readings
                           if not (group.members[0].overflow and reading.says_nothing(group.family.kind))]
        shown["processes"] = [self._process(snapshot, process) for process in snapshot.processes if process.incarnation]
        shown["losses"] = {name: self.segment.counted(offset) for name, offset in layout.LOSSES.items()}
        errors, taken, damaged = self.errors.read()
        shown["fill"] = self._fill(snapshot, taken)
        shown["skipped"] = [{"record": number, "reason": reason}
                            for number, reason in sorted(self.reader.catalog.skipped.items())]
        shown["health"] = {
            "adoptions": self.segment.counted(layout.ADOPTIONS),
            "dead_slots": sum(process.is_dead for process in snapshot.processes),
            "dead_lanes": sum(is_of_the_dead(snapshot, owner) for owner in snapshot.owners.values()),
            "errors_damaged": damaged,
        }
        shown["errors"] = [{
            "message": error.message, "count": error.count, "first_seen": timestamp(error.first_ns),
            "last_seen": timestamp(error.last_ns), "truncated": error.truncated,
        } for error in errors]
        self.taken += 1
        # Of this reader, not of the segment; what it reads again it does not count.
        shown["reader"] = {"snapshots": self.taken, "torn_reads": 0, "bounded_results": 0, "reopened": 0}
        return shown

    def events(self, snapshot: Snapshot) -> list[str]:
        """Every event that is there, a line each, and how many were lost."""
        events, lost = self.reader.events(snapshot)
        lines: list[Json] = []
        for event in events:
            wall = self.header.created_ns + event.time - self.header.created_monotonic_ns
            line: Json = {"event": event.kind.name if event.kind else f"kind-{event.code}",
                          "timestamp": timestamp(min(max(wall, 0), WORD_MASK)), "timestamp_ns": event.time}
            line |= {name: finite(value) if isinstance(value, float) else value
                     for name, value in event.values.items()}
            if event.truncated:
                line["truncated"] = event.truncated
            lines.append(line)
        lines.append({"lost": lost})
        return [json.dumps(line, separators=(",", ":"), allow_nan=False).replace("\x7f", "\\u007f") for line in lines]

    def _segment(self, snapshot: Snapshot) -> Json:
        header, resets = self.header, self.reader.resets.table
        ids = self.segment.load(layout.NEXT_ID) & 2**63 - 1
        return {
            "path": os.fsencode(self.segment.path).decode("utf-8", "replace"), "id": f"{header.segment_id:016x}",
            "version": header.version, "created": timestamp(header.created_ns),
            "uptime_seconds": max(0, snapshot.monotonic_ns - header.created_monotonic_ns) / 1e9,
            "retired": self.segment.load(layout.RETIRED) != 0,
            **({"ids_given": ids} if ids else {}),
            **({"resets": resets.number, "last_reset": timestamp(max(resets.times, default=0))} if resets.number else {}),
            "geometry": {
                **{name: getattr(header, name) for name in CAPACITIES if name != "epoch_length_ns"},
                "epoch_seconds": self._seconds(1), "file_length": header.file_length,
                "head_length": header.slots_region,
            },
        }

    def _series(self, group: Group, reading: Reading) -> Json:
        family = group.family
        shown: Json = {
            "name": family.name, "kind": family.kind.name.lower(), "unit": family.unit, "help": family.help,
            "labels": group.members[0].labels, "created": timestamp(min(series.created for series in group.shown)),
        }
        since = min(map(self.reader.resets.table.start, group.shown))
        if since > min(series.created for series in group.shown):
            shown["since"] = timestamp(since)
        if family.kind in GAUGES:
            shown["merge"] = family.merge.name.lower()
        if reading.samples is not None:
            shown |= samples_of(reading.samples)
            shown |= {"keep": reading.samples.keep, "invalid": reading.samples.invalid}
        elif reading.histogram is not None:
            shown |= self._histogram(reading.histogram, reading.windows)
        elif reading.events is not None:
            shown |= vars(reading.events)
        elif family.kind == Kind.TIME_MARK:
            time = reading.value
            shown |= {"value": time, "time": None if time is None else timestamp(time)}
        elif family.kind == Kind.STATE:
            shown["healthy"] = all(state.healthy for state in reading.states)
            shown["states"] = [{"process": state.process.name, "status": state.status, "streak": state.streak,
                                "healthy": state.healthy} for state in reading.states]
        elif reading.text is not None:
            shown |= text_of(reading.text)
        elif reading.fields is not None:
            shown |= fields_of(reading.fields) | quality(reading.fields.error)
        elif reading.in_flight is not None:
            shown |= in_flight(reading.in_flight)
        elif family.kind in GAUGES and family.merge == Merge.EACH:
            shown["values"] = [
                {"process": process.name, "slot": process.slot, "value": finite(value)} for process, value in reading.each
            ]
        else:
            shown["value"] = finite(reading.value)
        return shown

    def _histogram(self, histogram: Histogram, windows: Windows) -> Json:
        if self.window_seconds is not None:
            # The shortest that is long enough, else the longest; without windows nothing, bounded by all it counted.
            long_enough = [window for window in windows if self._seconds(window[0]) >= self.window_seconds]
            whole, windows = histogram, long_enough[:1] or windows[-1:]
            histogram = windows[0][1] if windows else Histogram(whole.scheme)
            if not windows:
                histogram.error = whole.count or whole.error
        return {
            "count": histogram.count, "sum": finite(histogram.sum),
            "min": finite(histogram.minimum), "max": finite(histogram.maximum),
            "mean": finite(histogram.sum / float(histogram.count)) if histogram.count else None,
            "invalid": histogram.invalid, "quantiles": quantiles(histogram), "buckets": buckets(histogram),
            **quality(histogram.error),
            "windows": [self._window(epochs, window) for epochs, window in windows],
        }

    def _window(self, epochs: int, window: Histogram) -> Json:
        seconds = self._seconds(epochs)
        return {"seconds": seconds, "count": window.count, "sum": finite(window.sum),
                "rate": float(window.count) / seconds, "quantiles": quantiles(window), **quality(window.error)}

    def _seconds(self, epochs: int) -> float:
        return epochs * self.header.epoch_length_ns / 1e9

    def _process(self, snapshot: Snapshot, process: Process) -> Json:
        known = process.description
        shown: Json = {
            "slot": process.slot, "incarnation": process.incarnation, "alive": process.alive, "role": known.role,
            "pid": known.pid, "pid_namespace": known.pid_namespace, "start_ticks": known.start_ticks,
            "claimed": timestamp(known.claimed_ns), "command": known.command,
            "lanes": sum(owner == process.tag for owner in snapshot.lanes.values()),
        }
        if self.processes:
            values: list[Json] = []
            for group, part in self.reader.process_values(snapshot, process):
                counted: Json = {"value": finite(part.value)}
                if group.family.kind == Kind.TIME_MARK:
                    counted["time"] = timestamp(part.value)
                if part.state is not None:
                    counted = {"status": part.state.status, "streak": part.state.streak}
                if part.samples is not None:
                    counted = samples_of(part.samples)
                if part.fields is not None:
                    counted = fields_of(part.fields)
                if part.count is not None:
                    counted = {"count": part.count, "sum": finite(part.value)}
                values.append({"name": group.family.name, "labels": group.members[0].labels, **counted})
            if values:
                shown["values"] = values
        return shown

    def _fill(self, snapshot: Snapshot, errors: int) -> Json:
        header, load = self.header, self.segment.load
        alive = {process.tag for process in snapshot.processes if process.alive}

        def placed(offset: int, capacity: int) -> tuple[int, int]:
            return min(load(offset) & 2**40 - 1, capacity), capacity

        used = {
            "process_slots": (len(alive), header.process_slots),
            "lanes": (sum(owner in alive for owner in snapshot.owners.values()), header.lanes),
            "lanes_touched": (len(snapshot.owners), header.lanes),
            "records": (self.reader.catalog.reserved(), header.records),
            "text": (min(load(layout.TEXT_USED), header.text_length), header.text_length),
            "counters": placed(layout.COUNTER_PLACEMENT, header.counters),
            "gauges": placed(layout.GAUGE_PLACEMENT, header.gauges),
            "blocks": placed(layout.BLOCK_PLACEMENT, header.blocks_length),
            "errors": (errors, header.errors),
            "committed": (load(layout.COMMITTED), header.budget),
        }
        return {name: {"used": amount, "capacity": capacity} for name, (amount, capacity) in used.items()}


def clocks_of(text: str) -> tuple[int, int] | None:
    """Wall and monotonic clock; without text those of the machine, whatever they are by then."""
    if not text.strip():
        return None
    wall, monotonic = map(int, text.split(","))
    return wall, monotonic


def main() -> int:
    parser = argparse.ArgumentParser(description="Prints a shmetrics segment as JSON.")
    parser.add_argument("path")
    parser.add_argument("--cut", action="store_true", help="histograms end with the last closed epoch")
    parser.add_argument("--window", type=float, metavar="SECONDS", help="histograms show one closed window only")
    parser.add_argument("--processes", action="store_true", help="list what every process counted")
    parser.add_argument("--events", action="store_true", help="print the events, and how many are lost, instead")
    parser.add_argument("--at", metavar="WALL_NS,MONOTONIC_NS", help="clocks to use instead of the real")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="take N snapshots with one reader")
    parser.add_argument("--step", action="store_true",
                        help="wait for a line on stdin before each snapshot but the first; it may be other clocks, as "
                             "in --at; the end of stdin ends the reader")
    try:
        options = parser.parse_args()
        at = clocks_of(options.at or "")
        reader = Reader(Segment(options.path), options.cut, options.window is not None)
        printer = Printer(reader, options.window, options.processes)
        if not layout.HAS_ORDERED_LOADS:
            print("warning: this reader relies on loads in program order, which only x86-64 guarantees; "
                  "while the segment is written to, its answers may be wrong", file=sys.stderr)
        for number in range(options.repeat):
            if options.step and number > 0:
                asked = sys.stdin.readline()
                if not asked:
                    break
                at = clocks_of(asked) or at
            wall, monotonic = at or (time.time_ns(), time.clock_gettime_ns(time.CLOCK_MONOTONIC))
            snapshot = reader.snapshot(wall, monotonic)
            print("\n".join(printer.events(snapshot)) if options.events else printer.line(snapshot), flush=True)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 2
    except (OSError, ValueError, ArithmeticError, MemoryError) as failure:
        print(f"cannot read {ascii(options.path)}: {failure}", file=sys.stderr)
        return 1
    except SystemExit as usage:
        return 1 if usage.code else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
