"""The last values of a series, over all lanes: SPEC 9.13, 10.22, 14."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .buckets import SamplesShape
from .layout import WORD_MASK, Segment, acquire_fence, float_of

RETRIES = 8  # of a block whose writer overwrites what is read [D-3]
BEGUN, ENDED, INVALID, BASELINE = range(4)  # words of a block
ENTRIES, ENTRY_WORDS = 16, 2  # of an entry: time, value


@dataclass(frozen=True)
class Sample:
    time_ns: int
    back: int  # how many of its lane came after it
    lane: int
    age: int  # of its record among the revisions: the oldest is 0
    value: float

    @property
    def order(self) -> tuple[int, int, int, int]:
        """Ascending: the newest first [14]."""
        return -self.time_ns, self.back, self.lane, -self.age


def read_lane(segment: Segment, shape: SamplesShape, address: int, lane: int, age: int) -> tuple[list[Sample], int, int]:
    """What is shown of a lane's block, how many samples it ever had, and how many were overtaken."""
    samples: list[Sample] = []
    ended = overtaken = 0
    for _ in range(RETRIES):
        ended = segment.load(address, ENDED)
        acquire_fence()
        numbers = range(ended - min(ended, shape.shown) + 1, ended + 1)
        copied = [segment.copy(address, at, at + ENTRY_WORDS)
                  for at in (ENTRIES + ENTRY_WORDS * ((number - 1) % shape.entries) for number in numbers)]
        acquire_fence()
        begun = segment.load(address, BEGUN)
        samples = [Sample(time_ns, ended - number, lane, age, float_of(value))
                   for number, (time_ns, value) in zip(numbers, copied)
                   if (begun - number) & WORD_MASK < shape.entries]
        overtaken = len(numbers) - len(samples)
        if not overtaken:
            break
    return samples, ended, overtaken


def read_shared(segment: Segment, shape: SamplesShape, address: int, age: int) -> tuple[list[Sample], int]:
    """What is in the shared lane, and how many samples it ever had."""
    ended, begun = segment.load(address, ENDED), segment.load(address, BEGUN)
    entries = range(shape.entries)
    times = [segment.load(address, ENTRIES + ENTRY_WORDS * entry) for entry in entries]
    acquire_fence()
    values = [segment.load(address, ENTRIES + ENTRY_WORDS * entry + 1) for entry in entries]
    return [Sample(times[entry], (begun - 1 - entry) % shape.entries, 0, age, float_of(values[entry]))
            for entry in entries if times[entry]], ended


@dataclass(frozen=True)
class Samples:
    """The newest of all lanes together."""

    count: int
    keep: int
    values: list[float]  # the oldest first
    invalid: int
    overtaken: int

    @staticmethod
    def of(found: list[Sample], count: int, keep: int, invalid: int, overtaken: int) -> Samples:
        newest = sorted(found, key=lambda sample: sample.order)[:keep]
        values = [sample.value for sample in reversed(newest)]
        return Samples(count & WORD_MASK, keep, values, invalid & WORD_MASK, overtaken)

    @property
    def ascending(self) -> list[float]:
        """By the total order of IEEE 754: damage may have left what is no number."""
        def key(value: float) -> tuple[int, float]:
            return (0 if math.copysign(1.0, value) < 0 else 2, 0.0) if math.isnan(value) else (1, value)
        # -0.0 before 0.0.
        return sorted(self.values, key=lambda value: (*key(value), math.copysign(1.0, value)))

    def nearest_rank(self, percent: float) -> float | None:
        if not self.values:
            return None
        ordered = self.ascending
        return ordered[min(max(math.ceil(len(ordered) * percent / 100.0) - 1, 0), len(ordered) - 1)]
