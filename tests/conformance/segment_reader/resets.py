"""What was reset and is subtracted: SPEC 9.11, 10.19."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from .blocks import BUCKETS, total_of
from .layout import COUNTERS, HISTOGRAMS, RESERVED, RESET, Kind, Merge, Segment, acquire_fence, float_of
from .records import Series

RETRIES = 8  # of a table that may be overwritten [D-3]
(RESET_COUNT, RESET_SUM, RESET_SUM_HIGH, RESET_LOWEST, RESET_HIGHEST, RESET_ERROR, _, RESET_INVALID) = range(8)


@dataclass(frozen=True)
class Baseline:
    """What a histogram had, or a group, whose fields are buckets, and its updates the last one; `sum` is a whole number of base units, or a float."""

    sum: int | float
    invalid: int
    error: int
    buckets: dict[int, int]  # those that hold something


@dataclass(frozen=True)
class Table:
    """A private copy of the table in force."""

    number: int = 0  # of resets
    times: list[int] = field(default_factory=list)  # by record number minus one
    counters: dict[int, int] = field(default_factory=dict)  # words by record number
    histograms: dict[int, Baseline] = field(default_factory=dict)  # by record number
    floats: dict[int, int] = field(default_factory=dict)  # of numbers, the words of the float part, by record number

    def time(self, number: int) -> int:
        return self.times[number - 1] if number <= len(self.times) else 0

    def start(self, series: Series) -> int:
        """Since when a record counts [14]."""
        can_be = series.family.kind in (*COUNTERS, *HISTOGRAMS, Kind.GROUP)
        can_be |= (series.family.kind, series.family.merge) == (Kind.TIME_MARK, Merge.MAX)
        return series.created if not can_be else max(series.created, self.time(series.number))


class Resets:
    """The baseline of a reader."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.table = Table()

    def update(self, take_up: Callable[[], list[Series]]) -> list[Series]:
        """Before the cells are read; `take_up` gives all series, those that just became ready included."""
        if self.segment.header.reset_tables == 0:
            return take_up()
        for _ in range(RETRIES):
            number = self.segment.load(RESET)
            acquire_fence()
            known = take_up()
            if number == self.table.number:
                break
            table = self._copy(number, known)
            acquire_fence()
            if self.segment.load(RESET) == number:
                self.table = table
                break
        return known

    def _copy(self, number: int, known: list[Series]) -> Table:
        if number == 0:
            return Table()
        segment, table = self.segment, number & 1
        most = max((series.number for series in known), default=0)
        # Also of records that are no series that one knows: `last_reset` is the latest time of all [15].
        records = min(segment.load(RESERVED), segment.header.records)
        times = segment.copy(segment.reset_table(table), 0, max(most, records))
        reset = [series for series in known if times[series.number - 1]]
        return Table(
            number, times,
            {series.number: segment.load(segment.reset_counter(table, series.placement))
             for series in reset if series.family.kind in COUNTERS},
            {series.number: self._histogram(table, series)
             for series in reset if series.family.kind in (*HISTOGRAMS, Kind.GROUP)},
            {series.number: segment.load(segment.reset_counter(table, series.placement + 1))
             for series in reset if series.family.kind == Kind.NUMBER},
        )

    def _histogram(self, table: int, series: Series) -> Baseline:
        shape = series.group or series.shape
        assert shape is not None, "only histograms and groups have blocks"
        address, most = self.segment.reset_block(table, series.placement), shape.buckets
        words = self.segment.copy(address, 0, RESET_INVALID + 1)
        start, end = most - min(words[RESET_LOWEST], most), min(words[RESET_HIGHEST], most)
        copied = self.segment.copy(address, BUCKETS + start, BUCKETS + end)
        buckets = {start + at: inside for at, inside in enumerate(copied) if inside}
        is_whole = series.family.kind == Kind.HISTOGRAM_INTEGER
        total = words[RESET_SUM] + (words[RESET_SUM_HIGH] << 64) if is_whole else float_of(words[RESET_SUM])
        error = words[RESET_ERROR] + abs(words[RESET_COUNT] - total_of(buckets))
        return Baseline(total, words[RESET_INVALID], error, buckets)
